package configs

import "time"

// validateTLS looks at what the listeners speak beside HTTP/1.1. It reads the files that tls and admin_tls name.
func (c Config) validateTLS(report report) {
	if c.TLS != nil {
		c.TLS.Validate(under("tls", report))
	}
	if c.AdminTLS != nil {
		c.AdminTLS.Validate(under("admin_tls", report))
	}
	if c.H2C && c.TLS != nil {
		report("h2c", "is not used with tls, by which clients speak HTTP/2 anyway, accepted is false, or to leave tls out")
	}
}

// warnTLS is about certificates that clients will not take.
func (c Config) warnTLS(now time.Time, report report) {
	const problem = "holds a certificate that is not valid today, which clients refuse, accepted is one that is"
	if c.TLS != nil {
		for _, key := range c.TLS.Expired(now) {
			report("tls."+key, problem)
		}
	}
	if c.AdminTLS != nil {
		for _, key := range c.AdminTLS.Expired(now) {
			report("admin_tls."+key, problem)
		}
	}
}
