// Package kubetest is a Kubernetes API server for tests, as far as it has EndpointSlices: it speaks list and watch.
package kubetest

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	discovery "k8s.io/api/discovery/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// firstVersion is the resourceVersion that a server begins with.
const firstVersion = 1000

// TB is what a server needs of a test.
type TB interface {
	Cleanup(func())
	TempDir() string
	Fatal(args ...any)
	Helper()
}

// Server is an API server on loopback. Its methods are safe for concurrent use.
type Server struct {
	URL string

	tb     TB
	server *httptest.Server

	mu      sync.Mutex
	changed chan struct{} // closed at each change of what follows
	slices  map[string]discovery.EndpointSlice
	log     []change // what watches are told, in the order of versions
	version int
	oldest  int // versions before it are forgotten
	silent  bool
	hook    func(w http.ResponseWriter, r *http.Request) bool
	cut     *Cut
	epoch   int // raised to end all watches
	told    int // the last version that a watch was told
	asked   []Request
}

// change is one event. Its version is that of the object.
type change struct {
	version int
	kind    watch.EventType
	object  any
	labels  map[string]string // empty: every watch is told
}

// Cut says how a watch breaks off.
type Cut struct {
	After int  // bytes of its body
	Clean bool // the body ends as if it were complete; else the connection breaks
}

// New returns a server that runs until the test ends. It speaks TLS and HTTP/2, as API servers do.
func New(tb TB) *Server { return start(tb, true) }

// NewPlain returns one that speaks HTTP/1.1 without TLS, as kubectl proxy does.
func NewPlain(tb TB) *Server { return start(tb, false) }

func start(tb TB, tls bool) *Server {
	tb.Helper()
	s := &Server{
		tb: tb, changed: make(chan struct{}), slices: map[string]discovery.EndpointSlice{},
		version: firstVersion, oldest: firstVersion,
	}
	s.server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if s.server.EnableHTTP2 = tls; tls {
		s.server.StartTLS()
	} else {
		s.server.Start()
	}
	s.URL = s.server.URL
	tb.Cleanup(func() {
		s.Silence(false)
		s.Disconnect()
		s.server.CloseClientConnections()
		s.server.Close()
	})
	return s
}

// Kubeconfig writes a file that leads here, with these lines for its user, such as "tokenFile: FILE".
func (s *Server) Kubeconfig(user ...string) string {
	s.tb.Helper()
	text := "apiVersion: v1\nkind: Config\ncurrent-context: here\n" +
		"contexts: [{name: here, context: {cluster: here, user: me}}]\n" +
		"clusters: [{name: here, cluster: {server: \"" + s.URL + "\"" + s.authority() + "}}]\n" +
		"users:\n- name: me\n  user:\n"
	for _, line := range user {
		text += "    " + line + "\n"
	}
	if len(user) == 0 {
		text += "    username: \"\"\n"
	}
	file := filepath.Join(s.tb.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.tb.Fatal(err)
	}
	return file
}

// authority names the certificate that the server's own is signed with.
func (s *Server) authority() string {
	if s.server.TLS == nil {
		return ""
	}
	block := &pem.Block{Type: "CERTIFICATE", Bytes: s.server.Certificate().Raw}
	return ", certificate-authority-data: " + base64.StdEncoding.EncodeToString(pem.EncodeToMemory(block))
}

// update runs f and tells all watches.
func (s *Server) update(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.changed)
	s.changed = make(chan struct{})
}

// Put makes or changes a slice.
func (s *Server) Put(slice discovery.EndpointSlice) {
	s.update(func() {
		s.version++
		slice.TypeMeta = typeMeta("EndpointSlice")
		slice.ResourceVersion = strconv.Itoa(s.version)
		kind := watch.Modified
		if _, there := s.slices[slice.Name]; !there {
			kind = watch.Added
		}
		s.slices[slice.Name] = slice
		s.log = append(s.log, change{s.version, kind, slice, slice.Labels})
	})
}

// Delete takes a slice away.
func (s *Server) Delete(name string) {
	s.update(func() {
		slice, there := s.slices[name]
		if !there {
			return
		}
		s.version++
		slice.ResourceVersion = strconv.Itoa(s.version)
		delete(s.slices, name)
		s.log = append(s.log, change{s.version, watch.Deleted, slice, slice.Labels})
	})
}

// Names returns the names of all slices.
func (s *Server) Names() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.slices {
		all = append(all, name)
	}
	return all
}

// Bookmark passes time: the version grows by what concerns nobody, and watches are told the new one.
func (s *Server) Bookmark() (version string) {
	s.update(func() {
		s.version += 100
		version = strconv.Itoa(s.version)
		mark := discovery.EndpointSlice{TypeMeta: typeMeta("EndpointSlice"), ObjectMeta: meta.ObjectMeta{ResourceVersion: version}}
		s.log = append(s.log, change{s.version, watch.Bookmark, mark, nil})
	})
	return version
}

// Raw tells watches these bytes as they are.
func (s *Server) Raw(text string) {
	s.update(func() {
		s.version++
		s.log = append(s.log, change{s.version, watch.Error, json.RawMessage(text), nil})
	})
}

// Error tells watches this error.
func (s *Server) Error(status meta.Status) {
	s.update(func() {
		s.version++
		status.TypeMeta = meta.TypeMeta{APIVersion: "v1", Kind: "Status"}
		s.log = append(s.log, change{s.version, watch.Error, status, nil})
	})
}

// Forget makes all versions up to now ones that the server knows no more.
func (s *Server) Forget() {
	s.update(func() {
		s.version++
		s.oldest = s.version
	})
}

// Silence makes the server say nothing to anyone, whatever was begun, or go on.
func (s *Server) Silence(on bool) { s.update(func() { s.silent = on }) }

// Disconnect breaks all watches.
func (s *Server) Disconnect() { s.update(func() { s.epoch++ }) }

// Break makes the next event break off the watch that it is told to, once.
func (s *Server) Break(c Cut) { s.update(func() { s.cut = &c }) }

// Meddle lets f answer in the server's place, where it returns true.
func (s *Server) Meddle(f func(w http.ResponseWriter, r *http.Request) bool) {
	s.update(func() { s.hook = f })
}

func typeMeta(kind string) meta.TypeMeta {
	return meta.TypeMeta{APIVersion: discovery.SchemeGroupVersion.String(), Kind: kind}
}
