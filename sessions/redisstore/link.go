package redisstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// newsInterval is how often a master is asked whether all was heard: what it wrote before an answered question was
	// sent has been applied.
	newsInterval = 100 * time.Millisecond
	// newsTimeout is how long a master may be silent until its connection counts as dead: four questions.
	newsTimeout = 400 * time.Millisecond
)

// errNoTracking means that the server tells this user of no changes, now or later.
var errNoTracking = errors.New("server does not tell of changed keys")

// errNotMaster means that a connection leads to a server that is not the master any more.
var errNotMaster = errors.New("server is not the master")

// probe is a question that only the server may answer well that decides about what the lease covers.
type probe struct {
	command []string
	lease   *lease
	judge   func(respValue) error // nil: the server does; errNotMaster: it will not again
}

// link is one connection over which a master tells of changed keys: RESP3, tracked in broadcast mode. The client's own
// subscriptions will not do: they take no notice of a connection that has gone dead without a word.
type link struct {
	conn    net.Conn
	r       *bufio.Reader
	changed func(keys []respValue) // the keys of records that changed; nil: all may have

	mu      sync.Mutex
	waiting []question // in the order in which they were sent, as answers come
}

// question is a probe that was sent.
type question struct {
	probe probe
	sent  time.Time
}

// connect opens a link to the master that o leads to.
func connect(ctx context.Context, o *redis.Options, changed func([]respValue)) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, o.DialTimeout+newsTimeout) // with Sentinel, the dialer asks for the master first
	defer cancel()
	conn, err := o.Dialer(ctx, "tcp", o.Addr)
	if err != nil {
		return nil, err
	}
	return &link{conn: conn, r: bufio.NewReaderSize(conn, 32<<10), changed: changed}, nil
}

// track makes the server tell of changes. It also subscribes to a channel on which nobody publishes: for subscribers the
// server bounds what it buffers, so that a replica that reads no more is cut off and does not fill its memory.
func (l *link) track(o *redis.Options, prefix, channel string) error {
	hello := []string{"HELLO", "3"}
	if o.Password != "" {
		user := o.Username
		if user == "" {
			user = "default"
		}
		hello = append(hello, "AUTH", user, o.Password)
	}
	for _, command := range [][]string{hello, {"CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", prefix}} {
		v, err := l.call(command)
		if err == nil {
			err = v.err()
		}
		if refusesForGood(err) {
			return fmt.Errorf("%w: %s: %w", errNoTracking, command[0], err)
		}
		if err != nil {
			return err
		}
	}
	_, err := l.call([]string{"SUBSCRIBE", channel}) // a server that refuses this has but an unbounded buffer
	return err
}

// refusesForGood tells a server that cannot do it, or may not for this user, from one that cannot do it yet.
func refusesForGood(err error) bool {
	var refusal replyError
	if !errors.As(err, &refusal) {
		return false
	}
	return startsWith(refusal, []string{"NOPERM"}) || !startsWith(refusal, unavailable())
}

// call sends one command and returns its reply.
func (l *link) call(command []string) (respValue, error) {
	if err := l.send(appendCommand(nil, command)); err != nil {
		return respValue{}, err
	}
	return l.next()
}

func (l *link) send(b []byte) error {
	_ = l.conn.SetWriteDeadline(time.Now().Add(newsTimeout)) // fails only with the write
	_, err := l.conn.Write(b)
	return err
}

// appendCommand appends a command as it goes over the wire.
func appendCommand(b []byte, command []string) []byte {
	b = append(append(b, '*'), strconv.Itoa(len(command))+"\r\n"...)
	for _, word := range command {
		b = append(b, "$"+strconv.Itoa(len(word))+"\r\n"+word+"\r\n"...)
	}
	return b
}

// next returns the next reply; changes that come before it have been applied then. Silence is an error.
func (l *link) next() (respValue, error) {
	for {
		if l.r.Buffered() == 0 {
			_ = l.conn.SetReadDeadline(time.Now().Add(newsTimeout)) // fails only with the read
		}
		v, err := readReply(l.r)
		if err != nil {
			return v, err
		}
		switch v.push() {
		case "invalidate":
			if len(v.items) != 2 {
				return v, fmt.Errorf("%w: an invalidation of %d items", errProtocol, len(v.items))
			}
			l.changed(v.items[1].items) // null, which has no items, after FLUSHALL and FLUSHDB
		case "", "subscribe":
			return v, nil
		}
	}
}

// ask sends the probes again and again until ctx is done or the connection is closed.
func (l *link) ask(ctx context.Context, probes func() []probe) {
	tick := time.NewTicker(newsInterval)
	defer tick.Stop()
	for {
		if l.send(l.questions(probes())) != nil {
			_ = l.conn.Close() // ends listen
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// questions notes the probes as sent, and returns them as they go over the wire.
func (l *link) questions(probes []probe) (b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for _, p := range probes {
		l.waiting = append(l.waiting, question{p, now})
		b = appendCommand(b, p.command)
	}
	return b
}

// answered returns the question that a reply is to.
func (l *link) answered() (question, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		return question{}, false
	}
	q := l.waiting[0]
	l.waiting = l.waiting[1:]
	return q, true
}

// listen takes in changes and answers until the connection fails, or told returns an error. told is given each answer.
func (l *link) listen(told func(question, error) error) error {
	for {
		v, err := l.next()
		if err != nil {
			return err
		}
		if v.kind == kindPush {
			continue
		}
		q, ok := l.answered()
		if !ok {
			return fmt.Errorf("%w: an answer to no question", errProtocol)
		}
		if err := told(q, q.probe.judge(v)); err != nil {
			return err
		}
	}
}
