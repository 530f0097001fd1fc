package embeddedstore

import (
	"cmp"
	"context"
	"slices"

	"github.com/limpet-proxy/limpet/sessions"
)

// place is where the incarnations of one instance live.
type place struct{ version, id string }

func placeOf(h sessions.Home) place { return place{h.Version, h.ID} }

// facts are what a change must bring to disk.
type facts struct {
	home    sessions.Home
	url     string
	start   string // the program's start nonce, "" if unknown
	before  string // the start before that
	created micros
	lost    micros
	gone    micros
}

// instance is what the registry knows of one place.
type instance struct {
	facts
	healthy  micros // kept in memory between changes of the facts: a probe a second is not worth a sync
	reported micros
	seq      seq
}

// Report implements sessions.Registry.
func (s *Store) Report(ctx context.Context, r sessions.Report) ([]sessions.InstanceRecord, error) {
	f, err := s.change(ctx, r.Function)
	if err != nil {
		return nil, err
	}
	return s.told(f.report(r))
}

// Instances implements sessions.Registry. The order is by version, then ID.
func (s *Store) Instances(ctx context.Context, function string) ([]sessions.InstanceRecord, error) {
	f, err := s.enter(ctx, function)
	if err != nil {
		return nil, err
	}
	return s.told(f.instances())
}

// told waits until the records may be told.
func (s *Store) told(all []sessions.InstanceRecord, need seq) ([]sessions.InstanceRecord, error) {
	if err := s.log.wait(need); err != nil {
		return nil, err
	}
	return all, nil
}

func (f *function) report(r sessions.Report) (all []sessions.InstanceRecord, need seq) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.now()
	for _, ir := range r.Instances {
		p := place{r.Version, ir.ID}
		in := f.places[p]
		if in == nil {
			in = &instance{}
			in.home = sessions.Home{Version: r.Version, ID: ir.ID}
			f.reincarnate(in, now)
			f.places[p] = in
		}
		before := in.facts
		fresh := in.reported == 0
		in.reported = now
		f.observe(in, r, ir, now)
		if fresh || in.facts != before {
			in.seq = f.write(known{in})
		}
		need = max(need, in.seq)
		all = append(all, f.viewInstance(in, now))
	}
	return all, need
}

// observe applies one replica's view by the rules of sessions.Registry.
func (f *function) observe(in *instance, r sessions.Report, ir sessions.InstanceReport, now micros) {
	moved := ir.URL != "" && ir.URL != in.url
	if ir.URL != "" {
		in.url = ir.URL
	}
	switch ir.Health {
	case sessions.HealthUp:
		if in.gone != 0 && moved || f.replaced(in, r, ir, now) {
			f.reincarnate(in, now)
		}
		in.learn(ir.Start)
		in.lost, in.gone, in.healthy = 0, 0, now
	case sessions.HealthLost:
		if seen := in.healthy != 0 && now-in.healthy < span(r.AliveWithin); in.lost == 0 && !seen {
			in.lost = now
		}
	case sessions.HealthGone:
		if in.gone == 0 {
			in.gone = now
		}
	}
}

// replaced says whether what answers at the place is another program than the record's, or as good as one.
func (f *function) replaced(in *instance, r sessions.Report, ir sessions.InstanceReport, now micros) bool {
	proven := ir.Start != "" && ir.Start == in.start
	switch {
	case ir.Start != "" && in.start != "" && !proven && ir.Start != in.before:
		return true
	case in.gone != 0 && !proven:
		return true
	case in.gone == 0 && in.lost == 0:
		return false
	}
	since := in.gone
	if in.lost != 0 && (since == 0 || in.lost < since) {
		since = in.lost
	}
	passed := now-since >= span(r.LossGrace)
	if proven {
		return r.LossGrace > 0 && passed // the state is there, but its sessions have been ended
	}
	return passed
}

// reincarnate begins a new incarnation.
func (f *function) reincarnate(in *instance, now micros) {
	old := in.home
	in.home.Incarnation = f.next(now)
	in.created, in.lost, in.gone, in.healthy = now, 0, 0, 0
	if in.start != "" {
		in.before, in.start = in.start, ""
	}
	f.retire(old)
}

// retire ends an incarnation: its marks go, its sessions stay until they are used.
func (f *function) retire(old sessions.Home) {
	if l := f.loads[old]; l != nil {
		l.drain = drain{}
		f.tidy(old)
	}
}

// learn takes the start nonce of the program that answers. A late report of the one before teaches nothing.
func (in *instance) learn(start string) {
	if in.start == "" {
		in.start = start
	}
}

func (f *function) instances() (all []sessions.InstanceRecord, need seq) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.now()
	f.expire(now, sweepStep)
	for _, in := range f.places {
		need = max(need, in.seq)
		all = append(all, f.viewInstance(in, now))
	}
	slices.SortFunc(all, func(a, b sessions.InstanceRecord) int {
		return cmp.Or(cmp.Compare(a.Version, b.Version), cmp.Compare(a.ID, b.ID))
	})
	return all, need
}

func (f *function) viewInstance(in *instance, now micros) sessions.InstanceRecord {
	r := sessions.InstanceRecord{
		Home: in.home, URL: in.url, Start: in.start, CreatedAt: in.created.time(), ReadAt: now.time(),
		LastHealthy: in.healthy.time(), LostAt: in.lost.time(), GoneAt: in.gone.time(),
	}
	if l := f.loads[in.home]; l != nil {
		r.Used, r.Sessions = l.used, l.sessions
		r.DrainingSince, r.DrainDeadline = l.drain.since.time(), l.drain.until.time()
	}
	return r
}

// forgetInstances drops records that are gone, or that nobody has reported, for the retention. One with sessions
// stays: its incarnation and its end still matter to them.
func (f *function) forgetInstances(now micros) {
	for p, in := range f.places {
		since := in.reported
		if in.gone != 0 {
			since = in.gone
		}
		if now-since >= span(sessions.DefaultRetention) && f.count(in.home) == 0 {
			delete(f.places, p)
			delete(f.loads, in.home)
		}
	}
}
