#!/usr/bin/python3
"""`coffer request`, and what other commands say when a second person must approve.   usage: requests_cli.py COFFER_MANAGE"""

import json
import os
import sys
import unittest

import manage_base
from fake_daemon import FakeDaemon, refusal
from manage_base import CommandTest, manage

REQUEST = {
    "id": 7,
    "method": "grant.add",
    "integration": "finance/sync",
    "subject": "uid=1001",
    "params": {"integration": "finance/sync", "rule": {"user": "etl"}},
    "requested_at": "2026-11-22T09:30:00.123Z",
    "requested_by": "ann",
    "login": "ann",
    "expires_at": "2026-11-29T09:30:00.123Z",
    "state": "pending",
    "decided_at": None,
    "decided_by": None,
    "note": None,
}
HOSTILE = {
    **REQUEST,
    "id": 8,
    "method": "integration.edit",
    "state": "rejected",
    "login": None,
    "decided_by": "bob",
    "params": {"name": "finance/sync", "title": "\x1b[2J\u202etxt %n <b> =1+1"},
    "note": "no\x07 \x9b31m",
    "decided_at": "2026-11-23T09:30:00.123Z",
}
WAITS = "request 7 waits for another admin: coffer request approve 7"


def answer(request, pid):
    done = {"approved": {**REQUEST, "state": "approved"}, "rejected": {**REQUEST, "state": "rejected"}}
    return {
        "result": {
            "request.list": {"requests": [HOSTILE, REQUEST], "more": True},
            "request.approve": {"request": done["approved"], "result": {"grant": {"id": 9}}},
            "request.reject": {"request": done["rejected"]},
        }[request["method"]]
    }


def must_approve(request, pid):
    reply = refusal("approval_required")
    reply["error"]["message"] = "a second person must approve: " + WAITS
    reply["error"]["data"]["request"] = 7
    return reply


class RequestTest(CommandTest):
    def test_bad_usage_is_refused_before_any_request(self):
        with FakeDaemon(answer) as daemon:
            for args, word in (
                (["request", "approve"], "missing: ID"),
                (["request", "list", "--state", "active"], "pending, approved, rejected or expired"),
                (["request", "approve", "x"], "not a number"),
                (["request", "reject", "7", "8"], "too many"),
                (["request", "approve", "7", "--note"], "--note needs a value"),
            ):
                with self.subTest(args=args):
                    self.refused(manage(daemon, *args), 64, word)
            self.assertEqual(daemon.requests, [])

    def test_a_refused_approval_says_why(self):
        for word, status in (("denied", 77), ("conflict", 65), ("expired", 77), ("not_found", 66), ("in_use", 65)):
            with self.subTest(word=word), FakeDaemon(lambda r, p, w=word: refusal(w)) as daemon:
                self.refused(manage(daemon, "request", "approve", "7"), status, "coffer: request approve 7: ")

    def test_whatever_needs_a_second_person_says_its_number_and_the_way_out(self):
        for args in (
            ["grant", "add", "finance/sync", "user=etl"],
            ["grant", "remove", "finance/sync", "3"],
            ["integration", "edit", "finance/sync", "--environment", "sandbox"],
            ["secret", "promote", "finance/sync", "A"],
            ["secret", "revoke", "finance/sync", "A", "2"],
        ):
            with self.subTest(args=args), FakeDaemon(must_approve) as daemon:
                done = manage(daemon, *args)
                self.refused(done, 75, WAITS)
                self.assertNotIn("try again", done.stderr)
                self.assertEqual(len(daemon.requests), 1)

    def test_fields_and_operands_are_sent(self):
        for args, method, params in (
            (["request", "list"], "request.list", {}),
            (
                ["request", "list", "finance/sync", "--state", "pending", "--limit", "5"],
                "request.list",
                {"integration": "finance/sync", "state": "pending", "limit": 5},
            ),
            (["request", "approve", "7", "--note", "fine"], "request.approve", {"id": 7, "note": "fine"}),
            (["request", "reject", "7"], "request.reject", {"id": 7}),
        ):
            with self.subTest(args=args), FakeDaemon(answer) as daemon:
                done = manage(daemon, *args)
                self.assertEqual((done.status, done.stderr), (0, ""))
                self.assertEqual([(r["method"], r.get("params", {})) for r in daemon.requests], [(method, params)])

    def test_hostile_texts_harm_no_terminal(self):
        with FakeDaemon(answer) as daemon:
            done = manage(daemon, "request", "list")
        self.assertEqual(done.status, 0)
        for char in ("\x1b", "\u202e", "\x07", "\x9b"):
            self.assertNotIn(char, done.stdout)
        self.assertIn("there are older ones", done.stdout)

    def test_what_was_asked_for_and_by_whom_is_shown(self):
        with FakeDaemon(answer) as daemon:
            shown = manage(daemon, "request", "list").stdout
            for text in ("pending", "grant.add", "uid=1001", "user=etl", "ann", "2026-11-29T09:30:00Z", "bob"):
                self.assertIn(text, shown)
            self.assertIn(
                "request 7 is approved and done: grant.add of finance/sync for ann",
                manage(daemon, "request", "approve", "7").stdout,
            )
            self.assertIn("request 7 is rejected, nothing was done", manage(daemon, "request", "reject", "7").stdout)
            done = manage(daemon, "request", "approve", "7", "--json")
            self.assertEqual(json.loads(done.stdout)["result"]["grant"]["id"], 9)


if __name__ == "__main__":
    manage_base.MANAGE = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1)
