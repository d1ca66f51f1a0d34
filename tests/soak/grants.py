# SPDX-License-Identifier: MIT
"""The token endpoint (RFC 6749 §6) of the soak: each refresh token is good for once, and the one that comes with it for the next
time."""

import http.server
import json
import threading
import urllib.parse

TOKEN_LIFE_SEC = 25  # so a token is renewed by itself every 20 seconds or so
TOKENS_KEPT = 3      # older ones are refused on a handshake

# All that is secret has this in it, so that one search finds any of them where none may be.
MARK = "soak-secret-"


class Grants:
    def __init__(self):
        self._lock = threading.Lock()
        self._n = 0
        self.tokens = []     # those that are good
        self.refresh = None  # the one that is good
        self.failures = []   # statuses of the next answers
        self.n_granted = self.n_refused = self.n_failed = 0
        grants = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
                status, reply = grants.answer(urllib.parse.parse_qs(body))
                data = json.dumps(reply).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/oauth/token"
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.1], daemon=True)
        self._thread.start()

    def _new(self):
        self._n += 1
        self.refresh = f"{MARK}refresh-{self._n:06}"
        self.tokens = [*self.tokens[1 - TOKENS_KEPT:], f"{MARK}token-{self._n:06}"]
        return self.tokens[-1], self.refresh

    def issue(self):
        """A token and a refresh token for who signs in."""
        with self._lock:
            return self._new()

    def revoke(self):
        """No token is good any more."""
        with self._lock:
            self.tokens = []

    def answer(self, form):
        with self._lock:
            if self.failures:
                self.n_failed += 1
                status = self.failures.pop(0)
                return status, {"error": "invalid_grant" if status == 400 else "temporarily_unavailable"}
            if form.get("refresh_token") != [self.refresh]:
                self.n_refused += 1
                return 400, {"error": "invalid_grant"}
            self.n_granted += 1
            token, refresh = self._new()
            return 200, {"access_token": token, "refresh_token": refresh, "token_type": "Bearer",
                         "expires_in": TOKEN_LIFE_SEC}

    def finish(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
