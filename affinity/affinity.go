// Package affinity reads a session ID out of a request and puts it into a response; it remembers nothing.
package affinity

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/limpet-proxy/limpet/sessions"
)

// ErrInvalid means that a request's session ID is ill-formed, over-long, empty or given more than once: status 400.
// It is wrapped by a text that is fit for the client and never quotes what the client sent.
var ErrInvalid = errors.New("invalid session ID")

// Rule reads and writes the session ID of one function's messages. It is safe for concurrent use.
type Rule interface {
	// Extract reads the claim of a request, which must be as it came from the client: a client that names the
	// configured header in Connection must not lose it on the way here. The error wraps ErrInvalid.
	Extract(r *http.Request) (Claim, error)
	// Forward makes out the headers of the request to the instance: it sets the configured header to id, or takes
	// the cookie out. Other cookies stay byte for byte.
	Forward(out http.Header, id string)
	// Respond makes h, the headers that the instance answered with, those of the response to the client. It also
	// removes what the instance must not decide: its own value of the configured header, or a Set-Cookie of
	// Limpet's cookie name.
	Respond(h http.Header, g Grant)
	// Header returns the canonical name of the configured header, "" if there is none. It must not pass in
	// trailers either, which Rule does not see.
	Header() string
}

// Claim is what a request says of its session. The zero Claim is of a request that has none: any instance may serve it.
type Claim struct {
	ID    string
	Fresh bool // the client gave no ID that counts: ID was generated here
	// Reserve says that the instance may begin a session, and will choose the ID: see Learner. There is no ID yet.
	Reserve bool
	// Existing says that ID counts for an active session only: none is made for it.
	Existing bool
	// Unsigned is a raw ID in place of a signed cookie, as Function Compute's clients send what CreateSession gave
	// them. Anybody can make one up, so it counts for an active session that the session API made for a cookie, and
	// for nothing else; ID and Fresh are for when there is no such session.
	Unsigned string
}

// Sessionless says whether the request has no session, and may not get one.
func (c Claim) Sessionless() bool { return c.ID == "" && !c.Reserve }

// Grant is what a response tells the client of its session.
type Grant struct {
	ID     string        // "" tells nothing, as for a response without a session
	Issue  bool          // the session is new to the client: its claim was Fresh, or this exchange created the session
	TTL    time.Duration // of the session, from now; a cookie lives for its whole seconds, at least one
	Secure bool          // the client came over TLS, also by a trusted X-Forwarded-Proto
}

// Scope is what a rule's IDs belong to. A cookie of another scope is never adopted.
type Scope struct {
	Function  string
	Qualifier string // "" means sessions.LatestQualifier
	Keys      *Keys  // GENERATED_COOKIE needs them; the others ignore them
}

// New returns the rule that cfg describes. It fails with every problem that Config.Validate finds, and for
// GENERATED_COOKIE without keys.
func New(cfg Config, scope Scope) (Rule, error) {
	var problems []error
	cfg.Validate(func(key, problem string) {
		problems = append(problems, fmt.Errorf("affinity: %s: %s", key, problem))
	})
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	switch cfg.Type {
	case sessions.AffinityHeader:
		if len(cfg.Sources) > 0 {
			return newSourcesRule(cfg), nil
		}
		return newHeaderRule(cfg.Header), nil
	case sessions.AffinityCookie:
		if scope.Keys == nil || len(scope.Keys.keys) == 0 {
			return nil, errors.New("affinity: GENERATED_COOKIE needs signing keys")
		}
		return newCookieRule(cfg.Cookie, scope), nil
	case sessions.AffinityMCPStreamable:
		return newMCPRule(), nil
	case sessions.AffinityMCPSSE:
		return newSSERule(cfg), nil
	default:
		return noneRule{}, nil
	}
}

// noneRule is for functions without sessions: it touches nothing.
type noneRule struct{}

func (noneRule) Extract(*http.Request) (Claim, error) { return Claim{}, nil }
func (noneRule) Forward(http.Header, string)          {}
func (noneRule) Respond(http.Header, Grant)           {}
func (noneRule) Header() string                       { return "" }
