package proxy

import (
	"net/http"
	"strings"
)

// Routes says which requests are which function's. It is immutable: a reload makes a new one.
type Routes struct {
	hosts map[string]map[string]*Function // host in lower case, or "", and path without trailing slash
	named map[functionName]*Function
}

type functionName struct{ function, qualifier string }

// NewRoutes returns the routes of functions, which have different names and qualifiers, and different hosts and paths.
func NewRoutes(functions []*Function) *Routes {
	r := &Routes{hosts: map[string]map[string]*Function{}, named: map[functionName]*Function{}}
	for _, f := range functions {
		r.named[functionName{f.Config.Name, f.Config.Qualifier}] = f
		host := strings.ToLower(f.Config.Match.Host)
		if r.hosts[host] == nil {
			r.hosts[host] = map[string]*Function{}
		}
		r.hosts[host][strings.TrimSuffix(f.Config.Match.Path, "/")] = f
	}
	return r
}

// Named returns the function with this name and qualifier, nil if there is none.
func (r *Routes) Named(function, qualifier string) *Function {
	return r.named[functionName{function, qualifier}]
}

// Match returns the function of a request, nil if there is none. A function of the request's host comes before one
// of every host; the longest path wins. It costs one look-up for each segment of the path and allocates nothing,
// unless the host is written in capitals.
func (r *Routes) Match(req *http.Request) *Function {
	if paths := r.hosts[hostname(req.Host)]; paths != nil {
		if f := longest(paths, req.URL.Path); f != nil {
			return f
		}
	}
	return longest(r.hosts[""], req.URL.Path)
}

// longest tries path, then what is before its last slash, and so on, so that a prefix ends at a segment boundary:
// /a is a prefix of /a/b and not of /ab.
func longest(paths map[string]*Function, path string) *Function {
	for path = strings.TrimSuffix(path, "/"); ; {
		if f := paths[path]; f != nil {
			return f
		}
		i := strings.LastIndexByte(path, '/')
		if i < 0 {
			return nil
		}
		path = path[:i]
	}
}

// hostname is a Host header without its port, in lower case. A final dot is dropped: it names the same host.
func hostname(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
