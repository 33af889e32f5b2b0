package history_test

import (
	"testing"

	"holdfast/server/history"
)

// A cursor that can be read is the one that would be written.
func FuzzCursor(f *testing.F) {
	for _, s := range []string{
		"", "1", "garbage",
		"1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"1__________8AAAAAAAAAAQECAwQFBgcI",
		"2AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"1AAAAAAAAAAAAAAAAAAAAAAAAAAAAA\nAAA",
		"1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if again, ok := history.ParseCursor(s); ok && again != s {
			t.Errorf("%q is written as %q", s, again)
		}
	})
}
