package proxy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/limpet-proxy/limpet/sessions"
)

// Limits of the data plane's configuration.
const (
	// MinHeaderBytes is the smallest limits.header_bytes: net/http adds 4096 bytes to what it is told.
	MinHeaderBytes = 8 << 10
	// MaxHeaderBytes is the greatest: what one connection may make this process hold.
	MaxHeaderBytes = 16 << 20
	// MaxStreams is the greatest limits.streams: each may hold a goroutine and its buffers.
	MaxStreams = 100_000
	// MaxWait is the longest when_full.wait: clients and balancers on the way have given up by then.
	MaxWait = 10 * time.Minute
)

type report = func(key, problem string)

// under returns a report for the keys below one key.
func under(key string, r report) report {
	return func(sub, problem string) {
		if sub == "" {
			r(key, problem)
			return
		}
		r(key+"."+sub, problem)
	}
}

// Validate calls report for everything in the function, and in the configurations it holds, that Limpet could not
// work with or has not built yet. Keys are relative to the entry.
func (c FunctionConfig) Validate(report func(key, problem string)) {
	c.validateNames(report)
	c.Match.Validate(under("match", report))
	c.Affinity.Validate(under("affinity", report))
	c.validateOwner(report)
	if c.Sessions.Isolation && c.Affinity.Type == sessions.AffinityNone {
		report("sessions.isolation", "needs sessions and affinity.type is NONE, accepted is false")
	}
	c.OnInstanceLoss.Validate(under("on_instance_loss", report))
	notNegative("loss_grace", c.LossGrace, report)
	c.WhenFull.Validate(under("when_full", report))
	c.validateInvoke(report)
	validateUpgrades(c.Upgrades, report)
	c.Timeouts.Validate(under("timeouts", report))
}

func (c FunctionConfig) validateNames(report report) {
	switch {
	case c.Name == "":
		report("name", "is missing, accepted are "+sessions.NameForm)
	case !sessions.ValidName(c.Name):
		report("name", fmt.Sprintf("%.40q cannot name a function, accepted are %s", c.Name, sessions.NameForm))
	}
	if !sessions.ValidName(c.Qualifier) {
		report("qualifier", fmt.Sprintf("%.40q cannot name a version, accepted are %s", c.Qualifier, sessions.NameForm))
	}
}

func (c FunctionConfig) validateInvoke(report report) {
	if problem := badPath(c.InvokePath); problem != "" {
		report("invoke_path", fmt.Sprintf("%.80q %s, accepted is a path such as %s", c.InvokePath, problem, DefaultInvokePath))
	}
}

// Validate calls report for a host or a path that no request can have.
func (c MatchConfig) Validate(report func(key, problem string)) {
	if problem := badHost(c.Host); problem != "" {
		report("host", fmt.Sprintf("%.80q %s, accepted is a name such as app.example.com, an address, or nothing for every host", c.Host, problem))
	}
	if problem := badPath(c.Path); problem != "" {
		report("path", fmt.Sprintf("%.80q %s, accepted is a path such as / or /counter", c.Path, problem))
	}
}

func badHost(host string) string {
	if host == "" {
		return ""
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		if addr, err := netip.ParseAddr(strings.TrimSuffix(inner, "]")); err == nil && addr.Is6() && strings.HasSuffix(host, "]") {
			return ""
		}
	}
	switch {
	case strings.Contains(host, "://"):
		return "has a scheme"
	case strings.Contains(host, "*"):
		return "has a wildcard, which is not supported"
	case strings.Contains(host, "/"):
		return "has a path"
	case strings.Contains(host, ":"):
		return "has a port, or is an IPv6 address without brackets"
	case strings.HasSuffix(host, "."):
		return "ends in a dot"
	case len(host) > 253 || slices.ContainsFunc(strings.Split(host, "."), badLabel):
		return "is no host name"
	}
	return ""
}

// badLabel takes underscores for good, which container names have. A name outside ASCII travels as Punycode.
func badLabel(label string) bool {
	return label == "" || len(label) > 63 || strings.ContainsFunc(label, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// badPath says why no request's path, decoded, begins with path, or "".
func badPath(path string) string {
	switch {
	case !strings.HasPrefix(path, "/"):
		return "does not start with /"
	case strings.ContainsAny(path, "?#"):
		return "has a query or a fragment"
	case strings.Contains(path, "%"):
		return "has a %: it is compared with the decoded path"
	case strings.Contains(path, "//"):
		return "has an empty segment"
	case strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "has a control character"
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return "has a segment that clients resolve themselves"
		}
	}
	return ""
}

// Validate calls report for a wait that is negative or longer than MaxWait.
func (c WhenFullConfig) Validate(report func(key, problem string)) {
	if c.Wait < 0 || c.Wait > MaxWait {
		report("wait", fmt.Sprintf("%v is out of range, accepted is 0s to %v", c.Wait, MaxWait))
	}
}

// validateUpgrades wants tokens, with or without a version (RFC 9110, section 7.8). h2c is refused because what
// follows such an upgrade are requests that this proxy would not see.
func validateUpgrades(upgrades []string, report report) {
	for i, u := range upgrades {
		key := fmt.Sprintf("upgrades[%d]", i)
		name, version, versioned := strings.Cut(u, "/")
		switch {
		case !isToken(name) || versioned && !isToken(version):
			report(key, fmt.Sprintf("%.40q is no protocol's name, accepted is a token such as %s", u, DefaultUpgrade))
		case strings.EqualFold(name, "h2c"):
			report(key, "h2c would hide requests from affinity, accepted are other protocols, such as "+DefaultUpgrade)
		case slices.ContainsFunc(upgrades[:i], func(other string) bool { return strings.EqualFold(other, u) }):
			report(key, fmt.Sprintf("%q is given twice, accepted is each protocol once", u))
		}
	}
}

func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

// Validate calls report for a timeout that is not above 0.
func (c TimeoutsConfig) Validate(report func(key, problem string)) {
	positive("connect", c.Connect, report)
	positive("response_header", c.ResponseHeader, report)
	positive("idle", c.Idle, report)
}

// Validate calls report for limits that no client could keep.
func (c LimitsConfig) Validate(report func(key, problem string)) {
	if c.HeaderBytes < MinHeaderBytes || c.HeaderBytes > MaxHeaderBytes {
		report("header_bytes", fmt.Sprintf("%v is out of range, accepted is %v to %v", c.HeaderBytes, ByteSize(MinHeaderBytes), ByteSize(MaxHeaderBytes)))
	}
	positive("header_timeout", c.HeaderTimeout, report)
	if c.Streams < 1 || c.Streams > MaxStreams {
		report("streams", fmt.Sprintf("%d is out of range, accepted is 1 to %d", c.Streams, MaxStreams))
	}
}

// Validate calls report for negative times.
func (c ShutdownConfig) Validate(report func(key, problem string)) {
	notNegative("delay", c.Delay, report)
	notNegative("deadline", c.Deadline, report)
}

// Validate calls report for a sample that is no share.
func (c AccessLogConfig) Validate(report func(key, problem string)) {
	if !(c.Sample >= 0 && c.Sample <= 1) { // NaN is neither
		report("sample", fmt.Sprintf("%v is no share, accepted is 0 to 1", c.Sample))
	}
}

func positive(key string, d time.Duration, report report) {
	if d <= 0 {
		report(key, fmt.Sprintf("%v is not above 0, accepted is a duration such as 500ms or 2s", d))
	}
}

func notNegative(key string, d time.Duration, report report) {
	if d < 0 {
		report(key, fmt.Sprintf("%v is negative, accepted is 0 or more", d))
	}
}
