package affinity

import (
	"fmt"
	"net/http"
	"strings"
)

// The length of an affinity header's name, in bytes, by Function Compute's rules.
const (
	MinHeaderName = 5
	MaxHeaderName = 40
)

// headerNameProblem returns what is wrong with name as an affinity header's, or "". The rules are those of Function
// Compute's affinityHeaderFieldName, and beyond them: no header that has a meaning of its own, since its value will
// be replaced by the session ID in both directions.
func headerNameProblem(name string) string {
	if http.CanonicalHeaderKey(name) == AgentCoreHeader {
		return "" // longer than Function Compute's, which is not its vendor
	}
	if len(name) < MinHeaderName || len(name) > MaxHeaderName {
		return fmt.Sprintf("has %d characters, accepted are %d to %d", len(name), MinHeaderName, MaxHeaderName)
	}
	if !isLetter(name[0]) {
		return "does not begin with a letter, accepted are A to Z and a to z"
	}
	for i := range len(name) {
		if c := name[i]; !isAlphanumeric(c) && c != '-' && c != '_' {
			return fmt.Sprintf("has the character %q, accepted are letters, digits, - and _", c)
		}
	}
	// An underscore disguises nothing: CGI-like instances read it as a hyphen.
	folded := strings.ReplaceAll(strings.ToLower(name), "_", "-")
	if prefix := reservedPrefix(folded); prefix != "" {
		return fmt.Sprintf("begins with %s, which is reserved; accepted is a name of your own such as %s", prefix, DefaultHeader)
	}
	if reservedName(folded) {
		return fmt.Sprintf("has a meaning in HTTP of its own; accepted is a name of your own such as %s", DefaultHeader)
	}
	return ""
}

// reservedPrefix returns the prefix by which a folded name is refused, or "".
func reservedPrefix(folded string) string {
	for _, prefix := range [...]string{
		"x-fc-", "limpet-", "x-forwarded-", "x-accel-", // x-accel-redirect makes an nginx in front serve another page
		"content-", "proxy-", "sec-", "accept-", "access-control-", "if-",
	} {
		if strings.HasPrefix(folded, prefix) {
			return prefix
		}
	}
	return ""
}

// reservedName reports whether a folded name of 5 characters or more belongs to the hop (RFC 9110, section 7.6.1),
// to the message's framing, identity, caching or tracing. The shorter ones (TE, Host, Via) fail by their length.
func reservedName(folded string) bool {
	switch folded {
	case "connection", "keep-alive", "trailer", "trailers", "transfer-encoding", "upgrade", "http2-settings",
		"expect", "max-forwards", "early-data", "priority",
		"cookie", "cookie2", "set-cookie", "set-cookie2", "authorization", "www-authenticate",
		"authentication-info", "strict-transport-security", "clear-site-data",
		"accept", "range", "cache-control", "pragma", "expires", "last-modified", "cdn-cache-control",
		"surrogate-control", "location", "refresh", "retry-after", "allow", "server", "alt-svc",
		"origin", "referer", "user-agent", "forwarded", "x-real-ip", "x-original-url", "x-rewrite-url", "x-sendfile",
		"x-http-method-override",
		"x-request-id", "traceparent", "tracestate", "baggage":
		return true
	}
	return false
}
