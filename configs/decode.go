package configs

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/limpet-proxy/limpet/api"
	"github.com/limpet-proxy/limpet/certificates"
	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/proxy"
)

// decoder fills a Config from YAML nodes, guided by the structs' yaml tags. Unlike the YAML library's it goes on
// after a problem, so that one run of check shows all of them, and it remembers where each key's value is, so that
// what validation finds has a position as well.
type decoder struct {
	file     string
	lookup   func(string) (string, bool)
	at       map[string]position // of each key's value
	broken   []string            // keys whose value could not be decoded: what validation says of them is noise
	problems []Problem
}

func newDecoder(file string, lookup func(string) (string, bool)) *decoder {
	return &decoder{file: file, lookup: lookup, at: map[string]position{"": top()}}
}

// root decodes the whole document.
func (d *decoder) root(n ast.Node, cfg *Config) {
	if n == nil || n.Type() == ast.NullType {
		d.problems = append(d.problems, Problem{d.file, 1, 1, "file", "is empty, accepted is at least the key functions with one function"})
		d.broken = append(d.broken, "functions")
		return
	}
	d.at[""] = nodePosition(n)
	d.decode("", n, reflect.ValueOf(cfg).Elem())
}

// given says whether the file has the key, whatever its value.
func (d *decoder) given(key string) bool {
	_, ok := d.at[key]
	return ok
}

// fail records a problem of a node, and that the key has no usable value.
func (d *decoder) fail(key string, at position, format string, args ...any) {
	d.broken = append(d.broken, key)
	if key == "" {
		key = "file"
	}
	d.problems = append(d.problems, Problem{d.file, at.line, at.column, key, fmt.Sprintf(format, args...)})
}

// problem gives what validation says of a key the position of its value or, when the file does not have the key,
// of the mapping that it is missing from.
func (d *decoder) problem(key, text string) Problem {
	for k := key; ; k = k[:max(0, strings.LastIndexAny(k, ".["))] {
		if at, ok := d.at[k]; ok {
			return Problem{d.file, at.line, at.column, key, text}
		}
	}
}

// invalid records what validation says of a key, unless the key, or one above or below it, has a problem already.
func (d *decoder) invalid(key, text string) {
	for _, b := range d.broken {
		if below(key, b) || below(b, key) {
			return
		}
	}
	d.problems = append(d.problems, d.problem(key, text))
}

// below reports whether a is b or a key inside b.
func below(a, b string) bool {
	rest, ok := strings.CutPrefix(a, b)
	return ok && (rest == "" || b == "" || rest[0] == '.' || rest[0] == '[')
}

func (d *decoder) decode(key string, n ast.Node, v reflect.Value) {
	if v.Kind() == reflect.Map {
		v.Set(reflect.MakeMap(v.Type())) // also where it is empty, or broken: it is there
	}
	n = d.plain(key, n)
	if n == nil {
		return
	}
	if n.Type() == ast.NullType {
		d.fail(key, d.at[key], "has no value, accepted is %s", wanted(v.Type()))
		return
	}
	if isScalar(v.Type()) {
		d.scalar(key, n, v)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.mapping(key, n, v)
	case reflect.Slice:
		d.list(key, n, v)
	case reflect.Map:
		d.dictionary(key, n, v)
	case reflect.Pointer:
		elem := defaulted(v.Type().Elem())
		d.decode(key, n, elem)
		v.Set(elem.Addr())
	default:
		panic("configs: no decoder for " + v.Type().String()) // a new field in a Config: every test fails
	}
}

// plain takes anchors and tags off a node, each with a problem, and returns nil for an alias. They are refused, not
// resolved: a chain of aliases can stand for more than any memory holds, and here they would save nothing.
func (d *decoder) plain(key string, n ast.Node) ast.Node {
	for {
		switch x := n.(type) {
		case *ast.AnchorNode:
			d.fail(key, nodePosition(x), "has an anchor, accepted is the value itself")
			n = x.Value
		case *ast.TagNode:
			d.fail(key, nodePosition(x), "has the tag %.40q, accepted is the value without a tag", x.GetToken().Value)
			n = x.Value
		case *ast.AliasNode:
			d.fail(key, nodePosition(x), "is an alias, accepted is the value itself")
			return nil
		default:
			return n
		}
	}
}

// mapping decodes the keys that are there; the others keep what v has.
func (d *decoder) mapping(key string, n ast.Node, v reflect.Value) {
	m, ok := n.(ast.MapNode)
	if !ok {
		d.fail(key, nodePosition(n), "is %s, accepted is %s", kindOf(n), wanted(v.Type()))
		return
	}
	fields := fieldsOf(v.Type())
	d.pairs(key, m, func(path string, it *ast.MapNodeIter) {
		f, known := fields.find(keyName(it.Key()))
		if !known {
			d.unknown(key, it.Key(), fields)
			return
		}
		d.at[path] = valuePosition(it.KeyValue())
		d.decode(path, it.Value(), v.FieldByIndex(f.index))
	})
}

// pairs calls each with the path of every key of a mapping; of one that is there twice, the first only.
func (d *decoder) pairs(key string, m ast.MapNode, each func(path string, it *ast.MapNodeIter)) {
	seen := map[string]position{}
	for it := m.MapRange(); it.Next(); {
		name, at := keyName(it.Key()), nodePosition(it.Key())
		path := join(key, name)
		if first, twice := seen[name]; twice {
			d.fail(path, at, "is given twice, first in line %d, accepted is once", first.line)
			continue
		}
		seen[name] = at
		each(path, it)
	}
}

// dictionary decodes a mapping whose keys are names that the file itself gives. What they may be is for Validate to say.
func (d *decoder) dictionary(key string, n ast.Node, v reflect.Value) {
	m, ok := n.(ast.MapNode)
	if !ok {
		d.fail(key, nodePosition(n), "is %s, accepted is %s", kindOf(n), wanted(v.Type()))
		return
	}
	d.pairs(key, m, func(path string, it *ast.MapNodeIter) {
		if it.Key().Type() == ast.MergeKeyType {
			d.fail(path, nodePosition(it.Key()), "is a merge key, accepted are the keys themselves")
			return
		}
		d.at[path] = valuePosition(it.KeyValue())
		elem := reflect.New(v.Type().Elem()).Elem()
		d.decode(path, it.Value(), elem)
		v.SetMapIndex(reflect.ValueOf(keyName(it.Key())), elem)
	})
}

func (d *decoder) list(key string, n ast.Node, v reflect.Value) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		d.fail(key, nodePosition(n), "is %s, accepted is %s", kindOf(n), wanted(v.Type()))
		return
	}
	v.SetZero() // a list replaces the default, it does not add to it
	for i, item := range s.Values {
		path := fmt.Sprintf("%s[%d]", key, i)
		d.at[path] = nodePosition(item)
		elem := defaulted(v.Type().Elem())
		d.decode(path, item, elem)
		v.Set(reflect.Append(v, elem))
	}
}

// defaulted returns a new value of the type with its defaults: those of what may be there any number of times.
func defaulted(t reflect.Type) reflect.Value {
	v := reflect.New(t)
	switch p := v.Interface().(type) {
	case *proxy.FunctionConfig:
		*p = proxy.DefaultFunctionConfig()
	case *instances.HealthConfig:
		*p = instances.DefaultHealthConfig()
	case *instances.DNSConfig:
		*p = instances.DefaultDNSConfig()
	case *instances.KubernetesConfig:
		*p = instances.DefaultKubernetesConfig()
	case *instances.ProcessConfig:
		*p = instances.DefaultProcessConfig()
	case *certificates.Config:
		*p = certificates.DefaultConfig()
	case *api.KeyConfig:
		*p = api.DefaultKeyConfig()
	}
	return v.Elem()
}

// isScalar says whether values of the type are written as one word, whatever their kind in Go.
func isScalar(t reflect.Type) bool {
	if t == reflect.TypeFor[time.Duration]() || reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return true
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int64, reflect.Float64:
		return true
	default:
		return false
	}
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}
