package process_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances/process"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestLines(t *testing.T) {
	long := strings.Repeat("l", process.MaxLine)
	for name, test := range map[string]struct {
		text string
		want []string
		cut  []bool
	}{
		"lines":             {"a\nb\n", []string{"a", "b"}, []bool{false, false}},
		"no end":            {"a\nb", []string{"a", "b"}, []bool{false, false}},
		"empty ones":        {"\n\na\n\n", []string{"a"}, []bool{false}},
		"Windows":           {"a\r\nb\r\n", []string{"a", "b"}, []bool{false, false}},
		"as long as can be": {long + "\nb\n", []string{long, "b"}, []bool{false, false}},
		"too long":          {long + "x\nb\n", []string{long, "b"}, []bool{true, false}},
		"much too long":     {strings.Repeat(long, 100) + "\nb\n", []string{long, "b"}, []bool{true, false}},
		"endless":           {strings.Repeat(long, 100), []string{long}, []bool{true}},
		"no UTF-8":          {"\xffa\n", []string{"\uFFFDa"}, []bool{false}},
	} {
		t.Run(name, func(t *testing.T) {
			for range 50 {
				j := process.NewJournal(quiet())
				write, end := process.Lines(j, "i")
				for rest := []byte(test.text); len(rest) > 0; { // however it comes
					n := 1 + rand.IntN(len(rest))
					write(rest[:n])
					rest = rest[n:]
				}
				end()
				texts, cut := j.Backlog()
				require.Equal(t, test.want, texts)
				require.Equal(t, test.cut, cut)
			}
		})
	}
}

// FuzzLines: whatever a process writes, lines are bounded, valid and in order, and nothing of a short line is lost.
func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nb"), 1)
	f.Add([]byte("\r\n\xff\x00\n"), 2)
	f.Add(bytes.Repeat([]byte("x"), process.MaxLine+1), 1000)
	f.Fuzz(func(t *testing.T, text []byte, step int) {
		j := process.NewJournal(quiet())
		write, end := process.Lines(j, "i")
		step = max(1, step)
		for rest := text; len(rest) > 0; rest = rest[min(step, len(rest)):] {
			write(rest[:min(step, len(rest))])
		}
		end()
		texts, _ := j.Backlog()
		var want []string
		for line := range strings.SplitSeq(string(text), "\n") {
			line = strings.ToValidUTF8(strings.TrimRight(line[:min(len(line), process.MaxLine)], "\r"), "\uFFFD")
			if line != "" {
				want = append(want, line)
			}
		}
		require.Equal(t, want[:min(len(want), process.MaxBacklog)], texts[:min(len(texts), process.MaxBacklog)])
		for _, line := range texts {
			require.True(t, utf8.ValidString(line))
			require.LessOrEqual(t, len(line), 3*process.MaxLine)
		}
	})
}

// A log whose reader has stopped stops no process: what it writes is taken all the same, and what was left out counted.
func TestASlowLogBlocksNobody(t *testing.T) {
	reader, pipe := io.Pipe()
	j := process.NewJournal(slog.New(slog.NewTextHandler(pipe, nil)))
	ctx, cancel := context.WithCancel(context.Background())
	written := make(chan struct{})
	go func() {
		defer close(written)
		process.RunJournal(ctx, j)
	}()
	write, _ := process.Lines(j, "i")
	began := time.Now()
	const n = 3 * process.MaxBacklog
	for range n {
		write([]byte("a line\n"))
	}
	require.Less(t, time.Since(began), 5*time.Second)
	dropped := j.Dropped()
	require.GreaterOrEqual(t, dropped, int64(n-process.MaxBacklog-1))
	// The reader goes on.
	var got buffer
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(&got, reader)
	}()
	eventually(t, "it is told how many were left out", func() bool { return strings.Contains(got.String(), "left out") })
	cancel()
	<-written
	require.NoError(t, pipe.Close())
	<-read
	require.Equal(t, n-int(dropped), strings.Count(got.String(), "a line"))
}
