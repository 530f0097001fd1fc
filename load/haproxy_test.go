package load_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load"
	"github.com/limpet-proxy/limpet/sample"
)

func TestHAProxyHashMovesHealthySessions(t *testing.T) {
	t.Parallel()
	movesHealthySessions(t, haproxy().start(t, "haproxy-hash.cfg", byHeader()))
}

func TestHAProxyStickTableMovesTheSessionsOfADeadInstanceWithoutAWord(t *testing.T) {
	t.Parallel()
	g := haproxy().start(t, "haproxy-stick.cfg", byHeader())
	movesWithoutAWord(t, g, g.plan(t))
}

// TestHAProxyCookieMovesTheSessionsOfADeadInstanceWithoutAWord: each session has two cookies, HAProxy's own, which names the
// instance, and the instances', which names the session. The latter outlives the move, so that the new instance counts the
// session from 1, as it would for any other carrier.
func TestHAProxyCookieMovesTheSessionsOfADeadInstanceWithoutAWord(t *testing.T) {
	t.Parallel()
	g := haproxy().start(t, "haproxy-cookie.cfg", sample.Options{Cookie: "sid", GiveCookie: true})
	p := g.plan(t)
	carrier, err := load.ParseCarrier("cookie")
	require.NoError(t, err)
	p.Carrier = carrier
	movesWithoutAWord(t, g, p)
}

// movesWithoutAWord checks that every session stays at home while all instances live, and that those of one that dies go
// on elsewhere, unannounced.
func movesWithoutAWord(t *testing.T, g *rig, p load.Plan) {
	t.Helper()
	d := g.drive(t, p)
	d.settled(t, sessions, g.instances...)
	before := d.Progress()
	require.Zero(t, before.Misroutes+before.LostStates+before.Overcounts+before.Failed)
	for _, instance := range g.instances {
		require.Positive(t, instance.Sessions())
	}

	lost := g.instances[1].Sessions()
	require.NoError(t, g.instances[1].Close())
	d.settled(t, sessions, g.instances[0], g.instances[2], g.instances[3])
	r := d.end(t)

	require.Equal(t, load.Broken, r.Verdict, r.Why)
	require.Equal(t, lost, r.Affinity.Strayed, "the dead one's sessions, and no others")
	require.Equal(t, r.Affinity.Strayed, r.Affinity.Away, "for good")
	require.Zero(t, r.Affinity.Moves, "nothing was announced")
	require.Zero(t, r.Affinity.LostStates+r.Affinity.Overcounts)
	for _, e := range r.Affinity.Examples {
		require.Regexp(t, `^from b, count \d+( to \d+)?$`, e.Expected)
		require.Regexp(t, `^from [acd], count `, e.Got)
	}
	require.Regexp(t, ` count 1, `, r.Affinity.Examples[0].Got, "whoever got it has never seen the session")
}
