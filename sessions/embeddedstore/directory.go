package embeddedstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/limpet-proxy/limpet/sessions"
)

// directory holds the files of a store: lock; log-N, the changes since generation N began; snapshot-N, all before
// it. What counts is the newest snapshot and the logs from its generation on. A new generation begins so, each step
// synced before the next, and a crash between any two leaves what counts whole:
//
//  1. log-N+1 is made, and entries go there;
//  2. snapshot-N+1 is written under another name, and renamed;
//  3. what is older is removed.
type directory struct {
	path       string
	lock       *os.File
	generation uint64 // of the log that is written to
}

const (
	logName  = "log-"
	snapName = "snapshot-"
	tempName = "snapshot.tmp"
)

func fileName(kind string, generation uint64) string { return fmt.Sprintf("%s%016x", kind, generation) }

func (d *directory) file(kind string, generation uint64) string {
	return filepath.Join(d.path, fileName(kind, generation))
}

// lockDir makes the directory if need be and takes its lock.
func lockDir(path string) (*directory, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, err
		}
		if err := syncDir(filepath.Dir(path)); err != nil {
			return nil, err
		}
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock(lock); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("directory %s: %w", path, err)
	}
	return &directory{path: path, lock: lock}, nil
}

func (d *directory) close() error { return d.lock.Close() } // which gives the lock up

// generations returns those of the files of a kind, ascending.
func (d *directory) generations(kind string) ([]uint64, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, err
	}
	var found []uint64
	for _, e := range entries {
		var n uint64
		tail, ok := strings.CutPrefix(e.Name(), kind)
		if _, err := fmt.Sscanf(tail, "%x", &n); ok && err == nil && e.Name() == fileName(kind, n) {
			found = append(found, n)
		}
	}
	slices.Sort(found)
	return found, nil
}

// createLog makes the log of a generation, durably.
func (d *directory) createLog(generation uint64) (logFile, error) {
	f, err := os.OpenFile(d.file(logName, generation), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(header(logMagic))
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = syncDir(d.path)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return dataFile{f}, nil
}

// openLog opens the last log to go on after its whole frames.
func (d *directory) openLog(generation uint64, whole int) (logFile, error) {
	f, err := os.OpenFile(d.file(logName, generation), os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if err = f.Truncate(int64(whole)); err == nil {
		err = f.Sync()
	}
	if err == nil {
		_, err = f.Seek(int64(whole), 0)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return dataFile{f}, nil
}

// writeSnapshot puts a snapshot in the place of everything older than its generation, and returns its size.
func (d *directory) writeSnapshot(generation uint64, fill func(*snapshotWriter) error) (int64, error) {
	temp := filepath.Join(d.path, tempName)
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	out, err := newSnapshotWriter(f)
	if err == nil {
		err = fill(out)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, errors.Join(err, os.Remove(temp))
	}
	if err := os.Rename(temp, d.file(snapName, generation)); err != nil {
		return 0, err
	}
	if err := syncDir(d.path); err != nil {
		return 0, err
	}
	return out.size, d.removeOlder(generation)
}

// removeOlder removes what the generation's snapshot stands for, and what a crash left half written.
func (d *directory) removeOlder(generation uint64) error {
	if err := os.Remove(filepath.Join(d.path, tempName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, kind := range []string{snapName, logName} {
		found, err := d.generations(kind)
		if err != nil {
			return err
		}
		for _, n := range found {
			if n >= generation {
				break
			}
			if err := os.Remove(d.file(kind, n)); err != nil {
				return err
			}
		}
	}
	return nil
}

// missing is the error for a generation whose log is not there.
func (d *directory) missing(generation uint64) error {
	return fmt.Errorf("%w: %s is missing", sessions.ErrCorrupt, d.file(logName, generation))
}
