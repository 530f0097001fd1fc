package proxy_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
)

func cookies(c *proxy.FunctionConfig) { c.Affinity.Type = sessions.AffinityCookie }

// created makes a session as the session API does.
func (w *world) created() sessions.Session {
	s, made, err := w.table.Create(w.t.Context(), sessions.CreateRequest{ID: affinity.NewID(), Settings: settings()})
	require.NoError(w.t, err)
	require.True(w.t, made)
	return s
}

// raw sends an ID as Function Compute's clients do: as it is, under the cookie's name.
func (w *world) rawCookie(id string) answer {
	w.t.Helper()
	return w.do(w.request(http.MethodGet, "/", nil, "Cookie", "mine=1; limpet-session="+id))
}

func TestRawCookieOfASessionThatTheAPIMade(t *testing.T) {
	w := start(t, cookies, named("a"), named("b"), named("c"))
	for range 6 {
		s := w.created()
		first := w.rawCookie(s.ID)
		require.Equal(t, s.Home.ID, first.Header.Get("Instance"), "it goes to the home that was allocated")
		require.Equal(t, "created", first.Header.Get("Limpet-Session-Event"))
		require.Len(t, first.Header["Set-Cookie"], 1, "with the news comes the signed cookie")
		for range 3 {
			next := w.rawCookie(s.ID)
			require.Equal(t, s.Home.ID, next.Header.Get("Instance"))
			require.Empty(t, next.Header["Set-Cookie"], "who goes on with the raw ID is left in peace")
			require.Equal(t, first.Header.Get("Limpet-Session-Epoch"), next.Header.Get("Limpet-Session-Epoch"))
		}
		sealed, _, _ := strings.Cut(first.Header.Get("Set-Cookie"), ";")
		signed := w.do(w.request(http.MethodGet, "/", nil, "Cookie", sealed))
		require.Equal(t, first.Header.Get("Limpet-Session-Epoch"), signed.Header.Get("Limpet-Session-Epoch"), "the same session")
	}
	require.Equal(t, map[string]int{"a": 2, "b": 2, "c": 2}, w.sessionCounts(), "none but those")
}

func TestRawCookieOnAnInvocationPath(t *testing.T) {
	w := start(t, func(c *proxy.FunctionConfig) { cookies(c); invoked(c) }, named("a"), named("b"))
	s := w.created()
	for range 3 {
		a := w.post(fcPath, "", "Cookie", "limpet-session="+s.ID)
		require.Equal(t, s.Home.ID, a.Header.Get("Instance"))
	}
}

// A raw ID leads into no session but those: not into one that a browser made, whose ID its instance knows, nor into one
// that has ended. It makes none, keeps none alive, and gets the client a session of its own.
func TestRawCookieOfAnyOtherSession(t *testing.T) {
	var id atomic.Value
	w := start(t, cookies, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { id.Store(r.Header.Get("Limpet-Session-Id")) }))
	gets := func(raw string) {
		t.Helper()
		a := w.rawCookie(raw)
		require.Equal(t, http.StatusOK, a.StatusCode)
		require.Equal(t, "created", a.Header.Get("Limpet-Session-Event"))
		require.Len(t, a.Header["Set-Cookie"], 1)
		require.NotEqual(t, raw, id.Load())
		require.NotContains(t, a.Header.Get("Set-Cookie"), raw)
	}
	w.do(w.request(http.MethodGet, "/", nil))
	gets(id.Load().(string))

	gets("made-up")
	_, err := w.store.Get(t.Context(), sessions.Key{Function: "f", Qualifier: "LATEST", ID: "made-up"})
	require.ErrorIs(t, err, sessions.ErrNotFound)

	s := w.created()
	_, err = w.table.End(t.Context(), s, true)
	require.NoError(t, err)
	gets(s.ID)

	// One that the API made for a header, before the function's affinity was changed.
	_, _, err = w.store.Pin(t.Context(), sessions.PinRequest{
		Key: sessions.Key{Function: "f", Qualifier: "LATEST", ID: "header"}, Mode: sessions.Create, Settings: settings(),
		Affinity: sessions.AffinityHeader, Origin: sessions.OriginAPI,
		Placement: sessions.Placement{Candidates: w.pool.Candidates(0), PerInstance: 20},
	})
	require.NoError(t, err)
	gets("header")
}

// Who knocks with the ID of a session that is not his does not keep it alive by it.
func TestRawCookieOfAnotherSessionIsNoUseOfIt(t *testing.T) {
	var id atomic.Value
	w := start(t, func(c *proxy.FunctionConfig) {
		cookies(c)
		c.Sessions.IdleTimeout, c.Sessions.PerInstance = 300*time.Millisecond, 10_000
	}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { id.Store(r.Header.Get("Limpet-Session-Id")) }))
	w.do(w.request(http.MethodGet, "/", nil))
	key := sessions.Key{Function: "f", Qualifier: "LATEST", ID: id.Load().(string)}
	require.Eventually(t, func() bool {
		w.rawCookie(key.ID)
		_, err := w.store.Get(t.Context(), key)
		return errors.Is(err, sessions.ErrNotFound)
	}, patience, 20*time.Millisecond)
}

// mute is a store that cannot say whether there is a session.
type mute struct {
	sessions.Store
	down atomic.Bool
}

func (m *mute) Pin(ctx context.Context, r sessions.PinRequest) (sessions.Session, bool, error) {
	if m.down.Load() && r.Mode == sessions.Existing {
		return sessions.Session{}, false, sessions.ErrUnavailable
	}
	return m.Store.Pin(ctx, r)
}

// on puts the function on another store.
func (w *world) on(s sessions.Store) {
	w.store = s
	w.handler.Swap(proxy.Plane{Routes: proxy.NewRoutes([]*proxy.Function{w.function()})})
}

// A client whose session may be there is not given another because the store is silent.
func TestRawCookieWhileTheStoreIsSilent(t *testing.T) {
	w := start(t, cookies, named("a"))
	m := &mute{Store: w.store}
	w.on(m)
	m.down.Store(true)
	a := w.rawCookie("of-another-replica")
	a.fails(t, "StoreUnavailable", http.StatusServiceUnavailable)
	require.Empty(t, a.Header["Set-Cookie"])
	require.Zero(t, w.sessionCounts()["a"])
	m.down.Store(false)
	require.Equal(t, http.StatusOK, w.rawCookie("of-another-replica").StatusCode)
}

// ending is a store in which a session ends just before it is moved.
type ending struct {
	sessions.Store
	w *world
}

func (e *ending) Rehome(ctx context.Context, r sessions.RehomeRequest) (sessions.Session, error) {
	if _, err := e.w.table.End(ctx, r.Session, true); err != nil {
		return sessions.Session{}, err
	}
	return e.Store.Rehome(ctx, r)
}

// The session may end between look-up and dial. The raw ID must not make one then, though it was adopted before.
func TestRawCookieWhoseSessionEndsWhileItsHomeIsLost(t *testing.T) {
	w := start(t, func(c *proxy.FunctionConfig) { cookies(c); slowProbes(c) }, named("a"), named("b")).noKeepAlive()
	w.on(&ending{w.store, w})
	s := w.created()
	require.Equal(t, http.StatusOK, w.rawCookie(s.ID).StatusCode)
	w.kill(s.Home.ID)
	a := w.rawCookie(s.ID)
	require.Equal(t, http.StatusOK, a.StatusCode, a.body)
	require.Equal(t, "created", a.Header.Get("Limpet-Session-Event"))
	require.Len(t, a.Header["Set-Cookie"], 1)
	require.NotContains(t, a.Header.Get("Set-Cookie"), s.ID)
	_, err := w.store.Get(t.Context(), s.Key)
	require.ErrorIs(t, err, sessions.ErrNotFound)
}
