# SPDX-License-Identifier: MIT
"""The oracle: whatever happens, every event that was sent arrives once, or lies inside of a Gap that was told; the history says
the same, and the numbers rise by one."""

import contextlib
import os

from event_stream import EventStream, check_stream, gaps_of, numbers_of
from relay_bus import event_of
from waiting import wait_until

CHANNELS = ["project:lab-1", "project:lab-2", "agent:lab-3"]
# A packet that is lost is sent again after 0.2 s at least, then after twice as long and so on (RFC 6298 §5), and what is behind it
# waits. Nobody who hears it then can tell when it was sent first: proof.c takes the time on the way for a round trip.
RETRANSMISSION_SEC = 2
CALLS_SEC = 5  # a method call is answered within, whatever is wrong on the other side


def list_all(client):
    """Every stored event, page by page."""
    events, position, more = [], 0, True
    while more:
        page, position, more = client.list_events(position)
        events += page
    return events


class Witness:
    """Subscribes to its channels, and has the server send events of them without an end."""

    def __init__(self, relay, server, client, rate, channels=CHANNELS, subscribe=True):
        self.relay, self.server, self.client, self.channels = relay, server, client, channels
        if subscribe:
            assert client.subscribe(*channels) == dict.fromkeys(channels, "active")
        self.stream = EventStream(server, channels, rate)
        self._stopped = False

    def stop(self):
        if not self._stopped:
            self._stopped = True
            with contextlib.suppress(RuntimeError):  # the server's thread has ended
                self.stream.stop()

    @property
    def sent(self):
        return len(self.stream.sent)

    def wait_flow(self, seconds=20):
        """An event that is sent from now on arrives."""
        number = self.sent
        wait_until(lambda: any(n >= number for n in numbers_of(self.client.signals[-400:])),
                   lambda: f"event {number}; the last ones are {numbers_of(self.client.signals)[-3:]}, "
                   f"State {self.client.get('State')}, LastError {self.client.get('LastError')}; the log:\n"
                   f"{self.relay.log[-3000:]}", seconds)

    def gaps(self):
        return gaps_of(self.client.signals)

    def check_answers(self):
        """Calls are answered at once, whatever the server does."""
        for call in (self.client.list_events_async(limit=1),
                     self.client.call_async("/dev/prp/Relay1", "org.freedesktop.DBus.Properties", "GetAll", "(s)",
                                            "dev.prp.Relay1", seconds=CALLS_SEC)):
            call.result()

    def check_planned(self):
        """It says what is wrong and when it will be tried again, or it is being tried."""
        state, error = self.client.get("State"), self.client.get("LastError")
        assert state in ("waiting", "connecting", "offline"), state
        assert error[0] and error[1], "no word of what is wrong"

    def finish(self, slack=0):
        """The connection is well again: all of it is reckoned up. Returns the numbers of the events that were missed."""
        self.client.wait_state("connected", seconds=20)
        for channel in self.channels:
            self.client.wait_channel(channel, State="active", seconds=20)
        self.wait_flow()
        self.stop()
        last = self.sent - 1
        wait_until(lambda: last in numbers_of(self.client.signals[-400:]), f"event {last}, the last one", 20)
        return self.check(slack)

    def check(self, slack=0):
        signals = self.client.events()
        relayed, gaps = numbers_of(signals), gaps_of(signals)
        missed = check_stream(self.stream, relayed, [gap._replace(since=gap.since - slack * 1e6) for gap in gaps])
        assert all(gap.since <= gap.until for gap in gaps), gaps
        sequences = [s.body.unpack()[4] if s.member == "Gap" else event_of(s)["sequence"] for s in signals]
        assert sequences == sorted(set(sequences)), "the numbers do not rise"
        listed = [event["sequence"] for event in list_all(self.client)]
        assert listed == sequences, "the history tells another story than the signals"
        # Who is killed leaves numbers out, those that it had reserved.
        assert self.relay.n_starts > 1 or sequences == list(range(sequences[0], sequences[0] + len(sequences))), "a number was left out"
        return missed


def descriptors(relay):
    """How many it has open. Only root may look into a process that keeps its memory to itself."""
    return len(os.listdir(f"/proc/{relay.pid}/fd"))
