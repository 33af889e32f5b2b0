package oracle

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Check compares the run with log, the room's whole log, and returns nil or
// Violations. It asks for safety only: lines may be open and readers behind.
func (o *Oracle) Check(log []Entry) error { return o.check(log, false) }

// CheckLive is Check for a run whose faults have ended and that had time to come
// to rest: all lines must be settled and all readers level with the log's end.
func (o *Oracle) CheckLive(log []Entry) error { return o.check(log, true) }

func (o *Oracle) check(log []Entry, live bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := newChecker(log)
	c.live, c.found = live, slices.Clone(o.misuse)
	c.checkLog(o.lines)
	for _, name := range slices.Sorted(maps.Keys(o.senders)) {
		c.checkSender(o.senders[name])
	}
	for _, name := range slices.Sorted(maps.Keys(o.readers)) {
		c.checkReader(o.readers[name])
	}
	if len(c.found) == 0 {
		return nil
	}
	return c.found
}

// checker is one check under way.
type checker struct {
	log    []Entry
	live   bool
	places map[string]int // of each text in the log: the index of its first entry
	bySeq  map[uint64]int // of each position: the index of its first entry
	found  Violations
}

func newChecker(log []Entry) *checker {
	return &checker{log: log, places: make(map[string]int, len(log)), bySeq: make(map[uint64]int, len(log))}
}

func (c *checker) report(rule Rule, format string, args ...any) {
	c.found = append(c.found, Violation{rule, fmt.Sprintf(format, args...)})
}

// user is the name that the server knows a sender by.
func user(sender string) string {
	name, _, _ := strings.Cut(sender, "/")
	return name
}

// checkLog also fills places and bySeq.
func (c *checker) checkLog(lines map[string]*line) {
	for i, e := range c.log {
		if i > 0 && e.Seq <= c.log[i-1].Seq {
			c.report(LogOrder, "%s at %d follows one at %d", short(e.Text), e.Seq, c.log[i-1].Seq)
		}
		if _, taken := c.bySeq[e.Seq]; !taken {
			c.bySeq[e.Seq] = i
		}
		if first, twice := c.places[e.Text]; twice {
			c.report(OnceInLog, "%s of %s is at %d and at %d", short(e.Text), e.From, c.log[first].Seq, e.Seq)
			continue
		}
		c.places[e.Text] = i
		switch k := lines[e.Text]; {
		case k == nil:
			c.report(SaidFirst, "nobody said %s, at %d from %s", short(e.Text), e.Seq, e.From)
		case user(k.sender) != e.From:
			c.report(SaidFirst, "%s said %s, at %d from %s", k.sender, short(e.Text), e.Seq, e.From)
		case k.refused:
			c.report(RefusedOut, "%s of %s was refused and is at %d", short(e.Text), k.sender, e.Seq)
		}
	}
}

// checkSender walks a sender's lines in the order of saying.
func (c *checker) checkSender(s *sender) {
	last := -1          // index in the log of the furthest line so far
	var missing []*line // said, neither refused nor in the log
	for _, k := range s.lines {
		if k.acked && k.refused {
			c.report(RefusedOut, "%s of %s was acked and refused", short(k.text), s.name)
		}
		if c.live && k.open() {
			c.report(LiveAcked, "%s of %s is still open", short(k.text), s.name)
		}
		at, logged := c.places[k.text]
		switch {
		case !logged && k.acked && !k.lost:
			c.report(AckedInLog, "%s of %s was acked and is not in the log", short(k.text), s.name)
		case !logged && k.sure && !k.refused:
			missing = append(missing, k)
		case logged && at < last && !k.lost:
			c.report(SenderOrder, "%s said %s before %s, the log has it after", s.name, short(c.log[last].Text), short(k.text))
		}
		if !logged || k.lost {
			continue
		}
		for _, m := range missing {
			c.report(SenderNoGap, "%s said %s before %s, only the latter is in the log", s.name, short(m.text), short(k.text))
		}
		missing = nil
		last = max(last, at)
	}
}
