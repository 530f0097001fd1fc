package affinity

import (
	"fmt"
	"mime"
	"net/http"
	"strings"
)

// sseRule is MCP_SSE, MCP's older transport (revision 2024-11-05): a GET opens a stream, whose first event names the
// session in the URI that the client is to send its messages to.
type sseRule struct {
	path   string // of the stream, without a slash at its end
	params []queryPlace
}

func newSSERule(c Config) sseRule {
	rule := sseRule{path: strings.TrimSuffix(c.SSEPath, "/")}
	for _, name := range c.SSEParams {
		rule.params = append(rule.params, queryPlace{name})
	}
	return rule
}

// Extract has an ID count for a session that is there, and for nothing else: its stream is where the answer goes. A POST to
// the stream's own path without one is what clients of the newer transport try first; they go on with a GET when it fails.
// Elsewhere it may be another's business, such as a token for the client (OAuth), and a message without its ID is the
// instance's to refuse.
func (s sseRule) Extract(r *http.Request) (Claim, error) {
	opens := strings.TrimSuffix(r.URL.Path, "/") == s.path
	switch {
	case r.Method == http.MethodGet && opens:
		return Claim{Reserve: true}, nil
	case r.Method != http.MethodPost:
		return Claim{}, nil
	}
	id, err := mcpIDIn(r.URL.RawQuery, s.params)
	switch {
	case err != nil:
		return Claim{}, err
	case id == "" && opens:
		return Claim{}, fmt.Errorf("%w: the session's query parameter is missing, accepted are %s", ErrInvalid, names(s.params))
	}
	return Claim{ID: id, Existing: id != ""}, nil
}

// Forward has nothing to do: the ID is in the query, which stays as it came.
func (sseRule) Forward(http.Header, string) {}

// Respond has nothing to tell: the ID is in the stream.
func (sseRule) Respond(http.Header, Grant) {}

func (sseRule) Header() string { return "" }

// LearnStream returns a reader of the response's body, nil if that is no stream that could begin a session. One that is
// compressed cannot be read.
func (s sseRule) LearnStream(res *http.Response) (*EndpointReader, error) {
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if !isSuccess(res) || kind != "text/event-stream" {
		return nil, nil
	}
	for _, coding := range res.Header["Content-Encoding"] {
		if !strings.EqualFold(strings.TrimSpace(coding), "identity") {
			return nil, fmt.Errorf("%w: the event stream is compressed, which it was asked not to be", ErrIssued)
		}
	}
	return newEndpointReader(s.params), nil
}
