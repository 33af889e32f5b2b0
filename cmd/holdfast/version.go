package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"

	"holdfast/cmd/holdfast/internal/jsonl"
	"holdfast/session/wire"
)

func versionCommand() *cli.Command {
	return &cli.Command{
		Name:      "version",
		Usage:     "print versions of program, protocol and Go",
		UsageText: "holdfast version [--json]",
		Flags:     []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			return printVersion(c)
		},
	}
}

func printVersion(c *cli.Context) error {
	v := jsonl.Version{Version: version(), Protocol: wire.Subprotocol, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	text := fmt.Sprintf("holdfast %s\nprotocol %s\n%s %s/%s\n", v.Version, v.Protocol, v.Go, v.OS, v.Arch)
	if c.Bool("json") {
		text = jsonl.Line(v)
	}
	_, err := io.WriteString(c.App.Writer, text)
	return err
}

// version is the module's version or, of a build from a checkout, the commit.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value[:min(len(s.Value), 12)]
		}
	}
	return "devel"
}

// clientName is what the server's log calls us.
func clientName() string {
	name := "holdfast/" + version()
	return name[:min(len(name), wire.MaxID)]
}
