package affinity

import (
	"errors"
	"net/http"
)

// ErrIssued means that an instance issued a session ID that can be none. It is wrapped by a text for the log: the client
// has done nothing wrong.
var ErrIssued = errors.New("the instance issued an unusable session ID")

// ErrUnusable means that an instance gave a session an ID that can be none, and that its response is to reach the client
// all the same. It is wrapped by a text for the log, without the ID.
var ErrUnusable = errors.New("the instance gave a session an ID that is not used")

// Learner is a Rule whose session IDs the instances choose: its claims may have Reserve set. It is safe for concurrent
// use.
type Learner interface {
	// Learn returns the ID that an instance issued with its response to a request whose claim had Reserve set; "" if it
	// issued none, and the request has no session. It reads the head only, and before Respond, which may change it. The
	// error wraps ErrIssued or ErrUnusable.
	Learn(res *http.Response) (id string, err error)
}

// StreamLearner is a Rule whose session IDs the instances choose as well, and tell in the body of an event stream. The
// session ends with its stream. It is safe for concurrent use.
type StreamLearner interface {
	// LearnStream returns what reads the ID in the body of a response to a request whose claim had Reserve set; nil if it
	// begins no session. The body must not be compressed: the request is to accept no coding. The error wraps ErrIssued.
	LearnStream(res *http.Response) (*EndpointReader, error)
}

// Renamer is a Rule whose instances may give a session another ID while it lives. It is safe for concurrent use.
type Renamer interface {
	// Renamed returns the ID by which the client will name the session of this ID from the response on; "" if by the same.
	// instead says that it will not use the other one any more. It reads the heads only, and before Respond. The error
	// wraps ErrUnusable.
	Renamed(res *http.Response, id string) (next string, instead bool, err error)
}

// Ender is a Rule whose messages say when a session is over. It is safe for concurrent use.
type Ender interface {
	// Ends says whether a response, to a request that named the session, means that the instance has it no more, and
	// whether the client asked for that.
	Ends(res *http.Response) (over, asked bool)
}
