package server

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"holdfast/server/history"
	"holdfast/session/wire"
)

// room is one room: a log, and the peers that read it.
type room struct {
	srv  *Server
	name string
	log  history.Log

	mu       sync.Mutex
	tail     tail
	peers    []*peer // replaced, never changed, so that a snapshot costs nothing
	members  map[string]*member
	sources  map[sourceID]*source
	sayings  map[onceID]*saying
	onWay    int           // lines appended and not yet durable
	draining bool          // takes no more lines
	drained  chan struct{} // closed when draining and onWay is zero
	told     map[string]bool
	shown    map[string]bool   // what a welcome said besides told: there, or not
	away     map[string]string // who has been told to be away, and why
	telling  *time.Timer       // announces members against told and away; nil when nothing changed
}

type sourceID struct{ user, source string }

// source is a client's numbered lines. Its numbers are guarded by room.mu.
type source struct {
	id    sourceID
	ready chan struct{} // closed when loaded
	err   error         // set before ready is closed

	mark    uint64                          // taken up to here
	durable uint64                          // on disk up to here
	voids   []void                          // refused numbers, in order
	words   map[uint64]string               // what the application said of some of them
	heard   uint64                          // peer knows of all refusals up to here
	peer    *peer                           // who gets the acks: the last that named it
	holds   int                             // peers that named it
	onWay   int                             // lines of it appended and not yet durable
	sayings []*saying                       // those of them that are said once, in order
	waits   map[uint64]chan<- history.Entry // who waits for lines of Say's to be durable
	wait    wire.Retry                      // what the last line that could not be stored was told
}

// void is a refused line.
type void struct {
	n    uint64
	code string
}

func openRoom(srv *Server, name string) (*room, error) {
	r := &room{
		srv: srv, name: name,
		members: map[string]*member{}, sources: map[sourceID]*source{},
		sayings: map[onceID]*saying{},
		told:    map[string]bool{}, shown: map[string]bool{}, away: map[string]string{},
		drained: make(chan struct{}),
	}
	log, err := srv.opts.Store.Open(name, r.publish)
	if err != nil {
		return nil, err
	}
	r.log = log
	start, err := log.Start("", 0)
	if err != nil {
		return nil, errors.Join(err, log.Close()) // or else it could never be opened again
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tail.begin(start.Seq)
	r.expect(srv.hub.expects(name))
	return r, nil
}

// source holds the source id, loading its state if no one else holds it.
func (r *room) source(id sourceID) (*source, error) {
	r.mu.Lock()
	s, known := r.sources[id]
	if !known {
		s = &source{id: id, ready: make(chan struct{})}
		r.sources[id] = s
	}
	s.holds++
	r.mu.Unlock()
	if !known {
		state, err := r.log.Source(id.user, id.source)
		r.mu.Lock()
		s.mark, s.durable, s.err = state.Mark, state.Mark, err
		for n, code := range state.Voids {
			s.voids = append(s.voids, void{n, code})
		}
		slices.SortFunc(s.voids, func(a, b void) int { return cmp.Compare(a.n, b.n) })
		r.mu.Unlock()
		close(s.ready)
	}
	<-s.ready
	if s.err != nil {
		r.mu.Lock()
		r.releaseSource(s)
		r.mu.Unlock()
		return nil, fmt.Errorf("read source: %w", s.err)
	}
	return s, nil
}

// releaseSource gives a hold back, under mu.
func (r *room) releaseSource(s *source) {
	s.holds--
	r.forget(s)
}

// raise lifts a mark to what the client knows to be acknowledged, under mu. A higher
// base means that this server lost what it had acknowledged; the client has the
// lines no more, so waiting for them would block it for ever.
func (s *source) raise(base uint64) (lost bool) {
	if base <= s.mark {
		return false
	}
	s.mark, s.durable = base, base
	return true
}

// find returns where in voids n stands or would stand.
func (s *source) find(n uint64) (i int, refused bool) {
	return slices.BinarySearchFunc(s.voids, n, func(v void, n uint64) int { return cmp.Compare(v.n, n) })
}

// acked is the highest number that may be acknowledged to the source's peer, under
// mu: it stops before a refusal which the client may not have heard of, so that
// the client sends that line again and learns of it.
func (s *source) acked() uint64 {
	if i, _ := s.find(s.heard + 1); i < len(s.voids) {
		return min(s.durable, s.voids[i].n-1)
	}
	return s.durable
}

// take is what the server does with a line, PROTOCOL.md "The server's rules for
// send". It returns the answer for the peer at once, nil if there is none yet; taken
// is false if there will be none on this connection. An error is for the log.
func (r *room) take(p *peer, s *source, f *wire.Send) (answer wire.Frame, taken bool, err error) {
	l := history.Line{User: p.user(), Source: f.Source, N: f.N, Kind: f.Kind, Text: f.Text, At: time.Now()}
	v := r.judge(p, f, &l)
	r.consult(p, s, &l, &v)
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.looked(v.once)
	// Not stored and not acknowledged, it will be sent again elsewhere. What a later
	// hello named is that connection's, which was told how much of it is taken.
	if !p.attached || r.draining || s.peer != p {
		return nil, false, nil
	}
	if f.N > s.mark+1 {
		if s.wait.N == s.mark+1 { // it follows one that has to wait, and must not cut that short
			w := s.wait
			return &w, true, nil
		}
		return &wire.Retry{Source: f.Source, N: s.mark + 1, Code: wire.RetryGap}, true, nil
	}
	s.heard = max(s.heard, f.N-1) // lines come in order, so the client is done with those before
	if f.N <= s.mark {
		if i, refused := s.find(f.N); refused {
			s.heard = max(s.heard, f.N)
			return s.refusal(f.N, s.voids[i].code), true, nil
		}
		if f.N <= s.durable {
			return &wire.Ack{Source: f.Source, N: s.acked()}, true, nil
		}
		return nil, true, nil // the ack follows the sync
	}
	if s.mark-s.durable >= uint64(r.srv.opts.InFlight) {
		return s.later(f, 100, wire.RetryRate), true, nil
	}
	if v.unsure != nil {
		return s.later(f, 1000, wire.RetryStorage), true, v.unsure
	}
	if v.once != nil && v.once.said {
		v.code = wire.RefusedDuplicate
	}
	if v.code != "" {
		l.Kind, l.Text, l.To, l.Readers, l.Once = wire.KindVoid, v.code, "", "", ""
	}
	if err := r.log.Append(l); err != nil {
		if s.wait.N == f.N && s.wait.Code == wire.RetryStorage {
			err = nil // it is known, and tried again every second
		}
		return s.later(f, 1000, wire.RetryStorage), true, err
	}
	s.mark = f.N
	s.word(v.words)
	if l.Once == "" {
		v.once = nil
	}
	r.took(s, v.once)
	return nil, true, nil
}

// took notes that the line which s.mark counts is on its way to disk, under mu. once is nil
// if it may be said again.
func (r *room) took(s *source, once *saying) {
	if once != nil {
		once.say(s, s.mark)
	}
	s.onWay++
	if r.onWay++; r.onWay == 1 {
		r.srv.hub.again(r.name)
	}
}

// later asks for f again after some milliseconds, under mu.
func (s *source) later(f *wire.Send, ms int64, code string) *wire.Retry {
	s.wait = wire.Retry{Source: f.Source, N: f.N, AfterMS: ms, Code: code}
	w := s.wait
	return &w
}

// unfit says why a line is refused, "" if it is not, as far as the line itself tells.
func unfit(f *wire.Send) string {
	switch f.Kind {
	case "", wire.KindAction, wire.KindPrivate:
	default:
		return wire.RefusedKind
	}
	if err := wire.CheckText(f.Text); err != nil {
		return err.Code
	}
	return ""
}

// refusal is what the client of s is told of line n, under mu.
func (s *source) refusal(n uint64, code string) *wire.Refused {
	return &wire.Refused{Source: s.id.source, N: n, Code: code, Message: cmp.Or(s.words[n], refusalText[code])}
}

var refusalText = map[string]string{
	wire.RefusedTooLong: fmt.Sprintf("the line is longer than %d bytes", wire.MaxText),
	wire.RefusedControl: "the line holds control characters or is not UTF-8",
	wire.RefusedBlank:   "the line is blank",
	wire.RefusedKind:    "this server does not know this kind of line",
	wire.RefusedUnknown: "nobody here has that name",

	wire.RefusedReadOnly:  "you may read here, but not say anything",
	wire.RefusedRejected:  "the application behind the server rejected the line",
	wire.RefusedDuplicate: "the line was said before, and is stored",
}

// publish is the room's sink: entries have just become durable.
func (r *room) publish(entries []history.Entry) {
	lines := make([]line, len(entries))
	for i, e := range entries {
		lines[i] = newLine(e)
	}
	r.mu.Lock()
	r.tail.add(lines)
	was := r.onWay
	for _, e := range entries {
		r.settle(e)
	}
	idle := was > 0 && r.onWay == 0
	if idle && r.draining {
		close(r.drained)
	}
	r.srv.watch.lines(r.name, entries)
	peers, head := r.peers, r.tail.head()
	r.mu.Unlock()
	for _, p := range peers {
		p.wake()
	}
	r.srv.watch.lagging(peers, head)
	if idle {
		r.srv.hub.release(r.name)
	}
}

// settle moves the source of a durable line on, under mu, and lets its peer know.
func (r *room) settle(e history.Entry) {
	s := r.sources[sourceID{e.User, e.Source}]
	if s == nil {
		return // another server's
	}
	r.stored(s, e.N)
	if waiter := s.waits[e.N]; waiter != nil {
		waiter <- e // it has room
	}
	if s.onWay > 0 {
		s.onWay--
		r.onWay--
		r.forget(s)
	}
	if e.N <= s.durable {
		return // raised past it
	}
	s.durable = e.N
	s.mark = max(s.mark, e.N)
	if e.Kind == wire.KindVoid {
		s.voids = append(s.voids, void{e.N, e.Text})
	}
	if s.peer == nil {
		return
	}
	if e.Kind == wire.KindVoid {
		s.peer.push(s.refusal(e.N, e.Text))
		if s.acked() == e.N-1 { // no older one that it has yet to hear of
			s.heard = max(s.heard, e.N)
		}
	}
	if s.acked() >= e.N {
		s.peer.ack(e.Source, e.N)
	}
}

// forget drops s if nobody needs it, under mu.
func (r *room) forget(s *source) {
	if s.holds == 0 && s.onWay == 0 {
		delete(r.sources, s.id)
	}
}

// drain takes no more lines and returns a channel that is closed when those taken
// are durable.
func (r *room) drain() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.draining {
		r.draining = true
		if r.onWay == 0 {
			close(r.drained)
		}
	}
	return r.drained
}

// abandon takes no more lines and gives up those on their way: the store failed, so
// they will never come out of it, and must not keep the room open.
func (r *room) abandon() {
	r.mu.Lock()
	lost, done := r.onWay > 0, r.draining && r.onWay == 0
	r.draining, r.onWay = true, 0
	for _, s := range r.sources {
		s.onWay = 0
		r.forget(s)
	}
	if !done {
		close(r.drained)
	}
	r.mu.Unlock()
	if lost {
		r.srv.hub.release(r.name)
	}
}

// attached returns the peers of the room.
func (r *room) attached() []*peer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.peers
}

// after returns what follows position seq in memory, and the room's end.
func (r *room) after(seq uint64) (ls []line, known bool, head uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ls, known = r.tail.from(seq)
	return ls, known, r.tail.head()
}

// without returns peers less p, as a new slice.
func without(peers []*peer, p *peer) []*peer {
	i := slices.Index(peers, p)
	if i < 0 {
		return peers
	}
	return slices.Delete(slices.Clone(peers), i, i+1)
}
