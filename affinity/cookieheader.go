package affinity

import (
	"iter"
	"strings"
)

// blanks surround names and values, and mean nothing. net/http lets no line ends in, but trims them as well.
const blanks = " \t\r\n"

// A Cookie header is pairs between semicolons (RFC 6265, section 4.2.1). Quotes protect no semicolon: the RFC gives them
// no meaning, no browser sends one inside a value, and net/http reads it so too. Extract and Forward share these
// functions, so that no cookie is seen by one and missed by the other.

// cookieValues yields the values of the cookies with this name in the Cookie lines of a request.
func cookieValues(lines []string, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range lines {
			for pair := range strings.SplitSeq(line, ";") {
				if cookieName(pair) != name {
					continue
				}
				_, value, _ := strings.Cut(pair, "=")
				if !yield(strings.TrimRight(value, blanks)) {
					return
				}
			}
		}
	}
}

// cookieName returns the name in a pair. A pair without "=" is its name: net/http, for one, reads it so.
func cookieName(pair string) string {
	name, _, _ := strings.Cut(pair, "=")
	return strings.Trim(name, blanks)
}

// stripCookie returns the lines without the cookies of this name, and without lines that have nothing left. It does not
// change the slice it is given, which may be shared with the client's request.
func stripCookie(lines []string, name string) []string {
	kept := make([]string, 0, len(lines))
	for _, line := range lines {
		if line = stripLine(line, name); strings.Trim(line, ";"+blanks) != "" {
			kept = append(kept, line)
		}
	}
	return kept
}

// stripLine cuts each pair of this name with one of its semicolons. All other bytes stay as they are.
func stripLine(line, name string) string {
	if !strings.Contains(line, name) {
		return line
	}
	var kept []string
	for pair := range strings.SplitSeq(line, ";") {
		if cookieName(pair) != name {
			kept = append(kept, pair)
		}
	}
	return strings.TrimLeft(strings.Join(kept, ";"), blanks)
}
