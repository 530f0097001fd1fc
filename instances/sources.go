package instances

import (
	"context"
	"slices"
	"time"
)

// sourcePatience is for how long Ready waits for sources that have heard nothing: a replica whose resolver is down
// should rather serve its other functions.
const sourcePatience = 10 * time.Second

// listing is a place and which source lists it.
type listing struct {
	Place
	source Source
}

// roster is what all sources of a pool list together.
type roster struct {
	all   []listing
	ids   map[string]int // to all
	addrs map[string]int
	// clashes are the places that were left out, as the log tells of them.
	clashes map[clash]bool
}

// clash is a place that is left out because an earlier source has its ID or its address.
type clash struct{ id, url, other, otherURL string }

// add takes up a place, unless an earlier source has its ID, or its address under another ID: one program under two
// IDs would hold twice its slots, and its restart would be seen under one ID first. What one source lists twice under
// two IDs is its own business: an address may pass from one Pod to the next.
func (r *roster) add(l listing) {
	if at, taken := r.ids[l.ID]; taken {
		r.clash(l, r.all[at])
		return
	}
	addr := address(l.URL)
	if at, taken := r.addrs[addr]; taken && r.all[at].source != l.source {
		r.clash(l, r.all[at])
		return
	}
	r.ids[l.ID], r.addrs[addr] = len(r.all), len(r.all)
	r.all = append(r.all, l)
}

func (r *roster) clash(l, first listing) {
	r.clashes[clash{l.ID, l.URL.String(), first.ID, first.URL.String()}] = true
}

// roster asks every source. What a source that is no longer configured has listed stays for as long as one that took
// its place has heard nothing: else a reload that changes a name would take every instance away for a moment, and every
// session with them. heard says that there is none such.
func (p *Pool) roster() (r roster, heard bool) {
	r = roster{ids: map[string]int{}, addrs: map[string]int{}, clashes: map[clash]bool{}}
	heard = true
	for _, s := range p.sources {
		places, known := s.Places()
		heard = heard && known
		for _, place := range places {
			r.add(listing{place, s})
		}
	}
	if heard {
		p.leaving = nil
		return r, true
	}
	for _, i := range p.instances {
		if slices.Contains(p.leaving, i.source) {
			r.keep(i)
		}
	}
	return r, false
}

// keep takes up an instance of a source that leaves, where no other has its ID or address: that is no clash.
func (r *roster) keep(i *Instance) {
	_, id := r.ids[i.id]
	_, addr := r.addrs[address(i.url)]
	if !id && !addr {
		r.add(listing{Place{ID: i.id, URL: i.url, Draining: i.draining, Unready: i.unready}, i.source})
	}
}

// tellClashes logs the clashes that were not there the last time.
func (p *Pool) tellClashes(now map[clash]bool) {
	for c := range now {
		if !p.clashes[c] {
			p.log.Warn("two sources list the same instance, the first one counts",
				"instance", c.other, "url", c.otherURL, "other", c.id, "other_url", c.url)
		}
	}
	p.clashes = now
}

// setSources makes all the pool's sources. The configuration's own list is the first.
func (p *Pool) setSources(all []Source) {
	for _, old := range p.sources {
		if _, listed := old.(*static); !listed && !slices.Contains(all, old) {
			p.leaving = append(p.leaving, old)
		}
	}
	p.sources = all
	p.noteElastic()
	p.leaving = slices.DeleteFunc(p.leaving, func(s Source) bool { return slices.Contains(all, s) })
}

// followSources runs the present sources: those that run already go on, those that are no longer listed are stopped.
func (p *Pool) followSources() {
	if p.running == nil {
		return
	}
	for s, stop := range p.running.sources {
		if !slices.Contains(p.sources, s) {
			stop()
			delete(p.running.sources, s)
		}
	}
	for _, s := range p.sources {
		if _, runs := p.running.sources[s]; runs {
			continue
		}
		ctx, stop := context.WithCancel(p.running.ctx)
		p.running.sources[s] = stop
		p.running.goroutines.Go(func() { s.Run(ctx, p.sync) })
	}
}
