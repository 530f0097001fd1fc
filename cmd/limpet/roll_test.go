package main_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
)

// balancer spreads requests over the replicas whose last /readyz was 200. It tries nothing twice: a request that a
// replica loses shows as a 502. Its connections to replicas are kept, as a balancer's are.
type balancer struct {
	proxy *httptest.Server
	next  atomic.Int64

	mu      sync.Mutex
	backs   []*back
	serving []*back // by the last round of probes
}

type back struct {
	data  *url.URL
	admin string
}

// probeEvery is much shorter than the replicas' shutdown.delay, as an operator has to see to.
const probeEvery = 50 * time.Millisecond

func newBalancer(t *testing.T) *balancer {
	t.Helper()
	b := &balancer{}
	b.proxy = httptest.NewServer(&httputil.ReverseProxy{
		Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
		Rewrite: func(r *httputil.ProxyRequest) {
			b.mu.Lock()
			defer b.mu.Unlock()
			if len(b.serving) == 0 {
				return // an error, which the client sees
			}
			target := b.serving[int(b.next.Add(1))%len(b.serving)].data
			r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
		},
	})
	t.Cleanup(b.proxy.Close)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for tick := time.NewTicker(probeEvery); ; {
			select {
			case <-tick.C:
				b.probe()
			case <-stop:
				tick.Stop()
				return
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-stopped
	})
	return b
}

// add makes a replica known.
func (b *balancer) add(t *testing.T, p *process) {
	t.Helper()
	u, err := url.Parse(p.listen)
	require.NoError(t, err)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.backs = append(b.backs, &back{u, p.admin})
}

func (b *balancer) probe() {
	b.mu.Lock()
	all := b.backs
	b.mu.Unlock()
	var ready []*back
	for _, one := range all {
		res, err := quick.Get(one.admin + "/readyz")
		if err != nil {
			continue
		}
		_ = res.Body.Close()
		if res.StatusCode == http.StatusOK {
			ready = append(ready, one)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.serving = ready
}

// replicas is how many the balancer sends requests to.
func (b *balancer) replicas() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.serving)
}

func TestARollLosesNoRequest(t *testing.T) {
	t.Parallel()
	redis := redistest.Standalone(t, redistest.Options{})
	file := setup{
		delay: "1s", store: fmt.Sprintf("{kind: redis, redis: {addrs: [%s]}}", redis.Addr),
		functions: []function{{instances: samples(t, 3)}},
	}.file(t)
	replicas := []*process{serve(t, file), serve(t, file)}
	b := newBalancer(t)
	for _, p := range replicas {
		b.add(t, p)
	}
	replicas[0].eventually(func() error { return wantReplicas(b, 2) })

	v := newVerifier()
	load := drive{sessions: 40, requests: 1, clients: 8, send: byPost(newClient(), b.proxy.URL)}
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			if err := load.run(v); err != nil {
				done <- err
				return
			}
		}
	}()
	for i, old := range replicas {
		old.signal(syscall.SIGTERM)
		require.Zero(t, old.exit())
		replicas[i] = serve(t, file)
		b.add(t, replicas[i])
		old.eventually(func() error { return wantReplicas(b, 2) })
	}
	replicas[0].eventually(func() error { // on a busy machine the roll is over before there were many
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.answers <= 10*load.sessions {
			return fmt.Errorf("%d requests so far", v.answers)
		}
		return nil
	})
	close(stop)
	require.NoError(t, <-done, "no request fails")
	require.Empty(t, v.misroutes)
	require.Zero(t, v.rehomed)
	require.Greater(t, v.answers, 10*load.sessions)
	t.Logf("%d requests during the roll", v.answers)
}

// byPost sends requests that net/http does not send again by itself when a kept connection turns out to be closed.
func byPost(client *http.Client, url string) func(int) (reply, error) {
	return func(i int) (reply, error) {
		req, err := http.NewRequest(http.MethodPost, url, strings.NewReader("once"))
		if err != nil {
			return reply{}, err
		}
		req.Header.Set(sampleHeader, fmt.Sprintf("session-%d", i))
		r, err := do(client, req)
		if err == nil && r.status != http.StatusOK {
			err = fmt.Errorf("session %d: %v", i, r)
		}
		return r, err
	}
}

func wantReplicas(b *balancer, n int) error {
	if got := b.replicas(); got != n {
		return fmt.Errorf("%d replicas serve, not %d", got, n)
	}
	return nil
}
