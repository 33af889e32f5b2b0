package server

import (
	"slices"

	"holdfast/server/history"
	"holdfast/session/wire"
)

// A private line is a line of the room's log as any other, so all that makes lines
// arrive once and in order holds for it. Only whom it is shown to differs: to those
// who hold the keys that sender and addressee had when it was taken. A name is not
// enough, as it may be another's one day.

// tagBytes of a key's hash tell a reader from all others.
const tagBytes = 16

func tag(key [32]byte) string { return string(key[:tagBytes]) }

// address makes l, a line of p's, one for the user to. Without a code it is; else the
// code says why not.
func (p *peer) address(l *history.Line, to string) (code string, err error) {
	name, err := wire.Name(to)
	if err != nil {
		return wire.RefusedUnknown, nil
	}
	owner, owned, err := p.srv.opts.Store.Owner(name, l.At, p.srv.opts.NameTTL)
	if err != nil || !owned {
		return wire.RefusedUnknown, err
	}
	l.To, l.Readers = name, tag(p.key)+tag(owner)
	return "", nil
}

// hidden reports whether p may not read l.
func (p *peer) hidden(l line) bool {
	if l.Kind != history.KindPrivate {
		return false
	}
	if p.plain() || len(l.Readers) != 2*tagBytes {
		return true
	}
	mine := tag(p.key)
	return l.Readers[:tagBytes] != mine && l.Readers[tagBytes:] != mine
}

// readable returns those of lines that p may read, without touching lines.
func (p *peer) readable(lines []line) []line {
	if !slices.ContainsFunc(lines, p.hidden) {
		return lines
	}
	return slices.DeleteFunc(slices.Clone(lines), p.hidden)
}

// before returns up to limit lines below the position before that p may read, oldest
// first, at least one if there is any; end is true if there are no older ones.
func (p *peer) before(before uint64, limit int) (lines []line, end bool, err error) {
	for len(lines) == 0 && !end {
		entries, more, err := p.room.log.Before(before, limit)
		if err != nil {
			return nil, false, err
		}
		for _, e := range entries {
			lines = append(lines, newLine(e))
		}
		lines, end = p.readable(lines), !more
		if len(entries) > 0 {
			before = entries[0].Seq
		}
	}
	return lines, end, nil
}

// maxHidden is how many lines a peer may be behind in its cursor because they were
// hidden from it. A cursor is sent along with lines; for each hidden one of its own
// everybody would be told that others whisper.
const maxHidden = 64
