package dialects

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// The kinds of Deadline Cloud's IDs: what stands before their 32 hexadecimal digits.
const (
	FarmID    = "farm-"    // the deployment
	QueueID   = "queue-"   // a function
	JobID     = "job-"     // a function's qualifier
	FleetID   = "fleet-"   // a function's pool: that of one qualifier
	WorkerID  = "worker-"  // an instance of a pool
	SessionID = "session-" // a session
)

const idDigits = 32

// HasForm says whether id has the vendor's form: the kind and 32 lower-case hexadecimal digits.
func HasForm(kind, id string) bool {
	digits, found := strings.CutPrefix(id, kind)
	return found && isHex(digits)
}

func isHex(s string) bool {
	return len(s) == idDigits && strings.Trim(s, "0123456789abcdef") == ""
}

// DeriveID returns the ID of the vendor's form for what is named by the path, outermost first: the deployment, the
// function and so on. It depends on the names only, so that every replica, and one that was restarted, gives the same.
// A last name that has the form already is its own ID.
func DeriveID(kind string, path ...string) string {
	if len(path) > 0 && HasForm(kind, path[len(path)-1]) {
		return path[len(path)-1]
	}
	h := sha256.New()
	for _, part := range append([]string{"limpet " + kind}, path...) {
		// With its length before it, no part can pose as the end of another.
		_ = binary.Write(h, binary.BigEndian, uint32(len(part)))
		h.Write([]byte(part))
	}
	return kind + hex.EncodeToString(h.Sum(nil)[:idDigits/2])
}

// Names says whether id, from a path, is what is named by the path: its plain name, or its derived ID.
func Names(id, kind string, path ...string) bool {
	return id == path[len(path)-1] || id == DeriveID(kind, path...)
}

// SessionIDOf is the ID by which the Deadline dialect names a session: of the vendor's form where the session's own is
// 32 hexadecimal digits, as those that Limpet makes are; else the session's own.
func SessionIDOf(id string) string {
	if isHex(id) {
		return SessionID + id
	}
	return id
}

// PlainSessionID is the inverse of SessionIDOf, for an ID out of a path. A client may have chosen an ID that has the
// vendor's form already; the path then names that one, too, and who looks it up tries the plain one first.
func PlainSessionID(id string) string {
	if HasForm(SessionID, id) {
		return strings.TrimPrefix(id, SessionID)
	}
	return id
}

// RequestID returns the ID of one request in Function Compute's form: 1, the seconds since 1970, and random digits.
func RequestID() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("1-%08x-%x-%x", time.Now().Unix(), b[:4], b[4:])
}
