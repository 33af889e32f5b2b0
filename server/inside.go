package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"holdfast/server/history"
	"holdfast/session/wire"
)

// What the application that the server is part of may do in the rooms.

// ErrDraining is what methods return after Shutdown was called.
var ErrDraining = errDraining

// Member is a user who is in a room.
type Member struct {
	Name      string
	Away      string // why the user does not read; empty if they do
	Connected bool   // false for who lost the connection and is given time to come back
}

// SayOptions tunes [Server.Say]. A nil *SayOptions and the zero value are ready to use.
type SayOptions struct {
	// Action makes the line one about what the user does, as /me. Zero means a line.
	Action bool

	// Once is a key, 1 to 64 of the characters of an id, under which the user says
	// something once in the room within 90 days. Zero means that each call says it.
	Once string
}

var onceKey = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Say says something in a room as the user from, who need not be connected, nor a member:
// the application is asked neither by Options.Authorize nor by Options.Accept. It returns
// when the line is on disk, which is also when everybody is shown it.
//
// A *wire.RefusedError says that the line will never be taken; its code is
// [wire.RefusedDuplicate] if Once was said before, and that line is on disk. ErrDraining and
// an error that wraps history.ErrFull say that the line was not taken and may be said
// again. After any other error, ctx's own among them, and after a crash it may be on disk or
// not: who must not say it twice, nor lose it, gives a key in Once and calls Say again
// until it returns nil or wire.RefusedDuplicate.
//
// Lines of one user in one room are stored in the order of the calls, if one call begins
// when the other has returned.
func (s *Server) Say(ctx context.Context, room, from, text string, opts *SayOptions) (Line, error) {
	var o SayOptions
	if opts != nil {
		o = *opts
	}
	user, err := wire.Name(from)
	if err != nil {
		return Line{}, fmt.Errorf("from: %w", err)
	}
	name, err := wire.Name(room)
	if err != nil {
		return Line{}, fmt.Errorf("room: %w", err)
	}
	if err := wire.CheckText(text); err != nil {
		return Line{}, err
	}
	if o.Once != "" && !onceKey.MatchString(o.Once) {
		return Line{}, errors.New("once: must be 1 to 64 letters, digits, '-' and '_'")
	}
	l := history.Line{User: user, Source: s.source, Text: text, Once: o.Once}
	if o.Action {
		l.Kind = wire.KindAction
	}
	return askRoom(s, name, saidIn(ctx, l))
}

// appSource makes the id of the source from which an application's lines come.
func appSource() string { return "app-" + rand.Text() }

// saidIn is say, to be asked of a room.
func saidIn(ctx context.Context, l history.Line) func(*room) (Line, error) {
	return func(r *room) (Line, error) { return r.say(ctx, l) }
}

// say takes a line of the application's and waits until it is durable.
func (r *room) say(ctx context.Context, l history.Line) (Line, error) {
	s, err := r.source(sourceID{l.User, l.Source})
	if err != nil {
		return Line{}, err
	}
	stored, err := r.takeOwn(s, &l)
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(s.waits, l.N)
		r.releaseSource(s)
	}()
	if err != nil {
		return Line{}, err
	}
	select {
	case e := <-stored:
		said, _ := publicLine(r.name, &e)
		return said, nil
	case <-ctx.Done():
		return Line{}, fmt.Errorf("line is not known to be stored: %w", context.Cause(ctx))
	case <-r.srv.opts.Store.Failed():
		return Line{}, fmt.Errorf("line is not known to be stored: %w", r.srv.opts.Store.Err())
	case <-r.srv.cut:
		return Line{}, errors.New("line is not known to be stored: the server was stopped before it could tell")
	}
}

// takeOwn appends l as the next of its source. It comes out of stored when it is durable.
func (r *room) takeOwn(s *source, l *history.Line) (stored <-chan history.Entry, err error) {
	l.At = time.Now()
	var once *saying
	said := false
	if l.Once != "" {
		once = r.saying(onceID{l.User, l.Once})
		said, err = r.log.Said(l.User, l.Once, l.At)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.looked(once)
	switch {
	case err != nil:
		return nil, err
	case r.draining:
		return nil, errDraining
	case said || once != nil && once.said:
		return nil, &wire.RefusedError{Code: wire.RefusedDuplicate, Message: refusalText[wire.RefusedDuplicate]}
	}
	l.N = s.mark + 1
	if err := r.log.Append(*l); err != nil {
		return nil, err
	}
	s.mark = l.N
	r.took(s, once)
	if s.waits == nil {
		s.waits = map[uint64]chan<- history.Entry{}
	}
	c := make(chan history.Entry, 1)
	s.waits[l.N] = c
	return c, nil
}

// History returns up to limit lines of a room below the position before, oldest first; end
// is true if there are no older ones. Before zero means the newest. Limit zero means
// wire.MaxPage; there is no upper one but the caller's memory. Private lines are never
// among them. A room in which nothing was ever said has none.
func (s *Server) History(ctx context.Context, room string, before uint64, limit int) (lines []Line, end bool, err error) {
	if limit <= 0 {
		limit = wire.MaxPage
	}
	name, err := wire.Name(room)
	if err != nil {
		return nil, false, fmt.Errorf("room: %w", err)
	}
	end, err = askRoom(s, name, backIn(ctx, before, min(limit, wire.MaxPage), func(e history.Entry) bool {
		if l, public := publicLine(name, &e); public {
			lines = append(lines, l)
		}
		return len(lines) < limit
	}))
	if errors.Is(err, errAskerGone) {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, false, fmt.Errorf("read history: %w", err)
	}
	slices.Reverse(lines)
	return lines, end, nil
}

// backIn is back, to be asked of a room.
func backIn(ctx context.Context, before uint64, limit int, take func(history.Entry) bool) func(*room) (bool, error) {
	return func(r *room) (bool, error) { return r.back(ctx.Done(), before, limit, take) }
}

// Rooms returns the rooms that somebody is in, in order.
func (s *Server) Rooms() (names []string) {
	for _, r := range s.hub.open() {
		if r.size() > 0 {
			names = append(names, r.name)
		}
	}
	slices.Sort(names)
	return names
}

// Members returns who is in a room, in the order of their names; nobody is in a room that
// does not exist. It never waits for the disk.
func (s *Server) Members(room string) (members []Member) {
	name, err := wire.Name(room)
	if err != nil {
		return nil
	}
	for _, r := range s.hub.open() {
		if r.name == name {
			return r.here()
		}
	}
	for _, user := range s.hub.awaited(name) {
		members = append(members, Member{Name: user})
	}
	return members
}

// Disconnect ends a user's part in a room, or in all rooms if room is empty, at once: the
// user has left, and does not linger. Their clients are told reason, as one line, and
// that access is forbidden, so that they stay away; a connection that is in other rooms
// as well goes on. It returns how many connections were in the room, or, if room is
// empty, how many the user had.
//
// It does not keep anybody from coming again, as a client can be made to: have
// Options.Authorize refuse them first, then call Disconnect.
func (s *Server) Disconnect(room, name, reason string) (ended int) {
	user, err := wire.Name(name)
	if err != nil {
		return 0
	}
	if room != "" {
		if room, err = wire.Name(room); err != nil {
			return 0
		}
	}
	if reason == "" {
		reason = wire.Forbidden.Text
	}
	for _, l := range s.connected() {
		if l.user == user {
			ended += l.expel(room, reason)
		}
	}
	for _, r := range s.hub.open() {
		if room == "" || r.name == room {
			r.endLinger(user)
		}
	}
	s.hub.unexpect(room, user)
	s.log.Info("disconnected", "room", room, "user", user, "connections", ended)
	return ended
}

// remove is Disconnect for a user who may moderate the room, and not for others.
func (p *peer) remove(f *wire.Remove) {
	if !p.rights.has(Moderate) {
		p.trace("removal ignored", "no right to moderate")
		return
	}
	p.link.srv.log.Info("removed", "room", p.name, "user", f.Name, "by", p.user())
	p.link.srv.Disconnect(p.name, f.Name, f.Text)
}
