package mcp

import (
	"bytes"
	"errors"
	"fmt"
)

// MaxMessage is the longest JSON-RPC message that is read from an event stream, in bytes.
const MaxMessage = 64 << 10

// ErrEvents means that an event stream holds what cannot be read in bounded memory.
var ErrEvents = errors.New("not an event stream that can be read")

// Events reads an event stream as it comes, in parts of any size
// (https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream). The zero value is of use. It is
// not safe for concurrent use.
type Events struct {
	line  []byte // the line that has begun
	data  []byte // of the event that has begun
	begun bool   // the event has data
	other bool   // the event has a name, and is none of MCP's
	cr    bool   // the last byte was a carriage return: a line feed after it ends no other line
	past  bool   // the first line is read, before which a byte order mark may stand
}

// Feed takes the next bytes in and calls each with the data of every event that they end, until each returns true or
// they are used up. The data is valid until each returns. ErrEvents if a line or an event is longer than MaxMessage.
func (e *Events) Feed(part []byte, each func(data []byte) (done bool)) (done bool, err error) {
	for len(part) > 0 {
		if e.cr && part[0] == '\n' {
			part = part[1:]
		}
		e.cr = false
		end := bytes.IndexAny(part, "\r\n")
		if end < 0 {
			return false, e.extend(part)
		}
		if err := e.extend(part[:end]); err != nil {
			return false, err
		}
		e.cr = part[end] == '\r'
		part = part[end+1:]
		if done, err := e.take(each); done || err != nil {
			return done, err
		}
	}
	return false, nil
}

// Reset makes it ready for another stream, and keeps its memory.
func (e *Events) Reset() { *e = Events{line: e.line[:0], data: e.data[:0]} }

func (e *Events) extend(part []byte) error {
	if len(e.line)+len(part) > MaxMessage {
		return fmt.Errorf("%w: a line has more than %d bytes", ErrEvents, MaxMessage)
	}
	e.line = append(e.line, part...)
	return nil
}

// take reads the line that is whole now. An empty one ends an event, which is nothing if it has no data.
func (e *Events) take(each func([]byte) bool) (done bool, err error) {
	line := e.line
	e.line = e.line[:0]
	if !e.past {
		line, e.past = bytes.TrimPrefix(line, []byte("\ufeff")), true
	}
	if len(line) == 0 {
		if e.begun && !e.other {
			done = each(e.data)
		}
		e.data, e.begun, e.other = e.data[:0], false, false
		return done, nil
	}
	return false, e.field(line)
}

// field takes a line of an event in. Comments, and fields that carry no message, are passed over.
func (e *Events) field(line []byte) error {
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(name) {
	case "data":
		if len(e.data)+len(value)+1 > MaxMessage {
			return fmt.Errorf("%w: an event has more than %d bytes", ErrEvents, MaxMessage)
		}
		if e.begun {
			e.data = append(e.data, '\n')
		}
		e.data, e.begun = append(e.data, value...), true
	case "event":
		e.other = len(value) > 0 && string(value) != "message"
	}
	return nil
}
