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
	if c.kind != byCookie {
		if s.id == "" {
			return head
		}
		return appendHeader(head, c.header, s.id)
	}
	cookies := s.jar.Cookies(target)
	if len(cookies) == 0 {
		return head
	}
	var pairs []string
	for _, cookie := range cookies {
		pairs = append(pairs, cookie.Name+"="+cookie.Value)
	}
	return appendHeader(head, "Cookie", strings.Join(pairs, "; "))
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
		if cookies := (&http.Response{Header: header}).Cookies(); len(cookies) > 0 {
			s.jar.SetCookies(target, cookies)
			renamed = s.nameByCookie(cookies)
		}
	}
	return renamed
}

// nameByCookie names the session, for reports, by the first cookie that it was ever given.
func (s *session) nameByCookie(cookies []*http.Cookie) (renamed bool) {
	for _, cookie := range cookies {
		name, value, _ := strings.Cut(s.id, "=")
		switch {
		case s.id == "":
			s.id = cookie.Name + "=" + cookie.Value
			return false
		case cookie.Name == name && cookie.Value != value && cookie.MaxAge >= 0:
			s.id = cookie.Name + "=" + cookie.Value
			return true
		}
	}
	return false
}

func appendHeader(head []byte, name, value string) []byte {
	head = append(head, name...)
	head = append(head, ": "...)
	head = append(head, value...)
	return append(head, "\r\n"...)
}
