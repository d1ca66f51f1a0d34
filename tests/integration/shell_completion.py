# SPDX-License-Identifier: MIT
"""What the shells offer for a command line that is typed up to its end: each shell as a user runs it."""

import os
import pty
import select
import shlex
import subprocess
import time

from fake_relay import SECONDS, SOURCE_DIR

COMPLETIONS = SOURCE_DIR / "data" / "completions"


def definition(line, kind):
    """The file of completions for the program of the line, as a word of a shell's."""
    return shlex.quote(f"{COMPLETIONS / shlex.split(line)[0]}.{kind}")


def bash(line, environment, directory):
    """COMPREPLY of an interactive bash, as words; what bash keeps of the begun word is put back in front."""
    script = directory / "complete.bash"
    script.write_text(f"""
        . /usr/share/bash-completion/bash_completion
        . {definition(line, "bash")}
        COMP_LINE=$1 COMP_POINT=${{#1}}
        read -ra rough <<<"$1"
        [[ $1 == *' ' ]] && rough+=('')
        COMP_WORDS=()
        for word in "${{rough[@]}}"; do  # as readline does, at COMP_WORDBREAKS
            while [[ $word == *[:=]* ]]; do
                before=${{word%%[:=]*}}
                [[ $before ]] && COMP_WORDS+=("$before")
                word=${{word#"$before"}}
                COMP_WORDS+=("${{word:0:1}}")
                word=${{word:1}}
                [[ $word ]] || continue 2
            done
            COMP_WORDS+=("$word")
        done
        COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        function=$(complete -p "${{COMP_WORDS[0]}}")
        function=${{function#* -F }}
        "${{function%% *}}" "${{COMP_WORDS[0]}}" "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD - 1]}}"
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """)
    done = subprocess.run(["bash", "--norc", "-i", str(script), line], env=environment, stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, timeout=SECONDS, check=False, start_new_session=True)
    word = "" if line.endswith(" ") else line.split(" ")[-1]
    head = word[:max(word.rfind(":"), word.rfind("=")) + 1]
    return {head + reply for reply in done.stdout.split("\n") if reply}


def fish(line, environment, directory):
    """The words of fish's own `complete -C`; what they are is left out."""
    program = f"source {definition(line, 'fish')}; complete -C {shlex.quote(line)}"
    done = subprocess.run(["fish", "--no-config", "-c", program],
                          env={**environment, "HOME": str(directory), "XDG_CONFIG_HOME": str(directory)},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.stderr == ""
    return {reply.split("\t")[0] for reply in done.stdout.splitlines()}


ZSH_SETUP = """
fpath=({completions} $fpath)
autoload -Uz compinit && compinit -u -d {directory}/zcompdump
zstyle ':completion:*' list-prompt ''
LISTMAX=10000
typeset -ga offered
compadd() {{
  local -a got
  # Those that only ask which would match are let through; they are not what is offered.
  if [[ ${{@[(I)-(O|A|D)*]}} == 0 ]]; then
    builtin compadd -O got "$@"
    offered+=("${{got[@]}}")
  fi
  builtin compadd "$@"
}}
tell() {{
  offered=()
  zle complete-word
  print -rl -- "${{offered[@]}}" > {directory}/offered.new
  mv {directory}/offered.new {directory}/offered
}}
zle -N tell
bindkey '^X' tell
: > {directory}/ready
"""


def zsh(line, environment, directory):
    """What an interactive zsh, in a terminal of its own, adds as matches."""
    setup, ready, offered = directory / "setup.zsh", directory / "ready", directory / "offered"
    setup.write_text(ZSH_SETUP.format(completions=shlex.quote(str(COMPLETIONS)), directory=directory))
    for path in (ready, offered):
        path.unlink(missing_ok=True)
    parent, child = pty.openpty()
    process = subprocess.Popen(["zsh", "-f", "-i"], env={**environment, "TERM": "xterm", "HOME": str(directory)}, stdin=child,
                               stdout=child, stderr=child, start_new_session=True)
    os.close(child)
    screen = b""

    def wait_for(path):
        nonlocal screen
        deadline = time.monotonic() + SECONDS
        while not path.exists():
            assert time.monotonic() < deadline, screen.decode(errors="replace")
            if select.select([parent], [], [], 0.02)[0]:
                screen += os.read(parent, 65536)

    try:
        os.write(parent, f". {setup}\n".encode())
        wait_for(ready)
        os.write(parent, line.encode() + b"\x18")
        wait_for(offered)
        return {word.rstrip() for word in offered.read_text().splitlines() if word}
    finally:
        process.kill()
        process.wait()
        os.close(parent)
