package sessions

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ErrCursor means that a cursor of Walk is ill-formed, or of a walk with another query. Who hands cursors out seals
// them, so it is a fault of the program, or the cursor is of one with another format.
var ErrCursor = errors.New("ill-formed cursor")

// walkFormat begins a cursor of Walk.
const walkFormat = "1"

// walkCursor is where a walk goes on.
type walkCursor struct {
	since     int64 // µs of the store's clock: see walk.since
	qualifier string
	state     State
	inner     string // cursor of the store's listing
}

// String returns the cursor as text: format, since, state, qualifier, and the rest is the inner cursor.
func (c walkCursor) String() string {
	return strings.Join([]string{
		walkFormat, strconv.FormatInt(c.since, 10), strconv.Itoa(int(c.state)),
		base64.RawURLEncoding.EncodeToString([]byte(c.qualifier)), c.inner,
	}, ".")
}

// parseWalkCursor takes what String made, and nothing else.
func parseWalkCursor(text string) (walkCursor, error) {
	fields := strings.SplitN(text, ".", 5)
	if len(fields) != 5 || fields[0] != walkFormat {
		return walkCursor{}, fmt.Errorf("%w: format", ErrCursor)
	}
	since, errSince := strconv.ParseInt(fields[1], 10, 64)
	state, errState := strconv.ParseUint(fields[2], 10, 8)
	qualifier, errQualifier := base64.RawURLEncoding.DecodeString(fields[3])
	if err := errors.Join(errSince, errState, errQualifier); err != nil {
		return walkCursor{}, fmt.Errorf("%w: %w", ErrCursor, err)
	}
	c := walkCursor{since: since, state: State(state), qualifier: string(qualifier), inner: fields[4]}
	if since < 0 || c.String() != text {
		return walkCursor{}, fmt.Errorf("%w: not as it was made", ErrCursor)
	}
	return c, nil
}

// parseCursor returns where the walk goes on, if its cursor is of this query.
func (w *walk) parseCursor() (walkCursor, error) {
	c, err := parseWalkCursor(w.query.After)
	switch {
	case err != nil:
		return walkCursor{}, err
	case !slices.Contains(w.query.States, c.state):
		return walkCursor{}, fmt.Errorf("%w: state %v is not asked for", ErrCursor, c.state)
	case w.byInstance() != (c.qualifier == ""):
		return walkCursor{}, fmt.Errorf("%w: of another kind of listing", ErrCursor)
	case !w.byInstance() && w.query.Qualifier != "" && c.qualifier != w.query.Qualifier:
		return walkCursor{}, fmt.Errorf("%w: qualifier %q is not asked for", ErrCursor, c.qualifier)
	}
	return c, nil
}
