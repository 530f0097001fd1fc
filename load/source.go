package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/limpet-proxy/limpet/load/wire"
)

const (
	// DefaultFrom and DefaultCount are where limpet instance says who it is and what it has counted.
	DefaultFrom  = "header:Sample-Instance"
	DefaultCount = "header:Sample-Count"
	// MaxJudgedBody is the longest body that a JSON field is looked for in, in bytes.
	MaxJudgedBody = 64 << 10
	// MaxName bounds an instance's name, in bytes: a longer one is cut, and ends in a hash of the whole.
	MaxName = 128
)

// ErrSource means that a text names no place in a response.
var ErrSource = errors.New("not a place in a response")

// errMissing is why a response cannot be judged: it does not have what a Source looks for.
var errMissing = errors.New("missing")

// Source is a place in a response: a header, or a field of a JSON body. The zero Source is nowhere.
type Source struct {
	header string
	fields []string
}

// ParseSource reads header:NAME or json:FIELD.FIELD; "none" is the zero Source. ErrSource.
func ParseSource(text string) (Source, error) {
	kind, name, _ := strings.Cut(text, ":")
	switch {
	case text == "none":
		return Source{}, nil
	case kind == "header" && httpguts.ValidHeaderFieldName(name):
		return Source{header: http.CanonicalHeaderKey(name)}, nil
	case kind == "json" && name != "" && !strings.HasPrefix(name, ".") && !strings.HasSuffix(name, ".") && !strings.Contains(name, ".."):
		return Source{fields: strings.Split(name, ".")}, nil
	}
	return Source{}, fmt.Errorf("%w: %.80q, accepted are header:NAME, json:FIELD (json:OUTER.INNER) and none", ErrSource, text)
}

// IsZero says whether the Source is nowhere.
func (s Source) IsZero() bool { return s.header == "" && len(s.fields) == 0 }

// String returns the text that ParseSource reads.
func (s Source) String() string {
	switch {
	case s.header != "":
		return "header:" + s.header
	case len(s.fields) > 0:
		return "json:" + strings.Join(s.fields, ".")
	}
	return "none"
}

// needsBody says whether a response's body has to be kept to find it.
func (s Source) needsBody() bool { return len(s.fields) > 0 }

// find returns what stands there: a string, or a number or boolean as it is written. errMissing, with the reason.
func (s Source) find(r wire.Response) (string, error) {
	if s.header != "" {
		if v := r.Header[s.header]; len(v) == 1 && v[0] != "" {
			return v[0], nil
		}
		return "", fmt.Errorf("%w: the response has not one header %s", errMissing, s.header)
	}
	return s.findField(r)
}

func (s Source) findField(r wire.Response) (string, error) {
	if r.Body == nil {
		return "", fmt.Errorf("%w: the body is longer than the %d KiB in which %s is looked for", errMissing, MaxJudgedBody>>10, s)
	}
	value := json.RawMessage(r.Body)
	for _, name := range s.fields {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(value, &object); err != nil {
			return "", fmt.Errorf("%w: no JSON object has %s: %w", errMissing, s, err)
		}
		value = object[name]
	}
	text, ok := scalar(value)
	if !ok {
		return "", fmt.Errorf("%w: the JSON has no string or number at %s", errMissing, s)
	}
	return text, nil
}

// scalar returns the text of a JSON value that is no object, array or null.
func scalar(value json.RawMessage) (string, bool) {
	var text string
	switch {
	case len(value) == 0, value[0] == '{', value[0] == '[', string(value) == "null":
		return "", false
	case value[0] == '"':
		err := json.Unmarshal(value, &text)
		return text, err == nil && text != ""
	}
	return string(value), true
}
