package proof_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load/proof"
)

// fleet is many sessions behind a proxy that breaks one of its promises now and then.
type fleet struct {
	random  *rand.Rand
	homes   []int
	counts  []map[int]uint64 // by instance, then session
	clients []proof.Session
	epoch   uint64
}

const fleetInstances, fleetSessions, fleetRequests, oneIn = 4, 200, 100_000, 1000

func newFleet(seed uint64) *fleet {
	f := &fleet{random: rand.New(rand.NewPCG(seed, 4)), clients: make([]proof.Session, fleetSessions)}
	for range fleetInstances {
		f.counts = append(f.counts, map[int]uint64{})
	}
	for s := range fleetSessions {
		f.homes = append(f.homes, f.random.IntN(fleetInstances))
		f.clients[s].Saw(f.send(s))
	}
	return f
}

// send has a session's request executed at its home.
func (f *fleet) send(session int) proof.Observation { return f.sendTo(session, f.homes[session]) }

func (f *fleet) sendTo(session, instance int) proof.Observation {
	f.counts[instance][session]++
	return proof.Observation{From: name(instance), Count: f.counts[instance][session], Counted: true}
}

func (f *fleet) elsewhere(session int) int {
	return (f.homes[session] + 1 + f.random.IntN(fleetInstances-1)) % fleetInstances
}

// TestBrokenProxiesAreFoundAndCounted: each breach is found, as what it is, and nothing else is.
func TestBrokenProxiesAreFoundAndCounted(t *testing.T) {
	for name, test := range map[string]struct {
		kind proof.Kind
		// breach sends a request and breaks a promise. It returns how many findings that has to make.
		breach func(f *fleet, session int) (proof.Observation, int)
	}{
		"one request goes elsewhere": {proof.Misroute, func(f *fleet, s int) (proof.Observation, int) {
			return f.sendTo(s, f.elsewhere(s)), 1
		}},
		"the state is lost in silence": {proof.LostState, func(f *fleet, s int) (proof.Observation, int) {
			f.counts[f.homes[s]][s] = 0
			return f.send(s), 1
		}},
		"a request is executed twice": {proof.Overcount, func(f *fleet, s int) (proof.Observation, int) {
			f.send(s)
			return f.send(s), 1
		}},
		"a session gets another's state that is older": {proof.Overcount, func(f *fleet, s int) (proof.Observation, int) {
			f.counts[f.homes[s]][s] += 1 + f.random.Uint64N(1000)
			return f.send(s), 1
		}},
		"and so it does with an announced move": {proof.Overcount, func(f *fleet, s int) (proof.Observation, int) {
			f.homes[s] = f.elsewhere(s)
			f.counts[f.homes[s]][s] += fleetRequests
			f.epoch++
			o := f.send(s)
			o.Event, o.Epoch = "rehomed", f.epoch
			return o, 1
		}},
		"a repeated announcement is put on a misroute": {proof.Misroute, func(f *fleet, s int) (proof.Observation, int) {
			if f.epoch == 0 {
				f.epoch = 1
				for i := range f.clients {
					o := f.send(i)
					o.Event, o.Epoch = "created", f.epoch
					f.clients[i].Saw(o)
				}
			}
			o := f.sendTo(s, f.elsewhere(s))
			o.Event, o.Epoch = "created", f.epoch
			return o, 1
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, want, found := newFleet(1), 0, map[proof.Kind]int{}
			for range fleetRequests {
				s := f.random.IntN(fleetSessions)
				o, broken := proof.Observation{}, 0
				if f.random.IntN(oneIn) == 0 {
					o, broken = test.breach(f, s)
				} else {
					o = f.send(s)
				}
				want += broken
				if finding := f.clients[s].Saw(o); finding.Kind.Broken() {
					found[finding.Kind]++
				}
			}
			require.Greater(t, want, fleetRequests/oneIn/2)
			require.Equal(t, map[proof.Kind]int{test.kind: want}, found)
		})
	}
}

// TestSilentMoveIsAMisrouteFromThenOn: nobody was told, so every response from the new place is one.
func TestSilentMoveIsAMisrouteFromThenOn(t *testing.T) {
	f, moved := newFleet(2), map[int]bool{}
	want, found := 0, 0
	for range fleetRequests {
		s := f.random.IntN(fleetSessions)
		if !moved[s] && f.random.IntN(oneIn) == 0 {
			f.homes[s] = f.elsewhere(s)
			moved[s] = true
		}
		if moved[s] {
			want++
		}
		if k := f.clients[s].Saw(f.send(s)).Kind; k == proof.Misroute {
			found++
		} else {
			require.Equal(t, proof.Kept, k)
		}
	}
	require.Greater(t, len(moved), 50)
	require.Equal(t, want, found)
}

// TestLostAnswersHideNoMisroute: what a lost answer allows is a higher count, or a move that a new epoch shows.
func TestLostAnswersHideNoMisroute(t *testing.T) {
	f := newFleet(3)
	want, found := 0, 0
	for range fleetRequests {
		s := f.random.IntN(fleetSessions)
		switch n := f.random.IntN(oneIn); {
		case n == 0:
			want++
			if f.clients[s].Saw(f.sendTo(s, f.elsewhere(s))).Kind == proof.Misroute {
				found++
			}
		case n < oneIn/5: // every fifth answer is lost, after or before the request was executed
			if n%2 == 0 {
				f.send(s)
			}
			f.clients[s].Lost()
		default:
			require.Equal(t, proof.Kept, f.clients[s].Saw(f.send(s)).Kind)
		}
	}
	require.Greater(t, want, fleetRequests/oneIn/2)
	require.Equal(t, want, found)
}
