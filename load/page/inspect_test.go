package page_test

import (
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// inspect checks that each element of a page is closed, that its pictures are well-formed XML, and that what they draw
// has places, and those within the picture.
func inspect(t *testing.T, document string) {
	t.Helper()
	for _, picture := range balanced(t, document) {
		in := xml.NewDecoder(strings.NewReader(picture))
		for {
			token, err := in.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err, picture)
			if start, ok := token.(xml.StartElement); ok {
				for _, a := range start.Attr {
					place(t, start.Name.Local, a)
				}
			}
		}
	}
}

// balanced checks the elements and returns the outermost pictures.
func balanced(t *testing.T, document string) (pictures []string) {
	t.Helper()
	raw := regexp.MustCompile(`(?s)(<(?:style|script)[^>]*>).*?(</(?:style|script)>)`)
	document = raw.ReplaceAllString(document, "$1$2")
	tags := regexp.MustCompile(`<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:\s+[a-zA-Z0-9:-]+(?:="[^"<>]*")?)*)\s*>`)
	require.Empty(t, strings.Trim(regexp.MustCompile(`[^<>]+`).ReplaceAllString(tags.ReplaceAllString(document[len("<!DOCTYPE html>"):], ""), ""), "\n"),
		"a < or > that is no tag of ours")
	var open []string
	begin := 0
	for _, at := range tags.FindAllStringSubmatchIndex(document, -1) {
		name := document[at[4]:at[5]]
		switch {
		case name == "meta":
		case at[2] == at[3]:
			if name == "svg" && !slices.Contains(open, "svg") {
				begin = at[0]
			}
			open = append(open, name)
		default:
			require.NotEmpty(t, open)
			require.Equal(t, open[len(open)-1], name, "closed around %q", document[max(0, at[0]-200):at[1]])
			open = open[:len(open)-1]
			if name == "svg" && !slices.Contains(open, "svg") {
				pictures = append(pictures, document[begin:at[1]])
			}
		}
	}
	require.Empty(t, open)
	return pictures
}

// place checks one attribute of a picture.
func place(t *testing.T, element string, a xml.Attr) {
	t.Helper()
	switch a.Name.Local {
	case "d":
		require.Regexp(t, `^[MLHVaZz0-9 .-]+$`, a.Value)
	case "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height":
		number, part := strings.CutSuffix(a.Value, "%")
		v, err := strconv.ParseFloat(number, 64)
		require.NoError(t, err)
		require.False(t, v != v || v < -8, "%s of %s is %s", a.Name.Local, element, a.Value)
		if part {
			require.LessOrEqual(t, v, 100.0, "%s of %s", a.Name.Local, element)
		}
		require.LessOrEqual(t, v, 400.0, "%s of %s", a.Name.Local, element)
	}
}
