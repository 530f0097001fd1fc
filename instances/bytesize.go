package instances

import (
	"fmt"
	"strconv"
	"strings"
)

// ByteSize is a number of bytes, written in configuration as a number with the unit B, KiB, MiB or GiB.
type ByteSize int64

var byteUnits = []struct {
	suffix string
	factor int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// UnmarshalText reads "32KiB". A number without a unit counts bytes.
func (b *ByteSize) UnmarshalText(text []byte) error {
	s, factor := strings.TrimSpace(string(text)), int64(1)
	for _, u := range byteUnits {
		if rest, ok := strings.CutSuffix(s, u.suffix); ok {
			s, factor = strings.TrimSpace(rest), u.factor
			break
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/factor {
		return fmt.Errorf("%q is not a size, accepted is a number with B, KiB, MiB or GiB, such as 32KiB", text)
	}
	*b = ByteSize(n * factor)
	return nil
}

// MarshalText writes the size with the largest unit that leaves it whole.
func (b ByteSize) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// String is the text that MarshalText writes.
func (b ByteSize) String() string {
	for _, u := range byteUnits {
		if b != 0 && int64(b)%u.factor == 0 {
			return strconv.FormatInt(int64(b)/u.factor, 10) + u.suffix
		}
	}
	return "0B"
}
