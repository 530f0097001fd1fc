package configs

import (
	"encoding"
	"reflect"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/limpet-proxy/limpet/instances"
)

// wanted says what a value of the type looks like in the file.
func wanted(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a duration such as 500ms, 30s, 5m or 6h; 0 needs no unit"
	case t == reflect.TypeFor[instances.Statuses]():
		return instances.AcceptedStatuses
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return "a number of bytes with B, KiB, MiB or GiB, such as 32KiB"
	}
	switch t.Kind() {
	case reflect.Struct:
		return "a mapping with the keys " + fieldsOf(t).names()
	case reflect.Pointer:
		return wanted(t.Elem()) + "; {} takes their defaults"
	case reflect.Slice:
		return "a list, each item " + wanted(t.Elem())
	case reflect.Map:
		return "a mapping of names, each with " + wanted(t.Elem())
	case reflect.Bool:
		return "true or false"
	case reflect.Float64:
		return "a number such as 0.5"
	case reflect.String:
		return "text"
	default:
		return "a whole number"
	}
}

// kindOf names what a node is.
func kindOf(n ast.Node) string {
	switch n.(type) {
	case ast.MapNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	default:
		return kindName(n.Type())
	}
}

func kindName(t ast.NodeType) string {
	switch t {
	case ast.StringType, ast.LiteralType:
		return "text"
	case ast.BoolType:
		return "true or false"
	case ast.IntegerType, ast.FloatType, ast.InfinityType, ast.NanType:
		return "a number"
	default:
		return "no plain value"
	}
}
