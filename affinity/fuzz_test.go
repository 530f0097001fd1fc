package affinity_test

import (
	"crypto/rand"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/affinity"
)

var idForm = regexp.MustCompile(`\A[A-Za-z0-9_][A-Za-z0-9_-]{0,63}\z`)

func FuzzHeaderExtract(f *testing.F) {
	for _, value := range []string{"a", "", "-a", "a,b", strings.Repeat("x", 64), strings.Repeat("x", 65), "a\n", "ä"} {
		f.Add(value, "", uint8(1))
	}
	f.Add("a", "a", uint8(2))
	f.Add("", "", uint8(0))
	rule := headerRule(f, affinity.DefaultHeader)
	f.Fuzz(func(t *testing.T, a, b string, n uint8) {
		values := []string{a, b}[:n%3]
		claim, err := rule.Extract(request(http.Header{"X-Session-Id": values}))
		switch {
		case len(values) == 0:
			require.NoError(t, err)
			requireFresh(t, claim)
		case len(values) == 1 && idForm.MatchString(a):
			require.NoError(t, err)
			require.Equal(t, affinity.Claim{ID: a}, claim)
		default:
			require.ErrorIs(t, err, affinity.ErrInvalid)
			require.Zero(t, claim)
		}
	})
}

// FuzzCookieExtract: no line leads to a session unless a value that this process has sealed stands in it.
func FuzzCookieExtract(f *testing.F) {
	secret := make([]byte, affinity.MinKeyLength)
	_, _ = rand.Read(secret) // so that no value from the corpus is sealed
	keys, err := affinity.NewKeys(secret)
	require.NoError(f, err)
	rule := cookieRule(f, affinity.Scope{Function: "counter", Keys: keys})
	const id = "0123456789abcdef0123456789abcdef"
	sealed := issueValue(f, rule, id)
	foreign := issueValue(f, cookieRule(f, affinity.Scope{Function: "other", Keys: keys}), id)

	f.Add("limpet-session=raw; limpet-session=raw", "limpet-session=other")
	for _, line := range []string{"$", "a=b; $", "$; $", `"$"`, "$x", "x$", "", "$;", " $ ", "$, $", "%24"} {
		f.Add("limpet-session="+line, "")
		f.Add("limpet-session="+line, "limpet-session=#")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		expand := strings.NewReplacer("$", sealed, "#", foreign)
		lines := []string{expand.Replace(a), expand.Replace(b)}
		claim := extract(t, rule, lines...)
		if claim.Fresh {
			requireFresh(t, claim)
			if claim.Unsigned != "" {
				require.Regexp(t, idForm, claim.Unsigned)
				require.Contains(t, strings.Join(lines, ";"), claim.Unsigned)
			}
			return
		}
		require.Equal(t, id, claim.ID)
		require.Empty(t, claim.Unsigned)
		require.Regexp(t, `(^|;)[ \t\r\n]*limpet-session[ \t\r\n]*=`+regexp.QuoteMeta(sealed)+`[ \t\r\n]*(;|$)`,
			strings.Join(lines, ";"))
	})
}

// FuzzCookieForward: as net/http reads cookies, ours are gone and all others are there; as bytes, the others are what
// they were.
func FuzzCookieForward(f *testing.F) {
	for _, line := range []string{
		"limpet-session=x", "a=1; limpet-session=x; b=2", "a=1;limpet-session;;b", "limpet-session2=x", "=limpet-session=x",
		`a="b; limpet-session=c"; d`, " limpet-session = x ;\tc=d;", "a=\xff;limpet-session", ";;", "", "limpet-session\n=x",
	} {
		f.Add(line, "limpet-session=y; z=1")
		f.Add(line, line)
	}
	rule := cookieRule(f, scope(f, secretA))
	f.Fuzz(func(t *testing.T, a, b string) {
		if strings.Count(a+b, ";") > 1000 {
			return // net/http gives up reading at 3000 cookies, and is then no oracle
		}
		before := http.Header{"Cookie": {a, b}}
		after := http.Header{"Cookie": {a, b}}
		rule.Forward(after, "id")
		require.Equal(t, othersAsRead(before), othersAsRead(after))
		require.Equal(t, othersAsBytes(before), othersAsBytes(after))
		for _, cookie := range request(after).Cookies() {
			require.NotEqual(t, "limpet-session", cookie.Name)
		}
		for _, line := range after["Cookie"] {
			require.NotEmpty(t, strings.Trim(line, "; \t\r\n"))
		}
	})
}

func othersAsRead(h http.Header) []http.Cookie {
	others := []http.Cookie{}
	for _, cookie := range request(h).Cookies() {
		if cookie.Name != "limpet-session" {
			others = append(others, *cookie)
		}
	}
	return others
}

// othersAsBytes are the pairs that are not blank and not ours. White space before the first of a line is the header's.
func othersAsBytes(h http.Header) []string {
	ours, blank := regexp.MustCompile(`\A[ \t\r\n]*limpet-session[ \t\r\n]*(=|\z)`), regexp.MustCompile(`\A[ \t\r\n]*\z`)
	others := []string{}
	for _, line := range h["Cookie"] {
		first := true
		for _, pair := range strings.Split(line, ";") {
			if ours.MatchString(pair) {
				continue
			}
			if first {
				pair = strings.TrimLeft(pair, " \t\r\n")
			}
			first = false
			if !blank.MatchString(pair) {
				others = append(others, pair)
			}
		}
	}
	return others
}

func FuzzParseKeys(f *testing.F) {
	for _, file := range []string{
		"", "#", secretA, secretA + "\n" + secretB, secretA + "\n" + secretA, "short", secretA + " # x", secretA + "\r\n\r\n",
		"\xef\xbb\xbf" + secretA, strings.Repeat("\x00", 64), secretA + "\n\n#" + secretB, strings.Repeat("#", 40),
	} {
		f.Add([]byte(file))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		keys, err := affinity.ParseKeys(file)
		if err != nil {
			require.Nil(t, keys)
			for line := range strings.Lines(string(file)) {
				if line = strings.TrimSpace(line); len(line) >= affinity.MinKeyLength {
					require.NotContains(t, err.Error(), line, "an error must not show a key")
				}
			}
			return
		}
		// Every key that was read verifies, and the first one signs.
		rule := cookieRule(t, affinity.Scope{Function: "counter", Keys: keys})
		signs := true
		for line := range strings.Lines(string(file)) {
			line = strings.TrimSpace(line)
			if line == "" || line[0] == '#' {
				continue
			}
			one := cookieRule(t, scope(t, line))
			require.Equal(t, "id", extract(t, rule, "limpet-session="+issueValue(t, one, "id")).ID)
			require.Equal(t, signs, !extract(t, one, "limpet-session="+issueValue(t, rule, "id")).Fresh)
			signs = false
		}
		require.False(t, signs)
	})
}
