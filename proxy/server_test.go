package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// held is an instance whose /slow waits to be let go, and whose /stream never ends by itself.
func held() (h http.Handler, entered chan struct{}, finish chan struct{}) {
	entered, finish = make(chan struct{}, 1), make(chan struct{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow":
			entered <- struct{}{}
			<-finish
		case "/stream":
			fmt.Fprint(w, "begun\n")
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		}
		fmt.Fprint(w, "done")
	}), entered, finish
}

func TestShutdownLetsRequestsFinish(t *testing.T) {
	h, entered, finish := held()
	w := start(t, nil, h)
	done := make(chan answer, 1)
	go func() { done <- w.get("/slow", "s") }()
	<-entered
	ended := make(chan int, 1)
	go func() { ended <- w.shutdown(patience) }()
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", w.addr)
		if err == nil {
			c.Close()
		}
		return err != nil
	}, patience, time.Millisecond, "no new connections")
	close(finish)
	a := <-done
	require.Equal(t, "done", a.body)
	require.True(t, a.Close, "the connection is not kept")
	require.Zero(t, <-ended, "nothing was cut")
}

func TestShutdownCutsAtTheDeadline(t *testing.T) {
	h, _, _ := held()
	w := start(t, nil, h)
	res, err := w.client().Do(w.request(http.MethodGet, "/stream", nil, "X-Session-Id", "s"))
	require.NoError(t, err)
	defer res.Body.Close()
	begun := time.Now()
	require.Equal(t, 1, w.shutdown(100*time.Millisecond))
	require.Less(t, time.Since(begun), 2*time.Second)
	_, err = io.ReadAll(res.Body)
	require.Error(t, err, "a stream that was cut does not look whole")
}

// Hijacked connections are not http.Server's any more: its Shutdown neither waits for them nor closes them.
func TestShutdownWaitsForUpgradesAndCutsThem(t *testing.T) {
	w := start(t, nil, upgrading("websocket"))
	c, br, res := w.upgrade("websocket")
	require.Equal(t, http.StatusSwitchingProtocols, res.StatusCode)
	ended := make(chan int, 1)
	go func() { ended <- w.shutdown(300 * time.Millisecond) }()
	fmt.Fprint(c, "ping")
	got := make([]byte, 4)
	_, err := io.ReadFull(br, got)
	require.NoError(t, err, "it works until the deadline")
	require.Equal(t, 1, <-ended)
	_, err = br.ReadByte()
	require.Error(t, err)
}

func TestIdleShutdownIsQuick(t *testing.T) {
	w := start(t, nil, named("a"))
	silent, err := net.Dial("tcp", w.addr) // a balancer's connection in store: http.Server would wait 5 s for it
	require.NoError(t, err)
	defer silent.Close()
	kept, err := net.Dial("tcp", w.addr)
	require.NoError(t, err)
	defer kept.Close()
	fmt.Fprint(kept, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(kept), nil)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	begun := time.Now()
	require.Zero(t, w.shutdown(patience))
	require.Less(t, time.Since(begun), time.Second)
}

func TestLeavingSendsClientsElsewhere(t *testing.T) {
	w := start(t, nil, named("a"))
	require.False(t, w.get("/", "s").Close)
	w.server.Leave()
	require.True(t, w.get("/", "s").Close)
	require.True(t, w.get("/", "-").Close, "failures too")
}
