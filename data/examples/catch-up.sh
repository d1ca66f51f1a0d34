#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Prints every event of the PRP relay once, in order, whatever is restarted meanwhile: the relay, or this.
#
# Needs gdbus, busctl and jq. gdbus is the bell: it prints a line for every signal of the relay, and when the relay comes.
# Whenever it rings, busctl lists the history from the cursor on. So nothing depends on reading the signals themselves.
set -euo pipefail

state=${XDG_STATE_HOME:-$HOME/.local/state}/catch-up-sh
history='' sequence=0
mkdir -p "$state"
[[ ! -e $state/cursor ]] || read -r history sequence <"$state/cursor"

store_cursor() {
  printf '%s %s\n' "$history" "$sequence" >"$state/cursor.new"
  mv "$state/cursor.new" "$state/cursor"
}

# Your own code: this is called once for each event. $4 is its data, as JSON.
handle() {
  if [[ $2 == relay.gap ]]; then
    printf 'gap %s\n' "$(jq -r '[.since, .until, .cause, .channels[]] | join(" ")' <<<"$4")"
  else
    printf 'event %s %s %s\n' "$1" "$2" "$3"
  fi
}

missed() { printf 'Events may have been missed: %s\n' "$1" >&2; }

relay() {
  busctl --user --json=short --auto-start=no "$1" dev.prp.Relay1 /dev/prp/Relay1 dev.prp.Relay1.History "${@:2}"
}

# busctl tells the type of every value; this leaves the values. Then what is said of the whole page on the first line,
# and on each further one an event: its number, type, id and data.
page_program='
def plain: if type == "object" and (.type | type) == "string" then .data | plain
  elif type == "object" then map_values(plain) elif type == "array" then map(plain) else . end;
(.data[1], .data[2], (.data[0][0].sequence.data // 0)),
(.data[0][] | [.sequence.data, .type.data, .id.data, (.data | plain | tojson)]
  | map(tostring | gsub("[\t\n]"; " ") | if . == "" then "-" else . end) | join("\t"))'

# Handles the events behind the cursor. Fails where the relay does not answer: it will ring when it is back.
catch_up() {
  local more=true page properties last id first newest begins number type event_id data
  while [[ $more == true ]]; do
    page=$(relay call ListEvents 'tua{sv}' "$sequence" 500 0 | jq -r "$page_program") || return
    # The properties are read behind the list, so that what they say holds for it.
    properties=$(relay get-property HistoryId FirstSequence LastSequence | jq -r .data) || return
    { read -r id; read -r first; read -r newest; } <<<"$properties"

    if [[ -n $history ]] && { [[ $history != "$id" ]] || ((sequence > newest)); }; then
      missed "the relay has another history now"
      history=$id sequence=0
      continue
    fi
    {
      read -r last; read -r more; read -r begins
      if [[ -n $history ]] && ((sequence > 0 && sequence + 1 < first && begins != sequence + 1)); then
        missed "the relay's history does not reach back that far"
      fi
      history=$id
      while IFS=$'\t' read -r number type event_id data; do
        handle "$number" "$type" "$event_id" "$data"
        sequence=$number
        store_cursor # behind handling: an event that we die over comes again
      done
    } <<<"$page"
    if ((last > sequence)); then
      sequence=$last
      store_cursor
    fi
  done
}

# The bell first: what comes while the history is listed is not missed. It starts the relay where it is not running.
exec {bell}< <(exec gdbus monitor --session --dest dev.prp.Relay1)
trap 'kill "$!" 2>/dev/null' EXIT
while read -r -u "$bell" _; do
  # Rung several times, once is enough.
  while read -r -t 0 -u "$bell" && read -r -u "$bell" _; do :; done
  catch_up || true
done
