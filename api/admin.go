// Package api serves the admin plane; it holds no state.
package api

import (
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/limpet-proxy/limpet/api/dashboard"
	"github.com/limpet-proxy/limpet/dialects"
)

// Admin is the admin plane: metrics, health, profiles and the page. Its funcs are called by several requests at once.
type Admin struct {
	Auth       *Auth               // nil: no keys, only for a loopback listener
	Metrics    prometheus.Gatherer // nil: /metrics is empty
	Deployment string              // shown on the page
	Version    string              // shown on the page

	Draining  func() bool             // nil: never
	Store     func() StoreStatus      // nil: it answers
	Functions func() []FunctionStatus // nil: there are none
	Sessions  *SessionAPI             // nil: the session table has not answered yet
}

// Handler returns the handler of the admin listener. /healthz and /readyz need no key; all else shows every function,
// so it needs one that may read them all.
func (a Admin) Handler() http.Handler {
	if a.Metrics == nil {
		a.Metrics = prometheus.NewRegistry()
	}
	// A collector that fails must not take away all other series, just when somebody looks for what is wrong.
	metrics := promhttp.HandlerFor(a.Metrics, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
	page := dashboard.New()
	routes := map[string]http.Handler{
		"/healthz": get(http.HandlerFunc(healthz)),
		"/readyz":  get(http.HandlerFunc(a.readyz)),
		"/metrics": a.operator(get(metrics)),
		"/": a.operator(get(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			secure(w.Header())
			page.Write(w, a.view())
		}))),
		"/debug/pprof/cmdline": a.operator(get(http.HandlerFunc(pprof.Cmdline))),
		"/debug/pprof/profile": a.operator(get(http.HandlerFunc(pprof.Profile))),
		"/debug/pprof/symbol":  a.operator(only(http.HandlerFunc(pprof.Symbol), http.MethodGet, http.MethodHead, http.MethodPost)),
		"/debug/pprof/trace":   a.operator(get(http.HandlerFunc(pprof.Trace))),
		functionsPath:          a.Auth.Require(Read, get(http.HandlerFunc(a.listFunctions))),
	}
	profiles := a.operator(get(http.HandlerFunc(pprof.Index)))
	unknown := a.Auth.Require(Read, http.HandlerFunc(notFound))
	// No ServeMux: it redirects, and its own 404 and 405 are not JSON.
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch route := routes[r.URL.Path]; {
		case route != nil:
			route.ServeHTTP(w, r)
		case strings.HasPrefix(r.URL.Path, "/debug/pprof/"):
			profiles.ServeHTTP(w, r)
		case a.Sessions.serves(r):
			a.Sessions.ServeHTTP(w, r)
		default:
			unknown.ServeHTTP(w, r)
		}
	})
}

// operator lets through who may read every function.
func (a Admin) operator(next http.Handler) http.Handler {
	return a.Auth.Require(Read, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !CallerOf(r.Context()).May(Read, AnyFunction) {
			refuse(w, denied("this shows every function, and this key may not read them all"))
			return
		}
		secure(w.Header())
		next.ServeHTTP(w, r)
	}))
}

// healthz says that this process serves, whatever else is wrong: who restarts it on failure must not do so because
// Redis is down.
func healthz(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (a Admin) readyz(w http.ResponseWriter, _ *http.Request) {
	r := a.readiness()
	writeJSON(w, r.code(), r)
}

func (a Admin) readiness() readiness { return newReadiness(a.draining(), a.store(), a.functions()) }

func (a Admin) draining() bool { return a.Draining != nil && a.Draining() }

func (a Admin) store() StoreStatus {
	if a.Store == nil {
		return StoreStatus{Reached: true, Up: true}
	}
	return a.Store()
}

func (a Admin) functions() []FunctionStatus {
	if a.Functions == nil {
		return nil
	}
	return a.Functions()
}

// view is what the page shows.
func (a Admin) view() dashboard.View {
	store, functions := a.store(), a.functions()
	ready := newReadiness(a.draining(), store, functions)
	v := dashboard.View{
		Deployment: a.Deployment, Version: a.Version, Status: ready.Status, Reasons: ready.Reasons,
		Store: store.Kind, Now: time.Now(),
	}
	for _, f := range functions {
		shown := dashboard.Function{Name: f.Name, Qualifier: f.Qualifier, Affinity: f.Affinity}
		for _, i := range f.Instances {
			shown.Instances = append(shown.Instances, dashboard.Instance(i))
		}
		for _, v := range f.Versions {
			shown.Versions = append(shown.Versions, dashboard.Version{
				Qualifier: v.Qualifier, Weight: v.Weight, Share: f.share(v), Instances: v.Instances, Ready: v.Ready, Sessions: v.Sessions,
			})
		}
		v.Functions = append(v.Functions, shown)
	}
	return v
}

func notFound(w http.ResponseWriter, _ *http.Request) {
	refuse(w, notFoundError())
}

func get(next http.Handler) http.Handler { return only(next, http.MethodGet, http.MethodHead) }

// only answers 405 to other methods (RFC 9110, section 15.5.6).
func only(next http.Handler, methods ...string) http.Handler {
	allow := strings.Join(methods, ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, m := range methods {
			if r.Method == m {
				next.ServeHTTP(w, r)
				return
			}
		}
		refuse(w, dialects.MethodNotAllowed(allow))
	})
}
