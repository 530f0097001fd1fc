package proxy

import (
	"fmt"
	"maps"
	"slices"
)

// MaxWeight is the greatest weight of a version. Weights are whole numbers, and so shares of 0.1 % can be said.
const MaxWeight = 1000

// Weights are the shares of an alias's new sessions, by the qualifier of a version of the same function: of 95 and 5 the
// one gets 95 %. A version of weight 0 gets none and keeps the sessions that it has.
type Weights map[string]int

// Versions returns the qualifiers, sorted.
func (w Weights) Versions() []string { return slices.Sorted(maps.Keys(w)) }

// Validate calls report for weights that share nothing out. Whether the versions exist, only the whole configuration
// shows.
func (w Weights) Validate(report func(key, problem string)) {
	total, bad := 0, false
	for _, version := range w.Versions() {
		n := w[version]
		if n < 0 || n > MaxWeight {
			report(version, fmt.Sprintf("%d is out of range, accepted is a whole number from 0 to %d", n, MaxWeight))
			bad = true
		}
		total += n
	}
	switch {
	case len(w) == 0:
		report("", "is empty, accepted is at least one version with its weight, such as {v1: 95, v2: 5}")
	case total == 0 && !bad:
		report("", "gives no version a share, accepted is at least one weight above 0")
	}
}

// IsAlias says whether the entry is an alias: it has no instances of its own, and its sessions are shared out to versions.
func (c FunctionConfig) IsAlias() bool { return c.Weights != nil }

// validateOwner is about what belongs either to an alias or to a version: instances, and what is counted on each.
func (c FunctionConfig) validateOwner(report report) {
	own := c.Sessions
	if !c.IsAlias() {
		c.Instances.Validate(under("instances", report))
		own.Validate(under("sessions", report))
		if c.RequestsPerInstance < 1 {
			report("requests_per_instance", fmt.Sprintf("%d lets no request through, accepted is 1 or more", c.RequestsPerInstance))
		}
		return
	}
	c.Weights.Validate(under("weights", report))
	if !c.Instances.IsZero() {
		report("instances", "an alias has none of its own, accepted is weights or instances")
	}
	const versions = "is each version's own, accepted for an alias is 0, or to leave it out"
	if c.Sessions.PerInstance != 0 {
		report("sessions.per_instance", versions)
	}
	if c.RequestsPerInstance != 0 {
		report("requests_per_instance", versions)
	}
	own.PerInstance = 1
	own.Validate(under("sessions", report))
}
