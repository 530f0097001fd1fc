package signature_test

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/api/signature"
)

const (
	keyID  = "LTAIexample"
	secret = "limpet-secret-of-the-tests"
	at     = "20261122T211608Z"
	nonce  = "429ea8982e6e91b27a13ad84b200ad6b"
)

// draft is a request before it is signed. The signer below is written from the vendors' documents, apart from the
// package: SDKs' own signatures are in testdata.
type draft struct {
	scheme        signature.Scheme
	method, path  string // the path as sent
	query         string // as sent
	header        map[string]string
	body, payload string // payload: of the body by default; "-" leaves the header out
	unsigned      []string
	order         []string // of SignedHeaders, if not sorted
}

func sum(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}

func keyed(key, text string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(text))
	return string(h.Sum(nil))
}

func percent(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

// headers returns the draft's headers with those that its scheme adds.
func (d draft) headers() map[string]string {
	all := map[string]string{"host": "limpet.example:9090"}
	payload := d.payload
	if payload == "" {
		payload = sum(d.body)
	}
	if d.scheme == signature.ACS3 {
		all["x-acs-date"], all["x-acs-signature-nonce"] = "2026-11-22T21:16:08Z", nonce
		all["x-acs-content-sha256"] = payload
	} else {
		all["x-amz-date"] = at
		if payload != "-" {
			all["x-amz-content-sha256"] = payload
		}
	}
	maps.Copy(all, d.header)
	maps.DeleteFunc(all, func(_, value string) bool { return value == "absent" })
	return all
}

func (d draft) canonical(names []string, all map[string]string) string {
	var lines []string
	for _, name := range names {
		lines = append(lines, name+":"+strings.TrimSpace(all[name])+"\n")
	}
	payload := d.payload
	if payload == "" || payload == "-" {
		payload = sum(d.body)
	}
	var query []string
	values, _ := url.ParseQuery(d.query)
	for name, list := range values {
		for _, value := range list {
			query = append(query, percent(name)+"="+percent(value))
		}
	}
	slices.Sort(query)
	path := d.path
	if d.scheme == signature.SigV4 {
		path = strings.ReplaceAll(percent(path), "%2F", "/")
	}
	return strings.Join([]string{d.method, path, strings.Join(query, "&"), strings.Join(lines, ""), strings.Join(names, ";"), payload}, "\n")
}

func (d draft) authorization() string {
	all := d.headers()
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(all)), func(n string) bool { return slices.Contains(d.unsigned, n) })
	if d.order != nil {
		names = d.order
	}
	signed := strings.Join(names, ";")
	hashed := sum(d.canonical(names, all))
	if d.scheme == signature.ACS3 {
		mac := hex.EncodeToString([]byte(keyed(secret, "ACS3-HMAC-SHA256\n"+hashed)))
		return fmt.Sprintf("ACS3-HMAC-SHA256 Credential=%s,SignedHeaders=%s,Signature=%s", keyID, signed, mac)
	}
	scope := "20261122/us-east-1/bedrock-agentcore/aws4_request"
	key := keyed(keyed(keyed(keyed("AWS4"+secret, "20261122"), "us-east-1"), "bedrock-agentcore"), "aws4_request")
	mac := hex.EncodeToString([]byte(keyed(key, "AWS4-HMAC-SHA256\n"+at+"\n"+scope+"\n"+hashed)))
	return fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s", keyID, scope, signed, mac)
}

// wire is the signed request as it travels, with the extra header lines.
func (d draft) wire(extra ...string) string {
	target := d.path
	if d.query != "" {
		target += "?" + d.query
	}
	lines := []string{d.method + " " + target + " HTTP/1.1"}
	all := d.headers()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		lines = append(lines, name+": "+all[name])
	}
	lines = append(lines, "Authorization: "+d.authorization())
	if d.body != "" && all["content-length"] == "" {
		lines = append(lines, fmt.Sprintf("Content-Length: %d", len(d.body)))
	}
	return strings.Join(append(lines, extra...), "\r\n") + "\r\n\r\n" + d.body
}

func acs3() draft {
	return draft{scheme: signature.ACS3, method: "PUT", path: "/2023-03-30/functions/counter/sessions/s%201",
		query: "qualifier=LATEST&empty=&filter=%5B%22a%22%2C%22b+c%22%5D", body: `{"sessionTTLInSeconds":90}`,
		header: map[string]string{"content-type": "application/json", "x-acs-action": "UpdateSession"}}
}

func sigV4() draft {
	return draft{scheme: signature.SigV4, method: "POST", path: "/runtimes/arn%3Aaws%3Aruntime%2Fcounter/invocations",
		query: "qualifier=LATEST&empty=&b=2&b=1&name=a%20b", body: `{"prompt":"hello"}`,
		// As the SDK for JavaScript signs in a browser.
		header: map[string]string{"content-type": "application/json", "x-amz-user-agent": "aws-sdk-js/3.1141.0 ua/2.1",
			"amz-sdk-request": "attempt=1; max=3", "x-amz-security-token": "session/token+with=signs"}}
}

// read parses bytes from the wire as net/http's server does.
func read(wire string) (*http.Request, error) {
	return http.ReadRequest(bufio.NewReader(strings.NewReader(wire)))
}

func request(t testing.TB, wire string) *http.Request {
	t.Helper()
	r, err := read(wire)
	require.NoError(t, err)
	return r
}

var (
	errUnsigned = errors.New("not signed")
	errNoKey    = errors.New("no such key")
)

// check judges a request as an API does: it looks the secret up by the key's ID, and reads the body to its end.
func check(r *http.Request) (signature.Signed, error) {
	s, ok, err := signature.Parse(r)
	if err != nil {
		return s, err
	}
	if !ok {
		return s, errUnsigned
	}
	if s.KeyID != keyID {
		return s, errNoKey
	}
	claim := s.Payload
	if claim == "" {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return s, err
		}
		claim = sum(string(body))
	}
	if err := s.Verify(r, []byte(secret), claim); err != nil {
		return s, err
	}
	if s.Payload != "" {
		_, err = io.ReadAll(s.Body(r.Body))
	}
	return s, err
}
