package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"holdfast/server/history"
)

// errDamaged means that stored bytes do not have the shape they were written in.
var errDamaged = errors.New("history: damaged record")

// missing is the error for a hole in a room's log.
func missing(seq uint64) error { return fmt.Errorf("%w: line %d is missing", errDamaged, seq) }

// A line's record is the digest at the line, then its payload: see history.Line.AppendPayload.

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

func appendRecord(dst []byte, d history.Digest, line *history.Line) []byte {
	return line.AppendPayload(append(dst, d[:]...))
}

func decodeRecord(record []byte) (d history.Digest, line history.Line, err error) {
	const fixed = len(d) + 16
	if len(record) < fixed {
		return d, line, fmt.Errorf("decode line: %w", errDamaged)
	}
	copy(d[:], record)
	line.At = fromMillis(binary.BigEndian.Uint64(record[len(d):]))
	line.N = binary.BigEndian.Uint64(record[len(d)+8:])
	rest, err := decodeStrings(record[fixed:], &line.User, &line.Source, &line.Kind, &line.Text)
	if err == nil && line.Kind == history.KindPrivate {
		rest, err = decodeStrings(rest, &line.To, &line.Readers)
	}
	if err == nil && len(rest) > 0 {
		err = errDamaged
	}
	if err != nil {
		return d, history.Line{}, fmt.Errorf("decode line: %w", err)
	}
	return d, line, nil
}

// recordTime reads only the time of a line's record.
func recordTime(record []byte) (time.Time, error) {
	if len(record) < len(history.Digest{})+8 {
		return time.Time{}, fmt.Errorf("decode line: %w", errDamaged)
	}
	return fromMillis(binary.BigEndian.Uint64(record[len(history.Digest{}):])), nil
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

func appendPoint(dst []byte, p history.Point) []byte {
	return append(binary.BigEndian.AppendUint64(dst, p.Seq), p.Digest[:]...)
}

func decodePoint(record []byte) (p history.Point, err error) {
	if len(record) != 16 {
		return p, fmt.Errorf("decode point: %w", errDamaged)
	}
	p.Seq = binary.BigEndian.Uint64(record)
	copy(p.Digest[:], record[8:])
	return p, nil
}

// The record of a claim: the key, the hash of the former secret or zeros, and the last
// use. Up to format version 2 there were secrets only, and no key.

func appendClaim(dst []byte, c history.Claim) []byte {
	dst = append(dst, c.Key[:]...)
	dst = append(dst, c.Former[:]...)
	return appendTime(dst, c.Used)
}

func decodeClaim(record []byte) (c history.Claim, err error) {
	const secret, key = 32 + 8, 32 + 32 + 8
	switch len(record) {
	case secret:
		c.Former = [32]byte(record)
	case key:
		c.Key, c.Former = [32]byte(record), [32]byte(record[32:])
	default:
		return c, fmt.Errorf("decode claim: %w", errDamaged)
	}
	c.Used, err = decodeTime(record[len(record)-8:])
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
