package certificates_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/limpet-proxy/limpet/certificates"
)

// FuzzFiles looks for files that Validate accepts and New does not, or the other way round.
func FuzzFiles(f *testing.F) {
	f.Add([]byte(""), []byte(""))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
	dir := f.TempDir()
	cert, key := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	f.Fuzz(func(t *testing.T, certText, keyText []byte) {
		if os.WriteFile(cert, certText, 0o600) != nil || os.WriteFile(key, keyText, 0o600) != nil {
			t.Fatal("cannot write")
		}
		cfg := certificates.DefaultConfig()
		cfg.Certificates = []certificates.Pair{{CertFile: cert, KeyFile: key}}
		problems := 0
		cfg.Validate(func(_, _ string) { problems++ })
		if _, err := certificates.New(cfg); (err != nil) != (problems > 0) {
			t.Fatalf("New: %v, Validate: %d problems", err, problems)
		}
	})
}
