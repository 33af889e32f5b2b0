//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/peterh/liner"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// The descriptors that liner asks for modes and widths, whatever os.Stdin is.
const (
	inFD  = 0
	outFD = 1
)

// minSpare is how much wider than its prompt liner wants the window when it begins to
// prompt. In a narrow one it is given a shorter prompt, or none.
const minSpare = 10

// patience bounds each wait in Close. A terminal that takes no output can hold
// up a write for ever.
const patience = time.Second

// taken is set while a UI owns os.Stdout and os.Stdin.
var taken atomic.Bool

var errInUse = errors.New("lineui: the terminal has a UI already")

// UI is one terminal, typed on and printed to. Print, Clear, Bell, SetStatus,
// SetPrompt, Size, AddHistory and Abort may be called from any
// goroutine and never wait for the terminal or for the user.
type UI struct {
	opts Options

	tty, keyboard *os.File                   // what os.Stdout and os.Stdin were
	cooked        *term.State                // the mode that New found
	found         *term.State                // the mode to leave behind; set by Abort
	raw           atomic.Pointer[term.State] // the mode that liner starts from

	board   *board
	history history
	stdin   stdinPipe
	stdout  *os.File // the writing end of what liner believes is os.Stdout

	aborted   chan struct{} // closed by Abort
	abortOnce sync.Once
	closeOnce sync.Once
	closeErr  error

	pasting atomic.Bool               // the keys goroutine gave the present prompt pasted text
	first   atomic.Pointer[time.Time] // when it gave that prompt a key; nil: not yet

	// Owned by the goroutine in ReadLine, which holds the only token of turn.
	turn    chan struct{}
	pasted  bool      // what pasting was at the end of the last prompt
	began   time.Time // and what first was
	liner   *liner.State
	cols    int            // of the window when liner was made
	resized chan os.Signal // at least one resize since liner was made

	// A pipe to the keys goroutine, which waits in select(2). A byte is a call, its
	// end the end of the UI.
	called, caller *os.File

	// To and from the painter.
	drawn    chan []byte        // what liner drew
	park     chan chan struct{} // erase, close it and paint no more; nil to go on
	windowed chan os.Signal     // SIGWINCH
	woken    chan os.Signal     // SIGCONT
	resumed  chan struct{}      // SIGCONT while parked

	frames   chan string   // painter to writer
	written  chan struct{} // writer to painter: the frame is out
	painted  sync.WaitGroup
	keysGone chan struct{}
}

// New takes the terminal over: os.Stdout and os.Stdin are pipes until Close.
// It starts the UI's goroutines, and fails with an error that is ErrUnsupported
// where there is nothing to edit on. A process has one UI at a time.
func New(opts *Options) (*UI, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.PromptWidth <= 0 {
		o.PromptWidth = 2
	}
	if !term.IsTerminal(inFD) || !term.IsTerminal(outFD) || !liner.TerminalSupported() {
		return nil, ErrUnsupported
	}
	cols, rows, err := term.GetSize(outFD)
	if err != nil || cols < minSpare {
		return nil, fmt.Errorf("%w: %d columns", ErrUnsupported, cols)
	}
	if !taken.CompareAndSwap(false, true) {
		return nil, errInUse
	}
	u := &UI{
		opts:     o,
		tty:      os.Stdout,
		keyboard: os.Stdin,
		board:    newBoard(),
		aborted:  make(chan struct{}),
		turn:     make(chan struct{}, 1),
		resized:  make(chan os.Signal, 1),
		drawn:    make(chan []byte),
		park:     make(chan chan struct{}),
		windowed: make(chan os.Signal, 1),
		woken:    make(chan os.Signal, 1),
		resumed:  make(chan struct{}, 1),
		frames:   make(chan string, 1),
		written:  make(chan struct{}, 1),
		keysGone: make(chan struct{}),
	}
	if err := u.open(newPainter(o.PromptWidth, o.ASCII, cols, rows)); err != nil {
		taken.Store(false)
		return nil, fmt.Errorf("open terminal: %w", err)
	}
	return u, nil
}

// open makes the pipes, swaps the variables and starts the goroutines. It leaves
// nothing behind when it fails.
func (u *UI) open(p *painter) (err error) {
	var drawn *os.File
	defer func() {
		if err != nil {
			signal.Stop(u.resized)
			os.Stdout, os.Stdin = u.tty, u.keyboard
			for _, f := range []*os.File{drawn, u.stdout, u.called, u.caller} {
				f.Close() // a nil one only says so
			}
		}
	}()
	if u.cooked, err = term.GetState(inFD); err != nil {
		return err
	}
	if drawn, u.stdout, err = os.Pipe(); err != nil {
		return err
	}
	if u.called, u.caller, err = os.Pipe(); err != nil {
		return err
	}
	if u.called.Fd() >= unix.FD_SETSIZE {
		return errors.New("too many open files for select")
	}
	os.Stdout = u.stdout
	signal.Notify(u.resized, syscall.SIGWINCH)
	if err = u.newLiner(); err != nil {
		return err
	}
	signal.Notify(u.windowed, syscall.SIGWINCH)
	signal.Notify(u.woken, syscall.SIGCONT)
	u.painted.Go(u.guard(func() { u.readDrawn(drawn) }))
	u.painted.Go(u.guard(u.write))
	u.painted.Go(u.guard(func() { (&paintLoop{UI: u, painter: p}).run() }))
	go u.guard(u.readKeys)() // awaited through keysGone
	return nil
}

// guard gives the terminal back when f panics. It does not recover: the trace
// stays whole.
func (u *UI) guard(f func()) func() {
	return func() {
		fine := false
		defer func() {
			if !fine {
				term.Restore(inFD, u.cooked)
			}
		}()
		f()
		fine = true
	}
}
