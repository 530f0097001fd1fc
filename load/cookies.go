package load

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

const (
	// maxCookies is how many cookies a session takes, and maxCookie how long each may be, name and value, in bytes: what
	// browsers take at least (RFC 6265, section 6.1). A target that gave more would fill the memory.
	maxCookies = 50
	maxCookie  = 4 << 10
)

// place is the URL by which a session's jar knows a target.
func (c Carrier) place(target *url.URL) *url.URL {
	if c.site == "" {
		return target
	}
	return &url.URL{Scheme: target.Scheme, Host: c.site, Path: target.Path}
}

// stampCookies sends each cookie as it came, quotes and all: to the target another spelling may be another session.
func (c Carrier) stampCookies(head []byte, s *session, target *url.URL) []byte {
	cookies := s.jar.Cookies(c.place(target))
	if len(cookies) == 0 {
		return head
	}
	pairs := make([]string, 0, len(cookies))
	for _, cookie := range cookies {
		pairs = append(pairs, cookie.Name+"="+cookie.Value)
	}
	return appendHeader(head, "Cookie", strings.Join(pairs, "; "))
}

func (c Carrier) learnCookies(s *session, target *url.URL, header http.Header) (renamed bool) {
	var given []*http.Cookie
	for _, line := range header["Set-Cookie"] {
		if cookie := readCookie(line); cookie != nil && s.takes(cookie) {
			given = append(given, cookie)
		}
	}
	if len(given) == 0 {
		return false
	}
	s.jar.SetCookies(c.place(target), given)
	return s.nameByCookie(given)
}

// readCookie reads a Set-Cookie line as browsers do (RFC 6265, section 5.2), which net/http does not: it drops a cookie
// whose value has a quote, a backslash or a byte past ASCII. nil: there is none, or none that may go into a header.
func readCookie(line string) *http.Cookie {
	pair, attributes, _ := strings.Cut(line, ";")
	name, value, named := strings.Cut(pair, "=")
	name, value = strings.Trim(name, " \t"), strings.Trim(value, " \t")
	if !named || name == "" || len(name)+len(value) > maxCookie || !httpguts.ValidHeaderFieldValue(pair) {
		return nil
	}
	cookie, err := http.ParseSetCookie("name=value;" + attributes)
	if err != nil {
		return nil
	}
	cookie.Name, cookie.Value = name, value
	return cookie
}

// takes says whether the session takes the cookie, of which it has at most maxCookies.
func (s *session) takes(c *http.Cookie) bool {
	key := c.Name + ";" + c.Domain + ";" + c.Path
	if _, known := s.cookies[key]; !known && len(s.cookies) >= maxCookies {
		return false
	}
	if s.cookies == nil {
		s.cookies = map[string]struct{}{}
	}
	s.cookies[key] = struct{}{}
	return true
}

// nameByCookie names the session, for reports, by the first cookie that it was ever given.
func (s *session) nameByCookie(cookies []*http.Cookie) (renamed bool) {
	for _, cookie := range cookies {
		id := cookie.Name + "=" + cookie.Value
		name, _, _ := strings.Cut(s.id, "=")
		switch {
		case deletes(cookie):
		case s.id == "":
			s.id = id
			return false
		case cookie.Name == name && id != s.id:
			s.id = id
			return true
		}
	}
	return false
}

// deletes says whether a cookie is set only to take it away.
func deletes(c *http.Cookie) bool {
	return c.MaxAge < 0 || c.MaxAge == 0 && !c.Expires.IsZero() && !c.Expires.After(time.Now())
}
