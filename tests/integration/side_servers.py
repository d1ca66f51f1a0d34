# SPDX-License-Identifier: MIT
"""What else a relay may meet on the network: a token endpoint (RFC 6749), and servers that are none."""

import collections
import http.server
import json
import socket
import subprocess
import threading
import time
import urllib.parse

from waiting import tell, wait_until

Request = collections.namedtuple("Request", "time path headers form")


class TokenEndpoint:
    """Answers with what the test puts into `replies`: (status, object or bytes, headers). The last one stays."""

    def __init__(self):
        self.requests = []
        self.replies = []
        endpoint = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
                form = urllib.parse.parse_qs(body, keep_blank_values=True, strict_parsing=True)
                endpoint.requests.append(Request(time.time(), self.path, dict(self.headers.items()), form))
                tell()
                status, reply, headers = (endpoint.replies.pop(0) if len(endpoint.replies) > 1
                                          else endpoint.replies[0])
                data = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                for key, value in headers.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/oauth/token"
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.02], daemon=True)
        self._thread.start()

    def reply(self, status=200, headers=None, **members):
        """The reply to all requests from now on."""
        self.replies = [(status, members, headers or {})]

    def wait_requests(self, n, seconds=10):
        return wait_until(lambda: len(self.requests) >= n and self.requests, f"{n} requests for a token", seconds)

    def finish(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class RawServer:
    """Accepts TCP connections, keeps what comes in, says what it is told to, and hangs up or says nothing more."""

    def __init__(self, greeting=b"", hang_up=False):
        self.accepted = []
        self.received = b""
        self._greeting = greeting
        self._hang_up = hang_up
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self.accepted.append((time.time(), peer))
            tell()
            threading.Thread(target=self._read, args=[peer], daemon=True).start()

    def _read(self, peer):
        try:
            if self._greeting:
                peer.sendall(self._greeting)
            if self._hang_up:
                peer.shutdown(socket.SHUT_WR)
            while data := peer.recv(65536):
                self.received += data
                tell()
        except OSError:
            pass

    def finish(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for _, peer in self.accepted:
            peer.close()


def unused_port():
    """A port of the loopback at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class OldTlsServer:
    """Speaks TLS 1.1 at best. Python's ssl of today cannot be talked into it; openssl can."""

    def __init__(self, certificate):
        self.output = []
        self._process = subprocess.Popen(
            ["openssl", "s_server", "-accept", "127.0.0.1:0", "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0",
             "-cert", str(certificate.cert), "-key", str(certificate.key)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        threading.Thread(target=self._read, daemon=True).start()
        line = wait_until(lambda: next((o for o in self.output if o.startswith(b"ACCEPT ")), None),
                          lambda: f"openssl to listen: {self.output}")
        self.port = int(line.rpartition(b":")[2])

    def _read(self):
        for line in self._process.stdout:
            self.output.append(line)
            tell()

    def finish(self):
        self._process.kill()
        self._process.wait()
