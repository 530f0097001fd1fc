package instances

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of Config and HealthConfig. They are wide: they keep out slips (a missing unit, a zero), not opinions.
const (
	MinHealthDuration = time.Millisecond
	MaxHealthDuration = time.Hour
	MaxHealthCount    = 1000
	// MinDrainDeadline and MaxDrainDeadline bound Config.DrainDeadline.
	MinDrainDeadline = time.Millisecond
	MaxDrainDeadline = 7 * 24 * time.Hour
)

const (
	maxID       = 128
	acceptedID  = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
	acceptedURL = "http or https, a host and at most a port, such as http://127.0.0.1:9001"
)

// Validate calls report for everything in c that Limpet cannot run with. The key is relative to c, such as
// "static[1].url"; the problem says what is accepted. A URL's password never appears in a problem.
func (c Config) Validate(report func(key, problem string)) { c.validate(report, false) }

// validate is Validate. others says that there are sources that c knows nothing of.
func (c Config) validate(report func(key, problem string), others bool) {
	c.validateSources(report, others)
	validateStatic(c.Static, report)
	c.validateProtocol(report)
	if c.Health != nil {
		c.Health.validate(report)
	}
	for i, text := range c.AllowedRanges {
		if _, err := netip.ParsePrefix(text); err != nil {
			report(fmt.Sprintf("allowed_ranges[%d]", i), fmt.Sprintf("%.60q is no range, accepted is one such as 10.0.0.0/8", text))
		}
	}
	if c.DrainDeadline < MinDrainDeadline || c.DrainDeadline > MaxDrainDeadline {
		report("drain_deadline", fmt.Sprintf("%s is out of range, accepted is %s to %s", c.DrainDeadline, MinDrainDeadline, MaxDrainDeadline))
	}
}

func (c Config) validateSources(report func(key, problem string), others bool) {
	if c.DNS != nil {
		c.DNS.validate(func(key, problem string) { report("dns."+key, problem) })
	}
	if c.Kubernetes != nil {
		c.Kubernetes.validate(func(key, problem string) { report("kubernetes."+key, problem) })
	}
	if c.Process != nil {
		c.Process.validate(func(key, problem string) { report("process."+key, problem) })
	}
	if !others && len(c.Static) == 0 && c.DNS == nil && c.Kubernetes == nil && c.Process == nil {
		report("static", "a function without instances can answer nothing, accepted is at least one {id, url}")
	}
}

func validateStatic(list []StaticInstance, report func(key, problem string)) {
	ids, addrs := map[string]int{}, map[string]int{}
	for i, s := range list {
		key := fmt.Sprintf("static[%d]", i)
		if !ValidID(s.ID) {
			report(key+".id", fmt.Sprintf("%.*q is not an instance ID, accepted is %s", maxID, s.ID, acceptedID))
		} else if first, ok := ids[s.ID]; ok {
			report(key+".id", fmt.Sprintf("%q is the ID of static[%d] too, accepted is an ID that no other instance has", s.ID, first))
		} else {
			ids[s.ID] = i
		}
		u, err := parseURL(s.URL)
		if err != nil {
			report(key+".url", err.Error())
			continue
		}
		// One program under two IDs would hold twice its slots, and its restart would be seen under one ID first.
		if first, ok := addrs[address(u)]; ok {
			report(key+".url", fmt.Sprintf("static[%d] has this address too, accepted is one ID for each program: under two, its slots would count twice", first))
			continue
		}
		addrs[address(u)] = i
	}
}

func (h HealthConfig) validate(report func(key, problem string)) {
	if !validPath(h.Path) {
		report("health.path", fmt.Sprintf("%q is not a path, accepted is a path that starts with /, such as %s", h.Path, DefaultHealthPath))
	}
	if !slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPost}, h.Method) {
		report("health.method", fmt.Sprintf("%.20q is no method of a probe, accepted is GET, HEAD, OPTIONS or POST", h.Method))
	}
	if h.Status.First < 200 || h.Status.Last > 599 || h.Status.First > h.Status.Last {
		report("health.status", fmt.Sprintf("%s is out of range, accepted is %s", h.Status, AcceptedStatuses))
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{{"health.interval", h.Interval}, {"health.timeout", h.Timeout}} {
		if d.value < MinHealthDuration || d.value > MaxHealthDuration {
			report(d.key, fmt.Sprintf("%s is out of range, accepted is %s to %s", d.value, MinHealthDuration, MaxHealthDuration))
		}
	}
	for _, n := range []struct {
		key   string
		value int
	}{{"health.failures", h.Failures}, {"health.successes", h.Successes}} {
		if n.value < 1 || n.value > MaxHealthCount {
			report(n.key, fmt.Sprintf("%d is out of range, accepted is 1 to %d", n.value, MaxHealthCount))
		}
	}
}

// ValidID says whether id can name an instance: [A-Za-z0-9_][A-Za-z0-9_.-]{0,127}.
func ValidID(id string) bool {
	if id == "" || len(id) > maxID || id[0] == '.' || id[0] == '-' {
		return false
	}
	for i := range len(id) {
		c := id[i]
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

func validPath(path string) bool {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.Contains(path, "#") {
		return false
	}
	_, err := url.ParseRequestURI(path)
	return err == nil
}

// parseURL reads an instance's URL. Its errors name no password: url.Parse's own would repeat the whole URL.
func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		var inner *url.Error
		if errors.As(err, &inner) {
			err = inner.Err
		}
		return nil, fmt.Errorf("not a URL (%w), accepted is %s", err, acceptedURL)
	}
	if problem := urlProblem(u, raw); problem != "" {
		return nil, fmt.Errorf("%q %s, accepted is %s", u.Redacted(), problem, acceptedURL)
	}
	u.Path = ""
	return u, nil
}

func urlProblem(u *url.URL, raw string) string {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return "is neither http nor https"
	case u.Hostname() == "":
		return "has no host"
	case u.User != nil:
		return "carries a user"
	case u.Path != "" && u.Path != "/":
		return "has a path"
	case strings.ContainsAny(raw, "?#"):
		return "has a query or a fragment"
	case !validPort(u):
		return "has no valid port"
	default:
		return ""
	}
}

func validPort(u *url.URL) bool {
	if u.Port() == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && n > 0
}

// address is the host and port that a connection to u goes to.
func address(u *url.URL) string {
	port := u.Port()
	if port == "" && u.Scheme == "https" {
		port = "443"
	} else if port == "" {
		port = "80"
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
