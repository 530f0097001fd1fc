package sessions

import (
	"errors"
	"time"
)

// ErrUnknownInstance means that the registry knows no such instance, or that it is gone.
var ErrUnknownInstance = errors.New("no such instance")

// Mark says what is to become of one instance: see Registry.
type Mark struct {
	Function string
	// Home is the instance; with Incarnation 0 whichever lives at the place.
	Home Home
	// Draining makes it take no new session; false takes that back.
	Draining bool
	// Deadline is how long its sessions may stay, from now on the store's clock; at least 0. It goes with Draining.
	Deadline time.Duration
}

// Draining says whether the instance takes no new session because it was marked so.
func (r InstanceRecord) Draining() bool { return !r.DrainingSince.IsZero() }

// DrainLeft is how long the sessions of a draining instance may stay from ReadAt on; 0 once the deadline has passed.
func (r InstanceRecord) DrainLeft() time.Duration { return max(0, r.DrainDeadline.Sub(r.ReadAt)) }

// Drained says whether the instance drains and its deadline has passed.
func (r InstanceRecord) Drained() bool { return r.Draining() && !r.ReadAt.Before(r.DrainDeadline) }
