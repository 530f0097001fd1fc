package load

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/limpet-proxy/limpet/load/mcp"
	"github.com/limpet-proxy/limpet/load/wire"
)

const (
	// DefaultSessions are alive at once.
	DefaultSessions = 100
	// DefaultDuration bounds a run that neither a duration nor a number of requests bounds.
	DefaultDuration = 10 * time.Second
	// DefaultConnections are in use at once in the closed model, where each is one client.
	DefaultConnections = 16
	// DefaultOpenConnections are in use at once, at most, in the open model, where arrivals need one each.
	DefaultOpenConnections = 1000
	// DefaultTimeout bounds one attempt at a request.
	DefaultTimeout = 30 * time.Second
	// DefaultRetryWait is between two attempts, where the response has no Retry-After.
	DefaultRetryWait = 100 * time.Millisecond
	// MaxRetryWait bounds how long a Retry-After is obeyed.
	MaxRetryWait = 10 * time.Second
	// MaxSessions, MaxConnections and MaxRate are what one process can be asked for.
	MaxSessions    = 1_000_000
	MaxConnections = 60_000
	MaxRate        = 1_000_000
	// MaxBody bounds the body of a request, in bytes.
	MaxBody = 64 << 20
)

// ErrPlan means that a Plan cannot be carried out.
var ErrPlan = errors.New("the load cannot be made so")

// Plan says what load to make and how to judge the responses. It is not changed after New.
type Plan struct {
	// Protocol of the sessions. With MCP the plan has no Method, Body or Carrier: those are the protocol's.
	Protocol Protocol
	// Tool is what every request of MCP calls, and Arguments, a JSON object, how; "": DefaultTool, without any.
	Tool, Arguments string

	// Targets get the requests in turn, whatever session they belong to. At least one.
	Targets []*wire.Target
	// Method of every request; "": GET.
	Method string
	// Header is sent with every request. Host in it takes the place of the target's.
	Header http.Header
	// Body of every request; nil: none.
	Body []byte

	// Sessions are alive at once; 0: DefaultSessions.
	Sessions int
	// Carrier is how requests name their session; the zero value is not valid.
	Carrier Carrier
	// Think is the time that a session rests after a request: in the closed model after its answer, in the open one
	// after its arrival, for there nothing may depend on answers.
	Think Span
	// SessionRequests ends a session after so many requests, and another takes its place; 0: never.
	SessionRequests int
	// SessionLife ends a session at this age, and another takes its place; 0: never.
	SessionLife Span

	// Rate makes the model open: so many requests a second arrive, whatever the answers do. 0: closed, as fast as
	// Connections clients go, each of which waits for its answer.
	Rate float64
	// Connections are in use at once, at most; 0: DefaultConnections, or DefaultOpenConnections.
	Connections int
	// Requests ends the run when so many were begun; 0: no bound.
	Requests int
	// Duration ends the run; 0: no bound, or DefaultDuration where Requests is 0 too.
	Duration time.Duration
	// Ramp is how long the run takes to grow from nothing to its full rate, clients and sessions.
	Ramp time.Duration

	// Timeout bounds one attempt; 0: DefaultTimeout.
	Timeout time.Duration
	// Retries are further attempts at a request that got no response, or 429, 502, 503 or 504.
	Retries int

	// From is where a response names its instance; Count is where it has the session's counter. Both zero: the run
	// is a load without a proof.
	From, Count Source
	// Event and Epoch are the headers of a proxy's announcements; "": DefaultEvent, DefaultEpoch.
	Event, Epoch string
}

// open says which model it is.
func (p *Plan) open() bool { return p.Rate > 0 }

// model is the word for it.
func (p *Plan) model() string {
	if p.open() {
		return "open"
	}
	return "closed"
}

// withDefaults fills in what zero means.
func (p Plan) withDefaults() Plan {
	p.speakMCP()
	p.Method = cmp.Or(p.Method, http.MethodGet)
	p.Sessions = cmp.Or(p.Sessions, DefaultSessions)
	p.Timeout = cmp.Or(p.Timeout, DefaultTimeout)
	p.Header = canonical(p.Header)
	p.Event = http.CanonicalHeaderKey(cmp.Or(p.Event, DefaultEvent))
	p.Epoch = http.CanonicalHeaderKey(cmp.Or(p.Epoch, DefaultEpoch))
	if p.Carrier.kind == byCookie && len(p.Targets) > 0 {
		p.Carrier.site = cmp.Or(p.Header.Get("Host"), p.Targets[0].URL.Host)
	}
	if p.Connections == 0 {
		p.Connections = DefaultConnections
		if p.open() {
			p.Connections = DefaultOpenConnections
		}
	}
	if p.Requests == 0 && p.Duration == 0 {
		p.Duration = DefaultDuration
	}
	return p
}

// check returns ErrPlan with every reason why the plan, defaults filled in, cannot be carried out.
func (p *Plan) check() error {
	var problems []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	refuse(len(p.Targets) == 0, "no target")
	refuse(!httpguts.ValidHeaderFieldName(p.Method), "method %.40q is none", p.Method)
	refuse(p.Method == http.MethodConnect, "method CONNECT is for proxies of another kind")
	refuse(len(p.Body) > MaxBody, "the body has %d bytes, accepted are at most %d", len(p.Body), MaxBody)
	refuse(p.Sessions < 1 || p.Sessions > MaxSessions, "%d sessions, accepted are 1 to %d", p.Sessions, MaxSessions)
	refuse(p.Connections < 1 || p.Connections > MaxConnections, "%d connections, accepted are 1 to %d", p.Connections, MaxConnections)
	refuse(!(p.Rate >= 0 && p.Rate <= MaxRate), "a rate of %g a second, accepted is up to %d", p.Rate, MaxRate)
	refuse(p.Requests < 0 || p.SessionRequests < 0 || p.Retries < 0, "a number below 0")
	refuse(p.Duration < 0 || p.Ramp < 0 || p.Timeout < 0, "a time below 0")
	refuse(!p.Think.valid() || !p.SessionLife.valid(), "a span of time below 0, or one that ends before it begins")
	refuse(p.Duration > 0 && p.Ramp > p.Duration, "a ramp of %v is longer than the run of %v", p.Ramp, p.Duration)
	refuse(p.Carrier.kind != byCookie && p.Carrier.header == "", "no carrier of sessions")
	refuse(p.From.IsZero() && !p.Count.IsZero(), "a count can only be judged where the instance is known")
	if need := p.Rate * p.Think.Most.Seconds(); p.open() && need > float64(p.Sessions) {
		refuse(true, "%d sessions that rest %v between two requests make less than %g requests a second: that takes %.0f",
			p.Sessions, p.Think, p.Rate, need+1)
	}
	problems = append(problems, p.checkHeader()...)
	problems = append(problems, p.checkProtocol()...)
	if len(problems) > 0 {
		return fmt.Errorf("%w: %w", ErrPlan, errors.Join(problems...))
	}
	return nil
}

// checkHeader refuses headers that would make another request of the one that is measured.
func (p *Plan) checkHeader() (problems []error) {
	refuse := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	for name, values := range p.Header {
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			refuse("header name %.40q is none", name)
		case slices.Contains([]string{"Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Expect"}, name):
			refuse("header %s is this program's own", name)
		case name == p.Carrier.header || name == "Cookie" && p.Carrier.kind == byCookie:
			refuse("header %s carries the session", name)
		case name == "Host" && (len(values) != 1 || !isHost(values[0])):
			refuse("header Host is %.80q, accepted is one host, with or without a port", values)
		}
		if slices.ContainsFunc(values, func(v string) bool { return !httpguts.ValidHeaderFieldValue(v) }) {
			refuse("header %.40q has a value with a line end or another control character", name)
		}
	}
	return problems
}

// isHost says whether text can stand for a URL's host.
func isHost(text string) bool {
	u, err := url.Parse("http://" + text + "/")
	return err == nil && u.Host == text && u.Hostname() != "" && !strings.Contains(text, "%")
}

// canonical returns the header with the names as they are compared, and looked up, everywhere else.
func canonical(header http.Header) http.Header {
	all := http.Header{}
	for _, name := range slices.Sorted(maps.Keys(header)) {
		key := http.CanonicalHeaderKey(name)
		all[key] = append(all[key], header[name]...)
	}
	return all
}

// describe is the plan as the report repeats it.
func (p *Plan) describe() Description {
	d := Description{
		Protocol: p.Protocol.String(), Tool: p.Tool,
		Method: p.Method, Model: p.model(), Rate: p.Rate, Connections: p.Connections, Sessions: p.Sessions,
		Carrier: p.Carrier.String(), Requests: p.Requests, Duration: p.Duration.Seconds(), Ramp: p.Ramp.Seconds(),
		From: p.From.String(), Count: p.Count.String(), BodyBytes: len(p.Body), Retries: p.Retries,
	}
	if !p.Think.IsZero() {
		d.Think = p.Think.String()
	}
	for _, t := range p.Targets {
		d.Targets = append(d.Targets, t.URL.String())
	}
	return d
}

// head is a request's head for one target, as far as it is the same for every session: what comes before the session's
// own header, and after it.
type head struct{ before, after []byte }

func (p *Plan) head(method string, t *wire.Target) head {
	var h head
	h.before = append(h.before, method+" "+t.URL.RequestURI()+" HTTP/1.1\r\n"...)
	h.before = appendHeader(h.before, "Host", cmp.Or(p.Header.Get("Host"), t.URL.Host))
	if _, own := p.Header["User-Agent"]; !own {
		h.before = appendHeader(h.before, "User-Agent", "limpet-load")
	}
	for _, name := range slices.Sorted(maps.Keys(p.Header)) {
		if name == "Host" {
			continue
		}
		for _, value := range p.Header[name] {
			h.before = appendHeader(h.before, name, value)
		}
	}
	if p.Protocol == MCP {
		h.before = appendHeader(h.before, "Accept", mcp.Accept)
		h.before = appendHeader(h.before, "Content-Type", "application/json")
		return h // the rest is each message's own
	}
	if p.Body != nil || slices.Contains([]string{http.MethodPost, http.MethodPut, http.MethodPatch}, method) {
		h.after = appendHeader(h.after, "Content-Length", fmt.Sprint(len(p.Body)))
	}
	h.after = append(h.after, "\r\n"...)
	return h
}
