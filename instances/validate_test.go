package instances_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
)

func problems(c instances.Config) map[string]string {
	found := map[string]string{}
	c.Validate(func(key, problem string) { found[key] = problem })
	return found
}

func TestValidate(t *testing.T) {
	static := func(s ...instances.StaticInstance) func(*instances.Config) {
		return func(c *instances.Config) { c.Static = s }
	}
	url := func(u string) func(*instances.Config) { return static(instances.StaticInstance{ID: "a", URL: u}) }
	id := func(id string) func(*instances.Config) {
		return static(instances.StaticInstance{ID: id, URL: "http://a:1"})
	}
	health := func(change func(*instances.HealthConfig)) func(*instances.Config) {
		return func(c *instances.Config) { change(c.Health) }
	}
	dns := func(change func(*instances.DNSConfig)) func(*instances.Config) {
		return func(c *instances.Config) {
			d := instances.DefaultDNSConfig()
			d.Name, d.Port = "counter.svc", 8080
			c.Static, c.DNS = nil, &d
			change(c.DNS)
		}
	}
	named := func(name string, port int) func(*instances.Config) {
		return dns(func(d *instances.DNSConfig) { d.Name, d.Port = name, port })
	}
	server := func(s string) func(*instances.Config) { return dns(func(d *instances.DNSConfig) { d.Server = s }) }
	kubernetes := func(change func(*instances.KubernetesConfig)) func(*instances.Config) {
		return func(c *instances.Config) {
			k := instances.DefaultKubernetesConfig()
			k.Service, k.Port = "counter", 8080
			c.Static, c.Kubernetes = nil, &k
			change(c.Kubernetes)
		}
	}
	port := func(port int, name string) func(*instances.Config) {
		return kubernetes(func(k *instances.KubernetesConfig) { k.Port, k.PortName = port, name })
	}
	service := func(name string) func(*instances.Config) {
		return kubernetes(func(k *instances.KubernetesConfig) { k.Service = name })
	}
	process := func(change func(*instances.ProcessConfig)) func(*instances.Config) {
		return func(c *instances.Config) {
			p := instances.DefaultProcessConfig()
			p.Command = []string{"./counter", "${PORT}"}
			c.Static, c.Process = nil, &p
			change(c.Process)
		}
	}
	tests := map[string]struct {
		change func(*instances.Config)
		key    string // "": accepted
		says   string
	}{
		"as it is":          {func(*instances.Config) {}, "", ""},
		"no health":         {func(c *instances.Config) { c.Health = nil }, "", ""},
		"https":             {url("https://a.example"), "", ""},
		"slash":             {url("http://a:1/"), "", ""},
		"IPv6":              {url("http://[::1]:9001"), "", ""},
		"a long ID":         {id(strings.Repeat("a", 128)), "", ""},
		"dots and dashes":   {id("_a.b-c"), "", ""},
		"timeout above":     {health(func(h *instances.HealthConfig) { h.Timeout = 2 * h.Interval }), "", ""},
		"drain":             {func(c *instances.Config) { c.DrainDeadline = time.Second }, "", ""},
		"health with query": {health(func(h *instances.HealthConfig) { h.Path = "/h?x=1" }), "", ""},

		"dns alone":           {dns(func(*instances.DNSConfig) {}), "", ""},
		"SRV":                 {named("_http._tcp.counter.svc", 0), "", ""},
		"absolute":            {named("counter.svc.cluster.local.", 1), "", ""},
		"underscores":         {named("my_counter", 65535), "", ""},
		"server":              {server("[::1]:53"), "", ""},
		"no name":             {named("", 80), "dns.name", "missing"},
		"an address":          {named("10.0.0.1", 80), "dns.name", "static"},
		"a URL":               {named("http://counter", 80), "dns.name", "no name"},
		"an empty label":      {named("a..b", 80), "dns.name", "no name"},
		"a dot":               {named(".", 80), "dns.name", "no name"},
		"a long label":        {named(strings.Repeat("a", 64), 80), "dns.name", "no name"},
		"a long name":         {named(strings.Repeat("abcd.", 51), 80), "dns.name", "no name"},
		"no port":             {named("a", 0), "dns.port", "1 to 65535"},
		"SRV with port":       {named("_http._tcp.counter.svc", 80), "dns.port", "leave it out"},
		"one underscore":      {named("_http.counter.svc", 0), "dns.port", "1 to 65535"},
		"refresh 0":           {dns(func(d *instances.DNSConfig) { d.Refresh = 0 }), "dns.refresh", "100ms to 1h"},
		"refresh 2h":          {dns(func(d *instances.DNSConfig) { d.Refresh = 2 * time.Hour }), "dns.refresh", "100ms to 1h"},
		"family":              {dns(func(d *instances.DNSConfig) { d.Family = "ipv5" }), "dns.family", "any, ipv4 or ipv6"},
		"server without port": {server("127.0.0.1"), "dns.server", "no name server"},
		"server by name":      {server("localhost:53"), "dns.server", "no name server"},
		"server port 0":       {server("127.0.0.1:0"), "dns.server", "no name server"},

		"kubernetes alone":   {kubernetes(func(*instances.KubernetesConfig) {}), "", ""},
		"port by name":       {port(0, "http"), "", ""},
		"a file, a context":  {kubernetes(func(k *instances.KubernetesConfig) { k.Kubeconfig, k.Context = "f", "c" }), "", ""},
		"long service":       {service(strings.Repeat("a", 63)), "", ""},
		"no service":         {service(""), "kubernetes.service", "missing"},
		"service with dot":   {service("counter.default"), "kubernetes.service", "no name in Kubernetes"},
		"service with upper": {service("Counter"), "kubernetes.service", "no name in Kubernetes"},
		"service with dash":  {service("counter-"), "kubernetes.service", "no name in Kubernetes"},
		"dash before":        {service("-counter"), "kubernetes.service", "no name in Kubernetes"},
		"too long service":   {service(strings.Repeat("a", 64)), "kubernetes.service", "no name in Kubernetes"},
		"selector":           {service("a,b=c"), "kubernetes.service", "no name in Kubernetes"},
		"namespace":          {kubernetes(func(k *instances.KubernetesConfig) { k.Namespace = "../kube-system" }), "kubernetes.namespace", "no name in Kubernetes"},
		"no target port":     {port(0, ""), "kubernetes.port", "1 to 65535"},
		"big target port":    {port(65536, ""), "kubernetes.port", "1 to 65535"},
		"two ports":          {port(80, "http"), "kubernetes.port_name", "one of them"},
		"bad port name":      {port(0, "a b"), "kubernetes.port_name", "no name of a port"},

		"no source": {static(), "static", "at least one"},

		"processes":         {process(func(*instances.ProcessConfig) {}), "", ""},
		"one process":       {process(func(p *instances.ProcessConfig) { p.Max = 1 }), "", ""},
		"limited":           {process(func(p *instances.ProcessConfig) { p.Memory, p.CPU = 1<<20, 0.5 }), "", ""},
		"no command":        {process(func(p *instances.ProcessConfig) { p.Command = nil }), "process.command", "no program"},
		"empty program":     {process(func(p *instances.ProcessConfig) { p.Command = []string{"", "x"} }), "process.command", "no program"},
		"NUL":               {process(func(p *instances.ProcessConfig) { p.Command = []string{"x", "a\x00b"} }), "process.command[1]", "NUL"},
		"min 0":             {process(func(p *instances.ProcessConfig) { p.Min = 0 }), "process.min", "1 to max, 8"},
		"min above max":     {process(func(p *instances.ProcessConfig) { p.Min = 9 }), "process.min", "1 to max, 8"},
		"max 0":             {process(func(p *instances.ProcessConfig) { p.Max = 0 }), "process.max", "1 to 4096"},
		"max 4097":          {process(func(p *instances.ProcessConfig) { p.Max = 4097 }), "process.max", "1 to 4096"},
		"no idle_timeout":   {process(func(p *instances.ProcessConfig) { p.IdleTimeout = 0 }), "process.idle_timeout", "1ms to 24h"},
		"start_timeout 25h": {process(func(p *instances.ProcessConfig) { p.StartTimeout = 25 * time.Hour }), "process.start_timeout", "1ms to 24h"},
		"no stop_grace":     {process(func(p *instances.ProcessConfig) { p.StopGrace = 0 }), "process.stop_grace", "1ms to 24h"},
		"memory 1KiB":       {process(func(p *instances.ProcessConfig) { p.Memory = 1 << 10 }), "process.memory", "1MiB or more"},
		"cpu 0.001":         {process(func(p *instances.ProcessConfig) { p.CPU = 0.001 }), "process.cpu", "0.01 to 1024"},
		"cpu -1":            {process(func(p *instances.ProcessConfig) { p.CPU = -1 }), "process.cpu", "0.01 to 1024"},

		"no drain":      {func(c *instances.Config) { c.DrainDeadline = 0 }, "drain_deadline", "accepted is 1ms to 168h0m0s"},
		"long drain":    {func(c *instances.Config) { c.DrainDeadline = 169 * time.Hour }, "drain_deadline", "accepted is 1ms to 168h0m0s"},
		"empty ID":      {id(""), "static[0].id", "accepted is"},
		"long ID":       {id(strings.Repeat("a", 129)), "static[0].id", "accepted is"},
		"dot first":     {id(".a"), "static[0].id", "accepted is"},
		"dash first":    {id("-a"), "static[0].id", "accepted is"},
		"slash in ID":   {id("a/b"), "static[0].id", "accepted is"},
		"no ASCII":      {id("é"), "static[0].id", "accepted is"},
		"no URL":        {url(""), "static[0].url", "http or https"},
		"scheme":        {url("ftp://a:1"), "static[0].url", "neither http nor https"},
		"no scheme":     {url("a:1"), "static[0].url", "neither http nor https"},
		"no host":       {url("http://:80"), "static[0].url", "no host"},
		"path":          {url("http://a:1/x"), "static[0].url", "path"},
		"query":         {url("http://a:1?x"), "static[0].url", "query"},
		"empty query":   {url("http://a:1?"), "static[0].url", "query"},
		"fragment":      {url("http://a:1#f"), "static[0].url", "fragment"},
		"user":          {url("http://u:secret@a:1"), "static[0].url", "user"},
		"port 0":        {url("http://a:0"), "static[0].url", "port"},
		"port too big":  {url("http://a:65536"), "static[0].url", "port"},
		"empty port":    {url("http://a:"), "static[0].url", "port"},
		"opaque":        {url("http:a"), "static[0].url", "no host"},
		"no URL at all": {url("http://u:secret@a b/%zz"), "static[0].url", "not a URL"},
		"path not /":    {health(func(h *instances.HealthConfig) { h.Path = "healthz" }), "health.path", "starts with /"},
		"path empty":    {health(func(h *instances.HealthConfig) { h.Path = "" }), "health.path", "starts with /"},
		"path //":       {health(func(h *instances.HealthConfig) { h.Path = "//evil/x" }), "health.path", "starts with /"},
		"path newline":  {health(func(h *instances.HealthConfig) { h.Path = "/a\r\nb" }), "health.path", "starts with /"},
		"path fragment": {health(func(h *instances.HealthConfig) { h.Path = "/a#b" }), "health.path", "starts with /"},
		"ranges":        {func(c *instances.Config) { c.AllowedRanges = []string{"10.0.0.0/8", "fd00::/8"} }, "", ""},
		"no range":      {func(c *instances.Config) { c.AllowedRanges = []string{"10.0.0.1"} }, "allowed_ranges[0]", "10.0.0.0/8"},
		"method":        {health(func(h *instances.HealthConfig) { h.Method = "get" }), "health.method", "GET, HEAD"},
		"status 199":    {health(func(h *instances.HealthConfig) { h.Status.First = 199 }), "health.status", "200-599"},
		"status back":   {health(func(h *instances.HealthConfig) { h.Status = instances.Statuses{First: 300, Last: 200} }), "health.status", "200-599"},
		"interval 0":    {health(func(h *instances.HealthConfig) { h.Interval = 0 }), "health.interval", "1ms to 1h"},
		"timeout -1":    {health(func(h *instances.HealthConfig) { h.Timeout = -1 }), "health.timeout", "1ms to 1h"},
		"interval 2h":   {health(func(h *instances.HealthConfig) { h.Interval = 2 * time.Hour }), "health.interval", "1ms to 1h"},
		"failures 0":    {health(func(h *instances.HealthConfig) { h.Failures = 0 }), "health.failures", "1 to 1000"},
		"successes -1":  {health(func(h *instances.HealthConfig) { h.Successes = -1 }), "health.successes", "1 to 1000"},
		"same ID": {static(instances.StaticInstance{ID: "a", URL: "http://a:1"},
			instances.StaticInstance{ID: "a", URL: "http://b:1"}), "static[1].id", "static[0]"},
		"same address": {static(instances.StaticInstance{ID: "a", URL: "http://A"},
			instances.StaticInstance{ID: "b", URL: "http://a:80/"}), "static[1].url", "static[0]"},
		"same listener": {static(instances.StaticInstance{ID: "a", URL: "https://a"},
			instances.StaticInstance{ID: "b", URL: "http://a:443"}), "static[1].url", "static[0]"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := config("x", "y")
			test.change(&c)
			found := problems(c)
			if test.key == "" {
				require.Empty(t, found)
				return
			}
			require.Len(t, found, 1)
			require.Contains(t, found[test.key], test.says)
			require.Contains(t, found[test.key], "accepted is")
			require.NotContains(t, found[test.key], "secret")
		})
	}
}

// What Validate accepts is an address that can be dialled, with nothing in it that a request would carry along.
func FuzzURL(f *testing.F) {
	for _, seed := range []string{"http://a:1", "https://[::1]/", "http://u@a", "http://a:1/../x", "http://a%20b", "http:///"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := instances.ParseURL(raw)
		if err != nil {
			return
		}
		require.Contains(t, []string{"http", "https"}, u.Scheme)
		require.NotEmpty(t, u.Hostname())
		require.Nil(t, u.User)
		require.Empty(t, u.Path+u.RawQuery+u.Fragment)
		again, err := instances.ParseURL(u.String())
		require.NoError(t, err)
		require.Equal(t, u.String(), again.String())
	})
}
