package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"holdfast/cmd/holdfast/internal/lineui"
	"holdfast/session"
	"holdfast/session/wire"
)

// screen is the chat in a terminal: messages above, what is not certain yet below
// them, the prompt last.
type screen struct {
	s    *session.Session
	ui   *lineui.UI
	wait *patience

	mu      sync.Mutex // guards what follows; all of it is for show
	own     []ownLine  // sent here and not yet seen in the room
	here    []string
	state   session.StateChange
	since   time.Time // when the connection was lost; zero if it is not
	missed  int64
	level   bool // was level with the room once
	old     bool // lines that an earlier session has shown are being printed
	lastDay string
}

// ownLine is a line that waits for its place in the room.
type ownLine struct {
	id   session.ID
	text string
	at   time.Time
}

const (
	promptWidth = 15
	quietTime   = 300 * time.Millisecond // an ack within this shows no mark
	maxPending  = 5                      // rows of waiting lines

	dim, red, yellow, bold, reset = "\x1b[2m", "\x1b[31m", "\x1b[33m", "\x1b[1m", "\x1b[0m"
)

func newScreen(s *session.Session, ui *lineui.UI, wait *patience) *screen {
	return &screen{s: s, ui: ui, wait: wait}
}

// run chats until the user leaves, a signal comes or the session ends.
func (v *screen) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, v.ui.Abort)
	defer stop()
	// Ctrl-C is a key while a line is edited. For the moment between two lines the
	// terminal makes a signal of it, which must not mean more.
	signal.Ignore(syscall.SIGINT)
	defer signal.Reset(syscall.SIGINT)
	v.show()
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		v.watch()
		v.ui.Abort() // the session has ended; nothing can be sent any more
	})
	wg.Go(func() { v.refresh(done) })
	v.read()
	err := v.leave(ctx)
	close(done)
	wg.Wait()
	if e := v.ui.Close(); e != nil {
		err = errors.Join(err, e)
	}
	var rejected *session.RejectedError
	switch {
	case errors.As(v.s.Err(), &rejected):
		return errors.Join(rejected, err)
	case context.Cause(ctx) != nil && !errors.Is(err, session.ErrUnsent):
		return context.Cause(ctx)
	}
	return err
}

// leave gives lines on their way a moment, then closes the session.
func (v *screen) leave(ctx context.Context) error {
	v.ui.SetPrompt(dim + "leaving..." + reset)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
	defer cancel()
	return v.s.Drain(ctx)
}

const (
	leaveTime = 2 * time.Second
	twice     = 2 * time.Second // between two Ctrl-C that mean it
)

// read takes lines from the prompt until the user leaves: Ctrl-C clears the line, and
// leaves if pressed twice in a row.
func (v *screen) read() {
	var interrupted time.Time
	for {
		line, err := v.ui.ReadLine()
		if errors.Is(err, lineui.ErrInterrupted) {
			if time.Since(interrupted) < twice {
				return
			}
			interrupted = time.Now()
			continue
		}
		interrupted = time.Time{}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				v.note(red, err.Error())
			}
			return
		}
		if strings.TrimSpace(line) == "" {
			if v.s.Status().State == session.Waiting {
				v.s.Redial() // Enter means: try now
			}
			continue
		}
		v.ui.AddHistory(line)
		if quit := v.enter(line); quit {
			return
		}
	}
}

// enter does what a typed line says.
func (v *screen) enter(line string) (quit bool) {
	cmd, rest, isCommand := command(line)
	if !isCommand {
		v.send(rest, v.s.Send)
		return false
	}
	switch cmd {
	case "quit":
		return true
	case "me":
		v.send(rest, v.s.SendAction)
	case "who":
		v.mu.Lock()
		here := strings.Join(v.here, ", ")
		v.mu.Unlock()
		v.note("", "here: "+here)
	case "status":
		v.note("", v.statusText())
	case "reconnect":
		v.s.Redial()
	case "help":
		v.note("", helpText...)
	default:
		v.note(red, "no command /"+cmd+"; /help lists them, // sends a line that begins with /")
	}
	return false
}

var helpText = []string{
	"/me TEXT      say what you do",
	"/who          who is here",
	"/status       how the link is",
	"/reconnect    do not wait for the next attempt (so does Enter)",
	"/quit         leave (so does Ctrl-D, or Ctrl-C twice)",
	"//TEXT        send a line that begins with /",
	"Alt-Enter     a new line in the same message",
}

// command splits a line that begins with "/" into command and rest; "//" is the way
// to say one.
func command(line string) (cmd, rest string, ok bool) {
	if !strings.HasPrefix(line, "/") {
		return "", line, false
	}
	if strings.HasPrefix(line, "//") {
		return "", line[1:], false
	}
	cmd, rest, _ = strings.Cut(line[1:], " ")
	return strings.ToLower(cmd), strings.TrimSpace(rest), true
}

func (v *screen) send(text string, send func(...string) (session.ID, error)) {
	v.mu.Lock() // so that the line is known before it comes back
	id, err := send(text)
	if err == nil {
		v.own = append(v.own, ownLine{id, text, time.Now()})
	}
	v.mu.Unlock()
	switch bad := (*wire.RefusedError)(nil); {
	case errors.As(err, &bad):
		v.note(red, "not sent: "+bad.Message)
	case errors.Is(err, session.ErrOutboxFull):
		v.note(red, "not sent: too many lines wait already; try again when some are through")
	case err != nil:
		v.note(red, "not sent: "+describe(err))
	}
	v.show()
}

// note prints lines of our own, which no message can look like.
func (v *screen) note(colour string, lines ...string) {
	for _, l := range lines {
		v.ui.Print(colour + "-- " + cleaned(l) + reset)
	}
}

// watch prints what happens until the session ends.
func (v *screen) watch() {
	for e := range v.s.Events() {
		switch e := e.(type) {
		case session.Message:
			v.message(e)
		case session.StateChange:
			v.stateChange(e)
		case session.Presence:
			v.presence(e)
		case session.Gap:
			v.note(yellow, sayGap(e))
		case session.Held:
			v.wait.held(e)
		case session.Receipt:
			if e.Err != nil {
				v.forget(e.ID)
				v.note(red, "not sent: "+e.Err.Message+": "+e.Err.Text)
			}
		}
		v.show()
	}
}

func (v *screen) message(m session.Message) {
	v.markNew(m)
	v.forget(m.ID)
	style := bold
	if m.Own || m.From == v.s.Name() {
		style = ""
	}
	if m.Seen {
		style = dim
	}
	at := m.At.Local()
	if day := at.Format("Mon 2 Jan 2006"); day != v.lastDay {
		if v.lastDay != "" || day != time.Now().Format("Mon 2 Jan 2006") {
			v.note(dim, day)
		}
		v.lastDay = day
	}
	lines := said(m, gutter)
	lines[0] = dim + at.Format("15:04") + reset + " " + styleName(lines[0], style)
	for i := 1; i < len(lines); i++ {
		lines[i] = "      " + lines[i]
	}
	v.ui.Print(lines...)
}

// styleName gives the name at the beginning of a said line its style.
func styleName(line, style string) string {
	if style == "" {
		return line
	}
	if name, rest, ok := strings.Cut(line, ": "); ok && !strings.Contains(name, " ") {
		if style == dim {
			return dim + line + reset
		}
		return style + name + ":" + reset + " " + rest
	}
	return style + line + reset
}

// markNew puts a mark between what an earlier session has shown and what is new.
func (v *screen) markNew(m session.Message) {
	if v.old && !m.Seen && m.Replayed {
		v.note(yellow, "new since you left")
	}
	v.old = m.Seen
}

func (v *screen) forget(id session.ID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, o := range v.own {
		if o.id == id {
			v.own = append(v.own[:i:i], v.own[i+1:]...)
			return
		}
	}
}

func (v *screen) stateChange(e session.StateChange) {
	v.mu.Lock()
	v.wait.see(e, v.state.State)
	was, since, missed := v.level, v.since, v.missed
	v.state = e
	switch e.State {
	case session.Waiting:
		if v.since.IsZero() {
			v.since = time.Now()
		}
	case session.Resuming:
		v.missed = e.Missed
	case session.Online:
		v.since, v.level = time.Time{}, true
	}
	v.mu.Unlock()
	switch {
	case e.State == session.Online && !was:
		v.note(dim, "you are "+v.s.Name()+" in "+v.s.Room()+"; /help lists commands")
	case e.State == session.Online && !since.IsZero() && time.Since(since) > time.Second:
		v.note(yellow, fmt.Sprintf("reconnected after %s, %s missed", ago(time.Since(since)), count(int(missed), "line")))
	}
}

func (v *screen) presence(p session.Presence) {
	v.mu.Lock()
	first := v.here == nil
	if p.Here != nil {
		v.here = p.Here
	} else {
		v.here = changed(v.here, p)
	}
	v.mu.Unlock()
	for _, l := range sayPresence(p, v.s.Room(), v.s.Name(), first) {
		v.note(dim, l)
	}
}
