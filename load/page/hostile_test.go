package page_test

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load"
)

const attack = `"'><script>alert(1)</script></title></svg><img src=x onerror=alert(1)>{{.}}`

func hostile() load.Report {
	r := sample()
	r.Verdict, r.Why, r.Warnings = attack, attack, []string{attack}
	r.Load = load.Description{
		Targets: []string{attack}, Method: attack, Model: attack, Carrier: attack, Think: attack, From: attack, Count: attack,
	}
	long := attack + strings.Repeat("😀", 75) + "\x00\x07\u202e\xff\ufffe"
	example := load.Example{Kind: attack, Session: long, Target: attack, Expected: attack, Got: attack}
	r.Affinity.Examples, r.Affinity.Announced = []load.Example{example}, []load.Example{example}
	r.Failures = []load.Failure{{Reason: attack, Text: attack}}
	r.Instances = []load.InstanceUse{{Name: attack}}
	r.Timeline[3].Homes = map[string]int{attack: 100, long: 3, "<b>": 2000, "\x01\u202e": 1000}
	return r
}

func TestNothingIsTakenAsMarkup(t *testing.T) {
	document := render(t, hostile())
	inspect(t, document)
	require.Equal(t, 2, strings.Count(document, "<script"), "the JSON and our own")
	require.NotContains(t, document, "<img")
	require.NotContains(t, document, "<b>\"")
	require.GreaterOrEqual(t, strings.Count(document, html.EscapeString("</script></title></svg>")), 15)
	require.Contains(t, text(document), "1,000 ��", "no control characters in a plot")
}

func TestThePageAsksForNothing(t *testing.T) {
	for _, r := range []load.Report{sample(), hostile()} {
		document := render(t, r)
		only := regexp.MustCompile(`(?s)<script type="application/json".*?</script>`).ReplaceAllString(document, "")
		for _, tag := range regexp.MustCompile(`<[a-zA-Z][^>]*>`).FindAllString(only, -1) {
			require.NotRegexp(t, `(?i)\s(href|src|srcset|action|style|data|poster|on[a-z]+)\s*=|url\(`, tag)
		}
		style := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindStringSubmatch(only)[1]
		require.NotRegexp(t, `url\(|@import|//`, style)
		script := regexp.MustCompile(`(?s)<script>(.*?)</script>`).FindStringSubmatch(only)[1]
		require.NotRegexp(t, `https?:|fetch|XMLHttpRequest|import|innerHTML|eval`, script)
		require.Contains(t, html.UnescapeString(only), `content="default-src 'none'; style-src 'sha256-`+sum(style)+
			`'; script-src 'sha256-`+sum(script)+`'; base-uri 'none'; form-action 'none'"`)
	}
}

func sum(content string) string {
	hash := sha256.Sum256([]byte(content))
	return base64.StdEncoding.EncodeToString(hash[:])
}
