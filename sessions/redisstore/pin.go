package redisstore

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/limpet-proxy/limpet/sessions"
)

// maxCandidates is how many instances one script can compare: Lua passes its arguments on a stack of 8000.
const maxCandidates = 4000

// maxAnswerAge is how long an Update, or an End that left no trace, can be sent again and get the same answer. It is
// longer than all attempts of one call together.
const maxAnswerAge = 10 * time.Second

// Pin returns the Active session of the key, or makes one on the least loaded candidate with room.
func (s *Store) Pin(ctx context.Context, r sessions.PinRequest) (sessions.Session, bool, error) {
	affinity, err := affinityCode(r.Affinity)
	if err != nil {
		return sessions.Session{}, false, err
	}
	c := call{
		script: s.scripts.pin, function: r.Function, offers: len(r.Candidates) > 0,
		keys: append(s.keys.changed(r.Key), s.keys.qualifiers(r.Function)),
		args: append([]any{
			modeName(r.Mode), newCall(), member(r.Key), r.ID, flagsOf(r.Settings, r.Origin), affinity,
			r.TTL.Microseconds(), r.IdleTimeout.Microseconds(), r.PerInstance, r.Isolation, r.Name, r.Fingerprint,
		}, placementArgs(r.Placement)...),
	}
	got, err := s.place(ctx, c)
	if err != nil {
		return sessions.Session{}, false, err
	}
	if err := got.outcome(); err != nil {
		return sessions.Session{}, false, err
	}
	pinned, err := got.session(r.Key)
	return pinned, err == nil && got.string(0) == "NEW", err
}

func modeName(m sessions.Mode) string {
	switch m {
	case sessions.Create:
		return "create"
	case sessions.Existing:
		return "existing"
	default:
		return "get"
	}
}

// placementArgs are the arguments of choose.lua. All candidates are of one version.
func placementArgs(p sessions.Placement) []any {
	args := []any{""}
	for i, c := range p.Candidates {
		if i == maxCandidates {
			break
		}
		args[0] = c.Version
		args = append(args, c.ID, strconv.FormatUint(c.Incarnation, 10))
	}
	return args
}

// place runs a script that takes a slot. Sessions that have expired but were not swept hold slots still, and a
// script cannot end them, for it did not declare their keys: so a function without room is swept, and asked again
// when that ended any.
func (s *Store) place(ctx context.Context, c call) (reply, error) {
	got, err := s.replicated(ctx, c)
	if err != nil || !errors.Is(got.outcome(), sessions.ErrFull) || !c.offers {
		return got, err
	}
	if ended, err := s.Sweep(ctx, c.function); err != nil || ended == 0 {
		return got, err
	}
	return s.replicated(ctx, c)
}

// Rehome moves the session to another instance than its home and raises the epoch by one.
func (s *Store) Rehome(ctx context.Context, r sessions.RehomeRequest) (sessions.Session, error) {
	key := r.Session.Key
	got, err := s.place(ctx, call{
		script: s.scripts.rehome, function: key.Function, offers: len(r.Candidates) > 0,
		keys: s.keys.changed(key),
		args: append([]any{
			strconv.FormatUint(r.Session.Epoch, 10), newCall(), member(key), key.ID, r.Reason, lossArg(r),
			r.AliveWithin.Microseconds(), r.PerInstance, r.Isolation,
		}, placementArgs(r.Placement)...),
	})
	if err != nil {
		return sessions.Session{}, err
	}
	return got.current(key)
}

// lossArg says why the home may be left.
func lossArg(r sessions.RehomeRequest) any {
	if r.Drained {
		return "drained"
	}
	return r.Certain
}

// End ends the session if its epoch is still the record's.
//
// The same call sent twice by the client gets the same answer for maxAnswerAge. A second call with keep is answered
// like the first; without, nothing is left to tell and it is sessions.ErrNotFound.
func (s *Store) End(ctx context.Context, session sessions.Session, keep bool) (sessions.Session, error) {
	key := session.Key
	got, err := s.replicated(ctx, call{
		script: s.scripts.end, function: key.Function,
		keys: append(s.keys.changed(key), s.keys.answer(key.Function, newCall())),
		args: []any{strconv.FormatUint(session.Epoch, 10), keep, member(key), key.ID, maxAnswerAge.Milliseconds()},
	})
	if err != nil {
		return sessions.Session{}, err
	}
	return got.current(key)
}

// Update changes the settings of the key's Active session, in both directions. One that a TTL which is over already
// ends with this is returned as it ended.
func (s *Store) Update(ctx context.Context, r sessions.UpdateRequest) (sessions.Session, error) {
	if r.Reserved() {
		return sessions.Session{}, sessions.ErrNotFound
	}
	args := []any{member(r.Key), r.ID, "", "", "", maxAnswerAge.Milliseconds()}
	if r.TTL != nil {
		args[2] = r.TTL.Microseconds()
	}
	if r.IdleTimeout != nil {
		args[3] = r.IdleTimeout.Microseconds()
	}
	if r.DisableIDReuse != nil {
		args[4] = *r.DisableIDReuse
	}
	got, err := s.replicated(ctx, call{
		script: s.scripts.update, function: r.Function,
		keys: append(s.keys.changed(r.Key), s.keys.answer(r.Function, newCall())), args: args,
	})
	if err != nil {
		return sessions.Session{}, err
	}
	return got.current(r.Key)
}

// current is the session that rehome, end and update return, together with ErrMoved too.
func (r reply) current(key sessions.Key) (sessions.Session, error) {
	err := r.outcome()
	if err != nil && !errors.Is(err, sessions.ErrMoved) {
		return sessions.Session{}, err
	}
	s, decodeErr := r.session(key)
	return s, errors.Join(err, decodeErr)
}
