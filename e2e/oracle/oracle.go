package oracle

import (
	"fmt"
	"sync"
)

// Entry is a line in the room's log.
type Entry struct {
	Seq  uint64 // its position: strictly increasing, gaps allowed
	From string // the user
	Text string
	To   string // of a private line: who it is for
}

// View says what a reader is promised. The zero value is the strictest: all
// public lines, from the log's first to its last, and no other.
type View struct {
	As   string // the user who reads, and is sent the private lines from and to it; empty means none of them
	Omit string // the user whose lines this reader is not sent: its own, in plain mode; empty means none
	Late bool   // its first line may be anywhere in the log
	Gone bool   // it left before the end: CheckLive does not ask it to be level
}

// Counts says how much was recorded: a check of nothing proves nothing.
type Counts struct {
	Said    int // lines, tried ones included
	Acked   int // lines
	Refused int // lines
	Saw     int // lines shown, over all readers
	Gaps    int // announced
	Resets  int
}

// Oracle records a run. The zero value is ready for use, by any goroutine. The
// reports about one sender, or one reader, must come in the order in which they
// happened.
type Oracle struct {
	mu      sync.Mutex
	senders map[string]*sender
	lines   map[string]*line // by text
	readers map[string]*reader
	misuse  Violations
	counts  Counts
}

// sender is one voice.
type sender struct {
	name  string
	lines []*line // in the order of saying
}

// line is something that a sender said.
type line struct {
	sender  string
	text    string
	sure    bool // not only tried
	acked   bool
	refused bool
	lost    bool // when an older copy of the log was put back
}

// reader is one screen.
type reader struct {
	name   string
	view   View
	events []event
	from   *place // where it stood when an older copy of the log was put back; nil if never
}

// event is what a reader was shown or told.
type event struct {
	what eventKind
	line Entry // for saw; Seq zero means not told
	lost int   // for gap; negative means unknown
}

type eventKind int

const (
	saw     eventKind = iota
	gap               // lines can't be shown
	reset             // the view begins anew, anywhere
	restart           // the reader's process died and may repeat itself
)

// Said records that sender's text was accepted by its outbox: it must come into
// the log, before everything that the sender says later.
func (o *Oracle) Said(sender, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if k := o.say(sender, text, true); k != nil {
		k.sure = true
	}
}

// Tried records that sender's text may or may not have been accepted, because the
// program was killed meanwhile, or because nothing was promised, as in plain
// mode. It may come into the log, in its place, or not. A Said of the same text
// may follow: record Tried before and Said after a call that may not return.
func (o *Oracle) Tried(sender, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.say(sender, text, false)
}

// say returns the line, new or tried before; nil on misuse. It is called with o
// locked.
func (o *Oracle) say(from, text string, sure bool) *line {
	if k := o.lines[text]; k != nil {
		if k.sender != from || k.sure || !sure {
			o.misused("%s says %s, which %s said before", from, short(text), k.sender)
			return nil
		}
		return k
	}
	if o.senders == nil {
		o.senders, o.lines = make(map[string]*sender), make(map[string]*line)
	}
	if o.senders[from] == nil {
		o.senders[from] = &sender{name: from}
	}
	k := &line{sender: from, text: text}
	o.lines[text] = k
	o.senders[from].lines = append(o.senders[from].lines, k)
	o.counts.Said++
	return k
}

// Acked records that sender learned that its text is on the server's disk. It may
// learn that more than once.
func (o *Oracle) Acked(sender, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if k := o.find(sender, text, "acked"); k != nil && !k.acked {
		k.acked = true
		o.counts.Acked++
	}
}

// Forgotten records that sender's outbox lost text together with its disk: text may
// come into the log, in its place, or not.
func (o *Oracle) Forgotten(sender, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if k := o.find(sender, text, "forgotten"); k != nil {
		k.sure = false
	}
}

// Refused records that sender learned that its text will never be in the log.
func (o *Oracle) Refused(sender, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if k := o.find(sender, text, "refused"); k != nil && !k.refused {
		k.refused = true
		o.counts.Refused++
	}
}

func (o *Oracle) find(from, text, what string) *line {
	k := o.lines[text]
	if k == nil || k.sender != from {
		o.misused("%s of %s was %s, but never said", short(text), from, what)
		return nil
	}
	return k
}

// Reader declares what a reader is promised. It may be called again when that
// changes; the last word counts. A reader that is not declared gets the zero View,
// but only once it saw something: declare all.
func (o *Oracle) Reader(name string, view View) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reader(name).view = view
}

// Saw records that a line was shown to reader, at position seq of the log; zero
// means that the reader is not told positions.
func (o *Oracle) Saw(reader string, seq uint64, from, text string) {
	o.tell(reader, event{what: saw, line: Entry{Seq: seq, From: from, Text: text}})
}

// Gap records that reader was told, before the next line, that so many lines
// can't be shown; negative means an unknown number. It may miss no more than that.
func (o *Oracle) Gap(reader string, lost int) { o.tell(reader, event{what: gap, lost: lost}) }

// Reset records that reader's view begins anew and it was told so: the next line
// may be any, also one that was shown before.
func (o *Oracle) Reset(reader string) { o.tell(reader, event{what: reset}) }

// Restart records that reader was killed and came back: the next line may be any
// that was shown before, or the one that follows. It must not leave out a line.
func (o *Oracle) Restart(reader string) { o.tell(reader, event{what: restart}) }

func (o *Oracle) tell(name string, e event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.reader(name)
	r.events = append(r.events, e)
	switch e.what {
	case saw:
		o.counts.Saw++
	case gap:
		o.counts.Gaps++
	case reset:
		o.counts.Resets++
	}
}

// reader is called with o locked.
func (o *Oracle) reader(name string) *reader {
	if o.readers == nil {
		o.readers = make(map[string]*reader)
	}
	if o.readers[name] == nil {
		o.readers[name] = &reader{name: name}
	}
	return o.readers[name]
}

func (o *Oracle) misused(format string, args ...any) {
	o.misuse = append(o.misuse, Violation{Misuse, fmt.Sprintf(format, args...)})
}

// Counts returns how much was recorded so far.
func (o *Oracle) Counts() Counts {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.counts
}

// Open returns how many lines were said for sure and are neither acknowledged nor
// refused yet.
func (o *Oracle) Open() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	open := 0
	for _, k := range o.lines {
		if k.open() {
			open++
		}
	}
	return open
}

func (k *line) open() bool { return k.sure && !k.acked && !k.refused }
