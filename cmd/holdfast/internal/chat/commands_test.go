package chat_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/cmd/holdfast/internal/chat"
)

// TestHelp: help tells of all commands and of each, in lines that fit a screen.
func TestHelp(t *testing.T) {
	in(t, func(w *world) {
		ana := w.joined("ana")
		ana.types("/help")
		listed := 0
		for _, l := range ana.all() {
			if len(l) > 80 {
				t.Errorf("%q is too long", l)
			}
			if !strings.HasPrefix(l, "-- /") {
				continue
			}
			listed++
			name, _, _ := strings.Cut(strings.TrimPrefix(l, "-- /"), " ")
			if name == "/TEXT" {
				continue
			}
			ana.types("/help /" + name)
			last := ana.all()[len(ana.all())-1]
			if !strings.HasPrefix(last, "-- /"+name) {
				t.Errorf("help of %s: %q", name, last)
			}
		}
		if listed != 23 { // and the prompt: 24 rows
			t.Errorf("%d lines", listed)
		}
		ana.types("/help wh")
		ana.shows("-- no command /wh (did you mean /who?); /help lists them, // sends a line that begins with /")
	})
}

// TestUnknown: what is no command is never sent.
func TestUnknown(t *testing.T) {
	in(t, func(w *world) {
		ana := w.joined("ana")
		ana.types("/quitt")
		ana.types("/stat")
		ana.types("/ ")
		ana.shows("-- no command /quitt; /help lists them, // sends a line that begins with /",
			"-- no command /stat (did you mean /status?); /help lists them, // sends a line that begins with /")
		ana.types("//quit")
		ana.shows("ana: /quit")
		for _, usage := range []string{"/me TEXT", "/whois NAME", "/msg NAME TEXT", "/reply TEXT", "/join ROOM", "/search TEXT", "/unignore NAME"} {
			name, _, _ := strings.Cut(usage, " ")
			ana.types(name)
			ana.shows("-- usage: " + usage)
		}
		for _, one := range []string{"/who [ROOM]", "/whois NAME", "/join ROOM", "/part [ROOM]", "/ignore [NAME]", "/unignore NAME", "/help [COMMAND]", "/history [N|1h]", "/bell [off|mention|dm|all]", "/quit [--now]"} {
			name, _, _ := strings.Cut(one, " ")
			ana.types(name + " bob eve")
			ana.shows("-- usage: " + one)
		}
		for _, alone := range []string{"/rooms", "/back", "/status", "/reconnect", "/time", "/clear", "/version"} {
			ana.types(alone + " now")
			ana.shows("-- usage: " + alone)
		}
		ana.types("/msg bob")
		ana.types("/outbox drop")
		ana.types("/quit please")
		ana.shows("-- usage: /msg NAME TEXT", "-- usage: /outbox [send|drop N|drop all]", "-- usage: /quit [--now]")
		pass(time.Minute)
		for _, l := range ana.all() {
			if strings.Contains(l, "ana: ") && !strings.HasSuffix(l, "ana: /quit") {
				t.Errorf("%q was sent", l)
			}
		}
	})
}

func TestWho(t *testing.T) {
	in(t, func(w *world) {
		ana := w.join("ana", "", nil)
		ana.types("/who")
		ana.shows("-- not known yet: not connected", "-- you are ana in general; /help lists commands")
		bob := w.joined("bob")
		ana.shows("-- bob joined general")
		ana.types("/WHO")
		ana.shows("-- in general: ana, bob")
		ana.types("/whois BOB")
		ana.types("/whois EVE")
		ana.shows("-- bob is in general", "-- eve is not in your rooms")
		bob.types("/away at\u202e lunch")
		pass(time.Second)
		ana.types("/who")
		ana.types("/whois bob")
		ana.types("/msg BOB are you there?")
		ana.shows("-- in general: ana, bob (away: at lunch)", "-- bob is in general, away: at lunch", "ana -> bob: are you there?")
		bob.shows("-- you are away: at lunch; /back when you are back")
		bob.prompts("[away]       >")
		bob.types("/back")
		bob.shows("-- you are back")
		bob.prompts("[general]    >")
		pass(time.Second)
		ana.types("/whois bob")
		ana.shows("-- bob is in general")
		bob.types("/away")
		pass(time.Second)
		ana.types("/msg bob and now?")
		ana.types("/msg bob or now?")
		ana.shows("-- bob is away", "ana -> bob: or now?")
		if n := ana.count("-- bob is away") + ana.count("-- bob is away: at lunch"); n != 1 {
			t.Errorf("told %d times that bob is away", n)
		}
		bob.types("/back")
		bob.types("/back")
		bob.shows("-- you are back", "-- you were not away")
		pass(time.Second)
		bob.types("/away")
		pass(time.Second)
		ana.types("/msg bob once more")
		ana.shows("-- bob is away")
		bob.shows("-- you are away; /back when you are back")
		bob.types("/away " + strings.Repeat("x", 300))
		bob.shows("-- away text has 300 bytes, more than 256")
		pass(time.Second)
		w.cut("ana")
		ana.row("reconnecting")
		ana.types("/who")
		ana.types("/whois bob")
		ana.shows("-- in general: ana, bob (away); as of before the link was lost", "-- bob is in general, away; as of before the link was lost")
	})
}

// TestIgnore hides what somebody says and does, and whoever has a name like theirs.
func TestIgnore(t *testing.T) {
	in(t, func(w *world) {
		ana, bob := w.joined("ana"), w.joined("bob")
		ana.shows("-- bob joined general")
		ana.types("/ignore")
		ana.types("/ignore ANA")
		ana.types("/ignore bob!")
		ana.types("/ignore nosuch")
		ana.types("/unignore nosuch")
		ana.types("/ignore B0B")
		ana.shows("-- you ignore nobody", "-- that is you", `-- name "bob!" may hold only letters a-z, digits, '-' and '_', and starts with a letter or digit`,
			"-- you ignore nosuch, and whoever's name looks the same; nobody of that name is here now", "-- you see nosuch again; /history has what was hidden",
			"-- you ignore B0B, and whoever's name looks the same")
		bob.types("unheard, ana")
		bob.types("/me unseen")
		bob.types("/quit")
		_ = bob.leaves()
		pass(2 * time.Minute)
		ana.types("/whois bob")
		ana.shows("-- bob is not in your rooms; you ignore bob")
		ana.types("/unignore eve")
		ana.types("/unignore bob")
		ana.shows("-- you do not ignore eve", "-- you see bob again; /history has what was hidden")
		bob = w.join("bob", bob.dir, nil)
		ana.shows("-- bob joined general")
		bob.types("heard")
		ana.shows("bob: heard")
		for _, l := range ana.all() {
			if strings.Contains(l, "un") && strings.Contains(l, "bob") && !strings.HasPrefix(l, "--") || l == "-- bob left general" {
				t.Errorf("%q was shown", l)
			}
		}
		ana.rang(0)
	})
}

// TestSmall are the commands that only tell or set something.
func TestSmall(t *testing.T) {
	in(t, func(w *world) {
		ana := w.joined("ana")
		ana.types("/bell")
		ana.types("/bell ALL")
		ana.types("/bell")
		ana.types("/bell loud")
		ana.shows("-- bell: mention", "-- bell: all", "-- bell: all", `-- bell "loud": want off, mention, dm, all`)
		ana.types("/version")
		ana.shows("-- holdfast 1.2.3")
		ana.types("/clear")
		ana.shows("<clear>")
		ana.types("/time")
		ana.until("time", func() bool {
			return slices.ContainsFunc(ana.printed, func(l string) bool { return strings.HasPrefix(l, "-- "+time.Now().Format("Mon 2 Jan 2006 15:04")) })
		})
		ana.types("/reply hello")
		ana.shows("-- nobody has written to you alone; /msg NAME TEXT begins")
		ana.types("/status")
		ana.until("status", func() bool {
			return slices.ContainsFunc(ana.printed, func(l string) bool {
				return strings.HasPrefix(l, "-- ana in general: online") && strings.HasSuffix(l, " ago, 0 lines unsent")
			})
		})
	})
}

// TestReconnect: the command, and Enter on an empty line, don't wait.
func TestReconnect(t *testing.T) {
	for _, line := range []string{"/reconnect", ""} {
		t.Run(line, func(t *testing.T) {
			in(t, func(w *world) {
				ana := w.joined("ana")
				w.cut("ana")
				pass(5 * time.Minute)
				ana.row("reconnecting in 10")
				w.mend()
				ana.types("/status")
				ana.until("status", func() bool {
					return slices.ContainsFunc(ana.printed, func(l string) bool { return strings.HasPrefix(l, "-- ana in general: waiting") })
				})
				began := time.Now()
				ana.types(line)
				ana.prompts("[general]    >")
				if took := time.Since(began); took > 3*time.Second {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

// TestReadme: README tells of each command.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range chat.Commands() {
		if !regexp.MustCompile("`/" + name + "[` ]").Match(readme) {
			t.Errorf("README does not name /%s", name)
		}
	}
}
