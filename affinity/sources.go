package affinity

import "net/http"

// sourcesRule is HEADER_FIELD with a list of places: the first that has an ID names the session. What the later ones say
// does not count; the instance is told whose request it is in Limpet-Session-Id.
type sourcesRule struct {
	told    headerRule // where an ID that was made here is told
	places  []place    // in order
	headers []headerRule
}

// newSourcesRule returns the rule of c.Sources, which are valid and not empty.
func newSourcesRule(c Config) Rule {
	s := sourcesRule{told: newHeaderRule(c.Header)}
	for _, source := range c.Sources {
		p := source.place()
		s.places = append(s.places, p)
		if h, ok := p.(headerRule); ok {
			s.headers = append(s.headers, h)
		}
	}
	if name := c.appCookie(); name != "" {
		return appCookieRule{s, name}
	}
	return s
}

func (s sourcesRule) Extract(r *http.Request) (Claim, error) {
	if id, err := s.find(r); err != nil || id != "" {
		return Claim{ID: id}, err
	}
	return s.told.fresh(), nil
}

// find looks no further than the first place that has something: an ill-formed ID there is an error and not a reason to
// look on, or a client that errs would change its session without a word.
func (s sourcesRule) find(r *http.Request) (string, error) {
	for _, p := range s.places {
		if id, err := p.find(r); err != nil || id != "" {
			return id, err
		}
	}
	return "", nil
}

// Forward leaves query, path and cookies as they came.
func (s sourcesRule) Forward(out http.Header, id string) {
	s.overwrite(out, id)
	s.told.Forward(out, id)
}

// overwrite makes the headers that could name the session name this one, where they are there: an instance may read them.
func (s sourcesRule) overwrite(out http.Header, id string) {
	for _, h := range s.headers {
		h.dropLookAlikes(out)
		if len(out[h.name]) > 0 {
			out[h.name] = []string{id}
		}
	}
}

func (s sourcesRule) Respond(h http.Header, g Grant) {
	s.hush(h)
	s.told.Respond(h, g)
}

// hush takes out what the instance says in headers that could name the session.
func (s sourcesRule) hush(h http.Header) {
	for _, source := range s.headers {
		delete(h, source.name)
	}
}

// Header returns the header that IDs are told in.
func (s sourcesRule) Header() string { return s.told.name }
