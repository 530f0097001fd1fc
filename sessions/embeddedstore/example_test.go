package embeddedstore_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/embeddedstore"
)

// A session outlives the store that made it, when the store has a directory.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "sessions")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	request := sessions.PinRequest{
		Key:      sessions.Key{Function: "counter", Qualifier: sessions.LatestQualifier, ID: "ada"},
		Settings: sessions.Settings{TTL: time.Hour},
		Placement: sessions.Placement{
			Candidates:  []sessions.Home{{Version: sessions.LatestQualifier, ID: "a"}, {Version: sessions.LatestQualifier, ID: "b"}},
			PerInstance: 20,
		},
	}
	for range 2 {
		store, err := embeddedstore.Open(embeddedstore.Config{Path: dir})
		if err != nil {
			fmt.Println(err)
			return
		}
		s, created, err := store.Pin(context.Background(), request)
		fmt.Println(s.Home.ID, created, err)
		_ = store.Close()
	}
	// Output:
	// a true <nil>
	// a false <nil>
}
