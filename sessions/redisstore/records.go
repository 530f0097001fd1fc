package redisstore

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strconv"

	"github.com/limpet-proxy/limpet/sessions"
)

// readBatch is how many records one script reads.
const readBatch = 500

// Get returns the Active session of the key.
func (s *Store) Get(ctx context.Context, k sessions.Key) (sessions.Session, error) {
	got, err := s.readActive(ctx, []sessions.Key{k})
	if err != nil {
		return sessions.Session{}, err
	}
	if len(got) == 0 || k.Reserved() || !got[0].ReadAt.Before(got[0].Deadline) {
		return sessions.Session{}, sessions.ErrNotFound
	}
	return got[0], nil
}

// History returns every record of the key's ID. A live one whose deadline has passed is one that has ended.
func (s *Store) History(ctx context.Context, k sessions.Key) ([]sessions.Session, error) {
	if k.Reserved() {
		return nil, nil
	}
	m := member(k)
	got, err := s.run(ctx, call{
		script: s.scripts.history, function: k.Function,
		keys: []string{
			s.keys.deadlines(k.Function), s.keys.inFlight(k.Function), s.keys.record(k.Function, m), s.keys.history(k.Function, m),
		},
		args: []any{m},
	})
	if err != nil {
		return nil, err
	}
	var all []sessions.Session
	for i := 1; i+2 < len(got.values); i += 3 {
		c := copied{record: got.string(i), deadline: got.int(i + 1), inFlight: got.int(i + 2), now: got.int(0)}
		session, err := c.decode(k)
		if err != nil {
			return nil, err
		}
		if session.State == sessions.Active && c.deadline <= c.now {
			session = expired(session, c)
		}
		if !gone(session) {
			all = append(all, session)
		}
	}
	slices.SortFunc(all, func(a, b sessions.Session) int { return cmp.Compare(a.Epoch, b.Epoch) })
	return all, nil
}

// expired is the session as the next sweep will find it.
func expired(s sessions.Session, c copied) sessions.Session {
	s.State, s.EndedAt, s.Deadline = sessions.Ended, s.Deadline, clock(0)
	if c.inFlight > c.now {
		s.State = sessions.Ending
	}
	return s
}

// gone says whether the record is only there until the next purge: deleted, and no request of it runs any more.
func gone(s sessions.Session) bool { return s.Deleted && s.State == sessions.Ended }

// Qualifiers returns the qualifiers of the function that have had a session, sorted.
func (s *Store) Qualifiers(ctx context.Context, function string) ([]string, error) {
	var all []string
	err := s.do(ctx, function, func(ctx context.Context) (err error) {
		all, err = s.client.SMembers(ctx, s.keys.qualifiers(function)).Result()
		return err
	})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, escaped := range all {
		if name, err := url.QueryUnescape(escaped); err == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// readActive reads the records of the keys, which are of one function, without those that have none.
func (s *Store) readActive(ctx context.Context, keys []sessions.Key) ([]sessions.Session, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	c := call{script: s.scripts.read, function: keys[0].Function, keys: []string{s.keys.deadlines(keys[0].Function)}}
	for _, k := range keys {
		c.keys = append(c.keys, s.keys.record(k.Function, member(k)))
		c.args = append(c.args, member(k))
	}
	got, err := s.run(ctx, c)
	if err != nil {
		return nil, err
	}
	var all []sessions.Session
	for i, k := range keys {
		record := got.string(1 + 2*i)
		if record == "" {
			continue
		}
		session, err := copied{record: record, deadline: got.int(2 + 2*i), now: got.int(0)}.decode(k)
		if err != nil {
			return nil, err
		}
		all = append(all, session)
	}
	return all, nil
}

// endedRecord names one record of an ID's history.
type endedRecord struct {
	sessions.Key
	epoch uint64
}

// readEnded reads ended records, which are of one function, without those that are no more.
func (s *Store) readEnded(ctx context.Context, records []endedRecord) ([]sessions.Session, error) {
	if len(records) == 0 {
		return nil, nil
	}
	function := records[0].Function
	c := call{script: s.scripts.ended, function: function, keys: []string{s.keys.inFlight(function)}}
	for _, r := range records {
		m := member(r.Key)
		c.keys = append(c.keys, s.keys.history(function, m))
		c.args = append(c.args, strconv.FormatUint(r.epoch, 10), m)
	}
	got, err := s.run(ctx, c)
	if err != nil {
		return nil, err
	}
	var all []sessions.Session
	for i, r := range records {
		record := got.string(1 + 2*i)
		if record == "" {
			continue
		}
		session, err := copied{record: record, inFlight: got.int(2 + 2*i), now: got.int(0)}.decode(r.Key)
		if err != nil {
			return nil, err
		}
		if !gone(session) {
			all = append(all, session)
		}
	}
	return all, nil
}
