package chat_test

import (
	"slices"
	"strings"
	"testing"

	"holdfast/cmd/holdfast/internal/chat"
)

func TestComplete(t *testing.T) {
	in(t, func(w *world) {
		ana := w.joined("ana")
		w.joined("bob")
		w.joined("bonnie")
		ana.shows("-- bob joined general", "-- bonnie joined general")
		ana.types("/ignore Eve")
		var all []string
		for _, name := range chat.Commands() {
			all = append(all, "/"+name+" ")
		}
		for _, c := range []struct {
			before, after string
			head          string
			want          []string
		}{
			{"", "", "", []string{"bob: ", "bonnie: "}},
			{"B", "", "", []string{"bob: ", "bonnie: "}},
			{"bon", "", "", []string{"bonnie: "}},
			{"é ü hi bo", " there", "é ü hi ", []string{"bob ", "bonnie "}},
			{"an", "", "", nil},
			{"x", "", "", nil},
			{"/WH", "", "", []string{"/who ", "/whois "}},
			{"/q", "", "", []string{"/quit "}},
			{"//q", "", "", nil},
			{"//x bo", "", "//x ", []string{"bob ", "bonnie "}},
			{"hi /q", "", "hi ", nil},
			{"/msg Bo", "", "/msg ", []string{"bob ", "bonnie "}},
			{"/me hugs bon", "", "/me hugs ", []string{"bonnie "}},
			{"/bell d", "", "/bell ", []string{"dm "}},
			{"/outbox ", "", "/outbox ", []string{"list ", "send ", "drop "}},
			{"/outbox drop ", "", "/outbox drop ", []string{"all "}},
			{"/outbox send ", "", "/outbox send ", nil},
			{"/join g", "", "/join ", []string{"general "}},
			{"/unignore ", "", "/unignore ", []string{"eve "}},
			{"/help st", "", "/help ", []string{"status "}},
			{"/quit -", "", "/quit ", []string{"--now "}},
			{"/nonsense b", "", "/nonsense ", nil},
			{"", "/who", "", []string{"bob: ", "bonnie: "}}, // at the very beginning
			{"", "/msg bob", "", []string{"bob: ", "bonnie: "}},
			{"/", "who bob", "", all},
			{" ", "/who", " ", []string{"bob ", "bonnie "}},
		} {
			head, got, tail := ana.complete(c.before+c.after, len([]rune(c.before)))
			if head != c.head || !slices.Equal(got, c.want) || tail != strings.TrimPrefix(c.after, " ") {
				t.Errorf("%q: %q %q %q, want %q %q", c.before, head, got, tail, c.head, c.want)
			}
		}
	})
}
