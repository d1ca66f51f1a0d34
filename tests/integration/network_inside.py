# SPDX-License-Identifier: MIT
"""Runs inside of a network namespace that wake_lab.Network made: the interface, and the server's door behind its address.

    network_inside.py SOCKET ADDRESS PORT     orders come on stdin: "up", "down"; its end is the end of it all
"""

import socket
import subprocess
import sys
import threading

INTERFACE = "test0"


def ip(*words):
    subprocess.run(["ip", *words], check=True, stdin=subprocess.DEVNULL)


def up(address):
    ip("address", "add", f"{address}/24", "dev", INTERFACE)
    ip("link", "set", INTERFACE, "up")
    ip("route", "add", "default", "dev", INTERFACE)


def down(address):
    """The address goes as well: a machine reaches its own addresses whether an interface is up or not."""
    ip("link", "set", INTERFACE, "down")
    ip("address", "del", f"{address}/24", "dev", INTERFACE)


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(listener, path):
    while True:
        visitor, _ = listener.accept()
        outside = socket.socket(socket.AF_UNIX)
        outside.connect(path)
        for source, sink in ((visitor, outside), (outside, visitor)):
            threading.Thread(target=pump, args=[source, sink], daemon=True).start()


def main():
    path, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    ip("link", "set", "lo", "up")
    ip("link", "add", INTERFACE, "type", "veth", "peer", "name", "other0")
    ip("link", "set", "other0", "up")
    up(address)
    # On all of its addresses: also on the loopback of this network, for a server "on this machine".
    listener = socket.create_server(("", port))
    threading.Thread(target=serve, args=[listener, path], daemon=True).start()
    print("ready", flush=True)
    for line in sys.stdin:
        {"up\n": up, "down\n": down}[line](address)
        print("done", flush=True)


if __name__ == "__main__":
    main()
