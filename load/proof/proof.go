// Package proof decides whether the responses of a session came from its home, from nothing but what a client sees.
package proof

// Observation is what one response shows of where it came from.
type Observation struct {
	// From names the instance that answered. Required: a response that names none cannot be judged, see Session.Lost.
	From string
	// Count is how many requests of the session the instance has counted in its memory, this one included. It counts
	// only with Counted.
	Count   uint64
	Counted bool
	// Event is the proxy's announcement that the session was made or moved, "" for none.
	Event string
	// Epoch numbers the session's pins, where the proxy does; 0 is none.
	Epoch uint64
}

// Kind is what a response says of its session.
type Kind uint8

const (
	// First is a session's first response: where it came from is the home.
	First Kind = iota
	// Kept is a response from the home, with the count that it must have.
	Kept
	// Moved is an announced change: the session has another home, or begins anew at the same one.
	Moved
	// Misroute is a response from elsewhere than the home, with no new announcement.
	Misroute
	// LostState is a response from the home whose count fell back, with no new announcement.
	LostState
	// Overcount is a response from the home whose count is higher than the requests explain: one was executed twice, or
	// the session has been given another's state.
	Overcount
)

// String returns the word that reports use.
func (k Kind) String() string {
	switch k {
	case First:
		return "first"
	case Kept:
		return "kept"
	case Moved:
		return "moved"
	case Misroute:
		return "misroute"
	case LostState:
		return "lost state"
	case Overcount:
		return "overcount"
	}
	return "unknown"
}

// Broken says whether the kind is a violation of affinity.
func (k Kind) Broken() bool { return k == Misroute || k == LostState || k == Overcount }

// Finding is what was made of a response, and what would have been right.
type Finding struct {
	Kind Kind
	// Home is where the response had to come from; of First and Moved, where it came from.
	Home string
	// Least and Most bound the count that it had to have. They are 0 where no count was asked for.
	Least, Most uint64
}

// Session is what a client knows of its session. The zero value knows nothing. It is not safe for concurrent use: a
// session has one request at a time.
//
// # What a lost answer allows
//
// A request without a usable answer may have reached the home or not, so the count may be higher by one for each. That
// is allowed once per lost answer, whenever it shows: a request that timed out here may be executed later. The lost
// answer may also have carried the announcement of a move, which the proxy then need not repeat. So the response after
// it may come from elsewhere if its epoch, which only a new pin raises, is greater than the one known.
type Session struct {
	home   string
	count  uint64 // the last one seen from the home
	epoch  uint64 // the greatest one seen
	unsure uint64 // answers that were lost, and whose requests no count has shown yet
	missed bool   // an answer was lost since the last response
}

// Home returns the name of the home, "" before the first response.
func (s *Session) Home() string { return s.home }

// Lost takes note of a request whose answer did not come, or could not be read.
func (s *Session) Lost() { s.unsure, s.missed = s.unsure+1, true }

// Saw judges a response. A session's home is where its first response came from. A misroute does not change it: if the
// proxy has moved the session without a word, every later response is a misroute too.
func (s *Session) Saw(o Observation) Finding {
	first, announced := s.home == "", s.announced(o)
	s.missed = false
	switch {
	case first:
		return s.begin(o)
	case announced && (o.From != s.home || o.Counted && o.Count <= s.count):
		s.settle(o)
		return Finding{Kind: Moved, Home: o.From}
	case o.From != s.home:
		return s.strayed(o)
	}
	return s.stay(o)
}

// announced says whether o announces a pin that was not known before: by an event, which repeats may have too, so that
// only a greater epoch counts where there are epochs; or, after a lost answer, by the greater epoch alone.
func (s *Session) announced(o Observation) bool {
	if o.Epoch == 0 {
		return o.Event != ""
	}
	return o.Epoch > s.epoch && (o.Event != "" || s.missed)
}

// begin takes in the first response. Its count tells where the counter starts, 0 or 1.
func (s *Session) begin(o Observation) Finding {
	f := Finding{Kind: First, Home: o.From}
	if o.Counted {
		f.Most = 1 + s.unsure
		if o.Count > f.Most {
			f.Kind = Overcount
		}
		s.unsure -= min(s.unsure, o.Count-min(o.Count, 1))
	}
	s.home, s.count, s.epoch = o.From, o.Count, o.Epoch
	s.uncounted(o)
	return f
}

// settle takes in an announced change. Whatever the count is, it may be: the new home may or may not remember an older
// stay of the session, and the announcement says that nothing can be relied on.
func (s *Session) settle(o Observation) {
	s.home, s.count, s.epoch = o.From, o.Count, max(s.epoch, o.Epoch)
	s.uncounted(o)
}

// strayed is what the home would have answered.
func (s *Session) strayed(o Observation) Finding {
	f := Finding{Kind: Misroute, Home: s.home}
	if o.Counted {
		f.Least, f.Most = s.count+1, s.count+1+s.unsure
	}
	return f
}

// stay judges a response from the home by its count.
func (s *Session) stay(o Observation) Finding {
	s.epoch = max(s.epoch, o.Epoch)
	f := Finding{Kind: Kept, Home: s.home}
	if !o.Counted {
		s.uncounted(o)
		return f
	}
	f.Least, f.Most = s.count+1, s.count+1+s.unsure
	switch {
	case o.Count < f.Least:
		f.Kind = LostState
	case o.Count > f.Most:
		f.Kind = Overcount
		s.unsure = 0
	default:
		s.unsure -= o.Count - f.Least
	}
	s.count = o.Count
	return f
}

// uncounted takes note of a response without a count: its request may or may not have counted, as if it were lost.
func (s *Session) uncounted(o Observation) {
	if !o.Counted {
		s.unsure++
	}
}
