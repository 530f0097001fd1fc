package configs

import "github.com/goccy/go-yaml/token"

// What no configuration needs, and what would keep the parser busy for minutes: 250 kB of keys in one mapping take
// it half a minute, a megabyte of open brackets more memory than there is.
const (
	maxTokens      = 300_000 // some thousands of functions
	maxFlowDepth   = 16
	maxColumn      = 200 // of what begins a line, so a bound for the depth of blocks
	maxLineMarks   = 16  // of - and ? in one line, each of which opens a block
	maxMappingKeys = 256
	maxSpecial     = 100 // anchors, aliases, tags and document markers: refused anyway, one by one
	maxEmptyItems  = 100
)

// excess returns where the tokens of a file go beyond what a configuration needs, and a problem, or "".
func excess(tokens token.Tokens) (position, string) {
	var m measure
	for _, tk := range tokens {
		if tk.Type == token.CommentType {
			continue
		}
		if problem := m.add(tk); problem != "" {
			return tokenPosition(tk), problem
		}
		m.last = tk
	}
	if len(tokens) > maxTokens {
		return tokenPosition(tokens[maxTokens]), "has more than 300000 words and marks, accepted is a smaller file"
	}
	return position{}, ""
}

// measure counts what is open at a token.
type measure struct {
	last           *token.Token
	line           int
	marks          int // in this line
	special, empty int
	blocks         []level // by indentation
	flows          []int   // keys of each open [ or {
}

type level struct{ column, keys int }

func (m *measure) add(tk *token.Token) string {
	at := tokenPosition(tk)
	if at.line != m.line {
		m.line, m.marks = at.line, 0
		if len(m.flows) == 0 && at.column > maxColumn {
			return "is indented by more than 200 columns, accepted is less"
		}
		m.indent(at.column)
	}
	switch tk.Type {
	case token.MappingStartType, token.SequenceStartType:
		m.flows = append(m.flows, 0)
	case token.MappingEndType, token.SequenceEndType:
		m.flows = m.flows[:max(0, len(m.flows)-1)]
	case token.SequenceEntryType, token.MappingKeyType:
		m.marks++
		if m.last != nil && m.last.Type == token.SequenceEntryType {
			m.empty++
		}
		m.indent(at.column + 1)
	case token.MappingValueType:
		m.key()
	case token.AnchorType, token.AliasType, token.TagType, token.DirectiveType, token.DocumentHeaderType, token.DocumentEndType:
		m.special++
	}
	return m.problem()
}

// indent closes the blocks that a token in this column is not part of.
func (m *measure) indent(column int) {
	if len(m.flows) > 0 {
		return
	}
	for len(m.blocks) > 0 && m.blocks[len(m.blocks)-1].column > column {
		m.blocks = m.blocks[:len(m.blocks)-1]
	}
	if len(m.blocks) == 0 || m.blocks[len(m.blocks)-1].column < column {
		m.blocks = append(m.blocks, level{column: column})
	}
}

func (m *measure) key() {
	if n := len(m.flows); n > 0 {
		m.flows[n-1]++
		return
	}
	if n := len(m.blocks); n > 0 {
		m.blocks[n-1].keys++
	}
}

func (m *measure) problem() string {
	switch {
	case len(m.flows) > maxFlowDepth || m.marks > maxLineMarks:
		return "is nested too deeply, accepted are 16 levels"
	case m.special > maxSpecial:
		return "has more than 100 anchors, aliases, tags and document markers, accepted are none"
	case m.empty > maxEmptyItems:
		return "has more than 100 empty list items, accepted are none"
	case len(m.flows) > 0 && m.flows[len(m.flows)-1] > maxMappingKeys,
		len(m.blocks) > 0 && m.blocks[len(m.blocks)-1].keys > maxMappingKeys:
		return "has more than 256 keys in one mapping, accepted are fewer"
	}
	return ""
}
