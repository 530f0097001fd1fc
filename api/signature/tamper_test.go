package signature_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/api/signature"
)

// span is a part of a request on the wire that its signature covers.
type span struct {
	name     string
	from, to int
}

// covered finds the method, path, query, each signed header's value, the Authorization header's value and, unless the
// client left it unsigned, the body.
func covered(wire string) (spans []span) {
	add := func(name string, from, to int) {
		if to > from {
			spans = append(spans, span{name, from, to})
		}
	}
	first := strings.Index(wire, "\r\n")
	end := strings.Index(wire, "\r\n\r\n")
	method := strings.IndexByte(wire, ' ')
	target := strings.LastIndexByte(wire[:first], ' ')
	path := target
	if q := strings.IndexByte(wire[:target], '?'); q > 0 {
		path = q
		add("query", q+1, target)
	}
	add("method", 0, method)
	add("path", method+1, path)
	_, names, _ := strings.Cut(wire, "SignedHeaders=")
	names, _, _ = strings.Cut(names, ",")
	for at := first + 2; at < end+2; {
		stop := at + strings.Index(wire[at:], "\r\n")
		name, _, _ := strings.Cut(wire[at:stop], ":")
		lower := strings.ToLower(name)
		if lower == "authorization" || strings.Contains(";"+names+";", ";"+lower+";") {
			add(lower, at+len(name)+2, stop)
		}
		at = stop + 2
	}
	if !strings.Contains(wire, signature.UnsignedPayload) {
		add("body", end+4, len(wire))
	}
	return spans
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// change makes a single-byte change at a place in a span: it puts another byte there, takes a letter or digit out, or
// puts a letter in. ok is false if the place allows no such change, because what is signed stays the same: the byte is
// the same; the query is spelled otherwise and holds the same parameters; or one of several spaces, which SigV4 signs as
// one, becomes a line end, and net/http reads the folded line (RFC 9112, section 5.2) with one space.
func change(wire string, s span, place int, kind uint8, value byte) (changed string, ok bool) {
	at := s.from + place%(s.to-s.from)
	switch kind % 4 {
	case 0:
		if !alphanumeric(wire[at]) {
			return "", false
		}
		changed = wire[:at] + wire[at+1:]
	case 1:
		changed = wire[:at] + "x" + wire[at:]
	default:
		folds := value == '\n' && strings.HasPrefix(wire[at:], "  ")
		if wire[at] == value || folds {
			return "", false
		}
		changed = wire[:at] + string([]byte{value}) + wire[at+1:]
	}
	return changed, s.name != "query" || !sameParameters(wire[s.from:s.to], changed[s.from:s.to+len(changed)-len(wire)])
}

func sameParameters(a, b string) bool {
	before, err := url.ParseQuery(a)
	after, err2 := url.ParseQuery(b)
	return err == nil && err2 == nil && fmt.Sprint(before) == fmt.Sprint(after)
}

func TestEverySingleByteChangeIsRefused(t *testing.T) {
	const changes = 12_000
	wires := recorded(t)
	wires["acs3"], wires["sigv4"] = acs3().wire(), sigV4().wire()
	length := with(sigV4(), "content-length", "18")
	wires["length"] = length.wire()
	random := rand.New(rand.NewPCG(1, 2))
	done, refused := 0, map[string]int{} // done: those that net/http let through
	for done < changes {
		for _, name := range slices.Sorted(maps.Keys(wires)) {
			wire := wires[name]
			_, err := check(request(t, wire))
			require.NoError(t, err, name)
			for _, s := range covered(wire) {
				changed, ok := change(wire, s, random.IntN(1<<20), uint8(random.UintN(256)), byte(random.UintN(256)))
				if !ok {
					continue
				}
				if requireRefused(t, changed, name+": "+s.name) {
					refused[s.name]++
					done++
				}
			}
		}
	}
	for _, part := range []string{"method", "path", "query", "host", "x-acs-date", "x-amz-date", "x-amz-security-token", "authorization", "body"} {
		require.Greater(t, refused[part], 100, part)
	}
}

// requireRefused sends bytes through net/http's own parser first. What that refuses reaches nobody, and proves nothing:
// then it returns false.
func requireRefused(t testing.TB, wire, name string) bool {
	t.Helper()
	r, err := read(wire)
	if err != nil {
		return false
	}
	_, err = check(r)
	require.Error(t, err, "%s\n%q", name, wire)
	return true
}
