package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// watched runs w for the time of two intervals and a half, over pictures of which the second fails.
func watched(t *testing.T, w *watcher, picture string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), w.every*5/2)
	defer cancel()
	n := 0
	require.NoError(t, w.run(ctx, func(_ context.Context, out io.Writer) error {
		n++
		if n == 2 {
			return errors.New("no answer")
		}
		_, err := fmt.Fprintf(out, "%s %d\n", picture, n)
		return err
	}))
	require.Equal(t, 3, n)
}

func TestTerminalWatchPrintsTheTimeAndGoesOnAfterAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out, problems bytes.Buffer
		watched(t, &watcher{every: 2 * time.Second, out: &out, stderr: &problems}, "sessions")
		require.Equal(t, "2000-01-01T00:00:00Z\nsessions 1\n2000-01-01T00:00:04Z\nsessions 3\n", out.String())
		require.Equal(t, "limpet: no answer\n", problems.String())
	})
}

func TestTerminalWatchOfJSONIsADocumentALine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out, problems bytes.Buffer
		watched(t, &watcher{every: time.Second, out: &out, stderr: &problems, json: true, terminal: true}, "[]")
		require.Equal(t, "[] 1\n[] 3\n", out.String(), "nothing between them, on a terminal too")
		require.Equal(t, "limpet: no answer\n", problems.String())
	})
}

func TestTerminalWatchRedrawsInPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out, problems bytes.Buffer
		watched(t, &watcher{every: 2 * time.Second, out: &out, stderr: &problems, terminal: true}, "sessions")
		require.Empty(t, problems.String(), "stderr would spoil the picture")
		at := func(seconds int) string {
			return time.Date(2000, 1, 1, 0, 0, seconds, 0, time.UTC).Local().Format(time.TimeOnly)
		}
		require.Equal(t, "\x1b[H\x1b[J"+
			"\x1b[H"+at(0)+", every 2s, Ctrl-C ends\x1b[K\nsessions 1\x1b[K\n\x1b[J"+
			"\x1b[H"+at(2)+", every 2s, Ctrl-C ends\x1b[K\nlimpet: no answer\x1b[K\nsessions 1\x1b[K\n\x1b[J"+
			"\x1b[H"+at(4)+", every 2s, Ctrl-C ends\x1b[K\nsessions 3\x1b[K\n\x1b[J", out.String())
	})
}

// shut is a reader that has gone away.
type shut struct{}

var errShut = errors.New("closed pipe")

func (shut) Write([]byte) (int, error) { return 0, errShut }

func TestTerminalWatchEndsWhenNobodyReads(t *testing.T) {
	t.Parallel()
	for _, w := range []*watcher{
		{every: time.Hour, out: shut{}}, {every: time.Hour, out: shut{}, json: true}, {every: time.Hour, out: shut{}, terminal: true},
	} {
		require.ErrorIs(t, w.run(t.Context(), func(_ context.Context, out io.Writer) error {
			_, err := io.WriteString(out, "sessions\n")
			return err
		}), errShut)
	}
}

// The end of the watch cuts off a request that runs: that is no error.
func TestTerminalWatchEndsInTheMiddleOfARequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var out bytes.Buffer
		w := &watcher{every: time.Second, out: &out, stderr: &out}
		require.NoError(t, w.run(ctx, func(ctx context.Context, _ io.Writer) error {
			<-ctx.Done()
			return ctx.Err()
		}))
		require.Empty(t, out.String())
	})
}

func TestTerminalIsToldFromFilesAndPipes(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	file, err := os.Create(t.TempDir() + "/file")
	require.NoError(t, err)
	defer file.Close()
	device, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0) // a character device, as a terminal is
	require.NoError(t, err)
	defer device.Close()
	t.Setenv("TERM", "xterm")
	require.False(t, isTerminal(w))
	require.False(t, isTerminal(file))
	require.False(t, isTerminal(&strings.Builder{}))
	require.True(t, isTerminal(device))
	t.Setenv("TERM", "dumb")
	require.False(t, isTerminal(device))
}
