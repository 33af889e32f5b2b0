//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import (
	"bytes"
	"os"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// Calls to the keys goroutine.
const (
	promptBegins = 'p' // give liner keys up to the end of a line
	modeIsLost   = 'm' // the shell has set a mode of its own meanwhile
)

// escapeWait is how long an ESC may be the start of a sequence that the network
// tore apart. liner itself waits for 50 ms after an ESC. (How a terminal's bytes
// fall into reads is not a test's to say; the filter is tested at every split.)
const escapeWait = 25 * time.Millisecond

// stdinPipe is what liner believes is os.Stdin.
type stdinPipe struct {
	mu     sync.Mutex
	r, w   *os.File
	closed bool
}

// swap makes a new pipe the current one and closes the old one at both ends, so
// that a reader of liner's that was left behind ends. It is false after close.
func (p *stdinPipe) swap(r, w *os.File) bool {
	p.mu.Lock()
	oldR, oldW, closed := p.r, p.w, p.closed
	if !closed {
		p.r, p.w = r, w
	}
	p.mu.Unlock()
	if oldR != nil && !closed {
		oldR.Close()
		oldW.Close()
	}
	return !closed
}

// write waits until liner has room. Keys for a liner that is gone are lost.
func (p *stdinPipe) write(b []byte) {
	p.mu.Lock()
	w := p.w
	p.mu.Unlock()
	w.Write(b)
}

// closeReader is for when liner has ended.
func (p *stdinPipe) closeReader() {
	p.mu.Lock()
	r := p.r
	p.mu.Unlock()
	r.Close()
}

// close makes liner read an end of file after what it was given.
func (p *stdinPipe) close() {
	p.mu.Lock()
	w := p.w
	p.closed = true
	p.mu.Unlock()
	w.Close()
}

func (u *UI) call(why byte) { u.caller.Write([]byte{why}) }

// readKeys is the only reader of the terminal. It hands liner one line at a time
// and keeps the rest: what liner has buffered would be lost with it, and between
// prompts the keys belong to the terminal, where Ctrl-C is a signal.
//
// A blocked read of a terminal can't be interrupted, and O_NONBLOCK would be set
// for every process that shares the terminal. So it waits in select(2), the one
// call that knows terminals on all of these systems (poll does not on macOS).
func (u *UI) readKeys() {
	defer close(u.keysGone)
	var (
		filter keyFilter
		keys   []byte // filtered, not given to liner yet
		open   bool   // liner is prompting
		buf    = make([]byte, 4096)
	)
	called := int(u.called.Fd())
	for {
		select {
		case <-u.aborted: // maybe in the background, where a read would stop us
			return
		default:
		}
		wait := time.Duration(-1)
		if open && filter.waitsForMore() {
			wait = escapeWait
		}
		ready, err := waitReadable(wait, called, inFD, open)
		switch {
		case err != nil:
			u.Abort()
			return
		case ready.called:
			n, _ := u.called.Read(buf)
			if n == 0 { // closed
				return
			}
			open = open || bytes.IndexByte(buf[:n], promptBegins) >= 0
			if bytes.IndexByte(buf[:n], modeIsLost) >= 0 && foreground() {
				term.Restore(inFD, u.raw.Load())
			}
		case ready.tty:
			n, err := u.keyboard.Read(buf)
			if n <= 0 || err != nil { // the terminal has gone
				u.Abort()
				return
			}
			keys = append(keys, filter.feed(buf[:n])...)
		default:
			keys = append(keys, filter.flush()...)
		}
		if open {
			keys, open = u.give(keys)
		}
	}
}

// give writes keys to liner up to the one that ends its prompt, and returns what
// is left and whether the prompt goes on.
func (u *UI) give(keys []byte) (rest []byte, open bool) {
	for len(keys) > 0 {
		n := bytes.IndexAny(keys, "\r\n\x03\x1a"+string(pasteMark))
		if n != 0 && u.first.Load() == nil {
			now := time.Now()
			u.first.Store(&now)
		}
		if n < 0 {
			u.stdin.write(keys)
			return nil, true
		}
		r, size := utf8.DecodeRune(keys[n:])
		if r != 0x1a && r != pasteMark {
			u.stdin.write(keys[:n+size])
			return keys[n+size:], false
		}
		if n > 0 {
			u.stdin.write(keys[:n])
		}
		if r == pasteMark {
			u.pasting.Store(true)
		} else {
			u.suspend() // liner ignores Ctrl-Z
		}
		keys = keys[n+size:]
	}
	return nil, true
}

type readable struct{ called, tty bool }

// waitReadable waits until called, or tty if asked for, can be read or has
// ended. A negative wait is for ever; at the end of any other nothing is ready.
func waitReadable(wait time.Duration, called, tty int, askTTY bool) (readable, error) {
	for {
		var set unix.FdSet
		set.Set(called)
		if askTTY {
			set.Set(tty)
		}
		var limit *unix.Timeval
		if wait >= 0 {
			tv := unix.NsecToTimeval(int64(wait))
			limit = &tv
		}
		_, err := unix.Select(max(called, tty)+1, &set, nil, nil, limit)
		if err == syscall.EINTR { // the wait begins again; it is short
			continue
		}
		if err != nil {
			return readable{}, os.NewSyscallError("select", err)
		}
		return readable{called: set.IsSet(called), tty: askTTY && set.IsSet(tty)}, nil
	}
}
