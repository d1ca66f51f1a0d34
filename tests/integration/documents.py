# SPDX-License-Identifier: MIT
"""The commands that the README, the man pages and the list of one-liners show, as somebody would copy them."""

import collections
import pathlib
import re
import subprocess

SOURCE_DIR = pathlib.Path(__file__).resolve().parents[2]

# A block is what is shown as one; a statement is what a shell would run at once: a line, or several that belong together.
Block = collections.namedtuple("Block", "place text")

CONFIGURATION = re.compile(r"(\[.+\]|\w+=.*|#.*|)")


def is_configuration(block):
    """A piece of relay.conf, and no commands; nor a drop-in for a unit."""
    return not block.text.startswith("[Service]") and all(CONFIGURATION.fullmatch(line) for line in block.text.splitlines())


def statements(block):
    """(line number within the block, text) of each."""
    found, pending, first = [], [], 0
    for number, line in enumerate(block.text.splitlines()):
        if not pending:
            first = number
        pending.append(line)
        text = "\n".join(pending)
        if not text.strip() or text.lstrip().startswith("#") and len(pending) == 1:
            pending = []
        elif not line.endswith(("\\", "|")) and subprocess.run(["bash", "-n", "-c", text], capture_output=True,
                                                               check=False).returncode == 0:
            found.append((first, text))
            pending = []
    if pending:  # no shell takes it: whoever runs it will be told
        found.append((first, "\n".join(pending)))
    return found


def markdown_blocks(path):
    """What is indented by four, or between fences."""
    lines = path.read_text().splitlines()
    block, first, fenced = [], 0, False
    for number, line in enumerate([*lines, ""], 1):
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            if not block:
                first = number
            block.append(line if fenced else line[4:])
            continue
        elif not line and block and number < len(lines) and lines[number].startswith("    "):
            block.append("")
            continue
        if block:
            yield Block(f"{path.name}:{first}", "\n".join(block))
            block = []


def man_blocks(path):
    """What is between fences, as scdoc prints it."""
    block = None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line != "```":
            if block is not None:
                block.append(re.sub(r"\\(.)", r"\1", line))
        elif block is None:
            block = []
            first = number + 1
        else:
            yield Block(f"{path.name}:{first}", "\n".join(block))
            block = None


def script_blocks(path):
    """A list to copy from: what stands between empty lines, behind the line that keeps it from being run."""
    number, rest = 1, path.read_text()
    head, line, rest = re.split(r"(^.* && exit 0$\n)", rest, maxsplit=1, flags=re.MULTILINE)
    number += (head + line).count("\n")
    for text in rest.split("\n\n"):
        commands = text.strip("\n")
        if re.search("^[^#]", commands, re.MULTILINE):
            yield Block(f"{path.name}:{number + text.count(chr(10), 0, text.index(commands))}", commands)
        number += text.count("\n") + 2


def all_blocks():
    yield from markdown_blocks(SOURCE_DIR / "README.md")
    for path in sorted((SOURCE_DIR / "data" / "man").glob("*.scd")):
        yield from man_blocks(path)
    yield from script_blocks(SOURCE_DIR / "data" / "examples" / "one-liners.sh")
