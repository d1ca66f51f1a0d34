# SPDX-License-Identifier: MIT
"""Does what the plan says, when it says so: one method for each kind of fault.

None of them waits long: what has an end of its own (silence, a lock) is planned as a further step. Faults overlap as they like,
with two exceptions, for which the earlier one is ended first: the relay is never ended while it is frozen, nor while it cannot
store (what it has only in memory then is lost with it; it tells that, but what was signalled is not in the history).
"""

import heapq
import itertools
import math
import signal
import sqlite3
import time

from gi.repository import GLib

from oracle import End
from relay_bus import HISTORY, PATH, PROPERTIES, RELAY, BusError, Client
from stage import CHURNED, DURABLE, HELD

SIGNED_OUT_SEC = 1.0  # so long the relay may be without credentials before somebody signs in


class Faults:
    def __init__(self, stage, plan, begun):
        self.stage, self.service, self.client = stage, stage.service, stage.client
        self.plan, self.begun = plan, begun
        self.done = {}               # kind → how often
        self.wanted = {channel: [[begun, math.inf]] for channel in DURABLE}
        self.n_signed_in = 0
        self.warm = None
        self.shown = ""              # the last one
        self._steps = []             # heap of (when, number, function)
        self._numbers = itertools.count()
        self._frozen = self._lock = None
        self._full = False
        self._disconnected = False
        self._front = 0
        self._holders = []           # (client, channels, interval)
        self._signed_out = None
        self._calls = []             # of which nobody waits for the answer
        for fault in plan.faults:
            self._at(fault.at, lambda fault=fault: self._do(fault))

    # -- time

    def _at(self, seconds, function):
        heapq.heappush(self._steps, (self.begun + seconds, next(self._numbers), function))

    def _in(self, seconds, function):
        self._at(time.time() - self.begun + seconds, function)

    def work(self, until):
        """Takes the steps that are due before that moment, and looks after the relay."""
        while True:
            due = self._steps[0][0] if self._steps else math.inf
            now = time.time()
            if due > until and now >= until:
                return
            if due <= now:
                heapq.heappop(self._steps)[2]()
                continue
            self._care()
            time.sleep(max(0, min(due, until, time.time() + 0.25) - time.time()))

    def _do(self, fault):
        self.done[fault.kind] = self.done.get(fault.kind, 0) + 1
        self.shown = fault.kind
        try:
            getattr(self, "_" + fault.kind.replace("-", "_"))(**fault.args)
        except (BusError, sqlite3.OperationalError) as error:
            # The one that was asked has just been ended, is frozen, or refuses by right; or its store is full already.
            self.stage.note(f"{fault.kind}: {error}")

    def _care(self):
        """What a user does, or a service manager: signs in, starts what should run. A relay that ended by itself is a finding."""
        stage = self.stage
        if not stage.is_up():
            stage.trouble(f"the relay ended by itself; its log ends with:\n{stage.log_end()}")
            self._forget_holds()
            stage.ends.append(End(stage.owner, "itself"))
            stage.start_relay()
            return
        if self._frozen or self._disconnected:
            return
        state = stage.state()
        if state != "unauthorized":
            self._signed_out = None
        elif self._signed_out is None:
            self._signed_out = time.time()
        elif time.time() - self._signed_out > SIGNED_OUT_SEC:
            self._signed_out = None
            self.n_signed_in += 1
            stage.sign_in()

    def settle(self):
        """Ends all that goes on, makes one more connection with everything asked anew, and waits until all is well."""
        stage = self.stage
        self._steps = []
        for step in (self._thaw, self._unlock, self._make_room, self._connect, self._forget_faults):
            step()
        for holder in list(self._holders):
            self._let_go(holder, False)
        for front in self.service.fronts:
            self.service.run(front.start())
        self.client.command("Reload")
        self._cut(False)
        deadline = time.time() + 60
        while not stage.is_whole():
            if time.time() > deadline:
                stage.trouble(f"60 seconds after the last fault the relay is {stage.state()}, {self.client.get('LastError')}; the "
                              f"channels {({n: c['State'] for n, c in self.client.channels().items()})}; its log ends with:\n"
                              f"{stage.log_end()}")
                return
            self.work(time.time() + 0.3)

    def _forget_faults(self):
        def forget():
            for front in self.service.fronts:
                front.answers.clear()
                front.lies.clear()
            for line in self.service.lines:
                line.slow_until = 0
        self.stage.grants.failures.clear()
        self.service.do(forget)

    # -- the server

    def _each_line(self, function):
        self.service.do(lambda: [function(line) for line in self.service.lines])

    def _cut(self, hard):
        self._each_line(lambda line: line.cut(hard))

    def _close(self, code):
        async def close():
            for line in self.service.lines:
                self.service.loop.create_task(line.close(code))
        self.service.run(close())

    def _close_in_fragment(self):
        def end(line):
            if line.put(b"\x01\x7e\x10\x00" + b'{"id": "never to be continued'):
                line.cut()
        self._each_line(end)

    def _silence(self, seconds):
        """As if the network had swallowed the server: not even the end of the connection gets an answer, and an end in good
        order, which would say that this was all, never comes."""
        lines = self.service.lines
        self._each_line(lambda line: line.fall_silent())
        self._in(seconds, lambda: self.service.do(lambda: [line.cut(hard=True) for line in lines if line.silent]))

    def _slow(self, seconds):
        def slow(line):
            line.slow_until = time.monotonic() + seconds
        self._each_line(slow)

    def _garbage(self, which):
        self.service.do(self.service.say_garbage, which)

    def _doubles(self, seconds):
        def double(line):
            line.twice_until = time.monotonic() + seconds
        self._each_line(double)

    def _replay(self, amount):
        self.service.do(self.service.replay, amount)

    def _lie(self, style, cut):
        self.service.do(lambda: [front.lies.append((style, cut)) for front in self.service.fronts])
        self._cut(False)
        # What it withholds now it gives on the next connection.
        if style in ("withheld", "refused"):
            self._in(1.5, lambda: self._cut(False))

    def _greet_twice(self):
        self._each_line(lambda line: line.say("connection.established", {
            "connectionId": "conn_again", "serverVersion": "1.0.1", "features": []}))

    def _refuse_handshakes(self, status, amount, retry_after):
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self.service.do(lambda: [front.answers.extend([(status, headers)] * amount) for front in self.service.fronts])
        self._cut(False)

    def _absent(self, seconds):
        front = self.service.fronts[self._front]
        self.service.run(front.stop())
        self._in(seconds, lambda: self.service.run(front.start()))

    def _token_expired(self):
        self._each_line(lambda line: line.say("token_expired", {}))

    def _token_revoked(self):
        self.stage.grants.revoke()
        self._close(4401)

    def _refresh_fails(self, status, amount):
        self.stage.grants.failures.extend([status] * amount)
        self._token_expired()

    def _flood(self, amount, patience=20):
        if patience > 0 and not self.stage.is_whole():
            self._in(0.2, lambda: self._flood(amount, patience - 1))
            return

        async def pour():
            for _ in range(amount):
                self.service.publish()
        self.service.run(pour())

    # -- the relay

    def _kill(self):
        self._end(signal.SIGKILL, "kill")

    def _terminate(self):
        self._end(signal.SIGTERM, "terminate")

    def _end(self, number, how):
        self._thaw()
        self._unlock()
        self._make_room()
        self.stage.wait_stored()
        self._disconnected = False
        self._forget_holds()
        self.stage.write_config()  # with a bad one it would not start
        self.stage.end_relay(number, how)
        self.stage.start_relay()

    def _freeze(self, seconds):
        if self._frozen is None:
            self._frozen = self.stage.pid
            self.stage.signal_relay(signal.SIGSTOP)
            self._in(seconds, self._thaw)

    def _thaw(self):
        if self._frozen is not None:
            self._frozen = None
            self.stage.signal_relay(signal.SIGCONT)

    def _call_async(self, method):
        """Not waited for: it may be frozen. What went wrong is seen in the state."""
        self._calls = [call for call in self._calls if not call.done()]
        self._calls.append(self.client.call_async(PATH, RELAY, method))

    def _reload(self):
        delays = self.stage.settings["Reconnect"]
        delays["MaxDelaySec"] = "0.5" if delays["MaxDelaySec"] == "0.4" else "0.4"
        self.stage.write_config()
        self._call_async("Reload")

    def _reload_bad(self):
        self.stage.write_config("[Nonsense]\nKey=value\n")
        self._call_async("Reload")
        self._in(0.5, self.stage.write_config)

    def _other_server(self):
        self._front = (self._front + 1) % len(self.service.fronts)
        self.stage.settings["Server"]["Url"] = self.service.fronts[self._front].url
        self._reload()

    def _disconnect(self, seconds):
        self._disconnected = True
        self._call_async("Disconnect")
        self._in(seconds, self._connect)

    def _connect(self):
        if self._disconnected:
            self._disconnected = False
            self._call_async("Connect")

    def _clock_set(self, seconds):
        self.stage.clock.set(seconds)
        self.stage.signal_relay(signal.SIGRTMIN)

    def _sleep(self, seconds):
        self.stage.clock.sleep(seconds)
        self.stage.signal_relay(signal.SIGRTMIN)

    def _store_locked(self, seconds):
        if self._lock is None and not self._full:
            self._lock = self.stage.hold_lock()
            self._in(seconds, self._unlock)

    def _unlock(self):
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _disk_full(self, seconds):
        if not self._full:
            self._full = True
            self.stage.disk.fill()
            self._in(seconds, self._make_room)

    def _make_room(self):
        if self._full:
            self._full = False
            self.stage.disk.make_room()

    # -- who else is on the bus

    def _stop_listener(self, which, seconds):
        listener = self.stage.listeners[1 + which]
        listener.send(signal.SIGSTOP)
        self._in(seconds, lambda: listener.send(signal.SIGCONT))

    def _restart_reader(self):
        self.stage.reader.end(signal.SIGKILL)
        self.stage.reader.start()

    def _restart_monitor(self):
        self.stage.monitor.end(signal.SIGKILL)
        self.stage.monitor.start()

    def _hold(self, channel, seconds, released):
        """A program that comes, holds a channel, and lets go of it or just leaves."""
        client = Client(self.stage.bus.address, listens=False)
        call = client.call_async(PATH, RELAY, "Hold", "(asa{sv})", [HELD[channel]], {"reason": GLib.Variant("s", "soak")})
        holder = [client, HELD[channel], None]
        self._holders.append(holder)
        owner = self.stage.owner

        def on_answer(call):
            # Held from here on; what came before is nobody's loss. Not by the relay that was ended meanwhile.
            if call.exception() is None and owner == self.stage.owner and self.stage.is_up():
                cookie, states = call.result().unpack()
                if states[HELD[channel]] == "active" and holder in self._holders:
                    holder[2] = [time.time(), math.inf, cookie]
                    self.wanted.setdefault(HELD[channel], []).append(holder[2])

        call.add_done_callback(on_answer)
        self._in(seconds, lambda: self._let_go(holder, released))

    def _let_go(self, holder, released):
        if holder not in self._holders:
            return
        self._holders.remove(holder)
        client, _, interval = holder
        if interval is not None and interval[1] == math.inf:
            interval[1] = time.time()
            if released:
                client.call_async(PATH, RELAY, "Release", "(u)", interval[2])
        client.close()

    def _forget_holds(self):
        for holder in self._holders:
            if holder[2] is not None:
                holder[2][1] = min(holder[2][1], time.time())

    def _churn(self, channel):
        """A durable subscription comes, or goes."""
        name = CHURNED[channel]
        intervals = self.wanted.setdefault(name, [])
        if intervals and intervals[-1][1] == math.inf:
            intervals[-1][1] = time.time()
            self._calls.append(self.client.call_async(PATH, RELAY, "Unsubscribe", "(as)", [name]))
            return

        def on_answer(call):
            if call.exception() is None and call.result().unpack()[0][name] == "active":
                if not intervals or intervals[-1][1] != math.inf:
                    intervals.append([time.time(), math.inf])

        call = self.client.call_async(PATH, RELAY, "Subscribe", "(as)", [name])
        call.add_done_callback(on_answer)
        self._calls.append(call)

    def _hostile(self, which):
        """A caller that means no good, and leaves in the middle of it."""
        client = Client(self.stage.bus.address, listens=False)
        bad = ["", "x", "a:", ":b", "a b:c", "a:" + "x" * 300, "é:1", "a:\n"]
        filters = [{"types": GLib.Variant("as", ["*"] * 100)}, {"types": GLib.Variant("s", "?")},
                   {"nonsense": GLib.Variant("u", 1)}, {"since": GLib.Variant("t", 2**64 - 1)}]
        for n in range(60):
            choice = (which + n) % 7
            if choice == 0:
                client.call_async(PATH, RELAY, "Subscribe", "(as)", [bad[n % len(bad)]])
            elif choice == 1:
                client.call_async(PATH, RELAY, "Release", "(u)", n)
            elif choice == 2:
                client.call_async(PATH, HISTORY, "ListEvents", "(tua{sv})", n * 1000, 2**32 - 1, filters[n % len(filters)])
            elif choice == 3:
                client.call_async(PATH, RELAY, "Hold", "(asa{sv})", [f"hostile:{m}" for m in range(20)], {})
            elif choice == 4:
                client.call_async(PATH, PROPERTIES, "Set", "(ssv)", RELAY, "State", GLib.Variant("s", "connected"))
            elif choice == 5:
                client.call_async(PATH, RELAY, "Nothing", "(s)", "x" * 100000)
            else:
                client.call_async(f"{PATH}/channel/_{n}", PROPERTIES, "GetAll", "(s)", "")
        self._in(0.3, client.close)

    # -- measurements

    def _measure(self):
        """Waits for a quiet moment, which the plan keeps free."""
        deadline = time.time() + 20
        while not self.stage.is_whole() and time.time() < deadline:
            self.work(time.time() + 0.1)
        self.warm = self.stage.measure()
