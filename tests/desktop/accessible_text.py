# SPDX-License-Identifier: MIT
"""Prints what the programs of this session show, as they tell a screen reader: a JSON list, an object for each thing
with a text or a button. A process of its own, because the library knows one session for as long as it lives.

    accessible_text.py PROGRAM      the name that the program gives itself
"""

import json
import sys

import gi

gi.require_version("Atspi", "2.0")
from gi.repository import Atspi, GLib  # noqa: E402

KINDS = {Atspi.Role.LABEL: "label", Atspi.Role.PUSH_BUTTON: "button", Atspi.Role.PROGRESS_BAR: "gauge",
         Atspi.Role.LEVEL_BAR: "gauge"}


def walk(thing, window, found):
    states = thing.get_state_set()
    if not states.contains(Atspi.StateType.SHOWING):
        return
    kind = KINDS.get(thing.get_role())
    if kind is not None:
        area = thing.get_extents(Atspi.CoordType.SCREEN)
        text = thing.get_name()
        if kind == "label" and "Text" in thing.get_interfaces():
            text = Atspi.Text.get_text(thing, 0, -1)
        found.append({"kind": kind, "text": text, "window": window, "area": [area.x, area.y, area.width, area.height]})
    for i in range(thing.get_child_count()):
        child = thing.get_child_at_index(i)
        if child is not None:
            walk(child, window, found)


def main():
    found = []
    desktop = Atspi.get_desktop(0)
    for i in range(desktop.get_child_count()):
        program = desktop.get_child_at_index(i)
        if program is None or program.get_name() != sys.argv[1]:
            continue
        for number in range(program.get_child_count()):
            try:
                window = program.get_child_at_index(number)
                if window is not None:
                    walk(window, number, found)
            except GLib.Error:  # it was closed meanwhile: who asked looks again
                pass
    print(json.dumps(found))


main()
