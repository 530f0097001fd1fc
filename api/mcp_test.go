package api_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/dialects"
	"github.com/limpet-proxy/limpet/sessions"
)

const (
	mcpFC       = "/2023-03-30/functions/tools/sessions"
	mcpAgent    = "/code-interpreters/tools/sessions/"
	mcpDeadline = "/2023-10-12/farms/reef/queues/tools/jobs/LATEST/sessions"
)

// initialize makes a session of this ID, as an instance's answer does.
func (w *world) initialize(t *testing.T, id string) {
	t.Helper()
	use, err := w.tables[mcp+":LATEST"].Reserve(t.Context())
	require.NoError(t, err)
	require.NoError(t, use.Bind(t.Context(), id))
	use.Release()
}

// TestSessionsOfMCP: the API makes none, but shows and ends those that there are, whatever an instance called them.
func TestSessionsOfMCP(t *testing.T) {
	for _, id := range []string{
		"plain", "a/b", "a..b", "%2e", "{x}:y*?#&=+", `"\`, "session-1", strings.Repeat("~", 1024), "0123456789abcdef0123456789abcdef",
	} {
		for name, target := range map[string]string{
			"FC": mcpFC + "/" + url.PathEscape(id), "AgentCore": mcpAgent + "get?sessionId=" + url.QueryEscape(id),
			"Deadline": mcpDeadline + "/" + url.PathEscape(id),
		} {
			t.Run(name+"/"+id[:min(len(id), 20)], func(t *testing.T) {
				w := newWorld(t)
				require.Equal(t, 404, w.call(t, admin, "GET", target, "").status)
				w.initialize(t, id)
				require.Equal(t, 200, w.call(t, admin, "GET", target, "").status)
				require.Equal(t, [][]string{{id}}, w.pages(t, admin, mcpFC+"?sessionStatus=Active", "sessions", "sessionId"))
				w.endMCP(t, name, id)
				_, err := w.tables[mcp+":LATEST"].UseExisting(t.Context(), id)
				require.ErrorIs(t, err, sessions.ErrNotFound, "its client initialises again")
				require.Empty(t, members(t, w.call(t, admin, "GET", mcpFC+"?sessionStatus=Active", ""))["sessions"])
			})
		}
	}
}

// endMCP ends the session in one dialect's words.
func (w *world) endMCP(t *testing.T, dialect, id string) {
	t.Helper()
	var a answer
	switch dialect {
	case "FC":
		a = w.call(t, admin, "DELETE", mcpFC+"/"+url.PathEscape(id), "")
	case "AgentCore":
		a = w.call(t, admin, "PUT", mcpAgent+"stop?sessionId="+url.QueryEscape(id), "")
	default:
		a = w.call(t, admin, "PATCH", mcpDeadline+"/"+url.PathEscape(id), `{"targetLifecycleStatus":"ENDED"}`)
	}
	require.Equal(t, 200, a.status, a.body)
}

func TestSessionsOfMCPAreMadeByItsInstances(t *testing.T) {
	w := newWorld(t)
	for _, body := range []string{`{}`, `{"sessionId":"mine"}`} {
		a := w.call(t, admin, "POST", mcpFC, body)
		requireRefusal(t, dialects.FC, a, 400, "InvalidArgument")
		require.Contains(t, a.body, "made by its instances")
	}
	a := w.call(t, admin, "PUT", mcpAgent+"start", "")
	requireRefusal(t, dialects.AgentCore, a, 400, "ValidationException")
	require.Contains(t, a.body, "made by its instances")
	require.Empty(t, members(t, w.call(t, admin, "GET", mcpFC, ""))["sessions"])
	requireRefusal(t, dialects.FC, w.call(t, admin, "GET", mcpFC+"/"+strings.Repeat("x", 1025), ""), 400, "InvalidArgument")
}

// TestPagesOfLongIDs: a page token carries an ID, and a reservation is nobody's session.
func TestPagesOfLongIDs(t *testing.T) {
	w := newWorld(t)
	held, err := w.tables[mcp+":LATEST"].Reserve(t.Context())
	require.NoError(t, err)
	var want []string
	for _, first := range []string{"%", `"`, "<", "/", "}"} {
		want = append(want, first+strings.Repeat("~", 1023))
		w.initialize(t, want[len(want)-1])
	}
	for _, status := range []string{"Active", "Expired"} {
		var got []string
		for _, page := range w.pages(t, admin, mcpFC+"?limit=2&sessionStatus="+status, "sessions", "sessionId") {
			got = append(got, page...)
		}
		require.ElementsMatch(t, want, got, status)
		for _, id := range want {
			if status == "Active" {
				w.endMCP(t, "AgentCore", id) // kept, and listed as ended
			}
		}
	}
	held.Release()
	require.Equal(t, 404, w.call(t, admin, "GET", mcpFC+"/%00x", "").status)
}
