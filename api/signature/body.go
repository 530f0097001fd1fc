package signature

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	stdhash "hash"
	"io"
	"net/http"
	"sync/atomic"
)

const (
	// bodyHold is how many bytes at the end of a body wait for its hash, all of a body that has no more.
	bodyHold = 8 << 10
	// maxIdleReads is how often a body may give nothing, and no error, before it is given up, as bufio does.
	maxIdleReads = 100
)

// Body returns rc, the body of the request, such that a body other than the one that was signed is never read to its
// end: the hash is computed as it streams, and its last 8 KiB (all, if it has no more) are held back until the hash is
// found to be right. If it is wrong, ErrBody comes in their place. Memory is bounded to 16 KiB.
//
// Only io.EOF says that the body is the signed one. Who acts on a part of it, or stops before the end as a json.Decoder
// does after the first value, acts on bytes that anybody may have written: read small bodies whole.
//
// With UnsignedPayload it returns rc as it is. Without a Payload the body has to be read, and hashed, before Verify, and
// every Read fails with ErrBody. Close may be called during a Read, the rest is not safe for concurrent use.
func (s Signed) Body(rc io.ReadCloser) io.ReadCloser {
	if s.Payload == UnsignedPayload {
		return rc
	}
	b := &body{rc: rc, want: s.Payload, hash: sha256.New()}
	if s.Payload == "" {
		b.err = ErrBody
	}
	return b
}

// body holds the bytes buf[:n]; of those, buf[from:to] may be given out.
type body struct {
	rc          io.ReadCloser
	want        string
	hash        stdhash.Hash
	buf         []byte
	n, from, to int
	err         error // what comes after buf[:to]
	closed      atomic.Bool
}

func (b *body) Read(p []byte) (int, error) {
	if b.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	if len(p) == 0 {
		return 0, nil
	}
	if b.from == b.to && b.err == nil {
		b.fill()
	}
	if b.from == b.to {
		return 0, b.err
	}
	n := copy(p, b.buf[b.from:b.to])
	b.from += n
	return n, nil
}

// fill reads until the buffer is full, which lets all but the last bodyHold bytes go, or to the end of the body, which
// lets all go or none.
func (b *body) fill() {
	if b.buf == nil {
		b.buf = make([]byte, 2*bodyHold)
	}
	b.n = copy(b.buf, b.buf[b.to:b.n])
	b.from, b.to = 0, 0
	for idle := 0; b.n < len(b.buf) && b.err == nil; {
		var n int
		n, b.err = b.rc.Read(b.buf[b.n:])
		b.hash.Write(b.buf[b.n : b.n+n])
		b.n += n
		if idle++; n > 0 {
			idle = 0
		}
		if idle == maxIdleReads {
			b.err = io.ErrNoProgress
		}
	}
	switch {
	case b.err == nil:
		b.to = b.n - bodyHold
	case errors.Is(b.err, io.EOF):
		if !equal(hex.EncodeToString(b.hash.Sum(nil)), b.want) {
			b.err = ErrBody
			return
		}
		b.to = b.n
	}
}

// Close touches nothing that Read uses: http.Transport closes a request's body while it may still be reading it.
func (b *body) Close() error {
	b.closed.Store(true)
	return b.rc.Close()
}
