package affinity

import (
	"fmt"
	"net/url"
	"strings"
)

const (
	// MaxEndpoint is the length in bytes of the longest URI that an endpoint event may have: room for an ID of MaxMCPID,
	// percent-encoded, and for a path.
	MaxEndpoint = 8 << 10
	// MaxBeforeEndpoint is how many bytes of a stream may pass before its endpoint event is complete. The protocol has it
	// as the first event; comments and others before it are tolerated.
	MaxBeforeEndpoint = 64 << 10
)

// endpointEvent is the type of the event (Model Context Protocol, revision 2024-11-05, "Transports", "HTTP with SSE").
const endpointEvent = "endpoint"

// EndpointReader reads the session's ID in an event stream of MCP's, as it passes. It is not safe for concurrent use.
type EndpointReader struct {
	stream eventStream
	params []queryPlace
	passed int
	done   bool
}

func newEndpointReader(params []queryPlace) *EndpointReader {
	return &EndpointReader{stream: eventStream{kind: endpointEvent, max: MaxEndpoint}, params: params}
}

// Feed takes in what the stream has next. It returns the ID with the piece that completes the first endpoint event, and ""
// with all others. The error wraps ErrIssued: the event has no ID that can be one, or did not come in time.
func (e *EndpointReader) Feed(p []byte) (id string, err error) {
	if e.done {
		return "", nil
	}
	read, found := e.stream.feed(p)
	e.passed += read
	switch {
	case e.passed > MaxBeforeEndpoint:
		err = fmt.Errorf("%w: no endpoint event in %d bytes of the stream", ErrIssued, MaxBeforeEndpoint)
	case !found:
		return "", nil
	case e.stream.over:
		err = fmt.Errorf("%w: the endpoint event has more than %d bytes", ErrIssued, MaxEndpoint)
	default:
		id, err = e.idOf(string(e.stream.data))
	}
	e.done = true
	return id, err
}

// Done says whether the ID was found, or an error in its place.
func (e *EndpointReader) Done() bool { return e.done }

// idOf reads the ID in an endpoint's URI, absolute or relative, as it will be read in the requests that are sent to it.
func (e *EndpointReader) idOf(uri string) (string, error) {
	u, err := url.Parse(strings.Trim(uri, blanks))
	if err != nil {
		return "", fmt.Errorf("%w: the endpoint event has no URI", ErrIssued)
	}
	id, err := mcpIDIn(u.RawQuery, e.params)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: in the endpoint event, %s", ErrIssued, err) // not ErrInvalid: it is no client's fault
	case id == "":
		return "", fmt.Errorf("%w: the endpoint event's URI has none of the parameters %s, see affinity.sse_params",
			ErrIssued, names(e.params))
	}
	return id, nil
}

// mcpIDIn returns the ID in the first of the parameters that the query has; "" if it has none. The error wraps ErrInvalid.
func mcpIDIn(query string, params []queryPlace) (string, error) {
	for _, p := range params {
		value, given, err := p.read(query)
		switch {
		case err != nil:
			return "", err
		case given > 1:
			return "", givenTwice(p.String(), given)
		case given == 1 && !validMCPID(value):
			return "", fmt.Errorf("%w: %s accepts 1 to %d visible ASCII characters", ErrInvalid, p, MaxMCPID)
		case given == 1:
			return value, nil
		}
	}
	return "", nil
}

func names(params []queryPlace) string {
	all := make([]string, len(params))
	for i, p := range params {
		all[i] = p.name
	}
	return strings.Join(all, ", ")
}
