package configs

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml/ast"
)

// field is a key of a struct: its name in YAML and its place in the struct, through inlined ones.
type field struct {
	name      string
	index     []int
	omitEmpty bool // not printed where it is not set
}

type fields []field

// fieldsOf returns the keys of a struct type, in its order.
func fieldsOf(t reflect.Type) fields {
	var all fields
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if options == "inline" {
			for _, inner := range fieldsOf(f.Type) {
				all = append(all, field{inner.name, append([]int{f.Index[0]}, inner.index...), inner.omitEmpty})
			}
			continue
		}
		all = append(all, field{name, f.Index, options == "omitempty"})
	}
	return all
}

func (fs fields) find(name string) (field, bool) {
	for _, f := range fs {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

func (fs fields) names() string {
	names := make([]string, len(fs))
	for i, f := range fs {
		names[i] = f.name
	}
	return strings.Join(names, ", ")
}

// keyName is the text of a mapping's key, fit for a message.
func keyName(n ast.Node) string {
	text := n.GetToken().Value
	if k, ok := n.(*ast.MappingKeyNode); ok {
		text = k.Value.GetToken().Value
	}
	if text == "" || len(text) > 60 || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) || r == ' ' }) {
		return fmt.Sprintf("%.60q", text)
	}
	return text
}

// unknown records a key that the struct does not have. A key that is nearly a known one keeps validation from
// saying that the known one is missing.
func (d *decoder) unknown(parent string, n ast.Node, known fields) {
	name, at := keyName(n), nodePosition(n)
	path := join(parent, name)
	if n.Type() == ast.MergeKeyType {
		d.fail(path, at, "is a merge key, accepted are the keys themselves: %s", known.names())
		return
	}
	if near := nearest(name, known); near != "" {
		d.fail(path, at, "is an unknown key, did you mean %s? Accepted are %s", near, known.names())
		d.broken = append(d.broken, join(parent, near))
		return
	}
	d.fail(path, at, "is an unknown key, accepted are %s", known.names())
}

// nearest returns the known key that is at most a third of its letters away from name, or "".
func nearest(name string, known fields) string {
	best, least := "", 0
	name = strings.ReplaceAll(strings.ToLower(name), "-", "_")
	for _, f := range known {
		d := distance(name, f.name)
		if strings.ReplaceAll(name, "_", "") == strings.ReplaceAll(f.name, "_", "") {
			d = 0
		}
		if d <= max(1, len(f.name)/3) && (best == "" || d < least) {
			best, least = f.name, d
		}
	}
	return best
}

// distance is how many letters have to be put in, taken out, replaced or swapped with the next to make b of a
// (Damerau and Levenshtein, in the variant that touches no letter twice).
func distance(a, b string) int {
	var before, last []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
