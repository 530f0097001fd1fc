package embeddedstore

import (
	"math"

	"github.com/limpet-proxy/limpet/sessions"
)

// place chooses a home, other than not, for a session.
func (f *function) place(p sessions.Placement, not *sessions.Home, now micros) (sessions.Home, bool) {
	if home, ok := f.leastLoaded(p, not); ok {
		return home, true
	}
	// Sessions that have expired unnoticed may hold the slots.
	if f.expire(now, math.MaxInt) == 0 {
		return sessions.Home{}, false
	}
	return f.leastLoaded(p, not)
}

func (f *function) leastLoaded(p sessions.Placement, not *sessions.Home) (best sessions.Home, ok bool) {
	room := p.PerInstance
	if p.Isolation {
		room = min(room, 1)
	}
	for _, c := range p.Candidates {
		if not != nil && c == *not || f.refuses(c) {
			continue
		}
		if n := f.count(c); n < room {
			best, room, ok = c, n, true
		}
	}
	return best, ok
}

// refuses says what the registry knows against a candidate that its caller believes good.
func (f *function) refuses(c sessions.Home) bool {
	if l := f.loads[c]; l != nil && (l.used || l.drain.on()) {
		return true
	}
	in := f.places[placeOf(c)]
	if in == nil || in.home.Incarnation < c.Incarnation {
		return false
	}
	return in.home.Incarnation > c.Incarnation || in.gone != 0
}

func (f *function) count(h sessions.Home) int {
	if l := f.loads[h]; l != nil {
		return l.sessions
	}
	return 0
}

// alive says whether some replica saw the home healthy within the time given.
func (f *function) alive(h sessions.Home, within, now micros) bool {
	in := f.places[placeOf(h)]
	return in != nil && in.home == h && in.gone == 0 && in.lost == 0 && in.healthy != 0 && now-in.healthy < within
}
