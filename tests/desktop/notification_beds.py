# SPDX-License-Identifier: MIT
"""Real notification servers, each on a screen and a session bus of its own, seen and handled as a person would.

A bed can start its server, crash it, tell what it shows, press a button, close a notification, and take a picture:

- dunst, which a rule makes run a script for each notification that it shows; its menu of actions is a program, too;
- xfce4-notifyd and notification-daemon, which are made with GTK: what they show is what they tell a screen reader, and
  the mouse clicks where that says that the button is;
- mako, under a sway without a screen. Sway does not run as root: then all of this belongs to nobody;
- GNOME Shell, from shell_bed.py.

No server is ever activated, so none of the machine's can come in the place of the one that is tried.
"""

import collections
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import gi

gi.require_version("Pango", "1.0")
from gi.repository import GLib, Pango  # noqa: E402

from relay_bus import BusError, Client, PrivateBus
from relay_process import Home
from shell_bed import DISPLAY, Shell
from waiting import SCALE, wait_until

HERE = pathlib.Path(__file__).resolve().parent

NOTIFICATIONS = "org.freedesktop.Notifications"
NOTIFICATIONS_PATH = "/org/freedesktop/Notifications"

ICON = HERE.parents[1] / "data" / "icons" / "dev.prp.Relay1.svg"

START_SEC = 20
MAX_LOG_CHARS = 2000   # of each program, in a message
WIDTH, HEIGHT = 1280, 720
BACKGROUND = "#3d5a73"
EMPTY_PICTURE_BYTES = 1500   # of a screen of one colour: no more

Shown = collections.namedtuple("Shown", "summary body buttons")


def end(process):
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(10 * SCALE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def run(*command, **options):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=30 * SCALE,
                          stdin=subprocess.DEVNULL, **options)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


class Bed:
    """A session with a bus, a screen and a notification server. Everything in it ends with close()."""

    name = None
    command = []
    has_gauge = True      # paints the `value` hint as a bar, beside all the rest
    closes_late = False   # is told to close one, says that it did, and leaves it on the screen until its time is over

    def __init__(self):
        self.made = contextlib.ExitStack()
        self.process = None
        self.session = {}  # what programs of this session find in their environment, so that they know the screen
        # Short, as paths of sockets have to be, and no secret to another user who has a part in it.
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="prp-desktop."))
        self.made.callback(shutil.rmtree, self.directory, ignore_errors=True)
        self.directory.chmod(0o711)
        self.home = Home(self.directory)
        icons = self.directory / "share" / "icons" / "hicolor" / "scalable" / "apps"
        icons.mkdir(parents=True)
        shutil.copy(ICON, icons)
        try:
            self.make_session()
        except BaseException:
            self.made.close()
            raise

    def make_session(self):
        self.bus = PrivateBus("dbus-daemon", self.directory, self.home.environment)
        self.made.callback(self.bus.stop)
        self.client = Client(self.bus.address)
        self.made.callback(self.client.close)
        self.environment = dict(self.home.environment, DBUS_SESSION_BUS_ADDRESS=self.bus.address, G_DEBUG="")
        self.make_screen()

    def make_screen(self):
        raise NotImplementedError

    def spawn(self, *command, log="session.log", **options):
        """A process that ends with the bed."""
        with open(self.directory / log, "ab") as output:
            process = subprocess.Popen([str(c) for c in command], env=options.pop("env", self.environment),
                                       stdin=subprocess.DEVNULL, stdout=output, stderr=output, **options)
        self.made.callback(end, process)
        return process

    @property
    def log(self):
        """The ends of what all of the session have said."""
        return "\n".join(p.read_text(errors="replace")[-MAX_LOG_CHARS:] for p in sorted(self.directory.glob("*.log")))

    # -- the server's life

    def owner(self):
        try:
            return self.client.bus_call("GetNameOwner", "(s)", NOTIFICATIONS)[0]
        except BusError:
            return None

    def start(self):
        self.process = self.spawn(*self.command, log="server.log")

        def there():
            assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}:\n{self.log}"
            return self.owner()
        wait_until(there, lambda: f"{self.name} on the bus:\n{self.log}", START_SEC)
        return self

    def crash(self):
        """Its end, without a word to anybody."""
        owner = self.owner()
        self.process.kill()
        self.process.wait()
        wait_until(lambda: self.owner() != owner, f"{self.name} to be gone")

    def close(self):
        self.made.close()

    # -- the protocol, for tests without prp-notify

    def call(self, method, signature=None, *arguments):
        return self.client.call(NOTIFICATIONS_PATH, NOTIFICATIONS, method, signature, *arguments,
                                name=NOTIFICATIONS).unpack()

    def capabilities(self):
        return set(self.call("GetCapabilities")[0])

    def notify(self, summary, body, actions=(), replaces=0, hints=None, timeout=0):
        return self.call("Notify", "(susssasa{sv}i)", "PRP", replaces, "", summary, body, list(actions), hints or {},
                         timeout)[0]

    # -- what a person sees and does

    def shown(self):
        """A Shown for each notification on the screen."""
        raise NotImplementedError

    def wait_shown(self, condition, what, seconds=10):
        """Waits until what is shown is as wanted; returns it."""
        seen = []

        def fits():
            seen[:] = self.shown()
            return condition(seen)
        wait_until(fits, lambda: f"{what} on the screen of {self.name}; it shows {seen}:\n{self.log}", seconds)
        return list(seen)

    def wait_one(self, condition=lambda one: True, what="one notification", seconds=10):
        return self.wait_shown(lambda all_: len(all_) == 1 and condition(all_[0]), what, seconds)[0]

    def press(self, button):
        """Presses a button of the only notification that is shown."""
        raise NotImplementedError

    def dismiss(self):
        """Closes the only notification that is shown."""
        raise NotImplementedError

    @staticmethod
    def as_painted(markup):
        """What Pango paints of a text with markup. It refuses one that is none, and then so would a server."""
        return Pango.parse_markup(markup, -1, "\0")[2]

    def picture(self, path):
        """Takes one, of whatever stands there this moment."""
        raise NotImplementedError

    def screenshot(self, path):
        """A picture of what is shown, when it is painted: two in a row are the same, and no longer an empty screen."""
        taken = [b"", b""]

        def settled():
            self.picture(path)
            taken[:] = [taken[1], path.read_bytes()]
            return taken[0] == taken[1] and len(taken[1]) > EMPTY_PICTURE_BYTES
        wait_until(settled, f"the screen of {self.name} to be painted")
        return path


class X11Bed(Bed):
    """On a screen of Xvfb."""

    def make_screen(self):
        read_end, write_end = os.pipe()
        self.spawn("Xvfb", "-displayfd", write_end, "-screen", "0", f"{WIDTH}x{HEIGHT}x24", "-nolisten", "tcp", "-noreset",
                   pass_fds=[write_end], log="screen.log")
        os.close(write_end)
        with os.fdopen(read_end) as display:
            self.session["DISPLAY"] = ":" + display.readline().strip()
        assert self.session["DISPLAY"] != ":", self.log
        self.environment.update(self.session)
        # Its status is 1 whatever happens; and a black screen would not matter.
        subprocess.run(["display", "-size", f"{WIDTH}x{HEIGHT}", "-window", "root", f"xc:{BACKGROUND}"], env=self.environment,
                       stdin=subprocess.DEVNULL, timeout=30 * SCALE, check=False)

    def click(self, x, y):
        run("xdotool", "mousemove", "--sync", round(x), round(y), "click", "1", env=self.environment)

    def picture(self, path):
        run("import", "-window", "root", path, env=self.environment)


class GtkBed(X11Bed):
    """Of what GTK shows a screen reader is told."""

    services = {"org.a11y.Bus": "/usr/libexec/at-spi-bus-launcher --launch-immediately"}
    close_button = None   # its text

    def make_screen(self):
        super().make_screen()
        for name, command in self.services.items():
            self.bus.add_service(name, command)
        self.client.bus_call("UpdateActivationEnvironment", "(a{ss})", self.environment)

    def things(self):
        """All labels and buttons: kind, text, window, area."""
        return json.loads(run(sys.executable, HERE / "accessible_text.py", pathlib.Path(self.command[0]).name,
                              env=self.environment))

    def shown(self):
        windows = collections.defaultdict(list)
        for thing in self.things():
            windows[thing["window"]].append(thing)
        return [self._shown(things) for things in windows.values()]

    def _shown(self, things):
        labels = [t["text"] for t in things if t["kind"] == "label"]
        buttons = [t["text"] for t in things if t["kind"] == "button" and t["text"] != self.close_button]
        return Shown(labels[0] if labels else None, labels[1] if len(labels) > 1 else "", buttons)

    def _find(self, condition, what):
        def find():
            found = [t for t in self.things() if condition(t)]
            return found[0] if len(found) == 1 else None
        return wait_until(find, lambda: f"{what} to click on; there is {self.things()}")

    def _click_on(self, condition, what):
        x, y, width, height = self._find(condition, what)["area"]
        self.click(x + width / 2, y + height / 2)

    def press(self, button):
        self._click_on(lambda t: t["kind"] == "button" and t["text"] == button, f"a button {button!r}")


class NotificationDaemon(GtkBed):
    name = "notification-daemon"
    command = ["/usr/lib/notification-daemon/notification-daemon"]
    has_gauge = False
    closes_late = True
    close_button = ""

    def dismiss(self):
        self._click_on(lambda t: t["kind"] == "button" and t["text"] == "", "the cross")


class XfceNotifyd(GtkBed):
    name = "xfce4-notifyd"
    command = ["/usr/lib/x86_64-linux-gnu/xfce4/notifyd/xfce4-notifyd"]
    has_gauge = False   # but in place of all the rest
    services = dict(GtkBed.services, **{"org.xfce.Xfconf": "/usr/lib/x86_64-linux-gnu/xfce4/xfconf/xfconfd"})

    def dismiss(self):
        """It has no button for that: a click anywhere else does it."""
        self._click_on(lambda t: t["kind"] == "label" and t["area"][1] == min(o["area"][1] for o in self.things()
                                                                             if o["kind"] == "label"), "its title")


DUNST_RULES = """[global]
    monitor = 0
    width = 380
    origin = top-right
    offset = 24x24
    font = DejaVu Sans 11
    frame_width = 1
    frame_color = "#1f2d3a"
    corner_radius = 8
    padding = 14
    horizontal_padding = 16
    markup = {markup}
    format = "<b>%s</b>\\n%b"
    alignment = left
    show_indicators = no
    progress_bar = true
    progress_bar_height = 8
    highlight = "#4a90d9"
    icon_position = left
    max_icon_size = 32
    enable_recursive_icon_lookup = true
    icon_theme = hicolor
    dmenu = {menu}
    always_run_script = true
    history_length = 10000
[urgency_low]
    background = "#fafafa"
    foreground = "#2e3436"
    timeout = 0
[urgency_normal]
    background = "#fafafa"
    foreground = "#2e3436"
    timeout = 0
[urgency_critical]
    background = "#fafafa"
    foreground = "#2e3436"
    frame_color = "#c01c28"
    timeout = 0
[all]
    summary = "*"
    script = {script}
"""

# Each notification in a file of its own, which is there as a whole or not at all. Which came first is for dunst to say:
# scripts overtake each other.
DUNST_SCRIPT = """#!/bin/sh
cd "$RECORDS" || exit
n=$DUNST_TIMESTAMP.$$
printf '%s\\0' "$DUNST_ID" "$DUNST_SUMMARY" "$DUNST_BODY" >".$n" && mv ".$n" "$n"
"""

# dmenu(1): of the lines on its standard input, the one that was chosen.
DUNST_MENU = """#!/bin/sh
exec sed -n "/^#*$(cat {choice}) /{{p;q}}"
"""


class Dunst(X11Bed):
    name = "dunst"
    markup = "full"

    def make_screen(self):
        super().make_screen()
        self._choice = self.directory / "choice"
        script, menu, config = (self.directory / name for name in ("record", "menu", "dunstrc"))
        script.write_text(DUNST_SCRIPT)
        menu.write_text(DUNST_MENU.format(choice=self._choice))
        for program in (script, menu):
            program.chmod(0o755)
        config.write_text(DUNST_RULES.format(script=script, menu=menu, markup=self.markup))
        self._dunst = ["dunst", "-config", config]

    def control(self, *arguments):
        return run("dunstctl", *arguments, env=self.environment)

    def start(self):
        # A place of its own for each one: the scripts of one that has crashed may still be writing.
        self._records = pathlib.Path(tempfile.mkdtemp(prefix="records.", dir=self.directory))
        self.command = ["env", f"RECORDS={self._records}", *self._dunst]
        return super().start()

    def _displayed(self):
        """id → (summary, body as it was sent) of what its rule has told of, and what is not history yet."""
        records = sorted((p for p in self._records.iterdir() if not p.name.startswith(".")),
                         key=lambda p: [int(n) for n in p.name.split(".")])
        result = {}
        for record in records:
            number, summary, body, _ = record.read_bytes().decode().split("\0")
            result[int(number)] = (summary, body)
        for closed in json.loads(self.control("history"))["data"][0]:
            result.pop(closed["id"]["data"], None)
        return result

    def shown(self):
        def agreed():
            displayed = self._displayed()
            return int(self.control("count", "displayed")) == len(displayed) and [displayed]
        [displayed] = wait_until(agreed, lambda: f"dunst to count as its rule does: {self._displayed()}, {self.control('count')}")
        return [Shown(summary, self.as_painted(body), None) for summary, body in displayed.values()]

    def press(self, button):
        self._choice.write_text(button)
        self.control("context")

    def dismiss(self):
        self.control("close")


class PlainDunst(Dunst):
    """One that was told to leave markup alone, and says so."""

    name = "plain-dunst"
    markup = "no"

    @staticmethod
    def as_painted(text):
        return text


SWAY_CONFIG = """output HEADLESS-1 resolution {width}x{height}
output HEADLESS-1 background {background} solid_color
xwayland disable
"""

MAKO_CONFIG = """default-timeout=0
font=DejaVu Sans 11
width=380
margin=24
padding=14
border-radius=8
"""

NOBODY = 65534


class Mako(Bed):
    name = "mako"

    def make_screen(self):
        runtime, home = self.directory / "wayland", self.directory / "wayland-home"
        for path in (runtime, home):
            path.mkdir(mode=0o700)
        self.as_user = []
        if os.geteuid() == 0:
            self.as_user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
            for path in (runtime, home):
                os.chown(path, NOBODY, NOBODY)
        (self.directory / "sway.conf").write_text(SWAY_CONFIG.format(width=WIDTH, height=HEIGHT, background=BACKGROUND))
        (self.directory / "mako.conf").write_text(MAKO_CONFIG)
        self.screen_environment = dict(
            self.environment, HOME=str(home), XDG_RUNTIME_DIR=str(runtime), XDG_CONFIG_HOME=str(home), XDG_CACHE_HOME=str(home),
            WLR_BACKENDS="headless", WLR_RENDERER="pixman", WLR_LIBINPUT_NO_DEVICES="1")
        self.spawn(*self.as_user, "sway", "-c", self.directory / "sway.conf", env=self.screen_environment, log="screen.log")
        socket = wait_until(lambda: next((p for p in runtime.iterdir() if re.fullmatch(r"wayland-\d+", p.name)), None),
                            lambda: f"sway; it says:\n{self.log}", START_SEC)
        self.session["WAYLAND_DISPLAY"] = str(socket)
        self.screen_environment["WAYLAND_DISPLAY"] = socket.name
        self.command = [*self.as_user, "env", f"WAYLAND_DISPLAY={socket.name}", f"XDG_RUNTIME_DIR={runtime}", f"HOME={home}",
                        "mako", "-c", self.directory / "mako.conf"]

    def control(self, *arguments):
        return run("makoctl", *arguments, env=self.environment)

    def _list(self):
        def plain(value):
            return value["data"]
        groups = json.loads(self.control("list"))["data"]
        return [{key: plain(value) for key, value in one.items()} for group in groups for one in group]

    def shown(self):
        return [Shown(one["summary"], self.as_painted(one["body"]), list(one["actions"].values())) for one in self._list()]

    def press(self, button):
        [one] = self._list()
        action = next(key for key, text in one["actions"].items() if text == button)
        self.control("invoke", "-n", one["id"], action)

    def dismiss(self):
        [one] = self._list()
        self.control("dismiss", "-n", one["id"])

    def picture(self, path):
        picture = self.directory / "wayland-home" / "picture.png"
        run(*self.as_user, "grim", picture, env=self.screen_environment)
        shutil.copy(picture, path)


# Where something in the banner is; null while that moves, or if there is no such thing.
SHELL_PLACE = """
  const banner = Main.messageTray._banner;
  const thing = banner && ({thing});
  if (!thing || !thing.mapped || Main.messageTray._bannerBin.get_transition('y'))
    return null;
  const [x, y] = thing.get_transformed_position(), [width, height] = thing.get_transformed_size();
  return [x, y, width, height];"""


SHELL_HAS = """
  const banner = Main.messageTray._banner;
  return banner !== null && !!({thing});"""

BANNER_SEC = 2   # for it to be large, once it is pointed at


class GnomeShell(Bed):
    name = "gnome-shell"
    has_gauge = False

    def make_session(self):
        self.shell = Shell(self.home)
        self.session["WAYLAND_DISPLAY"] = str(self.home.runtime / DISPLAY)
        self.made.callback(self.shell.stop)
        self.bus, self.client = self.shell.bus, self.shell.client
        self.environment = dict(self.home.environment, DBUS_SESSION_BUS_ADDRESS=self.bus.address, G_DEBUG="")

    def start(self):
        self.shell.start()
        wait_until(self.owner, f"the Shell's place on the bus:\n{self.log}", START_SEC)
        return self

    def crash(self):
        """With the program that has the name for it."""
        owner = self.owner()
        forwarder = self.client.bus_call("GetConnectionUnixProcessID", "(s)", owner)[0]
        self.shell.process.kill()
        self.shell.process.wait()
        self.shell.process = None
        if forwarder != os.getpid():
            os.kill(forwarder, signal.SIGKILL)
        wait_until(lambda: self.owner() != owner, "the Shell to be gone")

    def shown(self):
        return [Shown(one["title"], one["body"], one["actions"]) for one in self.shell.notifications()]

    def place(self, thing, seconds=10):
        """The (x, y, width, height) of something of the banner, when it stands still. The names are those of the Shell."""
        last = [None, None]

        def still():
            last[:] = [last[1], self.shell.evaluate(SHELL_PLACE.format(thing=thing))]
            return last[1] is not None and last[0] == last[1]
        wait_until(still, lambda: f"{thing} to stand still; it is at {last}", seconds)
        return last[1]

    def point_at(self, thing="banner"):
        """The mouse goes there; a banner becomes larger then, and stays."""
        x, y, width, height = self.place(thing, BANNER_SEC)
        self.shell.evaluate(f"""
            globalThis._mouse ??= imports.gi.Clutter.get_default_backend().get_default_seat()
              .create_virtual_device(imports.gi.Clutter.InputDeviceType.POINTER_DEVICE);
            globalThis._mouse.notify_absolute_motion(GLib.get_monotonic_time(), {x + width / 2}, {y + height / 2});""")

    def _click_on(self, thing):
        """False: there is no banner with such a thing. None stays for long, if it is not pointed at."""
        try:
            if not self.shell.evaluate(SHELL_HAS.format(thing=thing)):
                return False
            self.point_at()
            x, y, width, height = self.place(thing, BANNER_SEC)
        except AssertionError:
            return False
        self.shell.click(x + width / 2, y + height / 2)
        return True

    def press(self, button):
        """The banner that is up while its notification changes loses its buttons, by a fault of this Shell. The next one has
        them again; without waiting for that, what is clicked on is one that was never on the screen."""
        if not self._click_on(f"banner._buttonBox?.get_children().find(b => b.label === {json.dumps(button)})"):
            [one] = self.shell.notifications()
            self.shell.activate(one, button)

    def dismiss(self):
        if not self._click_on("banner._closeButton"):
            [one] = self.shell.notifications()
            self.shell.dismiss(one)

    def picture(self, path):
        self.shell.screenshot(path)


BEDS = [Dunst, XfceNotifyd, NotificationDaemon, Mako, GnomeShell]
