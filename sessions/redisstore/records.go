package redisstore

import (
	"context"
	"encoding/base64"
	"strconv"

	"github.com/redis/go-redis/v9"

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
	if len(got) == 0 || !got[0].ReadAt.Before(got[0].Deadline) {
		return sessions.Session{}, sessions.ErrNotFound
	}
	return got[0], nil
}

// readActive reads the records of the keys, which are of one function, without those that have none.
func (s *Store) readActive(ctx context.Context, keys []sessions.Key) ([]sessions.Session, error) {
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
		session, err := copyOf(k, record, got.int(2+2*i), got.int(0))
		if err != nil {
			return nil, err
		}
		all = append(all, session)
	}
	return all, nil
}

// List returns a page. It reads the page's part of the index, and then the records: one that has gone in between is
// left out, so that a page may be shorter than asked for and not be the last.
func (s *Store) List(ctx context.Context, q sessions.Query) (sessions.Page, error) {
	index, read := s.keys.active(q.Function, q.Qualifier), s.listActive
	if q.State != sessions.Active {
		index, read = s.keys.ended(q.Function, q.Qualifier), s.listEnded
	}
	limit := max(q.Limit, 1)
	var entries []string
	err := s.do(ctx, q.Function, func(ctx context.Context) (err error) {
		entries, err = s.client.ZRangeByLex(ctx, index, &redis.ZRangeBy{Min: lexAfter(q.After), Max: "+", Count: int64(limit) + 1}).Result()
		return err
	})
	if err != nil {
		return sessions.Page{}, err
	}
	page := sessions.Page{}
	if len(entries) > limit {
		entries = entries[:limit]
		page.Cursor = encodeCursor(entries[limit-1])
	}
	for start := 0; start < len(entries); start += readBatch {
		part, err := read(ctx, q, entries[start:min(start+readBatch, len(entries))])
		if err != nil {
			return sessions.Page{}, err
		}
		page.Sessions = append(page.Sessions, part...)
	}
	return page, nil
}

func (s *Store) listActive(ctx context.Context, q sessions.Query, entries []string) ([]sessions.Session, error) {
	var keys []sessions.Key
	for _, entry := range entries {
		if id, ok := activeEntry(entry); ok {
			keys = append(keys, sessions.Key{Function: q.Function, Qualifier: q.Qualifier, ID: id})
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	return s.readActive(ctx, keys)
}

func (s *Store) listEnded(ctx context.Context, q sessions.Query, entries []string) ([]sessions.Session, error) {
	c := call{script: s.scripts.history, function: q.Function}
	var keys []sessions.Key
	for _, entry := range entries {
		if id, epoch, ok := endedEntry(entry); ok {
			k := sessions.Key{Function: q.Function, Qualifier: q.Qualifier, ID: id}
			keys = append(keys, k)
			c.keys = append(c.keys, s.keys.history(q.Function, member(k)))
			c.args = append(c.args, strconv.FormatUint(epoch, 10))
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	got, err := s.run(ctx, c)
	if err != nil {
		return nil, err
	}
	var all []sessions.Session
	for i, k := range keys {
		if record := got.string(1 + i); record != "" {
			session, err := copyOf(k, record, 0, got.int(0))
			if err != nil {
				return nil, err
			}
			all = append(all, session)
		}
	}
	return all, nil
}

// A cursor is the last entry of a page, as text. Callers of the API are given it sealed; whatever else comes here
// lists from the start.
func encodeCursor(entry string) string { return base64.RawURLEncoding.EncodeToString([]byte(entry)) }

func decodeCursor(cursor string) (entry string, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return "", false
	}
	_, ok = activeEntry(string(b))
	return string(b), ok
}

// lexAfter is the lower bound of the page after a cursor.
func lexAfter(cursor string) string {
	if entry, ok := decodeCursor(cursor); ok {
		return "(" + entry
	}
	return "-"
}
