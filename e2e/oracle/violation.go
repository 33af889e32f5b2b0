package oracle

import (
	"fmt"
	"strings"
)

// Rule names an invariant.
type Rule string

// The invariants of the log.
const (
	LogOrder    Rule = "log-order"     // positions in the log strictly increase
	SaidFirst   Rule = "said-first"    // what is in the log, somebody said, under the name it has there
	OnceInLog   Rule = "once-in-log"   // no line is in the log twice
	AckedInLog  Rule = "acked-in-log"  // an acknowledged line is in the log
	RefusedOut  Rule = "refused-out"   // a refused line is not in the log, nor acknowledged
	SenderOrder Rule = "sender-order"  // a sender's lines are in the log in the order of saying
	SenderNoGap Rule = "sender-no-gap" // a line is in the log only if all that its sender said before is
)

// The invariants of what a reader is shown.
const (
	ViewInLog  Rule = "view-in-log" // what was shown is in the log, at that position, by that user
	ViewOnce   Rule = "view-once"   // no line is shown twice
	ViewOrder  Rule = "view-order"  // lines are shown in the order of the log
	ViewNoGap  Rule = "view-no-gap" // no line is left out, except where that was announced
	ViewOthers Rule = "view-others" // a reader who is not sent some user's lines is not shown any
)

// The invariants of a run whose faults have ended.
const (
	LiveAcked Rule = "live-acked" // all that was said is acknowledged or refused
	LiveLevel Rule = "live-level" // every reader has come to the end of the log
)

// Misuse is broken by the test, not by what it tests: a text was said twice, or
// something happened to a line that nobody said.
const Misuse Rule = "misuse"

// Violation is one breach of a rule.
type Violation struct {
	Rule   Rule
	Detail string // who, which line, where
}

// String returns the violation as one line.
func (v Violation) String() string { return string(v.Rule) + ": " + v.Detail }

// Violations is what Check returns: at least one, in the order of the log, then
// of the senders' and the readers' names.
type Violations []Violation

// shownPerRule keeps one fault that hit thousands of lines readable.
const shownPerRule = 10

// Error lists the violations, one a line. Of each rule it shows the first ten and
// the number of the others.
func (vs Violations) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d violations:", len(vs))
	if len(vs) == 1 {
		b.Reset()
		b.WriteString("1 violation:")
	}
	shown := make(map[Rule]int)
	var rules []Rule
	for _, v := range vs {
		if shown[v.Rule]++; shown[v.Rule] <= shownPerRule {
			fmt.Fprintf(&b, "\n\t%s", v)
		}
		if shown[v.Rule] == shownPerRule+1 {
			rules = append(rules, v.Rule)
		}
	}
	for _, rule := range rules {
		fmt.Fprintf(&b, "\n\t%s: and %d more", rule, shown[rule]-shownPerRule)
	}
	return b.String()
}

// ByRule counts the violations of each rule.
func (vs Violations) ByRule() map[Rule]int {
	counts := make(map[Rule]int)
	for _, v := range vs {
		counts[v.Rule]++
	}
	return counts
}

// short quotes text, of which the beginning is enough to find it.
func short(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		return fmt.Sprintf("%q...", string(runes[:most]))
	}
	return fmt.Sprintf("%q", text)
}
