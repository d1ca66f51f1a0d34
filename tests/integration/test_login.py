# SPDX-License-Identifier: MIT
"""prpctl login and logout where there is no keyring: typed or piped, stored in files, and what the relay makes of it."""

import json
import signal

import pytest

from login_bench import Prpctl
from waiting import wait_until

NEW = "secret-new-token-Zp81"
REFRESH = "secret-refresh-token-Qm55"


@pytest.fixture
def prpctl(home, bus):
    prpctl = Prpctl(home, bus.address)
    home.secret(NEW)
    home.secret(REFRESH)
    yield prpctl
    prpctl.finish()


@pytest.fixture
def plain(idle_relay, server):
    """A relay, not started, that is configured for the server and for no token."""
    idle_relay.configure(Server={"Url": server.url()}, Reconnect={"InitialDelaySec": "0.2", "MaxDelaySec": "0.3"})
    return idle_relay


# -- login, and the relay

def test_login_and_logout(plain, prpctl, server, client, token):
    plain.start(client)
    client.wait_state("unauthorized")
    result = prpctl("login", text=token + "\n")
    assert (result.returncode, result.stderr) == (0, "")
    why, stored, connected = result.stdout.splitlines()
    assert why in ("There is no keyring (Secret Service) in this session.",
                   "This program was built without support for a keyring (Secret Service).")
    assert stored == f"The token is stored in {prpctl.folder}/token."
    assert connected == f"The relay is connected to {server.url()}."
    assert prpctl.stored() == token + "\n"
    assert [h.token for h in server.handshakes] == [token]

    result = prpctl("logout")
    assert (result.returncode, result.stderr) == (0, "")
    assert f"{prpctl.folder}/token was removed.\n" in result.stdout and "unauthorized" in result.stdout
    assert prpctl.stored() is None
    server.connections[0].wait_closed()
    assert client.get("State") == "unauthorized" and client.get("LastError")[0] == "NO_CREDENTIALS"
    result = prpctl("logout")
    assert result.returncode == 0 and result.stdout.startswith("There was no token")


def test_login_anew(plain, prpctl, server, client, token):
    """The relay goes on with the other token, and nothing is missed meanwhile."""
    prpctl("login", text=token)
    plain.start(client)
    client.wait_state("connected")
    server.tokens = {token, NEW}
    assert prpctl("login", text=NEW).returncode == 0
    wait_until(lambda: server.handshakes[-1].token == NEW, "a connection with the other token")
    client.wait_state("connected")


def test_a_token_that_is_refused(plain, prpctl, client):
    plain.start(client)
    client.wait_state("unauthorized")
    result = prpctl("login", text=NEW)
    assert result.returncode == 4 and "AUTH_FAILED" in result.stdout and "prpctl login" in result.stdout


def test_no_relay(plain, prpctl, token):
    result = prpctl("login", text=token)
    assert result.returncode == 0 and "The relay is not running" in result.stdout and not result.stderr
    assert prpctl.stored() == token + "\n"
    assert prpctl("logout").returncode == 0


def test_no_bus(prpctl, token):
    result = prpctl("login", text=token, DBUS_SESSION_BUS_ADDRESS="unix:path=/nonexistent/bus")
    assert result.returncode == 0 and prpctl.stored() == token + "\n"
    assert prpctl("logout", DBUS_SESSION_BUS_ADDRESS="unix:path=/nonexistent/bus").returncode == 0
    assert prpctl.stored() is None


def test_the_relay_is_for_another_server(plain, prpctl, server, client, token):
    """relay.conf was changed, and the relay not told yet."""
    url = server.url()
    plain.configure(Server={"Url": "ws://127.0.0.1:1/"})
    plain.start(client)
    client.wait_state("unauthorized")
    plain.configure(Server={"Url": url})
    assert prpctl("login", text=token).stdout.endswith(f"The relay is connected to {url}.\n")


def test_json(plain, prpctl, client, token):
    assert json.loads(prpctl("login", "--json", text=token).stdout) == {
        "stored": "file", "path": f"{prpctl.folder}/token", "state": ""}
    plain.start(client)
    client.wait_state("connected")
    assert json.loads(prpctl("login", "--json", text=token).stdout)["state"] == "connected"
    assert json.loads(prpctl("logout", "--json").stdout) == {"removed": ["file"], "state": "unauthorized"}
    assert json.loads(prpctl("logout", "--json").stdout) == {"removed": [], "state": "unauthorized"}


# -- what goes before

def test_another_source_goes_first(plain, prpctl, home, token):
    path = home.write_secret("other-token", token)
    plain.configure(Auth={"TokenFile": path})
    result = prpctl("login", text=NEW)
    assert f"from TokenFile={path} in relay.conf first" in result.stderr
    assert "still has a token" in prpctl("logout").stderr
    plain.configure(Auth={"TokenFile": None, "TokenCommand": "cat " + str(path)})
    result = prpctl("login", text=NEW)
    assert "from TokenCommand= in relay.conf first" in result.stderr and str(path) not in result.stderr
    plain.configure(Auth={"TokenCommand": None})
    credential = home.runtime / "credentials" / "prp-relayd.service" / "prp-token"
    credential.parent.mkdir(parents=True)
    credential.write_text(token)
    assert "systemd credential prp-token first" in prpctl("login", text=NEW).stderr


def test_the_configured_file_is_that_of_login(plain, prpctl, client, token):
    plain.configure(Auth={"TokenFile": "token"})  # beside relay.conf
    assert prpctl("login", text=token).stderr == ""
    plain.start(client)
    client.wait_state("connected")
    assert prpctl("logout").stderr == ""


# -- the refresh token

def test_a_refresh_token(plain, prpctl, home, server, endpoint, client):
    """Both are used: the token is refused, and renewed; the new refresh token goes where the old one was."""
    rotated = home.secret("secret-rotated-token-Vx03")
    plain.configure(Auth={"RefreshUrl": endpoint.url})
    endpoint.reply(access_token=NEW, token_type="Bearer", expires_in=3600, refresh_token=rotated)
    server.tokens = {NEW}
    plain.start(client)
    client.wait_state("unauthorized")
    result = prpctl("login", "--refresh-token", text=f"an-old-one\n{REFRESH}\n")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.endswith(f"The relay is connected to {server.url()}.\n")
    assert f"{prpctl.folder}/refresh-token.\n" in result.stdout
    assert [h.token for h in server.handshakes] == ["an-old-one", NEW]
    assert prpctl.stored("refresh-token") == rotated + "\n"
    assert prpctl("logout").stdout.count("was removed.") == 2
    assert prpctl.stored("refresh-token") is None
    client.wait_state("unauthorized")


def test_a_refresh_token_without_an_endpoint(plain, prpctl):
    assert "RefreshUrl=" in prpctl("login", "--refresh-token", text=f"{NEW}\r\n{REFRESH}").stderr
    assert (prpctl.stored(), prpctl.stored("refresh-token")) == (NEW + "\n", REFRESH + "\n")
    # Whoever signs in anew does not keep the refresh token of another one.
    prpctl("login", text=NEW)
    assert (prpctl.stored(), prpctl.stored("refresh-token")) == (NEW + "\n", None)


# -- nonsense

@pytest.mark.parametrize("text,said", [
    ("", "empty"), ("\n\n", "empty"), ("a b", "space"), (" secret-x", "space"), ("caf\u00e9", "special character"),
    ("secret-x\nsecret-y\n", "--refresh-token"), ("Bearer secret-x", "only the token itself"), ("secret\0x", "special"),
    ("secret" * 12000, "65536 bytes"), ("secret" * 100000, "65536 bytes")], ids=range(10))
def test_no_token(plain, prpctl, text, said):
    result = prpctl("login", text=text)
    assert result.returncode == 1 and said in result.stderr and not result.stdout
    assert "secret" not in result.stderr
    assert prpctl.stored() is None


@pytest.mark.parametrize("text,said", [("secret-x\n", "second"), ("secret-x\n\n", "empty"), ("a\nb\nc\n", "more than two")])
def test_no_two_tokens(plain, prpctl, text, said):
    result = prpctl("login", "--refresh-token", text=text)
    assert result.returncode == 1 and said in result.stderr and "secret" not in result.stderr
    assert prpctl.stored() is None and prpctl.stored("refresh-token") is None


def test_where_nothing_can_be_stored(home, prpctl):
    (home.config / "prp-relay").write_text("in the way")
    result = prpctl("login", text=NEW)
    assert result.returncode == 1 and "cannot be stored" in result.stderr and not result.stdout


@pytest.mark.parametrize("arguments", [["login", NEW], ["login", "--token", NEW], ["logout", "--file"]])
def test_usage(prpctl, arguments):
    """A token on the command line is refused, and not shown again."""
    assert prpctl(*arguments).returncode == 2


# -- at a terminal

def test_nothing_is_shown(plain, prpctl):
    terminal = prpctl.at_terminal("login")
    terminal.wait_prompt()
    terminal.type(NEW + "\r")
    assert terminal.wait_exit() == 0 and terminal.echoes
    assert prpctl.stored() == NEW + "\n"
    terminal.wait_for("The token is stored in")


def test_two_prompts(plain, prpctl):
    terminal = prpctl.at_terminal("login", "--refresh-token")
    terminal.wait_prompt()
    terminal.type(NEW + "\n")
    terminal.wait_prompt("Refresh token (it is not shown): ")
    terminal.type(REFRESH + "\n")
    assert terminal.wait_exit() == 0 and terminal.echoes
    assert (prpctl.stored(), prpctl.stored("refresh-token")) == (NEW + "\n", REFRESH + "\n")


def test_a_long_token(plain, prpctl):
    """Longer than a line of a terminal can be."""
    terminal = prpctl.at_terminal("login")
    terminal.wait_prompt()
    terminal.type("x" * 20000 + "\n")
    assert terminal.wait_exit() == 0
    assert prpctl.stored() == "x" * 20000 + "\n"


def test_correcting_what_is_typed(plain, prpctl):
    terminal = prpctl.at_terminal("login")
    terminal.wait_prompt()
    terminal.type("\x7fwrong\x15" + NEW + "xy\x7f\x08\n")
    assert terminal.wait_exit() == 0 and prpctl.stored() == NEW + "\n"


@pytest.mark.parametrize("text,said", [("\n", "empty"), ("\x04", "empty"), ("a b\n", "space"), ("a\nsecret-b\n", "more than one line"),
                                       ("x" * 66000 + "\n", "65536 bytes")], ids=range(5))
def test_no_token_is_typed(plain, prpctl, text, said):
    terminal = prpctl.at_terminal("login")
    terminal.wait_prompt()
    terminal.type(text)
    assert terminal.wait_exit() == 1 and terminal.echoes
    terminal.wait_for(said)
    assert "secret" not in terminal.shown and prpctl.stored() is None


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, "\x03"])
def test_given_up(plain, prpctl, how):
    terminal = prpctl.at_terminal("login")
    terminal.wait_prompt()
    terminal.type("secret-begun")
    if isinstance(how, str):
        terminal.type(how)
    else:
        terminal.process.send_signal(how)
    assert terminal.wait_exit() == (-signal.SIGINT if isinstance(how, str) else -how)
    assert terminal.echoes and prpctl.stored() is None and "secret" not in terminal.shown


def test_an_ignored_signal(plain, prpctl):
    """As whoever started it has it: nothing that was typed goes for it, and it does not ask again."""
    terminal = prpctl.in_shell('trap "" QUIT; "$PRPCTL" login; echo ended-$?')
    terminal.wait_prompt()
    terminal.type("\x1c" + NEW + "\n")
    terminal.wait_for("ended-0")
    assert terminal.shown.count("Token (") == 1 and prpctl.stored() == NEW + "\n"


def test_stopped_and_continued(plain, prpctl):
    """Ctrl-Z: the shell's terminal is as it was; what was begun is to be typed again."""
    terminal = prpctl.in_shell('"$PRPCTL" login; stty -a | tr " " "\\n" | grep "echo;*$"; read -r line; fg; echo ended-$?')
    terminal.wait_prompt()
    terminal.type("secret-begun\x1a")
    terminal.wait_for("\necho")
    assert terminal.echoes
    terminal.type("\n")
    terminal.wait_prompt(times=2)
    terminal.type(NEW + "\n")
    terminal.wait_for("ended-0")
    assert terminal.echoes and prpctl.stored() == NEW + "\n" and "secret" not in terminal.shown
