package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// CertificateSample is one certificate in force. Its names come from the configuration.
type CertificateSample struct {
	Listener string // the key of its address
	File     string
	NotAfter time.Time
}

// CollectCertificates is to the certificates what CollectInstances is to the instances.
func (m *Metrics) CollectCertificates(sample func() []CertificateSample) {
	if m != nil {
		m.certSamples.Store(&sample)
	}
}

// CertificatesReloaded records that certificate files of a listener have changed, and whether what they hold is in force.
func (m *Metrics) CertificatesReloaded(listener string, ok bool) {
	if m == nil {
		return
	}
	value := 0.0
	if ok {
		value = 1
	}
	m.certReload.WithLabelValues(valid(listener)).Set(value)
}

func (s samples) certificates(out chan<- prometheus.Metric, certificates []CertificateSample) {
	names := names{} // a file may be given twice
	for _, c := range certificates {
		if n := (name{valid(c.Listener), valid(c.File), ""}); names.first(n) {
			at := float64(c.NotAfter.Unix())
			out <- prometheus.MustNewConstMetric(s.m.certExpiry, prometheus.GaugeValue, at, n.function, n.qualifier)
		}
	}
}
