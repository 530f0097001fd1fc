package sample

import (
	"fmt"
	"net/http"
)

// stream is a row of server-sent events.
type stream struct {
	Trouble
	answer Answer
}

// startEvents begins a response of events.
func startEvents(w http.ResponseWriter, status int) *http.ResponseController {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	return http.NewResponseController(w)
}

func serveStream(w http.ResponseWriter, r *http.Request, s stream) {
	control := startEvents(w, s.Status)
	if r.Method == http.MethodHead {
		return // there is nothing to wait for
	}
	var event []byte
	for s.answer.N = 1; s.answer.N <= s.answer.Of; s.answer.N++ {
		if s.answer.N > 1 && !sleep(r, s.Interval) {
			return
		}
		event = fmt.Appendf(event[:0], "id: %d\ndata: ", s.answer.N)
		event = append(s.answer.appendJSON(event), "\n\n"...)
		if _, err := w.Write(event); err != nil {
			return
		}
		_ = control.Flush()
		if s.Fail == FailBody {
			breakOff(w)
		}
	}
}
