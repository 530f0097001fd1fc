package embeddedstore

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/limpet-proxy/limpet/sessions"
)

// seq numbers the entries of the log since Open; 0 is on disk already.
type seq uint64

// logFile is what the log writes to.
type logFile interface {
	io.WriteCloser
	Sync() error
}

// maxPending is how much may wait for the disk before a touch, too, has to wait.
const maxPending = 8 << 20

// wal is the append-only log with group commit. There is no thread of its own between an operation and the disk:
// of those who wait, one leads, takes all that is pending, writes it as one frame and syncs it, while the next
// group gathers. All methods but close and start do nothing on a nil *wal, which a store without a directory has.
type wal struct {
	dir    *directory
	synced atomic.Uint64 // entries up to this seq are on disk

	mu       sync.Mutex // guards all below; never held while the disk works
	done     sync.Cond  // a commit is over
	file     logFile
	size     int64  // of file
	pending  []byte // frameHead free bytes, then the entries of the next frame
	spare    []byte // the frame before, to be used again
	appended seq
	busy     bool // someone leads a commit
	err      error

	minLog   int64 // see rotation
	base     int64 // size of the snapshot
	rotated  bool  // a snapshot is due or being written
	kick     chan struct{}
	snapshot chan uint64 // generations that want a snapshot
	stop     chan struct{}
	running  sync.WaitGroup
}

func newWAL(d *directory) *wal {
	w := &wal{
		dir: d, minLog: defaultMinLog,
		pending: make([]byte, frameHead), spare: make([]byte, frameHead),
		kick: make(chan struct{}, 1), snapshot: make(chan uint64, 1), stop: make(chan struct{}),
	}
	w.done.L = &w.mu
	return w
}

// append adds an entry to the next frame. It copies b. The caller holds the mutex that orders the entries.
func (w *wal) append(b []byte) seq {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.pending = append(w.pending, b...)
	}
	w.appended++
	return w.appended
}

// wait returns when the entry is on disk, or will never be: sessions.ErrUnavailable.
func (w *wal) wait(n seq) error {
	if w == nil || w.synced.Load() >= uint64(n) {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.synced.Load() < uint64(n) {
		switch {
		case w.err != nil:
			return w.err
		case w.busy:
			w.done.Wait()
		default:
			w.commit()
		}
	}
	return nil
}

// commit writes and syncs all that is pending. The caller holds mu, which is released meanwhile.
//
// An error is for good: after a failed fsync the kernel may have dropped the pages and report success next time,
// with a hole on the disk. Only a restart, which reads what is there, knows where the log ends.
func (w *wal) commit() {
	batch, last := w.pending, w.appended
	w.pending, w.busy = w.spare[:frameHead], true
	rotate := w.full(int64(len(batch)))
	w.mu.Unlock()
	err := w.writeFrame(batch)
	var next logFile
	if err == nil && rotate {
		next = w.dir.nextLog()
	}
	w.mu.Lock()
	w.spare, w.busy = batch, false
	if cap(w.spare) > maxPending {
		w.spare = make([]byte, frameHead)
	}
	if err != nil {
		w.err = fmt.Errorf("%w: the log failed, restart to go on: %w", sessions.ErrUnavailable, err)
	} else {
		w.synced.Store(uint64(last))
		w.size += int64(len(batch))
		w.rotate(rotate, next)
	}
	w.done.Broadcast()
}

func (w *wal) writeFrame(b []byte) error {
	if len(b) == frameHead {
		return nil
	}
	seal(b)
	if _, err := w.file.Write(b); err != nil {
		return err
	}
	return w.file.Sync()
}

// failed returns why nothing can be written any more.
func (w *wal) failed() error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// push has everything appended so far synced soon, without waiting unless the disk is far behind.
func (w *wal) push() error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	behind, last := len(w.pending) > maxPending, w.appended
	w.mu.Unlock()
	if behind {
		return w.wait(last)
	}
	select {
	case w.kick <- struct{}{}:
	default:
	}
	return nil
}

// all returns the seq of the last entry.
func (w *wal) all() seq {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.appended
}

// start runs what works beside the operations: the sync of touches, and snapshots of s.
func (w *wal) start(s *Store) {
	w.running.Go(func() {
		for {
			select {
			case <-w.kick:
				_ = w.wait(w.all()) // kept in err, for the next operation
			case <-w.stop:
				return
			}
		}
	})
	w.running.Go(func() {
		for {
			select {
			case generation := <-w.snapshot:
				w.replaceLog(s, generation)
			case <-w.stop:
				return
			}
		}
	})
}

// close syncs what is pending and releases the directory.
func (w *wal) close() error {
	if w == nil {
		return nil
	}
	close(w.stop)
	w.running.Wait()
	err := w.wait(w.all())
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.busy {
		w.done.Wait()
	}
	if w.err == nil {
		w.err = fmt.Errorf("%w: closed", sessions.ErrUnavailable)
	}
	if cerr := w.file.Close(); err == nil {
		err = cerr
	}
	if cerr := w.dir.close(); err == nil {
		err = cerr
	}
	return err
}
