package proxy

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// How HTTP/2 connections are kept. net/http has limits of its own against peers that abuse the protocol: of streams that
// are reset as soon as they are opened (CVE-2023-39325), of CONTINUATION frames (CVE-2023-45288), of control frames that
// wait to be written (CVE-2019-9512 and -9515), of empty and of long headers.
const (
	// clientPing is after how long without a frame a client is asked whether it is still there, and clientPong how long it
	// may take to answer. Streams may be silent for long, and a client that has gone without a word would keep them.
	clientPing = time.Minute
	clientPong = 30 * time.Second
	// streamBuffer is what a client may send on one stream ahead of the instance, and connectionBuffer on all of them: so
	// many instances that do not read do not stop the other sessions of the connection.
	streamBuffer     = 128 << 10
	connectionBuffer = 3 << 20

	// instancePing is after how long without a frame an instance is asked. gRPC's servers close a connection on which
	// pings come faster than one in 5 minutes: https://github.com/grpc/grpc/blob/master/doc/keepalive.md.
	instancePing = 6 * time.Minute
	instancePong = 15 * time.Second
	// responseBuffer is what an instance may send on one stream ahead of the client.
	responseBuffer = 256 << 10
)

// Protocols are what a Server speaks beside HTTP/1.1 without TLS.
type Protocols struct {
	TLS *tls.Config // not nil: only over TLS, HTTP/2 by ALPN
	H2C bool        // HTTP/2 without TLS too, with prior knowledge
}

// Speak sets the protocols. To be called before Serve.
func (s *Server) Speak(p Protocols) {
	s.http.Protocols = &http.Protocols{}
	s.http.Protocols.SetHTTP1(true)
	s.http.Protocols.SetHTTP2(p.TLS != nil)
	s.http.Protocols.SetUnencryptedHTTP2(p.H2C && p.TLS == nil)
	s.http.TLSConfig = p.TLS
}

// clientHTTP2 is how clients' connections are kept.
func clientHTTP2(limits LimitsConfig) *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams:          limits.Streams,
		MaxReceiveBufferPerConnection: connectionBuffer,
		MaxReceiveBufferPerStream:     streamBuffer,
		SendPingTimeout:               clientPing,
		PingTimeout:                   clientPong,
		WriteByteTimeout:              clientPing + clientPong,
	}
}

// instanceHTTP2 is how connections to instances are kept. Where one has as many streams as the instance takes, another is
// opened.
func instanceHTTP2() *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxReceiveBufferPerStream: responseBuffer,
		SendPingTimeout:           instancePing,
		PingTimeout:               instancePong,
		WriteByteTimeout:          instancePing + instancePong,
	}
}

// awaitPreface bounds how long a new connection may take to say whether it speaks HTTP/2: net/http looks for that before
// its own bound for heads begins.
func (s *Server) awaitPreface(c net.Conn) {
	if p := s.http.Protocols; p != nil && p.UnencryptedHTTP2() && s.http.ReadHeaderTimeout > 0 {
		c.SetReadDeadline(time.Now().Add(s.http.ReadHeaderTimeout)) //nolint:errcheck // fails only on a closed connection
	}
}

// bare is the connection that the listener accepted, whatever runs over it.
func bare(c net.Conn) net.Conn {
	if t, ok := c.(*tls.Conn); ok {
		return t.NetConn()
	}
	return c
}

// prefaceMethod is that of HTTP/2's connection preface, which net/http takes for a request where it speaks no HTTP/2.
const prefaceMethod = "PRI"

// isHTTP2 says whether the client's connection carries other exchanges at the same time.
func (x *exchange) isHTTP2() bool { return x.r.ProtoMajor >= 2 }
