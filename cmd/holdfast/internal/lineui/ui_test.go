//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestTypingWhileMessagesArrive(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 60, 12)
	s.do("storm 1000 0")
	for _, r := range "half typed text" {
		s.keys(string(r))
	}
	s.keys("\x1b[D\x1b[D")
	s.wait("typed text and messages", func(now screen) bool {
		return len(now.rows) == 12 && now.rows[11] == "[online] > half typed text" && now.x == 11+13
	})
	s.do("prompt \x1b[33m[ queue]>>>>>> too long for it")
	now := s.wait("new prompt", lastRow("[ queue]>>>half typed text"))
	var first int
	fmt.Sscanf(now.rows[0], "<msg %d>", &first)
	for i, row := range now.rows[:11] {
		if want := fmt.Sprintf("<msg %04d>", first+i); row != want {
			t.Errorf("row %d: %q, want %q", i, row, want)
		}
	}
	s.keys("X\r")
	s.expect(`line "half typed teXxt" <nil>`)
}

func TestSearchSurvivesMessages(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 60, 12)
	s.keys("\x12entry 1")
	s.wait("search", lastRow("(reverse-i-search)`entry 1': history entry 19"))
	s.do("print 50")
	s.wait("message", lastRows("<msg 0049>", "(reverse-i-search)`entry 1': history entry 19"))
	s.keys("5")
	s.wait("narrower search", lastRow("(reverse-i-search)`entry 15': history entry 15"))
	s.keys("\r")
	s.expect(`line "history entry 15" <nil>`)
}

func TestTabCyclesDuringMessages(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 60, 12)
	s.keys("to ")
	for i, word := range []string{"alpha", "be[2Jta", "gamma", "alpha"} { // the ESC of one is gone
		s.keys("\t")
		s.wait("completion", lastRow("[online] > to "+word))
		s.do("print 1")
		s.wait("message", lastRows(fmt.Sprintf("<msg %04d>", i), "[online] > to "+word))
	}
	s.keys("\x1b[Z!\r")
	s.expect(`line "to gamma!" <nil>`)
}

func TestHistoryFromAnywhere(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 60, 12)
	s.do("history never sent") // while ReadLine runs
	s.keys("\r")
	s.expect(`line "" <nil>`)
	s.keys("\x1b[A\r")
	s.expect(`line "never sent" <nil>`)
}

func TestPasteIsOneLine(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 60, 12)
	s.keys("\x1b[200~one\r\ntwo\n/quit\rtab\tx\x03\x04\x1a\x1b[31m\x9b\x1b[20")
	s.wait("paste", lastRow("[online] > one␤two␤/quit␤tab    x[31m\ufffd"))
	s.keys("1~!\r")
	s.expect("pasted")
	s.expect("line \"one\\ntwo\\n/quit\\ntab    x[31m\ufffd!\" <nil>")
}

func TestHugePaste(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 60, 12)
	text := strings.Repeat("0123456789abcde\n", 2000)
	s.do("storm 1000 0")
	go io.WriteString(s.master, "\x1b[200~"+text+"\x1b[201~\r") // an error shows in the report
	s.expect("pasted")
	s.expect(fmt.Sprintf("line %q <nil>", text))
}

// Where nothing but its end was typed, a line has no beginning.
func TestBegan(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 60, 12)
	s.keys("x\x7f\x03\x03one\x03\x1b[200~pasted\x1b[201~\x03") // at once: between two lines Ctrl-C is a signal
	for _, want := range []string{
		`line "" lineui: interrupted`, "no key", `line "" lineui: interrupted`, `line "" lineui: interrupted`,
		"pasted", `line "" lineui: interrupted`,
	} {
		s.expect(want)
	}
}

// What is pasted counts for its own line only, and to the end of that.
func TestPastedIsOfOneLine(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 60, 12)
	s.keys("one\r\x1b[200~/quit\x1b[201~\x15/who\rtwo\r\x1b[200~x\x1b[201~\x03three\x1b\r\r")
	for _, want := range []string{
		`line "one" <nil>`, "pasted", `line "/who" <nil>`, `line "two" <nil>`,
		"pasted", `line "" lineui: interrupted`, `line "three\n" <nil>`,
	} {
		s.expect(want)
	}
}

func TestAltEnter(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 60, 12)
	s.keys("one\x1b\rtwo")
	s.wait("mark", lastRow("[online] > one␤two"))
	s.keys("\r")
	s.expect(`line "one\ntwo" <nil>`)
}

func TestTypedAhead(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 60, 12)
	s.keys("one\rtwo\x03three\rfo\x7five\r")
	s.expect(`line "one" <nil>`)
	s.expect(`line "" lineui: interrupted`)
	s.expect(`line "three" <nil>`)
	s.expect(`line "five" <nil>`)
}

func TestMultiLineWrap(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 40, 12)
	s.do("status reconnecting in 3s")
	s.keys("the quick brown fox jumps over the lazy dog and keeps running over the hills")
	s.do("print 9")
	s.wait("three rows", lastRows("<msg 0008>", "reconnecting in 3s",
		"[online] > the quick brown fox jumps ove", "r the lazy dog and keeps running over th", "e hills"))
	s.keys("\x15short") // erases all of it: the two rows go, too
	s.wait("one row", func(now screen) bool { return lastRow("[online] > short")(now) && now.y == len(now.rows)-1 })
	s.keys(strings.Repeat("x", 24)) // exactly full: the last cell must stay
	s.do("print 1")
	s.wait("a full row", lastRows("<msg 0009>", "reconnecting in 3s", "[online] > short"+strings.Repeat("x", 24)))
	s.keys("\r")
	s.expect(fmt.Sprintf("line %q <nil>", "short"+strings.Repeat("x", 24)))
}

func TestTallerThanTheScreen(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 40, 6) // one row is kept for a message
	s.keys(strings.Repeat("x", 400) + "end")
	s.wait("the rows around the cursor", func(now screen) bool {
		return len(now.rows) == 5 && now.rows[4] == "xxxxxxxxxxxend" && now.x == 14
	})
	s.keys("\x01") // to its beginning
	s.wait("the first rows", func(now screen) bool {
		return strings.HasPrefix(now.rows[now.y], "[online] > xxx") && now.x == 11
	})
}

func TestStatusRows(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 40, 8)
	s.keys("typed")
	s.do("status \x1b[7mone %s|two", strings.Repeat("=", 50))
	s.do("print 2")
	s.wait("two rows", lastRows("<msg 0001>", "one "+strings.Repeat("=", 35), "two", "[online] > typed"))
	s.do("status 1|2|3|4|5|6|7|8|9")
	s.wait("no more rows than fit", func(now screen) bool {
		return len(now.rows) == 8 && lastRows("5", "[online] > typed")(now)
	})
	s.do("nostatus")
	s.wait("none", func(now screen) bool { return lastRow("[online] > typed")(now) && !contains("5")(now) })
}

func TestClearScreen(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 60, 12)
	s.do("print 3")
	s.wait("messages", contains("<msg 0002>"))
	s.keys("kept\x0c")
	s.wait("prompt at the top", func(now screen) bool { return len(now.rows) == 1 && now.rows[0] == "[online] > kept" && now.y == 0 })
	s.do("print 1")
	s.wait("message", lastRows("<msg 0003>", "[online] > kept"))
}

func TestClearByTheProgram(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 60, 12)
	s.do("print 3")
	s.keys("kept")
	s.wait("messages", lastRows("<msg 0002>", "[online] > kept"))
	s.do("clear")
	s.wait("what came later", func(now screen) bool {
		return strings.Join(now.rows, "|") == "<msg 0003>|[online] > kept" && now.y == 1
	})
}

func TestControlC(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 60, 12)
	s.keys("thrown away\x03")
	s.expect(`line "" lineui: interrupted`)
	s.wait("empty prompt", func(now screen) bool { return len(now.rows) == 1 && now.rows[0] == "[online] >" })
	s.keys("\x12entry 3")
	s.wait("search", lastRow("(reverse-i-search)`entry 3': history entry 3"))
	s.keys("\x03")
	s.expect(`line "" lineui: interrupted`)
}

func TestControlD(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 60, 12)
	s.keys("ab\x01\x04\r") // deletes a rune in a line that is not empty
	s.expect(`line "b" <nil>`)
	s.keys("\x04")
	s.expect(`line "" EOF`)
	s.expect("closed <nil> <nil> true")
	s.expect(`left ""`)
	<-s.exited
	s.wantFreshMode()
}

func TestOddKeys(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 60, 12)
	s.keys("a\x1b[1;2Ab\x1b[Ic\x1b[<0;1;1Md\x1b[[Ae\xff\u009bf") // Shift-Up, focus, mouse, F1, not UTF-8, C1
	s.wait("text", lastRow("[online] > abcde\ufffdf"))
	s.keys("\x1bOD\x1bODX") // arrows in application mode
	s.wait("arrows", lastRow("[online] > abcdeX\ufffdf"))
	s.keys("\x12entry 7")
	s.wait("search", lastRow("(reverse-i-search)`entry 7': history entry 7"))
	s.keys("\x1b") // a key of its own: takes what was found
	s.wait("the entry", lastRow("[online] > history entry 7"))
	s.keys("\r")
	s.expect(`line "history entry 7" <nil>`)
}
