package protocoltest_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/limpettest"
)

// measured is a proxy whose memory is looked at.
type measured struct {
	pid    int
	addr   string
	settle func() // until what is left of the past is gone, as far as it goes by itself
}

// idleLimpet runs limpet before an instance, ready for many sessions.
func idleLimpet(b testing.TB, binary, instance string) measured {
	p := serveBinary(b, binary, fmt.Sprintf(`access_log: {enabled: false}
functions:
  - name: echo
    affinity: {type: HEADER_FIELD, header: X-Session-Id}
    sessions: {per_instance: 10000}
    requests_per_instance: 10000
    instances: {static: [{id: a, url: %q}], health: {path: /healthz}}
`, instance))
	return measured{p.Pid(), p.Listen, func() {
		for range 3 {
			res, err := http.Get("http://" + p.Admin + "/debug/pprof/heap?gc=1")
			require.NoError(b, err)
			require.NoError(b, res.Body.Close())
			time.Sleep(time.Second)
		}
	}}
}

// idleHAProxy runs HAProxy before an instance, with the sessions' homes in a table like those of configs/compare.
func idleHAProxy(b testing.TB, instance string) measured {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	addr := l.Addr().String()
	require.NoError(b, l.Close())
	conf := filepath.Join(b.TempDir(), "haproxy.cfg")
	require.NoError(b, os.WriteFile(conf, fmt.Appendf(nil, `
global
    maxconn 4000
defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    timeout tunnel 10m
listen echo
    bind %s
    stick-table type string len 64 size 100k expire 30m
    stick on req.hdr(X-Session-Id)
    option httpchk GET /healthz
    server a %s check
`, addr, strings.TrimPrefix(instance, "http://")), 0o600))
	cmd := exec.Command("haproxy", "-db", "-q", "-f", conf)
	cmd.Stderr = os.Stderr
	started, ended := make(chan error), make(chan struct{})
	go func() {
		started <- cmd.Start()
		cmd.Wait()
		close(ended)
	}()
	require.NoError(b, <-started)
	b.Cleanup(func() {
		require.NoError(b, cmd.Process.Signal(syscall.SIGTERM))
		<-ended
	})
	require.NoError(b, limpettest.Poll(func() error {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			err = c.Close()
		}
		return err
	}))
	return measured{cmd.Process.Pid, addr, func() { time.Sleep(3 * time.Second) }}
}

// resident is the memory of the process, in bytes: what the kernel keeps for its sockets is not in it.
func (m measured) resident(b testing.TB) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.pid))
	require.NoError(b, err)
	_, after, found := strings.Cut(string(status), "VmRSS:")
	require.True(b, found)
	var kib int
	_, err = fmt.Sscanf(after, "%d kB", &kib)
	require.NoError(b, err)
	return kib << 10
}

// perConnection is by how many bytes the process grows with each of n connections, of a session each, that have echoed
// 32,000 bytes and are silent. A few are opened and closed first.
func (m measured) perConnection(b testing.TB, n int) float64 {
	m.open(b, 20, "warm")()
	m.settle()
	before := m.resident(b)
	closeAll := m.open(b, n, "idle")
	m.settle()
	after := m.resident(b)
	closeAll()
	return float64(after-before) / float64(n)
}

func (m measured) open(b testing.TB, n int, prefix string) (closeAll func()) {
	page := bytes.Repeat([]byte("x"), 32000) // what a buffer of the usual size never had in it, it does not occupy
	client := &http.Client{Transport: &http.Transport{}}
	sockets := make([]socket, n)
	for i := range sockets {
		sockets[i] = openWebSocket(b, client, "ws://"+m.addr, "X-Session-Id", fmt.Sprint(prefix, i))
		require.NoError(b, sockets[i].Write(b.Context(), websocket.MessageBinary, page))
		require.Equal(b, string(page), sockets[i].read(b))
	}
	return func() {
		for _, s := range sockets {
			s.CloseNow() //nolint:errcheck // it may be closed
		}
	}
}

// BenchmarkIdleWebSockets tells what an open WebSocket that is silent costs in memory, through Limpet and through HAProxy.
func BenchmarkIdleWebSockets(b *testing.B) {
	bare, err := limpettest.BuildBare("..", b.TempDir())
	require.NoError(b, err)
	e := newEchoes(b, "a")
	for b.Loop() {
		limpet := idleLimpet(b, bare, e.URL).perConnection(b, 1000)
		haproxy := idleHAProxy(b, e.URL).perConnection(b, 1000)
		b.ReportMetric(limpet, "limpet-B/conn")
		b.ReportMetric(haproxy, "haproxy-B/conn")
		b.ReportMetric(limpet/haproxy, "limpet/haproxy")
	}
	b.ReportMetric(0, "ns/op")
}

func TestIdleWebSocketsCanBeMeasured(t *testing.T) {
	e := newEchoes(t, "a")
	for _, m := range []measured{idleLimpet(t, binary, e.URL), idleHAProxy(t, e.URL)} {
		require.Positive(t, m.resident(t))
		m.open(t, 20, "few")()
	}
}
