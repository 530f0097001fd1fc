package proof_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load/proof"
)

// TestProxyInOrderIsNeverCalledBroken runs a correct proxy through restarts, expiries, lost, late and repeated answers.
func TestProxyInOrderIsNeverCalledBroken(t *testing.T) {
	kinds := map[proof.Kind]int{}
	for seed := range uint64(5_000) {
		random := rand.New(rand.NewPCG(seed, 4))
		w := newWorld(random.IntN)
		for step := range 60 {
			f, judged := w.step()
			require.False(t, f.Kind.Broken(), "seed %d, step %d: %+v", seed, step, f)
			if judged {
				kinds[f.Kind]++
			}
		}
	}
	require.Greater(t, kinds[proof.First], 4_900)
	require.Greater(t, kinds[proof.Kept], 50_000)
	require.Greater(t, kinds[proof.Moved], 12_000)
}

// FuzzSession lets a fuzzer look for what a correct proxy can be blamed for.
func FuzzSession(f *testing.F) {
	f.Add([]byte{0, 1, 1, 8, 3, 4, 5, 6, 0, 8})
	f.Add([]byte("\x01\x00\x02\x09\x00\x03\x01\x02\x09\x09\x05\x06\x00\x09\x09"))
	f.Fuzz(func(t *testing.T, script []byte) {
		at := 0
		w := newWorld(func(n int) int {
			if at >= len(script) {
				return n - 1
			}
			at++
			return int(script[at-1]) % n
		})
		for at < len(script) {
			f, _ := w.step()
			require.False(t, f.Kind.Broken(), "%+v", f)
		}
	})
}

// sight is a response with a count.
func sight(from string, count uint64) proof.Observation {
	return proof.Observation{From: from, Count: count, Counted: true}
}

func pinned(o proof.Observation, epoch uint64, event string) proof.Observation {
	o.Epoch, o.Event = epoch, event
	return o
}

// lost stands for an answer that did not come.
func lost() proof.Observation { return proof.Observation{} }

func TestRules(t *testing.T) {
	const first, kept, moved = proof.First, proof.Kept, proof.Moved
	const misroute, lostState, overcount = proof.Misroute, proof.LostState, proof.Overcount
	type step struct {
		saw  proof.Observation
		want proof.Kind
	}
	gone := step{saw: lost()}
	bare := func(from string) proof.Observation { return proof.Observation{From: from} }
	for name, steps := range map[string][]step{
		"the home, counting":               {{sight("a", 1), first}, {sight("a", 2), kept}, {sight("a", 3), kept}},
		"counting from 0":                  {{sight("a", 0), first}, {sight("a", 1), kept}},
		"a first response that counts 2":   {{sight("a", 2), overcount}, {sight("a", 3), kept}},
		"a first count after a lost one":   {gone, {sight("a", 2), first}, {sight("a", 3), kept}, {sight("a", 5), overcount}},
		"the same, lost before it counted": {gone, {sight("a", 1), first}, {sight("a", 3), kept}, {sight("a", 5), overcount}},
		"elsewhere and back":               {{sight("a", 1), first}, {sight("b", 1), misroute}, {sight("a", 2), kept}},
		"elsewhere for good":               {{sight("a", 1), first}, {sight("b", 1), misroute}, {sight("b", 2), misroute}},
		"a count that stands still":        {{sight("a", 1), first}, {sight("a", 1), lostState}, {sight("a", 2), kept}},
		"a count that begins anew":         {{sight("a", 1), first}, {sight("a", 2), kept}, {sight("a", 1), lostState}, {sight("a", 2), kept}},
		"a count that skips one":           {{sight("a", 1), first}, {sight("a", 3), overcount}, {sight("a", 4), kept}},
		"a lost answer allows one":         {{sight("a", 1), first}, gone, {sight("a", 3), kept}, {sight("a", 5), overcount}},
		"a lost answer allows it later":    {{sight("a", 1), first}, gone, {sight("a", 2), kept}, {sight("a", 4), kept}, {sight("a", 6), overcount}},
		"a lost answer allows no less":     {{sight("a", 1), first}, {sight("a", 2), kept}, gone, {sight("a", 2), lostState}},
		"a lost answer allows no move":     {{sight("a", 1), first}, gone, {sight("b", 1), misroute}},
		"three lost answers":               {{sight("a", 1), first}, gone, gone, gone, {sight("a", 5), kept}, {sight("a", 7), overcount}},
		"without counts":                   {{bare("a"), first}, {bare("a"), kept}, {bare("b"), misroute}},
		"a response without a count":       {{sight("a", 1), first}, {bare("a"), kept}, {sight("a", 3), kept}, {sight("a", 5), overcount}},
		"one that was not counted":         {{sight("a", 1), first}, {bare("a"), kept}, {sight("a", 2), kept}, {sight("a", 4), kept}},
		"a first one without a count":      {{bare("a"), first}, {sight("a", 0), kept}, {sight("a", 1), kept}, {sight("a", 1), lostState}},
		"and then too many":                {{bare("a"), first}, {sight("a", 3), overcount}},
		"announced without epochs":         {{sight("a", 1), first}, {pinned(sight("b", 1), 0, "rehomed"), moved}, {sight("b", 2), kept}, {sight("a", 2), misroute}},
		"anew at the same home":            {{sight("a", 1), first}, {sight("a", 2), kept}, {pinned(sight("a", 1), 0, "created"), moved}, {sight("a", 2), kept}},
		"an event and nothing happened":    {{pinned(sight("a", 1), 0, "created"), first}, {pinned(sight("a", 2), 0, "created"), kept}},
		"a home that remembers":            {{sight("a", 1), first}, {pinned(sight("b", 1), 0, "rehomed"), moved}, {pinned(sight("a", 2), 0, "rehomed"), moved}, {sight("a", 3), kept}},
		"a home with another's state":      {{sight("a", 1), first}, {pinned(sight("b", 3), 0, "rehomed"), overcount}, {sight("b", 4), kept}},
		"moved to a home without a count": {
			{sight("a", 1), first}, {sight("a", 2), kept}, {pinned(bare("b"), 0, "rehomed"), moved},
			{pinned(sight("a", 3), 0, "rehomed"), moved}, {pinned(bare("b"), 0, "rehomed"), moved}, {sight("b", 6), kept}, {sight("b", 7), kept},
		},
		"anew where the first response has no count": {
			{sight("a", 1), first}, {sight("a", 2), kept}, {pinned(bare("a"), 0, "created"), kept}, {sight("a", 1), kept}, {sight("a", 1), lostState},
		},
		"an event and no count before it": {
			{bare("a"), first}, {pinned(sight("a", 0), 0, "created"), kept}, {sight("a", 1), kept},
		},
		"announced with a new epoch": {
			{pinned(sight("a", 1), 5, "created"), first}, {pinned(sight("b", 1), 6, "rehomed"), moved}, {pinned(sight("b", 2), 6, ""), kept},
		},
		"a repeated event excuses no move": {
			{pinned(sight("a", 1), 5, "created"), first}, {pinned(sight("b", 1), 5, "created"), misroute},
		},
		"nor does an older one": {
			{pinned(sight("a", 1), 5, "created"), first}, {pinned(sight("b", 1), 4, "rehomed"), misroute},
		},
		"a repeated event excuses no lost state": {
			{pinned(sight("a", 1), 5, "created"), first}, {pinned(sight("a", 1), 5, "created"), lostState},
		},
		"a new epoch without a word": {
			{pinned(sight("a", 1), 5, "created"), first}, {pinned(sight("b", 1), 6, ""), misroute}, {pinned(sight("b", 2), 6, ""), misroute},
		},
		"announced one response late": {
			{pinned(sight("a", 1), 5, "created"), first}, {pinned(sight("b", 1), 6, ""), misroute}, {pinned(sight("b", 2), 6, "rehomed"), moved},
		},
		"announced in the lost answer": {
			{pinned(sight("a", 1), 5, "created"), first}, gone, {pinned(sight("b", 2), 6, ""), moved}, {pinned(sight("b", 3), 6, ""), kept},
		},
		"announced in an answer that was late to be lost": {
			{pinned(sight("a", 1), 5, "created"), first}, gone, {pinned(sight("a", 2), 5, ""), kept}, {pinned(sight("b", 2), 6, ""), moved},
		},
		"one lost answer is one announcement": {
			{pinned(sight("a", 1), 5, "created"), first}, gone, {pinned(sight("b", 1), 6, ""), moved}, {pinned(sight("a", 2), 7, ""), misroute},
		},
		"also at the same home": {
			{pinned(sight("a", 1), 5, "created"), first}, gone, {pinned(sight("a", 1), 6, ""), moved}, {pinned(sight("a", 1), 7, ""), lostState},
		},
		"and where the state was kept": {
			{pinned(sight("a", 1), 5, "created"), first}, gone, {pinned(sight("a", 2), 6, ""), kept}, {pinned(sight("b", 1), 7, ""), misroute},
		},
		"a lost answer and the same epoch": {
			{pinned(sight("a", 1), 5, "created"), first}, gone, {pinned(sight("b", 1), 5, ""), misroute},
		},
		"an event that the epoch had shown before": {
			{pinned(sight("a", 1), 5, "created"), first}, gone, {pinned(sight("b", 1), 6, ""), moved}, {pinned(sight("b", 2), 6, "rehomed"), kept},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var s proof.Session
			for n, step := range steps {
				if step.saw == lost() {
					s.Lost()
					continue
				}
				require.Equal(t, step.want, s.Saw(step.saw).Kind, "response %d", n+1)
			}
		})
	}
}

func TestFindingSaysWhatWouldHaveBeenRight(t *testing.T) {
	var s proof.Session
	require.Empty(t, s.Home())
	s.Lost()
	require.Equal(t, proof.Finding{Kind: proof.First, Home: "a", Most: 2}, s.Saw(sight("a", 1)))
	require.Equal(t, "a", s.Home())
	require.Equal(t, proof.Finding{Kind: proof.Kept, Home: "a", Least: 2, Most: 3}, s.Saw(sight("a", 2)))
	require.Equal(t, proof.Finding{Kind: proof.Misroute, Home: "a", Least: 3, Most: 4}, s.Saw(sight("b", 3)))
	require.Equal(t, proof.Finding{Kind: proof.Overcount, Home: "a", Least: 3, Most: 4}, s.Saw(sight("a", 9)))
	require.Equal(t, proof.Finding{Kind: proof.LostState, Home: "a", Least: 10, Most: 10}, s.Saw(sight("a", 9)))
	require.Equal(t, proof.Finding{Kind: proof.Moved, Home: "b", Most: 7}, s.Saw(pinned(sight("b", 1), 0, "rehomed")))
	require.Equal(t, "b", s.Home())
	require.Equal(t, proof.Finding{Kind: proof.Kept, Home: "b"}, s.Saw(proof.Observation{From: "b"}))
	s.Saw(proof.Observation{From: "a", Event: "rehomed"})
	require.Equal(t, proof.Finding{Kind: proof.Misroute, Home: "a", Most: 10}, s.Saw(sight("b", 3)))
	require.Equal(t, proof.Finding{Kind: proof.Kept, Home: "a", Most: 11}, s.Saw(sight("a", 7)))
}

// TestAnotherIDHasOtherEpochs: two IDs are two keys, which a store may pin by two clocks.
func TestAnotherIDHasOtherEpochs(t *testing.T) {
	var s proof.Session
	s.Saw(pinned(sight("a", 1), 1000, "created"))
	s.Renamed()
	require.Equal(t, proof.Moved, s.Saw(pinned(sight("b", 1), 7, "created")).Kind)
	require.Equal(t, proof.Misroute, s.Saw(pinned(sight("a", 2), 7, "created")).Kind)
}

func TestCountsThatNobodyCanReach(t *testing.T) {
	const most = ^uint64(0)
	var s proof.Session
	require.Equal(t, proof.Overcount, s.Saw(sight("a", most)).Kind)
	s.Saw(sight("a", most))
	s.Saw(sight("a", 0))
	require.Equal(t, proof.Kept, s.Saw(sight("a", 1)).Kind)

	s = proof.Session{}
	s.Saw(proof.Observation{From: "a", Count: most}) // says that it is not counted
	require.Equal(t, proof.Kept, s.Saw(sight("a", 1)).Kind)
}

func TestKindsHaveWords(t *testing.T) {
	words := map[string]bool{}
	for k := proof.First; k <= proof.Overcount; k++ {
		words[k.String()] = k.Broken()
	}
	require.Equal(t, map[string]bool{
		"first": false, "kept": false, "moved": false, "misroute": true, "lost state": true, "overcount": true,
	}, words)
	require.Equal(t, "unknown", proof.Kind(99).String())
}

func ExampleSession() {
	var s proof.Session
	for _, o := range []proof.Observation{
		{From: "a", Count: 1, Counted: true},
		{From: "a", Count: 2, Counted: true},
		{From: "b", Count: 1, Counted: true},
		{From: "b", Count: 2, Counted: true, Event: "rehomed"},
		{From: "b", Count: 1, Counted: true},
	} {
		f := s.Saw(o)
		fmt.Println(f.Kind, f.Kind.Broken())
	}
	// Output:
	// first false
	// kept false
	// misroute true
	// moved false
	// lost state true
}
