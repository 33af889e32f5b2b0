//go:build !linux

package faultproxy

import "io"

// holdPort leaves the choice to the listener: only Linux lets a socket hold a
// port that another one listens on.
func holdPort() (string, io.Closer, error) { return "127.0.0.1:0", io.NopCloser(nil), nil }
