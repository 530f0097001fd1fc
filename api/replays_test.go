package api_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/api"
	"github.com/limpet-proxy/limpet/dialects"
)

// A write that comes again is refused, by whichever replica, for as long as its signature is fresh. A read is not.
func TestReplays(t *testing.T) {
	for name, e := range exchanges() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				replica := w.again(t, func(*api.SessionAPI) {})
				read := of(admin).sign(e.scheme, e.draft(t, e.read), e.read[2])
				for range 3 {
					members(t, w.serve(repeat(t, read, e.read[2])))
				}
				require.Zero(t, w.store.onces.Load(), "a read costs the store nothing more")
				ahead := of(admin)
				ahead.at = time.Now().Add(15 * time.Minute)
				write := ahead.sign(e.scheme, e.draft(t, e.write), e.write[2])
				members(t, w.serve(repeat(t, write, e.write[2])))
				w.audit.lines(t)
				for range 3 {
					e.requireForbidden(t, w.serve(repeat(t, write, e.write[2])), "SignatureNotMatch")
					e.requireForbidden(t, replica.serve(repeat(t, write, e.write[2])), "SignatureNotMatch")
					time.Sleep(10*time.Minute - time.Second)
				}
				require.Equal(t, 1, w.count(t))
				lines := w.audit.lines(t)
				require.Len(t, lines, 6, "who tried is written down")
				require.Equal(t, "SignatureNotMatch", lines[0]["result"])
				time.Sleep(time.Hour)
				e.requireForbidden(t, w.serve(repeat(t, write, e.write[2])), "SignatureNotMatch")
			})
		})
	}
}

// One key's nonce is not another's, nor does an invocation come twice.
func TestReplaysAreOfOneKey(t *testing.T) {
	w := newWorld(t)
	for _, nonce := range []string{"n", "admin:n", strings.Repeat("x", 128), "{}:*?[]'\"\\%00"} {
		for _, key := range []string{admin, twin} {
			c := of(key)
			c.nonce = nonce
			members(t, w.serve(c.acs3(draft(t, "", "POST", fcSessions, ""), "")))
			requireRefusal(t, dialects.FC, w.serve(c.acs3(draft(t, "", "POST", fcSessions, ""), "")), 403, "SignatureNotMatch")
			requireRefusal(t, dialects.FC, w.serve(c.acs3(draft(t, "", "DELETE", fcSessions+"/x", ""), "")), 403, "SignatureNotMatch")
		}
	}
	for _, nonce := range []string{"", " ", strings.Repeat("x", 129), strings.Repeat("x", 1<<20), "a b", "é"} {
		r := of(admin).acs3(draft(t, "", "POST", fcSessions, ""), "")
		r.Header["X-Acs-Signature-Nonce"] = []string{nonce}
		requireRefusal(t, dialects.FC, w.serve(r), 403, "AccessDenied")
	}
	call := of(admin).acs3(draft(t, "", "POST", "/2023-03-30/functions/counter/invocations", "body"), "body")
	first := w.serve(repeat(t, call, "body"))
	require.Equal(t, "body", first.body)
	requireRefusal(t, dialects.FC, w.serve(repeat(t, call, "body")), 403, "SignatureNotMatch")
	require.Len(t, w.invoked, 1)
}

// With the store down nobody can tell a replay, so nothing that could be one takes place.
func TestReplaysWithoutTheStore(t *testing.T) {
	w := newWorld(t)
	w.store.down.Store(true)
	r := of(admin).acs3(draft(t, "", "POST", "/2023-03-30/functions/counter/invocations", ""), "")
	requireRefusal(t, dialects.FC, w.serve(r), 503, "StoreUnavailable")
	require.Empty(t, w.invoked)
	require.Equal(t, 200, w.call(t, admin, "POST", "/2023-03-30/functions/counter/invocations", "").status, "a bearer key cannot be a replay")
}
