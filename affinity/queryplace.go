package affinity

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// MaxQueryName is the length in bytes of the longest name of a query parameter that may hold an ID.
const MaxQueryName = 64

// queryPlace is a parameter of the query, as net/url reads it: pairs between &, name and value percent-decoded once, +
// for a blank. A pair that it cannot decode has no part in it. Names are compared as they are written, without regard
// to how an instance's language may fold them.
type queryPlace struct{ name string }

func (q queryPlace) find(r *http.Request) (string, error) {
	value, given, err := q.read(r.URL.RawQuery)
	if err != nil || given == 0 {
		return "", err
	}
	return checked(q.String(), value, given)
}

// read returns the value of the last pair with the parameter, "" where it cannot be decoded, and how many pairs have it.
//
// It refuses the parameter where it shares a pair with a semicolon. net/url drops such a pair, others split it: a client
// could have its session found in one pair, and another's read from the half of a second.
func (q queryPlace) read(query string) (value string, given int, err error) {
	for pair := range strings.SplitSeq(query, "&") {
		if strings.IndexByte(pair, ';') >= 0 {
			if q.inHalves(pair) {
				return "", 0, fmt.Errorf("%w: %s shares its pair with a semicolon, accepted are pairs between &", ErrInvalid, q)
			}
			continue
		}
		if name, encoded, _ := strings.Cut(pair, "="); q.named(name) {
			given++
			value, _ = url.QueryUnescape(encoded)
		}
	}
	return value, given, nil
}

func (q queryPlace) inHalves(pair string) bool {
	for half := range strings.SplitSeq(pair, ";") {
		if name, _, _ := strings.Cut(half, "="); q.named(name) {
			return true
		}
	}
	return false
}

func (q queryPlace) named(encoded string) bool {
	name, err := url.QueryUnescape(encoded)
	return err == nil && name == q.name
}

// String names the place in an error.
func (q queryPlace) String() string { return "query parameter " + q.name }

func queryNameProblem(name string) string {
	if name == "" || len(name) > MaxQueryName {
		return fmt.Sprintf("has %d characters, accepted are 1 to %d", len(name), MaxQueryName)
	}
	for i := range len(name) {
		if c := name[i]; !isAlphanumeric(c) && c != '-' && c != '_' && c != '.' {
			return fmt.Sprintf("has the character %q, accepted are letters, digits, -, _ and .", c)
		}
	}
	return ""
}
