//go:build !(linux || darwin || freebsd || openbsd || netbsd)

package lineui

import (
	"io"
	"time"
)

// UI can't be made on this system: New always fails.
type UI struct{}

// New returns ErrUnsupported.
func New(*Options) (*UI, error) { return nil, ErrUnsupported }

// ReadLine returns io.EOF.
func (*UI) ReadLine() (string, error) { return "", io.EOF }

// Pasted returns false.
func (*UI) Pasted() bool { return false }

// Began returns zero.
func (*UI) Began() time.Time { return time.Time{} }

// Clear does nothing.
func (*UI) Clear() {}

// Bell does nothing.
func (*UI) Bell() {}

// Print does nothing.
func (*UI) Print(...string) {}

// SetStatus does nothing.
func (*UI) SetStatus(...string) {}

// SetPrompt does nothing.
func (*UI) SetPrompt(string) {}

// Size returns zeros.
func (*UI) Size() (cols, rows int) { return 0, 0 }

// AddHistory does nothing.
func (*UI) AddHistory(string) {}

// Abort does nothing.
func (*UI) Abort() {}

// Close does nothing.
func (*UI) Close() error { return nil }
