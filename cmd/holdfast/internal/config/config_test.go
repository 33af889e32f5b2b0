package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

const sample = "\ufeff# a comment\r\nserver = wss://chat.example\r\n  as=ana  \n\n[profile work]\nserver = wss://work.example/a=b\n[ profile  home-2 ]\n"

func TestParse(t *testing.T) {
	f, err := parse("c", []byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	if want := []Entry{{"server", "wss://chat.example", "c", 2}, {"as", "ana", "c", 3}}; !slices.Equal(f.Base(), want) {
		t.Errorf("base: %v", f.Base())
	}
	if got := f.Profiles(); !slices.Equal(got, []string{"home-2", "work"}) {
		t.Errorf("profiles: %v", got)
	}
	work, ok := f.Profile("work")
	if want := []Entry{{"server", "wss://work.example/a=b", "c", 6}}; !ok || !slices.Equal(work, want) {
		t.Errorf("work: %v", work)
	}
	if e, ok := f.Profile("home-2"); !ok || e != nil {
		t.Errorf("an empty profile: %v, %v", e, ok)
	}
	if _, ok := f.Profile("other"); ok {
		t.Error("a profile that is not there")
	}
	if len(f.Entries()) != 3 {
		t.Errorf("all: %v", f.Entries())
	}
}

func TestMalformed(t *testing.T) {
	for text, want := range map[string]string{
		"a = 1\nb":                           "c:2: b: want FLAG = VALUE",
		"a =":                                "c:1: a ...: want FLAG = VALUE; leave out",
		"= 1":                                "c:1: ...: want FLAG = VALUE; leave out",
		"a = 1\n\na = 2":                     "c:3: a = ...: line 1 says it already",
		"[work]":                             "c:1: [work ...: want [profile NAME]",
		"[profile two words]":                "want [profile NAME]",
		"[profile ../up]":                    "want [profile NAME]",
		"[profile a]\nx = 1\n[profile a]":    "c:3: profile a is there twice",
		"a = \xff":                           "no text file",
		"#" + strings.Repeat("\n", maxSize):  "has more than",
		"token s3cret":                       "c:1: token ...: want FLAG = VALUE",
		"token: s3cret":                      "c:1: token ...: want FLAG = VALUE",
		"token:s3cret":                       "c:1: token ...: want FLAG = VALUE",
		"token: s3cret==":                    "c:1: token ...: want FLAG = VALUE",
		"= s3cret":                           "c:1: ...: want FLAG = VALUE",
		"[token s3cret]":                     "c:1: [token ...: want [profile NAME]",
		"Token = s3cret\nToken = s3cret":     "c:2: Token = ...: line 1 says it already",
		"tokne s = s3cret\ntokne s = s3cret": "c:1: tokne ...: want FLAG = VALUE",
		"token = s3cret\ntoken = s3cret-two": "c:2: token = ...: line 1 says it already",
	} {
		if _, err := parse("c", []byte(text)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
	if _, err := parse("c", []byte("a = 1\n[profile p]\na = 2")); err != nil {
		t.Error("a profile may say something else:", err)
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	if _, err := Load(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(path, []byte(sample), 0o644); err != nil {
		t.Fatal(err)
	}
	if f, err := Load(path); err != nil || len(f.Entries()) != 3 {
		t.Errorf("a readable file without secrets: %v", err)
	}
	if err := os.WriteFile(path, []byte("[profile p]\ntoken = s3cret\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Load(path)
	if runtime.GOOS == "windows" {
		return // modes don't tell
	}
	if err == nil || !strings.Contains(err.Error(), ":2 has a token: others can read it (mode 0644); try chmod 600 "+path) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("a readable token: %v", err)
	}
	for mode, good := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o604: false} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); (err == nil) != good {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
}

func TestDefaultPath(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	if got, err := DefaultPath(); err != nil || got != filepath.Join(dir, "holdfast", "config") {
		t.Errorf("%q, %v", got, err)
	}
	t.Setenv("XDG_CONFIG_HOME", "relative")
	t.Setenv("HOME", dir)
	t.Setenv("AppData", "")
	t.Setenv("USERPROFILE", dir)
	if got, err := DefaultPath(); err != nil || got != filepath.Join(dir, ".config", "holdfast", "config") {
		t.Errorf("%q, %v", got, err)
	}
}

// FuzzParse: whatever it is, it has a meaning or an error, and what it means is said
// the same again.
func FuzzParse(f *testing.F) {
	for _, s := range []string{sample, "a = 1", "[profile x]\na=b=c", "token = x\r\n#", "[", "=", "a"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := parse("c", text)
		if err != nil {
			return
		}
		var b strings.Builder
		for _, e := range file.Base() {
			b.WriteString(e.Key + " = " + e.Value + "\n")
		}
		for _, p := range file.Profiles() {
			b.WriteString("[profile " + p + "]\n")
			entries, _ := file.Profile(p)
			for _, e := range entries {
				b.WriteString(e.Key + " = " + e.Value + "\n")
			}
		}
		again, err := parse("c", []byte(b.String()))
		if err != nil {
			t.Fatalf("%q, written again as %q: %v", text, b.String(), err)
		}
		if !slices.EqualFunc(file.Entries(), again.Entries(), func(a, b Entry) bool { return a.Key == b.Key && a.Value == b.Value }) {
			t.Errorf("%q became %q", text, b.String())
		}
	})
}
