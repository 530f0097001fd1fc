package signature

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// target returns path and query as the client sent them. Only the raw bytes will do: the schemes sign an escaped path,
// and one URL.Path has many of those. In a request for an absolute URL, as to a forward proxy, or that was not read from
// a connection, the URL has the next best.
func target(r *http.Request) (path, query string) {
	if strings.HasPrefix(r.RequestURI, "/") {
		path, query, _ = strings.Cut(r.RequestURI, "?")
		return path, query
	}
	path = r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	return path, r.URL.RawQuery
}

// parameter is one of a query, unescaped.
type parameter struct{ name, value string }

// parameters reads a query as url.ParseQuery does, but refuses what that drops or ignores: a handler must not see another
// query than the one that was signed.
func parameters(query string) ([]parameter, error) {
	if query == "" {
		return nil, nil
	}
	pairs := strings.SplitN(query, "&", maxParameters+1)
	if len(pairs) > maxParameters {
		return nil, malformed("the query has too many parameters")
	}
	all := make([]parameter, len(pairs))
	for i, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		var okName, okValue bool
		all[i].name, okName = unescape(name)
		all[i].value, okValue = unescape(value)
		if !okName || !okValue || all[i].name == "" || strings.Contains(pair, ";") {
			return nil, malformed("the query is ill-formed")
		}
	}
	return all, nil
}

func unescape(text string) (string, bool) {
	plain, err := url.QueryUnescape(text)
	return plain, err == nil
}

// escape percent-encodes all but what RFC 3986, section 2.3, calls unreserved, and what keep names.
func escape(text, keep string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(text))
	for i := range len(text) {
		c := text[i]
		if isUnreserved(c) || strings.IndexByte(keep, c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', digits[c>>4], digits[c&15]})
	}
	return b.String()
}

// join writes a query of pairs that are escaped already, sorted by name and then by value.
func join(pairs []parameter) string {
	slices.SortFunc(pairs, func(a, b parameter) int {
		if order := strings.Compare(a.name, b.name); order != 0 {
			return order
		}
		return strings.Compare(a.value, b.value)
	})
	var b strings.Builder
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.name)
		b.WriteByte('=')
		b.WriteString(p.value)
	}
	return b.String()
}
