package configs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a configuration file, or worth a warning.
type Problem struct {
	File         string
	Line, Column int    // from 1; columns count characters, not bytes
	Key          string // the full path, such as functions[0].sessions.ttl; "syntax" or "file" where there is no key
	Text         string // what is wrong, and what is accepted
}

// String returns the form that design.md promises: FILE:LINE:COLUMN: key: problem, what is accepted.
func (p Problem) String() string {
	// A file's name inside the text may hold a line break; the problem stays one line.
	text := strings.NewReplacer("\n", `\n`, "\r", `\r`).Replace(p.Text)
	return fmt.Sprintf("%s:%d:%d: %s: %s", p.File, p.Line, p.Column, p.Key, text)
}

// Error holds every problem of a file, at least one, in the order of their positions.
type Error struct {
	Problems []Problem
	cause    error // of a file that cannot be read
}

// Unwrap returns the operating system's error where the file cannot be read, else nil.
func (e *Error) Unwrap() error { return e.cause }

// Error returns one line for each problem.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// position is a place in a file. The zero position is unknown.
type position struct{ line, column int }

// top is where a file begins: the position of what concerns the whole of it.
func top() position { return position{1, 1} }

// fileProblem is about the file as a whole, or about its syntax.
func fileProblem(file, key string, at position, format string, args ...any) *Error {
	return &Error{Problems: []Problem{{file, at.line, at.column, key, fmt.Sprintf(format, args...)}}}
}

// byPosition orders problems as a reader meets them in the file.
func byPosition(problems []Problem) {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}
