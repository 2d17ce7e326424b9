#!/usr/bin/python3
"""coffer apply against a daemon that answers by script.   usage: apply_cli.py COFFER_MANAGE"""

import json
import os
import sys
import unittest

import manage_base
from fake_daemon import FakeDaemon, refusal
from manage_base import CommandTest, manage

CHANGED = "2026-11-22T09:30:00.123Z"
RECORD = {
    "name": "finance/sync", "state": "active", "title": "Sync", "description": "one\n\ntwo", "owner": "Ada", "contact": "a@b",
    "systems": ["crm", "a, b"], "labels": {"team": "data", "tier": "1"}, "rate_limit": 60, "docs": None, "purpose": None,
    "expires_at": "2027-01-01T00:00:00.000Z", "changed_at": CHANGED,
}
GRANTS = [
    {"id": 7, "integration": "finance/sync", "rule": {"user": "root", "uid": 0, "unit": "etl.service"}, "staged_only": False},
    {"id": 9, "integration": "finance/sync", "rule": {"user": "2001", "uid": 2001, "token": True}, "staged_only": True},
]
SAME = """[finance/sync]
title = Sync
description = one
  .
  two
owner=Ada
contact   =   a@b
systems = crm, a\\, b
labels = tier=1,
   team=data
rate_limit = 60
docs =
expires_at = 2027-01-01T00:00:00Z
grant = unit=etl.service user=0
grant = user=2001 staged_only token
"""
NEW = "[crm/new]\ntitle = t\ndescription = d\nowner = o\ncontact = c\n"


class Vault:
    """Answers as a daemon would that has finance/sync, and keeps what it is told."""

    def __init__(self, run=None):
        self.steps = []
        self.run = run
        self.dry = None
        self.filed = []
        self.filing = refusal("approval_required", "a second person must approve", request=12)

    def answer(self, request, _):
        params = request.get("params", {})
        method = request["method"]
        if method == "integration.list":
            return {"result": {"integrations": [{"name": "other"}, {"name": RECORD["name"]}]}}
        if method == "integration.show":
            return {"result": {"integration": RECORD, "grants": GRANTS, "secrets": []}}
        if method == "apply.begin":
            return {"result": {"steps": 4096, "bytes": 1048576}}
        if method == "apply.step":
            self.steps.append((params["method"], json.loads(params["params"]), params.get("expect_changed_at")))
            return {"result": {"step": len(self.steps)}}
        if method == "apply.run":
            self.dry, self.id = params["dry_run"], params["request_id"]
            return self.run(self) if self.run else {"result": {"dry_run": self.dry, "steps": [{"outcome": "ok"}] * len(self.steps)}}
        if method in ("integration.edit", "integration.add"):
            self.filed.append(params)
            return self.filing
        return refusal("unknown_method")


class Apply(CommandTest):
    def apply(self, text, *words, run=None, status=0):
        """Applies this text: what was said, and the steps that came."""
        vault = Vault(run)
        with FakeDaemon(vault.answer) as daemon:
            path = self.write("file.ini", text)
            done = manage(daemon, "apply", path, *words)
            self.asked = [request["method"] for request in daemon.requests]
        self.assertEqual(done.status, status, done.stderr)
        self.vault = vault
        return done, vault.steps

    def wrong(self, text, line, *words):
        """Refused with this line, and the daemon was not even asked."""
        done, steps = self.apply(text, status=65)
        self.refused(done, 65, "file.ini:%d: " % line, "nothing was done", *words)
        self.assertEqual(steps, [])
        self.assertEqual(self.asked, [])
        return done

    def test_what_is_no_line_of_such_a_file_is_refused_with_its_number(self):
        for text, line, word in (
            ("title = x\n", 1, "before the first"),
            ("\n# comment\nfoo\n", 3, "neither [NAME]"),
            ("[a b]\n", 1, "named like an integration"),
            ("[]\n", 1, "named like an integration"),
            ("[a/b/c]\n", 1, "named like an integration"),
            ("[Caps]\n", 1, "named like an integration"),
            ("[a\n", 1, "alone on its line"),
            ("[a] x\n", 1, "alone on its line"),
            ("[a]\n[b]\n[a]\n", 3, "the first is in line 1"),
            ("[a]\ntitle = x\n\n   more\n", 4, "goes on with a value"),
            ("  indented\n", 1, "goes on with a value"),
            ("[a]\n  indented\n", 2, "goes on with a value"),
            ("[a]\ntitle = x\ntitle = y\n", 3, "the first is in line 2"),
            ("[a]\nname = x\n", 2, "unknown key name"),
            ("[a]\nrequest_id = x\n", 2, "unknown key"),
            ("[a]\nvalue = x\n", 2, "unknown key value"),
            ("[a]\nTitle = x\n", 2, "unknown key Title"),
            ("[a]\n = x\n", 2, "goes on with a value"),
            ("[a]\n= x\n", 2, "unknown key"),
            ("[a]\r\ntitle = x\n", 1, "control character"),
            (b"[a]\ntitle = \xff\n", 2, "not UTF-8"),
            (b"[a]\ntitle = a\0b\n", 2, "not UTF-8"),
            ("\ufeff[a]\n", 1, "neither [NAME]"),
            ("[a]\ntitle = \x1b[2J\n", 2, "control character"),
        ):
            with self.subTest(text=text):
                self.assertNotIn("\x1b", self.wrong(text, line, word).stderr)

    def test_values_that_the_daemon_would_refuse_are_refused_with_their_line(self):
        for entry, word in (
            ("title =", "title"),
            ("title = %s" % ("x" * 201), "title"),
            ("owner = a\n  b", "one line"),
            ("expected_every = often", "expected_every"),
            ("rotate_after = 90", "rotate_after"),
            ("expires_at = tomorrow", "expires_at"),
            ("rate_limit = many", "rate_limit"),
            ("rate_limit = -1", "rate_limit"),
            ("rate_limit = 007", "rate_limit"),
            ("rate_limit = 99999999999999999", "rate_limit"),
            ("access = all", "access"),
            ("environment = prod", "environment"),
            ("systems = a,,b", "empty entry"),
            ("systems = a,", "empty entry"),
            ("systems = %s" % ",".join("s%d" % i for i in range(33)), "systems"),
            ("systems = %s" % ("x" * 600), "too long"),
            ("labels = team", "KEY=VALUE"),
            ("labels = Team=data", "slug"),
            ("labels = a\\=1", "slug"),
            ("labels = a=1, a=2", "a key twice"),
            ("grant = user", "rule"),
            ("grant = user=", "rule"),
            ("grant = uid=7", "rule"),
            ("grant = user=a user=b", "a key twice"),
            ("grant = staged_only", "rule"),
            ("grant = user=a staged_only staged_only", "staged_only twice"),
            ("grant = user=a staged_only=yes", "rule"),
            ("grant = unit=not-a-unit", "rule"),
            ("grant = unit=a.service credential=db", "credential=NAME=KEY"),
            ("grant = unit=a.service credential=db=", "credential=NAME=KEY"),
            ("grant = unit=a.service credential=a/b=C", "credential=NAME=KEY"),
            ("grant = unit=a.service credential=a=B credential=a=C", "a key twice"),
            ("grant = unit=a.service credential=a=1B", "credentials"),
            ("grant = unit=a.service credential=a=PATH", "credentials"),
            ("grant = =x", "a grant is"),
            ("grant = \"user\"=x", "a grant is"),
        ):
            with self.subTest(entry=entry):
                self.wrong("[a]\n# one\n%s\n" % entry, 3, word)

    def test_files_that_cannot_be_read_are_refused_by_name(self):
        self.refused(manage(None, "apply"), 64, "FILE")
        self.refused(manage(None, "apply", "a", "b"), 64)
        self.refused(manage(None, "apply", self.path("absent")), 66, "No such file")
        self.refused(manage(None, "apply", self.directory), 65, "directory")
        self.refused(manage(None, "apply", self.write("empty", "# nothing\n")), 65, "names no integration")
        self.refused(manage(None, "apply", self.write("large", "#" * 1048577)), 65, "1 MiB")
        self.refused(manage(None, "apply", self.write("fits", "#" * 1048576)), 65, "names no integration")

    def test_one_that_is_new_needs_what_every_integration_needs(self):
        done, steps = self.apply(SAME + "[crm/new]\ntitle = t\nowner = o\n", status=65)
        self.refused(done, 65, "file.ini:16: crm/new is new", "description", "contact")
        self.assertEqual(steps, [])

    def test_what_is_so_already_is_no_step(self):
        for words in ((), ("--prune",), ("--dry-run",)):
            done, steps = self.apply(SAME, *words)
            self.assertEqual(steps, [])
            self.assertIn("unchanged: 1\n", done.stdout)
            self.assertNotIn("apply.begin", self.asked)

    def test_only_differences_are_sent(self):
        for old, new, field, value in (
            ("title = Sync", "title = Other # no comment", "title", "Other # no comment"),
            ("  two", "  three", "description", "one\n\nthree"),
            ("a\\, b", "a, b", "systems", ["crm", "a", "b"]),
            ("systems = crm, a\\, b", "systems =", "systems", ""),
            ("team=data", "team=ml", "labels", {"tier": "1", "team": "ml"}),
            ("rate_limit = 60", "rate_limit = 61", "rate_limit", 61),
            ("rate_limit = 60", "rate_limit =", "rate_limit", ""),
            ("docs =", "docs = https://x", "docs", "https://x"),
            ("docs =", "purpose =\n  because\n  of it", "purpose", "because\nof it"),
            ("systems = crm, a\\, b", "systems =\n  a,\n  b", "systems", ["a", "b"]),
            ("00:00:00Z", "00:00:01Z", "expires_at", "2027-01-01T00:00:01Z"),
        ):
            with self.subTest(new=new):
                done, steps = self.apply(SAME.replace(old, new))
                self.assertEqual(steps, [("integration.edit", {"name": "finance/sync", field: value}, CHANGED)])
                self.assertEqual(done.stdout, "changed finance/sync: %s\nunchanged: 0\n" % field)
        _, steps = self.apply("[finance/sync]\nowner = Grace\n")
        self.assertEqual(steps, [("integration.edit", {"name": "finance/sync", "owner": "Grace"}, CHANGED)])

    def test_a_new_one_is_added_with_all_that_is_said(self):
        done, steps = self.apply(SAME + NEW + "docs =\nlabels = a=b\ngrant = group=x unit=a@*.service\n")
        self.assertEqual(steps, [
            ("integration.add", {"name": "crm/new", "title": "t", "description": "d", "owner": "o", "contact": "c",
                                 "labels": {"a": "b"}}, None),
            ("grant.add", {"integration": "crm/new", "rule": {"group": "x", "unit": "a@*.service"}}, None),
        ])
        self.assertEqual(done.stdout, "created crm/new\ngrant added crm/new: group=x unit=a@*.service\nunchanged: 1\n")
        self.assertIs(self.vault.dry, False)

    def test_grants_are_told_apart_by_numbers_and_conditions(self):
        for text, wanted in (
            ("grant = user=root unit=etl.service\ngrant = token staged_only user=2001\n", []),
            ("grant = user=root unit=etl.service\ngrant = token user=2001\n", [({"token": True, "user": "2001"}, False)]),
            ("grant = user=root\ngrant = user=2001 token staged_only\n", [({"user": "root"}, False)]),
            ("grant = user=0 unit=other.service\n", [({"user": "0", "unit": "other.service"}, False)]),
            ("grant = group=0 unit=etl.service\n", [({"group": "0", "unit": "etl.service"}, False)]),
        ):
            with self.subTest(text=text):
                _, steps = self.apply("[finance/sync]\n" + text)
                added = [(params["rule"], params.get("staged_only", False)) for method, params, _ in steps
                         if method == "grant.add"]
                self.assertEqual(added, wanted)

    def test_what_credentials_mean_is_a_part_of_a_grant(self):
        mapped = {"id": 11, "integration": "finance/sync", "rule": {"unit": "a.service"}, "staged_only": False,
                  "credentials": {"db": "DB_PASSWORD", "tls.key": "TLS_KEY"}}
        GRANTS.append(mapped)
        self.addCleanup(GRANTS.remove, mapped)
        for text, wanted in (
            ("unit=a.service credential=tls.key=TLS_KEY credential=db=DB_PASSWORD", []),
            ("unit=a.service credential=db=DB_PASSWORD", [{"db": "DB_PASSWORD"}]),
            ("unit=a.service credential=db=OTHER credential=tls.key=TLS_KEY", [{"db": "OTHER", "tls.key": "TLS_KEY"}]),
            ("unit=a.service", [None]),
        ):
            with self.subTest(text=text):
                _, steps = self.apply("[finance/sync]\ngrant = %s\n" % text)
                self.assertEqual([params.get("credentials") for method, params, _ in steps
                                  if method == "grant.add"], wanted)

    def test_grants_that_are_not_in_the_file_go_only_when_pruned(self):
        text = "[finance/sync]\ngrant = user=2001 token staged_only\n"
        done, steps = self.apply(text)
        self.assertEqual(steps, [])
        self.assertIn("not in the file: grant 7 of finance/sync: user=root uid=0 unit=etl.service\n", done.stdout)
        self.assertIn("--prune removes them", done.stdout)
        done, steps = self.apply(text, "--prune")
        self.assertEqual(steps, [("grant.remove", {"integration": "finance/sync", "id": 7}, None)])
        self.assertIn("grant removed 7 of finance/sync: user=root", done.stdout)
        _, steps = self.apply("[finance/sync]\ngrant =\n", "--prune")
        self.assertEqual([params["id"] for _, params, _ in steps], [7, 9])
        _, steps = self.apply("[finance/sync]\ntitle = Sync\n", "--prune")
        self.assertEqual(steps, [])  # nothing is said about grants

    def test_a_dry_run_is_one_for_the_daemon_as_well(self):
        done, steps = self.apply(SAME.replace("Ada", "Grace") + NEW, "--dry-run")
        self.assertEqual(len(steps), 2)
        self.assertIs(self.vault.dry, True)
        self.assertEqual(done.stdout, "would change finance/sync: owner\nwould create crm/new\nunchanged: 0\n"
                                      "Nothing was done (--dry-run).\n")

    def test_the_step_that_the_daemon_refuses_is_told_by_its_line(self):
        def run(vault):
            return refusal("conflict", "the integration was changed meanwhile",
                           step={"number": 2, "method": "integration.add", "integration": "crm/new"})
        done, _ = self.apply(SAME.replace("Ada", "Grace") + NEW, run=run, status=65)
        self.refused(done, 65, "file.ini:16: the integration was changed meanwhile; nothing was done")

    def test_a_lost_answer_is_asked_for_once_more_by_the_same_number(self):
        done, _ = self.apply(NEW, run=lambda vault: None, status=69)
        self.assertIn("whether it was done is not known", done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertEqual(self.asked.count("apply.run"), 2)
        ids = []

        def lost_once(vault):
            ids.append(vault.id)
            return None if len(ids) == 1 else {"result": {"dry_run": False, "steps": [{"outcome": "ok"}]}}
        done, _ = self.apply(NEW, run=lost_once)
        self.assertEqual(done.stdout, "created crm/new\nunchanged: 0\n")
        self.assertEqual(ids[0], ids[1])
        self.assertRegex(ids[0], "^[0-9a-f]{32}$")
        first = ids.pop()
        self.apply(NEW, run=lost_once)
        self.assertNotEqual(ids[-1], first)

    def test_a_run_that_was_lost_with_its_queue_is_not_said_to_be_refused(self):
        def lost(vault):
            vault.lost = getattr(vault, "lost", 0) + 1
            return None if vault.lost == 1 else refusal("conflict", "no queue was begun on this connection")
        done, _ = self.apply(NEW, run=lost, status=69)
        self.assertIn("whether it was done is not known", done.stderr)

    def test_what_waits_for_a_second_person_is_filed_by_itself_and_told_with_its_number(self):
        def run(_):
            return {"result": {"dry_run": False, "steps": [{"outcome": "approval_required"}, {"outcome": "ok"}]}}
        for words in ((), ("--dry-run",)):
            done, _ = self.apply(SAME.replace("Ada", "Grace") + NEW, *words, run=run)
            if words:
                self.assertIn("needs a second person: change finance/sync: owner\nwould create crm/new\n", done.stdout)
                self.assertEqual(self.vault.filed, [])
                continue
            self.assertEqual(done.stdout, "waits for a second person as request 12: change finance/sync: owner\n"
                                          "created crm/new\nunchanged: 0\n")
            self.assertEqual(self.vault.filed, [{"name": "finance/sync", "owner": "Grace"}])
        done, _ = self.apply(SAME.replace("Ada", "Grace") + NEW, "--json", run=run)
        self.assertEqual(json.loads(done.stdout), {"dry_run": False, "unchanged": 0, "changes": [
            {"action": "change", "integration": "finance/sync", "what": "owner", "outcome": "approval_required",
             "grant": None, "request": 12},
            {"action": "create", "integration": "crm/new", "what": "", "outcome": "ok", "grant": None, "request": None},
        ]})

    def test_what_was_done_is_told_when_the_rest_cannot_be_filed(self):
        def run(vault):
            vault.filing = refusal("busy", "32 of your requests wait for a second person")
            return {"result": {"dry_run": False, "steps": [{"outcome": "approval_required"}, {"outcome": "ok"}]}}
        text = SAME.replace("Ada", "Grace") + NEW
        done, _ = self.apply(text, run=run, status=75)
        self.assertIn("32 of your requests wait", done.stderr)
        self.assertEqual(done.stdout, "needs a second person: change finance/sync: owner\ncreated crm/new\nunchanged: 0\n")
        done, _ = self.apply(text, "--json", run=run, status=75)
        self.assertEqual([change["outcome"] for change in json.loads(done.stdout)["changes"]], ["approval_required", "ok"])

    def test_grants_of_what_waits_come_later(self):
        def run(_):
            return {"result": {"dry_run": False, "steps": [{"outcome": "approval_required"}, {"outcome": "later"}]}}
        done, _ = self.apply(NEW + "grant = user=0\n", run=run)
        self.assertEqual(done.stdout, "waits for a second person as request 12: create crm/new\n"
                                      "later, when it is there (apply the file again): add grant crm/new: user=0\n"
                                      "unchanged: 0\n")
        self.assertEqual([params["name"] for params in self.vault.filed], ["crm/new"])

    def test_standard_input_is_read_for_a_dash(self):
        vault = Vault()
        with FakeDaemon(vault.answer) as daemon:
            done = manage(daemon, "apply", "-", stdin=NEW.encode())
            self.assertEqual(done.stdout, "created crm/new\nunchanged: 0\n")
            done = manage(daemon, "apply", "-", stdin=b"x")
            self.refused(done, 65, "standard input:1: ")

    def test_a_hostile_text_in_a_file_or_vault_harms_no_terminal(self):
        done = self.wrong("[a]\n\u202eelgit = x\n", 2, "unknown key")
        self.assertNotIn("\u202e", done.stderr)
        done, steps = self.apply("[finance/sync]\ngrant = user=a\u202eb\n")
        self.assertEqual(steps[0][1]["rule"], {"user": "a\u202eb"})
        self.assertNotIn("\u202e", done.stdout)


if __name__ == "__main__":
    manage_base.MANAGE = os.path.realpath(sys.argv.pop(1))
    unittest.main()
