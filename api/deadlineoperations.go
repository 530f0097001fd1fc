package api

import (
	"errors"
	"slices"

	"github.com/limpet-proxy/limpet/dialects"
	"github.com/limpet-proxy/limpet/sessions"
)

// Deadline Cloud's words for how far a session is.
const (
	deadlineStarted  = "STARTED"
	deadlineUpdating = "UPDATE_IN_PROGRESS" // with the target ENDED: requests still run
	deadlineEnded    = "ENDED"
)

// deadlineSession has the members of all answers about a session. Which answers have which is in each function.
type deadlineSession struct {
	SessionID             string            `json:"sessionId"`
	FleetID               string            `json:"fleetId,omitempty"`
	WorkerID              string            `json:"workerId,omitempty"`
	QueueID               string            `json:"queueId,omitempty"`
	JobID                 string            `json:"jobId,omitempty"`
	StartedAt             string            `json:"startedAt"`
	EndedAt               string            `json:"endedAt,omitempty"`
	UpdatedAt             string            `json:"updatedAt,omitempty"`
	LifecycleStatus       string            `json:"lifecycleStatus"`
	TargetLifecycleStatus string            `json:"targetLifecycleStatus,omitempty"`
	Log                   map[string]string `json:"log,omitempty"`
}

// deadlineBase has what every answer has.
func deadlineBase(s sessions.Session) deadlineSession {
	d := deadlineSession{
		SessionID: dialects.SessionIDOf(s.ID), StartedAt: awsTime(s.CreatedAt), LifecycleStatus: deadlineStarted,
	}
	switch s.State {
	case sessions.Ending:
		d.LifecycleStatus, d.TargetLifecycleStatus = deadlineUpdating, deadlineEnded
	case sessions.Ended:
		d.LifecycleStatus, d.EndedAt = deadlineEnded, awsTime(s.EndedAt)
	}
	return d
}

// deadlineSummary is a session as its job lists it.
func (c *call) deadlineSummary(s sessions.Session) deadlineSession {
	names := deadlineNames{c.Deployment}
	d := deadlineBase(s)
	d.FleetID = names.fleet(s.Function, s.Home.Version)
	d.WorkerID = names.worker(s.Function, s.Home.Version, s.Home.ID)
	if s.State != sessions.Active || s.ModifiedAt.After(s.CreatedAt) {
		d.UpdatedAt = awsTime(updatedAt(s))
	}
	return d
}

// deadlinePage is how many sessions a page has.
func deadlinePage() pageSize { return pageSize{"maxResults", 100, 100} }

// deadlinePages lists what q selects, encoded by encode.
func (c *call) deadlinePages(q sessions.WalkQuery, encode func(sessions.Session) deadlineSession) (any, *dialects.Error) {
	size, err := c.one("maxResults")
	if err != nil {
		return nil, err
	}
	if q.Limit, err = deadlinePage().parse(size); err != nil {
		return nil, err
	}
	token, err := c.one("nextToken")
	if err != nil {
		return nil, err
	}
	bound := []string{q.Qualifier, q.Version, q.Instance}
	if q.After, err = c.open(token, bound...); err != nil {
		return nil, err
	}
	q.Function, q.Deleted = c.function, true
	q.States = []sessions.State{sessions.Active, sessions.Ended}
	page, err := c.walk(q)
	if err != nil {
		return nil, err
	}
	answer := struct {
		Sessions  []deadlineSession `json:"sessions"`
		NextToken string            `json:"nextToken,omitempty"`
	}{[]deadlineSession{}, c.seal(page.Cursor, bound...)}
	for _, s := range page.Sessions {
		answer.Sessions = append(answer.Sessions, encode(s))
	}
	return answer, nil
}

func (c *call) deadlineList(job string) (any, *dialects.Error) {
	qualifier, err := c.jobOf(job)
	if err != nil {
		return nil, err
	}
	return c.deadlinePages(sessions.WalkQuery{Qualifier: qualifier}, c.deadlineSummary)
}

// deadlineWorkerSessions lists the sessions of an instance, of whatever qualifier.
func (c *call) deadlineWorkerSessions(fleet Function, worker string) (any, *dialects.Error) {
	records, failure := c.Store.Instances(c.r.Context(), c.function)
	if failure != nil {
		return nil, conditionOf(failure)
	}
	names := deadlineNames{c.Deployment}
	for _, r := range records {
		if r.Version != fleet.Qualifier || worker != r.ID && worker != names.worker(c.function, r.Version, r.ID) {
			continue
		}
		return c.deadlinePages(sessions.WalkQuery{Version: r.Version, Instance: r.ID}, func(s sessions.Session) deadlineSession {
			d := deadlineBase(s)
			d.QueueID, d.JobID = names.queue(s.Function), names.job(s.Function, s.Qualifier)
			return d
		})
	}
	return nil, deadlineMissing("worker", worker)
}

func (c *call) deadlineGet(t deadlineTarget) (any, *dialects.Error) {
	qualifier, err := c.jobOf(t.job)
	if err != nil {
		return nil, err
	}
	s, err := c.deadlineRecord(qualifier, t.id)
	if err != nil {
		return nil, err
	}
	d := c.deadlineSummary(s)
	d.Log = map[string]string{"logDriver": "none"} // required; where an instance logs is its own affair
	return d, nil
}

// deadlineRecord is the youngest record of an ID, a deleted one with requests under way too. An ID of the vendor's form
// is that of the session with its digits; if there is none, of one whose client chose that very ID.
func (c *call) deadlineRecord(qualifier, id string) (sessions.Session, *dialects.Error) {
	for _, own := range slices.Compact([]string{dialects.PlainSessionID(id), id}) {
		all, failure := c.Store.History(c.r.Context(), sessions.Key{Function: c.function, Qualifier: qualifier, ID: own})
		if failure != nil {
			return sessions.Session{}, sessionCondition(failure, id)
		}
		if len(all) > 0 {
			c.session = own
			return all[len(all)-1], nil
		}
	}
	return sessions.Session{}, sessionCondition(sessions.ErrNotFound, id)
}

// deadlineUpdate ends a session and keeps it as ENDED. To end one again is no error, for then it is what was asked for.
func (c *call) deadlineUpdate(t deadlineTarget) (any, *dialects.Error) {
	var in struct {
		TargetLifecycleStatus string `json:"targetLifecycleStatus"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.TargetLifecycleStatus != deadlineEnded {
		return nil, dialects.Invalid("targetLifecycleStatus", "accepted is ENDED")
	}
	qualifier, err := c.jobOf(t.job)
	if err != nil {
		return nil, err
	}
	f, err := c.sessionful(c.function, qualifier)
	if err != nil {
		return nil, err
	}
	s, err := c.deadlineRecord(qualifier, t.id)
	if err != nil || s.State != sessions.Active {
		return struct{}{}, err
	}
	if c.repeated {
		return nil, replayed() // another session than the one that it ended
	}
	if _, failure := c.end(f, s.ID, true); failure != nil && !errors.Is(failure, sessions.ErrNotFound) {
		return nil, sessionCondition(failure, t.id)
	}
	return struct{}{}, nil
}
