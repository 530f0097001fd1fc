package wire

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"time"
)

// endWait is how long a stream may take to end after the event that was waited for. A server that closes it then leaves the
// connection for further use.
const endWait = 50 * time.Millisecond

func isEvents(header http.Header) bool {
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	return err == nil && kind == "text/event-stream"
}

// watch shows the body of an event stream to the exchange's Events.
func (c *Conn) watch(e Exchange, res *http.Response, r Response) (Response, error) {
	if c.part == nil {
		c.part = make([]byte, readBuffer)
	}
	for done := false; !done; {
		n, err := res.Body.Read(c.part)
		r.Length += int64(n)
		if n > 0 {
			var stop error
			if done, stop = e.Events(c.part[:n]); stop != nil {
				return Response{}, stop
			}
		}
		if errors.Is(err, io.EOF) {
			c.broken = c.broken || res.Close
			return r, nil
		}
		if err != nil && !done {
			return Response{}, err
		}
	}
	c.broken = !c.ends(res) || c.broken || res.Close
	return r, nil
}

// ends waits a moment for the end of a stream, and says whether it came.
func (c *Conn) ends(res *http.Response) bool {
	if err := c.conn.SetReadDeadline(time.Now().Add(endWait)); err != nil {
		return false
	}
	_, err := io.Copy(io.Discard, res.Body)
	return err == nil
}
