package configs

import (
	"bufio"
	"encoding"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"

	"github.com/limpet-proxy/limpet/instances"
)

// Print writes the configuration as YAML, every key with the value in effect, in the order of the reference. Load
// reads it back as the same configuration. Secrets do not appear, only the names of their files. The error is w's.
func (c Config) Print(w io.Writer) error {
	p := printer{Writer: bufio.NewWriter(w)}
	p.fields(reflect.ValueOf(c), 0, "")
	return p.Flush()
}

type printer struct {
	*bufio.Writer
	own string // the variable that stays as it is in the present key's value, or ""
}

// fields writes a struct's keys, one below the other. The first stands after what is in the line already.
func (p printer) fields(v reflect.Value, indent int, lead string) {
	for _, f := range fieldsOf(v.Type()) {
		value := v.FieldByIndex(f.index)
		if value.Kind() == reflect.Pointer {
			if value.IsNil() {
				continue
			}
			value = value.Elem()
		}
		if f.omitEmpty && value.IsZero() {
			continue
		}
		if lead == "" {
			lead = strings.Repeat("  ", indent)
		}
		if p.own = ""; v.Type() == reflect.TypeFor[instances.ProcessConfig]() && f.name == "command" {
			p.own = "${" + processPort + "}"
		}
		p.WriteString(lead + f.name + ":") //nolint:errcheck // Flush returns it
		lead = ""
		p.value(value, indent)
	}
}

func (p printer) value(v reflect.Value, indent int) {
	switch {
	case isScalar(v.Type()):
		p.WriteString(" " + p.text(v) + "\n") //nolint:errcheck // Flush returns it
	case v.Kind() == reflect.Struct:
		p.WriteByte('\n') //nolint:errcheck // Flush returns it
		p.fields(v, indent+1, "")
	case v.Kind() == reflect.Map:
		p.dictionary(v, indent+1)
	case v.Len() == 0 || isScalar(v.Type().Elem()):
		items := make([]string, v.Len())
		for i := range items {
			items[i] = p.text(v.Index(i))
		}
		p.WriteString(" [" + strings.Join(items, ", ") + "]\n") //nolint:errcheck // Flush returns it
	default:
		p.WriteByte('\n') //nolint:errcheck // Flush returns it
		for _, item := range v.Seq2() {
			p.fields(item, indent+2, strings.Repeat("  ", indent+1)+"- ")
		}
	}
}

// dictionary writes a map's keys in order, one below the other.
func (p printer) dictionary(v reflect.Value, indent int) {
	p.WriteByte('\n') //nolint:errcheck // Flush returns it
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, k := range keys {
		p.WriteString(strings.Repeat("  ", indent) + quote(k.String()) + ":") //nolint:errcheck // Flush returns it
		p.value(v.MapIndex(k), indent)
	}
}

func (p printer) text(v reflect.Value) string {
	text := scalarText(v)
	if p.own != "" {
		text = strings.ReplaceAll(text, "$"+p.own, p.own)
	}
	return text
}

// scalarText writes a value the way scalar reads it.
func scalarText(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return formatDuration(x)
	case encoding.TextMarshaler:
		text, err := x.MarshalText()
		if err != nil {
			panic("configs: " + err.Error()) // none of the types in a Config fails
		}
		return string(text)
	}
	if v.Kind() == reflect.String {
		return quote(strings.ReplaceAll(v.String(), "$", "$$"))
	}
	if v.Kind() == reflect.Float64 {
		return strconv.FormatFloat(v.Float(), 'f', -1, 64)
	}
	return fmt.Sprint(v.Interface())
}

// quote puts text into quotes unless YAML reads it as that text without. In quotes, Go's escapes are YAML's.
func quote(s string) string {
	plain := !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_./:@+-", r)
	})
	if tokens := lexer.Tokenize(s); plain && len(tokens) == 1 && tokens[0].Type == token.StringType && tokens[0].Value == s {
		return s
	}
	return strconv.Quote(s)
}
