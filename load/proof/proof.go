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
// answer may also have carried the announcement of a move, which the proxy then need not repeat. So, once per lost
// answer and whenever it shows, for the same reason, a response may come from elsewhere without an announcement if its
// epoch, which only a new pin raises, is greater than the one known. A proxy that announces its moves without epochs
// has no such excuse: a misroute would look the same.
type Session struct {
	home    string
	count   uint64 // the last one seen from the home
	counted bool   // one was seen since the session came to this home
	epoch   uint64 // the greatest one seen at a home
	total   uint64 // requests so far: no instance can have counted more
	unsure  uint64 // requests that may have counted, and that no count has shown yet
	unheard uint64 // answers that were lost, and may have announced a pin that no epoch has shown yet
}

// Home returns the name of the home, "" before the first response.
func (s *Session) Home() string { return s.home }

// Lost takes note of a request whose answer did not come, or could not be read.
func (s *Session) Lost() {
	s.total++
	s.unsure++
	s.unheard++
}

// Renamed takes note that the next response is of another session ID, by which the client's session goes on. The pins
// of two IDs have no order, so the epochs seen so far say nothing any more.
func (s *Session) Renamed() { s.epoch = 0 }

// Saw judges a response. A session's home is where its first response came from. A misroute does not change it: if the
// proxy has moved the session without a word, every later response is a misroute too.
func (s *Session) Saw(o Observation) Finding {
	s.total++
	f := s.judge(o)
	if f.Kind == Misroute {
		return f
	}
	if o.Epoch > s.epoch && o.Event == "" && s.unheard > 0 {
		s.unheard-- // its announcement was in one of the lost answers
	}
	s.epoch = max(s.epoch, o.Epoch)
	if !o.Counted {
		s.unsure++ // this request may or may not have counted, as if its answer were lost
	}
	return f
}

func (s *Session) judge(o Observation) Finding {
	announced := s.announced(o)
	switch {
	case s.home == "":
		return s.begin(o)
	case announced && (o.From != s.home || o.Counted && s.counted && o.Count <= s.count):
		return s.settle(o, Moved)
	case o.From != s.home:
		return s.due(o, Misroute)
	case announced && !o.Counted:
		s.counted = false // it may begin anew, which the next count will tell
	}
	return s.stay(o)
}

// announced says whether o announces a pin that was not known before: by an event, which repeats may have too, so that
// only a greater epoch counts where there are epochs; or, after a lost answer, by the greater epoch alone.
func (s *Session) announced(o Observation) bool {
	if o.Epoch == 0 {
		return o.Event != ""
	}
	return o.Epoch > s.epoch && (o.Event != "" || s.unheard > 0)
}

// begin takes in the first response. Its count tells where the counter starts, 0 or 1.
func (s *Session) begin(o Observation) Finding {
	f := s.settle(o, First)
	if o.Counted {
		s.unsure -= min(s.unsure, o.Count-min(o.Count, 1))
	}
	return f
}

// settle takes in a home. A new one may or may not remember an older stay of the session, so its count may be anything
// that the session's requests, all together, explain.
func (s *Session) settle(o Observation, kind Kind) Finding {
	s.home, s.count, s.counted = o.From, o.Count, o.Counted
	f := Finding{Kind: kind, Home: o.From}
	if o.Counted {
		f.Most = s.total
		if o.Count > f.Most {
			f.Kind = Overcount
		}
	}
	return f
}

// due is what a response from the home has to be.
func (s *Session) due(o Observation, kind Kind) Finding {
	f := Finding{Kind: kind, Home: s.home}
	switch {
	case !o.Counted:
	case s.counted:
		f.Least, f.Most = s.count+1, s.count+1+s.unsure
	default: // no count from here is known
		f.Most = s.total
	}
	return f
}

// stay judges a response from the home by its count.
func (s *Session) stay(o Observation) Finding {
	f := s.due(o, Kept)
	if !o.Counted {
		return f
	}
	switch {
	case o.Count < f.Least:
		f.Kind = LostState
	case o.Count > f.Most:
		f.Kind = Overcount
		s.unsure = 0
	case s.counted:
		s.unsure -= o.Count - f.Least
	}
	s.count, s.counted = o.Count, true
	return f
}
