package kubernetes_test

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	discovery "k8s.io/api/discovery/v1"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/instances/kubernetes"
	"github.com/limpet-proxy/limpet/instances/kubernetes/kubetest"
)

// Whatever two slices hold, what is listed can be dialled, has a name, and was in one of them.
func FuzzSlices(f *testing.F) {
	seed := func(slices ...discovery.EndpointSlice) {
		var raw [2][]byte
		for i, s := range slices {
			var err error
			raw[i], err = json.Marshal(s)
			require.NoError(f, err)
		}
		f.Add(raw[0], raw[1], "http", "10.0.0.1:8080")
		f.Add(raw[0], raw[1], "", "[fd00::1]:8080")
	}
	seed(kubetest.Slice("four", port, ready("a", "10.0.0.1"), kubetest.Leaving("b", "10.0.0.2")),
		kubetest.Slice("six", port, ready("a", "fd00::1"), kubetest.Starting("c", "fd00::3")))
	seed(kubetest.Slice("four", port, ready("", "0.0.0.0")), kubetest.Slice("four", -1, ready("a", "::ffff:10.0.0.1")))
	seed(kubetest.Slice("four", 65536, kubetest.Pod{UID: "a", Addr: "fe80::1%eth0"}), discovery.EndpointSlice{})
	f.Fuzz(func(t *testing.T, one, other []byte, portName, before string) {
		all := map[string]*discovery.EndpointSlice{}
		uids := map[string]bool{}
		for name, raw := range map[string][]byte{"one": one, "other": other} {
			s := &discovery.EndpointSlice{}
			if json.Unmarshal(raw, s) != nil {
				continue
			}
			all[name] = s
			for _, e := range s.Endpoints {
				if e.TargetRef != nil {
					uids[string(e.TargetRef.UID)] = true
				}
			}
		}
		known := map[string]netip.AddrPort{}
		if at, err := netip.ParseAddrPort(before); err == nil && at.Addr().Zone() == "" && at.Port() != 0 {
			known["a"] = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
		}
		cfg := instances.KubernetesConfig{PortName: portName}
		if portName == "" {
			cfg.Port = port
		}
		for uid, p := range kubernetes.Merge(cfg, all, known) {
			require.True(t, instances.ValidID(uid))
			require.True(t, uids[uid])
			if p.At == known[uid] {
				continue
			}
			require.False(t, p.At.Addr().IsUnspecified() || p.At.Addr().IsMulticast() || p.At.Addr().Is4In6())
			require.Empty(t, p.At.Addr().Zone())
			require.NotZero(t, p.At.Port())
		}
		require.Equal(t, kubernetes.Merge(cfg, all, known), kubernetes.Merge(cfg, all, known), "every replica reads the same")
	})
}
