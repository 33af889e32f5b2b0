package main

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// configured writes the configuration file and returns its path.
func configured(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	path := filepath.Join(dir, "holdfast", "config")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// parsed runs a command line up to its command's action and gives look its flags.
func parsed(t *testing.T, look func(c *cli.Context), args ...string) (code int, stderr string) {
	t.Helper()
	var errs buffer
	app := newApp(strings.NewReader(""), &buffer{}, &errs)
	for _, c := range app.Commands {
		c.Action = func(c *cli.Context) error { look(c); return nil }
	}
	args = append([]string{"holdfast"}, args...)
	return report(&errs, app.RunContext(t.Context(), permute(app, args))), errs.String()
}

// TestMisspelt: a variable that is nearly a setting is told of, and does not stop anybody.
func TestMisspelt(t *testing.T) {
	home(t)
	for _, name := range []string{"HOLDFAST_SEVER", "HOLDFAST_LINE", "HOLDFAST_TIMEOU\x1bc", "HOLDFAST_SERVER", "HOLDFAST_PORT", "HOLDFAST_SERVICE_HOST", "HOLDFAST_SERVICE_PORT_8080_TCP", "HOLDFAST_"} {
		t.Setenv(name, "x")
	}
	t.Setenv("HOLDFAST_SERVER", "ws://server")
	code, errs := parsed(t, func(*cli.Context) {}, "who")
	lines := slices.Sorted(strings.Lines(errs))
	const ignored = " is no setting, and is ignored; did you mean "
	if want := []string{
		"holdfast: HOLDFAST_LINE" + ignored + "HOLDFAST_LINES?\n",
		"holdfast: HOLDFAST_SEVER" + ignored + "HOLDFAST_SERVER?\n",
		"holdfast: HOLDFAST_TIMEOU␛c" + ignored + "HOLDFAST_TIMEOUT?\n",
	}; code != exitOK || !slices.Equal(lines, want) {
		t.Errorf("code %d, %q, want %q", code, lines, want)
	}
	if code, errs = parsed(t, func(*cli.Context) {}, "tail", "--quiet"); code != exitOK || errs != "" {
		t.Errorf("--quiet: code %d, %q", code, errs)
	}
}

// TestPrecedence: command line, variable, profile, file, default.
func TestPrecedence(t *testing.T) {
	home(t)
	configured(t, "retry-for = 1s\nas = base\n[profile work]\nretry-for = 2s\n")
	for _, c := range []struct{ variable, args, want string }{
		{"", "send", "1s"},
		{"", "send -p work", "2s"},
		{"3s", "send --profile work", "3s"},
		{"3s", "send --profile work --retry-for 4s", "4s"},
		{"", "send --config " + os.DevNull, "30s"},
	} {
		t.Setenv("HOLDFAST_RETRY_FOR", c.variable)
		got, as := "", ""
		code, errs := parsed(t, func(c *cli.Context) { got, as = c.String("retry-for"), c.String("as") }, strings.Fields(c.args)...)
		if code != exitOK || got != c.want {
			t.Errorf("%s: code %d, %q, want %q; %s", c.args, code, got, c.want, errs)
		}
		if want := "base"; as != want && !strings.Contains(c.args, "--config") {
			t.Errorf("%s: as %q, want %q", c.args, as, want)
		}
	}
	t.Setenv("HOLDFAST_RETRY_FOR", "")
	t.Setenv("HOLDFAST_PROFILE", "work")
	got := ""
	if parsed(t, func(c *cli.Context) { got = c.String("retry-for") }, "send"); got != "2s" {
		t.Errorf("HOLDFAST_PROFILE: %q", got)
	}
}

// TestConfigMistakes: each is an error with file and line, whichever command runs.
func TestConfigMistakes(t *testing.T) {
	home(t)
	for text, want := range map[string]string{
		"as = ana\nsevrer = ws://x:1":    ":2: sevrer = ...: there is no flag --sevrer (did you mean server?)",
		"retry-for = 7":                  ":1: retry-for = 7: want a number with a unit, like 30s",
		"[profile a]\nhistory = some":    ":2: history = some: want a number, all or none",
		"json = maybe":                   ":1: json = maybe: want true or false",
		"server = ws://x:1 # mine":       "; a comment needs a line of its own",
		"server = http://x":              ":1: server = http://x: want ws://HOST:PORT",
		"as = an@":                       ":1: as = an@: ",
		"heartbeat = 0s":                 ":1: heartbeat = 0s: can't be zero",
		"config = x":                     ":1: config = x: not in the file: use --config or HOLDFAST_CONFIG",
		"profile = x":                    ":1: profile = x: not in the file",
		"token = a b":                    "the access token: want one word",
		"token = s3cret\ntoken-file = x": ":1: token = ...: there is a token-file too",
		"Token = s3cret":                 ":1: Token = ...: there is no flag --Token (did you mean token?)",
		"token: s3cret":                  ":1: token ...: want FLAG = VALUE",
		"nonsense":                       ":1: nonsense: want FLAG = VALUE",
		"help = true":                    "there is no flag --help",
	} {
		path := configured(t, text)
		code, out, errs := holdfast(t, "", "send", "--room", "general", "--as", "ana", "hello")
		if code != exitUsage || out != "" || !strings.Contains(errs, want) || strings.Count(errs, "\n") != 1 || strings.Contains(errs, "s3cret") {
			t.Errorf("%q: code %d, stdout %q, stderr %q; want %q", text, code, out, errs, want)
		}
		if strings.HasPrefix(want, ":") && !strings.Contains(errs, path+":") {
			t.Errorf("%q: %q does not name the file", text, errs)
		}
	}
	configured(t, "[profile work]\n[profile home]\n")
	for args, want := range map[string]string{
		"send -p wrok":                  `no profile "wrok" in`,
		"send --profile wrok":           "(did you mean work?); it has home, work",
		"send --profile ../../escaped":  `--profile "../../escaped": want letters, digits`,
		"send --config /does/not/exist": "/does/not/exist",
	} {
		if code, _, errs := holdfast(t, "", strings.Fields(args)...); code != exitUsage || !strings.Contains(errs, want) {
			t.Errorf("%s: code %d, %q", args, code, errs)
		}
	}
	home(t)
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	if code, _, errs := holdfast(t, "", "send", "-p", "work"); code != exitUsage || !strings.Contains(errs, `no profile "work": there is no `) {
		t.Errorf("a profile without a file: code %d, %q", code, errs)
	}
	for _, name := range []string{"XDG_CONFIG_HOME", "HOME", "USERPROFILE", "AppData"} {
		t.Setenv(name, "")
	}
	if code, _, errs := holdfast(t, "", "send", "-p", "work", "--room", "r", "--as", "ana", "hello"); code != exitUsage || !strings.Contains(errs, `no profile "work": find configuration`) {
		t.Errorf("a profile without a home: code %d, %q", code, errs)
	}
}

// TestProfileState: a profile is somebody else; without one all is where it was.
func TestProfileState(t *testing.T) {
	home(t)
	configured(t, "[profile work]\n[profile shared]\nstate = here\n")
	state := os.Getenv("XDG_STATE_HOME")
	for args, want := range map[string]string{
		"send":                      "",
		"send -p work":              filepath.Join(state, "holdfast", "profiles", "work"),
		"send -p work --state else": "else",
		"send -p shared":            "here",
	} {
		if code, errs := parsed(t, func(c *cli.Context) {
			if got, err := stateDir(c); err != nil || got != want {
				t.Errorf("%s: %q, %v; want %q", args, got, err, want)
			}
		}, strings.Fields(args)...); code != exitOK {
			t.Error(errs)
		}
	}
	serveFor(t)
	if code, _, errs := holdfast(t, "", "send", "--room", "general", "--as", "ana", "mine"); code != exitOK {
		t.Fatal(errs)
	}
	if code, _, errs := holdfast(t, "", "send", "--room", "general", "--as", "ana", "-p", "work", "not mine"); code != exitRefused {
		t.Errorf("the name of another profile: code %d, %s", code, errs)
	}
}

// TestToken: of file and variable the nearer one counts; nothing leaks.
func TestToken(t *testing.T) {
	home(t)
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := file("good", " from-file \nnot this\n", 0o600)
	configured(t, "token = from-config\n[profile work]\ntoken-file = "+good+"\n")
	for _, c := range []struct{ variable, args, want string }{
		{"", "send", "from-config"},
		{"", "send -p work", "from-file"},
		{"from-variable", "send -p work", "from-variable"},
		{"from-variable", "send --token-file " + good, "from-file"},
	} {
		t.Setenv("HOLDFAST_TOKEN", c.variable)
		code, errs := parsed(t, func(cc *cli.Context) {
			a, err := newAccess(cc)
			if err != nil || a.header.Get("Authorization") != "Bearer "+c.want {
				t.Errorf("%s: %v, %v; want %s", c.args, a, err, c.want)
			}
		}, strings.Fields(c.args)...)
		if code != exitOK {
			t.Errorf("%s: %s", c.args, errs)
		}
	}
	t.Setenv("HOLDFAST_TOKEN", "s3cret")
	const say = "send --room r --as ana hello"
	for args, want := range map[string]string{
		say + " --token s3cret":                              "can be seen by everyone",
		say + " --token-file " + file("empty", "\nx", 0o600): "want the token in the first line",
		say + " --token-file " + file("two", "a b", 0o600):   "want one word",
		say + " --token-file " + dir + "/none":               "--token-file: open",
		say + " --server ws://chat.example":                  "use wss://chat.example",
	} {
		if code, _, errs := holdfast(t, "", strings.Fields(args)...); code != exitUsage || !strings.Contains(errs, want) || strings.Contains(errs, "s3cret") {
			t.Errorf("%s: code %d, %q; want %q", args, code, errs, want)
		}
	}
	t.Setenv("HOLDFAST_TOKEN_FILE", good)
	if code, _, errs := holdfast(t, "", strings.Fields(say)...); code != exitUsage || !strings.Contains(errs, "HOLDFAST_TOKEN: there is a token-file too") || strings.Contains(errs, "s3cret") {
		t.Errorf("both variables: code %d, %q", code, errs)
	}
	if runtime.GOOS == "windows" {
		return // modes don't tell
	}
	args := append(strings.Fields(say), "--token-file", file("open", "s3cret", 0o644))
	if code, _, errs := holdfast(t, "", args...); code != exitUsage || !strings.Contains(errs, "try chmod 600") || strings.Contains(errs, "s3cret") {
		t.Errorf("a readable token: code %d, %q", code, errs)
	}
}

// TestTokenOfOther: a token of the file goes to nobody but the server it stands with.
func TestTokenOfOther(t *testing.T) {
	home(t)
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	if err := os.WriteFile(good, []byte("s3cret"), 0o600); err != nil {
		t.Fatal(err)
	}
	const file = "server = wss://base\ntoken = s3cret\n[profile other]\nserver = wss://other\n[profile same]\nserver = wss://base\n[profile own]\nserver = wss://own\ntoken-file = GOOD\n[profile bare]\ntoken = s3cret\n"
	configured(t, strings.ReplaceAll(file, "GOOD", good))
	for _, c := range []struct{ token, server, args, want string }{
		{args: "who"},
		{args: "who -p same"},
		{args: "who -p own"},
		{args: "who -p bare"},
		{args: "who --server wss://base"},
		{args: "who --server wss://else --token-file " + good},
		{args: "who --server wss://else --token-file=", want: "none"},
		{args: "who -p other", token: "s3cret"},
		{args: "who --server wss://else", token: "s3cret"},
		{args: "who -p own", server: "wss://own"},
		{args: "who --server wss://else", want: ":2: token = ...: this token is for wss://base, not for wss://else; name one for that"},
		{args: "who", server: "wss://else", want: "for wss://base, not for wss://else"},
		{args: "who -p other", want: ":2: token = ...: this token is for wss://base, not for wss://other"},
		{args: "who -p own --server wss://base", want: ": this token is for wss://own, not for wss://base"},
		{args: "who -p bare --server wss://else", want: "for wss://base, not for wss://else"},
	} {
		t.Setenv("HOLDFAST_TOKEN", c.token)
		t.Setenv("HOLDFAST_SERVER", c.server)
		shown := ""
		code, errs := parsed(t, func(cc *cli.Context) {
			if a, err := newAccess(cc); err == nil {
				shown = a.header.Get("Authorization")
			}
		}, strings.Fields(c.args)...)
		switch {
		case c.want == "none" && (code != exitOK || shown != ""), c.want == "" && (code != exitOK || shown != "Bearer s3cret"):
			t.Errorf("%+v: code %d, %q shown; %s", c, code, shown, errs)
		case c.want != "" && c.want != "none" && (code != exitUsage || shown != "" || !strings.Contains(errs, c.want) || strings.Contains(errs, "s3cret")):
			t.Errorf("%+v: code %d, %q shown; %s", c, code, shown, errs)
		}
	}
}
