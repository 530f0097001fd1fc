package proxy

import (
	"errors"
	"net/http"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/sessions"
)

// hold takes hold of the claimed session, or of a slot for the one that the instance may begin.
func (x *exchange) hold() error {
	if x.claim.Sessionless() {
		return x.mayGoAnywhere()
	}
	use, err := x.find()
	if err != nil {
		return err
	}
	x.use, x.event = use, use.Event()
	x.guard()
	return nil
}

// mayGoAnywhere says whether a request without a session may be served by any instance. With isolation they are each one
// session's alone, but for a browser's question what it may send (CORS), which says nothing of anybody.
func (x *exchange) mayGoAnywhere() error {
	if x.fn.Config.Sessions.Isolation && x.r.Method != http.MethodOptions {
		return errIsolated
	}
	return nil
}

// find finds the claimed session, or makes it where the claim allows that.
func (x *exchange) find() (sessions.Use, error) {
	if x.claim.Reserve {
		return x.fn.Table.Reserve(x.r.Context())
	}
	if x.claim.Existing {
		return x.fn.Table.UseExisting(x.r.Context(), x.claim.ID)
	}
	if x.claim.Unsigned != "" {
		if use, ok, err := x.adopt(); ok || err != nil {
			return use, err
		}
	}
	use, err := x.fn.Table.Use(x.r.Context(), x.claim.ID)
	if errors.Is(err, sessions.ErrIDReuse) && x.replaces() {
		x.claim = affinity.Claim{ID: affinity.NewID(), Fresh: true}
		use, err = x.fn.Table.Use(x.r.Context(), x.claim.ID)
	}
	return use, err
}

// replaces says whether an ID that may not be used again gets its client a new session. Where the client chose it, that
// is an error; a browser cannot mend its cookie.
func (x *exchange) replaces() bool {
	return x.fn.Config.Affinity.Type == sessions.AffinityCookie && x.inv.SessionHeader() == ""
}

// adopt takes hold of the session that an unsigned cookie names, if the session API made it for a cookie: such an ID is
// random, and only who made the session was told it. The ID of any other session may be known to others, who must not
// get in by it. An error, such as a store that does not answer, leaves open whose the cookie is: to make another session
// then would part the client from its own.
func (x *exchange) adopt() (use sessions.Use, ok bool, err error) {
	use, err = x.fn.Table.UseExisting(x.r.Context(), x.claim.Unsigned)
	switch {
	case errors.Is(err, sessions.ErrNotFound):
	case err != nil:
		return use, false, err
	default:
		if s := use.Session(); s.Origin == sessions.OriginAPI && s.Affinity == sessions.AffinityCookie {
			x.claim = affinity.Claim{ID: s.ID, Unsigned: s.ID}
			return use, true, nil
		}
		use.Abandon()
	}
	if !x.claim.Fresh { // adopted before, and the session has ended since
		x.claim = affinity.Claim{ID: affinity.NewID(), Fresh: true}
	}
	return sessions.Use{}, false, nil
}
