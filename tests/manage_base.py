"""What the tests of coffer-manage share: running it against a fake daemon, at a terminal or not, and judging what it says."""

import base64
import fcntl
import json
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import tempfile
import termios
import unittest

MANAGE = ""  # set by whoever runs the tests


def environment(daemon, uid=os.getuid()):
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C"}
    if daemon is not None:
        env["COFFER_SOCKET"] = daemon.path
    for name, value in os.environ.items():
        if name.endswith("SAN_OPTIONS"):
            env[name] = value
    if uid != 0:
        # The leak checker traces the process, which a process that handles values does not allow.
        env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    return env


class Done:
    def __init__(self, daemon, args, stdin=b"", **options):
        env = environment(daemon, options.get("user", os.getuid()))
        process = subprocess.run([MANAGE, *args], input=stdin, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 timeout=60, check=False, **options)
        self.status = process.returncode
        self.stdout = process.stdout.decode()
        self.stderr = process.stderr.decode()


def manage(daemon, *args, **options):
    return Done(daemon, args, **options)


def encodings(value):
    raw = value if isinstance(value, bytes) else value.encode()
    return [raw, json.dumps(raw.decode(errors="replace"))[1:-1].encode(), base64.b64encode(raw), raw.hex().encode()]


class CommandTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="coffer-manage-", dir="/tmp")

    def tearDown(self):
        shutil.rmtree(self.directory)

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return path

    def refused(self, done, status, *words):
        self.assertEqual(done.status, status, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertTrue(done.stderr.startswith("coffer: "), done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def silent_on(self, done, value):
        for form in encodings(value):
            self.assertNotIn(form, done.stdout.encode())
            self.assertNotIn(form, done.stderr.encode())

    @staticmethod
    def read(path):
        with open(path, encoding="utf-8") as file:
            return file.read()

    @staticmethod
    def mappings_with(pid, needle):
        """VmFlags of each mapping of a process that holds these bytes."""
        found = []
        with open(f"/proc/{pid}/smaps", encoding="utf-8") as smaps, open(f"/proc/{pid}/mem", "rb") as memory:
            for line in smaps:
                head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) .*?(\[v.*\])?$", line)
                if head:
                    start, end, holds = int(head[1], 16), int(head[2], 16), False
                    # What was never written cannot hold it, and may be terabytes under a sanitizer.
                    readable = head[3].startswith("rw") and not head[4]
                elif line.startswith("Rss:") and readable and int(line.split()[1]) > 0 and end - start < 1 << 30:
                    memory.seek(start)
                    holds = needle in memory.read(end - start)
                elif line.startswith("VmFlags:") and holds:
                    found.append(line.split()[1:])
        return found

    def at_terminal(self, daemon, args, script, columns=0, **variables):
        """Runs at a terminal of its own; script: (text to wait for, bytes to type)."""
        pid, fd = pty.fork()
        if pid == 0:
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
            os.execve(MANAGE, [MANAGE, *args], {**environment(daemon), **variables})
        seen = b""
        waiting = list(script)
        while True:
            ready, _, _ = select.select([fd], [], [], 60)
            self.assertTrue(ready, seen)
            try:
                piece = os.read(fd, 4096)
            except OSError:
                break
            if not piece:
                break
            seen += piece
            if waiting and seen.endswith(waiting[0][0]):
                os.write(fd, waiting.pop(0)[1])
        _, status = os.waitpid(pid, 0)
        os.close(fd)
        return os.waitstatus_to_exitcode(status), seen
