# SPDX-License-Identifier: MIT
"""Runs in the place of a service, in its sandbox: tries what the lines of its unit forbid.

Prints JSON: the name of each attempt, and "allowed", "refused", or "killed" for one that did not survive it. Each runs in a
process of its own. Where an ordinary user may not do a thing anyway, the error tells who refused: the attempt is made in such a
way that the kernel's own check, behind that of the sandbox, gives another one.
"""

import ctypes
import errno
import json
import mmap
import os
import pathlib
import resource
import socket
import sys

libc = ctypes.CDLL(None, use_errno=True)
shared = pathlib.Path("/dev/shm", f"prp-probe-{os.getpid()}")  # whatever else is forbidden, this may be written

PR_GET_NO_NEW_PRIVS, PR_CAPBSET_READ, CAP_SYS_ADMIN = 39, 23, 21
CLONE_NEWUSER, ADDR_NO_RANDOMIZE, SCHED_FIFO, PTRACE_TRACEME = 0x10000000, 0x0040000, 1, 0
KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING = 10, -3
NUMBERS = {"x86_64": {"keyctl": 250, "sched_setscheduler": 144}, "aarch64": {"keyctl": 219, "sched_setscheduler": 119}}
X32_GETPID = 0x40000000 | 39


def call(function, *arguments):
    if function(*arguments) == -1:
        raise OSError(ctypes.get_errno(), "")


def number(name):
    return NUMBERS[os.uname().machine][name]


def refused_with(code, attempt):
    """Whether it was the sandbox that refused, known by its error; any other end got past it."""
    try:
        attempt()
    except OSError as error:
        if error.errno == code:
            raise


# What ordinary users may do, and this service may not.

def map_users():
    _inside, _outside, count = pathlib.Path("/proc/self/uid_map").read_text().split()
    if count == "1":
        raise PermissionError


def gain_by_exec():
    if libc.prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1:
        raise PermissionError


def keep_capabilities():
    if libc.prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) == 0:
        raise PermissionError


def write_below(directory):
    probe = pathlib.Path(directory, "prp-probe")
    probe.mkdir()
    probe.rmdir()


def write_system():
    write_below("/srv/prp-shared")  # that everyone may write


def write_home():
    write_below(pathlib.Path.home())


def write_state():
    write_below(pathlib.Path.home() / ".local/state/prp-relay")


def write_config():
    write_below(pathlib.Path.home() / ".config/prp-relay")


def write_runtime():
    write_below(os.environ["XDG_RUNTIME_DIR"])


def see_tmp():
    pathlib.Path("/tmp/prp-marker").stat()


def open_device():
    os.close(os.open("/dev/prp-device", os.O_RDWR))


def write_settings():
    refused_with(errno.EROFS, lambda: os.utime("/proc/sys/kernel/hostname"))


def see_modules():
    pathlib.Path("/usr/lib/modules/prp-module").stat()


def make_group():
    write_below("/sys/fs/cgroup/" + pathlib.Path("/proc/self/cgroup").read_text().splitlines()[-1].removeprefix("0::/"))


def trace():
    call(libc.ptrace, PTRACE_TRACEME, 0, 0, 0)


def call_foreign():
    """Of an architecture that is not the machine's own. Without a filter there may be no such call, which is as good."""
    libc.syscall(X32_GETPID)


def change_personality():
    call(libc.personality, ADDR_NO_RANDOMIZE)


def make_namespace():
    call(libc.unshare, CLONE_NEWUSER)


def run_realtime():
    parameter = ctypes.c_int(1)
    refused_with(errno.EPERM, lambda: call(libc.syscall, number("sched_setscheduler"), -1, SCHED_FIFO, ctypes.byref(parameter)))


def make_setuid():
    shared.touch()
    try:
        shared.chmod(0o4755)
    finally:
        shared.unlink()


def make_readable():
    with open(os.open(shared, os.O_CREAT | os.O_WRONLY, 0o666), "w", encoding="ascii"):
        mode = shared.stat().st_mode
        shared.unlink()
    if mode & 0o077 == 0:
        raise PermissionError


def open_packets():
    refused_with(errno.EAFNOSUPPORT, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close())


def open_internet():
    socket.socket(socket.AF_INET, socket.SOCK_STREAM).close()


def see_network():
    """A socket that has its name in the network only."""
    with socket.socket(socket.AF_UNIX) as abstract:
        abstract.connect(b"\0prp-probe-" + os.environ["PRP_PROBE"].encode())


def dump_core():
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
    except ValueError as error:  # what it makes of EPERM
        raise PermissionError from error


def find_key():
    call(libc.syscall, number("keyctl"), KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, b"user", b"prp-key", 0)


def write_and_run():
    mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


ATTEMPTS = [
    map_users, gain_by_exec, keep_capabilities, write_system, write_home, write_state,
    write_config, write_runtime, see_tmp, open_device, write_settings,
    see_modules, make_group, trace, call_foreign, change_personality, make_namespace, run_realtime, make_setuid, make_readable,
    open_packets, open_internet, see_network, dump_core, find_key, write_and_run,
]


def outcome(attempt):
    child = os.fork()
    if child == 0:
        try:
            attempt()
            os._exit(0)
        except OSError:
            os._exit(1)
        except BaseException as error:  # a fault of this program's; to be seen as such
            print(f"{attempt.__name__}: {error!r}", file=sys.stderr, flush=True)
            os._exit(2)
    status = os.waitpid(child, 0)[1]
    return "killed" if os.WIFSIGNALED(status) else {0: "allowed", 1: "refused"}.get(os.WEXITSTATUS(status), "broken")


if __name__ == "__main__":
    print(json.dumps({attempt.__name__: outcome(attempt) for attempt in ATTEMPTS}), flush=True)
