// Command holdfast is chat on the command line that holds fast on bad networks:
// server, client and tools in one binary. Run it without arguments for help.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args, os.Stdin, os.Stdout, os.Stderr))
}
