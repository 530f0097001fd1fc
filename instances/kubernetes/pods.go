package kubernetes

import (
	"context"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"time"
)

// lingerFor is how long a Pod that is in no slice any more, and did not terminate, is still listed. A slice may be
// deleted and made anew, with a Service that is replaced, say, and its Pods live on. It costs little where the Pod has
// ended: a dial that is refused proves that, and one without an answer is tried by no new session.
const lingerFor = 3 * time.Second

// pod is one Pod as all slices together describe it.
type pod struct {
	at  netip.AddrPort
	url *url.URL
	condition
	until time.Time // it is in no slice, and listed until then; zero: it is in one
}

func newPod(at netip.AddrPort, c condition) pod {
	return pod{at: at, url: &url.URL{Scheme: "http", Host: at.String()}, condition: c}
}

func (p pod) lingers() bool { return !p.until.IsZero() }

func (p pod) same(other pod) bool {
	return p.at == other.at && p.condition == other.condition && p.until.Equal(other.until)
}

// publish makes what the slices say the Pods, and says whether that changes anything. One that has terminated is gone
// when it is in no slice; another lingers. Call with mu held.
func (s *Source) publish(now time.Time) bool {
	next := merge(s.slices, s.pods)
	for uid, p := range s.pods {
		if _, listed := next[uid]; listed || p.terminating {
			continue
		}
		if !p.lingers() {
			p.until = now.Add(s.pace.linger)
		}
		if now.Before(p.until) {
			next[uid] = p
		}
	}
	if maps.EqualFunc(s.pods, next, pod.same) {
		return false
	}
	s.pods = next
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return true
}

// expire takes away what has lingered long enough, until ctx is done.
func (s *Source) expire(ctx context.Context, changed func()) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-timer.C:
		}
		s.mu.Lock()
		different, next := s.publish(time.Now()), s.firstEnd()
		s.mu.Unlock()
		if different {
			changed()
		}
		timer.Stop()
		if !next.IsZero() {
			timer.Reset(time.Until(next))
		}
	}
}

// firstEnd is when the first Pod has lingered long enough; zero if none does.
func (s *Source) firstEnd() (first time.Time) {
	for _, p := range s.pods {
		if p.lingers() && (first.IsZero() || p.until.Before(first)) {
			first = p.until
		}
	}
	return first
}

// merge returns the Pods that the slices list. A Pod may be in several: in one of each family of addresses and, while the
// cluster moves it from one to another, in both, with conditions of which one is old. before are the Pods that were
// known.
func merge(all map[string]slice, before map[string]pod) map[string]pod {
	at, conditions := map[string][]netip.AddrPort{}, map[string]condition{}
	for _, s := range all {
		for _, e := range s.endpoints {
			at[e.uid] = append(at[e.uid], e.at)
			conditions[e.uid] = conditions[e.uid].or(e.condition)
		}
	}
	pods := make(map[string]pod, len(at))
	for uid, listed := range at {
		slices.SortFunc(listed, netip.AddrPort.Compare) // IPv4 comes first
		was := before[uid]
		here := choose(listed, was.at)
		if here == was.at {
			pods[uid] = pod{at: here, url: was.url, condition: conditions[uid]}
		} else {
			pods[uid] = newPod(here, conditions[uid])
		}
	}
	return pods
}

// choose takes one of a Pod's addresses: the one that it had. Another address is another program, and sessions with
// state there would be moved; so while the slice of the other family is written first, or made anew, the old address
// stays. Only another address or port of the same family says that it has changed.
func choose(listed []netip.AddrPort, had netip.AddrPort) netip.AddrPort {
	if !had.IsValid() {
		return listed[0]
	}
	if slices.Contains(listed, had) {
		return had
	}
	for _, a := range listed {
		if a.Addr().Is4() == had.Addr().Is4() {
			return a
		}
	}
	return had
}
