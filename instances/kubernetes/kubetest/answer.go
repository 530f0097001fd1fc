package kubetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	discovery "k8s.io/api/discovery/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/watch"
)

// query is what one request asks for.
type query struct {
	namespace string
	selector  labels.Selector
	version   int
	epoch     int // the server's, when it was asked
}

func (q query) wants(c change) bool {
	return c.labels == nil || q.selector.Matches(labels.Set(c.labels))
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	asked := Request{Watch: isWatch(r), Version: r.FormValue("resourceVersion"), Token: r.Header.Get("Authorization")}
	s.mu.Lock()
	s.asked = append(s.asked, asked)
	hook, epoch, oldest := s.hook, s.epoch, s.oldest // what is forgotten later is still known to who has asked
	s.mu.Unlock()
	if !s.audible(r) || hook != nil && hook(w, r) {
		return
	}
	namespace, ok := strings.CutPrefix(r.URL.Path, "/apis/discovery.k8s.io/v1/namespaces/")
	namespace, ours := strings.CutSuffix(namespace, "/endpointslices")
	if !ok || !ours || r.Method != http.MethodGet {
		Refuse(w, http.StatusNotFound, meta.StatusReasonNotFound, "the server could not find the requested resource")
		return
	}
	q := query{namespace: namespace, epoch: epoch}
	var err error
	if q.selector, err = labels.Parse(r.FormValue("labelSelector")); err != nil {
		Refuse(w, http.StatusBadRequest, meta.StatusReasonBadRequest, err.Error())
		return
	}
	q.version, _ = strconv.Atoi(asked.Version)
	switch {
	case asked.Watch && q.version != 0 && q.version < oldest:
		Refuse(w, http.StatusGone, meta.StatusReasonExpired, fmt.Sprintf("too old resource version: %d (%d)", q.version, oldest))
	case asked.Watch:
		s.watch(w, r, q)
	default:
		s.list(w, q)
	}
}

func isWatch(r *http.Request) bool {
	return r.FormValue("watch") == "true" || r.FormValue("watch") == "1"
}

// Refuse answers with an error as the API server does.
func Refuse(w http.ResponseWriter, code int, reason meta.StatusReason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(meta.Status{
		TypeMeta: meta.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: meta.StatusFailure,
		Code: int32(code), Reason: reason, Message: message,
	})
}

// audible waits while the server is silent, and says whether the client is still there.
func (s *Server) audible(r *http.Request) bool {
	for {
		s.mu.Lock()
		silent, changed := s.silent, s.changed
		s.mu.Unlock()
		if !silent {
			return true
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return false
		}
	}
}

func (s *Server) list(w http.ResponseWriter, q query) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := discovery.EndpointSliceList{
		TypeMeta: typeMeta("EndpointSliceList"), ListMeta: meta.ListMeta{ResourceVersion: strconv.Itoa(s.version)},
		Items: []discovery.EndpointSlice{},
	}
	for _, slice := range s.slices {
		if slice.Namespace == q.namespace && q.selector.Matches(labels.Set(slice.Labels)) {
			list.Items = append(list.Items, slice)
		}
	}
	slices.SortFunc(list.Items, func(a, b discovery.EndpointSlice) int { return strings.Compare(a.Name, b.Name) })
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(list)
}

// watch tells of what comes after the version, until the client leaves or the watch is broken.
func (s *Server) watch(w http.ResponseWriter, r *http.Request, q query) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	flush(w)
	for {
		if !s.audible(r) {
			return
		}
		s.mu.Lock()
		events, changed, broken := s.after(q), s.changed, s.epoch != q.epoch
		s.mu.Unlock()
		if broken {
			panic(http.ErrAbortHandler)
		}
		for _, c := range events {
			q.version = c.version
			if !s.write(w, c) {
				return
			}
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// after returns what q is to be told next. Call with mu held.
func (s *Server) after(q query) (events []change) {
	for _, c := range s.log {
		if c.version > q.version && q.wants(c) {
			events = append(events, c)
		}
	}
	return events
}

// write sends one event, or a part of it where the watch is to break off, and says whether it goes on.
func (s *Server) write(w http.ResponseWriter, c change) bool {
	line := encode(c)
	s.mu.Lock()
	cut := s.cut
	s.cut = nil
	s.mu.Unlock()
	if cut != nil {
		line = line[:min(cut.After, len(line))]
	}
	_, _ = w.Write(line)
	flush(w)
	s.mu.Lock()
	s.told = max(s.told, c.version)
	s.mu.Unlock()
	if cut != nil && !cut.Clean {
		panic(http.ErrAbortHandler)
	}
	return cut == nil
}

func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }

func encode(c change) []byte {
	if raw, ok := c.object.(json.RawMessage); ok {
		return raw
	}
	line, err := json.Marshal(struct {
		Type   watch.EventType `json:"type"`
		Object any             `json:"object"`
	}{c.kind, c.object})
	if err != nil {
		panic(err) // of this package's own types
	}
	return append(line, '\n')
}
