#!/usr/bin/python3
"""`coffer run --mask`, through pipes and through a terminal.   usage: run_mask_cli.py COFFER"""

import contextlib
import fcntl
import hashlib
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

from fake_daemon import RUN_ID, FakeDaemon, environment, refusal
from run_world import (COFFER, VALUE, Done, Script, SupervisedCase, children_of, copies_in, put_away, python, read, run, state_of,
                       wait_until)

SHOW = "echo \"<$KEY>\"; echo \"<$KEY>\" >&2"


class PipeTest(SupervisedCase):
    def test_values_that_are_too_short_are_named(self):
        with FakeDaemon(Script(env_fetch=environment({"KEY": VALUE, "PIN": "1234", "X": "x"}))) as daemon:
            done = run(daemon, "run", "--mask", "--", "sh", "-c", "echo $KEY $PIN")
            self.assertEqual((done.stdout, done.status), (b"*** 1234\n", 0))
            self.assertEqual(done.stderr, "coffer: --mask: too short to be hidden: PIN, X\n")

    def test_values_are_hidden_in_both_outputs_and_these_stay_apart(self):
        with FakeDaemon(Script()) as daemon:
            done = run(daemon, "run", "--mask", "--", "sh", "-c", "echo out; echo err >&2; " + SHOW)
            self.assertEqual((done.stdout, done.stderr, done.status), (b"out\n<***>\n", "err\n<***>\n", 0))

    def test_a_value_is_hidden_however_it_is_written(self):
        text = "import os, sys, time\nvalue = os.environ['KEY'].encode()\nfor size in (1, 5, 100):\n" \
               " for at in range(0, len(value), size):\n  os.write(1, value[at:at + size])\n os.write(1, b'\\n')\n"
        with FakeDaemon(Script()) as daemon:
            done = run(daemon, "run", "--mask", "--", *python(text))
            self.assertEqual((done.stdout, done.status), (b"***\n" * 3, 0), done.stderr)

    def test_the_end_of_a_value_that_comes_late_is_hidden(self):
        text = "import os, sys\nvalue = os.environ['KEY'].encode()\nos.write(1, b'<' + value[:10])\nos.write(2, b'half')\nos.read(0, 1)\n" \
               "os.write(1, value[10:] + b'>')\n"
        with FakeDaemon(Script()) as daemon:
            process = self.start(daemon, "--mask", "--", *python(text), stdin=subprocess.PIPE)
            self.assertEqual(os.read(process.stderr.fileno(), 4), b"half")
            self.assertEqual(os.read(process.stdout.fileno(), 100), b"<")
            self.assertEqual(process.communicate(b"x", timeout=60), (b"***>", b""))

    def test_a_prompt_is_seen_though_no_line_ends(self):
        text = "import os\nos.write(1, b'Name, please: ')\nos.write(1, b'hello ' + os.read(0, 9))"
        with FakeDaemon(Script()) as daemon:
            process = self.start(daemon, "--mask", "--", *python(text), stdin=subprocess.PIPE)
            got = b""
            while len(got) < 14:
                got += os.read(process.stdout.fileno(), 100)
            self.assertEqual(got, b"Name, please: ")
            self.assertEqual(process.communicate(b"Ada", timeout=60), (b"hello Ada", b""))

    def test_other_output_arrives_as_it_is(self):
        text = "import hashlib, os, sys\nbytes = os.urandom(3000000)\nsys.stdout.buffer.write(bytes)\nsys.stdout.flush()\n" \
               "print(hashlib.sha256(bytes).hexdigest(), file=sys.stderr)"
        with FakeDaemon(Script()) as daemon:
            done = run(daemon, "run", "--mask", "--", *python(text))
            self.assertEqual((len(done.stdout), done.status), (3000000, 0), done.stderr)
            self.assertEqual(hashlib.sha256(done.stdout).hexdigest(), done.stderr.strip())

    def test_one_file_for_both_outputs_keeps_their_order(self):
        text = "import os\nfor i in range(1000): os.write(1 + i % 2, b'%d\\n' % i)"
        with FakeDaemon(Script()) as daemon, tempfile.TemporaryFile() as file:
            process = self.start(daemon, "--mask", "--", *python(text), stdout=file, stderr=file)
            self.assertEqual(process.wait(timeout=60), 0)
            file.seek(0)
            self.assertEqual(file.read(), b"".join(b"%d\n" % i for i in range(1000)))

    def test_a_descriptor_that_is_closed_stays_closed(self):
        text = "import os, sys\nfor fd in (1, 2):\n try: os.fstat(fd)\n except OSError: sys.exit(fd)"
        for fd in (1, 2):
            with self.subTest(fd=fd), FakeDaemon(Script()) as daemon:
                self.assertEqual(run(daemon, "run", "--mask", "--", *python(text), preexec_fn=lambda fd=fd: os.close(fd)).status, fd)

    # ---- readers ----

    def test_nothing_is_lost_when_the_reader_is_slow(self):
        with FakeDaemon(Script()) as daemon:
            process = self.start(daemon, "--mask", "--", *python("import os\nos.write(1, b'x' * 60000)\nos.write(1, b'y' * 60000)"))
            daemon.wait_for("env.fetch")
            wait_until(lambda: read("/proc/%d/comm" % process.pid) and not children_of(process.pid) and state_of(process.pid) == "S",
                       "the end of the program")
            done = Done(process)
            self.assertEqual((done.stdout, done.status), (b"x" * 60000 + b"y" * 60000, 0))

    def test_a_reader_who_is_gone_ends_the_program_as_it_would_without(self):
        with FakeDaemon(Script()) as daemon:
            process = self.start(daemon, "--mask", "--", "yes")
            self.assertEqual(self.line(process), "y")
            process.stdout.close()
            process.stdout = None
            self.assertEqual((process.wait(timeout=60), process.stderr.read()), (128 + signal.SIGPIPE, b""))

    def test_signals_arrive_though_nobody_reads(self):
        with FakeDaemon(Script()) as daemon:
            process = self.start(daemon, "--mask", "--", "yes")
            daemon.wait_for("env.fetch")
            wait_until(lambda: [state_of(child) for child in children_of(process.pid)] == ["S"], "the full pipe")
            process.send_signal(signal.SIGTERM)
            wait_until(lambda: not children_of(process.pid), "the end of the program")
            done = Done(process)
            self.assertEqual((done.status, done.stdout[:4]), (128 + signal.SIGTERM, b"y\ny\n"))

    def test_who_waits_for_a_reader_after_the_end_can_be_ended(self):
        with FakeDaemon(Script()) as daemon:
            process = self.start(daemon, "--mask", "--", *python("import os\nos.write(1, b'x' * 120000)"))
            daemon.wait_for("env.fetch")
            # The first 64 KiB fill our pipe, what is left fits the other.
            wait_until(lambda: not children_of(process.pid) and state_of(process.pid) == "S", "the end of the program")
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(timeout=60), -signal.SIGTERM)

    def test_who_holds_the_output_after_the_end_holds_nobody_up(self):
        for text in ("sh -c 'echo $$; exec sleep 60' &", "sh -c 'echo $$; while :; do echo more; sleep 0.02; done' &"):
            with self.subTest(text=text), FakeDaemon(Script()) as daemon:
                process = self.start(daemon, "--mask", "--", "sh", "-c", text)
                other = int(self.line(process))
                began = time.monotonic()
                status = process.wait(timeout=60)
                took = time.monotonic() - began
                with contextlib.suppress(ProcessLookupError):
                    os.kill(other, signal.SIGKILL)
                self.assertEqual((status, took < 10), (0, True), took)

    # ---- with other options ----

    def test_the_supervisor_fetches_and_reports(self):
        with FakeDaemon(Script()) as daemon:
            process = self.start(daemon, "--mask", "--record", "--", "sh", "-c", "echo $$; exit 7")
            child = int(self.line(process))
            self.assertEqual((Done(process).status, child != process.pid), (7, True))
            self.assertEqual([pid for _, pid in daemon.of("env.fetch")], [process.pid])
            self.assertEqual(daemon.of("run.end"), [({"run": RUN_ID, "exit_status": 7}, process.pid)])

    def test_standard_input_is_the_programs_own(self):
        with FakeDaemon(Script()) as daemon:
            process = self.start(daemon, "--mask", "--", "sh", "-c", "readlink /proc/self/fd/0; cat", stdin=subprocess.PIPE)
            self.assertEqual(self.line(process), os.readlink("/proc/self/fd/%d" % process.stdin.fileno()))
            self.assertEqual(process.communicate(b"typed", timeout=60), (b"typed", b""))

    def test_values_are_in_locked_memory_only(self):
        """P1: in the process that masks, before, while and after it has masked one."""
        if os.geteuid() != 0:
            self.skipTest("only root can look into the process")
        with FakeDaemon(Script()) as daemon:
            process = self.start(daemon, "--mask", "--map", "KEY=RENAMED", "--", "sh", "-c", "echo \"$RENAMED\"; cat", stdin=subprocess.PIPE)
            self.assertEqual(self.line(process), "***")
            locked, elsewhere = copies_in(process.pid, VALUE)
            self.assertEqual(elsewhere, 0)
            # The mask knows the value by its tree, not as text.
            self.assertLessEqual(locked, 1)
            process.stdin.write(VALUE.encode() + b"\n")
            process.stdin.flush()
            self.assertEqual(self.line(process), "***")
            self.assertEqual(copies_in(process.pid, VALUE)[1], 0)
            self.assertEqual(process.communicate(timeout=60), (b"", b""))


class Screen:
    """The user's end of a terminal, and what runs on it as the leader of its session."""

    def __init__(self, daemon, argv, **streams):
        self.master, self.slave = pty.openpty()
        slave = self.slave
        self.resize(33, 111)
        self.before = self.settings()
        env = {"PATH": os.environ["PATH"], "COFFER_SOCKET": daemon.path, "COFFER": COFFER, "PS1": "$ ", "HOME": "/nonexistent"}
        env.update((name, value) for name, value in os.environ.items() if name.endswith("SAN_OPTIONS"))
        self.process = subprocess.Popen(argv, env=env, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(slave, termios.TIOCSCTTY, 0),
                                        **{"stdin": slave, "stdout": slave, "stderr": slave, **streams})
        self.seen = b""

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def type(self, keys):
        os.write(self.master, keys)

    def read_some(self, seconds=60):
        if not select.select([self.master], [], [], seconds)[0]:
            return b""
        try:
            return os.read(self.master, 65536)
        except OSError:
            return b""

    def expect(self, pattern):
        """All that was shown up to and with this; what follows is kept for the next."""
        while not re.search(pattern, self.seen):
            some = self.read_some()
            if not some:
                raise AssertionError("%r did not come: %r" % (pattern, self.seen))
            self.seen += some
        match = re.search(pattern, self.seen)
        before, self.seen = self.seen[:match.end()], self.seen[match.end():]
        return before

    def settings(self):
        return termios.tcgetattr(self.slave)

    def is_raw(self):
        return not self.settings()[3] & termios.ICANON

    def end(self):
        """The status, and what else was shown."""
        status = self.process.wait(timeout=60)
        while select.select([self.master], [], [], 0)[0]:
            self.seen += os.read(self.master, 65536)
        return status, self.seen

    def close(self):
        put_away(self.process)
        for fd in (self.master, self.slave):
            if fd >= 0:
                os.close(fd)
        self.master = self.slave = -1


def waits_of(pid):
    """How often a process has gone to sleep."""
    return int(re.search(rb"\nvoluntary_ctxt_switches:\s*(\d+)", read("/proc/%d/status" % pid)).group(1))


# Says what it finds, then what it gets; signals come through a pipe, for a handler may run late in a program that waits.
GUEST = """
import os, select, signal, sys
def say(*words):
    os.write(1, " ".join(map(str, words)).encode() + b"\\n")
came, wakeup = os.pipe()
os.set_blocking(wakeup, False)
signal.set_wakeup_fd(wakeup)
for number in (signal.SIGINT, signal.SIGWINCH, signal.SIGHUP, signal.SIGCONT):
    signal.signal(number, lambda number, frame: None)
size = lambda: os.get_terminal_size(1)
say("ready", *[os.isatty(fd) for fd in range(3)], *size(), "leader" if os.getpid() == os.getpgrp() else "member")
while True:
    ready = select.select([0, came], [], [])[0]
    for number in os.read(came, 100) if came in ready else b"":
        say("got", signal.Signals(number).name, *(size() if number == signal.SIGWINCH else ()))
    if 0 in ready:
        line = os.read(0, 1000).decode()
        if line in ("", "end\\n"): sys.exit(7)
        say("line", line.strip())
"""
WAITING_GUEST = GUEST.replace("select.select([0, came]", "select.select([came]")


class TerminalTest(SupervisedCase):
    def screen(self, daemon, *args, **streams):
        screen = Screen(daemon, [COFFER, "run", *args], **streams)
        self.addCleanup(screen.close)
        return screen

    def shell(self, daemon):
        screen = Screen(daemon, ["/bin/sh", "-im"])
        self.addCleanup(screen.close)
        screen.expect(rb"\$ ")
        return screen

    def guest(self, daemon, *args, **streams):
        screen = self.screen(daemon, "--mask", *args, "--", *python(GUEST), **streams)
        return screen, screen.expect(rb"ready.*\n").decode()

    def test_what_cannot_start_leaves_the_terminal_as_it_was(self):
        for answer, status in ((refusal("denied"), 125), (refusal("sealed"), 75)):
            with self.subTest(status=status), FakeDaemon(Script(env_fetch=answer)) as daemon:
                screen = self.screen(daemon, "--mask", "--", "true")
                self.assertEqual(screen.end()[0], status)
                self.assertEqual(screen.settings(), screen.before)
                self.assertRegex(screen.seen, rb"^coffer: run: no; [^\r\n]*\r\n$")

    def test_the_program_finds_a_terminal_of_the_same_size(self):
        with FakeDaemon(Script()) as daemon:
            screen, ready = self.guest(daemon)
            self.assertEqual(ready, "ready True True True 111 33 leader\r\n")
            self.assertTrue(screen.is_raw())
            screen.type(b"end\r")
            self.assertEqual(screen.end(), (7, b"end\r\n"))
            self.assertEqual(screen.settings(), screen.before)

    def test_values_are_hidden_and_the_rest_is_not(self):
        with FakeDaemon(Script()) as daemon:
            screen = self.screen(daemon, "--mask", "--", "sh", "-c", "printf '\\033[31m<%s>\\033[0m\\n' \"$KEY\"; echo \"$KEY\" >&2; echo $KEY > /dev/tty")
            self.assertEqual(screen.end(), (0, b"\x1b[31m<***>\x1b[0m\r\n***\r\n***\r\n"))

    def test_what_is_typed_is_shown_at_once_and_edited_by_the_terminal_inside(self):
        with FakeDaemon(Script()) as daemon:
            screen, _ = self.guest(daemon)
            screen.type(b"c")
            screen.expect(rb"c")
            screen.type(b"orx\x7frect\r")
            screen.expect(rb"line correct\r\n")
            screen.type(VALUE.encode() + b"\r")
            self.assertEqual(screen.expect(rb"line.*\r\n").replace(b"cor***", b"***"), b"***\r\nline ***\r\n")
            screen.type(b"\x04")
            self.assertEqual(screen.end()[0], 7)

    def test_a_prompt_is_seen_though_no_line_ends(self):
        with FakeDaemon(Script()) as daemon:
            screen = self.screen(daemon, "--mask", "--", "sh", "-c", "stty -echo; printf 'Password: '; read x; stty echo; echo; echo got $x")
            screen.expect(rb"Password: ")
            screen.type(b"quiet\r")
            self.assertEqual(screen.end(), (0, b"\r\ngot quiet\r\n"))

    def test_a_new_size_is_passed_on_once(self):
        for streams in ({}, {"stdin": subprocess.DEVNULL}):
            with self.subTest(streams=streams), FakeDaemon(Script()) as daemon:
                screen = self.screen(daemon, "--mask", "--", *python(WAITING_GUEST), **streams)
                screen.expect(rb"ready.*\n")
                screen.resize(44, 99)
                screen.expect(rb"got SIGWINCH 99 44\r\n")
                if not streams:
                    screen.process.send_signal(signal.SIGCONT)
                    self.assertEqual(screen.expect(rb"got SIGCONT\r\n"), b"got SIGCONT\r\n")

    def test_who_had_the_signal_before_the_size_gets_it_again(self):
        with FakeDaemon(Script()) as daemon:
            screen = self.screen(daemon, "--mask", "--", *python(WAITING_GUEST), stdin=subprocess.DEVNULL)
            screen.expect(rb"ready.*\n")
            screen.process.send_signal(signal.SIGSTOP)
            wait_until(lambda: state_of(screen.process.pid) == "T", "the stop")
            [child] = children_of(screen.process.pid)
            waits = waits_of(child)
            screen.resize(44, 99)
            wait_until(lambda: waits_of(child) > waits, "the next wait of the program")
            screen.process.send_signal(signal.SIGCONT)
            screen.expect(rb"got SIGWINCH 111 33\r\n")
            screen.expect(rb"got SIGWINCH 99 44\r\n")

    def test_interrupt_reaches_the_program_once(self):
        for streams in ({}, {"stderr": subprocess.DEVNULL}):
            with self.subTest(streams=streams), FakeDaemon(Script()) as daemon:
                screen, _ = self.guest(daemon, **streams)
                screen.type(b"\x03")
                screen.expect(rb"got SIGINT\r\n")
                screen.type(b"end\r")
                self.assertEqual(screen.end(), (7, b"end\r\n"))

    def test_a_program_that_is_interrupted_ends_with_130(self):
        with FakeDaemon(Script()) as daemon:
            screen = self.screen(daemon, "--mask", "--", "sh", "-c", "echo ready; exec sleep 60")
            screen.expect(rb"ready\r\n")
            screen.type(b"\x03")
            self.assertEqual(screen.end()[0], 130)
            self.assertEqual(screen.settings(), screen.before)

    def test_a_supervisor_that_is_ended_restores_the_terminal(self):
        with FakeDaemon(Script()) as daemon:
            screen = self.screen(daemon, "--mask", "--", "sh", "-c", "echo ready; exec sleep 60")
            screen.expect(rb"ready\r\n")
            self.assertTrue(screen.is_raw())
            screen.process.send_signal(signal.SIGTERM)
            self.assertEqual(screen.end()[0], 143)
            self.assertEqual(screen.settings(), screen.before)

    def test_a_relay_that_is_killed_hangs_up_the_program(self):
        with FakeDaemon(Script()) as daemon:
            screen = self.screen(daemon, "--mask", "--", "sh", "-c", "echo ready; exec sleep 60")
            screen.expect(rb"ready\r\n")
            [inside] = children_of(screen.process.pid)
            [program] = children_of(inside)
            screen.process.kill()
            for pid in (program, inside):
                wait_until(lambda pid=pid: state_of(pid) in ("", "Z"), "the end")

    def test_a_terminal_that_goes_away_hangs_up_the_program(self):
        with FakeDaemon(Script()) as daemon, tempfile.NamedTemporaryFile() as file:
            text = "import os, signal, sys\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])\nos.write(1, b'ready\\n')\n" \
                   "signal.sigwait([signal.SIGHUP])\nsys.exit(os.write(%d, b'hup'))" % file.fileno()
            os.set_inheritable(file.fileno(), True)
            screen = Screen(daemon, [COFFER, "run", "--mask", "--", *python(text)], pass_fds=[file.fileno()])
            self.addCleanup(screen.close)
            screen.expect(rb"ready\r\n")
            os.close(screen.slave)
            os.close(screen.master)
            screen.slave = screen.master = -1
            self.assertEqual(screen.process.wait(timeout=60), 3)
            file.seek(0)
            self.assertEqual(file.read(), b"hup")

    def test_messages_begin_at_the_first_column(self):
        script = Script(env_fetch=environment({"KEY": VALUE, "PIN": "1234"}), run_end=refusal("denied"))
        with FakeDaemon(script) as daemon:
            screen = self.screen(daemon, "--mask", "--record", "--", "echo", "hello")
            status, seen = screen.end()
            self.assertEqual(status, 0)
            self.assertRegex(seen, rb"^coffer: --mask: too short to be hidden: PIN\r\nhello\r\ncoffer: the end of run [^\r\n]*\r\n$")

    # ---- when not all is the terminal's ----

    def test_only_what_is_a_terminal_is_made_one(self):
        with FakeDaemon(Script()) as daemon:
            screen, ready = self.guest(daemon, stdin=subprocess.DEVNULL)
            self.assertEqual(ready, "ready False True True 111 33 member\r\n")
            self.assertEqual(screen.end(), (7, b""))
            show = python("import os, sys\nprint(*[os.isatty(fd) for fd in range(3)], file=sys.stderr)\n"
                          "os.write(1, os.environ['KEY'].encode())\nprint(os.environ['KEY'], file=sys.stderr)")
            screen = self.screen(daemon, "--mask", "--", *show, stdout=subprocess.PIPE)
            self.assertEqual(screen.process.communicate(timeout=60), (b"***", None))
            self.assertEqual(screen.end(), (0, b"True False True\r\n***\r\n"))

    def test_in_a_pipeline_the_keys_are_somebody_elses(self):
        with FakeDaemon(Script()) as daemon:
            screen = self.shell(daemon)
            screen.type(b"$COFFER run --mask -- sh -c 'echo up >&2; cat' </dev/tty | sed s/^/-/\n")
            screen.expect(rb"\nup\r\n")
            self.assertFalse(screen.is_raw())
            screen.type(b"%s\n\x04" % VALUE.encode())
            screen.expect(rb"-\*\*\*\r\n.*\$ ")

    # ---- job control ----

    def test_a_stopped_program_gives_the_shell_its_prompt(self):
        for option in (b"--mask", b"--record", b"--on-change restart"):
            with self.subTest(option=option), FakeDaemon(Script()) as daemon:
                screen = self.shell(daemon)
                screen.type(b"$COFFER run %s -- sh -c 'echo up; while read x; do echo \"<$x>\"; done; exit 7'\n" % option)
                screen.expect(rb"\nup\r\n")
                for keys in (b"once", b"again"):
                    if option == b"--mask":
                        wait_until(screen.is_raw, "the raw terminal")
                    screen.type(keys + b"\r")
                    screen.expect(b"<%s>\r\n" % keys)
                    # The supervisor passes on the signal of the shell's fg: one that comes after ^Z would undo that.
                    time.sleep(0.3)
                    screen.type(b"\x1a")
                    screen.expect(rb"(?s)Stopped.*\$ ")
                    self.assertFalse(screen.is_raw())
                    screen.type(b"echo still $((6 * 7))\n")
                    screen.expect(rb"(?s)still 42\r\n\$ ")
                    screen.type(b"fg\n")
                    screen.expect(rb"fg\r\n")
                if option == b"--mask":
                    wait_until(screen.is_raw, "the raw terminal")
                screen.type(b"\x04")
                screen.expect(rb"\$ ")
                screen.type(b"echo ended $?\n")
                screen.expect(rb"ended 7\r\n")

    def test_the_last_words_before_a_stop_are_shown_before_the_prompt(self):
        with FakeDaemon(Script()) as daemon:
            screen = self.shell(daemon)
            screen.type(b"$COFFER run --mask -- sh -c 'trap \"echo last words; kill -STOP $$\" TSTP; echo up; while :; do read x; done'\n")
            screen.expect(rb"\nup\r\n")
            screen.type(b"\x1a")
            self.assertIn(b"last words\r\n", screen.expect(rb"(?s)Stopped.*\$ "))

    def test_a_job_in_the_background_leaves_the_terminal_alone(self):
        with FakeDaemon(Script()) as daemon:
            screen = self.shell(daemon)
            screen.type(b"$COFFER run --mask -- sh -c 'echo up; read x; echo \"<$x>\"' &\n")
            screen.expect(rb"(\n|\$ )up\r+\n")
            self.assertFalse(screen.is_raw())
            screen.type(b"echo shell $((6 * 7))\n")
            screen.expect(rb"(?s)shell 42\r\n\$ ")
            screen.type(b"fg\n")
            wait_until(screen.is_raw, "the raw terminal")
            screen.type(b"mine\r")
            screen.expect(rb"<mine>\r\n")

    def test_a_signal_from_the_terminal_comes_once_without_a_terminal_in_between(self):
        for option in (["--record"], ["--on-change", "HUP"], ["--staged", "--verdict", "0" * 64]):
            with self.subTest(option=option), FakeDaemon(Script(secret_record_test={"result": {}})) as daemon:
                screen = self.screen(daemon, *option, "--", *python(WAITING_GUEST))
                screen.expect(rb"ready.*\n")
                screen.type(b"\x03")
                self.assertEqual(screen.expect(rb"got SIGINT\r\n"), b"^Cgot SIGINT\r\n")
                screen.resize(44, 99)
                # Had the interrupt come twice, it would stand before this.
                self.assertEqual(screen.expect(rb"got SIGWINCH 99 44\r\n"), b"got SIGWINCH 99 44\r\n")
                screen.process.send_signal(signal.SIGCONT)
                self.assertEqual(screen.expect(rb"got SIGCONT\r\n"), b"got SIGCONT\r\n")

    def test_the_leader_of_the_session_passes_the_hangup_on(self):
        for option in ("--record", "--on-change=USR1"):
            with self.subTest(option=option), FakeDaemon(Script()) as daemon:
                screen = self.screen(daemon, option, "--", "sh", "-c", "trap 'exit 9' HUP; echo ready; while :; do sleep 0.01; done")
                screen.expect(rb"ready\r\n")
                os.close(screen.slave)
                os.close(screen.master)
                screen.slave = screen.master = -1
                self.assertEqual(screen.process.wait(timeout=60), 9)


if __name__ == "__main__":
    sys.argv.pop(1)
    unittest.main(verbosity=1)
