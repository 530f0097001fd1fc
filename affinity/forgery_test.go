package affinity_test

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/affinity"
)

func TestCookieOneByteChangedIsRefused(t *testing.T) {
	rule := cookieRule(t, scope(t, secretA, secretB))
	value := issueValue(t, rule, affinity.NewID())
	tried := 0
	refused := func(changed string) {
		first, _, _ := strings.Cut(changed, ";")
		if strings.TrimRight(first, " \t\r\n") == value {
			return // the byte went behind the value, which it does not change
		}
		tried++
		if claim := extract(t, rule, "limpet-session="+changed); !claim.Fresh {
			t.Fatalf("adopted %q for %q", changed, value)
		}
	}
	for i := range len(value) {
		refused(value[:i] + value[i+1:])
		for b := range 256 {
			refused(value[:i] + string([]byte{byte(b)}) + value[i:])
			if byte(b) != value[i] {
				refused(value[:i] + string([]byte{byte(b)}) + value[i+1:])
			}
		}
	}
	require.Greater(t, tried, 10_000)
}

func TestCookieRandomChangesAreRefused(t *testing.T) {
	rule := cookieRule(t, scope(t, secretA))
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	value := issueValue(t, rule, affinity.NewID())
	for range 10_000 {
		changed := []byte(value)
		changed[random.IntN(len(changed))] ^= byte(1 + random.IntN(255))
		if claim := extract(t, rule, "limpet-session="+string(changed)); !claim.Fresh {
			t.Fatalf("adopted %q, seed %d", changed, seed)
		}
	}
}

func TestCookieForgeriesAreRefused(t *testing.T) {
	rule := cookieRule(t, scope(t, secretA))
	id := affinity.NewID()
	value := issueValue(t, rule, id)
	field := strings.Split(value, ".")
	require.Len(t, field, 5)
	other := strings.Split(issueValue(t, rule, affinity.NewID()), ".")
	for name, forged := range map[string]string{
		"plain ID":                id,
		"no MAC":                  strings.Join(field[:4], "."),
		"empty MAC":               strings.Join(field[:4], ".") + ".",
		"another's MAC":           strings.Join(field[:4], ".") + "." + other[4],
		"padded MAC":              value + "=",
		"quoted":                  `"` + value + `"`,
		"percent-encoded":         "%76" + value[1:],
		"one field more":          value + ".x",
		"leading zero in expiry":  strings.Join([]string{field[0], field[1], field[2], "0" + field[3], field[4]}, "."),
		"sign in expiry":          strings.Join([]string{field[0], field[1], field[2], "+" + field[3], field[4]}, "."),
		"later expiry":            strings.Join([]string{field[0], field[1], field[2], "99999999999", field[4]}, "."),
		"another version":         "v2" + value[2:],
		"upper-case version":      "V1" + value[2:],
		"over-long":               value + strings.Repeat("A", 4096),
		"over-long ID":            strings.Join([]string{field[0], field[1], strings.Repeat("x", 65), field[3], field[4]}, "."),
		"fields shifted":          strings.Join([]string{field[0], field[1], field[2] + field[3][:1], field[3][1:], field[4]}, "."),
		"leading blank":           " " + value,
		"second form of the MAC":  value[:len(value)-1] + nextBase64(value[len(value)-1]),
		"upper-case ID":           strings.Join([]string{field[0], field[1], strings.ToUpper(field[2]) + "A", field[3], field[4]}, "."),
		"key ID of no key":        strings.Join([]string{field[0], "AAAAAAAA", field[2], field[3], field[4]}, "."),
		"only dots":               "....",
		"nothing":                 "",
		"newline inside the MAC":  value[:len(value)-4] + "\n" + value[len(value)-4:],
		"value of the name alone": "limpet-session",
	} {
		requireFresh(t, extract(t, rule, "limpet-session="+forged), name)
	}
	requireFresh(t, extract(t, rule, "limpet-session"), "no value")
	requireFresh(t, extract(t, rule, "limpet-sessio="+value), "a shorter name")
	requireFresh(t, extract(t, rule, "limpet-session2="+value), "a longer name")
	requireFresh(t, extract(t, rule, "Limpet-Session="+value), "a name in other case")
	requireFresh(t, extract(t, rule, "=limpet-session="+value), "no name")
}

func nextBase64(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, c)^1])
}

func TestCookieOfAnIllFormedIDIsRefused(t *testing.T) {
	rule := cookieRule(t, scope(t, secretA))
	for _, id := range []string{"-a", "a.b", "a b", "ä", strings.Repeat("x", 65)} {
		for _, cookie := range request(http.Header{"Cookie": {"limpet-session=" + issueValue(t, rule, id)}}).Cookies() {
			requireFresh(t, extract(t, rule, "limpet-session="+cookie.Value), id)
		}
	}
}
