package wire_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// chunks is an event stream in chunks, with or without its end.
func chunks(end bool, parts ...string) string {
	var b strings.Builder
	b.WriteString("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n")
	for _, part := range parts {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(part), part)
	}
	if end {
		b.WriteString("0\r\n\r\n")
	}
	return b.String()
}

// watcher is an Exchange.Events that is done when it has seen a text.
type watcher struct {
	text string
	seen strings.Builder
}

func (w *watcher) events(part []byte) (bool, error) {
	w.seen.Write(part)
	return strings.Contains(w.seen.String(), w.text), nil
}

func TestEventsAreShownAsTheyCome(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		seen  string
		again bool // the connection is good for another exchange
	}{
		"ended":             {chunks(true, "data: a\n\n", "data: b\n\n"), "data: a\n\ndata: b\n\n", true},
		"ended, with more":  {chunks(true, "data: b\n\n", "data: c\n\n"), "data: b\n\n", true},
		"open":              {chunks(false, "data: b\n\n"), "data: b\n\n", false},
		"open, with much":   {chunks(false, "data: b\n\n", strings.Repeat("x", 20<<10)), "data: b\n\n", false},
		"ended, with much":  {chunks(true, "data: b\n\n", strings.Repeat("x", 20<<10)), "data: b\n\n", true},
		"never what it was": {chunks(true, "data: a\n\n"), "data: a\n\n", true},
		"not by chunks":     {"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9\r\n\r\ndata: b\n\n", "data: b\n\n", true},
		"for one exchange":  {strings.Replace(chunks(true, "data: b\n\n"), "\r\n", "\r\nConnection: close\r\n", 1), "data: b\n\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, serve(t, answer(c.text, mark)))
			w := watcher{text: "data: b\n\n"}
			e := get(http.MethodGet)
			e.Events = w.events
			var err error
			within(t, func() { _, err = conn.Do(e) })
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(w.seen.String(), c.seen), w.seen.String())
			require.Equal(t, c.again, conn.Reusable())
			if c.again {
				requireMark(t, conn)
			}
		})
	}
}

func TestOtherBodiesAreNoEvents(t *testing.T) {
	t.Parallel()
	conn := dial(t, serve(t, answer("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello")))
	e := get(http.MethodGet)
	e.Events = func([]byte) (bool, error) { panic("not a stream") }
	r, err := conn.Do(e)
	require.NoError(t, err)
	require.Equal(t, "hello", string(r.Body))
}

// An event that was waited for in vain is an answer that did not come.
func TestEventsThatDoNotCome(t *testing.T) {
	t.Parallel()
	conn := dial(t, serve(t, answer(chunks(false, "data: a\n\n"))))
	e := get(http.MethodGet)
	e.Events, e.Deadline = (&watcher{text: "data: b"}).events, time.Now().Add(100*time.Millisecond)
	_, err := conn.Do(e)
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout())
	require.False(t, conn.Reusable())

	bad := errors.New("bad")
	conn = dial(t, serve(t, answer(chunks(true, "data: a\n\n"))))
	e = get(http.MethodGet)
	e.Events = func([]byte) (bool, error) { return false, bad }
	_, err = conn.Do(e)
	require.ErrorIs(t, err, bad)
	require.False(t, conn.Reusable())

	conn = dial(t, serve(t, func(c net.Conn) {
		_, _ = c.Write([]byte(chunks(false, "data: a\n\n")))
		_ = c.Close()
	}))
	e = get(http.MethodGet)
	e.Events = (&watcher{text: "data: b"}).events
	_, err = conn.Do(e)
	require.Error(t, err, "it is cut short")
}
