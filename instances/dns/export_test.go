package dns

import (
	"time"

	"github.com/miekg/dns"
)

// WithResolvConf makes s ask the name servers of this file, at a port of their own. Call it before Run.
func (s *Source) WithResolvConf(file, port string) {
	s.questions = questions(s.cfg, lookup{resolver{file: file, port: port, timeout: tryTimeout}})
}

// WithTimeout makes s wait this long for a server. Call it before Run.
func (s *Source) WithTimeout(d time.Duration) {
	s.questions = questions(s.cfg, lookup{resolver{server: s.cfg.Server, timeout: d}})
}

// AnswerOf is what an answer's bytes are taken for: whether it answers the question, and with what.
func AnswerOf(raw []byte, name string, kind uint16) (addrs, targets int, err error) {
	m := new(dns.Msg)
	if err := m.Unpack(raw); err != nil {
		return 0, 0, err
	}
	if err := (query{name: name, kind: kind}).judge(m); err != nil {
		return 0, 0, err
	}
	a, _ := addresses(m)
	for _, one := range a {
		if !one.IsValid() || one.IsUnspecified() || one.IsMulticast() || one.Is4In6() {
			panic(one)
		}
	}
	t, _ := targetsOf(m)
	return len(a), len(t), nil
}

const MaxPlaces = maxPlaces
