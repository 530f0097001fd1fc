package main_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load"
	loadwire "github.com/limpet-proxy/limpet/load/wire"
	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
)

// sidecars are the three pairs of docs/sidecar.md behind HAProxy, from the very files, but for the addresses.
type sidecars struct {
	t         *testing.T
	url       string // the balancer's
	redis     string
	instances []*sampleProgram
	limpets   []*process
}

const pairs = 3

func newSidecars(t *testing.T) *sidecars {
	t.Helper()
	s := &sidecars{t: t, redis: redistest.Standalone(t, redistest.Options{}).Addr}
	front := freeAddr(t)
	swaps := []string{"127.0.0.1:6379", s.redis, "127.0.0.1:8080", front}
	for i := range pairs {
		inst := startSampleOf(t, plainProgram(t), "--name", string(rune('a'+i)))
		s.instances = append(s.instances, inst)
		swaps = append(swaps, fmt.Sprintf("127.0.0.1:%d", 9001+i), strings.TrimPrefix(inst.listen, "http://"))
	}
	dir := t.TempDir()
	for i := range pairs {
		data, admin := freeAddr(t), freeAddr(t)
		file := filepath.Join(dir, fmt.Sprintf("sidecar-%d.yaml", i))
		replace(t, file, s.example("sidecar.yaml", append(swaps, "127.0.0.1:8081", data, "127.0.0.1:9091", admin)))
		s.limpets = append(s.limpets, serve(t, file))
		number := fmt.Sprint(i + 1)
		swaps = append(swaps, "127.0.0.1:808"+number+" port 909"+number, data+" port "+admin[strings.Index(admin, ":")+1:])
	}
	conf := filepath.Join(dir, "haproxy.cfg")
	replace(t, conf, s.example("sidecar-haproxy.cfg", swaps))
	balancer := startProgram(t, "haproxy", "-db", "-f", conf)
	s.url = "http://" + front + "/"
	balancer.eventually(func() error {
		r, err := get(quick, s.url+"healthz", "")
		if err == nil && r.status != http.StatusOK {
			err = errors.New(r.String())
		}
		return err
	})
	return s
}

// example is a file of configs with other addresses in it.
func (s *sidecars) example(name string, swaps []string) string {
	text, err := os.ReadFile(filepath.Join(root, "configs", name))
	require.NoError(s.t, err)
	return strings.NewReplacer(swaps...).Replace(string(text))
}

// load sends the requests of many sessions through the balancer.
func (s *sidecars) load(requests, sessions int) *load.Run {
	target, err := loadwire.NewTarget(s.url)
	require.NoError(s.t, err)
	plan := load.Plan{
		Targets: []*loadwire.Target{target}, Sessions: sessions, Requests: requests, Connections: proofClients,
	}
	plan.Carrier, err = load.ParseCarrier(load.DefaultCarrier)
	require.NoError(s.t, err)
	plan.From, err = load.ParseSource(load.DefaultFrom)
	require.NoError(s.t, err)
	plan.Count, err = load.ParseSource(load.DefaultCount)
	require.NoError(s.t, err)
	run, err := load.New(plan)
	require.NoError(s.t, err)
	return run
}

// TestSidecars: a request that HAProxy sends at random reaches its home. A sidecar that dies alone takes no session along;
// one that dies with its instance, the sessions of that instance, which are told. What fails is what was in flight.
func TestSidecars(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]func(s *sidecars){
		"the sidecar is killed": func(s *sidecars) { s.limpets[1].kill() },
		"the pair is killed":    func(s *sidecars) { s.limpets[1].kill(); s.instances[1].kill() },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSidecars(t)
			const requests, sessions = 4000, 120
			run := s.load(requests, sessions)
			done := make(chan load.Report)
			go func() { done <- run.Do(context.Background()) }()
			for run.Progress().Answered < requests/2 {
				time.Sleep(time.Millisecond) // polled: the load has no event for it
			}
			was := records(t, s.redis, "app")
			kill(s)
			r := <-done
			t.Logf("%s; %d failed, %d moves", r.Why, r.Requests.Failed, r.Affinity.Moves)
			require.Equal(t, load.Proven, r.Verdict, "%s %v", r.Why, r.Affinity.Examples)
			require.LessOrEqual(t, r.Requests.Failed, 2*proofClients, "what was in flight: %v", r.Failures)
			for _, e := range r.Affinity.Announced {
				require.Contains(t, e.Got, `event "rehomed; reason=\"instance lost\"; from=\"b\""`)
			}
			now, moved := records(t, s.redis, "app"), 0
			for id, before := range was {
				if now[id].Epoch != before.Epoch {
					moved++
					require.Equal(t, "b", before.Home.ID)
					require.Equal(t, before.Epoch+1, now[id].Epoch)
				}
			}
			require.Equal(t, s.instances[1].ended(), moved > sessions/pairs/2, "%d moved", moved)
			require.Equal(t, s.instances[1].ended(), moved > 0)
		})
	}
}

// ended says whether the process has ended.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}
