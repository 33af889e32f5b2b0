//go:build linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/e2e/oracle"
)

// say has bob say lines, each of which is on the server's disk in the end.
func (w *world) say(lines ...string) {
	w.t.Helper()
	args := []string{"send", "--server", w.url(), "--room", "general", "--as", "bob"}
	p := start(w.t, filepath.Join(w.home, "bob"), args...)
	p.say(lines...)
	_ = p.stdin.Close()
	if code := p.wait(); code != 0 {
		w.t.Fatalf("send: exit code %d", code)
	}
}

// TestTerminalWideText types and shows runes that take two columns, where rows end.
func TestTerminalWideText(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := openChat(t, w, 40, 12)
	text := strings.Repeat("你好世界", 10) // 40 runes, 80 columns
	runes := []rune(text)
	p.typed(text)
	p.ends(p.prompt+string(runes[:12]), string(runes[12:32]), string(runes[32:])) // a column of the first row stays free
	w.say(strings.Repeat("宽", 30))
	p.shows("bob: 宽")
	p.ends(p.prompt+string(runes[:12]), string(runes[12:32]), string(runes[32:]))
	p.cursorAt(16, len(p.rows())-1)
	p.keys("C-a")
	p.typed("X") // shifts all by a column
	p.ends(p.prompt+"X"+string(runes[:12]), string(runes[12:32]), string(runes[32:]))
	p.cursorAt(16, len(p.rows())-3)
	p.keys("C-e", "BSpace", "Enter")
	p.edits("")
	want := "X" + string(runes[:39])
	until(t, "the line in the log", func() bool { return len(w.log("general")) == 2 })
	if log := w.log("general"); log[1].Text != want {
		t.Errorf("said %q, want %q", log[1].Text, want)
	}
	until(t, "the line on screen", func() bool {
		return strings.Contains(strings.Join(p.rows(), ""), "ana: "+want)
	})
}

// TestTerminalResize makes the window narrower, wider, lower and tiny while a line is
// half typed and messages come. None of them is lost, the prompt is there once, and the
// line can be sent.
func TestTerminalResize(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := openChat(t, w, 80, 12)
	const text = "a half typed line that has some fifty columns in it"
	p.typed(text)
	said := 0
	batch := func() (lines []string) {
		for range 5 {
			lines = append(lines, fmt.Sprintf("line %04d", said))
			said++
		}
		w.say(lines...)
		return lines
	}
	for _, size := range [][2]int{{80, 12}, {30, 12}, {70, 20}, {26, 5}, {80, 24}, {40, 24}, {80, 24}} {
		cols, rows := size[0], size[1]
		p.resize(cols, rows)
		p.ends(wrap(p.prompt+text, cols)...)
		p.shows(batch()[4])
		p.ends(wrap(p.prompt+text, cols)...)
		if n := strings.Count(strings.Join(p.rows(), "\n"), p.prompt[:promptWidth-2]); n != 1 {
			t.Fatalf("%d prompts on screen at %d columns", n, cols)
		}
	}
	all := p.do("capture-pane", "-p", "-S", "-")
	for i, at := 0, 0; i < said; i++ { // again and again, maybe, but never left out
		next := strings.Index(all[at:], fmt.Sprintf("bob: line %04d\n", i))
		if next < 0 {
			t.Fatalf("line %d is not there, or not in its place:\n%s", i, all)
		}
		at += next
	}
	for _, size := range [][2]int{{12, 4}, {4, 2}, {1, 1}} {
		p.resize(size[0], size[1])
		batch()
	}
	p.resize(100, 12)
	p.edits(text)
	p.shows(fmt.Sprintf("line %04d", said-1))
	p.keys("Enter")
	until(t, "the line in the log", func() bool { return len(w.log("general")) == said+1 })
	p.edits("")
}

func wrap(text string, cols int) (rows []string) {
	for ; len(text) > cols; text = text[cols:] {
		rows = append(rows, strings.TrimRight(text[:cols], " "))
	}
	return append(rows, text)
}

// TestTerminalJobControl stops a client with Ctrl-Z under bash and continues it.
func TestTerminalJobControl(t *testing.T) {
	t.Parallel()
	needTool(t, "bash")
	w := newWorld(t)
	home := t.TempDir()
	p := openPane(t, home, 80, 20, "bash", "--norc", "--noprofile", "-i")
	p.ends("$")
	p.typed(strings.Join(chatCommand(w), " "))
	p.keys("Enter")
	p.online()
	for i := range 2 {
		p.typed("half typed")
		p.edits("half typed")
		p.keys("C-z")
		p.shows("Stopped")
		p.ends("$")
		if strings.Contains(strings.Join(p.rows(), "\n"), "half typed") {
			t.Error("the prompt is still on screen")
		}
		p.typed("clear; stty -a | grep -ow -e '-*icanon' -e '-*echo' -e '-*isig'")
		p.keys("Enter")
		p.ends("isig", "icanon", "echo", "$")
		w.say(fmt.Sprintf("said meanwhile %d", i), "and more")
		p.typed("clear; fg")
		p.keys("Enter")
		p.edits("half typed")
		p.shows(fmt.Sprintf("bob: said meanwhile %d", i))
		p.keys("C-u")
		p.edits("")
	}
	p.typed("after")
	p.keys("Enter")
	p.shows("ana: after")
	p.keys("C-d")
	p.ends("$")
	p.fresh()
}

// TestTerminalPaste pastes what would run, complete, leave and colour if it was typed.
func TestTerminalPaste(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := openChat(t, w, 80, 12)
	p.paste("one\n/quit\ttab\x03\x04\x1a\x1b[31mred\x7f\x9b\n" + strings.Repeat("long ", 20))
	p.ends(p.prompt+"one␤/quit    tab[31mred\ufffd␤"+strings.TrimSpace(strings.Repeat("long ", 8)), // 80 columns
		strings.TrimSpace(strings.Repeat("long ", 12)))
	p.keys("Enter")
	want := "one\n/quit    tab[31mred\ufffd\n" + strings.Repeat("long ", 20)
	until(t, "the line in the log", func() bool { return len(w.log("general")) == 1 })
	if got := w.log("general")[0].Text; got != want {
		t.Errorf("said %q, want %q", got, want)
	}
	p.edits("")
}

// TestTerminalIsGivenBack ends clients in the middle of a line. The mode of the terminal
// is what it was, the cursor is there, pastes come as they are. Only after SIGKILL does
// it take the command reset.
func TestTerminalIsGivenBack(t *testing.T) {
	t.Parallel()
	needTool(t, "reset")
	w := newWorld(t)
	home := t.TempDir()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGKILL} {
		script := filepath.Join(home, "script")
		if err := os.WriteFile(script, []byte(fmt.Sprintf(`
rm -f after reset
stty -g >before
(sh -c 'echo $$ >pid; exec %s')
echo ended with $?
stty -g >after
[ %d = 9 ] && stty -echo && reset && stty -a >reset
exec cat
`, strings.Join(chatCommand(w), " "), sig)), 0o600); err != nil {
			t.Fatal(err)
		}
		p := openPane(t, home, 80, 12, "sh", "-c", "cd "+home+" && . ./script")
		p.online()
		p.typed("half typed")
		p.edits("half typed")
		if err := syscall.Kill(number(t, home+"/pid"), sig); err != nil {
			t.Fatal(err)
		}
		if sig == syscall.SIGKILL {
			until(t, "a terminal that was reset", func() bool {
				mode, _ := os.ReadFile(home + "/reset")
				return strings.Contains(string(mode), " icanon ") && strings.Contains(string(mode), " echo ")
			})
		} else {
			p.shows(fmt.Sprintf("ended with %d", 128+int(sig)))
			until(t, "the mode", func() bool {
				before, _ := os.ReadFile(home + "/before")
				after, _ := os.ReadFile(home + "/after")
				if len(after) > 0 && string(before) != string(after) {
					t.Fatalf("after %v the mode is %s, was %s", sig, after, before)
				}
				return len(after) > 0
			})
			if strings.Contains(strings.Join(p.rows(), "\n"), "half typed") {
				t.Errorf("after %v the prompt is still on screen", sig)
			}
		}
		p.fresh()
	}
}

// number reads a number that a file holds.
func number(t *testing.T, file string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestTerminalClosed closes the window: the client ends, it does not spin or stay.
func TestTerminalClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := openChat(t, w, 80, 12)
	client := []string{p.is("#{pane_pid}")}
	if len(inSessions(client)) != 1 {
		t.Fatal("no client in the pane")
	}
	p.do("new-window", "cat") // so that tmux stays
	p.do("kill-window", "-t", ":0")
	until(t, "the end of the client", func() bool { return len(inSessions(client)) == 0 })
}

// TestTerminalDumb chats in plain lines where the terminal can do nothing: not one
// control byte but line ends is written to it.
func TestTerminalDumb(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	home := t.TempDir()
	p := openPane(t, home, 80, 12, "sh", "-c", "read go; TERM=dumb "+strings.Join(chatCommand(w), " ")+"; echo $? >"+home+"/new; mv "+home+"/new "+home+"/code")
	p.do("pipe-pane", "cat >"+home+"/raw")
	p.typed("go")
	p.keys("Enter")
	until(t, "ana in the room", func() bool {
		w.say("are you there?")
		return strings.Contains(strings.Join(p.rows(), "\n"), "bob: are you there?")
	})
	p.typed("a plain line")
	p.keys("Enter")
	until(t, "the line in the log", func() bool {
		return slices.ContainsFunc(w.log("general"), func(e oracle.Entry) bool { return e.Text == "a plain line" })
	})
	p.keys("C-d")
	until(t, "its end", func() bool { // tmux at times forgets to ask for an exit code
		_, err := os.Stat(home + "/code")
		return err == nil
	})
	if code := number(t, home+"/code"); code != 0 {
		t.Errorf("exit code %d", code)
	}
	raw, err := os.ReadFile(home + "/raw")
	if err != nil || len(raw) == 0 {
		t.Fatal("nothing was written", err)
	}
	for i, b := range raw {
		if b < 0x20 && b != '\r' && b != '\n' {
			t.Fatalf("byte %#x in %q", b, raw[max(i-40, 0):i+1])
		}
	}
}

// TestTerminalFlood has 3,000 lines come at 2,000 a second while two are typed. All of
// them are there in the end, in order, and besides them only what the client says of
// itself, and the prompt in the last row.
func TestTerminalFlood(t *testing.T) {
	t.Parallel()
	const all = 3000
	w := newWorld(t)
	p := openChat(t, w, 60, 12)
	bob := start(t, t.TempDir(), "send", "--server", w.url(), "--room", "general", "--as", "bob")
	go func() { // 20 lines each 10 ms
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for i := 0; i < all; i += 20 {
			var lines []string
			for j := range 20 {
				lines = append(lines, fmt.Sprintf("line %04d", i+j))
			}
			bob.say(lines...)
			<-tick.C
		}
		_ = bob.stdin.Close()
	}()
	typed := []string{"the first line, typed into it", "and the second one"}
	for i, text := range typed {
		until(t, "the flood", func() bool { return len(p.all()) > 500+1000*i })
		for _, r := range text {
			p.typed(string(r))
		}
		p.keys("Enter")
	}
	if code := bob.wait(); code != 0 {
		t.Fatalf("send: exit code %d", code)
	}
	p.shows(fmt.Sprintf("line %04d", all-1))
	p.edits("")
	checkFlood(t, p.all(), all, typed)
}

// checkFlood takes rows apart: notes, the typed lines, all numbered ones, the prompt.
func checkFlood(t *testing.T, rows []string, all int, typed []string) {
	t.Helper()
	next := 0
	for i, row := range rows {
		_, said, _ := strings.Cut(row, " ") // without the time
		switch {
		case strings.HasPrefix(row, "-- "), i == len(rows)-1 && isPrompt(row):
		case len(typed) > 0 && said == "ana: "+typed[0]:
			typed = typed[1:]
		case said == fmt.Sprintf("bob: line %04d", next):
			next++
		default:
			t.Fatalf("row %d is %q, after line %d", i, row, next-1)
		}
	}
	if next != all || len(typed) > 0 {
		t.Errorf("%d lines of %d, typed ones left: %q", next, all, typed)
	}
}
