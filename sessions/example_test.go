package sessions_test

import (
	"context"
	"fmt"
	"time"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/embeddedstore"
)

func ExampleWalk() {
	ctx := context.Background()
	store, err := embeddedstore.Open(embeddedstore.Config{})
	if err != nil {
		panic(err)
	}
	defer store.Close()
	for _, qualifier := range []string{"blue", "green"} {
		for _, id := range []string{"one", "two", "three"} {
			_, _, err := store.Pin(ctx, sessions.PinRequest{
				Key:      sessions.Key{Function: "counter", Qualifier: qualifier, ID: id},
				Settings: sessions.Settings{TTL: time.Hour},
				Placement: sessions.Placement{
					Candidates: []sessions.Home{{Version: "LATEST", ID: "a", Incarnation: 1}}, PerInstance: 10,
				},
			})
			if err != nil {
				panic(err)
			}
		}
	}
	q := sessions.WalkQuery{Function: "counter", States: []sessions.State{sessions.Active, sessions.Ended}, Limit: 4}
	for more := true; more; more = q.After != "" {
		page, err := sessions.Walk(ctx, store, q)
		if err != nil {
			panic(err)
		}
		fmt.Println(len(page.Sessions), "sessions, from", page.Sessions[0].Qualifier)
		q.After = page.Cursor
	}
	// Output:
	// 4 sessions, from blue
	// 2 sessions, from green
}
