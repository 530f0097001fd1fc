package redisstore_test

import (
	"context"
	"fmt"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/redisstore"
	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
)

func ExampleOpen() {
	server, err := redistest.StartStandalone(redistest.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()

	cfg := redisstore.DefaultConfig()
	cfg.Addrs = []string{server.Addr}
	store, err := redisstore.Open(cfg, redisstore.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()

	request := sessions.PinRequest{
		Key:      sessions.Key{Function: "counter", Qualifier: sessions.LatestQualifier, ID: "abc"},
		Settings: sessions.Settings{TTL: sessions.DefaultTTL, IdleTimeout: sessions.DefaultIdleTimeout},
		Affinity: sessions.AffinityHeader,
		Placement: sessions.Placement{
			Candidates:  []sessions.Home{{Version: sessions.LatestQualifier, ID: "a", Incarnation: 1}},
			PerInstance: sessions.DefaultPerInstance,
		},
	}
	for range 2 {
		s, created, err := store.Pin(context.Background(), request)
		fmt.Println(s.Home.ID, created, err)
	}
	// Output:
	// a true <nil>
	// a false <nil>
}
