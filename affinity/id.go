package affinity

import (
	"crypto/rand"
	"encoding/hex"
)

// MaxIDLength is how many bytes a session ID has at most, as in Function Compute's CreateSession.
const MaxIDLength = 64

// NewID returns a session ID of 128 random bits: 32 lower-case hexadecimal digits, the form that Function Compute
// generates. It is safe for concurrent use.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: the program ends when the system has no randomness
	return hex.EncodeToString(b[:])
}

// longIDLength is how many digits a long ID has: AgentCore's runtime sessions have 33 characters at least, and its code
// interpreters' 40 at most.
const longIDLength = 40

func newLongID() string { return (NewID() + NewID())[:longIDLength] }

// validID reports whether s is [A-Za-z0-9_][A-Za-z0-9_-]{0,63}, Function Compute's rule. Among what it keeps out are
// the comma that joins repeated headers, the dot that separates the fields of a cookie value, and every character
// that means something in a header, a path, a log line or a Redis key.
func validID(s string) bool { return validIDOf(s, MaxIDLength) }

// validIDOf is validID for a protocol whose IDs have another greatest length.
func validIDOf(s string, longest int) bool {
	if s == "" || len(s) > longest || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isAlphanumeric(c) && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool { return isLetter(c) || isDigit(c) }

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
