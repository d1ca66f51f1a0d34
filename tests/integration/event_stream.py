# SPDX-License-Identifier: MIT
"""Events without an end, and an oracle that knows which of them were missed, and whether that was told."""

import asyncio
import collections
import json
import time

from prp_server import CALL_SEC, TEXT, frame
from relay_bus import event_of
from waiting import SCALE

Sent = collections.namedtuple("Sent", "time channel written")  # written: it was, at the latest
Gap = collections.namedtuple("Gap", "since until cause channels sequence")

TICK_SEC = 0.005


class EventStream:
    """Sends events of some channels at a rate, each to every connection that is subscribed to its channel."""

    def __init__(self, server, channels, rate):
        self.server = server
        self.channels = channels
        self.rate = rate
        self.sent = []  # by number, which is the id
        self._stopping = False
        self._task = asyncio.run_coroutine_threadsafe(self._run(), server.loop)

    async def _run(self):
        begin = time.monotonic()
        while not self._stopping:
            self._send(int((time.monotonic() - begin) * self.rate) - len(self.sent))
            await asyncio.sleep(TICK_SEC)

    def _send(self, amount):
        batches = collections.defaultdict(list)
        for _ in range(amount):
            number = len(self.sent)
            channel = self.channels[number % len(self.channels)]
            data = frame(TEXT, json.dumps({
                "id": f"ev_{number}", "type": "agent.progress", "timestamp": "2024-01-15T13:00:00Z",
                "data": {"agentId": "agent_001", "prpId": channel, "progress": number % 100, "currentTask": "Streaming"},
            }).encode())
            for connection in self.server.connections:
                # Not behind its goodbye: nobody hears that any more.
                if channel in connection.subscribed and connection.socket.open:
                    batches[connection].append(data)
            self.sent.append(Sent(time.time(), channel, None))
        for connection, frames in batches.items():
            try:
                connection.socket.transport.write(b"".join(frames))
            except (RuntimeError, AttributeError):  # it has said its last word; one of TLS has forgotten its protocol by then
                pass
        written = time.time()
        for number in range(len(self.sent) - max(amount, 0), len(self.sent)):
            self.sent[number] = self.sent[number]._replace(written=written)

    def stop(self):
        """No more events from here on."""
        self._stopping = True
        self._task.result(CALL_SEC * SCALE)


def numbers_of(signals):
    """The numbers of the stream's events among the signals, in order."""
    events = [event_of(s)["id"] for s in list(signals) if s.member == "AgentProgress"]
    return [int(event_id[3:]) for event_id in events if event_id.startswith("ev_")]


def gaps_of(signals):
    return [Gap(*s.body.unpack()) for s in list(signals) if s.member == "Gap"]


def check_stream(stream, relayed, gaps, start=0, end=None):
    """Of the events from number start to end, none came twice, and each that did not come lies in a gap that was told. Returns
    the numbers of those."""
    doubles = [n for n, count in collections.Counter(relayed).items() if count > 1]
    assert not doubles, f"twice: {doubles[:10]}"
    relayed = set(relayed)
    missed = [n for n in range(start, len(stream.sent) if end is None else end) if n not in relayed]
    for number in missed:
        event = stream.sent[number]
        assert [g for g in gaps if event.channel in g.channels and g.since <= event.written * 1e6 and event.time * 1e6 <= g.until], (
            f"event {number} of {event.channel}, sent at {event.time * 1e6:.0f}, was missed, and no gap tells: {gaps}")
    return missed
