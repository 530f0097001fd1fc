package redisstore

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// The kinds of a reply, which are their first bytes on the wire.
const (
	kindString   = '+'
	kindError    = '-'
	kindInteger  = ':'
	kindBulk     = '$'
	kindVerbatim = '='
	kindPush     = '>'
)

const (
	maxReplyBytes = 1 << 20 // of one string
	maxReplyItems = 1 << 20 // of one array: the keys that changed in one turn of the server
	maxReplyDepth = 8
)

var errProtocol = errors.New("not a RESP3 reply")

// respValue is one reply of RESP3 (https://redis.io/docs/latest/develop/reference/protocol-spec/). A map's items are its
// keys and values in turn. Null has the kind '_', in RESP2's forms too.
type respValue struct {
	kind  byte
	text  string // of whatever is no aggregate
	items []respValue
}

// replyError is a server's refusal.
type replyError string

func (e replyError) Error() string { return string(e) }

// RedisError makes it a redis.Error, like those that the client returns.
func (replyError) RedisError() {}

// err is the refusal that v is, or nil.
func (v respValue) err() error {
	if v.kind == kindError {
		return replyError(v.text)
	}
	return nil
}

// push returns what kind of push v is, "" for a reply.
func (v respValue) push() string {
	if v.kind != kindPush || len(v.items) == 0 {
		return ""
	}
	return v.items[0].text
}

// readReply reads one reply or push. It keeps what a server may send within bounds.
func readReply(r *bufio.Reader) (respValue, error) { return readNested(r, 0) }

func readNested(r *bufio.Reader, depth int) (respValue, error) {
	line, err := readLine(r)
	if err != nil {
		return respValue{}, err
	}
	kind, rest := line[0], line[1:]
	switch kind {
	case kindString, kindError, kindInteger, ',', '#', '(', '_':
		return respValue{kind: kind, text: rest}, nil
	case kindBulk, kindVerbatim, '!':
		return readBulk(r, kind, rest)
	case '*', '~', '%', kindPush:
		return readItems(r, line, depth)
	default:
		return respValue{}, fmt.Errorf("%w: it begins with %q", errProtocol, kind)
	}
}

// readLine returns a line of at least one byte, without its end. A line is short: strings that are not have a length.
func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return "", fmt.Errorf("%w: a line without end", errProtocol)
	}
	if err != nil {
		return "", err
	}
	if len(line) < 3 || line[len(line)-2] != '\r' {
		return "", fmt.Errorf("%w: a line that ends early", errProtocol)
	}
	return string(line[:len(line)-2]), nil
}

// length reads the length of a string or the number of items, -1 for RESP2's null.
func length(text string, limit int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < -1 || n > limit {
		return 0, fmt.Errorf("%w: length %.20q", errProtocol, text)
	}
	return n, nil
}

func readBulk(r *bufio.Reader, kind byte, rest string) (respValue, error) {
	n, err := length(rest, maxReplyBytes)
	if err != nil {
		return respValue{}, err
	}
	if n < 0 {
		return respValue{kind: '_'}, nil
	}
	text := make([]byte, n+2)
	if _, err := io.ReadFull(r, text); err != nil {
		return respValue{}, err
	}
	if text[n] != '\r' || text[n+1] != '\n' {
		return respValue{}, fmt.Errorf("%w: a string longer than it says", errProtocol)
	}
	if kind == '!' {
		kind = kindError
	}
	return respValue{kind: kind, text: string(text[:n])}, nil
}

// readItems reads the items of the aggregate that line begins.
func readItems(r *bufio.Reader, line string, depth int) (respValue, error) {
	n, err := length(line[1:], maxReplyItems)
	if err != nil {
		return respValue{}, err
	}
	if n < 0 {
		return respValue{kind: '_'}, nil
	}
	if depth == maxReplyDepth {
		return respValue{}, fmt.Errorf("%w: nested too deep", errProtocol)
	}
	if line[0] == '%' {
		n *= 2
	}
	v := respValue{kind: line[0], items: make([]respValue, 0, min(n, 64))}
	for range n {
		item, err := readNested(r, depth+1)
		if err != nil {
			return respValue{}, err
		}
		v.items = append(v.items, item)
	}
	return v, nil
}
