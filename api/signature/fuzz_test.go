package signature_test

import (
	"bytes"
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

func FuzzParse(f *testing.F) {
	for _, d := range []draft{acs3(), sigV4()} {
		all := d.headers()
		for _, target := range []string{d.path + "?" + d.query, "/", "/%zz?a=%", "*", "//a/../b+c?&;=", "http://a/b?c"} {
			f.Add(d.authorization(), target, all["x-acs-date"]+all["x-amz-date"], all["x-acs-content-sha256"], all["x-acs-signature-nonce"])
		}
	}
	f.Add("AWS4-HMAC-SHA256 Credential=////aws4_request,SignedHeaders=;,Signature==", "/?X-Amz-Signature", "0", "STREAMING-", "")
	f.Fuzz(func(t *testing.T, authorization, target, date, hash, nonce string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			u = &url.URL{Path: "/"}
		}
		r := &http.Request{Method: "GET", URL: u, RequestURI: target, Host: "limpet.example:9090", Body: http.NoBody, Header: http.Header{
			"Authorization": {authorization}, "X-Acs-Date": {date}, "X-Amz-Date": {date}, "Date": {date}, "X-Acs-Action": {"GetSession"},
			"X-Acs-Content-Sha256": {hash}, "X-Amz-Content-Sha256": {hash}, "X-Acs-Signature-Nonce": {nonce},
			"Content-Type": {"application/json"}, "Amz-Sdk-Request": {""}, "X-Amz-Security-Token": {nonce}, "X-Amz-User-Agent": {"a  b"},
		}}
		for _, drop := range []string{"", "X-Amz-", "X-Acs-"} {
			for name := range r.Header {
				if drop != "" && strings.HasPrefix(name, drop) {
					delete(r.Header, name)
				}
			}
			s, ok, err := signature.Parse(r)
			if !ok {
				require.Zero(t, s)
				continue
			}
			require.NoError(t, err)
			require.Len(t, s.Signature, 64)
			for _, part := range []string{s.KeyID, s.Region, s.Service, s.Nonce} {
				require.LessOrEqual(t, len(part), 1024)
			}
			require.True(t, s.Signs("host"))
			require.Error(t, s.Verify(r, []byte("a secret that signed nothing"), sum("")))
		}
	})
}

func FuzzVerify(f *testing.F) {
	wires := []string{acs3().wire(), sigV4().wire()}
	files := recorded(f)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		wires = append(wires, files[name])
	}
	for i := range 4 * len(wires) {
		f.Add(uint8(i), uint8(i), uint16(i*13), uint8(i), byte('0'+i%10))
	}
	f.Fuzz(func(t *testing.T, which, part uint8, place uint16, kind uint8, value byte) {
		wire := wires[int(which)%len(wires)]
		spans := covered(wire)
		s := spans[int(part)%len(spans)]
		if changed, ok := change(wire, s, int(place), kind, value); ok {
			requireRefused(t, changed, s.name)
		}
	})
}

func FuzzBody(f *testing.F) {
	f.Add([]byte("body"), uint16(0), []byte{1}, []byte{3}, -1, true)
	f.Add([]byte(""), uint16(1), []byte{0, 1}, []byte{0, 9}, 0, false)
	f.Add([]byte("0123456789"), uint16(2*hold-5), []byte{255, 0, 3}, []byte{255, 0, 100}, 7, true)
	f.Add([]byte("0123456789"), uint16(3*hold), []byte{}, []byte{}, -1, false)
	f.Fuzz(func(t *testing.T, seed []byte, pad uint16, in, out []byte, tamper int, eof bool) {
		data := append(bytes.Repeat([]byte{'p'}, int(pad)), seed...)
		want := sum(string(data))
		if tamper >= 0 && len(data) > 0 {
			data[tamper%len(data)] ^= 1 << (tamper % 8)
		}
		if bytes.Count(in, []byte{0}) == len(in) {
			in = nil // a source that gives nothing for ever is another test's
		}
		r := claiming(want).Body(&pieces{data: bytes.Clone(data), sizes: in, eof: eof})
		var got []byte
		var err error
		for i := 0; err == nil; i++ {
			size := 1024
			if len(out) > 0 && i%7 != 0 {
				size = int(out[i%len(out)])
			}
			into := make([]byte, size)
			var n int
			n, err = r.Read(into)
			got = append(got, into[:n]...)
			if size > 0 && n == 0 {
				require.Error(t, err, "nothing read and no error")
			}
		}
		require.True(t, bytes.HasPrefix(data, got))
		if sum(string(data)) == want {
			require.ErrorIs(t, err, io.EOF)
			require.Len(t, got, len(data))
			return
		}
		require.ErrorIs(t, err, signature.ErrBody)
		require.LessOrEqual(t, len(got), max(0, len(data)-hold))
	})
}
