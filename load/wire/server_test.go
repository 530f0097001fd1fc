package wire_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load/wire"
)

// patience bounds what must not hang. No test waits for it when all is well.
const patience = 30 * time.Second

// serve answers each connection by handle, and returns where it does. At the end of the test all connections are closed
// and every handle has returned.
func serve(t testing.TB, handle func(conn net.Conn)) *wire.Target {
	t.Helper()
	return serveOn(t, listen(t), "http", handle)
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return l
}

func serveOn(t testing.TB, l net.Listener, scheme string, handle func(conn net.Conn)) *wire.Target {
	t.Helper()
	var mu sync.Mutex
	var all []net.Conn
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			all = append(all, conn)
			mu.Unlock()
			running.Go(func() { handle(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, conn := range all {
			_ = conn.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	target, err := wire.NewTarget(scheme + "://" + l.Addr().String() + "/")
	require.NoError(t, err)
	return target
}

// answer reads requests without a body and answers each with the next of the texts.
func answer(texts ...string) func(net.Conn) {
	return func(conn net.Conn) {
		in := bufio.NewReader(conn)
		for _, text := range texts {
			if !readHead(in) {
				return
			}
			_, _ = conn.Write([]byte(text))
		}
		readHead(in) // until the client is gone
	}
}

func readHead(in *bufio.Reader) bool {
	_, err := http.ReadRequest(in)
	return err == nil
}

func dial(t testing.TB, target *wire.Target) *wire.Conn {
	t.Helper()
	c, err := target.Dial(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// get is a request without a body.
func get(method string) wire.Exchange {
	return wire.Exchange{
		Head: []byte(method + " / HTTP/1.1\r\nHost: test\r\n\r\n"), Method: method, Deadline: time.Now().Add(patience), KeepBody: 100,
	}
}

// post is a request with a body.
func post(body []byte) wire.Exchange {
	e := get(http.MethodPost)
	e.Head = fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n", len(body))
	e.Body = body
	return e
}

// within fails the test if do takes longer than patience.
func within(t testing.TB, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		require.Fail(t, "it hangs")
	}
}
