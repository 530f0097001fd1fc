package wire_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load/wire"
)

// mark is a response that no other looks like, and that keeps the connection.
const mark = "HTTP/1.1 234 Mark\r\nContent-Length: 4\r\n\r\nmark"

func requireMark(t *testing.T, c *wire.Conn) {
	t.Helper()
	require.True(t, c.Reusable())
	r, err := c.Do(get(http.MethodGet))
	require.NoError(t, err)
	require.Equal(t, 234, r.Status)
	require.Equal(t, "mark", string(r.Body))
}

// whole are responses that are in order, and after which the next one is found where it begins.
func whole() map[string]struct {
	method, text, body string
	status             int
	length             int64
} {
	type row = struct {
		method, text, body string
		status             int
		length             int64
	}
	long := strings.Repeat("x", 101)
	return map[string]row{
		"length":           {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", 200, 5},
		"empty":            {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", 200, 0},
		"as long as kept":  {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + long[1:], long[1:], 200, 100},
		"longer":           {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n" + long, "", 200, 101},
		"no reason":        {"GET", "HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\nx", "x", 200, 1},
		"bare line feeds":  {"GET", "HTTP/1.1 200 OK\nContent-Length: 1\n\nx", "x", 200, 1},
		"equal lengths":    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", "x", 200, 1},
		"chunked":          {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", "abcde", 200, 5},
		"trailers":         {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n1\r\na\r\n0\r\nA: b\r\nC: d\r\n\r\n", "a", 200, 1},
		"chunked, long":    {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" + long + "\r\n0\r\n\r\n", "", 200, 101},
		"chunks over it":   {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", "ab", 200, 2},
		"HEAD":             {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "", 200, 0},
		"HEAD, chunked":    {"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "", 200, 0},
		"HEAD, no length":  {"HEAD", "HTTP/1.1 200 OK\r\n\r\n", "", 200, 0},
		"204":              {"GET", "HTTP/1.1 204 No Content\r\n\r\n", "", 204, 0},
		"204, length":      {"GET", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", "", 204, 0},
		"304":              {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "", 304, 0},
		"an error":         {"GET", "HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno", "no", 503, 2},
		"100":              {"GET", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", "x", 200, 1},
		"103, and 103":     {"GET", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 2) + "HTTP/1.1 204 x\r\n\r\n", "", 204, 0},
		"1xx, length":      {"GET", "HTTP/1.1 102 x\r\nContent-Length: 9\r\n\r\nHTTP/1.1 204 x\r\n\r\n", "", 204, 0},
		"all the 1xx":      {"GET", strings.Repeat("HTTP/1.1 100 x\r\n\r\n", wire.MaxInterim) + "HTTP/1.1 204 x\r\n\r\n", "", 204, 0},
		"1.0 that is kept": {"GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", "x", 200, 1},
		"a long head":      {"GET", "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("a", wire.MaxHead-100) + "\r\nContent-Length: 1\r\n\r\nx", "x", 200, 1},
	}
}

func TestResponsesInOrder(t *testing.T) {
	for name, row := range whole() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, serve(t, answer(row.text, mark)))
			r, err := c.Do(get(row.method))
			require.NoError(t, err)
			require.Equal(t, row.status, r.Status)
			require.Equal(t, row.length, r.Length)
			require.Equal(t, row.body, string(r.Body))
			require.Equal(t, row.length > 100, r.Body == nil)
			requireMark(t, c)
		})
	}
}

// TestResponsesByteByByte: wherever the network cuts a response, it is the same.
func TestResponsesByteByByte(t *testing.T) {
	for name, row := range whole() {
		if len(row.text) > 1000 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, serve(t, func(conn net.Conn) {
				in := bufio.NewReader(conn)
				readHead(in)
				for i := range len(row.text) {
					_, _ = conn.Write([]byte(row.text[i : i+1]))
				}
				readHead(in)
				_, _ = conn.Write([]byte(mark))
				readHead(in)
			}))
			r, err := c.Do(get(row.method))
			require.NoError(t, err)
			require.Equal(t, row.status, r.Status)
			require.Equal(t, row.body, string(r.Body))
			requireMark(t, c)
		})
	}
}

// TestLastResponses are in order too, but the connection is of no more use, though the peer keeps it.
func TestLastResponses(t *testing.T) {
	for name, row := range map[string]struct{ text, body string }{
		"Connection: close":      {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", "x"},
		"in a list":              {"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 1\r\n\r\nx", "x"},
		"HTTP/1.0":               {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", "x"},
		"an upgrade":             {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", ""},
		"a response too many":    {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx" + mark, "x"},
		"a byte too many":        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy", "x"},
		"a 1xx too late":         {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 100 Continue\r\n\r\n", "x"},
		"a body where none is":   {"HTTP/1.1 204 x\r\nContent-Length: 1\r\n\r\nx", ""},
		"more than a buffer has": {"HTTP/1.1 200 OK\r\nContent-Length: 8145\r\n\r\n" + strings.Repeat("x", 8145) + mark, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, serve(t, answer(row.text)))
			r, err := c.Do(get(http.MethodGet))
			require.NoError(t, err)
			require.Equal(t, row.body, string(r.Body))
			require.Eventually(t, func() bool { return !c.Reusable() }, patience, time.Millisecond)
			require.False(t, c.Reusable())
		})
	}
}

// TestAResponseMayEndWithItsConnection: the only one whose end is no other's beginning.
func TestAResponseMayEndWithItsConnection(t *testing.T) {
	c := dial(t, serve(t, func(conn net.Conn) {
		readHead(bufio.NewReader(conn))
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\nuntil the end")
		_ = conn.Close()
	}))
	r, err := c.Do(get(http.MethodGet))
	require.NoError(t, err)
	require.Equal(t, "until the end", string(r.Body))
	require.False(t, c.Reusable())
}

// TestWhatComesUnaskedIsNoticed: an idle connection on which the peer sends something, or which it closes, is of no
// more use. The next request would take it for its own response.
func TestWhatComesUnaskedIsNoticed(t *testing.T) {
	for name, unasked := range map[string]func(net.Conn){
		"a response": func(conn net.Conn) { _, _ = io.WriteString(conn, mark) },
		"a byte":     func(conn net.Conn) { _, _ = io.WriteString(conn, "\n") },
		"the end":    func(conn net.Conn) { _ = conn.Close() },
		"half of it": func(conn net.Conn) { _ = conn.(*net.TCPConn).CloseWrite() },
		"a reset": func(conn net.Conn) {
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			next := make(chan struct{})
			c := dial(t, serve(t, func(conn net.Conn) {
				in := bufio.NewReader(conn)
				readHead(in)
				_, _ = io.WriteString(conn, mark)
				<-next
				unasked(conn)
				readHead(in)
			}))
			_, err := c.Do(get(http.MethodGet))
			require.NoError(t, err)
			require.True(t, c.Reusable())
			close(next)
			require.Eventually(t, func() bool { return !c.Reusable() }, patience, time.Millisecond)
			require.False(t, c.Reusable(), "a look changes nothing")
		})
	}
}

// TestBrokenResponses are errors, and the connection is of no more use.
func TestBrokenResponses(t *testing.T) {
	for name, row := range map[string]struct {
		text string
		want error // nil: any
	}{
		"nothing":              {"", io.ErrUnexpectedEOF},
		"no HTTP":              {"hello\r\n\r\n", nil},
		"HTTP/2":               {"\x00\x00\x12\x04\x00\x00\x00\x00\x00", nil},
		"half a head":          {"HTTP/1.1 200 OK\r\nA: b\r\n", io.ErrUnexpectedEOF},
		"half a line":          {"HTTP/1.1 200 OK\r\nContent-Le", io.ErrUnexpectedEOF},
		"half a body":          {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", io.ErrUnexpectedEOF},
		"half a long body":     {"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + strings.Repeat("x", 400), io.ErrUnexpectedEOF},
		"half a chunk":         {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", io.ErrUnexpectedEOF},
		"no last chunk":        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n", io.ErrUnexpectedEOF},
		"no end of trailers":   {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n", nil},
		"no chunk":             {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello\r\n", nil},
		"another coding":       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx", nil},
		"two lengths":          {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy", nil},
		"a length below 0":     {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx", nil},
		"a length with a sign": {"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx", nil},
		"status 000":           {"HTTP/1.1 000 x\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", wire.ErrStatus},
		"status 099":           {"HTTP/1.1 099 x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", wire.ErrStatus},
		"a status of 4 digits": {"HTTP/1.1 2000 x\r\n\r\n", nil},
		"only 1xx":             {strings.Repeat("HTTP/1.1 100 x\r\n\r\n", wire.MaxInterim+1), wire.ErrInterim},
		"a long line":          {"HTTP/1.1 200 " + strings.Repeat("x", 2*wire.MaxHead), wire.ErrHead},
		"a long header":        {"HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", 2*wire.MaxHead), wire.ErrHead},
		"many headers":         {"HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", wire.MaxHead/4), wire.ErrHead},
		"long 1xx": {
			strings.Repeat("HTTP/1.1 103 x\r\nA: "+strings.Repeat("x", wire.MaxHead/8)+"\r\n\r\n", 12) + "HTTP/1.1 204 x\r\n\r\n", wire.ErrHead,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, serve(t, func(conn net.Conn) {
				readHead(bufio.NewReader(conn))
				_, _ = conn.Write([]byte(row.text))
				_ = conn.(*net.TCPConn).CloseWrite()
				_, _ = io.Copy(io.Discard, conn)
			}))
			_, err := c.Do(get(http.MethodGet))
			require.Error(t, err)
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
			if row.want != nil {
				require.ErrorIs(t, err, row.want)
			}
			require.False(t, c.Reusable())
		})
	}
}
