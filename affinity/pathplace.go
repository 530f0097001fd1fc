package affinity

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// idSegment is the segment of a template that stands for the ID.
const idSegment = "{id}"

// MaxTemplate is the length in bytes of the longest template of a path.
const MaxTemplate = 256

// pathPlace is a segment of the path, by a template that is compared segment by segment with the beginning of the
// request's path. A slash at the template's end changes nothing.
type pathPlace struct {
	before, after []string // the template's segments around the ID
}

func newPathPlace(template string) pathPlace {
	segments := strings.Split(strings.Trim(template, "/"), "/")
	for i, s := range segments {
		if s == idSegment {
			return pathPlace{segments[:i], segments[i+1:]}
		}
	}
	return pathPlace{}
}

// find reads the path twice: split at its slashes and then decoded, and the other way round with its dots and empty
// segments resolved. Both are in use in instances and in what stands before them. Where the two differ, a client could
// have its session found by the one and be served another's by the other: such a path is refused.
func (p pathPlace) find(r *http.Request) (string, error) {
	id, found := p.match(r.URL.EscapedPath(), url.PathUnescape)
	cleaned, again := p.match(path.Clean(r.URL.Path), asItIs)
	switch {
	case found != again || id != cleaned:
		return "", fmt.Errorf("%w: %s can be read in two ways, accepted is a path without encoded slashes, empty segments and dots", ErrInvalid, p)
	case !found:
		return "", nil
	case !validID(id):
		return "", illFormed(p.String(), MaxIDLength)
	}
	return id, nil
}

func asItIs(s string) (string, error) { return s, nil }

// match returns the segment of the path that the template has for the ID. One that is empty is none: the path is of
// what the IDs are kept in.
func (p pathPlace) match(escaped string, decode func(string) (string, error)) (id string, found bool) {
	rest, ok := matchSegments(strings.TrimPrefix(escaped, "/"), p.before, decode)
	if !ok {
		return "", false
	}
	segment, rest, _ := strings.Cut(rest, "/")
	if _, ok = matchSegments(rest, p.after, decode); !ok || segment == "" {
		return "", false
	}
	id, err := decode(segment)
	return id, err == nil
}

// matchSegments takes the segments off the beginning of a path, and returns what follows.
func matchSegments(path string, segments []string, decode func(string) (string, error)) (rest string, ok bool) {
	for _, want := range segments {
		segment, after, _ := strings.Cut(path, "/")
		if got, err := decode(segment); err != nil || got != want {
			return "", false
		}
		path = after
	}
	return path, true
}

// String names the place in an error.
func (p pathPlace) String() string { return "path " + p.template() }

// template is the text of the template, without a slash at its end.
func (p pathPlace) template() string {
	segments := append(append(append([]string{""}, p.before...), idSegment), p.after...)
	return strings.Join(segments, "/")
}

// templateProblem asks for plain segments, for they are compared with decoded ones.
func templateProblem(template string) string {
	const accepted = "accepted is a path with one segment " + idSegment + ", such as /rooms/" + idSegment
	switch {
	case len(template) > MaxTemplate:
		return fmt.Sprintf("has %d characters, accepted are 1 to %d", len(template), MaxTemplate)
	case !strings.HasPrefix(template, "/"):
		return fmt.Sprintf("%.80q does not begin with /, %s", template, accepted)
	}
	ids := 0
	for segment := range strings.SplitSeq(strings.TrimSuffix(template[1:], "/"), "/") {
		switch {
		case segment == idSegment:
			ids++
		case segment == "" || segment == "." || segment == ".." || strings.ContainsFunc(segment, notPlain):
			return fmt.Sprintf("has the segment %.80q, accepted are letters, digits and -._~!$&'()*+,=:@", segment)
		}
	}
	if ids != 1 {
		return fmt.Sprintf("has %d segments %s, %s", ids, idSegment, accepted)
	}
	return ""
}

// notPlain is true of what a segment of a URL has to percent-encode, and of the semicolon, which begins parameters.
func notPlain(r rune) bool {
	return r > '~' || !isAlphanumeric(byte(r)) && !strings.ContainsRune("-._~!$&'()*+,=:@", r)
}

// hide puts idSegment in the ID's place in a decoded path that matches.
func (p pathPlace) hide(path string) string {
	id, found := p.match(path, asItIs)
	if !found {
		return path
	}
	rest, _ := matchSegments(strings.TrimPrefix(path, "/"), p.before, asItIs)
	return path[:len(path)-len(rest)] + idSegment + rest[len(id):]
}
