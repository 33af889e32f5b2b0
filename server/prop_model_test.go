package server_test

import (
	"maps"
	"slices"
	"time"

	"holdfast/session/wire"
)

// stream is a source in the plainest way: what take and settle must make of its lines.
type stream struct {
	user, name string

	mark    uint64            // taken up to here
	durable uint64            // on disk up to here
	voids   map[uint64]string // refused numbers, with the code
	heard   uint64            // the owner knows of all refusals up to here
	owner   *guest            // gets the acks
	stored  uint64            // what the store knows, and all that is left when nobody
	refused map[uint64]string // holds the source any more
}

// acked is the highest number that may be acknowledged: below any refusal that the
// owner may not have heard of.
func (s *stream) acked() uint64 {
	n := s.durable
	for v := range s.voids {
		if v > s.heard {
			n = min(n, v-1)
		}
	}
	return n
}

// guest is a connection that speaks the protocol, and what it is to be told.
type guest struct {
	*client
	user, device string
	named        map[string]*stream
	from         int // in the log: events begin here
	looked       int // frames besides events that were judged

	retries  []wire.Retry
	refusals []wire.Refused
	acks     map[string]uint64 // by source: the last one
}

func (g *guest) wantAck(s *stream, n uint64) { g.acks[s.name] = max(g.acks[s.name], n) }

func (g *guest) wantRefusal(s *stream, n uint64) {
	g.refusals = append(g.refusals, wire.Refused{Source: s.name, N: n, Code: s.voids[n]})
}

// spoken is a line of the model's log.
type spoken struct {
	from   *stream // nil in plain mode
	user   string
	n      uint64
	text   string
	refuse string // why it is a void
}

// lounge is the room as it must be.
type lounge struct {
	streams map[string]*stream // by user and name
	log     []spoken
	waiting []spoken             // taken, not yet durable
	guests  []*guest             // connected
	plain   bool                 // gus is connected
	said    uint64               // by gus, since
	members map[string]time.Time // until when; zero: connected
	shut    bool
	full    bool
}

const (
	window = 3
	linger = time.Minute
)

func (l *lounge) stream(user, name string) *stream {
	id := user + " " + name
	if l.streams[id] == nil {
		l.streams[id] = &stream{user: user, name: name, voids: map[uint64]string{}, refused: map[uint64]string{}}
	}
	return l.streams[id]
}

// greet is what a hello must do to the sources that it names.
func (l *lounge) greet(g *guest, bases []wire.Base) (acks []wire.Ack) {
	g.named, g.acks = map[string]*stream{}, map[string]uint64{}
	for _, b := range bases {
		s := l.stream(g.user, b.Source)
		g.named[b.Source] = s
		s.owner, s.heard = g, b.Base
		if b.Base > s.mark { // the server lost lines that this client had acknowledged
			s.mark, s.durable = b.Base, b.Base
		}
		acks = append(acks, wire.Ack{Source: b.Source, N: s.acked()})
	}
	l.guests = append(l.guests, g)
	l.members[g.user] = time.Time{}
	return acks
}

// send is what must become of a line.
func (l *lounge) send(g *guest, f *wire.Send, bad string) {
	s := g.named[f.Source]
	if s.owner != g {
		return // another connection named it since
	}
	if f.N > s.mark+1 {
		g.retries = append(g.retries, wire.Retry{Source: s.name, N: s.mark + 1})
		return
	}
	s.heard = max(s.heard, f.N-1)
	switch {
	case s.voids[f.N] != "":
		s.heard = max(s.heard, f.N)
		g.wantRefusal(s, f.N)
	case f.N <= s.durable:
		g.wantAck(s, s.acked())
	case f.N <= s.mark: // the ack follows
	case s.mark-s.durable >= window, l.full:
		g.retries = append(g.retries, wire.Retry{Source: s.name, N: f.N})
	default:
		s.mark = f.N
		l.append(spoken{s, g.user, f.N, f.Text, bad})
	}
}

func (l *lounge) append(line spoken) {
	l.waiting = append(l.waiting, line)
	if !l.shut {
		l.settle()
	}
}

// settle makes durable what waits.
func (l *lounge) settle() {
	for _, line := range l.waiting {
		l.log = append(l.log, line)
		s := line.from
		if s == nil {
			continue
		}
		if s.stored = line.n; line.refuse != "" {
			s.refused[line.n] = line.refuse
		}
		if line.n <= s.durable {
			continue // raised past it
		}
		s.durable, s.mark = line.n, max(s.mark, line.n)
		if line.refuse != "" {
			s.voids[line.n] = line.refuse
		}
		if s.owner == nil {
			continue
		}
		if line.refuse != "" {
			s.owner.wantRefusal(s, line.n)
			if s.acked() == line.n-1 {
				s.heard = max(s.heard, line.n)
			}
		}
		if s.acked() >= line.n {
			s.owner.wantAck(s, line.n)
		}
	}
	l.waiting = nil
	for _, s := range l.streams {
		l.forget(s)
	}
}

// waitingOf counts the lines of a user that are on their way.
func (l *lounge) waitingOf(user string) (n int) {
	for _, line := range l.waiting {
		if line.user == user {
			n++
		}
	}
	return n
}

// leave ends a connection.
func (l *lounge) leave(g *guest, forGood bool) {
	l.guests = slices.DeleteFunc(l.guests, func(other *guest) bool { return other == g })
	for _, s := range g.named {
		if s.owner == g {
			s.owner = nil
		}
		l.forget(s)
	}
	l.gone(g.user, forGood)
}

func (l *lounge) gone(user string, forGood bool) {
	switch {
	case slices.ContainsFunc(l.guests, func(other *guest) bool { return other.user == user }):
	case forGood:
		delete(l.members, user)
	default:
		l.members[user] = time.Now().Add(linger)
	}
}

// forget drops what is only in memory of a source that nobody holds.
func (l *lounge) forget(s *stream) {
	held := slices.ContainsFunc(l.guests, func(g *guest) bool { return g.named[s.name] == s })
	onWay := slices.ContainsFunc(l.waiting, func(line spoken) bool { return line.from == s })
	if !held && !onWay {
		s.mark, s.durable, s.voids = s.stored, s.stored, maps.Clone(s.refused)
	}
}

// here returns who is a member now; sure is false in the moment when one ends.
func (l *lounge) here() (names []string, sure bool) {
	for user, until := range l.members {
		if left := time.Until(until); !until.IsZero() && left.Abs() < time.Second {
			return nil, false
		} else if until.IsZero() || left > 0 {
			names = append(names, user)
		}
	}
	slices.Sort(names)
	return names, true
}
