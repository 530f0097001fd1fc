package api

import (
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// AnyFunction in a key's functions stands for all of them.
const AnyFunction = "*"

// maxKeyID is the length in bytes of the longest key ID, which is that of the longest access key ID of AWS.
const maxKeyID = 128

// DefaultKeyConfig returns what the keys left out of an entry of auth.keys mean: a key is limited to functions and
// to verbs only where it says so. An empty list, written out, is refused.
func DefaultKeyConfig() KeyConfig {
	return KeyConfig{Functions: []string{AnyFunction}, Allow: []Verb{Read, Write, Invoke}}
}

// Validate calls report for every key that nobody could use or that two callers would share. It reads the secret
// files, and accepts what LoadKeys accepts. Whether the functions exist is for a caller to say who knows them.
func (c AuthConfig) Validate(report func(key, problem string)) {
	ids, secrets := map[string]int{}, map[[sha256.Size]byte]int{}
	for i, k := range c.Keys {
		at := fmt.Sprintf("keys[%d].", i)
		k.Validate(func(key, problem string) { report(at+key, problem) })
		if first, twice := ids[k.ID]; twice && k.ID != "" {
			report(at+"id", fmt.Sprintf("%q is the id of keys[%d] too, accepted is an id of its own", k.ID, first))
		} else {
			ids[k.ID] = i
		}
		hash, err := readSecret(k.SecretFile)
		if err != nil {
			continue
		}
		if first, twice := secrets[hash]; twice {
			report(at+"secret_file", fmt.Sprintf("holds the secret of keys[%d], accepted is a secret of its own", first))
		} else {
			secrets[hash] = i
		}
	}
}

// Validate calls report for everything that makes the key unusable.
func (k KeyConfig) Validate(report func(key, problem string)) {
	const acceptedID = "accepted are 1 to 128 letters, digits, _ . and -"
	switch {
	case k.ID == "":
		report("id", "is missing, "+acceptedID)
	case !validKeyID(k.ID):
		report("id", fmt.Sprintf("%.40q is no key ID, %s", k.ID, acceptedID))
	}
	if k.SecretFile == "" {
		report("secret_file", "is missing, accepted is a file that holds the secret")
	} else if _, err := readSecret(k.SecretFile); err != nil {
		report("secret_file", fmt.Sprintf("%v, accepted is a file that holds the secret", err))
	}
	if len(k.Functions) == 0 {
		report("functions", `is empty, accepted is a list of function names, or ["*"] for all`)
	}
	if len(k.Allow) == 0 {
		report("allow", "is empty, accepted is a list of read, write and invoke")
	}
	if !(k.Rate >= 0) || math.IsInf(k.Rate, 0) { // not a number is neither
		report("rate", fmt.Sprintf("%v is no rate, accepted is a number of calls a second, or 0 for no limit", k.Rate))
	}
	for i, v := range k.Allow {
		if !slices.Contains([]Verb{Read, Write, Invoke}, v) {
			report(fmt.Sprintf("allow[%d]", i), fmt.Sprintf("%.40q is no verb, accepted are read, write and invoke", string(v)))
		}
	}
}

// validKeyID keeps out what separates the parts of a signed request's Authorization header: slash, comma, equals
// sign, space.
func validKeyID(id string) bool {
	return len(id) <= maxKeyID && !strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_.-", r)
	})
}

// Validate calls report for a ceiling under which no session could be made.
func (c SessionsConfig) Validate(report func(key, problem string)) {
	for key, ttl := range map[string]time.Duration{"max_ttl.fc": c.MaxTTL.FC, "max_ttl.agentcore": c.MaxTTL.AgentCore} {
		if ttl < time.Second {
			report(key, fmt.Sprintf("%v is too short, accepted is 1s or more", ttl))
		}
	}
}
