#compdef holdfast
# Completion of holdfast for zsh. In ~/.zshrc, after compinit:
#   source <(holdfast completion zsh)
_holdfast() {
	local -a offers
	offers=("${(@f)$($words[1] complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
	if [[ -z $offers[1] ]]; then
		_files
		return
	fi
	offers=("${(@)offers//:/\\:}")
	offers=("${(@)offers//$'\t'/:}")
	_describe holdfast offers
}
if [[ $funcstack[1] == _holdfast ]]; then
	_holdfast "$@"
else
	compdef _holdfast holdfast
fi
