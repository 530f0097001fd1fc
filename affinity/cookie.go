package affinity

import (
	"net/http"
	"strings"
	"time"

	"github.com/limpet-proxy/limpet/sessions"
)

// cookieRule is GENERATED_COOKIE: only Limpet chooses the ID, and signs it.
type cookieRule struct {
	cfg  CookieConfig
	seal sealer
}

func newCookieRule(cfg CookieConfig, scope Scope) cookieRule {
	if scope.Qualifier == "" {
		scope.Qualifier = sessions.LatestQualifier
	}
	return cookieRule{cfg: cfg, seal: sealer{scope: scope}}
}

// Extract never fails: a browser cannot mend its cookie, so one that does not count is as none, and is replaced.
//
// A client may send several cookies of one name: of several paths, or planted by a sibling sub-domain that sets the
// parent's Domain ("cookie tossing"). They come without their domain and path, in an order the planter can choose. Those
// that are not sealed for this scope are ignored, for they do no harm and another function's cookie may be among them.
// If the rest name one session, it is the one. If they name two, one may be the planter's own, sealed by us when he came
// as a client; to guess would let him lay his session under the user's, so neither is adopted. A name that begins with
// __Host- makes planting impossible.
//
// Where none is sealed for this scope, a raw ID may be a session's that CreateSession made: see Claim.Unsigned. Of two
// raw IDs neither is looked at, for the same reason.
func (c cookieRule) Extract(r *http.Request) (Claim, error) {
	var found, raw string
	var rivals bool // raw has one
	now := time.Now()
	for value := range cookieValues(r.Header["Cookie"], c.cfg.Name) {
		id, ok := c.seal.open(value, now)
		switch {
		case !ok && value != raw && validID(value):
			raw, rivals = value, raw != ""
		case !ok || id == found:
		case found != "":
			return Claim{ID: NewID(), Fresh: true}, nil
		default:
			found = id
		}
	}
	switch {
	case found != "":
		return Claim{ID: found}, nil
	case rivals:
		return Claim{ID: NewID(), Fresh: true}, nil
	default:
		return Claim{ID: NewID(), Fresh: true, Unsigned: raw}, nil
	}
}

// Forward keeps the cookie from the instance, which could otherwise leak it: whoever has it has the session.
func (c cookieRule) Forward(out http.Header, _ string) {
	lines := stripCookie(out["Cookie"], c.cfg.Name)
	if len(lines) == 0 {
		delete(out, "Cookie")
		return
	}
	out["Cookie"] = lines
}

func (c cookieRule) Respond(h http.Header, g Grant) {
	dropSetCookie(h, c.cfg.Name)
	if g.ID == "" || !g.Issue {
		return
	}
	makePrivate(h)
	h["Set-Cookie"] = append(h["Set-Cookie"], c.setCookie(g))
}

func (c cookieRule) Header() string { return "" }

func (c cookieRule) setCookie(g Grant) string {
	seconds := max(1, int(g.TTL/time.Second))
	secure := c.secure(g)
	cookie := http.Cookie{
		Name:     c.cfg.Name,
		Value:    c.seal.seal(g.ID, expiryOf(time.Now(), g.TTL)),
		Path:     c.cfg.Path,
		MaxAge:   seconds,
		Secure:   secure,
		HttpOnly: true,
		SameSite: c.sameSite(secure),
	}
	return cookie.String()
}

// secure: a name with a prefix says it already, and without the attribute no browser keeps such a cookie.
func (c cookieRule) secure(g Grant) bool {
	return c.cfg.Secure == SecureAlways || c.cfg.Secure == SecureAuto && (g.Secure || namePrefix(c.cfg.Name) != "")
}

// sameSite falls back from None to Lax for a client without TLS: a browser refuses None without Secure, and would open
// a session with every request.
func (c cookieRule) sameSite(secure bool) http.SameSite {
	switch {
	case c.cfg.SameSite == SameSiteStrict:
		return http.SameSiteStrictMode
	case c.cfg.SameSite == SameSiteNone && secure:
		return http.SameSiteNoneMode
	default:
		return http.SameSiteLaxMode
	}
}

// dropSetCookie removes the Set-Cookie lines by which an instance would replace or delete Limpet's cookie.
func dropSetCookie(h http.Header, name string) {
	lines, present := h["Set-Cookie"]
	if !present {
		return
	}
	var kept []string
	for _, line := range lines {
		if !setsCookie(line, name) {
			kept = append(kept, line)
		}
	}
	if len(kept) == 0 {
		delete(h, "Set-Cookie")
		return
	}
	h["Set-Cookie"] = kept
}

// setsCookie reports whether a browser that obeys this Set-Cookie line sends a cookie of this name. A cookie without a
// name is sent as its bare value (RFC 6265bis, section 5.8.3), so that "=name=x" comes back as "name=x".
func setsCookie(line, name string) bool {
	pair, _, _ := strings.Cut(line, ";")
	return cookieName(strings.TrimLeft(pair, "="+blanks)) == name
}
