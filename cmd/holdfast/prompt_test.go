//go:build unix

package main

import (
	"bytes"
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

	mu    sync.Mutex
	vt    vt10x.Terminal
	rings int // of the bell
}

func openTerminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	term := &terminal{t: t, vt: vt10x.New(vt10x.WithSize(80, 20))}
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "HOLDFAST_TEST_MAIN=1", "TERM=xterm-256color", "LC_ALL=C.UTF-8")
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
			term.rings += bytes.Count(b[:n], []byte{'\a'})
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
	ana.ends("[general]    >")
	ana.keys("half ty")
	ana.ends("[general]    > half ty")
	if code, _, errs := holdfast(t, "hello\n\x00\nforged?\n", "send", "--room", "general", "--as", "bob"); code != exitFailure {
		t.Fatal(code, errs)
	}
	ana.shows("bob: hello\n")
	ana.shows("bob: forged?\n")
	ana.ends("[general]    > half ty")
	ana.keys("ped\r")
	ana.shows("ana: half typed\n")
	ana.ends("[general]    >")
	if n := strings.Count(ana.screen(), "half typed"); n != 1 {
		t.Errorf("own line stands %d times on screen", n)
	}

	server.stop()
	if code := server.wait(); code != exitOK {
		t.Errorf("server's exit code %d", code)
	}
	ana.shows("reconnecting in")
	ana.keys("said in a tunnel\rand ano")
	ana.shows("  · ana: said in a tunnel\n")
	ana.ends("[offline]    > and ano")
	background(t, nil, "serve", "--listen", strings.TrimPrefix(url, "ws://"))
	answers(t, strings.TrimPrefix(url, "ws://"))
	ana.shows(" ana: said in a tunnel\n")
	ana.ends("[general]    > and ano")
	ana.keys("\x15/nonsense\r")
	ana.shows("no command /nonsense")
	ana.keys("//etc\r")
	ana.shows("ana: /etc\n")
	ana.keys("/who\r")
	ana.shows("in general: ana")
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
	ana.ends("[general]    >")
	ana.keys("unsaid")
	ana.ends("[general]    > unsaid")
	ana.keys("\x03")
	ana.ends("[general]    >")
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

// TestPromptFlags: what the flags of the prompt say is what is drawn.
func TestPromptFlags(t *testing.T) {
	home(t)
	_, server := serveFor(t)
	ana := openTerminal(t, "join", "general", "--as", "ana", "--ascii", "--time-format", "at 2006", "--utc", "--color", "always", "--highlight", "station")
	ana.ends("[general]    >")
	if code, _, errs := holdfast(t, "to the station\n", "send", "--room", "general", "--as", "bob"); code != exitOK {
		t.Fatal(errs)
	}
	ana.shows(time.Now().UTC().Format("at 2006") + " ! bob: to the station\n")
	ana.keys("two\x1b\rlines\r")
	ana.shows(" ana: two\n          | lines\n")
	server.stop()
	server.wait()
	ana.keys("kept\r")
	ana.shows("  . ana: kept\n")
	ana.keys("/quit\r")
	ana.shows("-- 1 line not sent yet")
	ana.keys("/quit\r")
	ana.left(exitUnsent)
	ana.shows("they are kept")
}

// TestPromptPlain: with --plain a terminal is a place for lines like any other.
func TestPromptPlain(t *testing.T) {
	home(t)
	serveFor(t)
	ana := openTerminal(t, "join", "general", "--as", "ana", "--plain")
	if code, _, errs := holdfast(t, "", "send", "--room", "general", "--as", "bob", "hi"); code != exitOK {
		t.Fatal(errs)
	}
	ana.shows("bob: hi")
	ana.keys("hello\r\x04")
	ana.left(exitOK)
	if screen := ana.screen(); strings.Contains(screen, ">") || strings.Contains(screen, "/help") {
		t.Errorf("a prompt:\n%s", screen)
	}
	if _, out, _ := holdfast(t, "", "tail", "--room", "general", "--as", "bob", "--history", "all", "--until-live"); out != "bob: hi\nana: hello\n" {
		t.Errorf("log %q", out)
	}
}

// TestPromptBell: the bell rings for what --bell says.
func TestPromptBell(t *testing.T) {
	home(t)
	serveFor(t)
	quiet, loud := openTerminal(t, "join", "general", "--as", "ana"), openTerminal(t, "join", "general", "--as", "cem", "--bell", "all")
	quiet.ends("[general]    >")
	loud.ends("[general]    >")
	if code, _, errs := holdfast(t, "hello\n", "send", "--room", "general", "--as", "bob"); code != exitOK {
		t.Fatal(errs)
	}
	quiet.shows("bob: hello")
	until(t, "a ring", func() bool { loud.mu.Lock(); defer loud.mu.Unlock(); return loud.rings == 1 })
	quiet.keys("/quit\r")
	quiet.left(exitOK)
	if quiet.rings != 0 {
		t.Errorf("%d rings for a line of no concern", quiet.rings)
	}
}

// TestPromptStale: lines that are older than --stale-after wait for the user's word.
func TestPromptStale(t *testing.T) {
	home(t)
	url, server := serveFor(t)
	server.stop()
	server.wait()
	holdfast(t, "", "send", "--room", "general", "--as", "ana", "--retry-for", "100ms", "old news")
	background(t, nil, "serve", "--listen", strings.TrimPrefix(url, "ws://"))
	answers(t, strings.TrimPrefix(url, "ws://"))
	ana := openTerminal(t, "join", "general", "--as", "ana", "--stale-after", "1ms")
	ana.shows("/outbox send")
	ana.shows("  · ana: old news\n")
	ana.keys("/outbox send\r")
	ana.shows(" ana: old news\n")
	ana.ends("[general]    >")
}

// TestPromptUsage: what the prompt's flags can't be.
func TestPromptUsage(t *testing.T) {
	home(t)
	for args, want := range map[string]string{
		"join general --as ana --bell loud":       "--bell",
		"join general --as ana --stale-after 7":   "--stale-after",
		"join general --as ana --stale-after=-1s": "--stale-after",
	} {
		if code, out, errs := holdfast(t, "", strings.Fields(args)...); code != exitUsage || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%s: code %d, stdout %q, stderr %q", args, code, out, errs)
		}
	}
}

// TestPipePrivate: without a terminal a private line says for whom it is.
func TestPipePrivate(t *testing.T) {
	home(t)
	_, server := serveFor(t)
	in, stdin := io.Pipe()
	bob := background(t, in, "join", "general", "--as", "bob", "--history", "none")
	until(t, "bob is there", func() bool { return strings.Contains(server.err.String(), "user=bob") })
	ana := openTerminal(t, "join", "general", "--as", "ana")
	ana.ends("[general]    >")
	ana.keys("/msg bob psst\r")
	until(t, "the private line", func() bool { return strings.HasSuffix(bob.out.String(), "ana -> bob: psst\n") })
	stdin.Close()
	if code := bob.wait(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

// TestLocale: what the locale can't have is not drawn.
func TestLocale(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want bool
	}{
		{nil, false},
		{map[string]string{"LANG": "C"}, false},
		{map[string]string{"LANG": "de_DE.UTF-8"}, true},
		{map[string]string{"LANG": "de_DE.UTF-8", "LC_ALL": "C"}, false},
		{map[string]string{"LANG": "C", "LC_CTYPE": "C.utf8"}, true},
	} {
		if got := isUTF8(func(name string) string { return c.env[name] }); got != c.want {
			t.Errorf("%v: %v", c.env, got)
		}
	}
}

// TestPlainTyped: where there are no commands what looks like one is not said; a script's
// is.
func TestPlainTyped(t *testing.T) {
	home(t)
	serveFor(t)
	ana := openTerminal(t, "join", "general", "--as", "ana", "--plain")
	ana.shows("plain lines: each is said to all; Ctrl-D leaves")
	ana.keys("/msg bob s3cret\r//etc\rhello\r")
	ana.shows("not sent: there are no commands here; // says")
	ana.keys("\x04")
	ana.left(exitOK)
	code, _, errs := holdfast(t, "/usr/bin\n", "join", "general", "--as", "ana")
	if code != exitOK || errs != "" {
		t.Errorf("a script: code %d, %q", code, errs)
	}
	if _, out, _ := holdfast(t, "", "history", "general", "--time-format", "none"); out != "ana: /etc\nana: hello\nana: /usr/bin\n" {
		t.Errorf("what was said: %q", out)
	}
}
