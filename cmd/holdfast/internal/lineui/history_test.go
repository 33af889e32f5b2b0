//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/peterh/liner"
)

func TestHistoryFile(t *testing.T) {
	var h history
	in := "one\n\ntwo\ntwo\nbad \x1b[2J\xff\n" + strings.Repeat("long", 20000) + "\n" + strings.Repeat("x", 5000) + "\nlast"
	if err := h.load(strings.NewReader(in)); err != nil {
		t.Fatal(err)
	}
	h.add("with\na break")
	var out strings.Builder
	if err := h.save(&out); err != nil {
		t.Fatal(err)
	}
	want := "one\ntwo\nbad [2J\ufffd\n" + strings.Repeat("x", 5000) + "\nlast\nwith␤a break\n"
	if out.String() != want {
		t.Errorf("%.200q", out.String())
	}
	if err := h.load(iotest.ErrReader(errors.ErrUnsupported)); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
	r, w := io.Pipe()
	r.CloseWithError(errors.ErrUnsupported)
	if err := h.save(w); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
}

func TestHistoryForLiner(t *testing.T) {
	var h history
	h.add("a")
	h.add("b")
	if got := h.unseen(false); fmt.Sprint(got) != "[a b]" {
		t.Error(got)
	}
	h.add("b")
	h.add("c")
	if got := h.unseen(false); fmt.Sprint(got) != "[c]" {
		t.Error(got)
	}
	if got := h.unseen(true); fmt.Sprint(got) != "[a b c]" {
		t.Error(got)
	}
	for i := range 3 * liner.HistoryLimit {
		h.add(fmt.Sprint(i))
	}
	if got := h.unseen(false); len(got) != liner.HistoryLimit || got[len(got)-1] != "2999" {
		t.Error(len(got), got[len(got)-1])
	}
}
