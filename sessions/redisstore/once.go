package redisstore

import (
	"context"
	"time"
)

// Once says whether this is the first call with the name within ttl, to the millisecond, of all replicas. A call that
// the client sends again finds its own mark and is the first still.
func (s *Store) Once(ctx context.Context, name string, ttl time.Duration) (bool, error) {
	got, err := s.replicated(ctx, call{
		script: s.scripts.once, keys: []string{s.keys.once(name)},
		args: []any{newCall(), max(ttl.Milliseconds(), 1)},
	})
	return err == nil && got.int(1) == 1, err
}

// Forget undoes Once.
func (s *Store) Forget(ctx context.Context, name string) error {
	return s.do(ctx, "", func(ctx context.Context) error { return s.client.Del(ctx, s.keys.once(name)).Err() })
}
