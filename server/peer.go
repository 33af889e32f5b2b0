package server

import (
	"errors"
	"math"
	"slices"
	"time"

	"holdfast/session/wire"
)

// peer is a link's part in one room. The link's reader owns it, the writer its position.
type peer struct {
	link  *link
	room  *room // nil if it could not be opened
	name  string
	label string // how frames name the room: not at all if it is the door

	rights Rights

	device  string
	gen     uint64
	sources []*source // those that hello or join named

	attached bool // what it says counts; under room.mu
	released bool // its sources were given back; under room.mu
	expelled bool // it may not be in the room any more; under room.mu

	// What is to be written, under link.mu. See out.go.
	frames            []wire.Frame
	acks              []wire.Ack // one for each source
	bye               *wire.Bye  // the last word, when all the above is written
	over              bool       // nothing of it is written any more
	inUrgent, inLines bool       // it is in these queues
	credit            int64      // so many lines may be sent
	waits             bool       // for credit, as there are lines
	at                uint64     // what seq was lately
	even              bool       // it has been level since it was last told to lag

	// What follows belongs to the writer.
	seq    uint64 // has all up to here that it may read
	told   uint64 // has been told to be here
	cursor string // the same point as told
	live   bool   // has been told that it is level
}

// unlimited is the credit of who did not ask for a window.
const unlimited = math.MaxInt64

func (p *peer) plain() bool { return p.link.text != nil }

func (p *peer) user() string { return p.link.user }

// join makes p a peer of its room and welcomes it.
func (p *peer) join(f *wire.Join) error {
	srv := p.room.srv
	p.device = f.Device
	for _, b := range f.Sources {
		s, err := p.room.source(sourceID{p.user(), b.Source})
		if err != nil {
			return p.broken("join", err)
		}
		p.sources = append(p.sources, s)
	}
	backlog, err := p.backlog(f.Backlog)
	if err != nil {
		return p.broken("look back", err)
	}
	from := f.Cursor
	if !p.rights.has(Read) {
		from = "" // nothing is to be caught up
	}
	start, err := p.room.log.Start(from, backlog)
	if err != nil {
		return p.broken("find cursor", err)
	}
	if !start.Resumed {
		srv.log.Debug("not resumed", "room", p.name, "user", p.user(), "reason", start.Reason, "lost", start.Lost)
	}
	p.seq, p.told, p.cursor = start.Seq, start.Seq, start.Cursor
	if f.Window > 0 {
		p.credit = f.Window
	}
	w := &wire.Welcome{
		Cursor: start.Cursor, Resumed: start.Resumed, Reason: string(start.Reason),
		Missed: start.Missed, Lost: start.Lost,
		HeartbeatMS: srv.opts.Heartbeat.Milliseconds(), TimeoutMS: srv.opts.DeadAfter.Milliseconds(),
		Limits: wire.Limits{TextBytes: wire.MaxText, InFlight: srv.opts.InFlight, Rooms: srv.opts.MaxRooms},
		Now:    wire.Time{Time: time.Now()}, Moderate: p.rights.has(Moderate),
	}
	old, err := p.enroll(f, w)
	switch {
	case errors.Is(err, errInUse):
		p.reject(wire.NameTaken, srv.inUseText(p.user(), p.name))
		return err
	case errors.Is(err, errExpelled):
		return err // it has been told
	case err != nil:
		p.link.drain()
		return err
	}
	if old != nil {
		srv.log.Info("takeover", "room", p.name, "user", p.user(), "generation", p.gen)
		old.drop(wire.Superseded, 0)
	}
	return nil
}

var (
	errDraining = errors.New("draining")
	errInUse    = errors.New("name in use in plain mode")
	errExpelled = errors.New("disconnected by the application")
)

// enroll attaches p and queues its welcome, in one step for the room, so that no
// line and no ack falls between.
func (p *peer) enroll(f *wire.Join, w *wire.Welcome) (old *peer, err error) {
	r := p.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.draining {
		return nil, errDraining
	}
	if p.expelled {
		return nil, errExpelled
	}
	if m := r.members[p.user()]; m != nil && m.plain > 0 {
		return nil, errInUse
	}
	old = r.attach(p)
	w.Generation = p.gen
	for i, b := range f.Sources {
		s := p.sources[i]
		s.peer, s.heard = p, b.Base
		if s.raise(b.Base) {
			r.srv.log.Warn("mark raised: lines were lost here, or given up by their client", "room", r.name, "user", p.user(), "source", b.Source, "to", b.Base)
		}
		acked := wire.Ack{Source: b.Source, N: s.acked()}
		w.Acks = append(w.Acks, acked)
		if s.mark > acked.N {
			w.Taken = append(w.Taken, wire.Ack{Source: b.Source, N: s.mark})
		}
	}
	r.show()
	names, away := r.names(), absences(r.away)
	if !p.rights.has(Read) {
		names, away = []string{p.user()}, nil
	}
	w.Members = names[:min(len(names), namesInWelcome)]
	p.link.enter(p)
	p.push(w)
	for some := range slices.Chunk(names[len(w.Members):], namesPerFrame) {
		p.push(&wire.Presence{Joined: some})
	}
	for some := range slices.Chunk(away, absentPerFrame) {
		p.push(&wire.Presence{Away: some})
	}
	p.wake()
	return old, nil
}

// say takes a line. An error ends the connection.
func (p *peer) say(f *wire.Send) error {
	i := slices.IndexFunc(p.sources, func(s *source) bool { return s.id.source == f.Source })
	if i < 0 {
		p.link.reject(wire.Malformed, "send from a source that hello did not name")
		return errors.New("unknown source")
	}
	p.answer(p.room.take(p, p.sources[i], f))
	return nil
}

// answer sends what take had to say. A line that was just taken has no answer yet.
func (p *peer) answer(f wire.Frame, taken bool, err error) {
	if err != nil {
		p.room.srv.log.Warn("line not stored", "room", p.name, "user", p.user(), "err", err)
	}
	switch f := f.(type) {
	case nil:
		if !taken {
			p.trace("line ignored", "superseded or draining")
		}
	case *wire.Ack:
		p.trace("line again", "")
		p.ack(f.Source, f.N)
	case *wire.Retry:
		p.trace("line put off", f.Code)
		p.push(f)
	default:
		p.push(f)
	}
}

// detach ends p's part in the room, if it has any.
func (p *peer) detach(left bool) {
	if p.room != nil {
		p.room.detach(p, left)
	}
}

// trace logs what few lines meet.
func (p *peer) trace(what, why string) {
	p.link.srv.log.Debug(what, "room", p.name, "user", p.user(), "reason", why)
}

// drop ends p's part in the room with a word, without waiting for either.
func (p *peer) drop(code wire.Code, retry time.Duration) { p.end(code, code.Text, retry) }

// reject is drop with words about what the client did.
func (p *peer) reject(code wire.Code, why string) {
	p.link.srv.log.Info("rejected", "room", p.name, "user", p.user(), "code", code.Word)
	p.end(code, why, 0)
}

// broken is drop for a fault of ours. What it was stays in the log; it returns err.
func (p *peer) broken(doing string, err error) error {
	p.link.srv.log.Error("can't serve", "doing", doing, "room", p.name, "user", p.user(), "err", err)
	p.end(wire.Internal, wire.Internal.Text, time.Second)
	return err
}

func (p *peer) end(code wire.Code, why string, retry time.Duration) {
	if p.finish(farewell(code, why, retry)) {
		p.trace("bye", code.Word)
	}
}
