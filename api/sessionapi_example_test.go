package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/limpet-proxy/limpet/api"
	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/embeddedstore"
)

// A session that Function Compute's CreateSession made is ended by AWS Deadline Cloud's UpdateSession.
func ExampleSessionAPI() {
	store, err := embeddedstore.Open(embeddedstore.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	table := sessions.NewTable(sessions.TableConfig{
		Rules: sessions.Rules{Function: "counter", Qualifier: sessions.LatestQualifier, Config: sessions.DefaultConfig()},
		Cache: sessions.NewCache(sessions.CacheConfig{}), Store: store,
		Pool: fixedPool{{Version: sessions.LatestQualifier, ID: "home-scar", Incarnation: 1}},
	})
	functions := []api.Function{{Name: "counter", Qualifier: sessions.LatestQualifier, Affinity: sessions.AffinityHeader, Table: table}}
	made, err := api.SessionAPI{
		Deployment: "reef", Store: store, Functions: func() []api.Function { return functions },
		Secret: bytes.Repeat([]byte("s"), api.MinSharedSecret), // in truth the store's, so that replicas share it
	}.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	admin := httptest.NewServer(api.Admin{Sessions: made}.Handler())
	defer admin.Close()

	call := func(method, path, body string) (answer struct{ SessionID, ContainerID, SessionStatus, LifecycleStatus string }) {
		r, _ := http.NewRequest(method, admin.URL+path, strings.NewReader(body))
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			fmt.Println(err)
			return answer
		}
		defer response.Body.Close()
		_ = json.NewDecoder(response.Body).Decode(&answer)
		return answer
	}
	s := call("POST", "/2023-03-30/functions/counter/sessions", `{"sessionId":"limpet-1"}`)
	fmt.Println(s.SessionID, s.SessionStatus, "at", s.ContainerID)
	job := "/2023-10-12/farms/reef/queues/counter/jobs/LATEST/sessions/"
	call("PATCH", job+s.SessionID, `{"targetLifecycleStatus":"ENDED"}`)
	fmt.Println(call("GET", job+s.SessionID, "").LifecycleStatus)
	// Output:
	// limpet-1 Active at home-scar
	// ENDED
}
