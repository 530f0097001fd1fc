package configs

import (
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// rejoin undoes what the library's scanner does to a list inside { }: it cuts {addrs: [127.0.0.1:6379]} at the colon,
// though a colon without a blank after it is part of a plain word (YAML 1.2.2, section 7.3.3, ns-plain-char). Of
// version 1.19; remove this when TestColonsInFlowLists passes without.
func rejoin(tokens token.Tokens) token.Tokens {
	var (
		out  token.Tokens
		open []token.Type
	)
	for i := 0; i < len(tokens); i++ {
		tk := tokens[i]
		switch tk.Type {
		case token.MappingStartType, token.SequenceStartType:
			open = append(open, tk.Type)
		case token.MappingEndType, token.SequenceEndType:
			open = open[:max(0, len(open)-1)]
		case token.MappingValueType:
			inList := len(open) > 0 && open[len(open)-1] == token.SequenceStartType
			if inList && len(out) > 0 && i+1 < len(tokens) && touch(out[len(out)-1], tk) && touch(tk, tokens[i+1]) {
				before, after := out[len(out)-1], tokens[i+1]
				out[len(out)-1] = token.New(before.Value+":"+after.Value, before.Origin+":"+after.Origin, before.Position)
				i++
				continue
			}
		}
		out = append(out, tk)
	}
	link(out)
	return out
}

// touch reports whether b begins where a ends, and both are a plain word or the colon between.
func touch(a, b *token.Token) bool {
	return partOfWord(a) && partOfWord(b) && a.Position.Line == b.Position.Line &&
		a.Position.Column+utf8.RuneCountInString(a.Value) == b.Position.Column
}

func partOfWord(tk *token.Token) bool {
	switch tk.Type {
	case token.SingleQuoteType, token.DoubleQuoteType:
		return false
	case token.MappingValueType:
		return true
	default:
		return tk.CharacterType == token.CharacterTypeMiscellaneous
	}
}

// link makes neighbours of the tokens that are next to each other now: the parser walks both ways.
func link(tokens token.Tokens) {
	for i, tk := range tokens {
		tk.Prev, tk.Next = nil, nil
		if i > 0 {
			tk.Prev, tokens[i-1].Next = tokens[i-1], tk
		}
	}
}
