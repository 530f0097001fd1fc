package redisstore_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/redisstore"
	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
)

// TestDarkConnectionIsNoticed: Redis answers every call, but the connection on which it tells of changes has gone dead
// without a word, as behind a firewall that forgot it.
func TestDarkConnectionIsNoticed(t *testing.T) {
	t.Parallel()
	server := redistest.Standalone(t, redistest.Options{})
	w := newWire(t, server.Addr)
	a := newReplica(t, topology{config: configOf(server.Addr)}, own(t))
	b := newReplica(t, topology{config: configOf(w.addr())}, own(t))
	a.settled(t, "x")
	b.settled(t, "x")
	was := b.use(t, "x")

	w.set(true)
	start := time.Now()
	_, err := a.End(t.Context(), was, false)
	require.NoError(t, err)
	lag := b.stops(t, "x", func(now sessions.Session) bool { return now.Epoch > was.Epoch })
	t.Logf("an entry that changed unheard was used until %v after", lag)
	require.Less(t, time.Since(start), sessions.NewsMaxAge+500*time.Millisecond)
	for end := time.Now().Add(2 * sessions.NewsMaxAge); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		require.True(t, b.asks(t, "x"), "each use asks")
	}
	w.set(false)
	b.settled(t, "x")
}

// TestUserThatMayNotHear: what another replica changes is noticed at the end of an entry's life, as ever.
func TestUserThatMayNotHear(t *testing.T) {
	t.Parallel()
	user, err := aclUser()
	require.NoError(t, err)
	server := redistest.Standalone(t, redistest.Options{
		Config: []string{"user default off", strings.ReplaceAll(user, " +client|tracking", "")},
	})
	cfg := configOf(server.Addr)
	cfg.Username, cfg.PasswordFile = "limpet", filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(cfg.PasswordFile, []byte(aclPassword), 0o600))
	var log syncBuffer
	r := newReplica(t, topology{
		config: cfg, options: redisstore.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))},
	}, own(t))
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "+client|tracking") }, recovery, time.Millisecond)
	require.Equal(t, sessions.Freshness{}, r.store.Fresh(own(t)))
	r.use(t, "x")
	require.False(t, r.asks(t, "x"), "its life, which is long here, is not over")
	require.Equal(t, 1, strings.Count(log.String(), "level=WARN"))
}

func TestUserThatMayNotHearInCluster(t *testing.T) {
	t.Parallel()
	user, err := aclUser()
	require.NoError(t, err)
	servers := redistest.NewCluster(t, redistest.Options{Config: []string{strings.ReplaceAll(user, " +client|tracking", "")}})
	cfg := configOf(servers.Addrs()...)
	cfg.Username, cfg.PasswordFile = "limpet", filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(cfg.PasswordFile, []byte(aclPassword), 0o600))
	r := newReplica(t, topology{config: cfg}, own(t))
	r.use(t, "x")
	none := func(function string) func() bool {
		return func() bool { return r.store.Fresh(function) == sessions.Freshness{} }
	}
	require.Eventually(t, none(own(t)), recovery, time.Millisecond)
	require.Eventually(t, none("asked for later"), recovery, time.Millisecond)
	require.False(t, r.asks(t, "x"), "its life is not over")
}

// TestUserThatMayNotSubscribe hears all the same: what it lacks is a bound for the server's buffer.
func TestUserThatMayNotSubscribe(t *testing.T) {
	t.Parallel()
	user, err := aclUser()
	require.NoError(t, err)
	server := redistest.Standalone(t, redistest.Options{Config: []string{strings.ReplaceAll(user, " +subscribe", "")}})
	cfg := configOf(server.Addr)
	cfg.Username, cfg.PasswordFile = "limpet", filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(cfg.PasswordFile, []byte(aclPassword), 0o600))
	r := newReplica(t, topology{config: cfg}, own(t))
	r.settled(t, "x")
	require.Empty(t, tracked(t, server.Addr))

	require.NoError(t, admin(t, server.Addr).Do(t.Context(), "ACL", "SETUSER", "limpet", "+subscribe").Err())
	allowed := newReplica(t, topology{config: cfg}, own(t))
	allowed.settled(t, "x")
	require.Len(t, tracked(t, server.Addr), 1, "the channel is in the documented line")
}

// TestTheDocumentedUserHears over TLS.
func TestTheDocumentedUserHears(t *testing.T) {
	t.Parallel()
	it := secured.get(t)
	a, b := newReplica(t, it, own(t)), newReplica(t, it, own(t))
	a.settled(t, "x")
	b.settled(t, "x")
	was := b.use(t, "x")
	_, err := a.End(t.Context(), was, false)
	require.NoError(t, err)
	b.stops(t, "x", func(now sessions.Session) bool { return now.Epoch > was.Epoch })
}

// TestFailoverIsHeard: entries of before are in doubt, and the new master is the one that is heard.
func TestFailoverIsHeard(t *testing.T) {
	t.Parallel()
	servers := redistest.NewSentinel(t, redistest.Options{})
	cfg := configOf(servers.Addrs()...)
	cfg.MasterName = redistest.MasterName
	it := topology{config: cfg}
	a, b := newReplica(t, it, own(t)), newReplica(t, it, own(t))
	a.settled(t, "x")
	b.settled(t, "x")
	before := b.store.Fresh(own(t))
	was := b.use(t, "x")
	servers.Servers[0].Kill()
	require.Eventually(t, func() bool {
		now := b.store.Fresh(own(t))
		return !now.Lost && now.Since.After(before.At)
	}, redistest.StartTimeout, 5*time.Millisecond)
	for _, r := range []*replica{a, b} {
		recovers(t, r.store, was)
		r.settled(t, "x")
	}
	for range 20 {
		was := b.use(t, "x")
		_, err := a.End(t.Context(), was, false)
		require.NoError(t, err)
		require.Less(t, b.stops(t, "x", func(now sessions.Session) bool { return now.Epoch > was.Epoch }), time.Second)
		a.settled(t, "x")
		b.settled(t, "x")
	}
}

// TestMasterCutOffFromItsReplicasIsNotBelieved: it answers, and another may have been promoted.
func TestMasterCutOffFromItsReplicasIsNotBelieved(t *testing.T) {
	t.Parallel()
	servers := redistest.NewSentinel(t, redistest.Options{})
	cfg := configOf(servers.Addrs()...)
	cfg.MasterName = redistest.MasterName
	r := newReplica(t, topology{config: cfg}, own(t))
	r.settled(t, "x")
	before := r.store.Fresh(own(t))
	for _, s := range servers.Servers[1:] {
		require.NoError(t, s.Pause())
	}
	require.Eventually(t, func() bool { return r.store.Fresh(own(t)).Lost }, recovery, 5*time.Millisecond)
	for _, s := range servers.Servers[1:] {
		require.NoError(t, s.Resume())
	}
	require.Eventually(t, func() bool {
		now := r.store.Fresh(own(t))
		return !now.Lost && now.Since.After(before.Since)
	}, recovery, 5*time.Millisecond)
	for _, s := range servers.Servers[1:] {
		s.Kill()
	}
	require.Eventually(t, func() bool { return !r.store.Fresh(own(t)).Lost }, recovery, 5*time.Millisecond, "without any it goes on")
}
