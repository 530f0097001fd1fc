package redisstore

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
)

// MaxKeyPrefix is the length in bytes of the longest key prefix: every key of every session carries it.
const MaxKeyPrefix = 64

// Validate calls report for everything that no Redis could be reached or used with. It reads PasswordFile.
func (c Config) Validate(report func(key, problem string)) {
	c.validateAddrs(report)
	c.validateLogin(report)
	if problem := badPrefix(c.KeyPrefix); problem != "" {
		report("key_prefix", problem)
	}
	if !slices.Contains([]OutagePolicy{OutageBounded, OutageAvailable, OutageStrict}, c.OnOutage) {
		report("on_outage", fmt.Sprintf("%q is no outage policy, accepted is bounded, available or strict", string(c.OnOutage)))
	}
	if c.StaleMax < 0 {
		report("stale_max", fmt.Sprintf("%v is negative, accepted is 0 or more", c.StaleMax))
	}
}

func (c Config) validateAddrs(report func(key, problem string)) {
	if len(c.Addrs) == 0 {
		report("addrs", "is empty, accepted is one host:port for a standalone Redis, several for a Cluster or for sentinels")
	}
	for i, addr := range c.Addrs {
		key := fmt.Sprintf("addrs[%d]", i)
		switch host, port, err := net.SplitHostPort(addr); {
		case err != nil, host == "", !validPort(port):
			report(key, fmt.Sprintf("%q is no address of a Redis, accepted is host:port such as %s", addr, DefaultAddr))
		case slices.Index(c.Addrs, addr) < i:
			report(key, fmt.Sprintf("%q is given twice, accepted is each address once", addr))
		}
	}
}

func validPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// validateLogin refuses a user without a password because the client would then not log in at all, and Redis would
// answer as its default user.
func (c Config) validateLogin(report func(key, problem string)) {
	if c.PasswordFile == "" {
		if c.Username != "" {
			report("username", "is not used without a password, accepted is a username together with password_file")
		}
		return
	}
	switch secret, err := os.ReadFile(c.PasswordFile); {
	case err != nil:
		report("password_file", fmt.Sprintf("cannot be read (%v), accepted is a file that holds the password", err))
	case len(bytes.TrimSpace(secret)) == 0:
		report("password_file", fmt.Sprintf("%q is empty, accepted is a file that holds the password", c.PasswordFile))
	}
}

// badPrefix says what is wrong with a key prefix, or "". A brace would make a hash tag of its own, which puts keys
// that one script needs on different masters; a colon at an end would make an empty part in every key's name.
func badPrefix(p string) string {
	const accepted = "accepted is 1 to 64 printable ASCII characters without spaces and braces, no colon first or last"
	switch {
	case p == "":
		return "is empty, " + accepted
	case len(p) > MaxKeyPrefix:
		return fmt.Sprintf("is %d bytes long, %s", len(p), accepted)
	case strings.HasPrefix(p, ":"), strings.HasSuffix(p, ":"), strings.ContainsFunc(p, notInPrefix):
		return fmt.Sprintf("%q cannot begin a key, %s", p, accepted)
	}
	return ""
}

func notInPrefix(r rune) bool { return r <= ' ' || r > '~' || r == '{' || r == '}' }
