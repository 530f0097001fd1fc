package page_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load"
	"github.com/limpet-proxy/limpet/load/page"
)

// FuzzWrite gives the page what a target can send (texts) and what a file that was tampered with can hold (numbers).
func FuzzWrite(f *testing.F) {
	f.Add(`"><script>`, 1.0, 2.0, 3, byte(2))
	f.Add("\x00\u202e\xff</script>", math.NaN(), math.Inf(1), -1, byte(0))
	f.Add("{{.}}", -1e300, 1e-300, math.MaxInt, byte(15))
	f.Fuzz(func(t *testing.T, text string, a, b float64, n int, moments byte) {
		r := load.Report{Why: text, Failures: []load.Failure{{Text: text}}, Instances: []load.InstanceUse{{Name: text}}}
		r.Load.From, r.Load.Model, r.Affinity.Examples = text, "open", []load.Example{{Session: text}}
		r.Elapsed, r.Load.Rate, r.Load.Ramp, r.Latency.Max, r.Service.P50 = a, b, a, b, a
		r.Requests.Answered, r.Affinity.Misroutes, r.Latency.Count = n, n, int64(n)
		r.Latency.Curve = []load.Percentile{{Percent: a, Value: b}, {Percent: b, Value: a}}
		for i := range int(moments % 16) {
			r.Timeline = append(r.Timeline, load.Moment{
				At: a * float64(i), Length: b, Answered: n, Failed: -n, Moves: n >> i % 64, P50: a, P90: b, P99: -a, Max: b / float64(i+1),
				Homes: map[string]int{text: n, "a": i},
			})
		}
		var w bytes.Buffer
		if err := page.Write(&w, r); err != nil {
			require.ErrorContains(t, err, "JSON", "%v %v", a, b)
			require.Empty(t, w.Bytes())
			return
		}
		require.Equal(t, 2, bytes.Count(w.Bytes(), []byte("<script")))
		inspect(t, w.String())
	})
}
