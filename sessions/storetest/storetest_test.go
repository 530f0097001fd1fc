package storetest_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"

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
		"Race/one home for an ID":                                      {apart(), "split pin"},
		"Secret/same for all, forever":                                 {apart(), "Not equal"},
		"Secret/one winner of a race":                                  {apart(), "Not equal"},
		"Report/race makes one record":                                 {apart(), "agree on the incarnation"},
		"Race/capacity under churn":                                    {breaking(func(s sessions.Store) sessions.Store { return ignoresCapacity{s} }), "over capacity"},
		"Placement/full":                                               {breaking(func(s sessions.Store) sessions.Store { return ignoresCapacity{s} }), "no instance has a free"},
		"Placement/isolation uses an instance up":                      {breaking(func(s sessions.Store) sessions.Store { return ignoresIsolation{s} }), "Should be true"},
		"Race/isolation":                                               {breaking(func(s sessions.Store) sessions.Store { return ignoresIsolation{s} }), "has two sessions"},
		"Placement/least loaded, first of equals":                      {breaking(func(s sessions.Store) sessions.Store { return takesTheFirst{s} }), "Not equal"},
		"Reuse/blocked after expiry":                                   {breaking(func(s sessions.Store) sessions.Store { return allowsReuse{s} }), "ID may not be used again"},
		"Reuse/blocked after a kept end":                               {breaking(func(s sessions.Store) sessions.Store { return allowsReuse{s} }), "ID may not be used again"},
		"Epoch/greater after an end":                                   {breaking(flat), "the later has the greater epoch"},
		"Epoch/greater after expiry":                                   {breaking(flat), "is not greater than"},
		"Rehome/exactly once under a race":                             {breaking(func(s sessions.Store) sessions.Store { return rehomesAgain{s} }), "re-homed once"},
		"Rehome/stale epoch is told the current session":               {breaking(func(s sessions.Store) sessions.Store { return rehomesAgain{s} }), "session has moved"},
		"Alive/a home seen healthy may not be lost":                    {breaking(func(s sessions.Store) sessions.Store { return believesEveryLoss{s} }), "home is alive"},
		"Touch/never revives":                                          {breaking(func(s sessions.Store) sessions.Store { return revives{s, new(sync.Map)} }), "no such active session"},
		"Expiry/every operation sees it":                               {breaking(func(s sessions.Store) sessions.Store { return revives{s, new(sync.Map)} }), "a touch revives nothing"},
		"Touch/another epoch is ignored":                               {breaking(func(s sessions.Store) sessions.Store { return touchesAnyEpoch{s} }), "Not equal"},
		"Touch/postpones by age":                                       {breaking(func(s sessions.Store) sessions.Store { return ignoresAge{s} }), "the age does not count"},
		"Touch/is monotonic":                                           {breaking(func(s sessions.Store) sessions.Store { return ignoresAge{s} }), "Not equal"},
		"Expiry/never early, by TTL":                                   {breaking(func(s sessions.Store) sessions.Store { return expiresEarly{s} }), "expired early"},
		"Expiry/never early, by idle timeout":                          {breaking(func(s sessions.Store) sessions.Store { return expiresEarly{s} }), "expired early"},
		"Expiry/TTL bounds the idle deadline":                          {breaking(func(s sessions.Store) sessions.Store { return servesTheDead{s, new(sync.Map)} }), "after its deadline"},
		"End/kept":                                                     {breaking(func(s sessions.Store) sessions.Store { return keeps{s, false} }), "should have 1 item"},
		"End/without a trace":                                          {breaking(func(s sessions.Store) sessions.Store { return keeps{s, true} }), "Should be empty"},
		"End/by epoch":                                                 {breaking(func(s sessions.Store) sessions.Store { return endsAnyEpoch{s} }), "session has moved"},
		"List/order and pages":                                         {breaking(func(s sessions.Store) sessions.Store { return dropsOne{s} }), "should have 23 item"},
		"List/under churn":                                             {breaking(func(s sessions.Store) sessions.Store { return dropsOne{s} }), "is missing"},
		"Report/another start is a new incarnation":                    {breaking(func(s sessions.Store) sessions.Store { return forgetsStarts{s} }), "is not greater than"},
		"Report/tells the start":                                       {breaking(func(s sessions.Store) sessions.Store { return forgetsStarts{s} }), "Not equal"},
		"Report/gone":                                                  {breaking(func(s sessions.Store) sessions.Store { return forgetsLosses{s} }), "Should be"},
		"Placement/refuses gone":                                       {breaking(func(s sessions.Store) sessions.Store { return forgetsLosses{s} }), "Not equal"},
		"Placement/refuses an older incarnation":                       {breaking(func(s sessions.Store) sessions.Store { return forgetsStarts{s} }), "is not greater than"},
		"Update/a longer life":                                         {breaking(func(s sessions.Store) sessions.Store { return ignoresUpdates{s} }), "Not equal"},
		"Update/a shorter life":                                        {breaking(func(s sessions.Store) sessions.Store { return ignoresUpdates{s} }), "Not equal"},
		"Update/a shorter idle timeout runs from now":                  {breaking(func(s sessions.Store) sessions.Store { return idleFromCreation{s} }), "ran from the last request"},
		"Update/a TTL that is over ends the session":                   {breaking(func(s sessions.Store) sessions.Store { return endsNone{s} }), "Not equal"},
		"Update/what is nil stays":                                     {breaking(func(s sessions.Store) sessions.Store { return resetsNil{s} }), "Not equal"},
		"Update/home, epoch and event stay":                            {breaking(func(s sessions.Store) sessions.Store { return tellsOnUpdate{s} }), "Not equal"},
		"Update/DisableIDReuse":                                        {breaking(func(s sessions.Store) sessions.Store { return ignoresUpdates{s} }), "ID may not be used again"},
		"Update/not found":                                             {breaking(func(s sessions.Store) sessions.Store { return updatesNobody{s} }), "no such active session"},
		"Update/an older touch does not undo it":                       {breaking(func(s sessions.Store) sessions.Store { return undoesUpdates{s, new(sync.Map)} }), "Not equal"},
		"Update/no touch undoes it in a race":                          {breaking(func(s sessions.Store) sessions.Store { return undoesUpdates{s, new(sync.Map)} }), "a touch undid the update"},
		"Fingerprint/the same call gets its session":                   {breaking(func(s sessions.Store) sessions.Store { return ignoresFingerprints{s} }), "session exists already"},
		"Fingerprint/another call is a mismatch":                       {breaking(func(s sessions.Store) sessions.Store { return ignoresFingerprints{s} }), "made by another call"},
		"Fingerprint/also after the end":                               {breaking(func(s sessions.Store) sessions.Store { return ignoresFingerprints{s} }), "Should be false"},
		"Fingerprint/also where the ID may not be used again":          {breaking(func(s sessions.Store) sessions.Store { return ignoresFingerprints{s} }), "ID may not be used again"},
		"Fingerprint/without one as usual":                             {breaking(func(s sessions.Store) sessions.Store { return claimsAll{s} }), "session exists already"},
		"Fingerprint/an older one decides while the youngest has none": {breaking(func(s sessions.Store) sessions.Store { return claimsAll{s} }), "Not equal"},
		"Fingerprint/only Create asks for it":                          {breaking(func(s sessions.Store) sessions.Store { return comparesAlways{s} }), "made by another call"},
		"Fingerprint/a session without a trace leaves none":            {breaking(func(s sessions.Store) sessions.Store { return keeps{s, true} }), "made by another call"},
		"Fingerprint/a race makes one session":                         {apart(), "Not equal"},
		"Name/goes with its session":                                   {breaking(func(s sessions.Store) sessions.Store { return forgetsNames{s} }), "Not equal"},
		"Touch/says which sessions are not there":                      {breaking(func(s sessions.Store) sessions.Store { return findsAll{s} }), "elements differ"},
		"Touch/says so in a large batch":                               {breaking(func(s sessions.Store) sessions.Store { return countsInParts{s} }), "elements differ"},
		"Ending/a kept session":                                        {breaking(func(s sessions.Store) sessions.Store { return marksInFlight{s, false} }), "Not equal"},
		"Ending/a deleted session":                                     {breaking(func(s sessions.Store) sessions.Store { return keeps{s, true} }), "Not equal"},
		"Ending/an expired session":                                    {breaking(func(s sessions.Store) sessions.Store { return marksInFlight{s, false} }), "Not equal"},
		"Ending/holds no slot and no ID":                               {breaking(func(s sessions.Store) sessions.Store { return holdsWhileEnding{s} }), "no instance has a free"},
		"Ending/only with requests in flight":                          {breaking(func(s sessions.Store) sessions.Store { return marksInFlight{s, true} }), "count for nothing"},
		"Ending/until the lease is over":                               {breaking(func(s sessions.Store) sessions.Store { return endsEarly{s} }), "over early"},
		"Ending/a touch renews it":                                     {breaking(func(s sessions.Store) sessions.Store { return renewsNone{s} }), "the second touch counts"},
		"History/by epoch, the Active one last":                        {breaking(func(s sessions.Store) sessions.Store { return reversed{s} }), "Not equal"},
		"History/of one ID in one qualifier":                           {breaking(func(s sessions.Store) sessions.Store { return mixesQualifiers{s} }), "Not equal"},
		"History/an expired session has ended":                         {breaking(func(s sessions.Store) sessions.Store { return missesTheExpired{s} }), "should have 1 item"},
		"Qualifiers/sorted, of one function":                           {breaking(func(s sessions.Store) sessions.Store { return reversed{s} }), "Not equal"},
		"List/of an instance, all qualifiers":                          {breaking(func(s sessions.Store) sessions.Store { return ignoresPlaces{s} }), "should have 2 item"},
		"List/of an instance, in pages":                                {breaking(func(s sessions.Store) sessions.Store { return dropsOne{s} }), "should have 23 item"},
		"List/of an instance under churn":                              {breaking(func(s sessions.Store) sessions.Store { return dropsOne{s} }), "is missing"},
		"List/of an instance, after a re-home":                         {breaking(func(s sessions.Store) sessions.Store { return ignoresPlaces{s} }), "Should be empty"},
		"List/of an instance, all incarnations":                        {breaking(func(s sessions.Store) sessions.Store { return knowsOneProgram{s} }), "should have 2 item"},
		"List/of an instance that has none":                            {breaking(func(s sessions.Store) sessions.Store { return ignoresPlaces{s} }), "Should be empty"},
		"List/a cursor of another listing lists from the start":        {breaking(func(s sessions.Store) sessions.Store { return trustsCursors{s, new(sync.Map)} }), "should have 6 item"},
		"Drain/takes no new session, keeps what it has":                {breaking(func(s sessions.Store) sessions.Store { return forgetsDrains{s} }), "a new session goes elsewhere"},
		"Drain/no session is moved to it":                              {breaking(func(s sessions.Store) sessions.Store { return forgetsDrains{s} }), "Not equal"},
		"Drain/no session comes after it, in a race":                   {breaking(func(s sessions.Store) sessions.Store { return forgetsDrains{s} }), "came after the mark"},
		"Drain/taken back":                                             {breaking(func(s sessions.Store) sessions.Store { return neverUndrains{s} }), "no instance has a free"},
		"Drain/every replica is told":                                  {breaking(func(s sessions.Store) sessions.Store { return tellsWhoMarked{s} }), "Should be true"},
		"Drain/again, with another deadline":                           {breaking(func(s sessions.Store) sessions.Store { return keepsTheDeadline{s} }), "sooner or later"},
		"Drain/goes with its incarnation":                              {breaking(func(s sessions.Store) sessions.Store { return drainsPlaces{s} }), "another program was meant"},
		"Drain/stays through a loss":                                   {breaking(func(s sessions.Store) sessions.Store { return undrainsTheLost{s} }), "Should be true"},
		"Drain/no such instance":                                       {breaking(func(s sessions.Store) sessions.Store { return marksAnything{s} }), "no such instance"},
		"Drain/versions are separate":                                  {breaking(func(s sessions.Store) sessions.Store { return drainsAllVersions{s} }), "Should be false"},
		"Drain/sessions may move from the deadline on":                 {breaking(func(s sessions.Store) sessions.Store { return movesEarly{s} }), "does not drain"},
		"Drain/each session moves once":                                {breaking(func(s sessions.Store) sessions.Store { return rehomesAgain{s} }), "session has moved"},
		"Once/first, then not":                                         {breaking(func(s sessions.Store) sessions.Store { return alwaysFirst{s} }), "Should be false"},
		"Once/again after its time":                                    {breaking(func(s sessions.Store) sessions.Store { return forgetsEarly{s} }), "forgotten early"},
		"Once/forgotten":                                               {breaking(func(s sessions.Store) sessions.Store { return neverForgets{s} }), "forgotten"},
		"Once/one winner of a race":                                    {apart(), "exactly one call is the first"},
		"Reserve/counts, and is not listed":                            {breaking(func(s sessions.Store) sessions.Store { return showsReservations{s} }), "is listed"},
		"Reserve/a released slot is free at once":                      {breaking(func(s sessions.Store) sessions.Store { return keepsSlots{s} }), "no instance has a free"},
		"Reserve/expires by itself":                                    {breaking(func(s sessions.Store) sessions.Store { return showsReservations{s} }), "leaves no trace"},
		"Reserve/never more than fit, in a race":                       {breaking(func(s sessions.Store) sessions.Store { return ignoresCapacity{s} }), "over or under capacity"},
		"Reserve/isolation uses the instance up":                       {breaking(func(s sessions.Store) sessions.Store { return ignoresIsolation{s} }), "uses its instance up"},
		"Reserve/may be moved":                                         {breaking(func(s sessions.Store) sessions.Store { return bindsAnyEpoch{s} }), "of another epoch"},
		"Bind/makes the session":                                       {breaking(func(s sessions.Store) sessions.Store { return bindsForAMoment{s} }), "Not equal"},
		"Bind/asked again gives the same":                              {breaking(func(s sessions.Store) sessions.Store { return forgetsBinds{s, new(sync.Map)} }), "no such active session"},
		"Bind/the slot stays taken":                                    {breaking(func(s sessions.Store) sessions.Store { return bindsInSteps{s} }), "while the reservation was bound"},
		"Bind/a reservation that is over":                              {breaking(func(s sessions.Store) sessions.Store { return bindsTheDead{s} }), "no such active session"},
		"Bind/an ID that is Active elsewhere":                          {breaking(func(s sessions.Store) sessions.Store { return takesIDsOver{s} }), "session exists already"},
		"Bind/an ID that is Active at the same home":                   {breaking(func(s sessions.Store) sessions.Store { return holdsBoth{s} }), "is given back"},
		"Bind/an ID that was used before":                              {breaking(func(s sessions.Store) sessions.Store { return bindsBlocked{s} }), "ID may not be used again"},
		"Bind/against a Pin of the ID":                                 {apart(), "exactly one makes the session"},
		"Bind/two reservations of one ID":                              {apart(), "exactly one makes the session"},
		"Bind/against the deadline":                                    {breaking(func(s sessions.Store) sessions.Store { return saysItBound{s} }), "no such active session"},
		"Bind/is no call with a fingerprint":                           {breaking(func(s sessions.Store) sessions.Store { return takesBindsForCalls{s} }), "session exists already"},
		"ID/any visible ASCII, up to 1,024 bytes":                      {breaking(func(s sessions.Store) sessions.Store { return cutsIDs{s} }), "no such active session"},
	} {
		t.Run(check, func(t *testing.T) {
			t.Parallel()
			bites := func(t *testing.T) {
				require.Empty(t, verdict(t, check, storetest.Harness{Open: memory}), "a sound store fails")
				require.Contains(t, verdict(t, check, c.harness), c.says)
			}
			if !strings.HasPrefix(check, "Expiry/") {
				bites(t)
				return
			}
			synctest.Test(t, bites) // how early is too early is no matter of how busy this machine is
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
