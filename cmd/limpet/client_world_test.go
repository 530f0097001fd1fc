package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	limpet "github.com/limpet-proxy/limpet/cmd/limpet"
)

// fakeAdmin is an admin listener of the tests' own: Function Compute's session API over a list, and Limpet's list of
// functions. What it is asked, it remembers.
type fakeAdmin struct {
	*httptest.Server
	mu        sync.Mutex
	asked     []askedRequest
	sessions  []fakeSession
	functions string                                            // the body of /limpet/v1/functions
	instead   func(w http.ResponseWriter, r *http.Request) bool // answers in place of the rest where it returns true
}

type askedRequest struct {
	method, uri, body string
	header            http.Header
}

type fakeSession struct {
	SessionID        string `json:"sessionId"`
	FunctionName     string `json:"functionName"`
	Qualifier        string `json:"qualifier"`
	Affinity         string `json:"sessionAffinityType"`
	TTL              int64  `json:"sessionTTLInSeconds"`
	Idle             int64  `json:"sessionIdleTimeoutInSeconds"`
	NoReuse          bool   `json:"disableSessionIdReuse"`
	SessionStatus    string `json:"sessionStatus"`
	ContainerID      string `json:"containerId"`
	CreatedTime      string `json:"createdTime"`
	LastModifiedTime string `json:"lastModifiedTime"`
	NASConfig        string `json:"nasConfig"` // a field that the command does not know
}

// fakeNow is the time by the fake's clock, which is far from this machine's.
var fakeNow = time.Date(2031, 4, 1, 12, 0, 0, 0, time.UTC)

// active is a session of the function counter that is 90 minutes old.
func active(id string) fakeSession {
	return fakeSession{
		SessionID: id, FunctionName: "counter", Qualifier: "LATEST", Affinity: "HEADER_FIELD", TTL: 21600, Idle: 1800,
		SessionStatus: "Active", ContainerID: "a", CreatedTime: "2031-04-01T10:30:00Z", LastModifiedTime: "2031-04-01T11:00:00Z",
		NASConfig: "<&>",
	}
}

func expired(id string) fakeSession {
	s := active(id)
	s.SessionStatus = "Expired"
	return s
}

func newFakeAdmin(t testing.TB, sessions ...fakeSession) *fakeAdmin {
	t.Helper()
	f := &fakeAdmin{sessions: sessions, functions: twoFunctions}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

const twoFunctions = `{"deployment":"limpet","farmId":"farm-0f","functions":[
	{"name":"counter","qualifier":"LATEST","affinity":"HEADER_FIELD","queueId":"queue-0a","jobId":"job-0b","fleetId":"fleet-0c","instances":[
		{"id":"a","workerId":"worker-0d","state":"ready","since":"2031-04-01T11:58:00Z","sessions":3,"perInstance":20,"inFlight":1},
		{"id":"b","workerId":"worker-0e","state":"unhealthy","sessions":0,"perInstance":20,"inFlight":0}]},
	{"name":"counter","qualifier":"blue","affinity":"HEADER_FIELD","queueId":"queue-0a","jobId":"job-1b","fleetId":"fleet-1c","instances":[]},
	{"name":"plain","qualifier":"LATEST","affinity":"NONE","queueId":"queue-2a","jobId":"job-2b","fleetId":"fleet-2c","instances":[]},
	{"name":"browser","qualifier":"LATEST","affinity":"GENERATED_COOKIE","queueId":"queue-3a","jobId":"job-3b","fleetId":"fleet-3c","instances":[
		{"id":"c","workerId":"worker-3d","state":"draining","since":"2031-03-28T10:00:00Z","sessions":7,"perInstance":7,"inFlight":12,"drain":{"since":"2031-03-28T10:00:00Z","deadline":"2031-04-01T12:03:20Z","secondsLeft":200}}]}]}`

func (f *fakeAdmin) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	f.asked = append(f.asked, askedRequest{r.Method, r.URL.RequestURI(), string(body), r.Header})
	w.Header().Set("Date", fakeNow.Format(http.TimeFormat))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Fc-Request-Id", "1-2-3")
	if f.instead != nil && f.instead(w, r) {
		return
	}
	if r.URL.Path == "/limpet/v1/functions" {
		_, _ = io.WriteString(w, f.functions)
		return
	}
	function, id, found := strings.Cut(strings.TrimPrefix(r.URL.Path, "/2023-03-30/functions/"), "/sessions")
	if !found {
		refuse(w, 404, "NotFound", "nothing is at this path")
		return
	}
	f.serveSessions(w, r, [3]string{function, strings.TrimPrefix(id, "/"), string(body)})
}

// serveSessions answers for what is the function, the ID and the body.
func (f *fakeAdmin) serveSessions(w http.ResponseWriter, r *http.Request, what [3]string) {
	i := slices.IndexFunc(f.sessions, func(s fakeSession) bool {
		return s.FunctionName == what[0] && s.SessionID == what[1] && s.SessionStatus == "Active"
	})
	switch {
	case r.Method == http.MethodGet && what[1] == "":
		f.list(w, r, what[0])
		return
	case r.Method == http.MethodPost:
		s := active("made-by-server")
		s.FunctionName, i = what[0], len(f.sessions)
		f.sessions = append(f.sessions, s)
	case i < 0:
		refuse(w, 404, "SessionNotFound", "there is no such active session")
		return
	case r.Method == http.MethodDelete:
		f.sessions = slices.Delete(f.sessions, i, i+1)
		_, _ = io.WriteString(w, "{}")
		return
	}
	_ = json.Unmarshal([]byte(what[2]), &f.sessions[i])
	_ = json.NewEncoder(w).Encode(f.sessions[i])
}

// list answers ListSessions; its token is the index of the next session.
func (f *fakeAdmin) list(w http.ResponseWriter, r *http.Request, function string) {
	q := r.URL.Query()
	limit, _ := strconv.Atoi(q.Get("limit"))
	at, _ := strconv.Atoi(q.Get("nextToken"))
	page := struct {
		Sessions  []fakeSession `json:"sessions"`
		NextToken string        `json:"nextToken,omitempty"`
	}{Sessions: []fakeSession{}}
	for ; at < len(f.sessions) && len(page.Sessions) < limit; at++ {
		s := f.sessions[at]
		fits := s.FunctionName == function
		for name, value := range map[string]string{"qualifier": s.Qualifier, "sessionId": s.SessionID, "sessionStatus": s.SessionStatus} {
			fits = fits && (q.Get(name) == "" || q.Get(name) == value)
		}
		if fits {
			page.Sessions = append(page.Sessions, s)
		}
	}
	if at < len(f.sessions) {
		page.NextToken = strconv.Itoa(at)
	}
	_ = json.NewEncoder(w).Encode(page)
}

// refuse answers as the session API does when it refuses.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Limpet-Error", code)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"Code": code, "Message": message, "RequestId": "1-2-3"})
}

// requests are what was asked so far, as METHOD URI.
func (f *fakeAdmin) requests() (all []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.asked {
		all = append(all, a.method+" "+a.uri)
	}
	return all
}

func (f *fakeAdmin) lastAsked(t testing.TB) askedRequest {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	require.NotEmpty(t, f.asked)
	return f.asked[len(f.asked)-1]
}

// here runs a limpet command in this process.
func here(t testing.TB, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, problems bytes.Buffer
	status = limpet.RunHere(ctx, args, &out, &problems)
	return status, out.String(), problems.String()
}

// run runs a limpet command in this process against the fake; it must succeed and say nothing on stderr.
func (f *fakeAdmin) run(t testing.TB, args ...string) (stdout string) {
	t.Helper()
	status, stdout, stderr := here(t, append(args, "--admin", f.URL)...)
	require.Zero(t, status, stderr)
	require.Empty(t, stderr)
	return stdout
}

// fail runs a limpet command against the fake that must fail, with one line on stderr, which it returns.
func (f *fakeAdmin) fail(t testing.TB, args ...string) (problem string) {
	t.Helper()
	return fails(t, append(args, "--admin", f.URL)...)
}

func fails(t testing.TB, args ...string) (problem string) {
	t.Helper()
	status, stdout, stderr := here(t, args...)
	require.Equal(t, 1, status, stdout)
	require.Empty(t, stdout)
	require.Regexp(t, `^limpet: [^\n]+\n$`, stderr)
	return stderr
}

// sheet makes a table's text comparable: the columns are parted by one space.
func sheet(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		fmt.Fprintln(&b, strings.Join(strings.Fields(line), " "))
	}
	return b.String()
}
