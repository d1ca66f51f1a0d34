# SPDX-License-Identifier: MIT
"""TLS that breaks: the token goes to nobody but the right server, each fault has its code, and when it is gone the relay is back."""

import base64
import hashlib
import re
import socket
import ssl
import subprocess
import threading

import pytest

from certificates import server_context
from prp_server import TEXT, frame
from relay_bus import event_of
from wake_lab import pump
from waiting import SCALE, tell, wait_until

HANDSHAKE_SEC = 20  # what the relay gives a handshake
DAY = 24 * 3600


@pytest.fixture
def tls_server(relay, certificates, new_server, token):
    """The relay is configured for it."""
    context = server_context(certificates.good)
    # Each connection is one of its own, as with a server that was started anew: who resumes an earlier one (RFC 8446 §2.2) is not
    # shown the certificate again.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    server = new_server(tls=context)
    server.tokens = {token}
    relay.configure(Server={"Url": server.url(), "CaFile": certificates.ca_file})
    return server


def change_certificate(server, certificate):
    """For whoever connects from now on."""
    server.tls.load_cert_chain(certificate.cert, certificate.key)


class Wire:
    """TCP between the relay and its server that does not leave the bytes alone."""

    def __init__(self, relay, server):
        self._server_port = server.port
        self._pairs = []
        self.cut_after = None  # so many bytes more to the relay, then the end of the stream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        relay.configure(Server={"Url": f"wss://127.0.0.1:{self.port}/"})
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                ours, _ = self._listener.accept()
                theirs = socket.create_connection(("127.0.0.1", self._server_port))
            except OSError:
                return
            self._pairs.append((ours, theirs))
            threading.Thread(target=pump, args=[ours, theirs], daemon=True).start()
            threading.Thread(target=self._to_relay, args=[theirs, ours], daemon=True).start()

    def _to_relay(self, source, sink):
        try:
            while data := source.recv(65536):
                if self.cut_after is not None and len(data) >= self.cut_after:
                    sink.sendall(data[:self.cut_after])
                    self.cut_after = None
                    sink.shutdown(socket.SHUT_RDWR)
                    break
                sink.sendall(data)
        except OSError:
            pass
        source.close()
        tell()

    def inject(self, data):
        """To the relay, on the newest connection."""
        self._pairs[-1][0].sendall(data)

    def end(self):
        """Of the stream, towards the relay: no close_notify goes before it."""
        self._pairs[-1][0].shutdown(socket.SHUT_WR)

    def finish(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for pair in self._pairs:
            for one in pair:
                one.close()


@pytest.fixture
def wire(relay, tls_server):
    wire = Wire(relay, tls_server)
    yield wire
    wire.finish()


# -- certificates

@pytest.mark.parametrize("which,code", [
    ("expired", "TLS_EXPIRED"), ("other_host", "TLS_WRONG_HOST"), ("self_signed", "TLS_UNTRUSTED")])
def test_the_certificate_changes(relay, tls_server, client, certificates, new_witness, which, code):
    """Between two connections: the one at hand goes on; on the next one nothing is sent, until the certificate is right again."""
    relay.start(client)
    client.wait_state("connected")
    witness = new_witness(tls_server, client)
    witness.wait_flow()
    change_certificate(tls_server, getattr(certificates, which))
    witness.wait_flow()
    assert len(tls_server.handshakes) == 1
    tls_server.connection.abort()
    client.wait_error(code)
    witness.check_planned()
    witness.check_answers()
    assert len(tls_server.handshakes) == 1, "the token was sent"
    change_certificate(tls_server, certificates.good)
    witness.finish()
    assert len(witness.gaps()) == 1


@pytest.mark.parametrize("days,code", [(3, "TLS_EXPIRED"), (-3, "TLS_NOT_YET_VALID")])
def test_the_certificate_runs_out(relay, clock, tls_server, client, new_witness, days, code):
    """As time goes by, or as the clock is wrong: the connection at hand goes on."""
    relay.start(client)
    client.wait_state("connected")
    witness = new_witness(tls_server, client)
    witness.wait_flow()
    clock.set(days * DAY)
    witness.wait_flow()
    assert len(tls_server.handshakes) == 1
    tls_server.connection.abort()
    client.wait_error(code)
    assert len(tls_server.handshakes) == 1, "the token was sent"
    clock.set(0)
    client.wait_state("connected")
    witness.wait_flow()
    assert len(tls_server.handshakes) == 2


def test_the_authority_changes(relay, tls_server, client, certificates, home):
    """CaFile= is read for every connection; one that is broken is told, not passed over."""
    own = home.directory / "ca.pem"
    own.write_bytes(certificates.ca_file.read_bytes())
    relay.configure(Server={"CaFile": own})
    relay.start(client)
    client.wait_state("connected")
    for content, code in ((certificates.self_signed.cert.read_bytes(), "TLS_UNTRUSTED"), (b"no certificate\n", None), (None, None)):
        own.unlink(missing_ok=True)
        if content is not None:
            own.write_bytes(content)
        before = len(tls_server.handshakes)
        if client.get("State") == "connected":
            tls_server.connection.abort()
        wait_until(lambda: client.get("State") in ("waiting", "connecting") and
                   (code is None or client.get("LastError")[0] == code), lambda: f"{code}; {client.get('LastError')}")
        wait_until(lambda: client.get("Attempts") >= 3, "some attempts")
        assert client.get("LastError")[0] and len(tls_server.handshakes) == before, client.get("LastError")
        own.write_bytes(certificates.ca_file.read_bytes())
        client.wait_state("connected")


# -- handshakes that come to nothing

CLIENT_HELLO_READ = 200  # bytes of it, at least: then the server is in the handshake
SERVER_HELLO_HEAD = b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03" + b"\x55" * 20  # of a record of 122 bytes: cut off


@pytest.mark.parametrize("greeting", [b"", SERVER_HELLO_HEAD], ids=["nothing", "half a hello"])
def test_stops_in_the_handshake(relay, monotonic, tls_server, client, new_raw_server, greeting):
    raw = new_raw_server(greeting)
    relay.configure(Server={"Url": f"wss://127.0.0.1:{raw.port}/"})
    relay.start(client)
    wait_until(lambda: len(raw.received) > CLIENT_HELLO_READ, "the relay's hello")
    monotonic.advance(HANDSHAKE_SEC)
    client.wait_error("HANDSHAKE_TIMEOUT")
    wait_until(lambda: len(raw.accepted) >= 2, "another attempt")
    relay.configure(Server={"Url": tls_server.url()})
    client.command("Reload")
    client.wait_state("connected")


@pytest.mark.parametrize("greeting", [
    b"\x15\x03\x03\x00\x02\x02\x28", b"\x15\x03\x03\x00\x02\x01\x00", b"\x16\x03\x03\xff\xff" + b"\0" * 70000,
    b"\x17\x03\x03\x00\x10" + b"x" * 16, b"\x16\x03\x03\x00\x04\x02\x00\x00\x00", b"\0" * 5000, SERVER_HELLO_HEAD],
    ids=["an alert", "close_notify", "a record too long", "data at once", "an empty hello", "zeros", "half a hello and the end"])
def test_garbage_in_the_handshake(relay, tls_server, client, new_raw_server, greeting, token):
    raw = new_raw_server(greeting, hang_up=True)
    relay.configure(Server={"Url": f"wss://127.0.0.1:{raw.port}/"})
    relay.start(client)
    wait_until(lambda: len(raw.accepted) >= 3, "attempts")
    assert client.get("State") in ("waiting", "connecting")
    code, text = client.wait_error("TLS", "CONNECTION_LOST")
    assert text and token.encode() not in raw.received
    relay.configure(Server={"Url": tls_server.url()})
    client.command("Reload")
    client.wait_state("connected")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_one_version_only(relay, certificates, client, new_server, new_witness, token, version):
    context = server_context(certificates.good, maximum=version)
    context.minimum_version = version
    server = new_server(tls=context)
    server.tokens = {token}
    relay.configure(Server={"Url": server.url(), "CaFile": certificates.ca_file})
    relay.start(client)
    client.wait_state("connected")
    witness = new_witness(server, client, rate=1000)
    for _ in range(3):
        witness.wait_flow()
        server.connection.abort()
        wait_until(lambda: client.get("State") != "connected" or server.connection.closed is None, "another connection")
    witness.finish()


def test_a_name_that_the_server_does_not_know(relay, tls_server, client):
    """The relay says whom it wants (SNI); the server knows nobody of that name."""
    asked, known = [], []

    def on_name(_, name, __):
        asked.append(name)
        return None if known else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    tls_server.tls.sni_callback = on_name
    relay.configure(Server={"Url": tls_server.url("localhost")})
    relay.start(client)
    wait_until(lambda: len(asked) >= 2, "attempts")
    client.wait_error("TLS")
    assert set(asked) == {"localhost"} and not tls_server.handshakes
    known.append("localhost")
    client.wait_state("connected")


# -- in the middle of a connection

BREAKS = {
    "garbage": lambda wire: wire.inject(b"\0" * 1000),
    "a record that nobody sealed": lambda wire: wire.inject(b"\x17\x03\x03\x00\x20" + b"\xaa" * 32),
    "an alert in clear": lambda wire: wire.inject(b"\x15\x03\x03\x00\x02\x02\x28"),
    "HTTP": lambda wire: wire.inject(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "the end without close_notify": lambda wire: wire.end(),
    "the end in a record's head": lambda wire: setattr(wire, "cut_after", 3),
    "the end in a record": lambda wire: setattr(wire, "cut_after", 40),
}


@pytest.mark.parametrize("name", BREAKS)
def test_broken_in_the_middle(relay, tls_server, wire, client, new_witness, name):
    """Whatever it was, it is told, and nothing of what came in it is taken for an event."""
    relay.start(client)
    client.wait_state("connected")
    witness = new_witness(tls_server, client, rate=500)
    witness.wait_flow()
    BREAKS[name](wire)
    tls_server.wait_connection(2)
    # The server may see the second connection before the client hears of the end of the first.
    troubles = wait_until(lambda: [code for code, _ in client.changes("LastError") if code], "a trouble")
    assert set(troubles) <= {"TLS", "CONNECTION_LOST"}, troubles
    witness.finish()
    assert len(witness.gaps()) == 1
    assert client.get("MalformedDropped") == 0


class RenegotiatingServer:
    """openssl's own, in TLS 1.2: what is typed goes to the client, "R" at a line's begin renegotiates. Speaks as much WebSocket as
    is needed."""

    def __init__(self, certificate):
        self.output = b""
        self._process = subprocess.Popen(
            ["openssl", "s_server", "-accept", "127.0.0.1:0", "-tls1_2", "-cert", str(certificate.cert), "-key", str(certificate.key)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        threading.Thread(target=self._read, daemon=True).start()
        self.port = int(self.wait(rb"ACCEPT .*:(\d+)")[1])

    def _read(self):
        while data := self._process.stdout.read1(65536):
            self.output += data
            tell()

    def wait(self, pattern):
        return wait_until(lambda: re.search(pattern, self.output), lambda: f"{pattern}: {self.output}")

    def type(self, data):
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def accept(self):
        key = self.wait(rb"Sec-WebSocket-Key: (\S+)\r\n(?s:.*)\r\n\r\n")[1]
        answer = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        self.type(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  b"Sec-WebSocket-Accept: " + answer + b"\r\n\r\n")

    def finish(self):
        self._process.kill()
        self._process.wait()


def test_renegotiation(relay, certificates, client):
    """An old server that wants to agree on keys anew, again and again: the connection lives, or a new one is made."""
    server = RenegotiatingServer(certificates.good)
    try:
        relay.configure(Server={"Url": f"wss://127.0.0.1:{server.port}/", "CaFile": certificates.ca_file})
        relay.start(client)
        server.accept()
        client.wait_state("connected")
        for n in range(3):
            server.type(b"R\n")
            wait_until(lambda: server.output.count(b"SSL_do_handshake") > n or client.get("State") != "connected", "the new keys")
            # openssl sends whole lines: within the message, a line's end is white space.
            server.type(frame(TEXT, b'{"id":"behind-%d","type":"behind.it","data":{}}\n' % n))
            wait_until(lambda: any(event_of(s)["id"] == f"behind-{n}" for s in client.events()) or client.get("State") != "connected",
                       lambda: f"an event, or an end; {server.output[-300:]}", 20)
        if client.get("State") != "connected":
            assert client.get("LastError")[0] in ("TLS", "CONNECTION_LOST")
    finally:
        server.finish()
    client.wait_error("REFUSED", "CONNECTION_LOST", "TLS", seconds=20 * SCALE)
