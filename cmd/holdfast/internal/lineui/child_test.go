//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/peterh/liner"
)

// The test binary runs itself once more as the program on a terminal. These are
// the files it has besides the terminal: commands come in, reports go out, and
// the one who plays the shell has commands of its own.
const (
	childVar     = "LINEUI_CHILD"
	commandFD    = 3
	reportFD     = 4
	shellFD      = 5
	samplePrompt = "[online] > "
)

func TestMain(m *testing.M) {
	children := map[string]func(){
		"chat": chatChild, "bare": bareChild, "shell": shellChild, "reopen": reopenChild, "panic": panicChild,
	}
	if child := children[os.Getenv(childVar)]; child != nil {
		child()
		return
	}
	os.Exit(m.Run())
}

var reports = os.NewFile(reportFD, "reports")

// report tells the test about an event. A line this short goes through a pipe in
// one piece.
func report(format string, args ...any) {
	fmt.Fprintf(reports, format+"\n", args...)
}

func sampleComplete(line string, pos int) (string, []string, string) {
	return line[:strings.LastIndex(line[:pos], " ")+1], []string{"alpha", "be\x1b[2Jta", "gamma"}, line[pos:]
}

// eachEntry calls add for a history that arrows, prefixes and searches have
// something to choose from.
func eachEntry(add func(string)) {
	for i := range 20 {
		add(fmt.Sprintf("history entry %d", i))
	}
}

// chatChild prints what is sent to it and reports what ReadLine returns.
func chatChild() {
	u, err := New(&Options{PromptWidth: len(samplePrompt), Complete: sampleComplete})
	if err != nil {
		report("new %v", err)
		return
	}
	u.SetPrompt("\x1b[32m" + samplePrompt)
	eachEntry(u.AddHistory)
	signal.Ignore(syscall.SIGHUP) // a test wants to see what the read says
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, syscall.SIGINT)
	go func() { <-end; u.Abort() }()
	go obey(u, os.NewFile(commandFD, "commands"))
	for {
		line, err := u.ReadLine()
		if err == ErrInterrupted && u.Began().IsZero() {
			report("no key")
		}
		if u.Pasted() {
			report("pasted")
		}
		report("line %q %v", line, err)
		if err == io.EOF {
			break
		}
		if err == nil {
			u.Print(fmt.Sprintf("<sent %q>", line))
		}
	}
	began := time.Now()
	err = u.Close()
	report("closed %v %v %v", err, u.Close(), time.Since(began) < 5*time.Second)
	reportLeft()
}

// obey does what the test asks for while ReadLine runs in another goroutine.
func obey(u *UI, commands io.Reader) {
	printed := 0
	message := func() {
		u.Print(fmt.Sprintf("<msg %04d>", printed))
		printed++
	}
	for in := bufio.NewScanner(commands); in.Scan(); {
		verb, rest, _ := strings.Cut(in.Text(), " ")
		switch verb {
		case "print":
			var n int
			fmt.Sscan(rest, &n)
			for range n {
				message()
			}
		case "flood": // far more than fits anywhere, with long lines
			for i := range 20000 {
				u.Print(fmt.Sprintf("<msg %06d> %040d", i, i))
				u.SetStatus(rest)
			}
		case "storm": // so many a second, and in all; zero for ever
			var rate, all int
			fmt.Sscan(rest, &rate, &all)
			go func() {
				began := time.Now()
				for ; all == 0 || printed < all; time.Sleep(time.Millisecond) {
					due := int(time.Since(began).Seconds() * float64(rate))
					if all > 0 {
						due = min(due, all)
					}
					for printed < due {
						message()
					}
				}
				report("printed %d in %.1f s", printed, time.Since(began).Seconds())
			}()
		case "status":
			u.SetStatus(strings.Split(rest, "|")...)
		case "bell":
			u.Bell()
		case "clear":
			u.Print("in vain")
			u.Clear()
			message()
		case "nostatus":
			u.SetStatus()
		case "prompt":
			u.SetPrompt(rest)
		case "history":
			u.AddHistory(rest)
		case "abort":
			defer u.Abort() // after its report
			report("did abort")
			return
		}
		report("did %s", verb)
	}
}

// reportLeft tells of goroutines that should have ended with Close.
func reportLeft() {
	left := ""
	for range 200 {
		buf := make([]byte, 1<<20)
		left = ""
		for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if !strings.Contains(g, "chatChild") && !strings.Contains(g, "reportLeft") &&
				(strings.Contains(g, "lineui.(*") || strings.Contains(g, "liner.(*")) {
				left = g
			}
		}
		if left == "" {
			break
		}
		runtime.Gosched()
		time.Sleep(time.Millisecond) // polls
	}
	report("left %q", left)
}

// bareChild is liner alone on the terminal, as the reference.
func bareChild() {
	l := liner.NewLiner()
	l.SetCtrlCAborts(true)
	l.SetBeep(false)
	l.SetMultiLineMode(true)
	l.SetWordCompleter(func(line string, pos int) (string, []string, string) {
		head, list, tail := sampleComplete(line, pos)
		list[1] = flatten(list[1])
		return head, list, tail
	})
	eachEntry(l.AppendHistory)
	line, err := l.Prompt(samplePrompt)
	l.Close()
	report("line %q %v", line, err)
}

// reopenChild checks that a process can have one UI after another, not two.
func reopenChild() {
	for range 2 {
		u, err := New(nil)
		if err != nil {
			report("new %v", err)
			return
		}
		if _, err := New(nil); err != errInUse {
			report("second new %v", err)
		}
		u.SetPrompt("")
		line, err := u.ReadLine()
		report("line %q %v", line, err)
		u.Close()
		if _, err := u.ReadLine(); err != io.EOF {
			report("read after close %v", err)
		}
		u.Print("into nothing")
	}
	report("stdout %v", os.Stdout.Fd() == outFD && os.Stdin.Fd() == inFD)
}

// panicChild has a goroutine of the UI's panic while it prompts.
func panicChild() {
	u, err := New(&Options{PromptWidth: len(samplePrompt)})
	if err != nil {
		report("new %v", err)
		return
	}
	u.SetPrompt(samplePrompt)
	go u.guard(func() {
		bufio.NewReader(os.NewFile(commandFD, "commands")).ReadString('\n')
		panic("on purpose")
	})()
	u.ReadLine()
}
