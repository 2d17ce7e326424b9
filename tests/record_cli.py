#!/usr/bin/python3
"""coffer-manage on the record of integrations and secrets, against a daemon that answers by script.   usage: record_cli.py COFFER_MANAGE"""

import sys
import unittest

import manage_base
from fake_daemon import FakeDaemon, refusal
from manage_base import CommandTest, manage

HOSTILE = "\x1b[2J\u202egnp %n <b> =cmd()"
SHOWN = "\\x1b[2J\\xe2\\x80\\xaegnp %n <b> =cmd()"
CHANGES = [
    {
        "at": "2026-11-27T09:30:00.123Z",
        "by": "root",
        "approved_by": "ada",
        "key": "TOKEN",
        "version": 2,
        "field": "state",
        "old": "draining",
        "new": "revoked",
        "reason": HOSTILE,
    },
    {
        "at": "2026-11-26T09:30:00.123Z",
        "by": HOSTILE,
        "approved_by": None,
        "key": None,
        "version": None,
        "field": "title",
        "old": None,
        "new": HOSTILE,
        "reason": None,
    },
]
INTEGRATION = {"name": "finance/sync", "state": "suspended", "reviewed_by": "root", "title": "Sync"}
RESULTS = {
    "integration.show": {"integration": INTEGRATION, "grants": [], "secrets": []},
    "integration.history": {"name": "finance/sync", "changes": CHANGES, "more": True},
    "integration.transfer": {"transferred": ["crm", "finance/sync"]},
    "integration.review": {"integration": INTEGRATION},
    "integration.suspend": {"integration": INTEGRATION},
    "integration.resume": {"integration": {**INTEGRATION, "state": "active"}},
    "integration.retire": {"integration": {**INTEGRATION, "state": "retired"}, "revoked": 2, "draining": 1},
    "secret.edit": {"secret": {"key": "TOKEN", "description": HOSTILE, "issuer": None, "access": "read-only"}},
    "secret.put": {"key": "TOKEN", "version": 1, "state": "current"},
}


def answer(request, _pid):
    return {"result": RESULTS[request["method"]]}


class RecordTest(CommandTest):
    def sent(self, *args, method, params):
        with FakeDaemon(answer) as daemon:
            done = manage(daemon, *args)
            self.assertEqual((done.status, done.stderr), (0, ""))
            self.assertEqual([(r["method"], r["params"]) for r in daemon.requests], [(method, params)])
            return done.stdout

    def test_bad_usage_is_refused_before_any_request(self):
        person = ("--contact", "c")
        with FakeDaemon(answer) as daemon:
            for args, word in (
                (("transfer",), "either NAME --owner OWNER, or --from OWNER --to OWNER"),
                (("transfer", "crm", "--from", "a", "--to", "b", *person), "either NAME"),
                (("transfer", "crm", *person), "NAME goes with --owner"),
                (("transfer", "crm", "--to", "b", *person), "NAME goes with --owner"),
                (("transfer", "--from", "a", "--owner", "b", *person), "--from OWNER goes with --to"),
                (("transfer", "--from", "a", *person), "--from OWNER goes with --to"),
                (("transfer", "crm", "--owner", "b"), "missing: --contact"),
                (("transfer", "--from", b"\xff", "--to", "b", *person), "--from: not UTF-8"),
                (("transfer", "--from", "a", "--to", b"\xff", *person), "--to: not UTF-8"),
                (("show", "crm", "--limit", "3"), "--limit is for --history"),
                (("show", "crm", "--history", "--limit", "x"), "--limit: not a number"),
                (("edit", "crm", "--lock-grants"), "unknown option --lock-grants"),
                (("suspend",), "missing: NAME"),
                (("retire", "crm", "x"), "too many arguments"),
            ):
                with self.subTest(args=args):
                    self.refused(manage(daemon, "integration", *args), 64, word)
            self.refused(manage(daemon, "secret", "edit", "crm"), 64, "missing: KEY")
            self.assertEqual(daemon.requests, [])

    def test_what_the_daemon_refuses_is_said_with_its_way_out(self):
        with FakeDaemon(lambda r, p: refusal("retired", "the integration is retired: it stays so")) as daemon:
            self.refused(manage(daemon, "integration", "resume", "crm"), 77, "integration resume crm: ", "it stays so")

    def test_a_transfer_is_of_one_or_of_a_person(self):
        out = self.sent(
            "integration",
            "transfer",
            "crm",
            "--owner",
            "Eve",
            "--contact",
            "e",
            "--reason",
            "moved",
            method="integration.transfer",
            params={"name": "crm", "owner": "Eve", "contact": "e", "reason": "moved"},
        )
        self.assertEqual(out, "TRANSFERRED\ncrm\nfinance/sync\n")
        self.sent(
            "integration",
            "transfer",
            "--from",
            "Ada",
            "--to",
            "Eve",
            "--contact",
            "e",
            "--backup-contact",
            "d",
            method="integration.transfer",
            params={"contact": "e", "backup_contact": "d", "from_owner": "Ada", "owner": "Eve"},
        )

    def test_states_and_reviews_are_said_in_a_sentence(self):
        for verb, option, sentence in (
            ("review", "note", "finance/sync is reviewed, by root\n"),
            ("suspend", "reason", "finance/sync is suspended\n"),
            ("resume", "reason", "finance/sync is active\n"),
        ):
            out = self.sent(
                "integration",
                verb,
                "finance/sync",
                "--" + option,
                "x",
                method="integration." + verb,
                params={"name": "finance/sync", option: "x"},
            )
            self.assertEqual(out, sentence)
        out = self.sent(
            "integration", "retire", "finance/sync", method="integration.retire", params={"name": "finance/sync"}
        )
        self.assertIn("is retired; destroyed: 2, in use until drained: 1\n", out)
        self.assertIn("coffer holders finance/sync", out)
        self.assertIn("coffer secret list finance/sync", out)

    def test_history_is_a_table_that_no_text_can_break(self):
        out = self.sent(
            "integration",
            "show",
            "finance/sync",
            "--history",
            "--limit",
            "2",
            method="integration.history",
            params={"name": "finance/sync", "limit": 2},
        )
        lines = out.splitlines()
        self.assertEqual(len(lines), 4)
        self.assertEqual(lines[0].split(), "AT BY APPROVED BY KEY VERSION FIELD OLD NEW REASON".split())
        self.assertEqual(
            lines[1].split()[:8], ["2026-11-27T09:30:00Z", "root", "ada", "TOKEN", "2", "state", "draining", "revoked"]
        )
        self.assertEqual(out.count(SHOWN), 3)
        self.assertNotIn("\x1b", out)
        self.assertNotIn("\u202e", out)
        self.assertIn("--limit shows more", lines[3])
        self.assertIn(
            "Name:",
            self.sent(
                "integration", "show", "finance/sync", method="integration.show", params={"name": "finance/sync"}
            ),
        )

    def test_the_record_of_a_secret_is_edited_and_cleared(self):
        out = self.sent(
            "secret",
            "edit",
            "crm",
            "TOKEN",
            "--description",
            "d",
            "--access",
            "",
            method="secret.edit",
            params={"integration": "crm", "key": "TOKEN", "description": "d", "access": ""},
        )
        self.assertIn("Access:      read-only\n", out)
        self.assertIn(SHOWN, out)
        self.assertNotIn("\x1b", out)

    def test_whoever_puts_a_new_key_at_a_terminal_is_asked_what_it_is_for(self):
        args = ["secret", "put", "crm", "TOKEN"]
        typed = [(b"shown): ", b"hunter2\n"), (b"again: ", b"hunter2\n")]
        with FakeDaemon(answer) as daemon:
            status, seen = self.at_terminal(daemon, args, [*typed, (b"leaves it out): ", b"reads invoices\n")])
            self.assertEqual(status, 0, seen)
            self.assertNotIn(b"hunter2", seen)
            self.assertEqual(daemon.requests[1]["method"], "secret.edit")
            self.assertEqual(
                daemon.requests[1]["params"], {"integration": "crm", "key": "TOKEN", "description": "reads invoices"}
            )
            for answered in (b"\n", b"\x04"):
                status, seen = self.at_terminal(daemon, args, [*typed, (b"leaves it out): ", answered)])
                self.assertEqual(status, 0, seen)
            self.assertEqual(len(daemon.requests), 4)

    def test_nobody_is_asked_in_a_script_or_twice_or_of_a_key_that_was_there(self):
        typed = [(b"shown): ", b"hunter2\n"), (b"again: ", b"hunter2\n")]
        with FakeDaemon(answer) as daemon:
            done = manage(daemon, "secret", "put", "crm", "TOKEN", stdin=b"hunter2")
            self.assertEqual((done.status, done.stderr), (0, ""))
            status, seen = self.at_terminal(daemon, ["secret", "put", "crm", "TOKEN", "--description", "d"], typed)
            self.assertEqual(status, 0, seen)
            self.assertEqual([r["method"] for r in daemon.requests], ["secret.put"] * 2)
        with FakeDaemon(lambda r, p: {"result": {"key": "TOKEN", "version": 2, "state": "current"}}) as daemon:
            status, seen = self.at_terminal(daemon, ["secret", "put", "crm", "TOKEN"], typed)
            self.assertEqual(status, 0, seen)
            self.assertEqual([r["method"] for r in daemon.requests], ["secret.put"])


if __name__ == "__main__":
    manage_base.MANAGE = sys.argv.pop(1)
    unittest.main()
