"""What the tests of `coffer run` share: starting it against a daemon that answers by script, and judging how it ended."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import unittest

from fake_daemon import environment, refusal, watched

COFFER = os.path.abspath(sys.argv[1])
VALUES = {"PGPASSWORD": "s3cret \"value\"\n2nd line €", "RAW": b"\xff\xfe", "EMPTY_NOT": "x"}
PRINT_ENV = ["cat", "/proc/self/environ"]
VALUE = "correct horse battery staple"
DIGEST = "0123456789abcdef" * 4


def read(path):
    with open(path, "rb") as file:
        return file.read()


def granted(request, pid):
    return environment(VALUES)


def start(daemon, *args, env=None, **options):
    base = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    base.update(env or {})
    if daemon is not None and "COFFER_SOCKET" not in base:
        base["COFFER_SOCKET"] = daemon.path
    for name, value in os.environ.items():
        if name.endswith("SAN_OPTIONS"):
            base[name] = value
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([COFFER, *args], env=base, **{**streams, **options})


def wait_until(is_true, what):
    """For conditions that nothing announces."""
    end = time.monotonic() + 60
    while not is_true():
        if time.monotonic() > end:
            raise AssertionError("never came: " + what)
        time.sleep(0.005)


def state_of(pid):
    """R, S, T …; "" when there is no such process."""
    try:
        return read("/proc/%d/stat" % pid).rpartition(b")")[2].split()[0].decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def children_of(pid):
    return [int(child) for child in read("/proc/%d/task/%d/children" % (pid, pid)).split()]


def can_switch_user():
    """Whether another user reaches the program under test."""
    return os.geteuid() == 0 and subprocess.run([COFFER, "run", "--help"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                                check=False, **NOBODY).returncode == 0


NOBODY = {"user": 65534, "group": 65534, "extra_groups": []}


class Done:
    def __init__(self, process):
        self.stdout, stderr = process.communicate(timeout=60)
        self.stderr = stderr.decode()
        self.status = process.returncode

    def environment(self):
        return dict(item.split(b"=", 1) for item in self.stdout.split(b"\0") if item)


def run(daemon, *args, **options):
    return Done(start(daemon, *args, **options))


class RunCase(unittest.TestCase):
    def refused(self, done, status, *words):
        self.assertEqual(done.status, status, done.stderr)
        self.assertEqual(done.stdout, b"")
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertTrue(done.stderr.startswith("coffer: "), done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        for value in ("s3cret", "\xff"):
            self.assertNotIn(value, done.stderr)


def copies_in(pid, value):
    """How often value stands in the writable memory of a process: in locked memory, and elsewhere."""
    value = value.encode()
    counts = [0, 0]
    with open("/proc/%d/mem" % pid, "rb", buffering=0) as memory, open("/proc/%d/smaps" % pid) as maps:
        place = None
        for line in maps:
            words = line.split()
            if "-" in words[0] and len(words) > 1 and len(words[1]) == 4:
                start_at, end_at = (int(word, 16) for word in words[0].split("-"))
                # Sanitizers' reservations are larger than anything of ours.
                place = (start_at, end_at) if words[1][1] == "w" and end_at - start_at <= 1 << 28 else None
            elif words[0] == "VmFlags:" and place is not None:
                memory.seek(place[0])
                try:
                    found = memory.read(place[1] - place[0]).count(value)
                except OSError:
                    found = 0
                counts[0 if "lo" in words else 1] += found
    return tuple(counts)


def python(text, *args):
    return [sys.executable, "-c", text, *map(str, args)]


class Script:
    """Answers by method; what is callable is called with the request, of a list each answer is given once."""

    def __init__(self, **answers):
        self.answers = {"env_fetch": environment({"KEY": VALUE}), "env_watch": watched(KEY=1), "run_end": {"result": {}}}
        self.answers.update(answers)

    def __call__(self, request, pid):
        answer = self.answers.get(request["method"].replace(".", "_"), refusal("unknown_method"))
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        return dict(answer(request) if callable(answer) else answer) if answer is not None else None


def end_tree(pid):
    """Children first, for nobody knows them when their parent is gone."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for child in children_of(pid):
            end_tree(child)
        os.kill(pid, signal.SIGKILL)


def put_away(process):
    if process.poll() is None:
        end_tree(process.pid)
        process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()


class SupervisedCase(RunCase):
    def line(self, process):
        line = process.stdout.readline().decode().rstrip("\n")
        self.assertTrue(line, "the output ended: %s" % (process.stderr.read() if process.poll() is not None else ""))
        return line

    def start(self, daemon, *args, **options):
        process = start(daemon, "run", *args, **options)
        self.addCleanup(put_away, process)
        return process

    def end(self, process, number=signal.SIGTERM):
        process.send_signal(number)
        return Done(process)
