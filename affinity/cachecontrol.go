package affinity

import (
	"net/http"
	"strings"
)

// makePrivate keeps a response that carries a new session's ID out of shared caches (RFC 9111, section 5.2.2.7): whoever
// got it from there would get the session too. What the instance said of private caches stays, no-store above all.
func makePrivate(h http.Header) {
	for name := range h {
		if overridesCacheControl(name) {
			delete(h, name)
		}
	}
	directives, ok := splitDirectives(strings.Join(h["Cache-Control"], ","))
	if !ok {
		h["Cache-Control"] = []string{"private, no-store"}
		return
	}
	kept := []string{"private"}
	for _, directive := range directives {
		name, _, _ := strings.Cut(directive, "=")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "", "public", "s-maxage", "private": // private="field" would bind those fields only
		default:
			kept = append(kept, directive)
		}
	}
	h["Cache-Control"] = []string{strings.Join(kept, ", ")}
}

// overridesCacheControl reports whether a header outranks Cache-Control in some shared cache: the targeted ones of RFC
// 9213 (CDN-Cache-Control and those named after a vendor), and what came before them.
func overridesCacheControl(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, "-cache-control") || name == "surrogate-control" || name == "x-accel-expires" ||
		name == "edge-control"
}

// splitDirectives splits at the commas outside quotes. ok is false if a quote is left open: one reader's quoted text is
// then another's directive.
func splitDirectives(s string) (directives []string, ok bool) {
	quoted, start := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			directives = append(directives, strings.TrimSpace(s[start:i]))
			start = i + 1
		}
	}
	return append(directives, strings.TrimSpace(s[start:])), !quoted
}
