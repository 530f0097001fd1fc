package kubernetes_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	discovery "k8s.io/api/discovery/v1"

	"github.com/limpet-proxy/limpet/instances/kubernetes"
	"github.com/limpet-proxy/limpet/instances/kubernetes/kubetest"
)

// What the API reference says of conditions that are nil, and of the three together.
func TestConditions(t *testing.T) {
	yes, no := new(bool), new(bool)
	*yes = true
	for name, test := range map[string]struct {
		ready, serving, terminating *bool
		want                        string
	}{
		"nothing said":                     {nil, nil, nil, ""},
		"ready":                            {yes, yes, no, ""},
		"ready, else nothing said":         {yes, nil, nil, ""},
		"not ready":                        {no, no, no, " unready"},
		"not ready, else nothing said":     {no, nil, nil, " unready"},
		"not ready though serving":         {no, yes, no, " unready"},
		"ready though not serving":         {yes, no, no, ""},
		"terminating and serving":          {no, yes, yes, " draining"},
		"terminating and published ready":  {yes, yes, yes, " draining"},
		"terminating, no more serving":     {no, no, yes, " draining unready"},
		"terminating, serving follows":     {no, nil, yes, " draining unready"},
		"terminating, else nothing said":   {nil, nil, yes, " draining"},
		"terminating, ready but no server": {yes, no, yes, " draining unready"},
	} {
		t.Run(name, func(t *testing.T) {
			s := kubetest.New(t)
			s.Put(kubetest.Slice("counter-1", port, kubetest.Pod{
				UID: "a", Addr: "10.0.0.1", Ready: test.ready, Serving: test.serving, Terminating: test.terminating,
			}))
			watchAt(t, s, fast()).await(at("a", "10.0.0.1") + test.want)
		})
	}
}

func TestAPodGoesItsWay(t *testing.T) {
	s := kubetest.New(t)
	w := watchAt(t, s, kubernetes.Pace{Retry: time.Millisecond, Linger: time.Hour})
	put := func(pods ...kubetest.Pod) { s.Put(kubetest.Slice("counter-1", port, pods...)) }
	put(kubetest.Starting("a", "10.0.0.1"))
	w.await(at("a", "10.0.0.1") + " unready")
	put(ready("a", "10.0.0.1"))
	w.await(at("a", "10.0.0.1"))
	put(kubetest.Leaving("a", "10.0.0.1"), ready("b", "10.0.0.2"))
	w.await(at("a", "10.0.0.1")+" draining", at("b", "10.0.0.2"))
	put(ready("b", "10.0.0.2"))
	w.await(at("b", "10.0.0.2")) // at once, for it had terminated
}

// A Pod's UID is never used again, but its address is.
func TestAnAddressGoesFromOnePodToTheNext(t *testing.T) {
	s := kubetest.New(t)
	w := watchAt(t, s, fast())
	s.Put(kubetest.Slice("counter-1", port, kubetest.Leaving("a", "10.0.0.1")))
	w.await(at("a", "10.0.0.1") + " draining")
	s.Put(kubetest.Slice("counter-1", port, kubetest.Leaving("a", "10.0.0.1"), ready("b", "10.0.0.1")))
	w.await(at("a", "10.0.0.1")+" draining", at("b", "10.0.0.1"))
	s.Put(kubetest.Slice("counter-1", port, ready("b", "10.0.0.1")))
	w.await(at("b", "10.0.0.1"))
}

func TestAPodMovesBetweenSlices(t *testing.T) {
	s := kubetest.New(t)
	w := watchAt(t, s, kubernetes.Pace{Retry: time.Millisecond, Linger: time.Hour})
	s.Put(kubetest.Slice("counter-1", port, ready("a", "10.0.0.1"), ready("b", "10.0.0.2")))
	w.await(at("a", "10.0.0.1"), at("b", "10.0.0.2"))
	s.Put(kubetest.Slice("counter-2", port, kubetest.Leaving("b", "10.0.0.2"))) // in both, one is old
	w.await(at("a", "10.0.0.1"), at("b", "10.0.0.2")+" draining")
	s.Put(kubetest.Slice("counter-1", port, ready("a", "10.0.0.1")))
	w.await(at("a", "10.0.0.1"), at("b", "10.0.0.2")+" draining")

	s.Put(kubetest.Slice("counter-1", port)) // the other way round: first out, then in
	w.await(at("a", "10.0.0.1")+" unready", at("b", "10.0.0.2")+" draining")
	s.Put(kubetest.Slice("counter-3", port, ready("a", "10.0.0.1")))
	w.await(at("a", "10.0.0.1"), at("b", "10.0.0.2")+" draining")
}

func TestASliceThatIsMadeAnewTakesNothingAway(t *testing.T) {
	s := kubetest.New(t)
	s.Put(kubetest.Slice("counter-1", port, ready("a", "10.0.0.1")))
	w := watchAt(t, s, kubernetes.Pace{Retry: time.Millisecond, Linger: time.Hour})
	w.await(at("a", "10.0.0.1"))
	for range 3 {
		s.Delete("counter-1")
		w.await(at("a", "10.0.0.1") + " unready")
		s.Put(kubetest.Slice("counter-1", port, ready("a", "10.0.0.1")))
		w.await(at("a", "10.0.0.1"))
	}
}

func TestWhatLingersGoes(t *testing.T) {
	s := kubetest.New(t)
	s.Put(kubetest.Slice("counter-1", port, ready("a", "10.0.0.1"), ready("b", "10.0.0.2")))
	w := watchAt(t, s, kubernetes.Pace{Retry: time.Millisecond, Linger: 100 * time.Millisecond})
	w.await(at("a", "10.0.0.1"), at("b", "10.0.0.2"))
	changes, begun := w.changes.Load(), time.Now()
	s.Put(kubetest.Slice("counter-1", port, ready("b", "10.0.0.2")))
	w.await(at("b", "10.0.0.2"))
	require.GreaterOrEqual(t, time.Since(begun), 100*time.Millisecond)
	w.until("both changes are told", func() bool { return w.changes.Load() == changes+2 })
}

func TestBothFamiliesAreOnePod(t *testing.T) {
	s := kubetest.New(t)
	w := watchAt(t, s, fast())
	four := kubetest.Slice("four", port, ready("a", "10.0.0.1"), ready("b", "10.0.0.2"))
	s.Put(four)
	s.Put(kubetest.Slice("six", port, ready("a", "fd00::1"), ready("c", "fd00::3")))
	w.await(at("a", "10.0.0.1"), at("b", "10.0.0.2"), "c [fd00::3]:8080")

	// Written in this order, c's other address makes it no other program; nor is one without its slice.
	s.Put(kubetest.Slice("four", port, ready("a", "10.0.0.1"), ready("b", "10.0.0.2"), ready("c", "10.0.0.3"), ready("d", "10.0.0.4")))
	w.await(at("a", "10.0.0.1"), at("b", "10.0.0.2"), "c [fd00::3]:8080", at("d", "10.0.0.4"))
	s.Put(kubetest.Slice("six", port, ready("a", "fd00::1"), ready("c", "fd00::3"), ready("d", "fd00::4")))
	s.Delete("four")
	w.await(at("a", "10.0.0.1"), "c [fd00::3]:8080", at("d", "10.0.0.4"))
	s.Put(kubetest.Slice("four", port, ready("a", "10.0.0.9"))) // a new sandbox of the same Pod
	w.await(at("a", "10.0.0.9"), "c [fd00::3]:8080", at("d", "10.0.0.4"))
}

func TestPortsByName(t *testing.T) {
	s := kubetest.New(t)
	cfg := config(s)
	cfg.Port, cfg.PortName = 0, "http"
	s.Put(kubetest.Slice("old", 8080, ready("a", "10.0.0.1")))
	s.Put(kubetest.Slice("new", 9090, ready("b", "10.0.0.2")))
	w := newSource(t, cfg, fast()).run()
	w.await("a 10.0.0.1:8080", "b 10.0.0.2:9090")

	udp := kubetest.Slice("new", 9090, ready("b", "10.0.0.2"))
	protocol := *udp.Ports[0].Protocol
	*udp.Ports[0].Protocol = "UDP"
	s.Put(udp)
	w.await("a 10.0.0.1:8080")
	w.until("the log", func() bool { return w.log.count(`no TCP port is named`) == 1 })
	require.Equal(t, "TCP", string(protocol))
}

func TestAPortThatTheServiceHasNotIsTold(t *testing.T) {
	s := kubetest.New(t)
	s.Put(kubetest.Slice("counter-1", 80, ready("a", "10.0.0.1"), ready("b", "10.0.0.2")))
	w := watchAt(t, s, fast())
	w.await(at("a", "10.0.0.1"), at("b", "10.0.0.2"))
	require.Equal(t, 1, w.log.count("none of the Service's target ports"))
}

func TestEndpointsThatCannotCount(t *testing.T) {
	s := kubetest.New(t)
	slice := kubetest.Slice("counter-1", port, ready("good", "10.0.0.1"), ready("", "10.0.0.2"), ready("bad uid", "10.0.0.3"),
		ready("b", "0.0.0.0"), ready("c", "224.0.0.1"), ready("d", "name.example"), ready("e", "10.0.0.4"), ready("f", "255.255.255.255"))
	slice.Endpoints[6].Addresses = nil
	s.Put(slice)
	w := watchAt(t, s, fast())
	w.await(at("good", "10.0.0.1"))
	for _, oddity := range []string{"an endpoint without a Pod", "UID cannot be", "without an address", "none that can be dialled"} {
		require.Equal(t, 1, w.log.count(oddity), oddity)
	}
}

// Which of two slices is read first is chance.
func TestTheWorseOfTwoCounts(t *testing.T) {
	cfg := config(kubetest.New(t))
	one := kubetest.Slice("one", port, ready("a", "10.0.0.1"), kubetest.Leaving("b", "10.0.0.2"), kubetest.Starting("c", "10.0.0.3"))
	other := kubetest.Slice("other", port, kubetest.Leaving("a", "10.0.0.1"), kubetest.Starting("b", "10.0.0.2"), ready("c", "10.0.0.3"))
	for range 100 {
		listed := kubernetes.Merge(cfg, map[string]*discovery.EndpointSlice{"one": &one, "other": &other}, nil)
		require.Equal(t, map[string]kubernetes.Listed{
			"a": {At: netip.MustParseAddrPort("10.0.0.1:8080"), Terminating: true},
			"b": {At: netip.MustParseAddrPort("10.0.0.2:8080"), Terminating: true, Unready: true},
			"c": {At: netip.MustParseAddrPort("10.0.0.3:8080"), Unready: true},
		}, listed)
	}
}

func TestTheFirstAddressCounts(t *testing.T) {
	slice := kubetest.Slice("x", port, ready("a", "10.0.0.1"))
	slice.Endpoints[0].Addresses = []string{"10.0.0.1", "10.0.0.2"}
	slice.Endpoints = append(slice.Endpoints, slice.Endpoints[0])
	listed := kubernetes.Merge(config(kubetest.New(t)), map[string]*discovery.EndpointSlice{"x": &slice}, nil)
	require.Equal(t, map[string]kubernetes.Listed{"a": {At: netip.MustParseAddrPort("10.0.0.1:8080")}}, listed)
}
