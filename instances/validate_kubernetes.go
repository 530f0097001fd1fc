package instances

import (
	"fmt"
	"strings"
)

const maxLabel = 63

func (c KubernetesConfig) validate(report func(key, problem string)) {
	const acceptedLabel = "accepted is [a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
	for _, n := range []struct{ key, value string }{{"namespace", c.Namespace}, {"service", c.Service}} {
		if n.value == "" {
			report(n.key, "is missing, "+acceptedLabel)
		} else if !validLabel(n.value) {
			report(n.key, fmt.Sprintf("%.80q is no name in Kubernetes, %s", n.value, acceptedLabel))
		}
	}
	switch {
	case c.PortName != "" && c.Port != 0:
		report("port_name", "port is there too, accepted is one of them")
	case c.PortName != "" && !validLabel(c.PortName):
		report("port_name", fmt.Sprintf("%.80q is no name of a port, %s", c.PortName, acceptedLabel))
	case c.PortName == "" && (c.Port < 1 || c.Port > maxPort):
		report("port", fmt.Sprintf("%d is no port, accepted is 1 to %d, or port_name in its place", c.Port, maxPort))
	}
}

// validLabel takes what names a namespace, a Service or a port: a label of RFC 1123, in lower case.
func validLabel(s string) bool {
	if s == "" || len(s) > maxLabel || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' })
}
