package proxy_test

import (
	"context"

	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
)

// first is a store that does first what the test says, and fails with its error; what is nil does nothing.
type first struct {
	sessions.Store
	pin, bind func() error
}

func (f first) Pin(ctx context.Context, r sessions.PinRequest) (sessions.Session, bool, error) {
	if f.pin != nil {
		if err := f.pin(); err != nil {
			return sessions.Session{}, false, err
		}
	}
	return f.Store.Pin(ctx, r)
}

func (f first) Bind(ctx context.Context, r sessions.BindRequest) (sessions.Session, bool, error) {
	if f.bind != nil {
		if err := f.bind(); err != nil {
			return sessions.Session{}, false, err
		}
	}
	return f.Store.Bind(ctx, r)
}

// onPin makes every Pin of the world's function do first what before does.
func (w *world) onPin(before func() error) { w.swapStore(first{Store: w.store, pin: before}) }

// onBind makes every Bind of the world's function do first what before does.
func (w *world) onBind(before func() error) { w.swapStore(first{Store: w.store, bind: before}) }

// swapStore puts the function on another store. What the test itself asks goes to the old one.
func (w *world) swapStore(s sessions.Store) {
	old := w.store
	w.store = s
	w.handler.Swap(proxy.Plane{Routes: proxy.NewRoutes([]*proxy.Function{w.function()})})
	w.store = old
}
