# SPDX-License-Identifier: MIT
"""A client of the load server's that reads, and does nothing with what it reads: how fast the server is by itself."""

import base64
import os
import socket
import time
import urllib.parse

from bed import TOKEN
from load_server import event_frame

SUBSCRIBE = b'{"id":"1","action":"subscribe","payload":{"channels":["project:bench"]}}'
TIMEOUT_SEC = 30


def masked(payload):
    """A client's text frame (RFC 6455 §5.3), with a mask of zeros."""
    assert len(payload) < 126
    return bytes([0x81, 0x80 | len(payload)]) + bytes(4) + payload


def connect(url):
    parts = urllib.parse.urlsplit(url)
    connection = socket.create_connection((parts.hostname, parts.port), TIMEOUT_SEC)
    key = base64.b64encode(os.urandom(16)).decode()
    connection.sendall((f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer {TOKEN}\r\n\r\n").encode())
    connection.sendall(masked(SUBSCRIBE))
    return connection


def rate(bed, n_events):
    """Events a second."""
    with connect(bed.url) as connection:
        assert bed.server.ask("await") == "connected"
        # What the server says of itself comes before, and may be in the socket by now or not: it is a few frames.
        left = n_events * len(event_frame(0, 0))
        assert bed.server.ask("pour", n_events, 0) == "pouring"
        buffer = bytearray(1 << 20)
        while left > 0:
            left -= connection.recv_into(buffer)
        ended = time.monotonic_ns()
        began, _ = map(int, bed.server.read().split())
    return n_events / (ended - began) * 1e9
