# SPDX-License-Identifier: MIT
"""The foreign server with hooks at each moment of a conversation, and what can befall its process: it is killed (its kernel resets
what is connected, and refuses who comes) or stopped (its kernel goes on: it accepts, and nobody answers)."""

import asyncio
import contextlib
import socket
import struct
import threading

from prp_server import CALL_SEC, PrpServer
from waiting import SCALE, tell


def reset(connection):
    """Ends it by RST: what is under way is lost with it. In the server's thread."""
    transport = connection.socket.transport
    if transport is not None and not transport.is_closing():
        with contextlib.suppress(OSError):
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # A TLS transport that has ended by itself knows no protocol any more that it could abort.
        with contextlib.suppress(AttributeError):
            transport.abort()


class LabServer(PrpServer):
    def __init__(self, *arguments, **options):
        # Each is a coroutine of (connection, message) for every message of the client's, in place of the usual answer where it
        # returns True.
        self.on_message = None
        # Called with a connection before it is greeted, likewise.
        self.on_connection = None
        self._stop_ended = threading.Event()
        super().__init__(*arguments, **options)

    async def _answer(self, connection, message):
        if self.on_message is None or not await self.on_message(connection, message):
            await super()._answer(connection, message)

    async def _say(self, connection, kind, data=None):
        if kind == "connection.established" and self.on_connection is not None and await self.on_connection(connection):
            return
        await super()._say(connection, kind, data)

    # -- for hooks: in the server's thread

    async def say(self, connection, kind, data=None):
        await super()._say(connection, kind, data)

    async def confirm(self, connection, channels):
        await self._confirm(connection, list(channels))

    def die(self):
        """What its end does to others."""
        self._server.close()
        for connection in self.connections:
            reset(connection)

    # -- for tests

    def kill(self):
        """Until start()."""
        async def end():
            self.die()
            await self._server.wait_closed()
        self.run(end())
        self._server = None

    def restart(self):
        """After die() or kill()."""
        if self._server is not None:
            self.run(asyncio.wait_for(self._server.wait_closed(), CALL_SEC * SCALE))
        self.start()

    def hold_still(self):
        """As SIGSTOP does; in the server's thread, or from a test. Until go_on()."""
        self._stop_ended.clear()
        tell()
        self._stop_ended.wait(60 * SCALE)

    def stop_process(self):
        self._stop_ended.clear()
        stopped = threading.Event()

        def stand():
            stopped.set()
            self._stop_ended.wait(60 * SCALE)
        self.loop.call_soon_threadsafe(stand)
        assert stopped.wait(CALL_SEC * SCALE)

    def go_on(self):
        self._stop_ended.set()

    def finish(self):
        self.go_on()
        super().finish()
