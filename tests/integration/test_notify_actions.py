# SPDX-License-Identifier: MIT
"""The buttons of prp-notify's notifications: Open, and Mute this PRP."""

import os

import pytest
from gi.repository import Gio, GLib

from notify_bench import desktop, idle_notifier, notifier, service, stays
from relay_bus import Client
from waiting import tell, wait_until

__all__ = ["desktop", "idle_notifier", "notifier", "service"]  # fixtures

PORTAL = """<node><interface name="org.freedesktop.portal.OpenURI"><method name="OpenURI">
<arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="a{sv}" direction="in"/>
<arg type="o" direction="out"/></method></interface></node>"""
MANAGER = """<node><interface name="org.freedesktop.systemd1.Manager"><method name="StartTransientUnit">
<arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="a(sv)" direction="in"/>
<arg type="a(sa(sv))" direction="in"/><arg type="o" direction="out"/></method><method name="Subscribe"/></interface></node>"""


class Way:
    """A program on the bus by which an address can be opened."""

    def __init__(self, bus, name, path, xml):
        self.calls = []
        self.error = None
        self.client = Client(bus.address, listens=False)
        self.client.connection.register_object(path, Gio.DBusNodeInfo.new_for_xml(xml).interfaces[0], self._on_call, None, None)
        self.client.bus_call("RequestName", "(su)", name, 4)

    def _on_call(self, _connection, _sender, _path, _interface, method, arguments, invocation):
        if method == "Subscribe":
            invocation.return_value(None)
            return
        self.calls.append(arguments)
        tell()
        if self.error:
            invocation.return_dbus_error(self.error, "As the test wants it.")
        else:
            invocation.return_value(GLib.Variant("(o)", ("/job/1",)))

    def wait_call(self):
        return wait_until(lambda: self.calls and self.calls[-1].unpack(), "a call")


@pytest.fixture
def new_way(bus):
    ways = []

    def make(name, path, xml):
        ways.append(Way(bus, name, path, xml))
        return ways[-1]

    yield make
    for way in ways:
        way.client.close()


@pytest.fixture
def portal(new_way):
    return new_way("org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop", PORTAL)


@pytest.fixture
def manager(new_way):
    return new_way("org.freedesktop.systemd1", "/org/freedesktop/systemd1", MANAGER)


@pytest.fixture
def programs(idle_notifier, home):
    """The only programs in the PATH: an xdg-open that writes down what it is called with."""
    directory = home.directory / "bin"
    directory.mkdir()
    opened = home.directory / "opened"
    script = directory / "xdg-open"
    script.write_text(f'#!/bin/sh\nprintf "%s|%s|%s\\n" "$#" "$1" "$XDG_ACTIVATION_TOKEN" >>{opened}\n')
    script.chmod(0o755)
    idle_notifier.environment["PATH"] = str(directory)
    return opened


@pytest.fixture
def opening(idle_notifier, desktop, relay, client, programs):
    """Started, with a template."""
    relay.configure(Notifications={"OpenUrl": "https://prp.example/{project_id}/prps/{prp_id}"})
    relay.start(client)
    client.wait_state("connected")
    idle_notifier.start()
    return idle_notifier


def test_open_by_the_portal(opening, portal, manager, desktop, service, programs):
    service.create("a/b ?&ü")
    n = desktop.wait_shown("Created")
    assert n.actions == {"default": "Open", "mute": "Mute this PRP"}  # dunst shows the first beside the others
    desktop.invoke(n.id, "open", "token-1")
    parent, url, options = portal.wait_call()
    assert (parent, url) == ("", "https://prp.example/proj_1/prps/a%2Fb%20%3F%26%C3%BC")
    assert options["activation_token"] == "token-1"
    desktop.wait_nothing_shown()  # the sender closes it
    assert desktop.closed == [n.id]
    service.progress("a/b ?&ü", 10)
    stays(desktop, 1)
    assert manager.calls == [] and not programs.exists()


def test_open_by_a_click(opening, portal, desktop, service):
    """Where that is not a button, there is one beside it."""
    desktop.name = "gnome-shell"
    service.create("p")
    assert desktop.wait_shown("Created").actions == {"default": "Open", "open": "Open", "mute": "Mute this PRP"}
    desktop.invoke(desktop.wait_shown("Created").id, "default")
    assert "activation_token" not in portal.wait_call()[2]


def test_open_by_a_unit(opening, manager, desktop, service, programs):
    service.create("p")
    desktop.invoke(desktop.wait_shown("Created").id, "open", "token-1")
    unit, mode, properties, _ = manager.wait_call()
    properties = dict(properties)
    assert unit.endswith(".service") and mode == "fail" and properties["Type"] == "exec"
    assert properties["ExecStart"] == [(f"{programs.parent}/bin/xdg-open", ["xdg-open", "https://prp.example/proj_1/prps/p"], False)]
    assert "XDG_ACTIVATION_TOKEN=token-1" in properties["Environment"]
    assert not programs.exists()
    path = GLib.Variant("(sa{sv}as)", ("org.freedesktop.systemd1.Unit", {"ActiveState": GLib.Variant("s", "failed")}, []))
    escaped = "".join(c if c.isalnum() else f"_{ord(c):02x}" for c in unit)
    manager.client.connection.emit_signal(None, f"/org/freedesktop/systemd1/unit/{escaped}", "org.freedesktop.DBus.Properties",
                                          "PropertiesChanged", path)
    desktop.wait_shown("The address cannot be opened", "https://prp.example/proj_1/prps/p")


def test_open_by_a_program(opening, desktop, service, programs):
    service.create("p; rm -rf $HOME `x`")
    desktop.invoke(desktop.wait_shown("Created").id, "open", "token-1")
    wait_until(programs.exists, "the program")
    wait_until(lambda: programs.read_text() ==
               "1|https://prp.example/proj_1/prps/p%3B%20rm%20-rf%20%24HOME%20%60x%60|token-1\n", programs.read_text)
    desktop.wait_nothing_shown()


@pytest.mark.parametrize("how", ["the program fails", "there is no program", "the portal fails", "the unit fails"])
def test_open_fails(opening, desktop, service, programs, request, how, home):
    """It is told, in the journal and to the person."""
    script = home.directory / "bin" / "xdg-open"
    if how == "the program fails":
        script.write_text("#!/bin/sh\nexit 3\n")
    elif how == "there is no program":
        script.unlink()
    else:
        request.getfixturevalue("portal" if "portal" in how else "manager").error = "org.freedesktop.DBus.Error.Failed"
    service.create("p")
    desktop.invoke(desktop.wait_shown("Created").id, "open")
    failure = desktop.wait_shown("The address cannot be opened", "https://prp.example/proj_1/prps/p")
    opening.wait_log("Cannot open https://prp.example")
    assert not programs.exists()
    opening.wait_log(f"Notification {failure.id} is shown")  # it knows the number that the server gave
    desktop.invoke(failure.id, "default")
    desktop.wait_nothing_shown()


def test_no_address(notifier, desktop, service):
    """Without a template there is nothing to open."""
    service.create("p")
    n = desktop.wait_shown("Created")
    assert n.actions == {"default": "Dismiss", "mute": "Mute this PRP"}
    desktop.invoke(n.id, "default")
    desktop.wait_nothing_shown()


@pytest.mark.parametrize("prp", [".", ".."])
def test_no_step_in_the_path(opening, desktop, service, prp):
    service.create(prp)
    assert desktop.wait_shown("Created").actions["default"] == "Dismiss"


def test_an_id_that_is_not_known(opening, desktop, service):
    service.progress("p", 5)  # says nothing of the project
    assert desktop.wait_shown("5% done").actions["default"] == "Dismiss"
    service.create("p")
    assert desktop.wait_shown("Created").actions["default"] == "Open"


# -- mute

def test_mute(notifier, desktop, service):
    service.create("p")
    n = desktop.wait_shown("Created")
    desktop.invoke(n.id, "mute")
    desktop.wait_nothing_shown()
    service.status("p", "failed")
    service.create("q")
    desktop.wait_shown("Name of q")
    stays(desktop, 2)
    assert notifier.run("--list-muted") == (0, "p\n", "")


def test_mute_lasts(notifier, desktop, service):
    service.create("p <1>\n")
    desktop.invoke(desktop.wait_shown("Created").id, "mute")
    desktop.wait_nothing_shown()
    notifier.stop()
    notifier.start()
    service.status("p <1>\n", "failed")
    stays(desktop, 1)
    assert notifier.run("--unmute", "p <1>\n") == (0, "", "")
    assert notifier.run("--list-muted") == (0, "", "")
    status, out, err = notifier.run("--unmute", "p", "--unmute", "q")
    assert (status, out) == (1, "") and "PRP q is not muted" in err
    # The service takes notice of the file in its own time; each event is another chance to be seen.
    def seen():
        service.status("p <1>\n", f"s{len(desktop.sent)}-{os.urandom(2).hex()}")
        return desktop.shown
    wait_until(seen, "the PRP that was unmuted")


def test_unmute_all(notifier, desktop, service):
    for prp in ("a", "b"):
        service.create(prp)
        desktop.invoke(desktop.wait_shown(f"Name of {prp}").id, "mute")
        desktop.wait_nothing_shown()
    assert notifier.run("--list-muted")[1] == "a\nb\n"
    assert notifier.run("--unmute-all") == (0, "", "")
    assert notifier.run("--list-muted")[1] == ""
    assert notifier.run("--unmute-all") == (0, "", "")


def test_a_damaged_memory(idle_notifier, desktop, connected, service):
    idle_notifier.state.mkdir(exist_ok=True)
    (idle_notifier.state / "notify.muted").write_text("nonsense")
    (idle_notifier.state / "notify.cursor").write_bytes(b"\0\1\2")
    idle_notifier.start()
    service.create("p")
    desktop.wait_shown("Name of p")
    assert idle_notifier.log.count("is damaged") == 2
    assert (idle_notifier.state / "notify.muted.damaged").read_text() == "nonsense"
    assert (idle_notifier.state / "notify.cursor.damaged").exists()


def test_a_full_disk(notifier, desktop, service):
    """A mute that cannot be kept counts for now."""
    for name in ("notify.lock", "notify.muted"):
        (notifier.state / name).unlink(missing_ok=True)
        (notifier.state / name).mkdir()
    service.create("p")
    desktop.invoke(desktop.wait_shown("Created").id, "mute")
    desktop.wait_nothing_shown()
    notifier.wait_log("muted for this session only")
    service.status("p", "failed")
    stays(desktop, 1)
