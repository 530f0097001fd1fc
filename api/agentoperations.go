package api

import (
	"errors"

	"github.com/limpet-proxy/limpet/dialects"
	"github.com/limpet-proxy/limpet/sessions"
)

func (c *call) agentGet(as string) (any, *dialects.Error) {
	id, err := c.agentSessionID()
	if err != nil {
		return nil, err
	}
	f, err := c.agentTarget()
	if err != nil {
		return nil, err
	}
	s, failure := c.latest(f.key(id))
	if failure != nil {
		return nil, sessionCondition(failure, id)
	}
	return agentSession{
		CodeInterpreterIdentifier: as, SessionID: s.ID, Name: s.Name, Status: agentStatus(s),
		SessionTimeoutSeconds: inSeconds(s.TTL), CreatedAt: awsTime(s.CreatedAt),
	}, nil
}

// agentPage is how many sessions a page has.
func agentPage() pageSize { return pageSize{"maxResults", 10, 100} }

type agentListInput struct {
	MaxResults *int   `json:"maxResults"`
	NextToken  string `json:"nextToken"`
	Status     string `json:"status"`
}

// agentList lists the function's sessions of all qualifiers.
func (c *call) agentList(as string) (any, *dialects.Error) {
	var in agentListInput
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := c.known(c.function); err != nil {
		return nil, err
	}
	q, err := c.agentQuery(in)
	if err != nil {
		return nil, err
	}
	page, err := c.walk(q)
	if err != nil {
		return nil, err
	}
	answer := struct {
		Items     []agentSession `json:"items"`
		NextToken string         `json:"nextToken,omitempty"`
	}{[]agentSession{}, c.seal(page.Cursor, in.Status)}
	for _, s := range page.Sessions {
		answer.Items = append(answer.Items, agentSummary(s, as))
	}
	return answer, nil
}

func (c *call) agentQuery(in agentListInput) (q sessions.WalkQuery, err *dialects.Error) {
	q = sessions.WalkQuery{Function: c.function, Limit: agentPage().fallback}
	if in.MaxResults != nil {
		if q.Limit, err = agentPage().check(*in.MaxResults); err != nil {
			return q, err
		}
	}
	switch in.Status {
	case "":
		q.States = []sessions.State{sessions.Active, sessions.Ended}
	case agentReady:
		q.States = []sessions.State{sessions.Active}
	case agentTerminated:
		q.States = []sessions.State{sessions.Ended}
	default:
		return q, dialects.Invalid("status", "accepted are READY and TERMINATED, or none for both")
	}
	q.After, err = c.open(in.NextToken, in.Status)
	return q, err
}

// agentStop ends a session and keeps it as TERMINATED. To stop one again is no error: the SDK's clientToken says that it
// may be the same call, and there is nothing left that another one could change.
func (c *call) agentStop(as string) (any, *dialects.Error) {
	if _, err := c.agentToken(); err != nil {
		return nil, err
	}
	id, err := c.agentSessionID()
	if err != nil {
		return nil, err
	}
	f, err := c.agentTarget()
	if err != nil {
		return nil, err
	}
	if err := c.mayEnd(f, id); err != nil {
		return nil, err
	}
	s, failure := c.end(f, id, true)
	if errors.Is(failure, sessions.ErrNotFound) {
		s, failure = c.latest(f.key(id))
	}
	if failure != nil {
		return nil, sessionCondition(failure, id)
	}
	return agentSession{CodeInterpreterIdentifier: as, SessionID: id, LastUpdatedAt: awsTime(updatedAt(s))}, nil
}

// agentToken reads the body of a call that has nothing but a clientToken.
func (c *call) agentToken() (string, *dialects.Error) {
	var in struct {
		ClientToken string `json:"clientToken"`
	}
	err := c.decode(&in)
	return in.ClientToken, err
}
