package embeddedstore

import (
	"errors"
	"fmt"
	"os"

	"github.com/limpet-proxy/limpet/sessions"
)

// openDir locks the directory, brings what it holds into s, and returns the log to go on with.
func openDir(path string, s *Store) (w *wal, err error) {
	d, err := lockDir(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	w = newWAL(d)
	first, err := w.loadSnapshot(s)
	if err != nil {
		return nil, err
	}
	if err := d.removeOlder(first); err != nil {
		return nil, err
	}
	return w, w.loadLogs(s, first)
}

// loadSnapshot reads the newest snapshot and returns the generation of the first log to follow.
func (w *wal) loadSnapshot(s *Store) (uint64, error) {
	snaps, err := w.dir.generations(snapName)
	if err != nil || len(snaps) == 0 {
		return 1, err
	}
	newest := snaps[len(snaps)-1]
	file := w.dir.file(snapName, newest)
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	if err := readSnapshot(b, s); err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	w.base = int64(len(b))
	return newest, nil
}

// readSnapshot applies a snapshot, which must be whole: it was synced before it got its name.
func readSnapshot(b []byte, s *Store) error {
	if err := checkHeader(b, snapMagic); err != nil {
		return err
	}
	p := newReplay(s)
	if _, err := readFrames(b, false, p.apply); err != nil {
		return err
	}
	if !p.ended {
		return fmt.Errorf("%w: the end is missing, at offset %d", sessions.ErrCorrupt, len(b))
	}
	return nil
}

// loadLogs applies the logs from a generation on, and opens the last to go on with.
func (w *wal) loadLogs(s *Store, first uint64) error {
	logs, err := w.dir.generations(logName)
	if err != nil {
		return err
	}
	if len(logs) == 0 && w.base == 0 { // a new directory
		w.dir.generation, w.size = first, headerSize
		w.file, err = w.dir.createLog(first)
		return err
	}
	for i, want := 0, first; i < len(logs) || want == first; i, want = i+1, want+1 {
		if i == len(logs) || logs[i] != want {
			return w.dir.missing(want)
		}
		if err := w.loadLog(s, want, i == len(logs)-1); err != nil {
			return fmt.Errorf("%s: %w", w.dir.file(logName, want), err)
		}
	}
	return nil
}

func (w *wal) loadLog(s *Store, generation uint64, last bool) error {
	b, err := os.ReadFile(w.dir.file(logName, generation))
	if err != nil {
		return err
	}
	w.dir.generation = generation
	if last && len(b) <= headerSize && errors.Is(checkHeader(b, logMagic), sessions.ErrCorrupt) { // a crash while it was made
		w.size = headerSize
		w.file, err = w.dir.createLog(generation)
		return err
	}
	whole, err := readLog(b, last, s)
	if err != nil || !last {
		return err
	}
	w.size = int64(whole)
	w.file, err = w.dir.openLog(generation, whole)
	return err
}

// readLog applies a log and returns how many of its bytes are whole; all but a torn tail, which it may have if it
// is the last.
func readLog(b []byte, last bool, s *Store) (int, error) {
	if err := checkHeader(b, logMagic); err != nil {
		return 0, err
	}
	return readFrames(b, last, newReplay(s).apply)
}
