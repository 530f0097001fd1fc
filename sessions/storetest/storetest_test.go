package storetest_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/embeddedstore"
	"github.com/limpet-proxy/limpet/sessions/storetest"
)

func memory(tb testing.TB) sessions.Store {
	tb.Helper()
	s, err := embeddedstore.Open(embeddedstore.Config{})
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// breaking returns a harness whose stores break a promise.
func breaking(wrap func(sessions.Store) sessions.Store) storetest.Harness {
	return storetest.Harness{Open: func(tb testing.TB) sessions.Store { return wrap(memory(tb)) }}
}

// apart returns a harness whose replicas share nothing.
func apart() storetest.Harness {
	return storetest.Harness{Open: memory, Replicas: func(tb testing.TB, n int) []sessions.Store {
		all := make([]sessions.Store, n)
		for i := range all {
			all[i] = memory(tb)
		}
		return all
	}}
}

// TestTeeth breaks promises, one at a time, and asserts that the check of that promise, which a sound store
// passes, fails and says why.
func TestTeeth(t *testing.T) {
	for check, c := range map[string]struct {
		harness storetest.Harness
		says    string
	}{
		"Race/one home for an ID":                        {apart(), "split pin"},
		"Secret/same for all, forever":                   {apart(), "Not equal"},
		"Secret/one winner of a race":                    {apart(), "Not equal"},
		"Report/race makes one record":                   {apart(), "agree on the incarnation"},
		"Race/capacity under churn":                      {breaking(func(s sessions.Store) sessions.Store { return ignoresCapacity{s} }), "over capacity"},
		"Placement/full":                                 {breaking(func(s sessions.Store) sessions.Store { return ignoresCapacity{s} }), "no instance has a free"},
		"Placement/isolation uses an instance up":        {breaking(func(s sessions.Store) sessions.Store { return ignoresIsolation{s} }), "Should be true"},
		"Race/isolation":                                 {breaking(func(s sessions.Store) sessions.Store { return ignoresIsolation{s} }), "has two sessions"},
		"Placement/least loaded, first of equals":        {breaking(func(s sessions.Store) sessions.Store { return takesTheFirst{s} }), "Not equal"},
		"Reuse/blocked after expiry":                     {breaking(func(s sessions.Store) sessions.Store { return allowsReuse{s} }), "ID may not be used again"},
		"Reuse/blocked after a kept end":                 {breaking(func(s sessions.Store) sessions.Store { return allowsReuse{s} }), "ID may not be used again"},
		"Epoch/greater after an end":                     {breaking(flat), "the later has the greater epoch"},
		"Epoch/greater after expiry":                     {breaking(flat), "is not greater than"},
		"Rehome/exactly once under a race":               {breaking(func(s sessions.Store) sessions.Store { return rehomesAgain{s} }), "re-homed once"},
		"Rehome/stale epoch is told the current session": {breaking(func(s sessions.Store) sessions.Store { return rehomesAgain{s} }), "session has moved"},
		"Alive/a home seen healthy may not be lost":      {breaking(func(s sessions.Store) sessions.Store { return believesEveryLoss{s} }), "home is alive"},
		"Touch/never revives":                            {breaking(func(s sessions.Store) sessions.Store { return revives{s, new(sync.Map)} }), "no such active session"},
		"Expiry/every operation sees it":                 {breaking(func(s sessions.Store) sessions.Store { return revives{s, new(sync.Map)} }), "a touch revives nothing"},
		"Touch/another epoch is ignored":                 {breaking(func(s sessions.Store) sessions.Store { return touchesAnyEpoch{s} }), "Not equal"},
		"Touch/postpones by age":                         {breaking(func(s sessions.Store) sessions.Store { return ignoresAge{s} }), "the age does not count"},
		"Touch/is monotonic":                             {breaking(func(s sessions.Store) sessions.Store { return ignoresAge{s} }), "Not equal"},
		"Expiry/never early, by TTL":                     {breaking(func(s sessions.Store) sessions.Store { return expiresEarly{s} }), "expired early"},
		"Expiry/never early, by idle timeout":            {breaking(func(s sessions.Store) sessions.Store { return expiresEarly{s} }), "expired early"},
		"Expiry/TTL bounds the idle deadline":            {breaking(func(s sessions.Store) sessions.Store { return servesTheDead{s, new(sync.Map)} }), "after its deadline"},
		"End/kept":                                       {breaking(func(s sessions.Store) sessions.Store { return keeps{s, false} }), "should have 1 item"},
		"End/without a trace":                            {breaking(func(s sessions.Store) sessions.Store { return keeps{s, true} }), "Should be empty"},
		"End/by epoch":                                   {breaking(func(s sessions.Store) sessions.Store { return endsAnyEpoch{s} }), "session has moved"},
		"List/order and pages":                           {breaking(func(s sessions.Store) sessions.Store { return dropsOne{s} }), "should have 23 item"},
		"List/under churn":                               {breaking(func(s sessions.Store) sessions.Store { return dropsOne{s} }), "is missing"},
		"Report/another start is a new incarnation":      {breaking(func(s sessions.Store) sessions.Store { return forgetsStarts{s} }), "is not greater than"},
		"Report/gone":                                    {breaking(func(s sessions.Store) sessions.Store { return forgetsLosses{s} }), "Should be"},
		"Placement/refuses gone":                         {breaking(func(s sessions.Store) sessions.Store { return forgetsLosses{s} }), "Not equal"},
		"Placement/refuses an older incarnation":         {breaking(func(s sessions.Store) sessions.Store { return forgetsStarts{s} }), "is not greater than"},
	} {
		t.Run(check, func(t *testing.T) {
			t.Parallel()
			require.Empty(t, verdict(t, check, storetest.Harness{Open: memory}), "a sound store fails")
			require.Contains(t, verdict(t, check, c.harness), c.says)
		})
	}
}

func flat(s sessions.Store) sessions.Store {
	return neverRaisesEpochs{s, new(sync.Mutex), map[sessions.Key]uint64{}}
}

// TestRun is the suite through its front door, as a store's own tests use it.
func TestRun(t *testing.T) {
	storetest.Run(t, storetest.Harness{Open: memory})
}

func TestNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range storetest.Checks() {
		require.False(t, seen[c.Name], c.Name)
		seen[c.Name] = true
	}
}
