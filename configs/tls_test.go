package configs_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/certificates"
	"github.com/limpet-proxy/limpet/certificates/certtest"
	"github.com/limpet-proxy/limpet/configs"
	"github.com/limpet-proxy/limpet/instances"
)

func TestGRPC(t *testing.T) {
	c := example(t, "grpc.yaml")
	require.True(t, c.H2C)
	require.Nil(t, c.TLS)
	require.Equal(t, instances.H2C, c.Functions[0].Instances.Protocol)
	require.Len(t, c.Functions[0].Instances.Static, 3)
}

// pair is the list of certificates in YAML.
func pair(i certtest.Issued) string {
	return "certificates: [{cert_file: " + i.CertFile + ", key_file: " + i.KeyFile + "}]"
}

func TestTLS(t *testing.T) {
	ca := certtest.New(t, "ca")
	own, other := ca.Issue(time.Time{}, "own"), ca.Issue(time.Time{}, "other")
	c := parse(t, "tls: {"+pair(own)+", min_version: tls1.3, client_auth: required, client_ca_file: "+ca.File+"}\nadmin_tls: {"+pair(other)+"}\n"+one)
	require.Equal(t, &certificates.Config{
		Certificates: []certificates.Pair{{CertFile: own.CertFile, KeyFile: own.KeyFile}},
		MinVersion:   certificates.TLS13, ClientAuth: certificates.AuthRequired, ClientCAFile: ca.File,
	}, c.TLS)
	require.Equal(t, certificates.TLS12, c.AdminTLS.MinVersion)
	require.Equal(t, certificates.AuthNone, c.AdminTLS.ClientAuth)
	var text strings.Builder
	require.NoError(t, c.Print(&text))
	require.Equal(t, c, parse(t, text.String()))
}

func TestBadTLS(t *testing.T) {
	own := certtest.New(t, "ca").Issue(time.Time{}, "own")
	wrong(t, []badFile{
		{"tls: {}\n" + one, "1:6: tls.certificates: is missing or empty, accepted is a list of at least one {cert_file, key_file}"},
		{"tls:\n  certificates:\n    - cert_file: nowhere.crt\n      key_file: nowhere.key\n" + one,
			"3:18: tls.certificates[0].cert_file: nowhere.crt cannot be read: no such file or directory, accepted is a file with a certificate in PEM, the intermediate ones after it"},
		{"admin_tls: {" + pair(own) + ", client_auth: maybe}\n" + one,
			"admin_tls.client_auth: \"maybe\" is unknown, accepted are none, optional and required"},
		{"tls: {" + pair(own) + "}\nh2c: true\n" + one,
			"2:6: h2c: is not used with tls, by which clients speak HTTP/2 anyway, accepted is false, or to leave tls out"},
	})
}

func TestExpiredCertificateIsAWarning(t *testing.T) {
	own := certtest.New(t, "ca").Issue(time.Now().Add(-time.Minute), "own")
	loaded, err := configs.Parse("x.yaml", []byte("tls: {"+pair(own)+"}\n"+one), variables(nil))
	require.NoError(t, err)
	require.Len(t, loaded.Warnings, 1)
	require.Equal(t, "tls.certificates[0].cert_file", loaded.Warnings[0].Key)
}

func TestTLSNeedsARestartToBeginAndToEnd(t *testing.T) {
	ca := certtest.New(t, "ca")
	plain := parse(t, one)
	first, second := parse(t, "tls: {"+pair(ca.Issue(time.Time{}, "a"))+"}\n"+one), parse(t, "tls: {"+pair(ca.Issue(time.Time{}, "b"))+"}\n"+one)
	require.Equal(t, []string{"tls"}, configs.NeedsRestart(plain, first))
	require.Equal(t, []string{"tls"}, configs.NeedsRestart(first, plain))
	require.Empty(t, configs.NeedsRestart(first, second))
	admin := first
	admin.TLS, admin.AdminTLS = nil, first.TLS
	require.Equal(t, []string{"admin_tls"}, configs.NeedsRestart(plain, admin))
	require.Equal(t, []string{"h2c"}, configs.NeedsRestart(plain, parse(t, "h2c: true\n"+one)))
}

// TestReferenceShowsTLSDefaults takes the comment marks off the blocks of both listeners.
func TestReferenceShowsTLSDefaults(t *testing.T) {
	own := certtest.New(t, "ca").Issue(time.Time{}, "own")
	text := reference(t)
	for _, block := range [][2]string{{"# tls:", "h2c:"}, {"# admin_tls:", "deployment:"}} {
		i := strings.Index(text, block[0])
		j := i + strings.Index(text[i:], block[1])
		text = text[:i] + regexp.MustCompile(`(?m)^# `).ReplaceAllString(text[i:j], "") + text[j:]
	}
	text = regexp.MustCompile(`/etc/limpet/\w+\.crt`).ReplaceAllString(text, own.CertFile)
	text = regexp.MustCompile(`/etc/limpet/\w+\.key`).ReplaceAllString(text, own.KeyFile)
	want := certificates.DefaultConfig()
	want.Certificates = []certificates.Pair{{CertFile: own.CertFile, KeyFile: own.KeyFile}}
	c := parse(t, text)
	require.Equal(t, want, *c.TLS)
	require.Equal(t, want, *c.AdminTLS)
}

func TestProtocolsOfInstances(t *testing.T) {
	function := func(protocol, url string) string {
		return "functions: [{name: a, instances: {protocol: " + protocol + ", static: [{id: a, url: \"" + url + "\"}]}}]\n"
	}
	for protocol, url := range map[string]string{"http1": "https://127.0.0.1:1", "h2": "https://127.0.0.1:1", "h2c": "http://127.0.0.1:1"} {
		require.Equal(t, instances.Protocol(protocol), parse(t, function(protocol, url)).Functions[0].Instances.Protocol)
	}
	wrong(t, []badFile{
		{function("spdy", "http://127.0.0.1:1"), `1:45: functions[0].instances.protocol: "spdy" is unknown, accepted are http1, h2 and h2c`},
		{function("h2", "http://127.0.0.1:1"), "functions[0].instances.static[0].url: http is not https, which protocol h2 needs, accepted is https://, or another protocol"},
		{function("h2c", "https://127.0.0.1:1"), "functions[0].instances.static[0].url: https is not http, which protocol h2c needs, accepted is http://, or another protocol"},
		{"functions: [{name: a, instances: {protocol: h2, dns: {name: x.example, port: 1}}}]\n", "functions[0].instances.protocol: h2 needs https"},
	})
}

// wrong is check for a part of the only line.
func wrong(t *testing.T, files []badFile) {
	t.Helper()
	for _, f := range files {
		got := lines(t, f.text, nil)
		require.Len(t, got, 1, f.text)
		require.Contains(t, got[0], f.want)
	}
}

// TestTLSOfTheDocuments loads what docs/protocols.md shows, with files that are there.
func TestTLSOfTheDocuments(t *testing.T) {
	data, err := os.ReadFile("../docs/protocols.md")
	require.NoError(t, err)
	_, text, _ := strings.Cut(string(data), "## TLS and HTTP/2")
	_, text, _ = strings.Cut(text, "```yaml\n")
	text, _, _ = strings.Cut(text, "```")
	ca := certtest.New(t, "ca")
	for _, name := range []string{"tls", "other"} {
		own := ca.Issue(time.Time{}, name)
		text = strings.ReplaceAll(text, "/etc/limpet/"+name+".crt", own.CertFile)
		text = strings.ReplaceAll(text, "/etc/limpet/"+name+".key", own.KeyFile)
	}
	c := parse(t, strings.ReplaceAll(text, "/etc/limpet/clients.pem", ca.File))
	require.Len(t, c.TLS.Certificates, 2)
	require.Equal(t, certificates.AuthOptional, c.TLS.ClientAuth)
	require.NotNil(t, c.AdminTLS)
}
