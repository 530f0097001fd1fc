package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/limpet-proxy/limpet/sessions"
)

// unavailable are the first words of replies by which a server says that it cannot answer now, or us never.
func unavailable() []string {
	return []string{
		"LOADING", "READONLY", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "NOREPLICAS", "OOM", "MISCONF", "BUSY", "UNKILLABLE",
		"MOVED", "ASK", "NOAUTH", "WRONGPASS", "NOPERM", "UNBLOCKED", "max number of clients",
		"Protocol error: unauthenticated", // so many arguments from a client without a password
	}
}

// corrupt are the first words of replies that say that a key holds what this package never writes.
func corrupt() []string { return []string{"CORRUPT", "WRONGTYPE"} }

// classify turns an error of the client into one of the contract's. A cancelled caller is told so: that is no fault
// of Redis.
func classify(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if over := ended(ctx); over != nil {
		return over
	}
	var reply redis.Error
	switch {
	case !errors.As(err, &reply):
		return fmt.Errorf("%w: %w", sessions.ErrUnavailable, err)
	case startsWith(reply, unavailable()):
		return fmt.Errorf("%w: %w", sessions.ErrUnavailable, err)
	case startsWith(reply, corrupt()):
		return fmt.Errorf("%w: %w", sessions.ErrCorrupt, err)
	default:
		return fmt.Errorf("redis: %w", err)
	}
}

// ended is the caller's own end. A connection's time-out is set to the caller's deadline and may fire an instant
// before the context's own timer does.
func ended(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && ctx.Err() == nil && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

func startsWith(reply redis.Error, prefixes []string) bool {
	message := strings.TrimPrefix(reply.Error(), "ERR ")
	for _, p := range prefixes {
		if strings.HasPrefix(message, p) {
			return true
		}
	}
	return false
}

// answered says whether the server said something, if only no.
func answered(err error) bool {
	var reply redis.Error
	return err == nil || errors.As(err, &reply)
}
