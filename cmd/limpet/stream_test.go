package main_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// stream is a response under way: its head and its first event have arrived.
type stream struct {
	res    *http.Response
	in     *bufio.Scanner
	events int // wanted
	seen   int
}

// streamInterval is the time between two events of a stream, in milliseconds.
const streamInterval = 50

// slow begins a request of the session whose response comes in so many events.
func (p *process) slow(path, id string, events int) *stream {
	p.t.Helper()
	url := fmt.Sprintf("%s%s?stream=%d&interval=%dms", p.listen, path, events, streamInterval)
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, url, nil)
	require.NoError(p.t, err)
	req.Header.Set(sampleHeader, id)
	res, err := newClient().Do(req)
	require.NoError(p.t, err)
	p.t.Cleanup(func() { _ = res.Body.Close() })
	require.Equal(p.t, http.StatusOK, res.StatusCode)
	s := &stream{res: res, in: bufio.NewScanner(res.Body), events: events}
	require.True(p.t, s.next(), "the first event")
	return s
}

// next waits for another event.
func (s *stream) next() bool {
	for s.in.Scan() {
		if strings.HasPrefix(s.in.Text(), "data:") {
			s.seen++
			return true
		}
	}
	return false
}

// finish reads to the end, which must be whole.
func (s *stream) finish(t *testing.T) {
	t.Helper()
	for s.next() {
	}
	require.NoError(t, s.in.Err())
	require.Equal(t, s.events, s.seen)
}

// cut reads to where it was broken off.
func (s *stream) cut(t *testing.T) {
	t.Helper()
	for s.next() {
	}
	require.ErrorIs(t, s.in.Err(), io.ErrUnexpectedEOF, "a cut stream must not look whole")
	require.Less(t, s.seen, s.events)
}
