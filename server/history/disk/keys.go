package disk

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

// The disk engine's keys. The first byte says what a key is about; names never
// hold a NUL, so one ends each name that something follows. Numbers are big
// endian, so that keys sort as numbers do.
//
//	v                              format version (1 byte)
//	l room 0 seq                   a line: see record.go
//	m room 0 user 0 source         mark of a source and its last use
//	x room 0 user 0 source 0 n     code of a refused line
//	o room 0 user 0 once           line that was said with this key: position and time
//	e room 0 seq                   epoch that wrote the lines from seq on
//	t room                         trimmed edge: last dropped position, digest at it
//	c name                         who claimed a name, and its last use
//	k                              seed of the server's key pair
//	p room 0 user                  a member, as noted last
//	s                              when the store was closed; not there while it is open
const (
	versionPrefix = 'v'
	linePrefix    = 'l'
	markPrefix    = 'm'
	voidPrefix    = 'x'
	oncePrefix    = 'o'
	epochPrefix   = 'e'
	trimPrefix    = 't'
	claimPrefix   = 'c'
	seedPrefix    = 'k'
	memberPrefix  = 'p'
	closedPrefix  = 's'
)

// formatVersion is the version of the keys and records here.
// 2: private lines have two strings more. What was written in version 1 is the same.
// 3: names are claimed by keys, and there are lines said once. Claims of version 2 can be
// read.
const formatVersion = 3

func versionKey() []byte { return []byte{versionPrefix} }

// roomKey starts all keys of one kind in room.
func roomKey(dst []byte, kind byte, room string) []byte {
	dst = append(dst, kind)
	dst = append(dst, room...)
	return append(dst, 0)
}

func lineKey(dst []byte, room string, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(roomKey(dst, linePrefix, room), seq)
}

func epochKey(dst []byte, room string, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(roomKey(dst, epochPrefix, room), seq)
}

func markKey(dst []byte, room, user, source string) []byte {
	return sourceKey(dst, markPrefix, room, user, source)
}

func voidKey(dst []byte, room, user, source string, n uint64) []byte {
	dst = append(sourceKey(dst, voidPrefix, room, user, source), 0)
	return binary.BigEndian.AppendUint64(dst, n)
}

func onceKey(dst []byte, room, user, once string) []byte {
	return sourceKey(dst, oncePrefix, room, user, once)
}

func sourceKey(dst []byte, kind byte, room, user, source string) []byte {
	dst = roomKey(dst, kind, room)
	dst = append(dst, user...)
	dst = append(dst, 0)
	return append(dst, source...)
}

func trimKey(room string) []byte { return append([]byte{trimPrefix}, room...) }

func claimKey(name string) []byte { return append([]byte{claimPrefix}, name...) }

func seedKey() []byte { return []byte{seedPrefix} }

func closedKey() []byte { return []byte{closedPrefix} }

func memberKey(room, user string) []byte {
	return append(roomKey(nil, memberPrefix, room), user...)
}

// keySeq returns the number at the end of key.
func keySeq(key []byte) (uint64, error) {
	if len(key) < 9 {
		return 0, fmt.Errorf("read key %q: %w", key, errDamaged)
	}
	return binary.BigEndian.Uint64(key[len(key)-8:]), nil
}

// keyRoom returns the room of a line's key.
func keyRoom(key []byte) (string, error) {
	if end := bytes.IndexByte(key, 0); end > 0 {
		return string(key[1:end]), nil
	}
	return "", fmt.Errorf("read key %q: %w", key, errDamaged)
}

// voidsOfMark returns the bounds of the voids that go with a mark's key.
func voidsOfMark(mark []byte) (from, to []byte) {
	from = append(bytes.Clone(mark), 0)
	from[0] = voidPrefix
	to = bytes.Clone(from)
	to[len(to)-1] = 1
	return from, to
}

// checkNames refuses names that would run into one another in a key.
func checkNames(names ...string) error {
	for _, name := range names {
		if strings.IndexByte(name, 0) >= 0 {
			return fmt.Errorf("check name %q: holds a NUL", name)
		}
	}
	return nil
}
