package sdktest_test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// key is one caller.
type key struct {
	id, secret string
	more       string // of its flow mapping
}

// The callers. Each test of a rate has a key of its own.
var (
	admin      = key{"LTAIadmin", "the secret of the admin's key", ""}
	other      = key{"AKIAother", "the secret of another admin's key", ""}
	reader     = key{"AKIAreader", "the secret of the reader's key", "allow: [read]"}
	invoker    = key{"AKIAinvoker", "the secret of the invoker's key", "allow: [invoke]"}
	scoped     = key{"AKIAscoped", "the secret of the key for prod", "functions: [small]"}
	slowFC     = key{"LTAIslow", "the secret of the first slow key", "rate: 1"}
	slowAgent  = key{"AKIAslow1", "the secret of the second slow key", "rate: 1"}
	slowFarm   = key{"AKIAslow2", "the secret of the third slow key", "rate: 1"}
	slowRetry  = key{"AKIAslow3", "the secret of the fourth slow key", "rate: 1"}
	mistaken   = key{admin.id, "not the secret of the admin's key", ""}
	unknownKey = key{"AKIAnobody", "whatever the secret may be", ""}
)

// setup is a configuration file in the making.
type setup struct {
	store     string // flow mapping
	functions []function
}

// function is one entry of functions.
type function struct {
	name, qualifier string
	affinity        string // flow mapping; by header
	sessions        string // flow mapping
	more            string // further lines, indented by 4
	closed          bool   // no invocations on the data listener
	instances       []*instance
	urls            map[string]string // instances that are not there, by ID
}

// cookieName is that of Function Compute's own cookie.
const cookieName = "x-fc-cookie-session-id"

// The functions. Where a test needs one for itself, it is named for the test.
const (
	counter    = "counter"     // by header, LATEST and prod
	cookies    = "cookies"     // by cookie
	blockReuse = "block-reuse" // an expired session's ID is refused
	stateless  = "stateless"   // no sessions
	isolated   = "isolated"    // one instance for one session
	narrow     = "narrow"      // one request at once
	hasty      = "hasty"       // does not wait long for an answer
	dead       = "dead"        // its instance is not there
	listing    = "listing"     // LATEST and prod, for FC's lists
	agents     = "agents"      // for AgentCore's lists
	farm       = "farm"        // LATEST and prod, for Deadline's lists
	paging     = "paging"      // for a thousand sessions
	uninvoked  = "uninvoked"   // invoke: false
	small      = "small"       // for a scoped key
)

// full is a function with one slot.
func full(test string) string { return "full-" + test }

// standard is what the shared deployments have.
func standard() setup {
	all := world.instances
	roomy := "{per_instance: 100000, idle_timeout: 1h}"
	s := setup{functions: []function{
		{name: counter, sessions: roomy, instances: all},
		{name: counter, qualifier: "prod", sessions: roomy, instances: all[:2]},
		{name: cookies, affinity: "{type: GENERATED_COOKIE, cookie: {name: " + cookieName + "}}", sessions: roomy, instances: all},
		{name: blockReuse, sessions: "{disable_id_reuse: true}", instances: all},
		{name: stateless, affinity: "{type: NONE}", instances: all},
		{name: isolated, sessions: "{isolation: true, per_instance: 1}", instances: all[:1]},
		{name: narrow, more: "    requests_per_instance: 1", instances: all[:1]},
		{name: hasty, more: "    timeouts: {response_header: 300ms}", instances: all[:1]},
		{name: dead, urls: map[string]string{"gone": "http://127.0.0.1:1"}},
		{name: listing, sessions: roomy, instances: all},
		{name: listing, qualifier: "prod", sessions: roomy, instances: all},
		{name: agents, sessions: roomy, instances: all},
		{name: farm, sessions: roomy, instances: all},
		{name: farm, qualifier: "prod", sessions: roomy, instances: all},
		{name: paging, sessions: roomy, instances: all},
		{name: small, instances: all},
		{name: uninvoked, closed: true, instances: all},
	}}
	for _, test := range []string{"fc", "agent", "retry"} {
		s.functions = append(s.functions, function{name: full(test), sessions: "{per_instance: 1}", instances: all[:1]})
	}
	return s
}

func (s setup) write(file string) error {
	var b strings.Builder
	b.WriteString("listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\ndeployment: sdktest\nshutdown: {delay: 0s, deadline: 5s}\n")
	fmt.Fprintf(&b, "access_log: {enabled: false}\nstore: %s\nauth:\n  keys:\n", s.store)
	for _, k := range []key{admin, other, reader, invoker, scoped, slowFC, slowAgent, slowFarm, slowRetry} {
		secret := filepath.Join(filepath.Dir(file), k.id)
		if err := os.WriteFile(secret, []byte(k.secret+"\n"), 0o600); err != nil {
			return err
		}
		fmt.Fprintf(&b, "    - {id: %s, secret_file: %q", k.id, secret)
		if k.more != "" {
			b.WriteString(", " + k.more)
		}
		b.WriteString("}\n")
	}
	b.WriteString("functions:\n")
	for _, f := range s.functions {
		b.WriteString(f.String())
	}
	// By a rename, as editors do: a process that watches the file never sees half of it.
	if err := os.WriteFile(file+".next", []byte(b.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(file+".next", file)
}

// String is patient with instances: the machine may be busy.
func (f function) String() string {
	f.qualifier = cmp.Or(f.qualifier, "LATEST")
	var b strings.Builder
	fmt.Fprintf(&b, "  - name: %s\n    qualifier: %s\n    match: {path: %s}\n", f.name, f.qualifier, f.path())
	fmt.Fprintf(&b, "    affinity: %s\n    invoke: %t\n", cmp.Or(f.affinity, "{type: HEADER_FIELD}"), !f.closed)
	fmt.Fprintf(&b, "    sessions: %s\n%s\n", cmp.Or(f.sessions, "{}"), f.more)
	b.WriteString("    instances:\n      health: {interval: 500ms, timeout: 10s, failures: 5, successes: 1}\n      static:\n")
	for _, i := range f.instances {
		fmt.Fprintf(&b, "        - {id: %s, url: %q}\n", i.name, i.URL)
	}
	for id, url := range f.urls {
		fmt.Fprintf(&b, "        - {id: %s, url: %q}\n", id, url)
	}
	return b.String()
}

// path is where the function is on the data listener.
func (f function) path() string {
	if f.qualifier != "" && f.qualifier != "LATEST" {
		return "/" + f.name + "-" + f.qualifier
	}
	return "/" + f.name
}
