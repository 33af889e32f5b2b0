package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// questions are enough for any failpoint that a bot comes by.
const questions = 60

// TestBot kills a bot at every failpoint that it comes by, the first time and a later time,
// and starts it again: each line has one answer, and they are in the order of the lines.
func TestBot(t *testing.T) {
	if raceEnabled && *chaosRounds == 0 {
		t.Skip("who is killed reports no race: not worth one more binary with the detector in it")
	}
	t.Parallel()
	f := buildBot(t)
	for _, p := range clientFailpoints {
		if *chaosRounds == 0 && p.name != "store/committed" && p.name != "store/cursor-put" {
			continue
		}
		for range max(*chaosRounds, 1) {
			ks := []int{1}
			if p.when == often {
				ks = append(ks, 2+rand.IntN(40))
			}
			for _, k := range ks {
				t.Run(fmt.Sprint(p.name, " at ", k), func(t *testing.T) { t.Parallel(); f.bot(t, p, k) })
			}
		}
	}
}

// bot has a bot die while somebody asks, and looks at what was answered.
func (f *failing) bot(t *testing.T, p failpoint, k int) {
	s := newScene(t)
	s.proxy.SetUpstream(s.serve())
	ask := start(t, t.TempDir(), "send", "--room", "general", "--as", "ben", "--server", s.url())
	home := t.TempDir()
	args := []string{s.url(), "general", "bot"}
	armed := f.launch(t, home, p, k, args...)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	asked := 0
	until(t, "the end of the bot", func() bool {
		select {
		case <-armed.ended:
			return true
		case <-tick.C:
		}
		if asked < questions {
			asked++
			ask.say(fmt.Sprint("question ", asked))
		} else if asked == questions && len(s.log("general")) >= 2*questions {
			asked++
			armed.signal(syscall.SIGTERM)
		}
		return false
	})
	if !armed.cmd.ProcessState.Exited() {
		figure("failpoints of a bot", p.name, 1)
	}
	again := f.launch(t, home, failpoint{}, 0, args...)
	ask.say("the last question")
	_ = ask.stdin.Close()
	if code := ask.wait(); code != 0 {
		t.Fatalf("send: exit code %d", code)
	}
	var asks, answers []string
	until(t, "answers to all", func() bool {
		asks, answers = nil, nil
		for _, e := range s.log("general") {
			if e.From == "bot" {
				answers = append(answers, strings.TrimPrefix(e.Text, "re: "))
			} else {
				asks = append(asks, e.Text)
			}
		}
		return len(answers) >= len(asks)
	})
	again.signal(syscall.SIGTERM)
	<-again.ended
	if !slices.Equal(asks, answers) {
		t.Errorf("%d lines have %d answers:\n%q\n%q", len(asks), len(answers), asks, answers)
	}
}

// buildBot is buildFailing for the bot.
func buildBot(t *testing.T) *failing {
	t.Helper()
	list := overlayFailing(t)
	f := &failing{program: t.TempDir() + "/bot", passed: os.DevNull}
	build := exec.Command("go", "build", "-overlay", list, "-ldflags=-w", "-o", f.program, "holdfast/e2e/bot")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build with failpoints: %v\n%s", err, out)
	}
	return f
}
