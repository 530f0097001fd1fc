package affinity

import "net/http"

// Protocol is a way to name a session that a protocol brings along: its own header, whatever the function's affinity is.
type Protocol struct {
	Header   string // canonical
	MaxID    int    // length in bytes of the longest ID
	Existing bool   // an ID that the client gives must be an active session's
	LongIDs  bool   // an ID that is made has longIDLength digits, for clients that take no shorter one
}

// Over returns the rule for the protocol's requests to a function whose own rule is function. The instance is told the
// ID in both ways, for it may be the same program that serves the function's other requests. The client is told it in
// the protocol's way only: a cookie that it did not ask for would tie its later requests, which name no session, to this
// one.
func (p Protocol) Over(function Rule) Rule {
	return protocolRule{headerRule{name: p.Header, max: p.MaxID, long: p.LongIDs}, p, function}
}

type protocolRule struct {
	headerRule
	Protocol
	function Rule
}

func (p protocolRule) Extract(r *http.Request) (Claim, error) {
	claim, err := p.headerRule.Extract(r)
	claim.Existing = p.Existing && err == nil && !claim.Fresh
	return claim, err
}

// Header returns the protocol's.
func (p protocolRule) Header() string { return p.headerRule.Header() }

// Forward applies the function's rule first: both may have the same header.
func (p protocolRule) Forward(out http.Header, id string) {
	p.function.Forward(out, id)
	p.headerRule.Forward(out, id)
}

// Respond takes out what the instance said in the function's way, and says nothing there.
func (p protocolRule) Respond(h http.Header, g Grant) {
	p.function.Respond(h, Grant{})
	p.headerRule.Respond(h, g)
}
