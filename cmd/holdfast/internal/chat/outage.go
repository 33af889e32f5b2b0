package chat

import (
	"time"

	"holdfast/cmd/holdfast/internal/look"
	"holdfast/cmd/holdfast/internal/say"
	"holdfast/session"
)

// outage is the time in which not all rooms are level. The chat's mutex guards it.
type outage struct {
	since  time.Time
	first  bool      // no room was level before
	back   time.Time // when all were level; zero before that
	acked  time.Time // the last line of ours went out, after that
	sent   int       // lines of ours that went out
	missed int       // lines of others that were shown late
}

const (
	// blink is an outage that is over before anybody can notice.
	blink = time.Second
	// settling is how long after an outage the lines that were kept may take to go out
	// and still be counted.
	settling = 2 * time.Second
)

// lost begins an outage, if none runs.
func (c *Chat) lost(since time.Time) {
	if c.outage != nil {
		c.outage.back = time.Time{}
		return
	}
	c.outage = &outage{since: since, first: true}
	for _, r := range c.rooms {
		c.outage.first = c.outage.first && !r.level
	}
}

// settle ends an outage, with a line that tells of it, when all rooms are level and all
// that was kept is sent, or would be by now.
func (c *Chat) settle(list []standing) []string {
	o := c.outage
	if o == nil {
		return nil
	}
	for _, r := range c.rooms { // as far as was printed, not as the sessions stand
		if r.state != session.Online {
			return nil
		}
	}
	if o.back.IsZero() {
		o.back, o.acked = time.Now(), time.Now()
	}
	kept := 0
	for _, st := range list {
		for _, l := range st.unsent {
			if l.At.Before(o.back) {
				kept++
			}
		}
	}
	// What is acknowledged is told of a little later.
	if time.Since(o.back) < settling && (kept > 0 || time.Since(o.acked) < quietTime) {
		return nil
	}
	c.outage = nil
	if o.back.Sub(o.since) < blink {
		return nil
	}
	return c.mark(look.Yellow, o.summary(kept))
}

// summary tells of an outage that is over.
func (o *outage) summary(kept int) string {
	text := "reconnected after "
	if o.first {
		text = "connected after "
	}
	text += say.Ago(o.back.Sub(o.since))
	if o.sent > 0 {
		text += ", " + say.Number(o.sent) + " sent"
	}
	if o.missed > 0 && !o.first {
		text += ", " + say.Number(o.missed) + " missed"
	}
	if kept > 0 {
		text += ", " + say.Number(kept) + " still kept"
	}
	return text + " --"
}
