package signature_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/api/signature"
)

func with(d draft, pairs ...string) draft {
	d.header = maps.Clone(d.header)
	for i := 0; i < len(pairs); i += 2 {
		d.header[pairs[i]] = pairs[i+1]
	}
	return d
}

func TestRequestsWithoutASignature(t *testing.T) {
	for _, value := range []string{"", "Bearer " + secret, "Basic QTpC", "FC ak:sig", "acs3", "AWS ak:sig", "Bearer ACS3-HMAC-SHA256"} {
		s, ok, err := signature.Parse(request(t, "GET /?X-Amz-Date=1 HTTP/1.1\r\nHost: a\r\nAuthorization: "+value+"\r\n\r\n"))
		require.NoError(t, err, value)
		require.False(t, ok, value)
		require.Zero(t, s)
	}
	_, ok, err := signature.Parse(request(t, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
	require.NoError(t, err)
	require.False(t, ok)
}

// Each is signed rightly, over just what it says, so that nothing but the rule in question can refuse it.
func TestSignedButRefused(t *testing.T) {
	method := func(d draft, path, query string) draft { d.path, d.query = path, query; return d }
	unsigned := func(d draft, names ...string) draft { d.unsigned = names; return d }
	payload := func(d draft, claim string) draft { d.payload = claim; return d }
	many := map[string]string{}
	for i := range 65 {
		many[fmt.Sprintf("x-many-%02d", i)] = "1"
	}
	for name, c := range map[string]struct {
		wire, says string
	}{
		"two Authorization headers":    {acs3().wire("Authorization: " + acs3().authorization()), "repeated"},
		"a Bearer key beside it":       {sigV4().wire("Authorization: Bearer x"), "repeated"},
		"SM3":                          {strings.Replace(acs3().wire(), "ACS3-HMAC-SHA256 ", "ACS3-HMAC-SM3 ", 1), "not supported"},
		"RSA":                          {strings.Replace(acs3().wire(), "ACS3-HMAC-SHA256 ", "ACS3-RSA-SHA256 ", 1), "not supported"},
		"SigV4a":                       {strings.Replace(sigV4().wire(), "AWS4-HMAC-SHA256 ", "AWS4-ECDSA-P256-SHA256 ", 1), "not supported"},
		"lower case":                   {strings.Replace(sigV4().wire(), "AWS4-HMAC-SHA256 ", "aws4-hmac-sha256 ", 1), "not supported"},
		"a tab":                        {strings.Replace(sigV4().wire(), "AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256\t", 1), "not supported"},
		"presigned":                    {"GET /?X-Amz-Algorithm=AWS4-HMAC-SHA256 HTTP/1.1\r\nHost: a\r\n\r\n", "presigned"},
		"presigned, escaped":           {"GET /?a=1&x%2Damz-signature=1 HTTP/1.1\r\nHost: a\r\n\r\n", "presigned"},
		"presigned and signed":         {method(sigV4(), "/", "X-Amz-Signature=1").wire(), "presigned"},
		"streaming":                    {payload(sigV4(), "STREAMING-AWS4-HMAC-SHA256-PAYLOAD").wire(), "STREAMING"},
		"streaming, unsigned":          {payload(sigV4(), "STREAMING-UNSIGNED-PAYLOAD-TRAILER").wire(), "STREAMING"},
		"upper-case hash":              {payload(acs3(), strings.ToUpper(sum(acs3().body))).wire(), "SHA-256"},
		"ACS3 unsigned":                {payload(acs3(), signature.UnsignedPayload).wire(), "SHA-256"},
		"ACS3 without a hash":          {with(acs3(), "x-acs-content-sha256", "absent").wire(), "must have x-acs-content-sha256"},
		"ACS3 with an unsigned hash":   {unsigned(acs3(), "x-acs-content-sha256").wire(), "must have x-acs-content-sha256"},
		"ACS3 without a nonce":         {with(acs3(), "x-acs-signature-nonce", "absent").wire(), "must have x-acs-signature-nonce"},
		"ACS3 with an empty nonce":     {with(acs3(), "x-acs-signature-nonce", "").wire(), "nonce is ill-formed"},
		"ACS3 with a nonce of blanks":  {with(acs3(), "x-acs-signature-nonce", "a b").wire(), "nonce is ill-formed"},
		"ACS3 with a long nonce":       {with(acs3(), "x-acs-signature-nonce", strings.Repeat("n", 129)).wire(), "nonce is ill-formed"},
		"ACS3 without a date":          {with(acs3(), "x-acs-date", "absent").wire(), "must have x-acs-date"},
		"ACS3 with an unsigned date":   {unsigned(acs3(), "x-acs-date").wire(), "must have x-acs-date"},
		"ACS3 with an unsigned host":   {unsigned(acs3(), "host").wire(), "must have host"},
		"ACS3 with an unsigned action": {unsigned(acs3(), "x-acs-action").wire(), "every x-acs-"},
		"ACS3 with an added header":    {acs3().wire("X-Acs-Security-Token: t"), "every x-acs-"},
		"ACS3 with a fraction":         {with(acs3(), "x-acs-date", "2026-11-22T21:16:08.5Z").wire(), "x-acs-date accepts"},
		"ACS3 with an offset":          {with(acs3(), "x-acs-date", "2026-11-22T21:16:08+00:00").wire(), "x-acs-date accepts"},
		"SigV4 with a fraction":        {with(sigV4(), "x-amz-date", "20261122T211608.5Z").wire(), "x-amz-date accepts"},
		"SigV4 without a date":         {with(sigV4(), "x-amz-date", "absent").wire(), "x-amz-date is missing"},
		"SigV4 with an unsigned date":  {unsigned(sigV4(), "x-amz-date").wire(), "every x-amz-"},
		"SigV4 with an unsigned host":  {unsigned(sigV4(), "host").wire(), "must have host"},
		"SigV4 with an unsigned token": {unsigned(sigV4(), "x-amz-security-token").wire(), "every x-amz-"},
		"SigV4 with an unsigned hash":  {unsigned(sigV4(), "x-amz-content-sha256").wire(), "every x-amz-"},
		"SigV4 with an added header":   {sigV4().wire("x-amz-target: t"), "every x-amz-"},
		"a repeated signed header":     {sigV4().wire("content-type: application/json"), "missing or repeated"},
		"a repeated date":              {acs3().wire("x-acs-date: 2026-11-22T21:16:08Z"), "missing or repeated"},
		"a length that is not there": {strings.Replace(strings.Replace(with(sigV4(), "content-length", "18").wire(),
			"content-length: 18", "Transfer-Encoding: chunked", 1), sigV4().body, "0\r\n\r\n", 1), "missing or repeated"},
		"too many headers": {draft{scheme: signature.SigV4, method: "GET", path: "/", header: many}.wire(), "too many names"},
		"unsorted": {func() string {
			d := draft{scheme: signature.SigV4, method: "GET", path: "/", payload: "-", order: []string{"x-amz-date", "host"}}
			return d.wire()
		}(), "sorted"},
		"a name twice": {func() string {
			d := draft{scheme: signature.SigV4, method: "GET", path: "/", payload: "-", order: []string{"host", "host", "x-amz-date"}}
			return d.wire()
		}(), "sorted"},
	} {
		_, ok, err := signature.Parse(request(t, c.wire))
		require.ErrorIs(t, err, signature.ErrMalformed, name)
		require.ErrorContains(t, err, c.says, name)
		require.False(t, ok, name)
	}
}

func TestAuthorizationThatIsIllFormed(t *testing.T) {
	hex64 := strings.Repeat("0", 64)
	for _, value := range []string{
		"ACS3-HMAC-SHA256",
		"ACS3-HMAC-SHA256 ",
		"ACS3-HMAC-SHA256 Credential=k",
		"ACS3-HMAC-SHA256 Credential=k,SignedHeaders=host",
		"ACS3-HMAC-SHA256 Credential=k,SignedHeaders=host,Signature=",
		"ACS3-HMAC-SHA256 Credential=k,SignedHeaders=host,Signature=0",
		"ACS3-HMAC-SHA256 Credential=k,SignedHeaders=host,Signature=" + strings.Repeat("A", 64),
		"ACS3-HMAC-SHA256 Credential=k,SignedHeaders=host,Signature=" + hex64 + ",",
		"ACS3-HMAC-SHA256 Credential=k,SignedHeaders=host,Signature=" + hex64 + ",X=1",
		"ACS3-HMAC-SHA256 Credential=k,Credential=k,Signature=" + hex64,
		"ACS3-HMAC-SHA256 credential=k,SignedHeaders=host,Signature=" + hex64,
		"ACS3-HMAC-SHA256 Credential=k,SignedHeaders=Host,Signature=" + hex64,
		"ACS3-HMAC-SHA256 Credential=k,SignedHeaders=host;,Signature=" + hex64,
		"ACS3-HMAC-SHA256 Credential=k,SignedHeaders=ho\u00dfst,Signature=" + hex64,
		"ACS3-HMAC-SHA256 Credential=k,SignedHeaders=host,Signature=" + hex64 + strings.Repeat(" ", 8200),
		"AWS4-HMAC-SHA256 Credential=k,SignedHeaders=host,Signature=" + hex64,
	} {
		_, ok, err := signature.Parse(&http.Request{Header: http.Header{"Authorization": {value}}, Host: "a", URL: request(t, acs3().wire()).URL})
		require.ErrorIs(t, err, signature.ErrMalformed, value)
		require.False(t, ok)
	}
}

// An otherwise good request, so that it would verify, or not match, if the spelling were let through.
func TestAuthorizationHasOneSpelling(t *testing.T) {
	for _, d := range []draft{acs3(), sigV4()} {
		good := d.authorization()
		scheme, rest, _ := strings.Cut(good, " ")
		before, digits, _ := strings.Cut(good, "Signature=")
		for _, text := range []string{
			before + "Signature=" + strings.ToUpper(digits), // else a replay would look like another request
			strings.Replace(good, ",", ",\t", 1),
			scheme + " " + strings.Repeat(" ", 8<<10) + rest,
		} {
			_, err := check(request(t, strings.Replace(d.wire(), good, text, 1)))
			require.ErrorIs(t, err, signature.ErrMalformed, text)
		}
	}
}

func TestCredentialThatIsIllFormed(t *testing.T) {
	good := keyID + "/20261122/us-east-1/bedrock-agentcore/aws4_request"
	for _, credential := range []string{
		keyID,
		strings.Replace(good, "aws4_request", "aws5_request", 1),
		strings.Replace(good, "20261122", "20261123", 1), // a derived key of another day
		strings.Replace(good, "us-east-1", "", 1),
		strings.Replace(good, "us-east-1", "us east", 1),
		strings.Replace(good, "us-east-1", strings.Repeat("r", 129), 1),
		strings.Replace(good, "bedrock-agentcore", "", 1),
		strings.Replace(good, keyID, "", 1),
		strings.TrimPrefix(good, keyID+"/"),
		strings.Replace(good, keyID, strings.Repeat("k", 129), 1),
		strings.Replace(good, keyID, "k\u00e9y", 1),
	} {
		_, _, err := signature.Parse(request(t, strings.Replace(sigV4().wire(), good, credential, 1)))
		require.ErrorIs(t, err, signature.ErrMalformed, credential)
	}
	s, ok, err := signature.Parse(request(t, strings.Replace(sigV4().wire(), keyID, "team/ci=1", 1)))
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, "team/ci=1", s.KeyID)
}

func TestPartsInAnyOrderAndSpacing(t *testing.T) {
	for _, d := range []draft{acs3(), sigV4()} {
		scheme, rest, _ := strings.Cut(d.authorization(), " ")
		parts := strings.Split(strings.ReplaceAll(rest, " ", ""), ",")
		for _, text := range []string{
			strings.Join(parts, ","), strings.Join(parts, ", "), strings.Join(parts, " ,  "),
			" " + parts[2] + "," + parts[0] + "," + parts[1],
		} {
			_, err := check(request(t, strings.Replace(d.wire(), rest, text, 1)))
			require.NoError(t, err, scheme+" "+text)
		}
	}
}

func TestErrorsQuoteNothingOfTheClient(t *testing.T) {
	const canary = "s3cr3tcanary"
	for _, wire := range []string{
		strings.Replace(acs3().wire(), "Authorization: ACS3-HMAC-SHA256 ", "Authorization: ACS3-"+canary+" ", 1),
		strings.Replace(acs3().wire(), "Credential=", canary+"=", 1),
		strings.Replace(acs3().wire(), "Signature=", "Signature="+canary, 1),
		strings.Replace(acs3().wire(), "SignedHeaders=", "SignedHeaders="+canary+";", 1),
		with(acs3(), "x-acs-date", canary).wire(),
		with(acs3(), "x-acs-signature-nonce", canary+" ").wire("x-acs-" + canary + ": 1"),
		sigV4().wire("x-amz-" + canary + ": " + canary),
	} {
		_, _, err := signature.Parse(request(t, wire))
		require.ErrorIs(t, err, signature.ErrMalformed, wire)
		require.NotContains(t, err.Error(), canary)
	}
}

func TestFreshWithinTheWindowEitherWay(t *testing.T) {
	s, _, err := signature.Parse(request(t, sigV4().wire()))
	require.NoError(t, err)
	const window = signature.DefaultWindow
	for _, off := range []time.Duration{0, window, -window, window - 1} {
		require.NoError(t, s.Fresh(s.Time.Add(off), window), off)
	}
	for _, off := range []time.Duration{window + 1, -window - 1, 24 * time.Hour, 1 << 62, -1 << 62} {
		require.ErrorIs(t, s.Fresh(s.Time.Add(off), window), signature.ErrExpired, off)
	}
	require.ErrorIs(t, signature.Signed{}.Fresh(time.Now(), window), signature.ErrExpired)
}
