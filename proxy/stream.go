package proxy

import (
	"io"
	"net/http"

	"github.com/limpet-proxy/limpet/affinity"
)

// followed says whether the response is to be read for the session's ID as it passes.
func (x *exchange) followed() bool {
	_, ok := x.rule.(affinity.StreamLearner)
	return ok && x.use.Reserved()
}

// follow has the body of a response read for the session's ID, if it is a stream that may begin one.
func (x *exchange) follow(rule affinity.StreamLearner, res *http.Response) error {
	reader, err := rule.LearnStream(res)
	switch {
	case err != nil:
		return x.refuse(err)
	case reader == nil:
		x.use.Release()
		return nil
	}
	x.life = true
	res.Body = &namingStream{res.Body, reader, res, x}
	return nil
}

// namingStream is the body of a response that names the exchange's session. What it reads it hands on as it is; the piece
// that completes the name waits until the session has it.
type namingStream struct {
	io.ReadCloser
	reader *affinity.EndpointReader
	res    *http.Response
	x      *exchange
}

// Read reads from the instance.
func (s *namingStream) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if s.reader.Done() {
		return n, err
	}
	if failure := s.learn(p[:n]); failure != nil {
		s.x.broke = failureOf(failure)
		return 0, failure
	}
	return n, err
}

func (s *namingStream) learn(p []byte) error {
	id, err := s.reader.Feed(p)
	switch {
	case err != nil:
		return s.x.refuse(err)
	case id == "":
		return nil
	case s.x.r.Context().Err() != nil:
		return errClientGone
	}
	return s.x.bind(s.res, id)
}

// endStream ends the session of a stream with it: nobody could be answered any more.
func (x *exchange) endStream() {
	if x.life && x.session() != nil {
		x.end(false)
	}
}
