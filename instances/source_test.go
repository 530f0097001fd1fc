package instances_test

import (
	"context"
	"net/url"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/sessions"
)

// places is a Source that a test moves.
type places struct {
	now     chan []instances.Place // of capacity 1
	changed chan struct{}
}

func (p *places) Places() []instances.Place {
	now := <-p.now
	p.now <- now
	return now
}

func (p *places) Run(ctx context.Context, changed func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.changed:
			changed()
		}
	}
}

func TestASourceMovesThePool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a")
		at := func(id string) instances.Place {
			return instances.Place{ID: id, URL: &url.URL{Scheme: "http", Host: id + ".test:80"}}
		}
		source := &places{now: make(chan []instances.Place, 1), changed: make(chan struct{})}
		source.now <- nil
		w.pool.WithSource(source)
		w.run()
		require.Empty(t, w.candidates())
		for _, now := range [][]instances.Place{{at("x"), at("y")}, {at("y"), at("z")}} {
			<-source.now
			source.now <- now
			source.changed <- struct{}{}
			synctest.Wait()
			require.ElementsMatch(t, []string{now[0].ID, now[1].ID}, w.candidates())
		}
		require.Equal(t, sessions.HomeGone, w.state(sessions.Home{ID: "x"}))
		w.stop()
	})
}
