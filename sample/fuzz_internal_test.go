package sample

import (
	"encoding/json"
	"net/http"
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
