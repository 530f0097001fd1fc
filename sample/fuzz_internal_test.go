package sample

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What a query asks for can be done, and what it does not speak of is the default's.
func FuzzParseWish(f *testing.F) {
	for _, query := range []string{
		"", "sleep=250ms&status=503&stream=3&interval=0s&fail=body&grow=65536", "fail=", "fail=x", "status=1e3", "grow=1023",
		"grow=9223372036854775807", "grow=9223372036854775808", "sleep=-1s", "sleep=%zz&a;b", "status=200&status=x", "stream=0",
	} {
		f.Add(query)
	}
	def := Trouble{Sleep: 7, Status: 418, Stream: 5, Interval: 9, Fail: FailHead, Spare: 0.5, Grow: 4096}
	f.Fuzz(func(t *testing.T, query string) {
		got, err := parseWish(query, def)
		if err != nil {
			require.Contains(t, err.Error(), "accepted is")
			require.Less(t, len(err.Error()), 500, "as long as the query may be")
			require.NotContains(t, err.Error(), "\n")
			require.Zero(t, got)
			return
		}
		require.GreaterOrEqual(t, got.Sleep, time.Duration(0))
		require.GreaterOrEqual(t, got.Interval, time.Duration(0))
		require.True(t, got.Status >= MinStatus && got.Status <= MaxStatus, got.Status)
		require.True(t, got.Stream >= 0 && got.Stream <= MaxStream, got.Stream)
		require.Contains(t, []string{"", FailHead, FailBody}, got.Fail)
		require.True(t, got.Grow == 0 || got.Grow >= MinGrow, got.Grow)

		asked, _ := url.ParseQuery(query)
		for name, put := range map[string]func(){
			"sleep": func() { got.Sleep = def.Sleep }, "interval": func() { got.Interval = def.Interval },
			"status": func() { got.Status = def.Status }, "stream": func() { got.Stream = def.Stream },
			"fail": func() { got.Fail = def.Fail }, "grow": func() { got.Grow = def.Grow },
		} {
			if asked.Has(name) {
				put()
			}
		}
		require.Equal(t, def, got)
	})
}

// The answer's own writer writes what json.Marshal would.
func FuzzAnswer(f *testing.F) {
	f.Add("one", "s", "nonce", "10", `rehomed; reason="instance lost"`, 1, 0, 0)
	f.Add("", "\x00\x7f\xff<>&'", "\u2028ä", "", "", -1, 3, 2)
	for _, c := range "\"\\<>&\x1f\x7f" {
		f.Add(string(c), "", "", "", "", 1, 0, 0)
	}
	f.Fuzz(func(t *testing.T, name, id, start, epoch, event string, count, of, n int) {
		a := Answer{Instance: name, Session: id, Count: count, Start: start, Epoch: epoch, Event: event, Of: of, N: n}
		want, err := json.Marshal(a)
		require.NoError(t, err)
		require.Equal(t, string(want), string(a.appendJSON(nil)))
	})
}

func TestTroubleByDefaultIsNone(t *testing.T) {
	require.Equal(t, Trouble{Status: http.StatusOK, Interval: DefaultStreamInterval}, Trouble{}.withDefaults())
	require.Zero(t, Trouble{Interval: -1}.withDefaults().Interval)
}

// Whatever a client sends is answered by JSON-RPC, with the ID that it gave.
func FuzzMCPMessage(f *testing.F) {
	for _, body := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"count","arguments":{"notify":true}}}`,
		`{"jsonrpc":"2.0","id":"a","method":"ping"}`, `{"jsonrpc":"2.0","method":"x"}`, `{"jsonrpc":"2.0","id":-1,"method":"initialize"}`,
		`{"jsonrpc":"2.0","id":null}`, `[]`, `null`, `{`, `{"jsonrpc":"2.0","id":"\u2028","method":"\ud800"}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s := New(Options{})
		id := s.admit()
		r := httptest.NewRequest(http.MethodPost, MCPPath, bytes.NewReader(body))
		r.Header.Set(mcpSessionHeader, id)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		require.Contains(t, []int{200, 202, 400}, w.Code)
		if w.Code == http.StatusAccepted {
			require.Empty(t, w.Body.Bytes())
			return
		}
		var asked, answered struct{ ID any }
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answered))
		if w.Code == http.StatusOK {
			require.NoError(t, json.Unmarshal(body, &asked))
			require.Equal(t, asked.ID, answered.ID)
		}
	})
}
