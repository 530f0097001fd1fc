package proxy

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"
)

// errSwitched tells of a 101: from then on the connection is no business of a ReverseProxy any more. It would hold the
// request, both its own buffers and net/http's, and a third goroutine for as long as the connection lasts.
var errSwitched = errors.New("proxy: the instance has switched protocols")

// switched is an instance's 101 and the connection that it came on, which http.Transport has let go of.
type switched struct {
	res   *http.Response
	conn  net.Conn
	asked string // the protocol
}

// past wakes whoever waits for a connection, by a deadline that was never in force.
var past = time.Unix(1, 0)

// switchProtocols answers the client's request with the instance's 101, and makes the tunnel that begins after it.
func (x *exchange) switchProtocols() {
	s := x.switched
	x.switched = nil
	early, err := s.leftover()
	if err != nil || !s.granted() || x.body != nil && !x.body.ended.Load() {
		// RFC 9110, 7.8: an instance may switch only to what was asked for, and only when the request has been read.
		s.conn.Close() //nolint:errcheck // nobody uses it
		x.fail(errBadGateway)
		return
	}
	if err := x.modifyResponse(s.res); err != nil {
		s.conn.Close() //nolint:errcheck // as above
		x.fail(err)
		return
	}
	ended := x.use.Ended()
	x.unguard()
	x.idle.end()
	client, brw, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		s.conn.Close() //nolint:errcheck // as above
		x.fail(errBadGateway)
		return
	}
	sent, _ := brw.Reader.Peek(brw.Reader.Buffered()) //nolint:errcheck // they are there
	sent = bytes.Clone(sent)
	s.res.Body = nil
	err = s.res.Write(brw.Writer)
	if err = errors.Join(err, brw.Writer.Flush()); err != nil {
		client.Close() //nolint:errcheck // the client is gone
		s.conn.Close() //nolint:errcheck // as above
		x.code = codeClientGone
		return
	}
	idle := x.fn.Config.Timeouts.Idle
	x.tunnel = &tunnel{x: x, ended: ended, client: newEnd(client, idle, sent, &x.h.chunks), instance: newEnd(s.conn, idle, early, &x.h.chunks)}
	x.forget()
}

// granted says whether the protocol is the one that was asked for.
func (s *switched) granted() bool {
	for _, line := range s.res.Header["Connection"] {
		for option := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(option), "upgrade") {
				return strings.EqualFold(s.res.Header.Get("Upgrade"), s.asked)
			}
		}
	}
	return false
}

// leftover is what http.Transport had read beyond the 101. A deadline that has passed keeps the read from the connection
// itself.
func (s *switched) leftover() ([]byte, error) {
	var early bytes.Buffer
	err := s.conn.SetReadDeadline(past)
	if err == nil {
		_, err = early.ReadFrom(s.res.Body)
	}
	if err != nil && !isTimeout(err) {
		return nil, err
	}
	return bytes.Clone(early.Bytes()), s.conn.SetReadDeadline(time.Time{}) // mostly none: without the buffer's room
}

// forget lets go of what a tunnel does not need: the request with its headers, and the response, which holds the buffers of
// net/http's connection.
func (x *exchange) forget() { x.r, x.w, x.body, x.idle = nil, nil, nil, nil }
