package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/api"
	"github.com/limpet-proxy/limpet/dialects"
)

const secret = "0123456789abcdef"

// file writes a secret file.
func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

func keys(t *testing.T, k ...api.KeyConfig) *api.Auth {
	t.Helper()
	auth, err := api.LoadKeys(api.AuthConfig{Keys: k})
	require.NoError(t, err)
	return auth
}

// reader is a key that may read everything.
func reader(t *testing.T) *api.Auth {
	t.Helper()
	return keys(t, api.KeyConfig{
		ID: "reader", SecretFile: file(t, secret+"\n"), Functions: []string{"*"}, Allow: []api.Verb{api.Read},
	})
}

// requireProblem checks the one shape of errors.
func requireProblem(t *testing.T, w *httptest.ResponseRecorder, status int, code dialects.Code) {
	t.Helper()
	require.Equal(t, status, w.Code, w.Body.String())
	require.EqualValues(t, code, w.Header().Get("Limpet-Error"))
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	var body map[string]string
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
	require.Len(t, body, 3)
	require.EqualValues(t, code, body["Code"])
	require.NotEmpty(t, body["Message"])
	require.Regexp(t, `^[0-9a-f]{32}$`, body["RequestId"])
	require.Equal(t, body["RequestId"], w.Header().Get("X-Request-Id"))
}

// send sends a request and says who next saw, if the request came that far.
func send(auth *api.Auth, verb api.Verb, r *http.Request) (w *httptest.ResponseRecorder, caller *api.Caller) {
	w = httptest.NewRecorder()
	auth.Require(verb, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		c := api.CallerOf(r.Context())
		caller = &c
	})).ServeHTTP(w, r)
	return w, caller
}

func request(method, host string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, "http://"+host+"/", nil)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func TestAKeyOpensWhatItMay(t *testing.T) {
	auth := keys(t,
		api.KeyConfig{ID: "one", SecretFile: file(t, secret+"\n"), Functions: []string{"*"}, Allow: []api.Verb{api.Read, api.Write}},
		api.KeyConfig{ID: "two", SecretFile: file(t, "another secret of two"), Functions: []string{"f"}, Allow: []api.Verb{api.Invoke}},
	)
	// Any Host: these keys may be used from elsewhere.
	w, caller := send(auth, api.Write, request("POST", "limpet.example", "Authorization: Bearer "+secret))
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "one", caller.ID)
	require.True(t, caller.May(api.Write, "any"))
	require.True(t, caller.May(api.Read, api.AnyFunction))
	require.False(t, caller.May(api.Invoke, "any"))

	_, caller = send(auth, api.Invoke, request("POST", "limpet.example", "Authorization: bearer  another secret of two"))
	require.NotNil(t, caller, "the scheme has no case, RFC 9110")
	require.Equal(t, "two", caller.ID)
	require.True(t, caller.May(api.Invoke, "f"))
	require.False(t, caller.May(api.Invoke, "g"))
	require.False(t, caller.May(api.Invoke, api.AnyFunction))
}

func TestRefusals(t *testing.T) {
	auth := reader(t)
	for name, headers := range map[string][]string{
		"none":        nil,
		"other":       {"Authorization: Basic " + secret},
		"no secret":   {"Authorization: Bearer"},
		"blank":       {"Authorization: Bearer  "},
		"bare secret": {"Authorization: " + secret},
		"two":         {"Authorization: Bearer " + secret, "Authorization: Bearer " + secret},
	} {
		t.Run("missing/"+name, func(t *testing.T) {
			w, caller := send(auth, api.Read, request("GET", "localhost", headers...))
			requireProblem(t, w, http.StatusUnauthorized, dialects.CodeInvalidAccessKeyID)
			require.Equal(t, "Bearer", w.Header().Get("WWW-Authenticate"))
			require.Nil(t, caller)
		})
	}
	for name, wrong := range map[string]string{
		"other": "fedcba9876543210", "prefix": secret[:15], "longer": secret + "0", "case": strings.ToUpper(secret), "id": "reader",
	} {
		t.Run("wrong/"+name, func(t *testing.T) {
			w, caller := send(auth, api.Read, request("GET", "localhost", "Authorization: Bearer "+wrong))
			requireProblem(t, w, http.StatusForbidden, dialects.CodeAccessDenied)
			require.Empty(t, w.Header().Get("WWW-Authenticate"))
			require.Nil(t, caller)
		})
	}
	t.Run("verb", func(t *testing.T) {
		w, caller := send(auth, api.Write, request("GET", "localhost", "Authorization: Bearer "+secret))
		requireProblem(t, w, http.StatusForbidden, dialects.CodeAccessDenied)
		require.Nil(t, caller)
	})
}

func TestWithoutKeysOnlyThisMachineMay(t *testing.T) {
	for name, auth := range map[string]*api.Auth{"nil": nil, "no keys": keys(t)} {
		for _, host := range []string{
			"localhost", "localhost:9090", "LOCALHOST.", "limpet.localhost:1", "127.0.0.1", "127.9.9.9:9090", "[::1]", "[::1]:9090",
			"[::ffff:127.0.0.1]:9090",
		} {
			t.Run(name+"/open/"+host, func(t *testing.T) {
				r := request("POST", "x")
				r.Host = host
				w, caller := send(auth, api.Write, r)
				require.Equal(t, http.StatusOK, w.Code)
				require.True(t, caller.May(api.Invoke, api.AnyFunction))
			})
		}
		for _, host := range []string{
			"", "evil.example", "evil.example:9090", "127.0.0.1.evil.example", "localhost.evil.example", "notlocalhost", "10.0.0.1",
			"[::]:9090", "0.0.0.0:9090", "2130706433",
		} {
			t.Run(name+"/rebinding/"+host, func(t *testing.T) {
				r := request("GET", "x")
				r.Host = host
				w, caller := send(auth, api.Read, r)
				requireProblem(t, w, http.StatusForbidden, dialects.CodeAccessDenied)
				require.Nil(t, caller)
			})
		}
	}
}

func TestWithoutKeysOtherSitesMayChangeNothing(t *testing.T) {
	for name, auth := range map[string]*api.Auth{"nil": nil, "no keys": keys(t)} {
		for _, header := range []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: http://evil.example"} {
			for _, method := range []string{"POST", "PUT", "DELETE"} {
				w, caller := send(auth, api.Write, request(method, "127.0.0.1:9090", header))
				requireProblem(t, w, http.StatusForbidden, dialects.CodeAccessDenied)
				require.Nil(t, caller, name)
			}
			_, caller := send(auth, api.Read, request("GET", "127.0.0.1:9090", header))
			require.NotNil(t, caller, "a link to the page")
		}
		for _, header := range []string{"Sec-Fetch-Site: same-origin", "Origin: http://127.0.0.1:9090", "User-Agent: curl"} {
			_, caller := send(auth, api.Write, request("POST", "127.0.0.1:9090", header))
			require.NotNil(t, caller, header)
		}
	}
}

func TestSecretFiles(t *testing.T) {
	key := func(text string) api.KeyConfig {
		return api.KeyConfig{ID: "k", SecretFile: file(t, text), Allow: []api.Verb{api.Read}}
	}
	for text, sent := range map[string]string{
		secret: secret, secret + "\n": secret, secret + "\r\n": secret, secret + "\n\n": "", secret + "\r": "",
	} {
		_, caller := send(keys(t, key(text)), api.Read, request("GET", "x.example", "Authorization: Bearer "+secret))
		require.Equal(t, sent != "", caller != nil, "%q", text)
	}
	for name, c := range map[string]struct {
		keys []api.KeyConfig
		says string
	}{
		"a line end":  {[]api.KeyConfig{key("\n")}, "is empty"},
		"empty":       {[]api.KeyConfig{key("")}, "is empty"},
		"same secret": {[]api.KeyConfig{key(secret), key(secret + "\n")}, "same secret"},
	} {
		t.Run(name, func(t *testing.T) {
			auth, err := api.LoadKeys(api.AuthConfig{Keys: c.keys})
			require.ErrorContains(t, err, c.says)
			require.Nil(t, auth)
			require.NotContains(t, err.Error(), secret[:15])
		})
	}
	_, err := api.LoadKeys(api.AuthConfig{Keys: []api.KeyConfig{{ID: "k", SecretFile: filepath.Join(t.TempDir(), "none")}}})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, `auth.keys[0] "k"`)
}

func TestTheZeroCallerMayNothing(t *testing.T) {
	caller := api.CallerOf(t.Context())
	require.False(t, caller.May(api.Read, api.AnyFunction))
}

// FuzzAuthorization sends whatever bytes as the header: none but the secret may open.
func FuzzAuthorization(f *testing.F) {
	name := filepath.Join(f.TempDir(), "secret")
	require.NoError(f, os.WriteFile(name, []byte(secret), 0o600))
	auth, err := api.LoadKeys(api.AuthConfig{Keys: []api.KeyConfig{{
		ID: "k", SecretFile: name, Functions: []string{"*"}, Allow: []api.Verb{api.Read},
	}}})
	require.NoError(f, err)
	for _, seed := range []string{"", "Bearer", "Bearer " + secret, "Bearer\t" + secret, "Basic x", secret, "bearer  " + secret + " "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest("GET", "http://x.example/", nil)
		r.Header["Authorization"] = []string{header}
		w, caller := send(auth, api.Read, r)
		opened := len(header) > 7 && strings.EqualFold(header[:7], "Bearer ") && strings.TrimSpace(header[7:]) == secret
		require.Equal(t, opened, caller != nil)
		if !opened {
			require.Contains(t, []int{401, 403}, w.Code)
		}
	})
}

// FuzzHost sends whatever bytes as the Host of a listener without keys.
func FuzzHost(f *testing.F) {
	for _, seed := range []string{"", "localhost", "[::1]:80", "127.0.0.1", "evil.example", "::1", "[", "[::1", "a:b:c", "localhost..", "[::1%25lo]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, host string) {
		r := httptest.NewRequest("GET", "http://x.example/", nil)
		r.Host = host
		_, caller := send(nil, api.Read, r)
		if caller == nil {
			return
		}
		lower := strings.ToLower(host)
		require.True(t, strings.Contains(lower, "localhost") || strings.Contains(lower, "127.") || strings.Contains(lower, ":"), "%q", host)
	})
}
