package wire_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load/wire"
)

// big is a body for which no socket has room.
func big() []byte { return bytes.Repeat([]byte("x"), 32<<20) }

// twice does an exchange two times on one connection. Of a long request the end may go unnoticed for longer than Conn
// waits for it, on a machine that has no time for it; that a connection is of no use ten times in a row is no accident.
func twice(t *testing.T, target *wire.Target, do func(*wire.Conn)) {
	t.Helper()
	for range 10 {
		c := dial(t, target)
		do(c)
		if c.Reusable() {
			do(c)
			return
		}
	}
	require.Fail(t, "no connection can be used twice")
}

const refusal = "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"

// TestRequestsArriveWhole, head and body as they were given, and once.
func TestRequestsArriveWhole(t *testing.T) {
	for _, size := range []int{0, 1, 4 << 10, 32 << 10, 32<<10 + 1, 8 << 20} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			t.Parallel()
			body, got := bytes.Repeat([]byte("x"), size), make(chan []byte, 2)
			twice(t, serve(t, func(conn net.Conn) {
				in := bufio.NewReader(conn)
				for r, err := http.ReadRequest(in); err == nil; r, err = http.ReadRequest(in) {
					all, _ := io.ReadAll(r.Body)
					got <- all
					_, _ = io.WriteString(conn, mark)
				}
			}), func(c *wire.Conn) {
				r, err := c.Do(post(body))
				require.NoError(t, err)
				require.Equal(t, 234, r.Status)
				require.True(t, bytes.Equal(body, <-got))
			})
		})
	}
}

// TestEarlyAnswerIsTheAnswer: a server may answer before it has read the body (RFC 9112, section 9.3), and go on or not.
func TestEarlyAnswerIsTheAnswer(t *testing.T) {
	for name, then := range map[string]func(net.Conn){
		"and closes": func(conn net.Conn) { _ = conn.Close() },
		"and resets": func(conn net.Conn) {
			_, _ = io.ReadFull(conn, make([]byte, 1<<20)) // the answer has arrived, for the body goes on
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
		},
		"and reads nothing": func(net.Conn) {},
		"and reads the rest": func(conn net.Conn) {
			_, _ = io.Copy(io.Discard, conn)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stop := make(chan struct{})
			defer close(stop)
			c := dial(t, serve(t, func(conn net.Conn) {
				readHead(bufio.NewReaderSize(conn, 16))
				_, _ = io.WriteString(conn, refusal)
				then(conn)
				<-stop
			}))
			began := time.Now()
			r, err := c.Do(post(big()))
			require.Less(t, time.Since(began), patience/2, "it waited for its deadline")
			if name == "and resets" && err != nil {
				return // the reset may overtake the answer
			}
			require.NoError(t, err)
			require.Equal(t, http.StatusRequestEntityTooLarge, r.Status)
			require.Equal(t, "no", string(r.Body))
			if name != "and reads the rest" {
				require.False(t, c.Reusable())
			}
		})
	}
}

// TestAnEchoDoesNotBlock: a server that answers while it reads, and reads no faster than its answer is read.
func TestAnEchoDoesNotBlock(t *testing.T) {
	twice(t, serve(t, func(conn net.Conn) {
		in := bufio.NewReader(conn)
		for r, err := http.ReadRequest(in); err == nil; r, err = http.ReadRequest(in) {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: "+strconv.FormatInt(r.ContentLength, 10)+"\r\n\r\n")
			_, _ = io.Copy(conn, r.Body)
		}
	}), func(c *wire.Conn) {
		r, err := c.Do(post(big()))
		require.NoError(t, err)
		require.EqualValues(t, 32<<20, r.Length)
	})
}

// TestSilentServersAreLeftAtTheDeadline, whatever they are silent in.
func TestSilentServersAreLeftAtTheDeadline(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		body []byte
	}{
		"at once":            {},
		"reading nothing":    {body: big()},
		"in a head":          {text: "HTTP/1.1 200 OK\r\nA: "},
		"after 1xx":          {text: "HTTP/1.1 100 Continue\r\n\r\n"},
		"in a body":          {text: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"},
		"in a chunk":         {text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"},
		"before the end":     {text: "HTTP/1.1 200 OK\r\n\r\nhello"},
		"in a body, reading": {text: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", body: big()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stop := make(chan struct{})
			defer close(stop)
			c := dial(t, serve(t, func(conn net.Conn) {
				_, _ = io.WriteString(conn, test.text)
				<-stop
			}))
			e := post(test.body)
			e.Deadline = time.Now().Add(100 * time.Millisecond)
			within(t, func() {
				_, err := c.Do(e)
				require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			})
			require.False(t, c.Reusable())
		})
	}
}

// TestCloseEndsWhatRuns: in whatever part of an exchange, from another goroutine.
func TestCloseEndsWhatRuns(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		body []byte
	}{
		"waiting":   {},
		"sending":   {body: big()},
		"receiving": {text: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun, stop := make(chan struct{}), make(chan struct{})
			defer close(stop)
			c := dial(t, serve(t, func(conn net.Conn) {
				_, _ = io.ReadFull(conn, make([]byte, 10))
				_, _ = io.WriteString(conn, test.text)
				close(begun)
				<-stop
			}))
			go func() {
				<-begun
				_ = c.Close()
			}()
			e := post(test.body)
			e.Deadline = time.Time{}
			within(t, func() {
				_, err := c.Do(e)
				require.ErrorIs(t, err, net.ErrClosed)
			})
		})
	}
}

// TestIdleConnectionOutlivesItsDeadline: the deadline was the exchange's.
func TestIdleConnectionOutlivesItsDeadline(t *testing.T) {
	c := dial(t, serve(t, answer(mark, mark)))
	e := get(http.MethodGet)
	e.Deadline = time.Now().Add(time.Second)
	_, err := c.Do(e)
	require.NoError(t, err)
	time.Sleep(time.Until(e.Deadline) + time.Millisecond)
	requireMark(t, c)
}
