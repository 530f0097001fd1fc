package configs

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// parse returns the root node of a file that holds one document of plain YAML. The parser's time and memory grow
// with the square of nesting and of a mapping's keys, so what no configuration needs is refused before it runs.
func parse(name string, data []byte) (ast.Node, error) {
	if err := checkBytes(name, data); err != nil {
		return nil, err
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	tokens := rejoin(lexer.Tokenize(string(data)))
	if at, problem := excess(tokens); problem != "" {
		return nil, fileProblem(name, "syntax", at, "%s", problem)
	}
	file, err := safeParse(tokens)
	if err != nil {
		return nil, syntaxError(name, data, err)
	}
	return single(name, file)
}

func checkBytes(name string, data []byte) error {
	if len(data) > MaxFileSize {
		return fileProblem(name, "file", top(), "is larger than 1 MiB, accepted is a smaller file")
	}
	at := top()
	for rest := data; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch {
		case r == utf8.RuneError && size == 1:
			return fileProblem(name, "file", at, "is not UTF-8 at byte %d, accepted is a text file in UTF-8", len(data)-len(rest))
		case r < ' ' && r != '\n' && r != '\r' && r != '\t', r == 0x7f:
			return fileProblem(name, "syntax", at, "has the control character %q, accepted is printable text; in double quotes, an escape such as \\x07", r)
		case r == '\n':
			at = position{at.line + 1, 0}
		}
		at.column++
		rest = rest[size:]
	}
	return nil
}

// safeParse turns a panic of the parser into an error: on a reload, a bad file must not end the process.
func safeParse(tokens token.Tokens) (file *ast.File, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("cannot be understood")
		}
	}()
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

func syntaxError(name string, data []byte, err error) error {
	at, message := top(), "cannot be understood"
	var yamlErr yaml.Error
	if errors.As(err, &yamlErr) {
		// Not err.Error(): that draws the lines around it, for a minute when they are long.
		message = yamlErr.GetMessage()
		if tk := yamlErr.GetToken(); tk != nil {
			at = tokenPosition(tk)
		}
	}
	return fileProblem(name, "syntax", at, "%s, accepted is YAML%s", oneLine(message), hint(data, at, message))
}

// hint says how to write what people most often get wrong.
func hint(data []byte, at position, message string) string {
	lines := bytes.SplitN(data, []byte("\n"), at.line+1)
	if at.line > len(lines) {
		return ""
	}
	line := lines[at.line-1]
	switch {
	case strings.Contains(message, "'\t'") || strings.Contains(message, `\t`) || bytes.HasPrefix(bytes.TrimLeft(line, " "), []byte("\t")):
		return " that is indented with spaces"
	case bytes.Contains(line, []byte("${")):
		return `; inside [] and {} a variable needs quotes, as in "${VAR}"`
	}
	return ""
}

func oneLine(s string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(s, "\t", `\t`)), " ")
}

// single returns the root of the only document.
func single(name string, file *ast.File) (ast.Node, error) {
	var root ast.Node
	for _, doc := range file.Docs {
		switch {
		case doc == nil || doc.Body == nil:
			continue
		case doc.Body.Type() == ast.DirectiveType:
			return nil, fileProblem(name, "syntax", nodePosition(doc.Body), "has a directive, accepted is YAML without")
		case root != nil:
			return nil, fileProblem(name, "syntax", nodePosition(doc.Body), "begins a second document, accepted is one document in a file")
		}
		root = doc.Body
	}
	return root, nil
}

func tokenPosition(tk *token.Token) position {
	if tk == nil || tk.Position == nil {
		return top()
	}
	return position{max(1, tk.Position.Line), max(1, tk.Position.Column)}
}

// nodePosition is where a reader sees the node begin: of a block mapping that is its first key, while the
// library's node has the position of the first colon.
func nodePosition(n ast.Node) position {
	switch n := n.(type) {
	case nil:
		return top()
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return nodePosition(n.Values[0])
		}
	case *ast.MappingValueNode:
		return tokenPosition(n.Key.GetToken())
	}
	return tokenPosition(n.GetToken())
}

// valuePosition is where a key's value begins, or the key where nothing follows it.
func valuePosition(n *ast.MappingValueNode) position {
	if n.Value == nil || n.Value.GetToken().Type == token.ImplicitNullType {
		return nodePosition(n.Key)
	}
	return nodePosition(n.Value)
}
