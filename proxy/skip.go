package proxy

import (
	"io"
	"net/http"
	"time"
)

const (
	// skipBytes is how much of a body is read after the answer to its request, so that the connection can be used again:
	// as much as net/http reads.
	skipBytes = 256 << 10
	// skipTime is how long that may take.
	skipTime = time.Second
)

// skipBody reads what nobody has read of the request's body. net/http does it too, but, of a request that was forwarded in
// full duplex, only after it has stopped its watch for the client's end; at the body's end it starts that watch again, and
// the connection's next request meets it and breaks off. It returns false where the connection has to be closed.
func (x *exchange) skipBody() bool {
	if !x.leavesBody() {
		return true
	}
	client := http.NewResponseController(x.w)
	if client.Flush() != nil { // a client that still sends may wait for the answer first
		return false
	}
	client.SetReadDeadline(time.Now().Add(skipTime)) //nolint:errcheck // not supported means that there is no connection
	_, _ = io.CopyN(io.Discard, x.body, skipBytes)   // what ended is what counts
	if !x.body.ended.Load() {
		return false // with the deadline in force: net/http tries once more before it closes the connection
	}
	client.SetReadDeadline(time.Time{}) //nolint:errcheck // as above
	return true
}

// leavesBody says whether the end of the body is for us to find. Where the client waits for a 100, where its body is broken
// or longer than is worth reading, net/http closes the connection, and gives the client time to read the answer.
func (x *exchange) leavesBody() bool {
	b := x.body
	if b == nil || x.tries == 0 || x.r.ProtoMajor != 1 || x.status == http.StatusSwitchingProtocols {
		return false
	}
	long := x.r.ContentLength-b.read.Load() > skipBytes
	return !long && !b.ended.Load() && !b.failed.Load() && x.r.Header.Get("Expect") == ""
}
