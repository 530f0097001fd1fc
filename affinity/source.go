package affinity

import (
	"fmt"
	"net/http"
)

// MaxSources is how many places HEADER_FIELD may look for an ID in: each costs every request a look.
const MaxSources = 8

// Source is one place of a request that may have the session's ID: an item of the key functions[].affinity.sources. It
// has exactly one of the fields.
type Source struct {
	Header string `yaml:"header,omitempty"` // a header's name, by the rules of Config.Header
	Query  string `yaml:"query,omitempty"`  // a parameter's name
	Path   string `yaml:"path,omitempty"`   // a template such as /rooms/{id}, the beginning of a path
	Cookie string `yaml:"cookie,omitempty"` // the name of a cookie that the application sets
}

// place reads the ID in one place of a request. It is safe for concurrent use.
type place interface {
	// find returns the ID, "" where the place has none. The error wraps ErrInvalid.
	find(r *http.Request) (string, error)
}

// place returns what reads the source, which is valid.
func (s Source) place() place {
	switch {
	case s.Header != "":
		return newHeaderRule(s.Header)
	case s.Query != "":
		return queryPlace{s.Query}
	case s.Path != "":
		return newPathPlace(s.Path)
	default:
		return cookiePlace{s.Cookie}
	}
}

// checked returns the only one of the values that a place has, if it is an ID; what names the place in an error. A
// place that is given twice is refused, equal or not: whoever read the first and whoever read the last must never have
// disagreed.
func checked(what, value string, given int) (string, error) {
	switch {
	case given > 1:
		return "", givenTwice(what, given)
	case !validID(value):
		return "", illFormed(what, MaxIDLength)
	}
	return value, nil
}

func givenTwice(what string, given int) error {
	return fmt.Errorf("%w: %s is given %d times, accepted is once", ErrInvalid, what, given)
}

func illFormed(what string, longest int) error {
	return fmt.Errorf("%w: %s accepts 1 to %d letters, digits, _ and -, not beginning with -", ErrInvalid, what, longest)
}

// validateSources asks of each source for one place, and of all for different ones. Of two cookies nobody could say
// which the instance is to set, so there is one at most.
func (c Config) validateSources(report func(key, problem string)) {
	if len(c.Sources) > MaxSources {
		report("sources", fmt.Sprintf("has %d items, accepted are %d at most", len(c.Sources), MaxSources))
		return
	}
	cookie := ""
	for i, s := range c.Sources {
		key := fmt.Sprintf("sources[%d]", i)
		if field, problem := s.problem(); problem != "" {
			report(key+field, problem)
			continue
		}
		for j, other := range c.Sources[:i] {
			if s.folded() == other.folded() {
				report(key, fmt.Sprintf("is the same place as sources[%d], accepted is each place once", j))
			}
		}
		switch {
		case s.Cookie == "":
		case cookie != "":
			report(key+".cookie", fmt.Sprintf("is a second cookie beside %s, accepted is one", cookie))
		default:
			cookie = s.Cookie
		}
	}
}

// problem returns what is wrong with the source, and with which of its fields: "" with all together.
func (s Source) problem() (field, problem string) {
	given := 0
	for _, value := range [...]string{s.Header, s.Query, s.Path, s.Cookie} {
		if value != "" {
			given++
		}
	}
	switch {
	case given != 1:
		return "", fmt.Sprintf("names %d places, accepted is one of header, query, path and cookie", given)
	case s.Header != "":
		return ".header", headerNameProblem(s.Header)
	case s.Query != "":
		return ".query", queryNameProblem(s.Query)
	case s.Path != "":
		return ".path", templateProblem(s.Path)
	default:
		return ".cookie", cookieNameProblem(s.Cookie)
	}
}

// folded is the source in the form in which two of the same place are equal.
func (s Source) folded() Source {
	s.Header = http.CanonicalHeaderKey(s.Header)
	if s.Path != "" {
		s.Path = newPathPlace(s.Path).template()
	}
	return s
}

// appCookie returns the name of the cookie among the sources, "" if there is none.
func (c Config) appCookie() string {
	for _, s := range c.Sources {
		if s.Cookie != "" {
			return s.Cookie
		}
	}
	return ""
}

// HideID returns a request's decoded path without the session's ID, for a log: whoever has the ID has the session.
func (c Config) HideID(path string) string {
	for _, s := range c.Sources {
		if s.Path != "" {
			path = newPathPlace(s.Path).hide(path)
		}
	}
	return path
}
