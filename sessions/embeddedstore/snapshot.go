package embeddedstore

import (
	"bufio"
	"errors"
	"log/slog"
	"os"

	"github.com/limpet-proxy/limpet/sessions"
)

const (
	// defaultMinLog is how large a log grows at least before a snapshot replaces it. It also grows to twice the
	// last snapshot, so that the bytes written stay within a factor of the bytes of change.
	defaultMinLog = 4 << 20
	// snapshotStep is how many records a snapshot reads before it lets others have the function's mutex.
	snapshotStep = 256
	// snapshotFrame is how large a frame of a snapshot is, about.
	snapshotFrame = 256 << 10
)

// full says whether the log, with this much more, has grown enough to be replaced. The caller holds mu.
func (w *wal) full(more int64) bool {
	return !w.rotated && w.size+more > max(w.minLog, 2*w.base)
}

// rotate begins the next generation: from here on entries go to its log, and a snapshot of all before is ordered.
// The caller holds mu and has synced the old log, so that only the last log of a directory can have a torn tail.
func (w *wal) rotate(due bool, next logFile) {
	switch {
	case !due:
	case next == nil:
		w.base = w.size // tried again when the log has doubled
	default:
		_ = w.file.Close() // synced
		w.dir.generation++
		w.file, w.size, w.rotated = next, headerSize, true
		w.snapshot <- w.dir.generation
	}
}

// nextLog makes the log of the next generation, or returns nil: the old one can grow on.
func (d *directory) nextLog() logFile {
	next, err := d.createLog(d.generation + 1)
	if err != nil {
		slog.Warn("embeddedstore: cannot begin a new log", "directory", d.path, "error", err)
		return nil
	}
	return next
}

// replaceLog writes the snapshot that stands for all logs before the generation, and removes them. If it cannot,
// the older files stay and together with this log are as good; the next generation tries again.
func (w *wal) replaceLog(s *Store, generation uint64) {
	size, err := w.dir.writeSnapshot(generation, func(out *snapshotWriter) error {
		if err := out.store(s, w.stop); err != nil {
			return err
		}
		// The snapshot has seen changes whose entries may not be on disk yet: to keep one without those that it
		// rests on (the session that left the slot) would break capacity after a crash.
		return w.wait(w.all())
	})
	if err != nil {
		slog.Warn("embeddedstore: cannot write a snapshot", "directory", w.dir.path, "error", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rotated = false
	if err == nil {
		w.base = size
	}
}

// snapshotWriter writes entries in frames.
type snapshotWriter struct {
	out     *bufio.Writer
	frame   encoder
	entries uint64
	size    int64
}

func newSnapshotWriter(f *os.File) (*snapshotWriter, error) {
	out := &snapshotWriter{out: bufio.NewWriter(f), frame: make(encoder, frameHead), size: headerSize}
	_, err := out.out.Write(header(snapMagic))
	return out, err
}

func (o *snapshotWriter) entry(owner string, e entry) {
	o.frame.entry(owner, e)
	o.entries++
}

// flush writes the frame if it is full, or if it must be.
func (o *snapshotWriter) flush(must bool) error {
	if len(o.frame) == frameHead || !must && len(o.frame) < snapshotFrame {
		return nil
	}
	seal(o.frame)
	_, err := o.out.Write(o.frame)
	o.size += int64(len(o.frame))
	o.frame = o.frame[:frameHead]
	return err
}

// finish marks the end, so that a snapshot that lost its tail is noticed.
func (o *snapshotWriter) finish() error {
	o.entry("", end(o.entries))
	if err := o.flush(true); err != nil {
		return err
	}
	return o.out.Flush()
}

// store writes all that s knows, while s goes on. What changes meanwhile may be in it or not: it is in the log of
// the new generation, and entries may be applied to a state that has them.
func (o *snapshotWriter) store(s *Store, stop <-chan struct{}) error {
	s.secretMu.Lock()
	for name, v := range s.secrets {
		o.entry(name, v)
	}
	s.secretMu.Unlock()
	if err := o.onces(s, stop); err != nil {
		return err
	}
	for _, f := range s.all() {
		o.registry(f)
		for _, state := range []sessions.State{sessions.Active, sessions.Ended} {
			if err := o.listing(f, f.listing[state], stop); err != nil {
				return err
			}
		}
	}
	return o.finish()
}

func (o *snapshotWriter) registry(f *function) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o.entry(f.name, high(f.high))
	for _, in := range f.places {
		o.entry(f.name, known{in})
	}
	for _, r := range f.reserved {
		o.entry(f.name, put{r})
	}
	for home, l := range f.loads {
		if l.used {
			o.entry(f.name, used{home})
		}
		if l.drain.on() {
			o.entry(f.name, drained{home, l.drain})
		}
	}
}

// inSteps calls step, which writes some entries at a time, until there is no more.
func (o *snapshotWriter) inSteps(stop <-chan struct{}, step func() (more bool)) error {
	for more := true; more; {
		select {
		case <-stop:
			return errors.New("the store is closing")
		default:
		}
		more = step()
		if err := o.flush(false); err != nil {
			return err
		}
	}
	return nil
}

// onces writes the names that still count.
func (o *snapshotWriter) onces(s *Store, stop <-chan struct{}) error {
	after := onceName{until: s.clock.now()}
	return o.inSteps(stop, func() bool {
		some := s.onces.after(after, snapshotStep)
		for _, n := range some {
			o.entry(n.name, once{until: n.until})
			after = n
		}
		return len(some) == snapshotStep
	})
}

// listing writes all records of one index.
func (o *snapshotWriter) listing(f *function, index *tree, stop <-chan struct{}) error {
	after := &record{}
	return o.inSteps(stop, func() (more bool) {
		after, more = o.some(f, index, after)
		return more
	})
}

// some writes the records after one, and returns a copy of the last that it wrote.
func (o *snapshotWriter) some(f *function, index *tree, after *record) (*record, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	last := *after
	index.Ascend(after, func(r *record) bool {
		if !byCreation(after, r) {
			return true
		}
		last = *r
		switch {
		case r.ended == 0:
			o.entry(f.name, put{r})
		case !r.deleted:
			o.entry(f.name, kept{r})
		}
		n++
		return n < snapshotStep
	})
	return &last, n == snapshotStep
}
