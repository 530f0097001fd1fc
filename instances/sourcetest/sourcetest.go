// Package sourcetest is the conformance suite that every instances.Source passes.
//
// It runs on real servers with real clocks: waits are bounded polls. What a source cannot show, because its world does
// not change or cannot fall silent, its harness leaves out, and the checks that need it have nothing to check.
package sourcetest

import (
	"testing"
	"time"

	"github.com/limpet-proxy/limpet/instances"
)

// World is what one source finds its places in.
type World struct {
	// New returns a source that looks at this world; each is one replica's. Required.
	New func() instances.Source
	// Set makes these hosts, addresses of the loopback range, all that there are; it returns when whoever asks the world
	// is told so. nil: what there is never changes, and there is something.
	Set func(hosts ...string)
	// Silence makes the world answer nobody, or answer again. nil: it cannot fall silent.
	Silence func(on bool)
}

// Harness says how to get the sources under test.
type Harness struct {
	// Open returns a world with nothing in it, for one check. It registers its own clean-up.
	Open func(tb testing.TB) World
	// Named says that IDs are the operator's or the cluster's own names. Others are made of addresses, and must not show
	// them.
	Named bool
	// Own says that each replica has places of its own, which no other lists.
	Own bool
	// Patience bounds every wait; only a failing check spends it. 0: 20 s.
	Patience time.Duration
}

// Check proves one property of the contract. Run reports through tb only, and calls FailNow only from the goroutine
// that it was called on, so that a recording testing.TB can tell whether a check has teeth.
type Check struct {
	Name string
	Run  func(tb testing.TB, h Harness)
}

// Run runs every check as a parallel subtest of t.
func Run(t *testing.T, h Harness) {
	for _, c := range Checks() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			c.Run(t, h)
		})
	}
}

// Checks returns the whole suite.
func Checks() []Check {
	return []Check{
		{"places that can be dialled", dialable},
		{"an ID shows no address", opaque},
		{"the slice is the caller's", owned},
		{"idle before it is run", idle},
		{"follows its world", follows},
		{"tells of each change, and may be asked there", tells},
		{"unknown until it has heard", unheard},
		{"nothing is an answer too", nothing},
		{"silence takes nothing away", silent},
		{"what returns has its name", returns},
		{"replicas agree", agree},
		{"ends with its context", ends},
		{"asked by many at once", many},
	}
}
