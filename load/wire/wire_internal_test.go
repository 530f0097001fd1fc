package wire

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// script is a connection on which the peer has sent all it will send. What is read past that is late: the deadline
// passes at once.
type script struct {
	net.Conn
	in    *bytes.Reader
	piece int  // bytes in one read, at most
	deaf  bool // it takes no requests
}

func (s *script) Read(p []byte) (int, error) {
	if s.in.Len() == 0 {
		return 0, os.ErrDeadlineExceeded
	}
	return s.in.Read(p[:min(len(p), s.piece)])
}

func (s *script) Write(p []byte) (int, error) {
	if s.deaf {
		return 0, syscall.EPIPE
	}
	return len(p), nil
}

func (*script) SetDeadline(time.Time) error     { return nil }
func (*script) SetReadDeadline(time.Time) error { return nil }
func (*script) Close() error                    { return nil }

// TestAnswerThatCameBeforeTheRequest: the peer closed, and said why. A connection like that fails to send.
func TestAnswerThatCameBeforeTheRequest(t *testing.T) {
	e := Exchange{Head: []byte("GET / HTTP/1.1\r\n\r\n"), Method: http.MethodGet}
	c := newConn(&script{in: bytes.NewReader([]byte("HTTP/1.1 408 x\r\nContent-Length: 0\r\n\r\n")), piece: 100, deaf: true})
	r, err := c.Do(e)
	require.NoError(t, err)
	require.Equal(t, http.StatusRequestTimeout, r.Status)
	require.False(t, c.Reusable())

	c = newConn(&script{in: bytes.NewReader(nil), piece: 100, deaf: true})
	_, err = c.Do(e)
	require.ErrorIs(t, err, syscall.EPIPE)
	require.False(t, c.Reusable())
}

func TestAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"http://h": "h:80", "https://h": "h:443", "http://h:/": "h:80", "https://h:8443/": "h:8443", "http://[::1]": "[::1]:80", "https://[::1]:1": "[::1]:1",
	} {
		target, err := NewTarget(text)
		require.NoError(t, err)
		require.Equal(t, want, target.address)
		require.Equal(t, "/", target.URL.Path)
	}
}

// TestPoolForgetsWhatItDrops, or a run against a target that breaks every connection would fill the memory.
func TestPoolForgetsWhatItDrops(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	target, err := NewTarget("http://" + l.Addr().String())
	require.NoError(t, err)
	p := NewPool(target)
	for range 3 {
		c, err := p.Take(t.Context())
		require.NoError(t, err)
		require.Len(t, p.all, 1)
		c.broken = true
		p.Put(c)
		require.Empty(t, p.all)
	}
	c, err := p.Take(t.Context())
	require.NoError(t, err)
	require.NoError(t, c.Close()) // which a look notices
	p.Put(c)
	_, err = p.Take(t.Context())
	require.NoError(t, err)
	require.Len(t, p.all, 1)
	p.Close()
}

// A stream whose end comes by itself, after the event that was waited for, leaves the connection where the next response begins.
func TestAStreamMayEndLater(t *testing.T) {
	first := "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: b\n\n\r\n"
	peer := &script{in: bytes.NewReader([]byte(first + "1\r\nx\r\n0\r\n\r\n")), piece: len(first)}
	c := newConn(peer)
	_, err := c.Do(Exchange{Head: []byte("GET / HTTP/1.1\r\n\r\n"), Method: http.MethodGet, Events: func([]byte) (bool, error) { return true, nil }})
	require.NoError(t, err)
	require.Zero(t, peer.in.Len())
	require.False(t, c.broken)
}
