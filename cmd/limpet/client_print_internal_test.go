package main

import (
	"bytes"
	"encoding/json"
	"math"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestTerminalSpans(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for d, says := range map[time.Duration][2]string{
		0:                               {"0s", "0s"},
		45 * time.Second:                {"45s", "45s"},
		time.Minute:                     {"1m", "1m"},
		10 * time.Minute:                {"10m", "10m"},
		90 * time.Second:                {"1m30s", "1m30s"},
		time.Hour:                       {"1h", "1h"},
		10 * time.Hour:                  {"10h", "10h"},
		time.Hour + time.Second:         {"1h0m1s", "1h"},
		time.Hour + 20*time.Minute:      {"1h20m", "1h20m"},
		6*time.Hour - time.Second:       {"5h59m59s", "5h59m"},
		day:                             {"24h", "1d"},
		3*day + 4*time.Hour:             {"76h", "3d4h"},
		3*day + 59*time.Minute:          {"72h59m", "3d"},
		1500 * time.Millisecond:         {"1s", "1s"},
		-time.Minute:                    {"-1m", "0s"},
		inSeconds(math.MaxInt64):        {"2562047h47m16s", "106751d23h"},
		inSeconds(math.MinInt64):        {"-2562047h47m16s", "0s"},
		inSeconds(21600):                {"6h", "6h"},
		time.Hour + 10*time.Second:      {"1h0m10s", "1h"},
		100*time.Hour + 10*time.Minute:  {"100h10m", "4d4h"},
		20*time.Minute + 30*time.Second: {"20m30s", "20m30s"},
	} {
		require.Equal(t, says, [2]string{exactSpan(d), roughSpan(d)}, d.String())
	}
}

func TestTerminalCells(t *testing.T) {
	t.Parallel()
	for text, shown := range map[string]string{
		"alice": "alice", "é世界": "é世界", "": "-", "-": `"-"`, "a b": `"a b"`, `"a"`: `"\"a\""`, "a\x1b[2J": `"a\x1b[2J"`,
		"\u009b31m": `"\u009b31m"`, "\u202eabc": `"\u202eabc"`, "a\tb": `"a\tb"`, "a\nb": `"a\nb"`, "\xff": `"\xff"`, "\u00a0": `"\u00a0"`,
	} {
		require.Equal(t, shown, cell(text))
	}
	require.Len(t, printable(strings.Repeat("a", 5000)), maxMessage+3)
}

func visible(t *testing.T, text string) {
	t.Helper()
	require.True(t, utf8.ValidString(text))
	for _, r := range text {
		require.True(t, unicode.IsPrint(r), "%U in %q", r, text)
	}
}

// FuzzTerminalText shows whatever a server sends, in each way.
func FuzzTerminalText(f *testing.F) {
	for _, seed := range []string{"alice", "\x1b[2J", "\u009b\u202e", "\xff\xfe", "a\tb\n", "\U000e0041", "\\u001b", `"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		visible(t, cell(text))
		require.NotContains(t, cell(text), "\n")
		require.NotEmpty(t, cell(text))
		visible(t, printable(text))
		var out bytes.Buffer
		require.NoError(t, printJSON(&out, text, true))
		line, found := strings.CutSuffix(out.String(), "\n")
		require.True(t, found)
		visible(t, line)
		var back string
		require.NoError(t, json.Unmarshal([]byte(line), &back))
		require.Equal(t, string([]rune(text)), back, "the same JSON")
	})
}

// FuzzTerminalAnswer decodes what may be no answer at all, and shows it.
func FuzzTerminalAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"sessions":[{"sessionId":"alice","sessionTTLInSeconds":9223372036854775807,"createdTime":"0000-01-01T00:00:00Z"}]}`,
		`{"functions":[{"name":"a","instances":[{"id":"\u001b"}]}]}`, `{"Code":"a","Message":"\n"}`, `{}`, `[]`, `null`, "\xff", `{"sessions":[null]}`,
	} {
		f.Add(200, seed)
		f.Add(404, seed)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		c := &adminClient{base: "http://127.0.0.1:9090"}
		a := apiAnswer{status: status, body: []byte(body)}
		var page sessionList
		var list functionList
		for _, out := range []any{&page, &list, nil} {
			if err := c.decode(apiRequest{path: functionsPath}, a, out); err != nil {
				visible(t, err.Error())
			}
		}
		if page.Sessions != nil {
			for _, s := range *page.Sessions {
				visible(t, strings.Join(s.row(time.Now(), true), " "))
			}
		}
		for _, fn := range list.Functions {
			for _, row := range instanceRows(fn, time.Now()) {
				visible(t, strings.Join(row, " "))
			}
		}
	})
}

func TestTerminalAdminAddress(t *testing.T) {
	t.Parallel()
	for text, base := range map[string]string{
		"127.0.0.1:9090": "http://127.0.0.1:9090", "[::1]:9090": "http://[::1]:9090", "limpet.example:1": "http://limpet.example:1",
		"http://127.0.0.1:9090/": "http://127.0.0.1:9090", "https://limpet.example": "https://limpet.example",
		"https://ops.example/limpet//": "https://ops.example/limpet", "https://ops.example/a%2Fb/": "https://ops.example/a%2Fb",
	} {
		got, err := adminURL("--admin", text)
		require.NoError(t, err)
		require.Equal(t, base, got)
	}
	for _, text := range []string{
		"", "limpet", ":9090", "127.0.0.1:", "ftp://a:1", "http://", "http://u:s3cret@a:1", "http://a:1?x", "http://a:1?", "http://a:1#x",
		"http://a:b", "http://a\x1b:1", "unix:///run/limpet.sock", "a b:1",
	} {
		_, err := adminURL("--admin", text)
		require.ErrorContains(t, err, "accepted are a URL such as http://127.0.0.1:9090 and host:port", text)
		visible(t, err.Error())
		require.NotContains(t, err.Error(), "s3cret")
	}
}

func FuzzTerminalAdminAddress(f *testing.F) {
	for _, seed := range []string{"127.0.0.1:9090", "http://a", "https://a/b/", "a://b", "http://u@a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		base, err := adminURL("--admin", text)
		if err != nil {
			visible(t, err.Error())
			return
		}
		u, err := url.Parse(base + sessionsPath("f", "a/../b"))
		require.NoError(t, err)
		require.NotEmpty(t, u.Host)
		require.True(t, strings.HasSuffix(u.EscapedPath(), "/2023-03-30/functions/f/sessions/a%2F..%2Fb"))
	})
}
