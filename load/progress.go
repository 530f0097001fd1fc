package load

import "time"

// Progress is how far a run has come.
type Progress struct {
	Elapsed time.Duration
	// Done is the share of the plan that is done, 0 to 1; it is 1 while the last answers are waited for.
	Done             float64
	Answered, Failed int
	P50, P99         float64 // of the whole run so far, in milliseconds
	Sessions         int     // alive
	Moves            int
	Misroutes        int
	LostStates       int
	Overcounts       int
	LateHere         int
}

// Progress says how far the run is. Before Do it is zero.
func (r *Run) Progress() Progress {
	select {
	case <-r.started:
	default:
		return Progress{}
	}
	p := r.record.progress(&r.plan, time.Now())
	p.Sessions = r.deck.alive()
	return p
}

func (r *recorder) progress(plan *Plan, now time.Time) Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := Progress{
		Elapsed: now.Sub(r.began), Answered: r.requests.Answered, Failed: r.requests.Failed,
		P50: r.latency.at(50), P99: r.latency.at(99), Moves: r.affinity.Moves, Misroutes: r.affinity.Misroutes,
		LostStates: r.affinity.LostStates, Overcounts: r.affinity.Overcounts, LateHere: r.requests.LateHere,
	}
	if plan.Duration > 0 {
		p.Done = p.Elapsed.Seconds() / plan.Duration.Seconds()
	}
	if plan.Requests > 0 {
		p.Done = max(p.Done, float64(r.started)/float64(plan.Requests))
	}
	p.Done = min(p.Done, 1)
	if r.closing {
		p.Done = 1
	}
	return p
}
