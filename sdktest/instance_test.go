package sdktest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"github.com/limpet-proxy/limpet/sample"
)

// instance is a sample instance that also speaks event streams and waits for tests.
//
// Its answer to all but health checks is a sample.Answer, as JSON. A body that asks for a hold makes it send a line first,
// wait until the test lets go, and answer then; an abort breaks the connection off, a stall never ends. A body with a tool's name, which is
// how InvokeCodeInterpreter says what to do, is answered with an event stream that has the answer as its text.
type instance struct {
	*httptest.Server
	name   string
	sample *sample.Server
	holds  *holds
}

// The headers of an instance's answers, for tests to look at.
const (
	samplePath  = "Sample-Path"  // the request's path
	sampleQuery = "Sample-Query" // and query
)

func newInstance(name string, h *holds) *instance {
	i := &instance{name: name, sample: sample.New(sample.Options{Name: name}), holds: h}
	i.Server = httptest.NewServer(i)
	return i
}

// wish is what a body asks for.
type wish struct {
	Hold  string `json:"hold"`  // the name of a hold
	Abort bool   `json:"abort"` // break off
	Stall bool   `json:"stall"` // do not answer
	Name  string `json:"name"`  // of a tool
}

// ServeHTTP answers as the type's comment says.
func (i *instance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	var wish wish
	_ = json.Unmarshal(body, &wish) // most bodies are no wish
	if wish.Stall {
		<-r.Context().Done()
	}
	if wish.Abort || wish.Stall {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set(samplePath, r.URL.Path)
	w.Header().Set(sampleQuery, r.URL.RawQuery)
	r.Body = io.NopCloser(bytes.NewReader(body))
	if wish.Name != "" {
		i.serveEvents(w, r)
		return
	}
	if wish.Hold != "" {
		i.serveHeld(w, r, wish.Hold)
		return
	}
	i.sample.ServeHTTP(w, r)
}

// serveHeld begins the answer and waits. It gives up when the client has gone.
func (i *instance) serveHeld(w http.ResponseWriter, r *http.Request, name string) {
	h := i.holds.get(name)
	_, _ = io.WriteString(w, held)
	_ = http.NewResponseController(w).Flush()
	select {
	case <-h.released:
		_, _ = w.Write(i.answer(r))
	case <-r.Context().Done():
	}
}

// held is the first line of an answer that is held.
const held = "held\n"

func (i *instance) answer(r *http.Request) []byte {
	answer := httptest.NewRecorder()
	i.sample.ServeHTTP(answer, r)
	return answer.Body.Bytes()
}

// serveEvents answers with an event stream of two results: the sample's answer, and one that says that it is the last.
func (i *instance) serveEvents(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
	encoder := eventstream.NewEncoder()
	for _, text := range []string{string(i.answer(r)), "last"} {
		payload, err := json.Marshal(map[string]any{"content": []map[string]string{{"type": "text", "text": text}}, "isError": false})
		if err != nil {
			panic(err)
		}
		m := eventstream.Message{Payload: payload}
		m.Headers.Set(":message-type", eventstream.StringValue("event"))
		m.Headers.Set(":event-type", eventstream.StringValue("result"))
		m.Headers.Set(":content-type", eventstream.StringValue("application/json"))
		if err := encoder.Encode(w, m); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
	}
}

// holds are the holds by name.
type holds struct {
	mu  sync.Mutex
	all map[string]*hold
}

func newHolds() *holds { return &holds{all: map[string]*hold{}} }

func (h *holds) get(name string) *hold {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all[name] == nil {
		h.all[name] = &hold{released: make(chan struct{})}
	}
	return h.all[name]
}

// hold keeps requests waiting until it is released.
type hold struct {
	released chan struct{}
	once     sync.Once
}

func (h *hold) release() { h.once.Do(func() { close(h.released) }) }
