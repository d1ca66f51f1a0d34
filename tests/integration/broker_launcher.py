# SPDX-License-Identifier: MIT
"""Starts dbus-broker where there is no journal: LISTENER-FD CONFIG

The launcher insists on a socket at /run/systemd/journal/socket. Where there is none, this makes one in a mount
namespace of its own, so that nothing of the machine changes, and shows on stderr what comes in there. The
listening socket goes to the launcher as systemd would pass it (sd_listen_fds(3)).
"""

import ctypes
import os
import pathlib
import socket
import sys

JOURNAL_SOCKET = "/run/systemd/journal/socket"

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
PR_SET_PDEATHSIG, SIGTERM = 1, 15

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise SystemExit(f"dbus-broker cannot be started: no journal, and {what}: {os.strerror(number)}")


def enter_namespace():
    uid, gid = os.getuid(), os.getgid()
    check(libc.unshare(CLONE_NEWNS | (CLONE_NEWUSER if uid != 0 else 0)), "no namespace for one")
    if uid != 0:
        pathlib.Path("/proc/self/setgroups").write_text("deny")
        pathlib.Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        pathlib.Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    check(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "no private mounts")
    check(libc.mount(b"tmpfs", b"/run", b"tmpfs", 0, None), "no tmpfs of one's own")


def start_journal():
    """A socket that is read until this process's end by a child."""
    os.makedirs(os.path.dirname(JOURNAL_SOCKET))
    journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    journal.bind(JOURNAL_SOCKET)
    if os.fork() == 0:
        libc.prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0)
        while True:
            os.write(2, journal.recv(65536) + b"\n")
    journal.close()


def main():
    listener, config = int(sys.argv[1]), sys.argv[2]
    if not os.path.exists(JOURNAL_SOCKET):
        enter_namespace()
        start_journal()
    os.dup2(listener, 3, inheritable=True)
    os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
    try:
        os.execvp("dbus-broker-launch", ["dbus-broker-launch", "--scope", "user", "--config-file", config])
    except OSError as error:
        raise SystemExit(f"dbus-broker cannot be started: {error}") from None


main()
