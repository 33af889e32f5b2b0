package chat

import (
	"strings"
	"testing"

	"holdfast/session"
	"holdfast/session/wire"
)

// TestTypedFor: what comes back is said as it was meant, or not at all.
func TestTypedFor(t *testing.T) {
	for _, c := range []struct {
		refused    session.RefusedError
		want       string
		what       input
		name, rest string
	}{
		{session.RefusedError{Text: "hello"}, "hello", speech, "", "hello"},
		{session.RefusedError{Text: "/etc"}, "//etc", speech, "", "/etc"},
		{session.RefusedError{Text: "//etc"}, "///etc", speech, "", "//etc"},
		{session.RefusedError{Text: "waves", Kind: wire.KindAction}, "/me waves", order, "me", "waves"},
		{session.RefusedError{Text: "/psst", Kind: wire.KindPrivate, To: "bob"}, "/msg bob /psst", order, "msg", "bob /psst"},
		{session.RefusedError{Text: "two\nlines", Kind: wire.KindPrivate, To: "bob"}, "/msg bob two\nlines", spoiled, "", "/msg bob two\nlines"},
	} {
		got := typedFor(&c.refused)
		if what, name, rest := parse(got); got != c.want || what != c.what || name != c.name || rest != c.rest {
			t.Errorf("%+v: %q, %v %q %q", c.refused, got, what, name, rest)
		}
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		line string
		what input
		name string
		rest string
	}{
		{"", nothing, "", ""},
		{" \t\n", nothing, "", ""},
		{"hello", speech, "", "hello"},
		{" hello ", speech, "", " hello "},
		{"//etc", speech, "", "/etc"},
		{"//etc\n/usr", speech, "", "/etc\n/usr"},
		{"/me waves", order, "me", "waves"},
		{"/ME  waves ", order, "me", "waves"},
		{"/", order, "", ""},
		{" /quit", spoiled, "", " /quit"},
		{"\t/quit", spoiled, "", "\t/quit"},
		{" //etc", spoiled, "", " //etc"},
		{"/quit\n/quit", spoiled, "", "/quit\n/quit"},
		{"/me waves\nand smiles", spoiled, "", "/me waves\nand smiles"},
		{"  /* code */\n  x", speech, "", "  /* code */\n  x"},
	} {
		if what, name, rest := parse(c.line); what != c.what || name != c.name || rest != c.rest {
			t.Errorf("%q: %v %q %q, want %v %q %q", c.line, what, name, rest, c.what, c.name, c.rest)
		}
	}
}

// A typed line is a command, or said as it was typed, less the first of two slashes. What
// has line breaks is never a command.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "/", "//", "//me", "/me waves", "/ME  waves ", " /me", "/me\twaves", "/quit\n", "/ a", "/\xff\x1b[2J x", "hello // you"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		what, name, rest := parse(line)
		switch what {
		case speech:
			if rest != line && (!strings.HasPrefix(line, "//") || "/"+rest != line) {
				t.Errorf("%q: says %q", line, rest)
			}
		case order:
			if strings.Contains(line, "\n") || !strings.HasPrefix(line, "/") || strings.HasPrefix(line, "//") {
				t.Errorf("%q is run", line)
			}
			first, after, _ := strings.Cut(line[1:], " ")
			if name != strings.ToLower(first) || rest != strings.TrimSpace(after) {
				t.Errorf("%q: %q %q", line, name, rest)
			}
		case spoiled:
			if !strings.HasPrefix(strings.TrimLeft(line, " \t"), "/") {
				t.Errorf("%q is neither said nor run", line)
			}
		case nothing:
			if strings.TrimSpace(line) != "" {
				t.Errorf("%q is nothing", line)
			}
		}
	})
}

func TestHasWord(t *testing.T) {
	for _, c := range []struct {
		text string
		want bool
	}{
		{"ana", true},
		{"hi Ana!", true},
		{"(ana)", true},
		{"banana ana", true},
		{"ana's", true},
		{"über,ana", true},
		{"banana", false},
		{"ana_b", false},
		{"ana-lisa", false},
		{"ana2", false},
		{"anaé", false},
		{"", false},
		{"anaana", false},
	} {
		if got := hasWord(c.text, []string{"ANA", ""}); got != c.want {
			t.Errorf("%q: %v", c.text, got)
		}
	}
}
