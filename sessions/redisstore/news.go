package redisstore

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/limpet-proxy/limpet/sessions"
)

const (
	// relinkAfter is how long a lost connection waits until it is made again.
	relinkAfter = 100 * time.Millisecond
	// refusedAfter is how long a server that refuses to tell of changes is left alone.
	refusedAfter = 10 * time.Second
	// maxReplicaLag is how long ago a replica may have been heard of for its master, with Sentinel, to count as the master
	// still. Replicas report once a second, and the server counts in seconds.
	maxReplicaLag = 2
)

// errCutOff means that a master has replicas and hears of none of them: another may have been promoted.
var errCutOff = errors.New("the master hears of none of its replicas")

var _ sessions.News = (*Store)(nil)

// news are what a store with a follower hears.
type news struct {
	store   *Store
	changed func(sessions.Key)
	leases  interface{ of(function string) *lease }
}

// Fresh says which of the function's changes Follow has told. See sessions.News.
func (s *Store) Fresh(function string) sessions.Freshness {
	n := s.news.Load()
	if n == nil {
		return sessions.Freshness{}
	}
	return *n.leases.of(function).now.Load()
}

// Follow calls changed for each session whose record changed, until ctx is done. See sessions.News.
//
// Each master has a connection of its own on which Redis tells of the keys that were written (CLIENT TRACKING in broadcast
// mode: https://redis.io/docs/latest/develop/reference/client-side-caching/), also of those that expired, were evicted or
// flushed. A server that refuses is logged once, and there are no news of its functions.
func (s *Store) Follow(ctx context.Context, changed func(sessions.Key)) {
	n := &news{store: s, changed: changed}
	defer s.news.Store(nil)
	switch client := s.client.(type) {
	case *redis.ClusterClient:
		all := newClusterLeases()
		n.leases = all
		s.news.Store(n)
		(&cluster{news: n, client: client, leases: all, masters: map[string]*clusterMaster{}}).follow(ctx)
	case *redis.Client:
		one := oneLease{newLease()}
		n.leases = one
		s.news.Store(n)
		(&master{news: n, options: client.Options(), probes: s.probes(one.it)}).follow(ctx)
	}
}

// oneLease is for all functions, which are on one master.
type oneLease struct{ it *lease }

func (o oneLease) of(string) *lease { return o.it }

// probes are what the one master is asked. With Sentinel it must still be the master: one that was cut off from the others
// answers for as long as it runs.
func (s *Store) probes(l *lease) func() []probe {
	all := []probe{{command: []string{"PING"}, lease: l, judge: respValue.err}}
	if s.acked {
		all = []probe{{command: []string{"INFO", "replication"}, lease: l, judge: judgeReplication}}
	}
	return func() []probe { return all }
}

// judgeReplication reads a master's INFO replication. A master without any replica is believed, as for writes: see
// replicated.
func judgeReplication(v respValue) error {
	if err := v.err(); err != nil {
		return err
	}
	info := parseInfo(strings.TrimPrefix(v.text, "txt:")) // of a verbatim string
	switch {
	case info["role"] != "master":
		return errNotMaster
	case info["connected_slaves"] == "0":
		return nil
	}
	for name, value := range info {
		if strings.HasPrefix(name, "slave") && nearReplica(value) {
			return nil
		}
	}
	return errCutOff
}

// nearReplica reads "ip=...,port=...,state=online,offset=...,lag=0".
func nearReplica(text string) bool {
	online, lag := false, maxReplicaLag+1
	for field := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(field, "=")
		switch name {
		case "state":
			online = value == "online"
		case "lag":
			if n, err := strconv.Atoi(value); err == nil {
				lag = n
			}
		}
	}
	return online && lag >= 0 && lag <= maxReplicaLag
}

// master is one master to be heard.
type master struct {
	*news
	options *redis.Options // the dialer's, and the user
	probes  func() []probe
	astray  func()      // told when a probe was answered badly; may be nil
	refuses atomic.Bool // it tells of no changes; so it was logged
	heard   bool        // since it was logged last
}

// follow hears of changes until ctx is done.
func (m *master) follow(ctx context.Context) {
	for {
		err := m.hear(ctx)
		if ctx.Err() != nil {
			return
		}
		m.report(err)
		pause := relinkAfter
		if errors.Is(err, errNoTracking) {
			pause = refusedAfter
			for _, p := range m.probes() {
				p.lease.none()
			}
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// report tells the operator once of each silence.
func (m *master) report(err error) {
	level := slog.LevelDebug
	switch {
	case errors.Is(err, errNoTracking) && !m.refuses.Swap(true):
		m.store.log.Warn("redis: the server does not tell of changed sessions: what another replica ends or moves is noticed "+
			"within a second. The user needs +client|tracking", "server", m.options.Addr, "error", err)
		return
	case m.heard:
		m.heard, level = false, slog.LevelWarn
	}
	m.store.log.Log(context.Background(), level, "redis: changed sessions are not heard of, each use asks", "server", m.options.Addr,
		"error", err)
}

// hear makes one connection and hears what it tells, for as long as it lives.
func (m *master) hear(ctx context.Context) error {
	var l *link
	l, err := connect(ctx, m.options, func(keys []respValue) { m.tell(l, keys) })
	if err != nil {
		return err
	}
	defer l.conn.Close()
	defer context.AfterFunc(ctx, func() { _ = l.conn.Close() })()
	if err := l.track(m.options, m.store.keys.records(), m.store.keys.channel()); err != nil {
		return err
	}
	asking, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.ask(asking, m.probes)
	}()
	err = l.listen(func(q question, bad error) error { return m.told(l, q, bad) })
	for _, p := range m.probes() {
		p.lease.lose(l)
	}
	stop()
	_ = l.conn.Close()
	<-done
	return err
}

// tell passes on which sessions changed; null stands for all.
func (m *master) tell(l *link, keys []respValue) {
	if len(keys) == 0 {
		for _, p := range m.probes() {
			p.lease.doubt(l)
		}
	}
	for _, k := range keys {
		if key, ok := m.store.keys.sessionOf(k.text); ok {
			m.changed(key)
		}
	}
}

// told takes in the answer to a probe.
func (m *master) told(l *link, q question, bad error) error {
	switch {
	case bad == nil:
		q.probe.lease.renew(l, q.sent)
		if !m.heard {
			m.heard = true
			m.refuses.Store(false)
			m.store.log.Info("redis: changed sessions are heard of", "server", l.conn.RemoteAddr().String())
		}
	case errors.Is(bad, errNotMaster):
		return bad
	default:
		q.probe.lease.lose(l)
		if m.astray != nil {
			m.astray()
		}
	}
	return nil
}
