package embeddedstore

import (
	"fmt"
	"os"
)

// Validate calls report when the path names something that is no directory. A directory that does not exist yet is
// fine: the store makes it.
func (c Config) Validate(report func(key, problem string)) {
	if c.Path == "" {
		return
	}
	if info, err := os.Stat(c.Path); err == nil && !info.IsDir() {
		report("path", fmt.Sprintf("%q is not a directory, accepted is a directory, or nothing to keep sessions in memory only", c.Path))
	}
}
