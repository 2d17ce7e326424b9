#!/usr/bin/python3
"""Rotation by coffer-manage: made values, tests, waiting, rotate, against a vault that keeps versions and a `coffer` that
only notes how it was started.   usage: rotate_cli.py COFFER_MANAGE"""

import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import stat
import string
import struct
import subprocess
import sys
import threading
import time
import unittest

import manage_base
from fake_daemon import FakeDaemon, refusal
from manage_base import CommandTest, environment, manage

NAME = ["finance/sync", "PGPASSWORD"]
NOBODY = {"user": 65534, "group": 65534, "extra_groups": []}
AT = "2026-11-24T09:30:00.123Z"

# Stands beside coffer-manage as `coffer`: notes how it was started, runs the command, records the verdict.
STUB = r"""#!/usr/bin/python3
import json, os, socket, subprocess, sys
directory = os.path.dirname(os.path.abspath(sys.argv[0]))
with open(os.path.join(directory, "noted"), "a") as file:
    file.write(json.dumps({"argv": sys.argv[1:], "uids": os.getresuid(), "gids": os.getresgid(), "groups": os.getgroups(), "fds": [int(fd) for fd in os.listdir("/proc/self/fd")],
                           "env": dict(os.environ), "stdin": os.fstat(0).st_mode}) + "\n")
at = sys.argv.index("--")
status = subprocess.run(sys.argv[at + 1:]).returncode
if status != 99:
    with socket.socket(socket.AF_UNIX) as vault:
        vault.connect(os.environ["COFFER_SOCKET"])
        digest = sys.argv[sys.argv.index("--verdict") + 1]
        vault.sendall(json.dumps({"id": 1, "method": "secret.record_test", "params": {
            "passed": status == 0, "command_digest": digest}}).encode() + b"\n")
        vault.recv(4096)
sys.exit(status)
"""


def digest(*arguments):
    parts = b"".join(struct.pack("<I", len(a.encode())) + a.encode() for a in arguments)
    return hashlib.blake2b(b"coffer/command/1\0" + parts, digest_size=32).hexdigest()


class Vault:
    """One secret's versions, and what the daemon does with them."""

    def __init__(self, states=(), test=None, roles=("admin",), granted=("finance/sync",), users=("nobody",), manages=()):
        self.versions = [{"version": n, "state": s, "tested": False, "tests": []} for n, s in enumerate(states, 1)]
        self.holders = []
        self.test = test
        self.roles = list(roles)
        self.granted = list(granted)
        self.manages = list(manages)
        self.grants = [{"id": n, "rule": {"user": u, "uid": 65534 + n}} for n, u in enumerate(users)]
        self.values = {}
        self.calls = []
        self.refusals = {}  # method → refusals to come

    def state(self, version):
        return self.versions[version - 1]["state"]

    def find(self, state):
        return next((v for v in self.versions if v["state"] == state), None)

    def hold(self, version, pid=4711, **more):
        self.holders.append({"integration": NAME[0], "key": NAME[1], "version": version, "holder": "process", "pid": pid,
                             "user": "etl", "unit": "etl.service", "since": AT, **more})

    def verdict(self, passed, is_it=True):
        staged = self.find("staged")
        staged["tests"].insert(0, {"run": f"01KAMZ{len(staged['tests']):020d}", "passed": passed})
        staged["tested"] = passed and is_it

    def answer(self, request, pid):
        method, params = request["method"], request.get("params", {})
        self.calls.append((method, params))
        waiting = self.refusals.get(method)
        if waiting:
            return waiting.pop(0)
        done = getattr(self, method.replace(".", "_"))(params)
        return done if done is None or "error" in done else {"result": done}

    def whoami(self, params):
        return {"user": "x", "roles": self.roles, "integrations": self.granted, "manages": self.manages}

    def integration_show(self, params):
        return {"integration": {"name": params["name"], "test": self.test}}

    def grant_list(self, params):
        return {"grants": self.grants}

    def secret_show(self, params):
        if not self.versions:
            return refusal("not_found")
        return {"key": params["key"], "versions": self.versions[::-1]}

    def secret_put(self, params):
        stage = params.get("stage", False)
        newest = len(self.versions)
        if (stage and self.find("staged")) or params.get("expect_version", newest) != newest:
            return refusal("conflict")
        if not stage and self.find("current"):
            self.find("current")["state"] = "draining"
        self.versions.append({"version": newest + 1, "state": "staged" if stage else "current", "tested": False, "tests": []})
        self.values[newest + 1] = params["value"]
        return {"key": params["key"], "version": newest + 1, "state": self.versions[-1]["state"]}

    def secret_record_test(self, params):
        self.verdict(params["passed"], self.test is None or params["command_digest"] == digest("/bin/sh", "-c", self.test))
        return {"tested": []}

    def secret_promote(self, params):
        chosen = self.versions[params["version"] - 1]
        if params.get("expect_version", len(self.versions)) != len(self.versions) or chosen["state"] != "staged":
            return refusal("conflict")
        if not chosen["tested"] and not params.get("untested"):
            return refusal("untested")
        old = self.find("current")
        if old:
            old["state"] = "draining"
        chosen["state"] = "current"
        return {"key": params["key"], "version": params["version"], "state": "current",
                "replaced": old["version"] if old else None}

    def holder_list(self, params):
        return {"holders": self.holders, "more": False}

    def secret_revoke(self, params):
        chosen = self.versions[params["version"] - 1]
        held = [h for h in self.holders if h["version"] == params["version"]
                and not (params.get("processes_only") and h["holder"] == "unit")]
        if chosen["state"] == "current" or held:
            return refusal("in_use", "somebody may still hold it", holder_count=len(held), holders=held[:16])
        chosen["state"] = "revoked"
        return {"key": params["key"], "version": params["version"], "state": "revoked", "issuer": "the dba",
                "issuer_ref": f"key-{params['version']}", "backups": []}


def fake(*args, **options):
    vault = Vault(*args, **options)
    daemon = FakeDaemon(vault.answer)
    daemon.vault = vault
    return daemon


class RotateTest(CommandTest):
    def setUp(self):
        super().setUp()
        os.chmod(self.directory, 0o755)
        # A copy, so that the stub can stand beside it.
        shutil.copy(ORIGINAL, self.path("coffer-manage"))
        manage_base.MANAGE = self.path("coffer-manage")
        stub = self.write("coffer", STUB)
        os.chmod(stub, 0o755)
        noted = self.write("noted", "")
        os.chmod(noted, 0o666)

    def noted(self):
        return [json.loads(line) for line in self.read(self.path("noted")).splitlines()]

    @staticmethod
    def methods(daemon, *but):
        return [m for m, _ in daemon.vault.calls if m not in ("secret.show", *but)]

    def start(self, daemon, *args, **options):
        env = environment(daemon, options.get("user", os.getuid()))
        process = subprocess.Popen([manage_base.MANAGE, *args], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, **options)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        process.kill()
        process.communicate()

    def wait_for(self, condition):
        end = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)

    def wait_until_it_sleeps(self, process):
        """After a line about the wait there is nothing to sleep for but the time until the next look."""
        self.wait_for(lambda: self.read(f"/proc/{process.pid}/stat").rsplit(") ", 1)[1][0] == "S")

    # ---- made values ----

    def put(self, daemon, *args):
        # Standard input is a pipe that holds something else, which must not be looked at.
        return manage(daemon, "secret", "put", *NAME, *args, stdin=b"not this")

    def test_a_made_value_that_cannot_be_is_refused_before_any_request(self):
        with fake() as daemon:
            for args, word in ((["--generate=15"], "from 16 to 1024"), (["--generate=1025"], "from 16 to 1024"),
                               (["--generate=x"], "from 16 to 1024"), (["--generate=-20"], "from 16 to 1024"),
                               (["--generate=99999999999999999999"], "from 16 to 1024"),
                               (["--generate", "32"], "never taken from the command line"),
                               (["--generate", "--generate"], "given twice"),
                               (["--generate", "--exact"], "--exact is for standard input"),
                               (["--to-stdin-of", "true"], "add --generate"),
                               (["--generate", "--to-stdin-of", ""], "no command"),
                               (["--generate", "--to-stdin-of"], "needs a value")):
                self.refused(self.put(daemon, *args), 64, word)
            self.assertEqual(daemon.requests, [])

    def test_a_made_value_is_random_and_never_shown(self):
        seen = set()
        with fake() as daemon:
            for args, length in ((["--generate"], 32), (["--generate=16"], 16), (["--generate=1024", "--json"], 1024)):
                done = self.put(daemon, *args)
                self.assertEqual((done.status, done.stderr), (0, ""))
                value = daemon.requests[-1]["params"]["value"]
                self.assertEqual(len(value), length)
                self.assertLessEqual(set(value), set(string.ascii_letters + string.digits))
                self.silent_on(done, value)
                seen.add(value[:16])
        self.assertEqual(len(seen), 3)

    @unittest.skipUnless(os.getuid() == 0, "only root may look into it")
    def test_a_made_value_is_in_locked_memory_alone(self):
        """P1: while the daemon has not answered yet, everything that was made from the value still exists."""
        asked, looked = threading.Event(), threading.Event()

        def hold(request, pid):
            asked.set()
            looked.wait(60)
            return {"result": {"key": "A", "version": 1, "state": "current"}}

        with FakeDaemon(hold) as daemon:
            process = self.start(daemon, "secret", "put", *NAME, "--generate")
            self.assertTrue(asked.wait(60))
            flags = self.mappings_with(process.pid, daemon.requests[0]["params"]["value"].encode())
            looked.set()
            process.communicate(timeout=60)
        self.assertGreater(len(flags), 0)
        for each in flags:
            self.assertIn("lo", each)
            self.assertIn("dd", each)

    def test_a_command_that_fails_takes_nothing_and_leaves_nothing(self):
        with fake(["current"]) as daemon:
            for command, status in (("exit 3", 3), ("cat >/dev/null; exit 255", 255), ("no-such-command 2>&-", 127)):
                daemon.vault.calls.clear()
                done = self.put(daemon, "--generate", "--to-stdin-of", command)
                self.refused(done, 65, f"the command ended with status {status}; the staged version", "is revoked")
                self.assertEqual(self.methods(daemon), ["secret.put", "secret.revoke"])
                self.assertEqual(daemon.vault.calls[0][1]["stage"], True)
                self.assertNotIn("force", daemon.vault.calls[-1][1])
            self.assertEqual([v["state"] for v in daemon.vault.versions], ["current"] + ["revoked"] * 3)
            daemon.vault.refusals["secret.revoke"] = [refusal("storage_full", "full")]
            self.refused(self.put(daemon, "--generate", "--to-stdin-of", "exit 3"), 74, "full", "is still staged")

    def test_a_command_that_died_may_have_passed_it_on(self):
        with fake() as daemon:
            done = self.put(daemon, "--generate", "--to-stdin-of", "kill -9 $$")
            self.refused(done, 65, "status 137, by a signal", "version 1 stays staged")
            self.assertEqual(self.methods(daemon), ["secret.put"])

    def test_a_kill_in_between_leaves_a_staged_version_that_the_next_try_names(self):
        with fake() as daemon:
            done = self.put(daemon, "--generate", "--to-stdin-of", "kill -9 $PPID")
            self.assertEqual(done.status, -signal.SIGKILL)
            self.assertEqual(daemon.vault.state(1), "staged")
            done = self.put(daemon, "--generate", "--to-stdin-of", f"touch {self.path('reached')}")
            self.refused(done, 65, "version 1 is staged: coffer secret promote finance/sync PGPASSWORD",
                         "coffer secret revoke finance/sync PGPASSWORD 1 destroys it")
            self.assertFalse(os.path.exists(self.path("reached")))

    def test_what_the_command_has_taken_stays_if_it_cannot_be_promoted(self):
        with fake() as daemon:
            daemon.vault.refusals["secret.promote"] = [refusal("storage_full", "full")]
            done = self.put(daemon, "--generate", "--to-stdin-of", "cat >/dev/null")
            self.refused(done, 74, "full", "has taken version 1, which is still staged")
            self.assertEqual(daemon.vault.state(1), "staged")

    def test_a_command_gets_the_value_and_nothing_else(self):
        got = self.path("got")
        for extra, methods, line in (
            ((), ["secret.put", "secret.promote"], "PGPASSWORD: version 2 is current, version 1 is draining\n"),
            (("--stage",), ["secret.put"], "PGPASSWORD: version 2 is staged\n"),
        ):
            with fake(["current"]) as daemon:
                done = self.put(daemon, "--generate=1024", "--to-stdin-of", f"cat >{got}; echo out; echo err >&2", "--note", "n", *extra)
                self.assertEqual((done.status, done.stdout, done.stderr), (0, "out\n" + line, "err\n"))
                self.assertEqual(self.read(got), daemon.vault.values[2])
                self.assertEqual(len(self.read(got)), 1024)
                self.assertEqual(self.methods(daemon), methods)
                self.assertEqual((daemon.vault.calls[0][1]["note"], daemon.vault.calls[0][1]["stage"]), ("n", True))
                self.assertEqual(daemon.vault.calls[-1][1].get("untested"), None if extra else True)

    def test_a_command_that_reads_nothing_still_ends_well(self):
        with fake() as daemon:
            self.assertEqual(self.put(daemon, "--generate", "--to-stdin-of", "exec <&-").status, 0)

    # ---- secret test ----

    def secret_test(self, daemon, *args, **options):
        return manage(daemon, "secret", "test", *NAME, *args, **options)

    def test_a_test_that_cannot_be_is_refused_before_anything_runs(self):
        for vault, args, status, word in (
            ({"states": ["staged"]}, [], 64, "names no test command"),
            ({"states": ["staged"]}, ["--"], 64, "no command behind --"),
            ({"states": ["staged"]}, ["--time-limit", "x", "--", "true"], 64, "--time-limit: a number"),
            ({"states": ["staged"]}, ["--time-limit=0", "--", "true"], 64, "--time-limit: a number"),
            ({"states": ["staged"]}, ["--token-file", "", "--", "true"], 64, "--token-file: a path"),
            ({"states": ["staged"]}, ["--token-fd", "x", "--", "true"], 64, "--token-fd: the number of an open descriptor"),
            ({"states": ["staged"]}, ["--token-fd", "-1", "--", "true"], 64, "--token-fd: the number of an open descriptor"),
            ({"states": ["staged"]}, ["--token-fd", "2", "--", "true"], 64, "--token-fd: the number of an open descriptor, from 3"),
            ({"states": ["staged"]}, ["--token-fd", "999", "--", "true"], 64, "--token-fd: the number of an open descriptor"),
            ({"states": ["staged"]}, ["--token-fd", "9" * 30, "--", "true"], 64, "--token-fd: the number of an open descriptor"),
            ({"states": ["staged"]}, ["--token-file", "/f", "--token-fd", "3", "--", "true"], 64, "one of them"),
            ({"states": ["staged"]}, ["true"], 64, "too many arguments"),
            ({"states": ["current"]}, ["--", "true"], 66, "no version is staged"),
            ({"states": []}, ["--", "true"], 66, "PGPASSWORD: no\n"),
        ):
            with self.subTest(word=word), fake(**vault) as daemon:
                self.refused(self.secret_test(daemon, *args), status, word)
                self.assertEqual(self.noted(), [])

    def test_a_user_without_a_role_is_told_what_is_missing(self):
        for args, word in (([], "give the command behind --"), (["--as", "root", "--", "true"], "only root can become")):
            with fake(["staged"], roles=[]) as daemon:
                self.refused(self.secret_test(daemon, *args, **(NOBODY if os.getuid() == 0 else {})), 64, word)
                self.assertEqual(self.noted(), [])

    @unittest.skipUnless(os.getuid() == 0, "only root can become another user")
    def test_root_does_not_guess_whom_to_become(self):
        for users, args, status, word in (
            ([], [], 65, "grant add INTEGRATION user=USER --staged-only"),
            (["nobody", "evil\x1b[2J"], [], 65, "choose one with --as: nobody, evil"),
            (["nobody"], ["--as", "no-such-user"], 66, "no user no-such-user"),
            (["nobody"], ["--as", "4000000"], 66, "no user 4000000"),
            (["nobody"], ["--as", "99999999999"], 66, "no user 99999999999"),
        ):
            with fake(["staged"], users=users) as daemon:
                done = self.secret_test(daemon, *args, "--", "true")
                self.refused(done, status, word)
                self.assertNotIn("\x1b", done.stderr)
                self.assertEqual(self.noted(), [])

    def test_bad_names_are_refused_before_any_request(self):
        with fake(["staged"]) as daemon:
            for command, rest in ((["secret", "test"], []), (["rotate"], []), (["secret", "revoke"], ["1", "--when-drained"])):
                self.refused(manage(daemon, *command, "No Name", "A", *rest), 64, "[workspace/]slug")
                self.refused(manage(daemon, *command, "x", "A-B", *rest), 65, "naming rules")
            self.assertEqual(daemon.requests, [])

    def test_a_tester_without_a_role_asks_for_nothing_that_is_refused(self):
        with fake(["staged"], roles=[]) as daemon:
            done = self.secret_test(daemon, "--", "true", **(NOBODY if os.getuid() == 0 else {}))
            self.assertEqual((done.status, done.stderr), (0, ""))
            self.assertEqual(self.methods(daemon), ["whoami", "secret.record_test"])

    def test_a_manager_looks_up_the_test_of_its_own_integration_alone(self):
        for manages, status in ((["finance/sync-2"], 64), (["crm", "finance/sync"], 0)):
            with fake(["staged"], test="true", roles=[], manages=manages) as daemon:
                done = self.secret_test(daemon, **(NOBODY if os.getuid() == 0 else {}))
                self.assertEqual(done.status, status, done.stderr)
                self.assertEqual("integration.show" in self.methods(daemon), status == 0)
        self.assertEqual(len(self.noted()), 1)

    def test_a_missing_coffer_is_said_to_be_missing(self):
        os.unlink(self.path("coffer"))
        with fake(["staged"]) as daemon:
            self.refused(self.secret_test(daemon, "--", "true"), 78, "the program coffer cannot be started")

    def test_coffer_is_found_where_it_is_installed_and_else_on_path(self):
        os.makedirs(self.path("libexec/coffer"))
        os.makedirs(self.path("bin"))
        os.rename(self.path("coffer-manage"), self.path("libexec/coffer/coffer-manage"))
        os.rename(self.path("coffer"), self.path("bin/coffer"))
        os.rename(self.path("noted"), self.path("bin/noted"))
        manage_base.MANAGE = self.path("libexec/coffer/coffer-manage")
        with fake(["staged"]) as daemon:
            self.assertEqual(self.secret_test(daemon, "--", "true").status, 0)
            os.rename(self.path("bin"), self.path("elsewhere"))
            self.refused(self.secret_test(daemon, "--", "true"), 78, "cannot be started")
            path = os.environ["PATH"]
            os.environ["PATH"] = self.path("elsewhere") + ":" + path
            self.addCleanup(os.environ.__setitem__, "PATH", path)
            self.assertEqual(self.secret_test(daemon, "--", "true").status, 0)
        self.assertEqual(len(self.read(self.path("elsewhere/noted")).splitlines()), 2)

    def test_a_command_is_passed_on_untouched_with_its_digest(self):
        odd = ["printf", "%s", "", "a b", "--help", "--", "'\"\\x\u202e"]
        with fake(["staged"]) as daemon:
            done = self.secret_test(daemon, "--time-limit", "9", "--socket", daemon.path, "--", *odd)
            self.assertEqual((done.status, done.stderr), (0, ""))
            self.assertEqual(self.noted()[0]["argv"], [
                "run", "finance/sync", "--staged", "--verdict", digest(*odd), "--time-limit", "9", "--socket", daemon.path,
                "--", *odd])

    def test_a_token_is_passed_on_by_path_or_descriptor_and_never_read(self):
        with fake(["staged"]) as daemon:
            self.assertEqual(self.secret_test(daemon, "--token-file", "/no/such/token", "--", "true").status, 0)
            self.assertEqual(self.noted()[-1]["argv"][-4:], ["--token-file", "/no/such/token", "--", "true"])
            reader, writer = os.pipe()
            os.write(writer, b"the token")
            os.close(writer)
            done = self.secret_test(daemon, "--token-fd", str(reader), "--", "true", pass_fds=[reader])
            self.assertEqual((done.status, done.stderr), (0, ""))
            self.assertEqual(self.noted()[-1]["argv"][-4:], ["--token-fd", str(reader), "--", "true"])
            self.assertIn(reader, self.noted()[-1]["fds"])
            self.assertEqual(os.read(reader, 99), b"the token")  # whole, for coffer run to read
            os.close(reader)

    def test_without_a_command_the_integrations_own_is_run(self):
        with fake(["staged"], test="exit 7") as daemon:
            self.assertEqual(self.secret_test(daemon).status, 7)
            self.assertEqual(self.noted()[0]["argv"], [
                "run", "finance/sync", "--staged", "--verdict", digest("/bin/sh", "-c", "exit 7"), "--", "/bin/sh", "-c", "exit 7"])
            done = self.secret_test(daemon, "--", "true")
            self.assertEqual(done.status, 0)
            self.assertIn("only verdicts of the integration's own test command count", done.stderr)
            self.assertEqual(self.secret_test(daemon, "--", "/bin/sh", "-c", "exit 7").stderr, "")

    @unittest.skipUnless(os.getuid() == 0, "only root can become another user")
    def test_root_becomes_the_integrations_user_for_good(self):
        for args, users in (([], ["nobody"]), ([], ["nobody", "nobody"]), (["--as", "nobody"], ["a", "b"]), (["--as", "65534"], [])):
            with fake(["staged"], users=users) as daemon:
                for grant in daemon.vault.grants:
                    grant["rule"]["uid"] = 65534
                daemon.vault.grants.append({"id": 9, "rule": {"user": "ada", "uid": 1}, "staged_only": True})
                self.write("noted", "")
                self.assertEqual(self.secret_test(daemon, *args, "--", "true").status, 0)
                noted = self.noted()[0]
                self.assertEqual((noted["uids"], noted["gids"], noted["groups"]), ([65534] * 3, [65534] * 3, [65534]))
                self.assertEqual([noted["env"][n] for n in ("HOME", "USER", "LOGNAME", "SHELL")],
                                 ["/nonexistent", "nobody", "nobody", "/usr/sbin/nologin"])

    @unittest.skipUnless(os.getuid() == 0, "only root can become another user")
    def test_what_root_has_in_its_environment_does_not_go_along(self):
        os.environ["ROOTS_SAN_OPTIONS"] = "only-root-knows-this"  # of a kind that the command is given
        self.addCleanup(os.environ.pop, "ROOTS_SAN_OPTIONS")
        with fake(["staged"], users=["nobody"]) as daemon:
            for grant in daemon.vault.grants:
                grant["rule"]["uid"] = 65534
            self.write("noted", "")
            self.assertIn("ROOTS_SAN_OPTIONS", environment(daemon))
            self.assertEqual(self.secret_test(daemon, "--", "true").status, 0)
            noted = self.noted()[0]["env"]
            self.assertNotIn("only-root-knows-this", noted.values())
            self.assertEqual(noted["LC_ALL"], "C")

    # ---- revoke ----

    def revoke(self, *args):
        return ["secret", "revoke", *NAME, *args]

    def test_a_revoke_that_contradicts_itself_is_refused_before_any_request(self):
        with fake(["draining", "current"]) as daemon:
            for args, word in ((["1", "--when-drained", "--force"], "choose one"),
                               (["1", "--processes-only", "--force"], "choose one"),
                               (["1", "--when-drained", "--request-id", "0" * 32], "choose one"),
                               (["1", "--timeout", "2h"], "--timeout is for --when-drained"),
                               (["1", "--when-drained", "--timeout", "2x"], "--timeout: a duration"),
                               (["x", "--when-drained"], "version: not a number"),
                               (["1", "--when-drained", "--expect-version", "x"], "--expect-version: not a number")):
                self.refused(manage(daemon, *self.revoke(*args)), 64, word)
            self.assertEqual(daemon.requests, [])

    def test_who_stands_in_the_way_is_shown(self):
        with fake(["draining", "current"]) as daemon:
            for pid in range(20):
                daemon.vault.hold(1, 100 + pid, exe="/evil\x1b[2J\u202e")
            done = manage(daemon, *self.revoke("1"))
            self.refused(done, 65, "may still hold it")
            lines = done.stderr.splitlines()
            self.assertRegex(lines[1], r"^WHO +USER +UNIT +EXE +SINCE$")
            self.assertRegex(lines[2], r"^100 +etl +etl.service +/evil\\x1b\S+ +2026-11-24T09:30:00Z$")
            self.assertEqual(lines[18:], ["coffer: 20 in all: coffer holders shows them"])
            self.assertEqual(self.methods(daemon), ["secret.revoke"])
            self.refused(manage(daemon, *self.revoke("2")), 65, "may still hold it")

    def test_a_current_version_is_not_waited_for(self):
        with fake(["draining", "current"]) as daemon:
            done = manage(daemon, *self.revoke("2", "--when-drained"))
            self.refused(done, 65, "it is the current version", "nothing was revoked")
            self.assertEqual(self.methods(daemon), [])
        self.refused(manage(None, *self.revoke("2", "--when-drained"), "--socket", "/nonexistent/socket"), 69)

    def test_a_wait_that_takes_too_long_ends_with_75(self):
        with fake(["draining", "current"]) as daemon:
            daemon.vault.hold(1)
            done = manage(daemon, *self.revoke("1", "--when-drained", "--timeout", "1s"))
            self.refused(done, 75, "coffer: waiting: version 1 may be held by 1: etl.service (pid 4711, since 2026-11-24T09:30:00Z)\n",
                         "not within 1s; nothing was revoked")
            self.assertEqual(daemon.vault.state(1), "draining")

    def test_an_interrupt_changes_nothing(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with fake(["draining", "current"]) as daemon:
                daemon.vault.hold(1)
                process = self.start(daemon, *self.revoke("1", "--when-drained"))
                self.assertIn("may be held", process.stderr.readline())
                self.wait_until_it_sleeps(process)
                process.send_signal(number)
                _, stderr = process.communicate(timeout=60)
                self.assertEqual(process.returncode, -number)
                self.assertEqual(stderr, "coffer: interrupted; nothing was revoked\n")
                self.assertNotIn("secret.revoke", self.methods(daemon))

    def test_a_wait_says_when_something_changes_and_ends_when_nobody_is_left(self):
        with fake(["draining", "current"]) as daemon:
            daemon.vault.hold(1)
            daemon.vault.hold(1, holder="unit", pid=None)
            daemon.vault.hold(2, 99)
            process = self.start(daemon, *self.revoke("1", "--when-drained"))
            lines = [process.stderr.readline()]
            daemon.vault.holders.pop(0)
            # A daemon that is started anew meanwhile, and one that has seen another holder come.
            daemon.vault.refusals["secret.show"] = [None, refusal("sealed")]
            lines.append(process.stderr.readline())
            lines.append(process.stderr.readline())
            daemon.vault.refusals["secret.revoke"] = [refusal("in_use")]
            daemon.vault.holders.pop(0)
            lines.append(process.stderr.readline())
            stdout, stderr = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 0, stderr)
            self.assertEqual(lines, [
                "coffer: waiting: version 1 may be held by 2: etl.service (pid 4711, since 2026-11-24T09:30:00Z), "
                "etl.service (children may hold, since 2026-11-24T09:30:00Z)\n",
                "coffer: waiting: no answer from the daemon, which is asked again\n",
                "coffer: waiting: version 1 may be held by 1: etl.service (children may hold, since 2026-11-24T09:30:00Z)\n",
                "coffer: waiting: the daemon says that it may still be held\n"])
            self.assertEqual((stdout.splitlines()[0], stderr), ("PGPASSWORD: version 1 is revoked", ""))
            self.assertEqual(daemon.vault.state(1), "revoked")
            self.assertFalse(any("force" in params for _, params in daemon.vault.calls))

    def test_children_need_not_be_waited_for(self):
        with fake(["draining", "current"]) as daemon:
            daemon.vault.hold(1, holder="unit", pid=None)
            done = manage(daemon, *self.revoke("1", "--when-drained", "--processes-only", "--expect-version", "2", "--json"))
            self.assertEqual((done.status, done.stderr), (0, ""))
            self.assertEqual(json.loads(done.stdout)["state"], "revoked")
            self.assertEqual(daemon.vault.calls[-1][1], {"integration": NAME[0], "key": NAME[1], "version": 1,
                                                         "expect_version": 2, "processes_only": True})

    def test_on_a_terminal_one_line_changes(self):
        with fake(["draining", "current"]) as daemon:
            daemon.vault.hold(1, unit="evil\x1b[2J\u202e.service")
            for pid in range(7):
                daemon.vault.hold(1, 100 + pid)
            threading.Timer(2.5, daemon.vault.holders.clear).start()
            status, seen = self.at_terminal(daemon, self.revoke("1", "--when-drained"), [], columns=80)
            self.assertEqual(status, 0, seen)
            drawn = [line for line in re.split(rb"[\r\n]+", seen) if line.startswith(b"waiting")]
            self.assertGreater(len(drawn), 1)
            self.assertTrue(drawn[0].startswith(b"waiting 00:00:00: version 1 may be held by 8: evil\\x1b"), drawn)
            for line in drawn:
                self.assertLess(len(line), 80)
            self.assertNotIn(b"\x1b", seen)
            self.assertIn(b"PGPASSWORD: version 1 is revoked\r\n", seen)
            # What it waited for is gone from the screen.
            self.assertRegex(seen, rb"\r +\r+PGPASSWORD")

    # ---- rotate ----

    def rotate(self, daemon, *args, stdin=b"new value", **options):
        return manage(daemon, "rotate", *NAME, *args, stdin=stdin, **options)

    def test_a_rotation_that_cannot_be_is_refused_before_a_value_is_staged(self):
        for vault, args, status, word in (
            ({"states": ["current"]}, [], 64, "there is no test command"),
            ({"states": ["current"]}, ["--test", ""], 64, "there is no test command"),
            ({"states": ["current"], "test": "true"}, ["--test", "false"], 64, "own test command count"),
            ({"states": ["current"]}, ["--resume", "--generate"], 64, "leave --generate out"),
            ({"states": ["current"]}, ["--resume", "--note", "x"], 64, "leave --note out"),
            ({"states": ["current"]}, ["--test", "true", "--timeout", "2"], 64, "--timeout: a duration"),
            ({"states": ["current"]}, ["--test", "true", "--time-limit", "x"], 64, "--time-limit: a number"),
            ({"states": ["current"]}, ["--test", "true", "--to-stdin-of", "x"], 64, "add --generate"),
            ({"states": ["current"]}, ["the value"], 64, "never taken from the command line"),
            ({"states": ["current"]}, ["--untested"], 64, "unknown option"),
            ({"states": ["current"]}, ["--force"], 64, "unknown option"),
            ({"states": ["current", "staged"]}, ["--test", "true"], 65,
             "version 2 is staged already: --resume goes on with it, coffer secret revoke finance/sync PGPASSWORD 2"),
            ({"states": []}, ["--resume", "--test", "true"], 66, "no"),
            ({"states": ["staged", "current"]}, ["--resume", "--test", "true"], 65, "version 2 has become current since"),
        ):
            with self.subTest(args=args), fake(**vault) as daemon:
                self.refused(self.rotate(daemon, *args), status, word)
                self.assertFalse({"secret.put", "secret.promote"} & set(self.methods(daemon)))
        with fake(["current"]) as daemon:
            self.refused(self.rotate(daemon, "--test", "true", stdin=b""), 65, "empty")
            self.assertNotIn("secret.put", self.methods(daemon))
        if os.getuid() == 0:
            with fake(["current"], users=["a", "b"]) as daemon:
                self.refused(self.rotate(daemon, "--test", "true"), 65, "choose one with --as")
                self.assertNotIn("secret.put", self.methods(daemon))

    def test_a_token_is_for_the_tests_run_alone(self):
        reader, writer = os.pipe()
        os.write(writer, b"the token")
        os.close(writer)
        self.addCleanup(os.close, reader)
        # Not for the program that is told the value; and who brings one tests here, whatever whoami says.
        tell = f"cat >&2; readlink /proc/self/fd/{reader} >&2; exit 0"
        with fake(["current"], granted=[], users=["nobody"]) as daemon:
            for grant in daemon.vault.grants:
                grant["rule"]["uid"] = 65534
            done = self.rotate(daemon, "--test", "true", "--generate", "--to-stdin-of", tell, "--token-fd", str(reader),
                               stdin=b"", pass_fds=[reader])
            self.assertEqual(done.status, 0, done.stderr)
            self.assertNotIn("pipe:", done.stderr)
            self.assertIn(reader, self.noted()[-1]["fds"])
            self.assertEqual(daemon.vault.versions[-1]["state"], "current")
        with fake(["current"]) as daemon:
            self.refused(self.rotate(daemon, "--test", "true", "--token-fd", "1"), 64, "--token-fd: the number")
            self.assertNotIn("secret.put", self.methods(daemon))

    def test_a_second_rotation_at_the_same_time_is_a_conflict(self):
        with fake(["current"]) as daemon:
            vault = daemon.vault
            put = vault.secret_put

            def overtaken(params):
                vault.secret_put = put
                put({"key": "x", "value": "x", "stage": True})
                return put(params)

            vault.secret_put = overtaken
            done = self.rotate(daemon, "--test", "true")
            self.refused(done, 65, "version 2 is staged: coffer secret promote")
            self.assertEqual([v["state"] for v in vault.versions], ["current", "staged"])

    def test_a_value_made_current_meanwhile_is_not_replaced_by_an_older_one(self):
        with fake(["current"]) as daemon:
            vault = daemon.vault
            record = vault.secret_record_test

            def overtaken(params):
                vault.secret_put({"key": "x", "value": "y"})
                return record(params)

            vault.secret_record_test = overtaken
            done = self.rotate(daemon, "--test", "true")
            self.assertEqual(done.status, 65)
            self.assertIn("version 2 stays staged", done.stderr)
            self.assertEqual([v["state"] for v in vault.versions], ["draining", "staged", "current"])

    def test_a_failed_test_leaves_everything_as_it_was(self):
        for command, word in (("exit 3", "version 2 has failed its test; "), ("exit 99", "no verdict was recorded, and the test ended with status 99")):
            with fake(["current"]) as daemon:
                done = self.rotate(daemon, "--test", command)
                self.assertEqual((done.status, done.stdout), (65, "1/5 staged version 2\n"))
                self.assertIn(word, done.stderr)
                self.assertIn("coffer rotate finance/sync PGPASSWORD --resume goes on", done.stderr)
                self.assertIn("coffer secret revoke finance/sync PGPASSWORD 2 destroys it", done.stderr)
                self.assertEqual([v["state"] for v in daemon.vault.versions], ["current", "staged"])

    def test_each_refusal_in_between_says_how_to_go_on(self):
        with fake(["current"]) as daemon:
            daemon.vault.refusals["secret.promote"] = [refusal("storage_full", "full")]
            done = self.rotate(daemon, "--test", "true")
            self.assertEqual(done.status, 74)
            self.assertIn("coffer: rotate finance/sync PGPASSWORD: full\ncoffer: version 2 stays staged", done.stderr)
        with fake(["current"]) as daemon:
            daemon.vault.refusals["secret.revoke"] = [refusal("storage_full", "full")]
            done = self.rotate(daemon, "--test", "true")
            self.assertEqual((done.status, done.stdout.count("\n")), (74, 4))
            self.assertIn("full\ncoffer: older versions are not revoked yet: coffer rotate", done.stderr)

    def test_a_rotation_takes_five_steps(self):
        with fake(["draining", "current"], test="test -n \"$HOME\"") as daemon:
            daemon.vault.hold(1)
            threading.Timer(1.5, daemon.vault.holders.clear).start()
            done = self.rotate(daemon, "--issuer-ref", "key-42", "--note", "yearly")
            self.assertEqual(done.status, 0, done.stderr)
            self.assertEqual(done.stdout, (
                "1/5 staged version 3\n2/5 version 3 has passed its test\n3/5 version 3 is current, version 2 is draining\n"
                "4/5 waiting until nobody holds version 1 any more\n"
                "5/5 PGPASSWORD: version 1 is revoked\ndelete it where it was made, too: the dba, reference key-1\nno backup holds it\n"
                "4/5 waiting until nobody holds version 2 any more\n"
                "5/5 PGPASSWORD: version 2 is revoked\ndelete it where it was made, too: the dba, reference key-2\nno backup holds it\n"))
            self.assertIn("version 1 may be held by 1", done.stderr)
            self.assertEqual([v["state"] for v in daemon.vault.versions], ["revoked", "revoked", "current"])
            put = next(params for method, params in daemon.vault.calls if method == "secret.put")
            self.assertEqual(put, {"integration": NAME[0], "key": NAME[1], "issuer_ref": "key-42", "note": "yearly", "stage": True,
                                   "expect_version": 2, "value": "new value"})
            promote = next(params for method, params in daemon.vault.calls if method == "secret.promote")
            self.assertEqual((promote["version"], promote["expect_version"], promote.get("untested")), (3, 3, None))
            self.assertFalse(any("force" in params for _, params in daemon.vault.calls))

    def test_a_first_value_is_promoted_and_that_is_all(self):
        with fake() as daemon:
            done = self.rotate(daemon, "--test", "true")
            self.assertEqual((done.status, done.stderr), (0, ""))
            self.assertEqual(done.stdout, "1/5 staged version 1\n2/5 version 1 has passed its test\n"
                                          "3/5 version 1 is current\nthere is no older version to revoke\n")

    def test_json_is_the_result_of_each_step(self):
        with fake(["current"]) as daemon:
            done = self.rotate(daemon, "--test", "true", "--json")
            self.assertEqual((done.status, done.stderr), (0, ""))
            self.assertEqual([json.loads(line)["state"] for line in done.stdout.splitlines()], ["staged", "current", "revoked"])

    def test_a_made_value_is_passed_on_before_its_test(self):
        got = self.path("got")
        with fake(["current"]) as daemon:
            done = self.rotate(daemon, "--generate", "--to-stdin-of", f"cat >{got}", "--test", f"test -s {got}")
            self.assertEqual((done.status, done.stderr), (0, ""))
            self.assertEqual(self.read(got), daemon.vault.values[2])
            self.silent_on(done, daemon.vault.values[2])
        with fake(["current"]) as daemon:
            done = self.rotate(daemon, "--generate", "--to-stdin-of", "exit 3", "--test", "true")
            self.refused(done, 65, "the command ended with status 3")
            self.assertEqual([v["state"] for v in daemon.vault.versions], ["current", "revoked"])

    def test_a_rotation_is_taken_up_where_it_stands(self):
        for states, tested, lines in (
            (["current", "staged"], False, ["1/5", "2/5 version 2 has passed its test", "3/5", "4/5", "5/5"]),
            (["current", "staged"], True, ["1/5", "2/5 version 2 has passed its test before", "3/5", "4/5", "5/5"]),
            (["draining", "revoked", "draining", "current"], False, ["4/5 waiting until nobody holds version 1", "5/5",
                                                                     "4/5 waiting until nobody holds version 3", "5/5"]),
            (["revoked", "current"], False, ["nothing to go on with"]),
            (["current", "draining"], False, ["nothing to go on with"]),  # brought back by a rollback
        ):
            with self.subTest(states=states), fake(states) as daemon:
                daemon.vault.versions[-1]["tested"] = tested
                done = self.rotate(daemon, "--resume", *([] if tested else ["--test", "true"]))
                self.assertEqual((done.status, done.stderr), (0, ""))
                shown = [line for line in done.stdout.splitlines() if not line.startswith(("delete", "no backup"))]
                self.assertEqual(len(shown), len(lines), shown)
                for line, start in zip(shown, lines, strict=True):
                    self.assertTrue(line.startswith(start), (line, start))
                self.assertNotIn("secret.put", self.methods(daemon))

    @unittest.skipUnless(os.getuid() == 0, "needs a user who is not root")
    def test_an_operator_who_may_not_test_waits_for_somebody_who_may(self):
        command = "printf '%s\\x41' \"it's\" >/dev/null"
        for passed, is_it, status, words in ((True, True, 0, ""), (False, True, 65, "version 2 has failed its test; version 2 stays staged"),
                                             (True, False, 65, "not the one that counts")):
            with fake(["current"], roles=["operator"], granted=[]) as daemon:
                process = self.start(daemon, "rotate", *NAME, "--test", command, "--generate", **NOBODY)
                self.assertIn("this user may not fetch it", process.stderr.readline())
                line = process.stderr.readline()
                self.assertEqual(shlex.split(line), ["coffer", "secret", "test", *NAME, "--", "/bin/sh", "-c", command])
                self.assertIn("nobody has tested", process.stderr.readline())
                self.assertEqual(daemon.vault.state(2), "staged")
                daemon.vault.verdict(passed, is_it)
                _, stderr = process.communicate(timeout=60)
                self.assertEqual(process.returncode, status, stderr)
                self.assertIn(words, stderr)
                self.assertEqual(daemon.vault.state(2), "current" if status == 0 else "staged")

    @unittest.skipUnless(os.getuid() == 0, "needs a user who is not root")
    def test_an_operator_who_may_fetch_runs_the_test(self):
        with fake(["current"], roles=["operator"]) as daemon:
            done = self.rotate(daemon, "--test", "true", **NOBODY)
            self.assertEqual((done.status, done.stderr), (0, ""))
            self.assertEqual(self.noted()[0]["uids"], [65534] * 3)

    @unittest.skipUnless(os.getuid() == 0, "needs a user who is not root")
    def test_a_staged_version_that_goes_away_ends_the_wait(self):
        with fake(["current"], roles=["operator"], granted=[]) as daemon:
            process = self.start(daemon, "rotate", *NAME, "--test", "true", "--generate", **NOBODY)
            self.wait_for(lambda: daemon.vault.find("staged"))
            daemon.vault.find("staged")["state"] = "revoked"
            _, stderr = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 65)
            self.assertIn("not staged any more", stderr)

    def test_an_interrupted_wait_says_how_to_go_on(self):
        with fake(["current"]) as daemon:
            daemon.vault.hold(1)
            process = self.start(daemon, "rotate", *NAME, "--test", "true", "--generate")
            self.assertIn("may be held", process.stderr.readline())
            self.wait_until_it_sleeps(process)
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=60)
            self.assertEqual(process.returncode, -signal.SIGINT)
            self.assertEqual(stderr, "coffer: interrupted; older versions are not revoked yet: "
                                     "coffer rotate finance/sync PGPASSWORD --resume goes on\n")

    def test_an_interrupted_test_leaves_the_version_staged(self):
        with fake(["current"]) as daemon:
            done = self.rotate(daemon, "--test", "exit 130")
            self.assertEqual(done.status, -signal.SIGINT)
            self.assertIn("interrupted; version 2 stays staged", done.stderr)


if __name__ == "__main__":
    ORIGINAL = os.path.abspath(sys.argv[1])
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
