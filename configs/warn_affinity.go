package configs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
)

// warnUnused is about keys of an affinity that is not chosen. They may wait there for the type to change.
func warnUnused(c affinity.Config, report report) {
	std := affinity.DefaultConfig()
	if c.Header != std.Header && c.Type != sessions.AffinityHeader && c.Type != sessions.AffinityMCPStreamable {
		report("header", fmt.Sprintf("is not used with type %s, accepted with type %s", c.Type, sessions.AffinityHeader))
	}
	if len(c.Sources) > 0 && c.Type != sessions.AffinityHeader {
		report("sources", fmt.Sprintf("is not used with type %s, accepted with type %s", c.Type, sessions.AffinityHeader))
	}
	if c.Cookie != std.Cookie && c.Type != sessions.AffinityCookie {
		report("cookie", fmt.Sprintf("is not used with type %s, accepted with type %s", c.Type, sessions.AffinityCookie))
	}
}

// warnSources is about places that cannot have an ID, and about what a function with a cookie of its application's cannot
// do.
func warnSources(f proxy.FunctionConfig, report report) {
	f.Affinity.Overrides(report)
	if a := f.Affinity; a.Type == sessions.AffinityMCPSSE && !meet(a.SSEPath, f.Match.Path) {
		report("sse_path", fmt.Sprintf("%s is not below match.path %s, accepted is a path from the host's root, such as %s",
			a.SSEPath, f.Match.Path, strings.TrimSuffix(f.Match.Path, "/")+affinity.DefaultSSEPath))
	}
	learns := slices.ContainsFunc(f.Affinity.Sources, func(s affinity.Source) bool { return s.Cookie != "" })
	if h := f.Affinity.Header; learns && h != affinity.DefaultHeader && !slices.Contains(f.Affinity.Sources, affinity.Source{Header: h}) {
		report("header", "is not used beside a cookie: the instance makes the IDs, and no header tells them, accepted is to leave it out")
	}
	for i, s := range f.Affinity.Sources {
		if s.Path != "" && !meet(s.Path, f.Match.Path) {
			report(fmt.Sprintf("sources[%d].path", i), fmt.Sprintf("no path is both in %s and below match.path %s, accepted is a whole path, such as %s",
				s.Path, f.Match.Path, strings.TrimSuffix(f.Match.Path, "/")+s.Path))
		}
		if s.Cookie != "" && f.Sessions.Isolation {
			report(fmt.Sprintf("sources[%d].cookie", i), "a cookie that changes, as at a login, needs a second slot of its instance, and with isolation there is none, accepted is isolation: false")
		}
	}
}

// meet says whether some path begins with the template and with the path.
func meet(template, path string) bool {
	a, b := strings.Split(strings.Trim(template, "/"), "/"), strings.Split(strings.Trim(path, "/"), "/")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] && a[i] != "{id}" && b[0] != "" {
			return false
		}
	}
	return true
}
