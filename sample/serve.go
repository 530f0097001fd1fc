package sample

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// MaxStream is how many events one request may ask for.
const MaxStream = 1_000_000

// DefaultStreamInterval is the time between two events of a stream.
const DefaultStreamInterval = 100 * time.Millisecond

// The values of the query parameter fail.
const (
	FailHead = "head"
	FailBody = "body"
)

// wish is what the query asks for.
type wish struct {
	sleep, interval time.Duration
	status, stream  int
	fail            string
}

// ServeHTTP answers as the type's comment says.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(InstanceHeader, s.options.Name)
	if r.URL.Path == "/healthz" {
		s.serveHealth(w)
		return
	}
	wish, err := parseWish(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if !sleep(r, wish.sleep) {
		return
	}
	if wish.fail == FailHead {
		panic(http.ErrAbortHandler)
	}
	switch r.URL.Path {
	case "/headers":
		serveHead(w, r, wish)
	case "/echo":
		serveEcho(w, r, wish)
	default:
		s.serveCount(w, r, wish)
	}
}

func (s *Server) serveHealth(w http.ResponseWriter) {
	s.mu.Lock()
	status, start := s.health, s.start
	s.mu.Unlock()
	w.Header().Set(StartHeader, start)
	w.WriteHeader(status)
}

func (s *Server) serveCount(w http.ResponseWriter, r *http.Request, wish wish) {
	id := s.sessionID(r)
	if len(id) > MaxSessionID {
		http.Error(w, fmt.Sprintf("a session ID has at most %d bytes", MaxSessionID), http.StatusBadRequest)
		return
	}
	a := Answer{
		Instance: s.options.Name, Session: id, Of: wish.stream,
		Epoch: r.Header.Get(SessionEpochHeader), Event: r.Header.Get(SessionEventHeader),
	}
	epoch, _ := strconv.ParseUint(a.Epoch, 10, 64) // a missing or odd one counts as 0: any proxy may be tried
	a.Count, a.Start = s.count(id, epoch)
	if wish.stream > 0 {
		serveStream(w, r, stream{wish, a})
		return
	}
	writeJSON(w, wish, a)
}

// sessionID returns the ID by the first of: Limpet's header, the configured header, the configured cookie.
func (s *Server) sessionID(r *http.Request) string {
	if id := r.Header.Get(SessionIDHeader); id != "" {
		return id
	}
	if s.options.Header != "" {
		if id := r.Header.Get(s.options.Header); id != "" {
			return id
		}
	}
	if s.options.Cookie != "" {
		if c, err := r.Cookie(s.options.Cookie); err == nil {
			return c.Value
		}
	}
	return ""
}

func writeJSON(w http.ResponseWriter, wish wish, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // none of our types fails
	}
	if wish.status == http.StatusNoContent || wish.status == http.StatusNotModified {
		w.WriteHeader(wish.status) // RFC 9110, 15.3.5 and 15.4.5: these have no content
		return
	}
	body = append(body, '\n')
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(wish.status)
	if wish.fail == FailBody {
		_, _ = w.Write(body[:len(body)/2])
		breakOff(w)
	}
	_, _ = w.Write(body)
}

// breakOff ends the connection after what was written reached the peer's kernel.
func breakOff(w http.ResponseWriter) {
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// Head is what /headers answers.
type Head struct {
	Method  string      `json:"method"`
	URI     string      `json:"uri"` // as the request line had it
	Host    string      `json:"host"`
	Proto   string      `json:"proto"`
	Remote  string      `json:"remote"`
	Headers http.Header `json:"headers"`
}

func serveHead(w http.ResponseWriter, r *http.Request, wish wish) {
	writeJSON(w, wish, Head{
		Method: r.Method, URI: r.RequestURI, Host: r.Host, Proto: r.Proto, Remote: r.RemoteAddr, Headers: r.Header,
	})
}

// serveEcho sends each part of the body back as soon as it came.
func serveEcho(w http.ResponseWriter, r *http.Request, wish wish) {
	control := http.NewResponseController(w)
	// HTTP/1 otherwise reads the whole body before it sends the first byte of the answer. HTTP/2 needs no asking.
	_ = control.EnableFullDuplex()
	if kind := r.Header.Get("Content-Type"); kind != "" {
		w.Header().Set("Content-Type", kind)
	}
	w.WriteHeader(wish.status)
	_ = control.Flush()
	buffer := make([]byte, 32<<10)
	for {
		n, err := r.Body.Read(buffer)
		if n > 0 {
			if _, err := w.Write(buffer[:n]); err != nil {
				return
			}
			_ = control.Flush()
			if wish.fail == FailBody {
				breakOff(w)
			}
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			panic(http.ErrAbortHandler) // a body cut short must not look whole
		}
	}
}

// stream is a row of server-sent events.
type stream struct {
	wish
	answer Answer
}

func serveStream(w http.ResponseWriter, r *http.Request, s stream) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(s.status)
	control := http.NewResponseController(w)
	for s.answer.N = 1; s.answer.N <= s.answer.Of; s.answer.N++ {
		if s.answer.N > 1 && !sleep(r, s.interval) {
			return
		}
		data, err := json.Marshal(s.answer)
		if err != nil {
			panic(err) // it has only strings and numbers
		}
		if _, err := fmt.Fprintf(w, "id: %d\ndata: %s\n\n", s.answer.N, data); err != nil {
			return
		}
		_ = control.Flush()
		if s.fail == FailBody {
			breakOff(w)
		}
	}
}

// sleep waits and says whether the client is still there.
func sleep(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return r.Context().Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-r.Context().Done():
		return false
	case <-timer.C:
		return true
	}
}
