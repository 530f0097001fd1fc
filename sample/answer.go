package sample

import (
	"encoding/json"
	"strconv"
)

// Answer is what the instance knows of a request.
type Answer struct {
	Instance string `json:"instance"`
	Session  string `json:"session"`         // "" when the request named none
	Count    int    `json:"count"`           // of this session's requests here, this one included
	Start    string `json:"start"`           // another after a restart
	Epoch    string `json:"epoch,omitempty"` // as the proxy gave it
	Event    string `json:"event,omitempty"` // as the proxy gave it
	Of       int    `json:"of,omitempty"`    // of a stream: how many events there will be
	N        int    `json:"n,omitempty"`     // of a stream: which one this is, from 1
}

// appendJSON appends what json.Marshal makes of the Answer. It is written out because a load generator is measured
// against this program: json.Marshal takes more time than the rest of the answer.
func (a *Answer) appendJSON(b []byte) []byte {
	b = appendString(append(b, `{"instance":`...), a.Instance)
	b = appendString(append(b, `,"session":`...), a.Session)
	b = strconv.AppendInt(append(b, `,"count":`...), int64(a.Count), 10)
	b = appendString(append(b, `,"start":`...), a.Start)
	if a.Epoch != "" {
		b = appendString(append(b, `,"epoch":`...), a.Epoch)
	}
	if a.Event != "" {
		b = appendString(append(b, `,"event":`...), a.Event)
	}
	if a.Of != 0 {
		b = strconv.AppendInt(append(b, `,"of":`...), int64(a.Of), 10)
	}
	if a.N != 0 {
		b = strconv.AppendInt(append(b, `,"n":`...), int64(a.N), 10)
	}
	return append(b, '}')
}

// appendString appends s as JSON. What json.Marshal may write in another way than it is, it is asked to.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ', c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			quoted, err := json.Marshal(s)
			if err != nil {
				panic(err) // no string fails
			}
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
