package affinity

import (
	"net/http"
	"strings"
	"time"
)

// learnCookie returns the value of the cookie that a response gives its client, as a browser would keep it. ok is false
// where the response does not set it, or takes it away. Of several lines the last counts, as it does for browsers; that
// they could differ in domain and path, and a browser keep both, does not matter: it would send both, which is refused.
func learnCookie(h http.Header, name string) (value string, ok bool) {
	now := time.Now()
	for _, line := range h["Set-Cookie"] {
		if setsCookie(line, name) {
			value, ok = cookieOf(line, now)
		}
	}
	return value, ok
}

// cookieOf reads the value in a Set-Cookie line, by the algorithm that browsers follow (RFC 6265, section 5.2). ok is
// false if the line removes the cookie: Max-Age of 0 or less or, without Max-Age, an Expires that has passed.
func cookieOf(line string, now time.Time) (value string, ok bool) {
	pair, attributes, _ := strings.Cut(line, ";")
	_, value, _ = strings.Cut(strings.TrimLeft(pair, "="+blanks), "=")
	aged, expired := false, false
	for attribute := range strings.SplitSeq(attributes, ";") {
		name, text, _ := strings.Cut(attribute, "=")
		text = strings.Trim(text, blanks)
		switch name = strings.Trim(name, blanks); {
		case strings.EqualFold(name, "Max-Age") && isMaxAge(text):
			aged, expired = true, text[0] == '-' || strings.Trim(text, "0") == ""
		case strings.EqualFold(name, "Expires") && !aged:
			at, err := http.ParseTime(strings.ReplaceAll(text, "-", " "))
			expired = err == nil && !at.After(now)
		}
	}
	return strings.Trim(value, blanks), !expired
}

// isMaxAge reports whether a browser takes the text for a Max-Age (RFC 6265, section 5.2.2).
func isMaxAge(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}
