package server

import (
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"holdfast/session/wire"
	"holdfast/transport"
)

// peer is one connection to a room. The goroutine in serve owns it, the writer its
// position; gone is guarded by room.mu.
type peer struct {
	srv  *Server
	room *room
	conn *transport.Conn
	user string
	text *plain // how to speak in plain mode; nil for the protocol

	device  string
	key     [32]byte
	gen     uint64
	sources map[string]*source // those that hello named; from then until detach

	out  out
	gone bool // superseded or detached: what it still says does not count

	// What follows belongs to the writer.
	seq    uint64 // has all up to here that it may read
	told   uint64 // has been told to be here
	cursor string // the same point as told
	live   bool   // has been told that it is level
}

func (p *peer) plain() bool { return p.text != nil }

// serve speaks the protocol with a new connection until it ends.
func (p *peer) serve() {
	left := false
	if p.greet() {
		left = p.read()
		p.room.detach(p, left)
	}
	p.end(left)
}

// greet gets the connection from the upgrade into the room.
func (p *peer) greet() bool {
	defer p.srv.greet(p, false)
	if !p.srv.greet(p, true) {
		p.drain()
		return false
	}
	hello, err := p.hello()
	return err == nil && p.join(hello) == nil
}

// end closes the connection, after the writer has said bye if it is to.
func (p *peer) end(left bool) {
	if p.out.ending() {
		<-p.out.ended // the connection's death is not enough: the close frame comes after it
	}
	p.conn.Close(transport.CloseNormal, "")
	p.srv.log.Debug("connection ended", "room", p.room.name, "user", p.user, "left", left, "err", p.conn.Err())
}

// hello waits for the client's first frame.
func (p *peer) hello() (*wire.Hello, error) {
	late := time.AfterFunc(p.srv.opts.HelloTimeout, func() { p.reject(wire.HelloLate, wire.HelloLate.Text) })
	msg, err := p.conn.Read()
	if !late.Stop() {
		return nil, errors.New("hello late")
	}
	if err != nil {
		return nil, err
	}
	f, err := wire.Decode(msg, wire.MaxToServer)
	if err != nil {
		p.reject(wire.Malformed, err.Error())
		return nil, err
	}
	hello, ok := f.(*wire.Hello)
	if !ok {
		p.reject(wire.Malformed, "the first frame must be hello")
		return nil, errors.New("no hello")
	}
	return hello, nil
}

// join makes the connection a peer of the room and welcomes it.
func (p *peer) join(h *wire.Hello) error {
	key, err := wire.Key(h.Key)
	if err != nil {
		p.reject(wire.Malformed, err.Error())
		return err
	}
	p.device, p.key = h.Device, hashKey(key)
	mine, err := p.srv.opts.Store.Claim(p.user, p.key, time.Now(), p.srv.opts.NameTTL)
	if err != nil {
		p.broken("claim name", err)
		return err
	}
	if !mine {
		p.reject(wire.NameTaken, p.srv.takenText(p.user))
		return errors.New("name claimed by another key")
	}
	p.sources = make(map[string]*source, len(h.Sources))
	for _, b := range h.Sources {
		s, err := p.room.source(sourceID{p.user, b.Source})
		if err != nil {
			p.release()
			p.broken("join", err)
			return err
		}
		p.sources[b.Source] = s
	}
	backlog, err := p.backlog(h.Backlog)
	if err != nil {
		p.release()
		p.broken("look back", err)
		return err
	}
	start, err := p.room.log.Start(h.Cursor, backlog)
	if err != nil {
		p.release()
		p.broken("find cursor", err)
		return err
	}
	if !start.Resumed {
		p.srv.log.Debug("not resumed", "room", p.room.name, "user", p.user, "reason", start.Reason, "lost", start.Lost)
	}
	p.seq, p.told, p.cursor = start.Seq, start.Seq, start.Cursor
	w := &wire.Welcome{
		Cursor: start.Cursor, Resumed: start.Resumed, Reason: string(start.Reason),
		Missed: start.Missed, Lost: start.Lost,
		HeartbeatMS: p.srv.opts.Heartbeat.Milliseconds(), TimeoutMS: p.srv.opts.DeadAfter.Milliseconds(),
		Limits: wire.Limits{TextBytes: wire.MaxText, InFlight: p.srv.opts.InFlight},
		Now:    wire.Time{Time: time.Now()},
	}
	old, err := p.enroll(h, w)
	switch {
	case errors.Is(err, errInUse):
		p.release()
		p.reject(wire.NameTaken, p.srv.inUseText(p.user, p.room.name))
		return err
	case err != nil:
		p.release()
		p.drain()
		return err
	}
	if old != nil {
		p.srv.log.Info("takeover", "room", p.room.name, "user", p.user, "generation", p.gen)
		old.drop(wire.Superseded, 0)
	}
	return nil
}

var (
	errDraining = errors.New("draining")
	errInUse    = errors.New("name in use in plain mode")
)

// enroll attaches p and queues its welcome, in one step for the room, so that no
// line and no ack falls between.
func (p *peer) enroll(h *wire.Hello, w *wire.Welcome) (old *peer, err error) {
	r := p.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.draining {
		return nil, errDraining
	}
	if m := r.members[p.user]; m != nil && m.plain > 0 {
		return nil, errInUse
	}
	old = r.attach(p)
	w.Generation = p.gen
	for _, b := range h.Sources {
		s := p.sources[b.Source]
		s.peer, s.heard = p, b.Base
		if s.raise(b.Base) {
			p.srv.log.Warn("mark raised: lines were lost here, or given up by their client", "room", r.name, "user", p.user, "source", b.Source, "to", b.Base)
		}
		acked := wire.Ack{Source: b.Source, N: s.acked()}
		w.Acks = append(w.Acks, acked)
		if s.mark > acked.N {
			w.Taken = append(w.Taken, wire.Ack{Source: b.Source, N: s.mark})
		}
	}
	r.show()
	names := r.names()
	w.Members = names[:min(len(names), namesInWelcome)]
	p.out.push(w)
	for some := range slices.Chunk(names[len(w.Members):], namesPerFrame) {
		p.out.push(&wire.Presence{Joined: some})
	}
	for some := range slices.Chunk(absences(r.away), absentPerFrame) {
		p.out.push(&wire.Presence{Away: some})
	}
	return old, nil
}

// release gives back the sources of a peer that did not get as far as to attach.
func (p *peer) release() {
	p.room.mu.Lock()
	defer p.room.mu.Unlock()
	for _, s := range p.sources {
		p.room.releaseSource(s)
	}
	p.sources = nil
}

// read takes the client's frames until the connection ends, and reports whether the
// client left for good.
func (p *peer) read() (left bool) {
	for {
		msg, err := p.conn.Read()
		if err != nil {
			if errors.Is(err, transport.ErrPeerDead) {
				p.srv.log.Info("reaped", "room", p.room.name, "user", p.user)
			}
			return cleanly(err)
		}
		f, err := wire.Decode(msg, wire.MaxToServer)
		if err != nil {
			p.reject(wire.Malformed, err.Error())
			return false
		}
		switch f := f.(type) {
		case *wire.Send:
			s := p.sources[f.Source]
			if s == nil {
				p.reject(wire.Malformed, "send from a source that hello did not name")
				return false
			}
			p.answer(p.room.take(p, s, f))
		case *wire.History:
			p.out.push(f) // the writer answers, as fast as the client reads
		case *wire.Away:
			p.room.setAway(p, f.Text)
		case *wire.Bye:
			return true
		case *wire.Hello:
			p.reject(wire.Malformed, "a second hello")
			return false
		}
	}
}

// answer sends what take had to say. A line that was just taken has no answer yet.
func (p *peer) answer(f wire.Frame, taken bool, err error) {
	if err != nil {
		p.srv.log.Warn("line not stored", "room", p.room.name, "user", p.user, "err", err)
	}
	switch f := f.(type) {
	case nil:
		if !taken {
			p.trace("line ignored", "superseded or draining")
		}
	case *wire.Ack:
		p.trace("line again", "")
		p.out.ack(f.Source, f.N)
	case *wire.Retry:
		p.trace("line put off", f.Code)
		p.out.push(f)
	default:
		p.out.push(f)
	}
}

// trace logs what few lines meet.
func (p *peer) trace(what, why string) {
	p.srv.log.Debug(what, "room", p.room.name, "user", p.user, "reason", why)
}

// cleanly reports whether a connection's end means that the user left, rather than
// lost the link.
func cleanly(err error) bool {
	c, ok := errors.AsType[*transport.CloseError](err)
	return ok && (c.Code == transport.CloseNormal || c.Code == transport.CloseNoStatus)
}

// page answers a request for history with as many lines as fit a frame.
func (p *peer) page(f *wire.History) (*wire.Page, error) {
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

// write sends one frame.
func (p *peer) write(f wire.Frame) bool {
	if p.plain() {
		return p.text.write(p, f)
	}
	if request, ok := f.(*wire.History); ok {
		page, err := p.page(request)
		if errors.Is(err, errAskerGone) {
			return false
		}
		if err != nil {
			p.broken("read history", err)
			return true // the writer has the bye to write
		}
		f = page
	}
	err := p.conn.Write(wire.Encode(f))
	if b, ok := f.(*wire.Bye); ok && err == nil {
		code, _ := wire.CodeOf(b.Code)
		p.conn.Close(transport.CloseCode(code.Close), code.Word)
		return false
	}
	return err == nil
}

// writeLines sends what fits one frame of the lines that the peer has not got yet;
// idle means that there are none.
func (p *peer) writeLines() (idle, ok bool) {
	ls, err := p.next()
	if errors.Is(err, errTrimmed) {
		p.reject(wire.Resync, "lines that are no longer kept were missed")
		return false, true
	}
	if err != nil {
		p.broken("read lines", err)
		return false, true // the writer has the bye to write
	}
	if len(ls) == 0 {
		if !p.live {
			p.live = true
			return true, p.write(&wire.Live{})
		}
		return true, true
	}
	last := ls[len(ls)-1]
	p.seq = last.Seq
	ls = p.readable(ls)
	if p.plain() {
		return false, p.text.lines(p, ls)
	}
	if len(ls) == 0 && p.seq-p.told < maxHidden {
		return false, true
	}
	ok = p.conn.Write(eventsFrame(p.cursor, last.Cursor, ls)) == nil
	p.told, p.cursor = last.Seq, last.Cursor
	return false, ok
}

func eventsFrame(after, cursor string, ls []line) []byte {
	events := make([][]byte, len(ls))
	size := wire.EventsOverhead
	for i, l := range ls {
		events[i] = l.json
		size += len(l.json) + 1
	}
	return wire.AppendEvents(make([]byte, 0, size), after, cursor, events)
}

// drop says bye and ends the connection, without waiting for either.
func (p *peer) drop(code wire.Code, retry time.Duration) {
	p.bye(code, code.Text, retry)
}

// drain tells a client that came while the server stops to come back, as Shutdown
// tells those that it finds.
func (p *peer) drain() { p.drop(wire.Draining, rand.N(spreadAtMin)) }

// reject is drop with words about what the client did.
func (p *peer) reject(code wire.Code, why string) {
	p.srv.log.Info("rejected", "room", p.room.name, "user", p.user, "code", code.Word)
	p.bye(code, why, 0)
}

// broken ends a connection for a fault of ours. What it was stays in the log.
func (p *peer) broken(doing string, err error) {
	p.srv.log.Error("can't serve", "doing", doing, "room", p.room.name, "user", p.user, "err", err)
	p.bye(wire.Internal, wire.Internal.Text, time.Second)
}

func (p *peer) bye(code wire.Code, why string, retry time.Duration) {
	if p.out.finish(&wire.Bye{Code: code.Word, Message: why, RetryMS: retry.Milliseconds()}) {
		p.trace("bye", code.Word)
	}
}
