package proxy

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/sessions"
)

const (
	// endTimeout bounds how long a response that ends its session waits for the table to know.
	endTimeout = 3 * time.Second
	// disownTimeout bounds the request that tells an instance of a session that it made in vain.
	disownTimeout = 5 * time.Second
)

// learn brings the table up to what an instance's response says of the session, before its first byte reaches the client:
// that there is one, if the request was a reservation's, or that it is over.
func (x *exchange) learn(res *http.Response) error {
	if x.use.Reserved() {
		return x.settle(res)
	}
	if x.session() == nil {
		return nil
	}
	switch rule := x.rule.(type) {
	case affinity.Ender:
		if over, asked := rule.Ends(res); over {
			x.end(!asked)
		}
	case affinity.Renamer:
		return x.rename(rule, res)
	}
	return nil
}

// settle makes the reservation the session of the ID that the instance issued. Without one the slot is given back at
// once: the response may be a stream.
func (x *exchange) settle(res *http.Response) error {
	if streams, ok := x.rule.(affinity.StreamLearner); ok {
		return x.follow(streams, res)
	}
	id, err := x.issued(res)
	switch {
	case errors.Is(err, affinity.ErrUnusable):
		x.unusable(err)
		x.use.Release()
		return nil
	case err != nil:
		return x.refuse(err)
	case id == "":
		x.use.Release()
		return nil
	case x.r.Context().Err() != nil:
		x.disown(res, id)
		return errClientGone
	}
	return x.bind(res, id)
}

// refuse keeps a response from the client whose session ID can be none.
func (x *exchange) refuse(err error) error {
	x.h.logger.Warn("response refused", "error", err, "function", x.fn.Config.Name, "instance", x.inst.ID(), "request_id", x.requestID)
	return errIssuedID
}

// issued is the ID that the instance chose, "" if the rule takes none from responses.
func (x *exchange) issued(res *http.Response) (string, error) {
	if learner, ok := x.rule.(affinity.Learner); ok {
		return learner.Learn(res)
	}
	return "", nil
}

// bind gives the session its ID. Any replica may get the client's next request, so there is no response without it.
func (x *exchange) bind(res *http.Response, id string) error {
	err := x.use.Bind(x.r.Context(), id)
	switch {
	case err == nil:
		x.claim.ID, x.event = id, x.use.Event()
		x.watch.begin(x.use)
		return nil
	case errors.Is(err, sessions.ErrExists) && x.renames():
		x.unbound(err)
		x.use.Release()
		return nil
	case errors.Is(err, sessions.ErrExists):
		err = errIssuedTwice
	case errors.Is(err, sessions.ErrNotFound):
		err = errReservationOver
	}
	x.unbound(err)
	x.disown(res, id)
	return failureOf(err)
}

// disown asks the instance, in the background and once, to end a session that no client was told of. Else it would be kept
// there until the instance's own timeout. The request is like the one that made the session, for it has to be let in. Where
// a protocol has no such request there is nothing to do: a stream is broken off, and a cookie tells the instance nothing
// that is not sent back.
func (x *exchange) disown(res *http.Response, id string) {
	tr, err := x.transport()
	if _, asks := x.rule.(affinity.Ender); !asks || err != nil {
		return
	}
	inFlight := &x.h.inFlight
	ctx, cancel := context.WithTimeout(x.h.life, disownTimeout)
	del := res.Request.Clone(ctx)
	del.Method, del.Body, del.GetBody, del.ContentLength, del.Trailer = http.MethodDelete, http.NoBody, nil, 0, nil
	del.Header.Del("Content-Type")
	x.rule.Forward(del.Header, id)
	inFlight.Add(1)
	go func() {
		defer inFlight.Add(-1)
		defer cancel()
		if res, err := tr.RoundTrip(del); err == nil {
			_ = res.Body.Close()
		}
	}()
}

// end ends the session, with keep as one that is listed on. The use is over first: while it is held the session would be
// listed as Ending, and with isolation the very response cut that tells of its end. If the table does not answer, the
// client is told what the instance said all the same: that is true, and the instance's next answer ends the session.
func (x *exchange) end(keep bool) {
	s := *x.use.Session()
	x.watch.leave()
	x.use.Release()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), endTimeout)
	defer cancel()
	_, err := x.fn.Table.End(ctx, s, keep)
	switch {
	case err == nil:
		x.fn.Metrics.Closed()
	case !errors.Is(err, sessions.ErrMoved) && !errors.Is(err, sessions.ErrNotFound):
		x.h.logger.Warn("session not ended", "error", err, "function", x.fn.Config.Name, "request_id", x.requestID)
	}
}

// session is the session of this exchange; nil without one, and while it has no ID yet.
func (x *exchange) session() *sessions.Session {
	if x.use.Reserved() {
		return nil
	}
	return x.use.Session()
}
