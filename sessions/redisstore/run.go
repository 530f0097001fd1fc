package redisstore

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/limpet-proxy/limpet/sessions"
)

// call is one script with its keys and arguments.
type call struct {
	script   *redis.Script
	function string
	keys     []string
	args     []any
	offers   bool // candidates: where they are full a sweep may help
}

func (s *Store) run(ctx context.Context, c call) (reply, error) {
	var values []any
	err := s.do(ctx, c.function, func(ctx context.Context) (err error) {
		values, err = c.script.Run(ctx, s.client, c.keys, c.args...).Slice()
		return err
	})
	return reply{values: values}, err
}

// count runs a script that returns a number.
func (s *Store) count(ctx context.Context, c call) (n int, err error) {
	err = s.do(ctx, c.function, func(ctx context.Context) (err error) {
		n, err = c.script.Run(ctx, s.client, c.keys, c.args...).Int()
		return err
	})
	return n, err
}

// newCall returns the name of one call of a script. go-redis sends a script again when the connection broke, also
// when Redis has run it: the name tells a second run from a second caller.
func newCall() string {
	b := make([]byte, callBytes)
	_, _ = rand.Read(b) // never fails
	return string(b)
}

// reply is what a script returned. What is missing or of another type reads as zero.
type reply struct{ values []any }

func (r reply) string(i int) string {
	if i >= len(r.values) {
		return ""
	}
	text, _ := r.values[i].(string)
	return text
}

func (r reply) int(i int) int64 {
	if i >= len(r.values) {
		return 0
	}
	n, _ := r.values[i].(int64)
	return n
}

// strings returns an element that is an array of strings.
func (r reply) strings(i int) []string {
	if i >= len(r.values) {
		return nil
	}
	values, _ := r.values[i].([]any)
	all := make([]string, 0, len(values))
	for _, v := range values {
		if text, ok := v.(string); ok {
			all = append(all, text)
		}
	}
	return all
}

// session decodes what pin, rehome, end and update return behind their outcome: record, deadline, clock, and until
// when requests are in flight.
func (r reply) session(k sessions.Key) (sessions.Session, error) {
	return copied{record: r.string(1), deadline: r.int(2), inFlight: r.int(4), now: r.int(3)}.decode(k)
}

// copied is a record with what is not in it, in µs of the store's clock.
type copied struct {
	record   string
	deadline int64 // while it is live
	inFlight int64 // until when it has requests in flight, as far as touches said
	now      int64
}

func (c copied) decode(k sessions.Key) (sessions.Session, error) {
	s, err := decodeSession(k, c.record)
	if err != nil {
		return s, err
	}
	if s.State == sessions.Active {
		s.Deadline = clock(c.deadline)
	} else if c.inFlight > c.now {
		s.State = sessions.Ending
	}
	s.ReadAt = clock(c.now)
	return s, nil
}

// outcome turns a script's first word into an error of the contract.
func (r reply) outcome() error {
	switch word := r.string(0); word {
	case "OK", "HIT", "NEW":
		return nil
	case "EXISTS":
		return sessions.ErrExists
	case "NOTFOUND":
		return sessions.ErrNotFound
	case "FULL":
		return sessions.ErrFull
	case "REUSE":
		return sessions.ErrIDReuse
	case "MISMATCH":
		return sessions.ErrMismatch
	case "MOVED":
		return sessions.ErrMoved
	case "ALIVE":
		return sessions.ErrAlive
	default:
		return fmt.Errorf("redis: script answered %q", word)
	}
}
