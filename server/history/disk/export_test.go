package disk

import (
	"time"

	"holdfast/server/history"
)

// What the tests in disk_test see of the inside.

// EncodeRecord and DecodeRecord are the record of a line on disk.
func EncodeRecord(line history.Line) []byte { return appendRecord(nil, history.Digest{1, 2, 3}, &line) }

func DecodeRecord(b []byte) (history.Line, []byte, error) {
	d, line, err := decodeRecord(b)
	return line, d[:], err
}

// DecodeAll runs the decoders of the small records, for those that panic.
func DecodeAll(b []byte) {
	_, _ = recordTime(b)
	_, _, _ = decodeMark(b)
	_, _ = decodePoint(b)
	_, _ = decodeClaim(b)
}

// SetFormatVersion makes an open disk store look as if version wrote it.
func SetFormatVersion(s history.Store, version byte) error {
	return s.(*disk).db.Set(versionKey(), []byte{version}, nil)
}

// FormatVersion is what an open disk store has written of its version.
func FormatVersion(s history.Store) (int, error) {
	value, err := s.(*disk).get(versionKey())
	return int(value[0]), err
}

// SetFormerClaim writes the claim of a secret, as format version 2 did.
func SetFormerClaim(s history.Store, name string, secret [32]byte, used time.Time) error {
	return s.(*disk).db.Set(claimKey(name), appendTime(secret[:], used), nil)
}

// Fail ends a disk store as Pebble does when it gives up.
func Fail(s history.Store, format string, args ...any) { pebbleLog{s.(*disk)}.Fatalf(format, args...) }

// FromMillis is the time that the engines keep of ms.
func FromMillis(ms int64) time.Time { return fromMillis(uint64(ms)) }
