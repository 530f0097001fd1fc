// Package page draws a load report as one HTML page.
package page

import (
	"io"

	"github.com/limpet-proxy/limpet/load"
)

// Write is not written yet.
func Write(io.Writer, load.Report) error { return nil }
