package certificates_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/certificates"
	"github.com/limpet-proxy/limpet/certificates/certtest"
)

func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file.pem")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

func TestValidate(t *testing.T) {
	ca := certtest.New(t, "ca")
	own, other := ca.Issue(time.Time{}, "own"), ca.Issue(time.Time{}, "other")
	empty, broken := file(t, ""), file(t, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	pair := func(cert, key string) func(*certificates.Config) {
		return func(c *certificates.Config) { c.Certificates = []certificates.Pair{{CertFile: cert, KeyFile: key}} }
	}
	for name, c := range map[string]struct {
		change func(*certificates.Config)
		key    string // ""; nothing is wrong
		says   string
	}{
		"good":                   {func(*certificates.Config) {}, "", ""},
		"client certificates":    {func(c *certificates.Config) { c.ClientAuth, c.ClientCAFile = "optional", ca.File }, "", ""},
		"no certificate":         {func(c *certificates.Config) { c.Certificates = nil }, "certificates", "is missing or empty"},
		"no cert_file":           {pair("", own.KeyFile), "certificates[0].cert_file", "is missing"},
		"no key_file":            {pair(own.CertFile, ""), "certificates[0].key_file", "is missing"},
		"cert_file is not there": {pair("nowhere.crt", own.KeyFile), "certificates[0].cert_file", "nowhere.crt cannot be read: no such file or directory"},
		"key_file is not there":  {pair(own.CertFile, "nowhere.key"), "certificates[0].key_file", "nowhere.key cannot be read: no such file or directory"},
		"cert_file is a folder":  {pair(filepath.Dir(own.CertFile), own.KeyFile), "certificates[0].cert_file", "is a directory"},
		"cert_file is a key":     {pair(own.KeyFile, own.KeyFile), "certificates[0].cert_file", "holds no certificate in PEM"},
		"cert_file is empty":     {pair(empty, own.KeyFile), "certificates[0].cert_file", "holds no certificate in PEM"},
		"cert_file is broken":    {pair(broken, own.KeyFile), "certificates[0].cert_file", "malformed certificate"},
		"key_file is another's":  {pair(own.CertFile, other.KeyFile), "certificates[0].key_file", "does not match"},
		"key_file is no key":     {pair(own.CertFile, own.CertFile), "certificates[0].key_file", "accepted is the private key of the certificate"},
		"version":                {func(c *certificates.Config) { c.MinVersion = "tls1.1" }, "min_version", "accepted are tls1.2 and tls1.3"},
		"client_auth":            {func(c *certificates.Config) { c.ClientAuth = "yes" }, "client_auth", "accepted are none, optional and required"},
		"no CA":                  {func(c *certificates.Config) { c.ClientAuth = "required" }, "client_ca_file", "is missing"},
		"CA is empty":            {func(c *certificates.Config) { c.ClientAuth, c.ClientCAFile = "required", empty }, "client_ca_file", "holds no certificate"},
		"CA is broken":           {func(c *certificates.Config) { c.ClientAuth, c.ClientCAFile = "required", broken }, "client_ca_file", "malformed certificate"},
		"CA for nothing":         {func(c *certificates.Config) { c.ClientCAFile = ca.File }, "client_ca_file", "is not used with client_auth none"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(own)
			c.change(&cfg)
			found := map[string]string{}
			cfg.Validate(func(key, problem string) { found[key] = problem })
			_, err := certificates.New(cfg)
			if c.key == "" {
				require.Empty(t, found)
				require.NoError(t, err)
				return
			}
			require.Len(t, found, 1)
			require.Contains(t, found[c.key], c.says)
			require.Contains(t, found[c.key], "accepted", "it says what would do")
			if c.key != "client_ca_file" || cfg.ClientAuth != certificates.AuthNone {
				require.Error(t, err)
			}
		})
	}
}

func TestExpired(t *testing.T) {
	ca := certtest.New(t, "ca")
	cfg := config(ca.Issue(time.Time{}, "good"), ca.Issue(time.Now().Add(time.Minute), "soon"))
	require.Empty(t, cfg.Expired(time.Now()))
	require.Equal(t, []string{"certificates[1].cert_file"}, cfg.Expired(time.Now().Add(time.Hour)))
	require.Len(t, cfg.Expired(time.Now().Add(-2*time.Hour)), 2, "not valid yet")
}

// Only the errors count of a file that never ends.
func TestEndlessFile(t *testing.T) {
	own := certtest.New(t, "ca").Issue(time.Time{}, "own")
	own.CertFile = "/dev/zero"
	_, err := certificates.New(config(own))
	require.ErrorContains(t, err, "is larger than 8 MiB")
}
