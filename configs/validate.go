package configs

import (
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/api"
	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/redisstore"
)

// settle fills in defaults that depend on other keys: the default idle timeout does not outlive a shorter ttl, isolation
// means one session an instance, and what an affinity's preset sets. What the file says is left for Validate to judge.
func (d *decoder) settle(cfg *Config) {
	for i := range cfg.Functions {
		cfg.Functions[i].Affinity.Settle(func(key string) bool { return d.given(fmt.Sprintf("functions[%d].affinity.%s", i, key)) })
		s, at := &cfg.Functions[i].Sessions, fmt.Sprintf("functions[%d].sessions.", i)
		if !d.given(at+"idle_timeout") && s.TTL >= sessions.MinTTL {
			s.IdleTimeout = min(s.IdleTimeout, s.TTL)
		}
		if s.Isolation && !d.given(at+"per_instance") {
			s.PerInstance = 1
		}
	}
	d.settleAliases(cfg.Functions)
}

type report = func(key, problem string)

// under returns a report for the keys below one key.
func under(key string, r report) report {
	return func(sub, problem string) {
		if sub == "" {
			r(key, problem)
			return
		}
		r(key+"."+sub, problem)
	}
}

// Validate calls report for everything that Limpet could not run with: what each package says of its own part, and
// what only the whole shows. It opens the files that the configuration names.
func (c Config) Validate(report func(key, problem string)) {
	c.validateAddresses(report)
	c.validateTLS(report)
	if !sessions.ValidName(c.Deployment) {
		report("deployment", fmt.Sprintf("%.40q cannot name a deployment, accepted are %s", c.Deployment, sessions.NameForm))
	}
	for i, p := range c.TrustedProxies {
		if !addressOrRange(p) {
			report(fmt.Sprintf("trusted_proxies[%d]", i), fmt.Sprintf("%.60q is no address, accepted is an IP address or a range such as 10.0.0.0/8", p))
		}
	}
	c.Shutdown.Validate(under("shutdown", report))
	c.Limits.Validate(under("limits", report))
	c.AccessLog.Validate(under("access_log", report))
	c.Auth.Validate(under("auth", report))
	c.SessionAPI.Validate(under("session_api", report))
	c.validateKeyFunctions(report)
	c.Store.Validate(under("store", report))
	if c.Cache.Sessions < 1 {
		report("cache.sessions", fmt.Sprintf("%d holds nothing, accepted is 1 or more", c.Cache.Sessions))
	}
	c.validateFunctions(report)
}

func (c Config) validateAddresses(report report) {
	listen, listenOK := splitAddress(c.Listen)
	admin, adminOK := splitAddress(c.Admin)
	const accepted = "accepted is host:port such as 127.0.0.1:8080, or :8080 for every address; port 0 takes a free one"
	if !listenOK {
		report("listen", fmt.Sprintf("%.60q is no address to listen on, %s", c.Listen, accepted))
	}
	if !adminOK {
		report("admin", fmt.Sprintf("%.60q is no address to listen on, %s", c.Admin, accepted))
		return
	}
	if listenOK && listen.collides(admin) {
		report("admin", fmt.Sprintf("%s has the port of listen, %s, accepted is a port of its own", c.Admin, c.Listen))
	}
	if !admin.loopback() && len(c.Auth.Keys) == 0 {
		report("admin", fmt.Sprintf("%s can be reached from other machines and auth.keys is empty, accepted is a loopback address such as %s, or keys", c.Admin, api.DefaultAdmin))
	}
}

// address is where a listener is to be.
type address struct {
	host string
	port uint64
}

func splitAddress(s string) (address, bool) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return address{}, false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return address{strings.ToLower(host), n}, err == nil && !strings.ContainsAny(host, " \t\r\n/@\"'")
}

// loopback says whether only this machine can reach the address. A name other than localhost may resolve to any
// address, and no host means all of them.
func (a address) loopback() bool {
	ip, err := netip.ParseAddr(a.host)
	return a.isLocalhost() || err == nil && ip.Unmap().IsLoopback()
}

func (a address) isLocalhost() bool { return a.host == "localhost" }

// everywhere says whether a listener here takes its port on all addresses.
func (a address) everywhere() bool {
	ip, err := netip.ParseAddr(a.host)
	return a.host == "" || err == nil && ip.Unmap().IsUnspecified()
}

// collides says whether the operating system would refuse the second of two listeners. Port 0 is never the same twice.
func (a address) collides(b address) bool {
	sameHost := a.host == b.host || a.everywhere() || b.everywhere() || a.isLocalhost() && b.loopback() || a.loopback() && b.isLocalhost()
	return a.port != 0 && a.port == b.port && sameHost
}

func addressOrRange(s string) bool {
	if prefix, err := netip.ParsePrefix(s); err == nil {
		return prefix.IsValid()
	}
	ip, err := netip.ParseAddr(s)
	return err == nil && ip.Zone() == ""
}

// validateKeyFunctions looks for functions that do not exist: most likely a slip, that would lock a caller out.
func (c Config) validateKeyFunctions(report report) {
	for i, k := range c.Auth.Keys {
		for j, name := range k.Functions {
			if name != api.AnyFunction && !slices.ContainsFunc(c.Functions, func(f proxy.FunctionConfig) bool { return f.Name == name }) {
				report(fmt.Sprintf("auth.keys[%d].functions[%d]", i, j), fmt.Sprintf(`there is no function %.40q, accepted are names of functions, or "*"`, name))
			}
		}
	}
}

// Validate calls report for a store that cannot be used, and for settings of the store that is not chosen: they
// mean that the other one was.
func (c StoreConfig) Validate(report func(key, problem string)) {
	switch c.Kind {
	case StoreEmbedded:
		c.Config.Validate(report)
		if !reflect.DeepEqual(c.Redis, redisstore.DefaultConfig()) {
			report("redis", "is not used with kind embedded, accepted is kind: redis, or to leave it out")
		}
	case StoreRedis:
		c.Redis.Validate(under("redis", report))
		if c.Path != "" {
			report("path", "is not used with kind redis, accepted is kind: embedded, or to leave it out")
		}
	default:
		report("kind", fmt.Sprintf("%.40q is no kind of store, accepted are embedded and redis", string(c.Kind)))
	}
}

func (c Config) validateFunctions(report report) {
	if len(c.Functions) == 0 {
		report("functions", "is missing or empty, accepted is a list of at least one function")
	}
	names, routes := map[[2]string]int{}, map[[2]string]int{}
	for i, f := range c.Functions {
		at := under(fmt.Sprintf("functions[%d]", i), report)
		f.Validate(at)
		if f.Affinity.Type == sessions.AffinityCookie && f.Affinity.Cookie.KeysFile != "" {
			if _, err := affinity.LoadKeys(f.Affinity.Cookie.KeysFile); err != nil {
				at("affinity.cookie.keys_file", fmt.Sprintf("%v; accepted is a file with one key of at least %d bytes in each line", err, affinity.MinKeyLength))
			}
		}
		name := [2]string{f.Name, f.Qualifier}
		if j, twice := names[name]; twice && f.Name != "" {
			at("name", fmt.Sprintf("%q with qualifier %q is functions[%d] too, accepted is each name and qualifier once", f.Name, f.Qualifier, j))
			continue // of course it matches the same
		}
		names[name] = i
		route := [2]string{strings.ToLower(f.Match.Host), strings.TrimSuffix(f.Match.Path, "/")}
		if j, twice := routes[route]; twice {
			at("match", fmt.Sprintf("%q takes the same host and path as %q (functions[%d]), accepted is a host or a path of its own", f.Name, c.Functions[j].Name, j))
			continue
		}
		routes[route] = i
	}
	c.validateAliases(report)
}
