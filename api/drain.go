package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/limpet-proxy/limpet/dialects"
	"github.com/limpet-proxy/limpet/sessions"
)

// MaxDrainDeadline is the longest deadline that a drain may be given.
const MaxDrainDeadline = 7 * 24 * time.Hour

// drain is what is told of an instance that drains.
type drain struct {
	Since       time.Time `json:"since,omitzero"`
	Deadline    time.Time `json:"deadline"`    // its sessions may stay until then
	SecondsLeft int64     `json:"secondsLeft"` // 0: the deadline has passed, its sessions leave
}

// drain is nil for an instance that does not drain. A replica's own clock does for it.
func (i InstanceStatus) drain() *drain {
	if i.DrainUntil.IsZero() {
		return nil
	}
	d := &drain{Deadline: i.DrainUntil, SecondsLeft: inSeconds(max(0, time.Until(i.DrainUntil)))}
	if i.State == stateDraining {
		d.Since = i.Since
	}
	return d
}

// instanceShown is one instance as the store has it, and so every replica.
type instanceShown struct {
	Function  string `json:"function"`
	Qualifier string `json:"qualifier"`
	ID        string `json:"id"`
	State     string `json:"state"`
	Sessions  int    `json:"sessions"` // Active ones
	InFlight  int    `json:"inFlight"` // requests of this replica
	Drain     *drain `json:"drain,omitempty"`
}

func (c *call) showInstance(f Function, r sessions.InstanceRecord) instanceShown {
	shown := instanceShown{Function: f.Name, Qualifier: f.Qualifier, ID: r.ID, State: stateReady, Sessions: r.Sessions}
	if f.InFlight != nil {
		shown.InFlight = f.InFlight(r.ID)
	}
	if r.Draining() {
		shown.State = stateDraining
		shown.Drain = &drain{Since: r.DrainingSince, Deadline: r.DrainDeadline, SecondsLeft: inSeconds(r.DrainLeft())}
	}
	switch {
	case !r.GoneAt.IsZero():
		shown.State = "gone"
	case !r.LostAt.IsZero():
		shown.State = "unhealthy"
	case r.LastHealthy.IsZero():
		shown.State = "starting"
	}
	return shown
}

// getInstance answers with what the store says at this moment; the list of functions is a moment older.
func (c *call) getInstance(f Function) (any, *dialects.Error) {
	records, err := c.Store.Instances(c.r.Context(), f.Name)
	if err != nil {
		return nil, conditionOf(err)
	}
	for _, r := range records {
		if r.Version == f.Qualifier && r.ID == c.instance {
			return c.showInstance(f, r), nil
		}
	}
	return nil, conditionOf(sessions.ErrUnknownInstance)
}

// drainInstance makes an instance drain; one that does already gets another deadline.
func (c *call) drainInstance(f Function) (any, *dialects.Error) {
	deadline, err := parseDrain(c.body)
	if err != nil {
		return nil, err
	}
	if deadline == nil {
		deadline = &f.DrainDeadline
	}
	return c.mark(f, sessions.Mark{Draining: true, Deadline: *deadline})
}

// undrainInstance takes a drain back; of an instance that does not drain it changes nothing.
func (c *call) undrainInstance(f Function) (any, *dialects.Error) { return c.mark(f, sessions.Mark{}) }

func (c *call) mark(f Function, m sessions.Mark) (any, *dialects.Error) {
	m.Function, m.Home = f.Name, sessions.Home{Version: f.Qualifier, ID: c.instance}
	r, err := c.Store.Mark(c.r.Context(), m)
	if err != nil {
		return nil, conditionOf(err)
	}
	if f.Refresh != nil {
		f.Refresh()
	}
	return c.showInstance(f, r), nil
}

// parseDrain reads the body of a drain, {"deadline":"10m"}; nil is none. It is strict, unlike the dialects' bodies: what
// would be ignored here is a deadline that its sender relies on.
func parseDrain(body []byte) (*time.Duration, *dialects.Error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	var in struct {
		Deadline *string `json:"deadline"`
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	err := dec.Decode(&in)
	if _, more := dec.Token(); err != nil || more != io.EOF { //nolint:errorlint // Token returns it bare
		e := dialects.Invalid("body", `accepted is none, or such as {"deadline":"10m"}`)
		e.Reason = dialects.ReasonUnparsable
		return nil, e
	}
	if in.Deadline == nil {
		return nil, nil
	}
	d, err := time.ParseDuration(*in.Deadline)
	if err != nil || d < 0 || d > MaxDrainDeadline {
		return nil, dialects.Invalid("deadline", fmt.Sprintf("accepted is a duration from 0s to %s, such as 10m", MaxDrainDeadline))
	}
	return &d, nil
}
