package storetest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func fingerprintChecks() []Check {
	return []Check{
		{"Fingerprint/the same call gets its session", fingerprintSame},
		{"Fingerprint/another call is a mismatch", fingerprintOther},
		{"Fingerprint/also after the end", fingerprintEnded},
		{"Fingerprint/also where the ID may not be used again", fingerprintBlocked},
		{"Fingerprint/without one as usual", fingerprintNone},
		{"Fingerprint/an older one decides while the youngest has none", fingerprintOlder},
		{"Fingerprint/only Create asks for it", fingerprintModes},
		{"Fingerprint/a session without a trace leaves none", fingerprintForgotten},
		{"Fingerprint/a race makes one session", fingerprintRace},
	}
}

// Fingerprints are sums: any bytes.
var (
	oneCall     = strings.Repeat("\x00\xff", sessions.MaxFingerprint/2)
	anotherCall = strings.Repeat("\x00\xfe", sessions.MaxFingerprint/2)
)

// call asks to create a session as an idempotent call does.
func (w *world) call(id, fingerprint string) sessions.PinRequest {
	r := w.request(id)
	r.Mode, r.Fingerprint, r.Origin = sessions.Create, fingerprint, sessions.OriginAPI
	return r
}

// answered asserts that the request gets this session, which it does not make.
func (w *world) answered(want sessions.Session, r sessions.PinRequest) {
	w.Helper()
	for range 2 {
		got, created, err := w.Pin(w.Context(), r)
		require.NoError(w, err)
		require.False(w, created)
		w.same(want, got)
	}
}

func (w *world) mismatched(r sessions.PinRequest) {
	w.Helper()
	_, created, err := w.Pin(w.Context(), r)
	require.ErrorIs(w, err, sessions.ErrMismatch)
	require.False(w, created)
}

func fingerprintSame(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	s := w.pin(w.call("x", oneCall))
	w.answered(s, w.call("x", oneCall))
	again := w.call("x", oneCall)
	again.Candidates = nil
	w.answered(s, again) // an answer needs no room
	w.answered(w.rehome(w.refused(s)), w.call("x", oneCall))
	w.update(changes(s.Key, 2*longLife, -1))
	w.answered(w.get("x"), w.call("x", oneCall))
	require.Equal(tb, 1, w.load("a")+w.load("b"))
	require.Greater(tb, w.pin(w.call("y", oneCall)).Epoch, s.Epoch, "another ID is another call")
}

func fingerprintOther(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	s := w.pin(w.call("x", oneCall))
	for _, other := range []string{anotherCall, oneCall[:sessions.MaxFingerprint-1], "x"} {
		w.mismatched(w.call("x", other))
	}
	w.same(s, w.get("x"))
	_, _, err := w.Pin(tb.Context(), w.call("x", ""))
	require.ErrorIs(tb, err, sessions.ErrExists, "a call without a fingerprint is as usual")
	w.end(s, true)
	w.mismatched(w.call("x", anotherCall))
	require.Empty(tb, w.list(sessions.Active, 10))
	require.Zero(tb, w.load("a"))
}

func fingerprintEnded(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	w.answered(w.end(w.pin(w.call("kept", oneCall)), true), w.call("kept", oneCall))
	r := w.call("expired", oneCall)
	r.TTL = shortLife
	s := w.pin(r)
	w.expired(s)
	for range 2 {
		got, created, err := w.Pin(tb.Context(), r)
		require.NoError(tb, err)
		require.False(tb, created)
		require.Equal(tb, sessions.Ended, got.State)
		require.Equal(tb, s.Epoch, got.Epoch)
		require.True(tb, got.EndedAt.Equal(s.Deadline))
		w.mismatched(w.call("expired", anotherCall))
		_, err = w.Sweep(tb.Context(), w.fn)
		require.NoError(tb, err)
	}
	require.Zero(tb, w.load("a"))
}

func fingerprintBlocked(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	r := w.call("x", oneCall)
	r.DisableIDReuse = true
	ended := w.end(w.pin(r), true)
	w.answered(ended, r)
	w.mismatched(w.call("x", anotherCall))
	w.blocked("x") // for a call without a fingerprint
}

func fingerprintNone(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	s := w.pin(w.request("x")) // by a request
	_, _, err := w.Pin(tb.Context(), w.call("x", oneCall))
	require.ErrorIs(tb, err, sessions.ErrExists)
	w.end(s, true)
	made := w.pin(w.call("x", oneCall))
	require.Greater(tb, made.Epoch, s.Epoch)
	w.answered(made, w.call("x", oneCall))
	r := w.request("y")
	r.DisableIDReuse = true
	w.end(w.pin(r), true)
	_, _, err = w.Pin(tb.Context(), w.call("y", oneCall))
	require.ErrorIs(tb, err, sessions.ErrIDReuse)
	full := w.call("z", oneCall)
	full.Candidates = nil
	_, _, err = w.Pin(tb.Context(), full)
	require.ErrorIs(tb, err, sessions.ErrFull)
	w.pin(w.call("z", anotherCall)) // a call that was refused leaves nothing
}

func fingerprintOlder(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	ended := w.end(w.pin(w.call("x", oneCall)), true)
	live := w.pin(w.request("x")) // the ID is used again, by a request
	for range 2 {
		w.answered(ended, w.call("x", oneCall))
		w.mismatched(w.call("x", anotherCall))
		live = w.end(live, true)
	}
	require.Greater(tb, live.Epoch, ended.Epoch)
}

func fingerprintModes(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	s := w.pin(w.call("x", oneCall))
	for _, mode := range []sessions.Mode{sessions.GetOrCreate, sessions.Existing} {
		r := w.call("x", anotherCall)
		r.Mode = mode
		w.answered(s, r)
	}
	w.end(s, true)
	r := w.call("x", anotherCall)
	r.Mode = sessions.Existing
	_, _, err := w.Pin(tb.Context(), r)
	require.ErrorIs(tb, err, sessions.ErrNotFound)
	require.Greater(tb, w.pin(w.request("x")).Epoch, s.Epoch)
}

func fingerprintForgotten(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	s := w.pin(w.call("x", oneCall))
	w.end(s, false)
	again := w.pin(w.call("x", anotherCall))
	require.Greater(tb, again.Epoch, s.Epoch)
	w.mismatched(w.call("x", oneCall))
	w.touch(running(again))
	w.end(again, false)
	require.Greater(tb, w.pin(w.call("x", oneCall)).Epoch, again.Epoch, "nor while its requests run")
}

func fingerprintRace(tb testing.TB, h Harness) {
	replicas := h.replicas(tb, raceReplicas)
	w := worldOn(tb, replicas[0], numbered("i", 4)...)
	for _, id := range numbered("x", 20) {
		created := 0
		answers := race(w, replicas, w.call(id, oneCall))
		for _, a := range answers {
			require.NoError(tb, a.err)
			w.same(answers[0].s, a.s)
			if a.created {
				created++
			}
		}
		require.Equal(tb, 1, created, "exactly one call makes the session")
	}
}
