package main_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// slack is how much later than the delay a process may end. Promised is 1 s, on a machine that does nothing else; what waits
// in vain waits for 5 s (net/http, for a connection that never asked) or for its deadline.
const slack = 3 * time.Second

func TestLeavingTakesRequestsForTheDelay(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const delay = 2 * time.Second
			p := serve(t, setup{delay: delay.String(), functions: []function{{instances: samples(t, 1)}}}.file(t))
			w := dial(t, p.listen)
			require.NoError(t, w.send("/", "alice"))
			r, err := w.receive()
			require.NoError(t, err)
			require.False(t, r.closed)
			began := time.Now()
			p.signal(s)
			p.awaitLog("leaving")
			status, ready := p.readyz()
			require.Equal(t, http.StatusServiceUnavailable, status)
			require.Equal(t, "draining", ready.Status)
			require.Equal(t, []string{"shutting down"}, ready.Reasons)
			for i, w := range []*wire{w, dial(t, p.listen)} {
				require.NoError(t, w.send("/", "alice"))
				r, err := w.receive()
				require.NoError(t, err)
				require.Equal(t, i+2, r.Count, "clients are served during the delay, also those that come now")
				require.True(t, r.closed, "and sent elsewhere")
				_, err = w.in.ReadByte()
				require.ErrorIs(t, err, io.EOF)
			}
			require.Zero(t, p.exit())
			require.GreaterOrEqual(t, time.Since(began), delay)
			require.Less(t, time.Since(began), delay+slack)
		})
	}
}

// TestAnIdleProcessLeavesAtOnce has the two kinds of connections that nothing will come on: one that has had its
// answers, and one that never asked.
func TestAnIdleProcessLeavesAtOnce(t *testing.T) {
	t.Parallel()
	p := serve(t, setup{delay: "100ms", deadline: "30s", functions: []function{{instances: samples(t, 1)}}}.file(t))
	idle, fresh := dial(t, p.listen), dial(t, p.listen)
	require.NoError(t, idle.send("/", "alice"))
	r, err := idle.receive()
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, r.status)
	began := time.Now()
	p.signal(syscall.SIGTERM)
	require.Zero(t, p.exit())
	require.Less(t, time.Since(began), 100*time.Millisecond+slack)
	for _, w := range []*wire{idle, fresh} {
		_, err := w.in.ReadByte()
		require.Error(t, err)
		var timeout net.Error
		require.False(t, errors.As(err, &timeout) && timeout.Timeout(), "it was closed")
	}
}

func TestRequestsInFlightFinishWithinTheDeadline(t *testing.T) {
	t.Parallel()
	p := serve(t, setup{deadline: "20s", functions: []function{{instances: samples(t, 1)}}}.file(t))
	slow := p.slow("/", "alice", 20)
	p.signal(syscall.SIGTERM)
	p.awaitLog("leaving")
	p.eventually(func() error {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.listen, "http://"))
		if err != nil {
			return nil //nolint:nilerr // refused is what is waited for
		}
		return errors.Join(conn.Close(), errors.New("it still takes connections"))
	})
	slow.finish(t)
	ended := time.Now()
	require.Zero(t, p.exit())
	require.Less(t, time.Since(ended), slack)
}

func TestALongStreamIsCutAtTheDeadline(t *testing.T) {
	t.Parallel()
	p := serve(t, setup{deadline: "500ms", functions: []function{{instances: samples(t, 1)}}}.file(t))
	slow := p.slow("/", "alice", 100_000)
	began := time.Now()
	p.signal(syscall.SIGTERM)
	slow.cut(t)
	require.GreaterOrEqual(t, time.Since(began), 500*time.Millisecond)
	require.Zero(t, p.exit())
	require.Less(t, time.Since(began), 500*time.Millisecond+slack)
	require.EqualValues(t, 1, p.awaitLog("requests were cut at the deadline")["requests"])
}

func TestASecondSignalStopsAtOnce(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, setup{delay: "1m", deadline: "1m", functions: []function{{instances: samples(t, 1)}}}.file(t))
			slow := p.slow("/", "alice", 100_000)
			p.signal(s)
			p.awaitLog("leaving")
			began := time.Now()
			p.signal(s)
			require.Equal(t, 1, p.exit())
			require.Less(t, time.Since(began), slack)
			require.Contains(t, p.stderr.String(), "limpet: stopped at once, by a second signal\n")
			slow.cut(t)
		})
	}
}

// TestUseJustBeforeTheEndCounts ends a process long before its next touch is due. Were the touch lost, the session's
// idle time would be over when the next process looks.
func TestUseJustBeforeTheEndCounts(t *testing.T) {
	t.Parallel()
	const idle = 5 * time.Second // so touches are written every 500 ms, and the deadline has that much of grace
	s := setup{
		store:     fmt.Sprintf("{kind: embedded, path: %q}", filepath.Join(t.TempDir(), "store")),
		functions: []function{{instances: samples(t, 1), idle: idle}},
	}
	file := s.file(t)
	p := serve(t, file)
	p.answer("/", "alice")
	created := time.Now()
	time.Sleep(idle * 8 / 10) // not hope: the session's age is what the test is about
	// Between two writes of touches: the last one wrote what was used before this request.
	require.Equal(t, 2, p.answer("/", "alice").Count)
	p.signal(syscall.SIGTERM)
	require.Zero(t, p.exit())
	p = serve(t, file)
	time.Sleep(time.Until(created.Add(idle * 115 / 100)))
	r := p.answer("/", "alice")
	require.Equal(t, 3, r.Count, "its idle time began anew with the last request")
	require.Empty(t, r.event())
}

func TestStderrHoldsOnlyLinesOfJSON(t *testing.T) {
	t.Parallel()
	p := serve(t, setup{functions: []function{{instances: samples(t, 1)}}}.file(t))
	p.signal(syscall.SIGTERM)
	require.Zero(t, p.exit())
	require.Empty(t, p.stdout.String(), "with the access log off")
	for in := bufio.NewScanner(strings.NewReader(p.stderr.String())); in.Scan(); {
		require.Regexp(t, `^\{.*\}$`, in.Text())
	}
}
