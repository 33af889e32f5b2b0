package look_test

import (
	"testing"
	"time"

	"holdfast/cmd/holdfast/internal/look"
)

func TestTime(t *testing.T) {
	at := time.Date(2026, 11, 23, 14, 2, 3, 0, time.UTC)
	for _, c := range []struct {
		look look.Look
		at   time.Time
		want string
	}{
		{look.Look{}, at, ""},
		{look.Look{Layout: "15:04", Zone: time.UTC}, at, "14:02 "},
		{look.Look{Layout: "15:04", Zone: time.FixedZone("", 3600)}, at, "15:02 "},
		{look.Look{Layout: "15:04", Zone: time.UTC}, time.Time{}, ""},
		{look.Look{Layout: "15:04", Zone: time.UTC, Color: true}, at, "\x1b[2m14:02\x1b[0m "},
		{look.Look{Layout: "15:04"}, at, at.Local().Format("15:04 ")},
	} {
		if got := c.look.Time(c.at); got != c.want {
			t.Errorf("%+v: %q, want %q", c.look, got, c.want)
		}
	}
}

// TestName: a name has one colour wherever it is shown, names differ, and without
// colours there is not one escape.
func TestName(t *testing.T) {
	plain, colour := look.Look{}, look.Look{Color: true}
	if got := plain.Name("ana"); got != "ana" {
		t.Errorf("without colour: %q", got)
	}
	if got := colour.Paint(look.Red, ""); got != "" {
		t.Errorf("nothing in red: %q", got)
	}
	if look.StyleOf("ana") != look.StyleOf("ANA") {
		t.Error("case changes the colour")
	}
	styles := map[look.Style]bool{}
	for _, n := range []string{"ana", "bob", "cem", "dora", "emil", "fay", "gus", "hal", "ida", "jon", "kim", "leo"} {
		styles[look.StyleOf(n)] = true
	}
	if len(styles) < 5 {
		t.Errorf("twelve names have only %d colours", len(styles))
	}
}
