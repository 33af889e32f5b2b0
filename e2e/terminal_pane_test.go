//go:build linux

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// promptWidth is how many columns a client keeps for its prompt.
const promptWidth = 15

// isPrompt reports whether row is the empty prompt of a client that is online.
func isPrompt(row string) bool {
	return anyPrompt.MatchString(row) && !strings.HasPrefix(row, "[connect")
}

var anyPrompt = regexp.MustCompile(`^\[[a-z]+\] *>$`)

// pane is a program on a terminal that wraps wide text, reflows rows and keeps what
// scrolls away, as people's terminals do: tmux, with a server of its own.
type pane struct {
	t      *testing.T
	socket string
	prompt string // what stands before the line that is edited, once online has seen it
}

// paneConfig has no status line, so that a window has the rows it is made with, and
// lets a program do what tmux by default lets it do: set the title and the clipboard.
const paneConfig = `
set -g status off
set -g history-limit 10000
set -g remain-on-exit on
set -s set-clipboard on
set -s exit-empty off
`

// openPane runs command in a window of cols and rows. State and data are below home.
func openPane(t *testing.T, home string, cols, rows int, command ...string) *pane {
	t.Helper()
	needTool(t, "tmux")
	dir, err := os.MkdirTemp("", "holdfast-tmux-") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	config := filepath.Join(dir, "conf")
	if err := os.WriteFile(config, []byte(paneConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &pane{t: t, socket: filepath.Join(dir, "socket")}
	cmd := exec.CommandContext(t.Context(), "tmux", append([]string{
		"-S", p.socket, "-f", config, "-u", "new-session", "-d", "-x", fmt.Sprint(cols), "-y", fmt.Sprint(rows), "--",
	}, command...)...)
	cmd.Env = append(os.Environ(), "TMUX=", "LC_ALL=C.UTF-8", "SHELL=/bin/sh", "PS1=$ ", "HISTFILE=",
		"XDG_STATE_HOME="+home+"/state", "XDG_DATA_HOME="+home+"/data", "HOME="+home)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the pane:\n%s", strings.Join(p.rows(), "\n"))
		}
		shells := strings.Fields(p.do("list-panes", "-a", "-F", "#{pane_pid}"))
		p.do("kill-server")
		until(t, "the end of all in the pane", func() bool { // or it writes where we clean up
			left := inSessions(shells)
			for _, pid := range left {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
			return len(left) == 0
		})
	})
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("tmux: %v: %s", err, out)
	}
	return p
}

// openChat runs a client in a pane and waits until it is online.
func openChat(t *testing.T, w *world, cols, rows int) *pane {
	t.Helper()
	p := openPane(t, t.TempDir(), cols, rows, chatCommand(w)...)
	p.online()
	return p
}

// online waits until a client has its connection.
func (p *pane) online() {
	p.t.Helper()
	until(p.t, "a prompt", func() bool {
		rows := p.rows()
		p.prompt = fmt.Sprintf("%-*s", promptWidth, rows[len(rows)-1])
		return isPrompt(rows[len(rows)-1])
	})
}

// edits waits until the line that is edited is text, in the last row.
func (p *pane) edits(text string) {
	p.t.Helper()
	p.ends(strings.TrimRight(p.prompt+text, " "))
}

func chatCommand(w *world) []string {
	return []string{binary, "join", "general", "--as", "ana", "--server", w.url()}
}

// do runs a tmux command.
func (p *pane) do(args ...string) string {
	p.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-S", p.socket}, args...)...).CombinedOutput()
	if err != nil {
		p.t.Errorf("tmux %q: %v: %s", args, err, out)
	}
	return string(out)
}

// keys presses keys by tmux's names for them, or types text.
func (p *pane) keys(names ...string) {
	p.t.Helper()
	p.do(append([]string{"send-keys"}, names...)...)
}

func (p *pane) typed(text string) {
	p.t.Helper()
	p.do("send-keys", "-l", text)
}

// paste has the terminal paste text, in brackets if the program has asked for them.
func (p *pane) paste(text string) {
	p.t.Helper()
	load := exec.CommandContext(p.t.Context(), "tmux", "-S", p.socket, "load-buffer", "-")
	load.Stdin = strings.NewReader(text)
	if out, err := load.CombinedOutput(); err != nil {
		p.t.Fatalf("load-buffer: %v: %s", err, out)
	}
	p.do("paste-buffer", "-p", "-d")
}

// resize waits until the program could know: tmux tells it some time after it has
// wrapped the rows anew, and what is painted in between is past mending.
func (p *pane) resize(cols, rows int) {
	p.t.Helper()
	p.do("resize-window", "-x", fmt.Sprint(cols), "-y", fmt.Sprint(rows))
	tty, err := os.OpenFile(p.is("#{pane_tty}"), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		p.t.Fatal(err)
	}
	defer tty.Close()
	until(p.t, "the new size", func() bool {
		size, err := unix.IoctlGetWinsize(int(tty.Fd()), unix.TIOCGWINSZ)
		if err != nil {
			p.t.Fatal(err)
		}
		return int(size.Col) == cols && int(size.Row) == rows
	})
}

// is expands a format of tmux's.
func (p *pane) is(format string) string {
	p.t.Helper()
	return strings.TrimRight(p.do("display-message", "-p", format), "\n")
}

// rows returns what is on screen, without the empty rows at the end.
func (p *pane) rows() []string {
	p.t.Helper()
	return splitRows(p.do("capture-pane", "-p"))
}

// all returns what has scrolled away, too.
func (p *pane) all() []string {
	p.t.Helper()
	return splitRows(p.do("capture-pane", "-p", "-S", "-"))
}

func splitRows(text string) []string {
	rows := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i := range rows {
		rows[i] = strings.TrimRight(rows[i], " ")
	}
	return rows
}

// ends waits until these rows are the last on screen.
func (p *pane) ends(want ...string) {
	p.t.Helper()
	until(p.t, fmt.Sprintf("last rows %q", want), func() bool {
		rows := p.rows()
		return len(rows) >= len(want) && reflect.DeepEqual(rows[len(rows)-len(want):], want)
	})
}

// shows waits until a row on screen has text in it.
func (p *pane) shows(text string) {
	p.t.Helper()
	until(p.t, "on screen: "+text, func() bool { return strings.Contains(strings.Join(p.rows(), "\n"), text) })
}

// cursorAt waits until the cursor is there.
func (p *pane) cursorAt(x, y int) {
	p.t.Helper()
	until(p.t, fmt.Sprintf("cursor at %d,%d", x, y), func() bool {
		return p.is("#{cursor_x},#{cursor_y}") == fmt.Sprintf("%d,%d", x, y)
	})
}

// fresh fails the test unless the terminal is as a shell expects it: the cursor shown
// and pastes not in brackets. Something must be there that echoes what is typed.
func (p *pane) fresh() {
	p.t.Helper()
	if p.is("#{cursor_flag}") != "1" {
		p.t.Error("the cursor is hidden")
	}
	p.paste("pasted")
	p.shows("pasted")
	if row := p.rows()[len(p.rows())-1]; strings.Contains(row, "200~") {
		p.t.Errorf("pastes are still bracketed: %q", row)
	}
}

// inSessions returns the processes that live in the sessions of these leaders.
func inSessions(leaders []string) (pids []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		stat, _ := os.ReadFile(name) // pid (name) state ppid pgrp session ...
		_, rest, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(rest)
		if len(fields) < 4 || fields[0] == "Z" || !slices.Contains(leaders, fields[3]) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
