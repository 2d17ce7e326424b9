#!/usr/bin/python3
"""`coffer run` with a supervisor: --record, --on-change, --verdict; and --file.   usage: run_supervised_cli.py COFFER"""

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from fake_daemon import RUN_ID, FakeDaemon, changed, environment, event, refusal, watched
from run_world import (COFFER, DIGEST, NOBODY, PRINT_ENV, VALUE, Done, Script, SupervisedCase, can_switch_user, children_of,
                       copies_in, put_away, python, run, state_of, wait_until)

VERDICT = ["--staged", "--verdict", DIGEST]

# What the tests run: each says what it does on standard output, a line at a time.  Signals are waited for, not handled:
# a handler may run late in a program that waits, or in the middle of its print.
SAYS_SIGNALS = """
import os, signal, sys
numbers = [int(word) for word in sys.argv[1:]]
signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
print("ready", os.getpid(), flush=True)
while True:
    number = signal.sigwait(numbers)
    print(number, flush=True)
    if number == signal.SIGTERM:
        sys.exit(0)
"""
SAYS_VALUE = """
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGHUP])
print(os.getpid(), os.environ["KEY"], flush=True)
while signal.sigwait([signal.SIGTERM, signal.SIGHUP]) == signal.SIGHUP:
    print("hup", flush=True)
print("term", flush=True)
"""


class SignalTest(SupervisedCase):
    """What every supervisor does; --record stands for them all, and --verdict for those that give the program a group."""

    ways = (["--record"], VERDICT, ["--on-change", "restart"], ["--mask"])

    def script(self):
        return Script(secret_record_test={"result": {"run": RUN_ID, "tested": []}})

    def test_every_signal_is_passed_on_once(self):
        numbers = [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE, signal.SIGALRM,
                   signal.SIGCONT, signal.SIGURG, signal.SIGXCPU, signal.SIGXFSZ, signal.SIGVTALRM, signal.SIGPROF, signal.SIGWINCH,
                   signal.SIGIO, signal.SIGPWR, signal.SIGSTKFLT, signal.SIGRTMIN, signal.SIGRTMAX]
        for way in self.ways:
            with self.subTest(way=way), FakeDaemon(self.script()) as daemon:
                process = self.start(daemon, *way, "--", *python(SAYS_SIGNALS, *map(int, numbers), int(signal.SIGTERM)))
                self.assertNotEqual(int(self.line(process).split()[1]), process.pid)
                for number in numbers:
                    process.send_signal(number)
                    self.assertEqual(self.line(process), str(int(number)))
                done = self.end(process)
                self.assertEqual((done.stdout, done.status), (b"%d\n" % signal.SIGTERM, 0), done.stderr)

    def test_a_signal_that_ends_the_program_is_128_and_its_number(self):
        for way in self.ways:
            for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGUSR1):
                with self.subTest(way=way, number=number), FakeDaemon(self.script()) as daemon:
                    done = run(daemon, "run", *way, "--", "sh", "-c", "kill -%d $$" % number)
                    self.assertEqual(done.status, 128 + number, done.stderr)

    def test_the_status_is_the_programs_own(self):
        for way in self.ways:
            with self.subTest(way=way), FakeDaemon(self.script()) as daemon:
                for status in (0, 7, 75, 125, 255):
                    self.assertEqual(run(daemon, "run", *way, "--", "sh", "-c", "exit %d" % status).status, status)

    def test_the_program_starts_with_the_signals_of_the_caller(self):
        def prepare():
            for number in (signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE):
                signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])

        show = ["grep", "-E", "^Sig(Ign|Blk|Cgt|Pnd)|^ShdPnd", "/proc/self/status"]
        expected = subprocess.run(show, capture_output=True, preexec_fn=prepare, check=True).stdout
        for way in self.ways:
            with self.subTest(way=way), FakeDaemon(self.script()) as daemon:
                done = run(daemon, "run", *way, "--", *show, preexec_fn=prepare)
                self.assertEqual((done.stdout, done.status), (expected, 0), done.stderr)

    def test_what_the_program_sends_its_parent_does_not_come_back(self):
        text = """
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
signal.signal(signal.SIGUSR1, lambda number, frame: os.write(1, b"came back\\n"))
os.kill(os.getppid(), signal.SIGUSR1)
print("sent", flush=True)
signal.sigwait([signal.SIGUSR2])
"""
        for way in self.ways:
            with self.subTest(way=way), FakeDaemon(self.script()) as daemon:
                process = self.start(daemon, *way, "--", *python(text))
                self.assertEqual(self.line(process), "sent")
                # Passed on behind the other one, if that was passed on.
                done = self.end(process, signal.SIGUSR2)
                self.assertEqual((done.stdout, done.status), (b"", 0), done.stderr)

    def test_it_stops_and_goes_on_with_the_program(self):
        for way in self.ways:
            with self.subTest(way=way), FakeDaemon(self.script()) as daemon:
                process = self.start(daemon, *way, "--", *python(SAYS_SIGNALS, int(signal.SIGTERM)), preexec_fn=os.setpgrp)
                child = int(self.line(process).split()[1])
                for stop in (signal.SIGTSTP, signal.SIGTTIN):
                    process.send_signal(stop)
                    for pid in (process.pid, child):
                        wait_until(lambda pid=pid: state_of(pid) == "T", "the stop")
                    process.send_signal(signal.SIGCONT)
                    for pid in (process.pid, child):
                        wait_until(lambda pid=pid: state_of(pid) == "S", "the continuation")
                self.assertEqual(self.end(process).status, 0)

    def test_it_does_not_stop_where_no_shell_could_wake_it(self):
        for way in self.ways:
            with self.subTest(way=way), FakeDaemon(self.script()) as daemon:
                process = self.start(daemon, *way, "--", *python(SAYS_SIGNALS, int(signal.SIGUSR1), int(signal.SIGTERM)),
                                     start_new_session=True)
                self.line(process)
                process.send_signal(signal.SIGTSTP)
                process.send_signal(signal.SIGUSR1)
                self.assertEqual(self.line(process), str(int(signal.SIGUSR1)))
                self.assertEqual(self.end(process).status, 0)

    def test_who_is_left_behind_by_the_caller_or_the_program_is_no_zombie(self):
        for way in self.ways:
            with self.subTest(way=way), FakeDaemon(self.script()) as daemon:
                # The shell's own background child becomes the supervisor's by the exec.
                env = {"COFFER_SOCKET": daemon.path, "PATH": os.environ["PATH"]}
                process = subprocess.Popen(["sh", "-c", "sleep 0.01 & exec \"$@\"", "sh", COFFER, "run", *way, "--",
                                            *python(SAYS_SIGNALS, int(signal.SIGTERM))],
                                           env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                self.addCleanup(put_away, process)
                child = int(self.line(process).split()[1])
                wait_until(lambda: children_of(process.pid) == [child], "the end of the other child")
                self.assertEqual(self.end(process).status, 0)

    def test_nothing_of_coffer_reaches_the_program(self):
        fds = python("import os\nfor fd in range(3, 256):\n try: print(os.readlink('/proc/self/fd/%d' % fd))\n except OSError: pass")
        for way in self.ways:
            with self.subTest(way=way), FakeDaemon(self.script()) as daemon:
                got = run(daemon, "run", *way, "--", *PRINT_ENV, env={"COFFER_INTEGRATION": "finance/sync"}).environment()
                self.assertEqual([name for name in got if name.startswith(b"COFFER_")], [])
                for kind in (b"signalfd", b"socket", b"pipe:", b"ptmx"):
                    self.assertNotIn(kind, run(daemon, "run", *way, "--", *fds).stdout)

    def test_what_cannot_start_is_told_as_without_a_supervisor(self):
        for way in self.ways:
            with self.subTest(way=way), FakeDaemon(self.script()) as daemon, tempfile.TemporaryDirectory() as directory:
                script = os.path.join(directory, "script")
                with open(script, "w") as file:
                    file.write("echo a shell ran this\n")
                os.chmod(script, 0o755)
                self.refused(run(daemon, "run", *way, "--", "no-such-program"), 127, "command not found")
                self.refused(run(daemon, "run", *way, "--", directory), 126, "not an executable file")
                self.assertEqual(daemon.of("env.fetch"), [])
                self.refused(run(daemon, "run", *way, "--", script), 126, "cannot be executed")

    def test_what_is_refused_is_told_as_without_a_supervisor(self):
        for way in self.ways:
            for word, status in (("denied", 125), ("sealed", 75)):
                with self.subTest(way=way, word=word):
                    script = self.script()
                    script.answers["env_fetch"] = refusal(word)
                    with FakeDaemon(script) as daemon:
                        self.refused(run(daemon, "run", *way, "--", "true"), status, "run: no")
                        self.assertEqual(daemon.of("run.end") + daemon.of("secret.record_test"), [])

    def test_wait_waits_in_every_way(self):
        for way in self.ways:
            with self.subTest(way=way):
                script = self.script()
                script.answers["env_fetch"] = [refusal("sealed"), None, environment({"KEY": VALUE})]
                script.answers["env_watch"] = [refusal("sealed"), None, watched(KEY=1)]
                with FakeDaemon(script) as daemon:
                    done = run(daemon, "run", "--wait", "30", *way, "--", "sh", "-c", "exit 3")
                    self.assertEqual(done.status, 3, done.stderr)


class RecordTest(SupervisedCase):
    def test_a_run_that_was_not_fetched_is_not_reported(self):
        with FakeDaemon(Script(env_fetch=refusal("denied"))) as daemon:
            self.refused(run(daemon, "run", "--record", "--", "true"), 125)
            self.assertEqual([request["method"] for request in daemon.requests], ["env.fetch"])

    def test_a_report_that_fails_keeps_the_status(self):
        for answer in (refusal("denied"), refusal("sealed"), None):
            with self.subTest(answer=answer), FakeDaemon(Script(run_end=answer)) as daemon:
                done = run(daemon, "run", "--record", "--", "sh", "-c", "exit 7")
                self.assertEqual(done.status, 7)
                self.assertIn("the end of run %s could not be reported" % RUN_ID, done.stderr)

    def test_the_end_is_reported_with_the_status(self):
        for command, status in (("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -TERM $$", 143), ("kill -KILL $$", 137)):
            with self.subTest(command=command), FakeDaemon(Script()) as daemon:
                done = run(daemon, "run", "--record", "--", "sh", "-c", command)
                self.assertEqual((done.status, done.stderr), (status, ""))
                self.assertEqual([params for params, _ in daemon.of("run.end")], [{"run": RUN_ID, "exit_status": status}])

    def test_the_program_itself_fetches_and_the_supervisor_reports(self):
        with FakeDaemon(Script()) as daemon:
            process = self.start(daemon, "--record", "--", "sh", "-c", "echo $$")
            child = int(self.line(process))
            self.assertEqual(Done(process).status, 0)
            self.assertEqual([pid for _, pid in daemon.of("env.fetch")], [child])
            self.assertEqual([pid for _, pid in daemon.of("run.end")], [process.pid])

    def test_a_run_without_a_proper_id_is_not_reported(self):
        answer = environment({"KEY": VALUE})
        answer["result"]["run"] = "\"},\"x\":{"
        with FakeDaemon(Script(env_fetch=answer)) as daemon:
            self.assertEqual(run(daemon, "run", "--record", "--", "true").status, 0)
            self.assertEqual(daemon.of("run.end"), [])


class ChangeTest(SupervisedCase):
    """Values are VALUE and the number of the fetch, so that a program tells which fetch it comes from."""

    def script(self, **answers):
        self.fetches = 0

        def fetch(request):
            self.fetches += 1
            return environment({"KEY": "%s %d" % (VALUE, self.fetches)})

        return Script(**{"env_fetch": fetch, **answers})

    def started(self, process, number):
        pid, value = self.line(process).split(" ", 1)
        self.assertEqual(value, "%s %d" % (VALUE, number))
        return int(pid)

    # ---- refusals ----

    def test_without_a_subscription_nothing_is_started(self):
        for word, status in (("denied", 125), ("unknown_method", 125), ("busy", 75), ("sealed", 75)):
            with self.subTest(word=word), FakeDaemon(self.script(env_watch=refusal(word))) as daemon:
                self.refused(run(daemon, "run", "finance/sync", "--on-change", "restart", "--", "true"), status, "finance/sync: no")
                self.assertEqual(daemon.of("env.fetch"), [])

    def test_what_the_program_does_not_get_is_no_change(self):
        with FakeDaemon(self.script()) as daemon:
            process = self.start(daemon, "--only", "KEY", "--on-change", "restart", "--", *python(SAYS_VALUE))
            self.started(process, 1)
            daemon.tell(changed(KEY=1), changed(OTHER=9), changed(KEY=1, state="revoked"), event("of.tomorrow"), event("env.changed"),
                        event("env.changed", changes=[7, {}, {"key": "KEY"}, {"key": 7, "version": 7}, {"key": "K" * 65, "version": 7},
                                                      {"key": "KEY", "version": "7"}, {"key": "KEY", "version": 7, "state": 7}]))
            # Taken in this order: had the first ones counted, two seconds from them would end before two from the last.
            first = time.monotonic()
            wait_until(lambda: time.monotonic() > first + 0.7, "the later moment")
            last = time.monotonic()
            daemon.tell(changed(KEY=2))
            self.assertEqual(self.line(process), "term")
            self.assertGreaterEqual(time.monotonic() - last, 2)
            self.started(process, 2)
            self.assertEqual(self.end(process).status, 0)

    def test_a_program_that_ends_by_itself_is_not_started_again(self):
        for command, status in (("exit 0", 0), ("exit 7", 7), ("exit 75", 75), ("kill -KILL $$", 137)):
            with self.subTest(command=command), FakeDaemon(self.script()) as daemon:
                done = run(daemon, "run", "--on-change", "restart", "--", "sh", "-c", command)
                self.assertEqual((done.status, done.stderr), (status, ""))
                self.assertEqual(len(daemon.of("env.fetch")), 1)

    def test_it_ends_with_the_program_though_a_change_is_waiting(self):
        with FakeDaemon(self.script(env_watch=watched([changed(KEY=2)], KEY=1))) as daemon:
            done = run(daemon, "run", "--on-change", "restart", "--splay", "60", "--", "sh", "-c", "exit 7")
            self.assertEqual((done.status, len(daemon.of("env.fetch"))), (7, 1), done.stderr)

    def test_who_is_asked_to_end_starts_nothing_anew(self):
        text = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1])
print("ready", flush=True)
while signal.sigwait([signal.SIGTERM, signal.SIGUSR1]) == signal.SIGTERM:
    print("term", flush=True)
"""
        with FakeDaemon(self.script()) as daemon:
            # While the program is being stopped for a restart.
            process = self.start(daemon, "--on-change", "restart", "--", *python(text))
            self.assertEqual(self.line(process), "ready")
            daemon.tell(changed(KEY=2))
            self.assertEqual(self.line(process), "term")
            process.send_signal(signal.SIGTERM)
            self.assertEqual(self.line(process), "term")
            self.assertEqual(self.end(process, signal.SIGUSR1).status, 0)
            self.assertEqual(len(daemon.of("env.fetch")), 1)
        with FakeDaemon(self.script()) as daemon:
            # Before a change, by a program that takes its time.
            process = self.start(daemon, "--on-change", "restart", "--", *python(text))
            self.assertEqual(self.line(process), "ready")
            process.send_signal(signal.SIGTERM)
            self.assertEqual(self.line(process), "term")
            began = time.monotonic()
            daemon.tell(changed(KEY=2))
            wait_until(lambda: time.monotonic() > began + 2.5, "the time for a restart")
            done = self.end(process, signal.SIGUSR1)
            self.assertEqual((done.status, done.stdout, done.stderr), (0, b"", ""))

    # ---- restart ----

    def test_a_change_starts_the_program_anew_with_the_new_value(self):
        with FakeDaemon(self.script()) as daemon:
            process = self.start(daemon, "finance/sync", "--on-change", "restart", "--", *python(SAYS_VALUE))
            children = [self.started(process, 1)]
            for number in (2, 3):
                daemon.tell(changed(KEY=number))
                self.assertEqual(self.line(process), "term")
                children.append(self.started(process, number))
            done = self.end(process)
            self.assertEqual((done.status, done.stdout), (0, b"term\n"))
            self.assertEqual(done.stderr.count("starting %s anew\n" % sys.executable), 2, done.stderr)
            self.assertEqual(len(set(children)), 3)
            self.assertEqual(daemon.of("env.fetch"), [({"integration": "finance/sync"}, child) for child in children])
            self.assertEqual(daemon.of("env.watch"), [({"integration": "finance/sync"}, process.pid)])

    def test_a_change_that_comes_with_the_answer_counts(self):
        with FakeDaemon(self.script(env_watch=watched([changed(KEY=2)], KEY=1))) as daemon:
            process = self.start(daemon, "--on-change", "restart", "--", *python(SAYS_VALUE))
            self.started(process, 1)
            self.assertEqual(self.line(process), "term")
            self.started(process, 2)
            self.assertEqual(self.end(process).status, 0)

    def test_changes_that_come_together_are_one(self):
        with FakeDaemon(self.script()) as daemon:
            process = self.start(daemon, "--on-change", "restart", "--splay", "1", "--", *python(SAYS_VALUE))
            self.started(process, 1)
            began = time.monotonic()
            for number in range(2, 7):
                daemon.tell(changed(KEY=number), changed(OTHER=number))
                wait_until(lambda number=number: time.monotonic() > began + 0.3 * (number - 1), "the next moment")
            self.assertEqual(self.line(process), "term")
            self.assertGreaterEqual(time.monotonic() - began, 2)
            self.started(process, 2)
            daemon.tell(changed(KEY=9))
            self.assertEqual(self.line(process), "term")
            self.started(process, 3)
            self.assertEqual(self.end(process).status, 0)
            self.assertEqual(len(daemon.of("env.fetch")), 3)

    def test_who_does_not_end_in_time_is_killed(self):
        text = "import os, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint(os.getpid(), os.environ['KEY'], flush=True)\n" \
               "while True: signal.pause()"
        with FakeDaemon(self.script()) as daemon:
            process = self.start(daemon, "--record", "--on-change", "restart", "--stop-timeout", "1", "--", *python(text))
            first = self.started(process, 1)
            began = time.monotonic()
            daemon.tell(changed(KEY=2))
            second = self.started(process, 2)
            self.assertGreaterEqual(time.monotonic() - began, 3)
            self.assertEqual(state_of(first), "")
            self.assertEqual([params["exit_status"] for params, _ in daemon.of("run.end")], [137])
            os.kill(second, signal.SIGKILL)
            self.assertEqual(Done(process).status, 137)
            self.assertEqual([params["exit_status"] for params, _ in daemon.of("run.end")], [137, 137])

    def test_a_stopped_program_is_ended_too(self):
        with FakeDaemon(self.script()) as daemon:
            process = self.start(daemon, "--on-change", "restart", "--", *python(SAYS_VALUE))
            os.kill(self.started(process, 1), signal.SIGSTOP)
            daemon.tell(changed(KEY=2))
            self.assertEqual(self.line(process), "term")
            self.started(process, 2)
            self.assertEqual(self.end(process).status, 0)

    def test_a_restart_that_cannot_fetch_is_tried_again(self):
        values = [environment({"KEY": VALUE + " 1"}), refusal("sealed"), None, refusal("busy"), environment({"KEY": VALUE + " 2"})]
        with FakeDaemon(self.script(env_fetch=values)) as daemon:
            process = self.start(daemon, "--on-change", "restart", "--", *python(SAYS_VALUE))
            self.started(process, 1)
            daemon.tell(changed(KEY=2))
            self.assertEqual(self.line(process), "term")
            began = time.monotonic()
            self.started(process, 2)
            self.assertGreaterEqual(time.monotonic() - began, 1 + 2 + 4)
            done = self.end(process)
            self.assertEqual(done.status, 0)
            self.assertEqual(done.stderr.count("run: no; an administrator must unseal it"), 1, done.stderr)
            self.assertEqual(done.stderr.count("\n"), 2, done.stderr)

    def test_a_restart_that_is_refused_is_the_end(self):
        with FakeDaemon(self.script(env_fetch=[environment({"KEY": VALUE + " 1"}), refusal("denied")])) as daemon:
            process = self.start(daemon, "--on-change", "restart", "--", *python(SAYS_VALUE))
            self.started(process, 1)
            daemon.tell(changed(KEY=2))
            done = Done(process)
            self.assertEqual((done.status, done.stdout), (125, b"term\n"))
            self.assertIn("coffer whoami", done.stderr)

    def test_who_waits_for_the_next_try_ends_when_asked_to(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with FakeDaemon(self.script(env_fetch=[environment({"KEY": VALUE + " 1"}), refusal("sealed")])) as daemon:
                process = self.start(daemon, "--on-change", "restart", "--", *python(SAYS_VALUE))
                self.started(process, 1)
                daemon.tell(changed(KEY=2))
                daemon.wait_for("env.fetch", 3)
                wait_until(lambda: children_of(process.pid) == [], "the pause")
                self.assertEqual(self.end(process, number).status, 128 + number)

    # ---- a signal ----

    def test_a_change_sends_the_signal_that_was_asked_for(self):
        for name in ("HUP", "SIGHUP"):
            with self.subTest(name=name), FakeDaemon(self.script()) as daemon:
                process = self.start(daemon, "--on-change", name, "--", *python(SAYS_VALUE))
                self.started(process, 1)
                for number in (2, 3):
                    daemon.tell(changed(KEY=number))
                    self.assertEqual(self.line(process), "hup")
                done = self.end(process)
                self.assertEqual((done.status, done.stdout, done.stderr), (0, b"term\n", ""))
                self.assertEqual(len(daemon.of("env.fetch")), 1)

    # ---- the subscription ----

    def test_what_was_missed_while_the_daemon_was_away_is_made_up_for(self):
        with FakeDaemon(self.script(env_watch=[watched(KEY=1), None, refusal("sealed"), watched(KEY=2), watched(KEY=2), watched(KEY=3)])) as daemon:
            process = self.start(daemon, "--on-change", "restart", "--", *python(SAYS_VALUE))
            self.started(process, 1)
            daemon.drop_watchers()
            daemon.wait_for("env.watch", 3)
            self.assertEqual(self.line(process), "term")
            self.started(process, 2)
            # Nothing was missed now.
            daemon.drop_watchers()
            daemon.wait_for("env.watch", 4)
            daemon.drop_watchers()
            self.assertEqual(self.line(process), "term")
            self.started(process, 3)
            done = self.end(process)
            self.assertEqual(done.status, 0)
            self.assertEqual(len(daemon.of("env.fetch")), 3)
            self.assertEqual(done.stderr.count("tells no changes"), 3, done.stderr)

    def test_an_overflow_is_a_change(self):
        with FakeDaemon(self.script()) as daemon:
            process = self.start(daemon, "--on-change", "restart", "--", *python(SAYS_VALUE))
            self.started(process, 1)
            daemon.tell(event("watch.overflow"))
            daemon.wait_for("env.watch", 2)
            self.assertEqual(self.line(process), "term")
            self.started(process, 2)
            self.assertEqual(self.end(process).status, 0)

    def test_a_right_that_is_gone_leaves_the_program_running(self):
        lost = {"the event": lambda daemon: daemon.tell(event("watch.ended")), "the answer": lambda daemon: daemon.drop_watchers()}
        for name, lose in lost.items():
            with self.subTest(name=name), FakeDaemon(self.script(env_watch=[watched(KEY=1), refusal("denied")])) as daemon:
                process = self.start(daemon, "finance/sync", "--on-change", "HUP", "--", *python(SAYS_SIGNALS, 10, 15))
                self.line(process)
                lose(daemon)
                if name == "the answer":
                    daemon.wait_for("env.watch", 2)
                process.send_signal(signal.SIGUSR1)
                self.assertEqual(self.line(process), "10")
                wait_until(lambda: b"socket" not in b"".join(links_of(process.pid)), "the end of the subscription")
                done = self.end(process)
                self.assertEqual(done.status, 0)
                self.assertEqual(done.stderr.count("finance/sync: no more changes will be told"), 1, done.stderr)

    def test_no_value_is_ever_in_the_supervisor(self):
        """P1"""
        if os.geteuid() != 0:
            self.skipTest("only root can look into the process")
        with FakeDaemon(self.script()) as daemon:
            process = self.start(daemon, "--on-change", "restart", "--", *python(SAYS_VALUE))
            child = self.started(process, 1)
            self.assertEqual(copies_in(process.pid, VALUE + " 1"), (0, 0))
            self.assertGreater(sum(copies_in(child, VALUE + " 1")), 0)
            self.assertEqual(self.end(process).status, 0)


def links_of(pid):
    links = []
    for name in os.listdir("/proc/%d/fd" % pid):
        try:
            links.append(os.readlink("/proc/%d/fd/%s" % (pid, name)).encode())
        except FileNotFoundError:
            pass
    return links


class VerdictTest(SupervisedCase):
    def script(self, **answers):
        reply = {"result": {"run": RUN_ID, "tested": [{"key": "KEY", "version": 4}, {"key": "OTHER", "version": 2}]}}
        return Script(**{"secret_record_test": reply, **answers})

    def test_a_test_without_staged_values_is_not_started(self):
        for word, status in (("not_found", 125), ("denied", 125), ("busy", 75)):
            with self.subTest(word=word), FakeDaemon(self.script(env_fetch=refusal(word))) as daemon:
                self.refused(run(daemon, "run", *VERDICT, "--", "echo", "started"), status)
                self.assertEqual([request["method"] for request in daemon.requests], ["env.fetch"])

    def test_a_verdict_that_is_not_recorded_is_no_success(self):
        for answer, status in ((refusal("denied"), 125), (refusal("conflict"), 125), (refusal("sealed"), 75), (None, 75)):
            with self.subTest(answer=answer), FakeDaemon(self.script(secret_record_test=answer)) as daemon:
                done = run(daemon, "run", *VERDICT, "--", "true")
                self.assertEqual(done.status, status)
                self.assertIn("the verdict was not recorded", done.stderr)
                self.assertNotIn("passed", done.stderr)

    def test_a_test_that_takes_too_long_has_failed_with_all_that_it_started(self):
        text = """
import os, signal, subprocess, sys
signal.signal(signal.SIGTERM, %s)
child = subprocess.Popen(["sh", "-c", "trap '' TERM; echo $$; while :; do sleep 1; done"])
while True: signal.pause()
"""
        for disposition, least in (("signal.SIG_DFL", 1), ("signal.SIG_IGN", 6)):
            with self.subTest(disposition=disposition), FakeDaemon(self.script()) as daemon:
                process = self.start(daemon, *VERDICT, "--time-limit", "1", "--", *python(text % disposition))
                grandchild = int(self.line(process))
                began = time.monotonic()
                done = Done(process)
                self.assertEqual(done.status, 124)
                self.assertLess(time.monotonic() - began, least + 4)
                self.assertEqual(done.stderr, "coffer: test failed, not over after 1 s: KEY version 4, OTHER version 2\n")
                wait_until(lambda grandchild=grandchild: state_of(grandchild) in ("", "Z"), "the end of the group")
                params = daemon.of("secret.record_test")[0][0]
                self.assertEqual((params["passed"], params["exit_status"]), (False, 124))
                self.assertGreaterEqual(params["duration_ms"], least * 1000)

    def test_a_failure_is_recorded_with_the_status(self):
        for command, status in (("exit 3", 3), ("kill -KILL $$", 137), ("exit 124", 124)):
            with self.subTest(command=command), FakeDaemon(self.script()) as daemon:
                done = run(daemon, "run", *VERDICT, "--", "sh", "-c", command)
                self.assertEqual(done.status, status)
                self.assertEqual(done.stderr, "coffer: test failed with status %d: KEY version 4, OTHER version 2\n" % status)
                params = daemon.of("secret.record_test")[0][0]
                self.assertEqual((params["passed"], params["exit_status"]), (False, status))

    def test_a_pass_is_recorded_by_the_process_that_fetched(self):
        with FakeDaemon(self.script()) as daemon:
            process = self.start(daemon, "finance/sync", *VERDICT, "--", "sh", "-c", "echo $$; echo noise >&2; cat", stdin=subprocess.PIPE)
            child = int(self.line(process))
            process.stdin.write(b"typed\n")
            process.stdin.close()
            process.stdin = None
            done = Done(process)
            self.assertEqual((done.status, done.stdout), (0, b"typed\n"))
            self.assertEqual(done.stderr, "noise\ncoffer: test passed: KEY version 4, OTHER version 2\n")
            self.assertNotEqual(child, process.pid)
            self.assertEqual(daemon.of("env.fetch"), [({"integration": "finance/sync", "staged": True}, process.pid)])
            [(params, pid)] = daemon.of("secret.record_test")
            self.assertEqual(pid, process.pid)
            self.assertLess(params.pop("duration_ms"), 60000)
            self.assertEqual(params, {"run": RUN_ID, "passed": True, "exit_status": 0, "command_digest": DIGEST})

    def test_a_list_that_is_not_understood_is_left_out(self):
        for result in ({}, {"tested": 7}, {"tested": [7, {"key": 7, "version": 7}, {"key": "KEY"}]}):
            with self.subTest(result=result), FakeDaemon(self.script(secret_record_test={"result": result})) as daemon:
                done = run(daemon, "run", *VERDICT, "--", "true")
                self.assertEqual((done.status, done.stderr), (0, "coffer: test passed\n"))

    def test_the_supervisor_wipes_the_values_when_the_test_has_them(self):
        """P1"""
        if os.geteuid() != 0:
            self.skipTest("only root can look into the process")
        with FakeDaemon(self.script()) as daemon:
            process = self.start(daemon, *VERDICT, "--map", "KEY=RENAMED", "--", "sh", "-c", "echo \"$RENAMED\"; exec sleep 60")
            self.assertEqual(self.line(process), VALUE)
            self.assertEqual(copies_in(process.pid, VALUE), (0, 0))
            self.assertEqual(self.end(process).status, 143)


class FileTest(SupervisedCase):
    ways = ([], ["--record"], ["--on-change", "HUP"], ["--mask"], VERDICT)

    def script(self):
        values = {"KEY": VALUE, "OTHER": b"\xff\xfe" * 30000}
        return Script(env_fetch=environment(values), secret_record_test={"result": {}})

    def test_a_key_that_is_not_there_is_refused(self):
        with FakeDaemon(self.script()) as daemon:
            self.refused(run(daemon, "run", "--file", "ABSENT", "--", "true"), 125, "--file: finance/sync has no ABSENT")
            self.assertEqual(run(daemon, "run", "--file", "ABSENT", "--optional", "ABSENT", "--", "true").status, 0)

    # Says for each way to spoil the file what the kernel answers.
    SPOIL = """
import errno, fcntl, os
path = os.environ["KEY"]
fd = int(path.rpartition("/")[2])
def attempt(what, call):
    try: call()
    except OSError as error: print(what, errno.errorcode[error.errno])
    else: print(what, "done")
attempt("write", lambda: os.write(fd, b"x"))
attempt("truncate", lambda: os.truncate(path, 0))
attempt("open", lambda: os.write(os.open(path, os.O_WRONLY), b"x"))
attempt("seal", lambda: fcntl.fcntl(fd, 1033, 16))
attempt("unseal", lambda: fcntl.fcntl(fd, 1033, 0))
print("mode", oct(os.fstat(fd).st_mode & 0o7777), "seals", fcntl.fcntl(fd, 1034) & 15, "at", os.lseek(fd, 0, os.SEEK_CUR))
print(open(path).read() == open(path).read() == %r)
""" % VALUE

    def spoiled(self, **options):
        with FakeDaemon(self.script()) as daemon:
            done = run(daemon, "run", "--file", "KEY", "--", *python(self.SPOIL), **options)
        self.assertEqual(done.status, 0, done.stderr)
        return done.stdout.decode()

    def test_nobody_can_change_the_file(self):
        self.assertEqual(self.spoiled(), "write EPERM\ntruncate EPERM\nopen EPERM\nseal EPERM\nunseal EPERM\n"
                         "mode 0o400 seals 15 at 0\nTrue\n" if os.geteuid() == 0 else
                         "write EPERM\ntruncate EACCES\nopen EACCES\nseal EPERM\nunseal EPERM\nmode 0o400 seals 15 at 0\nTrue\n")
        if not can_switch_user():
            self.skipTest("another user cannot reach the program")
        self.assertEqual(self.spoiled(**NOBODY), "write EPERM\ntruncate EACCES\nopen EACCES\nseal EPERM\nunseal EPERM\n"
                         "mode 0o400 seals 15 at 0\nTrue\n")

    def test_the_variable_holds_the_path_and_the_file_the_value(self):
        for way in self.ways:
            with self.subTest(way=way), FakeDaemon(self.script()) as daemon:
                done = run(daemon, "run", *way, "--file", "KEY,OTHER", "--map", "OTHER=CERT", "--", "sh", "-c",
                           "echo $KEY; echo $CERT; cat $KEY $KEY $CERT | sha256sum")
                first, second, rest = done.stdout.split(b"\n", 2)
                for path in (first, second):
                    self.assertRegex(path, rb"^/dev/fd/\d+$")
                    self.assertGreater(int(path.rpartition(b"/")[2]), 2)
                self.assertNotEqual(first, second)
                content = VALUE.encode() * 2 + b"\xff\xfe" * 30000
                self.assertEqual(rest.split()[0].decode(), hashlib.sha256(content).hexdigest(), done.stderr)

    def test_the_value_is_in_no_variable(self):
        with FakeDaemon(self.script()) as daemon:
            done = run(daemon, "run", "--file", "KEY", "--", *PRINT_ENV)
            self.assertNotIn(VALUE.encode(), done.stdout)
            self.assertRegex(done.environment()[b"KEY"], rb"^/dev/fd/\d+$")

    def test_a_variable_that_is_kept_stays(self):
        with FakeDaemon(self.script()) as daemon:
            got = run(daemon, "run", "--file", "KEY", "--keep", "KEY", "--", *PRINT_ENV, env={"KEY": "mine"}).environment()
            self.assertEqual(got[b"KEY"], b"mine")

    def test_it_takes_no_descriptor_that_the_program_was_given_or_refused(self):
        text = "import os, sys\nprint(open(os.environ['KEY']).read(), os.read(int(sys.argv[1]), 9))\ntry: os.read(0, 1)\n" \
               "except OSError: print('closed')"
        read_end, write_end = os.pipe()
        os.write(write_end, b"theirs")
        with FakeDaemon(self.script()) as daemon:
            done = run(daemon, "run", "--file", "KEY", "--", *python(text, read_end), preexec_fn=lambda: os.close(0), pass_fds=[read_end])
        os.close(read_end)
        os.close(write_end)
        self.assertEqual(done.stdout.decode(), "%s b'theirs'\nclosed\n" % VALUE, done.stderr)

    def test_each_restart_has_files_of_its_own(self):
        text = "import os, signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n" \
               "print(open(os.environ['KEY']).read(), flush=True)\nsignal.sigwait([signal.SIGTERM])"
        script = self.script()
        script.answers["env_fetch"] = [environment({"KEY": VALUE}), environment({"KEY": VALUE[::-1]})]
        with FakeDaemon(script) as daemon:
            process = self.start(daemon, "--on-change", "restart", "--file", "KEY", "--", *python(text))
            self.assertEqual(self.line(process), VALUE)
            daemon.tell(changed(KEY=2))
            self.assertEqual(self.line(process), VALUE[::-1])
            self.assertEqual(self.end(process).status, 0)


if __name__ == "__main__":
    sys.argv.pop(1)
    unittest.main(verbosity=1)
