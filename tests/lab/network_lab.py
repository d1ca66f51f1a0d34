# SPDX-License-Identifier: MIT
"""A network of two machines and the wire between them, which the relay and its servers are brought into; it breaks in every way that
networks do. The sockets of the servers are made in there and handed out, so that the servers themselves live in the test."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading

import websockets

from lab_server import LabServer
from prp_server import Protocol
from waiting import SCALE

HERE = os.path.dirname(os.path.abspath(__file__))
HOME_ADDRESS, OTHER_HOME_ADDRESS = "10.99.0.2", "10.99.0.7"
FAR_ADDRESS = "10.99.0.1"  # as a certificate of the tests has it, with the name below
FAR_NAME = "relay.test"
PORT = 4443

# Who listens to nobody says nothing to anybody: packets are dropped on both ways.
BLACKHOLE = """add rule inet lab input drop
add rule inet lab output drop
"""


class Room:
    def __init__(self):
        self._ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.settimeout(20 * SCALE)
        self.pid = 0

    def greet(self):
        self.theirs.close()
        self.pid = int(self._ours.recv(100) or b"0")
        assert self.pid, "the room could not be made"

    def order(self, **order):
        self._ours.send(json.dumps(order).encode())
        data, descriptors, _, _ = socket.recv_fds(self._ours, 65536, 1)
        answer = json.loads(data)
        assert "error" not in answer, answer
        return socket.socket(fileno=descriptors[0]) if descriptors else answer["reply"]

    def run(self, command, text=None):
        return self.order(run=command.split(), text=text)["output"]

    def listen(self, kind, address, port):
        return self.order(listen=[kind, address, port])

    def close(self):
        self._ours.close()


class Network:
    IS_ROOT = os.geteuid() == 0
    UNSHARE = ["unshare", "--net", "--mount", "--propagation=private",
               *([] if IS_ROOT else ["--user", "--map-current-user", "--keep-caps"])]

    def __init__(self, relay):
        self.home, self.far, self.wire = rooms = Room(), Room(), Room()
        descriptors = [room.theirs.fileno() for room in rooms]
        self._process = subprocess.Popen(
            [*self.UNSHARE, sys.executable, os.path.join(HERE, "network_room.py"), *map(str, descriptors)],
            pass_fds=descriptors, stdin=subprocess.DEVNULL)
        for room in rooms:
            room.greet()
        self._make_links()
        self._make_names(relay.home.directory)
        own = f"/proc/{self._process.pid}"
        relay.enter = ["nsenter", f"--net={own}/ns/net", f"--mount={own}/ns/mnt", f"--root={own}/root",
                       *([] if self.IS_ROOT else [f"--user={own}/ns/user", "--preserve-credentials"])]

    def _make_links(self):
        home, far, wire = self.home, self.far, self.wire
        home.run(f"ip link add a0 type veth peer name m0 netns {wire.pid}")
        wire.run(f"ip link add m1 type veth peer name b0 netns {far.pid}")
        for room, name in ((home, "a0"), (wire, "m0"), (wire, "m1"), (far, "b0")):
            room.order(offloads=name)
            room.run(f"ip link set {name} up")
        home.run("ip link set lo up")
        far.run("ip link set lo up")
        far.run(f"ip address add {FAR_ADDRESS}/24 dev b0")
        far.run("nft -f -", "add table inet lab\n"
                "add chain inet lab input { type filter hook input priority 0; }\n"
                "add chain inet lab output { type filter hook output priority 0; }\n")
        wire.order(open=True)
        self.set_address(HOME_ADDRESS)

    def _make_names(self, directory):
        """Names are asked for at the far end, and once only: the answer's absence shall be seen soon."""
        for path, text in (("/etc/resolv.conf", f"nameserver {FAR_ADDRESS}\noptions timeout:1 attempts:1\n"),
                           ("/etc/nsswitch.conf", "hosts: dns\n")):
            own = directory / os.path.basename(path)
            own.write_text(text)
            self.home.run(f"mount --bind {own} {os.path.realpath(path)}")

    # -- what can happen

    def set_address(self, address, old=None):
        if old is not None:
            self.home.run(f"ip address del {old}/24 dev a0")
        self.home.run(f"ip address add {address}/24 dev a0")
        self.home.run(f"ip route replace default via {FAR_ADDRESS} dev a0")

    def set_wire(self, **how):
        """cut, loss, delay, seed; without any it is a good one."""
        self.wire.order(wire=how)

    def blackhole(self):
        self.far.run("nft -f -", BLACKHOLE)

    def reject(self, how):
        """"tcp reset", or "icmp host-unreachable" and its like."""
        self.far.run("nft -f -", f"add rule inet lab input meta l4proto tcp reject with {how}\n")

    def heal(self):
        self.far.run("nft -f -", "flush chain inet lab input\nflush chain inet lab output\n")

    def finish(self):
        for room in (self.home, self.far, self.wire):
            room.close()
        try:
            self._process.wait(10 * SCALE)
        finally:
            self._process.kill()
            self._process.wait()


class FarServer(LabServer):
    """Listens at the far end."""

    def __init__(self, network, tls, address=FAR_ADDRESS):
        self._network, self._address = network, address
        super().__init__(tls=tls)

    def start(self):
        listener = self._network.far.listen("tcp", self._address, PORT)

        async def serve():
            server = await websockets.serve(
                self._handle, sock=listener, ssl=self.tls, create_protocol=Protocol, max_size=None, max_queue=None,
                ping_interval=None, close_timeout=1, write_limit=65536)
            server.prp = self
            return server

        self._server = self.run(serve())
        self.port = PORT

    def url(self, host=FAR_ADDRESS):
        return f"wss://{host}:{PORT}/v1/ws/prps"


class NameServer:
    """At the far end: answers every question as it is told to."""

    RIGHT, WRONG, NO_NAME, FAILURE, GARBAGE, SILENT = range(6)
    OTHER_ADDRESS = "10.99.0.3"

    def __init__(self, network):
        self.how = self.RIGHT
        self.n_asked = 0
        self._socket = network.far.listen("udp", FAR_ADDRESS, 53)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _answer(self, question):
        """RFC 1035 §4: the question again, and an address behind it where it asks for an IPv4 one."""
        end = question.index(b"\0", 12) + 5
        is_a = question[end - 4:end - 2] == b"\0\x01"
        address = socket.inet_aton(self.OTHER_ADDRESS if self.how == self.WRONG else FAR_ADDRESS)
        code = {self.NO_NAME: 3, self.FAILURE: 2}.get(self.how, 0)
        has = code == 0 and is_a
        head = question[:2] + bytes([0x81, 0x80 | code]) + b"\0\1" + bytes([0, has]) + b"\0\0\0\0"
        return head + question[12:end] + (b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + address if has else b"")

    def _serve(self):
        while True:
            try:
                question, peer = self._socket.recvfrom(4096)
            except OSError:
                return
            if not question:
                return
            self.n_asked += 1
            if self.how == self.GARBAGE:
                self._socket.sendto(question[:2] + b"\xff" * 60, peer)
            elif self.how != self.SILENT:
                self._socket.sendto(self._answer(question), peer)

    def finish(self):
        with contextlib.suppress(OSError):  # who reads wakes up all the same
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()
