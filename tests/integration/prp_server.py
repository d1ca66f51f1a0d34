# SPDX-License-Identifier: MIT
"""A PRP server that is not ours: the protocol page, spoken by python3-websockets, with every fault on demand.

It lives in a thread with a loop of its own; tests change its attributes while it runs, and read what it recorded.
"""

import asyncio
import collections
import contextlib
import http
import itertools
import json
import struct
import threading
import time

import websockets
from websockets.legacy.server import WebSocketServerProtocol

from waiting import SCALE, tell, wait_until

CALL_SEC = 10  # for anything that a test asks of the server's thread

Handshake = collections.namedtuple("Handshake", "time path token headers status")
Message = collections.namedtuple("Message", "time connection json")

TEXT, BINARY, CLOSE = 1, 2, 8


def frame(opcode, payload, fin=True, rsv=0):
    """The bytes of one frame from a server (RFC 6455 §5.2), whatever its payload."""
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if len(payload) < 126:
        return head + bytes([len(payload)]) + payload
    if len(payload) < 65536:
        return head + struct.pack(">BH", 126, len(payload)) + payload
    return head + struct.pack(">BQ", 127, len(payload)) + payload


def fragments(opcode, payload, count):
    """The same message in that many frames; some are empty where there is not enough to split."""
    step, rest = divmod(len(payload), count)
    parts, position = [], 0
    for i in range(count):
        length = step + (i < rest)
        parts.append(frame(opcode if i == 0 else 0, payload[position:position + length], fin=i == count - 1))
        position += length
    return b"".join(parts)


class Connection:
    """One WebSocket of a client, from its 101 answer on."""

    def __init__(self, server, socket):
        self.server = server
        self.socket = socket
        self.messages = []    # JSON of the client's messages …
        self.times = []       # … and when each came (monotonic)
        self.subscribed = set()
        self.closed = None    # (code, reason) in the end; 1006 without a close frame
        self.greeted = False

    # Called from the tests.

    def send(self, message):
        """A message, as an object or as a text."""
        self.server.run(self.socket.send(message if isinstance(message, str) else json.dumps(message)))

    def write(self, data):
        """Bytes as they are, past the WebSocket."""
        self.server.loop.call_soon_threadsafe(self.socket.transport.write, data)

    def flood(self, data, piece=65536):
        """Writes much, no faster than the peer reads; a Future."""
        async def pour():
            for i in range(0, len(data), piece):
                self.socket.transport.write(data[i:i + piece])
                # The transport's flow control, which an answer of the server's may be waiting for as well. There is no
                # public name for it.
                async with self.socket._drain_lock:
                    await self.socket._drain()
        return asyncio.run_coroutine_threadsafe(pour(), self.server.loop)

    def settle(self):
        """Waits until the client has read all that was written (True), or the connection has ended (False)."""
        async def ask():
            try:
                await (await self.socket.ping())
                return True
            except websockets.ConnectionClosed:
                return False
        return asyncio.run_coroutine_threadsafe(ask(), self.server.loop).result(60 * SCALE)

    def close(self, code=1000, reason=""):
        self.server.run(self.socket.close(code, reason))

    def abort(self):
        """Cuts the connection without a word."""
        self.server.loop.call_soon_threadsafe(self.socket.transport.abort)

    def end(self, how):
        """"abort", or a close code."""
        if how == "abort":
            self.abort()
        else:
            self.close(how)

    def wait_closed(self, seconds=10):
        return wait_until(lambda: self.closed, "the client to close", seconds)

    def requests(self, action):
        """The channels of each such message."""
        return [m["payload"]["channels"] for m in self.messages if m["action"] == action]

    def wait_message(self, condition, what="a message of the client", seconds=10):
        return wait_until(lambda: next((m for m in self.messages if condition(m)), None),
                          lambda: f"{what}; there are {self.messages}", seconds)

    def wait_action(self, action, channels=None, seconds=10):
        """A message with that action, and exactly those channels (in any order)."""
        def is_it(m):
            return m["action"] == action and (
                channels is None or sorted(m["payload"]["channels"]) == sorted(channels))
        return self.wait_message(is_it, f"{action} {channels or ''}", seconds)


class Protocol(WebSocketServerProtocol):
    async def process_request(self, path, headers):
        return self.ws_server.prp.judge(path, headers)


class PrpServer:
    def __init__(self, tls=None, host="127.0.0.1"):
        self.host = host
        self.tls = tls
        self.port = 0
        self.loop = asyncio.new_event_loop()
        self.handshakes = []
        self.connections = []

        # What it does; tests set these.
        self.tokens = None          # those it accepts; None: any
        self.answers = []           # (status, headers) for the next handshakes, in place of 101
        self.answer = None          # likewise, for all
        self.on_handshake = None    # called with each Handshake, in the server's thread
        self.established = {"connectionId": "conn_abc123", "serverVersion": "1.0.0",
                            "features": ["subscribe", "unsubscribe", "heartbeat"]}  # None: does not greet
        self.answer_pings = True
        self.answer_subscribes = True
        self.refused = {}           # channel → code
        self.refusal = "whole"      # of a batch with a bad channel: "whole", "partial" or "partial-error-first"
        self.request_ids = True     # say in an error which request it answers; a text: in those words
        self.limit = None           # most channels of one connection
        self.refused_actions = {}   # action → code, whatever it is about
        self.errors = []            # codes for the next subscribe messages, whatever is in them
        self.confirm_all = False    # a confirmation names all that is subscribed, not only what is new

        self._ids = itertools.count(1)
        self._thread = threading.Thread(target=self.loop.run_forever, name="prp-server", daemon=True)
        self._thread.start()
        self._server = None
        self.start()

    def run(self, coroutine):
        """Runs it in the server's thread, and waits."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(CALL_SEC * SCALE)

    def start(self):
        """Listens (again, at the same port)."""
        async def serve():
            server = await websockets.serve(
                self._handle, self.host, self.port, ssl=self.tls, create_protocol=Protocol, max_size=None,
                max_queue=None, ping_interval=None, close_timeout=1, write_limit=65536)
            server.prp = self
            return server

        self._server = self.run(serve())
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self, abort=False):
        """Listens no more; what is connected is closed (1001), or cut."""
        async def end():
            if abort:
                for connection in self.connections:
                    # A TLS transport that has ended by itself knows no protocol any more that it could abort.
                    with contextlib.suppress(AttributeError):
                        connection.socket.transport.abort()
            self._server.close()
            await self._server.wait_closed()

        if self._server is not None:
            self.run(end())
            self._server = None

    def finish(self):
        self.stop(abort=True)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(CALL_SEC * SCALE)
        self.loop.close()

    def url(self, host=None):
        return f"{'wss' if self.tls else 'ws'}://{host or self.host}:{self.port}/v1/ws/prps"

    # -- what it has seen

    @property
    def connection(self):
        """The newest one that was greeted."""
        return wait_until(lambda: next((c for c in reversed(self.connections) if c.greeted), None), "a connection")

    def wait_connection(self, n=1, seconds=10):
        """The nth connection since the start (1: the first), open and greeted."""
        return wait_until(lambda: len(self.connections) >= n and self.connections[n - 1].greeted and
                          self.connections[n - 1],
                          lambda: f"connection {n}; there are {len(self.connections)}, and the handshakes "
                          f"{[h.status for h in self.handshakes]}", seconds)

    def wait_handshakes(self, n, seconds=10):
        return wait_until(lambda: len(self.handshakes) >= n and self.handshakes[:n],
                          lambda: f"{n} handshakes; there were {len(self.handshakes)}", seconds)

    # -- in the server's thread

    def judge(self, path, headers):
        """Answers a handshake: None goes on to 101."""
        authorization = headers.get("Authorization", "")
        token = authorization[7:] if authorization.startswith("Bearer ") else None
        answer = self.answers.pop(0) if self.answers else self.answer
        if answer is None and (token is None or self.tokens is not None and token not in self.tokens):
            answer = (401, {})
        handshake = Handshake(time.time(), path, token, headers, 101 if answer is None else answer[0])
        if self.on_handshake is not None:
            self.on_handshake(handshake)
        self.handshakes.append(handshake)
        tell()
        if answer is None:
            return None
        return http.HTTPStatus(answer[0]), list(answer[1].items()), b"No.\n"

    async def _handle(self, socket, _path=None):
        connection = Connection(self, socket)
        self.connections.append(connection)
        try:
            # Noted before the client can know of it; nobody gets between the two, for this does not yield.
            connection.greeted = True
            if self.established is not None:
                await self._say(connection, "connection.established", self.established)
            tell()
            async for text in socket:
                message = json.loads(text)
                connection.times.append(time.monotonic())
                connection.messages.append(message)
                tell()
                await self._answer(connection, message)
        except websockets.ConnectionClosed:
            pass
        finally:
            await socket.close()
            connection.closed = (socket.close_code, socket.close_reason)
            tell()

    async def _say(self, connection, kind, data=None):
        message = {"id": f"srv_{next(self._ids)}", "type": kind, "timestamp": "2024-01-15T10:00:00Z"}
        if data is not None:
            message["data"] = data
        await connection.socket.send(json.dumps(message))

    async def _refuse(self, connection, request, code, text):
        data = {"code": code, "message": text}
        if self.request_ids:
            of = self.request_ids if isinstance(self.request_ids, str) else request.get("id")
            data["details"] = {"requestId": of, "action": request["action"]}
        await self._say(connection, "error", data)

    async def _confirm(self, connection, channels):
        connection.subscribed |= set(channels)
        await self._say(connection, "subscription.confirmed",
                        {"subscribedChannels": sorted(connection.subscribed) if self.confirm_all else channels})

    async def _answer(self, connection, message):
        action = message["action"]
        if action in self.refused_actions:
            await self._refuse(connection, message, self.refused_actions[action], f"No {action}")
        elif action == "ping":
            if self.answer_pings:
                await self._say(connection, "pong")
        elif action == "unsubscribe":
            connection.subscribed -= set(message["payload"]["channels"])
        elif action == "subscribe":
            if self.answer_subscribes:
                await self._answer_subscribe(connection, message)
        else:
            await self._refuse(connection, message, "INVALID_ACTION", f"Unknown action '{action}'")

    async def _answer_subscribe(self, connection, message):
        channels = message["payload"]["channels"]
        if self.errors:
            await self._refuse(connection, message, self.errors.pop(0), "As the test wants it")
            return
        if self.limit is not None and len(connection.subscribed | set(channels)) > self.limit:
            await self._refuse(connection, message, "SUBSCRIPTION_LIMIT", f"At most {self.limit} subscriptions")
            return
        bad = [c for c in channels if c in self.refused]
        good = [c for c in channels if c not in self.refused]
        if not bad:
            await self._confirm(connection, channels)
            return
        if good and self.refusal == "partial":
            await self._confirm(connection, good)
        await self._refuse(connection, message, self.refused[bad[0]], f"Channel '{bad[0]}' does not exist")
        if good and self.refusal == "partial-error-first":
            await self._confirm(connection, good)
