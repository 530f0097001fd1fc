package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/api"
	"github.com/limpet-proxy/limpet/dialects"
	"github.com/limpet-proxy/limpet/sessions"
)

const deadlineSessions = "/2023-10-12/farms/reef/queues/counter/jobs/LATEST/sessions"

// ids are the derived names of the farm reef.
func derived(kind string, path ...string) string {
	return dialects.DeriveID(kind, append([]string{deployment}, path...)...)
}

func TestDeadline(t *testing.T) {
	w := newWorld(t)
	server := w.listen(t)
	send := func(method, target, body string) answer {
		return over(t, server, draft(t, admin, method, target, body))
	}
	id := w.started(t, admin, "")
	home := members(t, send("GET", fcSessions+"/"+id, ""))["containerId"].(string)
	fleet, worker := derived(dialects.FleetID, counter, "LATEST"), derived(dialects.WorkerID, counter, "LATEST", home)
	queue, job := derived(dialects.QueueID, counter), derived(dialects.JobID, counter, "LATEST")

	listed := send("GET", deadlineSessions, "")
	golden(t, dialects.Deadline, listed, `{"sessions":[{"sessionId":"session-HEX","fleetId":"fleet-HEX","workerId":"worker-HEX",`+
		`"startedAt":"MILLIS","lifecycleStatus":"STARTED"}]}`)
	require.Contains(t, listed.body, `"session-`+id+`","fleetId":"`+fleet+`","workerId":"`+worker+`"`)
	one := deadlineSessions + "/session-" + id
	golden(t, dialects.Deadline, send("GET", one, ""), `{"sessionId":"session-HEX","fleetId":"fleet-HEX","workerId":"worker-HEX",`+
		`"startedAt":"MILLIS","lifecycleStatus":"STARTED","log":{"logDriver":"none"}}`)
	ofWorker := send("GET", "/2023-10-12/farms/reef/fleets/"+fleet+"/workers/"+worker+"/sessions", "")
	golden(t, dialects.Deadline, ofWorker, `{"sessions":[{"sessionId":"session-HEX","queueId":"queue-HEX","jobId":"job-HEX",`+
		`"startedAt":"MILLIS","lifecycleStatus":"STARTED"}]}`)
	require.Contains(t, ofWorker.body, `"queueId":"`+queue+`","jobId":"`+job+`"`)

	use, err := w.tables["counter:LATEST"].Use(t.Context(), id)
	require.NoError(t, err)
	golden(t, dialects.Deadline, send("PATCH", one, `{"targetLifecycleStatus":"ENDED"}`), `{}`)
	golden(t, dialects.Deadline, send("GET", one, ""), `{"sessionId":"session-HEX","fleetId":"fleet-HEX","workerId":"worker-HEX",`+
		`"startedAt":"MILLIS","updatedAt":"MILLIS","lifecycleStatus":"UPDATE_IN_PROGRESS","targetLifecycleStatus":"ENDED","log":{"logDriver":"none"}}`)
	use.Release()
	golden(t, dialects.Deadline, send("PATCH", one, `{"targetLifecycleStatus":"ENDED"}`), `{}`)
}

// Whatever mixture of plain and derived names, and of a session's two IDs.
func TestDeadlineNames(t *testing.T) {
	w := newWorld(t)
	id := w.started(t, admin, "")
	own := strings.Repeat("0123", 8)
	members(t, w.call(t, admin, "POST", fcSessions, `{"sessionId":"session-`+own+`"}`))
	members(t, w.call(t, admin, "POST", fcSessions+"?qualifier=prod", `{"sessionId":"at_prod"}`))
	home := members(t, w.call(t, admin, "GET", fcSessions+"/at_prod?qualifier=prod", ""))["containerId"].(string)
	for _, farm := range []string{deployment, derived(dialects.FarmID)} {
		for _, queue := range []string{counter, derived(dialects.QueueID, counter)} {
			jobs := "/2023-10-12/farms/" + farm + "/queues/" + queue + "/jobs/"
			for _, job := range []string{"LATEST", derived(dialects.JobID, counter, "LATEST")} {
				for _, session := range []string{id, "session-" + id, "session-" + own} {
					got := members(t, w.call(t, admin, "GET", jobs+job+"/sessions/"+session, ""))
					require.Equal(t, "session-"+strings.TrimPrefix(session, "session-"), got["sessionId"])
				}
				requireRefusal(t, dialects.Deadline, w.call(t, admin, "GET", jobs+job+"/sessions/"+own, ""), 404, "ResourceNotFoundException")
			}
			got := members(t, w.call(t, admin, "GET", jobs+derived(dialects.JobID, counter, prod)+"/sessions/at_prod", ""))
			require.Equal(t, derived(dialects.WorkerID, counter, prod, home), got["workerId"])
		}
		for fleet, list := range map[string]string{
			counter: "LATEST", "counter:LATEST": "LATEST", "counter%3Aprod": prod, derived(dialects.FleetID, counter, prod): prod,
		} {
			for _, h := range w.homes[counter+":"+list] {
				for _, worker := range []string{h.ID, derived(dialects.WorkerID, counter, list, h.ID)} {
					target := "/2023-10-12/farms/" + farm + "/fleets/" + fleet + "/workers/" + worker + "/sessions"
					for _, s := range members(t, w.call(t, admin, "GET", target, ""))["sessions"].([]any) {
						require.Equal(t, derived(dialects.JobID, counter, list), s.(map[string]any)["jobId"], target)
					}
				}
			}
		}
	}
	// It ends the one that was meant, which was made by a client with the vendor's form.
	members(t, w.call(t, admin, "PATCH", deadlineSessions+"/session-"+own, `{"targetLifecycleStatus":"ENDED"}`))
	requireRefusal(t, dialects.FC, w.call(t, admin, "GET", fcSessions+"/session-"+own, ""), 404, "SessionNotFound")
	members(t, w.call(t, admin, "GET", fcSessions+"/"+id, ""))
}

// A name of the vendor's form is its own derived ID.
func TestDeadlineNameOfTheVendorsForm(t *testing.T) {
	digits := strings.Repeat("ab", 16)
	queue, job, farm := "queue-"+digits, "job-"+digits, "farm-"+digits
	w := newWorld(t, func(a *api.SessionAPI) {
		all := a.Functions()
		table := sessions.NewTable(sessions.TableConfig{
			Rules: sessions.Rules{Function: queue, Qualifier: job, Affinity: sessions.AffinityHeader, Config: sessions.DefaultConfig()},
			Cache: sessions.NewCache(sessions.CacheConfig{}), Store: a.Store.(*faulty), Pool: fixedPool{{Version: job, ID: "worker-" + digits, Incarnation: 1}},
		})
		all = append(all, api.Function{Name: queue, Qualifier: job, Affinity: sessions.AffinityHeader, Table: table})
		a.Functions, a.Deployment = func() []api.Function { return all }, farm
	})
	members(t, w.call(t, admin, "POST", "/2023-03-30/functions/"+queue+"/sessions?qualifier="+job, `{"sessionId":"s"}`))
	got := members(t, w.call(t, admin, "GET", "/2023-10-12/farms/"+farm+"/queues/"+queue+"/jobs/"+job+"/sessions/s", ""))
	require.Equal(t, "worker-"+digits, got["workerId"])
	requireRefusal(t, dialects.Deadline, w.call(t, admin, "GET", "/2023-10-12/farms/reef/queues/"+queue+"/jobs/"+job+"/sessions/s", ""), 404, "ResourceNotFoundException")
}

func TestDeadlineLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var want []string
		for i := range 5 {
			id := fmt.Sprintf("s%d", i)
			members(t, w.call(t, admin, "POST", fcSessions, `{"sessionId":"`+id+`"}`))
			want = append(want, id)
			time.Sleep(time.Second)
		}
		members(t, w.call(t, admin, "PATCH", deadlineSessions+"/s0", `{"targetLifecycleStatus":"ENDED"}`))
		want = append(want[1:], "s0")
		time.Sleep(time.Millisecond)
		for _, size := range []string{"1", "2", "100", ""} {
			var got []string
			for _, page := range w.pages(t, admin, deadlineSessions+"?maxResults="+size, "sessions", "sessionId") {
				got = append(got, page...)
			}
			require.Equal(t, want, got)
		}
		ended := members(t, w.call(t, admin, "GET", deadlineSessions+"/s0", ""))
		require.Equal(t, "ENDED", ended["lifecycleStatus"])
		require.Equal(t, ended["endedAt"], ended["updatedAt"])
		require.Nil(t, ended["targetLifecycleStatus"])

		// A deleted session is listed for as long as its requests run: it is Ending.
		use, err := w.tables["counter:LATEST"].Use(t.Context(), "s1")
		require.NoError(t, err)
		defer use.Release()
		members(t, w.call(t, admin, "DELETE", fcSessions+"/s1", ""))
		require.Equal(t, "UPDATE_IN_PROGRESS", members(t, w.call(t, admin, "GET", deadlineSessions+"/s1", ""))["lifecycleStatus"])
		members(t, w.call(t, admin, "PATCH", deadlineSessions+"/s1", `{"targetLifecycleStatus":"ENDED"}`))
		requireRefusal(t, dialects.AgentCore, w.call(t, admin, "GET", agentSessions+"get?sessionId=s1", ""), 404, "ResourceNotFoundException")
		golden(t, dialects.FC, w.call(t, admin, "GET", fcSessions+"?sessionId=s1", ""), `{"sessions":[]}`)
		time.Sleep(time.Millisecond)
		require.Contains(t, w.call(t, admin, "GET", deadlineSessions, "").body, `"sessionId":"s1"`)

		// One that is kept shows nothing of that in the words of the others.
		running, err := w.tables["counter:LATEST"].Use(t.Context(), "s2")
		require.NoError(t, err)
		defer running.Release()
		members(t, w.call(t, admin, "PATCH", deadlineSessions+"/s2", `{"targetLifecycleStatus":"ENDED"}`))
		require.Equal(t, "UPDATE_IN_PROGRESS", members(t, w.call(t, admin, "GET", deadlineSessions+"/s2", ""))["lifecycleStatus"])
		require.Equal(t, "TERMINATED", members(t, w.call(t, admin, "GET", agentSessions+"get?sessionId=s2", ""))["status"])
		require.Equal(t, [][]string{{"Expired"}}, w.pages(t, admin, fcSessions+"?sessionId=s2", "sessions", "sessionStatus"))

		for target := range map[string]bool{deadlineSessions: true, "/2023-10-12/farms/reef/fleets/counter/workers/a/sessions": true} {
			for _, query := range []string{"maxResults=0", "maxResults=101", "maxResults=x", "nextToken=x", "maxResults=1&maxResults=1", "maxResults=1;"} {
				refused := requireRefusal(t, dialects.Deadline, w.call(t, admin, "GET", target+"?"+query, ""), 400, "ValidationException")
				require.Equal(t, "FIELD_VALIDATION_FAILED", refused["reason"])
			}
		}
	})
}

// A job is there as long as it has sessions, whatever is configured by now.
func TestDeadlineJobsOfThePast(t *testing.T) {
	w := newWorld(t)
	members(t, w.call(t, admin, "POST", fcSessions+"?qualifier=prod", `{"sessionId":"s"}`))
	w = w.again(t, func(a *api.SessionAPI) {
		latest := a.Functions()[:1]
		a.Functions = func() []api.Function { return latest }
	})
	for _, job := range []string{prod, derived(dialects.JobID, counter, prod)} {
		target := strings.Replace(deadlineSessions, "LATEST", job, 1)
		require.Len(t, members(t, w.call(t, admin, "GET", target, ""))["sessions"], 1)
		members(t, w.call(t, admin, "GET", target+"/s", ""))
		requireRefusal(t, dialects.Deadline, w.call(t, admin, "PATCH", target+"/s", `{"targetLifecycleStatus":"ENDED"}`), 404, "ResourceNotFoundException")
	}
}

func TestDeadlineRefusals(t *testing.T) {
	w := newWorld(t)
	members(t, w.call(t, admin, "POST", fcSessions, `{"sessionId":"s"}`))
	const farm = "/2023-10-12/farms/reef/"
	for target, kind := range map[string]string{
		"/2023-10-12/farms/other/queues/counter/jobs/LATEST/sessions":                                  "farm",
		"/2023-10-12/farms/farm-" + strings.Repeat("0", 32) + "/queues/counter/jobs/LATEST/sessions/s": "farm",
		"/2023-10-12/farms/other/fleets/counter/workers/a/sessions":                                    "farm",
		farm + "queues/none/jobs/LATEST/sessions":                                                      "queue",
		farm + "queues/Counter/jobs/LATEST/sessions":                                                   "queue",
		farm + "queues/counter/jobs/none/sessions/s":                                                   "job",
		farm + "queues/counter/jobs/latest/sessions":                                                   "job",
		farm + "queues/counter/jobs/LATEST/sessions/none":                                              "session",
		farm + "queues/counter/jobs/" + derived(dialects.JobID, tiny, "LATEST") + "/sessions":          "job",
		farm + "fleets/none/workers/a/sessions":                                                        "fleet",
		farm + "fleets/counter/workers/none/sessions":                                                  "worker",
		farm + "fleets/counter:prod/workers/b/sessions":                                                "worker",
	} {
		refused := requireRefusal(t, dialects.Deadline, w.call(t, admin, "GET", target, ""), 404, "ResourceNotFoundException")
		require.Equal(t, kind, refused["resourceType"], target)
		require.NotEmpty(t, refused["resourceId"])
	}
	for body, reason := range map[string]string{
		``: "FIELD_VALIDATION_FAILED", `{}`: "FIELD_VALIDATION_FAILED", `{"targetLifecycleStatus":"STARTED"}`: "FIELD_VALIDATION_FAILED",
		`{"targetLifecycleStatus":"ended"}`: "FIELD_VALIDATION_FAILED", `{"targetLifecycleStatus":1}`: "FIELD_VALIDATION_FAILED", `[]`: "CANNOT_PARSE", `{`: "CANNOT_PARSE",
	} {
		refused := requireRefusal(t, dialects.Deadline, w.call(t, admin, "PATCH", deadlineSessions+"/s", body), 400, "ValidationException")
		require.Equal(t, reason, refused["reason"], body)
	}
	requireRefusal(t, dialects.Deadline, w.call(t, admin, "PATCH", deadlineSessions+"/none", `{"targetLifecycleStatus":"ENDED"}`), 404, "ResourceNotFoundException")
	requireRefusal(t, dialects.Deadline, w.call(t, admin, "PATCH", farm+"queues/plain/jobs/LATEST/sessions/s", `{"targetLifecycleStatus":"ENDED"}`), 400, "ValidationException")
	for target, allow := range map[string]string{deadlineSessions: "GET", deadlineSessions + "/s": "GET, PATCH"} {
		a := w.call(t, admin, "PUT", target, "")
		requireRefusal(t, dialects.Deadline, a, http.StatusMethodNotAllowed, "UnknownOperationException")
		require.Equal(t, allow, a.header.Get("Allow"))
	}
	members(t, w.call(t, admin, "GET", fcSessions+"/s", ""))
}
