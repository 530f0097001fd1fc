package affinity

import "net/http"

// headerRule is HEADER_FIELD: the client chooses the ID, or takes the one it is given.
type headerRule struct {
	name string // canonical
	max  int    // length in bytes of the longest ID
	long bool   // IDs that are made have longIDLength digits
}

// Extract needs no search for other spellings of the name: net/http gathers them all under the canonical one.
func (h headerRule) Extract(r *http.Request) (Claim, error) {
	if len(r.Header[h.name]) == 0 {
		return h.fresh(), nil
	}
	id, err := h.find(r)
	return Claim{ID: id}, err
}

// fresh is the claim of a request without an ID.
func (h headerRule) fresh() Claim {
	if h.long {
		return Claim{ID: newLongID(), Fresh: true}
	}
	return Claim{ID: NewID(), Fresh: true}
}

// find returns the ID in the header, "" if there is none.
func (h headerRule) find(r *http.Request) (string, error) {
	values := r.Header[h.name]
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1:
		// Equal or not: whoever read the first and whoever read the last must never have disagreed.
		return "", givenTwice("header "+h.name, len(values))
	case !validIDOf(values[0], h.max):
		return "", illFormed("header "+h.name, h.max)
	}
	return values[0], nil
}

// Forward also drops look-alikes of the configured header. An instance behind CGI or WSGI reads X_Session_Id and
// X-Session-Id as one variable: a client could send its own session's ID in the one, to be routed, and another's in
// the other, to be served.
func (h headerRule) Forward(out http.Header, id string) {
	h.dropLookAlikes(out)
	out[h.name] = []string{id}
}

func (h headerRule) dropLookAlikes(out http.Header) {
	for name := range out {
		if name != h.name && sameVariable(name, h.name) {
			delete(out, name)
		}
	}
}

func (h headerRule) Respond(header http.Header, g Grant) {
	delete(header, h.name)
	if g.ID == "" {
		return
	}
	header[h.name] = []string{g.ID}
	if g.Issue {
		// A shared cache would hand the new ID to everybody: one session for all of them.
		makePrivate(header)
	}
}

func (h headerRule) Header() string { return h.name }

// sameVariable reports whether a CGI-like server could make one variable of two header names. It ignores case and turns
// hyphens into underscores (RFC 3875, section 4.1.18); some turn all that is neither letter nor digit.
func sameVariable(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if variableByte(a[i]) != variableByte(b[i]) {
			return false
		}
	}
	return true
}

func variableByte(c byte) byte {
	switch {
	case isLetter(c):
		return c | 0x20
	case isDigit(c):
		return c
	default:
		return '_'
	}
}
