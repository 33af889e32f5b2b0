package oracle

// Restored checks the run so far against log, as Check does, and goes on for a
// server whose older copy was put back, with only the first kept entries of log.
//
// Acknowledged lines that are not among them are lost: their senders have them no
// more, unless an older copy of an outbox is put back too, so they may come again
// anywhere or not at all. Open lines must still come. A reader who
// was shown more than is kept must be told so, by Reset or Gap, before its next
// line. Nobody may be in the middle of being shown something.
func (o *Oracle) Restored(log []Entry, kept int) error {
	err := o.check(log, false)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.misuse = nil
	c := newChecker(log)
	c.checkLog(o.lines)
	for _, r := range o.readers {
		v := c.follow(r)
		end := len(v.sent) // the place after the last line that is kept
		if kept < len(log) {
			end = v.placeOf[kept]
		}
		if v.next > end {
			v.next, v.owed = end, !v.again // who goes back itself may never have known of more
		}
		r.from, r.events = &v.place, nil
	}
	for text, k := range o.lines {
		if at, logged := c.places[text]; k.acked && (!logged || at >= kept) {
			k.lost, k.sure = true, false
		}
	}
	return err
}
