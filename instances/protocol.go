package instances

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
)

// Protocol is how instances are spoken to.
type Protocol string

// The values of Protocol.
const (
	HTTP1 Protocol = "http1" // HTTP/1.1, over TLS where the URL's scheme is https
	H2    Protocol = "h2"    // HTTP/2 over TLS, by ALPN: an instance that does not offer it is not spoken to
	H2C   Protocol = "h2c"   // HTTP/2 without TLS, with prior knowledge (RFC 9113, section 3.3)
)

// IsHTTP2 says whether many requests share one connection.
func (p Protocol) IsHTTP2() bool { return p == H2 || p == H2C }

// HTTP returns the only protocol that a http.Transport may speak.
func (p Protocol) HTTP() *http.Protocols {
	var only http.Protocols
	only.SetHTTP1(!p.IsHTTP2())
	only.SetHTTP2(p == H2)
	only.SetUnencryptedHTTP2(p == H2C)
	return &only
}

// scheme is the one that URLs of instances must have; "": either.
func (p Protocol) scheme() string {
	switch p {
	case H2:
		return "https"
	case H2C:
		return "http"
	default:
		return ""
	}
}

// validateProtocol looks for instances that do not go with the protocol.
func (c Config) validateProtocol(report func(key, problem string)) {
	switch c.Protocol {
	case HTTP1, H2, H2C, "":
	default:
		report("protocol", fmt.Sprintf("%.20q is unknown, accepted are %s, %s and %s", string(c.Protocol), HTTP1, H2, H2C))
		return
	}
	want := c.Protocol.scheme()
	for i, s := range c.Static {
		if scheme, _, ok := strings.Cut(s.URL, "://"); ok && want != "" && !strings.EqualFold(scheme, want) {
			report(fmt.Sprintf("static[%d].url", i), fmt.Sprintf("%s is not %s, which protocol %s needs, accepted is %s://, or another protocol", scheme, want, c.Protocol, want))
		}
	}
	if c.Protocol == H2 && (c.DNS != nil || c.Kubernetes != nil || c.Process != nil) {
		report("protocol", fmt.Sprintf("%s needs https, and instances that are found or started are spoken to without TLS, accepted is %s", H2, H2C))
	}
}

// Protocol returns how the instance is spoken to. It may change with a reload.
func (i *Instance) Protocol() Protocol {
	if p := i.pool.protocol.Load(); p != nil {
		return *p
	}
	return DefaultProtocol
}

// speak makes p what Protocol returns.
func (p *Pool) speak(protocol Protocol) {
	protocol = cmp.Or(protocol, DefaultProtocol)
	p.protocol.Store(&protocol)
}
