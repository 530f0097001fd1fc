package dialects

import (
	"net/http"
	"net/url"
	"strings"
)

// maxPath is the length in bytes of the longest path that is looked at: an ARN of 2048 bytes, percent-encoded, and the
// rest.
const maxPath = 8192

// Segments splits the request's path as it was sent, and decodes each segment: an ARN's slashes, percent-encoded, stay
// within theirs. It returns false for a path that is no absolute one, has a bad escape, or an empty, "." or ".."
// segment, which somebody on the way may have read otherwise. One slash at the end is nothing.
func Segments(r *http.Request) ([]string, bool) {
	path, found := strings.CutPrefix(r.URL.EscapedPath(), "/")
	if !found || len(path) > maxPath {
		return nil, false
	}
	segments := strings.Split(strings.TrimSuffix(path, "/"), "/")
	for i, raw := range segments {
		s, err := url.PathUnescape(raw)
		if err != nil || s == "" || s == "." || s == ".." {
			return nil, false
		}
		segments[i] = s
	}
	return segments, true
}
