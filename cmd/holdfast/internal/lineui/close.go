//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"
)

var errLeft = errors.New("lineui: a goroutine still waits for the terminal or in Complete")

// Abort makes ReadLine return io.EOF, now and from now on.
func (u *UI) Abort() {
	u.abortOnce.Do(func() {
		u.found = u.cooked
		if !foreground() {
			// Stopped by Ctrl-Z and killed: liner sets a mode as it ends, and must neither
			// be stopped for it nor spoil the mode that the shell has set.
			signal.Ignore(syscall.SIGTTOU)
			if s, err := term.GetState(inFD); err == nil {
				u.found = s
			}
		}
		close(u.aborted)
		u.stdin.close()
	})
}

// Close ends a running ReadLine and the UI's goroutines, shows what was printed,
// takes the prompt away and gives the terminal back as New found it. It does so
// within seconds even if the terminal is frozen, and then returns an error: a
// goroutine stays behind in its write. It may be called more than once and from
// any goroutine but one that is in Complete.
func (u *UI) Close() error {
	u.closeOnce.Do(func() { u.closeErr = u.close() })
	return u.closeErr
}

func (u *UI) close() error {
	u.Abort()
	ended := true
	select { // liner sets the mode once more when its prompt ends
	case u.turn <- struct{}{}: // kept: no ReadLine after this
	case <-time.After(patience):
		ended = false
	}
	u.caller.Close()
	ended = await(u.keysGone) && ended
	signal.Stop(u.resized)
	signal.Stop(u.windowed)
	signal.Stop(u.woken)
	u.liner.Close()
	os.Stdout, os.Stdin = u.tty, u.keyboard // before the pipes go
	u.stdout.Close()
	painted := make(chan struct{})
	go func() { u.painted.Wait(); close(painted) }()
	ended = await(painted) && ended
	var err error
	if !ended {
		err = errLeft
	}
	if rerr := term.Restore(inFD, u.found); rerr != nil {
		err = errors.Join(err, fmt.Errorf("restore terminal: %w", rerr))
	}
	if ended { // otherwise somebody may still read from it
		u.called.Close()
		u.stdin.closeReader()
	}
	taken.Store(false)
	return err
}

// await waits for done, but not for ever.
func await(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	case <-time.After(patience):
		return false
	}
}
