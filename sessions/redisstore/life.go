package redisstore

import (
	"context"
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
func (s *Store) Touch(ctx context.Context, touches []sessions.Touch) ([]int, error) {
	byFunction := map[string][]sessions.Touch{}
	for _, t := range touches {
		byFunction[t.Function] = append(byFunction[t.Function], t)
	}
	var first error
	for function, all := range byFunction {
		for start := 0; start < len(all); start += touchBatch {
			// Functions may be on other masters: one that fails holds up no other.
			if err := s.touch(ctx, function, all[start:min(start+touchBatch, len(all))]); err != nil && first == nil {
				first = err
			}
		}
	}
	return nil, first
}

func (s *Store) touch(ctx context.Context, function string, batch []sessions.Touch) error {
	keys, args := []string{s.keys.deadlines(function)}, make([]any, 0, 4*len(batch))
	for _, t := range batch {
		m := member(t.Key)
		keys = append(keys, s.keys.record(function, m))
		args = append(args, m, strconv.FormatUint(t.Epoch, 10), max(t.Age, 0).Microseconds(), t.Delivered)
	}
	_, err := s.count(ctx, call{script: s.scripts.touch, function: function, keys: keys, args: args})
	return err
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

func (s *Store) forget(ctx context.Context, function string, entries []string) error {
	c := call{script: s.scripts.purge, function: function, keys: []string{s.keys.purge(function)}}
	for _, entry := range entries {
		if key, ok := purgeEntry(function, entry); ok {
			c.keys = append(c.keys, s.keys.ended(function, key.Qualifier), s.keys.history(function, member(key)))
			c.args = append(c.args, entry, key.ID)
		}
	}
	if len(c.args) == 0 {
		return nil
	}
	_, err := s.count(ctx, c)
	return err
}
