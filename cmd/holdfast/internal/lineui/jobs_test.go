//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"reflect"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// begin starts chat under a shell with job control and types something.
func begin(t *testing.T) *terminal {
	t.Helper()
	s := start(t, "shell", 60, 12)
	s.keys("half typed")
	s.do("status waiting")
	s.wait("typed", lastRows("waiting", "[online] > half typed"))
	return s
}

func (s *terminal) tellShell(command string) {
	s.t.Helper()
	if _, err := s.shell.WriteString(command + "\n"); err != nil {
		s.t.Fatal(err)
	}
}

func testSuspend(t *testing.T, s *terminal) {
	t.Helper()
	s.expect("stopped stopped")
	s.wantFreshMode()
	s.wait("the block gone", func(now screen) bool { return lastRow("$ the shell")(now) && !contains("half typed")(now) })
	s.tellShell("fg")
	s.wait("the block again", lastRows("waiting", "[online] > half typed"))
	s.do("print 1")
	s.keys("\x1b[DX\r")
	s.expect(`line "half typeXd" <nil>`)
}

func TestSuspendByKey(t *testing.T) {
	t.Parallel()
	s := begin(t)
	s.keys("\x1a")
	testSuspend(t, s)
	s.wait("the line", contains(`<sent "half typeXd">`))
	s.edited()
	s.keys("half typed")
	s.wait("typed", lastRows("waiting", "[online] > half typed"))
	s.keys("\x1a")
	testSuspend(t, s)
	s.wait("the line", contains(`<sent "half typeXd">`))
	s.edited()
	s.keys("\x04")
	s.expect(`line "" EOF`)
	s.expect("closed <nil> <nil> true")
	s.expect(`left ""`)
	s.expect("exit 0")
	s.wantFreshMode()
}

// Stopped without notice, it makes good what the shell did to the terminal.
func TestStoppedBySignal(t *testing.T) {
	t.Parallel()
	s := begin(t)
	for i, signal := range []string{"stopped (signal)", "stopped"} {
		s.tellShell(signal)
		s.expect("stopped " + signal + ", raw")
		s.wantFreshMode()
		s.command.WriteString("print 1\n")
		s.tellShell("fg")
		s.expect("did print")
		s.wait("the block again", lastRows("$ the shell", fmt.Sprintf("<msg %04d>", i), "waiting", "[online] > half typed"))
	}
	s.keys("\x1b[DX\r")
	s.expect(`line "half typeXd" <nil>`)
}

// Continued in the background, it goes on and leaves the terminal alone.
func TestBackground(t *testing.T) {
	t.Parallel()
	s := begin(t)
	s.keys("\x1a")
	s.expect("stopped stopped")
	s.tellShell("bg")
	s.do("print 3")
	s.wantFreshMode()
	s.tellShell("fg")
	s.wait("what came meanwhile", lastRows("<msg 0002>", "waiting", "[online] > half typed"))
}

// A stopped job that is killed must end, and not stop once more because it set
// the mode of a terminal that isn't its own. It leaves the shell's mode alone.
func TestKilledWhileStopped(t *testing.T) {
	t.Parallel()
	s := begin(t)
	s.keys("\x1a")
	s.expect("stopped stopped")
	s.tellShell("edit") // as shells do while their own line is typed
	s.expect("raw")
	mode := s.mode()
	s.tellShell("term")
	s.expect(`line "" EOF`)
	s.expect("closed <nil> <nil> true")
	s.expect(`left ""`)
	s.expect("exit 0")
	if now := s.mode(); !reflect.DeepEqual(now, mode) {
		t.Errorf("terminal mode is %v, was %v", now, mode)
	}
}

// Without a shell the system doesn't stop us, and nobody sends SIGCONT.
func TestSuspendWithoutShell(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 60, 12)
	s.keys("half\x1a typed")
	s.wait("the whole line", lastRow("[online] > half typed"))
	s.keys("\r")
	s.expect(`line "half typed" <nil>`)
}

// shellChild plays a shell with job control: it runs chat in the foreground,
// takes the terminal when that stops, and continues it when told to.
func shellChild() {
	signal.Ignore(syscall.SIGTTOU)
	mode, _ := term.GetState(inFD)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVar+"=chat")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{os.NewFile(commandFD, "commands"), reports}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Foreground: true, Ctty: inFD}
	if err := cmd.Start(); err != nil {
		report("start %v", err)
		return
	}
	pid := cmd.Process.Pid
	go func() {
		for in := bufio.NewScanner(os.NewFile(shellFD, "shell")); in.Scan(); {
			group := unix.Getpgrp()
			if in.Text() == "fg" { // like bash, without setting a mode
				group = pid
			}
			unix.IoctlSetPointerInt(inFD, unix.TIOCSPGRP, group)
			switch in.Text() {
			case "stopped (signal)":
				syscall.Kill(pid, syscall.SIGSTOP)
				continue
			case "stopped":
				syscall.Kill(pid, syscall.SIGTSTP)
				continue
			case "edit":
				term.MakeRaw(inFD)
				report("raw")
				continue
			case "term":
				syscall.Kill(pid, syscall.SIGTERM)
			}
			syscall.Kill(-pid, syscall.SIGCONT)
		}
	}()
	for {
		var ws syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &ws, syscall.WUNTRACED, nil); err == syscall.EINTR {
			continue
		}
		if !ws.Stopped() {
			report("exit %d", ws.ExitStatus())
			return
		}
		unix.IoctlSetPointerInt(inFD, unix.TIOCSPGRP, unix.Getpgrp())
		left := ""
		if now, _ := term.GetState(inFD); !reflect.DeepEqual(now, mode) {
			left = ", raw" // not every shell mends that
		}
		term.Restore(inFD, mode)
		fmt.Println("\n$ the shell")
		report("stopped %v%s", ws.StopSignal(), left)
	}
}
