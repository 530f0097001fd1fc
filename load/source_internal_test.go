package load

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load/wire"
)

func source(t testing.TB, text string) Source {
	t.Helper()
	s, err := ParseSource(text)
	require.NoError(t, err)
	return s
}

func TestSourcesThatAreNone(t *testing.T) {
	for _, text := range []string{
		"", "header", "header:", "header: A", "header:A B", "header:A:B", "header:A\r\nB", "HEADER:A", "json", "json:", "json:.", "json:a.", "json:.a",
		"json:a..b", "none:", "None", "xml:a", strings.Repeat("x", 10_000),
	} {
		_, err := ParseSource(text)
		require.ErrorIs(t, err, ErrSource, text)
		require.Less(t, len(err.Error()), 300)
	}
}

// FuzzParseSource: a Source has a text, which reads as the same Source.
func FuzzParseSource(f *testing.F) {
	for _, text := range []string{"header:x-a", "json:a.b.c", "none", "json: a .b", "header:\x00", "json:\"", "header:é", "json:é"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSource(text)
		if err != nil {
			require.ErrorIs(t, err, ErrSource)
			require.True(t, s.IsZero())
			return
		}
		again, err := ParseSource(s.String())
		require.NoError(t, err)
		require.Equal(t, s, again)
		require.Equal(t, s.String() == "none", s.IsZero())
		require.Equal(t, strings.HasPrefix(text, "json:"), s.needsBody())
	})
}

func TestFindInAHeader(t *testing.T) {
	s := source(t, "header:x-served-by")
	for want, values := range map[string][]string{"a": {"a"}, " ": {" "}} {
		got, err := s.find(wire.Response{Header: http.Header{"X-Served-By": values}})
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, values := range [][]string{nil, {""}, {"a", "b"}, {"a", "a"}} {
		_, err := s.find(wire.Response{Header: http.Header{"X-Served-By": values}})
		require.ErrorIs(t, err, errMissing, values)
		require.ErrorContains(t, err, "X-Served-By")
	}
}

func TestFindInABody(t *testing.T) {
	for _, row := range []struct{ source, body, want string }{
		{"json:a", `{"a":"x"}`, "x"},
		{"json:a", ` {"b":{"a":1}, "a" : "x" } `, "x"},
		{"json:a.b", `{"a":{"b":"x"},"b":"y"}`, "x"},
		{"json:A.Bc", `{"a":1,"A":{"bc":2,"Bc":"x"}}`, "x"},
		{"json:a", `{"a":17}`, "17"},
		{"json:a", `{"a":1e3}`, "1e3"},
		{"json:a", `{"a":18446744073709551615}`, "18446744073709551615"},
		{"json:a", `{"a":false}`, "false"},
		{"json:a", `{"a":"1","a":"2"}`, "2"},
		{"json:a", `{"a":"\u00e9\n"}`, "é\n"},
		{"json:a", `{"A":"x"}`, ""}, {"json:a", `{"a":""}`, ""}, {"json:a", `{"a":null}`, ""}, {"json:a", `{"a":{}}`, ""}, {"json:a", `{"a":["x"]}`, ""},
		{"json:a", `{}`, ""}, {"json:a", `null`, ""}, {"json:a", `"a"`, ""}, {"json:a", `[{"a":"x"}]`, ""}, {"json:a", ``, ""}, {"json:a", `{"a":"x"`, ""},
		{"json:a", `{"a":"x"} trailing`, ""}, {"json:a.b", `{"a":"b"}`, ""}, {"json:a.b", `{"a":null}`, ""}, {"json:a.b", `{"a.b":"x"}`, ""},
	} {
		got, err := source(t, row.source).find(wire.Response{Body: []byte(row.body)})
		require.Equal(t, row.want, got, row.body)
		if row.want == "" {
			require.ErrorIs(t, err, errMissing, row.body)
			continue
		}
		require.NoError(t, err, row.body)
	}
	_, err := source(t, "json:a").find(wire.Response{})
	require.ErrorIs(t, err, errMissing)
	require.ErrorContains(t, err, "64 KiB")
}

// FuzzFind compares with what a decoder of the whole body finds.
func FuzzFind(f *testing.F) {
	f.Add([]byte(`{"a":{"b":"x"}}`), "a.b")
	f.Add([]byte(`{"a":{"b":[1,{"c":2}]}}`), "a.b.c")
	f.Add([]byte(`{"a":1.50e1, "a":true}`), "a")
	f.Add([]byte(`{"":"x","a":"\ud800"}`), "a")
	f.Add([]byte(strings.Repeat(`{"a":`, 50)), "a.a")
	f.Fuzz(func(t *testing.T, body []byte, path string) {
		s, err := ParseSource("json:" + path)
		if err != nil || body == nil {
			return
		}
		got, err := s.find(wire.Response{Body: body})
		want := decoded(body, strings.Split(path, "."))
		require.Equal(t, want, got)
		if want == "" {
			require.ErrorIs(t, err, errMissing)
		}
	})
}

func decoded(body []byte, path []string) string {
	in := json.NewDecoder(bytes.NewReader(body))
	in.UseNumber()
	var value any
	if !json.Valid(body) || in.Decode(&value) != nil {
		return ""
	}
	for _, name := range path {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return map[bool]string{true: "true", false: "false"}[v]
	}
	return ""
}
