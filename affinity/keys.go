package affinity

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"os"
	"sync"
)

// MinKeyLength is how many bytes a signing key has at least: as many as HMAC-SHA256 returns (RFC 2104, section 3).
const MinKeyLength = 32

// Domain separation: what is hashed for one purpose is never also an input of the other.
const (
	keyIDDomain = "limpet cookie key ID v1\x00"
	cookieLabel = "limpet session cookie v1\x00"
)

// keyIDBytes of a hash name a key. 48 bits are enough to tell a handful of keys apart.
const keyIDBytes = 6

// Keys sign and verify cookies: the first signs, all verify. To rotate, put the new key first and leave the old one in
// for as long as its cookies live, the longest TTL. Keys are immutable and safe for concurrent use. They print as
// their number, never as what they are.
type Keys struct{ keys []*key }

type key struct {
	id   string // of base64url; appears in the cookie
	macs sync.Pool
}

// NewKeys returns the keys with these secrets, which it copies. It fails without any, for one shorter than
// MinKeyLength and for one given twice.
func NewKeys(secret ...[]byte) (*Keys, error) {
	if len(secret) == 0 {
		return nil, errors.New("no key, at least one is needed")
	}
	keys := &Keys{keys: make([]*key, 0, len(secret))}
	for i, s := range secret {
		if err := keys.add(s); err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
	}
	return keys, nil
}

// ParseKeys reads keys, one per line and the signing key first. A key is its line without surrounding white space, as
// it stands, in printable ASCII without blanks: what "openssl rand -base64 32" prints. Empty lines and those that begin
// with # are skipped. An error names the line and never shows its content.
func ParseKeys(b []byte) (*Keys, error) {
	keys, number := &Keys{}, 0
	for line := range bytes.Lines(b) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if err := errors.Join(printable(line), keys.add(line)); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	if len(keys.keys) == 0 {
		return nil, errors.New("no key, at least one is needed")
	}
	return keys, nil
}

// LoadKeys reads the keys of a file, as ParseKeys does.
func LoadKeys(path string) (*Keys, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("signing keys: %w", err)
	}
	keys, err := ParseKeys(b)
	if err != nil {
		return nil, fmt.Errorf("signing keys: %s: %w", path, err)
	}
	return keys, nil
}

// printable keeps out what two machines would read as two keys: a trailing comment, an editor's byte order mark, another
// encoding's form of a letter, and binary keys, which a newline byte would cut.
func printable(line []byte) error {
	for _, c := range line {
		if c <= ' ' || c > '~' {
			return errors.New("a blank, a control character or one outside ASCII; accepted are printable characters")
		}
	}
	return nil
}

func (k *Keys) add(secret []byte) error {
	if len(secret) < MinKeyLength {
		return fmt.Errorf("%d bytes, accepted are %d or more", len(secret), MinKeyLength)
	}
	added := newKey(secret)
	if k.find(added.id) != nil {
		return errors.New("given twice, accepted is once")
	}
	k.keys = append(k.keys, added)
	return nil
}

func newKey(secret []byte) *key {
	secret = bytes.Clone(secret)
	sum := sha256.Sum256(append([]byte(keyIDDomain), secret...))
	k := &key{id: base64.RawURLEncoding.EncodeToString(sum[:keyIDBytes])}
	k.macs.New = func() any { return hmac.New(sha256.New, secret) }
	return k
}

// find returns the key with this ID, or nil. The ID is public, so that the comparison need not take constant time.
func (k *Keys) find(id string) *key {
	for _, key := range k.keys {
		if key.id == id {
			return key
		}
	}
	return nil
}

func (k *Keys) signer() *key { return k.keys[0] }

// sum appends HMAC-SHA256 of message to dst.
func (k *key) sum(dst, message []byte) []byte {
	mac := k.macs.Get().(hash.Hash)
	defer k.macs.Put(mac)
	mac.Reset()
	mac.Write(message)
	return mac.Sum(dst)
}

// String says how many keys there are.
func (k *Keys) String() string {
	if k == nil {
		return "signing keys: 0"
	}
	return fmt.Sprintf("signing keys: %d", len(k.keys))
}

// GoString is String, so that %#v reveals nothing either.
func (k *Keys) GoString() string { return k.String() }
