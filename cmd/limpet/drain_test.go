package main_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sample"
	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
)

// ask runs a terminal command on a replica; it must succeed.
func (p *process) ask(args ...string) (stdout string) {
	p.t.Helper()
	status, stdout, stderr := here(p.t, append(args, "--admin", p.admin)...)
	require.Zero(p.t, status, stderr)
	return stdout
}

// onRedis serves the function with several replicas on one Redis.
func onRedis(t *testing.T, replicas int, f function) (all []*process, file string) {
	t.Helper()
	redis := redistest.Standalone(t, redistest.Options{})
	file = setup{store: fmt.Sprintf("{kind: redis, redis: {addrs: [%s]}}", redis.Addr), functions: []function{f}}.file(t)
	for range replicas {
		all = append(all, serve(t, file))
	}
	return all, file
}

// shows waits until the replica lists the instance in this state.
func (p *process) shows(id, state string) {
	p.t.Helper()
	p.eventually(func() error {
		if said := sheet(p.ask("instances", "list")); !strings.Contains(said, " "+id+" "+state+" ") {
			return errors.New(said)
		}
		return nil
	})
}

// placesNothingOn makes new sessions through the replica.
func (p *process) placesNothingOn(id, prefix string) {
	p.t.Helper()
	for i := range 12 {
		require.NotEqual(p.t, id, p.answer("/", fmt.Sprintf("%s-%d", prefix, i)).Instance)
	}
}

// One replica is told, the other obeys from the same moment on; both do after a restart, and a kill.
func TestADrainHoldsForEveryReplicaAndRestart(t *testing.T) {
	t.Parallel()
	replicas, file := onRedis(t, 2, function{instances: samples(t, 3)})
	one, other := replicas[0], replicas[1]
	first := one.answer("/", "stays")
	id := first.Instance
	require.Regexp(t, `^FUNCTION .*\ncounter LATEST `+id+` draining 1 0 (1h|59m59s)\n$`,
		sheet(one.ask("instances", "drain", "counter", id, "--deadline", "1h")))
	other.placesNothingOn(id, "other")
	one.placesNothingOn(id, "one")
	other.shows(id, "draining")
	require.Equal(t, first.epoch, other.answer("/", "stays").epoch)
	require.Equal(t, "1", other.metric(fmt.Sprintf("limpet_draining_sessions{function=%q,instance=%q,qualifier=%q}", "counter", id, "LATEST")))

	one.kill()
	other.signal(syscall.SIGTERM)
	require.Zero(t, other.exit())
	one, other = serve(t, file), serve(t, file)
	one.placesNothingOn(id, "again")
	other.placesNothingOn(id, "too")
	stayed := other.answer("/", "stays")
	require.Equal(t, first.epoch, stayed.epoch)
	require.Equal(t, 3, stayed.Count)

	for n := range 3 { // all but one, and then all
		if next := fmt.Sprintf("i%d", n); next != id {
			require.Contains(t, other.ask("instances", "drain", "counter", next), next)
		}
		if n == 1 && id != "i2" {
			require.Equal(t, "i2", one.answer("/", "last").Instance)
		}
	}
	refused, err := get(quick, one.listen+"/", "nowhere")
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, refused.status)
	require.Equal(t, first.epoch, one.answer("/", "stays").epoch, "what is there stays")
	other.ask("instances", "undrain", "counter", id)
	one.shows(id, "ready")
	require.Equal(t, id, one.answer("/", "nowhere").Instance)
}

func TestADrainSurvivesKill9OnTheEmbeddedStore(t *testing.T) {
	t.Parallel()
	file := setup{store: fmt.Sprintf("{kind: embedded, path: %q}", t.TempDir()), functions: []function{{instances: samples(t, 2)}}}.file(t)
	p := serve(t, file)
	first := p.answer("/", "stays")
	p.ask("instances", "drain", "counter", first.Instance)
	p.kill()
	p = serve(t, file)
	p.placesNothingOn(first.Instance, "new")
	require.Equal(t, first.epoch, p.answer("/", "stays").epoch)
	require.Contains(t, sheet(p.ask("instances", "list")), " "+first.Instance+" draining 1/100000 0 ")
}

// At the deadline both replicas come to it together: each session left is moved once, its stream is cut wherever it runs,
// and its client is told.
func TestAtTheDrainDeadlineSessionsMoveOnce(t *testing.T) {
	t.Parallel()
	replicas, _ := onRedis(t, 2, function{instances: samples(t, 2)})
	one, other := replicas[0], replicas[1]
	before := map[string]reply{}
	for i := range 40 {
		id := fmt.Sprintf("s%d", i)
		before[id] = replicas[i%2].answer("/", id)
	}
	leaver := before["s0"]
	stream := other.slow("/", "s0", 1_000_000)
	started := time.Now()
	said := one.ask("instances", "drain", "counter", leaver.Instance, "--deadline", "3s", "--wait")
	require.GreaterOrEqual(t, time.Since(started), 3*time.Second, "nobody left early")
	require.Contains(t, said, "0 sessions left, done")
	for stream.next() {
	}
	require.Error(t, stream.in.Err(), "a stream that was cut does not look complete")
	moved := 0
	for id, was := range before {
		now := other.answer("/", id)
		if was.Instance != leaver.Instance {
			require.Equal(t, was.epoch, now.epoch)
			require.Equal(t, was.Count+1, now.Count)
			continue
		}
		moved++
		require.NotEqual(t, was.Instance, now.Instance)
		require.Equal(t, was.epoch+1, now.epoch, "once")
		require.Equal(t, fmt.Sprintf(`rehomed; reason="drained"; from=%q`, was.Instance), now.event())
		require.Equal(t, now.event(), now.Event, "the instance is told as well")
	}
	require.Greater(t, moved, 10)
}

// Every instance is drained, waited for and replaced, one after the other, while sessions come and go.
func TestRollingReplacementByDrain(t *testing.T) {
	t.Parallel()
	instances := samples(t, 4)
	replicas, _ := onRedis(t, 2, function{instances: instances, idle: time.Second})
	v := newVerifier()
	stop, failures := make(chan struct{}), make(chan error, 1000)
	var clients sync.WaitGroup
	for n := range 8 {
		clients.Go(func() { failures <- visit(v, replicas, n, stop) })
	}
	old := map[string]string{}
	for i, inst := range instances {
		said := replicas[i%2].ask("instances", "drain", "counter", inst.name, "--deadline", "2m", "--wait")
		require.Contains(t, said, "0 sessions left, done", "long before the deadline: nobody was sent away")
		old[inst.name] = v.starts(inst.name)
		addr := inst.Addr()
		require.NoError(t, inst.Close())
		next, err := sample.Start(addr, sample.Options{Name: inst.name, Header: sampleHeader})
		require.NoError(t, err)
		t.Cleanup(func() { _ = next.Close() })
		for _, p := range replicas {
			p.shows(inst.name, "ready") // another program: it drains no more
		}
	}
	for _, p := range replicas {
		p.eventually(func() error { // the load has come to each of the new ones
			for name, start := range old {
				if v.starts(name) == start {
					return fmt.Errorf("%s has no session yet", name)
				}
			}
			return nil
		})
	}
	close(stop)
	clients.Wait()
	close(failures)
	for err := range failures {
		require.NoError(t, err, "no request fails")
	}
	require.Empty(t, v.misroutes)
	require.Zero(t, v.rehomed, "no session was moved")
	t.Logf("%d requests of %d sessions while 4 instances were replaced", v.answers, len(v.known))
}

// visit uses one session after the other, a few requests long, through one replica and the other.
func visit(v *verifier, replicas []*process, client int, stop <-chan struct{}) error {
	c := newClient()
	for n := 0; ; n++ {
		id := fmt.Sprintf("visitor-%d-%d", client, n)
		for request := range 20 {
			select {
			case <-stop:
				return nil
			case <-time.After(20 * time.Millisecond):
			}
			r, err := good(c, replicas[request%len(replicas)].listen+"/", id)
			if err != nil {
				return err
			}
			v.saw(id, r)
		}
	}
}

// starts returns the start nonce of the program that answered last under an instance's name.
func (v *verifier) starts(instance string) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var last reply
	for _, r := range v.known {
		if r.Instance == instance && r.epoch > last.epoch {
			last = r
		}
	}
	return last.Start
}

// The replica that is asked need not wait for its next report to see what it was told.
func TestADrainIsSeenAtOnceWhereItWasAsked(t *testing.T) {
	t.Parallel()
	s := setup{functions: []function{{instances: samples(t, 2)}}}
	file := s.file(t)
	replace(t, file, strings.Replace(s.String(), "interval: 200ms", "interval: 1h", 1))
	p := serve(t, file)
	p.ask("instances", "drain", "counter", "i0")
	p.shows("i0", "draining")
	p.ask("instances", "undrain", "counter", "i0")
	p.shows("i0", "ready")
}
