package redisstore_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// admin runs commands on a server as its operator.
func admin(t testing.TB, addr string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// flagged finds the ID of a connection whose flags are those of a subscriber (P) that is told (t) of all keys with a
// prefix (B).
func flagged() *regexp.Regexp { return regexp.MustCompile(`^id=(\d+) .* flags=[^ ]*P[^ ]*t[^ ]*B`) }

// tracked are the IDs of the connections on which a server tells of changes.
func tracked(t testing.TB, addr string) (ids []string) {
	t.Helper()
	list, err := admin(t, addr).ClientList(context.Background()).Result()
	require.NoError(t, err)
	for line := range strings.Lines(list) {
		if m := flagged().FindStringSubmatch(line); m != nil {
			ids = append(ids, m[1])
		}
	}
	return ids
}

// wire stands between a store and its server. While it is dark, connections on which the server tells of changes stay
// open and carry nothing; the others go on.
type wire struct {
	net.Listener
	to string

	mu   sync.Mutex
	dark bool
	open sync.WaitGroup
}

func newWire(t testing.TB, to string) *wire {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w := &wire{Listener: l, to: to}
	w.open.Go(w.serve)
	t.Cleanup(func() {
		_ = w.Close()
		w.open.Wait()
	})
	return w
}

func (w *wire) addr() string { return w.Addr().String() }

func (w *wire) set(dark bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dark = dark
}

func (w *wire) isDark() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dark
}

func (w *wire) serve() {
	for {
		from, err := w.Accept()
		if err != nil {
			return
		}
		w.open.Go(func() { w.carry(from) })
	}
}

func (w *wire) carry(from net.Conn) {
	defer from.Close()
	to, err := net.Dial("tcp", w.to)
	if err != nil {
		return
	}
	defer to.Close()
	first := make([]byte, 1024)
	n, err := from.Read(first)
	if err != nil {
		return
	}
	news := bytes.Contains(first[:n], []byte("HELLO\r\n$1\r\n3\r\n"))
	if news && w.isDark() {
		_, _ = io.Copy(io.Discard, from)
		return
	}
	_, _ = to.Write(first[:n])
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
		both.Go(func() {
			w.copy(way[1], way[0], news)
			_ = way[1].Close() // and with it the other way
		})
	}
	both.Wait()
}

// copy carries bytes one way. What comes while it is dark is lost, as is what comes after it on this connection.
func (w *wire) copy(to, from net.Conn, news bool) {
	b := make([]byte, 4096)
	lost := false
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		lost = lost || news && w.isDark()
		if lost {
			continue
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}
