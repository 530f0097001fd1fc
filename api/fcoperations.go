package api

import (
	"errors"
	"regexp"
	"strings"

	"github.com/limpet-proxy/limpet/dialects"
	"github.com/limpet-proxy/limpet/sessions"
)

// customID is Function Compute's rule for an ID that the caller chooses.
var customID = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$`)

// target returns the function that a call without a qualifier, or with one, means.
func (c *call) target() (Function, *dialects.Error) {
	q, err := dialects.QualifierOf(c.r)
	if err != nil {
		return Function{}, err
	}
	c.qualifier = q
	return c.sessionful(c.function, q)
}

// fcCreateSession makes a session and gives it its home before it answers.
func (c *call) fcCreateSession() (any, *dialects.Error) {
	f, err := c.target()
	if err != nil {
		return nil, err
	}
	var in fcSettings
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := c.creatable(f, in.SessionID); err != nil {
		return nil, err
	}
	held := f.settings()
	u, err := c.changes(in, held)
	if err != nil {
		return nil, err
	}
	s, err := c.create(f, sessions.CreateRequest{ID: in.SessionID, Settings: u.Apply(held)})
	if err != nil {
		return nil, err
	}
	return toFC(s), nil
}

// creatable says whether a session may be made with that ID; "" is for a generated one.
func (c *call) creatable(f Function, id string) *dialects.Error {
	switch {
	case f.Affinity == sessions.AffinityMCPStreamable || f.Affinity == sessions.AffinityMCPSSE:
		return dialects.Invalid("functionName", "sessions of a function with "+string(f.Affinity)+" are made by its instances, which choose the IDs, accepted is to initialise one as a client of MCP")
	case f.Affinity != sessions.AffinityHeader && f.Affinity != sessions.AffinityCookie:
		return dialects.Invalid("functionName", "the function's affinity is "+string(f.Affinity)+", accepted are HEADER_FIELD and GENERATED_COOKIE")
	case id == "":
		return nil
	case f.Affinity != sessions.AffinityHeader:
		return dialects.Invalid("sessionId", "of a function with GENERATED_COOKIE is made by the server, accepted is to leave it out")
	case !customID.MatchString(id):
		return dialects.Invalid("sessionId", "accepted are 1 to 64 letters, digits, _ and -, not beginning with -")
	}
	return nil
}

// fcGetSession also finds the sessions of a qualifier that is configured no longer, for they are listed.
func (c *call) fcGetSession(id string) (any, *dialects.Error) {
	_, err := c.target()
	if err != nil && err.Code != dialects.CodeFunctionNotFound {
		return nil, err
	}
	s, failure := c.Store.Get(c.r.Context(), sessions.Key{Function: c.function, Qualifier: c.qualifier, ID: id})
	switch {
	case failure == nil:
		return toFC(s), nil
	case err != nil && errors.Is(failure, sessions.ErrNotFound):
		return nil, err
	}
	return nil, sessionCondition(failure, id)
}

func (c *call) fcUpdateSession(id string) (any, *dialects.Error) {
	f, err := c.target()
	if err != nil {
		return nil, err
	}
	var in fcSettings
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	held, failure := c.Store.Get(c.r.Context(), f.key(id))
	if failure != nil {
		return nil, sessionCondition(failure, id)
	}
	u, err := c.changes(in, held.Settings)
	if err != nil {
		return nil, err
	}
	u.Key = f.key(id)
	s, failure := f.Table.Update(c.r.Context(), u)
	if failure != nil {
		return nil, sessionCondition(failure, id)
	}
	return toFC(s), nil
}

func (c *call) fcDeleteSession(id string) (any, *dialects.Error) {
	f, err := c.target()
	if err != nil {
		return nil, err
	}
	if _, failure := c.end(f, id, false); failure != nil {
		return nil, sessionCondition(failure, id)
	}
	return struct{}{}, nil
}

// fcPage is how many sessions a page of ListSessions has. The vendor documents no greatest.
func fcPage() pageSize { return pageSize{"limit", 20, 1000} }

// fcListSessions lists by qualifier, and within one the active before the expired.
func (c *call) fcListSessions() (any, *dialects.Error) {
	if err := c.known(c.function); err != nil {
		return nil, err
	}
	q, bound, err := c.fcListQuery()
	if err != nil {
		return nil, err
	}
	token, err := c.one("nextToken")
	if err != nil {
		return nil, err
	}
	if q.After, err = c.open(token, bound...); err != nil {
		return nil, err
	}
	page, err := c.walk(q)
	if err != nil {
		return nil, err
	}
	answer := struct {
		Sessions  []fcSession `json:"sessions"`
		NextToken string      `json:"nextToken,omitempty"`
	}{[]fcSession{}, c.seal(page.Cursor, bound...)}
	for _, s := range page.Sessions {
		answer.Sessions = append(answer.Sessions, toFC(s))
	}
	return answer, nil
}

// fcListQuery reads the filters, and returns them also as what a token is bound to.
func (c *call) fcListQuery() (q sessions.WalkQuery, bound []string, err *dialects.Error) {
	values := map[string]string{}
	for _, name := range []string{"limit", "qualifier", "sessionId", "sessionStatus"} {
		if values[name], err = c.one(name); err != nil {
			return q, nil, err
		}
	}
	q = sessions.WalkQuery{Function: c.function, Qualifier: values["qualifier"], ID: values["sessionId"]}
	if q.Limit, err = fcPage().parse(values["limit"]); err != nil {
		return q, nil, err
	}
	if q.Qualifier != "" && !sessions.ValidName(q.Qualifier) {
		return q, nil, dialects.Invalid("qualifier", "cannot name a qualifier, accepted are "+sessions.NameForm)
	}
	if len(q.ID) > maxSessionID {
		return q, nil, dialects.Invalid("sessionId", "accepted are up to 1024 characters")
	}
	if q.States, err = fcStates(values["sessionStatus"]); err != nil {
		return q, nil, err
	}
	return q, []string{q.Qualifier, q.ID, values["sessionStatus"]}, nil
}

func fcStates(status string) ([]sessions.State, *dialects.Error) {
	switch strings.ToLower(status) {
	case "":
		return []sessions.State{sessions.Active, sessions.Ended}, nil
	case "active":
		return []sessions.State{sessions.Active}, nil
	case "expired":
		return []sessions.State{sessions.Ended}, nil
	default:
		return nil, dialects.Invalid("sessionStatus", "accepted are Active and Expired, or none for both")
	}
}

// walk lists. A cursor that does not fit is one of before a change of the store: the client begins again.
func (c *call) walk(q sessions.WalkQuery) (sessions.Page, *dialects.Error) {
	page, err := sessions.Walk(c.r.Context(), c.Store, q)
	switch {
	case errors.Is(err, sessions.ErrCursor):
		return page, dialects.Invalid("nextToken", "is out of date, accepted is to begin again without it")
	case err != nil:
		return page, conditionOf(err)
	}
	return page, nil
}
