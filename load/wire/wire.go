// Package wire is the HTTP/1.1 client connection of a load generator: it sends a request once and says what became of it.
//
// net/http's Transport does not do for that. When a kept connection turns out to be closed it sends a GET again by
// itself, so that an instance may execute it twice for one request of the client, and the caller cannot know. Two
// goroutines for each connection also cost more than the rest of a request does.
package wire

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

const (
	// MaxInterim is how many 1xx responses may come before the final one.
	MaxInterim = 16
	// readBuffer and writeBuffer take a usual head in one system call.
	readBuffer, writeBuffer = 8 << 10, 4 << 10
	// sendAhead is how long a request may be, in bytes, to be sent before the response is looked for: sockets have room for
	// it, though the peer reads nothing.
	sendAhead = 32 << 10
	// sendWait is how long a request may still be on its way when its response has come whole: the peer has read it, and
	// only the goroutine that sends has not noticed.
	sendWait = 50 * time.Millisecond
)

// errUnsent means that a response did not wait for the request.
var errUnsent = errors.New("the request is still being sent")

// ErrInterim means that a response was preceded by more than MaxInterim others.
var ErrInterim = errors.New("too many 1xx responses")

// ErrStatus means that a response has a status that is none (RFC 9110, section 15).
var ErrStatus = errors.New("not a status")

// Conn is a connection to a Target. It serves one request at a time and is not safe for concurrent use.
type Conn struct {
	conn   net.Conn
	inlet  inlet
	in     *bufio.Reader // of inlet
	out    *bufio.Writer
	body   bytes.Buffer
	part   []byte // of an event stream
	broken bool
}

func newConn(conn net.Conn) *Conn {
	c := &Conn{conn: conn, inlet: inlet{conn: conn}, out: bufio.NewWriterSize(conn, writeBuffer)}
	c.in = bufio.NewReaderSize(&c.inlet, readBuffer)
	return c
}

// Exchange is a request and what its response left in memory.
type Exchange struct {
	// Head and Body are the request as it goes over the wire. Neither is changed.
	Head, Body []byte
	// Method of the request: a response to HEAD has no body.
	Method string
	// Deadline for the whole exchange; zero: none.
	Deadline time.Time
	// KeepBody bounds how much of the response's body is kept. A longer one is read to its end and not kept at all.
	KeepBody int
	// Events, if there, is shown the body of a response that is an event stream, part by part as it comes, and not kept.
	// Such a body need not end: the exchange does when Events returns done. An error breaks it off.
	Events func(part []byte) (done bool, err error)
}

// Response is what came back.
type Response struct {
	Status int
	Header http.Header
	// Body is nil when it was longer than Exchange.KeepBody, or went to Exchange.Events. It is valid until the
	// connection's next exchange.
	Body []byte
	// Length of the body in bytes, kept or not.
	Length int64
}

// Do sends the request once and reads the whole response. After an error the request may have been executed, and the
// connection is broken.
func (c *Conn) Do(e Exchange) (Response, error) {
	r, err := c.do(e)
	if err != nil {
		c.broken = true
	}
	return r, err
}

func (c *Conn) do(e Exchange) (Response, error) {
	if err := c.conn.SetDeadline(e.Deadline); err != nil {
		return Response{}, err
	}
	if len(e.Head)+len(e.Body) > sendAhead {
		return c.duplex(e)
	}
	if err := c.send(e); err != nil {
		return c.early(e, err)
	}
	return c.read(e)
}

func (c *Conn) send(e Exchange) error {
	for _, part := range [][]byte{e.Head, e.Body} {
		if _, err := c.out.Write(part); err != nil {
			return err
		}
	}
	return c.out.Flush()
}

// early looks for a response that came while the request was still being sent, such as 413: that is the answer, and
// the failure to send is its consequence.
func (c *Conn) early(e Exchange, failed error) (Response, error) {
	r, err := c.read(e)
	c.broken = true
	if err != nil {
		return Response{}, failed
	}
	return r, nil
}

// duplex reads while it sends. A peer that answers before it has read the whole body (RFC 9112, section 9.3), or that
// echoes it, may wait for its answer to be read. The rest of the body is not sent once the response is whole; the
// connection is then of no more use.
func (c *Conn) duplex(e Exchange) (Response, error) {
	sent := make(chan error, 1)
	var sending sync.WaitGroup
	sending.Go(func() { sent <- c.send(e) })
	r, err := c.read(e)
	if err == nil && soon(sent) == nil {
		return r, nil
	}
	c.broken = true
	_ = c.conn.Close() // which ends the sending
	sending.Wait()
	return r, err
}

// soon returns what was sent, if that is within sendWait.
func soon(sent chan error) error {
	late := time.NewTimer(sendWait)
	defer late.Stop()
	select {
	case err := <-sent:
		return err
	case <-late.C:
		return errUnsent
	}
}

func (c *Conn) read(e Exchange) (Response, error) {
	method := &http.Request{Method: e.Method}
	c.inlet.head()
	for range MaxInterim + 1 {
		res, err := http.ReadResponse(c.in, method)
		switch {
		case err != nil:
			return Response{}, c.inlet.cause(err)
		case res.StatusCode < 100: // net/http takes 000 for a status, and then a body may follow
			return Response{}, fmt.Errorf("%w: %03d", ErrStatus, res.StatusCode)
		case res.StatusCode >= 200, res.StatusCode == http.StatusSwitchingProtocols:
			return c.finish(e, res)
		}
	}
	return Response{}, ErrInterim
}

// finish reads the body. An upgrade that nobody asked for has none; the connection is of no more use.
func (c *Conn) finish(e Exchange, res *http.Response) (Response, error) {
	c.inlet.rest()
	r := Response{Status: res.StatusCode, Header: res.Header}
	if res.StatusCode == http.StatusSwitchingProtocols {
		c.broken = true
		return r, nil
	}
	if e.Events != nil && isEvents(res.Header) {
		return c.watch(e, res, r)
	}
	c.body.Reset()
	kept, err := c.body.ReadFrom(io.LimitReader(res.Body, int64(e.KeepBody)+1))
	if err != nil {
		return Response{}, err
	}
	rest, err := io.Copy(io.Discard, res.Body)
	if err != nil {
		return Response{}, err
	}
	r.Length = kept + rest
	if kept <= int64(e.KeepBody) {
		r.Body = c.body.Bytes()
	}
	c.broken = c.broken || res.Close
	return r, nil
}

// Reusable says whether another request may be sent. It looks whether the peer has closed the connection meanwhile,
// so that no request is wasted on it, or has sent more than its response, which the next request would take for its
// own. What comes between this look and the request is not seen.
func (c *Conn) Reusable() bool {
	return !c.broken && c.in.Buffered() == 0 && alive(c.conn) && c.drained()
}

// drained says whether nothing is left where alive cannot look: in TLS's own buffers, which may hold whole records.
func (c *Conn) drained() bool {
	if _, secured := c.conn.(*tls.Conn); !secured {
		return true
	}
	if err := c.conn.SetReadDeadline(time.Unix(1, 0)); err != nil { // passed: what the socket has is left alone
		return false
	}
	_, err := c.in.Peek(1)
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// Close closes the connection. A request in flight fails. It may be called while Do runs.
func (c *Conn) Close() error { return c.conn.Close() }
