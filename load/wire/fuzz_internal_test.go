package wire

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzResponse: whatever a server sends, the exchange ends, keeps no more than it may, and a connection that is good for
// another one stands where the next response begins.
func FuzzResponse(f *testing.F) {
	for _, text := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nA: b\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 x\r\n\r\n", "HTTP/1.1 000 x\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 204 x\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 101 x\r\n\r\nxyz",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/9.9 +20 \n\n", "", "\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\nx",
	} {
		f.Add([]byte(text), false, uint16(1))
		f.Add([]byte(text), true, uint16(9000))
	}
	next := []byte("HTTP/1.1 234 Next\r\nContent-Length: 4\r\n\r\nnext")
	f.Fuzz(func(t *testing.T, text []byte, head bool, piece uint16) {
		const keep = 16
		peer := &script{in: bytes.NewReader(text), piece: 1 + int(piece)}
		c := newConn(peer)
		e := Exchange{Head: []byte("GET / HTTP/1.1\r\n\r\n"), Method: http.MethodGet, KeepBody: keep}
		if head {
			e.Method = http.MethodHead
		}
		r, err := c.Do(e)
		require.LessOrEqual(t, c.body.Cap(), 4<<10)
		if err != nil {
			require.False(t, c.Reusable())
			return
		}
		require.GreaterOrEqual(t, r.Status, 101)
		require.LessOrEqual(t, len(r.Body), keep)
		require.True(t, r.Body == nil || int64(len(r.Body)) == r.Length)
		// What the socket still has, alive would see.
		if !c.Reusable() || peer.in.Len() > 0 {
			return
		}
		peer.in.Reset(next)
		r, err = c.Do(Exchange{Head: e.Head, Method: http.MethodGet, KeepBody: keep})
		require.NoError(t, err)
		require.Equal(t, 234, r.Status)
		require.Equal(t, "next", string(r.Body))
		require.True(t, c.Reusable())
	})
}

// FuzzSocket is the same over a socket, with a peer that ends there: nothing hangs, and every end is noticed.
func FuzzSocket(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"))
	f.Add([]byte("HTTP/1.1 200 OK\r\n\r\nhello"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(f, err)
	f.Cleanup(func() { _ = l.Close() })
	target, err := NewTarget("http://" + l.Addr().String())
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := target.Dial(t.Context())
		require.NoError(t, err)
		defer func() { _ = c.Close() }()
		peer, err := l.Accept()
		require.NoError(t, err)
		_, err = peer.Write(text)
		require.NoError(t, err)
		require.NoError(t, peer.(*net.TCPConn).CloseWrite())
		defer func() { _ = peer.Close() }()
		_, err = c.Do(Exchange{Head: []byte("GET / HTTP/1.1\r\n\r\n"), Method: http.MethodGet, Deadline: time.Now().Add(time.Minute)})
		if err != nil {
			require.False(t, errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, io.EOF), err)
		}
		require.Eventually(t, func() bool { return !c.Reusable() }, time.Minute, time.Millisecond)
	})
}
