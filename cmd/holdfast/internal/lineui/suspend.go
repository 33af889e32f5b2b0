//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// suspend is job control, in the keys goroutine: the terminal goes back to the
// shell as it was, and is ours again when the shell continues us.
func (u *UI) suspend() {
	erased := make(chan struct{})
	if !u.askPainter(erased) {
		return
	}
	select {
	case <-erased:
	case <-u.aborted: // a frozen terminal; whoever aborts wants to end, not to stop
		u.askPainter(nil)
		return
	}
	raw, err := term.GetState(inFD)
	term.Restore(inFD, u.cooked)
	u.stop()
	for !foreground() { // continued by bg: the terminal is the shell's
		select {
		case <-u.aborted:
			return
		case <-u.resumed: // by fg, which gives the terminal first
		case <-time.After(100 * time.Millisecond):
			if foreground() { // the signal is yet to come, and must not find us painting
				u.awaitResumed()
			}
		}
	}
	if err == nil {
		term.Restore(inFD, raw)
	}
	u.askPainter(nil)
}

// foreground reports whether the terminal is ours: a process in the background
// that sets a terminal's mode is stopped by SIGTTOU.
func foreground() bool {
	group, err := unix.IoctlGetInt(inFD, unix.TIOCGPGRP)
	return err != nil || group == unix.Getpgrp()
}

func (u *UI) askPainter(erased chan struct{}) bool {
	select {
	case u.park <- erased:
		return true
	case <-u.aborted:
		return false
	}
}

// stop stops the process group, as the terminal would for Ctrl-Z, and returns
// when it runs again. Stopping takes no time that could be told from other
// delays, so it waits for SIGCONT. There is none when nothing was stopped: a
// group without a shell that could continue it ignores SIGTSTP. Half a second of
// running says so, counted in short waits because a timer goes on while we are
// stopped.
//
// A SIGTSTP from elsewhere can't be had as well: once it was asked for with
// signal.Notify, a Go program can't be stopped by it any more.
func (u *UI) stop() {
	select {
	case <-u.resumed: // of an earlier time
	default:
	}
	syscall.Kill(0, syscall.SIGTSTP)
	u.awaitResumed()
}

// awaitResumed waits for SIGCONT, half a second at most.
func (u *UI) awaitResumed() {
	for range 10 {
		select {
		case <-u.resumed:
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}
