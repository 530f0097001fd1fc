package proxy

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"
)

// tunnel is what an exchange becomes when both sides have switched protocols: bytes pass both ways, uninterpreted. It has a
// goroutine for each direction and, while nothing moves, no buffer.
type tunnel struct {
	x                *exchange
	client, instance *end
	ended            context.Context // of the use of the session; nil without one

	open  atomic.Int32          // directions
	cause atomic.Pointer[error] // for which Limpet cut it
	stop  [2]func() bool        // what waits to cut it
}

// start lets bytes pass, and returns.
func (t *tunnel) start() {
	t.x.fn.Metrics.Upgraded(1)
	t.cutAfter(t.x.h.life, 0)
	if t.ended != nil {
		t.cutAfter(t.ended, 1)
	}
	t.open.Store(2)
	go t.pass(t.client, t.instance)
	go t.pass(t.instance, t.client)
}

func (t *tunnel) cutAfter(ctx context.Context, i int) {
	t.stop[i] = context.AfterFunc(ctx, func() {
		cause := context.Cause(ctx)
		t.cause.CompareAndSwap(nil, &cause)
		t.cut()
	})
}

// cut ends both directions. What was read is delivered, to who takes it within stuckGrace; nothing more is read. There is no
// Close frame of a WebSocket: where the last frame of the instance ends, only who reads every one of them would know.
func (t *tunnel) cut() {
	soon := time.Now().Add(stuckGrace)
	for _, e := range []*end{t.client, t.instance} {
		e.SetReadDeadline(past)  //nolint:errcheck // fails on a closed connection only
		e.SetWriteDeadline(soon) //nolint:errcheck // as above
	}
}

// pass moves bytes from one end to the other until one of them is done.
func (t *tunnel) pass(from, to *end) {
	for {
		bytes, err := from.receive()
		if len(bytes) > 0 {
			_, werr := to.Write(bytes)
			if from.giveBack(); werr != nil {
				t.undeliverable(werr)
				break
			}
		}
		if err != nil {
			t.finished(to, err)
			break
		}
	}
	if t.open.Add(-1) == 0 {
		t.close()
	}
}

// finished is about an end that gives no more bytes. If it says so in order, the other is told, and may go on sending.
func (t *tunnel) finished(to *end, err error) {
	if !errors.Is(err, io.EOF) || to.CloseWrite() != nil {
		t.cut()
	}
}

// undeliverable is about bytes that an end did not take. If it is closed, what it had sent before that is still to be
// delivered: the other direction finds its end by itself.
func (t *tunnel) undeliverable(err error) {
	if isTimeout(err) {
		t.cut()
	}
}

// close ends the exchange, when both directions have ended.
func (t *tunnel) close() {
	for _, stop := range t.stop {
		if stop != nil {
			stop()
		}
	}
	t.client.Close()   //nolint:errcheck // nothing is left to send
	t.instance.Close() //nolint:errcheck // as above
	if cause := t.cause.Load(); cause != nil {
		t.x.cutShort(*cause)
	}
	t.x.fn.Metrics.Upgraded(-1)
	t.x.release()
}

// cutShort records why Limpet cut the tunnel.
func (x *exchange) cutShort(cause error) {
	f := x.endedBy(cause)
	if f == nil {
		f = errShuttingDown
	}
	x.code = f.Code
}
