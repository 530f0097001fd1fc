package sample

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// ServeHTTP answers as the type's comment says.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header()[InstanceHeader] = s.name
	if r.URL.Path == "/healthz" {
		s.serveHealth(w)
		return
	}
	t, err := parseWish(r.URL.RawQuery, s.options.Trouble.dice())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if !wait(r, t.Sleep) {
		return
	}
	if t.Fail == FailHead {
		panic(http.ErrAbortHandler)
	}
	switch r.URL.Path {
	case "/headers":
		serveHead(w, r, t)
	case "/echo":
		serveEcho(w, r, t)
	case MCPPath:
		s.serveMCP(w, r, t)
	default:
		s.serveCount(w, r, t)
	}
}

// wait sleeps before the answer and says whether the client is still there. net/http looks out for that only once the
// body was read, so it is read first; /echo has to send it back.
func wait(r *http.Request, d time.Duration) bool {
	if d > 0 && r.Body != nil && r.URL.Path != "/echo" {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			panic(http.ErrAbortHandler) // it was cut short: there is no whole request to answer
		}
	}
	return sleep(r, d)
}

func (s *Server) serveHealth(w http.ResponseWriter) {
	s.mu.Lock()
	status, start := s.health, s.start
	s.mu.Unlock()
	w.Header().Set(StartHeader, start)
	w.WriteHeader(status)
}

func (s *Server) serveCount(w http.ResponseWriter, r *http.Request, t Trouble) {
	id := s.sessionID(r)
	if len(id) > MaxSessionID {
		http.Error(w, fmt.Sprintf("a session ID has at most %d bytes", MaxSessionID), http.StatusBadRequest)
		return
	}
	given := id == "" && s.options.GiveCookie && s.options.Cookie != ""
	if given {
		id = rand.Text()
	}
	a := Answer{
		Instance: s.options.Name, Session: id, Of: t.Stream,
		Epoch: r.Header.Get(SessionEpochHeader), Event: r.Header.Get(SessionEventHeader),
	}
	epoch, _ := strconv.ParseUint(a.Epoch, 10, 64) // a missing or odd one counts as 0: any proxy may be tried
	var room bool
	if a.Count, a.Start, room = s.count(use{id, epoch, t.Grow}); !room {
		http.Error(w, s.noRoom(t.Grow), http.StatusInsufficientStorage)
		return
	}
	if given {
		http.SetCookie(w, &http.Cookie{Name: s.options.Cookie, Value: id, Path: "/", HttpOnly: true})
	}
	w.Header()[CountHeader] = []string{strconv.Itoa(a.Count)}
	if t.Stream > 0 {
		serveStream(w, r, stream{t, a})
		return
	}
	s.writeAnswer(w, t, &a)
}

func (s *Server) noRoom(grow int64) string {
	return fmt.Sprintf("no room to grow by %d bytes, all sessions together may by %d", grow, s.options.MaxMemory)
}

func (s *Server) writeAnswer(w http.ResponseWriter, t Trouble, a *Answer) {
	buffer, ok := s.buffers.Get().(*[]byte)
	if !ok {
		buffer = new([]byte)
	}
	defer s.buffers.Put(buffer)
	*buffer = append(a.appendJSON((*buffer)[:0]), '\n')
	writeJSON(w, t, *buffer)
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

func writeJSON(w http.ResponseWriter, t Trouble, body []byte) {
	if t.Status == http.StatusNoContent || t.Status == http.StatusNotModified {
		w.WriteHeader(t.Status) // RFC 9110, 15.3.5 and 15.4.5: these have no content
		return
	}
	values := []string{"application/json", strconv.Itoa(len(body))}
	w.Header()["Content-Type"], w.Header()["Content-Length"] = values[:1:1], values[1:]
	w.WriteHeader(t.Status)
	if t.Fail == FailBody {
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

func serveHead(w http.ResponseWriter, r *http.Request, t Trouble) {
	body, err := json.Marshal(Head{
		Method: r.Method, URI: r.RequestURI, Host: r.Host, Proto: r.Proto, Remote: r.RemoteAddr, Headers: r.Header,
	})
	if err != nil {
		panic(err) // it has only strings
	}
	writeJSON(w, t, append(body, '\n'))
}

// serveEcho sends each part of the body back as soon as it came.
func serveEcho(w http.ResponseWriter, r *http.Request, t Trouble) {
	control := http.NewResponseController(w)
	// HTTP/1 otherwise reads the whole body before it sends the first byte of the answer. HTTP/2 needs no asking.
	_ = control.EnableFullDuplex()
	if kind := r.Header.Get("Content-Type"); kind != "" {
		w.Header().Set("Content-Type", kind)
	}
	w.WriteHeader(t.Status)
	_ = control.Flush()
	buffer := make([]byte, 32<<10)
	for {
		n, err := r.Body.Read(buffer)
		if n > 0 {
			if _, err := w.Write(buffer[:n]); err != nil {
				return
			}
			_ = control.Flush()
			if t.Fail == FailBody {
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
