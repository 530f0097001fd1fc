package main_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
)

// lossProof is a proof with three replicas, of which one instance is killed in the middle. Beside the load's sessions, of
// which each has one request at a time, there are as many that are asked for through all replicas at the same moment: so
// that replicas notice the loss together.
type lossProof struct {
	*proof
	redis string
	own   []string
	homes *volley // of own, before the loss
	was   map[string]sessions.Session
}

// victim is the instance that is killed, dead its number.
const (
	victim = "i1"
	dead   = 1
)

func newLossProof(t *testing.T, s proofSetup) *lossProof {
	t.Helper()
	redis := redistest.Standalone(t, redistest.Options{}).Addr
	s.replicas, s.store = 3, fmt.Sprintf("{kind: redis, redis: {addrs: [%s]}}", redis)
	p := &lossProof{proof: newProof(t, s), redis: redis}
	p.own = ids("own", p.sessions)
	p.homes = fire(t, p.replicas, p.own, never)
	for _, id := range p.own {
		_, _, event := p.homes.one(t, id)
		require.Equal(t, "created", event)
	}
	return p
}

// kill ends the victim, once the sessions of the load have homes.
func (p *lossProof) kill() {
	p.was = records(p.t, p.redis, "counter")
	p.instances[dead].kill()
}

// lost says whether the session's home was the victim.
func (p *lossProof) lost(id string) bool { return p.homes.replies[id][0].Instance == victim }

// undisturbed checks one volley of those sessions whose home lives: nothing has changed for them.
func (p *lossProof) undisturbed(v *volley) (lost []string) {
	p.t.Helper()
	for _, id := range p.own {
		if p.lost(id) {
			lost = append(lost, id)
			continue
		}
		home, epoch, event := v.one(p.t, id)
		require.Equal(p.t, []any{p.homes.replies[id][0].Instance, p.homes.replies[id][0].epoch}, []any{home, epoch}, id)
		require.Empty(p.t, event, id)
	}
	require.Greater(p.t, len(lost), p.sessions/proofInstances/2)
	return lost
}

// settled checks the records of all sessions that had a home before the loss, those of the load too, after each has had a
// request since: moved says whether that of a lost one is as it should be.
func (p *lossProof) settled(moved func(was, now sessions.Session)) (lost int) {
	p.t.Helper()
	require.Greater(p.t, len(p.was), 2*p.sessions*9/10)
	fire(p.t, p.replicas, sortedIDs(p.was), away)
	now := records(p.t, p.redis, "counter")
	for id, was := range p.was {
		if was.Home.ID != victim {
			require.Equal(p.t, []any{was.Home, was.Epoch, was.CreatedAt}, []any{now[id].Home, now[id].Epoch, now[id].CreatedAt}, id)
			continue
		}
		lost++
		require.NotEqual(p.t, victim, now[id].Home.ID, id)
		moved(was, now[id])
	}
	return lost
}

// TestProofLossRehomesOnce: each session of the killed instance has one new home, by one move, whichever of the three replicas
// made it; client and instance hear of it once; and nobody else notices.
func TestProofLossRehomesOnce(t *testing.T) {
	t.Parallel()
	p := newLossProof(t, proofSetup{})
	var after *volley
	r := p.do(func() {
		p.kill()
		after = fire(t, p.replicas, p.own, broken)
	})
	event := fmt.Sprintf(`rehomed; reason="instance lost"; from=%q`, victim)
	for _, id := range p.undisturbed(after) {
		home, epoch, told := after.one(t, id)
		require.NotEqual(t, victim, home)
		require.Equal(t, p.homes.replies[id][0].epoch+1, epoch, "%s: once", id)
		require.Equal(t, event, told, id)
	}
	require.LessOrEqual(t, len(after.refused), 3*volleyWorkers, "what was on connections that died")
	require.LessOrEqual(t, failed(r), 2*proofClients, "what was in flight there: %v", r.Failures)
	for _, e := range r.Affinity.Announced {
		require.Contains(t, e.Got, fmt.Sprintf("event %q", event))
	}
	lost := p.settled(func(was, now sessions.Session) {
		require.Equal(t, was.Epoch+1, now.Epoch, "%s: once", was.Key.ID)
		require.Equal(t, was.CreatedAt, now.CreatedAt)
	})
	t.Logf("%d sessions of %d lost their home, %d requests were cut off", lost, len(p.was), r.Requests.Failed+len(after.refused))
}

// TestProofLossFailsForTheGraceAndEnds is the same with on_instance_loss: fail. Clients repeat what gets a 503, after its
// Retry-After, until the grace is over: then each session ends and begins anew, once, and says so.
func TestProofLossFailsForTheGraceAndEnds(t *testing.T) {
	t.Parallel()
	const grace = 4 * time.Second
	p := newLossProof(t, proofSetup{
		health:  "{interval: 200ms, timeout: 10s, failures: 3, successes: 1}",
		more:    fmt.Sprintf("    on_instance_loss: fail\n    loss_grace: %v", grace),
		retries: 100, waiting: true,
	})
	var killed time.Time
	var after *volley
	r := p.do(func() {
		killed = time.Now()
		p.kill()
		after = fire(t, p.replicas, p.own, away)
	})
	for _, id := range p.undisturbed(after) {
		home, epoch, told := after.one(t, id)
		require.NotEqual(t, victim, home)
		require.Greater(t, epoch, p.homes.replies[id][0].epoch)
		require.Equal(t, "created", told, id)
	}
	require.NotEmpty(t, after.refused)
	for _, r := range after.refused {
		if !broken(r) {
			require.Equal(t, []any{http.StatusServiceUnavailable, "1"}, []any{r.status, r.header.Get("Retry-After")})
		}
	}
	require.Zero(t, r.Requests.Failed, "who is patient gets an answer: %v", r.Failures)
	for _, e := range r.Affinity.Announced {
		require.Contains(t, e.Got, `event "created"`)
	}
	p.settled(func(was, now sessions.Session) {
		require.Greater(t, now.Epoch, was.Epoch)
		require.Greater(t, now.CreatedAt, killed.Add(grace), "%s: another session of the same ID, not before its time", was.Key.ID)
	})
}
