package jsonl

import "time"

// Time is encoded in RFC 3339, in UTC and to the millisecond.
type Time time.Time

// MarshalText is what encoding/json calls.
func (t Time) MarshalText() ([]byte, error) {
	return []byte(time.Time(t).UTC().Format("2006-01-02T15:04:05.000Z07:00")), nil
}
