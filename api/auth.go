package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"

	"golang.org/x/time/rate"

	"github.com/limpet-proxy/limpet/dialects"
)

const (
	// MinSecret is how many bytes a key's secret has at least: an empty one would let everybody in. How long one must
	// be is for those to say who made it, a cloud's SDK for one.
	MinSecret = 1
	// AdvisedSecret is how many bytes a secret has that nobody can guess; below it the configuration gets a warning.
	AdvisedSecret = 16
)

// Auth decides who may use the admin listener. It is immutable and safe for concurrent use; a reload makes another.
//
// With keys, a caller sends Authorization: Bearer and a secret (RFC 6750, section 2.1), or, to the session API, what an
// SDK signs with the key's ID and secret. Without, as for a nil *Auth, everybody on this machine may do everything: the
// configuration allows that on a loopback address only.
type Auth struct {
	keys   []key
	origin http.CrossOriginProtection
}

type key struct {
	caller Caller
	hash   [sha256.Size]byte
	secret []byte // for signatures
}

// Caller is who sent a request. The zero Caller may do nothing.
type Caller struct {
	ID        string   // of the key; "" where the listener is open
	functions []string // names, or AnyFunction
	allow     []Verb
	limiter   *rate.Limiter // of the key; nil: without limit
}

// May says whether the caller may use the function with that name; AnyFunction asks for all of them.
func (c Caller) May(verb Verb, function string) bool {
	return slices.Contains(c.allow, verb) &&
		(slices.Contains(c.functions, AnyFunction) || slices.Contains(c.functions, function))
}

// LoadKeys reads the secret of each key from its file, without one newline at its end. A secret shorter than
// MinSecret, or that two keys share, is an error; so is what the operating system says of the file.
func LoadKeys(cfg AuthConfig) (*Auth, error) {
	a := &Auth{}
	for i, k := range cfg.Keys {
		secret, err := secretText(k.SecretFile)
		if err != nil {
			return nil, fmt.Errorf("auth.keys[%d] %q: %w", i, k.ID, err)
		}
		hash := sha256.Sum256(secret)
		// Of two keys with one secret, nobody could tell which one's rights a caller has.
		if other := a.find(hash); other != nil {
			return nil, fmt.Errorf("auth.keys[%d] %q: same secret as key %q, each key needs its own", i, k.ID, other.ID)
		}
		caller := Caller{k.ID, slices.Clone(k.Functions), slices.Clone(k.Allow), newLimiter(k.Rate)}
		a.keys = append(a.keys, key{caller, hash, secret})
	}
	return a, nil
}

func readSecret(file string) (hash [sha256.Size]byte, err error) {
	text, err := secretText(file)
	if err != nil {
		return hash, err
	}
	return sha256.Sum256(text), nil
}

// secretText is the file's content without one line end, which editors add and secrets do not have.
func secretText(file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read secret_file: %w", err)
	}
	if line, ok := bytes.CutSuffix(text, []byte("\n")); ok {
		text = bytes.TrimSuffix(line, []byte("\r"))
	}
	if len(text) < MinSecret {
		return nil, fmt.Errorf("secret_file %s is empty", file)
	}
	return text, nil
}

// Weak says whether the key's secret can be read and is shorter than AdvisedSecret.
func (c KeyConfig) Weak() bool {
	text, err := secretText(c.SecretFile)
	return err == nil && len(text) < AdvisedSecret
}

// Require lets a request through to next if its caller may do verb with any function, and hands the caller on for
// CallerOf. Which functions, next has to ask: Caller.May.
func (a *Auth) Require(verb Verb, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, refusal := a.caller(r)
		if refusal == nil && !slices.Contains(caller.allow, verb) {
			refusal = denied("this key may not " + string(verb))
		}
		if refusal == nil {
			refusal = caller.limit()
		}
		if refusal != nil {
			if refusal.Status == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", "Bearer")
			}
			refuse(w, refusal)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, caller)))
	})
}

type callerKey struct{}

// CallerOf returns who sent a request that Require let through.
func CallerOf(ctx context.Context) Caller {
	caller, _ := ctx.Value(callerKey{}).(Caller)
	return caller
}

func (a *Auth) caller(r *http.Request) (Caller, *dialects.Error) {
	if a == nil || len(a.keys) == 0 {
		return a.local(r)
	}
	secret, ok := bearer(r)
	if !ok {
		return Caller{}, &dialects.Error{Status: http.StatusUnauthorized, Code: dialects.CodeInvalidAccessKeyID,
			Message: "send Authorization: Bearer and the secret of a key, or, to the session API, what an SDK signs with it"}
	}
	if c := a.find(sha256.Sum256([]byte(secret))); c != nil {
		return *c, nil
	}
	return Caller{}, denied("no key has this secret")
}

// find compares with every key, in a time that depends on their number only: neither how much of a secret is right
// nor which key it is can be learned by measuring. That hashes are compared hides the length, too.
func (a *Auth) find(hash [sha256.Size]byte) *Caller {
	found := -1
	for i := range a.keys {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(a.keys[i].hash[:], hash[:]), i, found)
	}
	if found < 0 {
		return nil
	}
	return &a.keys[found].caller
}

// byID returns the key that a signature names; nil if there is none. IDs are no secrets.
func (a *Auth) byID(id string) *key {
	for i := range a.keys {
		if a.keys[i].caller.ID == id {
			return &a.keys[i]
		}
	}
	return nil
}

// bearer returns the secret of a request. A repeated header is none: a proxy on the way may look at the other one.
func bearer(r *http.Request) (secret string, ok bool) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, secret, _ := strings.Cut(values[0], " ")
	secret = strings.TrimSpace(secret)
	return secret, strings.EqualFold(scheme, "Bearer") && secret != ""
}

// local is the caller on a listener without keys, which is a loopback one. A page that a browser on this machine
// shows can reach it too, in two ways:
//
//   - DNS rebinding: evil.example first resolves to the attacker's server, then to 127.0.0.1. For the browser both
//     are one origin, so the page may read the answers. But it sends Host: evil.example, which is refused here.
//   - A form or a no-cors fetch sends, from any origin, what it may not read the answer of. It cannot hide its origin
//     (Sec-Fetch-Site, or Origin), so it is refused for whatever changes something.
func (a *Auth) local(r *http.Request) (Caller, *dialects.Error) {
	if !loopback(r.Host) {
		return Caller{}, denied("without keys, the host must be localhost or a loopback address")
	}
	origin := &http.CrossOriginProtection{}
	if a != nil {
		origin = &a.origin
	}
	if origin.Check(r) != nil {
		return Caller{}, denied("another site's page may not do this")
	}
	return Caller{functions: []string{AnyFunction}, allow: []Verb{Read, Write, Invoke}}, nil
}

// loopback says whether a Host header names this machine: localhost and the names below it (RFC 6761, section 6.3,
// has resolvers answer them with loopback addresses only), or a loopback address.
func loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsLoopback()
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
