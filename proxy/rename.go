package proxy

import (
	"errors"
	"net/http"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/sessions"
)

// renames says whether instances give their sessions other IDs while they live.
func (x *exchange) renames() bool {
	_, ok := x.rule.(affinity.Renamer)
	return ok
}

// rename has the ID that a response gives the session lead to the same home. What cannot be so does not hold the response
// back, which the instance has done its part for; but while the table does not answer nobody knows, and the client is
// better off to ask again.
func (x *exchange) rename(rule affinity.Renamer, res *http.Response) error {
	next, instead, err := rule.Renamed(res, x.session().ID)
	if err != nil {
		x.unusable(err)
	}
	if next == "" {
		return nil
	}
	err = x.use.Succeed(x.r.Context(), sessions.Successor{ID: next, Instead: instead})
	if err != nil {
		x.unbound(err)
	}
	if errors.Is(err, sessions.ErrUnavailable) {
		return failureOf(err)
	}
	return nil
}

// unusable tells, once, of an ID that an instance gave in vain.
func (x *exchange) unusable(err error) {
	x.fn.warned.Do(func() {
		x.h.logger.Warn("session ID not used, and no other of this function will be told of", "error", err, "function", x.fn.Config.Name, "instance", x.inst.ID(), "request_id", x.requestID)
	})
}

// unbound tells of an ID that does not lead to the session that an instance gave it to.
func (x *exchange) unbound(err error) {
	x.h.logger.Warn("session not bound", "error", err, "function", x.fn.Config.Name, "instance", x.inst.ID(), "request_id", x.requestID)
}
