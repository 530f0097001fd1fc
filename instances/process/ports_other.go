//go:build unix && !linux

package process

// ephemeralFrom is beyond the range: other systems begin at 49152 (RFC 6335).
func ephemeralFrom() int { return lastPort + 1 }

// listenerOwner is Linux's.
func listenerOwner(int, int) owner { return ownerUnknown }
