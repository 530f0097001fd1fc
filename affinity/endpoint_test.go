package affinity_test

import (
	"errors"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/affinity"
)

// fed gives a stream to a reader in pieces, and returns the ID and how many bytes it had seen by then.
func fed(stream string, pieces ...int) (id string, at int, err error) {
	e := affinity.NewEndpointReader(affinity.DefaultSSEParams()...)
	for rest := stream; rest != ""; {
		n := len(rest)
		if len(pieces) > 0 {
			n, pieces = min(n, pieces[0]), pieces[1:]
		}
		at += n
		id, err = e.Feed([]byte(rest[:n]))
		if e.Done() {
			return id, at, err
		}
		if id != "" || err != nil {
			return "", 0, errors.New("told before it was done")
		}
		rest = rest[n:]
	}
	return "", 0, nil
}

// ones are so many pieces of a byte each.
func ones(n int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = 1
	}
	return p
}

func TestEndpointReader(t *testing.T) {
	long := strings.Repeat("x", 1024)
	for stream, want := range map[string]string{
		"event: endpoint\ndata: /messages?sessionId=a\n\n":                                 "a",
		"event:endpoint\ndata:/messages?session_id=a\n\n":                                  "a",
		"event: endpoint\r\ndata: http://host:1/m?x=1&sessionId=a\r\n\r\n":                 "a",
		"event: endpoint\rdata: ?sessionid=a\r\r":                                          "a",
		"\ufeffevent: endpoint\ndata: ?sessionId=a\n\n":                                    "a",
		"\ufeff\nevent: endpoint\ndata: ?sessionId=a\n\n":                                  "a",
		": hello\n\n:\nevent: ping\ndata: 1\n\nevent: endpoint\ndata: ?sessionId=a\n\n":    "a",
		"data: ?sessionId=a\nid: 1\nretry: 5\nevent: endpoint\n\n":                         "a",
		"event: x\nevent: endpoint\ndata: ?sessionId=a\n\n":                                "a",
		"event: endpoint\n\nevent: endpoint\ndata: ?sessionId=a\n\n":                       "a", // without data it is none
		"event: endpoint\ndata: ?sessionId=%61%2F!\n\n":                                    "a/!",
		"event: endpoint\ndata: ?sessionid=b&session_id=c&sessionId=a\n\n":                 "a", // by the list's order
		"event: endpoint\ndata: ?sessionId=a#x\n\nevent: endpoint\ndata: ?sessionId=b\n\n": "a",
		"event: endpoint\ndata: ?sessionId=" + long + "\n\n":                               long,
		"event: endpoint\neventual: x\ndatabase: ?sessionId=b\ndata: ?sessionId=a\n\n":     "a",

		"event: endpoint\ndata: ?sessionId=a\n":                 "", // not complete
		"event:  endpoint\ndata: ?sessionId=a\n\n":              "", // one blank is left out, not two
		"event: endpoints\ndata: ?sessionId=a\n\n":              "",
		"event: Endpoint\ndata: ?sessionId=a\n\n":               "",
		"event: endpoint\nevent: x\ndata: ?sessionId=a\n\n":     "",
		"event: endpoint\nevent\ndata: ?sessionId=a\n\n":        "",
		"data: ?sessionId=a\n\n":                                "",
		" event: endpoint\ndata: ?sessionId=a\n\n":              "",
		"x\ufeffevent: endpoint\ndata: ?sessionId=a\n\n":        "",
		"\n\ufeffevent: endpoint\ndata: ?sessionId=a\n\n":       "",
		"event: endpoint\n: data: ?sessionId=a\n\ndata: ?x\n\n": "",
	} {
		id, at, err := fed(stream)
		require.NoError(t, err, "%q", stream)
		require.Equal(t, want, id, "%q", stream)
		byByte, complete, err := fed(stream, ones(len(stream))...)
		require.NoError(t, err, "%q", stream)
		require.Equal(t, want, byByte, "%q", stream)
		if want != "" {
			require.Equal(t, len(stream), at)
			require.Contains(t, "\r\n", stream[complete-1:complete], "told with the byte that completes the event, and no later: %q", stream)
		}
	}
}

func TestEndpointsThatCannotBe(t *testing.T) {
	before := "event: endpoint\ndata: "
	for data, want := range map[string]string{
		"/messages":                "none of the parameters sessionId, session_id, sessionid, see affinity.sse_params",
		"/messages/a":              "none of the parameters",
		"":                         "none of the parameters",
		"/messages?SessionId=a":    "none of the parameters",
		"?sessionId=":              "accepts 1 to 1024 visible ASCII characters",
		"?sessionId=a%20b":         "accepts 1 to 1024 visible ASCII characters",
		"?sessionId=ä":             "accepts 1 to 1024 visible ASCII characters",
		"?sessionId=a&sessionId=a": "is given 2 times",
		"?x=1;sessionId=a":         "semicolon",
		"?sessionId=" + strings.Repeat("x", 1025): "accepts 1 to 1024",
		"http://[":                     "has no URI",
		"/m?sessionId=a\ndata: b":      "has no URI", // two lines of data are one text with a line end
		strings.Repeat("x", 8193):      "more than 8192 bytes",
		strings.Repeat("\ndata", 9000): "more than 8192 bytes",
	} {
		id, _, err := fed(before + data + "\n\n")
		require.ErrorIs(t, err, affinity.ErrIssued, "%.80q", data)
		require.ErrorContains(t, err, want)
		require.Empty(t, id)
		require.Less(t, len(err.Error()), 300)
	}
	_, at, err := fed(strings.Repeat(": ping\n\n", 1<<14), ones(1<<17)...)
	require.ErrorIs(t, err, affinity.ErrIssued)
	require.ErrorContains(t, err, "no endpoint event in 65536 bytes")
	require.Equal(t, 1<<16+1, at)
}

// FuzzEndpointReader: however a stream is split, the ID is that of the whole one, and comes with the same byte. And it is
// what a parser finds that has the whole stream before it.
func FuzzEndpointReader(f *testing.F) {
	for _, s := range []string{
		"event: endpoint\ndata: /messages?sessionId=a\n\n", "event: endpoint\r\ndata: ?session_id=a\r\n\r\ndata: x\r\n\r\n",
		"\ufeffevent:endpoint\rdata:?sessionid=a\r\r\n", ": c\n\nevent: x\ndata\n\nevent: endpoint\ndata: ?sessionId=a\ndata: b\n\n",
		"event\ndata\n\n", "data: a\n\nevent: endpoint\n\n", "event: endpoint\ndata: ?sessionId=\xff\n\n", "\r\n\n\r", "\ufeff\ufeffevent: endpoint\ndata: ?sessionId=a\n\n",
	} {
		f.Add(s, []byte{1, 2, 3})
		f.Add(s, []byte{})
		f.Add(s, []byte(strings.Repeat("\x01", 200)))
	}
	f.Fuzz(func(t *testing.T, stream string, splits []byte) {
		pieces := make([]int, len(splits))
		for i, n := range splits {
			pieces[i] = max(1, int(n))
		}
		id, _, err := fed(stream)
		split, _, splitErr := fed(stream, pieces...)
		require.Equal(t, id, split)
		require.Equal(t, err == nil, splitErr == nil)
		byByte, at, byteErr := fed(stream, ones(len(stream))...)
		require.Equal(t, id, byByte)
		require.Equal(t, err == nil, byteErr == nil)

		if len(stream) > 8192 {
			return // the simple parser has no bounds
		}
		data, end, found := simpleEndpoint(stream)
		require.Equal(t, found, id != "" || err != nil)
		if !found {
			return
		}
		require.Equal(t, end, at)
		if u, perr := url.Parse(strings.Trim(data, " \t\r\n")); id != "" {
			require.NoError(t, perr)
			require.Contains(t, []string{u.Query().Get("sessionId"), u.Query().Get("session_id"), u.Query().Get("sessionid")}, id)
			require.True(t, isMCPID(id))
		}
	})
}

var lineEnd = regexp.MustCompile("\r\n|\r|\n")

// simpleEndpoint finds the first endpoint event in a whole stream, and where it is complete. It follows the algorithm of
// WHATWG HTML, section 9.2.6, line by line.
func simpleEndpoint(stream string) (data string, end int, found bool) {
	rest, at := strings.TrimPrefix(stream, "\ufeff"), len(stream)-len(strings.TrimPrefix(stream, "\ufeff"))
	kind, buffer := "", ""
	for {
		loc := lineEnd.FindStringIndex(rest)
		if loc == nil {
			return "", 0, false
		}
		line := rest[:loc[0]]
		if line == "" {
			if buffer != "" && kind == "endpoint" {
				return strings.TrimSuffix(buffer, "\n"), at + 1, true // CRLF ends the line with its first byte
			}
			kind, buffer = "", ""
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case field == "event":
			kind = value
		case field == "data":
			buffer += value + "\n"
		}
		rest, at = rest[loc[1]:], at+loc[1]
	}
}
