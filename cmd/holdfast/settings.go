package main

import (
	"os"
	"strings"

	"github.com/urfave/cli/v2"
)

// settle gives every flag that is not on the command line the value of its variable.
// An empty variable counts as unset. urfave/cli would take it for a value, and
// complain about others in words of its own.
func settle(c *cli.Context) error {
	for _, f := range c.Command.Flags {
		name := f.Names()[0]
		if c.IsSet(name) {
			continue
		}
		if text := os.Getenv(variable(name)); text != "" {
			if err := c.Set(name, text); err != nil {
				return usage("%s=%s: %s", variable(name), text, want(f, err.Error()))
			}
		}
	}
	return nil
}

// variable names the variable of a flag.
func variable(flag string) string {
	return "HOLDFAST_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}
