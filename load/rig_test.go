package load_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load"
	"github.com/limpet-proxy/limpet/sample"
)

// rival is another proxy than Limpet, run with a file of configs/compare in which nothing but the ports is changed.
type rival struct {
	name   string
	args   func(dir, conf string) []string
	reload syscall.Signal
}

func nginx() rival {
	return rival{name: "nginx", reload: syscall.SIGHUP, args: func(dir, conf string) []string {
		return []string{"-e", "stderr", "-p", dir, "-c", conf}
	}}
}

func haproxy() rival {
	return rival{name: "haproxy", reload: syscall.SIGUSR2, args: func(_, conf string) []string {
		return []string{"-W", "-f", conf}
	}}
}

// rig is a rival that runs, before sample instances.
type rig struct {
	*program
	rival
	url       string
	conf      string            // file
	instances []*sample.Running // a to d, which the file has at ports 9001 to 9004
}

// byHeader are instances that know a session by the header that clients send.
func byHeader() sample.Options { return sample.Options{Header: sessionHeader} }

// start runs the rival with a file of configs/compare, and returns when it passes requests on. Another process may take
// its port first, so that one that ends at once is tried again elsewhere.
func (r rival) start(t *testing.T, file string, o sample.Options) *rig {
	t.Helper()
	g := &rig{rival: r}
	for _, o.Name = range []string{"a", "b", "c", "d"} {
		instance, err := sample.Start("127.0.0.1:0", o)
		require.NoError(t, err)
		t.Cleanup(func() { _ = instance.Close() })
		g.instances = append(g.instances, instance)
	}
	for range 3 {
		dir, port := t.TempDir(), freePort(t)
		g.url, g.conf = "http://"+port+"/", filepath.Join(dir, file)
		g.configure(t, file, port)
		g.program = launch(t, dir, r.name, r.args(dir, g.conf)...)
		if g.serves(t) {
			return g
		}
	}
	require.FailNow(t, r.name+" does not run", g.said())
	return nil
}

// configure writes the file with the test's addresses in it.
func (g *rig) configure(t *testing.T, file, address string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "configs", "compare", file))
	require.NoError(t, err)
	replaced := replaceOnce(t, string(text), "127.0.0.1:8090", address)
	for i, instance := range g.instances {
		replaced = replaceOnce(t, replaced, fmt.Sprintf("127.0.0.1:%d", 9001+i), instance.Addr())
	}
	require.NoError(t, os.WriteFile(g.conf, []byte(replaced), 0o600))
}

func replaceOnce(t *testing.T, text, from, to string) string {
	t.Helper()
	require.Equal(t, 1, strings.Count(text, from), "%s in:\n%s", from, text)
	return strings.Replace(text, from, to, 1)
}

// serves waits until the rival passes requests on, and says whether it did not end instead.
func (g *rig) serves(t *testing.T) bool {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	up := func() bool {
		res, err := client.Get(g.url + "healthz")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	}
	require.Eventually(t, func() bool { return g.ended() || up() }, patience, 5*time.Millisecond, g.said)
	return !g.ended()
}

// addFourth takes away the # before the fourth instance, and has the rival reload the file.
func (g *rig) addFourth(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(g.conf)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(g.conf, []byte(replaceOnce(t, string(text), "# server", "server")), 0o600))
	require.NoError(t, g.cmd.Process.Signal(g.reload))
}

// portsTaken makes each port of this test binary another one. HAProxy shares its port with every other HAProxy of the
// same user that asks for it (SO_REUSEPORT), so that two which were given the same one would serve each other's clients.
var portsTaken atomic.Int32

// Ports below those from which systems take the local ports of outgoing connections.
const (
	firstPort = 16000
	ports     = 15000
)

// freePort returns a loopback address on which nothing listens.
func freePort(t *testing.T) string {
	t.Helper()
	portsTaken.CompareAndSwap(0, 1+rand.Int32N(ports))
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", firstPort+portsTaken.Add(1)%ports)
		if l, err := net.Listen("tcp", address); err == nil {
			require.NoError(t, l.Close())
			return address
		}
	}
	require.FailNow(t, "no free port")
	return ""
}

// sessions are alive in each of the comparisons, unless it says otherwise.
const sessions = 60

// plan is the load of the comparisons.
func (g *rig) plan(t *testing.T) load.Plan {
	t.Helper()
	p := plan(t, g.url)
	p.Sessions, p.Requests = sessions, 0
	return p
}

// drive is a load that goes on until the test has seen enough.
type drive struct {
	*load.Run
	stop   context.CancelFunc
	report chan load.Report
}

func (g *rig) drive(t *testing.T, p load.Plan) *drive {
	t.Helper()
	p.Duration = 10 * patience
	run, err := load.New(p)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	d := &drive{Run: run, stop: stop, report: make(chan load.Report, 1)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.report <- run.Do(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	return d
}

// until waits for the run to come so far.
func (d *drive) until(t *testing.T, far func(load.Progress) bool) {
	t.Helper()
	require.Eventually(t, func() bool { return far(d.Progress()) }, patience, 2*time.Millisecond)
}

// answered waits for so many more answers.
func (d *drive) answered(t *testing.T, more int) {
	t.Helper()
	goal := d.Progress().Answered + more
	d.until(t, func(p load.Progress) bool { return p.Answered >= goal })
}

// end stops the load and returns what it has found.
func (d *drive) end(t *testing.T) load.Report {
	t.Helper()
	d.stop()
	r := <-d.report
	checkSums(t, r)
	return r
}

// settled waits until so many sessions have been seen by instances, each in one, and for what was in flight then.
func (d *drive) settled(t *testing.T, sessions int, instances ...*sample.Running) {
	t.Helper()
	d.until(t, func(load.Progress) bool {
		known := 0
		for _, instance := range instances {
			known += instance.Sessions()
		}
		return known >= sessions
	})
	d.answered(t, 10*sessions)
}

// use returns what the report says of an instance; zeros where nothing came from it.
func use(r load.Report, name string) load.InstanceUse {
	for _, u := range r.Instances {
		if u.Name == name {
			return u
		}
	}
	return load.InstanceUse{Name: name}
}
