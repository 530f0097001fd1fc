//go:build !linux

package embeddedstore

import "os"

// dataFile is a file of which every byte counts.
type dataFile struct{ *os.File }
