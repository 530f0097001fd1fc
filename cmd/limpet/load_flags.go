package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/limpet-proxy/limpet/load"
	"github.com/limpet-proxy/limpet/load/wire"
	"github.com/limpet-proxy/limpet/proxy"
)

// outputText is the output of limpet load that is for people.
const outputText = "text"

// loadFlags are the flags of limpet load.
type loadFlags struct {
	sessions, connections, requests, sessionRequests, retries int
	rate                                                      float64
	duration, ramp, timeout                                   time.Duration
	session, think, sessionLife                               string
	protocol, tool, arguments                                 string
	method, body                                              string
	headers                                                   []string
	bodySize                                                  proxy.ByteSize
	from, count, event, epoch                                 string
	ca                                                        string
	insecure, quiet                                           bool
	output, report                                            string
}

func (f *loadFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.protocol, "protocol", load.HTTP.String(),
		"what a session is: `http` (requests, all alike) or mcp (calls of a tool, in MCP sessions over Streamable HTTP)")
	flags.StringVar(&f.tool, "tool", load.DefaultTool, "by mcp: `NAME` of the tool that is called")
	flags.StringVar(&f.arguments, "arguments", "", "by mcp: the call's arguments, a `JSON` object")
	flags.IntVarP(&f.sessions, "sessions", "s", load.DefaultSessions, "sessions alive at once")
	flags.StringVar(&f.session, "session", load.DefaultCarrier,
		"how a request carries its session, a `CARRIER`: header:NAME (an ID of this program's own),\ngiven:NAME (the ID that the target gives in this header) or cookie (a jar for each session)")
	flags.Float64VarP(&f.rate, "rate", "r", 0, "requests a second, whatever the answers do (0: as fast as the connections go)")
	flags.IntVarP(&f.connections, "connections", "c", 0,
		fmt.Sprintf("connections in use at once, at most (default %d; with --rate %d)", load.DefaultConnections, load.DefaultOpenConnections))
	flags.IntVarP(&f.requests, "requests", "n", 0, "end after so many requests (0: no bound)")
	flags.DurationVarP(&f.duration, "duration", "d", 0,
		fmt.Sprintf("end after this time (default %v, without --requests)", load.DefaultDuration))
	flags.DurationVar(&f.ramp, "ramp", 0, "time in which sessions, clients and rate grow from nothing")
	flags.StringVar(&f.think, "think", "0s", "`TIME` that a session rests between two requests, such as 1s or 500ms..2s")
	flags.IntVar(&f.sessionRequests, "session-requests", 0, "end each session after so many requests, and begin another (0: never)")
	flags.StringVar(&f.sessionLife, "session-life", "0s", "end each session at this age, a `TIME` or range, and begin another (0s: never)")
	flags.StringVarP(&f.method, "method", "X", http.MethodGet, "method of every request")
	flags.StringArrayVarP(&f.headers, "header", "H", nil, "`'NAME: VALUE'` sent with every request; may be repeated")
	flags.StringVar(&f.body, "body", "", "`TEXT` that is the body of every request; @FILE reads it from a file")
	flags.TextVar(&f.bodySize, "body-size", proxy.ByteSize(0), "make the body of this `SIZE` instead, such as 4KiB")
	flags.DurationVar(&f.timeout, "timeout", load.DefaultTimeout, "how long one attempt at a request may take")
	flags.IntVar(&f.retries, "retries", 0, "further attempts at a request that got no response, or 429, 502, 503 or 504, each to the next URL")
	flags.StringVar(&f.from, "from", load.DefaultFrom, "`PLACE` where a response names its instance: header:NAME, json:FIELD (or OUTER.INNER), or none to judge nothing")
	flags.StringVar(&f.count, "count", load.DefaultCount, "`PLACE` where it has the session's counter, or none")
	flags.StringVar(&f.event, "event", load.DefaultEvent, "`HEADER` by which the proxy announces that a session was made or moved")
	flags.StringVar(&f.epoch, "epoch", load.DefaultEpoch, "`HEADER` with a number that grows with each new home")
	flags.StringVar(&f.ca, "ca", "", "`FILE` with the certificates by which an https target is known (default: the system's)")
	flags.BoolVar(&f.insecure, "insecure", false, "believe an https target without a certificate")
	flags.StringVarP(&f.output, "output", "o", outputText, "output in this `FORMAT`: text or json")
	flags.StringVar(&f.report, "report", "", "write a page with plots to this `FILE`")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "show no progress")
}

// plan is what the flags ask for. The error names the flag.
func (f *loadFlags) plan(cmd *cobra.Command, urls []string) (load.Plan, error) {
	p := load.Plan{
		Method: f.method, Sessions: f.sessions, SessionRequests: f.sessionRequests, Rate: f.rate, Connections: f.connections,
		Requests: f.requests, Duration: f.duration, Ramp: f.ramp, Timeout: f.timeout, Retries: f.retries,
		Event: f.event, Epoch: f.epoch,
	}
	if !cmd.Flags().Changed("count") && f.from == "none" {
		f.count = "none"
	}
	var err error
	parse := func(flag string, parse func() error) {
		if err == nil {
			if err = parse(); err != nil {
				err = fmt.Errorf("--%s: %w", flag, err)
			}
		}
	}
	parse("protocol", func() (err error) { p.Protocol, err = load.ParseProtocol(f.protocol); return })
	f.speak(cmd, &p)
	if p.Protocol != load.MCP || cmd.Flags().Changed("session") {
		parse("session", func() (err error) { p.Carrier, err = load.ParseCarrier(f.session); return })
	}
	parse("think", func() (err error) { p.Think, err = load.ParseSpan(f.think); return })
	parse("session-life", func() (err error) { p.SessionLife, err = load.ParseSpan(f.sessionLife); return })
	parse("from", func() (err error) { p.From, err = load.ParseSource(f.from); return })
	parse("count", func() (err error) { p.Count, err = load.ParseSource(f.count); return })
	parse("header", func() (err error) { p.Header, err = parseHeaders(f.headers); return })
	parse("body", func() (err error) { p.Body, err = f.bodyBytes(); return })
	if err != nil {
		return load.Plan{}, err
	}
	p.Targets, err = f.targets(urls)
	return p, err
}

// speak gives the plan what belongs to its protocol only. What is asked for and has no place there the plan refuses.
func (f *loadFlags) speak(cmd *cobra.Command, p *load.Plan) {
	p.Arguments = f.arguments
	if p.Protocol == load.MCP || cmd.Flags().Changed("tool") {
		p.Tool = f.tool
	}
	if p.Protocol == load.MCP && !cmd.Flags().Changed("method") {
		p.Method = ""
	}
}

func parseHeaders(lines []string) (http.Header, error) {
	header := http.Header{}
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("%.80q, accepted is 'NAME: VALUE'", line)
		}
		header.Add(name, strings.TrimSpace(value))
	}
	return header, nil
}

// bodyBytes is the body of every request; nil for none.
func (f *loadFlags) bodyBytes() ([]byte, error) {
	switch {
	case f.bodySize > 0 && f.body != "":
		return nil, fmt.Errorf("given together with --body-size, accepted is one of them")
	case f.bodySize > load.MaxBody:
		return nil, fmt.Errorf("of %v, accepted are at most %v", f.bodySize, proxy.ByteSize(load.MaxBody))
	case f.bodySize > 0:
		return bytes.Repeat([]byte("x"), int(f.bodySize)), nil
	case strings.HasPrefix(f.body, "@"):
		return os.ReadFile(f.body[1:])
	case f.body != "":
		return []byte(f.body), nil
	}
	return nil, nil
}

func (f *loadFlags) targets(urls []string) (targets []*wire.Target, err error) {
	cfg, err := f.tls()
	if err != nil {
		return nil, err
	}
	for _, url := range urls {
		t, err := wire.NewTarget(url)
		if err != nil {
			return nil, fmt.Errorf("%.200q: %w", url, err)
		}
		t.TLS = cfg
		targets = append(targets, t)
	}
	return targets, nil
}

// tls is how https targets are known; nil: by the system's certificates.
func (f *loadFlags) tls() (*tls.Config, error) {
	if f.ca == "" && !f.insecure {
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: f.insecure} //nolint:gosec // asked for by name
	if f.ca == "" {
		return cfg, nil
	}
	text, err := os.ReadFile(f.ca)
	if err != nil {
		return nil, fmt.Errorf("--ca: %w", err)
	}
	cfg.RootCAs = x509.NewCertPool()
	if !cfg.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("--ca: %s holds no certificate in PEM", f.ca)
	}
	return cfg, nil
}
