package api

import (
	"crypto/sha256"
	"encoding/json"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/limpet-proxy/limpet/dialects"
	"github.com/limpet-proxy/limpet/sessions"
)

// DefaultAgentCoreTTL is AgentCore's sessionTimeoutSeconds where a call has none.
const DefaultAgentCoreTTL = 15 * time.Minute

// maxAgentName is the length in characters of the longest name of a session.
const maxAgentName = 100

// clientToken is AgentCore's rule, less its lower bound of 33 characters: a shorter token is a caller's own risk.
var clientToken = regexp.MustCompile(`^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,255}$`)

type agentStartInput struct {
	Name                  *string `json:"name"`
	SessionTimeoutSeconds *int64  `json:"sessionTimeoutSeconds"`
	ClientToken           string  `json:"clientToken"`
}

// agentStart makes a session. Its life is a hard TTL, whatever its activity, and no stopped one is started again. With a
// clientToken its ID is derived from caller, function and token, so that a second call, through whichever replica, finds
// the first one's session.
func (c *call) agentStart(as string) (any, *dialects.Error) {
	var in agentStartInput
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if c.repeated && in.ClientToken == "" {
		return nil, replayed() // it would make another session
	}
	f, err := c.agentTarget()
	if err != nil {
		return nil, err
	}
	if err := c.creatable(f, ""); err != nil {
		return nil, err
	}
	r, err := c.agentRequest(in)
	if err != nil {
		return nil, err
	}
	s, err := c.create(f, r)
	if err != nil {
		return nil, err
	}
	return agentSession{CodeInterpreterIdentifier: as, SessionID: s.ID, CreatedAt: awsTime(s.CreatedAt)}, nil
}

func (c *call) agentRequest(in agentStartInput) (r sessions.CreateRequest, err *dialects.Error) {
	ttl, err := seconds("sessionTimeoutSeconds", in.SessionTimeoutSeconds, [2]time.Duration{time.Second, c.MaxTTL.AgentCore})
	if err != nil {
		return r, err
	}
	r.Settings = sessions.Settings{TTL: min(DefaultAgentCoreTTL, c.MaxTTL.AgentCore), DisableIDReuse: true}
	if ttl != nil {
		r.TTL = *ttl
	}
	if in.Name != nil {
		if n := utf8.RuneCountInString(*in.Name); n < 1 || n > maxAgentName {
			return r, dialects.Invalid("name", "accepted are 1 to 100 characters")
		}
		r.Name = *in.Name
	}
	if in.ClientToken == "" {
		return r, nil
	}
	if !clientToken.MatchString(in.ClientToken) {
		return r, dialects.Invalid("clientToken", "accepted are 1 to 256 letters, digits and -, not beginning or ending with -")
	}
	r.ID = c.derivedID(c.function, in.ClientToken)
	r.Fingerprint = fingerprint(r.Name, inSeconds(r.TTL))
	return r, nil
}

// fingerprint stands for the arguments of an idempotent call. What it must tell apart is few: one caller's own calls
// with one token.
func fingerprint(args ...any) string {
	text, _ := json.Marshal(args) // strings and numbers always encode
	sum := sha256.Sum256(text)
	return string(sum[:16])
}
