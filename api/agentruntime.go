package api

import (
	"context"
	"errors"
	"time"

	"github.com/limpet-proxy/limpet/dialects"
	"github.com/limpet-proxy/limpet/sessions"
)

// stopMemory is how long a clientToken of StopRuntimeSession is remembered: as long as the session that it stopped.
const stopMemory = sessions.DefaultRetention

// agentStopRuntime ends the session that the runtime's header names. One that is not there is an error, unless this very
// call, by its token, has ended it.
func (c *call) agentStopRuntime() (any, *dialects.Error) {
	token, err := c.agentToken()
	if err != nil {
		return nil, err
	}
	ids := c.r.Header.Values(dialects.RuntimeSessionHeader)
	if len(ids) != 1 || ids[0] == "" || len(ids[0]) > maxSessionID {
		return nil, dialects.Invalid("runtimeSessionId", "accepted is one, of 1 to 1024 characters")
	}
	c.session = ids[0]
	f, err := c.runtimeTarget()
	if err != nil {
		return nil, err
	}
	if err := c.mayEnd(f, c.session); err != nil {
		return nil, err
	}
	if failure := c.stopOnce(f, c.session, token); failure != nil {
		return nil, sessionCondition(failure, c.session)
	}
	c.w.Header().Set(dialects.RuntimeSessionHeader, c.session)
	return struct{}{}, nil
}

// stopOnce ends a session. With a token, to do it again is no error.
func (c *call) stopOnce(f Function, id, token string) error {
	_, err := c.end(f, id, true)
	if token == "" {
		return err
	}
	call := "stopped:" + c.derivedID(c.function, c.qualifier, id, token)
	switch {
	case err == nil:
		// The session is stopped, whatever becomes of the mark; and a client that has just gone may come again.
		_, _ = c.Store.Once(context.WithoutCancel(c.r.Context()), call, stopMemory)
	case errors.Is(err, sessions.ErrNotFound) && c.wasStopped(f.key(id), call):
		return nil
	}
	return err
}

// wasStopped says whether a call has stopped the session of an ID before. To ask leaves a mark for a millisecond, by
// which alone nothing was stopped: there has to be a record, too.
func (c *call) wasStopped(k sessions.Key, call string) bool {
	if _, err := c.latest(k); err != nil {
		return false
	}
	first, err := c.Store.Once(c.r.Context(), call, time.Millisecond)
	return err == nil && !first
}

// runtimeTarget is the function and qualifier of a runtime, of which DEFAULT is every runtime's own, as it is for an
// invocation.
func (c *call) runtimeTarget() (Function, *dialects.Error) {
	q, err := dialects.QualifierOf(c.r)
	if err != nil {
		return Function{}, err
	}
	if q == runtimeDefault {
		q = sessions.LatestQualifier
	}
	c.qualifier = q
	return c.sessionful(c.function, q)
}

// runtimeDefault is the endpoint that AgentCore gives every runtime.
const runtimeDefault = "DEFAULT"
