package api

import (
	"net/http"

	"github.com/limpet-proxy/limpet/dialects"
)

// isOwn says whether a path is of Limpet's own operations on one function: /limpet/v1/functions/{function}/…
func isOwn(s []string) bool {
	return len(s) > 3 && s[0] == "limpet" && s[1] == "v1" && s[2] == "functions"
}

// routeOwn finds the operation of Limpet's own, which no dialect has: of an instance, and of its drain.
func (a *SessionAPI) routeOwn(method string, s []string) (operation, *dialects.Error) {
	name, ok := dialects.FunctionName(s[3])
	if !ok {
		return operation{}, dialects.FunctionNotFound(s[3], "")
	}
	var methods map[string]operation
	switch {
	case len(s) == 6 && s[4] == "instances":
		methods = map[string]operation{http.MethodGet: {name: "GetInstance", verb: Read, run: onInstance(s[5], (*call).getInstance)}}
	case len(s) == 7 && s[4] == "instances" && s[6] == "drain":
		methods = map[string]operation{
			http.MethodPut:    {name: "DrainInstance", verb: Write, run: onInstance(s[5], (*call).drainInstance)},
			http.MethodDelete: {name: "UndrainInstance", verb: Write, run: onInstance(s[5], (*call).undrainInstance)},
		}
	}
	return pick(methods, method, name)
}

// maxInstanceID is the length in bytes of the longest instance ID that is looked up.
const maxInstanceID = 256

// onInstance makes an operation of one that takes the function and its instance. It runs once the caller is known.
func onInstance(id string, run func(*call, Function) (any, *dialects.Error)) func(*call) (any, *dialects.Error) {
	return func(c *call) (any, *dialects.Error) {
		if len(id) > maxInstanceID {
			return nil, dialects.Invalid("instance", "accepted are 1 to 256 characters")
		}
		c.instance = id
		q, err := dialects.QualifierOf(c.r)
		if err != nil {
			return nil, err
		}
		c.qualifier = q
		f, err := c.versioned(c.function, q)
		if err != nil {
			return nil, err
		}
		return run(c, f)
	}
}
