# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # _init_completion sets them all
#
# Completes prpctl in bash. What can stand where the cursor is, prpctl itself says: a line a word, a tab, what it is.

_prpctl() {
  local cur prev words cword word head=''
  _init_completion -n := || return

  COMPREPLY=()
  while IFS=$'\t' read -r word _; do
    case $word in
      :files) _filedir ;;
      :programs) mapfile -t COMPREPLY < <(compgen -c -- "$cur") ;;
      *) COMPREPLY+=("$word") ;;
    esac
  done < <("${words[0]}" _complete -- "${words[@]:1:cword}" 2>/dev/null)

  # Bash replaces only what stands behind the last of the characters that it breaks words at.
  [[ $COMP_WORDBREAKS == *:* && $cur == *:* ]] && head=${cur%"${cur##*:}"}
  [[ $COMP_WORDBREAKS == *=* && ${cur#"$head"} == *=* ]] && head=${cur%"${cur##*=}"}
  [[ $head ]] && COMPREPLY=("${COMPREPLY[@]#"$head"}")
}

complete -F _prpctl prpctl
