package load

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	// maxLatency is the greatest latency that is told from greater ones.
	maxLatency = time.Hour
	// digits are how many significant digits a percentile of the whole run has; recentDigits those of a Moment.
	digits, recentDigits = 3, 2
	// curveTicks is how many points a Latency's curve has for each halving of the distance to 100 %.
	curveTicks = 5
)

// histogram is a distribution of latencies, kept in microseconds.
type histogram struct{ *hdrhistogram.Histogram }

func newHistogram(digits int) histogram {
	return histogram{hdrhistogram.New(1, maxLatency.Microseconds(), digits)}
}

func (h histogram) record(d time.Duration) {
	_ = h.RecordValue(min(max(d.Microseconds(), 1), maxLatency.Microseconds())) // it fails for none of these
}

// at returns a percentile in milliseconds; 0 where nothing was recorded.
func (h histogram) at(percent float64) float64 { return milliseconds(h.ValueAtQuantile(percent)) }

func milliseconds(micros int64) float64 { return float64(micros) / 1000 }

// summary is the distribution as a report has it.
func (h histogram) summary() Latency {
	l := Latency{
		Count: h.TotalCount(), P50: h.at(50), P90: h.at(90), P95: h.at(95), P99: h.at(99), P999: h.at(99.9), P9999: h.at(99.99),
		Curve: []Percentile{},
	}
	if l.Count == 0 {
		return l
	}
	l.Mean, l.Max = h.Mean()/1000, h.at(100)
	for _, b := range h.CumulativeDistributionWithTicks(curveTicks) {
		l.Curve = append(l.Curve, Percentile{Percent: b.Quantile, Value: milliseconds(b.ValueAt)})
	}
	return l
}
