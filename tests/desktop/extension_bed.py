# SPDX-License-Identifier: MIT
"""The extension prp-relay@prp.dev in a real GNOME Shell: its files as they are installed, and what a person sees of it.

What is asked here is what is on the screen: labels that are shown, rows that can be clicked. Of the extension's own
objects only the button in the panel is known, by the name that it is added under.
"""

import collections
import json
import pathlib
import re
import subprocess

from relay_process import BUILD_DIR
from shell_bed import HEIGHT, WIDTH
from waiting import wait_until

UUID = "prp-relay@prp.dev"
SETTINGS = "org/gnome/shell/extensions/prp-relay"
ENABLED, DISABLED = 1, 2
MARGIN = 8  # around the menu, in its picture
FULL_PICTURE_BYTES = 15_000  # an empty window takes a third of that

# Inside the Shell: what is shown of an actor, and of the rows in the menu.
LIBRARY = """
    const {Clutter, St} = imports.gi;
    const button = Main.panel.statusArea['%s'];
    const isShown = actor => actor.mapped && actor.get_paint_opacity() > 0;
    const labels = actor => !isShown(actor) ? [] : (actor instanceof St.Label && actor.text !== '' ? [actor.text] : [])
      .concat(...actor.get_children().map(labels));
    const isRow = actor => actor instanceof St.Widget && actor.has_style_class_name('popup-menu-item');
    const rows = actor => !isShown(actor) ? [] : isRow(actor) ? [actor] : [].concat(...actor.get_children().map(rows));
    const area = actor => [...actor.get_transformed_position(), ...actor.get_transformed_size()];
""" % UUID


def install(directory):
    """The extension, its schema and the translations as `meson install` puts them; the folder for XDG_DATA_DIRS."""
    subprocess.run(["meson", "install", "-C", BUILD_DIR, "--no-rebuild", "--quiet", "--destdir", directory], check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    metadata_path, = directory.rglob(f"gnome-shell/extensions/{UUID}/metadata.json")
    share = metadata_path.parents[3]
    subprocess.run(["glib-compile-schemas", share / "glib-2.0" / "schemas"], check=True)
    # The one absolute path in there, which is about the real prefix.
    metadata = json.loads(metadata_path.read_text())
    metadata["localedir"] = str(directory / pathlib.Path(metadata["localedir"]).relative_to("/"))
    metadata_path.write_text(json.dumps(metadata))
    return share


class Extension:
    def __init__(self, shell):
        self.shell = shell

    def evaluate(self, code):
        """With LIBRARY at hand."""
        return self.shell.evaluate(f"{LIBRARY} {code}")

    def wait_for(self, code, what, seconds=10):
        return self.shell.wait_for(f"{LIBRARY} {code}", what, seconds)

    # -- life

    def state(self):
        return self.shell.evaluate(f"Main.extensionManager.lookup('{UUID}')?.state ?? null")

    def enable(self):
        self.shell.evaluate(f"Main.extensionManager.enableExtension('{UUID}')")
        self.wait_for("return !!button;", "the button in the panel")
        assert self.state() == ENABLED

    def disable(self):
        self.shell.evaluate(f"Main.extensionManager.disableExtension('{UUID}')")
        self.wait_for("return !button;", "the button to go")
        self.shell.wait_for(f"Main.extensionManager.lookup('{UUID}').state === {DISABLED}")

    def renew(self):
        """As if the Shell had just started: reads again what was saved when it was disabled, if that is still there."""
        self.shell.evaluate(f"Main.extensionManager.reloadExtension(Main.extensionManager.lookup('{UUID}'))")

    def save(self):
        """Disables it, and waits until what it knows of PRPs is saved; the file."""
        path = self.shell.home.state / "prp-relay" / "gnome-shell.json"
        path.unlink(missing_ok=True)
        # Who has looked at the menu has seen what is in it: there is something to save in any case.
        self.evaluate("button.menu.open(); button.menu.close(); return 0;")
        self.disable()
        return wait_until(lambda: path.exists() and path, f"the file {path}")

    # -- the panel

    def icon(self):
        """The name of the icon in the panel, without the folder and the end of its file."""
        path = self.evaluate("""
            const icon = actor => actor instanceof St.Icon ? actor
              : actor.get_children().reduce((found, child) => found ?? icon(child), null);
            return icon(button)?.gicon?.to_string() ?? '';""")
        return pathlib.Path(path).name.removeprefix("prp-relay-").removesuffix("-symbolic.svg")

    def wait_icon(self, name, seconds=10):
        wait_until(lambda: self.icon() == name, lambda: f"the icon {name}; it is {self.icon()}", seconds)

    def wait_name(self, pattern):
        """For what a screen reader says of the icon."""
        def name():
            return self.evaluate("return button.accessible_name;")
        wait_until(lambda: re.fullmatch(pattern, name()), lambda: f"the name {pattern!r}; it is {name()!r}")

    # -- the menu

    def open(self):
        """Clicks on the indicator."""
        if not self.evaluate("return button.menu.isOpen;"):
            self._click(self.wait_for("return isShown(button) && area(button).every(Number.isFinite) && area(button);",
                                      "the button to have its place"))
            self.wait_for("return button.menu.isOpen && isShown(button.menu.actor);", "the menu")

    def close(self):
        self.evaluate("button?.menu.close(); return 0;")

    def _click(self, area):
        x, y, width, height = area
        self.shell.click(x + width / 2, y + height / 2)

    def rows(self):
        """Rows of the menu that are shown and say something: the texts of each."""
        return [row["labels"] for row in self._rows() if row["labels"]]

    def names(self):
        """What a screen reader says of each row."""
        return [row["name"] for row in self._rows() if row["labels"]]

    def _rows(self):
        return self.evaluate("""
            return rows(button.menu.actor).map(row => {
              return {labels: labels(row), name: row.accessible_name, area: area(row)};
            });""")

    def wait_rows(self, condition, what, seconds=10):
        """For a condition on rows()."""
        seen = []

        def there():
            seen[:] = self.rows()
            return condition(seen)
        return wait_until(there, lambda: f"{what}; there is {seen}", seconds)

    def wait_row(self, *texts, seconds=10):
        """For a row with exactly these texts."""
        return self.wait_rows(lambda rows: list(texts) in rows, f"a row {texts}", seconds)

    def wait_text(self, *texts, seconds=10):
        """For these texts to stand somewhere in the menu."""
        return self.wait_rows(lambda rows: all(any(text in row for row in rows) for text in texts), f"{texts}", seconds)

    def click(self, title):
        """A real click on the row of that title; the menu goes."""
        self._click_row(title)
        self.wait_for("return !button.menu.isOpen;", "the menu to go")

    def expand(self, title):
        """A real click on the row of that title, which has a menu of its own; another one that is open goes."""
        before = self.rows()
        self._click_row(title)
        self.wait_rows(lambda rows: rows != before, f"the rows below {title}")

    def _click_row(self, title):
        self.shell.settle()  # all rows are where they belong
        row = wait_until(lambda: next((row for row in self._rows() if title in row["labels"]), None),
                         lambda: f"the row {title}; there is {self.rows()}")
        self._click(row["area"])

    def screenshot(self, path):
        """The open menu, and the panel above it."""
        x, y, width, height = self.evaluate("return area(button.menu.actor);")
        left, right = max(x - MARGIN, 0), min(x + width + MARGIN, WIDTH)
        return self.shell.screenshot(path, (left, 0, right - left, min(y + height + MARGIN, HEIGHT)))

    # -- preferences

    def wait_preferences(self):
        """For the window to be there, and painted to the end; returns what of the screen it takes."""
        self.shell.wait_for("!!global.display.focus_window", "a window that has the focus", 60)
        return self.shell.evaluate("""
            const {x, y, width, height} = global.display.focus_window.get_frame_rect();
            return [x, y, width, height];""")

    def screenshot_preferences(self, path):
        """The window is filled while it is there already: the picture is one that stays as it is, and that is full."""
        area = self.wait_preferences()
        pictures = [b"", b""]

        def done():
            pictures[:] = [pictures[1], self.shell.screenshot(path, area).read_bytes()]
            return pictures[0] == pictures[1] and len(pictures[1]) > FULL_PICTURE_BYTES
        wait_until(done, lambda: f"a window full of settings; its picture takes {len(pictures[1])} bytes", 30)
        return path

    def close_preferences(self):
        self.shell.evaluate("global.get_window_actors().forEach(a => a.meta_window.delete(global.get_current_time()));")
        self.shell.wait_for("global.get_window_actors().length === 0", "the window to go")


class Ledger:
    """What the Shell's JavaScript keeps, and what the extension has not taken out of the main loop, from now on."""

    def __init__(self, extension, directory):
        self.extension = extension
        self._path = directory / "heap"
        # Who adds a source is known by the place in the code.
        self.extension.shell.evaluate(f"""
            const sources = globalThis._sources = new Map();
            const where = () => new Error().stack.split('\\n').find(line => line.includes('/{UUID}/'));
            for (const name of ['timeout_add', 'timeout_add_seconds', 'idle_add']) {{
              const add = GLib[name];
              GLib[name] = (priority, ...rest) => {{
                const place = where();
                if (!place)
                  return add(priority, ...rest);
                const callback = rest.pop();
                const id = add(priority, ...rest, () => {{
                  const goesOn = callback();
                  if (!goesOn)
                    sources.delete(id);
                  return goesOn;
                }});
                sources.set(id, place);
                return id;
              }};
            }}
            const remove = GLib.source_remove;
            GLib.source_remove = id => {{
              sources.delete(id);
              return remove(id);
            }};
            return 0;""")

    def sources(self):
        """Those that the extension has in the main loop: the places that added them."""
        return self.extension.shell.evaluate("return [...globalThis._sources.values()];")

    def heap(self):
        """How many objects of each kind JavaScript has, after what is not used any more has gone."""
        for _ in range(3):  # the first finds widgets that nobody uses, and the turn after it lets go of what they have
            self.extension.shell.evaluate("imports.system.gc(); return 0;")
            self.extension.shell.settle()
        self.extension.shell.evaluate(f"imports.system.dumpHeap({json.dumps(str(self._path))}); return 0;")
        kinds = collections.Counter()
        with open(self._path, encoding="utf-8", errors="replace") as dump:
            for line in dump:  # "0x2f8c6a7e0d80 B GObject_Object 0x5591b3a0c2f0"; edges of the graph begin with ">"
                match = re.match(r"0x[0-9a-f]+ \S ([A-Z]\w*)", line)
                if match:
                    kinds[match[1]] += 1
        self._path.unlink()
        return kinds

    def memory(self):
        return self.extension.shell.status("VmRSS")
