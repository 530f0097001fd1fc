package api

import (
	"errors"

	"github.com/limpet-proxy/limpet/dialects"
	"github.com/limpet-proxy/limpet/sessions"
)

// maxEndTries bounds how often the end of a session is tried again because it was moved meanwhile.
const maxEndTries = 4

func (f Function) key(id string) sessions.Key {
	return sessions.Key{Function: f.Name, Qualifier: f.Qualifier, ID: id}
}

// create makes a session; with r.ID empty, one with a generated ID.
func (c *call) create(f Function, r sessions.CreateRequest) (sessions.Session, *dialects.Error) {
	if r.ID == "" {
		r.ID = newSessionID()
	}
	c.session = r.ID
	s, _, err := f.Table.Create(c.r.Context(), r)
	if err != nil {
		return s, sessionCondition(err, r.ID)
	}
	if f.Issue != nil && s.State == sessions.Active {
		f.Issue(c.w.Header(), s, c.r.TLS != nil)
	}
	return s, nil
}

// end ends the active session of an ID, whichever home it has by now.
func (c *call) end(f Function, id string, keep bool) (sessions.Session, error) {
	s, err := c.Store.Get(c.r.Context(), f.key(id))
	for range maxEndTries {
		if err != nil {
			break
		}
		var ended sessions.Session
		if ended, err = f.Table.End(c.r.Context(), s, keep); err == nil {
			return ended, nil
		}
		if errors.Is(err, sessions.ErrMoved) {
			s, err = c.Store.Get(c.r.Context(), f.key(id))
		}
	}
	return s, err
}

// mayEnd refuses a request that was carried out before where the ID has an active session: it is not the one that the
// request ended.
func (c *call) mayEnd(f Function, id string) *dialects.Error {
	if !c.repeated {
		return nil
	}
	switch _, err := c.Store.Get(c.r.Context(), f.key(id)); {
	case err == nil:
		return replayed()
	case errors.Is(err, sessions.ErrNotFound):
		return nil
	default:
		return conditionOf(err)
	}
}

// latest returns the youngest record of an ID, active or ended. One that was deleted is none.
func (c *call) latest(k sessions.Key) (sessions.Session, error) {
	all, err := c.Store.History(c.r.Context(), k)
	if err != nil {
		return sessions.Session{}, err
	}
	for i := len(all) - 1; i >= 0; i-- {
		if !all[i].Deleted {
			return all[i], nil
		}
	}
	return sessions.Session{}, sessions.ErrNotFound
}

// settings are those of a session that names none of its own.
func (f Function) settings() sessions.Settings {
	r := f.Table.Rules()
	return sessions.Settings{TTL: r.TTL, IdleTimeout: r.IdleTimeout, DisableIDReuse: r.DisableIDReuse}
}
