package server

import (
	"errors"
	"slices"

	"holdfast/server/history"
	"holdfast/session/wire"
)

// A private line is a line of the room's log as any other, so all that makes lines
// arrive once and in order holds for it. Only whom it is shown to differs: to those
// who hold the keys that sender and addressee had when it was taken. A name is not
// enough, as it may be another's one day.

// tagBytes of a key tell a reader from all others. One key may have several names, so
// the name counts, too. Before there were key pairs, it was the hash of a secret.
const tagBytes = 16

func tag(h history.Holder) string {
	if !h.HasKey() {
		return string(h.Former[:tagBytes])
	}
	return string(h.Key[:tagBytes])
}

// owns reports whether readers' tag t is that of h, now or before there were key pairs.
func owns(h *history.Holder, t string) bool {
	return t == string(h.Key[:tagBytes]) || h.HasFormer() && t == string(h.Former[:tagBytes])
}

// address makes l, a line of p's, one for the user to. Without a code it is; else the
// code says why not.
func (p *peer) address(l *history.Line, to string) (code string, err error) {
	name, err := wire.Name(to)
	if err != nil {
		return wire.RefusedUnknown, nil
	}
	owner, owned, err := p.room.srv.opts.Store.Owner(name, l.At, p.room.srv.opts.NameTTL)
	if err != nil || !owned {
		return wire.RefusedUnknown, err
	}
	l.To, l.Readers = name, tag(p.link.holder)+tag(owner)
	return "", nil
}

// hidden reports whether p may not read l. That somebody could not be written to is
// for nobody to know.
func (p *peer) hidden(l line) bool {
	if !p.rights.has(Read) {
		return true
	}
	if l.Kind != history.KindPrivate {
		return l.Kind == history.KindVoid && l.Text == wire.RefusedUnknown
	}
	if p.plain() || len(l.Readers) != 2*tagBytes {
		return true
	}
	h := &p.link.holder
	from := l.User == p.user() && owns(h, l.Readers[:tagBytes])
	to := l.To == p.user() && owns(h, l.Readers[tagBytes:])
	return !from && !to
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
	end, err = p.room.back(p.link.conn.Done(), before, limit, func(e history.Entry) bool {
		if l := newLine(e); !p.hidden(l) {
			lines = append(lines, l)
		}
		return len(lines) < limit
	})
	slices.Reverse(lines)
	return lines, end, err
}

// exactBacklog bounds the backlogs that are counted in lines that p is shown. Of a longer
// one nobody misses a few; it is cheaper to count all.
const exactBacklog = 1000

// backlog returns how many of the log's last lines p has to go back to be shown n of
// them. In a room full of what is not for p that ends somewhere.
func (p *peer) backlog(n int) (lines int, err error) {
	if !p.rights.has(Read) {
		return 0, nil
	}
	if n <= 0 || n > exactBacklog {
		return n, nil
	}
	shown := 0
	_, err = p.room.back(p.link.conn.Done(), 0, n, func(e history.Entry) bool {
		lines++
		if e.Kind != history.KindVoid && !p.hidden(newLine(e)) {
			shown++
		}
		return shown < n && lines < 10*exactBacklog
	})
	return lines, err
}

// errAskerGone means that nobody waits for the answer any more.
var errAskerGone = errors.New("who asked has gone")

// back shows lines below a position, newest first, until take has enough; end is true
// if it was shown the oldest. It reads limit lines at first. A room can hold any number
// of lines that are not for who asks, so then it reads many at a time, and stops when
// gone is closed.
func (r *room) back(gone <-chan struct{}, before uint64, limit int, take func(history.Entry) bool) (end bool, err error) {
	for ; ; limit = wire.MaxPage {
		select {
		case <-gone:
			return false, errAskerGone
		default:
		}
		entries, more, err := r.log.Before(before, limit)
		if err != nil || len(entries) == 0 {
			return !more, err
		}
		for i, e := range slices.Backward(entries) {
			if !take(e) {
				return !more && i == 0, nil
			}
		}
		if !more {
			return true, nil
		}
		before = entries[0].Seq
	}
}

// maxHidden is how many lines a peer may be behind in its cursor because they were
// hidden from it. A cursor is sent along with lines; for each hidden one of its own
// everybody would be told that others whisper.
const maxHidden = 64
