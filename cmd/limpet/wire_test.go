package main_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// wire is one connection to a proxy. It sends a request without waiting for the response, so that one goroutine can
// have requests at several proxies at the same moment, and at a small part of the cost of an http.Client.
type wire struct {
	conn net.Conn
	in   *bufio.Reader
}

// dial connects to the proxy at url.
func dial(t testing.TB, url string) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &wire{conn, bufio.NewReader(conn)}
}

func (w *wire) send(path, id string) error {
	if err := w.conn.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w.conn, "GET %s HTTP/1.1\r\nHost: limpet.test\r\n%s: %s\r\n\r\n", path, sampleHeader, id)
	return err
}

// ask sends a request and waits for the response.
func (w *wire) ask(path, id string) (reply, error) {
	if err := w.send(path, id); err != nil {
		return reply{}, err
	}
	return w.receive()
}

func (w *wire) receive() (reply, error) {
	res, err := http.ReadResponse(w.in, nil)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	r := reply{status: res.StatusCode, header: res.Header, closed: res.Close}
	if r.body, err = io.ReadAll(res.Body); err != nil {
		return reply{}, err
	}
	r.decode()
	return r, nil
}
