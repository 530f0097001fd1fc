package process

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// maxLine is how many bytes of a line of output are logged. The rest of it is left out.
	maxLine = 8 << 10
	// maxBacklog is how many lines wait for a slow log. Those beyond it are left out, and counted.
	maxBacklog = 512
	// logPatience is how long the last lines have to get into the log.
	logPatience = time.Second
)

// line is a line of an instance's output.
type line struct {
	instance, stream, text string
	cut                    bool // the rest was left out
}

// journal writes lines to the log. Who adds one never waits: a log that does not get its lines off, because whoever reads
// it has stopped, must not stop the instances, which would wait for room in their pipes.
type journal struct {
	log     *slog.Logger
	backlog chan line
	dropped atomic.Int64
}

func newJournal(log *slog.Logger) *journal {
	return &journal{log: log, backlog: make(chan line, maxBacklog)}
}

func (j *journal) add(l line) {
	select {
	case j.backlog <- l:
	default:
		j.dropped.Add(1)
	}
}

// run writes lines until ctx is done, and then those that are there.
func (j *journal) run(ctx context.Context) {
	for {
		select {
		case l := <-j.backlog:
			j.write(l)
			continue
		default:
		}
		if n := j.dropped.Swap(0); n > 0 {
			j.log.Warn("lines of instances' output are left out: the log is slow", "lines", n)
		}
		select {
		case l := <-j.backlog:
			j.write(l)
		case <-ctx.Done():
			return
		}
	}
}

func (j *journal) write(l line) {
	attrs := []any{"instance", l.instance, "stream", l.stream, "line", l.text}
	if l.cut {
		attrs = append(attrs, "cut", true)
	}
	j.log.Info("instance output", attrs...)
}

// lines cuts one stream of output into lines. It belongs to one goroutine.
type lines struct {
	journal          *journal
	instance, stream string
	begun            []byte
	skipping         bool // the line has been logged as far as it goes
}

// Write takes in output. It never fails and never blocks.
func (l *lines) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		part, after, ended := bytes.Cut(rest, []byte{'\n'})
		l.grow(part)
		if ended {
			l.flush()
		}
		rest = after
	}
	return len(p), nil
}

// grow adds to the line that has begun. One that is too long is logged at once: it may have no end.
func (l *lines) grow(part []byte) {
	if l.skipping {
		return
	}
	room := maxLine - len(l.begun)
	l.begun = append(l.begun, part[:min(room, len(part))]...)
	if len(part) > room {
		l.log(true)
		l.skipping = true
	}
}

// flush ends the line.
func (l *lines) flush() {
	if !l.skipping {
		l.log(false)
	}
	l.skipping = false
}

func (l *lines) log(cut bool) {
	text := strings.ToValidUTF8(string(bytes.TrimRight(l.begun, "\r")), "\uFFFD")
	l.begun = l.begun[:0]
	if text != "" {
		l.journal.add(line{l.instance, l.stream, text, cut})
	}
}
