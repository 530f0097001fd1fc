package proxy

import (
	"io"
	"net/http"
	"sync"
)

// sentBody is a request's body on its way to an instance by HTTP/2. When the instance has ended the stream, http.Transport
// closes the body and waits for whoever reads it; the client may be silent for long, and wait for the response itself. So
// the read is made to fail.
type sentBody struct {
	io.ReadCloser
	x *exchange
}

// Close ends a read that is under way.
func (b sentBody) Close() error {
	b.x.unwanted()
	return b.ReadCloser.Close()
}

// tenure is whether the exchange's response may still be touched.
type tenure struct {
	mu    sync.Mutex
	ended bool
}

func (t *tenure) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
}

// unwanted is about a body that the instance does not read to its end. Where no connection was obtained it is the next
// home's to read.
func (x *exchange) unwanted() {
	x.tenure.mu.Lock()
	defer x.tenure.mu.Unlock()
	if x.tenure.ended || x.body == nil || x.body.ended.Load() || !x.connected.Load() {
		return
	}
	x.body.dropped.Store(true)
	http.NewResponseController(x.w).SetReadDeadline(past) //nolint:errcheck // not supported means that there is no connection
}
