#!/usr/bin/python3
"""`coffer run` with an access token (P1: read, shown, and nowhere else), against a daemon that answers by script.   usage: run_token_cli.py COFFER"""

import os
import signal
import sys
import tempfile
import unittest

from fake_daemon import RUN_ID, FakeDaemon, changed, environment, event, refusal, watched
from run_world import DIGEST, NOBODY, PRINT_ENV, VALUE, RunCase, Script, SupervisedCase, copies_in, can_switch_user, python, run

TOKEN = "coffer_42_gdap16f49vkv5wtwgzjff0za8nxytwgx2fegqb8zn2tds93e3bd0_99cc511f"
OTHER = "coffer_1_0000000000000000000000000000000000000000000000000000_6d249a14"
SECRET = TOKEN.split("_")[2]
SHOWN = {"result": {"integration": "finance/sync", "id": 42, "token_name": "t", "expires_at": None}}
VERDICT = ["--staged", "--verdict", DIGEST]
# Prints what the program can see of the token's source: its open descriptors and its environment.
SAYS_INHERITED = """
import os
print(sorted(int(fd) for fd in os.listdir("/proc/self/fd") if int(fd) > 2 and os.path.exists("/proc/self/fd/" + fd)))
print(sorted(os.environ))
"""


def script(**answers):
    return Script(session_authenticate=SHOWN, secret_record_test={"result": {"run": RUN_ID, "tested": []}}, **answers)


class TokenFile:
    def __init__(self, text=TOKEN + "\n", mode=0o600):
        self.directory = tempfile.mkdtemp(prefix="coffer-token-", dir="/tmp")
        self.path = os.path.join(self.directory, "coffer-token")
        self.write(text)
        os.chmod(self.path, mode)

    def write(self, text):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.unlink(self.path)
        os.rmdir(self.directory)


def pipe_with(text):
    reader, writer = os.pipe()
    os.write(writer, text.encode())
    os.close(writer)
    return reader


def methods(daemon):
    return [request["method"] for request in daemon.requests]


class TokenRefusedTest(RunCase):
    def test_a_file_that_is_no_token_file_is_refused_and_nothing_asked(self):
        with FakeDaemon(script()) as daemon, TokenFile() as good:
            for text, mode, word in (
                (TOKEN, 0o604, "others may read"),
                (TOKEN, 0o602, "others may read"),
                (TOKEN, 0o644, "others may read"),
                ("", 0o600, "it is empty"),
                ("\n", 0o600, "it is empty"),
                ("\n\n", 0o600, "not whole"),
                (TOKEN[:-1], 0o600, "not whole"),
                (TOKEN + "\n\n", 0o600, "not whole"),
                (TOKEN + "\r\n", 0o600, "not whole"),
                (" " + TOKEN, 0o600, "not whole"),
                (TOKEN + "\0", 0o600, "not whole"),
                ("x" * 256, 0o600, "not whole"),
                ("x" * 257, 0o600, "too long"),
                (TOKEN + "\n" * 300, 0o600, "too long"),
            ):
                with self.subTest(text=text[:90], mode=mode), TokenFile(text, mode) as file:
                    done = run(daemon, "run", "--token-file", file.path, "--", "true")
                    self.refused(done, 125, word)
                    self.assertNotIn(SECRET, done.stderr)
            for path, word in (
                ("/nonexistent", "No such file"),
                (good.directory, "not a regular file"),
                ("/dev/null", "not a regular file"),
            ):
                with self.subTest(path=path):
                    self.refused(run(daemon, "run", "--token-file", path, "--", "true"), 125, "--token-file: ", word)
            self.assertEqual(daemon.requests, [])

    def test_a_fifo_is_refused_and_not_waited_for(self):
        with FakeDaemon(script()) as daemon, TokenFile() as file:
            os.unlink(file.path)
            os.mkfifo(file.path, 0o600)
            self.refused(run(daemon, "run", "--token-file", file.path, "--", "true"), 125, "not a regular file")

    def test_who_may_not_read_the_file_is_told(self):
        if not can_switch_user():
            self.skipTest("needs root, and a place that others reach")
        with FakeDaemon(script()) as daemon, TokenFile() as file:
            os.chmod(file.directory, 0o755)
            done = run(daemon, "run", "--token-file", file.path, "--", "true", **NOBODY)
            self.refused(done, 125, "Permission denied")

    def test_a_descriptor_that_gives_no_token_is_refused(self):
        with FakeDaemon(script()) as daemon:
            for value, word in (
                ("", "from 3 on"),
                ("0", "from 3 on"),
                ("2", "from 3 on"),
                ("x", "number of an open descriptor"),
                ("-1", "number of an open descriptor"),
                ("999", "number of an open descriptor"),
                ("9" * 40, "number of an open descriptor"),
            ):
                with self.subTest(value=value):
                    self.refused(run(daemon, "run", "--token-fd", value, "--", "true"), 125, "--token-fd: ", word)
            for text, word in (("", "it is empty"), ("\n", "it is empty"), (TOKEN[1:], "not whole"), ("x" * 5000, "too long")):
                for way in ([], ["--record"], ["--on-change", "restart"], ["--mask"], VERDICT):
                    with self.subTest(text=text[:10], way=way):
                        fd = pipe_with(text)
                        done = run(daemon, "run", *way, "--token-fd", str(fd), "--", "true", pass_fds=[fd])
                        self.assertEqual(done.status, 125, done.stderr)
                        self.assertIn(word, done.stderr)
                        os.close(fd)
            self.refused(run(daemon, "run", "--token-file", "a", "--token-fd", "3", "--", "true"), 125)
            self.assertEqual(daemon.requests, [])

    def test_a_token_that_the_daemon_does_not_take_starts_nothing(self):
        for way in ([], ["--mask"], VERDICT, ["--on-change", "restart"]):
            denied = Script(session_authenticate=refusal("denied", "not permitted"))
            with self.subTest(way=way), FakeDaemon(denied) as daemon, TokenFile() as file:
                done = run(daemon, "run", *way, "--token-file", file.path, "--", "echo", "started")
                self.refused(done, 125, "does not accept the token", "coffer token list")
                self.assertEqual(set(methods(daemon)), {"session.authenticate"})


class TokenTest(SupervisedCase):
    ways = ([], ["--record"], ["--on-change", "restart"], ["--mask"], VERDICT)

    def test_every_way_shows_it_before_it_fetches(self):
        for way in self.ways:
            for source in ("file", "fd", "credential"):
                with self.subTest(way=way, source=source), FakeDaemon(script()) as daemon, TokenFile() as file:
                    fd = pipe_with(TOKEN + "\n")
                    given = {"file": ["--token-file", file.path], "fd": ["--token-fd", str(fd)], "credential": []}[source]
                    env = {"CREDENTIALS_DIRECTORY": file.directory} if source == "credential" else {}
                    done = run(daemon, "run", *way, *given, "--", "true", env=env, pass_fds=[fd] if source == "fd" else [])
                    os.close(fd)
                    self.assertEqual(done.status, 0, done.stderr)
                    asked = daemon.requests
                    self.assertEqual(asked[0]["method"], "session.authenticate")
                    self.assertEqual({r["params"]["token"] for r in asked if r["method"] == "session.authenticate"}, {TOKEN})
                    for at, request in enumerate(asked):
                        if request["method"] in ("env.fetch", "env.watch", "secret.record_test"):
                            self.assertEqual(asked[at - 1]["method"], "session.authenticate")
                    self.assertIn("env.fetch", methods(daemon))

    def test_the_program_inherits_neither_the_token_nor_its_descriptor(self):
        for way in self.ways:
            with self.subTest(way=way), FakeDaemon(script()) as daemon:
                fd = pipe_with(TOKEN)
                done = run(daemon, "run", *way, "--token-fd", str(fd), "--", *python(SAYS_INHERITED), pass_fds=[fd])
                os.close(fd)
                self.assertEqual(done.status, 0, done.stderr)
                self.assertEqual(done.stdout.splitlines()[0], b"[]")
                self.assertNotIn(b"COFFER", done.stdout)

    def test_the_directory_of_credentials_stays_as_systemd_gave_it(self):
        with FakeDaemon(script()) as daemon, TokenFile() as file:
            done = run(daemon, "run", "--", *PRINT_ENV, env={"CREDENTIALS_DIRECTORY": file.directory})
            self.assertEqual(done.environment()[b"CREDENTIALS_DIRECTORY"], file.directory.encode())
            self.assertNotIn(SECRET.encode(), done.stdout)

    def test_an_option_comes_before_the_credential_and_other_credentials_are_none(self):
        with FakeDaemon(script()) as daemon, TokenFile(OTHER) as credential, TokenFile() as file:
            env = {"CREDENTIALS_DIRECTORY": credential.directory}
            self.assertEqual(run(daemon, "run", "--token-file", file.path, "--", "true", env=env).status, 0)
            self.assertEqual([params["token"] for params, _ in daemon.of("session.authenticate")], [TOKEN])
            for directory in ("/nonexistent", "relative", "", "/" + "x" * 5000):
                with self.subTest(directory=directory[:20]):
                    self.assertEqual(run(daemon, "run", "--", "true", env={"CREDENTIALS_DIRECTORY": directory}).status, 0)
            self.assertEqual(len(daemon.of("session.authenticate")), 1)
            os.chmod(credential.path, 0o644)
            self.refused(run(daemon, "run", "--", "true", env=env), 125, "the credential coffer-token: others may read")

    def test_wait_waits_for_a_daemon_that_is_sealed_and_shows_it_then(self):
        answers = [refusal("sealed", retry=True), refusal("sealed", retry=True), SHOWN]
        with FakeDaemon(Script(session_authenticate=answers)) as daemon, TokenFile() as file:
            done = run(daemon, "run", "--wait", "20", "--token-file", file.path, "--", "true")
            self.assertEqual(done.status, 0, done.stderr)
            self.assertEqual(methods(daemon), ["session.authenticate"] * 3 + ["env.fetch"])

    def test_each_restart_shows_what_is_in_the_file_then(self):
        with FakeDaemon(script()) as daemon, TokenFile() as file:
            process = self.start(daemon, "--on-change", "restart", "--token-file", file.path, "--", "sh", "-c", "echo up; exec sleep 100")
            self.assertEqual(self.line(process), "up")
            file.write(OTHER)
            daemon.tell(changed(KEY=2))
            self.assertEqual(self.line(process), "up")
            self.assertEqual([params["token"] for params, _ in daemon.of("session.authenticate")], [TOKEN, TOKEN, OTHER])
            self.end(process)

    def test_each_restart_gets_what_the_descriptor_gave(self):
        with FakeDaemon(script()) as daemon:
            fd = pipe_with(TOKEN)
            process = self.start(daemon, "--on-change", "restart", "--token-fd", str(fd), "--", "sh", "-c", "echo up; exec sleep 100", pass_fds=[fd])
            os.close(fd)
            for version in (2, 3):
                self.assertEqual(self.line(process), "up")
                daemon.tell(changed(KEY=version))
            self.assertEqual(self.line(process), "up")
            shown = daemon.of("session.authenticate")
            self.assertEqual([params["token"] for params, _ in shown], [TOKEN] * 4)
            self.assertEqual(len({pid for _, pid in shown}), 4)
            self.end(process)

    def test_a_subscription_that_ended_with_its_token_begins_anew_with_the_next(self):
        with FakeDaemon(script()) as daemon, TokenFile() as file:
            process = self.start(daemon, "--on-change", "HUP", "--token-file", file.path, "--", "sleep", "100")
            daemon.wait_for("env.watch")
            file.write(OTHER)
            daemon.tell(event("watch.ended"))
            daemon.drop_watchers()
            daemon.wait_for("env.watch", 2)
            self.assertEqual(daemon.of("session.authenticate")[-1][0]["token"], OTHER)
            self.end(process)

    def test_a_supervisor_keeps_a_token_in_locked_memory_alone(self):
        for way, copies in ((["--on-change", "restart"], (1, 0)), (VERDICT, (1, 0)), (["--mask"], (0, 0))):
            with self.subTest(way=way), FakeDaemon(script()) as daemon:
                fd = pipe_with(TOKEN)
                process = self.start(daemon, *way, "--token-fd", str(fd), "--", "sh", "-c", "echo up; exec sleep 100", pass_fds=[fd])
                os.close(fd)
                self.assertEqual(self.line(process), "up")
                if os.geteuid() == 0:
                    kept, elsewhere = copies_in(process.pid, SECRET)
                    self.assertEqual(elsewhere, 0)
                    self.assertLessEqual(kept, 2 if copies[0] else 0)
                    self.assertGreaterEqual(kept, copies[0])
                self.end(process)


if __name__ == "__main__":
    sys.argv.pop(1)
    unittest.main(verbosity=1)
