# SPDX-License-Identifier: MIT
"""A real GNOME Shell without a screen: its two buses, its settings, and a way in.

The Shell is the machine's own program, `gnome-shell --headless`, on a virtual monitor that the processor paints. What it
needs beside that is made here, and all of it is private to one run:

- a *session* bus (relay_bus.PrivateBus), on which nothing can be activated but what the Shell itself is made of: the
  forwarder that owns org.freedesktop.Notifications, and the program that shows the preferences of extensions;
- a *system* bus with logind's mock: without one the Shell does not start;
- a home with a key file in place of dconf, and an empty XDG_RUNTIME_DIR.

Unsafe mode opens org.gnome.Shell.Eval and the screenshots to us. What is evaluated runs in the Shell's main loop: an
answer also says that the Shell is not blocked.

Screens are locked through the Shell's own screen shield, as by Super+L: the session's mode becomes "unlock-dialog", in
which there are no extensions. Where no display manager is heard of the Shell makes no shield, so it is made here.
"""

import contextlib
import json
import re
import resource
import signal
import subprocess

from gi.repository import GLib

from relay_bus import BusError, Client, PrivateBus
from waiting import SCALE, wait_until

SHELL = "org.gnome.Shell"
SHELL_PATH = "/org/gnome/Shell"
SHARE = "/usr/share/gnome-shell"
# What the Shell has the bus start for it.
SERVICES = {"org.gnome.Shell.Notifications": f"/usr/bin/gjs {SHARE}/org.gnome.Shell.Notifications",
            "org.gnome.Shell.Extensions": f"/usr/bin/gjs {SHARE}/org.gnome.Shell.Extensions"}

DISPLAY = "wayland-test"
WIDTH, HEIGHT = 1280, 720
START_SEC = 60  # until it has painted its panel, on a machine that does something else as well
END_SEC = 20

# It often crashes in its destructors when it is told to end. That is the Shell's own affair.
END_STATUS = (0, -signal.SIGSEGV, 128 + signal.SIGSEGV)

DEFAULT_SETTINGS = {
    "org/gnome/shell": {"disable-user-extensions": "false", "welcome-dialog-last-shown-version": "'99'"},
    "org/gnome/desktop/interface": {"enable-animations": "false"},
    "org/gnome/desktop/session": {"idle-delay": "uint32 0"},
    "org/gnome/desktop/background": {"picture-uri": "''", "picture-uri-dark": "''", "picture-options": "'none'",
                                     "primary-color": "'#3d5a73'", "color-shading-type": "'solid'"},
    "org/gnome/system/location": {"enabled": "false"},
}


# What in the log is a complaint of somebody, and where an entry of it begins.
COMPLAINT = re.compile(r"JS (ERROR|WARNING)|CRITICAL|WARNING|already (been )?(disposed|deallocated|finalized)|"
                       r"[Uu]nhandled|Extension .* (error|had)|[Ss]tack trace")
ENTRY = re.compile(r"^(?=\(\S+:\d+\): |[\w -]+-(?:Message|WARNING|CRITICAL|INFO): |Window manager |_)", re.M)

# What the Shell complains of by itself here, without any extension.
KNOWN_COMPLAINTS = [(re.compile(pattern), reason) for pattern, reason in (
    (r"org\.gnome\.SessionManager\b.*does not exist", "there is no session manager"),
    (r"Missing required core component Settings", "gnome-control-center is not installed"),
    (r"There is no colord server available", "there is no colour management on the system bus"),
    (r"The name org\.gnome\.Shell\.CalendarServer was not provided", "its calendar wants Evolution's data server"),
    (r"ActUserManager: user \(null\) has no username", "there is no accounts service on the system bus"),
    (r'Method "SetLockedHint" .* doesn\'t exist', "logind's mock does not have it"),
    (r"libmutter-CRITICAL .*meta_later_(add|remove): assertion 'display' failed", "its own end, in the wrong order"),
)]


class EvaluationError(Exception):
    """What the evaluated JavaScript has thrown."""


class SystemBus:
    """A system bus with nobody on it but logind's mock."""

    def __init__(self, home):
        directory = home.directory / "system"
        directory.mkdir()
        self.bus = PrivateBus("dbus-daemon", directory, home.environment)
        self.address = self.bus.address
        self._log_path = directory / "logind.log"
        environment = dict(home.environment, DBUS_SYSTEM_BUS_ADDRESS=self.address)
        with open(self._log_path, "wb") as log:
            self._logind = subprocess.Popen(["/usr/bin/python3", "-m", "dbusmock", "--system", "--template", "logind"],
                                            env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait(self):
        client = Client(self.address, listens=False)
        try:
            wait_until(lambda: client.bus_call("NameHasOwner", "(s)", "org.freedesktop.login1")[0],
                       lambda: f"logind's mock; it says: {self._log_path.read_text()}", START_SEC)
        finally:
            client.close()

    def stop(self):
        end(self._logind)
        self.bus.stop()


def end(process):
    """Ends a process of ours; its status."""
    if process.poll() is None:
        process.terminate()
    try:
        return process.wait(END_SEC * SCALE)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


class Shell:
    """A GNOME Shell, not yet started, on a session bus of its own. May be started again after stop()."""

    def __init__(self, home, language="en", data_dirs=()):
        """`data_dirs` come before those of the system, as in XDG_DATA_DIRS."""
        self.home = home
        self.log_path = home.directory / "shell.log"
        self.process = None
        self._settings_path = home.config / "glib-2.0" / "settings" / "keyfile"
        with contextlib.ExitStack() as made:
            self.bus = PrivateBus("dbus-daemon", home.directory, home.environment)
            made.callback(self.bus.stop)
            self.system_bus = SystemBus(home)
            made.callback(self.system_bus.stop)
            self.client = Client(self.bus.address)
            made.callback(self.client.close)
            self._made = made.pop_all()
        self.environment = dict(
            home.environment, DBUS_SESSION_BUS_ADDRESS=self.bus.address,
            DBUS_SYSTEM_BUS_ADDRESS=self.system_bus.address,
            XDG_SESSION_TYPE="wayland", XDG_CURRENT_DESKTOP="GNOME", XDG_SESSION_CLASS="user", XDG_SESSION_ID="c1",
            GSETTINGS_BACKEND="keyfile", LIBGL_ALWAYS_SOFTWARE="1", NO_AT_BRIDGE="1", GTK_A11Y="none", TZ="UTC",
            # A criticism of the Shell's own shall not end it, but be in the log.
            G_DEBUG="", LANGUAGE=language,
            XDG_DATA_DIRS=":".join([*map(str, data_dirs), "/usr/local/share", "/usr/share"]))
        for name, command in SERVICES.items():
            self.bus.add_service(name, command)
        for group, keys in DEFAULT_SETTINGS.items():
            self.set(group, **keys)

    # -- settings

    def set(self, group, **keys):
        """Sets keys of GSettings, in GVariant's text; "a_b" stands for "a-b". `group` is the path of a schema that has
        its name. What runs in the Shell has learned of it when this returns."""
        keys = {key.replace("_", "-"): value for key, value in keys.items()}
        if self.is_running():
            self.evaluate(f"""
                const settings = new Gio.Settings({{schema_id: {json.dumps(group.replace("/", "."))}}});
                for (const [key, text] of Object.entries({json.dumps(keys)})) {{
                  const type = settings.settings_schema.get_key(key).get_value_type();
                  settings.set_value(key, GLib.Variant.parse(type, text, null, null));
                }}
                return 0;""")
            return
        file = GLib.KeyFile()
        with contextlib.suppress(GLib.Error):  # there is none yet
            file.load_from_file(str(self._settings_path), GLib.KeyFileFlags.NONE)
        for key, value in keys.items():
            file.set_value(group, key, value)
        self._settings_path.parent.mkdir(parents=True, exist_ok=True)
        self._settings_path.write_text(file.to_data()[0])

    def reset(self, group):
        """All its keys are the default again."""
        self.evaluate(f"""
            const settings = new Gio.Settings({{schema_id: {json.dumps(group.replace("/", "."))}}});
            settings.settings_schema.list_keys().forEach(key => settings.reset(key));
            return 0;""")

    # -- life

    def command(self):
        return ["gnome-shell", "--headless", "--wayland", "--no-x11", "--unsafe-mode", f"--wayland-display={DISPLAY}",
                f"--virtual-monitor={WIDTH}x{HEIGHT}"]

    def start(self):
        """Starts it, and waits until its panel is there and the overview, which it begins with, is gone."""
        assert self.process is None
        self.system_bus.wait()
        # What the bus starts for the Shell shall see the same screen, as gnome-session arranges it.
        activation = dict(self.environment, WAYLAND_DISPLAY=DISPLAY)
        self.client.bus_call("UpdateActivationEnvironment", "(a{ss})", activation)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)))
        self._wait_for("its place on the bus", self._answers, START_SEC)
        self.wait_for("!Main.layoutManager._startingUp && Main.panel.visible", "the end of its start", START_SEC)
        # A mouse and a keyboard, from the start: programs do not reckon with one that comes later.
        self.evaluate("""
            const {Clutter} = imports.gi, seat = Clutter.get_default_backend().get_default_seat();
            globalThis._pointer = seat.create_virtual_device(Clutter.InputDeviceType.POINTER_DEVICE);
            globalThis._keyboard = seat.create_virtual_device(Clutter.InputDeviceType.KEYBOARD_DEVICE);
            return 0;""")
        # The sign that it is in unsafe mode is our doing, and has no place in a picture.
        self.evaluate("Main.overview.hide(); Main.panel.statusArea.quickSettings._unsafeMode.hide(); return 0;")
        self.wait_for("!Main.overview.visible", "the overview to go")
        self.wait_for("Main.messageTray._notification === null || (Main.messageTray._expireNotification(), false)",
                      "its own words of welcome to go")
        return self

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """Ends it and what it had the bus start, then its buses."""
        status = None
        if self.process is not None:
            crashed = self.process.poll() is not None
            status = end(self.process)
            assert not crashed, f"the Shell had ended by itself, with {status}:\n{self.log}"
            self.process = None
        self._made.close()
        assert status in (None, *END_STATUS), f"SIGTERM made the Shell end with {status}:\n{self.log}"

    @property
    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    @property
    def services_log(self):
        """What was said by the bus, and by the programs that it has started."""
        return self.bus.log_path.read_text(errors="replace")

    def complaints(self, start=0, services_start=0):
        """Entries of the two logs, from a length that each had: complaints that are not known as the Shell's own."""
        entries = ENTRY.split(self.log[start:]) + ENTRY.split(self.services_log[services_start:])
        return [entry.strip() for entry in entries
                if COMPLAINT.search(entry) and not any(known.search(entry) for known, _ in KNOWN_COMPLAINTS)]

    def status(self, field):
        """A figure of /proc/PID/status, in bytes: VmRSS."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(rf"^{field}:\s+(\d+) kB$", status.read(), re.M)[1]) * 1024

    def _wait_for(self, what, condition, seconds):
        def there():
            assert self.is_running(), f"the Shell ended with {self.process.returncode}:\n{self.log}"
            return condition()
        return wait_until(there, lambda: f"{what() if callable(what) else what}; the Shell's log:\n{self.log}", seconds)

    # -- inside

    def _answers(self):
        """Its name is there before its objects are."""
        try:
            return self.evaluate("true")
        except BusError:
            return False

    def evaluate(self, javascript, seconds=20):
        """The value of an expression inside the Shell, or of a block's `return`. Knows what js/ui/shellDBus.js knows:
        Main, Gio, GLib, Meta, Shell, global, imports."""
        is_block = re.search(r"\breturn\b|;", javascript)
        body = javascript if is_block else f"return {javascript}"
        code = f"(() => {{ {body} \n}})()"
        ok, text = self.client.call(SHELL_PATH, SHELL, "Eval", "(s)", code, name=SHELL, seconds=seconds).unpack()
        if not ok:
            raise EvaluationError(f"{text or 'the Shell is not in unsafe mode'} in {javascript}")
        return json.loads(text) if text else None

    def wait_for(self, javascript, what=None, seconds=10):
        """Waits for an expression to be true; its value."""
        seen = []

        def there():
            seen[:] = [self.evaluate(javascript)]
            return seen[0]
        return self._wait_for(lambda: f"{what or javascript}; it is {seen}", there, seconds)

    def settle(self):
        """Waits until the Shell has painted all that was asked of it before."""
        self.evaluate("""
            globalThis._settled = false;
            Meta.later_add(Meta.LaterType.BEFORE_REDRAW, () => {
              const id = global.stage.connect('after-paint', () => {
                global.stage.disconnect(id);
                globalThis._settled = true;
              });
              global.stage.queue_redraw();
              return false;
            });""")
        self.wait_for("globalThis._settled", "a picture to be painted")

    def screenshot(self, path, area=None):
        """The screen, or (x, y, width, height) of it, as a PNG."""
        self.settle()
        method, signature, where = "Screenshot", "(bbs)", (False,)
        if area is not None:
            method, signature, where = "ScreenshotArea", "(iiiibs)", tuple(round(n) for n in area)
        ok, used = self.client.call(f"{SHELL_PATH}/Screenshot", "org.gnome.Shell.Screenshot", method, signature,
                                    *where, False, str(path), name=SHELL).unpack()
        assert ok and used == str(path), (ok, used)
        return path

    def click(self, x, y, button="PRIMARY"):
        """A click of the mouse, through all that a real one goes through."""
        self.evaluate(f"""
            const Clutter = imports.gi.Clutter;
            const pointer = globalThis._pointer, now = GLib.get_monotonic_time();
            pointer.notify_absolute_motion(now, {x}, {y});
            pointer.notify_button(now, Clutter.BUTTON_{button}, Clutter.ButtonState.PRESSED);
            pointer.notify_button(now, Clutter.BUTTON_{button}, Clutter.ButtonState.RELEASED);""")

    def type(self, text):
        """Keys of a keyboard; "\\n" is Enter."""
        self.evaluate(f"""
            const Clutter = imports.gi.Clutter;
            const keyboard = globalThis._keyboard, now = GLib.get_monotonic_time();
            for (const letter of {json.dumps(text)}) {{
              const key = letter === '\\n' ? Clutter.KEY_Return : Clutter.unicode_to_keysym(letter.codePointAt(0));
              keyboard.notify_keyval(now, key, Clutter.KeyState.PRESSED);
              keyboard.notify_keyval(now, key, Clutter.KeyState.RELEASED);
            }}
            return 0;""")

    # -- notifications

    def notifications(self):
        """Those in its tray that came by the bus, oldest first: "id", "app", "title" and "body" as it shows them (no
        markup, all entities resolved), "urgency" (0 to 2), "actions" (labels of the buttons), "icon"."""
        return self.evaluate("""
            const daemon = Main.notificationDaemon._fdoNotificationDaemon;
            return Object.values(daemon._notifications).filter(n => n.notification).map(data => {
              const n = data.notification, banner = n.createBanner();
              try {
                return {id: data.id, app: data.appName, title: banner.titleLabel.clutter_text.text,
                        body: banner.bodyLabel.clutter_text.text, urgency: data.hints.urgency,
                        actions: n.actions.map(a => a.label), icon: n.gicon?.to_string() ?? null};
              } finally {
                banner.destroy();
              }
            });""")

    def wait_notification(self, condition=lambda notification: True, what="a notification", seconds=10):
        """The first one in the tray that the condition holds for."""
        seen = []

        def there():
            seen[:] = self.notifications()
            return next((n for n in seen if condition(n)), None)
        return self._wait_for(lambda: f"{what}; there is {seen}", there, seconds)

    def wait_banner(self, title):
        """For the banner of a notification with that title to be on the screen; its (x, y, width, height)."""
        return self.wait_for(f"""
            const tray = Main.messageTray, banner = tray._banner;
            if (tray._notificationState !== 2 || banner?.notification.title !== {json.dumps(title)})
              return null;
            const [x, y] = banner.get_transformed_position(), [width, height] = banner.get_transformed_size();
            return [x, y, width, height];""", f"the banner {title!r}")

    def _of_notification(self, notification, code):
        self.evaluate(f"""
            const n = Main.notificationDaemon._fdoNotificationDaemon._notifications[{notification["id"]}].notification;
            {code};""")

    def activate(self, notification, label=None):
        """As if its button of that label was clicked, or (None) itself."""
        if label is None:
            self._of_notification(notification, "n.activate()")
        else:
            self._of_notification(notification, f"""
                const banner = n.createBanner();
                let gone = false;
                banner.connect('destroy', () => {{ gone = true; }});
                try {{
                  const button = banner._buttonBox.get_children().find(b => b.label === {json.dumps(label)});
                  button.emit('clicked', 1);
                }} finally {{
                  if (!gone)
                    banner.destroy();
                }}""")

    def dismiss(self, notification):
        """As if it was closed by hand."""
        self._of_notification(notification, "n.destroy()")

    # -- locking

    def lock(self):
        self.evaluate("""
            Main.screenShield ??= new imports.ui.screenShield.ScreenShield();
            Main.screenShield.lock(false);""")
        self.wait_for("Main.screenShield.locked && Main.sessionMode.currentMode === 'unlock-dialog'", "the lock screen")

    def unlock(self):
        self.evaluate("Main.screenShield.deactivate(false)")
        self.wait_for("!Main.screenShield.locked && !Main.screenShield.active", "the lock screen to go")
        self.wait_for("Main.sessionMode.currentMode === 'user'")
