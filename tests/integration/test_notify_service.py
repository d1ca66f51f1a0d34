# SPDX-License-Identifier: MIT
"""prp-notify as a service: its start, its end, what it says to systemd and on its command line."""

from notify_bench import desktop, idle_notifier, notifier, service
from notify_process import NAME, Notifier
from waiting import wait_until

__all__ = ["desktop", "idle_notifier", "notifier", "service"]  # fixtures


def test_one_instance(notifier, home, bus):
    second = Notifier(home, bus)
    second.log_path = home.directory / "second.log"
    second.launch()
    assert second.wait_exit() == 1
    assert NAME in second.log and "running already" in second.log


def test_losing_the_bus(notifier, connected, bus):
    bus.kill()
    assert notifier.wait_exit() == 1
    assert connected.wait_exit() == 1
    assert "The session bus was lost" in notifier.log


def test_no_bus(idle_notifier):
    idle_notifier.launch(DBUS_SESSION_BUS_ADDRESS="unix:path=/nonexistent")
    assert idle_notifier.wait_exit() == 1
    assert "Cannot connect to the session bus" in idle_notifier.log


def test_systemd(idle_notifier, notify, connected, client, desktop):
    idle_notifier.launch(NOTIFY_SOCKET=str(notify.path), WATCHDOG_USEC="200000")
    notify.wait_line(lambda line: line == "READY=1", "READY=1")
    assert client.bus_call("NameHasOwner", "(s)", NAME) == (True,)
    notify.wait_line(lambda line: line == "STATUS=The relay is connected", "the state")
    wait_until(lambda: notify.lines.count("WATCHDOG=1") >= 3, "the watchdog")
    idle_notifier.stop()
    notify.wait_line(lambda line: line == "STOPPING=1", "STOPPING=1")


def test_the_end_takes_back(notifier, desktop, service):
    """Of what is on its way as well."""
    service.create("a")
    desktop.wait_shown("Name of a")
    desktop.hold = True
    service.create("b")
    desktop.wait_shown("Name of b", count=2)
    notifier.process.send_signal(15)
    wait_until(lambda: desktop.closed == [1], "the first to be closed")
    desktop.release()
    assert notifier.wait_exit() == 0
    desktop.wait_nothing_shown()
    assert desktop.closed == [1, 2]


def test_the_end_while_the_server_hangs(notifier, desktop, service):
    desktop.mute = {"Notify"}
    service.create("a")
    desktop.wait_calls("Notify")
    notifier.stop()


def test_a_bad_configuration(idle_notifier, relay):
    relay.write_config("[Notifications]\nTypes=[\nNonsense=1\n")
    idle_notifier.launch()
    assert idle_notifier.wait_exit() == 1
    assert "Nonsense" in idle_notifier.log and "relay.conf" in idle_notifier.log


def test_another_configuration(idle_notifier, relay, desktop, client, service, home):
    relay.start(client)
    client.wait_state("connected")
    path = home.directory / "other.conf"
    path.write_text("[Notifications]\nTypes=prp.deleted\n")
    idle_notifier.start("--config", str(path))
    service.create("p", "Login")
    service.delete("p")
    desktop.wait_shown("Login", "Deleted")
    assert len(desktop.sent) == 1


def test_command_line(idle_notifier):
    assert idle_notifier.run("--version") == (0, "prp-notify 0.1.0\n", "")
    status, out, _ = idle_notifier.run("--help")
    assert status == 0 and all(option in out for option in ("--config", "--verbose", "--list-muted", "--unmute=PRP", "--unmute-all"))
    for wrong in (["--nonsense"], ["argument"], ["--unmute"]):
        status, out, err = idle_notifier.run(*wrong)
        assert (status, out) == (2, "") and err.startswith("prp-notify: "), wrong
    assert idle_notifier.run("--list-muted") == (0, "", "")
