# SPDX-License-Identifier: MIT
"""What the service knows of itself: every event that it had, on which channel, when, and who was confirmed for what.

Times are of the machine's clock (seconds). An event counts as sent from `before` on, when it happened, until `after`, when all of
its bytes had left the server's hands; one that was in its buffers when the connection ended was in them until then.
"""

import array
import collections

Confirmation = collections.namedtuple("Confirmation", "time channel connection opened")
Wanted = collections.namedtuple("Wanted", "begin end durable")


class Record:
    def __init__(self, channels):
        self.channels = list(channels)
        self._numbers = {name: n for n, name in enumerate(self.channels)}
        # By the event's number, which is in its id.
        self.channel = array.array("H")
        self.before = array.array("d")
        self.after = array.array("d")
        self.copies = array.array("H")  # so many times it was written
        self.confirmations = []
        self.errors = set()      # ids of answers that are told like events; of no channel, so nobody misses them
        self.n_repeated = 0  # written again as they were

    def __len__(self):
        return len(self.channel)

    def add(self, channel, before):
        self.channel.append(self._numbers[channel])
        self.before.append(before)
        self.after.append(before)
        self.copies.append(0)
        return len(self.channel) - 1

    def channel_of(self, number):
        return self.channels[self.channel[number]]

    def confirm(self, time, channel, connection, opened):
        self.confirmations.append(Confirmation(time, channel, connection, opened))
