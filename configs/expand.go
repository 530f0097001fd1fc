package configs

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// processPort is the variable that Limpet itself sets for each process it starts.
const processPort = "PORT"

// ownVariable returns the variable that stays as it is in this key's value, or "".
func ownVariable(key string) string {
	if strings.Contains(key, ".instances.process.command[") {
		return processPort
	}
	return ""
}

// expand replaces ${VAR} by the variable's value, which is not looked at again, and $$ by one dollar sign, so that
// $${VAR} is the text ${VAR}. Any other dollar sign stands for itself. It works on a value, after YAML has
// been parsed: a variable cannot add keys. The variable named keep stays as it is.
func expand(s string, lookup func(string) (string, bool), keep string) (string, error) {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 || i == len(s)-1 {
			b.WriteString(s)
			return b.String(), nil
		}
		b.WriteString(s[:i])
		switch s = s[i+1:]; s[0] {
		case '$':
			b.WriteByte('$')
			s = s[1:]
		case '{':
			value, rest, err := variable(s[1:], lookup, keep)
			if err != nil {
				return "", err
			}
			b.WriteString(value)
			s = rest
		default:
			b.WriteByte('$')
		}
	}
}

// variable returns the value of the variable whose name s begins with, and what follows the closing brace.
func variable(s string, lookup func(string) (string, bool), keep string) (value, rest string, err error) {
	name, rest, closed := strings.Cut(s, "}")
	if !closed || !validVariable(name) {
		return "", "", errors.New("has a ${ that begins no variable, accepted is ${NAME} with letters, digits and _, or $${ for the text ${")
	}
	if name == keep {
		return "${" + name + "}", rest, nil
	}
	value, set := lookup(name)
	switch {
	case !set:
		return "", "", fmt.Errorf("the variable %s is not set, accepted is a variable of the environment, or $${%s} for the text ${%s}", name, name, name)
	case !utf8.ValidString(value):
		return "", "", fmt.Errorf("the variable %s is not UTF-8, accepted is text", name)
	}
	return value, rest, nil
}

func validVariable(name string) bool {
	if name == "" || len(name) > 128 || name[0] >= '0' && name[0] <= '9' {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_'
	})
}
