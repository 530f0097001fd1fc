package api

import (
	"net/http"

	"github.com/limpet-proxy/limpet/dialects"
)

// routeFC finds the operation of Function Compute's 2023-03-30 API. The order of methods is that of the SDK's operations.
func (a *SessionAPI) routeFC(method string, s []string) (operation, *dialects.Error) {
	if len(s) < 4 || s[1] != "functions" {
		return operation{}, notFoundError()
	}
	name, ok := dialects.FunctionName(s[2])
	if !ok {
		return operation{}, dialects.FunctionNotFound(s[2], "")
	}
	var methods map[string]operation
	switch {
	case len(s) == 4 && s[3] == "instances":
		methods = map[string]operation{http.MethodGet: {name: "ListInstances", verb: Read, run: (*call).fcListInstances}}
	case len(s) == 4 && s[3] == "sessions":
		methods = map[string]operation{
			http.MethodGet:  {name: "ListSessions", verb: Read, run: (*call).fcListSessions},
			http.MethodPost: {name: "CreateSession", verb: Write, run: (*call).fcCreateSession},
		}
	case len(s) == 5 && s[3] == "sessions":
		id := s[4]
		methods = map[string]operation{
			http.MethodGet:    {name: "GetSession", verb: Read, run: named(id, (*call).fcGetSession)},
			http.MethodPut:    {name: "UpdateSession", verb: Write, run: named(id, (*call).fcUpdateSession)},
			http.MethodDelete: {name: "DeleteSession", verb: Write, run: named(id, (*call).fcDeleteSession)},
		}
	case len(s) == 6 && s[3] == "sessions" && s[5] == "pause":
		methods = map[string]operation{http.MethodPut: {name: "PauseSession", verb: Write, run: notSupported}}
	case len(s) == 6 && s[3] == "sessions" && s[5] == "resume":
		methods = map[string]operation{http.MethodPut: {name: "ResumeSession", verb: Write, run: notSupported}}
	}
	return pick(methods, method, name)
}

// pick returns the operation of a path for a method.
func pick(methods map[string]operation, method, function string) (operation, *dialects.Error) {
	if methods == nil {
		return operation{}, notFoundError()
	}
	op, ok := methods[method]
	op.function = function
	if !ok {
		op.verb = Read
		return op, dialects.MethodNotAllowed(allowed(methods))
	}
	return op, nil
}

// allowed lists methods for the header Allow, in a fixed order.
func allowed(methods map[string]operation) string {
	list := ""
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if _, ok := methods[m]; ok {
			if list != "" {
				list += ", "
			}
			list += m
		}
	}
	return list
}

// named makes an operation on one session of one that takes the ID. It runs once the caller is known.
func named(id string, run func(*call, string) (any, *dialects.Error)) func(*call) (any, *dialects.Error) {
	return func(c *call) (any, *dialects.Error) {
		if id == "" || len(id) > maxSessionID {
			return nil, dialects.Invalid("sessionId", "accepted are 1 to 1024 characters")
		}
		c.session = id
		return run(c, id)
	}
}

// maxSessionID is the length in bytes of the longest session ID that is looked up: MCP's.
const maxSessionID = 1024

func notSupported(c *call) (any, *dialects.Error) {
	return nil, &dialects.Error{Code: dialects.CodeNotSupported, Status: http.StatusBadRequest, Message: c.name + " is not supported"}
}
