# SPDX-License-Identifier: MIT
"""A reader of the history and its signals, as the recipe of prp-relay-history(7) has it."""

import threading
import time

from relay_bus import EVENTS, BusError, event_of


class Reader:
    """Follows the recipe: matches the signals, lists what it has not seen, and drops what it has. In a thread of its own."""

    def __init__(self, client):
        self.client = client
        self.cursor = 0
        self.taken = []  # (sequence, id)
        self._listed = None  # the relay that was asked for what its predecessors had stored
        self._position = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _take(self, event):
        if event["sequence"] > self.cursor:
            self.cursor = event["sequence"]
            self.taken.append((event["sequence"], event["id"] or event["type"]))

    def list(self):
        more = True
        while more:
            events, _, more = self.client.list_events(after=self.cursor)
            for event in events:
                self._take(event)

    def _handle(self, signal):
        if signal.sender != self._listed:
            # Another relay: what the last one stored and did not come to signal is only in the history.
            self.list()
            self._listed = signal.sender
        if signal.member == "Gap":
            self._take({"sequence": signal.body.unpack()[4], "id": "", "type": "relay.gap"})
        else:
            self._take(event_of(signal))

    def _run(self):
        while not self._stopping:
            try:
                while self._position < len(self.client.signals):
                    signal = self.client.signals[self._position]
                    if signal.interface == EVENTS:
                        self._handle(signal)
                    self._position += 1
            except BusError:
                pass  # gone in the middle of it: the next one will be asked
            time.sleep(0.005)

    def stop(self):
        self._stopping = True
        self._thread.join()
