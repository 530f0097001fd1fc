package api

import (
	"cmp"
	"context"
	"crypto/cipher"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/limpet-proxy/limpet/dialects"
	"github.com/limpet-proxy/limpet/sessions"
)

// SessionAPI serves the session API in the dialects of three clouds, over one table. It holds no state but its keys.
// It is safe for concurrent use; what its funcs return is of the moment.
type SessionAPI struct {
	Auth       *Auth
	Deployment string       // names the farm of the Deadline dialect
	MaxTTL     MaxTTLConfig // 0: its default
	Store      SessionStore
	Functions  func() []Function // in force, by name and qualifier
	Invoke     http.Handler      // serves an invocation whose caller may make it; nil: there are none
	// Secret, of at least MinSharedSecret bytes, is shared by all replicas and survives a restart: tokens are sealed with it, and
	// session IDs derived.
	Secret []byte
	// Audit is told of each write; nil: nobody is. HashSession names a session there as other logs do.
	Audit       *slog.Logger
	HashSession func(id string) string

	tokens    cipher.AEAD
	strangers *rate.Limiter // of audit lines about writes without a good key
	held      chan struct{} // bodies in memory whose signature is not checked yet: one element each
}

// SessionStore is what the session API asks of the store beside what functions' tables do.
type SessionStore interface {
	sessions.Records
	sessions.Names
	Instances(ctx context.Context, function string) ([]sessions.InstanceRecord, error)
	Mark(ctx context.Context, m sessions.Mark) (sessions.InstanceRecord, error)
}

// Function is a configured function and qualifier as the session API needs it.
type Function struct {
	Name, Qualifier string
	Affinity        sessions.Affinity
	Source          string          // of its instances: static, …
	Table           *sessions.Table // nil for a function without sessions
	Versions        []string        // of an alias: the qualifiers whose instances serve it, sorted; nil: it has instances of its own
	// Issue gives the client of a session that was made for it what it has to present, if that is more than the ID: a
	// signed cookie. secure says that it came over TLS.
	Issue func(h http.Header, s sessions.Session, secure bool)
	// DrainDeadline is how long sessions may stay on an instance whose drain names no deadline.
	DrainDeadline time.Duration
	// InFlight is how many requests of this replica run on an instance; nil: none.
	InFlight func(instance string) int
	// Refresh makes this replica hear at once of what was marked; nil: it hears in a moment.
	Refresh func()
}

// strangerLines bounds the audit lines a second about writes without a good key: whoever guesses is to be seen, but must
// not fill the log.
const strangerLines = 10

// MinSharedSecret is how many bytes SessionAPI.Secret has at least.
const MinSharedSecret = 32

// New returns the API ready to serve. An error is about the secret: with a short or an empty one, anybody could make
// page tokens and guess the session IDs that are derived.
func (a SessionAPI) New() (*SessionAPI, error) {
	if len(a.Secret) < MinSharedSecret {
		return nil, fmt.Errorf("session API: the secret has %d bytes, it needs at least %d", len(a.Secret), MinSharedSecret)
	}
	var err error
	if a.tokens, err = newTokens(a.Secret); err != nil {
		return nil, err
	}
	a.strangers = rate.NewLimiter(strangerLines, strangerLines)
	a.held = make(chan struct{}, maxHeldBodies)
	a.MaxTTL.FC = cmp.Or(a.MaxTTL.FC, DefaultFCMaxTTL)
	a.MaxTTL.AgentCore = cmp.Or(a.MaxTTL.AgentCore, DefaultAgentCoreMaxTTL)
	if a.HashSession == nil {
		a.HashSession = func(string) string { return "" }
	}
	if a.Audit == nil {
		a.Audit = slog.New(slog.DiscardHandler)
	}
	return &a, nil
}

// lookup returns the one with that name and qualifier.
func (a *SessionAPI) lookup(name, qualifier string) (Function, *dialects.Error) {
	for _, f := range a.Functions() {
		if f.Name == name && f.Qualifier == qualifier {
			return f, nil
		}
	}
	return Function{}, dialects.FunctionNotFound(name, qualifier)
}

// versioned is lookup, for one that has instances of its own: an alias's are its versions', and two of those may have the
// same ID.
func (a *SessionAPI) versioned(name, qualifier string) (Function, *dialects.Error) {
	f, err := a.lookup(name, qualifier)
	if err == nil && len(f.Versions) > 0 {
		err = dialects.Invalid("qualifier", qualifier+" is an alias, accepted is the version of the instance: "+strings.Join(f.Versions, ", "))
	}
	return f, err
}

// known says whether a function of that name is configured, with whatever qualifier.
func (a *SessionAPI) known(name string) *dialects.Error {
	if slices.ContainsFunc(a.Functions(), func(f Function) bool { return f.Name == name }) {
		return nil
	}
	e := dialects.FunctionNotFound(name, "")
	e.Message = "there is no such function"
	return e
}

// sessionful is lookup, for one that has sessions.
func (a *SessionAPI) sessionful(name, qualifier string) (Function, *dialects.Error) {
	f, err := a.lookup(name, qualifier)
	if err == nil && f.Table == nil {
		err = dialects.Invalid("functionName", "the function has affinity NONE, and so no sessions")
	}
	return f, err
}
