package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestCompletion loads the scripts that holdfast prints into the shells themselves, and
// has them complete.
func TestCompletion(t *testing.T) {
	for shell, script := range map[string]string{
		"bash": `source <(holdfast completion bash)
			words() { COMP_WORDS=(holdfast "$@"); COMP_CWORD=$#; _holdfast; echo "${COMPREPLY[@]}"; }
			complete -p holdfast >/dev/null || echo not registered
			words ta; words tail --un; words serve --log-level ''; words tail --color = al; words send --token-file ''`,
		"zsh": `compdef() { [[ $2 == holdfast ]] || echo not registered; }
			_describe() { local -a w; for o in "${(@P)2}"; do [[ $o == *:* ]] || echo "no description: $o"; w+=("${o%%:*}"); done; echo "$w"; }
			_files() { echo; }
			source <(holdfast completion zsh)
			complete_() { words=(holdfast "$@"); CURRENT=$#words; _holdfast; }
			complete_ ta; complete_ tail --un; complete_ serve --log-level ''; complete_ tail --color al; complete_ send --token-file ''`,
		"fish": `holdfast completion fish | source
			function words; echo (complete -C "holdfast $argv" | string replace -r '\t.*' ''); end
			cd (mktemp -d)
			words ta; words tail --un; words 'serve --log-level '; words tail --color al; words 'send --token-file '`,
	} {
		t.Run(shell, func(t *testing.T) {
			path, err := exec.LookPath(shell)
			if err != nil {
				lacks(t, "no %s here", shell)
			}
			if filepath.Base(binary) != "holdfast" {
				lacks(t, "the binary is not called holdfast")
			}
			args := map[string][]string{"bash": {"--norc"}, "zsh": {"-f"}, "fish": {"--no-config"}}[shell]
			cmd := exec.CommandContext(t.Context(), path, append(args, "-c", script)...)
			cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"))
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			got := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
			want := []string{"tail", "--until-live", "debug error info warn", "always", ""} // words sorted
			for i := range got {
				words := strings.Fields(got[i])
				slices.Sort(words)
				got[i] = strings.Join(words, " ")
			}
			if !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}
