package kubernetes_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/limpet-proxy/limpet/instances/kubernetes/kubetest"
)

// toggle makes b come or go, beside a, and returns what is to be listed.
func toggle(s *kubetest.Server, n int) []string {
	if n%2 == 0 {
		s.Put(kubetest.Slice("counter-1", port, ready("a", "10.0.0.1"), ready("b", "10.0.0.2")))
		return []string{at("a", "10.0.0.1"), at("b", "10.0.0.2")}
	}
	s.Put(kubetest.Slice("counter-1", port, ready("a", "10.0.0.1"), kubetest.Leaving("b", "10.0.0.2")))
	return []string{at("a", "10.0.0.1"), at("b", "10.0.0.2") + " draining"}
}

// A watch breaks off at every byte of an event, by a lost connection and by an end that looks like one that was meant.
func TestABreakAtEveryByte(t *testing.T) {
	for name, test := range map[string]struct {
		serve func(kubetest.TB) *kubetest.Server
		clean bool
	}{
		"HTTP/2 breaks": {kubetest.New, false}, "HTTP/2 ends": {kubetest.New, true},
		"HTTP/1.1 breaks": {kubetest.NewPlain, false}, "HTTP/1.1 ends": {kubetest.NewPlain, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := test.serve(t)
			want := toggle(s, 0)
			w := watchAt(t, s, fast())
			w.await(want...)
			event, err := json.Marshal(kubetest.Slice("counter-1", port, ready("a", "10.0.0.1"), ready("b", "10.0.0.2")))
			require.NoError(t, err)
			for n := range len(event) + 200 {
				s.Break(kubetest.Cut{After: n, Clean: test.clean})
				want = toggle(s, n)
				w.until(fmt.Sprint("the change that was cut after byte ", n), func() bool {
					places, known := w.Places()
					require.True(t, known)
					require.Len(t, places, 2)
					return fmt.Sprint(w.listed()) == fmt.Sprint(want)
				})
			}
		})
	}
}

func TestGarbageInTheStream(t *testing.T) {
	s := kubetest.New(t)
	want := toggle(s, 0)
	w := watchAt(t, s, fast())
	w.await(want...)
	for n, garbage := range []string{
		"garbage\n", "{}\n", "null\n", "[]\n", "{\"type\":\"ADDED\"}\n", "{\"type\":\"ADDED\",\"object\":null}\n",
		"{\"type\":\"ADDED\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\"}}}\n",
		"{\"type\":\"NEWS\",\"object\":{\"kind\":\"EndpointSlice\",\"apiVersion\":\"discovery.k8s.io/v1\"}}\n",
		"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\"}}\n",
		"{\"type\":\"DELETED\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{}}}\n",
		"{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"EndpointSlice\",\"apiVersion\":\"discovery.k8s.io/v1\",\"endpoints\":7}}\n",
		"\x00\xff\xfe\n",
	} {
		s.Raw(garbage)
		want = toggle(s, n+1)
		w.await(want...)
	}
	require.Zero(t, w.log.count("level=ERROR"))
}

// What was watched last is forgotten: as an answer to the watch, and in the stream.
func TestGone(t *testing.T) {
	t.Run("status", func(t *testing.T) {
		s := kubetest.New(t)
		w := watchAt(t, s, fast())
		want := toggle(s, 0)
		w.await(want...)
		w.settle(s)
		for n := range 5 {
			lists, _ := s.Count()
			s.Forget()
			want = toggle(s, n+1)
			s.Forget()
			s.Disconnect()
			w.until("it lists anew", func() bool { now, _ := s.Count(); return now > lists })
			w.await(want...)
		}
		require.Zero(t, w.log.count("does not answer"), "this is how it goes, and nobody's fault")
	})
	t.Run("event", func(t *testing.T) {
		s := kubetest.New(t)
		w := watchAt(t, s, fast())
		want := toggle(s, 0)
		w.await(want...)
		w.settle(s)
		for n := range 5 {
			lists, _ := s.Count()
			s.Error(meta.Status{Status: meta.StatusFailure, Code: http.StatusGone, Reason: meta.StatusReasonExpired})
			w.until("it lists anew", func() bool { now, _ := s.Count(); return now > lists })
			want = toggle(s, n+1)
			w.await(want...)
		}
		require.Zero(t, w.log.count("does not answer"))
	})
	t.Run("list", func(t *testing.T) {
		s := kubetest.New(t)
		s.Meddle(func(w http.ResponseWriter, r *http.Request) bool {
			if v := r.FormValue("resourceVersion"); v == "" || r.FormValue("watch") != "" {
				return false
			}
			kubetest.Refuse(w, http.StatusGone, meta.StatusReasonExpired, "too old")
			return true
		})
		want := toggle(s, 0)
		w := watchAt(t, s, fast())
		w.await(want...)
	})
}

func TestAnErrorInTheStreamIsTold(t *testing.T) {
	s := kubetest.New(t)
	w := watchAt(t, s, fast())
	w.await(toggle(s, 0)...)
	s.Error(meta.Status{Status: meta.StatusFailure, Code: http.StatusForbidden, Reason: meta.StatusReasonForbidden})
	w.until("the log", func() bool { return w.log.count("needs the rule") == 1 })
	w.await(toggle(s, 1)...)
}

// A watch that is made anew goes on from the last bookmark, so that a quiet Service is not listed again each time.
func TestBookmarks(t *testing.T) {
	s := kubetest.New(t)
	w := watchAt(t, s, fast())
	w.await(toggle(s, 0)...)
	w.settle(s)
	lists, watches := s.Count()
	changes := w.changes.Load()
	mark := s.Bookmark()
	w.until("it is told the bookmark", func() bool { return s.Told() == mark })
	s.Break(kubetest.Cut{After: 1 << 20, Clean: true}) // after the next event
	last := s.Bookmark()
	w.until("it watches again", func() bool { _, now := s.Count(); return now > watches })
	asked := s.Asked()
	require.Equal(t, kubetest.Request{Watch: true, Version: last}, asked[len(asked)-1])
	s.Forget() // all before: who did not heed the bookmark would have to list
	w.await(toggle(s, 1)...)
	now, _ := s.Count()
	require.Equal(t, lists, now)
	require.Equal(t, changes+1, w.changes.Load(), "a bookmark is no change")
}
