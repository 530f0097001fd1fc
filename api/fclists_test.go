package api_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/dialects"
	"github.com/limpet-proxy/limpet/sessions"
)

// pages follows the tokens of a listing to its end and returns one member of each session, page by page.
func (w *world) pages(t testing.TB, key, target, list, member string) (all [][]string) {
	t.Helper()
	for token := ""; ; {
		m := members(t, w.call(t, key, "GET", target+"&nextToken="+token, ""))
		page := []string{}
		for _, s := range m[list].([]any) {
			page = append(page, fmt.Sprint(s.(map[string]any)[member]))
		}
		all = append(all, page)
		if m["nextToken"] == nil {
			return all
		}
		token = m["nextToken"].(string)
		require.Less(t, len(all), 100)
	}
}

func TestFCListSessionsFiltersAndPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		create := func(id, qualifier string, ttl int) {
			members(t, w.call(t, admin, "POST", fcSessions+"?qualifier="+qualifier, fmt.Sprintf(`{"sessionId":"%s","sessionTTLInSeconds":%d}`, id, ttl)))
			time.Sleep(time.Millisecond)
		}
		create("twice", "LATEST", 1)
		create("old", "LATEST", 1)
		time.Sleep(2 * time.Second)
		create("twice", "LATEST", 600)
		create("x", "LATEST", 600)
		create("twice", "prod", 600)
		create("y", "prod", 600)
		for query, want := range map[string]string{
			"":                                      "twice x twice old twice y",
			"sessionStatus=Active":                  "twice x twice y",
			"sessionStatus=Expired":                 "twice old",
			"sessionStatus=expired":                 "twice old",
			"qualifier=prod":                        "twice y",
			"qualifier=gone":                        "",
			"qualifier=":                            "twice x twice old twice y",
			"sessionId=twice":                       "twice twice twice",
			"sessionId=none":                        "",
			"sessionId=twice&qualifier=prod":        "twice",
			"sessionId=twice&sessionStatus=Expired": "twice",
			"sessionId=twice&sessionStatus=Active":  "twice twice",
			"sessionId=x&sessionStatus=Active&qualifier=LATEST":       "x",
			"sessionId=x&sessionStatus=Expired&qualifier=LATEST":      "",
			"sessionId=%74wice&sessionStatus=Active&qualifier=pr%6Fd": "twice",
		} {
			for _, limit := range []string{"1", "2", "1000", ""} {
				var got []string
				for _, page := range w.pages(t, admin, fcSessions+"?"+query+"&limit="+limit, "sessions", "sessionId") {
					if limit == "1" || limit == "2" {
						require.LessOrEqual(t, len(page), int(limit[0]-'0'))
					}
					got = append(got, page...)
				}
				require.Equal(t, want, strings.Join(got, " "), "%s, limit %s", query, limit)
			}
		}
		for _, query := range []string{
			"limit=0", "limit=-1", "limit=1001", "limit=x", "limit=1.0", "limit=1&limit=1", "sessionStatus=Paused", "sessionStatus=Active,Expired",
			"sessionStatus=Active&sessionStatus=Expired", "qualifier=a/b", "qualifier=a&qualifier=a", "sessionId=a&sessionId=b",
			"sessionId=" + strings.Repeat("x", 1025), "sessionStatus=Active;x", "sessionId=%zz", "nextToken=x", "nextToken=a&nextToken=b",
		} {
			requireRefusal(t, dialects.FC, w.call(t, admin, "GET", fcSessions+"?"+query, ""), 400, "InvalidArgument")
		}
	})
}

func TestFCListInstances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		born := time.Now().UnixMilli()
		time.Sleep(10 * time.Second)
		for id, health := range map[string]sessions.Health{"a": sessions.HealthGone, "p": sessions.HealthLost} {
			_, err := w.store.Report(t.Context(), sessions.Report{Function: counter, Version: prod, Instances: []sessions.InstanceReport{
				{ID: id, URL: "http://" + network + "9:1", Health: health},
			}})
			require.NoError(t, err)
		}
		gone := time.Now().UnixMilli()
		time.Sleep(10 * time.Second)
		_, err := w.store.Report(t.Context(), sessions.Report{Function: counter, Version: "LATEST", Instances: []sessions.InstanceReport{
			{ID: "young", URL: "http://" + network + "8:1", Health: sessions.HealthUp},
		}})
		require.NoError(t, err)
		young := time.Now().UnixMilli()
		const target = "/2023-03-30/functions/counter/instances?"
		list := func(query string) (got []string) {
			m := members(t, w.call(t, admin, "GET", target+query, ""))
			for _, i := range m["instances"].([]any) {
				got = append(got, fmt.Sprintf("%v:%v", i.(map[string]any)["instanceId"], i.(map[string]any)["qualifier"]))
			}
			return got
		}
		all := []string{"a:LATEST", "a:prod", "b:LATEST", "p:prod", "young:LATEST"}
		require.Equal(t, all, list(""))
		for query, want := range map[string]string{
			"withAllActive=false": strings.Join(all, " "), "withAllActive=true": strings.Join(all, " "),
			"qualifier=prod": "a:prod p:prod", "qualifier=none": "",
			`instanceIds=["a","p","q"]`: "a:LATEST a:prod p:prod", `instanceIds=[]`: strings.Join(all, " "), "instanceIds=null": strings.Join(all, " "),
			`instanceStatus=["Destroyed"]`: "a:prod", `instanceStatus=["destroyed","Unhealthy"]`: "a:prod p:prod",
			`instanceStatus=["Running"]`: "a:LATEST b:LATEST young:LATEST", `instanceStatus=["No"]`: "",
			`instanceStatus=["Running"]&qualifier=LATEST&instanceIds=["a"]`:    "a:LATEST",
			fmt.Sprintf("endTimeMs=%d", born):                                  "a:LATEST a:prod b:LATEST p:prod",
			fmt.Sprintf("endTimeMs=%d", born-1):                                "",
			fmt.Sprintf("endTimeMs=%d&withAllActive=true", born-1):             "a:LATEST b:LATEST p:prod young:LATEST",
			fmt.Sprintf("startTimeMs=%d", gone):                                strings.Join(all, " "),
			fmt.Sprintf("startTimeMs=%d", gone+1):                              "a:LATEST b:LATEST p:prod young:LATEST",
			fmt.Sprintf("startTimeMs=%d&endTimeMs=%d", young, young):           "a:LATEST b:LATEST p:prod young:LATEST",
			fmt.Sprintf(`startTimeMs=%d&instanceStatus=["Destroyed"]`, gone+1): "",
			"startKey=a": "b:LATEST p:prod young:LATEST", "startKey=b&limit=1": "p:prod", "startKey=young": "", "startKey=zz": "",
			"limit=1": "a:LATEST a:prod", "limit=2": "a:LATEST a:prod", "limit=3": "a:LATEST a:prod b:LATEST",
		} {
			escaped := strings.NewReplacer("[", "%5B", "]", "%5D", `"`, "%22", ",", "%2C").Replace(query)
			require.Equal(t, want, strings.Join(list(escaped), " "), query)
		}
		for limit := 1; limit <= 6; limit++ {
			var got []string
			for key := ""; ; {
				page := list(fmt.Sprintf("limit=%d&startKey=%s", limit, url.QueryEscape(key)))
				if got = append(got, page...); len(page) < limit {
					break
				}
				key, _, _ = strings.Cut(page[len(page)-1], ":")
			}
			require.Equal(t, all, got, "pages of %d", limit)
		}
		destroyed := members(t, w.call(t, admin, "GET", target+"instanceStatus=%5B%22Destroyed%22%5D", ""))["instances"].([]any)[0].(map[string]any)
		require.EqualValues(t, gone, destroyed["destroyedTimeMs"])
		for _, query := range []string{
			"limit=0", "limit=x", "limit=1001", "instanceIds=a", "instanceIds=[1]", "instanceIds={}", `instanceIds=["a"]["b"]`, `instanceIds="a"`,
			"instanceStatus=[", "startTimeMs=-1", "startTimeMs=1e3", "endTimeMs=99999999999999999999", "withAllActive=yes", "startKey=a&startKey=b",
			"limit=1;2",
		} {
			requireRefusal(t, dialects.FC, w.call(t, admin, "GET", target+strings.ReplaceAll(query, `"`, "%22"), ""), 400, "InvalidArgument")
		}
		requireRefusal(t, dialects.FC, w.call(t, admin, "GET", "/2023-03-30/functions/none/instances", ""), 404, "FunctionNotFound")
		golden(t, dialects.FC, w.call(t, admin, "GET", "/2023-03-30/functions/plain/instances", ""), `{"instances":[],"requestId":"REQUEST"}`)
		time.Sleep(sessions.DefaultRetention)
		_, err = w.store.Sweep(t.Context(), counter)
		require.NoError(t, err)
		require.False(t, slices.Contains(list(""), "a:prod"), "the retention is over")
	})
}
