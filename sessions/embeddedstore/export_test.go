package embeddedstore

import (
	"errors"

	"github.com/limpet-proxy/limpet/sessions"
)

// ErrDisk is what a disk that BreakDisk broke answers.
var ErrDisk = errors.New("disk broken by the test")

type brokenSync struct{ logFile }

func (brokenSync) Sync() error { return ErrDisk }

// BreakDisk makes every further sync of the log fail.
func (s *Store) BreakDisk() {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.file = brokenSync{s.log.file}
}

type gatedSync struct {
	logFile
	gate    <-chan struct{}
	waiting chan<- struct{}
}

func (g gatedSync) Sync() error {
	select {
	case g.waiting <- struct{}{}:
	default:
	}
	<-g.gate
	return g.logFile.Sync()
}

// HoldDisk makes every further sync of the log wait until gate is closed, and tell waiting, if it can, that it does.
func (s *Store) HoldDisk(gate <-chan struct{}, waiting chan<- struct{}) {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.file = gatedSync{s.log.file, gate, waiting}
}

// SetMinLog sets how large the log grows before a snapshot replaces it.
func (s *Store) SetMinLog(bytes int64) {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.minLog = bytes
}

// ReadLog reads b as the last log of a new store.
func ReadLog(b []byte) (whole int, err error) {
	return readLog(b, true, newStore())
}

// ReadSnapshot reads b as the snapshot of a new store.
func ReadSnapshot(b []byte) error {
	return readSnapshot(b, newStore())
}

// Seal gives entries the head of a frame, and a file its header.
func Seal(entries []byte) []byte {
	b := append(make([]byte, frameHead), entries...)
	seal(b)
	return append(header(logMagic), b...)
}

// OnceNames returns how many names Once has in memory.
func (s *Store) OnceNames() int {
	s.onces.mu.Lock()
	defer s.onces.mu.Unlock()
	return max(len(s.onces.calls), s.onces.order.Len())
}

// Snapshot writes a snapshot of the generation that the log is in.
func (s *Store) Snapshot() { s.log.replaceLog(s, s.log.dir.generation) }

// ActiveRecords returns how many Active records the indices of a function have, which all have the same.
func (s *Store) ActiveRecords(name string) int {
	f := s.function(name)
	f.mu.Lock()
	defer f.mu.Unlock()
	return max(f.deadlines.Len(), len(f.active), f.listing[sessions.Active].Len(), f.residents[sessions.Active].Len())
}

// EndedRecords returns how many ended records a function has in memory, forgotten ones too.
func (s *Store) EndedRecords(name string) int {
	f := s.function(name)
	f.mu.Lock()
	defer f.mu.Unlock()
	return max(f.leaving.Len(), len(f.ended), f.listing[sessions.Ended].Len(), f.residents[sessions.Ended].Len())
}
