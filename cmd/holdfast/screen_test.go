//go:build unix

package main

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/hinshun/vt10x"
)

// terminal is a holdfast on a terminal that is emulated.
type terminal struct {
	t     *testing.T
	cmd   *exec.Cmd
	p     *os.File
	ended chan struct{}

	mu sync.Mutex
	vt vt10x.Terminal
}

func openTerminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	term := &terminal{t: t, vt: vt10x.New(vt10x.WithSize(80, 20))}
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "HOLDFAST_TEST_MAIN=1", "TERM=xterm-256color")
	p, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: 80, Rows: 20})
	if err != nil {
		t.Fatal(err)
	}
	term.cmd, term.p, term.ended = cmd, p, make(chan struct{})
	go func() {
		defer close(term.ended)
		b := make([]byte, 4096)
		for {
			n, err := p.Read(b)
			term.mu.Lock()
			_, _ = term.vt.Write(b[:n])
			term.mu.Unlock()
			if err != nil {
				_ = cmd.Wait()
				return
			}
		}
	}()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("screen of %v:\n%s", args, term.screen())
		}
		_ = cmd.Process.Kill()
		<-term.ended
		_ = p.Close()
	})
	return term
}

// screen returns what is on it, without the blank end.
func (s *terminal) screen() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rows []string
	for _, r := range strings.Split(s.vt.String(), "\n") {
		rows = append(rows, strings.TrimRight(r, " "))
	}
	return strings.TrimRight(strings.Join(rows, "\n"), "\n")
}

func (s *terminal) keys(k string) {
	s.t.Helper()
	if _, err := io.WriteString(s.p, k); err != nil {
		s.t.Fatal(err)
	}
}

// shows waits until the screen holds text.
func (s *terminal) shows(text string) {
	s.t.Helper()
	until(s.t, "on screen: "+text, func() bool { return strings.Contains(s.screen(), text) })
}

// left waits until the process has ended.
func (s *terminal) left(code int) {
	s.t.Helper()
	until(s.t, "its end", func() bool {
		select {
		case <-s.ended:
			return true
		default:
			return false
		}
	})
	if got := s.cmd.ProcessState.ExitCode(); got != code {
		s.t.Errorf("exit code %d, want %d", got, code)
	}
}

// ends waits until the screen's last row is row.
func (s *terminal) ends(row string) {
	s.t.Helper()
	until(s.t, "last row: "+row, func() bool { return strings.HasSuffix("\n"+s.screen(), "\n"+row) })
}

// TestScreen has a user type while lines come, the server go and come back.
func TestScreen(t *testing.T) {
	home(t)
	url, server := serveFor(t)
	ana := openTerminal(t, "join", "general", "--as", "ana")
	ana.shows("you are ana in general")
	ana.ends("[online]     >")
	ana.keys("half ty")
	ana.ends("[online]     > half ty")
	if code, _, errs := holdfast(t, "hello\n\x00\nforged?\n", "send", "--room", "general", "--as", "bob"); code != exitFailure {
		t.Fatal(code, errs)
	}
	ana.shows("bob: hello\n")
	ana.shows("bob: forged?\n")
	ana.ends("[online]     > half ty")
	ana.keys("ped\r")
	ana.shows("ana: half typed\n")
	ana.ends("[online]     >")
	if n := strings.Count(ana.screen(), "half typed"); n != 1 {
		t.Errorf("own line stands %d times on screen", n)
	}

	server.stop()
	if code := server.wait(); code != exitOK {
		t.Errorf("server's exit code %d", code)
	}
	ana.shows("reconnecting in")
	ana.keys("said in a tunnel\rand ano")
	ana.shows("  . ana: said in a tunnel\n")
	ana.ends("[offline 1]  > and ano")
	background(t, nil, "serve", "--listen", strings.TrimPrefix(url, "ws://"))
	answers(t, strings.TrimPrefix(url, "ws://"))
	ana.shows(" ana: said in a tunnel\n")
	ana.ends("[online]     > and ano")
	ana.keys("\x15/nonsense\r")
	ana.shows("no command /nonsense")
	ana.keys("//etc\r")
	ana.shows("ana: /etc\n")
	ana.keys("/who\r")
	ana.shows("here: ana")
	ana.keys("/quit\r")
	ana.left(exitOK)
	_, out, _ := holdfast(t, "", "tail", "--room", "general", "--as", "bob", "--history", "all", "--until-live")
	if want := "bob: hello\nbob: forged?\nana: half typed\nana: said in a tunnel\nana: /etc\n"; out != want {
		t.Errorf("log %q, want %q", out, want)
	}
}

// TestScreenGivesUp has a terminal whose server is not there.
func TestScreenGivesUp(t *testing.T) {
	home(t)
	_, server := serveFor(t)
	server.stop()
	server.wait()
	ana := openTerminal(t, "join", "general", "--as", "ana", "--retry-for", "1s")
	ana.shows("[offline]")
	ana.left(exitUnreachable)
	ana.shows("server unreachable for 1s")
}

// TestCtrlC clears the line, and leaves when it is pressed again and again. One that
// falls between two lines may count for nothing, but never ends the program by itself.
func TestCtrlC(t *testing.T) {
	home(t)
	serveFor(t)
	ana := openTerminal(t, "join", "general", "--as", "ana")
	ana.ends("[online]     >")
	ana.keys("unsaid")
	ana.ends("[online]     > unsaid")
	ana.keys("\x03")
	ana.ends("[online]     >")
	pressed := time.Now()
	until(t, "its end", func() bool {
		select {
		case <-ana.ended:
			return true
		default:
		}
		if time.Since(pressed) > 50*time.Millisecond {
			pressed = time.Now()
			_, _ = io.WriteString(ana.p, "\x03") // it may just have ended
		}
		return false
	})
	ana.left(exitOK)
	if code, out, _ := holdfast(t, "", "tail", "--room", "general", "--as", "bob", "--history", "all", "--until-live"); code != 0 || out != "" {
		t.Errorf("code %d, said %q", code, out)
	}
}
