# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # _init_completion sets them all
#
# Completes prp-simulator in bash.

_prp_simulator() {
  local cur prev words cword split
  _init_completion -s || return

  case $prev in
    --token-file | --refresh-token-file | --tls-cert | --tls-key | --port-file)
      _filedir
      return
      ;;
    --listen | -l)
      mapfile -t COMPREPLY < <(compgen -W 'localhost 127.0.0.1' -- "$cur")
      return
      ;;
    --port | -p | --token | -t | --refresh-token | --token-life | --rate | -r | --seed | --heartbeat | --max-channels | \
      --max-actions-per-sec)
      return
      ;;
  esac
  [[ $split == true ]] && return
  mapfile -t COMPREPLY < <(compgen -W '--help --port --listen --token --token-file --any-token --refresh-token
    --refresh-token-file --token-life --rate --seed --heartbeat --max-channels --max-actions-per-sec --tls-cert --tls-key
    --port-file --quiet --verbose --version' -- "$cur")
}

complete -F _prp_simulator prp-simulator
