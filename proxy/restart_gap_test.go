package proxy_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sample"
	"github.com/limpet-proxy/limpet/sessions"
)

// reborn puts another program at the place of back, which the pool has no probe to see by: it is hours away.
func (w *world) reborn(n int, s *sample.Server) {
	addr := w.backs[n].Listener.Addr().String()
	w.kill(string(rune('a' + n)))
	next := httptest.NewUnstartedServer(s)
	require.NoError(w.t, next.Listener.Close())
	next.Listener = listen(w.t, addr)
	next.Start()
	w.t.Cleanup(next.Close)
}

// A program is restarted between two probes. The first request that comes there needs a new connection, and it is not sent
// before it is known who is at its other end: so none reaches the new program untold, however many come together. The old
// program keeps no connection: one that has just died, unnoticed yet, would be another matter.
func TestNoRequestReachesARestartedProgramUntold(t *testing.T) {
	w := start(t, slowProbes, sample.New(sample.Options{Name: "a"})).noKeepAlive()
	before := w.get("/", "s")
	require.Equal(t, 1, before.counted(t).Count)
	w.get("/", "other")
	w.reborn(0, sample.New(sample.Options{Name: "a"}))
	event := `rehomed; reason="instance restarted"; from="a"`
	var wg sync.WaitGroup
	var mu sync.Mutex
	told := 0
	for range 20 {
		wg.Go(func() {
			r := w.once("s")
			mu.Lock()
			defer mu.Unlock()
			require.Equal(t, epoch(t, before)+1, epoch(t, r), "none was sent as if nothing had happened")
			if got := r.counted(t).Event; got != "" {
				require.Equal(t, event, got)
				told++
			}
		})
	}
	wg.Wait()
	require.Equal(t, 1, told)
	require.Equal(t, 1, w.get("/", "other").counted(t).Count)
	require.Equal(t, 21, w.get("/", "s").counted(t).Count)
}

// once sends a request that nobody may repeat. A refusal, of which nothing was sent, is no answer: one that comes after the
// probe has found another program, and before the registry has named it, is asked to come back.
func (w *world) once(id string) answer {
	for deadline := time.Now().Add(patience); ; {
		r := w.do(w.request(http.MethodPost, "/", strings.NewReader("once"), "X-Session-Id", id))
		if r.Header.Get("Limpet-Error") != "InstanceUnavailable" || time.Now().After(deadline) {
			return r
		}
	}
}

// With on_instance_loss: fail the session ends, and its client hears of a new one.
func TestARestartedProgramEndsItsSessionsWithFail(t *testing.T) {
	w := start(t, func(c *proxy.FunctionConfig) {
		slowProbes(c)
		c.OnInstanceLoss = sessions.LossFail
	}, sample.New(sample.Options{Name: "a"})).noKeepAlive()
	before := w.get("/", "s")
	w.reborn(0, sample.New(sample.Options{Name: "a"}))
	r := w.get("/", "s")
	require.Equal(t, "created", r.counted(t).Event)
	require.Greater(t, epoch(t, r), epoch(t, before))
}

// A program that comes up unhealthy has not said who it is: its sessions wait.
func TestARestartedProgramThatIsNotHealthyGetsNothing(t *testing.T) {
	w := start(t, slowProbes, sample.New(sample.Options{Name: "a"})).noKeepAlive()
	w.get("/", "s")
	next := sample.New(sample.Options{Name: "a"})
	next.SetHealth(http.StatusServiceUnavailable)
	w.reborn(0, next)
	w.get("/", "s").fails(t, "InstanceUnavailable", http.StatusServiceUnavailable)
	require.Zero(t, next.Sessions())
	next.SetHealth(http.StatusOK)
	require.Contains(t, w.get("/", "s").counted(t).Event, "instance restarted")
}

// listen takes an address that was in use a moment ago.
func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	var l net.Listener
	require.Eventually(t, func() bool {
		var err error
		l, err = net.Listen("tcp", addr)
		return err == nil
	}, patience, time.Millisecond)
	return l
}
