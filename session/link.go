package session

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/session/wire"
	"holdfast/transport"
)

// link is one connection of a session: it says hello, sends what the outbox holds,
// and takes what comes.
type link struct {
	s    *Session
	conn *transport.Conn
	wg   sync.WaitGroup // send

	greeted atomic.Bool       // hello is written
	live    bool              // level with the room
	members map[string]bool   // as this connection tells
	away    map[string]string // likewise
	named   map[string]bool   // the sources that hello named
}

const (
	helloTimeout = 10 * time.Second
	goodbye      = 500 * time.Millisecond // for the bye of a session that ends

	// maxDelay bounds what a server may ask for, as it does for Retry-After.
	maxDelay = time.Hour
)

// errResync ends a connection whose two sides lost step; the next one resumes.
var errResync = errors.New("lost step with the server")

// serve runs until the connection ends and returns why.
func (l *link) serve() error {
	late := time.AfterFunc(helloTimeout, func() { l.conn.Close(transport.CloseGoingAway, "") })
	w, err := l.greet()
	late.Stop()
	if err != nil {
		return err
	}
	if err := l.welcomed(w); err != nil {
		return err
	}
	l.wg.Go(l.send)
	for {
		f, err := l.read()
		if err != nil {
			return err
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

// greet says hello and returns the server's welcome.
func (l *link) greet() (*wire.Welcome, error) {
	s := l.s
	hello := &wire.Hello{
		Device: s.device, Key: s.key, Client: s.opts.Client,
		Sources: s.out.sources(s.bases, s.keeper.source),
		Cursor:  s.goOnFrom(), Backlog: s.backlog(),
	}
	l.named = map[string]bool{}
	for _, b := range hello.Sources {
		l.named[b.Source] = true
	}
	s.ghosts++
	if err := l.conn.Write(wire.Encode(hello)); err != nil {
		return nil, err
	}
	l.greeted.Store(true)
	for {
		f, err := l.read()
		if err != nil {
			return nil, err
		}
		switch f := f.(type) {
		case *wire.Welcome:
			s.ghosts--
			return f, nil
		case *wire.Bye:
			s.ghosts--
			return nil, l.bye(f)
		}
	}
}

// goOnFrom is the cursor to resume from.
func (s *Session) goOnFrom() string {
	if s.feed.rejoin() {
		s.mu.Lock()
		s.got = s.consumed
		s.mu.Unlock()
	}
	return s.got.cursor
}

// backlog is how many lines of history to ask for: those that Open was told to begin
// with, once.
func (s *Session) backlog() int {
	if s.begun {
		return 0
	}
	return s.opts.Backlog
}

// welcomed takes over what the server says about both directions.
func (l *link) welcomed(w *wire.Welcome) error {
	s := l.s
	first, history := !s.begun, s.backlog() != 0
	l.conn.SetHeartbeat(millis(w.HeartbeatMS), millis(w.TimeoutMS))
	for _, a := range w.Acks {
		l.acked(a.Source, a.N)
	}
	l.members, l.away = map[string]bool{}, map[string]string{}
	for _, m := range w.Members {
		l.members[m] = true
	}
	if err := l.push(StateChange{State: Resuming, Missed: w.Missed}); err != nil {
		return err
	}
	next := point{w.Cursor, s.got.seq}
	switch {
	case !w.Resumed && w.Reason == wire.ReasonDiverged:
		next.seq, s.at0 = 0, 0 // numbers mean other lines now
	case w.Resumed && !history && w.Cursor != s.got.cursor:
		return fmt.Errorf("%w: resumed elsewhere", errResync)
	case history:
		next.seq = 0 // what an earlier session has shown comes again, marked
	}
	if !w.Resumed && w.Reason != wire.ReasonFresh {
		if err := l.emit(item{Event: Gap{Lost: w.Lost, Reason: w.Reason}, keep: first}); err != nil {
			return err
		}
	}
	if s.got == (point{}) && !s.opts.Fresh { // or else, if nobody consumes, the next session would begin later
		s.keeper.notePoint(next)
	}
	s.got, s.begun = next, true
	if first { // who comes late is given all since now
		s.mu.Lock()
		s.consumed = next
		s.mu.Unlock()
	}
	if err := l.reached(next); err != nil {
		return err
	}
	s.out.connected(max(w.Limits.InFlight, 1), l.taken(w))
	if n, oldest := s.out.stale(); n > 0 {
		s.feed.push(item{Event: Stale{n, oldest}}, nil)
	}
	s.asks.connected()
	return nil
}

// taken is what the server says to have of each source that hello named: what it
// acknowledges, or more.
func (l *link) taken(w *wire.Welcome) map[string]uint64 {
	taken := map[string]uint64{}
	for source := range l.named {
		taken[source] = 0
	}
	for _, a := range slices.Concat(w.Acks, w.Taken) {
		taken[a.Source] = max(taken[a.Source], a.N)
	}
	return taken
}

// millis is a time that a server named.
func millis(n int64) time.Duration {
	return time.Duration(min(max(n, 0), maxDelay.Milliseconds())) * time.Millisecond
}

// push changes the state.
func (l *link) push(c StateChange) error {
	l.s.setState(c)
	return l.conn.Err()
}

// emit hands an event to the consumer.
func (l *link) emit(it item) error {
	if !l.s.feed.push(it, l.conn.Done()) {
		return l.conn.Err()
	}
	return nil
}

// logged hands over a part of the log that ends at p, with a line or without. What
// an earlier session has shown must not move the cursor on disk back, and a Fresh
// one does not move it at all.
func (l *link) logged(e Event, p point) error {
	return l.emit(item{Event: e, at: p, old: p.seq < l.s.at0 || l.s.opts.Fresh})
}

func (l *link) reached(p point) error { return l.logged(nil, p) }

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
	return fmt.Errorf("server said bye: %s", cmp.Or(code.Text, "for an unknown reason"))
}

// leave says goodbye, so that nobody waits for us: without it the user would linger.
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

// send writes lines as the outbox lets them go, until the connection dies.
func (l *link) send() {
	s := l.s
	for said := 0; ; {
		var ok bool
		if said, ok = l.ask(said); !ok {
			return
		}
		now := time.Now()
		line, wait, ok := s.out.next(now)
		if ok && !l.named[line.ID.Source] { // more sources than one hello can name
			l.conn.Close(transport.CloseCode(wire.Resync.Close), wire.Resync.Word)
			return
		}
		if ok {
			f := &wire.Send{Source: line.ID.Source, N: line.ID.N, Kind: line.Kind, To: line.To, Text: line.Text}
			if l.conn.Write(wire.Encode(f)) != nil {
				return
			}
			continue
		}
		if patience, waiting := s.out.patience(now, s.opts.AckTimeout); waiting {
			if patience <= 0 {
				s.out.doubted(now)
				l.conn.Probe()
				continue
			}
			if wait == 0 || patience < wait {
				wait = patience
			}
		}
		var later <-chan time.Time
		if wait > 0 {
			later = time.After(wait)
		}
		select {
		case <-s.out.changed:
		case <-s.asks.changed:
		case <-later:
		case <-l.conn.Done():
			return
		}
	}
}
