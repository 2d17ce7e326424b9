#!/usr/bin/python3
"""coffer status, once and --watch on a terminal, against a daemon that answers by script.   usage: status_cli.py COFFER_MANAGE"""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
import unittest

import manage_base
from fake_daemon import FakeDaemon, refusal
from manage_base import CommandTest, environment, manage

ENTER, CLEAR, LEAVE = b"\x1b[?1049h\x1b[?25l", b"\x1b[H\x1b[J", b"\x1b[?1049l\x1b[?25h"
STATUS = {
    "version": "0.1.0", "sealed": False, "reason": None, "host": "db1", "vault": "00ff" * 8,
    "started_at": "2026-11-22T09:30:00.123Z", "store": {"bytes": 1310720, "free_bytes": 5 * 1024**3 + 1, "created_at": None},
    "counts": {"integrations": 2, "secrets": 3, "versions": 4, "grants": 5, "tokens": 6, "requests_pending": 7, "runs": 8,
               "audit_records": 9, "holders": 10, "undelivered": 0, "connections": 11},
    "alerts": {"critical": 1, "warning": 2, "notice": 0}, "audit": {"head": {"seq": 9, "hash": "ab" * 32}, "trouble": None},
}


class Screen:
    """A terminal of its own with the command at it."""

    def __init__(self, test, daemon, *args, rows=40, columns=100, term="xterm"):
        self.test = test
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            self.resize(rows, columns, 1)
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # whatever those who run the tests ignore
            os.execve(manage_base.MANAGE, [manage_base.MANAGE, "status", *args], {**environment(daemon), "TERM": term})

    def resize(self, rows, columns, fd=None):
        fcntl.ioctl(self.fd if fd is None else fd, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def read(self):
        if not select.select([self.fd], [], [], 0.05)[0]:
            return True
        try:
            piece = os.read(self.fd, 65536)
        except OSError:
            piece = b""
        self.seen += piece
        return piece != b""

    def wait(self, *words, within=30):
        """Reads until the last drawing holds all of these words; the drawing."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            drawn = self.seen.rsplit(CLEAR, 1)[-1]
            if all(word in drawn for word in words):
                return drawn
            self.read()
        self.test.fail(f"{words} did not come: {self.seen[-2000:]!r}")

    def end(self):
        """Reads to the end; how the process ended."""
        end = time.monotonic() + 30
        while self.read():
            if time.monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
                self.test.fail(f"it did not end: {self.seen[-300:]!r}")
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


class Status(CommandTest):
    def setUp(self):
        super().setUp()
        self.status = json.loads(json.dumps(STATUS))

    def answer(self, _request, _pid):
        return {"result": self.status}

    def test_all_of_it_is_shown_at_a_glance(self):
        with FakeDaemon(self.answer) as daemon:
            shown = dict(line.split(":", 1) for line in manage(daemon, "status").stdout.splitlines())
            self.assertEqual(json.loads(manage(daemon, "status", "--json").stdout), STATUS)
        shown = {label: text.strip() for label, text in shown.items()}
        for label, text in (("Host", "db1"), ("Vault", "00ff" * 8), ("Started", "2026-11-22T09:30:00Z"), ("Store", "1.2 MiB"),
                            ("Free beside it", "5.0 GiB"), ("Tokens", "6"), ("Requests pending", "7"), ("Sealed", "no"),
                            ("Alerts", "critical=1 warning=2 notice=0"), ("Audit head", "ab" * 32), ("Holders", "10")):
            self.assertEqual(shown[label], text, shown)

    def test_sizes_are_rounded_down(self):
        for size, text in ((0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.0 KiB"), (1048575, "1023.9 KiB"), (1048576, "1.0 MiB"),
                           (2**40 * 5000, "5000.0 TiB"), (-1, "-"), ("x", "-"), (None, "-")):
            self.status["store"]["bytes"] = size
            with FakeDaemon(self.answer) as daemon:
                self.assertRegex(manage(daemon, "status").stdout, r"(?m)^Store: +%s$" % text)

    def test_what_a_stranger_is_not_told_is_left_out(self):
        self.status = {"version": "0.1.0", "sealed": True}
        with FakeDaemon(self.answer) as daemon:
            self.assertEqual(manage(daemon, "status").stdout, "Version: 0.1.0\nSealed:  yes\n")

    def test_a_sealed_vault_is_shown_with_its_way_out_and_is_no_success(self):
        self.status = {"version": "0.1.0", "sealed": True, "mend": "it is not initialised; run cofferd init as root", "reason": "no key"}
        with FakeDaemon(self.answer) as daemon:
            for options in ((), ("--json",)):
                done = manage(daemon, "status", *options)
                self.assertEqual((done.status, done.stderr), (75, ""))
                self.assertIn("run cofferd init as root", done.stdout)
            self.assertRegex(manage(daemon, "status").stdout, r"(?m)^Way out: it is not initialised; run cofferd init as root$")
            self.status = STATUS
            self.assertEqual(manage(daemon, "status").status, 0)

    def test_watching_needs_a_terminal_and_sensible_words(self):
        with FakeDaemon(self.answer) as daemon:
            self.refused(manage(daemon, "status", "--watch"), 64, "needs a terminal")
            for seconds in ("0", "-1", "x", "3601", "1.5", "00000"):
                self.refused(manage(daemon, "status", "--watch=" + seconds), 64, "seconds from 1 to 3600")
            self.refused(manage(daemon, "status", "--watch", "--json"), 64, "--json")
            screen = Screen(self, daemon, "--watch", term="dumb")
            self.assertEqual(screen.end(), 64)
            self.assertNotIn(b"\x1b", screen.seen)
            self.assertEqual(daemon.requests, [])

    def test_it_is_drawn_anew_and_the_terminal_given_back(self):
        for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with FakeDaemon(self.answer) as daemon:
                self.status["counts"]["integrations"] = 2
                screen = Screen(self, daemon, "--watch=1")
                screen.wait(b"every 1 s", b"Integrations:", b"db1")
                self.status["counts"]["integrations"] = 4711
                screen.wait(b"4711")
                if ending == signal.SIGINT:
                    os.write(screen.fd, b"\x03")
                else:
                    os.kill(screen.pid, ending)
                self.assertEqual(screen.end(), -ending)
            self.assertEqual(screen.seen.count(ENTER), 1)
            self.assertTrue(screen.seen.startswith(ENTER + CLEAR), screen.seen[:80])
            self.assertTrue(screen.seen.replace(b"^C", b"").endswith(LEAVE), screen.seen[-80:])

    def test_it_fits_a_terminal_that_changes_its_size(self):
        with FakeDaemon(self.answer) as daemon:
            screen = Screen(self, daemon, "--watch=3600")
            screen.wait(b"Audit head")
            screen.resize(6, 20)  # tells the process, which draws at once and not in an hour
            drawn = screen.wait(b"coffer status, every", b"Sealed")
            deadline = time.monotonic() + 30
            while b"Audit head" in drawn and time.monotonic() < deadline:
                screen.read()
                drawn = screen.seen.rsplit(CLEAR, 1)[-1]
            lines = re.split(rb"\r+\n", drawn)  # the terminal adds one to each
            self.assertEqual(len(lines), 6, lines)
            self.assertLessEqual(max(map(len, lines)), 20, lines)
            os.write(screen.fd, b"\x03")
            screen.end()

    def test_a_daemon_that_goes_and_comes_back_is_seen(self):
        with FakeDaemon(self.answer) as daemon:
            screen = Screen(self, daemon, "--watch=1")
            screen.wait(b"db1")
            path = daemon.path
            os.rename(path, path + ".away")
            daemon.answer = lambda *_: None  # the connection that it has ends as well
            drawn = screen.wait(path.encode())
            self.assertNotIn(b"db1", drawn)
            os.rename(path + ".away", path)
            daemon.answer = self.answer
            screen.wait(b"db1")
            os.write(screen.fd, b"\x03")
            self.assertEqual(screen.end(), -signal.SIGINT)

    def test_what_no_wait_mends_ends_it(self):
        with FakeDaemon(lambda *_: refusal("denied", "not permitted")) as daemon:
            screen = Screen(self, daemon, "--watch=1")
            self.assertEqual(screen.end(), 77)
            self.assertIn(b"not permitted", screen.seen.rsplit(LEAVE, 1)[-1])

    def test_hostile_texts_do_not_reach_the_terminal(self):
        self.status["host"] = "evil\x1b[2J\u202e"
        self.status["vault"] = "\x9b2J\r\n"
        with FakeDaemon(self.answer) as daemon:
            done = manage(daemon, "status")
            self.assertNotRegex(done.stdout, "[\x1b\x9b\u202e\r]")
            screen = Screen(self, daemon, "--watch=1")
            drawn = screen.wait(b"evil")
            self.assertNotIn(b"\x1b", drawn)
            self.assertNotIn("\u202e".encode(), drawn)
            os.write(screen.fd, b"\x03")
            screen.end()


if __name__ == "__main__":
    manage_base.MANAGE = os.path.realpath(sys.argv.pop(1))
    unittest.main()
