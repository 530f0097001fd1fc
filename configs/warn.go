package configs

import (
	"fmt"
	"strings"
	"time"

	"github.com/limpet-proxy/limpet/api"
	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
)

// warn reports what works and is probably not meant.
func (c Config) warn(report report) {
	c.warnTLS(time.Now(), report)
	for i, k := range c.Auth.Keys {
		if k.Weak() {
			report(fmt.Sprintf("auth.keys[%d].secret_file", i), fmt.Sprintf("holds a secret that can be guessed, advised are %d bytes or more", api.AdvisedSecret))
		}
	}
	cookies := map[string]int{}
	for i, f := range c.Functions {
		if f.Instances.Process != nil && c.Store.Kind == StoreRedis {
			report(fmt.Sprintf("functions[%d].instances.process", i), "runs on this machine only: another replica on this store answers 503 for the sessions here, accepted is one replica, or a function of its own for each")
		}
		at := under(fmt.Sprintf("functions[%d].affinity", i), report)
		c.warnAlias(f, under(fmt.Sprintf("functions[%d]", i), report))
		warnUnused(f.Affinity, at)
		warnSources(f, at)
		if f.Affinity.Type != sessions.AffinityCookie {
			continue
		}
		name := f.Affinity.Cookie.Name
		if j, twice := cookies[name]; twice {
			at("cookie.name", fmt.Sprintf("%s is the cookie of %s (functions[%d]) too: a client that uses both on one host starts a new session at each change, accepted is a name of its own", name, c.Functions[j].Name, j))
		} else {
			cookies[name] = i
		}
		warnCookiePath(f, at)
	}
}

// warnCookiePath is about a cookie that clients do not send with every request of the function (RFC 6265, section
// 5.1.4): each of the others would begin a session.
func warnCookiePath(f proxy.FunctionConfig, report report) {
	cookie, match := strings.TrimSuffix(f.Affinity.Cookie.Path, "/"), strings.TrimSuffix(f.Match.Path, "/")
	if match != cookie && !strings.HasPrefix(match, cookie+"/") {
		report("cookie.path", fmt.Sprintf("%s does not cover match.path %s: a request outside it comes without the cookie and starts a new session, accepted is / or %s", f.Affinity.Cookie.Path, f.Match.Path, f.Match.Path))
	}
}
