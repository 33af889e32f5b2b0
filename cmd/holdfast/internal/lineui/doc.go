// Package lineui lets one terminal be typed on and printed to at the same time.
//
// The editor is peterh/liner, which by itself owns the screen while it prompts:
// whatever another goroutine prints then tears the half-typed line apart. But
// liner draws through the variable os.Stdout and reads through the variable
// os.Stdin, and asks for modes and widths only by the numbers 0 and 1. So New
// points both variables at pipes. liner goes on driving the mode of the real
// terminal, while every byte it draws comes to us and every key it gets comes
// from us:
//
//	terminal ─► keys ─► pipe ─► liner ─► pipe ─► model ─► frame ─► terminal
//	                                      Print, SetStatus ───┘
//
// liner's bytes are replayed into a model of a few rows of cells. A frame takes
// the painted rows away and writes, in one write, the waiting lines, the status
// rows, the edit rows and the cursor. As nobody else writes to the terminal,
// nothing can come between a key and its echo.
//
// # Who owns what
//
//   - The painter goroutine owns the model and the picture of what is on screen.
//     It never waits for the terminal, so a frozen one holds nobody up.
//   - The writer goroutine is the only one that writes to the terminal.
//   - The keys goroutine is the only one that reads it. It gives liner one line
//     at a time, keeps what was typed ahead, and does job control (Ctrl-Z).
//   - The goroutine in ReadLine owns liner and may replace it: liner can't
//     recover from a window that was too narrow for a while.
//   - Lines, status and prompt wait in a board, history in a history, each
//     behind its own mutex that is never held across I/O.
//
// Close ends all of them. While a UI is open nothing else may write to
// os.Stdout or read os.Stdin: log to a file, and set http.Server.ErrorLog. A
// killed process (SIGKILL) leaves the terminal raw; the user's way out is reset.
//
// # Limits
//
// Windows: liner moves the cursor there through the console API, past our pipe,
// so New fails with ErrUnsupported and the caller reads plain lines.
// Wide emoji sequences (ZWJ) leave a gap: liner counts their parts. The text
// keeps U+2424 for a line break while it is edited, so one that was typed comes
// back as a line break. A terminal that starts a bracketed paste and never ends
// it keeps every key in the paste; one that lets an end marker pass inside a
// paste hands over the rest as keys. A window of zero columns loses the
// half-typed line, and any resize what Ctrl-K has cut. tmux wraps its rows anew some
// time before it tells of a new size: what is painted in between can leave a row of
// the prompt in the scrollback. SIGTSTP and SIGSTOP from
// elsewhere give no time to take the prompt away; only the Ctrl-Z key does.
package lineui
