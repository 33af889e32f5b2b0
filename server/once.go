package server

import (
	"holdfast/server/history"
	"holdfast/session/wire"
)

// onceID is what a line that is to be said once is known by in its room.
type onceID struct{ user, once string }

// saying is a line that is to be said once, from when somebody looks whether it was
// until nobody does any more and it is on disk: what the store can't tell yet is here.
// Guarded by room.mu.
type saying struct {
	id    onceID
	looks int    // how many look in the store just now
	said  bool   // it was taken
	n     uint64 // with this number
	onWay bool   // and is not yet durable
}

// verdict is what is found out about a line before its turn in the room.
type verdict struct {
	code   string  // why it is refused, "" if it is not
	words  string  // in the words of the application; "" for those of the code
	unsure error   // why that can't be told just now
	once   *saying // nil if it may be said again and again
}

// judge finds out what can be without the room's lock: the store is asked.
func (r *room) judge(p *peer, f *wire.Send, l *history.Line) (v verdict) {
	if !p.rights.has(Write) {
		v.code = wire.RefusedReadOnly
	} else if v.code = unfit(f); v.code == "" && f.Kind == wire.KindPrivate {
		v.code, v.unsure = p.address(l, f.To)
	}
	if v.code != "" || v.unsure != nil || f.Once == "" {
		return v
	}
	l.Once = f.Once
	v.once = r.saying(onceID{p.user(), f.Once})
	said, err := r.log.Said(p.user(), f.Once, l.At)
	if v.unsure = err; said {
		v.code = wire.RefusedDuplicate
	}
	return v
}

// saying holds what is known of a line here while the caller asks the store.
func (r *room) saying(id onceID) *saying {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sayings[id]
	if s == nil {
		s = &saying{id: id}
		r.sayings[id] = s
	}
	s.looks++
	return s
}

// looked ends that, under mu.
func (r *room) looked(s *saying) {
	if s != nil {
		s.looks--
		r.unsay(s)
	}
}

// say notes that a line of source was taken, under mu.
func (s *saying) say(source *source, n uint64) {
	s.said, s.n, s.onWay = true, n, true
	source.sayings = append(source.sayings, s)
}

// stored notes that the lines of source up to n are on disk, under mu.
func (r *room) stored(source *source, n uint64) {
	for len(source.sayings) > 0 && source.sayings[0].n <= n {
		s := source.sayings[0]
		source.sayings = source.sayings[1:]
		s.onWay = false
		r.unsay(s)
	}
}

// unsay drops s if the store knows all, under mu.
func (r *room) unsay(s *saying) {
	if s.looks == 0 && !s.onWay {
		delete(r.sayings, s.id)
	}
}
