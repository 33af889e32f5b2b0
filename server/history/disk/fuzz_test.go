package disk_test

import (
	"reflect"
	"testing"

	"holdfast/server/history"
	"holdfast/server/history/disk"
)

// Whatever a record holds, decoding it neither panics nor makes things up, and
// what it gives can be written and read again.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(nil))
	whole := disk.EncodeRecord(history.Line{User: "ana", Source: "s", N: 3, Kind: "say", Text: "hello", At: disk.FromMillis(1e12)})
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add(append(whole[:len(whole):len(whole)], 0))
	f.Add(make([]byte, 16))
	f.Add(make([]byte, 40))
	f.Fuzz(func(t *testing.T, b []byte) {
		disk.DecodeAll(b)
		line, digest, err := disk.DecodeRecord(b)
		if err != nil {
			return
		}
		if size := len(line.User) + len(line.Source) + len(line.Kind) + len(line.Text); size+28 > len(b) {
			t.Errorf("%d bytes hold %d of text", len(b), size)
		}
		again, _, err := disk.DecodeRecord(append(digest, disk.EncodeRecord(line)[8:]...))
		if err != nil || !reflect.DeepEqual(again, line) {
			t.Errorf("%+v became %+v: %v", line, again, err)
		}
	})
}
