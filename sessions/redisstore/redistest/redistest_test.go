package redistest_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
)

func client(t *testing.T, s *redistest.Server) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: s.Addr, TLSConfig: s.TLSConfig(), MaxRetries: -1, ReadTimeout: 100 * time.Millisecond})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestStandaloneKeepsItsDataAndAddressThroughKill(t *testing.T) {
	t.Parallel()
	s := redistest.Standalone(t, redistest.Options{AOF: true})
	c, ctx := client(t, s), context.Background()
	require.NoError(t, c.Set(ctx, "k", "v", 0).Err())
	s.Kill()
	require.Error(t, c.Ping(ctx).Err())
	require.NoError(t, s.Restart())
	require.Equal(t, "v", c.Get(ctx, "k").Val())
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	s := redistest.Standalone(t, redistest.Options{})
	c, ctx := client(t, s), context.Background()
	require.NoError(t, c.Ping(ctx).Err())
	require.NoError(t, s.Pause())
	require.Error(t, c.Ping(ctx).Err())
	require.NoError(t, s.Resume())
	require.NoError(t, c.Ping(ctx).Err())
}

func TestTLSAndUsers(t *testing.T) {
	t.Parallel()
	s := redistest.Standalone(t, redistest.Options{TLS: true, Config: []string{"user default off", "user u on >secret ~* +@all"}})
	c, ctx := client(t, s), context.Background()
	require.ErrorContains(t, c.Ping(ctx).Err(), "NOAUTH")
	withUser := redis.NewClient(&redis.Options{Addr: s.Addr, TLSConfig: s.TLSConfig(), Username: "u", Password: "secret"})
	defer withUser.Close()
	require.NoError(t, withUser.Ping(ctx).Err())
	require.FileExists(t, s.CAFile())
}

func TestSentinelPromotesAReplica(t *testing.T) {
	t.Parallel()
	s := redistest.NewSentinel(t, redistest.Options{})
	old := s.Master()
	require.Same(t, s.Servers[0], old)
	old.Kill()
	require.Eventually(t, func() bool { m := s.Master(); return m != nil && m != old }, redistest.StartTimeout, 20*time.Millisecond)
}

func TestClusterServesEverySlot(t *testing.T) {
	t.Parallel()
	s := redistest.NewCluster(t, redistest.Options{})
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: s.Addrs()})
	defer c.Close()
	for i := range 100 {
		require.NoError(t, c.Set(context.Background(), strconv.Itoa(i), i, 0).Err())
	}
}

func TestMissingBinarySaysWhatToInstall(t *testing.T) {
	t.Parallel()
	_, err := redistest.StartStandalone(redistest.Options{Binary: "no-such-redis-server"})
	require.ErrorIs(t, err, redistest.ErrNoBinary)
	require.ErrorContains(t, err, "install")
}

func TestABadConfigurationIsAnErrorWithTheLog(t *testing.T) {
	t.Parallel()
	_, err := redistest.StartStandalone(redistest.Options{Config: []string{"appendonly maybe"}})
	require.Error(t, err)
}

// childEnv makes this test binary start a server, print its process ID and hang, so that a test can kill it.
const childEnv = "REDISTEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	s, err := redistest.StartStandalone(redistest.Options{})
	if err != nil {
		panic(err)
	}
	// The trap: the thread that started the server must not end while the program runs. Threads end with a
	// goroutine that is locked to them, and idle ones are reused.
	println(s.PID())
	select {}
}

func TestServersDieWithAKilledTestBinary(t *testing.T) {
	t.Parallel()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childEnv+"=1", "TMPDIR="+t.TempDir())
	out, err := child.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, 0), "the server runs")
	require.NoError(t, child.Process.Kill())
	_ = child.Wait()
	require.Eventually(t, func() bool { return gone(pid) }, 5*time.Second, 10*time.Millisecond)
}

// gone says whether no process of this ID runs: an unreaped one, whose new parent has not waited for it, is gone too.
func gone(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(stat), ") Z ")
}
