package redisstore

import (
	"context"
	"crypto/sha256"
	"strconv"

	"github.com/limpet-proxy/limpet/sessions"
)

// Bind makes a reservation the session of an ID. Its call is the reservation: whoever asks again gets what that became.
func (s *Store) Bind(ctx context.Context, r sessions.BindRequest) (sessions.Session, bool, error) {
	from, key := r.Reservation, r.Reservation.Key
	key.ID = r.ID
	if !from.Key.Reserved() || key.Reserved() {
		return sessions.Session{}, false, sessions.ErrNotFound
	}
	call256 := sha256.Sum256([]byte(from.ID))
	keys := append(s.keys.changed(from.Key), s.keys.session(key)...)
	got, err := s.replicated(ctx, call{
		script: s.scripts.bind, function: key.Function,
		keys: append(keys, s.keys.qualifiers(key.Function)),
		args: []any{
			strconv.FormatUint(from.Epoch, 10), member(from.Key), from.ID,
			from.Home.Version, from.Home.ID, strconv.FormatUint(from.Home.Incarnation, 10), string(call256[:callBytes]),
			member(key), key.ID, r.TTL.Microseconds(), r.IdleTimeout.Microseconds(), r.DisableIDReuse,
		},
	})
	if err != nil {
		return sessions.Session{}, false, err
	}
	if err := got.outcome(); err != nil {
		return sessions.Session{}, false, err
	}
	bound, err := got.session(key)
	return bound, err == nil && got.string(0) == "NEW", err
}
