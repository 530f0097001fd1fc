package affinity

import (
	"errors"
	"net/http"
)

// ErrIssued means that an instance issued a session ID that can be none. It is wrapped by a text for the log: the client
// has done nothing wrong.
var ErrIssued = errors.New("the instance issued an unusable session ID")

// Learner is a Rule whose session IDs the instances choose: its claims may have Reserve set. It is safe for concurrent
// use.
type Learner interface {
	// Learn returns the ID that an instance issued with its response to a request whose claim had Reserve set; "" if it
	// issued none, and the request has no session. It reads the head only, and before Respond, which may change it. The
	// error wraps ErrIssued.
	Learn(res *http.Response) (id string, err error)
}

// Ender is a Rule whose messages say when a session is over. It is safe for concurrent use.
type Ender interface {
	// Ends says whether a response, to a request that named the session, means that the instance has it no more, and
	// whether the client asked for that.
	Ends(res *http.Response) (over, asked bool)
}
