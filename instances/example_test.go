package instances_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/sessions"
)

func ExampleNewPool() {
	program := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(instances.StartHeader, "since-monday") // another after a restart
	}))
	defer program.Close()

	cfg := instances.PoolConfig{
		Function: "counter", Version: sessions.LatestQualifier,
		Config: instances.Config{
			Static: []instances.StaticInstance{{ID: "a", URL: program.URL}},
			Health: &instances.HealthConfig{Path: "/healthz"},
		},
		RequestsPerInstance: 200,
		Registry:            newRegistry(), // a sessions.Store
	}
	pool, err := instances.NewPool(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		pool.Run(ctx)
	}()

	changed := pool.Changed()
	for len(pool.Candidates(0)) == 0 {
		<-changed
		changed = pool.Changed()
	}
	home := pool.Candidates(1)[0]
	instance, _ := pool.Lookup(home)
	if instance.Acquire() {
		fmt.Println("a request goes to", instance.ID())
		instance.Release()
	}
	cancel()
	<-done
	// Output: a request goes to a
}

func ExampleNewSplit() {
	pools := map[string]*instances.Pool{}
	for _, version := range []string{"v1", "v2"} {
		pool, err := instances.NewPool(instances.PoolConfig{
			Function: "counter", Version: version, Registry: newRegistry(),
			Config: instances.Config{Static: []instances.StaticInstance{{ID: "a", URL: "http://127.0.0.1:9001"}}},
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		pools[version] = pool
	}
	split, err := instances.NewSplit(instances.SplitConfig{Pools: pools, Weights: map[string]int{"v1": 95, "v2": 5}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer split.Close()
	instance, _ := split.Lookup(sessions.Home{Version: "v2", ID: "a"})
	fmt.Println("a session stays with", instance.Home().Version)
	// Output: a session stays with v2
}
