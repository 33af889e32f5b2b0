package chat

import (
	"time"

	"holdfast/cmd/holdfast/internal/look"
	"holdfast/cmd/holdfast/internal/say"
)

// replay is what a room says again before it is level. It is held back for a moment,
// so that the mark above it can say how much it is; on a slow link it is shown as it
// comes, under a mark that can't.
type replay struct {
	lines []string
	said  int // messages among them
	news  int // of others
	since time.Time
	open  bool // the mark is printed, lines pass
}

// maxHeld bounds the lines that are held back.
const maxHeld = 200

// print shows lines of the room's log in their order: now, or with the replay.
func (r *room) print(s *shown, news bool, lines ...string) {
	p := r.replay
	if p == nil || p.open {
		s.lines = append(s.lines, lines...)
		return
	}
	if p.lines == nil {
		p.since = time.Now()
	}
	p.lines = append(p.lines, lines...)
	if news {
		p.news++
	}
}

// overdue reports whether the replay was held back for long enough.
func (p *replay) overdue() bool {
	return p != nil && !p.open && p.news > 0 && (len(p.lines) > maxHeld || time.Since(p.since) > quietTime)
}

// title is what the lines of a replay are, and how many of them.
func (r *room) title() (n int, what string) {
	if r.level || r.seen {
		return r.replay.news, "new while you were away --"
	}
	return r.replay.said, "said before you came --"
}

// openReplay shows what of r's replay was held back, and lets the rest pass.
func (c *Chat) openReplay(r *room, s *shown) {
	_, what := r.title()
	s.lines = append(s.lines, c.mark(look.Yellow, c.where(r)+what)...)
	s.lines = append(s.lines, r.replay.lines...)
	r.replay.lines, r.replay.open = nil, true
}

// endReplay shows what of r's replay is left; level says that it was all.
func (c *Chat) endReplay(r *room, s *shown, level bool) {
	p := r.replay
	if p == nil {
		return
	}
	n, what := r.title()
	r.replay = nil
	if p.news > 0 && !p.open {
		s.lines = append(s.lines, c.mark(look.Yellow, c.where(r)+say.Number(n)+" "+what)...)
	}
	s.lines = append(s.lines, p.lines...)
	if (p.news > 0 || p.open) && level && r.level { // at first, "you are" says so
		s.lines = append(s.lines, c.mark(look.Yellow, c.where(r)+"live --")...)
	}
}
