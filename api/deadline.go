package api

import (
	"net/http"

	"github.com/limpet-proxy/limpet/dialects"
	"github.com/limpet-proxy/limpet/sessions"
)

// routeDeadline finds the operation of Deadline Cloud's 2023-10-12 API: a farm is this deployment, a queue a function, a
// job one of its qualifiers, a fleet the pool of one, a worker an instance. Each ID may be the plain name.
func (a *SessionAPI) routeDeadline(method string, s []string) (operation, *dialects.Error) {
	if len(s) < 4 || s[1] != "farms" {
		return operation{}, notFoundError()
	}
	p := deadlinePath{api: a, names: deadlineNames{a.Deployment}, segments: s}
	switch {
	case len(s) >= 8 && s[3] == "queues" && s[5] == "jobs" && s[7] == "sessions" && len(s) <= 9:
		return p.ofJob(method)
	case len(s) == 8 && s[3] == "fleets" && s[5] == "workers" && s[7] == "sessions":
		return p.ofWorker(method)
	}
	return operation{}, notFoundError()
}

// deadlinePath resolves the IDs of a path.
type deadlinePath struct {
	api      *SessionAPI
	names    deadlineNames
	segments []string
}

func (p deadlinePath) isFarm() bool {
	return dialects.Names(p.segments[2], dialects.FarmID, p.api.Deployment)
}

// queue returns the name of the function that the queue is; "" if there is none.
func (p deadlinePath) queue() string {
	for _, f := range p.api.Functions() {
		if p.isFarm() && dialects.Names(p.segments[4], dialects.QueueID, p.api.Deployment, f.Name) {
			return f.Name
		}
	}
	return ""
}

func (p deadlinePath) ofJob(method string) (operation, *dialects.Error) {
	function, job := p.queue(), p.segments[6]
	var methods map[string]operation
	if len(p.segments) == 8 {
		list := func(c *call) (any, *dialects.Error) { return c.deadlineList(job) }
		methods = map[string]operation{http.MethodGet: {name: "ListSessions", verb: Read, run: list}}
	} else {
		id := p.segments[8]
		on := func(run func(*call, deadlineTarget) (any, *dialects.Error)) func(*call) (any, *dialects.Error) {
			return named(id, func(c *call, id string) (any, *dialects.Error) { return run(c, deadlineTarget{job, id}) })
		}
		methods = map[string]operation{
			http.MethodGet:   {name: "GetSession", verb: Read, run: on((*call).deadlineGet)},
			http.MethodPatch: {name: "UpdateSession", verb: Write, run: on((*call).deadlineUpdate), repeatable: true},
		}
	}
	op, err := pick(methods, method, function)
	if err == nil && function == "" {
		err = p.missing()
	}
	return op, err
}

// missing is the error for a farm or a queue that there is not.
func (p deadlinePath) missing() *dialects.Error {
	if !p.isFarm() {
		return deadlineMissing("farm", p.segments[2])
	}
	return deadlineMissing(p.segments[3][:len(p.segments[3])-1], p.segments[4])
}

func deadlineMissing(kind, id string) *dialects.Error {
	return &dialects.Error{
		Code: dialects.CodeFunctionNotFound, Status: http.StatusNotFound, Message: "there is no such " + kind,
		Resource: dialects.Resource{Type: kind, ID: id},
	}
}

// ofWorker finds the fleet among the functions' pools.
func (p deadlinePath) ofWorker(method string) (operation, *dialects.Error) {
	var fleet Function
	for _, f := range p.api.Functions() {
		if p.isFarm() && p.isFleet(f) && (fleet.Name == "" || f.Qualifier == sessions.LatestQualifier) {
			fleet = f
		}
	}
	list := func(c *call) (any, *dialects.Error) { return c.deadlineWorkerSessions(fleet, p.segments[6]) }
	op, err := pick(map[string]operation{http.MethodGet: {name: "ListSessionsForWorker", verb: Read, run: list}}, method, fleet.Name)
	if err == nil && fleet.Name == "" {
		err = p.missing()
	}
	return op, err
}

// isFleet accepts the derived ID; as plain names, the function's, for its LATEST pool first of all, and function:qualifier.
func (p deadlinePath) isFleet(f Function) bool {
	id := p.segments[4]
	return id == f.Name || id == f.Name+":"+f.Qualifier || id == p.names.fleet(f.Name, f.Qualifier)
}

// deadlineTarget is one session of one job, by the IDs in the path.
type deadlineTarget struct{ job, id string }

// jobOf returns the qualifier that a job is. Qualifiers that had sessions and are configured no longer count too.
func (c *call) jobOf(id string) (string, *dialects.Error) {
	matches := func(qualifier string) bool {
		return dialects.Names(id, dialects.JobID, c.Deployment, c.function, qualifier)
	}
	for _, f := range c.Functions() {
		if f.Name == c.function && matches(f.Qualifier) {
			c.qualifier = f.Qualifier
			return f.Qualifier, nil
		}
	}
	past, err := c.Store.Qualifiers(c.r.Context(), c.function)
	if err != nil {
		return "", conditionOf(err)
	}
	for _, q := range past {
		if matches(q) {
			c.qualifier = q
			return q, nil
		}
	}
	return "", deadlineMissing("job", id)
}
