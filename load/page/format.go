package page

import (
	"math"
	"strconv"
	"strings"
	"unicode"
)

// space stands between a number and its unit, which stay on one line.
const space = "\u00a0"

// count writes a whole number with its digits in groups.
func count(n int) string { return group(strconv.Itoa(n)) }

// group puts a comma between each three digits before the point.
func group(digits string) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "−", digits[1:]
	}
	whole, rest, pointed := strings.Cut(digits, ".")
	for at := len(whole) - 3; at > 0; at -= 3 {
		whole = whole[:at] + "," + whole[at:]
	}
	if pointed {
		return sign + whole + "." + rest
	}
	return sign + whole
}

// counted writes a number of things.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}

// digits writes a number with three significant digits, or all of those before the point.
func digits(v float64) string {
	size := math.Abs(v)
	if size >= 1e15 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	places := 0
	for limit := 100.0; size < limit && places < 5 && size > 0; limit /= 10 {
		places++
	}
	text := strconv.FormatFloat(v, 'f', places, 64)
	if places > 0 {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	if text == "-0" {
		text = "0"
	}
	return group(text)
}

// rate writes requests a second.
func rate(v float64) string { return digits(v) + "/s" }

// millis writes a time of so many milliseconds, in the unit that suits it.
func millis(ms float64) string {
	switch size := math.Abs(ms); {
	case size == 0:
		return "0" + space + "ms"
	case size < 0.9995:
		return digits(ms*1000) + space + "µs"
	case size < 999.5:
		return digits(ms) + space + "ms"
	}
	return digits(ms/1000) + space + "s"
}

// seconds writes a time since the start, or how long something took.
func seconds(s float64) string {
	if s < 120 || s > 1e9 {
		return digits(math.Round(s*100)/100) + space + "s"
	}
	whole := int(math.Round(s))
	hours, minutes := whole/3600, whole/60%60
	if hours > 0 {
		return count(hours) + space + "h" + rest(minutes, "min")
	}
	return strconv.Itoa(minutes) + space + "min" + rest(whole%60, "s")
}

// rest writes the smaller part of a time, if there is any.
func rest(n int, unit string) string {
	if n == 0 {
		return ""
	}
	return space + strconv.Itoa(n) + space + unit
}

// plain is text as it may stand in a picture: without the characters that XML forbids or that turn the direction of what
// follows, and of no more than most. What is left out is in the middle, for names often differ at their ends.
func plain(s string, most int) string {
	safe := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == 0xFFFE || r == 0xFFFF {
			return unicode.ReplacementChar
		}
		return r
	}, s)
	if runes := []rune(safe); len(runes) > most {
		return string(runes[:most/2]) + "…" + string(runes[len(runes)-(most-1)/2:])
	}
	return safe
}
