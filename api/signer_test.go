package api_test

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

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

// credential signs as a vendor's SDK does. What is empty has the usual value.
type credential struct {
	id, secret string
	at         time.Time
	nonce      string // ACS3
	payload    string // SigV4; "-" leaves the header out, as the SDKs for Go and Python do
	unsigned   string // SigV4: a header that is not signed
}

func of(key string) credential { return credential{id: key, secret: secretOf(key)} }

func query(r *http.Request) string {
	var pairs []string
	for name, values := range r.URL.Query() {
		for _, value := range values {
			pairs = append(pairs, percent(name)+"="+percent(value))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// canonical is what both schemes sign.
func canonical(r *http.Request, path string, names []string, payload string) string {
	text := r.Method + "\n" + path + "\n" + query(r) + "\n"
	for _, name := range names {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		text += name + ":" + strings.TrimSpace(value) + "\n"
	}
	return text + "\n" + strings.Join(names, ";") + "\n" + payload
}

func names(r *http.Request, wanted func(name string) bool) []string {
	all := []string{"host"}
	for name := range r.Header {
		if name = strings.ToLower(name); wanted(name) {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

func (c credential) when() time.Time {
	if c.at.IsZero() {
		return time.Now().UTC()
	}
	return c.at.UTC()
}

// acs3 signs as Alibaba Cloud's SDKs do.
func (c credential) acs3(r *http.Request, body string) *http.Request {
	if c.nonce == "" {
		c.nonce = rand.Text()
	}
	r.Header.Del("Authorization")
	r.Header.Set("x-acs-date", c.when().Format("2006-01-02T15:04:05Z"))
	r.Header.Set("x-acs-signature-nonce", c.nonce)
	r.Header.Set("x-acs-content-sha256", sum(body))
	signed := names(r, func(name string) bool { return strings.HasPrefix(name, "x-acs-") || name == "content-type" })
	mac := keyed(c.secret, "ACS3-HMAC-SHA256\n"+sum(canonical(r, r.URL.EscapedPath(), signed, sum(body))))
	r.Header.Set("Authorization", fmt.Sprintf("ACS3-HMAC-SHA256 Credential=%s,SignedHeaders=%s,Signature=%s",
		c.id, strings.Join(signed, ";"), hex.EncodeToString([]byte(mac))))
	return r
}

// sigV4 signs as AWS's SDKs do.
func (c credential) sigV4(r *http.Request, body string) *http.Request {
	r.Header.Del("Authorization")
	day, stamp := c.when().Format("20060102"), c.when().Format("20060102T150405Z")
	r.Header.Set("X-Amz-Date", stamp)
	payload := sum(body)
	switch c.payload {
	case "":
		r.Header.Set("X-Amz-Content-Sha256", payload)
	case "-":
	default:
		payload = c.payload
		r.Header.Set("X-Amz-Content-Sha256", payload)
	}
	signed := names(r, func(name string) bool { return name != strings.ToLower(c.unsigned) })
	path := strings.ReplaceAll(percent(r.URL.EscapedPath()), "%2F", "/")
	scope := day + "/us-east-1/bedrock-agentcore/aws4_request"
	key := keyed(keyed(keyed(keyed("AWS4"+c.secret, day), "us-east-1"), "bedrock-agentcore"), "aws4_request")
	mac := keyed(key, "AWS4-HMAC-SHA256\n"+stamp+"\n"+scope+"\n"+sum(canonical(r, path, signed, payload)))
	r.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
		c.id, scope, strings.Join(signed, ";"), hex.EncodeToString([]byte(mac))))
	return r
}

// sign signs in the way of the dialect's SDK.
func (c credential) sign(scheme string, r *http.Request, body string) *http.Request {
	if scheme == "acs3" {
		return c.acs3(r, body)
	}
	return c.sigV4(r, body)
}

// repeat is the same request again, byte for byte, with another body if there is one.
func repeat(t testing.TB, r *http.Request, body string) *http.Request {
	t.Helper()
	again := draft(t, "", r.Method, r.URL.RequestURI(), body)
	again.Header = r.Header.Clone()
	require.Equal(t, r.URL.EscapedPath(), again.URL.EscapedPath())
	return again
}
