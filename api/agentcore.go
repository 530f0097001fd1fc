package api

import (
	"net/http"

	"github.com/limpet-proxy/limpet/dialects"
	"github.com/limpet-proxy/limpet/sessions"
)

// routeAgentCore finds the operation of AgentCore's data plane, 2024-02-28. A function is named by its plain name or by
// the last part of an ARN.
func (a *SessionAPI) routeAgentCore(method string, s []string) (operation, *dialects.Error) {
	if len(s) < 3 {
		return operation{}, notFoundError()
	}
	name, ok := dialects.FunctionName(s[1])
	if !ok {
		return operation{}, dialects.FunctionNotFound(s[1], "")
	}
	// What the caller called it is what the answer calls it.
	as := func(run func(*call, string) (any, *dialects.Error)) func(*call) (any, *dialects.Error) {
		return func(c *call) (any, *dialects.Error) { return run(c, s[1]) }
	}
	var methods map[string]operation
	switch {
	case s[0] == "runtimes" && len(s) == 3 && s[2] == "stopruntimesession":
		methods = map[string]operation{http.MethodPost: {name: "StopRuntimeSession", verb: Write, run: (*call).agentStopRuntime, repeatable: true}}
	case s[0] == "runtimes" || len(s) != 4 || s[2] != "sessions":
	case s[3] == "start":
		methods = map[string]operation{http.MethodPut: {name: "StartCodeInterpreterSession", verb: Write, run: as((*call).agentStart), repeatable: true}}
	case s[3] == "get":
		methods = map[string]operation{http.MethodGet: {name: "GetCodeInterpreterSession", verb: Read, run: as((*call).agentGet)}}
	case s[3] == "list":
		methods = map[string]operation{http.MethodPost: {name: "ListCodeInterpreterSessions", verb: Read, run: as((*call).agentList)}}
	case s[3] == "stop":
		methods = map[string]operation{http.MethodPut: {name: "StopCodeInterpreterSession", verb: Write, run: as((*call).agentStop), repeatable: true}}
	}
	return pick(methods, method, name)
}

// AgentCore's words for a session's state.
const (
	agentReady      = "READY"
	agentTerminated = "TERMINATED"
)

// agentSession has the members of all answers about a session.
type agentSession struct {
	CodeInterpreterIdentifier string `json:"codeInterpreterIdentifier"`
	SessionID                 string `json:"sessionId"`
	Name                      string `json:"name,omitempty"`
	Status                    string `json:"status,omitempty"`
	SessionTimeoutSeconds     int64  `json:"sessionTimeoutSeconds,omitempty"`
	CreatedAt                 string `json:"createdAt,omitempty"`
	LastUpdatedAt             string `json:"lastUpdatedAt,omitempty"`
}

func agentStatus(s sessions.Session) string {
	if s.State == sessions.Active {
		return agentReady
	}
	return agentTerminated
}

// agentSummary is a session in a list.
func agentSummary(s sessions.Session, as string) agentSession {
	return agentSession{
		CodeInterpreterIdentifier: as, SessionID: s.ID, Name: s.Name, Status: agentStatus(s),
		CreatedAt: awsTime(s.CreatedAt), LastUpdatedAt: awsTime(updatedAt(s)),
	}
}

// agentTarget is the function of a call that names none of its qualifiers.
func (c *call) agentTarget() (Function, *dialects.Error) {
	c.qualifier = sessions.LatestQualifier
	return c.sessionful(c.function, c.qualifier)
}

// agentSessionID reads the ID out of the query.
func (c *call) agentSessionID() (string, *dialects.Error) {
	id, err := c.one("sessionId")
	if err == nil && (id == "" || len(id) > maxSessionID) {
		err = dialects.Invalid("sessionId", "accepted are 1 to 1024 characters")
	}
	c.session = id
	return id, err
}
