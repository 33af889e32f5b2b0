package server

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"holdfast/server/history"
	"holdfast/session/wire"
	"holdfast/transport"
)

// plain is how the server speaks with a peer in plain mode: text lines, for any
// WebSocket client there is. PROTOCOL.md "Plain mode".
type plain struct {
	source  *source
	n       uint64
	backlog int
	before  map[string]bool // who came (true) or went before it did, and is yet to be told; under room.mu
}

const plainBacklog = 200 // lines of history for a plain client that does not say

// servePlain serves a client without subprotocol. The name is reserved before the
// upgrade, so that a taken one is refused with a status that every client shows.
func (s *Server) servePlain(w http.ResponseWriter, r *http.Request, rm *room, g Grant, user string) (started bool) {
	holder, foreign, err := s.plainHolder(g, user)
	switch {
	case err != nil:
		s.log.Error("can't serve", "doing", "look up claim", "err", err)
		http.Error(w, wire.Internal.Text, http.StatusInternalServerError)
		return false
	case foreign && !rm.has(user):
		http.Error(w, user+" belongs to someone else: choose another name", http.StatusConflict)
		return false
	case foreign:
		http.Error(w, s.inUseText(user, rm.name), http.StatusConflict)
		return false
	}
	lingered, before, ok := rm.reserve(user)
	if !ok {
		http.Error(w, s.inUseText(user, rm.name), http.StatusConflict)
		return false
	}
	conn, err := transport.Accept(w, r, s.opts.transport("", wire.MaxToServer))
	if err != nil {
		rm.unreserve(user, !lingered) // a request that is no upgrade must not end a linger
		return false
	}
	backlog := plainBacklog
	if n, err := strconv.Atoi(r.URL.Query().Get("backlog")); err == nil && n >= -1 {
		backlog = n
	}
	l := s.newLink(conn, r, g, user, rm.name)
	l.holder = holder
	l.text = &plain{backlog: backlog, before: before}
	s.wg.Go(func() { l.servePlain(rm) })
	return true
}

// plainHolder finds out whether somebody else has claimed user's name. Who the
// application knows claims it; another plain client has it while it is connected.
func (s *Server) plainHolder(g Grant, user string) (holder history.Holder, foreign bool, err error) {
	if g.Identity == "" {
		_, claimed, err := s.opts.Store.Owner(user, time.Now(), s.opts.NameTTL)
		return holder, claimed, err
	}
	holder, mine, err := s.opts.Store.Claim(user, g.holder(), time.Now(), s.opts.NameTTL)
	return holder, !mine, err
}

// reserve makes user a member for a plain connection that is being accepted. It is
// not ok if the name is connected in the room. before is what the connection is not
// to be told: who comes from now on is news to it, even before it is attached.
func (r *room) reserve(user string) (lingered bool, before map[string]bool, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.members[user]
	if m != nil && m.connected() {
		return false, nil, false
	}
	r.enter(user).plain++
	return m != nil, r.pending(), true
}

func (r *room) unreserve(user string, left bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.members[user]
	m.plain--
	r.leave(m, left)
}

func (l *link) servePlain(r *room) {
	left := false
	p := l.peer(r.name, r)
	err := errDraining
	if l.srv.meet(l) {
		err = p.joinPlain()
	}
	switch {
	case err == nil:
		left = p.readPlain()
	case errors.Is(err, errDraining):
		r.unreserve(l.user, true)
		l.drain()
	case errors.Is(err, errExpelled):
		r.unreserve(l.user, true) // it has been told
	default:
		r.unreserve(l.user, true)
		_ = p.broken("join", err)
	}
	l.end(left)
}

func (p *peer) joinPlain() error {
	id := "plain-" + rand.Text()
	src, err := p.room.source(sourceID{p.user(), id})
	if err != nil {
		return err
	}
	p.sources = []*source{src}
	p.link.text.source = src
	backlog, err := p.backlog(p.link.text.backlog)
	if err != nil {
		return err
	}
	start, err := p.room.log.Start("", backlog)
	if err != nil {
		return err
	}
	p.seq = start.Seq
	p.room.mu.Lock()
	defer p.room.mu.Unlock()
	if p.room.draining {
		return errDraining
	}
	if p.expelled {
		return errExpelled
	}
	p.room.attach(p)
	src.peer = p
	p.link.enter(p)
	p.wake()
	return nil
}

// readPlain takes lines until the connection ends, and reports whether the client
// left for good.
func (p *peer) readPlain() (left bool) {
	t := p.link.text
	for {
		msg, err := p.link.conn.Read()
		if err != nil {
			return p.link.lost(err)
		}
		text := strings.TrimRight(string(msg), "\r\n")
		if strings.TrimSpace(text) == "" {
			continue
		}
		if err := wire.CheckText(text); err != nil {
			p.push(notice("not sent: " + err.Message))
			continue
		}
		f := &wire.Send{Source: t.source.id.source, N: t.n + 1, Text: text}
		answer, taken, err := p.room.take(p, t.source, f)
		switch a := answer.(type) {
		case nil:
			if taken {
				t.n++
			} else {
				p.push(notice("not sent: " + wire.Draining.Text))
			}
		case *wire.Retry: // there is no way to say "again" in plain mode
			p.push(notice("not sent: the server can't store lines just now (" + a.Code + "); try again"))
		}
		if err != nil {
			p.room.srv.log.Warn("line not stored", "room", p.room.name, "user", p.user(), "err", err)
		}
	}
}

// notice is something the server itself has to tell a plain client.
func notice(text string) wire.Frame { return &wire.Bye{Message: text} }

// tell queues who came and went, under room.mu, but for what was so before p came;
// p itself is among that.
func (t *plain) tell(p *peer, joined, left []string) {
	known := t.before
	t.before = nil
	var f wire.Presence
	for _, user := range joined {
		if there, before := known[user]; !before || !there {
			f.Joined = append(f.Joined, user)
		}
	}
	for _, user := range left {
		if there, before := known[user]; !before || there {
			f.Left = append(f.Left, user)
		}
	}
	if len(f.Joined)+len(f.Left) > 0 {
		p.push(&f)
	}
}

// write turns the frames that mean something in plain mode into text.
func (t *plain) write(p *peer, f wire.Frame) bool {
	switch f := f.(type) {
	case *wire.Presence:
		for _, user := range f.Joined {
			if !t.say(p, user+" joined "+p.room.name) {
				return false
			}
		}
		for _, user := range f.Left {
			if !t.say(p, user+" left "+p.room.name) {
				return false
			}
		}
	case *wire.Bye:
		return t.say(p, "* "+f.Message)
	case *wire.Refused:
		return t.say(p, "* not sent: "+f.Message)
	}
	return true
}

// lines writes other people's lines; its own come back only as history.
func (t *plain) lines(p *peer, ls []line) bool {
	for _, l := range ls {
		if l.Kind == wire.KindVoid || l.Source == t.source.id.source {
			continue
		}
		// What follows a line break is indented, so that nobody can put words in
		// another's mouth.
		text := strings.ReplaceAll(l.Text, "\n", "\n    ")
		if l.Kind == wire.KindAction {
			text = "* " + l.User + " " + text
		} else {
			text = l.User + ": " + text
		}
		if !t.say(p, text) {
			return false
		}
	}
	return true
}

func (t *plain) say(p *peer, text string) bool {
	return p.link.conn.Write(fmt.Append(nil, text, "\n")) == nil
}
