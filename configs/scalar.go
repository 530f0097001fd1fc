package configs

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// word is a scalar of the file, after its variables were expanded.
type word struct {
	text     string
	kind     ast.NodeType
	expanded bool // a variable's value has no type: "${PORT}" may be a number
}

// scalar decodes a value that is written as one word.
func (d *decoder) scalar(key string, n ast.Node, v reflect.Value) {
	w, ok := wordOf(n)
	if !ok {
		d.fail(key, nodePosition(n), "is %s, accepted is %s", kindOf(n), wanted(v.Type()))
		return
	}
	if w.kind == ast.StringType || w.kind == ast.LiteralType {
		text, err := expand(w.text, d.lookup, ownVariable(key))
		if err != nil {
			d.fail(key, nodePosition(n), "%v", err)
			return
		}
		w.text, w.expanded = text, text != w.text
	}
	if problem := w.set(v); problem != "" {
		d.fail(key, nodePosition(n), "%s, accepted is %s", problem, wanted(v.Type()))
	}
}

// wordOf returns the text of a scalar as the file has it: 010 stays 010.
func wordOf(n ast.Node) (word, bool) {
	switch n := n.(type) {
	case *ast.LiteralNode:
		return word{text: n.Value.Value, kind: n.Type()}, true
	case *ast.StringNode:
		return word{text: n.Value, kind: n.Type()}, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return word{text: n.GetToken().Value, kind: n.Type()}, true
	default:
		return word{}, false
	}
}

// set puts the word into v, or says why it does not fit.
func (w word) set(v reflect.Value) string {
	if v.Type() == reflect.TypeFor[time.Duration]() {
		return w.setDuration(v)
	}
	if t, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return w.setText(t)
	}
	switch v.Kind() {
	case reflect.String:
		return w.setString(v)
	case reflect.Bool:
		return w.setBool(v)
	case reflect.Float64:
		return w.setFloat(v)
	default:
		return w.setInt(v)
	}
}

func (w word) is(kinds ...ast.NodeType) bool {
	for _, k := range kinds {
		if w.kind == k {
			return true
		}
	}
	return w.expanded
}

// setString refuses 1 and true though they could be taken as they stand: which of 1, 01 and 0x1 are the same name is
// for nobody to guess.
func (w word) setString(v reflect.Value) string {
	if !w.is(ast.StringType, ast.LiteralType) {
		return fmt.Sprintf("%s is %s, in quotes it is text", w.text, kindName(w.kind))
	}
	v.SetString(w.text)
	return ""
}

func (w word) setBool(v reflect.Value) string {
	if b := strings.ToLower(w.text); w.is(ast.BoolType) && (b == "true" || b == "false") {
		v.SetBool(b == "true")
		return ""
	}
	return w.quoted() + " is neither true nor false"
}

func (w word) setInt(v reflect.Value) string {
	n, err := strconv.ParseInt(strings.ReplaceAll(w.text, "_", ""), 10, v.Type().Bits())
	if !w.is(ast.IntegerType) || err != nil || len(w.text) > 1 && w.text[0] == '0' {
		return w.quoted() + " is not a whole number"
	}
	v.SetInt(n)
	return ""
}

func (w word) setFloat(v reflect.Value) string {
	f, err := strconv.ParseFloat(w.text, 64)
	if !w.is(ast.FloatType, ast.IntegerType) || err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return w.quoted() + " is not a number"
	}
	v.SetFloat(f)
	return ""
}

func (w word) setDuration(v reflect.Value) string {
	d, err := time.ParseDuration(w.text)
	switch {
	case err != nil:
		return w.quoted() + " is not a duration"
	case d < 0:
		return w.text + " is negative"
	}
	v.SetInt(int64(d))
	return ""
}

func (w word) setText(t encoding.TextUnmarshaler) string {
	err := t.UnmarshalText([]byte(w.text))
	if err == nil {
		return ""
	}
	// Where such a type says itself what is accepted, wanted says it again in the same words.
	problem, _, _ := strings.Cut(err.Error(), ", accepted is")
	return problem
}

// quoted is the word for a message.
func (w word) quoted() string {
	if w.kind == ast.StringType || w.kind == ast.LiteralType {
		return fmt.Sprintf("%.60q", w.text)
	}
	return fmt.Sprintf("%.60s", w.text)
}

// formatDuration writes 6h where Go writes 6h0m0s.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
