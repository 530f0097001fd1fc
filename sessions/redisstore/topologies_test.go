package redisstore_test

import (
	"crypto/rand"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/redisstore"
	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
	"github.com/limpet-proxy/limpet/sessions/storetest"
)

// topology is what a store can run on, started when the first test needs it and shared by all.
type topology struct {
	config  redisstore.Config
	options redisstore.Options
	close   func()
}

// shared starts a topology once; TestMain closes what was started.
type shared struct {
	start func() (topology, error)
	once  sync.Once
	it    topology
	err   error
}

func (s *shared) get(tb testing.TB) topology {
	tb.Helper()
	s.once.Do(func() { s.it, s.err = s.start() })
	require.NoError(tb, s.err)
	return s.it
}

var (
	standalone = &shared{start: startStandalone}
	sentinel   = &shared{start: startSentinel}
	cluster    = &shared{start: startCluster}
	secured    = &shared{start: startSecured}
)

// atOnce is how many tests run side by side: they wait for servers and for lives to be over more than they work.
const atOnce = 4

func TestMain(m *testing.M) {
	flag.Parse()
	if runtime.GOMAXPROCS(0) < atOnce {
		_ = flag.Set("test.parallel", strconv.Itoa(atOnce))
	}
	code := m.Run()
	for _, s := range []*shared{standalone, sentinel, cluster, secured} {
		if s.it.close != nil {
			s.it.close()
		}
	}
	os.Exit(code)
}

func configOf(addrs ...string) redisstore.Config {
	cfg := redisstore.DefaultConfig()
	cfg.Addrs = addrs
	return cfg
}

func startStandalone() (topology, error) {
	s, err := redistest.StartStandalone(redistest.Options{})
	if err != nil {
		return topology{}, err
	}
	return topology{config: configOf(s.Addr), close: s.Close}, nil
}

func startSentinel() (topology, error) {
	s, err := redistest.StartSentinel(redistest.Options{})
	if err != nil {
		return topology{}, err
	}
	cfg := configOf(s.Addrs()...)
	cfg.MasterName = redistest.MasterName
	return topology{config: cfg, close: s.Close}, nil
}

func startCluster() (topology, error) {
	s, err := redistest.StartCluster(redistest.Options{})
	if err != nil {
		return topology{}, err
	}
	return topology{config: configOf(s.Addrs()...), close: s.Close}, nil
}

const aclPassword = "a-long-password"

// aclUser is the line that the package comment gives to operators, with the password set.
func aclUser() (string, error) {
	source, err := os.ReadFile("redisstore.go")
	return aclLine(string(source), aclPassword), err
}

// startSecured is a server that speaks TLS only and lets in nobody but the documented user.
func startSecured() (topology, error) {
	user, err := aclUser()
	if err != nil {
		return topology{}, err
	}
	s, err := redistest.StartStandalone(redistest.Options{TLS: true, Config: []string{"user default off", user}})
	if err != nil {
		return topology{}, err
	}
	dir, err := os.MkdirTemp("", "redisstore-")
	if err != nil {
		return topology{}, err
	}
	cfg := configOf(s.Addr)
	cfg.Username, cfg.PasswordFile = "limpet", filepath.Join(dir, "password")
	err = os.WriteFile(cfg.PasswordFile, []byte(aclPassword+"\n"), 0o600)
	return topology{
		config: cfg, options: redisstore.Options{TLS: s.TLSConfig()},
		close: func() { s.Close(); _ = os.RemoveAll(dir) },
	}, err
}

func open(tb testing.TB, t topology) *redisstore.Store {
	tb.Helper()
	s, err := redisstore.Open(t.config, t.options)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s
}

// patience is the time-out of stores whose tests are not about time-outs: the suite makes a small machine busy.
const patience = 5 * time.Second

// harness runs the conformance suite on a topology. Replicas are stores with connections of their own.
func harness(t *testing.T, shared *shared) storetest.Harness {
	it := shared.get(t)
	it.options.Timeout = patience
	one := open(t, it)
	return storetest.Harness{
		Open: func(testing.TB) sessions.Store { return one },
		Replicas: func(tb testing.TB, n int) []sessions.Store {
			all := make([]sessions.Store, n)
			for i := range all {
				all[i] = open(tb, it)
			}
			return all
		},
	}
}

func TestConformanceStandalone(t *testing.T) {
	t.Parallel()
	storetest.Run(t, harness(t, standalone))
}

func TestConformanceSentinel(t *testing.T) {
	t.Parallel()
	storetest.Run(t, harness(t, sentinel))
}

func TestConformanceCluster(t *testing.T) {
	t.Parallel()
	storetest.Run(t, harness(t, cluster))
}

func TestConformanceTLSAndACL(t *testing.T) {
	t.Parallel()
	storetest.Run(t, harness(t, secured))
}

var homes = []sessions.Home{
	{Version: sessions.LatestQualifier, ID: "a", Incarnation: 1},
	{Version: sessions.LatestQualifier, ID: "b", Incarnation: 2},
}

// functions are the names of the tests' functions. The servers are shared, and serve a test again under -count.
var functions sync.Map

// own is the name of a function that only this run of the test uses.
func own(tb testing.TB) string {
	name, _ := functions.LoadOrStore(tb, tb.Name()+"-"+rand.Text())
	return name.(string)
}

// request asks for a session of a function that is the test's own.
func request(tb testing.TB, id string) sessions.PinRequest {
	return sessions.PinRequest{
		Key:      sessions.Key{Function: own(tb), Qualifier: sessions.LatestQualifier, ID: id},
		Settings: sessions.Settings{TTL: sessions.DefaultTTL, IdleTimeout: sessions.DefaultIdleTimeout},
		Affinity: sessions.AffinityHeader,
		Placement: sessions.Placement{
			Candidates: homes, PerInstance: 1 << 30,
		},
	}
}

func pin(tb testing.TB, s *redisstore.Store, id string) sessions.Session {
	tb.Helper()
	got, created, err := s.Pin(tb.Context(), request(tb, id))
	require.NoError(tb, err)
	require.True(tb, created)
	return got
}

func numbered(i int) string { return "session-" + strconv.Itoa(i) }
