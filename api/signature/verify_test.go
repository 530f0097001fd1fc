package signature_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/api/signature"
)

func TestSignedByTheDocuments(t *testing.T) {
	date := with(sigV4(), "x-amz-date", "absent", "date", "Sun, 22 Nov 2026 21:16:08 GMT")
	signedLength := with(sigV4(), "content-length", "18")
	for name, wire := range map[string]string{
		"ACS3":           acs3().wire(),
		"SigV4":          sigV4().wire(),
		"Date":           date.wire(),
		"length":         signedLength.wire(),
		"not signed":     sigV4().wire("X-Amzn-Trace-Id: Root=1", "Cookie: a=b", "X-Fc-Log-Type: Tail", "Cookie: c=d"),
		"absolute":       strings.Replace(sigV4().wire(), " /", " http://limpet.example:9090/", 1),
		"no hash header": func() string { d := sigV4(); d.payload = "-"; return d.wire() }(),
		"chunked": strings.Replace(strings.Replace(sigV4().wire(), "Content-Length: 18", "Transfer-Encoding: chunked", 1),
			sigV4().body, "9\r\n{\"prompt\"\r\n9\r\n:\"hello\"}\r\n0\r\n\r\n", 1),
		"signed encoding": strings.Replace(strings.Replace(with(sigV4(), "transfer-encoding", "chunked").wire(), "Content-Length: 18\r\n", "", 1),
			sigV4().body, "12\r\n{\"prompt\":\"hello\"}\r\n0\r\n\r\n", 1),
		"no body":    draft{scheme: signature.SigV4, method: "GET", path: "/a//b/../c/./*!'()"}.wire(),
		"no path":    draft{scheme: signature.ACS3, method: "GET", path: "/"}.wire(),
		"bare query": draft{scheme: signature.SigV4, method: "GET", path: "/", query: "a&b=&c=+"}.wire(),
	} {
		_, err := check(request(t, wire))
		require.NoError(t, err, name)
	}
}

func TestACS3PathIsSpelledInOneWay(t *testing.T) {
	d := draft{scheme: signature.ACS3, method: "GET", path: "/f/%2A~"}
	for _, path := range []string{"/f/%2A~", "/f/*~", "/f/*%7E"} {
		_, err := check(request(t, strings.Replace(d.wire(), d.path, path, 1)))
		require.NoError(t, err, path)
	}
}

// Two requests that mean different things but would be signed alike: the second of each pair is what an attacker on the
// way could have made of the first, or the first of the second.
func TestWhatHasNoCanonicalFormIsRefused(t *testing.T) {
	for _, c := range []struct {
		scheme       signature.Scheme
		signed, sent string
	}{
		{signature.ACS3, "/f/a%20b", "/f/a+b"},
		{signature.ACS3, "/f?x=1&y=", "/f?x%3D1%26y="},
		{signature.ACS3, "/f?x=1", "/f?x=1&x=1"},
		{signature.ACS3, "/f?x=1", "/f?x=1&"},
		{signature.ACS3, "/f?x=1", "/f?x=1;y=2"},
		{signature.SigV4, "/f?x=1", "/f?x=1&"},
		{signature.SigV4, "/f?x=1", "/f?&x=1"},
		{signature.SigV4, "/f?x=1", "/f?x=1&=2"},
		{signature.SigV4, "/f?x=1", "/f?x=%zz"},
		{signature.SigV4, "/f?x=1", "/f?x=1&%zz=1"},
		{signature.SigV4, "/f?x=1", "/f?x=1;y=2"},
		{signature.SigV4, "/f?x=1", "/f?" + strings.Repeat("x=1&", 256) + "x=1"},
	} {
		path, query, _ := strings.Cut(c.signed, "?")
		d := draft{scheme: c.scheme, method: "GET", path: path, query: query}
		_, err := check(request(t, d.wire()))
		require.NoError(t, err, c.signed)
		_, err = check(request(t, strings.Replace(d.wire(), " "+c.signed+" ", " "+c.sent+" ", 1)))
		require.ErrorIs(t, err, signature.ErrMalformed, c.sent)
	}
}

func TestAnotherRequestDoesNotVerify(t *testing.T) {
	for _, d := range []draft{acs3(), sigV4()} {
		for name, wire := range map[string]string{
			"host":   strings.Replace(d.wire(), "limpet.example:9090", "limpet.example", 1),
			"scope":  strings.Replace(d.wire(), "us-east-1/bedrock-agentcore", "us-east-1/deadline", 1),
			"region": strings.Replace(d.wire(), "us-east-1/", "us-west-1/", 1),
			"case":   strings.Replace(d.wire(), "counter", "Counter", 1),
			"dots":   strings.Replace(d.wire(), "counter/", "counter/x/../", 1),
			"query":  strings.Replace(d.wire(), "qualifier=LATEST&", "", 1),
			"type":   strings.Replace(d.wire(), "application/json", "application/jsom", 1),
		} {
			if wire == d.wire() {
				continue // ACS3 has no scope
			}
			_, err := check(request(t, wire))
			require.ErrorIs(t, err, signature.ErrMismatch, name)
		}
	}
}

func TestABodyThatIsNotTheSignedOne(t *testing.T) {
	for _, d := range []draft{acs3(), sigV4()} {
		r := request(t, d.wire())
		s, _, err := signature.Parse(r)
		require.NoError(t, err)
		for _, hash := range []string{sum("other"), "", signature.UnsignedPayload, strings.ToUpper(s.Payload)} {
			err := s.Verify(r, []byte(secret), hash)
			require.ErrorIs(t, err, signature.ErrMismatch, hash)
			require.ErrorIs(t, err, signature.ErrBody, hash)
		}
		require.NoError(t, s.Verify(r, []byte(secret), s.Payload))

		// Nobody reads a body that is not there, so nobody would see that it is missing.
		wire, _, _ := strings.Cut(d.wire(), "\r\n\r\n")
		bare := request(t, strings.Replace(wire, "Content-Length", "X-Length", 1)+"\r\n\r\n")
		require.Zero(t, bare.ContentLength)
		require.ErrorIs(t, s.Verify(bare, []byte(secret), s.Payload), signature.ErrBody)
	}
}

func TestWithoutAClaimTheCallerMustHaveReadTheBody(t *testing.T) {
	for _, claim := range []string{signature.UnsignedPayload, "", "x"} {
		// A client that signs like this would waive the check in a header; without one, the caller cannot do it for him.
		d := sigV4()
		d.payload = claim
		d.unsigned = []string{"x-amz-content-sha256"}
		r := request(t, d.wire())
		r.Header.Del("X-Amz-Content-Sha256")
		s, ok, err := signature.Parse(r)
		require.NoError(t, err)
		require.True(t, ok)
		require.Empty(t, s.Payload)
		require.ErrorIs(t, s.Verify(r, []byte(secret), claim), signature.ErrMismatch)
		got, err := io.ReadAll(s.Body(io.NopCloser(strings.NewReader(strings.Repeat("x", 100_000)))))
		require.ErrorIs(t, err, signature.ErrBody)
		require.Empty(t, got)
	}
}

func TestUnsignedPayloadLetsAnyBodyThrough(t *testing.T) {
	d := sigV4()
	d.payload = signature.UnsignedPayload
	r := request(t, strings.Replace(d.wire(), "hello", "HELLO", 1))
	s, err := check(r)
	require.NoError(t, err)
	body := io.NopCloser(strings.NewReader("x"))
	require.Equal(t, body, s.Body(body))
}

func TestASignedHeaderThatWentAway(t *testing.T) {
	r := request(t, sigV4().wire())
	s, _, err := signature.Parse(r)
	require.NoError(t, err)
	r.Header.Del("Amz-Sdk-Request")
	require.ErrorIs(t, s.Verify(r, []byte(secret), s.Payload), signature.ErrMismatch)
	require.False(t, errors.Is(s.Verify(r, []byte(secret), s.Payload), signature.ErrBody))
}
