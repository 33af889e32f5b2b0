package main

import (
	"fmt"
	"slices"
	"time"

	"holdfast/session"
)

// refresh redraws what changes by itself: countdowns and ages.
func (v *screen) refresh(done <-chan struct{}) {
	tick := time.NewTicker(time.Second / 2)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			v.show()
		case <-done:
			return
		}
	}
}

// show draws prompt and status rows by what is known now.
func (v *screen) show() {
	st := v.s.Status()
	v.mu.Lock()
	prompt := v.promptText(st)
	rows := v.pendingRows()
	v.mu.Unlock()
	if row := linkRow(st); row != "" {
		rows = append(rows, row)
	}
	v.ui.SetStatus(rows...)
	v.ui.SetPrompt(prompt)
}

// promptText is the state in one word, and how many lines wait.
func (v *screen) promptText(st session.Status) string {
	word, colour := "online", ""
	switch {
	case st.State == session.Waiting, st.State == session.Dialing && v.level:
		word, colour = "offline", yellow
	case st.State != session.Online:
		word, colour = "connect", dim
	}
	if n := v.waiting(); n > 999 {
		word += " 1k+"
	} else if n > 0 {
		word += fmt.Sprintf(" %d", n)
	}
	return fmt.Sprintf("%s%-*s> %s", colour, promptWidth-2, "["+word+"]", reset)
}

// waiting counts the lines that have been on their way for longer than an ack takes
// when all is well, under mu.
func (v *screen) waiting() (n int) {
	for _, o := range v.own {
		if time.Since(o.at) > quietTime {
			n++
		}
	}
	return n
}

// pendingRows shows the oldest lines that wait, under mu.
func (v *screen) pendingRows() (rows []string) {
	for _, o := range v.own {
		if time.Since(o.at) <= quietTime {
			break
		}
		if len(rows) == maxPending {
			rows = append(rows, fmt.Sprintf("%s  and %d more wait%s", dim, v.waiting()-maxPending, reset))
			break
		}
		rows = append(rows, dim+"  . "+v.s.Name()+": "+cleaned(o.text)+reset)
	}
	return rows
}

// linkRow tells what is wrong with the link, "" if nothing is.
func linkRow(st session.Status) string {
	switch {
	case st.State == session.Waiting:
		row := fmt.Sprintf("reconnecting in %d s (attempt %d)", int(max(time.Until(st.RetryAt), 0).Seconds()+1), st.Attempt)
		if st.Unsent > 0 {
			row += " | " + count(st.Unsent, "line") + " kept"
		}
		if !st.Heard.IsZero() {
			row += " | last contact " + ago(time.Since(st.Heard)) + " ago"
		}
		return yellow + row + " | " + cleaned(rootCause(st.Err).Error()) + reset
	case st.Held != "":
		return yellow + heldText + " | " + count(st.Unsent, "line") + " kept" + reset
	case st.State == session.Online && st.Unsent > 0 && time.Since(st.Heard) > doubtAfter:
		return yellow + "last contact " + ago(time.Since(st.Heard)) + " ago" + reset
	}
	return ""
}

// doubtAfter is how long silence may last before it is shown, when an answer is due.
const doubtAfter = 6500 * time.Millisecond

// statusText is the link in a sentence.
func (v *screen) statusText() string {
	st := v.s.Status()
	text := st.State.String()
	if st.RTT > 0 {
		text += fmt.Sprintf(", round trip %v", st.RTT.Round(time.Millisecond))
	}
	if !st.Heard.IsZero() {
		text += ", last contact " + ago(time.Since(st.Heard)) + " ago"
	}
	return text + ", " + count(st.Unsent, "line") + " unsent"
}

// changed applies a change to the list of members.
func changed(here []string, p session.Presence) []string {
	here = append(slices.Clone(here), p.Joined...)
	slices.Sort(here)
	here = slices.Compact(here)
	return slices.DeleteFunc(here, func(n string) bool { return slices.Contains(p.Left, n) })
}
