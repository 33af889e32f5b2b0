package session

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/session/wire"
	"holdfast/transport"
)

// link is one connection of a client: it says hello, joins the rooms, sends what their
// outboxes hold, and takes what comes. The goroutine in serve reads, the one in send
// writes.
type link struct {
	c    *Client
	conn *transport.Conn
	door *Session
	wg   sync.WaitGroup // send

	greeted atomic.Bool // hello is written

	mu    sync.Mutex // guards what follows, and the parts' fields that say so
	parts map[string]*part
	ready []*part       // that may have something to say, each once
	more  chan struct{} // there may be one
}

// part is a session's part in a connection.
type part struct {
	s *Session

	// Guarded by link.mu.
	queued bool            // it is in ready
	asked  bool            // hello or join is written
	in     bool            // and is answered by a welcome
	not    time.Time       // no join before
	named  map[string]bool // the sources that it named

	// The writer's own.
	known int       // changes of away that the server was told
	due   time.Time // when it has to be looked at again; zero for never

	// The reader's own.
	turn    int  // of the feed
	live    bool // level with the room
	tries   int  // since it was, how often the server ended it
	members map[string]bool
	away    map[string]string
}

const (
	helloTimeout = 10 * time.Second
	goodbye      = 500 * time.Millisecond // for the bye of a session that ends

	// maxDelay bounds what a server may ask for, as it does for Retry-After.
	maxDelay = time.Hour
)

// errNoRoom ends a connection of which nobody has need any more.
var errNoRoom = errors.New("no room is left")

// errResync ends a connection whose two sides lost step; the next one resumes.
var errResync = errors.New("lost step with the server")

func newLink(c *Client, conn *transport.Conn, door *Session) *link {
	return &link{c: c, conn: conn, door: door, parts: map[string]*part{}, more: make(chan struct{}, 1)}
}

// serve runs until the connection ends and returns why.
func (l *link) serve() error {
	late := time.AfterFunc(helloTimeout, func() { l.conn.Close(transport.CloseGoingAway, "") })
	defer late.Stop()
	if err := l.greet(); err != nil {
		return err
	}
	l.wg.Go(l.send)
	for {
		f, err := l.read()
		if err != nil {
			return err
		}
		switch f.(type) {
		case *wire.Welcome, *wire.Bye:
			late.Stop()
		}
		if err := l.handle(f); err != nil {
			return err
		}
	}
}

func (l *link) read() (wire.Frame, error) {
	msg, err := l.conn.Read()
	if err != nil {
		return nil, err
	}
	return wire.Decode(msg, wire.MaxToClient)
}

// greet answers the server's challenge with hello.
func (l *link) greet() error {
	for {
		f, err := l.read()
		if err != nil {
			return err
		}
		switch f := f.(type) {
		case *wire.Challenge:
			return l.hello(f)
		case *wire.Bye:
			return l.bye(f)
		}
	}
}

func (l *link) hello(ch *wire.Challenge) error {
	c := l.c
	j := l.entry(l.part(l.door))
	f := &wire.Hello{
		Host: c.dialed, Device: j.Device, Sources: j.Sources, Cursor: j.Cursor,
		Backlog: j.Backlog, Window: j.Window, Client: c.opts.Client,
	}
	if ch.Former {
		f.Former = c.id.former
	}
	f.Sign(c.id.key, ch, c.opts.Name)
	if err := l.conn.Write(wire.Encode(f)); err != nil {
		return err
	}
	l.greeted.Store(true)
	return nil
}

// entry is what joins p's room.
func (l *link) entry(p *part) *wire.Join {
	s := p.s
	s.mu.Lock()
	sources := s.out.sources(s.bases, s.pen.source)
	backlog := s.opts.backlog
	if s.begun {
		backlog = 0
	}
	s.ghosts++
	s.mu.Unlock()
	cursor, window := s.feed.offer()
	named := map[string]bool{}
	for _, b := range sources {
		named[b.Source] = true
	}
	l.mu.Lock()
	p.asked, p.in, p.named = true, false, named
	l.mu.Unlock()
	return &wire.Join{Room: s.room, Device: s.client.device, Sources: sources, Cursor: cursor, Backlog: backlog, Window: window}
}

// part returns the part of a room that is open, which is new if s was joined just now.
func (l *link) part(s *Session) *part {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.partLocked(s)
}

func (l *link) partLocked(s *Session) *part {
	p := l.parts[s.room]
	if p == nil || p.s != s {
		p = &part{s: s}
		l.parts[s.room] = p
	}
	return p
}

// find returns the part of the room that a frame is about, nil if there is none, and whether
// it was asked for and welcomed.
func (l *link) find(room string) (p *part, asked, in bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p = l.parts[cmp.Or(room, l.door.room)]; p == nil {
		return nil, false, false
	}
	return p, p.asked, p.in
}

// touch has the writer look at what s has to say, unless it is over. It waits for nothing.
func (l *link) touch(s *Session) {
	if s.over() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queueLocked(l.partLocked(s))
}

func (l *link) queueLocked(p *part) {
	if !p.queued {
		p.queued = true
		l.ready = append(l.ready, p)
	}
	nudge(l.more)
}

// again joins the room of s once more, from where its feed is.
func (l *link) again(s *Session) { l.outside(l.part(s), time.Time{}) }

// outside is for a room that the connection is not in any more, or as good as. It joins
// again, but not before some time.
func (l *link) outside(p *part, not time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p.asked, p.in, p.not = false, false, not
	l.queueLocked(p)
}

// drop forgets the part of a session that has ended.
func (l *link) drop(s *Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.parts[s.room]; p != nil && p.s == s {
		delete(l.parts, s.room)
	}
}

// rooms returns the parts that there are.
func (l *link) rooms() (list []*part) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.parts {
		list = append(list, p)
	}
	return list
}

// bye is the server's last word: it counts more than the close code, which may be
// lost on the way.
func (l *link) bye(f *wire.Bye) error {
	l.conn.RetryAfter(millis(f.RetryMS))
	code, known := wire.CodeOf(f.Code)
	if known && !code.ComeBack() {
		return &RejectedError{Code: code, Message: f.Message}
	}
	if !known { // the close code will say
		late := time.AfterFunc(helloTimeout, func() { l.conn.Close(transport.CloseGoingAway, "") })
		defer late.Stop()
		if _, err := l.conn.Read(); err != nil {
			return err
		}
	}
	return byeError(f, code)
}

func byeError(f *wire.Bye, code wire.Code) error {
	return fmt.Errorf("server said bye: %s", cmp.Or(code.Text, "for an unknown reason"))
}

// byeRoom is its last word about one room, while the connection goes on with the others.
func (l *link) byeRoom(p *part, f *wire.Bye) {
	s := p.s
	code, known := wire.CodeOf(f.Code)
	if known && !code.ComeBack() {
		verdict := &RejectedError{Code: code, Message: f.Message}
		if !s.haunted(verdict) {
			l.drop(s)
			s.finish(verdict)
			return
		}
	}
	p.tries++
	p.live = false
	delay := max(millis(f.RetryMS), pauseOf(p.tries))
	s.lost()
	s.setState(StateChange{State: Waiting, Attempt: p.tries, RetryIn: delay, Err: byeError(f, code)})
	l.outside(p, time.Now().Add(delay))
}

// pauseOf is how long to wait before a room is joined for the nth time: as for a redial.
func pauseOf(n int) time.Duration {
	most := min(15*time.Second, 500*time.Millisecond<<min(n, 10))
	return max(rand.N(most), 100*time.Millisecond)
}

// millis is a time that a server named.
func millis(n int64) time.Duration {
	return time.Duration(min(max(n, 0), maxDelay.Milliseconds())) * time.Millisecond
}

// leave says goodbye for all rooms, so that nobody waits for us: without it the user would
// linger.
func (l *link) leave() {
	if l.greeted.Load() { // before that, it would not be understood
		stuck := make(chan struct{})
		late := time.AfterFunc(goodbye, func() {
			defer close(stuck)
			l.conn.Close(transport.CloseNormal, "")
		})
		_ = l.conn.Write(wire.Encode(&wire.Bye{}))
		if !late.Stop() {
			<-stuck
		}
	}
	l.conn.Close(transport.CloseNormal, "")
}

// goodbye leaves the room, if there is a connection, and gives that a moment.
func (s *Session) goodbye() {
	s.leaving.Store(true)
	l := s.client.link.Load()
	if l == nil {
		return
	}
	l.touch(s)
	patience := time.NewTimer(goodbye)
	defer patience.Stop()
	select {
	case <-s.left:
	case <-l.conn.Done():
	case <-patience.C:
	}
	l.drop(s)
}
