"""What surrounds the tests of holders: units to put processes in, a daemon that stands still, kernels that tell less."""
import contextlib
import ctypes
import errno
import os
import shutil
import signal
import struct

from coffer_test import Skip, wait_until
from processes import LIBC, SYSCALLS, must_succeed, started, state_of

ROOTS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")  # where the daemon looks for the unified hierarchy
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2

# ---- units ----


def unified_root():
    for root in ROOTS:
        with open("/proc/mounts", encoding="utf-8") as file:
            if any(line.split()[1:3] == [root, "cgroup2"] for line in file):
                return root
    raise Skip("no unified hierarchy of control groups where the daemon looks for it")


class Unit:
    """A control group that is named like a system unit's."""

    made = 0

    def __init__(self, name=None):
        Unit.made += 1
        self.name = name or f"coffer-test-{os.getpid()}-{Unit.made}.service"
        self.root = unified_root()
        self.folder = os.path.join(self.root, "system.slice", self.name)
        try:
            os.makedirs(self.folder)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise
            raise Skip(f"control groups cannot be made: {error}") from None
        started.append(self)

    def take(self, process):
        self.take_pid(process.pid)

    def take_pid(self, pid):
        self.write(os.path.join(self.folder, "cgroup.procs"), pid)

    def take_below(self, process):
        """Into a group of the unit's own making."""
        os.makedirs(os.path.join(self.folder, "below"), exist_ok=True)
        self.write(os.path.join(self.folder, "below", "cgroup.procs"), process.pid)

    @staticmethod
    def write(path, number):
        with open(path, "w", encoding="ascii") as file:
            file.write(str(number))

    def pids(self):
        found = []
        for folder, _, _ in os.walk(self.folder):
            with open(os.path.join(folder, "cgroup.procs"), encoding="ascii") as file:
                found += [int(line) for line in file]
        return found

    def make_anew(self):
        """What a restart of the unit does: the same name, another group."""
        self.remove()
        os.mkdir(self.folder)

    def remove(self):
        wait_until(self.is_removed, f"{self.name} is empty")

    def is_removed(self):
        for folder, _, _ in os.walk(self.folder, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:
                return False
        return True

    def close(self):
        if self in started:
            started.remove(self)
        with contextlib.suppress(OSError):
            for pid in self.pids():
                os.kill(pid, signal.SIGKILL)
        if os.path.isdir(self.folder):
            self.remove()


# ---- the daemon ----


@contextlib.contextmanager
def standing_still(vault):
    """What is sent meanwhile, on connections that the daemon knows, it finds all at once: in one turn."""
    os.kill(vault.pid, signal.SIGSTOP)
    try:
        wait_until(lambda: state_of(f"/proc/{vault.pid}/stat")[0] == "T", "the daemon stands still")
        yield
    finally:
        os.kill(vault.pid, signal.SIGCONT)


def without(call, argument, number, refusal):
    """For preexec_fn: to the program, this call with this number as its argument does not exist (in the low 32 bits)."""
    if os.uname().machine not in SYSCALLS:
        raise Skip(f"the number of {call} on {os.uname().machine} is not known here")
    load, jump_if_equal, give = 0x20, 0x15, 0x06
    steps = [
        (load, 0, 0, 0),
        (jump_if_equal, 0, 3, SYSCALLS[os.uname().machine][call]),
        (load, 0, 0, 16 + 8 * argument),
        (jump_if_equal, 0, 1, number),
        (give, 0, 0, 0x00050000 | refusal),
        (give, 0, 0, 0x7FFF0000),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))

    def install():
        program = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code))
        must_succeed(LIBC.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0), "seccomp")

    return install


def kernel_that_does_not_tell_statuses():
    """Before Linux 6.15: PIDFD_GET_INFO does not say how a process ended; before 6.13 there is none."""
    return without("ioctl", 1, 0xC040FF0B, errno.ENOTTY)


def kernel_that_does_not_tell_processes():
    """Before Linux 6.5: no SO_PEERPIDFD."""
    return without("getsockopt", 2, 77, errno.ENOPROTOOPT)


def descriptors_at_rest(vault):
    """Of the daemon, while nobody is connected but who asks."""
    with vault.client() as client:
        wait_until(lambda: client.call("status")["counts"]["connections"] == 1, "everybody else has gone")
        return vault.descriptors()


def copy_of_store(vault):
    """For looking at the store of a stopped daemon without touching it."""
    folder = vault.at("copy")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(vault.at("state"), folder)
    return os.path.join(folder, "coffer.db")
