// Package safe makes text from elsewhere harmless on a terminal: message texts,
// names, rooms, reasons, error texts, file names, everything that is not ours.
// It is for showing. What is kept and sent stays as it was.
//
// Dangerous runes are made visible and not stripped. A stripper can be tricked
// (take ESC [ m out of "ESC ESC[m[2J"), and would hide that somebody tried.
// Only what draws nothing is dropped: controls of direction, zero-width runes,
// fillers. Text that is written from right to left is left as it is, in its
// logical order; the terminal may turn it round within its line.
package safe

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	newlineMark = '\u2424' // ␤
	cutMark     = '\u2026' // …

	zwj = '\u200d'
	// zwnj is the other joiner: Persian and others spell with it.
	zwnj = '\u200c'

	// maxMarks is how many marks may stand on one base. Every script gets by with
	// three, and a tower of them draws over the lines above.
	maxMarks = 3
)

// Line returns s as one line of at most maxRunes runes, and "…" where it was
// cut. The result is valid UTF-8 without any control rune: C0 and DEL become
// their pictures (ESC is ␛, a line feed ␤), C1, bytes that are not UTF-8 and
// unassigned runes become U+FFFD.
func Line(s string, maxRunes int) string {
	var (
		b     strings.Builder
		n     int  // runes written
		prev  rune // the last of them
		marks int  // on the last base
	)
	for i, r := range s { // gives U+FFFD for a byte that is not UTF-8
		var next rune
		if r == zwj || r == zwnj {
			next, _ = utf8.DecodeRuneInString(s[i+utf8.RuneLen(r):])
		}
		if r = visible(r, prev, next, marks); r < 0 {
			continue
		}
		if n >= maxRunes {
			return strings.TrimRight(b.String(), string(zwj)+string(zwnj)) + string(cutMark)
		}
		switch {
		case stacks(r):
			marks++
		case !extends(r):
			marks = 0
		}
		b.WriteRune(r)
		n, prev = n+1, r
	}
	return b.String()
}

// visible returns what is shown for r between prev and next, -1 for nothing.
func visible(r, prev, next rune, marks int) rune {
	switch {
	case r == '\n' || r == '\u2028' || r == '\u2029' || r == '\u0085':
		return newlineMark
	case r == '\t':
		return ' '
	case r < 0x20:
		return r + 0x2400 // the pictures lie in the same order
	case r == 0x7f:
		return '\u2421'
	case r >= 0x80 && r < 0xa0: // U+009B is CSI for some terminals
		return utf8.RuneError
	case r == zwj && joinsEmoji(prev) && joinsEmoji(next), (r == zwj || r == zwnj) && joinsLetters(prev) && joinsLetters(next):
		return r
	case r == '\ufe0e' || r == '\ufe0f':
		if !takesSelector(prev) {
			return -1
		}
		return r
	case hidden(r):
		return -1
	case unicode.IsMark(r):
		if prev == 0 || unicode.IsSpace(prev) || stacks(r) && marks >= maxMarks {
			return -1
		}
		return r
	case r == '\u00a0' || r == '\u3000':
		return r
	case unicode.Is(unicode.Zs, r):
		return ' '
	case !unicode.IsPrint(r): // unassigned, private use, noncharacters
		return utf8.RuneError
	}
	return r
}

// stacks reports whether r is a mark that takes no room of its own.
func stacks(r rune) bool { return unicode.In(r, unicode.Mn, unicode.Me) && !selector(r) }

// extends reports whether r belongs to the base before it.
func extends(r rune) bool { return unicode.IsMark(r) || r == zwj || r == zwnj }

func selector(r rune) bool { return r == '\ufe0e' || r == '\ufe0f' }

// takesSelector reports whether a variation selector may follow r: a base, of
// ASCII only what keycaps are made of.
func takesSelector(r rune) bool {
	if r < 0x80 {
		return r != 0 && strings.ContainsRune("0123456789#*", r)
	}
	return !extends(r)
}

func joinsEmoji(r rune) bool {
	return r == '\ufe0f' || unicode.Is(unicode.So, r) && r != utf8.RuneError || r >= 0x1f3fb && r <= 0x1f3ff
}

func joinsLetters(r rune) bool {
	return unicode.In(r, unicode.Arabic, unicode.Syriac, unicode.Mongolian, unicode.Devanagari, unicode.Bengali,
		unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu, unicode.Kannada,
		unicode.Malayalam, unicode.Sinhala, unicode.Myanmar, unicode.Khmer) && (unicode.IsLetter(r) || unicode.IsMark(r))
}

// hidden reports whether r draws nothing: controls of direction, zero-width
// runes, tags, fillers, soft hyphens, and the empty Braille pattern.
func hidden(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) || r == '\u2800'
}

var lineBreaks = strings.NewReplacer("\r\n", "\n", "\u2028", "\n", "\u2029", "\n", "\u0085", "\n")

// Block splits s at its line breaks into lines like those of Line, each of at
// most maxRunes runes. When there are more than maxLines, "…" follows as one
// more. There is always at least one. Whoever shows them must put a mark before
// the second and later ones, lest a message forge the line of somebody else.
func Block(s string, maxLines, maxRunes int) []string {
	var out []string
	for l := range strings.SplitSeq(strings.TrimRight(lineBreaks.Replace(s), "\n"), "\n") {
		if len(out) >= maxLines {
			return append(out, string(cutMark))
		}
		out = append(out, Line(l, maxRunes))
	}
	return out
}
