package affinity

import (
	"fmt"
	"slices"
	"strings"

	"github.com/limpet-proxy/limpet/sessions"
)

// Limits of a cookie's own texts, in bytes, that every browser keeps (RFC 6265bis, section 5.6: 4096 for name and value
// together, 1024 for an attribute).
const (
	MaxCookieName = 1024
	MaxCookiePath = 1024
)

const acceptedTypes = "NONE, HEADER_FIELD, GENERATED_COOKIE, MCP_STREAMABLE and MCP_SSE"

// Validate reports every problem of the configuration: the key, relative to functions[].affinity, such as "header" or
// "cookie.same_site", and what is wrong with it and what is accepted. What the type does not use may be left empty, but
// may not be wrong. It reports nothing if New accepts the configuration.
func (c Config) Validate(report func(key, problem string)) {
	switch c.Type {
	case sessions.AffinityNone, sessions.AffinityHeader, sessions.AffinityCookie, sessions.AffinityMCPStreamable, sessions.AffinityMCPSSE:
	default:
		report("type", fmt.Sprintf("%q is unknown, accepted are %s", c.Type, acceptedTypes))
	}
	if problem := c.headerProblem(); problem != "" {
		report("header", problem)
	}
	c.validatePreset(report)
	c.validateSources(report)
	if c.Cookie != (CookieConfig{}) || c.Type == sessions.AffinityCookie {
		c.Cookie.validate(func(key, problem string) { report("cookie."+key, problem) })
	}
	if c.SSEPath != "" || c.Type == sessions.AffinityMCPSSE {
		if problem := ssePathProblem(c.SSEPath); problem != "" {
			report("sse_path", problem)
		}
	}
	c.validateSSEParams(report)
}

// headerProblem is what is wrong with the header, or "". MCP's has one name, which clients and servers know.
func (c Config) headerProblem() string {
	switch {
	case c.Header == "" && c.Type != sessions.AffinityHeader:
		return ""
	case c.Type != sessions.AffinityMCPStreamable:
		return headerNameProblem(c.Header)
	case !strings.EqualFold(c.Header, MCPHeader):
		return fmt.Sprintf("%.40q is not MCP's, accepted is %s, or to leave it out", c.Header, MCPHeader)
	default:
		return ""
	}
}

func (c CookieConfig) validate(report func(key, problem string)) {
	if problem := cookieNameProblem(c.Name); problem != "" {
		report("name", problem)
	}
	switch c.Secure {
	case SecureAuto, SecureAlways:
	case SecureNever:
		if prefix := namePrefix(c.Name); prefix != "" {
			report("secure", fmt.Sprintf("never makes browsers refuse a cookie named %s..., accepted are auto and always", prefix))
		}
	default:
		report("secure", fmt.Sprintf("%q is unknown, accepted are auto, always and never", c.Secure))
	}
	switch c.SameSite {
	case SameSiteLax, SameSiteStrict:
	case SameSiteNone:
		if c.Secure == SecureNever {
			report("same_site", "none makes browsers refuse a cookie without Secure, accepted with secure: never are lax and strict")
		}
	default:
		report("same_site", fmt.Sprintf("%q is unknown, accepted are lax, strict and none", c.SameSite))
	}
	if problem := c.pathProblem(); problem != "" {
		report("path", problem)
	}
}

// cookieNameProblem asks for a token (RFC 6265, section 4.1.1).
func cookieNameProblem(name string) string {
	if name == "" || len(name) > MaxCookieName {
		return fmt.Sprintf("has %d characters, accepted are 1 to %d", len(name), MaxCookieName)
	}
	for i := range len(name) {
		if c := name[i]; !isAlphanumeric(c) && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return fmt.Sprintf("has the character %q, accepted are letters, digits and !#$%%&'*+-.^_`|~", c)
		}
	}
	if len(name) == len(namePrefix(name)) {
		return "is a prefix only, accepted is a name after it"
	}
	return ""
}

// pathProblem asks for what a Path attribute can hold (RFC 6265, section 4.1.1), and of a __Host- cookie that it has the
// whole host (RFC 6265bis, section 4.1.3.2).
func (c CookieConfig) pathProblem() string {
	if !strings.HasPrefix(c.Path, "/") {
		return fmt.Sprintf("%q does not begin with /, accepted is a path such as /", c.Path)
	}
	if len(c.Path) > MaxCookiePath {
		return fmt.Sprintf("has %d characters, accepted are 1 to %d", len(c.Path), MaxCookiePath)
	}
	for i := range len(c.Path) {
		if b := c.Path[i]; b < ' ' || b > '~' || b == ';' {
			return fmt.Sprintf("has the character %q, accepted is ASCII without ; and control characters", b)
		}
	}
	if prefix := namePrefix(c.Name); strings.HasPrefix(prefix, "__Host-") && c.Path != "/" {
		return fmt.Sprintf("%q makes browsers refuse a cookie named %s..., accepted is /", c.Path, prefix)
	}
	return ""
}

// namePrefix returns the prefix of a cookie's name by which browsers ask for attributes, or "". They compare it in any
// case (RFC 6265bis, section 5.7). __Http- is younger; it asks for Secure and HttpOnly.
func namePrefix(name string) string {
	for _, prefix := range [...]string{"__Host-Http-", "__Host-", "__Secure-", "__Http-"} {
		if len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
			return prefix
		}
	}
	return ""
}

// validateSSEParams asks for one of a few names at least where they are used.
func (c Config) validateSSEParams(report func(key, problem string)) {
	if n := len(c.SSEParams); n > MaxSources || n == 0 && c.Type == sessions.AffinityMCPSSE {
		report("sse_params", fmt.Sprintf("has %d names, accepted are 1 to %d", n, MaxSources))
		return
	}
	for i, name := range c.SSEParams {
		key := fmt.Sprintf("sse_params[%d]", i)
		switch problem := queryNameProblem(name); {
		case problem != "":
			report(key, problem)
		case slices.Contains(c.SSEParams[:i], name):
			report(key, fmt.Sprintf("%s is given twice, accepted is each name once", name))
		}
	}
}

func ssePathProblem(path string) string {
	if !strings.HasPrefix(path, "/") {
		return fmt.Sprintf("%q does not begin with /, accepted is a path such as %s", path, DefaultSSEPath)
	}
	for i := range len(path) {
		if b := path[i]; b <= ' ' || b > '~' || b == '?' || b == '#' {
			return fmt.Sprintf("has the character %q, accepted is a path without query and blanks", b)
		}
	}
	return ""
}
