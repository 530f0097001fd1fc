package affinity

import "bytes"

// eventStream finds the first event of one type in an event stream, by the grammar that clients read it with (WHATWG
// HTML, section 9.2 "Server-sent events"): lines end in CR, LF or CRLF; a line without a name before its colon is a
// comment; one blank after the colon is not of the value; several lines of data are joined by LF; and an event without
// data is none. The stream may come in pieces of any size. It is not safe for concurrent use.
type eventStream struct {
	kind string // of the event
	max  int    // length in bytes of its data at the most

	begun   bool   // past where a byte order mark may stand
	afterCR bool   // a LF would belong to the line that has ended
	field   []byte // of the line under way, up to its colon
	long    bool   // the field's name is longer than any that counts
	inValue bool   // past the colon
	bare    bool   // at the value's beginning, where a blank is left out
	wanted  bool   // the event is of the type
	name    []byte // the value of the line under way, if it is the event's type
	data    []byte // of the event, each line with a LF
	over    bool   // there was more than max
}

// maxField is the length of the longest field name that counts, and of the mark before it.
const maxField = len("\ufeffevent")

// feed takes in the next piece. It returns how much of it was read: all, unless the event is complete, which is then
// that of data, or too long.
func (s *eventStream) feed(p []byte) (read int, found bool) {
	for i, c := range p {
		if s.afterCR && c == '\n' {
			s.afterCR = false
			continue
		}
		s.afterCR = c == '\r'
		switch {
		case c != '\r' && c != '\n':
			s.put(c)
		case s.endLine():
			return i + 1, true
		}
	}
	return len(p), false
}

// put takes in a byte of a line.
func (s *eventStream) put(c byte) {
	switch {
	case !s.inValue && c == ':':
		s.openValue()
	case !s.inValue:
		if s.long = len(s.field) >= maxField; !s.long {
			s.field = append(s.field, c)
		}
	case s.bare && c == ' ':
		s.bare = false
	default:
		s.bare = false
		s.putValue(c)
	}
}

// openValue settles which field the line has, by its name.
func (s *eventStream) openValue() {
	if !s.begun {
		s.field = bytes.TrimPrefix(s.field, []byte("\ufeff"))
		s.begun = true
	}
	if s.long {
		s.field = s.field[:0]
	}
	s.inValue, s.bare, s.name = true, true, s.name[:0]
}

func (s *eventStream) putValue(c byte) {
	switch string(s.field) {
	case "event":
		if len(s.name) <= len(s.kind) { // one more is enough to be another
			s.name = append(s.name, c)
		}
	case "data":
		s.putData(c)
	}
}

func (s *eventStream) putData(c byte) {
	if s.over = s.over || len(s.data) > s.max; !s.over { // with the last LF, which is none of it
		s.data = append(s.data, c)
	}
}

// endLine takes in the end of a line, and says whether it completes the event.
func (s *eventStream) endLine() (found bool) {
	if !s.inValue {
		if s.openValue(); len(s.field) == 0 && !s.long {
			found = s.dispatch()
		}
	}
	switch string(s.field) {
	case "event":
		s.wanted = string(s.name) == s.kind
	case "data":
		s.putData('\n')
	}
	s.field, s.inValue, s.long = s.field[:0], false, false
	return found
}

// dispatch ends an event with an empty line, and says whether it is the one.
func (s *eventStream) dispatch() (found bool) {
	found = s.wanted && len(s.data) > 0
	if found {
		s.data = s.data[:len(s.data)-1] // the last line's LF
		return true
	}
	s.data, s.wanted, s.over = s.data[:0], false, false
	return false
}
