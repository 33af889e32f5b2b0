// Package overlay changes programs without a trace in their source: it makes patched
// copies of files and the list that go build and go test take with -overlay. So a
// planted bug, or a place to kill a process at, is data: a file, a text that stands
// there once, and what stands there instead. A text that is gone is an error, so the
// data can't rot.
package overlay

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Edit is one change of a file.
type Edit struct {
	File    string // from the module's root, with slashes
	Find    string // stands in it exactly once
	Replace string
}

// Replace is an Edit that puts code in the place of the text at.
func Replace(file, at, code string) Edit { return Edit{file, at, code} }

// Before is an Edit that puts code in front of the text at.
func Before(file, at, code string) Edit { return Edit{file, at, code + at} }

// After is an Edit that puts code behind the text at.
func After(file, at, code string) Edit { return Edit{file, at, at + code} }

func (e Edit) apply(src string) (string, error) {
	if n := strings.Count(src, e.Find); n != 1 || e.Find == "" {
		return "", fmt.Errorf("%s: the text to replace stands there %d times, not once: %q", e.File, n, e.Find)
	}
	return strings.Replace(src, e.Find, e.Replace, 1), nil
}

// Patch returns the files below root that edits name, changed, by their names.
// Edits of one file are made one after the other.
func Patch(root string, edits ...Edit) (map[string]string, error) {
	files := map[string]string{}
	for _, e := range edits {
		src, known := files[e.File]
		if !known {
			b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(e.File)))
			if err != nil {
				return nil, err
			}
			src = string(b)
		}
		var err error
		if files[e.File], err = e.apply(src); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// Write puts files, by their names from root, into dir and returns the name of the
// list for -overlay. A file that root does not have is added to the build.
func Write(dir, root string, files map[string]string) (list string, err error) {
	if root, err = filepath.Abs(root); err != nil {
		return "", err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", err
	}
	replace := map[string]string{}
	for name, text := range files {
		to := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(root, filepath.FromSlash(name))] = to
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	list = filepath.Join(dir, "overlay.json")
	return list, os.WriteFile(list, text, 0o600)
}
