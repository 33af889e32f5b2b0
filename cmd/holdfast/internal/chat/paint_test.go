package chat

import (
	"slices"
	"testing"
)

// TestMarks: a note is broken between words, in columns; what holds no blank stays whole,
// and a window of unknown size breaks nothing.
func TestMarks(t *testing.T) {
	for _, c := range []struct {
		cols int
		note string
		want []string
	}{
		{20, "12345678 abcdefg", []string{"-- 12345678 abcdefg"}},
		{20, "12345678 abcdefgh", []string{"-- 12345678", "   abcdefgh"}},
		{20, "1234567890abcdef ghi jkl", []string{"-- 1234567890abcdef", "   ghi jkl"}},
		{20, "12345  67890abcdefghijklmno pqr stu", []string{"-- 12345", "   67890abcdefghijklmno", "   pqr stu"}},
		{20, "1234567890abcdefghij", []string{"-- 1234567890abcdefghij"}},
		{20, "電車 電車 電車電車 電車", []string{"-- 電車 電車", "   電車電車 電車"}},
		{20, "", []string{"-- "}},
		{20, "  1234567890abcdefghij k", []string{"--   1234567890abcdefghij", "   k"}},
		{20, "1234567890abcdefghij  ", []string{"-- 1234567890abcdefghij  "}},
		{4, "one two", []string{"-- one two"}},
		{0, "one two", []string{"-- one two"}},
	} {
		got := (&Chat{term: window{cols: c.cols}}).marks(0, c.note)
		if !slices.Equal(got, c.want) {
			t.Errorf("%q in %d columns: %q, want %q", c.note, c.cols, got, c.want)
		}
	}
}
