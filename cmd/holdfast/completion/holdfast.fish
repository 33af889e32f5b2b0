# Completion of holdfast for fish:
#   holdfast completion fish > ~/.config/fish/completions/holdfast.fish
function __holdfast_offers
    set -l words (commandline -opc) (commandline -ct)
    set -l offers ($words[1] complete -- $words[2..-1] 2>/dev/null)
    if test (count $offers) -eq 0
        __fish_complete_path (commandline -ct)
    else
        printf '%s\n' $offers
    end
end
complete -c holdfast -f -a '(__holdfast_offers)'
