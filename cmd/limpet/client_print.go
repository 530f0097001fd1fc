package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// listing is what a command found, in both forms that it may be shown in.
type listing struct {
	value any // as JSON, in the API's names
	head  []string
	rows  [][]string // each cell as cell returns it
}

// print writes the listing as --output asks. compact puts JSON on one line.
func (f *clientFlags) print(w io.Writer, l listing, compact bool) error {
	if f.output == outputJSON {
		return printJSON(w, l.value, compact)
	}
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{l.head}, l.rows...) {
		fmt.Fprintln(out, strings.Join(row, "\t"))
	}
	return out.Flush()
}

func (f *clientFlags) wide() bool { return f.output == outputWide }

func printJSON(w io.Writer, value any, compact bool) error {
	var text bytes.Buffer
	in := json.NewEncoder(&text)
	in.SetEscapeHTML(false)
	if !compact {
		in.SetIndent("", "  ")
	}
	if err := in.Encode(value); err != nil {
		return err
	}
	_, err := io.WriteString(w, escapeJSON(text.String()))
	return err
}

// escapeJSON writes each character that a terminal could act on as \u and its number, which is the same JSON: what is
// left of them after encoding, C1 controls and marks of direction for example, is inside strings only.
func escapeJSON(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			const surrogates, half = 0x10000, 0x400
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+(r-surrogates)/half, 0xdc00+(r-surrogates)%half)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// cell is how a table shows what a server sent: as it is, or quoted where it could pass for something else, a
// terminal's escape sequence or a further column. Nothing is "-".
func cell(s string) string {
	switch {
	case s == "":
		return "-"
	case s == "-" || strings.ContainsFunc(s, func(r rune) bool { return r == '"' || r == ' ' || !unicode.IsPrint(r) || r == unicode.ReplacementChar }):
		return strconv.QuoteToASCII(s)
	}
	return s
}

// maxMessage is how many bytes of a server's words an error repeats.
const maxMessage = 1000

// printable is how an error or a message shows what a server sent: on one line, nothing that a terminal acts on.
func printable(s string) string {
	if len(s) > maxMessage {
		s = s[:maxMessage] + "..."
	}
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

// inSeconds is a span that the API gives in whole seconds; more than 292 years are 292.
func inSeconds(n int64) time.Duration {
	const most = math.MaxInt64 / int64(time.Second)
	return time.Duration(min(max(n, -most), most)) * time.Second
}

// exactSpan is a span of whole seconds in full: 6h, 1h30m, 45s.
func exactSpan(d time.Duration) string {
	s := d.Truncate(time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// roughSpan is a span in its two greatest units, for reading: 3d4h, 5h59m, 4m10s, 12s. One below zero, between two
// clocks, is 0s.
func roughSpan(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 0:
		return "0s"
	case d >= day:
		if hours := d % day / time.Hour; hours > 0 {
			return fmt.Sprintf("%dd%dh", d/day, hours)
		}
		return fmt.Sprintf("%dd", d/day)
	case d >= time.Hour:
		return exactSpan(d.Truncate(time.Minute))
	default:
		return exactSpan(d)
	}
}
