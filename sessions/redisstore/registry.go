package redisstore

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/limpet-proxy/limpet/sessions"
)

// Report stores one replica's view of a pool: the rules are in scripts/report.lua.
func (s *Store) Report(ctx context.Context, r sessions.Report) ([]sessions.InstanceRecord, error) {
	c := call{
		script: s.scripts.report, function: r.Function,
		keys: s.keys.registry(r.Function),
		args: []any{r.Version, r.AliveWithin.Microseconds(), r.LossGrace.Microseconds()},
	}
	for _, i := range r.Instances {
		c.args = append(c.args, i.ID, i.URL, i.Start, int(i.Health))
	}
	got, err := s.run(ctx, c)
	if err != nil {
		return nil, err
	}
	records := make([]sessions.InstanceRecord, len(r.Instances))
	for i, reported := range r.Instances {
		if records[i], err = got.instance(sessions.Home{Version: r.Version, ID: reported.ID}, 1+3*i, got.int(0)); err != nil {
			return nil, err
		}
	}
	return records, nil
}

// Instances returns all records of the function, by version and ID.
func (s *Store) Instances(ctx context.Context, function string) ([]sessions.InstanceRecord, error) {
	got, err := s.run(ctx, call{
		script: s.scripts.instances, function: function,
		keys: s.keys.registry(function),
	})
	if err != nil {
		return nil, err
	}
	now := clock(got.int(0))
	var all []sessions.InstanceRecord
	for i := 1; i+3 < len(got.values); i += 4 {
		record, err := got.instance(decodePlace(got.string(i)), i+1, got.int(0))
		if err != nil {
			return nil, err
		}
		if record.GoneAt.IsZero() || record.GoneAt.Add(sessions.DefaultRetention).After(now) {
			all = append(all, record)
		}
	}
	slices.SortFunc(all, func(a, b sessions.InstanceRecord) int {
		return cmp.Or(cmp.Compare(a.Version, b.Version), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// Mark makes an incarnation drain, or takes that back.
func (s *Store) Mark(ctx context.Context, m sessions.Mark) (sessions.InstanceRecord, error) {
	got, err := s.replicated(ctx, call{
		script: s.scripts.mark, function: m.Function, keys: s.keys.registry(m.Function),
		args: []any{m.Home.Version, m.Home.ID, strconv.FormatUint(m.Home.Incarnation, 10), m.Draining, max(0, m.Deadline).Microseconds()},
	})
	if err != nil {
		return sessions.InstanceRecord{}, err
	}
	err = got.outcome()
	if errors.Is(err, sessions.ErrNotFound) {
		err = sessions.ErrUnknownInstance
	}
	if err != nil {
		return sessions.InstanceRecord{}, err
	}
	return got.instance(m.Home, 2, got.int(1))
}

// instance decodes a place's record, and the drain and the count behind it, as they were at now.
func (r reply) instance(h sessions.Home, at int, now int64) (sessions.InstanceRecord, error) {
	record, err := decodeInstance(h.Version, h.ID, r.string(at))
	if err != nil {
		return record, err
	}
	record.ReadAt = clock(now)
	if err := decodeDrain(r.string(at+1), &record); err != nil {
		return record, err
	}
	record.Sessions, err = decodeCount(r.string(at + 2))
	return record, err
}
