package redisstore

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/limpet-proxy/limpet/sessions"
)

const (
	touchBatch = 500 // touches in one script
	sweepBatch = 100 // sessions in one script
	// maxSweeps bounds what one Sweep does, so that it ends while sessions expire as fast as it works.
	maxSweeps = 1000
)

// Touch postpones the idle deadlines of Active sessions, in one round trip for each function and touchBatch.
func (s *Store) Touch(ctx context.Context, touches []sessions.Touch) (stale []int, err error) {
	byFunction := map[string][]int{} // indices of touches
	for i, t := range touches {
		byFunction[t.Function] = append(byFunction[t.Function], i)
	}
	for function, all := range byFunction {
		for batch := range slices.Chunk(all, touchBatch) {
			// Functions may be on other masters: one that fails holds up no other.
			some, failure := s.touch(ctx, function, touches, batch)
			stale, err = append(stale, some...), cmp.Or(err, failure)
		}
	}
	return stale, err
}

// touch sends those touches that batch has the indices of, and returns which of these are stale.
func (s *Store) touch(ctx context.Context, function string, touches []sessions.Touch, batch []int) ([]int, error) {
	keys := []string{s.keys.deadlines(function), s.keys.inFlight(function)}
	args := append(make([]any, 0, 1+5*len(batch)), sessions.InFlightLease.Microseconds())
	var histories []string
	for _, i := range batch {
		t := touches[i]
		m, inFlight := member(t.Key), ""
		if t.InFlight {
			inFlight = stamp(t.Epoch)
			histories = append(histories, s.keys.history(function, m))
		}
		keys = append(keys, s.keys.record(function, m))
		args = append(args, m, strconv.FormatUint(t.Epoch, 10), max(t.Age, 0).Microseconds(), t.Delivered, inFlight)
	}
	got, err := s.run(ctx, call{script: s.scripts.touch, function: function, keys: append(keys, histories...), args: args})
	if err != nil {
		return nil, err
	}
	var stale []int
	for at := range got.values {
		if n := got.int(at); n >= 1 && n <= int64(len(batch)) {
			stale = append(stale, batch[n-1])
		}
	}
	return stale, nil
}

// Sweep ends the function's sessions whose deadline has passed and forgets ended ones whose retention is over.
// Replicas may sweep at the same time: each session is ended, and counted, once.
func (s *Store) Sweep(ctx context.Context, function string) (int, error) {
	total := 0
	for range maxSweeps {
		due, err := s.run(ctx, call{
			script: s.scripts.due, function: function,
			keys: []string{s.keys.deadlines(function), s.keys.purge(function)}, args: []any{sweepBatch},
		})
		if err != nil {
			return total, err
		}
		expired, over := due.strings(0), due.strings(1)
		ended, err := s.endExpired(ctx, function, expired)
		total += ended
		if err != nil {
			return total, err
		}
		if err := s.forget(ctx, function, over); err != nil {
			return total, err
		}
		if len(expired) < sweepBatch && len(over) < sweepBatch {
			break
		}
	}
	return total, nil
}

func (s *Store) endExpired(ctx context.Context, function string, members []string) (int, error) {
	c := call{script: s.scripts.sweep, function: function, keys: s.keys.slots(function)}
	for _, m := range members {
		if key, ok := keyOf(function, m); ok {
			c.keys = append(c.keys, s.keys.session(key)...)
			c.args = append(c.args, m, key.ID)
		}
	}
	if len(c.args) == 0 {
		return 0, nil
	}
	return s.count(ctx, c)
}

// forget removes ended records whose retention is over. An entry that cannot be read is taken out of the index, where
// it would be the first that is due for ever.
func (s *Store) forget(ctx context.Context, function string, entries []string) error {
	c := call{script: s.scripts.purge, function: function, keys: s.keys.slots(function)}
	var unreadable []any
	for _, entry := range entries {
		key, _, ok := endedThereEntry(function, entry)
		if !ok {
			unreadable = append(unreadable, entry)
			continue
		}
		c.keys = append(c.keys, s.keys.ended(function, key.Qualifier), s.keys.history(function, member(key)))
		c.args = append(c.args, entry, member(key), key.ID)
	}
	if len(unreadable) > 0 {
		drop := func(ctx context.Context) error {
			return s.client.ZRem(ctx, s.keys.purge(function), unreadable...).Err()
		}
		if err := s.do(ctx, function, drop); err != nil {
			return err
		}
	}
	if len(c.args) == 0 {
		return nil
	}
	_, err := s.count(ctx, c)
	return err
}
