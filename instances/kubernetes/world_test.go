package kubernetes_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/instances/kubernetes"
	"github.com/limpet-proxy/limpet/instances/kubernetes/kubetest"
)

const (
	port     = 8080
	patience = 30 * time.Second
	tick     = time.Millisecond
)

// watching is a source at work.
type watching struct {
	*kubernetes.Source
	tb      testing.TB
	log     *output
	changes atomic.Int64
}

// output is a log that can be read while it is written.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) count(what string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Count(o.text.String(), what)
}

func config(s *kubetest.Server) instances.KubernetesConfig {
	return instances.KubernetesConfig{
		Namespace: kubetest.Namespace, Service: kubetest.Service, Port: port, Kubeconfig: s.Kubeconfig(),
	}
}

// fast is a pace at which tests need not wait.
func fast() kubernetes.Pace {
	return kubernetes.Pace{Retry: time.Millisecond, Linger: time.Millisecond}
}

func newSource(tb testing.TB, cfg instances.KubernetesConfig, pace kubernetes.Pace) *watching {
	tb.Helper()
	w := &watching{tb: tb, log: &output{}}
	var err error
	w.Source, err = kubernetes.New(kubernetes.Config{KubernetesConfig: cfg, Logger: slog.New(slog.NewTextHandler(w.log, nil))})
	require.NoError(tb, err)
	w.WithPace(pace)
	return w
}

// run runs the source until the test ends.
func (w *watching) run() *watching {
	w.tb.Cleanup(w.start())
	return w
}

// start runs the source until end is called.
func (w *watching) start() (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx, func() { w.changes.Add(1) })
	}()
	return func() {
		cancel()
		<-done
	}
}

func watchAt(tb testing.TB, s *kubetest.Server, pace kubernetes.Pace) *watching {
	tb.Helper()
	return newSource(tb, config(s), pace).run()
}

// listed returns "UID host:port", with "draining" and "unready" where it is so, of each place.
func (w *watching) listed() []string {
	places, _ := w.Places()
	all := []string{}
	for _, p := range places {
		line := p.ID + " " + p.URL.Host
		if p.Draining {
			line += " draining"
		}
		if p.Unready {
			line += " unready"
		}
		all = append(all, line)
	}
	return all
}

func (w *watching) known() bool {
	_, known := w.Places()
	return known
}

// await waits until the source lists these.
func (w *watching) await(want ...string) {
	w.tb.Helper()
	if want == nil {
		want = []string{}
	}
	w.until(fmt.Sprint("it lists ", want), func() bool { return w.known() && slices.Equal(w.listed(), want) })
}

func (w *watching) until(what string, ok func() bool) {
	w.tb.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(tick) {
		if time.Now().After(end) {
			require.Fail(w.tb, "not within "+patience.String()+": "+what, "%v\n%s", w.listed(), w.log.text.String())
		}
	}
}

// whileAsked looks, until n more lists and watches were asked for, whether the source lists these.
func (w *watching) whileAsked(s *kubetest.Server, n int, want ...string) {
	w.tb.Helper()
	if want == nil {
		want = []string{}
	}
	begun := len(s.Asked())
	w.until("it asks again", func() bool {
		require.Equal(w.tb, want, w.listed())
		return len(s.Asked()) >= begun+n
	})
}

// settle waits until the first watch was asked for.
func (w *watching) settle(s *kubetest.Server) {
	w.tb.Helper()
	w.until("it watches", func() bool { _, watches := s.Count(); return watches > 0 })
}

// at returns how a ready Pod is listed.
func at(uid, host string) string { return fmt.Sprintf("%s %s:%d", uid, host, port) }

func ready(uid, host string) kubetest.Pod { return kubetest.Ready(uid, host) }
