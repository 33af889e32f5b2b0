package server

import (
	"maps"
	"slices"
	"time"

	"holdfast/session/wire"
)

// member is a user in a room, by however many connections: while at least one is
// attached, and for the linger time after the last one was lost.
type member struct {
	user   string
	peers  []*peer
	gen    uint64      // hellos so far: one count for all devices, so that it can't grow with them
	plain  int         // connections in plain mode, attached or being accepted
	linger *time.Timer // ends the membership; nil while someone is attached
	away   string      // why the user does not read; empty if they do
}

// connected reports whether m has a connection, under mu; else it lingers.
func (m *member) connected() bool { return len(m.peers) > 0 || m.plain > 0 }

// expect makes users members who linger, as they were when an earlier server ended: to
// clients its end was a lost connection. Under mu.
func (r *room) expect(users []string) {
	for _, user := range users {
		m := &member{user: user}
		r.members[user] = m
		r.told[user] = true // who is here was told so before, who comes is by the welcome
		r.srv.watch.joined(r.name, user)
		r.linger(m, time.Until(r.srv.hub.until))
	}
}

// attach makes p a peer of the room and its user a member, under mu. An older peer
// of the same device is superseded and returned.
func (r *room) attach(p *peer) (old *peer) {
	m := r.enter(p.user())
	if p.device != "" {
		if i := slices.IndexFunc(m.peers, func(o *peer) bool { return o.device == p.device }); i >= 0 {
			old = m.peers[i]
			old.attached = false
			m.peers = slices.Delete(m.peers, i, i+1)
			r.peers = without(r.peers, old)
		}
		m.gen++
		p.gen = m.gen
	}
	p.attached = true
	m.peers = append(m.peers, p)
	r.peers = append(slices.Clip(r.peers), p)
	return old
}

// enter makes user a member, or finds the member that it is, under mu.
func (r *room) enter(user string) *member {
	m := r.members[user]
	if m == nil {
		m = &member{user: user}
		r.members[user] = m
		r.srv.opts.Store.NoteMembers(r.name, []string{user}, nil)
		r.srv.watch.joined(r.name, user)
		r.announce()
		return m
	}
	if m.linger != nil {
		if m.linger.Stop() {
			r.srv.hub.release(r.name) // the timer's hold; the comer has one too
		}
		m.linger = nil // a timer that is late finds itself disowned
	}
	return m
}

// detach ends p's part in the room. A user whose last connection was lost lingers,
// one who left is gone. What a superseded peer leaves behind must not touch its
// successor. Whatever ends a part may do so again, and one that was never attached only
// gives back its sources.
func (r *room) detach(p *peer, left bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !p.released {
		p.released = true
		for _, s := range p.sources {
			if s.peer == p {
				s.peer = nil
			}
			r.releaseSource(s)
		}
	}
	if !p.attached {
		return
	}
	p.attached = false
	r.peers = without(r.peers, p)
	m := r.members[p.user()]
	m.peers = without(m.peers, p)
	if p.plain() {
		m.plain--
	}
	r.leave(m, left)
}

// leave ends m's membership, at once or after the linger time, if no connection of
// m's is attached any more. Under mu.
func (r *room) leave(m *member, left bool) {
	if m.connected() {
		return
	}
	switch {
	case left || r.srv.opts.Linger < 0:
		r.remove(m)
	case r.draining: // nobody comes back to a server that stops, but to the next one
		delete(r.members, m.user)
	default:
		r.linger(m, r.srv.opts.Linger)
	}
}

// linger ends m's membership some time from now, under mu.
func (r *room) linger(m *member, d time.Duration) {
	r.srv.hub.again(r.name)
	var timer *time.Timer
	timer = time.AfterFunc(d, func() {
		r.mu.Lock()
		if m.linger == timer {
			r.remove(m)
		}
		r.mu.Unlock()
		r.srv.hub.release(r.name)
	})
	m.linger = timer
}

func (r *room) remove(m *member) {
	m.linger = nil
	delete(r.members, m.user)
	r.srv.opts.Store.NoteMembers(r.name, nil, []string{m.user})
	r.srv.watch.left(r.name, m.user)
	r.announce()
}

// expel ends p's part as if its user had left, and has it not begin if it has not yet. It
// reports whether it was in the room.
func (r *room) expel(p *peer) (was bool) {
	r.mu.Lock()
	was = p.attached
	p.expelled = true
	r.mu.Unlock()
	if was { // or else its sources are the reader's still
		r.detach(p, true)
	}
	return was
}

// endLinger ends the membership of user if they are not connected.
func (r *room) endLinger(user string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.members[user]; m != nil && m.linger != nil && m.linger.Stop() {
		r.remove(m)
		r.srv.hub.release(r.name)
	}
}

// endLingers ends the memberships of those who are not connected, for good, and
// with them all timers. The room must be draining.
func (r *room) endLingers() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.members {
		if m.linger != nil && m.linger.Stop() {
			delete(r.members, m.user)
			r.srv.hub.release(r.name)
		}
	}
	if r.telling != nil && r.telling.Stop() {
		r.telling = nil
		r.srv.hub.release(r.name)
	}
}

// announce has the changes among the members told to all a little later, under mu:
// whoever comes and goes within that time goes unnoticed, and a hundred who come
// together are one frame.
func (r *room) announce() {
	if r.telling != nil || r.draining { // nobody stays to hear it
		return
	}
	r.srv.hub.again(r.name)
	r.telling = time.AfterFunc(r.srv.opts.PresenceDelay, func() {
		r.tell()
		r.srv.hub.release(r.name)
	})
}

// tell does what announce promised. It queues the frames under the lock: whoever
// is welcomed before or after gets what fits its list of members.
func (r *room) tell() {
	joined, left := r.tellAll()
	for _, user := range joined {
		r.srv.log.Info("joined", "room", r.name, "user", user)
	}
	for _, user := range left {
		r.srv.log.Info("left", "room", r.name, "user", user)
	}
}

func (r *room) tellAll() (joined, left []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.telling = nil
	for user, there := range r.pending() {
		if there {
			r.told[user] = true
			joined = append(joined, user)
		} else {
			delete(r.told, user)
			left = append(left, user)
		}
	}
	back, gone := slices.Clone(joined), slices.Clone(left)
	for user, there := range r.shown {
		switch now := r.members[user] != nil; {
		case now == there: // as the welcome said, so it is news for the others only
		case now:
			back = append(back, user)
		default:
			gone = append(gone, user)
		}
	}
	clear(r.shown)
	for _, names := range [][]string{joined, left, back, gone} {
		slices.Sort(names)
	}
	for _, p := range r.peers {
		if p.plain() && p.rights.has(Read) {
			p.link.text.tell(p, joined, left)
		}
	}
	for some := range slices.Chunk(back, namesPerFrame) {
		r.push(&wire.Presence{Joined: some})
	}
	for some := range slices.Chunk(gone, namesPerFrame) {
		r.push(&wire.Presence{Left: some})
	}
	r.tellAway()
	return joined, left
}

// pending returns who is there (true) or gone without its having been told yet,
// under mu.
func (r *room) pending() map[string]bool {
	changed := map[string]bool{}
	for user := range r.members {
		if !r.told[user] {
			changed[user] = true
		}
	}
	for user := range r.told {
		if r.members[user] == nil {
			changed[user] = false
		}
	}
	return changed
}

// show notes where a welcome, which names the members of now, differs from what
// everybody has been told so far: if a flap hides that from the next presence
// frame, the new peer would be wrong for ever. Under mu.
func (r *room) show() { maps.Copy(r.shown, r.pending()) }

// namesPerFrame keeps frames with names well below wire.MaxToClient.
const namesPerFrame = 1000

// namesInWelcome leaves room for two numbers of each of wire.MaxSources sources.
const namesInWelcome = 300

// absentPerFrame does so for names with a text.
const absentPerFrame = 50

// setAway notes that p's user is away, and why, or back if text is empty.
func (r *room) setAway(p *peer, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.members[p.user()]; p.attached && p.rights.has(Write) && m.away != text {
		m.away = text
		r.announce()
	}
}

// tellAway tells what changed of who is away, under mu.
func (r *room) tellAway() {
	changed := map[string]string{}
	for user, m := range r.members {
		if m.away != r.away[user] {
			changed[user] = m.away
		}
	}
	maps.Copy(r.away, changed)
	maps.DeleteFunc(r.away, func(user, text string) bool { return text == "" || r.members[user] == nil })
	for some := range slices.Chunk(absences(changed), absentPerFrame) {
		r.push(&wire.Presence{Away: some})
	}
}

// absences is away as it stands on the wire, by name.
func absences(away map[string]string) (list []wire.Absent) {
	for _, user := range slices.Sorted(maps.Keys(away)) {
		list = append(list, wire.Absent{Name: user, Text: away[user]})
	}
	return list
}

// push queues f for all peers that speak the protocol and may know, under mu.
func (r *room) push(f wire.Frame) {
	for _, p := range r.peers {
		if !p.plain() && p.rights.has(Read) {
			p.push(f)
		}
	}
}

// has reports whether user is connected in the room.
func (r *room) has(user string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.members[user]
	return m != nil && m.connected()
}

// size returns how many members the room has.
func (r *room) size() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.members)
}

// here returns the members in order.
func (r *room) here() (list []Member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, user := range r.names() {
		m := r.members[user]
		list = append(list, Member{user, m.away, m.connected()})
	}
	return list
}

// names returns the members in order, under mu.
func (r *room) names() []string {
	names := make([]string, 0, len(r.members))
	for user := range r.members {
		names = append(names, user)
	}
	slices.Sort(names)
	return names
}
