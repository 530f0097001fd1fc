package storetest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

// until polls cond, on this goroutine so that it may assert, and fails when patience is over.
func (w *world) until(what string, cond func() bool) {
	w.Helper()
	for end := time.Now().Add(patience); !cond(); {
		if time.Now().After(end) {
			require.Fail(w, "waited in vain until "+what)
		}
		select {
		case <-w.Context().Done():
		case <-time.After(tick):
		}
	}
}

// expired waits until the session has expired by the store's clock, without a sweep.
func (w *world) expired(s sessions.Session) {
	w.Helper()
	w.until("session expires", func() bool {
		_, err := w.Get(w.Context(), s.Key)
		if err != nil {
			require.ErrorIs(w, err, sessions.ErrNotFound)
		}
		return err != nil
	})
}
