package proxy_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/proxy"
)

// pipes is a listener of connections in memory, for a clock that is not real.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

// Accept waits for the next connection.
func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (p pipes) Close() error { close(p.closed); return nil }

// Addr is nowhere.
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// watchedConn tells when its owner closed it.
type watchedConn struct {
	net.Conn
	closed chan<- time.Time
}

// Close closes the connection.
func (c watchedConn) Close() error {
	select {
	case c.closed <- time.Now():
	default:
	}
	return c.Conn.Close()
}

// An idle HTTP/2 connection is kept for as long as one of HTTP/1, and not for longer, while its client answers pings. One
// whose client does not is closed long before.
func TestIdleHTTP2ConnectionsAreClosed(t *testing.T) {
	for name, c := range map[string]struct {
		answers bool
		after   time.Duration
	}{"client that is there": {true, 620 * time.Second}, "client that has gone": {false, 90 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := pipes{make(chan net.Conn), make(chan struct{})}
				s := proxy.NewServer(proxy.NewHandler(slog.New(slog.DiscardHandler), nil), proxy.LimitsConfig{
					HeaderBytes: proxy.DefaultHeaderBytes, HeaderTimeout: proxy.DefaultHeaderTimeout, Streams: proxy.DefaultStreams,
				}, slog.New(slog.DiscardHandler))
				s.Speak(proxy.Protocols{H2C: true})
				served, closed := make(chan error, 1), make(chan time.Time, 1)
				go func() { served <- s.Serve(l) }()
				ours, theirs := net.Pipe()
				gone := make(chan struct{})
				tr := &http.Transport{
					Protocols: instances.H2C.HTTP(),
					DialContext: func(context.Context, string, string) (net.Conn, error) {
						l.conns <- watchedConn{theirs, closed}
						return silenced{ours, gone}, nil
					},
				}
				res, err := (&http.Client{Transport: tr}).Get("http://limpet.example/")
				require.NoError(t, err)
				_, err = io.Copy(io.Discard, res.Body)
				require.NoError(t, err)
				require.NoError(t, res.Body.Close())
				if !c.answers {
					close(gone)
				}
				begun := time.Now()
				require.WithinDuration(t, begun.Add(c.after), <-closed, 5*time.Second)
				tr.CloseIdleConnections()
				require.NoError(t, errors.Join(theirs.Close(), ours.Close()))
				s.Shutdown(0)
				require.NoError(t, <-served)
			})
		})
	}
}

// silenced swallows what is written after gone.
type silenced struct {
	net.Conn
	gone <-chan struct{}
}

// Write writes, or pretends to.
func (s silenced) Write(b []byte) (int, error) {
	select {
	case <-s.gone:
		return len(b), nil
	default:
		return s.Conn.Write(b)
	}
}
