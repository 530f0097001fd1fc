package kubetest

import (
	"net/netip"

	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// The Service that Slice makes slices of.
const (
	Namespace = "default"
	Service   = "counter"
)

// Pod is one endpoint.
type Pod struct {
	UID  string // "": the endpoint has no Pod
	Addr string
	// What the cluster says of it; nil says nothing.
	Ready, Serving, Terminating *bool
}

// Slice returns a slice of these Pods, which are all of one family, with one port that is named http.
func Slice(name string, port int, pods ...Pod) discovery.EndpointSlice {
	protocol, portName, number := core.ProtocolTCP, "http", int32(port)
	slice := discovery.EndpointSlice{
		ObjectMeta: meta.ObjectMeta{
			Name: name, Namespace: Namespace, Labels: map[string]string{discovery.LabelServiceName: Service},
		},
		AddressType: discovery.AddressTypeIPv4,
		Ports:       []discovery.EndpointPort{{Name: &portName, Port: &number, Protocol: &protocol}},
	}
	for _, p := range pods {
		if addr, err := netip.ParseAddr(p.Addr); err == nil && addr.Is6() {
			slice.AddressType = discovery.AddressTypeIPv6
		}
		slice.Endpoints = append(slice.Endpoints, p.endpoint())
	}
	return slice
}

func (p Pod) endpoint() discovery.Endpoint {
	e := discovery.Endpoint{
		Addresses:  []string{p.Addr},
		Conditions: discovery.EndpointConditions{Ready: p.Ready, Serving: p.Serving, Terminating: p.Terminating},
	}
	if p.UID != "" {
		e.TargetRef = &core.ObjectReference{Kind: "Pod", Namespace: Namespace, Name: "counter-" + p.UID, UID: types.UID(p.UID)}
	}
	return e
}

// Ready returns a Pod that runs.
func Ready(uid, addr string) Pod { return pod(uid, addr, true, true, false) }

// Starting returns a Pod that is not ready.
func Starting(uid, addr string) Pod { return pod(uid, addr, false, false, false) }

// Leaving returns a Pod that terminates and is still as ready as before.
func Leaving(uid, addr string) Pod { return pod(uid, addr, false, true, true) }

func pod(uid, addr string, ready, serving, terminating bool) Pod {
	return Pod{uid, addr, &ready, &serving, &terminating}
}
