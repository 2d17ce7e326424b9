#!/usr/bin/python3
"""`coffer run` against a daemon that answers by script.   usage: run_cli.py COFFER"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from fake_daemon import FakeDaemon, environment, refusal
from run_world import COFFER, DIGEST, PRINT_ENV, VALUES, RunCase, Done, granted, read, run, start


class RunTest(RunCase):
    # ---- refusals ----

    def test_bad_usage_is_refused_with_125(self):
        with FakeDaemon(granted) as daemon:
            for args, word in (
                (["run"], "no command"),
                (["run", "--"], "no command"),
                (["run", "finance/sync", "true"], "put -- before"),
                (["run", "No Name", "--", "true"], "not the name of an integration"),
                (["run", "--pass-file=s3cret", "--", "true"], "unknown option --pass-file;"),
                (["run", "--only"], "--only needs a value"),
                (["run", "--only", "--", "true"], "--only needs a value"),
                (["run", "--only", "A,,B", "--", "true"], "--only"),
                (["run", "--only=", "--", "true"], "--only"),
                (["run", "--keep", "A-B", "--", "true"], "--keep"),
                (["run", "--user=yes", "--", "true"], "--user takes no value"),
                (["run", "--map", "PGPASSWORD", "--", "true"], "KEY=NAME"),
                (["run", "--map", "PGPASSWORD=s3cret value", "--", "true"], "KEY=NAME"),
                (["run", "--map", "PGPASSWORD=LD_PRELOAD", "--", "true"], "dangerous"),
                (["run", "--map", "PGPASSWORD=COFFER_X", "--", "true"], "dangerous"),
                (["run", "--map", "A=X", "--map", "B=X", "--", "true"], "twice"),
                (["run", "--map", "A=X", "--map", "A=Y", "--", "true"], "twice"),
                (["run", "--wait", "soon", "--", "true"], "seconds"),
                (["run", "--wait", "-1", "--", "true"], "seconds"),
                (["run", "--wait", "99999999999999999999", "--", "true"], "seconds"),
                (["run", "--only", ",".join("K%d" % i for i in range(129)), "--", "true"], "128"),
                (["run", "--file", "A-B", "--", "true"], "--file"),
                (["run", "--staged=yes", "--", "true"], "--staged takes no value"),
                (["run", "--record=yes", "--", "true"], "--record takes no value"),
                (["run", "--mask=yes", "--", "true"], "--mask takes no value"),
                (["run", "--on-change", "--", "true"], "--on-change needs a value"),
                (["run", "--on-change", "reload", "--", "true"], "--on-change: takes restart, or the name of a signal"),
                (["run", "--on-change", "", "--", "true"], "name of a signal"),
                (["run", "--on-change", "SIG", "--", "true"], "name of a signal"),
                (["run", "--on-change", "SIGSIGHUP", "--", "true"], "name of a signal"),
                (["run", "--on-change", "hup", "--", "true"], "name of a signal"),
                (["run", "--on-change", "1", "--", "true"], "name of a signal"),
                (["run", "--on-change", "KILL", "--", "true"], "name of a signal"),
                (["run", "--on-change", "SIGSTOP", "--", "true"], "name of a signal"),
                (["run", "--on-change", "restart", "--stop-timeout", "soon", "--", "true"], "--stop-timeout: takes seconds"),
                (["run", "--on-change", "restart", "--splay", "-1", "--", "true"], "--splay: takes seconds"),
                (["run", "--stop-timeout", "5", "--", "true"], "--stop-timeout needs --on-change restart"),
                (["run", "--on-change", "HUP", "--stop-timeout", "5", "--", "true"], "--stop-timeout needs --on-change restart"),
                (["run", "--splay", "5", "--", "true"], "--splay needs --on-change"),
                (["run", "--mask", "--on-change", "restart", "--", "true"], "exclude each other"),
                (["run", "--verdict", DIGEST, "--", "true"], "--verdict needs --staged"),
                (["run", "--staged", "--verdict", DIGEST[1:], "--", "true"], "--verdict: takes a digest"),
                (["run", "--staged", "--verdict", DIGEST + "0", "--", "true"], "--verdict: takes a digest"),
                (["run", "--staged", "--verdict", "A" + DIGEST[1:], "--", "true"], "--verdict: takes a digest"),
                (["run", "--staged", "--verdict", DIGEST, "--record", "--", "true"], "does not go together"),
                (["run", "--staged", "--verdict", DIGEST, "--mask", "--", "true"], "does not go together"),
                (["run", "--staged", "--verdict", DIGEST, "--on-change", "HUP", "--", "true"], "does not go together"),
                (["run", "--staged", "--verdict", DIGEST, "--time-limit", "0", "--", "true"], "at least a second"),
                (["run", "--time-limit", "5", "--", "true"], "--time-limit needs --verdict"),
            ):
                with self.subTest(args=args):
                    self.refused(run(daemon, *args), 125, word)
            self.assertEqual(daemon.requests, [])

    def test_what_cannot_start_fetches_nothing(self):
        with FakeDaemon(granted) as daemon, tempfile.TemporaryDirectory() as directory:
            plain = os.path.join(directory, "plain")
            open(plain, "w").close()
            self.refused(run(daemon, "run", "--", "no-such-program"), 127, "no-such-program: command not found")
            self.refused(run(daemon, "run", "--", ""), 127)
            self.refused(run(daemon, "run", "--", "/nonexistent/program"), 127, "/nonexistent/program")
            self.refused(run(daemon, "run", "--", plain), 126, plain)
            self.refused(run(daemon, "run", "--", "plain", env={"PATH": directory}), 126, "plain")
            self.refused(run(daemon, "run", "--", directory), 126, directory)
            self.assertEqual(daemon.requests, [])

    def test_what_execve_refuses_is_126_and_no_shell_takes_it(self):
        with FakeDaemon(granted) as daemon, tempfile.TemporaryDirectory() as directory:
            script = os.path.join(directory, "script")
            with open(script, "w") as file:
                file.write("echo a shell ran this\n")
            os.chmod(script, 0o755)
            self.refused(run(daemon, "run", "--", script), 126, script)

    def test_a_refusal_by_the_daemon_is_125_and_names_the_way_out(self):
        for word, more in (("denied", "coffer whoami"), ("suspended", "has suspended"), ("retired", "no"), ("expired", "no"),
                           ("not_found", "--optional"), ("audit_unavailable", "no"), ("storage", "no")):
            with self.subTest(word=word), FakeDaemon(lambda request, pid: refusal(word)) as daemon:
                self.refused(run(daemon, "run", "finance/sync", "--", "true"), 125, "finance/sync: no", more)

    def test_the_keys_asked_for_are_named_when_one_of_them_is_not_there(self):
        with FakeDaemon(lambda request, pid: refusal("not_found")) as daemon:
            done = run(daemon, "run", "finance/sync", "--only", "A,NOPE", "--", "true")
            self.refused(done, 125, "asked for: A, NOPE", "--optional")

    def test_what_is_repeated_cannot_act_on_the_terminal(self):
        with FakeDaemon(granted) as daemon:
            for args in (["run", "--", "no\x1b[2J\nprogram"], ["run", "--x\x1b[2J\n", "--", "true"],
                         ["run", "no\x1b[2J\n", "--", "true"], ["run", "--", b"\xff\x1b[2J\n"]):
                done = run(daemon, *args)
                self.refused(done, done.status, "\\x1b[2J\\x0a")
                self.assertNotIn("\x1b", done.stderr)

    def test_what_may_pass_is_75(self):
        for word in ("sealed", "busy", "rate_limited"):
            with self.subTest(word=word), FakeDaemon(lambda request, pid: refusal(word)) as daemon:
                self.refused(run(daemon, "run", "--", "true"), 75, "--wait")
        self.refused(run(None, "run", "--socket", "/nonexistent/s", "--", "true"), 75, "/nonexistent/s")
        with FakeDaemon(lambda request, pid: None) as daemon:
            self.refused(run(daemon, "run", "--", "true"), 75, daemon.path)

    def test_an_unsafe_socket_is_refused(self):
        with FakeDaemon(granted) as daemon:
            os.chmod(daemon.directory, 0o777)
            self.refused(run(daemon, "run", "--", "true"), 125, daemon.path, "others may write")
            self.assertEqual(daemon.requests, [])

    def test_several_integrations_are_listed(self):
        def answer(request, pid):
            if request["method"] == "whoami":
                return {"result": {"uid": 1, "integrations": ["finance/sync", "crm"]}}
            return refusal("conflict")

        with FakeDaemon(answer) as daemon:
            self.refused(run(daemon, "run", "--", "true"), 125, "finance/sync, crm")
            self.refused(run(daemon, "run", "crm", "--", "true"), 125, "crm: no")

    def test_a_mapping_that_does_not_fit_the_vault_is_refused(self):
        with FakeDaemon(granted) as daemon:
            self.refused(run(daemon, "run", "--map", "ABSENT=X", "--", "true"), 125, "ABSENT")
            self.refused(run(daemon, "run", "--map", "RAW=PGPASSWORD", "--", "true"), 125, "PGPASSWORD")
            self.assertEqual(run(daemon, "run", "--optional", "ABSENT", "--map", "ABSENT=X", "--", "true").status, 0)

    def test_a_value_too_long_for_an_environment_is_named(self):
        size = 131071 - len("LONG=")
        for length, status in ((size, 0), (size + 1, 125)):
            with self.subTest(length=length), FakeDaemon(lambda request, pid: environment({"LONG": "v" * length})) as daemon:
                done = run(daemon, "run", "--", "true")
                self.assertEqual(done.status, status, done.stderr)
                self.assertIn("LONG" if status else "", done.stderr)

    # ---- P1 ----

    def test_run_is_shielded_before_it_connects(self):
        """P1: nobody of the same user may look into the process; /proc then belongs to root."""
        if os.geteuid() == 0 and os.access("/proc/self/root", os.R_OK):
            options = {"user": 65534, "group": 65534, "extra_groups": []}
        else:
            options = {}
        owners = []

        def answer(request, pid):
            owners.append(os.stat("/proc/%d/environ" % pid).st_uid)
            return environment(VALUES)

        with FakeDaemon(answer) as daemon:
            if options and subprocess.run([COFFER, "run", "--help"], stdout=subprocess.DEVNULL,
                                          stderr=subprocess.DEVNULL, **options).returncode != 0:
                self.skipTest("another user cannot reach the program")
            self.assertEqual(run(daemon, "run", "--", "true", **options).status, 0)
        self.assertEqual(owners, [0])

    def test_the_command_line_never_holds_a_value(self):
        """P1, while it waits for the daemon and after the exec."""
        seen = []

        def answer(request, pid):
            seen.append(read("/proc/%d/cmdline" % pid))
            return environment(VALUES)

        with FakeDaemon(answer) as daemon:
            done = run(daemon, "run", "--map", "RAW=OTHER", "--", "cat", "/proc/self/cmdline")
        self.assertEqual(done.stdout, b"cat\0/proc/self/cmdline\0")
        for text in (seen[0], done.stdout):
            self.assertNotIn(b"s3cret", text)
            self.assertNotIn(b"\xff", text)

    def test_the_connection_does_not_reach_the_program(self):
        with FakeDaemon(granted) as daemon:
            done = run(daemon, "run", "--", sys.executable, "-c",
                       "import os\nfor fd in range(3, 256):\n try: print(os.readlink('/proc/self/fd/%d' % fd))\n except OSError: pass")
        self.assertNotIn(b"socket:", done.stdout)
        self.assertEqual(done.status, 0)

    # ---- the environment ----

    def test_the_secret_wins_over_an_inherited_variable(self):
        with FakeDaemon(granted) as daemon:
            got = run(daemon, "run", "--", *PRINT_ENV, env={"PGPASSWORD": "mine", "OTHER": "stays"}).environment()
        self.assertEqual(got[b"PGPASSWORD"].decode(), VALUES["PGPASSWORD"])
        self.assertEqual(got[b"RAW"], VALUES["RAW"])
        self.assertEqual(got[b"OTHER"], b"stays")
        self.assertEqual(got[b"HOME"], b"/nonexistent")

    def test_keep_lets_the_inherited_variable_win(self):
        with FakeDaemon(granted) as daemon:
            got = run(daemon, "run", "--keep", "PGPASSWORD,RAW", "--", *PRINT_ENV, env={"PGPASSWORD": "mine"}).environment()
        self.assertEqual(got[b"PGPASSWORD"], b"mine")
        self.assertEqual(got[b"RAW"], VALUES["RAW"])

    def test_a_variable_is_never_there_twice(self):
        with FakeDaemon(granted) as daemon:
            done = run(daemon, "run", "--", "cat", "/proc/self/environ", env={"PGPASSWORD": "mine", "RAW": "mine"})
        names = [item.split(b"=")[0] for item in done.stdout.split(b"\0") if item]
        self.assertEqual(len(names), len(set(names)), names)

    def test_clean_env_starts_from_a_minimal_path(self):
        with FakeDaemon(granted) as daemon:
            got = run(daemon, "run", "--clean-env", "--", "cat", "/proc/self/environ", env={"OTHER": "goes"}).environment()
            kept = run(daemon, "run", "--clean-env", "--keep", "OTHER,PATH", "--", "cat", "/proc/self/environ",
                       env={"OTHER": "kept", "PATH": "/usr/bin:/bin"}).environment()
        self.assertEqual(set(got), {b"PATH", b"PGPASSWORD", b"RAW", b"EMPTY_NOT"})
        self.assertEqual(got[b"PATH"], b"/usr/local/bin:/usr/bin:/bin")
        self.assertEqual(set(kept) - set(got), {b"OTHER"})
        self.assertEqual((kept[b"OTHER"], kept[b"PATH"]), (b"kept", b"/usr/bin:/bin"))

    def test_variables_of_coffer_itself_do_not_reach_the_program(self):
        with FakeDaemon(granted) as daemon:
            got = run(daemon, "run", "--keep", "COFFER_SOCKET,COFFER_OTHER", "--", *PRINT_ENV,
                      env={"COFFER_INTEGRATION": "finance/sync", "COFFER_OTHER": "x", "COFFERED": "stays"}).environment()
        self.assertEqual([name for name in got if name.startswith(b"COFFER_")], [])
        self.assertEqual(got[b"COFFERED"], b"stays")

    def test_map_renames(self):
        with FakeDaemon(granted) as daemon:
            got = run(daemon, "run", "--map", "PGPASSWORD=DB_PASS", "--map=RAW=R", "--", *PRINT_ENV,
                      env={"DB_PASS": "mine", "PGPASSWORD": "inherited"}).environment()
            swapped = run(daemon, "run", "--map", "RAW=EMPTY_NOT", "--map", "EMPTY_NOT=RAW", "--", *PRINT_ENV).environment()
        self.assertEqual(got[b"DB_PASS"].decode(), VALUES["PGPASSWORD"])
        self.assertEqual(got[b"R"], VALUES["RAW"])
        self.assertEqual(got[b"PGPASSWORD"], b"inherited")
        self.assertNotIn(b"RAW", got)
        self.assertEqual((swapped[b"RAW"], swapped[b"EMPTY_NOT"]), (b"x", VALUES["RAW"]))

    # ---- what is asked ----

    def params(self, *args, **options):
        with FakeDaemon(granted) as daemon:
            done = run(daemon, *args, "--", "true", **options)
            self.assertEqual((done.status, done.stderr), (0, ""))
            self.assertEqual([request["method"] for request in daemon.requests], ["env.fetch"])
            return daemon.requests[0]["params"]

    def test_the_request_says_what_the_options_say(self):
        self.assertEqual(self.params("run"), {})
        self.assertEqual(self.params("run", "crm"), {"integration": "crm"})
        self.assertEqual(self.params("run", env={"COFFER_INTEGRATION": "crm"}), {"integration": "crm"})
        self.assertEqual(self.params("run", "crm", env={"COFFER_INTEGRATION": "other"}), {"integration": "crm"})
        self.assertEqual(self.params("run", "--only", "A,B", "--only=C", "crm", "--optional", "B"),
                         {"integration": "crm", "only": ["A", "B", "C"], "optional": ["B"]})
        self.assertEqual(self.params("run", "--staged"), {"staged": True})

    def test_global_options_may_stand_before_the_command(self):
        with FakeDaemon(granted) as daemon:
            for args in (["--socket", daemon.path, "run"], ["--socket=" + daemon.path, "--json", "run"],
                         ["run", "--socket", daemon.path], ["--user", "--socket", daemon.path, "run", "--json"]):
                with self.subTest(args=args):
                    done = run(None, *args, "--", "true", env={"COFFER_SOCKET": "/nonexistent/s"})
                    self.assertEqual((done.status, done.stderr), (0, ""))
            self.assertEqual(len(daemon.requests), 4)

    def test_user_means_the_users_own_vault(self):
        done = run(None, "run", "--user", "--", "true", env={"XDG_RUNTIME_DIR": "/nonexistent/run"})
        self.refused(done, 75, "/nonexistent/run/coffer/coffer.sock")
        done = run(None, "run", "--user", "--", "true",
                   env={"XDG_RUNTIME_DIR": "/nonexistent/run", "COFFER_SOCKET": "/nonexistent/s"})
        self.refused(done, 75, "/nonexistent/run/coffer/coffer.sock")

    def test_a_socket_that_this_user_may_not_reach_is_no_reason_to_wait(self):
        def ask(daemon, **options):
            return run(daemon, "run", "--wait", "30", "--", "true", **options)

        options = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        with FakeDaemon(granted) as daemon:
            if options and subprocess.run([COFFER, "run", "--help"], stdout=subprocess.DEVNULL,
                                          stderr=subprocess.DEVNULL, check=False, **options).returncode != 0:
                self.skipTest("another user cannot reach the program")
            for place in (daemon.path, daemon.directory):
                mode = os.stat(place).st_mode
                os.chmod(place, 0)
                done = ask(daemon, **options)
                os.chmod(place, mode)
                self.refused(done, 125, "may not reach the socket " + daemon.path)
                self.assertNotIn("running?", done.stderr)
            self.assertEqual(daemon.requests, [])

    def test_wait_tries_again_until_the_daemon_is_ready(self):
        answers = [refusal("sealed"), refusal("busy"), refusal("rate_limited", retry_after_ms=150), None, environment(VALUES)]
        with FakeDaemon(lambda request, pid: answers.pop(0)) as daemon:
            done = run(daemon, "run", "--wait", "30", "--", "true")
        self.assertEqual((done.status, done.stderr, answers), (0, "", []))

    def test_wait_waits_for_a_daemon_that_is_not_there_yet(self):
        daemon = FakeDaemon(granted)
        try:
            process = start(daemon, "run", "--wait", "30", "--", "true")
            # The daemon appears when the process sleeps: it has found nobody.
            while process.poll() is None and read("/proc/%d/stat" % process.pid).split()[2] != b"S":
                time.sleep(0.001)
            daemon.listen()
            self.assertEqual(Done(process).status, 0)
        finally:
            daemon.__exit__()

    def test_wait_ends(self):
        began = time.monotonic()
        with FakeDaemon(lambda request, pid: refusal("sealed")) as daemon:
            self.refused(run(daemon, "run", "--wait", "1", "--", "true"), 75)
            self.assertGreater(len(daemon.requests), 2)
        self.assertGreaterEqual(time.monotonic() - began, 1)

    def test_wait_does_not_repeat_a_refusal(self):
        with FakeDaemon(lambda request, pid: refusal("denied")) as daemon:
            self.refused(run(daemon, "run", "--wait", "30", "--", "true"), 125)
            self.assertEqual(len(daemon.requests), 1)

    # ---- in place ----

    def test_the_program_is_the_process_that_was_started(self):
        with FakeDaemon(granted) as daemon:
            process = start(daemon, "run", "--", "sh", "-c", "echo $$")
            self.assertEqual(int(Done(process).stdout), process.pid)

    def test_the_status_is_the_programs_own(self):
        with FakeDaemon(granted) as daemon:
            self.assertEqual(run(daemon, "run", "--", "sh", "-c", "exit 7").status, 7)
            process = start(daemon, "run", "--", "sh", "-c", "echo ready; exec sleep 60")
            process.stdout.read(6)
            process.send_signal(signal.SIGTERM)
            self.assertEqual(Done(process).status, -signal.SIGTERM)

    def test_arguments_arrive_as_they_are(self):
        arguments = [b"a b", b"'\"$HOME`id`\\", b"two\nlines", b"", b"\xff\xfe\x80", b"--help", b"--", b"--only"]
        with FakeDaemon(granted) as daemon:
            done = run(daemon, "run", "--", "printf", "%s\\0", *arguments)
        self.assertEqual(done.stdout, b"".join(argument + b"\0" for argument in arguments))

    def test_dispositions_and_descriptors_of_the_caller_go_on(self):
        read_end, write_end = os.pipe()
        with FakeDaemon(granted) as daemon:
            done = run(daemon, "run", "--", "sh", "-c", "grep SigIgn /proc/self/status >&%d" % write_end,
                       pass_fds=[write_end], preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        os.close(write_end)
        self.assertEqual(done.status, 0)
        with os.fdopen(read_end) as pipe:
            self.assertEqual(int(pipe.read().split()[1], 16) & 1, 1)

    def test_path_is_searched_as_the_program_will_have_it(self):
        with FakeDaemon(granted) as daemon, tempfile.TemporaryDirectory() as directory:
            first, second = (os.path.join(directory, name) for name in "12")
            for place, mode in ((first, 0o644), (second, 0o755)):
                os.mkdir(place)
                with open(os.path.join(place, "program"), "w") as file:
                    file.write("#!/bin/sh\necho $0\n")
                os.chmod(os.path.join(place, "program"), mode)
            path = {"PATH": ":".join(["/nonexistent", first, second])}
            self.assertEqual(run(daemon, "run", "--", "program", env=path).stdout.decode().strip(),
                             os.path.join(second, "program"))
            self.refused(run(daemon, "run", "--clean-env", "--", "program", env=path), 127)
            self.assertEqual(run(daemon, "run", "--", "program", env={"PATH": "/nonexistent:"}, cwd=second).status, 0)
            if os.geteuid() != 0:
                os.chmod(first, 0)
                path = {"PATH": first}
                self.refused(run(daemon, "run", "--", "program", env=path), 127, "not found")
                self.refused(run(daemon, "run", "--", os.path.join(first, "program")), 126)
                os.chmod(first, 0o755)

    def test_a_set_user_id_copy_does_not_follow_the_environment(self):
        """P9: whoever starts it must not choose whom it trusts."""
        if os.geteuid() != 0 or os.statvfs("/tmp").f_flag & os.ST_NOSUID:
            self.skipTest("needs root, and a /tmp that honours the set-user-ID bit")
        with FakeDaemon(granted) as daemon:
            copy = os.path.join(daemon.directory, "coffer")
            with open(COFFER, "rb") as source, open(copy, "wb") as target:
                target.write(source.read())
            os.chmod(copy, 0o4755)
            done = subprocess.run([copy, "run", "--", "true"], env={"PATH": "/usr/bin:/bin", "COFFER_SOCKET": daemon.path},
                                  capture_output=True, user=65534, group=65534, extra_groups=[], timeout=60)
            self.assertEqual(daemon.requests, [], done)

    # ---- the rest of coffer ----

    def test_everything_else_is_coffer_manages(self):
        with tempfile.TemporaryDirectory() as directory:
            copy = os.path.join(directory, "coffer")
            manage = os.path.join(directory, "coffer-manage")
            with open(COFFER, "rb") as source, open(copy, "wb") as target:
                target.write(source.read())
            with open(manage, "w") as file:
                file.write("#!/bin/sh\nprintf '%s|' \"$@\"\n")
            os.chmod(copy, 0o755)
            os.chmod(manage, 0o755)
            for args in ([], ["--help"], ["--socket", "x", "status"], ["--json", "--help", "run"], ["--strange", "run", "--", "true"]):
                with self.subTest(args=args):
                    done = subprocess.run([copy, *args], capture_output=True, text=True, timeout=60)
                    self.assertEqual(done.stdout, "".join(arg + "|" for arg in args) or "|")

    def test_coffer_manage_is_found_in_the_programs_own_tree(self):
        with tempfile.TemporaryDirectory() as directory:
            copy = os.path.join(directory, "bin", "coffer")
            manage = os.path.join(directory, "libexec", "coffer", "coffer-manage")
            os.makedirs(os.path.dirname(copy))
            os.makedirs(os.path.dirname(manage))
            shutil.copy(COFFER, copy)
            done = subprocess.run([copy, "status"], capture_output=True, text=True, timeout=60, check=False)
            beside = os.path.join(directory, "bin", "coffer-manage")
            self.assertEqual((done.returncode, done.stdout), (78, ""))
            for path in (beside, os.path.join(directory, "bin", "../libexec/coffer/coffer-manage")):
                self.assertIn(path, done.stderr)
            for path, text in ((manage, "tree"), (beside, "beside")):
                with open(path, "w", encoding="utf-8") as file:
                    file.write(f"#!/bin/sh\necho {text}\n")
                os.chmod(path, 0o755)
                done = subprocess.run([copy, "status"], capture_output=True, text=True, timeout=60, check=False)
                self.assertEqual(done.stdout, text + "\n")

    def test_help_goes_to_standard_output(self):
        for args in (["run", "--help"], ["run", "crm", "-h"], ["--user", "run", "--help"]):
            done = run(None, *args)
            self.assertEqual((done.status, done.stderr), (0, ""))
            self.assertIn(b"Usage: coffer run", done.stdout)


if __name__ == "__main__":
    sys.argv.pop(1)
    unittest.main(verbosity=1)
