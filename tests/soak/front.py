# SPDX-License-Identifier: MIT
"""One server of the service, spoken by python3-websockets: it greets, confirms, answers pings, and does as the faults want it.

All that it says goes through Line.put as raw frames, in order: whole, in fragments, or byte by byte where it is slow. A line
that has fallen silent says nothing and answers nothing. All of it lives in the loop of the service's thread.
"""

import asyncio
import collections
import contextlib
import http
import json
import socket
import ssl
import struct
import time

import websockets
from websockets.legacy.server import WebSocketServerProtocol

from prp_server import BINARY, TEXT, frame

SLOW_PIECE_BYTES = 400
SLOW_PAUSE_SEC = 0.01

GARBAGE = {
    "not-json": frame(TEXT, b'{"id": "x", "type": }'),
    "empty": frame(TEXT, b""),
    "number": frame(TEXT, b"17"),
    "array": frame(TEXT, b"[1, 2, 3]"),
    "deep": frame(TEXT, b"[" * 5000 + b"]" * 5000),
    "binary": frame(BINARY, bytes(range(256))),
    "no-type": frame(TEXT, b'{"id": "x", "data": {}}'),
    "nul": frame(TEXT, b'{"id": "x", "type": "a\0b"}'),
    "truncated": frame(TEXT, b'{"id": "x", "type": "prp.created", "data": {"id": "prp'),
    "reserved-bits": frame(TEXT, b"{}", rsv=3),
    "unknown-opcode": frame(11, b"?"),
    "lost-continuation": frame(0, b"the end of what has never begun"),
    "not-utf8": frame(TEXT, b'{"id": "\xff\xfe"}'),
    "masked": bytes([0x81, 0x80 | 2, 1, 2, 3, 4]) + bytes([ord("{") ^ 1, ord("}") ^ 2]),
    "too-big": frame(TEXT, b'{"id": "' + b"x" * (1 << 20) + b'"}'),
}
# Odd, but events: each is a new one, and has to be told like any other.
ODD_DATA = {
    "lone-surrogate": '"\\ud800"',
    "duplicate-keys": '{"a": 1, "a": 2}',
    "huge-number": "1e999",
}


class Line:
    """One WebSocket of the relay's."""

    def __init__(self, front, number, connection):
        self.front = front
        self.number = number
        self.socket = connection
        self.opened = time.time()
        self.subscribed = set()
        self.silent = False
        self.slow_until = 0.0
        self.twice_until = 0.0
        self.over = False
        self._queue = collections.deque()  # (bytes, event's number or None), while it is slow
        self._rest = b""                   # of the one that is being said
        self._task = None
        self._leaving = []  # events of which bytes are in our buffers

    def flush(self):
        """All that was to be said is said at once: before the last word, or that would be no end in good order; and before any
        other end. Of what a server keeps to itself no relay can know, nor tell. True if there was something."""
        if self.over or self.silent or self.socket.transport is None or self.socket.transport.is_closing():
            return False
        queue, self._queue = self._queue, collections.deque()
        rest, self._rest = self._rest, b""
        self.socket.transport.write(rest + b"".join(data for data, _ in queue))
        self._leaving += [n for _, n in queue if n is not None]
        return bool(rest or queue)

    # Whatever ends it, what was not written by then never will be.
    def end(self):
        if not self.over:
            self.over = True
            self._settle(self._leaving + [n for _, n in self._queue if n is not None])
            self._queue.clear()

    def _settle(self, numbers):
        now = time.time()
        for number in numbers:
            self.front.record.after[number] = now

    def look(self):
        """Now and then: have the buffers become empty?"""
        if self._leaving and not self._rest and self.socket.transport.get_write_buffer_size() == 0:
            self._settle(self._leaving)
            self._leaving = []

    def put(self, data, number=None):
        """Says it; False if it cannot."""
        transport = self.socket.transport
        if self.over or self.silent or transport is None or transport.is_closing() or not self.socket.open:
            return False
        if self._rest or self._queue or time.monotonic() < self.slow_until:
            self._queue.append((data, number))
            if self._task is None:
                self._task = asyncio.get_running_loop().create_task(self._dribble())
            return True
        self._write(data, number)
        return True

    def _write(self, data, number):
        self.socket.transport.write(data)
        if number is not None:
            if self.socket.transport.get_write_buffer_size() > 0:
                self._leaving.append(number)
            else:
                self._settle([number])

    async def _dribble(self):
        while (self._rest or self._queue) and not (self.over or self.silent or self.socket.transport.is_closing()):
            if not self._rest:
                self._rest, number = self._queue.popleft()
                if number is not None:
                    self._leaving.append(number)
            slow = time.monotonic() < self.slow_until
            step = SLOW_PIECE_BYTES if slow else len(self._rest)
            piece, self._rest = self._rest[:step], self._rest[step:]
            self.socket.transport.write(piece)
            if slow:
                await asyncio.sleep(SLOW_PAUSE_SEC)
        self._task = None

    def say(self, kind, data=None):
        name = f"srv_{next(self.front.ids)}"
        message = {"id": name, "type": kind, "timestamp": "2024-01-15T10:00:00Z"}
        if kind == "error":
            self.front.record.errors.add(name)
        if data is not None:
            message["data"] = data
        return self.put(frame(TEXT, json.dumps(message).encode()))

    def confirm(self, channels, named=None):
        """From here on the events of these are said. Others may be named."""
        for channel in channels:
            self.subscribed.add(channel)
            self.front.record.confirm(time.time(), channel, self.number, self.opened)
        self.say("subscription.confirmed", {"subscribedChannels": sorted(channels) if named is None else named})

    def fall_silent(self):
        if not self.over and not self.socket.transport.is_closing():
            self.flush()
            self.silent = True
            self.socket.transport.pause_reading()

    def cut(self, hard=False):
        """Without a word; the hard way, what is under way is lost with it, and the peer knows that this was no end in good
        order. There is no other one for a line that has fallen silent."""
        hard = not self.flush() and (hard or self.silent)
        self.end()
        transport = self.socket.transport
        if transport is None or transport.is_closing():
            return
        raw = transport.get_extra_info("socket")
        if hard:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            # Now: abort() leaves it to a later turn of the loop, and what happens until then would be kept from who is still there.
            with contextlib.suppress(OSError):
                raw.shutdown(socket.SHUT_WR)
        try:
            transport.abort()
        except AttributeError:
            pass  # a TLS transport that has ended by itself knows no protocol any more that it could abort

    async def close(self, code):
        if not self.silent:
            await self.socket.close(code, "as planned")


class Protocol(WebSocketServerProtocol):
    line = None

    async def process_request(self, path, headers):
        return self.ws_server.prp.judge(headers)

    async def write_close_frame(self, *arguments):
        """Ours, or the answer to the relay's: never in the middle of another frame, and the last word from this moment on."""
        if self.line is not None and self.open:
            self.line.flush()
            self.line.end()
        await super().write_close_frame(*arguments)


class Front:
    """A server at a port of its own. start() and stop() are coroutines."""

    def __init__(self, record, grants, numbers, ids, tls=None):
        self.record, self.grants, self.tls = record, grants, tls
        self.numbers, self.ids = numbers, ids  # of lines, of messages: the service's
        self.port = 0
        self.lines = []     # those that live
        self.answers = []   # (status, headers) of the next handshakes
        self.lies = []      # (style, cut behind it) of the next subscribe messages
        self.n_handshakes = self.n_refused = self.n_lines = 0
        self._server = None

    @property
    def url(self):
        return f"{'wss' if self.tls else 'ws'}://127.0.0.1:{self.port}/v1/ws/prps"

    async def start(self):
        if self._server is None:
            self._server = await websockets.serve(
                self._handle, "127.0.0.1", self.port, ssl=self.tls, create_protocol=Protocol, max_size=None, max_queue=None,
                ping_interval=None, close_timeout=1)
            self._server.prp = self
            self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self):
        """Listens no more; whoever is connected is cut."""
        server, self._server = self._server, None
        for line in list(self.lines):
            line.cut()
        if server is not None:
            server.close()
            await server.wait_closed()

    def judge(self, headers):
        self.n_handshakes += 1
        token = headers.get("Authorization", "").removeprefix("Bearer ")
        answer = self.answers.pop(0) if self.answers else (None if token in self.grants.tokens else (401, {}))
        if answer is None:
            return None
        self.n_refused += 1
        return http.HTTPStatus(answer[0]), list(answer[1].items()), b"No.\n"

    async def _handle(self, connection, _path=None):
        line = connection.line = Line(self, next(self.numbers), connection)
        self.n_lines += 1
        self.lines.append(line)
        try:
            line.say("connection.established", {"connectionId": f"conn_{line.number}", "serverVersion": "1.0.0",
                                                "features": ["subscribe", "unsubscribe", "heartbeat"]})
            async for text in connection:
                if not line.silent:
                    await self._answer(line, json.loads(text))
        except (websockets.ConnectionClosed, ssl.SSLError, OSError):
            pass
        finally:
            line.end()
            self.lines.remove(line)
            await connection.close()

    async def _answer(self, line, message):
        action = message["action"]
        if action == "ping":
            line.say("pong")
        elif action == "unsubscribe":
            line.subscribed -= set(message["payload"]["channels"])
        elif action == "subscribe":
            channels = message["payload"]["channels"]
            style, cut = self.lies.pop(0) if self.lies else (None, False)
            await self._answer_subscribe(line, channels, message, style)
            if cut:
                line.cut()

    async def _answer_subscribe(self, line, channels, message, style):
        """The truth, told in one of many ways. What is confirmed by name to no purpose is wanted by nobody."""
        if style == "others":
            line.confirm(channels, ["project:never_asked_for", *sorted(channels), "no channel at all", ""])
        elif style == "late":
            await asyncio.sleep(0.7)
            line.confirm(channels)
        elif style == "pieces":
            for channel in sorted(channels, reverse=True):
                line.confirm([channel])
                await asyncio.sleep(0.02)
        elif style == "twice":
            line.confirm(channels)
            line.confirm(channels)
        elif style == "uncalled":
            line.say("subscription.confirmed", {"subscribedChannels": ["agent:nobody"]})
            line.say("subscription.confirmed", {"subscribedChannels": "all"})
            line.say("subscription.confirmed")
            line.confirm(channels)
        elif style == "withheld":
            line.confirm(channels[1:])
        elif style == "rate-limited":
            self._refuse(line, message, "RATE_LIMITED")
        elif style == "refused":
            self._refuse(line, message, "INVALID_CHANNEL")
        else:
            line.confirm(channels)

    def _refuse(self, line, message, code):
        line.say("error", {"code": code, "message": "as planned",
                           "details": {"requestId": message.get("id"), "action": message["action"]}})
