# SPDX-License-Identifier: MIT
"""A place of its own for a `systemd --user`, with a journal: started by user_manager.py, as root, in a mount namespace of its own.

Twice the same file: first outside, where a control group is made for all that is to come, and taken away at the end; then, as
the first process of a process namespace in that control group, where the place is furnished and kept. The end of standard
input, so of whoever holds the other end, is the end of all processes inside: the kernel ends them with their first one.

A user manager outside of a control group of its own would take every process of the machine under its wing. So it is not
started before the only group that can be seen is the one that was made here.

Reports are lines of JSON on standard output.
"""

import ctypes
import json
import os
import pathlib
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import uuid

UNSHARED = ["unshare", "--cgroup", "--pid", "--mount", "--fork", "--kill-child=KILL"]
CGROUP = pathlib.Path("/sys/fs/cgroup")
SECONDS = 60  # until the manager has to be there, on however slow a machine
DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0),
           "prp-device": (1, 7)}  # the last one is nothing that a sandbox would have of its own


def say(**report):
    print(json.dumps(report), flush=True)


def run(*command):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)


def mount(kind, where, *options):
    run("mount", "-t", kind, "-o", ",".join(["nosuid", *options]), kind, str(where))


# -- outside

def remove_groups(top):
    """A group goes when no process and no group is left in it, and the last processes take a moment to be gone."""
    deadline = time.monotonic() + 5
    while top.exists() and time.monotonic() < deadline:
        for directory, _, _ in os.walk(top, topdown=False):
            try:
                os.rmdir(directory)
            except OSError:
                pass
        time.sleep(0.01)


def outside(order):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    base = pathlib.Path(tempfile.mkdtemp(prefix="prp-relay-manager-"))
    group = None
    try:
        groups = base / "groups"
        groups.mkdir()
        mount("cgroup2", groups)
        group = groups / base.name
        group.mkdir()
        (group / "cgroup.procs").write_text(str(os.getpid()))
        subprocess.run([*UNSHARED, sys.executable, __file__, json.dumps({**order, "base": str(base)})], check=False)
    except (OSError, subprocess.CalledProcessError) as error:
        say(failed=f"no place for a user manager: {error}")
    finally:
        if group is not None:
            (groups / "cgroup.procs").write_text(str(os.getpid()))
            remove_groups(group)
            run("umount", str(groups))
        shutil.rmtree(base, ignore_errors=True)


# -- inside

def manager_group(uid):
    """By this path the journal knows whose unit it is."""
    return CGROUP / "user.slice" / f"user-{uid}.slice" / f"user@{uid}.service"


def furnish(order):
    base, uid = pathlib.Path(order["base"]), order["uid"]
    run("mount", "--make-rprivate", "/")
    run("mount", "-t", "proc", "proc", "/proc")
    mount("cgroup2", CGROUP)
    manager = manager_group(uid)
    manager.mkdir(parents=True)
    for path in (manager, *(manager / f"cgroup.{name}" for name in ("procs", "threads", "subtree_control"))):
        os.chown(path, uid, uid)

    furnish_devices()
    # What is installed is seen where it belongs, and so is a module of the kernel's, whatever kernel this is.
    layers = base / "layers"
    (layers / "usr/lib/modules/prp-module").mkdir(parents=True)
    for top in {p.name for p in pathlib.Path(order["installed"]).iterdir()} | {"usr"}:
        lower = [str(p / top) for p in (pathlib.Path(order["installed"]), layers, pathlib.Path("/")) if (p / top).is_dir()]
        run("mount", "-t", "overlay", "-o", "lowerdir=" + ":".join(lower), "overlay", f"/{top}")
    (base / "etc").mkdir()
    mount("tmpfs", base / "etc", "mode=755")
    for name in ("upper", "work"):
        (base / "etc" / name).mkdir()
    run("mount", "-t", "overlay", "-o", f"lowerdir=/etc,upperdir={base}/etc/upper,workdir={base}/etc/work", "overlay", "/etc")
    furnish_etc(uid, order["user"])

    for where, mode in (("/home", "755"), ("/run", "755"), ("/srv", "755"), ("/var/log", "755"), ("/var/tmp", "1777")):
        mount("tmpfs", where, f"mode={mode}")
    home, runtime = pathlib.Path("/home", order["user"]), pathlib.Path("/run/user", str(uid))
    for path in (home, runtime):
        path.mkdir(parents=True)
        mount("tmpfs", path, "mode=700", f"uid={uid}", f"gid={uid}")
    # What the system's own manager makes at boot, and the user's relies on.
    for name in ("system", "unit-root", "journal", "journald.conf.d"):
        pathlib.Path("/run/systemd", name).mkdir(parents=True)
    for name in ("/run/credentials", "/run/dbus", "/var/log/journal"):
        pathlib.Path(name).mkdir(mode=0o755)
    pathlib.Path("/run/systemd/journald.conf.d/test.conf").write_text(
        "[Journal]\nReadKMsg=no\nAudit=no\nStorage=persistent\nRateLimitIntervalSec=0\n")
    pathlib.Path("/run/systemd/journal/flushed").touch()
    mount("tmpfs", "/tmp", "mode=1777")
    pathlib.Path("/tmp/prp-marker").touch()
    pathlib.Path("/srv/prp-shared").mkdir()
    pathlib.Path("/srv/prp-shared").chmod(0o1777)


def furnish_devices():
    """Only what every program may use; nothing of the machine's."""
    nodes = pathlib.Path("/dev")
    pts = pathlib.Path("/dev/pts").is_mount()
    mount("tmpfs", nodes, "mode=755")
    for name, (major, minor) in DEVICES.items():
        os.mknod(nodes / name, 0o666 | 0o020000, os.makedev(major, minor))
        (nodes / name).chmod(0o666)
    for name in ("shm", "pts", "mqueue"):
        (nodes / name).mkdir()
    mount("tmpfs", nodes / "shm", "mode=1777")
    if pts:
        run("mount", "-t", "devpts", "-o", "newinstance,ptmxmode=0666,mode=620", "devpts", "/dev/pts")
        (nodes / "ptmx").symlink_to("pts/ptmx")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        (nodes / name).symlink_to(f"/proc/self/fd/{number}")
    (nodes / "fd").symlink_to("/proc/self/fd")


def furnish_etc(uid, user):
    """A user of our own, and no units but those of the tree."""
    with open("/etc/passwd", "a", encoding="ascii") as passwd:
        passwd.write(f"{user}:x:{uid}:{uid}::/home/{user}:/bin/sh\n")
    with open("/etc/group", "a", encoding="ascii") as group:
        group.write(f"{user}:x:{uid}:\n")
    machine = pathlib.Path("/etc/machine-id")
    machine.unlink(missing_ok=True)
    machine.write_text(uuid.uuid4().hex + "\n")
    shutil.rmtree("/etc/systemd/user", ignore_errors=True)


def forbid_user_namespaces():
    """From here on, for all that is started: what kernel.unprivileged_userns_clone=0 does, on any kernel. A filter of system
    calls: unshare and clone with CLONE_NEWUSER fail with EPERM, clone3 is not known."""
    calls = {"x86_64": (0xC000003E, 272, 56, 435), "aarch64": (0xC00000B7, 97, 220, 435)}
    machine = os.uname().machine
    if machine not in calls:
        raise OSError(f"the numbers of system calls on {machine} are not known to this test")
    arch, unshare, clone, clone3 = calls[machine]
    load, equal, any_bit, answer = 0x20, 0x15, 0x45, 0x06
    allow, refuse, unknown = 0x7FFF0000, 0x00050001, 0x00050026
    program = [(load, 0, 0, 4), (equal, 0, 7, arch), (load, 0, 0, 0), (equal, 6, 0, clone3), (equal, 1, 0, unshare),
               (equal, 0, 3, clone), (load, 0, 0, 16), (any_bit, 0, 1, 0x10000000), (answer, 0, 0, refuse),
               (answer, 0, 0, allow), (answer, 0, 0, unknown)]
    code = b"".join(struct.pack("HBBI", *line) for line in program)
    text = ctypes.create_string_buffer(code, len(code))
    filter_ = struct.pack("HxxxxxxQ", len(program), ctypes.addressof(text))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(22, 2, ctypes.create_string_buffer(filter_, len(filter_)), 0, 0) != 0:  # PR_SET_SECCOMP, a filter
        raise OSError(ctypes.get_errno(), "no filter of system calls")


def join_keyring():
    """A session's keyring as a login makes it, with a key in it."""
    numbers = {"x86_64": (250, 248), "aarch64": (219, 217)}[os.uname().machine]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(numbers[0], 1, b"prp-test") == -1 or libc.syscall(numbers[1], b"user", b"prp-key", b"x", 1, -3) == -1:
        raise OSError(ctypes.get_errno(), "no keyring")


def start(*command, **environment):
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, env={"PATH": os.environ["PATH"], **environment})


def wait_for(condition, what):
    deadline = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise OSError(f"{what} does not come up")
        time.sleep(0.01)


def start_manager(order):
    uid, user = order["uid"], order["user"]
    journal = pathlib.Path("/run/systemd/journal")
    start("/lib/systemd/systemd-journald")
    wait_for(lambda: (journal / "socket").exists() and (journal / "stdout").exists(), "systemd-journald")

    def enter():
        join_keyring()
        if order["userns"] is False:
            forbid_user_namespaces()
        (manager_group(uid) / "cgroup.procs").write_text(str(os.getpid()))

    runtime = f"/run/user/{uid}"
    environment = {"HOME": f"/home/{user}", "USER": user, "LOGNAME": user, "SHELL": "/bin/sh", "LANG": "C.UTF-8",
                   "XDG_RUNTIME_DIR": runtime, "PATH": "/usr/local/bin:/usr/bin:/bin", "SYSTEMD_LOG_TARGET": "journal"}
    manager = subprocess.Popen(
        ["prlimit", "--core=unlimited:unlimited", "setpriv", f"--reuid={uid}", f"--regid={uid}", "--init-groups",
         "/lib/systemd/systemd", "--user"],
        env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr, preexec_fn=enter, start_new_session=True)
    wait_for(lambda: pathlib.Path(runtime, "bus").exists() or manager.poll() is not None, "the user manager")
    if manager.poll() is not None:
        raise OSError(f"the user manager ended with {manager.returncode}")
    return manager


def inside(order):
    host_pid = int(os.readlink("/proc/self"))  # of a /proc that still is the one outside
    try:
        furnish(order)
        manager = start_manager(order)
    except (OSError, subprocess.CalledProcessError) as error:
        say(failed=str(error))
        return
    say(pid=host_pid, manager=manager.pid)
    # The first process of a namespace reaps whatever is left behind in it.
    while not select.select([sys.stdin], [], [], 0.2)[0]:
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            pass


def main():
    order = json.loads(sys.argv[1])
    (inside if "base" in order else outside)(order)


if __name__ == "__main__":
    main()
