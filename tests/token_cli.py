#!/usr/bin/python3
"""`coffer token` (P1: on standard output alone) against a daemon that answers by script.   usage: token_cli.py COFFER_MANAGE"""

import json
import os
import subprocess
import sys
import unittest

import manage_base
from fake_daemon import FakeDaemon, refusal
from manage_base import CommandTest, environment, manage

TOKEN = "coffer_42_gdap16f49vkv5wtwgzjff0za8nxytwgx2fegqb8zn2tds93e3bd0_99cc511f"
MADE = {"integration": "finance/sync", "id": 42, "name": "airflow", "token": TOKEN, "detail": None}
TOKENS = [
    {"id": 7, "integration": "finance/sync", "name": "airflow", "description": "jobs\x1b[2J\u202e", "user": "etl", "uid": 1001,
     "unit": None, "state": "revoked", "created_at": "2026-11-22T09:30:00.123Z", "created_by": "root", "expires_at": None,
     "last_used_at": "2026-11-23T09:30:00.123Z", "revoked_at": "2026-11-24T09:30:00.123Z", "revoked_by": "root"},
    {"id": 8, "integration": "finance/sync", "name": "airflow", "description": "jobs", "user": "etl", "uid": 1001,
     "unit": "etl@*.service", "state": "active", "created_at": "2026-11-22T09:30:00.123Z", "created_by": "root",
     "expires_at": "2027-11-22T09:30:00.123Z", "last_used_at": None, "revoked_at": None, "revoked_by": None},
]
CREATE = ["token", "create", "finance/sync", "airflow", "--user", "etl", "--description", "jobs"]


def answer(request, pid):
    return {"result": {"token.create": MADE, "token.list": {"tokens": TOKENS}, "token.revoke": {"revoked": 7}}[request["method"]]}


class TokenTest(CommandTest):
    def test_a_refusal_makes_nothing_and_says_why(self):
        for word, status in (("conflict", 65), ("bad_value", 65), ("not_found", 66), ("denied", 77), ("retired", 65)):
            with self.subTest(word=word), FakeDaemon(lambda r, p, w=word: refusal(w)) as daemon:
                done = manage(daemon, *CREATE)
                self.assertNotEqual(done.status, 0)
                self.refused(done, done.status, "coffer: token create finance/sync airflow: ")

    def test_an_answer_without_the_token_is_no_success(self):
        again = {**MADE, "token": None, "detail": "a token is shown once"}
        for result in (again, {**MADE, "token": 7}, {"id": 42}):
            with self.subTest(result=result), FakeDaemon(lambda r, p, x=result: {"result": x}) as daemon:
                self.refused(manage(daemon, *CREATE), 65, "token 42 was made by this request before", "revoke it and make another")

    def test_a_full_standard_output_is_an_error_that_names_the_token_to_revoke(self):
        with FakeDaemon(answer) as daemon, open("/dev/full", "wb") as full:
            process = subprocess.run([manage_base.MANAGE, *CREATE], env=environment(daemon), stdout=full, stderr=subprocess.PIPE,
                                     timeout=60, check=False)
            self.assertEqual(process.returncode, 74)
            self.assertIn(b"token 42", process.stderr)
            self.assertNotIn(TOKEN.encode(), process.stderr)

    def test_the_token_alone_is_on_standard_output(self):
        with FakeDaemon(answer) as daemon:
            done = manage(daemon, *CREATE, "--unit", "etl.service", "--expires-at", "2027-11-22T09:30:00Z")
            self.assertEqual((done.status, done.stdout), (0, TOKEN + "\n"))
            self.assertIn("token 42", done.stderr)
            self.assertNotIn(TOKEN.split("_")[2], done.stderr)
            self.assertNotIn("terminal", done.stderr)
            self.assertEqual(daemon.requests[0]["params"], {
                "integration": "finance/sync", "token_name": "airflow", "description": "jobs", "user": "etl",
                "unit": "etl.service", "expires_at": "2027-11-22T09:30:00Z"})

    def test_json_is_the_result_as_it_is(self):
        with FakeDaemon(answer) as daemon:
            self.assertEqual(manage(daemon, *CREATE, "--json").stdout, json.dumps(MADE) + "\n")
            self.assertEqual(manage(daemon, "token", "list", "--json").stdout, json.dumps({"tokens": TOKENS}) + "\n")

    def test_a_terminal_is_warned_of(self):
        with FakeDaemon(answer) as daemon:
            status, seen = self.at_terminal(daemon, CREATE, [], columns=200)
            self.assertEqual(status, 0, seen)
            self.assertIn(TOKEN.encode() + b"\r\n", seen)
            self.assertIn(b"on this terminal now", seen)

    def test_the_list_tells_state_and_use_and_harms_no_terminal(self):
        with FakeDaemon(answer) as daemon:
            done = manage(daemon, "token", "list", "finance/sync")
            self.assertEqual((done.status, done.stderr), (0, ""))
            lines = done.stdout.splitlines()
            self.assertEqual(lines[0].split()[:4], ["ID", "INTEGRATION", "NAME", "STATE"])
            self.assertIn("revoked", lines[1])
            self.assertIn("etl@*.service", lines[2])
            self.assertIn("never", lines[2])
            self.assertNotIn("\x1b", done.stdout)
            self.assertNotIn("\u202e", done.stdout)

    def test_revoke_says_what_is_revoked(self):
        with FakeDaemon(answer) as daemon:
            done = manage(daemon, "token", "revoke", "finance/sync", "7")
            self.assertEqual((done.status, done.stdout, done.stderr), (0, "token 7 revoked\n", ""))
            self.assertEqual(daemon.requests[0]["params"], {"integration": "finance/sync", "id": 7})

    def test_a_redirection_makes_the_file_that_run_takes(self):
        with FakeDaemon(answer) as daemon:
            path = self.path("token")
            with open(path, "wb") as file:
                os.fchmod(file.fileno(), 0o600)
                done = subprocess.run([manage_base.MANAGE, *CREATE], env=environment(daemon), stdout=file, stderr=subprocess.PIPE,
                                      timeout=60, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(self.read(path), TOKEN + "\n")


if __name__ == "__main__":
    manage_base.MANAGE = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1)
