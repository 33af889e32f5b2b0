//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

var (
	diffSeeds = flag.Int("lineui.seeds", 24, "how many random key sequences TestSameAsBareLiner compares")
	diffFrom  = flag.Uint64("lineui.from", 1, "its first seed")
)

var (
	diffWords = []string{"a", "bc", "hello ", "word word ", "x", " ", "zz", "0123456789"}
	diffActs  = []string{
		"\x01", "\x05", "\x1b[D", "\x1b[C", "\x1b[D\x1b[D", "\x7f", "\x17", "\x15", "\x19", "\x0b", "\x1b[A", "\x1b[B",
		"\t", "\t\t", "\t\x1b[Z", "\x12ent", "\x12", "\x13", "\x14", "\x1bb", "\x1bf", "\x1bd", "\x1by", "\x0c", "\x1b[3~", "\x1b[1;5D",
		"\x07", "\x1b[A\x1b[A",
	}
)

// The same random keys into bare liner, and into lineui under 50 messages a second,
// or 1,000: the edit rows, the cursor and the line must come out the same. Only
// ASCII, because vt10x has no wide runes; the model's own tests have.
func TestSameAsBareLiner(t *testing.T) {
	for i := range uint64(*diffSeeds) {
		seed := *diffFrom + i
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			keys := randomKeys(seed)
			bare, chat := start(t, "bare", 40, 16), start(t, "chat", 40, 16)
			rate, pause := 50, 10*time.Millisecond
			if seed%2 == 0 {
				rate, pause = 1000, 3*time.Millisecond
			}
			chat.do("storm %d 0", rate)
			pace := rand.New(rand.NewPCG(seed, 1))
			for _, k := range keys {
				bare.keys(k)
				chat.keys(k)
				time.Sleep(time.Duration(pace.Int64N(int64(pause)))) // lets paints fall between keys
			}
			bare.keys("@@")
			chat.keys("@@")
			bare.wait("the end", func(now screen) bool { return strings.Contains(strings.Join(now.rows, ""), "@@") })
			chat.wait(fmt.Sprintf("what liner shows, keys %q", keys), func(now screen) bool {
				want, _ := bare.screen() // each time: bare liner doesn't hide the cursor while it draws
				return reflect.DeepEqual(editRows(now), want)
			})
			bare.keys("\r")
			chat.keys("\r")
			chat.expect(bare.report())
		})
	}
}

// Without flags, too, each kind of key is met, most of them in lines of several rows.
func TestRandomKeysReachAll(t *testing.T) {
	met := map[string]int{}
	for i := range uint64(24) {
		length := 0
		for _, k := range randomKeys(1 + i) {
			if met[k]++; k[0] >= ' ' {
				length += len(k)
			}
		}
		if length > 2*40 {
			met["three rows"]++
		}
	}
	for _, k := range append([]string{"three rows"}, diffActs...) {
		if met[k] < 5 {
			t.Errorf("%q %d times", k, met[k])
		}
	}
}

func randomKeys(seed uint64) []string {
	r := rand.New(rand.NewPCG(seed, 0))
	keys := []string{"start "}
	for range 60 {
		if r.IntN(3) > 0 {
			keys = append(keys, diffWords[r.IntN(len(diffWords))])
		} else {
			keys = append(keys, diffActs[r.IntN(len(diffActs))])
		}
	}
	return keys
}

// editRows is the screen below the messages; all of it if something else is between
// them, such as a row of the prompt that was not erased.
func editRows(s screen) screen {
	top := 0
	for i, row := range s.rows {
		if !strings.HasPrefix(row, "<msg ") {
			continue
		}
		if i > top {
			return s
		}
		top = i + 1
	}
	return screen{s.rows[top:], s.x, s.y - top}
}
