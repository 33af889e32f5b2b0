package oracle

// anywhere is the place of a viewer that may go on with any line.
const anywhere = -1

// viewer follows one reader through the log. Its places count only the lines that
// the reader is sent.
type viewer struct {
	*checker
	place
	r       *reader
	placeOf []int        // of each entry of the log: how many sent ones come before it
	sent    []Entry      // by place
	shown   map[int]bool // entries, since the view began
}

// place is where a reader stands.
type place struct {
	next  int  // the place of the line that must come next
	slack int  // how many lines an announced gap lets it leave out
	again bool // it may go back to what it was shown before
	owed  bool // it must be told that lines it was shown are gone
}

func (c *checker) checkReader(r *reader) {
	if v := c.follow(r); c.live && !r.view.Gone {
		v.level()
	}
}

// follow goes through all that the reader was shown and told.
func (c *checker) follow(r *reader) *viewer {
	v := &viewer{checker: c, r: r, placeOf: make([]int, len(c.log)), shown: make(map[int]bool)}
	for i, e := range c.log {
		v.placeOf[i] = len(v.sent)
		if v.isSent(e) {
			v.sent = append(v.sent, e)
		}
	}
	if r.view.Late {
		v.next = anywhere
	}
	if r.from != nil {
		v.place = *r.from
	}
	for _, e := range r.events {
		switch e.what {
		case saw:
			v.saw(e.line)
		case gap:
			v.gap(e.lost)
		case reset:
			v.place = place{next: anywhere}
			clear(v.shown)
		case restart:
			v.again, v.owed = true, false // it may go back to before what is gone, and never know
			clear(v.shown)
		}
	}
	return v
}

func (v *viewer) isSent(e Entry) bool {
	view := v.r.view
	if e.To != "" && (view.As == "" || view.As != e.From && view.As != e.To) {
		return false
	}
	return view.Omit == "" || e.From != view.Omit
}

// gap lets the reader leave out lost lines, or as many as there are. Where the log went
// back and was then trimmed, nobody knows any more what the reader's place there was.
func (v *viewer) gap(lost int) {
	if lost < 0 || v.owed && lost > 0 {
		lost = len(v.sent)
	}
	v.slack, v.owed = min(v.slack+lost, len(v.sent)), false
}

func (v *viewer) saw(e Entry) {
	i, ok := v.entry(e)
	if !ok {
		return
	}
	if !v.isSent(v.log[i]) {
		v.report(ViewOthers, "%s was shown %s of %s", v.r.name, short(e.Text), e.From)
		return
	}
	place := v.placeOf[i]
	if v.next == anywhere || v.again && place < v.next {
		v.next = place
	}
	switch {
	case v.owed:
		v.report(ViewNoGap, "%s was shown %s, and never told that the log went back to before what it had seen", v.r.name, short(e.Text))
	case place < v.next && v.shown[i]:
		v.report(ViewOnce, "%s was shown %s twice", v.r.name, short(e.Text))
		return
	case place < v.next:
		v.report(ViewOrder, "%s was shown %s, at %d, after a later line", v.r.name, short(e.Text), v.log[i].Seq)
		return
	case place-v.next > v.slack:
		v.report(ViewNoGap, "%s was not shown the %d lines before %s, at %d; announced were %d; the first is %s",
			v.r.name, place-v.next, short(e.Text), v.log[i].Seq, v.slack, short(v.sent[v.next].Text))
	}
	v.next, v.slack, v.again, v.owed = place+1, 0, false, false
	v.shown[i] = true
}

// entry finds what was shown in the log.
func (v *viewer) entry(e Entry) (int, bool) {
	i, ok := v.places[e.Text]
	if e.Seq != 0 {
		i, ok = v.bySeq[e.Seq]
	}
	switch {
	case !ok:
		v.report(ViewInLog, "%s was shown %s of %s at %d, which is not in the log", v.r.name, short(e.Text), e.From, e.Seq)
	case v.log[i].Text != e.Text || v.log[i].From != e.From:
		v.report(ViewInLog, "%s was shown %s of %s at %d, where the log has %s of %s",
			v.r.name, short(e.Text), e.From, v.log[i].Seq, short(v.log[i].Text), v.log[i].From)
		ok = false
	}
	return i, ok
}

// level checks that the reader came to the end of the log.
func (v *viewer) level() {
	switch {
	case v.owed:
		v.report(LiveLevel, "%s was never told that the log went back to before what it had seen", v.r.name)
	case v.next == anywhere && len(v.sent) > 0:
		v.report(LiveLevel, "%s was shown nothing of %d lines since its view began", v.r.name, len(v.sent))
	case v.next != anywhere && len(v.sent)-v.next > v.slack:
		v.report(LiveLevel, "%s lacks the last %d of %d lines, from %s on", v.r.name, len(v.sent)-v.next, len(v.sent), short(v.sent[v.next].Text))
	}
}
