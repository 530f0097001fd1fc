package affinity

import "net/http"

// sourcesRule is HEADER_FIELD with a list of places: the first that has an ID names the session. What the later ones say
// does not count; the instance is told whose request it is in Limpet-Session-Id.
type sourcesRule struct {
	told    headerRule   // where an ID that was made here is told; not used with a cookie
	places  []place      // in order
	headers []headerRule // those among the places
	cookie  string       // that the instance is to set where no place has an ID; "": an ID is made here
}

func newSourcesRule(c Config) sourcesRule {
	s := sourcesRule{told: newHeaderRule(c.Header), cookie: c.cookie()}
	for _, source := range c.Sources {
		p := source.place()
		s.places = append(s.places, p)
		if h, ok := p.(headerRule); ok {
			s.headers = append(s.headers, h)
		}
	}
	return s
}

// Extract looks no further than the first place that has something: an ill-formed ID there is an error and not a reason
// to look on, or a client that errs would change its session without a word.
func (s sourcesRule) Extract(r *http.Request) (Claim, error) {
	for _, p := range s.places {
		if id, err := p.find(r); err != nil || id != "" {
			return Claim{ID: id}, err
		}
	}
	if s.cookie != "" {
		return Claim{Reserve: true}, nil
	}
	return s.told.fresh(), nil
}

// Forward leaves query, path and cookies as they came. Headers that could name the session name this one, where they
// are there: an instance may read them.
func (s sourcesRule) Forward(out http.Header, id string) {
	for _, h := range s.headers {
		given := len(out[h.name]) > 0
		h.dropLookAlikes(out)
		if given {
			out[h.name] = []string{id}
		}
	}
	if s.cookie == "" {
		s.told.Forward(out, id)
	}
}

// Respond tells the ID as HEADER_FIELD does. With a cookie it tells nothing: the ID may be that cookie's value, which
// scripts in a page may not be meant to read (HttpOnly), and which the application sets itself.
func (s sourcesRule) Respond(h http.Header, g Grant) {
	for _, source := range s.headers {
		delete(h, source.name)
	}
	if s.cookie == "" {
		s.told.Respond(h, g)
	} else if _, ok := learnCookie(h, s.cookie); ok {
		makePrivate(h)
	}
}

// Header returns the header that IDs are told in.
func (s sourcesRule) Header() string {
	if s.cookie != "" {
		return ""
	}
	return s.told.name
}
