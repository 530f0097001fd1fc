package api

import (
	"fmt"
	"net/http"
	"time"
)

// The words of Status.
const (
	StatusReady    = "ready"
	StatusDegraded = "degraded" // still ready: what works goes on
	StatusStarting = "starting" // not ready
	StatusDraining = "draining" // not ready any more
)

// The pools' words for an instance that takes new sessions, and for one that is healthy and drains.
const (
	stateReady    = "ready"
	stateDraining = "draining"
)

// StoreStatus is what this replica knows of the session store.
type StoreStatus struct {
	Kind    string // embedded or redis
	Reached bool   // it has answered since the start
	Up      bool   // it answers now
}

// FunctionStatus is one function and qualifier at the moment.
type FunctionStatus struct {
	Name, Qualifier string
	Affinity        string
	Probed          bool   // each instance has been probed once, or there is none to probe
	Problem         string // why instances do not start that Limpet runs itself; "": they do
	Instances       []InstanceStatus
	Versions        []VersionStatus // of an alias, which has no instances of its own
}

// VersionStatus is one version of an alias at the moment.
type VersionStatus struct {
	Qualifier string
	Weight    int
	Instances int // all of them
	Ready     int // those that take new sessions
	Sessions  int // Active, on its instances, whichever way they came
}

// NewVersionStatus sums up a version, to which an alias gives this weight.
func NewVersionStatus(version FunctionStatus, weight int) VersionStatus {
	v := VersionStatus{Qualifier: version.Qualifier, Weight: weight, Instances: len(version.Instances)}
	for _, i := range version.Instances {
		v.Sessions += i.Sessions
		if i.State == stateReady {
			v.Ready++
		}
	}
	return v
}

// live is the sum of the weights that count now: those of versions that have an instance for a new session.
func (f FunctionStatus) live() (total int) {
	for _, v := range f.Versions {
		if v.Ready > 0 {
			total += v.Weight
		}
	}
	return total
}

// share is the part of new sessions, 0 to 1, that a version gets now.
func (f FunctionStatus) share(v VersionStatus) float64 {
	if v.Ready == 0 || v.Weight == 0 {
		return 0
	}
	return float64(v.Weight) / float64(f.live())
}

// InstanceStatus is one instance of a function at the moment, as this replica sees it.
type InstanceStatus struct {
	ID          string // what users see; never an address
	State       string // starting, ready, draining, unhealthy, gone
	Since       time.Time
	Sessions    int       // Active, pinned to it by all replicas
	PerInstance int       // how many it holds at most
	InFlight    int       // requests of this replica
	DrainUntil  time.Time // of one that drains: its sessions may stay until then; else zero
}

// readiness is the body of /readyz. It needs no key, so it says how many instances a function has and not which.
type readiness struct {
	Status    string          `json:"status"`
	Reasons   []string        `json:"reasons"`
	Functions []functionReady `json:"functions"`
}

type functionReady struct {
	Name      string `json:"name"`
	Qualifier string `json:"qualifier"`
	Probed    bool   `json:"probed"`
	Ready     int    `json:"ready"`     // instances that take new sessions
	Instances int    `json:"instances"` // all of them
}

// code is the status code of /readyz. Degraded is ready: to send the sessions of one function elsewhere because
// another one has no instance would spread an outage, and every other replica sees the same.
func (r readiness) code() int {
	if r.Status == StatusReady || r.Status == StatusDegraded {
		return http.StatusOK
	}
	return http.StatusServiceUnavailable
}

// raise makes the status as bad as the given one, if it is not worse already, and says why.
func (r *readiness) raise(status, reason string) {
	badness := map[string]int{StatusReady: 0, StatusDegraded: 1, StatusStarting: 2, StatusDraining: 3}
	if badness[status] > badness[r.Status] {
		r.Status = status
	}
	r.Reasons = append(r.Reasons, reason)
}

func newReadiness(draining bool, store StoreStatus, functions []FunctionStatus) readiness {
	r := readiness{Status: StatusReady, Reasons: []string{}, Functions: []functionReady{}}
	if draining {
		r.raise(StatusDraining, "shutting down")
	}
	switch {
	case !store.Reached:
		r.raise(StatusStarting, "the session store has not answered yet")
	case !store.Up:
		r.raise(StatusDegraded, "the session store does not answer")
	}
	for _, f := range functions {
		entry := functionReady{Name: f.Name, Qualifier: f.Qualifier, Probed: f.Probed, Instances: len(f.Instances)}
		for _, i := range f.Instances {
			if i.State == stateReady {
				entry.Ready++
			}
		}
		for _, v := range f.Versions {
			entry.Instances += v.Instances
			if v.Weight > 0 { // no new session comes to the others
				entry.Ready += v.Ready
			}
		}
		r.Functions = append(r.Functions, entry)
		switch {
		case !f.Probed:
			r.raise(StatusStarting, fmt.Sprintf("function %s/%s: not every instance is probed yet", f.Name, f.Qualifier))
		case entry.Ready == 0:
			r.raise(StatusDegraded, fmt.Sprintf("function %s/%s: no healthy instance", f.Name, f.Qualifier))
		}
		if f.Problem != "" {
			r.raise(StatusDegraded, fmt.Sprintf("function %s/%s: processes do not start: %s", f.Name, f.Qualifier, f.Problem))
		}
	}
	return r
}
