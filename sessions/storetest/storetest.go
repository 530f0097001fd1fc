// Package storetest is the conformance suite that every sessions.Store passes.
//
// It runs on real servers with real clocks: lives are some 100 ms, waits are bounded polls, and a check that needs
// the machine to be quick enough notices when it was not and tries again. Every check works on a function name of
// its own, so that one server can serve them all, also side by side.
package storetest

import (
	"testing"

	"github.com/limpet-proxy/limpet/sessions"
)

// Harness says how to get the stores under test.
type Harness struct {
	// Open returns a store, for one check. It registers its own clean-up, and may return the same store or another
	// view of the same data each time.
	Open func(tb testing.TB) sessions.Store
	// Replicas returns n stores that share their data, as n processes on one server would. If nil, replicas are
	// the store of one Open, n times.
	Replicas func(tb testing.TB, n int) []sessions.Store
}

// Check proves one property of the contract. Run reports through tb only, and calls FailNow only from the
// goroutine that it was called on, so that a recording testing.TB can tell whether a check has teeth.
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
	var all []Check
	for _, part := range [][]Check{
		pinChecks(), placementChecks(), raceChecks(), epochChecks(), rehomeChecks(), aliveChecks(), endChecks(), reuseChecks(),
		expiryChecks(), touchChecks(), sweepChecks(), updateChecks(), fingerprintChecks(), endingChecks(), listChecks(),
		residentChecks(), historyChecks(), reportChecks(), lossChecks(), drainChecks(), instanceChecks(), sharedChecks(), onceChecks(), nameChecks(),
		reserveChecks(), bindChecks(), idChecks(),
	} {
		all = append(all, part...)
	}
	return all
}
