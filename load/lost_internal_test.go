package load

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load/proof"
)

// TestAHomeIsAliveOnlyIfItCannotHaveDied: a session of home a is unknown to b, between seconds 10 and 12. Another session of a's
// shows that a was there in that time, or does not.
func TestAHomeIsAliveOnlyIfItCannotHaveDied(t *testing.T) {
	at := func(second int) time.Time { return start().Add(time.Duration(second) * time.Second) }
	for name, c := range map[string]struct {
		since, begun int // the other session came home, and was asked again
		from         string
		misroutes    int
		unexplained  int
	}{
		"before and after":                 {1, 13, "b", 1, 0},
		"nobody says who":                  {1, 13, "", 0, 1},
		"asked before the answer":          {1, 11, "b", 0, 0},
		"asked before, answered after":     {1, 9, "b", 0, 0},
		"at home since after it was asked": {11, 13, "b", 0, 0},
		"at home only afterwards":          {13, 14, "b", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRecorder(at(0))
			lost, other := &session{id: "lost"}, &session{id: "other"}
			r.opened(attempt{session: lost, at: at(1), judged: true, finding: lost.state.Saw(proof.Observation{From: "a"})}, opening{})
			r.opened(attempt{session: other, at: at(c.since), judged: true, finding: other.state.Saw(proof.Observation{From: "a"})}, opening{})
			r.unknown(attempt{session: lost, at: at(12), seen: proof.Observation{From: c.from}}, unknown{home: "a", begun: at(10), asked: true})
			require.Equal(t, 1, r.mcp.Unknown)
			require.Equal(t, 1, r.homes["a"], "the lost one is there no more")
			a := attempt{session: other, begun: at(c.begun), at: at(20), answered: true, judged: true, seen: proof.Observation{From: "a"}}
			a.finding = other.state.Saw(a.seen)
			r.attempted(a)
			require.Equal(t, []int{c.misroutes, c.misroutes, c.unexplained}, []int{r.affinity.Misroutes, r.mcp.Misrouted, r.mcp.Unexplained})
			a.begun = at(30)
			r.attempted(a)
			require.LessOrEqual(t, r.affinity.Misroutes+r.mcp.Unexplained, 1, "once")
		})
	}
}

func TestDoubtsAreBounded(t *testing.T) {
	r := newRecorder(start())
	for range 3 * maxPending {
		r.unknown(attempt{session: &session{}, seen: proof.Observation{From: "b"}}, unknown{home: "a", asked: true})
	}
	require.Len(t, r.doubts["a"], maxPending)
	for n := range 3 * MaxInstances {
		r.unknown(attempt{session: &session{}, seen: proof.Observation{From: "b"}}, unknown{home: string(rune(1000 + n)), asked: true})
	}
	require.Len(t, r.doubts, MaxInstances)
}
