# SPDX-License-Identifier: MIT
"""Runs inside of the namespaces that network_lab.Network made: three rooms, each with a network of its own.

    home (a0) ── (m0) wire (m1) ── (b0) far

The relay is at home, its servers are far. The wire between them carries frames from one end to the other by hand, so that it
can lose, delay and reorder them: there need not be a queueing discipline for it in the kernel. Each room takes orders on a
socket that it was started with, given as descriptors: HOME FAR WIRE.
"""

import ctypes
import fcntl
import heapq
import json
import os
import random
import select
import socket
import struct
import subprocess
import sys
import time

CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
PACKET_OUTGOING = 4
SIOCETHTOOL = 0x8946
OFFLOADS = (0x17, 0x1F, 0x24, 0x2C)  # checksums of what is sent, TSO, GSO, GRO: frames shall be what goes over a real wire
FRAME_BYTES = 65536


def run(command, text=None):
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(f"{command}: {done.stderr.strip()}")
    return done.stdout


def without_offloads(interface):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for what in OFFLOADS:
            value = ctypes.create_string_buffer(struct.pack("II", what, 0))
            request = struct.pack("16sP", interface.encode(), ctypes.addressof(value))
            try:
                fcntl.ioctl(control, SIOCETHTOOL, request)
            except OSError:
                pass  # it never had it


def listen(kind, address, port):
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((address, port))
    if kind == "tcp":
        made.listen(100)
    return made


def obey(orders, order):
    """One order of the lab's; a socket goes back as a descriptor."""
    try:
        if "run" in order:
            reply, made = {"output": run(order["run"], order.get("text"))}, None
        elif "offloads" in order:
            reply, made = without_offloads(order["offloads"]), None
        else:
            reply, made = None, listen(*order["listen"])
        answer = json.dumps({"reply": reply}).encode()
    except OSError as error:
        answer, made = json.dumps({"error": str(error)}).encode(), None
    if made is None:
        orders.send(answer)
    else:
        socket.send_fds(orders, [answer], [made.fileno()])
        made.close()


def serve_room(orders):
    while data := orders.recv(65536):
        obey(orders, json.loads(data))


class Wire:
    """Between m0 and m1."""

    def __init__(self):
        self.ends = []
        self.cut = False   # nothing passes
        self.loss = 0.0    # of frames
        self.delay = 0.0   # seconds at most, each frame's own: so they overtake each other
        self.dice = random.Random(0)
        self.waiting = []  # (time, number, end, frame)
        self.number = 0

    def open(self):
        for name in ("m0", "m1"):
            end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            end.bind((name, 0))
            end.setblocking(False)
            self.ends.append(end)

    def carry(self, end):
        try:
            frame, address = end.recvfrom(FRAME_BYTES)
        except BlockingIOError:
            return
        if address[2] == PACKET_OUTGOING or self.cut or self.dice.random() < self.loss:
            return
        self.number += 1
        heapq.heappush(self.waiting, (time.monotonic() + self.dice.random() * self.delay, self.number,
                                      self.ends[end is self.ends[0]], frame))

    def deliver(self):
        """What is due. How long to the next."""
        while self.waiting and self.waiting[0][0] <= time.monotonic():
            _, _, end, frame = heapq.heappop(self.waiting)
            try:
                end.send(frame)
            except OSError:
                pass  # that side is down: lost
        return max(0.0, self.waiting[0][0] - time.monotonic()) if self.waiting else None

    def set(self, cut=False, loss=0.0, delay=0.0, seed=0):
        self.cut, self.loss, self.delay, self.dice = cut, loss, delay, random.Random(seed)
        if cut:
            self.waiting.clear()

    def serve(self, orders):
        while True:
            for ready in select.select([orders, *self.ends], [], [], self.deliver())[0]:
                if ready is not orders:
                    self.carry(ready)
                    continue
                data = orders.recv(65536)
                if not data:
                    return
                order = json.loads(data)
                if "wire" in order:
                    self.set(**order["wire"])
                    orders.send(b'{"reply": null}')
                elif "open" in order:
                    self.open()
                    orders.send(b'{"reply": null}')
                else:
                    obey(orders, order)


def fork_room(serve, orders, others):
    if os.fork() == 0:
        for other in others:
            other.close()
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) < 0:
            sys.exit(os.strerror(ctypes.get_errno()))
        orders.send(str(os.getpid()).encode())
        serve(orders)
        os._exit(0)
    orders.close()


def main():
    home, far, wire = (socket.socket(fileno=int(n)) for n in sys.argv[1:])
    fork_room(serve_room, far, [home, wire])
    fork_room(Wire().serve, wire, [home])
    home.send(str(os.getpid()).encode())
    serve_room(home)


main()
