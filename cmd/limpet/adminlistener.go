package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/limpet-proxy/limpet/api"
	"github.com/limpet-proxy/limpet/configs"
)

// adminHeaderTimeout bounds the head of a request to the admin listener.
const adminHeaderTimeout = 5 * time.Second

// newAdmin makes the admin plane for these keys. It has no session API before the store has answered.
func (p *process) newAdmin(cfg configs.Config) (http.Handler, error) {
	auth, err := api.LoadKeys(cfg.Auth)
	if err != nil {
		return nil, err
	}
	sessionAPI, err := p.newSessionAPI(auth, cfg.SessionAPI)
	if err != nil {
		return nil, err
	}
	v, _ := buildVersion()
	return api.Admin{
		Auth: auth, Metrics: p.registry, Deployment: p.cfg.Deployment, Version: v, Sessions: sessionAPI,
		Draining: p.leaving.Load, Store: p.storeStatus, Functions: p.functions.statuses,
	}.Handler(), nil
}

func (p *process) serveAdmin(failed chan<- error) error {
	admin, err := p.newAdmin(p.cfg)
	if err != nil {
		return err
	}
	p.adminPlane.Store(&admin)
	p.adminServer = &http.Server{
		ReadHeaderTimeout: adminHeaderTimeout,
		ErrorLog:          slog.NewLogLogger(p.logger.Handler(), slog.LevelDebug),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			(*p.adminPlane.Load()).ServeHTTP(w, r)
		}),
	}
	serve := p.adminServer.Serve
	if p.adminServer.TLSConfig = p.keepers.tls(adminListener); p.adminServer.TLSConfig != nil {
		serve = func(l net.Listener) error { return p.adminServer.ServeTLS(l, "", "") }
	}
	p.background.Go(func() {
		if err := serve(p.admin); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("admin: %w", err)
		}
	})
	return nil
}
