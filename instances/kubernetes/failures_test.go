package kubernetes_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/limpet-proxy/limpet/instances/kubernetes"
	"github.com/limpet-proxy/limpet/instances/kubernetes/kubetest"
)

// refusing answers everything with this code until it is told to stop.
func refusing(s *kubetest.Server, code int, reason meta.StatusReason) {
	s.Meddle(func(w http.ResponseWriter, _ *http.Request) bool {
		kubetest.Refuse(w, code, reason, "no")
		return true
	})
}

func TestAMissingRoleIsNamed(t *testing.T) {
	s := kubetest.New(t)
	s.Put(kubetest.Slice("counter-1", port, ready("a", "10.0.0.1")))
	refusing(s, http.StatusForbidden, meta.StatusReasonForbidden)
	w := watchAt(t, s, fast())
	w.whileAsked(s, 5)
	require.False(t, w.known(), "nobody has said what there is")
	require.Equal(t, 1, w.log.count("needs the rule"), "once, not each time")
	require.Equal(t, 1, w.log.count(`resources [\"endpointslices\"], verbs [\"get\", \"list\", \"watch\"]`))
	s.Meddle(nil)
	w.await(at("a", "10.0.0.1"))
	w.until("it answers again", func() bool { return w.log.count("answers again") == 1 })
}

// Whatever answers, what is known stays; and when it ends the source finds out what has changed.
func TestWhatIsKnownStays(t *testing.T) {
	for name, test := range map[string]struct {
		code   int
		reason meta.StatusReason
		says   string
	}{
		"forbidden":    {http.StatusForbidden, meta.StatusReasonForbidden, "needs the rule"},
		"unauthorized": {http.StatusUnauthorized, meta.StatusReasonUnauthorized, "token or certificate"},
		"not found":    {http.StatusNotFound, meta.StatusReasonNotFound, "knows no EndpointSlices"},
		"broken":       {http.StatusInternalServerError, meta.StatusReasonInternalError, "does not answer, or not as it should"},
		"overloaded":   {http.StatusTooManyRequests, meta.StatusReasonTooManyRequests, "too many requests"},
		"unavailable":  {http.StatusServiceUnavailable, meta.StatusReasonServiceUnavailable, "does not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			s := kubetest.New(t)
			s.Put(kubetest.Slice("counter-1", port, ready("a", "10.0.0.1")))
			w := watchAt(t, s, fast())
			w.await(at("a", "10.0.0.1"))
			w.settle(s)
			refusing(s, test.code, test.reason)
			s.Disconnect()
			s.Put(kubetest.Slice("counter-2", port, ready("b", "10.0.0.2")))
			w.whileAsked(s, 5, at("a", "10.0.0.1"))
			w.until("the log", func() bool { return w.log.count(test.says) == 1 })
			s.Meddle(nil)
			w.await(at("a", "10.0.0.1"), at("b", "10.0.0.2"))
		})
	}
}

func TestAnAnswerThatIsNoneTakesNothingAway(t *testing.T) {
	for name, body := range map[string]string{
		"HTML":         "<html>sign in</html>",
		"empty":        "",
		"another list": `{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[]}`,
		"half":         `{"kind":"EndpointSliceList","apiVersion":"discovery.k8s.io/v1","metadata":{"resourceVersion":"1"},"items":[`,
		"a status":     `{"kind":"Status","apiVersion":"v1","status":"Success"}`,
		"null":         "null",
		"an object":    "{}",
	} {
		t.Run(name, func(t *testing.T) {
			s := kubetest.New(t)
			s.Put(kubetest.Slice("counter-1", port, ready("a", "10.0.0.1")))
			w := watchAt(t, s, fast())
			w.await(at("a", "10.0.0.1"))
			w.settle(s)
			s.Meddle(func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(body))
				return true
			})
			s.Disconnect()
			w.whileAsked(s, 6, at("a", "10.0.0.1"))
			s.Put(kubetest.Slice("counter-1", port, ready("a", "10.0.0.1"), ready("b", "10.0.0.2")))
			s.Meddle(nil)
			w.await(at("a", "10.0.0.1"), at("b", "10.0.0.2"))
		})
	}
}

// A list that works is no recovery where the watch does not: a Role may have the one verb without the other.
func TestListWithoutWatch(t *testing.T) {
	t.Parallel()
	for says, meddle := range map[string]func(w http.ResponseWriter){
		"needs the rule": func(w http.ResponseWriter) {
			kubetest.Refuse(w, http.StatusForbidden, meta.StatusReasonForbidden, "no")
		},
		"does not answer": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel() // the client itself tries a broken connection ten times, a second apart
			s := kubetest.NewPlain(t)
			s.Put(kubetest.Slice("counter-1", port, ready("a", "10.0.0.1")))
			s.Meddle(func(w http.ResponseWriter, r *http.Request) bool {
				if r.FormValue("watch") == "" {
					return false
				}
				meddle(w)
				return true
			})
			w := watchAt(t, s, fast())
			w.await(at("a", "10.0.0.1"))
			w.until("the log", func() bool { return w.log.count(says) == 1 })
			w.whileAsked(s, 6, at("a", "10.0.0.1"))
			require.Equal(t, 1, w.log.count(says))
			require.Zero(t, w.log.count("answers again"))
		})
	}
}

// 429 has Retry-After, and the client heeds it.
func TestRetryAfter(t *testing.T) {
	s := kubetest.New(t)
	s.Put(kubetest.Slice("counter-1", port, ready("a", "10.0.0.1")))
	var refused, again atomic.Int64
	s.Meddle(func(w http.ResponseWriter, _ *http.Request) bool {
		if !refused.CompareAndSwap(0, time.Now().UnixNano()) {
			again.CompareAndSwap(0, time.Now().UnixNano())
			return false
		}
		w.Header().Set("Retry-After", "1")
		kubetest.Refuse(w, http.StatusTooManyRequests, meta.StatusReasonTooManyRequests, "later")
		return true
	})
	watchAt(t, s, fast()).await(at("a", "10.0.0.1"))
	require.GreaterOrEqual(t, time.Duration(again.Load()-refused.Load()), 900*time.Millisecond)
}

// A service account's token is valid for an hour, and the kubelet writes the next one into the same file.
func TestATokenThatExpiresIsReadAgain(t *testing.T) {
	s := kubetest.New(t)
	s.Put(kubetest.Slice("counter-1", port, ready("a", "10.0.0.1")))
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte("one"), 0o600))
	cfg := config(s)
	cfg.Kubeconfig = s.Kubeconfig("tokenFile: " + file)
	var valid atomic.Value
	valid.Store("Bearer one")
	s.Meddle(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") == valid.Load() {
			return false
		}
		kubetest.Refuse(w, http.StatusUnauthorized, meta.StatusReasonUnauthorized, "Unauthorized")
		return true
	})
	w := newSource(t, cfg, fast()).run()
	w.await(at("a", "10.0.0.1"))
	w.settle(s)

	valid.Store("Bearer two")
	s.Disconnect()
	w.whileAsked(s, 3, at("a", "10.0.0.1"))
	require.NoError(t, os.WriteFile(file, []byte("two"), 0o600))
	s.Put(kubetest.Slice("counter-1", port, ready("a", "10.0.0.1"), ready("b", "10.0.0.2")))
	w.await(at("a", "10.0.0.1"), at("b", "10.0.0.2"))
}

// An API server that takes connections and never answers.
func TestASilentAPIServerIsAskedAnew(t *testing.T) {
	s := kubetest.New(t)
	s.Put(kubetest.Slice("counter-1", port, ready("a", "10.0.0.1")))
	s.Silence(true)
	w := watchAt(t, s, kubernetes.Pace{Retry: time.Millisecond, List: 50 * time.Millisecond, Watch: 50 * time.Millisecond})
	w.whileAsked(s, 3)
	require.False(t, w.known())
	s.Silence(false)
	w.await(at("a", "10.0.0.1"))
	s.Silence(true)
	w.whileAsked(s, 3, at("a", "10.0.0.1")) // a watch, too, is not believed for ever
	s.Put(kubetest.Slice("counter-1", port, ready("a", "10.0.0.1"), ready("b", "10.0.0.2")))
	s.Silence(false)
	w.await(at("a", "10.0.0.1"), at("b", "10.0.0.2"))
}

func TestAnAPIServerThatIsAwayIsToldOnce(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	s.Put(kubetest.Slice("counter-1", port, ready("a", "10.0.0.1")))
	w := watchAt(t, s, fast())
	w.await(at("a", "10.0.0.1"))
	w.settle(s)
	s.Meddle(func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) })
	s.Disconnect()
	w.until("the log", func() bool { return w.log.count("does not answer") == 1 })
	w.whileAsked(s, 5, at("a", "10.0.0.1"))
	require.Equal(t, 1, w.log.count("does not answer"))
	require.Zero(t, w.log.count("answers again"))
	s.Meddle(nil)
	w.until("it answers again", func() bool { return w.log.count("answers again") == 1 })
	require.NotContains(t, strings.ToLower(w.log.text.String()), "level=error")
}

func TestItEndsWhileItWaits(t *testing.T) {
	for name, meddle := range map[string]func(w http.ResponseWriter, r *http.Request) bool{
		"for a hung list": func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true },
		"for a hung watch": func(_ http.ResponseWriter, r *http.Request) bool {
			if r.FormValue("watch") == "" {
				return false
			}
			<-r.Context().Done()
			return true
		},
		"to try again": func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusForbidden); return true },
		"for Retry-After": func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Retry-After", fmt.Sprint(3600))
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := kubetest.New(t)
			var here atomic.Int64
			s.Meddle(func(w http.ResponseWriter, r *http.Request) bool {
				here.Add(1)
				defer here.Add(-1)
				return meddle(w, r)
			})
			w := newSource(t, config(s), kubernetes.Pace{Retry: time.Hour})
			end := w.start()
			w.until("it asks", func() bool { return len(s.Asked()) > 0 })
			time.Sleep(20 * time.Millisecond)
			begun := time.Now()
			end()
			require.Less(t, time.Since(begun), patience/4)
			w.until("nothing is asked for any more", func() bool { return here.Load() == 0 })
		})
	}
}
