package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/api"
	"github.com/limpet-proxy/limpet/dialects"
)

func TestRates(t *testing.T) {
	for d, s := range spoken {
		for _, op := range [][3]string{s.read, s.write} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				members(t, w.call(t, slow, "POST", fcSessions, `{"sessionId":"s"}`))
				time.Sleep(100 * time.Second)
				code := map[bool]string{true: "Throttling", false: "ThrottlingException"}[d == dialects.FC]
				for range 3 { // a refusal costs nothing
					a := w.call(t, slow, op[0], op[1], op[2])
					requireRefusal(t, d, a, 429, code)
					require.Equal(t, "900", a.header.Get("Retry-After"))
				}
				require.Equal(t, 200, w.call(t, admin, op[0], op[1], op[2]).status, "each key has its own")
				requireWellFormed(t, d, w.call(t, "nobody", op[0], op[1], op[2]))
				time.Sleep(900 * time.Second)
				require.Equal(t, 200, w.call(t, slow, op[0], op[1], op[2]).status)
				requireRefusal(t, dialects.FC, w.serve(of(slow).acs3(draft(t, "", "GET", fcSessions, ""), "")), 429, "Throttling")
			})
		}
	}
}

func TestAudit(t *testing.T) {
	w := newWorld(t)
	line := func() map[string]any {
		t.Helper()
		lines := w.audit.lines(t)
		require.Len(t, lines, 1)
		require.Equal(t, "audit", lines[0]["msg"])
		require.NotEmpty(t, lines[0]["request_id"])
		require.Equal(t, "192.0.2.7", lines[0]["client"])
		return lines[0]
	}
	send := func(key, method, target, body string, headers ...string) answer {
		r := draft(t, key, method, target, body, headers...)
		r.RemoteAddr = "192.0.2.7:1234"
		return w.serve(r)
	}
	made := send(admin, "POST", fcSessions, `{"sessionId":"opens-it"}`)
	members(t, made)
	got := line()
	require.Equal(t, made.header.Get("X-Fc-Request-Id"), got["request_id"])
	delete(got, "request_id")
	delete(got, "time")
	require.Equal(t, map[string]any{
		"level": "INFO", "msg": "audit", "key": "admin", "dialect": "fc", "operation": "CreateSession", "function": "counter", "qualifier": "LATEST",
		"session": "hash of opens-it", "result": "ok", "client": "192.0.2.7",
	}, got)
	for _, c := range []struct{ key, method, target, body, operation, result, session string }{
		{admin, "PUT", fcSessions + "/opens-it", `{}`, "UpdateSession", "ok", "hash of opens-it"},
		{admin, "PUT", fcSessions + "/opens-it", `[]`, "UpdateSession", "InvalidArgument", "hash of opens-it"},
		{admin, "PUT", fcSessions + "/opens-it/pause", ``, "PauseSession", "NotSupported", ""},
		{admin, "PUT", fcSessions + "/opens-it/resume", ``, "ResumeSession", "NotSupported", ""},
		{admin, "DELETE", fcSessions + "/none", ``, "DeleteSession", "SessionNotFound", "hash of none"},
		{admin, "DELETE", fcSessions + "/opens-it", ``, "DeleteSession", "ok", "hash of opens-it"},
		{onlyRead, "DELETE", fcSessions + "/opens-it", ``, "DeleteSession", "AccessDenied", ""},
		{stranger, "POST", fcSessions, ``, "CreateSession", "AccessDenied", ""},
		{admin, "PUT", agentSessions + "start", `{"name":""}`, "StartCodeInterpreterSession", "InvalidArgument", ""},
		{admin, "PUT", agentSessions + "stop?sessionId=x", ``, "StopCodeInterpreterSession", "SessionNotFound", "hash of x"},
		{admin, "PATCH", deadlineSessions + "/x", `{"targetLifecycleStatus":"ENDED"}`, "UpdateSession", "SessionNotFound", "hash of x"},
		{admin, "PATCH", strings.Replace(deadlineSessions, counter, "none", 1) + "/x", ``, "UpdateSession", "FunctionNotFound", ""},
		{admin, "POST", fcSessions, strings.Repeat(" ", api.MaxBody+1), "CreateSession", "EntityTooLarge", ""},
	} {
		send(c.key, c.method, c.target, c.body)
		got := line()
		require.Equal(t, []any{c.key, c.operation, c.result}, []any{got["key"], got["operation"], got["result"]}, c.target)
		session, _ := got["session"].(string)
		require.Equal(t, c.session, session, c.target)
	}
	for key, result := range map[string]string{"": "InvalidAccessKeyID", "nobody": "AccessDenied"} {
		send(key, "POST", fcSessions, "")
		got := line()
		require.Equal(t, []any{"", "CreateSession", result}, []any{got["key"], got["operation"], got["result"]})
	}
	for range 200 {
		send("", "POST", fcSessions, "")
	}
	require.Less(t, len(w.audit.lines(t)), 30, "a flood of attempts is no flood of lines")
	for _, s := range spoken {
		send(admin, s.read[0], s.read[1], s.read[2])
	}
	send(admin, "POST", "/2023-03-30/functions/counter/invocations", "")
	require.Empty(t, w.audit.lines(t), "nothing changed")
}

// A response to HEAD has no body, also when it is a refusal.
func TestHead(t *testing.T) {
	server := newWorld(t).listen(t)
	a := over(t, server, draft(t, admin, "HEAD", fcSessions, ""))
	require.Equal(t, http.StatusMethodNotAllowed, a.status)
	require.Equal(t, "GET, POST", a.header.Get("Allow"))
	require.Empty(t, a.body)
}

// wire sends bytes and reads one response.
func wire(t testing.TB, address, text string) (*http.Response, net.Conn) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = conn.Write([]byte(text))
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	return response, conn
}

// Who has no key is answered before a byte of the body is awaited.
func TestNoBodyIsAwaitedFromStrangers(t *testing.T) {
	w := newWorld(t)
	address := w.listen(t).Listener.Addr().String()
	head := "POST " + fcSessions + " HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n"
	for _, line := range []string{
		"", "Authorization: Bearer wrong\r\n",
		"Authorization: ACS3-HMAC-SHA256 Credential=nobody,SignedHeaders=host;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce,Signature=" + sum("") +
			"\r\nx-acs-date: " + time.Now().UTC().Format(time.RFC3339) + "\r\nx-acs-signature-nonce: n\r\nx-acs-content-sha256: " + sum("") + "\r\n",
	} {
		response, _ := wire(t, address, head+line+"\r\n")
		require.Contains(t, []int{401, 403}, response.StatusCode, line)
	}
	response, conn := wire(t, address, head+"Authorization: Bearer "+secretOf(admin)+"\r\n\r\n")
	require.Equal(t, 100, response.StatusCode)
	_, err := conn.Write([]byte(`{"x": {} `))
	require.NoError(t, err)
	response, err = http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.Equal(t, 400, response.StatusCode)
	// A body that is too long is not read to its end, and ends the connection.
	response, _ = wire(t, address, strings.Replace(head, "9\r\nExpect: 100-continue", "99999999999", 1)+"Authorization: Bearer "+secretOf(admin)+"\r\n\r\n"+strings.Repeat(" ", api.MaxBody+1))
	require.Equal(t, 400, response.StatusCode)
	require.True(t, response.Close)
}

// Many callers at once: one makes a session, one clientToken makes one session, and every rate is kept.
func TestAtOnce(t *testing.T) {
	w := newWorld(t)
	server := w.listen(t)
	var made, existed, ended, missing, unique atomic.Int64
	var ids sync.Map
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 10 {
				one := fmt.Sprintf("s%d", n)
				switch a := over(t, server, draft(t, admin, "POST", fcSessions, `{"sessionId":"`+one+`"}`)); a.status {
				case 200:
					made.Add(1)
				case 409:
					existed.Add(1)
				}
				a := over(t, server, draft(t, admin, "PUT", agentSessions+"start", fmt.Sprintf(`{"clientToken":"token-%d"}`, n)))
				if _, known := ids.LoadOrStore(members(t, a)["sessionId"], true); !known {
					unique.Add(1)
				}
				requireHeaders(t, dialects.Deadline, over(t, server, draft(t, admin, "GET", deadlineSessions, "")))
				if i%2 == 0 {
					requireHeaders(t, dialects.FC, over(t, server, of(twin).acs3(draft(t, "", "PUT", fcSessions+"/"+one, ""), "")))
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, []int64{10, 70, 10}, []int64{made.Load(), existed.Load(), unique.Load()})
	r := of(admin).acs3(draft(t, "", "DELETE", fcSessions+"/s0", ""), "")
	for range 20 {
		again := repeat(t, r, "")
		wg.Go(func() {
			switch a := w.serve(again); a.status {
			case 200:
				ended.Add(1)
			case 403:
				missing.Add(1)
			}
		})
	}
	wg.Wait()
	require.Equal(t, []int64{1, 19}, []int64{ended.Load(), missing.Load()}, "of equal requests one counts")
}

// timed notes until when a body was awaited.
type timed struct {
	*httptest.ResponseRecorder
	until []time.Time
}

func (r *timed) SetReadDeadline(t time.Time) error {
	r.until = append(r.until, t)
	return nil
}

// A body is awaited for half a minute; once it is there, nothing is left that would cut what comes after it.
func TestASlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for _, c := range []struct {
			body   io.Reader
			status int
			until  []time.Time
		}{
			{strings.NewReader("{}"), 200, []time.Time{time.Now().Add(30 * time.Second), {}}},
			{iotest.ErrReader(os.ErrDeadlineExceeded), 400, []time.Time{time.Now().Add(30 * time.Second)}},
			{io.MultiReader(strings.NewReader("{}"), iotest.ErrReader(io.ErrUnexpectedEOF)), 400, []time.Time{time.Now().Add(30 * time.Second)}},
		} {
			r := draft(t, admin, "POST", fcSessions, "")
			r.Body = io.NopCloser(c.body)
			rec := &timed{ResponseRecorder: httptest.NewRecorder()}
			w.handler.ServeHTTP(rec, r)
			require.Equal(t, c.status, rec.Code)
			require.Equal(t, c.until, rec.until)
		}
		require.Equal(t, 1, w.count(t))
	})
}
