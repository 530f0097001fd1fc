package sessions

import (
	"errors"
	"iter"
)

// place asks the store for a home among the candidates, of one version after the other until one has room. from is the
// version that the session comes from, "" for a new one. It asks without candidates too: what else the store has to say
// does not depend on them. ErrNoInstance where there are none and some are needed.
func (t *Table) place(from string, ask func(candidates []Home) error) (err error) {
	offered := false
	for candidates := range t.offers(from) {
		offered = true
		if err = ask(candidates); !errors.Is(err, ErrFull) {
			return err
		}
	}
	if !offered {
		err = t.noRoom(ask(nil), 0)
	}
	t.wantRoom(from, err)
	return err
}

// offers yields the candidates in the order in which they are to be tried: all at once, unless the pool is an alias's.
func (t *Table) offers(from string) iter.Seq[[]Home] {
	if v, ok := t.pool.(Versions); ok {
		return v.Offers(from)
	}
	return func(yield func([]Home) bool) {
		if all := t.pool.Candidates(0); len(all) > 0 {
			yield(all)
		}
	}
}

// placement offers candidates, all of one version, whose slots are that version's to count.
func (t *Table) placement(candidates []Home) Placement {
	p := Placement{Candidates: candidates, PerInstance: 1, Isolation: t.rules.Isolation}
	if len(candidates) > 0 {
		p.PerInstance = t.rules.of(candidates[0].Version).PerInstance
	}
	return p
}
