//go:build linux

package e2e

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/creack/pty"
	"github.com/hinshun/vt10x"
)

// emulated is a holdfast on a terminal that keeps every byte written to it.
type emulated struct {
	t      *testing.T
	cmd    *exec.Cmd
	master *os.File
	began  time.Time
	ended  chan struct{}

	mu  sync.Mutex
	raw []byte
	vt  vt10x.Terminal
}

// emulate runs holdfast with its state below home. The window is large, so that what
// is cut or wrapped is so by us.
func emulate(t *testing.T, home string, args ...string) *emulated {
	t.Helper()
	const cols, rows = 300, 500
	e := &emulated{t: t, cmd: exec.Command(binary, args...), began: time.Now(), ended: make(chan struct{}), vt: vt10x.New(vt10x.WithSize(cols, rows))}
	e.cmd.Env = append(os.Environ(), "TERM=xterm-256color", "LC_ALL=C.UTF-8",
		"XDG_STATE_HOME="+home+"/state", "XDG_DATA_HOME="+home+"/data", "HOME="+home)
	var err error
	if e.master, err = pty.StartWithSize(e.cmd, &pty.Winsize{Cols: cols, Rows: rows}); err != nil {
		t.Fatal(err)
	}
	go e.read()
	t.Cleanup(func() {
		_ = e.cmd.Process.Kill()
		<-e.ended
		_ = e.master.Close()
		if t.Failed() {
			t.Logf("the last it wrote: %q", e.written()[max(len(e.written())-3000, 0):])
		}
	})
	return e
}

func (e *emulated) read() {
	defer close(e.ended)
	b := make([]byte, 32<<10)
	for {
		n, err := e.master.Read(b)
		e.mu.Lock()
		e.raw = append(e.raw, b[:n]...)
		_, _ = e.vt.Write(b[:n])
		e.mu.Unlock()
		if err != nil {
			_ = e.cmd.Wait()
			return
		}
	}
}

func (e *emulated) written() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return string(e.raw)
}

// wrote waits until text was written.
func (e *emulated) wrote(text string) {
	e.t.Helper()
	until(e.t, "on the terminal: "+strconv.QuoteToASCII(text), func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return bytes.Contains(e.raw, []byte(text))
	})
}

func (e *emulated) typed(keys string) {
	e.t.Helper()
	if _, err := io.WriteString(e.master, keys); err != nil {
		e.t.Fatal(err)
	}
}

// wait waits for the program's end and returns its exit code.
func (e *emulated) wait() int {
	e.t.Helper()
	until(e.t, "its end", func() bool {
		select {
		case <-e.ended:
			return true
		default:
			return false
		}
	})
	return e.cmd.ProcessState.ExitCode()
}

// harmless fails the test if anything was written to the terminal but text and what
// the painter is known to write, or if it has had an effect on the terminal.
func (e *emulated) harmless() {
	e.t.Helper()
	if i, why := harm(e.written()); why != "" {
		e.t.Errorf("%s was written: %q", why, e.written()[max(i-80, 0):min(i+40, len(e.written()))])
	}
	if rung, most := strings.Count(e.written(), bell), 1+time.Since(e.began)/(2*time.Second); rung > int(most) {
		e.t.Errorf("the bell rang %d times in %v", rung, time.Since(e.began))
	}
	for _, h := range hostileTexts(e.t) { // some would be made of our own sequences
		if h.text != h.shown && strings.Contains(e.written(), h.text) {
			e.t.Errorf("%s was written as it is", h.name)
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if title := e.vt.Title(); title != "" {
		e.t.Errorf("the title is %q", title)
	}
	for _, row := range strings.Split(e.vt.String(), "\n") {
		row = strings.TrimSpace(row)
		for _, forged := range []string{"12:00 boss", "-- you are root", "<boss>", "fake"} {
			if strings.HasPrefix(row, forged) {
				e.t.Errorf("a forged row: %q", row)
			}
		}
	}
}

// ourSequences are all that the painter writes: colours, cursor up, down and to a
// column, the end of a row, a cleared screen, the cursor's light, brackets for pastes.
var ourSequences = regexp.MustCompile("^\x1b\\[(?:[0-9;]*m|[0-9]*[ABG]|K|H|2J|\\?25[hl]|\\?2004[hl])")

// bell is the end of a frame that rings.
const bell = "\x1b[?25h\a"

// harm returns where written has something that must not reach a terminal, and what.
func harm(written string) (at int, what string) {
	marks := 0
	for i := 0; i < len(written); {
		r, size := utf8.DecodeRuneInString(written[i:])
		switch {
		case r == 0x1b:
			if size = len(ourSequences.FindString(written[i:])); size == 0 {
				return i, "a sequence that is not ours"
			}
		case r == '\a' && strings.HasSuffix(written[:i+1], bell):
		case r == '\r' || r == '\n' || r == '\u00a0' || r == '\u3000' || r == '\u200d' || r == '\u200c':
		case r == utf8.RuneError && size == 1:
			return i, "what is not UTF-8"
		case r == '\ufe0e' || r == '\ufe0f':
		case unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) || !unicode.IsPrint(r):
			return i, "no text"
		}
		if unicode.In(r, unicode.Mn, unicode.Me) {
			if marks++; marks > 4 { // three and a selector
				return i, "a tower of marks"
			}
		} else {
			marks = 0
		}
		i += size
	}
	return 0, ""
}

// hostileText is what may harm a terminal, and how it is shown.
type hostileText struct{ name, text, shown string }

// hostileTexts reads those that the tests of internal/safe keep.
func hostileTexts(t *testing.T) (texts []hostileText) {
	t.Helper()
	file, err := os.ReadFile("../cmd/holdfast/internal/safe/testdata/hostile.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(file)) {
		if parts := strings.Split(strings.TrimSpace(line), "\t"); len(parts) == 3 {
			text, _ := strconv.Unquote(parts[1])
			shown, _ := strconv.Unquote(parts[2])
			texts = append(texts, hostileText{parts[0], text, shown})
		}
	}
	if len(texts) < 50 {
		t.Fatalf("only %d hostile texts", len(texts))
	}
	return texts
}

// TestTerminalHarmBites has each hostile text written as it is: harm must see it, but
// for those that are told by what they do to the rows, or by standing there verbatim.
func TestTerminalHarmBites(t *testing.T) {
	t.Parallel()
	inert := map[string]bool{
		"colour": true, "forged line by cursor": true, "forged line by break": true, "forged line by return": true,
		"hundred line breaks": true, "leading mark": true, "joiners in a row": true, "selectors in a row": true,
	}
	for _, h := range hostileTexts(t) {
		if _, what := harm(h.text); (what == "") != inert[h.name] {
			t.Errorf("%s: %q", h.name, what)
		}
		if at, what := harm(h.shown); what != "" {
			t.Errorf("%s: %s in what is shown, at %d: %q", h.name, what, at, h.shown)
		}
	}
}
