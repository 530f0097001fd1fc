package embeddedstore

import (
	"context"
	"slices"

	"github.com/limpet-proxy/limpet/sessions"
)

// History implements sessions.Records.
func (s *Store) History(ctx context.Context, k sessions.Key) ([]sessions.Session, error) {
	f, err := s.enter(ctx, k.Function)
	if err != nil {
		return nil, err
	}
	all, need := f.history(name{k.Qualifier, k.ID})
	if err := s.log.wait(need); err != nil {
		return nil, err
	}
	return all, nil
}

func (f *function) history(n name) (all []sessions.Session, need seq) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.now()
	need = f.lastEnd
	add := func(r *record) {
		all = append(all, r.view(f.name, now))
		need = max(need, r.seq)
	}
	live := f.live(n, now)
	for r := range f.past(n, now) {
		add(r)
	}
	slices.Reverse(all)
	if live != nil && !n.reserved() {
		add(live)
	}
	return all, need
}

// Qualifiers implements sessions.Records: those that have a record now.
func (s *Store) Qualifiers(ctx context.Context, function string) ([]string, error) {
	f, err := s.enter(ctx, function)
	if err != nil {
		return nil, err
	}
	all, need := f.qualifiers()
	if err := s.log.wait(need); err != nil {
		return nil, err
	}
	return all, nil
}

func (f *function) qualifiers() (all []string, need seq) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, index := range f.listing {
		for at := (&record{}); at != nil; {
			var next *record
			index.Ascend(at, func(r *record) bool {
				next = r
				return false
			})
			if at = nil; next != nil {
				all, need = append(all, next.qualifier), max(need, next.seq)
				at = &record{name: name{qualifier: next.qualifier + "\x00"}} // the least that comes after it
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all), need
}
