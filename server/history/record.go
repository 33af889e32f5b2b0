package history

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// errDamaged means that stored bytes do not have the shape they were written in.
var errDamaged = errors.New("history: damaged record")

// missing is the error for a hole in a room's log.
func missing(seq uint64) error { return fmt.Errorf("%w: line %d is missing", errDamaged, seq) }

// A line's record is the digest at the line, then its payload: time, number and
// the strings, each behind its length. The payload is also what the digest is made
// of, so it must not change without a new formatVersion.

func appendPayload(dst []byte, line *Line) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(line.At.UnixMilli()))
	dst = binary.BigEndian.AppendUint64(dst, line.N)
	dst = appendStrings(dst, line.User, line.Source, line.Kind, line.Text)
	if line.Kind == KindPrivate {
		dst = appendStrings(dst, line.To, line.Readers)
	}
	return dst
}

func appendStrings(dst []byte, list ...string) []byte {
	for _, s := range list {
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	return dst
}

// decodeStrings returns what follows them.
func decodeStrings(from []byte, list ...*string) (rest []byte, err error) {
	for _, s := range list {
		size, n := binary.Uvarint(from)
		if n <= 0 || size > uint64(len(from)-n) {
			return nil, errDamaged
		}
		*s = string(from[n : n+int(size)])
		from = from[n+int(size):]
	}
	return from, nil
}

func appendRecord(dst []byte, d digest, line *Line) []byte {
	return appendPayload(append(dst, d[:]...), line)
}

func decodeRecord(record []byte) (d digest, line Line, err error) {
	const fixed = len(d) + 16
	if len(record) < fixed {
		return d, line, fmt.Errorf("decode line: %w", errDamaged)
	}
	copy(d[:], record)
	line.At = fromMillis(binary.BigEndian.Uint64(record[len(d):]))
	line.N = binary.BigEndian.Uint64(record[len(d)+8:])
	rest, err := decodeStrings(record[fixed:], &line.User, &line.Source, &line.Kind, &line.Text)
	if err == nil && line.Kind == KindPrivate {
		rest, err = decodeStrings(rest, &line.To, &line.Readers)
	}
	if err == nil && len(rest) > 0 {
		err = errDamaged
	}
	if err != nil {
		return d, Line{}, fmt.Errorf("decode line: %w", err)
	}
	return d, line, nil
}

// recordTime reads only the time of a line's record.
func recordTime(record []byte) (time.Time, error) {
	if len(record) < len(digest{})+8 {
		return time.Time{}, fmt.Errorf("decode line: %w", errDamaged)
	}
	return fromMillis(binary.BigEndian.Uint64(record[len(digest{}):])), nil
}

// The record of a mark: the mark, and when it was set.

func appendMark(dst []byte, mark uint64, used time.Time) []byte {
	dst = binary.BigEndian.AppendUint64(dst, mark)
	return binary.BigEndian.AppendUint64(dst, uint64(used.UnixMilli()))
}

func decodeMark(record []byte) (mark uint64, used time.Time, err error) {
	if len(record) != 16 {
		return 0, used, fmt.Errorf("decode mark: %w", errDamaged)
	}
	return binary.BigEndian.Uint64(record), fromMillis(binary.BigEndian.Uint64(record[8:])), nil
}

// The record of a point: the position and the digest.

func appendPoint(dst []byte, p point) []byte {
	return append(binary.BigEndian.AppendUint64(dst, p.seq), p.digest[:]...)
}

func decodePoint(record []byte) (p point, err error) {
	if len(record) != 16 {
		return p, fmt.Errorf("decode point: %w", errDamaged)
	}
	p.seq = binary.BigEndian.Uint64(record)
	copy(p.digest[:], record[8:])
	return p, nil
}

// The record of a claim: the key, the hash of the former secret or zeros, and the last
// use. Up to format version 2 there were secrets only, and no key.

func appendClaim(dst []byte, c claim) []byte {
	dst = append(dst, c.Key[:]...)
	dst = append(dst, c.Former[:]...)
	return appendTime(dst, c.used)
}

func decodeClaim(record []byte) (c claim, err error) {
	const secret, key = 32 + 8, 32 + 32 + 8
	switch len(record) {
	case secret:
		c.Former = [32]byte(record)
	case key:
		c.Key, c.Former = [32]byte(record), [32]byte(record[32:])
	default:
		return c, fmt.Errorf("decode claim: %w", errDamaged)
	}
	c.used, err = decodeTime(record[len(record)-8:])
	return c, err
}

func appendTime(dst []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(t.UnixMilli()))
}

func decodeTime(record []byte) (time.Time, error) {
	if len(record) != 8 {
		return time.Time{}, fmt.Errorf("decode time: %w", errDamaged)
	}
	return fromMillis(binary.BigEndian.Uint64(record)), nil
}

func fromMillis(ms uint64) time.Time { return time.UnixMilli(int64(ms)).UTC() }
