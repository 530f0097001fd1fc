package redisstore

import (
	"cmp"
	"context"
	"slices"

	"github.com/limpet-proxy/limpet/sessions"
)

// Report stores one replica's view of a pool: the rules are in scripts/report.lua.
func (s *Store) Report(ctx context.Context, r sessions.Report) ([]sessions.InstanceRecord, error) {
	c := call{
		script: s.scripts.report, function: r.Function,
		keys: []string{s.keys.instances(r.Function), s.keys.marks(r.Function), s.keys.counts(r.Function)},
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
		if records[i], err = got.instance(r.Version, reported.ID, 1+2*i); err != nil {
			return nil, err
		}
	}
	return records, nil
}

// Instances returns all records of the function, by version and ID.
func (s *Store) Instances(ctx context.Context, function string) ([]sessions.InstanceRecord, error) {
	got, err := s.run(ctx, call{
		script: s.scripts.instances, function: function,
		keys: []string{s.keys.instances(function), s.keys.counts(function)},
	})
	if err != nil {
		return nil, err
	}
	now := clock(got.int(0))
	var all []sessions.InstanceRecord
	for i := 1; i+2 < len(got.values); i += 3 {
		version, id := decodePlace(got.string(i))
		record, err := got.instance(version, id, i+1)
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

// instance decodes a record and the count behind it.
func (r reply) instance(version, id string, at int) (sessions.InstanceRecord, error) {
	record, err := decodeInstance(version, id, r.string(at))
	if err != nil {
		return record, err
	}
	record.Sessions, err = decodeCount(r.string(at + 1))
	return record, err
}
