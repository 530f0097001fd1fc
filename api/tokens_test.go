package api_test

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/api"
	"github.com/limpet-proxy/limpet/dialects"
)

// listing is one of the operations that give page tokens.
type listing struct {
	dialect dialects.Dialect
	target  string
}

func listings() []listing {
	return []listing{
		{dialects.FC, fcSessions + "?limit=1"},
		{dialects.AgentCore, agentSessions + "list"},
		{dialects.Deadline, deadlineSessions + "?maxResults=1"},
	}
}

// page asks for the page of a token.
func (l listing) page(t testing.TB, w *world, key, token string) answer {
	t.Helper()
	if l.dialect == dialects.AgentCore {
		return w.call(t, key, "POST", l.target, `{"maxResults":1,"nextToken":"`+token+`"}`)
	}
	return w.call(t, key, "GET", l.target+"&nextToken="+token, "")
}

func (l listing) token(t testing.TB, w *world, key string) string {
	t.Helper()
	token, _ := members(t, l.page(t, w, key, ""))["nextToken"].(string)
	require.NotEmpty(t, token)
	return token
}

func (l listing) requireBad(t testing.TB, a answer) {
	t.Helper()
	require.Contains(t, a.body, "is no token of this listing")
	if l.dialect == dialects.FC {
		requireRefusal(t, l.dialect, a, 400, "InvalidArgument")
		return
	}
	refused := requireRefusal(t, l.dialect, a, 400, "ValidationException")
	require.Equal(t, "nextToken", refused["fieldList"].([]any)[0].(map[string]any)["name"])
}

// populated has three sessions of each qualifier.
func populated(t testing.TB) *world {
	t.Helper()
	w := newWorld(t)
	for _, qualifier := range []string{"LATEST", prod} {
		for i := range 3 {
			members(t, w.call(t, admin, "POST", fcSessions+"?qualifier="+qualifier, fmt.Sprintf(`{"sessionId":"s%d"}`, i)))
		}
	}
	return w
}

func TestTokensThatWereChanged(t *testing.T) {
	w := populated(t)
	random := rand.New(rand.NewPCG(1, 2))
	for _, l := range listings() {
		token := l.token(t, w, admin)
		raw, err := base64.RawURLEncoding.DecodeString(token)
		require.NoError(t, err)
		for i := range 3500 {
			changed := []byte(token)
			if i%2 == 0 { // what it says, one byte of it
				b := []byte(string(raw))
				b[random.IntN(len(b))] ^= byte(1 + random.IntN(255))
				changed = []byte(base64.RawURLEncoding.EncodeToString(b))
			} else { // how it is written
				const printable = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~"
				at := random.IntN(len(changed))
				for changed[at] == token[at] {
					changed[at] = printable[random.IntN(len(printable))]
				}
			}
			l.requireBad(t, l.page(t, w, admin, string(changed)))
		}
		for _, changed := range []string{
			token + "=", token + "A", token[1:], token[:len(token)-1], " " + token, strings.ToLower(token), token + token, strings.Repeat("A", 5000), "AAAA",
		} {
			l.requireBad(t, l.page(t, w, admin, strings.ReplaceAll(changed, " ", "%20")))
		}
		if l.dialect != dialects.AgentCore { // whose tokens are in JSON, where no line end is
			l.requireBad(t, l.page(t, w, admin, token+"%0A"))
		}
		members(t, l.page(t, w, admin, token))
	}
}

func TestTokensAreBound(t *testing.T) {
	w := populated(t)
	tokens := map[dialects.Dialect]string{}
	for _, l := range listings() {
		tokens[l.dialect] = l.token(t, w, admin)
		l.requireBad(t, l.page(t, w, twin, tokens[l.dialect]))
	}
	for _, l := range listings() {
		for d, token := range tokens {
			if d != l.dialect {
				l.requireBad(t, l.page(t, w, admin, token))
			}
		}
	}
	fc, agent, deadline := tokens[dialects.FC], tokens[dialects.AgentCore], tokens[dialects.Deadline]
	for _, target := range []string{
		fcSessions + "?qualifier=LATEST", fcSessions + "?qualifier=prod", fcSessions + "?sessionId=s0", fcSessions + "?sessionStatus=Active",
		"/2023-03-30/functions/jar/sessions?",
	} {
		listing{dialects.FC, target}.requireBad(t, w.call(t, admin, "GET", target+"&nextToken="+fc, ""))
	}
	listing{dialect: dialects.AgentCore}.requireBad(t, w.call(t, admin, "POST", agentSessions+"list", `{"status":"READY","nextToken":"`+agent+`"}`))
	listing{dialect: dialects.AgentCore}.requireBad(t, w.call(t, admin, "POST", "/code-interpreters/jar/sessions/list", `{"nextToken":"`+agent+`"}`))
	for _, target := range []string{
		strings.Replace(deadlineSessions, "LATEST", prod, 1), "/2023-10-12/farms/reef/fleets/counter/workers/a/sessions",
	} {
		listing{dialect: dialects.Deadline}.requireBad(t, w.call(t, admin, "GET", target+"?nextToken="+deadline, ""))
	}
	// The same listing by its other name is the same.
	members(t, w.call(t, admin, "GET", strings.Replace(deadlineSessions, "LATEST", derived(dialects.JobID, counter, "LATEST"), 1)+"?nextToken="+deadline, ""))
	// Two dialects may have an operation of one name, with the same filters.
	same := members(t, w.call(t, admin, "GET", fcSessions+"?limit=1&qualifier=LATEST", ""))["nextToken"].(string)
	listing{dialect: dialects.Deadline}.requireBad(t, w.call(t, admin, "GET", deadlineSessions+"?nextToken="+same, ""))
	// No part of what a token is bound to can pose as another's.
	members(t, w.call(t, admin, "POST", fcSessions, `{"sessionId":"LATEST"}`))
	a := members(t, w.call(t, admin, "GET", fcSessions+"?limit=1&qualifier=LATEST&sessionStatus=Active", ""))["nextToken"].(string)
	l := listing{dialect: dialects.FC}
	l.requireBad(t, w.call(t, admin, "GET", fcSessions+"?limit=1&sessionId=LATEST&sessionStatus=Active&nextToken="+a, ""))
}

func TestTokensLastADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := populated(t)
		tokens := map[dialects.Dialect]string{}
		for _, l := range listings() {
			tokens[l.dialect] = l.token(t, w, admin)
		}
		time.Sleep(api.TokenLife - 2*time.Second)
		for _, l := range listings() {
			members(t, l.page(t, w, admin, tokens[l.dialect]))
		}
		time.Sleep(2 * time.Second)
		for _, l := range listings() {
			l.requireBad(t, l.page(t, w, admin, tokens[l.dialect]))
		}
	})
}

func TestTokensHoldAcrossReplicas(t *testing.T) {
	w := populated(t)
	replica := w.again(t, func(a *api.SessionAPI) { a.Auth = access(t) })
	foreign := w.again(t, func(a *api.SessionAPI) { a.Secret = shared("t") })
	for _, l := range listings() {
		token := l.token(t, w, admin)
		require.Equal(t, l.page(t, w, admin, token).status, 200)
		first, second := members(t, l.page(t, w, admin, token)), members(t, l.page(t, replica, admin, token))
		delete(first, "nextToken")
		delete(second, "nextToken")
		require.Equal(t, first, second)
		l.requireBad(t, l.page(t, foreign, admin, token))
	}
}

func TestSecretsThatProtectNothing(t *testing.T) {
	for _, secret := range [][]byte{nil, {}, shared("s")[:api.MinSharedSecret-1]} {
		made, err := api.SessionAPI{Secret: secret}.New()
		require.ErrorContains(t, err, "at least 32")
		require.Nil(t, made)
	}
}
