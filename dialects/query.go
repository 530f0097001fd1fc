package dialects

import (
	"iter"
	"net/url"
	"strings"
)

// parameters yields the parameters of a raw query: the decoded name, and the value as it was sent. A name that cannot be
// decoded is yielded as it is.
func parameters(rawQuery string) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for pair := range strings.SplitSeq(rawQuery, "&") {
			name, value := parameter(pair)
			if pair != "" && !yield(name, value) {
				return
			}
		}
	}
}

func parameter(pair string) (name, value string) {
	raw, value, _ := strings.Cut(pair, "=")
	if name, err := url.QueryUnescape(raw); err == nil {
		return name, value
	}
	return raw, value
}

// DropParameters returns a raw query without the parameters that drop says, by their decoded names. The others stay byte
// for byte, in their order.
func DropParameters(rawQuery string, drop func(name string) bool) string {
	if rawQuery == "" {
		return ""
	}
	var kept []string
	for pair := range strings.SplitSeq(rawQuery, "&") {
		if name, _ := parameter(pair); !drop(name) {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&")
}
