package sdktest_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/limpettest"
	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
)

// world is what all tests share: starting it costs more than they do.
var world struct {
	dir         string
	binary      string
	holds       *holds
	instances   []*instance // i0, i1, i2
	deployments []*deployment
}

// parallel is how many tests run at once: most of them wait for time to pass.
const parallel = "12"

func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", parallel)
	os.Exit(runTests(m))
}

func runTests(m *testing.M) (code int) {
	dir, err := os.MkdirTemp("", "sdktest-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	world.dir, world.holds = dir, newHolds()
	for i := range 3 {
		world.instances = append(world.instances, newInstance(fmt.Sprintf("i%d", i), world.holds))
	}
	if err = openWorld(); err == nil {
		code = m.Run()
	}
	if err = errors.Join(err, closeWorld(code != 0)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// openWorld builds limpet and starts a deployment of one replica on the embedded store, and one of two on Redis.
func openWorld() (err error) {
	if world.binary, err = limpettest.Build("..", world.dir); err != nil {
		return err
	}
	redis, err := redistest.StartStandalone(redistest.Options{})
	if err != nil {
		return err
	}
	embedded := &deployment{kind: "embedded"}
	shared := &deployment{kind: "redis", redis: redis}
	world.deployments = []*deployment{embedded, shared}
	return errors.Join(embedded.start(1), shared.start(2))
}

func closeWorld(failed bool) error {
	var all []error
	for _, d := range world.deployments {
		for _, p := range d.replicas {
			if failed {
				fmt.Fprintf(os.Stderr, "--- %s, %s:\n%s", d.kind, p.Admin, p.Tail())
			}
			all = append(all, p.Stop())
		}
		if d.redis != nil {
			d.redis.Close()
		}
	}
	return errors.Join(all...)
}

// deployment is a number of replicas with one configuration on one store.
type deployment struct {
	kind     string
	redis    *redistest.Server // nil: embedded
	path     string            // embedded: the store's directory, "" for memory
	replicas []*limpettest.Process
	setup    setup
}

// start adds n replicas, all at once.
func (d *deployment) start(n int) error {
	dir, err := os.MkdirTemp(world.dir, d.kind+"-")
	if err != nil {
		return err
	}
	if d.setup.functions == nil {
		d.setup = standard()
	}
	d.setup.store = fmt.Sprintf("{kind: embedded, path: %q}", d.path)
	if d.redis != nil {
		d.setup.store = fmt.Sprintf("{kind: redis, redis: {addrs: [%s]}}", d.redis.Addr)
	}
	file := filepath.Join(dir, "limpet.yaml")
	if err := d.setup.write(file); err != nil {
		return err
	}
	started, failed := make([]*limpettest.Process, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { started[i], failed[i] = limpettest.Start(world.binary, file) })
	}
	all.Wait()
	for _, p := range started {
		if p != nil {
			d.replicas = append(d.replicas, p)
		}
	}
	return errors.Join(failed...)
}

// first and last are replicas: the same one on the embedded store, two on Redis.
func (d *deployment) first() *limpettest.Process { return d.replicas[0] }
func (d *deployment) last() *limpettest.Process  { return d.replicas[len(d.replicas)-1] }

// own starts a deployment for one test that does to it what others would not like.
func own(t *testing.T, d *deployment, replicas int) *deployment {
	t.Helper()
	require.NoError(t, d.start(replicas))
	t.Cleanup(func() {
		for _, p := range d.replicas {
			if t.Failed() {
				t.Logf("%s, %s:\n%s", d.kind, p.Admin, p.Tail())
			}
			require.NoError(t, p.Stop())
		}
	})
	return d
}

// onEachStore runs a test on both stores at once.
func onEachStore(t *testing.T, test func(*testing.T, *deployment)) {
	t.Helper()
	t.Parallel()
	for _, d := range world.deployments {
		t.Run(d.kind, func(t *testing.T) {
			t.Parallel()
			test(t, d)
		})
	}
}

// holdFor returns a hold of a name of this test's own, which is released at its end at the latest.
func holdFor(t *testing.T) (name string, h *hold) {
	t.Helper()
	name = strings.ReplaceAll(t.Name(), "/", "-")
	h = world.holds.get(name)
	t.Cleanup(h.release)
	return name, h
}
