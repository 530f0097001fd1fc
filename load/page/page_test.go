package page_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"html"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load"
	"github.com/limpet-proxy/limpet/load/page"
)

func render(t *testing.T, r load.Report) string {
	t.Helper()
	var w bytes.Buffer
	require.NoError(t, page.Write(&w, r))
	return w.String()
}

// text is what a reader without scripts sees: no tags, single spaces.
func text(document string) string {
	document = regexp.MustCompile(`(?s)<(style|script)[^>]*>.*?</(style|script)>|<[^>]*>`).ReplaceAllString(document, " ")
	return strings.Join(strings.Fields(html.UnescapeString(document)), " ")
}

// curve has a percentile, its value, the next percentile, and so on.
func curve(numbers ...float64) (c []load.Percentile) {
	for pair := range slices.Chunk(numbers, 2) {
		c = append(c, load.Percentile{Percent: pair[0], Value: pair[1]})
	}
	return c
}

// sample is a run in which one of three instances was killed.
func sample() load.Report {
	r := load.Report{
		Version: load.ReportVersion, Verdict: load.Proven, Why: "All came from home.",
		Began: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Elapsed: 10,
		Load:     load.Description{Model: "open", Rate: 100, Sessions: 30, Targets: []string{"http://127.0.0.1:1/", "http://127.0.0.1:2/"}},
		Requests: load.Requests{Answered: 1_000_000},
		Latency:  load.Latency{Count: 1000, P50: 1, Max: 2000, Curve: curve(0, 0.5, 50, 1, 99, 900, 100, 2000)},
		Service:  load.Latency{Count: 1000, P50: 1, Max: 100, Curve: curve(0, 0.5, 50, 1, 99, 10, 100, 100)},
		Affinity: load.Affinity{Judged: 1_000_000, Moves: 10},
	}
	for i := range 10 {
		m := load.Moment{
			At: float64(i + 1), Length: 1, Answered: 100, P50: 1, P90: 2, P99: 3, Max: 4, Homes: map[string]int{"a": 10, "b": 10, "c": 10},
		}
		if i >= 5 {
			m.Homes = map[string]int{"a": 15, "c": 15}
		}
		r.Timeline = append(r.Timeline, m)
	}
	r.Timeline[5].Moves, r.Timeline[5].Failed = 10, 2
	return r
}

func TestTheVerdict(t *testing.T) {
	for _, c := range []struct {
		verdict  load.Verdict
		affinity load.Affinity
		title    string
		class    string
	}{
		{load.Proven, load.Affinity{Judged: 1_000_000}, "0 misroutes in 1,000,000 responses", "good"},
		{load.Broken, load.Affinity{Judged: 1000, Misroutes: 12}, "12 misroutes in 1,000 responses", "bad"},
		{load.Broken, load.Affinity{Judged: 1, Misroutes: 1}, "1 misroute in 1 response", "bad"},
		{load.Broken, load.Affinity{Judged: 10, LostStates: 1}, "1 lost state in 10 responses", "bad"},
		{load.Broken, load.Affinity{Judged: 10, Misroutes: 1, LostStates: 2, Overcounts: 3}, "1 misroute, 2 lost states and 3 overcounts in 10 responses", "bad"},
		{load.Unjudged, load.Affinity{}, "Could not be judged", "fair"},
		{load.Unasked, load.Affinity{}, "0 requests answered, affinity not asked for", "idle"},
		{"other", load.Affinity{}, "Could not be judged", "fair"},
	} {
		document := render(t, load.Report{Verdict: c.verdict, Affinity: c.affinity, Why: "for a reason", Warnings: []string{"one thing", "another"}})
		require.Contains(t, document, "<h1>"+c.title+"</h1>\n<p>for a reason</p>")
		require.Contains(t, document, "<title>"+c.title+" · limpet load</title>")
		require.Contains(t, document, `<div class="verdict `+c.class+`">`)
		require.Contains(t, text(document), "one thing another")
	}
}

func TestTheTilesShowWhatShouldBeNought(t *testing.T) {
	tiles := regexp.MustCompile(`<div class="tile ([a-z]*)"><dt>([^<]*)</dt><dd>([^<]*)</dd>`)
	lit := func(r load.Report) (all []string) {
		for _, tile := range tiles.FindAllStringSubmatch(render(t, r), -1) {
			if tile[1] != "" {
				all = append(all, tile[1]+" "+tile[2]+" "+tile[3])
			}
		}
		return all
	}
	require.Empty(t, lit(sample()))
	require.Equal(t, []string{"failed Failures 1", "broken Misroutes 2", "broken Lost states 3", "broken Overcounts 4"}, lit(load.Report{
		Requests: load.Requests{Failed: 1}, Affinity: load.Affinity{Misroutes: 2, LostStates: 3, Overcounts: 4},
	}))
}

func TestThePlots(t *testing.T) {
	document := render(t, sample())
	inspect(t, document)
	for _, id := range []string{"percentiles", "latency", "rate", "homes"} {
		require.Contains(t, document, `<figure id="`+id+`">`)
	}
	require.Equal(t, 3*10+4, strings.Count(document, `class="tip strip"`))
	require.Equal(t, 3, strings.Count(document, `class="tip mark move"><title>10 announced moves, 5`), "once in each plot over time")
	require.Equal(t, 3, strings.Count(document, `class="tip mark failure"><title>2 failures, 5`))
	seen := text(document)
	require.Contains(t, seen, "coordinated omission")
	require.Contains(t, seen, "5 s – 6 s 30 sessions 15 c 15 a 10 announced moves 2 failures")
	require.Contains(t, seen, "5 s – 6 s 100/s answered 2/s failed 10 announced moves")
	require.Contains(t, seen, "5 s – 6 s max 4 ms p99 3 ms p90 2 ms p50 1 ms 10 announced moves")
	require.Contains(t, seen, "99.00 % latency at most 900 ms service at most 10 ms")
	require.NotContains(t, seen, "lost states, ", "no mark of what did not happen")
	require.NotContains(t, seen, "Each point is")
}

func TestTheClosedModelHasNoServiceLine(t *testing.T) {
	r := sample()
	r.Load.Model = "closed"
	document := render(t, r)
	require.NotContains(t, document, `class="line service"`)
	require.NotContains(t, document, `class="line asked"`)
	require.NotContains(t, text(document), "omission")
}

func TestAThousandMomentsAreJoined(t *testing.T) {
	r := sample()
	r.Timeline = nil
	for i := range 1900 {
		r.Timeline = append(r.Timeline, load.Moment{At: float64(i + 1), Length: 1, Answered: 1, P50: 1, P90: 1, P99: 1, Max: 1})
	}
	r.Timeline[1001].Max = 777
	r.Timeline[1001].Overcounts, r.Timeline[1003].Overcounts = 3, 4
	document := render(t, r)
	seen := text(document)
	require.Contains(t, seen, "Each point is the worst of 4 s.")
	require.Contains(t, seen, "max 777 ms")
	require.Contains(t, seen, "7 overcounts, 16 min 40 s – 16 min 44 s")
	require.Equal(t, 2*475+4, strings.Count(document, `class="tip strip"`))
}

func TestALineBreaksWhereNothingWasAnswered(t *testing.T) {
	r := sample()
	for _, i := range []int{1, 3, 4} {
		r.Timeline[i] = load.Moment{At: float64(i + 1), Length: 1, Failed: 5}
	}
	document := render(t, r)
	path := regexp.MustCompile(`<path class="line max" d="([^"]+)"`).FindStringSubmatch(document)
	require.Equal(t, 1, strings.Count(path[1], "M"), "one stretch of neighbours")
	require.Equal(t, 2, strings.Count(document, `<circle class="dot max"`), "and two moments alone")
	require.Contains(t, text(document), "The lines break where nothing was answered.")
	require.NotContains(t, text(render(t, sample())), "The lines break")
}

func TestTheThirteenthInstanceIsAmongTheOthers(t *testing.T) {
	r := sample()
	homes := map[string]int{}
	for i := range 64 {
		homes["instance-"+string(rune('0'+i/10))+string(rune('0'+i%10))] = 1 + i%32
	}
	r.Timeline[0].Homes = homes
	document := render(t, r)
	inspect(t, document)
	require.Equal(t, 1, strings.Count(document, `class="area k11" d=`))
	require.Contains(t, text(document), "55 others", "64, of which 9 have more than a, b and c had once")
	require.Contains(t, text(document), "0 s – 1 s 1,056 sessions")
}

func TestWhatCannotBeDrawn(t *testing.T) {
	for name, r := range map[string]load.Report{
		"empty":     {},
		"no length": {Timeline: []load.Moment{{}}, Latency: load.Latency{Curve: []load.Percentile{{}}}},
		"one moment": {Timeline: []load.Moment{{At: 1, Length: 1, Answered: 1, P50: 1, P90: 1, P99: 1, Max: 1, Homes: map[string]int{"a": 1}}},
			Latency: load.Latency{Count: 1, Curve: curve(100, 1)}},
		"no time at all": {Timeline: []load.Moment{{At: 1, Length: 1, Answered: 1, Homes: map[string]int{"a": 0}}}},
		"all failed":     {Timeline: []load.Moment{{At: 1, Length: 1, Failed: 10}, {At: 2, Length: 1, Failed: 10}}},
		"backwards": {Timeline: []load.Moment{{At: 9, Length: -3, Answered: -5, P50: -1, Homes: map[string]int{"a": -4, "": 1}}, {At: -2, Length: 9}},
			Latency: load.Latency{Count: -1, Curve: curve(-5, -5, 400, 7)}},
		"beyond": {Load: load.Description{Model: "open", Rate: math.MaxFloat64, Ramp: math.MaxFloat64}, Elapsed: math.MaxFloat64,
			Timeline: []load.Moment{
				{At: math.MaxFloat64, Length: math.SmallestNonzeroFloat64, Answered: math.MaxInt, Max: math.MaxFloat64, Homes: map[string]int{"a": math.MaxInt}},
				{At: math.MaxFloat64, Length: math.MaxFloat64, Answered: math.MaxInt, Failed: math.MinInt, P50: math.SmallestNonzeroFloat64},
			}},
	} {
		t.Run(name, func(t *testing.T) { inspect(t, render(t, r)) })
	}
	seen := text(render(t, load.Report{}))
	for _, want := range []string{"No request was answered.", "no moments to draw", "No instance was known", "No response showed"} {
		require.Contains(t, seen, want)
	}
}

func TestTheReportCanBeReadBack(t *testing.T) {
	for _, r := range []load.Report{sample(), hostile(), {}} {
		blocks := regexp.MustCompile(`(?s)<script type="application/json" id="report">(.*?)</script>`).FindAllStringSubmatch(render(t, r), -1)
		require.Len(t, blocks, 1)
		want, err := json.Marshal(r)
		require.NoError(t, err)
		require.JSONEq(t, string(want), blocks[0][1])
	}
}

func TestAReportWithoutNumbersIsRefused(t *testing.T) {
	var w bytes.Buffer
	require.ErrorContains(t, page.Write(&w, load.Report{Elapsed: math.NaN()}), "the report is not one that JSON can hold")
	require.ErrorContains(t, page.Write(&w, load.Report{Timeline: []load.Moment{{P50: math.Inf(1)}}}), "+Inf")
	require.Empty(t, w.Bytes())
}

type full struct{ err error }

func (f full) Write([]byte) (int, error) { return 0, f.err }

func TestAnErrorOfTheWriterIsReturned(t *testing.T) {
	err := errors.New("disk full")
	require.ErrorIs(t, page.Write(full{err}, load.Report{}), err)
}

func TestThePageIsTheSameForTheSameReport(t *testing.T) {
	pages := make([]string, 5)
	for i := range pages {
		pages[i] = render(t, hostile())
	}
	require.Len(t, slices.Compact(pages), 1)
}

// A load by MCP has its own numbers, and a mark where sessions became unknown; no other load has any of it.
func TestMCP(t *testing.T) {
	r := sample()
	plain := render(t, r)
	for _, word := range []string{"MCP", "Unknown", "unknown", "Initialize"} {
		require.NotContains(t, text(plain), word)
	}
	r.Load.Protocol, r.Load.Tool = "mcp", "count"
	r.MCP = &load.MCPUse{
		Version: "2025-11-25", Initialized: 40, Reinitialized: 10, Refused: 4, Deleted: 30, Undeleted: 3, Unknown: 13, Misrouted: 7, Unexplained: 2,
		Initialize: load.Latency{P50: 1.5, P99: 2.5, Max: 3.5},
	}
	r.Timeline[5].Unknown = 13
	page := text(render(t, r))
	for _, want := range []string{
		"MCP 2025-11-25", "protocol mcp", "tool count", "Initialize p50 1.5 ms 40 sessions, 10 of them again", "Unknown sessions 13 7 of them lived",
		"unknown sessions: status 404 13 of those, alive: misroutes 7 of those, with a home that lived, and no name in the answer 2 deleted 30 not deleted 3",
		"13 unknown sessions",
	} {
		require.Contains(t, page, want)
	}
}
