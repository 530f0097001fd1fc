package proxy

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
)

// watchedBody notes that reading the client's body failed, which is not the instance's fault, and takes out of its
// trailers what only Limpet may say.
type watchedBody struct {
	io.ReadCloser
	trailer http.Header // the request's: filled by the server when the body has ended
	x       *exchange   // knows what may not pass
	failed  atomic.Bool
	dropped atomic.Bool             // the instance wants no more of it
	refused atomic.Pointer[Failure] // by who authenticated the request: the body is not the signed one
	ended   atomic.Bool
	read    atomic.Int64 // bytes
}

// Read reads from the client.
func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read.Add(int64(n))
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		b.ended.Store(true)
		b.x.stripRequest(b.trailer)
	case b.dropped.Load(): // by us
	default:
		var refusal *Failure
		if errors.As(err, &refusal) {
			b.refused.Store(refusal)
		}
		b.failed.Store(true)
	}
	return n, err
}

// strippedTrailer takes out of a response's trailers what only Limpet may say: they are known when the body has ended.
type strippedTrailer struct {
	io.ReadCloser
	res *http.Response
	x   *exchange // knows what may not pass
}

// Read reads from the instance.
func (b *strippedTrailer) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.x.stripResponse(b.res.Trailer)
	}
	return n, err
}

// bufferSize is that of io.Copy.
const bufferSize = 32 << 10

// bufferPool lends the buffers that bodies are copied through.
type bufferPool struct{ pool sync.Pool }

// Get returns a buffer.
func (p *bufferPool) Get() []byte {
	if b, ok := p.pool.Get().(*[bufferSize]byte); ok {
		return b[:]
	}
	return make([]byte, bufferSize)
}

// Put takes a buffer back.
func (p *bufferPool) Put(b []byte) {
	if len(b) == bufferSize {
		p.pool.Put((*[bufferSize]byte)(b))
	}
}
