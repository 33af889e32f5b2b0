//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import (
	"errors"
	"io"
	"os"
	"syscall"
	"time"
)

// settle is how long a change waits for others: one refresh of liner's is four
// to six writes, and painting between them would flicker.
const settle = 2 * time.Millisecond

// paintLoop is the state of the painter goroutine. It must never wait for the
// terminal, or liner could not draw, ReadLine could not return, and Close could
// not be bounded; so frames are written by another goroutine, one at a time, and
// what happens meanwhile goes into the next.
type paintLoop struct {
	*UI
	painter *painter
	tick    <-chan time.Time // ends the settling; nil when nothing changed
	due     bool             // a frame is wanted now
	busy    bool             // the writer is writing
	parked  bool             // the block is erased, the terminal is lent out
	lender  chan struct{}    // closed when it is
	ended   bool             // stdout is closed
}

func (l *paintLoop) run() {
	defer close(l.frames)
	drawn := l.drawn
	for !l.ended || l.busy {
		select {
		case b, ok := <-drawn:
			if !ok {
				drawn, l.ended = nil, true
				break
			}
			l.feed(b)
			l.change()
		case <-l.board.wake:
			l.change()
		case <-l.windowed:
			l.painter.resized(l.Size())
			l.change()
		case <-l.woken:
			l.wake()
		case l.lender = <-l.park:
			l.parked = l.parked && l.lender != nil
			l.change()
		case <-l.tick:
			l.tick, l.due = nil, true
		case <-l.written:
			l.busy = false
			if l.parked && l.lender != nil {
				close(l.lender)
				l.lender = nil
			}
		}
		if !l.busy && !l.ended {
			l.next()
		}
	}
	l.frames <- l.painter.erase() + printed(l.board.take().lines) + pasteOff
}

// wake is for SIGCONT. If it wasn't suspend that had us stopped but SIGSTOP, or
// Ctrl-Z while nobody was in ReadLine, then the shell has used the terminal as we
// left it: it set the mode, and the cursor is no longer in the block.
func (l *paintLoop) wake() {
	if l.parked {
		select {
		case l.resumed <- struct{}{}:
		default:
		}
		return
	}
	l.painter.forget()
	l.call(modeIsLost)
	l.change()
}

// feed takes what liner drew. The width is asked for here, not only at SIGWINCH:
// liner may have drawn for the new width before we heard of it. (No test can make
// that happen; without it a picture is wrong until the next key.)
func (l *paintLoop) feed(b []byte) {
	l.painter.resize(l.Size())
	l.painter.model.feed(b)
}

func (l *paintLoop) change() {
	if l.tick == nil && !l.due {
		l.tick = time.After(settle)
	}
}

// next gives the idle writer what it should write.
func (l *paintLoop) next() {
	switch {
	case l.lender != nil && !l.parked:
		l.parked = true
		l.send(l.painter.leave())
	case l.parked:
	case l.due:
		l.due = false
		l.painter.resize(l.Size()) // SIGWINCH may be on its way
		n := l.board.take()
		if n.cleared {
			l.painter.clear()
		}
		frame := l.painter.frame(n.lines, n.status, n.prompt)
		if n.rung {
			frame += bel
		}
		l.send(frame)
	}
}

func (l *paintLoop) send(frame string) {
	l.busy = true
	l.frames <- frame // has room, as the writer is idle
}

// write is the only writer of the terminal. It ends when frames is closed. An
// error means that the terminal has gone; keys may still come from another one. Only
// where somebody has made writes not wait, one that finds no room passes.
func (u *UI) write() {
	for frame := range u.frames {
		if _, err := io.WriteString(u.tty, frame); err != nil && !errors.Is(err, syscall.EAGAIN) {
			u.Abort()
		}
		u.written <- struct{}{}
	}
}

// readDrawn passes on what liner draws until stdout is closed.
func (u *UI) readDrawn(out *os.File) {
	defer out.Close()
	defer close(u.drawn)
	for {
		b := make([]byte, 4096)
		n, err := out.Read(b)
		if err != nil {
			return
		}
		u.drawn <- b[:n]
	}
}
