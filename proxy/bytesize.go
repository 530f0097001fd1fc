package proxy

import "github.com/limpet-proxy/limpet/instances"

// ByteSize is a number of bytes, written in configuration as a number with the unit B, KiB, MiB or GiB.
type ByteSize = instances.ByteSize
