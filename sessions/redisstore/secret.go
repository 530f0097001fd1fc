package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/limpet-proxy/limpet/sessions"
)

const secretBytes = 32

// Secret returns 32 random bytes, made at the first call with this name by any replica. One atomic command sets
// them if there are none and says which there were: of replicas that start together, one wins.
func (s *Store) Secret(ctx context.Context, name string) ([]byte, error) {
	mine := make([]byte, secretBytes)
	_, _ = rand.Read(mine) // never fails
	secret := string(mine)
	err := s.do(ctx, "", func(ctx context.Context) error {
		stored, err := s.client.SetArgs(ctx, s.keys.secret(name), mine, redis.SetArgs{Mode: "NX", Get: true}).Result()
		if errors.Is(err, redis.Nil) {
			return nil
		}
		if err == nil {
			secret = stored
		}
		return err
	})
	if err == nil && len(secret) != secretBytes {
		err = fmt.Errorf("%w: secret %q has %d bytes", sessions.ErrCorrupt, name, len(secret))
	}
	if err != nil {
		return nil, err
	}
	return []byte(secret), nil
}
