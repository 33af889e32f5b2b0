//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/hinshun/vt10x"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// patient is how long a test waits for what must happen. Only a failing test
// waits that long.
const patient = time.Minute

// terminal is a screen with a program on it.
type terminal struct {
	t       *testing.T
	master  *os.File
	slave   *os.File
	fresh   *term.State // the mode before the program began
	command *os.File
	shell   *os.File
	reports chan string
	exited  chan struct{}

	changed  chan struct{} // holds a token when something was drawn
	mu       sync.Mutex
	frozen   bool // the screen takes no output
	thawed   *sync.Cond
	vt       vt10x.Terminal
	whole    screen // the last whole frame
	keep     bool   // rows that leave the screen at its top, in scrolled
	scrolled []string
	gone     int // how many had left at the last whole frame
}

type options struct {
	child      string
	cols, rows int
	env        []string
	pipe       bool     // stdout is no terminal
	out        *os.File // stdout is this terminal
}

// start runs a child and waits until it prompts.
func start(t *testing.T, child string, cols, rows int) *terminal {
	t.Helper()
	s := run(t, options{child: child, cols: cols, rows: rows})
	s.wait("prompt", lastRow(strings.TrimSpace(samplePrompt)))
	s.edited()
	return s
}

// edited types something and takes it back. Only after that a Ctrl-C is surely a
// key: liner prompts first and takes the signals from the terminal then.
func (s *terminal) edited() {
	s.t.Helper()
	s.keys("?")
	s.wait("a key", lastRow(samplePrompt+"?"))
	s.keys("\x7f")
	s.wait("no key", lastRow(strings.TrimSpace(samplePrompt)))
}

func run(t *testing.T, o options) *terminal {
	t.Helper()
	s := &terminal{
		t: t, reports: make(chan string, 100), exited: make(chan struct{}), changed: make(chan struct{}, 1),
		vt: vt10x.New(vt10x.WithSize(o.cols, o.rows)),
	}
	s.thawed = sync.NewCond(&s.mu)
	var err error
	if s.master, s.slave, err = openPTY(); err != nil {
		t.Fatal(err)
	}
	s.setSize(o.cols, o.rows)
	s.fresh = s.mode()
	var commands, reports, shell *os.File
	var in *os.File
	commands, s.command, _ = os.Pipe()
	in, reports, _ = os.Pipe()
	shell, s.shell, _ = os.Pipe()
	cmd := exec.Command(os.Args[0], "-test.run=^$") // the child never gets to the flags
	cmd.Env = append(append(os.Environ(), childVar+"="+o.child, "TERM=xterm-256color", "LC_ALL=C.UTF-8"), o.env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.slave, s.slave, s.slave
	if o.pipe {
		cmd.Stdout = reports
	}
	if o.out != nil {
		cmd.Stdout = o.out
	}
	cmd.ExtraFiles = []*os.File{commands, reports, shell}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	commands.Close()
	reports.Close()
	shell.Close()
	drawn, read := make(chan struct{}), make(chan struct{})
	go func() { defer close(drawn); s.draw() }()
	go func() {
		defer close(read)
		for sc := bufio.NewScanner(in); sc.Scan(); {
			s.reports <- sc.Text()
		}
	}()
	go func() { cmd.Wait(); close(s.exited) }()
	t.Cleanup(func() {
		s.command.Close()
		s.shell.Close()
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Process.Kill()
		<-s.exited
		s.freeze(false)
		s.slave.Close()
		s.master.Close()
		<-drawn
		in.Close()
		<-read
	})
	return s
}

func (s *terminal) draw() {
	b := make([]byte, 512)
	for {
		s.mu.Lock()
		for s.frozen {
			s.thawed.Wait()
		}
		s.mu.Unlock()
		n, err := s.master.Read(b)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.show(b[:n])
		s.mu.Unlock()
		select {
		case s.changed <- struct{}{}:
		default:
		}
	}
}

// show writes b to the screen, under mu. A frame is looked at when it is whole, which
// is when it shows the cursor again: somebody who only looks now and then could miss
// all of them.
func (s *terminal) show(b []byte) {
	for len(b) > 0 {
		n := bytes.IndexAny(b, "\nhl") + 1 // what may scroll, show and hide
		if n == 0 {
			s.vt.Write(b)
			return
		}
		s.vt.Write(b[:n-1])
		if b[n-1] == '\n' {
			s.scroll()
		}
		hidden := !s.vt.CursorVisible()
		s.vt.Write(b[n-1 : n])
		if hidden && s.vt.CursorVisible() {
			s.whole, s.gone = s.now(), len(s.scrolled)
		}
		b = b[n:]
	}
}

// scroll keeps the row that a line feed takes off the screen, if somebody wants it. Full
// rows scroll too, but the tests that want to know have none.
func (s *terminal) scroll() {
	if _, rows := s.vt.Size(); s.keep && s.vt.Cursor().Y == rows-1 {
		top, _, _ := strings.Cut(s.vt.String(), "\n")
		s.scrolled = append(s.scrolled, strings.TrimRight(top, " "))
	}
}

func (s *terminal) freeze(on bool) {
	s.mu.Lock()
	s.frozen = on
	s.mu.Unlock()
	s.thawed.Broadcast()
}

func (s *terminal) setSize(cols, rows int) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if cols > 0 { // vt10x has no screen of no columns
		s.vt.Resize(cols, rows)
	}
	setWindow(s.t, s.master, cols, rows)
}

func setWindow(t *testing.T, master *os.File, cols, rows int) {
	t.Helper()
	conn, err := master.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	conn.Control(func(fd uintptr) {
		err = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(cols), Row: uint16(rows)})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// openPTY makes a master whose Close ends a Read, which takes a descriptor that
// doesn't block.
func openPTY() (master, slave *os.File, err error) {
	m, slave, err := pty.Open()
	if err != nil {
		return nil, nil, err
	}
	defer m.Close()
	fd, err := unix.FcntlInt(m.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fd), "master"), slave, nil
}
