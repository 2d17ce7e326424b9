#!/usr/bin/python3
"""coffer-manage against a daemon that answers by script.   usage: manage_cli.py COFFER_MANAGE MAKE_RECORDS"""

import base64
import fcntl
import json
import os
import pty
import re
import shlex
import signal
import stat
import subprocess
import sys
import termios
import threading
import unittest

import manage_base
from fake_daemon import FakeDaemon, refusal
from manage_base import CommandTest, encodings, environment, manage

MAKE_RECORDS = ""
SECRET = "hunter2-\"quoted\"-€"

COMMANDS = [
    "status", "whoami",
    "integration add", "integration list", "integration show", "integration edit", "integration transfer",
    "integration review", "integration suspend", "integration resume", "integration retire",
    "grant add", "grant list", "grant explain", "grant remove",
    "token create", "token list", "token revoke",
    "secret put", "secret edit", "secret list", "secret show", "secret test", "secret promote", "secret rollback",
    "secret revoke",
    "secret remove", "rotate", "holders", "history", "usage", "alerts", "alert ack",
    "doctor", "metrics",
    "request list", "request approve", "request reject",
    "apply", "import", "audit list", "audit follow", "audit export", "audit checkpoint", "audit verify", "report", "audit archive",
]

INTEGRATION = {
    "name": "finance/sync", "title": "Sync", "state": "active", "description": "first line\nOwner: nobody",
    "owner": "Ada", "contact": "ada@example.org", "systems": ["crm", "erp"], "labels": {"team": "data"},
    "environment": "production", "created_at": "2026-11-22T09:30:00.123Z", "created_by": "root", "purpose": None,
}
GRANT = {"id": 7, "integration": "finance/sync", "rule": {"user": "etl", "unit": "etl.service"}, "credentials": {},
         "created_at": "2026-11-22T09:30:00.123Z", "created_by": "root"}
LISTED = {"key": "PGPASSWORD", "description": "the warehouse", "issuer": "dba", "current": 3, "draining": [1, 2],
          "staged": 4, "fetches": 12, "last_fetched_at": None}
TOUCHED = {"integration": "finance/sync", "key": "PGPASSWORD", "version": 3, "state": "current", "put": True,
           "fetched": 7, "last_fetched_at": "2026-11-22T10:00:00.999Z"}
VERDICT = {"at": "2026-11-23T08:00:01.500Z", "by": "etl", "run": "01KAMZ0000000000000000000A", "passed": False,
           "exit_status": 124, "duration_ms": 30012, "command_digest": "ab" * 32}
HOLDERS = [
    {"integration": "finance/sync", "key": "PGPASSWORD", "version": 2, "holder": "process", "pid": 4711, "uid": 1001,
     "user": "etl", "exe": "/usr/bin/evil\x1b[2J\u202e", "unit": "etl.service", "invocation": "ab", "staged": False,
     "since": "2026-11-22T09:30:00.123Z", "run": "01KAMZ0000000000000000000A"},
    {"integration": "finance/sync", "key": "PGPASSWORD", "version": 2, "holder": "unit", "pid": None, "uid": None,
     "user": None, "exe": None, "unit": "etl.service", "invocation": "ab", "staged": False,
     "since": "2026-11-22T09:30:00.123Z", "run": None},
    {"integration": "finance/sync", "key": "PGPASSWORD", "version": 2, "holder": "unknown", "pid": 9, "uid": 1001,
     "user": "etl", "exe": None, "unit": None, "invocation": None, "staged": False,
     "since": "2026-11-22T09:30:00.123Z", "run": "01KAMZ0000000000000000000B"},
]
RUN = {"run": "01KAMZ0000000000000000000A", "at": "2026-11-22T09:30:00.123Z", "uid": 1001, "user": "etl", "pid": 4711,
       "unit": None, "staged": False, "versions": [{"key": "A", "version": 3}, {"key": "B", "version": 1}],
       "state": "running", "ended_at": None, "exit_status": None, "signal": None}
ALERT = {"kind": "test_failed", "severity": "warning", "integration": "finance/sync", "key": "PGPASSWORD", "version": 4,
         "since": "2026-11-22T09:30:00.123Z", "text": "its test failed\u202e", "advice": "coffer secret show"}
VERSIONS = [
    {"version": 4, "state": "staged", "created_at": "2026-11-23T07:00:00.000Z", "created_by": "root", "note": "\x1b[2J",
     "changed_at": "2026-11-23T07:00:00.000Z", "issuer_ref": "key-42", "expires_at": None, "fetches": 1, "holders": 1,
     "last_fetched_at": "2026-11-23T08:00:00.700Z", "tested": False, "tests": [VERDICT]},
    {"version": 2, "state": "revoked", "created_at": "2026-11-22T09:30:00.123Z", "created_by": "root", "note": "",
     "issuer_ref": None, "expires_at": None, "fetches": 3, "last_fetched_at": "2026-11-22T10:00:00.999Z"},
    {"version": 3, "state": "current", "created_at": "2026-11-22T09:31:00.000Z", "created_by": "root", "note": "new",
     "issuer_ref": None, "expires_at": None, "fetches": 0, "last_fetched_at": None},
]
RESULTS = {
    "status": {"version": "0.1.0", "sealed": False, "store": {"bytes": 4096}, "counts": {"integrations": 2}},
    "whoami": {"uid": 1001, "user": "etl", "gid": 1001, "groups": ["etl", "data"], "pid": 42, "unit": None,
               "unit_reason": "not in a unit", "roles": [], "integrations": ["finance/sync"]},
    "integration.add": {"integration": INTEGRATION},
    "integration.edit": {"integration": INTEGRATION},
    "integration.list": {"integrations": [INTEGRATION, {"name": "crm", "title": "evil\x1b[2J\u202e", "state": "suspended"}]},
    "integration.show": {"integration": INTEGRATION, "grants": [GRANT], "secrets": [LISTED]},
    "grant.add": {"grant": GRANT},
    "grant.list": {"grants": [GRANT]},
    "grant.explain": {
        "integration": "finance/sync", "state": "active", "user": "etl", "uid": 1001, "groups": [1001], "unit": None,
        "unit_reason": "no unit was asked about", "staged": False, "grant": None, "blocked": None,
        "verdict": "no grant matches",
        "grants": [{"id": 7, "rule": GRANT["rule"], "staged_only": False, "matches": False,
                    "conditions": [{"condition": "user", "holds": True, "reason": None},
                                   {"condition": "unit", "holds": False, "reason": "the caller has \x1b[2J none"}]}]},
    "grant.remove": {"removed": 7},
    "secret.list": {"secrets": [LISTED]},
    "secret.show": {"key": "PGPASSWORD", "description": "the warehouse", "issuer": "dba", "versions": VERSIONS},
    "secret.promote": {"key": "PGPASSWORD", "version": 4, "state": "current", "replaced": 3},
    "secret.rollback": {"key": "PGPASSWORD", "version": 3, "state": "current", "replaced": None},
    "secret.revoke": {"key": "PGPASSWORD", "version": 2, "state": "revoked", "issuer": "the dba\u202e",
                      "issuer_ref": "key-41", "backups": ["b-1", "b-2"]},
    "holder.list": {"holders": HOLDERS, "more": False},
    "run.list": {"runs": [RUN]},
    "secret.remove": {"removed": "PGPASSWORD"},
}


def answer(request, pid):
    if request["method"] == "secret.put":
        params = request["params"]
        return {"result": {"key": params["key"], "version": 1, "state": "current"}}
    return {"result": RESULTS[request["method"]]}


class ManageTest(CommandTest):
    # ---- usage ----

    def test_bad_usage_is_refused_with_64_before_any_request(self):
        with FakeDaemon(answer) as daemon:
            for args, word in (
                (["frobnicate"], "no such command"),
                (["integraton", "list"], "did you mean coffer integration list"),
                (["statu"], "did you mean coffer status"),
                (["run", "--", "true"], "run is carried out by the program coffer"),
                (["status", "x"], "too many arguments"),
                (["status", "--frobnicate"], "unknown option --frobnicate"),
                (["status", "-x"], "unknown option"),
                (["status", "--json=1"], "--json takes no value"),
                (["status", "--socket"], "--socket needs a value"),
                (["secret", "get", "finance/sync", "A"], "values cannot be read back; coffer run starts"),
                (["integration", "list", "--state", "activ"], "--state: active, suspended or retired"),
                (["integration", "add", "x", "--title=t", "--description=d", "--owner=o", "--contact=c",
                  "--rate-limit", "x"], "--rate-limit: not a number"),
                (["integration", "add", "x", "--title=t", "--description=d", "--owner=o", "--contact=c",
                  "--rate-limit", ""], "--rate-limit: not a number"),
                (["status", "--socket", "/x", "--socket", "/y"], "--socket is given twice"),
                (["grant", "add", "finance/sync"], "missing: RULE"),
                (["grant", "add", "finance/sync", "etl"], "user=NAME"),
                (["grant", "add", "finance/sync", "uid=3"], "user=NAME"),
                (["grant", "add", "finance/sync", "user=a", "user=b"], "twice"),
                (["grant", "add", "finance/sync", "user=a", "token", "token"], "twice"),
                (["grant", "add", "finance/sync", "user=a", "token=yes"], "user=NAME"),
                (["token", "create", "finance/sync", "t"], "missing: --description, --user"),
                (["token", "revoke", "finance/sync", "t"], "id: not a number"),
                (["grant", "remove", "finance/sync", "x"], "id: not a number"),
                (["grant", "remove", "finance/sync", "9007199254740992"], "id: too large"),
                (["grant", "remove", "finance/sync", "01"], "id: not a number"),
                (["secret", "show", "finance/sync"], "missing: KEY"),
                (["secret", "revoke", "finance/sync", "A"], "missing: VERSION"),
                (["secret", "list"], "name an INTEGRATION, or a user with --touched-by"),
                (["secret", "promote", "finance/sync", "A", "x"], "version: not a number"),
                (["secret", "promote", "finance/sync", "A", "1", "2"], "too many arguments"),
                (["history"], "missing: INTEGRATION"),
                (["history", "finance/sync", "--days", "x"], "--days: not a number"),
                (["secret", "test", "finance/sync"], "missing: KEY"),
                (["rotate", "finance/sync"], "missing: KEY"),
                (["integration", "edit", "x", "--labels", "a"], "KEY=VALUE"),
                (["integration", "edit", "x", "--labels", "a=1", "--labels", "a=2"], "twice"),
                (["integration", "edit", "x", "--title", b"\xff"], "not UTF-8"),
                (["import", "finance/sync"], "either a FILE or --unit"),
                (["import", "finance/sync", "x", "--unit", "x.service"], "either a FILE or --unit"),
                (["import", "No Name", "x"], "[workspace/]slug"),
                (["audit", "export", "--after", "-1"], "--after: not a number"),
            ):
                with self.subTest(args=args):
                    self.refused(manage(daemon, *args), 64, word)
            self.assertEqual(daemon.requests, [])

    def test_missing_mandatory_fields_are_all_named_in_one_error(self):
        with FakeDaemon(answer) as daemon:
            done = manage(daemon, "integration", "add", "finance/sync", "--owner", "Ada")
            self.refused(done, 64, "missing: --title, --description, --contact")
            self.assertEqual(done.stderr.count("\n"), 1)
            self.assertEqual(daemon.requests, [])

    def test_no_command_or_half_of_one_shows_the_commands_on_standard_error(self):
        for args in ((), ("grant",)):
            done = manage(None, *args)
            self.assertEqual(done.status, 64)
            self.assertEqual(done.stdout, "")
            self.assertIn("grant add", done.stderr)
            self.assertNotIn("no such command", done.stderr)

    def test_every_command_explains_itself(self):
        overview = manage(None, "--help")
        self.assertEqual(overview.status, 0)
        for words in COMMANDS + ["run"]:
            self.assertRegex(overview.stdout, rf"(?m)^  {words}\s")
        self.assertEqual(len(re.findall(r"(?m)^  [a-z]+( [a-z]+)?  ", overview.stdout)), len(COMMANDS) + 1)
        for words in COMMANDS:
            with self.subTest(words=words):
                done = manage(None, *words.split(), "--help")
                self.assertEqual((done.status, done.stderr), (0, ""))
                self.assertIn(f"usage: coffer {words}", done.stdout)
                self.assertIn("example:\n  ", done.stdout)
                self.assertIn(f"coffer {words}", done.stdout.split("example:")[1])
                for option in ("--json", "--socket PATH", "--help"):
                    self.assertEqual(len(re.findall(rf"(?m)^  {option}\s", done.stdout)), 1)
                names = re.findall(r"(?m)^  (--[a-z-]+)", done.stdout)
                self.assertEqual(len(names), len(set(names)))
                self.assertNotIn("--value", done.stdout)
                self.assertNotIn("--encoding", done.stdout)
        self.assertEqual(manage(None, "secret", "--help").status, 0)
        self.assertEqual(manage(None, "help").stdout, overview.stdout)
        self.assertEqual(manage(None, "help", "secret", "put").stdout, manage(None, "secret", "put", "--help").stdout)
        self.assertEqual(manage(None, "--version").stdout.split()[0], "coffer")

    def test_the_example_of_each_help_is_accepted(self):
        """An example that is bad usage would teach it."""
        for words in COMMANDS:
            example = manage(None, *words.split(), "--help").stdout.split("example:\n")[1].split("\n\n")[0]
            example = example.replace("\\\n", " ").split("|")[-1]
            args = shlex.split(example)
            self.assertEqual(args[0], "coffer")
            done = manage(None, "--socket", "/nonexistent/socket", *args[1:], stdin=b"x", cwd=self.directory)
            # the doctor looks at the host without a daemon, too
            self.assertIn(done.status, (0, 1) if words == "doctor" else (66, 69), (example, done.stderr))

    # ---- errors of the daemon and of the way to it ----

    def test_an_unreachable_daemon_is_69_with_a_way_out(self):
        done = manage(None, "status", "--socket", "/nonexistent/socket")
        self.refused(done, 69, "coffer: status: ", "/nonexistent/socket", "is cofferd running?")

    def test_user_wins_over_the_environment_and_a_socket_over_both(self):
        with FakeDaemon(answer) as daemon:
            self.refused(manage(daemon, "status", "--user"), 69, "/coffer/coffer.sock")
            self.assertEqual(daemon.requests, [])
            self.assertEqual(manage(None, "status", "--user", "--socket", daemon.path).status, 0)

    def test_a_socket_that_this_user_may_not_reach_is_said_to_be_that(self):
        options = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
        with FakeDaemon(answer) as daemon:
            if subprocess.run([manage_base.MANAGE, "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
                              **options).returncode != 0:
                self.skipTest("another user cannot reach the program")
            for place in (daemon.path, daemon.directory):
                mode = os.stat(place).st_mode
                os.chmod(place, 0)
                done = manage(daemon, "status", **options)
                os.chmod(place, mode)
                self.refused(done, 69, "this user may not reach the socket " + daemon.path)
                self.assertNotIn("running?", done.stderr)

    def test_each_error_word_has_its_exit_code_and_way_out(self):
        revoke = ["secret", "revoke", "finance/sync", "PGPASSWORD", "2"]
        for word, status, text, way_out in (
            ("denied", 77, "not permitted", "coffer whoami"),
            ("not_found", 66, "no such object", "coffer integration list"),
            ("bad_value", 65, "a value is not acceptable", ""),
            ("in_use", 65, "somebody may still hold it", "--force"),
            ("sealed", 75, "the vault is sealed", "journalctl"),
            ("busy", 75, "no room for this request now", "try again"),
            ("storage_full", 74, "the store has no space left", "free space"),
            ("internal", 70, "internal error", "journalctl"),
            ("unknown_method", 76, "no such method", "version"),
        ):
            with self.subTest(word=word), FakeDaemon(lambda r, p, w=word, t=text: refusal(w, t)) as daemon:
                done = manage(daemon, *revoke)
                self.refused(done, status, f"coffer: secret revoke finance/sync PGPASSWORD 2: {text}", way_out)
                self.assertEqual(done.stderr.count("\n"), 1)
        with FakeDaemon(lambda r, p: refusal("in_use", "somebody may still hold it: fake \u202eline")) as daemon:
            done = manage(daemon, *revoke)
            self.refused(done, 65, "may still hold it: fake \\xe2\\x80\\xaeline\n")
            self.assertEqual(done.stderr.count("\n"), 1)

    def test_an_answer_that_is_not_understood_is_76(self):
        for result in ([], 3, "x", None):
            with FakeDaemon(lambda r, p, x=result: {"result": x}) as daemon:
                self.assertEqual(manage(daemon, "status").status, 76)

    def test_a_full_standard_output_is_an_error(self):
        with FakeDaemon(answer) as daemon, open("/dev/full", "wb") as full:
            process = subprocess.run([manage_base.MANAGE, "status"], env=environment(daemon), stdout=full, stderr=subprocess.PIPE,
                                     timeout=60, check=False)
            self.assertEqual(process.returncode, 74)

    # ---- requests and their results ----

    def test_arguments_become_the_params_of_one_request(self):
        for args, method, params in (
            (["status"], "status", {}),
            (["integration", "add", "finance/sync", "--title", "T", "--description=D\n2", "--owner", "O",
              "--contact", "C", "--systems", "a, b", "--systems=c", "--labels", "team=x=y", "--labels", "b=",
              "--rate-limit", "60", "--rotate-after", "90d"], "integration.add",
             {"name": "finance/sync", "title": "T", "description": "D\n2", "owner": "O", "contact": "C",
              "systems": ["a, b", "c"], "labels": {"team": "x=y", "b": ""}, "rate_limit": 60, "rotate_after": "90d"}),
            (["integration", "edit", "x", "--systems", "", "--labels", "", "--rate-limit", ""], "integration.edit",
             {"name": "x", "systems": [], "labels": {}, "rate_limit": ""}),
            (["integration", "list", "--owner", "Ada \"x\"", "--state", "active"], "integration.list",
             {"owner": "Ada \"x\"", "state": "active"}),
            (["integration", "show", "--", "x"], "integration.show", {"name": "x"}),
            (["grant", "add", "x", "user=etl", "unit=etl.service"], "grant.add",
             {"integration": "x", "rule": {"user": "etl", "unit": "etl.service"}}),
            (["grant", "add", "x", "user=a", "--staged-only"], "grant.add",
             {"integration": "x", "rule": {"user": "a"}, "staged_only": True}),
            (["grant", "add", "x", "user=a", "token"], "grant.add",
             {"integration": "x", "rule": {"user": "a", "token": True}}),
            (["grant", "add", "x", "unit=e.service", "--credential", "tls.key=TLS_KEY", "--credential=b=B"], "grant.add",
             {"integration": "x", "rule": {"unit": "e.service"}, "credentials": {"tls.key": "TLS_KEY", "b": "B"}}),
            (["grant", "explain", "x", "--unit", "e.service", "--credential", "tls.key"], "grant.explain",
             {"integration": "x", "unit": "e.service", "credential": "tls.key"}),
            (["grant", "add", "x", "user=a", "--destroy-values"], "grant.add",
             {"integration": "x", "rule": {"user": "a"}, "destroy_values": True}),
            (["grant", "list"], "grant.list", {}),
            (["grant", "list", "x"], "grant.list", {"integration": "x"}),
            (["grant", "explain", "x"], "grant.explain", {"integration": "x"}),
            (["grant", "explain", "x", "--user", "etl", "--unit", "etl.service", "--staged"], "grant.explain",
             {"integration": "x", "user": "etl", "unit": "etl.service", "staged": True}),
            (["grant", "remove", "x", "7"], "grant.remove", {"integration": "x", "id": 7}),
            (["--json", "secret", "list", "x"], "secret.list", {"integration": "x"}),
            (["secret", "list", "--touched-by", "ada"], "secret.list", {"touched_by": "ada"}),
            (["secret", "promote", "x", "A"], "secret.promote", {"integration": "x", "key": "A"}),
            (["secret", "promote", "x", "A", "4", "--untested"], "secret.promote",
             {"integration": "x", "key": "A", "version": 4, "untested": True}),
            (["secret", "rollback", "x", "A", "3", "--expect-version", "4"], "secret.rollback",
             {"integration": "x", "key": "A", "version": 3, "expect_version": 4}),
            (["secret", "revoke", "x", "A", "2", "--processes-only"], "secret.revoke",
             {"integration": "x", "key": "A", "version": 2, "processes_only": True}),
            (["holders"], "holder.list", {}),
            (["holders", "x", "A"], "holder.list", {"integration": "x", "key": "A"}),
            (["history", "x", "--days", "7", "--limit", "3"], "run.list", {"integration": "x", "days": 7, "limit": 3}),
            (["secret", "show", "x", "A", "--json"], "secret.show", {"integration": "x", "key": "A"}),
            (["secret", "revoke", "x", "A", "2", "--force", "--expect-version", "0"], "secret.revoke",
             {"integration": "x", "key": "A", "version": 2, "force": True, "expect_version": 0}),
            (["secret", "remove", "x", "A", "--request-id", "0" * 32], "secret.remove",
             {"integration": "x", "key": "A", "request_id": "0" * 32}),
        ):
            with self.subTest(args=args), FakeDaemon(answer) as daemon:
                done = manage(daemon, *args)
                self.assertEqual((done.status, done.stderr), (0, ""))
                self.assertEqual([(r["method"], r.get("params", {})) for r in daemon.requests], [(method, params)])

    def test_json_is_the_result_as_it_is(self):
        with FakeDaemon(answer) as daemon:
            words = {"holder.list": ["holders"], "run.list": ["history", "x"]}
            for method, result in RESULTS.items():
                extra = {"integration.add": ["x", "--title=t", "--description=d", "--owner=o", "--contact=c"],
                         "integration.show": ["x"], "integration.edit": ["x"], "grant.add": ["x", "user=u"],
                         "grant.remove": ["x", "7"], "grant.explain": ["x"], "secret.list": ["x"], "secret.show": ["x", "A"],
                         "secret.promote": ["x", "A"], "secret.rollback": ["x", "A"],
                         "secret.revoke": ["x", "A", "2"], "secret.remove": ["x", "A"]}.get(method, [])
                done = manage(daemon, *words.get(method, method.split(".")), *extra, "--json")
                self.assertEqual(done.status, 0, done.stderr)
                self.assertEqual(done.stdout, json.dumps(result) + "\n")

    def test_lists_are_aligned_tables(self):
        with FakeDaemon(answer) as daemon:
            lines = manage(daemon, "secret", "show", "finance/sync", "PGPASSWORD").stdout.split("\n")
        table = [line for line in lines if re.match(r"\s*(VERSION|\d+ )", line)]
        self.assertEqual(len(table), 4)
        at = table[0].index("STATE")
        self.assertTrue(table[1][at:].startswith("staged"))
        self.assertTrue(table[2][at:].startswith("revoked"))
        self.assertTrue(table[3][at:].startswith("current"))
        self.assertIn("2026-11-22T09:30:00Z", table[2])
        self.assertNotIn(".123", table[2])
        self.assertIn("never", table[3])
        self.assertNotIn("\x1b", "".join(lines))

    def test_text_of_others_cannot_act_on_the_terminal(self):
        with FakeDaemon(answer) as daemon:
            done = manage(daemon, "integration", "list")
            self.assertIn("evil\\x1b[2J\\xe2\\x80\\xae", done.stdout)
            self.assertNotIn("\x1b", done.stdout)
            self.assertNotIn("\u202e", done.stdout)
            block = manage(daemon, "integration", "show", "finance/sync").stdout
            self.assertEqual(len(re.findall(r"(?m)^Owner:", block)), 1)
            self.assertRegex(block, r"(?m)^ +Owner: nobody")

    def test_nobody_elses_text_in_the_new_tables_acts_on_the_terminal(self):
        with FakeDaemon(lambda r, p: {"result": {"alerts": [ALERT]}} if r["method"] == "alert.list" else answer(r, p)) as daemon:
            for args in (["holders"], ["history", "x"], ["alerts"], ["secret", "show", "x", "A"], ["secret", "revoke", "x", "A", "2"]):
                done = manage(daemon, *args)
                for raw in ("\x1b", "\u202e"):
                    self.assertNotIn(raw, done.stdout + done.stderr)
            self.assertIn("evil\\x1b[2J\\xe2\\x80\\xae", manage(daemon, "holders").stdout)

    def test_holders_say_who_may_hold_what(self):
        with FakeDaemon(answer) as daemon:
            rows = manage(daemon, "holders", "finance/sync", "PGPASSWORD").stdout.splitlines()
        self.assertRegex(rows[0], r"^INTEGRATION +KEY +VERSION +WHO +USER +UNIT +EXE +SINCE$")
        self.assertRegex(rows[1], r" 2 +4711 +etl +etl.service +/usr/bin/evil\S+ +2026-11-22T09:30:00Z$")
        self.assertRegex(rows[2], r" 2 +children may hold +- +etl.service +- +2026")
        self.assertRegex(rows[3], r" 2 +unknown +etl +- +- +2026")
        given = {**HOLDERS[1], "delivered": True}
        with FakeDaemon(lambda r, p: {"result": {"holders": [given], "more": False}}) as daemon:
            self.assertRegex(manage(daemon, "holders").stdout, r" 2 +the unit +- +etl.service +- +2026")
        with FakeDaemon(lambda r, p: {"result": {"holders": HOLDERS, "more": True}}) as daemon:
            self.assertIn("there are more", manage(daemon, "holders").stderr)

    def test_history_says_how_each_run_ended(self):
        ends = (({}, "running"), ({"state": "ended", "exit_status": 0}, "exit 0"), ({"state": "ended", "signal": 15}, "signal 15"),
                ({"state": "ended"}, "ended"), ({"state": "released"}, "released"), ({"state": "again"}, "fetched again"), ({"state": "delivered"}, "delivered"),
                ({"state": "unknown", "versions": []}, "unknown"))
        runs = [{**RUN, **end} for end, _ in ends]
        with FakeDaemon(lambda r, p: {"result": {"runs": runs}}) as daemon:
            rows = manage(daemon, "history", "finance/sync").stdout.splitlines()
        self.assertRegex(rows[1], r"^2026-11-22T09:30:00Z +etl +- +4711 +A=3 B=1 +no +running +-$")
        for row, (_, word) in zip(rows[1:], ends, strict=True):
            self.assertRegex(row, rf" no +{word} +-$")

    def test_alerts_are_the_exit_status(self):
        for alerts, status in (([], 0), ([ALERT], 1)):
            with FakeDaemon(lambda r, p, a=alerts: {"result": {"alerts": a}}) as daemon:
                for extra in ((), ("--json",)):
                    done = manage(daemon, "alerts", *extra)
                    self.assertEqual((done.status, done.stderr), (status, ""))
                self.assertEqual(json.loads(done.stdout), {"alerts": alerts})
        with FakeDaemon(lambda r, p: {"result": {}}) as daemon:
            self.refused(manage(daemon, "alerts"), 76, "no alerts")
        self.refused(manage(None, "alerts", "--socket", "/nonexistent/socket"), 69)

    def test_tests_stand_below_the_versions(self):
        with FakeDaemon(answer) as daemon:
            shown = manage(daemon, "secret", "show", "finance/sync", "PGPASSWORD").stdout
        self.assertEqual(shown.count("Tests of version"), 1)
        below = shown.split("Tests of version 4:\n")[1].splitlines()
        self.assertRegex(below[0], r"^AT +BY +VERDICT +STATUS +TOOK +COMMAND$")
        self.assertRegex(below[1], r"^2026-11-23T08:00:01Z +etl +failed +124 +30 s +abababababab$")
        self.assertIn("2026-11-23T08:00:00Z", shown)

    def test_what_a_user_has_touched_is_listed_by_version(self):
        with FakeDaemon(lambda r, p: {"result": {"user": "ada", "secrets": [TOUCHED]}}) as daemon:
            rows = manage(daemon, "secret", "list", "--touched-by", "ada").stdout.splitlines()
        self.assertRegex(rows[0], r"^INTEGRATION +KEY +VERSION +STATE +PUT +FETCHED +LAST FETCHED$")
        self.assertRegex(rows[1], r"^finance/sync +PGPASSWORD +3 +current +yes +7 +2026-11-22T10:00:00Z$")

    def test_the_managers_of_an_integration_are_shown_by_number(self):
        managers = [{"user": "ada", "uid": 1001}, {"group": "evil\x1b[2J", "gid": 0}]
        with FakeDaemon(lambda r, p: {"result": {**RESULTS["integration.show"], "managers": managers}}) as daemon:
            shown = manage(daemon, "integration", "show", "x").stdout
        rows = shown.split("Managers:\n")[1].splitlines()
        self.assertRegex(rows[0], r"^USER +UID +GROUP +GID$")
        self.assertRegex(rows[1], r"^ada +1001 +- +-$")
        self.assertRegex(rows[2], r"^- +- +evil.*2J +0$")
        self.assertNotIn("\x1b", shown)
        with FakeDaemon(answer) as daemon:
            self.assertNotIn("Managers", manage(daemon, "integration", "show", "x").stdout)

    def test_an_explained_grant_says_which_condition_fails(self):
        with FakeDaemon(answer) as daemon:
            rows = manage(daemon, "grant", "explain", "x", "--user", "etl").stdout.splitlines()
        self.assertEqual(rows[0], "user etl (1001) without a unit (no unit was asked about): no grant matches")
        self.assertRegex(rows[2], r"^ID +RULE +MATCHES +CONDITIONS$")
        self.assertRegex(rows[3], r"^ *7 +user=etl unit=etl.service +no +user: yes, unit: no \(the caller has .*none\)$")
        self.assertNotIn("\x1b", rows[3])

    def test_user_is_the_field_where_the_command_has_one_and_the_own_vault_elsewhere(self):
        with FakeDaemon(answer) as daemon:
            self.refused(manage(daemon, "grant", "explain", "x", "--user"), 64, "--user needs a value")
            text = manage(daemon, "grant", "explain", "--help").stdout
            self.assertIn("--user USER", text)
            self.assertNotIn("your own vault", text)
            self.assertIn("your own vault", manage(daemon, "grant", "list", "--help").stdout)

    def test_a_tester_sees_what_is_staged_only(self):
        who = {**RESULTS["whoami"], "integrations": [], "staged_only": ["finance/sync"]}
        with FakeDaemon(lambda r, p: {"result": who}) as daemon:
            self.assertRegex(manage(daemon, "whoami").stdout, r"(?m)^Staged only: +finance/sync$")
        tester = {**GRANT, "staged_only": True}
        with FakeDaemon(lambda r, p: {"result": {"grant": tester, "grants": [tester]}}) as daemon:
            self.assertEqual(manage(daemon, "grant", "add", "x", "user=etl", "--staged-only").stdout,
                             "grant 7: user=etl unit=etl.service may fetch what is staged of finance/sync\n")
            self.assertRegex(manage(daemon, "grant", "list").stdout, r"STAGED ONLY[^\n]*\n[^\n]*etl.service +- +yes ")

    def test_a_block_leaves_out_what_the_daemon_did_not_say(self):
        with FakeDaemon(answer) as daemon:
            done = manage(daemon, "status")
            self.assertRegex(done.stdout, r"(?m)^Sealed: +no$")
            self.assertRegex(done.stdout, r"(?m)^Store: +4.0 KiB$")
            self.assertNotIn("Grants", done.stdout)
            self.assertRegex(manage(daemon, "whoami").stdout, r"(?m)^Groups: +etl, data$")

    def test_effects_are_told_in_one_line(self):
        with FakeDaemon(answer) as daemon:
            for args, line in (
                (["grant", "add", "finance/sync", "user=etl"], "grant 7: user=etl unit=etl.service may fetch finance/sync\n"),
                (["grant", "remove", "finance/sync", "7"], "grant 7 removed\n"),
                (["secret", "revoke", "finance/sync", "PGPASSWORD", "2"],
                 "PGPASSWORD: version 2 is revoked\n"
                 "delete it where it was made, too: the dba\\xe2\\x80\\xae, reference key-41\n"
                 "backups that still hold it, sealed: b-1, b-2\n"),
                (["secret", "promote", "finance/sync", "PGPASSWORD"],
                 "PGPASSWORD: version 4 is current, version 3 is draining\n"),
                (["secret", "rollback", "finance/sync", "PGPASSWORD"], "PGPASSWORD: version 3 is current\n"),
                (["secret", "remove", "finance/sync", "PGPASSWORD"], "PGPASSWORD removed\n"),
            ):
                self.assertEqual(manage(daemon, *args).stdout, line)

    def test_a_revoke_says_what_is_known_of_where_to_delete(self):
        bare = {"key": "A", "version": 2, "state": "revoked"}
        for more, lines in (
            ({}, "delete it where it was made, too\n"),
            ({"issuer_ref": "k", "issuer": None, "backups": []}, "delete it where it was made, too: its reference there is k\nno backup holds it\n"),
            ({"issuer": "dba"}, "delete it where it was made, too: dba\n"),
            ({"backups": ["b"] * 32}, f"delete it where it was made, too\nbackups that still hold it, sealed: {', '.join(['b'] * 32)}, and perhaps older ones\n"),
        ):
            with FakeDaemon(lambda r, p, m=more: {"result": {**bare, **m}}) as daemon:
                self.assertEqual(manage(daemon, "secret", "revoke", "x", "A", "2").stdout, "A: version 2 is revoked\n" + lines)

    def test_an_empty_list_says_so(self):
        with FakeDaemon(lambda r, p: {"result": {"grants": []}}) as daemon:
            done = manage(daemon, "grant", "list")
            self.assertEqual((done.status, done.stdout, done.stderr), (0, "none\n", ""))

    # ---- values: P1, P3 ----

    def put(self, daemon, stdin, *args):
        return manage(daemon, "secret", "put", "finance/sync", "PGPASSWORD", *args, stdin=stdin)

    def test_a_value_on_the_command_line_is_refused_and_not_repeated(self):
        with FakeDaemon(answer) as daemon:
            for extra in ((SECRET,), (f"--value={SECRET}",), ("--value", SECRET), (f"--{SECRET}",), (f"-{SECRET}",)):
                done = self.put(daemon, b"x", *extra)
                self.refused(done, 64, "never taken from the command line")
                self.silent_on(done, SECRET)
            self.assertEqual(daemon.requests, [])

    def test_values_that_cannot_be_are_refused_before_any_request(self):
        with FakeDaemon(answer) as daemon:
            for stdin, word in ((b"", "empty"), (b"\n", "empty"), (b"a\0b", "NUL"), (b"a\nb\n", "--multiline"),
                                (b"a\r\n", "--multiline"), (b"x" * 65536, "65535"), (b"x" * 1000000, "65535")):
                self.refused(self.put(daemon, stdin), 65, word)
            self.assertEqual(daemon.requests, [])

    def test_a_key_that_cannot_be_is_refused_before_a_value_is_read(self):
        with FakeDaemon(answer) as daemon:
            for key, word in (("A-B", "naming rules"), ("LD_PRELOAD", "dangerous")):
                args = ["secret", "put", "x", key]
                # An open pipe that nobody writes to: whoever reads from it waits.
                read_end, write_end = os.pipe()
                process = subprocess.run([manage_base.MANAGE, *args], env=environment(daemon), stdin=read_end, check=False,
                                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
                os.close(read_end)
                os.close(write_end)
                self.assertEqual(process.returncode, 65)
                self.assertIn(word, process.stderr.decode())
                status, seen = self.at_terminal(daemon, args, [])
                self.assertEqual(status, 65)
                self.assertNotIn(b"shown): ", seen)
            self.assertEqual(daemon.requests, [])

    def test_a_value_arrives_as_it_was_given(self):
        for stdin, args, value in (
            (b"plain", (), b"plain"),
            (b"plain\n", (), b"plain"),
            (b"plain\n\n", ("--multiline",), b"plain\n"),
            (b"plain\n", ("--multiline", "--exact"), b"plain\n"),
            (SECRET.encode(), (), SECRET.encode()),
            (b"\xff\xfe", (), b"\xff\xfe"),
            (b"\x01" * 65535, (), b"\x01" * 65535),
            (b"x" * 65535 + b"\n", (), b"x" * 65535),
            ("€".encode() * 21845, (), "€".encode() * 21845),
        ):
            with self.subTest(value=value[:20]), FakeDaemon(answer) as daemon:
                done = self.put(daemon, stdin, "--note", "n", *args)
                self.assertEqual((done.status, done.stderr), (0, ""))
                self.assertEqual(done.stdout, "PGPASSWORD: version 1 is current\n")
                params = daemon.requests[0]["params"]
                sent = params["value"]
                raw = base64.b64decode(sent) if params.get("encoding") == "base64" else sent.encode()
                self.assertEqual(raw, value)
                self.assertEqual((params["integration"], params["key"], params["note"]),
                                 ("finance/sync", "PGPASSWORD", "n"))

    def test_a_refused_value_is_in_no_message(self):
        with FakeDaemon(lambda r, p: refusal("denied")) as daemon:
            done = self.put(daemon, SECRET.encode())
            self.refused(done, 77, "coffer: secret put finance/sync PGPASSWORD: ")
            self.silent_on(done, SECRET)
            self.assertEqual(len(daemon.requests), 1)

    def test_a_private_key_gets_a_note(self):
        with FakeDaemon(answer) as daemon:
            done = self.put(daemon, b"-----BEGIN OPENSSH PRIVATE KEY-----\nx\n", "--multiline")
            self.assertEqual(done.status, 0)
            self.assertIn("coffer: note: the value looks like a key", done.stderr)

    def test_no_other_process_may_look_into_one_that_reads_a_value(self):
        with FakeDaemon(answer) as daemon:
            process = subprocess.Popen([manage_base.MANAGE, "secret", "put", "x", "A"], env=environment(daemon),
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            process.stdin.write(b"x")
            process.stdin.flush()
            # It sleeps nowhere but where it waits for the rest of the value.
            path = f"/proc/{process.pid}/"
            while self.read(path + "stat").rsplit(") ", 1)[1][0] != "S":
                self.assertIsNone(process.poll())
            core = next(line for line in self.read(path + "limits").split("\n") if line.startswith("Max core file"))
            self.assertEqual(core.split()[4:6], ["0", "0"])
            self.assertEqual(os.stat(path + "environ").st_uid, 0)
            process.communicate(timeout=60)



    @unittest.skipUnless(os.getuid() == 0, "only root may look into it")
    def test_a_value_is_in_locked_memory_alone(self):
        """P1: while the daemon has not answered yet, everything that was made from the value still exists."""
        canary = b"Zq7-canary-abcdefghijklmnop"
        asked, looked = threading.Event(), threading.Event()

        def hold(request, pid):
            asked.set()
            looked.wait(60)
            return answer(request, pid)

        path = self.write("env", b"A='" + canary + b"'\n")
        for args, stdin in ((["secret", "put", "x", "A"], canary), (["secret", "put", "x", "A"], b"\xff" + canary),
                            (["import", "x", path], b"")):
            asked.clear()
            looked.clear()
            with self.subTest(args=args), FakeDaemon(hold) as daemon:
                process = subprocess.Popen([manage_base.MANAGE, *args], env=environment(daemon), stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                process.stdin.write(stdin)
                process.stdin.close()
                self.assertTrue(asked.wait(60))
                flags = self.mappings_with(process.pid, canary)
                looked.set()
                process.stdin = None
                process.communicate(timeout=60)
                self.assertEqual(process.returncode, 0)
                self.assertGreater(len(flags), 0)
                for each in flags:
                    self.assertIn("lo", each)
                    self.assertIn("dd", each)

    def test_the_prompt_asks_twice_and_shows_nothing(self):
        value = SECRET.encode()
        with FakeDaemon(answer) as daemon:
            args = ["secret", "put", "finance/sync", "PGPASSWORD"]
            script = [(b"shown): ", value + b"\n"), (b"again: ", value + b"\n"), (b"leaves it out): ", b"\n")]
            status, seen = self.at_terminal(daemon, args, script)
            self.assertEqual(status, 0, seen)
            self.assertEqual(daemon.requests[0]["params"]["value"], SECRET)
            for form in encodings(SECRET):
                self.assertNotIn(form, seen)
            status, seen = self.at_terminal(daemon, args, [(b"shown): ", value + b"\n"), (b"again: ", b"other\n")])
            self.assertEqual(status, 65)
            self.assertIn(b"the two entries differ", seen)
            self.assertNotIn(value, seen)
            # A terminal drops what is over its limit without a word.
            status, seen = self.at_terminal(daemon, args, [(b"shown): ", b"x" * 4500 + b"\n")])
            self.assertEqual(status, 65)
            self.assertIn(b"a terminal cuts long lines", seen)
            self.assertEqual(len(daemon.requests), 1)

    def test_the_prompt_takes_one_line_or_nothing(self):
        """What is pasted behind the first line would be lost without a word."""
        args = ["secret", "put", "finance/sync", "PGPASSWORD"]
        with FakeDaemon(answer) as daemon:
            for typed in (b"hunter2\nsecond\nthird\n", b"hunter2\nsecond", b"hunter2\n" + b"second third\n" * 200):
                status, seen = self.at_terminal(daemon, args, [(b"shown): ", typed)])
                self.assertEqual(status, 65, seen)
                self.assertIn(b"more than one line", seen)
                self.assertNotIn(b"again: ", seen)
                for piece in (b"hunter2", b"second", b"third"):
                    self.assertNotIn(piece, seen)
            for typed in (b"\x04", b"\n"):
                status, seen = self.at_terminal(daemon, args, [(b"shown): ", typed)])
                self.assertEqual(status, 65, seen)
                self.assertIn(b"no value was entered", seen)
                self.assertNotIn(b"again: ", seen)
            status, seen = self.at_terminal(daemon, [*args, "--multiline"], [])
            self.assertEqual(status, 65, seen)
            self.assertIn(b"give a value with line breaks on standard input", seen)
            self.assertEqual(daemon.requests, [])

    def test_a_signal_at_the_prompt_leaves_the_terminal_as_it_was(self):
        main, side = pty.openpty()
        before = termios.tcgetattr(side)
        pid = os.fork()
        if pid == 0:
            os.setsid()
            fcntl.ioctl(side, termios.TIOCSCTTY, 0)
            for fd in range(3):
                os.dup2(side, fd)
            os.execve(manage_base.MANAGE, [manage_base.MANAGE, "secret", "put", "x", "A"], environment(None))
        seen = b""
        while not seen.endswith(b"shown): "):
            seen += os.read(main, 4096)
        self.assertEqual(termios.tcgetattr(side)[3] & termios.ECHO, 0)
        os.write(main, b"hun\x03")
        _, status = os.waitpid(pid, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), -signal.SIGINT)
        self.assertEqual(termios.tcgetattr(side), before)
        os.close(main)
        os.close(side)

    def test_empty_columns_make_room_on_a_narrow_terminal(self):
        listed = [{"seq": 7, "kind": "env.fetch", "outcome": "denied", "uid": 1000, "detail": "x" * 40}]
        with FakeDaemon(lambda r, p: {"result": {"records": listed}}) as daemon:
            args = ["audit", "list", "--kind", "env.fetch"]
            self.assertIn("NUMBER", manage(daemon, *args).stdout)
            _, seen = self.at_terminal(daemon, args, [], columns=200)
            self.assertIn(b"NUMBER", seen)
            _, seen = self.at_terminal(daemon, args, [], columns=80)
            for label, is_shown in ((b"SEQ", True), (b"DETAIL", True), (b"NUMBER", False), (b"UNIT", False)):
                self.assertEqual(label in seen, is_shown, seen)
            self.assertIn(b"x" * 40, seen)

    def test_a_table_that_no_terminal_could_hold_is_shown_in_blocks(self):
        with FakeDaemon(answer) as daemon:
            _, seen = self.at_terminal(daemon, ["secret", "show", "x", "A"], [], columns=100)
            self.assertNotIn(b"VERSION ", seen.split(b"Tests of version")[0])
            self.assertEqual(re.findall(rb"(?m)^VERSION: +(\d)\r$", seen), [b"4", b"2", b"3"])
            self.assertRegex(seen, rb"(?m)^LAST FETCHED: +never\r$")
            _, seen = self.at_terminal(daemon, ["secret", "show", "x", "A"], [], columns=240)
            self.assertNotIn(b"VERSION:", seen)

    def test_missing_fields_are_asked_for_at_a_terminal(self):
        with FakeDaemon(answer) as daemon:
            script = [(b"recognise it by): ", b"\n"), (b"recognise it by): ", b"My title\n"),
                      (b"what it does): ", b"D\n"), (b"reach the owner): ", b"C\n")]
            status, seen = self.at_terminal(daemon, ["integration", "add", "x", "--owner", "O"], script)
            self.assertEqual(status, 0, seen)
            self.assertEqual(daemon.requests[0]["params"],
                             {"name": "x", "title": "My title", "description": "D", "owner": "O", "contact": "C"})
            status, _ = self.at_terminal(daemon, ["integration", "add", "x"], [(b"recognise it by): ", b"\x04")])
            self.assertEqual(status, 64)

    def test_colours_are_for_terminals_without_no_color(self):
        with FakeDaemon(answer) as daemon:
            args = ["secret", "show", "finance/sync", "PGPASSWORD"]
            _, seen = self.at_terminal(daemon, args, [], columns=200)
            self.assertIn(b"\x1b[", seen)
            _, seen = self.at_terminal(daemon, args, [], columns=200, NO_COLOR="1")
            self.assertNotIn(b"\x1b[", seen)

    # ---- import ----

    def test_an_import_with_a_doubtful_line_stores_nothing(self):
        path = self.write("env", f"A={'x' * 8}\nB={SECRET}$\nC: hunter2\n# fine\nPATH=/hunter2\n")
        with FakeDaemon(answer) as daemon:
            done = manage(daemon, "import", "finance/sync", path)
            self.refused(done, 65, f"{path}:2: ", f"{path}:3: ", f"{path}:5: ", "nothing was stored")
            self.assertNotIn(f"{path}:1: ", done.stderr)
            self.assertNotIn("hunter2", done.stderr)
            self.assertEqual(daemon.requests, [])
            done = manage(daemon, "import", "finance/sync", path, "--only", "A,NOPE")
            self.refused(done, 66, "NOPE is not set there")
            self.assertEqual(daemon.requests, [])

    def test_an_import_that_cannot_read_is_refused(self):
        with FakeDaemon(answer) as daemon:
            self.refused(manage(daemon, "import", "x", self.path("absent")), 66, "No such file")
            self.refused(manage(daemon, "import", "x", self.directory), 65, "not a regular file")
            self.refused(manage(daemon, "import", "x", self.write("empty", "# nothing\n")), 66, "nothing is set")
            self.refused(manage(daemon, "import", "x", "--unit", "absent.service", "--root", self.directory), 66, "no unit file")
            self.assertEqual(daemon.requests, [])

    def test_an_import_through_a_symbolic_link_is_refused(self):
        """Whoever owns a directory on the way would choose which of the caller's files the vault hands out."""
        path = self.write("real/deep/env", "A=hunter2\n")
        os.symlink("real/deep/env", self.path("link"))  # the last component
        os.symlink("real", self.path("way"))  # one in the middle
        os.symlink("way/deep/env", self.path("both"))
        with FakeDaemon(answer) as daemon:
            for typed in ("link", "way/deep/env", "both"):
                done = manage(daemon, "import", "finance/sync", self.path(typed))
                self.refused(done, 65, f"{path}: ", "through a symbolic link")
                self.silent_on(done, "hunter2")
                done = manage(daemon, "import", "finance/sync", typed, cwd=self.directory)
                self.refused(done, 65, f"{path}: ", "through a symbolic link")
            self.assertEqual(daemon.requests, [])
            done = manage(daemon, "import", "finance/sync", path)
            self.assertEqual((done.status, done.stderr), (0, ""))
            self.assertEqual([r["params"]["value"] for r in daemon.requests], ["hunter2"])

    def test_a_file_is_imported_key_by_key(self):
        path = self.write("env", "A='" + SECRET.replace("€", "#$x") + "'\n\nB=two\nC='three\nlines\n'\n")
        os.chmod(path, 0o644)
        with FakeDaemon(answer) as daemon:
            dry = manage(daemon, "import", "finance/sync", path, "--dry-run")
            self.assertEqual(dry.status, 0, dry.stderr)
            self.assertIn("Nothing was stored", dry.stdout)
            self.assertEqual(daemon.requests, [])
            done = manage(daemon, "import", "finance/sync", path)
            self.assertEqual((done.status, done.stderr), (0, ""))
            self.assertEqual([r["method"] for r in daemon.requests], ["secret.put"] * 3)
            params = {r["params"]["key"]: r["params"] for r in daemon.requests}
            self.assertEqual({k: p["value"] for k, p in params.items()},
                             {"A": SECRET.replace("€", "#$x"), "B": "two", "C": "three\nlines\n"})
            self.assertEqual([k for k, p in params.items() if p.get("multiline")], ["C"])
            self.assertEqual(params["C"]["note"], f"imported from {path}:4-6")
            self.assertIn(f"{path}:4-6", done.stdout)
            self.assertIn("Every user of this host could read", done.stdout)
            self.assertNotIn("hunter2", done.stdout)
            os.chmod(path, 0o600)
            done = manage(daemon, "import", "finance/sync", path, "--only", "B", "--json")
            self.assertEqual(json.loads(done.stdout), {"integration": "finance/sync", "imported": [
                {"key": "B", "version": 1, "state": "current", "places": [f"{path}:3"]}]})

    def test_an_import_that_breaks_off_says_what_was_stored(self):
        path = self.write("env", "A=1\nB=2\nC=3\n")

        def refuse_b(request, pid):
            return refusal("storage_full") if request["params"]["key"] == "B" else answer(request, pid)

        with FakeDaemon(refuse_b) as daemon:
            done = manage(daemon, "import", "finance/sync", path)
            self.assertEqual(done.status, 74)
            self.assertEqual(len(daemon.requests), 2)
            self.assertRegex(done.stdout, r"(?m)^A +1 +current")
            self.assertNotIn("delete", done.stdout)
            self.assertIn("B was not stored", done.stderr)
            self.refused(manage(daemon, "import", "finance/sync", path, "--only", "B"), 74, "B was not stored")

    def test_a_service_is_imported_with_the_lines_to_delete(self):
        root = self.directory
        self.write("etc/systemd/system/etl.service",
                   "[Service]\nEnvironment=LANG=C \"PGPASSWORD=old one\"\nEnvironmentFile=-/etc/etl.env\nExecStart=/bin/true\n")
        self.write("etc/systemd/system/etl.service.d/override.conf", "[Service]\nEnvironment=TOKEN=tok%%en\n")
        self.write("etc/etl.env", "; comment\nPGPASSWORD='new # one'\n")
        with FakeDaemon(answer) as daemon:
            done = manage(daemon, "import", "finance/sync", "--unit", "etl.service", "--root", root)
            self.refused(done, 65, "etl.service:2: ", "nothing was stored")
            done = manage(daemon, "import", "finance/sync", "--unit", "etl.service", "--root", root,
                          "--only", "PGPASSWORD,TOKEN")
            self.assertEqual((done.status, done.stderr), (0, ""))
            self.assertEqual({r["params"]["key"]: r["params"]["value"] for r in daemon.requests},
                             {"PGPASSWORD": "new # one", "TOKEN": "tok%en"})
            self.assertIn(f"{root}/etc/systemd/system/etl.service:2, {root}/etc/etl.env:2", done.stdout)
            self.assertIn("systemctl daemon-reload", done.stdout)
            self.assertIn("coffer run finance/sync --", done.stdout)

    # ---- audit ----

    def records(self, count):
        made = subprocess.run([MAKE_RECORDS, str(count)], stdout=subprocess.PIPE, check=True, timeout=60)
        return made.stdout.decode().splitlines()

    def auditor(self, lines, head=None, page=3):
        records = [json.loads(line) for line in lines]
        last = records[-1] if records else {"seq": 0, "hash": "0" * 64}

        def pages(request, pid):
            params = request["params"]
            chosen = [r for r in records if r["seq"] > params["after"]][:page]
            return {"result": {"records": chosen, "last": chosen[-1]["seq"] if chosen else params["after"],
                               "head": head or {"seq": last["seq"], "hash": last["hash"]}}}
        return pages

    def verify(self, lines, *args):
        return manage(None, "audit", "verify", self.write("audit.jsonl", "".join(line + "\n" for line in lines)), *args)

    def test_verify_finds_every_kind_of_tampering_and_names_the_line(self):
        good = self.records(8)
        changed = json.loads(good[3])
        changed["uid"] = 0
        other = self.records(9)[8].replace('"seq":9', '"seq":4')
        for lines, line, word in (
            (good[:3] + [json.dumps(changed, separators=(",", ":"))] + good[4:], 4, "was changed"),
            (good[:3] + good[4:], 4, "removed"),
            (good[:3] + [good[2]] + good[3:], 4, "second time"),
            (good[:3] + [good[4], good[3]] + good[5:], 4, "order"),
            (good[:5] + [good[1]] + good[5:], 6, "inserted"),
            (good[:3] + [other] + good[4:], 4, "was changed"),
            (good[:3] + ["{}"] + good[3:], 4, "not an audit record"),
            (good[:3] + [""] + good[3:], 4, "not an audit record"),
            (good[:3] + [good[3][:-5]], 4, "not an audit record"),
            (good[:3] + [good[3] + " x"], 4, "not an audit record"),
        ):
            done = self.verify(lines)
            self.refused(done, 65, f"line {line}: ", word)
        self.refused(self.verify([]), 65, "no records")
        self.refused(manage(None, "audit", "verify", self.path("absent")), 66, "No such file")

    def test_changed_bytes_are_found_wherever_they_are(self):
        line = self.records(2)[1]
        first = self.records(1)
        for at in range(0, len(line), 7):
            changed = line[:at] + chr(ord(line[at]) ^ 1) + line[at + 1:]
            self.assertEqual(self.verify(first + [changed]).status, 65, changed)

    def test_verify_accepts_a_chain_a_segment_and_a_known_head(self):
        good = self.records(8)
        head = json.loads(good[-1])["hash"]
        done = self.verify(good)
        self.assertEqual((done.status, done.stdout), (0, f"8 records, head {head}\n"))
        done = self.verify(good[4:])
        self.assertEqual((done.status, done.stdout), (0, f"4 records, from record 5 on, head {head}\n"))
        done = self.verify(good, "--json")
        self.assertEqual(json.loads(done.stdout), {"records": 8, "first": 1, "last": 8, "head": head})
        saved = json.loads(good[5])["hash"]
        self.assertEqual(self.verify(good, "--head", saved).status, 0)
        self.refused(self.verify(good[:5], "--head", saved), 65, "cut off")

    def test_export_writes_what_verify_accepts(self):
        good = self.records(8)
        path = self.path("out.jsonl")
        with FakeDaemon(self.auditor(good)) as daemon:
            done = manage(daemon, "audit", "export", path)
            self.assertEqual((done.status, done.stdout, done.stderr), (0, "", ""))
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
            self.assertEqual(manage(None, "audit", "verify", path).status, 0)
            self.refused(manage(daemon, "audit", "export", path), 65, "exists")
            done = manage(daemon, "audit", "export", "--after", "5")
            self.assertEqual([json.loads(line)["seq"] for line in done.stdout.splitlines()], [6, 7, 8])
            done = manage(daemon, "audit", "verify")
            self.assertEqual(done.status, 0, done.stderr)
            self.assertTrue(done.stdout.startswith("8 records, head "))

    def test_an_export_that_breaks_off_leaves_no_file(self):
        good = self.records(8)
        whole = self.auditor(good)

        def break_off(request, pid):
            return refusal("busy") if request["params"]["after"] >= 6 else whole(request, pid)

        with FakeDaemon(break_off) as daemon:
            self.assertEqual(manage(daemon, "audit", "export", self.path("out")).status, 75)
            self.assertFalse(os.path.exists(self.path("out")))

    def test_a_daemon_that_repeats_a_page_does_not_keep_us(self):
        first = json.loads(self.records(1)[0])
        with FakeDaemon(lambda r, p: {"result": {"records": [first]}}) as daemon:
            self.assertEqual(manage(daemon, "audit", "export").status, 76)

    def test_verify_through_the_daemon_finds_a_cut_end(self):
        good = self.records(8)
        head = {"seq": 8, "hash": json.loads(good[-1])["hash"]}
        with FakeDaemon(self.auditor(good[:6], head=head)) as daemon:
            self.refused(manage(daemon, "audit", "verify"), 65, "the records end at 6, the chain at 8")

    def test_audit_list_shows_records(self):
        with FakeDaemon(lambda r, p: {"result": {"records": [json.loads(x) for x in self.records(2)]}}) as daemon:
            done = manage(daemon, "audit", "list", "--kind", "env.fetch", "--limit", "2")
            self.assertEqual(daemon.requests[0]["params"], {"kind": "env.fetch", "limit": 2})
            self.assertRegex(done.stdout, r"(?m)^ *1 +2023-11-14T22:13:20Z +env.fetch +ok +1000 ")
            self.assertEqual(done.stderr, "")

    def test_audit_list_shows_the_newest_records_unless_it_is_asked_for_others(self):
        records = [json.loads(line) for line in self.records(130)]

        def listing(request, pid):
            params = request["params"]
            chosen = [r for r in records if r["seq"] > params.get("after", 0)][:params.get("limit", 100)]
            return {"result": {"records": chosen, "head": {"seq": 130, "hash": records[-1]["hash"]}}}

        def shown(*args):
            done = manage(daemon, "audit", "list", *args, "--json")
            self.assertEqual(done.status, 0, done.stderr)
            sequence = [r["seq"] for r in json.loads(done.stdout)["records"]]
            return sequence[0], sequence[-1], done.stderr

        with FakeDaemon(listing) as daemon:
            self.assertEqual(shown(), (31, 130, ""))
            self.assertEqual(shown("--limit", "5"), (126, 130, ""))
            self.assertEqual(shown("--limit", "500"), (1, 130, ""))
            self.assertEqual(shown("--after", "0"), (1, 100, "coffer: more: --after 100\n"))
            self.assertEqual(shown("--after", "100"), (101, 130, ""))
            self.assertEqual(shown("--after", "120", "--limit", "10"), (121, 130, ""))
            self.assertEqual(shown("--uid", "1000", "--limit", "3"), (1, 3, "coffer: more: --after 3\n"))
            self.refused(manage(daemon, "audit", "list", "--limit", "x"), 64, "--limit: not a number")


if __name__ == "__main__":
    manage_base.MANAGE, MAKE_RECORDS = map(os.path.abspath, sys.argv[1:3])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
