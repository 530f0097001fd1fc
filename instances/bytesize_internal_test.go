package instances

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A size that is accepted is written so that it is read as the same one.
func FuzzByteSize(f *testing.F) {
	for _, text := range []string{"32KiB", " 2 GiB ", "0B", "7", "-0B", "+1MiB", "4294967296GiB", "9223372036854775807", "KiB", "1.5KiB", "1KB"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var size, again ByteSize
		if err := size.UnmarshalText([]byte(text)); err != nil {
			require.Contains(t, err.Error(), "accepted is")
			require.NotContains(t, err.Error(), "\n")
			require.Zero(t, size)
			return
		}
		require.GreaterOrEqual(t, size, ByteSize(0))
		written, err := size.MarshalText()
		require.NoError(t, err)
		require.NoError(t, again.UnmarshalText(written), "%s", written)
		require.Equal(t, size, again)
	})
}
