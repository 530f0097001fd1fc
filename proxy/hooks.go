package proxy

import (
	"net"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/sessions"
)

// The headers by which Limpet speaks of a session.
const (
	headerSessionID    = "Limpet-Session-Id"
	headerSessionEpoch = "Limpet-Session-Epoch"
	headerSessionEvent = "Limpet-Session-Event"
)

// rewrite makes the request to the instance. Only scheme and host of the URL change, except for an invocation's: the
// path, and the client's Host, are the instance's business.
func (x *exchange) rewrite(p *httputil.ProxyRequest) {
	out, target := p.Out, x.inst.URL()
	out.URL.Scheme, out.URL.Host = target.Scheme, target.Host
	if x.isInvocation() {
		x.invocationURL(out.URL, p.In.URL.RawQuery)
	} else {
		// ReverseProxy has dropped the parameters that net/url cannot parse, such as those with a semicolon (Go issue
		// 50940: a proxy that acts on parameters could be misled). Limpet acts on none, so the instance gets what came.
		out.URL.RawQuery = p.In.URL.RawQuery
		samePath(out.URL, p.In.RequestURI)
	}
	x.stripRequest(p.In.Trailer)
	out.Trailer = p.In.Trailer // the very map: the server fills it when the body has ended, and watchedBody strips it
	x.stripRequest(out.Header)
	x.client.forward(p.In, out.Header)
	tellCertificate(p.In, out.Header)
	out.Header.Set(requestIDHeader, x.requestID)
	x.tellInvocation(out.Header)
	if x.followed() {
		out.Header.Set("Accept-Encoding", "identity")
	}
	if s := x.session(); s != nil {
		x.rule.Forward(out.Header, s.ID)
		out.Header.Set(headerSessionID, s.ID)
		out.Header.Set(headerSessionEpoch, strconv.FormatUint(s.Epoch, 10))
		if x.event.Kind != sessions.NoEvent {
			out.Header.Set(headerSessionEvent, eventHeader(x.event))
		}
	}
	if up := out.Header.Get("Upgrade"); up != "" && !(x.upgradable(up) && p.In.ProtoAtLeast(1, 1)) {
		// RFC 9110 7.8: a server may ignore Upgrade, and must in HTTP/1.0. Passing an unknown one on would let a client
		// talk past Limpet, by h2c for one, on a connection whose requests nobody routes.
		out.Header.Del("Upgrade")
		out.Header.Del("Connection")
	}
}

// samePath makes the request's path the very bytes that came: net/url would write some of them percent-encoded. Where a
// path begins with two slashes net/http would take it for a host.
func samePath(u *url.URL, requestURI string) {
	path, _, _ := strings.Cut(requestURI, "?")
	if strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") && path != u.EscapedPath() {
		u.Opaque = path
	}
}

// upgradable says whether the protocol is one that a client may upgrade to. HTTP/2, by which some instances are spoken to, has
// no Upgrade.
func (x *exchange) upgradable(protocol string) bool {
	return !x.inst.Protocol().IsHTTP2() && slices.ContainsFunc(x.fn.Config.Upgrades, func(u string) bool { return strings.EqualFold(u, protocol) })
}

// RoundTrip sends the request to the exchange's instance.
func (x *exchange) RoundTrip(r *http.Request) (*http.Response, error) {
	var conn net.Conn // the latest: http.Transport may try again
	trace := &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { x.connected.Store(true); conn = info.Conn },
		// ModifyResponse never sees a 1xx. This hook runs before ReverseProxy's own, on the same map.
		Got1xxResponse: func(_ int, h textproto.MIMEHeader) error {
			x.stripResponse(http.Header(h))
			delete(h, "Set-Cookie")
			return nil
		},
	}
	tr, err := x.transport()
	if err != nil {
		return nil, err
	}
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), trace))
	x.idle.request(r)
	if r.Body != nil && x.inst.Protocol().IsHTTP2() {
		r.Body = sentBody{r.Body, x}
	}
	res, err := tr.RoundTrip(r)
	if err == nil && res.StatusCode == http.StatusSwitchingProtocols {
		x.switched = &switched{res: res, conn: conn, asked: r.Header.Get("Upgrade")}
		return nil, errSwitched
	}
	return res, err
}

// transport is that of the program which the request is for. One without a session is for any, and takes the one that lives
// at the place now: sessions have connections to it.
func (x *exchange) transport() (http.RoundTripper, error) {
	var incarnation uint64
	switch s := x.use.Session(); {
	case s != nil:
		incarnation = s.Home.Incarnation
	case x.fn.Table != nil:
		incarnation = x.inst.Home().Incarnation
	}
	return x.fn.Transports.For(x.inst, incarnation)
}

// modifyResponse makes the response to the client.
func (x *exchange) modifyResponse(res *http.Response) error {
	x.answered, x.status = time.Now(), res.StatusCode
	h := res.Header
	if err := x.learn(res); err != nil {
		return err
	}
	stripForeign(h, "")
	x.tellClient(h)
	x.nameRequest(h)
	if res.StatusCode == http.StatusSwitchingProtocols {
		return nil // it has no body, and Connection says something else
	}
	if x.h.leaving.Load() {
		h.Set("Connection", "close") // a client that asks again goes to another replica
	}
	x.idle.response(res)
	if res.ContentLength < 0 || res.ProtoMajor >= 2 { // only chunks, and HTTP/2, have trailers
		x.stripResponse(res.Trailer)
		res.Body = &strippedTrailer{res.Body, res, x}
	}
	return nil
}

// tellClient tells the client of its session. That the instance answered is the news it was told of delivered.
func (x *exchange) tellClient(h http.Header) {
	s := x.session()
	if s == nil {
		x.rule.Respond(h, affinity.Grant{})
		return
	}
	x.rule.Respond(h, x.grant(s))
	h.Set(headerSessionEpoch, strconv.FormatUint(s.Epoch, 10))
	if x.event.Kind != sessions.NoEvent {
		h.Set(headerSessionEvent, eventHeader(x.event))
	}
	x.use.Delivered()
}

// nameRequest tells the client the request's ID, also where its dialect looks for it.
func (x *exchange) nameRequest(h http.Header) {
	h.Set(requestIDHeader, x.requestID)
	if name := x.dialect.RequestIDHeader(); name != "" {
		h.Set(name, x.requestID)
	}
}

// stripRequest takes out of a request's headers or trailers what only Limpet may say.
func (x *exchange) stripRequest(h http.Header) {
	stripForeign(h, x.fn.Rule.Header())
	if x.isInvocation() {
		x.stripInvocation(h)
	}
}

// stripResponse takes out of a response's trailers, or of a 1xx, what only Limpet may say.
func (x *exchange) stripResponse(h http.Header) {
	name := x.rule.Header()
	stripForeign(h, name)
	if own := x.fn.Rule.Header(); own != name {
		stripForeign(h, own)
	}
}

// grant is what the response tells the client of its session.
func (x *exchange) grant(s *sessions.Session) affinity.Grant {
	return affinity.Grant{
		ID:     s.ID,
		Issue:  x.claim.Fresh || x.event.Kind == sessions.EventCreated,
		TTL:    s.TTL,
		Secure: x.client.scheme == "https",
	}
}

// eventHeader is the value of Limpet-Session-Event.
func eventHeader(e sessions.Event) string {
	if e.Kind == sessions.EventCreated {
		return "created"
	}
	var b strings.Builder
	b.WriteString(`rehomed; reason="`)
	b.WriteString(e.Reason)
	b.WriteString(`"; from="`)
	b.WriteString(e.From)
	b.WriteString(`"`)
	return b.String()
}
