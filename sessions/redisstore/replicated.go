package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/limpet-proxy/limpet/sessions"
)

const ackReplicas = 1

// ackTimeout is how long a write may wait for a replica: most of the time that the answer may take, so that a busy
// machine is not taken for a broken one, and less than all of it, so that Redis, not the client, gives up.
func ackTimeout(readTimeout time.Duration) time.Duration { return readTimeout * 2 / 3 }

var errNotReplicated = errors.New("no replica acknowledged the write")

// replicated runs a script whose write must not be lost once it was acknowledged. With Sentinel it returns only when a replica has the write
// too: a master that was killed, or cut off from its replicas while clients still reach it, takes with it what it
// alone had, and a session that was lost so would be pinned again elsewhere.
//
// A write that no replica acknowledged in time is uncertain: sessions.ErrUnavailable. Asked again, Pin
// finds the session, so nothing is done twice. A master that itself has no connected replica acknowledges alone, for
// then there is nothing to wait for; the operator who would rather stop then sets min-replicas-to-write. This
// narrows the window in which acknowledged writes are lost and is no consensus. Cluster is not covered: WAIT has no
// key by which it could be sent to the same connection.
func (s *Store) replicated(ctx context.Context, c call) (reply, error) {
	if !s.acked {
		return s.run(ctx, c)
	}
	var got reply
	var acks int64
	err := s.do(ctx, c.function, func(ctx context.Context) (err error) {
		acks, err = s.runAndWait(ctx, c, &got)
		return err
	})
	if err == nil && acks < ackReplicas {
		err = s.checkAlone(ctx, c.function)
	}
	return got, err
}

// runAndWait sends the script and WAIT in one go, since WAIT is about the writes of its own connection.
func (s *Store) runAndWait(ctx context.Context, c call, got *reply) (acks int64, err error) {
	send := func(eval func(redis.Pipeliner) *redis.Cmd) (int64, error) {
		var script, wait *redis.Cmd
		_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			script, wait = eval(p), p.Do(ctx, "WAIT", ackReplicas, s.ackTimeout.Milliseconds())
			return nil
		})
		if err != nil {
			return 0, err
		}
		if got.values, err = script.Slice(); err != nil {
			return 0, err
		}
		return wait.Int64()
	}
	acks, err = send(func(p redis.Pipeliner) *redis.Cmd { return c.script.EvalSha(ctx, p, c.keys, c.args...) })
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		return send(func(p redis.Pipeliner) *redis.Cmd { return c.script.Eval(ctx, p, c.keys, c.args...) })
	}
	return acks, err
}

// checkAlone fails unless the master has no replica that could have acknowledged.
func (s *Store) checkAlone(ctx context.Context, function string) error {
	var info string
	err := s.do(ctx, function, func(ctx context.Context) (err error) {
		info, err = s.client.Info(ctx, "replication").Result()
		return err
	})
	if err != nil || parseInfo(info)["connected_slaves"] == "0" {
		return err
	}
	s.log.Warn("redis: no replica acknowledged a write in time", "function", function)
	return fmt.Errorf("%w: %w", sessions.ErrUnavailable, errNotReplicated)
}
