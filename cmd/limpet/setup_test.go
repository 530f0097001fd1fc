package main_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sample"
)

// setup is a configuration file in the making. What is left out is a proxy on free ports that leaves at once, keeps
// its sessions in memory and logs no requests.
type setup struct {
	listen, admin string
	delay         string // shutdown.delay
	deadline      string // shutdown.deadline
	store         string // flow mapping
	accessLog     string // flow mapping
	more          string // further lines
	functions     []function
}

// function is one entry of functions.
type function struct {
	name        string // counter
	path        string // /
	affinity    string // flow mapping; by header
	perInstance int    // 100000
	idle        time.Duration
	probes      time.Duration // between two of one instance; 200ms
	more        string        // further lines, indented by 4
	isolation   bool
	process     string // flow mapping, instead of instances
	instances   []*instance
	programs    []*sampleProgram // further ones
	weights     string           // flow mapping; of an alias, which has no instances
}

func (s setup) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "listen: %s\nadmin: %s\n", cmp.Or(s.listen, "127.0.0.1:0"), cmp.Or(s.admin, "127.0.0.1:0"))
	fmt.Fprintf(&b, "shutdown: {delay: %s, deadline: %s}\n", cmp.Or(s.delay, "0s"), cmp.Or(s.deadline, "10s"))
	fmt.Fprintf(&b, "store: %s\n", cmp.Or(s.store, "{kind: embedded}"))
	fmt.Fprintf(&b, "access_log: %s\n%s\nfunctions:\n", cmp.Or(s.accessLog, "{enabled: false}"), s.more)
	for _, f := range s.functions {
		b.WriteString(f.String())
	}
	return b.String()
}

// String is patient with instances: the machine may be busy, and none of these tests is about their health.
func (f function) String() string {
	if f.perInstance == 0 {
		f.perInstance = 100_000
	}
	if f.weights != "" {
		return f.alias()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "  - name: %s\n    match: {path: %s}\n", cmp.Or(f.name, "counter"), cmp.Or(f.path, "/"))
	fmt.Fprintf(&b, "    affinity: %s\n", cmp.Or(f.affinity, "{type: HEADER_FIELD}"))
	if f.isolation {
		f.perInstance = 1
	}
	fmt.Fprintf(&b, "    sessions: {per_instance: %d, isolation: %t, idle_timeout: %s}\n%s\n",
		f.perInstance, f.isolation, cmp.Or(f.idle, time.Hour), f.more)
	fmt.Fprintf(&b, "    instances:\n      health: {interval: %s, timeout: 10s, failures: 10, successes: 1}\n",
		cmp.Or(f.probes, 200*time.Millisecond))
	if f.process != "" {
		return b.String() + "      process: " + f.process + "\n"
	}
	b.WriteString("      static:\n")
	for _, inst := range f.instances {
		fmt.Fprintf(&b, "        - {id: %s, url: \"%s\"}\n", inst.name, inst.URL())
	}
	for _, p := range f.programs {
		fmt.Fprintf(&b, "        - {id: %s, url: %q}\n", p.name, p.listen)
	}
	return b.String()
}

func (f function) alias() string {
	return fmt.Sprintf("  - name: %s\n    match: {path: %s}\n    affinity: %s\n    sessions: {idle_timeout: %s}\n    weights: %s\n%s\n",
		cmp.Or(f.name, "counter"), cmp.Or(f.path, "/"), cmp.Or(f.affinity, "{type: HEADER_FIELD}"), cmp.Or(f.idle, time.Hour), f.weights, f.more)
}

// write puts the file in place as editors do, by a rename: a process that watches it never sees half of it.
func (s setup) write(t testing.TB, file string) {
	t.Helper()
	replace(t, file, s.String())
}

func replace(t testing.TB, file, content string) {
	t.Helper()
	next := file + ".next"
	require.NoError(t, os.WriteFile(next, []byte(content), 0o600))
	require.NoError(t, os.Rename(next, file))
}

// file writes the file into a directory of its own.
func (s setup) file(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "limpet.yaml")
	s.write(t, file)
	return file
}

// sampleHeader is the header by which a sample instance knows a session of a proxy that is not Limpet.
const sampleHeader = "X-Session-Id"

// samples starts sample instances named i0, i1, ...
func samples(t testing.TB, n int) (all []*instance) {
	t.Helper()
	for i := range n {
		all = append(all, sampleNamed(t, fmt.Sprintf("i%d", i)))
	}
	return all
}

// instance is a sample instance in this process.
type instance struct {
	*sample.Running
	name string
}

func sampleNamed(t testing.TB, name string) *instance {
	t.Helper()
	inst, err := sample.Start("127.0.0.1:0", sample.Options{Name: name, Header: sampleHeader})
	require.NoError(t, err)
	t.Cleanup(func() { _ = inst.Close() })
	return &instance{inst, name}
}

// freeAddr returns a loopback address that nothing listens on, below the range from which the system takes the local
// ports of outgoing connections: for a process whose address has to be known before it says so.
func freeAddr(t testing.TB) string {
	t.Helper()
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", 12000+rand.IntN(4000))
		if l, err := net.Listen("tcp", addr); err == nil {
			require.NoError(t, l.Close())
			return addr
		}
	}
	require.Fail(t, "no free port")
	return ""
}
