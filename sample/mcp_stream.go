package sample

import (
	"fmt"
	"net/http"
)

// listen serves the stream on which notifications come that no request waits for.
func (x *exchange) listen() {
	if !x.named() || !x.known() {
		return
	}
	l, known := x.Server.listen(x.id)
	switch {
	case !known:
		x.unknown()
		return
	case l == nil:
		x.refuse(http.StatusConflict, refusal{Code: codeRefused, Message: "the session has a stream already, accepted is one"})
		return
	}
	defer x.unlisten(x.id, l)
	control := startEvents(x.w, x.trouble.Status)
	for {
		if err := control.Flush(); err != nil {
			return
		}
		select {
		case <-x.r.Context().Done():
			return
		case <-l.done:
			return
		case note := <-l.notes:
			if _, err := fmt.Fprintf(x.w, "data: %s\n\n", note); err != nil {
				return
			}
		}
	}
}

// stream answers a call with so many events: all but the last are notifications, that is the response.
func (x *exchange) stream(m message, a Answer) {
	control := startEvents(x.w, x.trouble.Status)
	var event []byte
	for a.N = 1; a.N <= a.Of; a.N++ {
		if a.N > 1 && !sleep(x.r, x.trouble.Interval) {
			return
		}
		event = append(event[:0], "data: "...)
		if a.N < a.Of {
			event = append(event, note(&a)...)
		} else {
			event = response(event, m, result(&a))
		}
		if _, err := x.w.Write(append(event, "\n\n"...)); err != nil {
			return
		}
		_ = control.Flush()
		if x.trouble.Fail == FailBody {
			breakOff(x.w)
		}
	}
}
