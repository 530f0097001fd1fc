package embeddedstore

import (
	"context"
	"crypto/rand"
	"slices"
)

const secretSize = 32

// Secret implements sessions.Shared. Without a directory it lasts as long as the process.
func (s *Store) Secret(ctx context.Context, name string) ([]byte, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	found, err := s.secret(name)
	if err != nil {
		return nil, err
	}
	if err := s.log.wait(found.seq); err != nil {
		return nil, err
	}
	return slices.Clone(found.value), nil
}

func (s *Store) secret(name string) (secret, error) {
	s.secretMu.Lock()
	defer s.secretMu.Unlock()
	if found, ok := s.secrets[name]; ok {
		return found, nil
	}
	if err := s.log.failed(); err != nil {
		return secret{}, err
	}
	fresh := secret{value: make([]byte, secretSize)}
	_, _ = rand.Read(fresh.value) // never fails
	if s.log != nil {
		var e encoder
		e.entry(name, fresh)
		fresh.seq = s.log.append(e)
	}
	s.secrets[name] = fresh
	return fresh, nil
}
