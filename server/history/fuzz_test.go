package history_test

import (
	"reflect"
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

// Whatever a record holds, decoding it neither panics nor makes things up, and
// what it gives can be written and read again.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(nil))
	whole := history.EncodeRecord(history.Line{User: "ana", Source: "s", N: 3, Kind: "say", Text: "hello", At: history.FromMillis(1e12)})
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add(append(whole[:len(whole):len(whole)], 0))
	f.Add(make([]byte, 16))
	f.Add(make([]byte, 40))
	f.Fuzz(func(t *testing.T, b []byte) {
		history.DecodeAll(b)
		line, digest, err := history.DecodeRecord(b)
		if err != nil {
			return
		}
		if size := len(line.User) + len(line.Source) + len(line.Kind) + len(line.Text); size+28 > len(b) {
			t.Errorf("%d bytes hold %d of text", len(b), size)
		}
		again, _, err := history.DecodeRecord(append(digest, history.EncodeRecord(line)[8:]...))
		if err != nil || !reflect.DeepEqual(again, line) {
			t.Errorf("%+v became %+v: %v", line, again, err)
		}
	})
}
