package server

import (
	"errors"

	"holdfast/session/wire"
)

// What the writer does for one peer.

const (
	readAhead = 96 // lines read from disk at once

	// frameBytes bounds a frame of several lines. A message that takes longer than
	// 10 s ends the connection, and what comes in its place begins with the same
	// one: at 10 kbit/s this takes 7 s. A pong has to wait behind it, too.
	frameBytes = 8 << 10
)

// write sends one frame besides lines.
func (p *peer) write(f wire.Frame) bool {
	if p.plain() {
		return p.link.text.write(p, f)
	}
	if request, ok := f.(*wire.History); ok {
		page, err := p.page(request)
		if errors.Is(err, errAskerGone) {
			return false
		}
		if err != nil {
			_ = p.broken("read history", err)
			return true // the writer has the bye to write
		}
		f = page
	}
	return p.link.conn.Write(wire.Encode(p.labelled(f))) == nil
}

// labelled returns f with the name of its room. What is pushed to many is theirs, too.
func (p *peer) labelled(f wire.Frame) wire.Frame {
	if p.label == "" {
		return f
	}
	switch f := f.(type) {
	case *wire.Welcome:
		c := *f
		c.Room = p.label
		return &c
	case *wire.Live:
		return &wire.Live{Room: p.label}
	case *wire.Retry:
		c := *f
		c.Room = p.label
		return &c
	case *wire.Refused:
		c := *f
		c.Room = p.label
		return &c
	case *wire.Presence:
		c := *f
		c.Room = p.label
		return &c
	case *wire.Page:
		c := *f
		c.Room = p.label
		return &c
	}
	return f // it has its name
}

// page answers a request for history with as many lines as fit a frame.
func (p *peer) page(f *wire.History) (*wire.Page, error) {
	if !p.rights.has(Read) {
		return &wire.Page{ID: f.ID, End: true}, nil
	}
	lines, end, err := p.before(f.Before, f.Limit)
	if err != nil {
		return nil, err
	}
	page := &wire.Page{ID: f.ID, End: end}
	size := 0
	for i := len(lines) - 1; i >= 0; i-- { // the newest are nearest to what the reader has
		if size += len(lines[i].json) + 1; size > wire.MaxToClient-1024 {
			page.End = false
			lines = lines[i+1:]
			break
		}
	}
	for _, l := range lines {
		page.Events = append(page.Events, *event(l.Entry))
	}
	return page, nil
}

// writeLines sends what fits one frame, and credit, of the lines that the peer has not
// got yet. It returns how many it sent and what is left to do.
func (p *peer) writeLines(credit int64) (sent int, rest rest, ok bool) {
	ls, all, err := p.next()
	if errors.Is(err, errTrimmed) {
		p.reject(wire.Resync, "lines that are no longer kept were missed")
		return 0, level, true
	}
	if err != nil {
		_ = p.broken("read lines", err)
		return 0, level, true // the writer has the bye to write
	}
	if len(ls) == 0 {
		if !p.live {
			p.live = true
			return 0, level, p.write(&wire.Live{})
		}
		return 0, level, true
	}
	n := len(ls)
	if ls = p.paid(ls, credit); len(ls) == 0 {
		return 0, unpaid, true
	}
	if rest = further; all && len(ls) == n && p.live {
		rest = level // who brings more lines wakes the writer
	}
	last := ls[len(ls)-1]
	p.seq = last.Seq
	ls = p.readable(ls)
	if p.plain() {
		return 0, rest, p.link.text.lines(p, ls)
	}
	if len(ls) == 0 && p.seq-p.told < maxHidden {
		return 0, rest, true
	}
	ok = p.link.conn.Write(eventsFrame(p.label, p.cursor, last.Cursor, ls)) == nil
	p.told, p.cursor = last.Seq, last.Cursor
	return len(ls), rest, ok
}

// paid returns the lines at the front for which there is credit. What p is not shown
// costs nothing.
func (p *peer) paid(ls []line, credit int64) []line {
	if int64(len(ls)) <= credit {
		return ls
	}
	for i, l := range ls {
		if p.hidden(l) {
			continue
		}
		if credit--; credit < 0 {
			return ls[:i]
		}
	}
	return ls
}

func eventsFrame(room, after, cursor string, ls []line) []byte {
	events := make([][]byte, len(ls))
	size := wire.EventsOverhead
	for i, l := range ls {
		events[i] = l.json
		size += len(l.json) + 1
	}
	return wire.AppendEvents(make([]byte, 0, size), room, after, cursor, events)
}

// next returns the lines after the peer's position that fit one frame; none means
// that the peer is level, all that it is level with them.
func (p *peer) next() (ls []line, all bool, err error) {
	ls, known, head := p.room.after(p.seq)
	if !known {
		entries, err := p.room.log.Read(p.seq, readAhead)
		if err != nil {
			return nil, false, err
		}
		if len(entries) == 0 || entries[0].Seq != p.seq+1 {
			if err := p.checkTrimmed(); err != nil {
				return nil, false, err
			}
		}
		for _, e := range entries {
			ls = append(ls, newLine(e))
		}
		if len(ls) == 0 {
			p.seq = head
		}
	}
	size := 0
	for i, l := range ls {
		if size += len(l.json) + 1; i > 0 && size > frameBytes {
			return ls[:i], false, nil
		}
	}
	return ls, known, nil
}

// errTrimmed means that retention overtook a peer that lagged.
var errTrimmed = errors.New("lines were trimmed that the peer has not got")

// checkTrimmed returns errTrimmed if retention took lines after the peer's position
// before they could be sent. To go on would hide the gap; a client that comes back
// is told what it lost. In plain mode there is no way to tell.
func (p *peer) checkTrimmed() error {
	if p.plain() {
		return nil
	}
	start, err := p.room.log.Start(p.cursor, 0)
	if err == nil && !start.Resumed {
		err = errTrimmed
	}
	return err
}
