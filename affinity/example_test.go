package affinity_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/sessions"
)

func ExampleNew() {
	rule, err := affinity.New(affinity.DefaultConfig(), affinity.Scope{Function: "counter"})
	if err != nil {
		fmt.Println(err)
		return
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-Session-Id", "alice")
	claim, err := rule.Extract(r)
	fmt.Println(claim.ID, claim.Fresh, err)

	r.Header.Add("X-Session-Id", "bob")
	_, err = rule.Extract(r)
	fmt.Println(err)
	// Output:
	// alice false <nil>
	// invalid session ID: header X-Session-Id is given 2 times, accepted is once
}

func ExampleNew_cookie() {
	keys, err := affinity.NewKeys([]byte("an-example-of-a-signing-key-0001"))
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg := affinity.DefaultConfig()
	cfg.Type = sessions.AffinityCookie
	rule, err := affinity.New(cfg, affinity.Scope{Function: "counter", Keys: keys})
	if err != nil {
		fmt.Println(err)
		return
	}

	// A browser's first request has no cookie. The response gives it one.
	first := httptest.NewRequest(http.MethodGet, "/", nil)
	claim, _ := rule.Extract(first)
	header := http.Header{}
	rule.Respond(header, affinity.Grant{ID: claim.ID, Issue: claim.Fresh, TTL: time.Hour, Secure: true})
	cookie, _ := http.ParseSetCookie(header.Get("Set-Cookie"))
	fmt.Println(claim.Fresh, cookie.Name, cookie.MaxAge, cookie.HttpOnly, cookie.Secure, header.Get("Cache-Control"))

	// It comes back with the next one, to the same session. The instance does not see it.
	next := httptest.NewRequest(http.MethodGet, "/", nil)
	next.Header.Set("Cookie", "theme=dark; limpet-session="+cookie.Value)
	again, _ := rule.Extract(next)
	rule.Forward(next.Header, again.ID)
	fmt.Println(again.ID == claim.ID, again.Fresh, next.Header.Get("Cookie"))
	// Output:
	// true limpet-session 3600 true true private
	// true false theme=dark
}

func ExampleNewKeys() {
	keys, err := affinity.NewKeys([]byte("an-example-of-a-signing-key-0002"), []byte("an-example-of-a-signing-key-0001"))
	fmt.Println(keys, err)
	_, err = affinity.NewKeys([]byte("password"))
	fmt.Println(err)
	// Output:
	// signing keys: 2 <nil>
	// key 1: 8 bytes, accepted are 32 or more
}

func ExampleParseKeys() {
	keys, err := affinity.ParseKeys([]byte(`
# signs since May
an-example-of-a-signing-key-0002
# signed until May; to be removed when its last cookie has expired
an-example-of-a-signing-key-0001
`))
	fmt.Println(keys, err)
	// Output: signing keys: 2 <nil>
}

func ExampleLoadKeys() {
	dir, err := os.MkdirTemp("", "limpet")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "keys")
	if err := os.WriteFile(path, []byte("an-example-of-a-signing-key-0001\n"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(affinity.LoadKeys(path))
	// Output: signing keys: 1 <nil>
}

func ExampleNewID() {
	id := affinity.NewID()
	fmt.Println(len(id), strings.Trim(id, "0123456789abcdef") == "")
	// Output: 32 true
}

func ExampleDefaultConfig() {
	cfg := affinity.DefaultConfig()
	fmt.Println(cfg.Type, cfg.Header, cfg.Cookie.Name)
	// Output: HEADER_FIELD X-Session-Id limpet-session
}

func ExampleConfig_Validate() {
	cfg := affinity.DefaultConfig()
	cfg.Header = "x-fc-session"
	cfg.Cookie.SameSite, cfg.Cookie.Secure = affinity.SameSiteNone, affinity.SecureNever
	cfg.Validate(func(key, problem string) { fmt.Printf("%s: %s\n", key, problem) })
	// Output:
	// header: begins with x-fc-, which is reserved; accepted is a name of your own such as X-Session-Id
	// cookie.same_site: none makes browsers refuse a cookie without Secure, accepted with secure: never are lax and strict
}
