package load

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// DefaultCarrier is Limpet's own default: the client names its session in this header.
const DefaultCarrier = "header:X-Session-Id"

// ErrCarrier means that a text names no way in which a client carries its session.
var ErrCarrier = errors.New("not a carrier of sessions")

// Carrier is how a client tells the proxy which session a request belongs to.
type Carrier struct {
	kind   carrierKind
	header string // canonical
	site   string // by cookie: the host that all targets are to a client, whatever their URLs say; "": each is its own
}

type carrierKind uint8

const (
	byHeader carrierKind = iota // an ID of the client's own
	byGiven                     // the ID that the first response gave
	byCookie                    // a cookie jar for each session
)

// ParseCarrier reads header:NAME (the client makes the ID and sends it in this header), given:NAME (the proxy gives
// the ID in this header of a response, and the client sends it from then on) or cookie (each session has a cookie jar
// of its own). ErrCarrier.
func ParseCarrier(text string) (Carrier, error) {
	kind, name, _ := strings.Cut(text, ":")
	valid := httpguts.ValidHeaderFieldName(name)
	switch {
	case text == "cookie":
		return Carrier{kind: byCookie}, nil
	case kind == "header" && valid:
		return Carrier{kind: byHeader, header: http.CanonicalHeaderKey(name)}, nil
	case kind == "given" && valid:
		return Carrier{kind: byGiven, header: http.CanonicalHeaderKey(name)}, nil
	}
	return Carrier{}, fmt.Errorf("%w: %.80q, accepted are header:NAME, given:NAME and cookie", ErrCarrier, text)
}

// String returns the text that ParseCarrier reads.
func (c Carrier) String() string {
	switch c.kind {
	case byGiven:
		return "given:" + c.header
	case byCookie:
		return "cookie"
	}
	return "header:" + c.header
}

// begin makes s a new session's client side; id is what it would call itself.
func (c Carrier) begin(s *session, id string) {
	switch c.kind {
	case byHeader:
		s.id = id
	case byGiven: // named by the first response
	case byCookie:
		s.jar, _ = cookiejar.New(nil) // fails for no options
	}
}

// stamp appends the header lines that carry the session.
func (c Carrier) stamp(head []byte, s *session, target *url.URL) []byte {
	if c.kind == byCookie {
		return c.stampCookies(head, s, target)
	}
	if s.id == "" {
		return head
	}
	return appendHeader(head, c.header, s.id)
}

// learn takes in what a response says of the session's ID. renamed says that the session had another one before: to the
// client it goes on, under the new name.
func (c Carrier) learn(s *session, target *url.URL, header http.Header) (renamed bool) {
	switch c.kind {
	case byHeader:
	case byGiven:
		if id := header.Get(c.header); id != "" && id != s.id && httpguts.ValidHeaderFieldValue(id) {
			renamed, s.id = s.id != "", id
		}
	case byCookie:
		renamed = c.learnCookies(s, target, header)
	}
	if renamed {
		s.state.Renamed()
	}
	return renamed
}

func appendHeader(head []byte, name, value string) []byte {
	head = append(head, name...)
	head = append(head, ": "...)
	head = append(head, value...)
	return append(head, "\r\n"...)
}
