package redisstore

import (
	"context"
	"encoding/base64"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/limpet-proxy/limpet/sessions"
)

// listing is one index that a Query selects. Its entries are in the order of their bytes, and say where a page ends.
type listing struct {
	scope scope
	// find returns at most n entries behind one; "" is before all.
	find func(ctx context.Context, after string, n int64) ([]string, error)
	// read returns the sessions of entries, at most readBatch, without those that are no more.
	read func(ctx context.Context, entries []string) ([]sessions.Session, error)
}

// List returns a page. It reads the page's part of the index, and then the records: one that has gone in between is
// left out, so that a page may be shorter than asked for and not be the last.
func (s *Store) List(ctx context.Context, q sessions.Query) (sessions.Page, error) {
	l := s.listing(q)
	limit := max(q.Limit, 1)
	entries, err := l.find(ctx, l.scope.position(q.After), int64(limit)+1)
	if err != nil {
		return sessions.Page{}, err
	}
	page := sessions.Page{}
	if len(entries) > limit {
		entries = entries[:limit]
		page.Cursor = l.scope.cursor(entries[limit-1])
	}
	for batch := range slices.Chunk(entries, readBatch) {
		part, err := l.read(ctx, batch)
		if err != nil {
			return sessions.Page{}, err
		}
		page.Sessions = append(page.Sessions, part...)
	}
	return page, nil
}

func (s *Store) listing(q sessions.Query) listing {
	l := listing{scope: scopeOf(q)}
	switch {
	case q.Instance != "" && q.State == sessions.Active:
		l.find, l.read = s.membersOf(q), s.activeThere(q)
	case q.Instance != "":
		l.find, l.read = s.lexical(q.Function, s.keys.endedThere(q.Function), place(q.Version, q.Instance)), s.endedThere(q)
	case q.State == sessions.Active:
		l.find, l.read = s.lexical(q.Function, s.keys.active(q.Function, q.Qualifier), ""), s.active(q)
	default:
		l.find, l.read = s.lexical(q.Function, s.keys.ended(q.Function, q.Qualifier), ""), s.ended(q)
	}
	return l
}

// lexical finds entries of a lexicographic index that begin with a prefix. Behind it is a creation time, whose first
// byte is far from the greatest.
func (s *Store) lexical(function, index, prefix string) func(context.Context, string, int64) ([]string, error) {
	return func(ctx context.Context, after string, n int64) (entries []string, err error) {
		part := &redis.ZRangeBy{Min: "-", Max: "+", Count: n}
		if prefix != "" {
			part.Min, part.Max = "["+prefix, "("+prefix+"\xff"
		}
		if after != "" && strings.HasPrefix(after, prefix) {
			part.Min = "(" + after
		}
		err = s.do(ctx, function, func(ctx context.Context) error {
			entries, err = s.client.ZRangeByLex(ctx, index, part).Result()
			return err
		})
		return entries, err
	}
}

// membersOf finds the members of all incarnations of an instance: a page of each, and of these the first.
func (s *Store) membersOf(q sessions.Query) func(context.Context, string, int64) ([]string, error) {
	return func(ctx context.Context, after string, n int64) ([]string, error) {
		got, err := s.run(ctx, call{
			script: s.scripts.members, function: q.Function,
			keys: []string{s.keys.counts(q.Function), s.keys.members(q.Function)},
			args: []any{q.Version + "\x00" + q.Instance, after, n},
		})
		if err != nil {
			return nil, err
		}
		var all []string
		for i := range got.values {
			all = append(all, got.strings(i)...)
		}
		slices.Sort(all)
		return all[:min(n, int64(len(all)))], nil
	}
}

type reader func(ctx context.Context, entries []string) ([]sessions.Session, error)

// active leaves out a session whose ID has a later one since its entry was read: that one is listed at its own place,
// and would be there twice.
func (s *Store) active(q sessions.Query) reader {
	return func(ctx context.Context, entries []string) ([]sessions.Session, error) {
		var keys []sessions.Key
		for _, entry := range entries {
			if id, ok := activeEntry(entry); ok {
				keys = append(keys, sessions.Key{Function: q.Function, Qualifier: q.Qualifier, ID: id})
			}
		}
		all, err := s.readActive(ctx, keys)
		return slices.DeleteFunc(all, func(got sessions.Session) bool {
			_, found := slices.BinarySearch(entries, entryOf(got))
			return !found
		}), err
	}
}

// activeThere leaves out a session that was re-homed since its member was read, and reservations.
func (s *Store) activeThere(q sessions.Query) reader {
	return func(ctx context.Context, entries []string) ([]sessions.Session, error) {
		var keys []sessions.Key
		for _, entry := range entries {
			if k, ok := keyOf(q.Function, entry); ok && !k.Reserved() {
				keys = append(keys, k)
			}
		}
		all, err := s.readActive(ctx, keys)
		return slices.DeleteFunc(all, func(got sessions.Session) bool {
			return got.Home.Version != q.Version || got.Home.ID != q.Instance
		}), err
	}
}

func (s *Store) ended(q sessions.Query) reader {
	return func(ctx context.Context, entries []string) ([]sessions.Session, error) {
		var records []endedRecord
		for _, entry := range entries {
			if id, epoch, ok := endedEntry(entry); ok {
				k := sessions.Key{Function: q.Function, Qualifier: q.Qualifier, ID: id}
				records = append(records, endedRecord{k, epoch})
			}
		}
		return s.readEnded(ctx, records)
	}
}

func (s *Store) endedThere(q sessions.Query) reader {
	return func(ctx context.Context, entries []string) ([]sessions.Session, error) {
		var records []endedRecord
		for _, entry := range entries {
			if k, epoch, ok := endedThereEntry(q.Function, entry); ok {
				records = append(records, endedRecord{k, epoch})
			}
		}
		return s.readEnded(ctx, records)
	}
}

// scope tells the cursors of one listing from those of every other.
type scope string

func scopeOf(q sessions.Query) scope {
	if q.Instance != "" {
		q.Qualifier = ""
	} else {
		q.Version = ""
	}
	h := fnv.New64a()
	for _, part := range []string{strconv.FormatBool(q.State == sessions.Active), q.Function, q.Qualifier, q.Version, q.Instance} {
		_, _ = h.Write([]byte(strconv.Quote(part)))
	}
	return scope(h.Sum(nil))
}

// cursor is the last entry of a page, as text. Callers of the API are given it sealed.
func (s scope) cursor(entry string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(string(s) + entry))
}

// position is the inverse of cursor. Whatever else comes here, also another listing's cursor, is the start.
func (s scope) position(cursor string) (entry string) {
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	entry, ok := strings.CutPrefix(string(b), string(s))
	if err != nil || !ok {
		return ""
	}
	return entry
}
