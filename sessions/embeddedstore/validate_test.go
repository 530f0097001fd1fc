package embeddedstore_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions/embeddedstore"
)

func TestConfigValidate(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(plain, nil, 0o600))
	for path, bad := range map[string]bool{"": false, dir: false, filepath.Join(dir, "new"): false, plain: true} {
		reported := false
		embeddedstore.Config{Path: path}.Validate(func(string, string) { reported = true })
		require.Equal(t, bad, reported, path)
	}
}
