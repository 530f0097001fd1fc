package kubernetes

import (
	"fmt"
	"net/netip"

	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"

	"github.com/limpet-proxy/limpet/instances"
)

// slice is what one EndpointSlice says, as far as it counts here.
type slice struct {
	endpoints []endpoint
	oddities  []string // why others of its endpoints do not count
}

// endpoint is one Pod at one address.
type endpoint struct {
	uid string
	at  netip.AddrPort
	condition
}

// condition is what the cluster says of a Pod.
type condition struct {
	terminating bool // it will be taken away
	unready     bool
}

// read takes out of an EndpointSlice what counts.
func read(from *discovery.EndpointSlice, cfg instances.KubernetesConfig) slice {
	var s slice
	port, ok := portOf(from.Ports, cfg)
	if !ok && len(from.Endpoints) > 0 {
		s.oddities = append(s.oddities, fmt.Sprintf("no TCP port is named %q", cfg.PortName))
	}
	if !ok {
		return s
	}
	if !offers(from.Ports, port) && len(from.Endpoints) > 0 {
		s.oddities = append(s.oddities, fmt.Sprintf("port %d is none of the Service's target ports; it is tried all the same", port))
	}
	for i := range from.Endpoints {
		e, oddity := readEndpoint(&from.Endpoints[i], port)
		if oddity != "" {
			s.oddities = append(s.oddities, oddity)
			continue
		}
		s.endpoints = append(s.endpoints, e)
	}
	return s
}

// readEndpoint returns the endpoint, or why it does not count.
func readEndpoint(from *discovery.Endpoint, port uint16) (e endpoint, oddity string) {
	if from.TargetRef == nil || from.TargetRef.UID == "" {
		return e, "an endpoint without a Pod has no name that stays, and is left out; static takes such"
	}
	e.uid = string(from.TargetRef.UID)
	if !instances.ValidID(e.uid) {
		return e, "an endpoint's UID cannot be an instance's ID, and is left out"
	}
	if len(from.Addresses) == 0 {
		return e, "an endpoint without an address is left out"
	}
	// The first one only: consumers may ignore the rest, which are the same Pod's (discovery/v1, Endpoint.addresses).
	addr, err := netip.ParseAddr(from.Addresses[0])
	addr = addr.Unmap()
	if err != nil || !dialable(addr) {
		return e, "an endpoint's address is none that can be dialled, and is left out"
	}
	e.at, e.condition = netip.AddrPortFrom(addr, port), conditionOf(from.Conditions)
	return e, ""
}

// conditionOf reads the conditions. What is not said of readiness is "ready", and of termination "no" (discovery/v1,
// EndpointConditions). A Pod that terminates is never ready; serving says whether it still would be. One that is not is
// asked for no new session either, and its sessions stay until it is gone or probes find it lost: its state is still
// there.
func conditionOf(c discovery.EndpointConditions) condition {
	ready := c.Ready == nil || *c.Ready
	serving := ready
	if c.Serving != nil {
		serving = *c.Serving
	}
	if c.Terminating != nil && *c.Terminating {
		return condition{terminating: true, unready: !serving}
	}
	return condition{unready: !ready}
}

// or joins what two slices say of a Pod. The worse counts: a Pod that terminates does so for good, and one that is wrongly
// held for unready loses nothing but new sessions for a moment.
func (c condition) or(other condition) condition {
	return condition{terminating: c.terminating || other.terminating, unready: c.unready || other.unready}
}

// dialable says whether an address leads to one machine that is not this one by accident: 0.0.0.0 would.
func dialable(a netip.Addr) bool {
	return a.Zone() == "" && !a.IsUnspecified() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// portOf returns the port that Pods of the slice are spoken to at.
func portOf(ports []discovery.EndpointPort, cfg instances.KubernetesConfig) (uint16, bool) {
	if cfg.PortName == "" {
		return uint16(cfg.Port), true
	}
	for _, p := range ports {
		if p.Name != nil && *p.Name == cfg.PortName && isTCP(p) && p.Port != nil && *p.Port > 0 && *p.Port <= maxPort {
			return uint16(*p.Port), true
		}
	}
	return 0, false
}

const maxPort = 65535

// offers says whether the slice names the port, or names none.
func offers(ports []discovery.EndpointPort, port uint16) bool {
	for _, p := range ports {
		if isTCP(p) && (p.Port == nil || *p.Port == int32(port)) {
			return true
		}
	}
	return len(ports) == 0
}

func isTCP(p discovery.EndpointPort) bool {
	return p.Protocol == nil || *p.Protocol == core.ProtocolTCP
}
