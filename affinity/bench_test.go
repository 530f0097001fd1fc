package affinity_test

import (
	"net/http"
	"testing"

	"github.com/limpet-proxy/limpet/affinity"
)

func benchmarkExtract(b *testing.B, rule affinity.Rule, header http.Header) {
	r := request(header)
	b.ReportAllocs()
	for b.Loop() {
		if claim, err := rule.Extract(r); err != nil || claim.Fresh {
			b.Fatal("not a hit")
		}
	}
}

func BenchmarkExtractHeader(b *testing.B) {
	benchmarkExtract(b, headerRule(b, affinity.DefaultHeader), http.Header{"X-Session-Id": {affinity.NewID()}})
}

func BenchmarkExtractCookie(b *testing.B) {
	rule := cookieRule(b, scope(b, secretA))
	line := "theme=dark; limpet-session=" + issueValue(b, rule, affinity.NewID())
	benchmarkExtract(b, rule, http.Header{"Cookie": {line}})
}

// BenchmarkExtractCookieFlood is the worst head of 32 KiB: all of it well-formed cookies of our name with a wrong MAC.
func BenchmarkExtractCookieFlood(b *testing.B) {
	rule := cookieRule(b, scope(b, secretA))
	forged := issueValue(b, cookieRule(b, affinity.Scope{Function: "other", Keys: newKeys(b, secretA)}), "a")
	line := ""
	for len(line) < 32<<10 {
		line += "limpet-session=" + forged + ";"
	}
	r := request(http.Header{"Cookie": {line}})
	b.ReportAllocs()
	for b.Loop() {
		if claim, _ := rule.Extract(r); !claim.Fresh {
			b.Fatal("a forged cookie was adopted")
		}
	}
}

func BenchmarkForwardCookie(b *testing.B) {
	rule := cookieRule(b, scope(b, secretA))
	line := "theme=dark; limpet-session=" + issueValue(b, rule, affinity.NewID()) + "; a=b"
	b.ReportAllocs()
	for b.Loop() {
		rule.Forward(http.Header{"Cookie": {line}}, "id")
	}
}
