package server

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"holdfast/server/history"
	"holdfast/session/wire"
	"holdfast/transport"
)

// link is one connection: a user's, in the rooms of its peers. The goroutine in serve
// reads for all of them; out.go is how it writes.
type link struct {
	srv  *Server
	conn *transport.Conn
	user string
	door string // the room that the connection was opened for

	text *plain // how to speak in plain mode; nil for the protocol

	grant   Grant         // what the application said for the door
	request *http.Request // the upgrade's, to ask the application about other rooms; nil if it is not asked

	reached []string       // the hosts that the upgrade was for
	holder  history.Holder // who the user is; constant once hello is accepted

	ended chan struct{} // closed when the writer has written its last, or can't any more

	mu    sync.Mutex
	rooms map[string]*peer   // the rooms that it is in
	held  map[*peer]struct{} // those, and what is left of others
	many  bool               // it has said join
	alone *time.Timer        // ends it; nil while it is in a room

	// What is to be written. A peer is in each queue once at most.
	urgent queue     // peers that have something besides lines
	lines  queue     // peers that may have lines
	queued int       // frames that all peers have
	bye    *wire.Bye // ends the connection, once nothing is urgent
	busy   bool      // the writer runs, or has ended
	closed bool      // no writer is needed any more
}

func (s *Server) newLink(conn *transport.Conn, r *http.Request, g Grant, user, door string) *link {
	l := &link{
		srv: s, conn: conn, user: user, door: door, ended: make(chan struct{}), grant: g,
		rooms: map[string]*peer{}, held: map[*peer]struct{}{},
	}
	if s.opts.Authorize != nil {
		l.request = r.Clone(conn.Context()) // the request's own ends, and its values may be used again
		l.request.Body = http.NoBody
	}
	return l
}

// peer makes l's part in a room, nil if the room can't be opened. It takes over the
// caller's hold of the room, and gives it back when the part has ended and the writer
// is done with it.
func (l *link) peer(name string, r *room) *peer {
	p := &peer{link: l, room: r, name: name, rights: l.grant.Rights, credit: unlimited}
	if name != l.door {
		p.label = name
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held[p] = struct{}{}
	return p
}

// serve speaks the protocol with a new connection until it ends.
func (l *link) serve(c *wire.Challenge, door *room) {
	left := false
	p := l.peer(door.name, door)
	if l.srv.meet(l) {
		if h, err := l.greet(c); err == nil && p.join(entry(h)) == nil {
			left = l.read()
		}
	} else {
		l.drain()
	}
	l.end(left)
}

// entry is what a hello says of the door.
func entry(h *wire.Hello) *wire.Join {
	return &wire.Join{Device: h.Device, Sources: h.Sources, Cursor: h.Cursor, Backlog: h.Backlog, Window: h.Window}
}

// end ends all that l takes part in, and closes the connection, after the writer has
// said bye if it is to.
func (l *link) end(left bool) {
	peers := l.parts()
	for _, p := range peers {
		p.detach(left)
	}
	if l.ending() {
		<-l.ended // the connection's death is not enough: the close frame comes after it
	}
	l.conn.Close(transport.CloseNormal, "")
	l.stop()
	for _, p := range peers {
		l.release(p)
	}
	l.srv.part(l)
	l.srv.log.Debug("connection ended", "room", l.door, "user", l.user, "left", left, "err", l.conn.Err())
}

// read takes the client's frames until the connection ends, and reports whether the
// client left for good.
func (l *link) read() (left bool) {
	for {
		msg, err := l.conn.Read()
		if err != nil {
			return l.lost(err)
		}
		f, err := wire.Decode(msg, wire.MaxToServer)
		if err != nil {
			l.reject(wire.Malformed, err.Error())
			return false
		}
		left, err := l.hear(f)
		if left || err != nil {
			return left
		}
	}
}

// hear does what one frame asks for. An error ends the connection. What is about a room
// that the connection is not in is nobody's fault: the news that it no longer is may be
// on its way.
func (l *link) hear(f wire.Frame) (left bool, err error) {
	switch f := f.(type) {
	case *wire.Send:
		if p := l.in(f.Room); p != nil {
			return false, p.say(f)
		}
	case *wire.History:
		if p := l.in(f.Room); p != nil {
			p.push(f) // the writer answers, as fast as the client reads
		}
	case *wire.Away:
		if p := l.in(f.Room); p != nil {
			p.room.setAway(p, f.Text)
		}
	case *wire.Remove:
		if p := l.in(f.Room); p != nil {
			p.remove(f)
		}
	case *wire.More:
		if p := l.in(f.Room); p != nil {
			p.more(f.Lines)
		}
	case *wire.Join:
		return false, l.join(f)
	case *wire.Bye:
		if f.Room == "" {
			return true, nil
		}
		if p := l.in(f.Room); p != nil {
			p.detach(true)
			l.retire(p)
		}
	case *wire.Hello:
		l.reject(wire.Malformed, "a second hello")
		return false, errors.New("second hello")
	}
	return false, nil
}

// in returns l's part in a room, the door if name is empty; nil if it has none.
func (l *link) in(name string) *peer {
	if name == "" {
		name = l.door
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rooms[name]
}

// join joins one more room. If that fails, only what is about that room ends. An error
// ends the connection.
func (l *link) join(f *wire.Join) error {
	full, flood := l.another(f.Room)
	switch {
	case flood:
		l.drop(wire.TooSlow, 0)
		return errors.New("the ends of too many rooms are not read")
	case full:
		l.peer(f.Room, nil).reject(wire.TooMany, wire.TooMany.Text)
		return nil
	}
	g, no := l.srv.authorize(l.request, f.Room, l.user)
	if no != nil {
		l.peer(f.Room, nil).refuse(no)
		return nil
	}
	r, err := l.srv.hub.hold(f.Room)
	switch {
	case errors.Is(err, errDraining):
		l.drain()
		return err
	case err != nil:
		_ = l.peer(f.Room, nil).broken("open room", err)
		return nil
	}
	p := l.peer(f.Room, r)
	p.rights = g.Rights
	if err := p.join(f); errors.Is(err, errDraining) {
		return err
	}
	return nil
}

// another notes that the client joins rooms, and reports whether there are too many of
// them, or too many that have ended and of which the client has not read that.
func (l *link) another(room string) (full, flood bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.many = true
	full = l.rooms[room] == nil && len(l.rooms) >= l.srv.opts.MaxRooms
	return full, len(l.held)-len(l.rooms) > maxQueued
}

// enter makes p the part in its room, in place of an older one, of which nothing is
// written any more.
func (l *link) enter(p *peer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leave(p.name)
	l.rooms[p.name] = p
	if l.alone != nil {
		l.alone.Stop()
		l.alone = nil
	}
}

// retire has the writer give back p's room.
func (l *link) retire(p *peer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rooms[p.name] == p {
		l.leave(p.name)
		l.watch()
	}
}

// leave ends the part in a room, if there is one, without a word. Under mu.
func (l *link) leave(room string) {
	if p := l.rooms[room]; p != nil {
		delete(l.rooms, room)
		p.over = true
		l.queued -= len(p.frames)
		p.frames, p.acks = nil, nil
		l.hurry(p)
	}
}

// watch sees to it that a connection that is in no room ends, under mu.
func (l *link) watch() {
	if len(l.rooms) > 0 || l.alone != nil || l.closed {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(l.srv.opts.HelloTimeout, func() {
		l.mu.Lock()
		mine := l.alone == timer
		l.mu.Unlock()
		if mine {
			l.reject(wire.HelloLate, "the connection is in no room any more")
		}
	})
	l.alone = timer
}

// parts returns all peers that hold a room.
func (l *link) parts() []*peer {
	l.mu.Lock()
	defer l.mu.Unlock()
	peers := make([]*peer, 0, len(l.held))
	for p := range l.held {
		peers = append(peers, p)
	}
	return peers
}

// release gives p's hold of its room back, once.
func (l *link) release(p *peer) {
	l.mu.Lock()
	_, held := l.held[p]
	delete(l.held, p)
	l.mu.Unlock()
	if held && p.room != nil {
		l.srv.hub.release(p.name)
	}
}

// drop says bye and ends the connection, without waiting for either.
func (l *link) drop(code wire.Code, retry time.Duration) { l.finish(code, code.Text, retry) }

// drain tells a client that came while the server stops to come back, as Shutdown
// tells those that it finds.
func (l *link) drain() { l.drop(wire.Draining, rand.N(spreadAtMin)) }

// reject is drop with words about what the client did.
func (l *link) reject(code wire.Code, why string) {
	l.srv.log.Info("rejected", "room", l.door, "user", l.user, "code", code.Word)
	l.finish(code, why, 0)
}

// broken ends a connection for a fault of ours. What it was stays in the log.
func (l *link) broken(doing string, err error) {
	l.srv.log.Error("can't serve", "doing", doing, "room", l.door, "user", l.user, "err", err)
	l.finish(wire.Internal, wire.Internal.Text, time.Second)
}

// expel ends l's part in a room, or all of l if room is empty, and returns how many parts,
// or connections, that were.
func (l *link) expel(room, why string) (ended int) {
	for _, p := range l.parts() {
		if p.room == nil || room != "" && p.name != room {
			continue
		}
		was := p.room.expel(p)
		if room != "" {
			p.end(wire.Forbidden, why, 0)
			if was {
				ended++
			}
		}
	}
	if room == "" {
		l.finish(wire.Forbidden, why, 0)
		ended = 1
	}
	return ended
}

// lost notes why nothing more is read, and reports whether the client left for good.
func (l *link) lost(err error) (left bool) {
	if errors.Is(err, transport.ErrPeerDead) {
		l.srv.log.Info("reaped", "room", l.door, "user", l.user)
		l.srv.watch.reaped(l)
	}
	return cleanly(err)
}

// cleanly reports whether a connection's end means that the user left, rather than
// lost the link.
func cleanly(err error) bool {
	c, ok := errors.AsType[*transport.CloseError](err)
	return ok && (c.Code == transport.CloseNormal || c.Code == transport.CloseNoStatus)
}
