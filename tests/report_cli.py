#!/usr/bin/python3
"""coffer report against a daemon that answers by script: what hostile texts become in a page, a sheet and JSON, and what is
refused of files.   usage: report_cli.py COFFER_MANAGE"""

import base64
import csv
import hashlib
import html.parser
import io
import json
import os
import re
import stat
import sys
import time
import unittest

import manage_base
from fake_daemon import FakeDaemon, refusal
from manage_base import CommandTest, manage

SCRIPT = "<script>alert(1)</script>"
HOSTILE = f"\x1b[2J\u202e\u2066 {SCRIPT} \"q\" 'a' &amp; %n%s ]]> --> </style></title><svg onload=x>"
FORMULAS = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\uff1d1", "  =1", "\t=1", "\r=1"]
STAMP = "2026-11-22T09:30:00.123Z"
VAULT = "0123456789abcdef0123456789abcdef"

FIELDS = [
    "title",
    "description",
    "owner",
    "contact",
    "backup_contact",
    "purpose",
    "systems",
    "scope",
    "access",
    "trigger",
    "schedule",
    "expected_every",
    "environment",
    "docs",
    "approval",
    "rotate_after",
    "rotate_reason",
    "review_after",
    "expires_at",
    "rate_limit",
    "test",
    "managed_by",
    "labels",
]


def integration(name, **fields):
    return {
        "name": name,
        "state": "active",
        **dict.fromkeys(FIELDS),
        "title": "Sync",
        "owner": "Ada",
        "environment": "production",
        "rotate_after": "90d",
        "review_after": "90d",
        "created_at": "2026-01-02T03:04:05.000Z",
        "created_by": "root",
        "changed_at": STAMP,
        "changed_by": "root",
        **fields,
    }


def version(number, state="current", **fields):
    return {
        "version": number,
        "state": state,
        "created_at": "2026-02-03T00:00:00.000Z",
        "created_by": "ada",
        "changed_at": STAMP,
        "note": None,
        "issuer_ref": None,
        "expires_at": None,
        "fetches": 5,
        "last_fetched_at": STAMP,
        "holders": 1,
        "tested": False,
        "tests": [],
        **fields,
    }


TOKEN = {
    "id": 3,
    "integration": "a/b",
    "name": "nightly",
    "description": "the old scheduler",
    "user": "etl",
    "uid": 1001,
    "unit": None,
    "state": "active",
    "created_at": STAMP,
    "created_by": "root",
    "expires_at": None,
    "last_used_at": None,
    "revoked_at": None,
    "revoked_by": None,
}
REQUEST = {
    "id": 5,
    "method": "grant.add",
    "integration": "a/b",
    "subject": "uid=1001",
    "params": {},
    "requested_at": "2026-11-20T00:00:00.000Z",
    "requested_by": "ada",
    "login": None,
    "expires_at": STAMP,
    "state": "approved",
    "decided_at": STAMP,
    "decided_by": "grace",
    "note": "seen",
}
CHANGE = {
    "at": STAMP,
    "by": "ada",
    "approved_by": None,
    "key": None,
    "version": None,
    "field": "owner",
    "old": "Bob",
    "new": "Ada",
    "reason": "moved on",
}


class World:
    """A vault with these integrations, as the methods of the protocol show it."""

    def __init__(self, *records, keys=("PGPASSWORD",), versions=None, alerts=(), texts=None):
        self.records = {record["name"]: record for record in records}
        self.keys, self.alerts = keys, list(alerts)
        self.versions = versions or [version(2), version(1, "revoked")]
        self.texts = texts or {}
        self.refuse = {}
        self.history, self.tokens, self.requests, self.holders = [], [], [], []

    def grants(self, name):
        return [
            {
                "id": 7,
                "integration": name,
                "rule": {"user": "etl", "uid": 1001},
                "staged_only": False,
                "created_at": STAMP,
                "created_by": self.texts.get("created_by", "root"),
            }
        ]

    def result(self, method, params):
        name = params.get("integration", params.get("name"))
        if method == "status":
            return {"version": "1", "sealed": False, "vault": VAULT, "host": "db1"}
        if method == "audit.list":
            return {"records": [], "last": 0, "head": {"seq": 41, "hash": "ab" * 32}}
        if method == "integration.list":
            return {"integrations": [{"name": each} for each in sorted(self.records)]}
        if method == "integration.show":
            return {
                "integration": self.records[name],
                "grants": self.grants(name),
                "secrets": [{"key": key} for key in self.keys],
            }
        if method == "secret.show":
            return {
                "integration": name,
                "key": params["key"],
                "description": self.texts.get("description"),
                "issuer": "dba",
                "created_at": STAMP,
                "created_by": "ada",
                "versions": self.versions,
            }
        if method == "run.list":
            return {"runs": []}
        if method == "integration.history":
            return {"name": name, "changes": self.history, "more": False}
        if method == "usage.show":
            return {
                "integration": name,
                "days": [{"day": "2026-11-22", "fetches": 12, "refused": 3}],
                "total": 12,
                "refused": 3,
            }
        return {
            "alert.list": {"alerts": self.alerts},
            "holder.list": {"holders": self.holders},
            "token.list": {"tokens": self.tokens},
            "request.list": {"requests": self.requests},
        }[method]

    def answer(self, request, _):
        if request["method"] in self.refuse:
            return refusal(self.refuse[request["method"]])
        return {"result": self.result(request["method"], request.get("params", {}))}


class Page(html.parser.HTMLParser):
    """What a browser would see: elements, attributes, and the text between them."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.attributes, self.text, self.style, self.open = [], [], "", None, []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            self.style = (self.style or "") + data
        else:
            self.text += data


class ReportTest(CommandTest):
    def report(self, world, *args, form="json"):
        with FakeDaemon(world.answer) as daemon:
            done = manage(daemon, "report", "--format", form, *args)
        self.assertEqual((done.status, done.stderr), (0, ""))
        return done.stdout

    def page(self, world, *args):
        text = self.report(world, *args, form="html")
        return text, Page(text)

    def rows(self, world):
        text = self.report(world, form="csv")
        return list(csv.DictReader(io.StringIO(text, newline="")))

    def document(self, world=None, **vault):
        document = json.loads(self.report(world or World(integration("a/b"))))
        document["vaults"][0].update(vault)
        return document


class Refusals(ReportTest):
    def test_options_that_contradict_each_other_are_refused_before_anything_is_asked(self):
        self.refused(manage(None, "report", "--format", "pdf"), 64, "html, csv or json")
        self.refused(manage(None, "report", "--json", "--format", "csv"), 64, "--json")
        self.refused(manage(None, "report", "--merge"), 64, "--merge")
        self.refused(manage(None, "report", "a.json"), 64, "--merge")
        self.refused(manage(None, "report", "--merge", "--days", "3", "a.json"), 64, "--days")
        for days in ("0", "401", "x", "-1"):
            self.refused(manage(None, "report", "--days", days), 64, "--days" if days != "-1" else "days")

    def test_no_file_is_left_where_the_daemon_refuses(self):
        world = World(integration("a/b"))
        world.refuse = {"secret.show": "denied"}
        path = self.path("r.html")
        with FakeDaemon(world.answer) as daemon:
            self.refused(manage(daemon, "report", "--output", path), 77)
        self.assertFalse(os.path.exists(path))

    def test_a_file_that_exists_is_not_written_over(self):
        path = self.write("r.html", "mine")
        with FakeDaemon(World(integration("a/b")).answer) as daemon:
            self.refused(manage(daemon, "report", "--output", path), 65, "r.html")
        self.assertEqual(self.read(path), "mine")

    def test_a_full_disk_is_an_error_and_leaves_no_part(self):
        with FakeDaemon(World(integration("a/b")).answer) as daemon:
            done = manage(daemon, "report", "--output", "/dev/full")
            self.assertEqual(done.status, 65)  # it exists
            with open("/dev/full", "wb") as full:
                done = manage_base.subprocess.run(
                    [manage_base.MANAGE, "report"],
                    stdout=full,
                    stderr=-1,
                    check=False,
                    env=manage_base.environment(daemon),
                )
        self.assertEqual(done.returncode, 74)
        self.assertIn(b"cannot be written", done.stderr)

    def merge(self, *texts, form="json"):
        paths = [
            self.write(f"{number}.json", text if isinstance(text, (bytes, str)) else json.dumps(text))
            for number, text in enumerate(texts)
        ]
        return manage(None, "report", "--merge", "--format", form, *paths)

    def test_what_is_no_report_is_refused_by_name(self):
        good = self.document()
        for text in (
            "",
            "{",
            "[]",
            "null",
            '{"report":"coffer-report/2","vaults":[]}',
            '{"report":"coffer-report/1","vaults":[]}',
            '{"report":"coffer-report/1","vaults":[1]}',
            json.dumps(good)[:-3],
            json.dumps(good) + "x",
            json.dumps(good).replace('"days": 92', '"days": 9.5'),
            '{"a":1,"a":2}',
            b"\xff\xfe",
            b'{"a":"\x00"}',
            json.dumps(good).replace('"host"', '"hast"'),
            json.dumps({**good, "vaults": [{**good["vaults"][0], "vault": None}]}),
            json.dumps({**good, "vaults": [{**good["vaults"][0], "vault": "../../x"}]}),
            json.dumps({**good, "vaults": [{**good["vaults"][0], "integrations": [{"integration": 3}]}]}),
        ):
            with self.subTest(text=text[:60]):
                self.refused(self.merge(text), 65, "0.json is no report")

    def test_deep_and_crowded_documents_are_refused(self):
        deep = '{"report":' + "[" * 40 + "]" * 40 + "}"
        crowded = '{"report":[' + "1," * 300000 + "1]}"
        self.assertIn(self.merge(deep).status, (65, 76))
        self.refused(self.merge(crowded), 76, "0.json has more in it")

    def test_the_same_vault_twice_is_refused_by_both_names(self):
        good = self.document()
        self.refused(
            self.merge(good, {**good, "vaults": [{**good["vaults"][0], "host": "other"}]}),
            65,
            "0.json",
            "1.json",
            VAULT,
        )

    def test_only_regular_files_within_limits_are_read(self):
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        self.refused(manage(None, "report", "--merge", fifo), 65, "regular file")
        self.refused(manage(None, "report", "--merge", self.directory), 65, "regular file")
        self.refused(manage(None, "report", "--merge", self.path("none.json")), 66, "none.json")
        large = self.path("large.json")
        with open(large, "wb") as file:
            file.truncate((64 << 20) + 1)
        self.refused(manage(None, "report", "--merge", large), 65, "large.json", "64 MiB")
        many = [self.write(f"m{number}.json", json.dumps(self.merged(f"v{number}"))) for number in range(65)]
        self.refused(manage(None, "report", "--merge", *many), 64, "64 files")

    def merged(self, vault):
        if not hasattr(self, "base"):
            self.base = self.document()
        return {**self.base, "vaults": [{**self.base["vaults"][0], "vault": vault}]}


class Forms(ReportTest):
    def test_the_document_holds_what_the_methods_say_and_what_follows_from_it(self):
        document = self.document()
        vault = document["vaults"][0]
        entry = vault["integrations"][0]
        self.assertEqual(document["report"], "coffer-report/1")
        self.assertEqual((vault["vault"], vault["days"], vault["audit"]), (VAULT, 92, {"seq": 41, "hash": "ab" * 32}))
        self.assertEqual(vault["host"], "db1")
        self.assertEqual(entry["integration"], integration("a/b"))
        self.assertEqual(entry["review_at"], "2026-04-02T03:04:05.000Z")
        self.assertEqual(entry["secrets"][0]["rotate_at"], "2026-05-04T00:00:00.000Z")
        self.assertEqual(document["figures"]["rotations_overdue"], 1)
        self.assertEqual(document["figures"]["fetches"], 12)

    def test_tokens_requests_and_reviews_are_counted_and_shown(self):
        world = World(integration("a/b"))
        world.tokens = [TOKEN, {**TOKEN, "id": 4, "state": "revoked"}, {**TOKEN, "id": 5, "state": "expired"}]
        world.requests = [REQUEST, {**REQUEST, "id": 6, "state": "pending", "decided_by": None, "decided_at": None}]
        long_ago = {**CHANGE, "field": "reviewed_at", "at": "2020-01-01T00:00:00.000Z"}
        world.history = [{**CHANGE, "field": "reviewed_at", "at": self.now()}, CHANGE, long_ago]
        figures = self.document(world)["figures"]
        self.assertEqual((figures["tokens"], figures["requests_pending"], figures["reviews"]), (1, 1, 1))
        page = self.page(world)[1]
        for word in ("nightly", "the old scheduler", "grant.add: uid=1001", "Bob", "moved on"):
            self.assertIn(word, page.text)

    def test_a_grant_names_who_approved_it(self):
        world = World(integration("a/b"))
        world.requests = [{**REQUEST, "decided_by": decided} for decided in ("grace",)]
        self.assertTrue(re.search(r"<td>root</td>\s*<td>grace</td></tr>", self.report(world, form="html")))
        for other in ({"state": "rejected"}, {"method": "grant.remove"}, {"decided_at": "2026-11-22T09:30:00.124Z"}):
            world.requests = [{**REQUEST, **other}]
            self.assertTrue(re.search(r"<td>root</td>\s*<td></td></tr>", self.report(world, form="html")))

    def test_an_alert_that_somebody_has_seen_is_shown_as_such_and_not_counted(self):
        alert = {
            "kind": "unused",
            "severity": "notice",
            "integration": "a/b",
            "key": None,
            "since": None,
            "text": "unused",
        }
        seen = {**alert, "acked": {"by": "grace", "until": STAMP, "note": "in June"}}
        world = World(integration("a/b"), alerts=[{**alert, "acked": None}, seen])
        self.assertEqual(self.document(world)["figures"]["notice"], 1)
        self.assertIn("Seen by grace, quiet until 2026-11-22: in June", self.page(world)[1].text)

    @staticmethod
    def now():
        return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())

    def test_never_and_retired_are_not_due(self):
        world = World(
            integration("a/b", rotate_after="never", review_after="never"), integration("a/c", state="retired")
        )
        for entry in self.document(world)["vaults"][0]["integrations"]:
            self.assertEqual((entry["review_at"], entry["secrets"][0]["rotate_at"]), (None, None))

    def test_who_may_not_see_the_records_gets_a_report_without_their_head(self):
        world = World(integration("a/b"))
        world.refuse = {"audit.list": "denied"}
        self.assertNotIn("audit", self.document(world)["vaults"][0])
        self.assertIn("Head of the audit chain", self.page(world)[1].text)

    def test_what_an_older_daemon_does_not_know_is_left_out(self):
        world = World(integration("a/b"))
        world.refuse = dict.fromkeys(("integration.history", "request.list"), "unknown_method")
        entry = self.document(world)["vaults"][0]["integrations"][0]
        self.assertEqual(("history" in entry, "requests" in entry, "tokens" in entry), (False, False, True))

    def test_what_went_away_meanwhile_is_left_out(self):
        world = World(integration("a/b"))
        world.refuse = {"integration.show": "not_found"}
        self.assertEqual(self.document(world)["vaults"][0]["integrations"], [])

    def test_a_report_file_is_for_its_owner_alone(self):
        path = self.path("r.html")
        with FakeDaemon(World(integration("a/b")).answer) as daemon:
            self.assertEqual(manage(daemon, "report", "--output", path).status, 0)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)

    def test_a_vault_without_integrations_has_a_report_in_every_form(self):
        self.assertIn("No integrations", self.page(World())[1].text)
        self.assertEqual(self.rows(World()), [])

    def test_reports_of_two_hosts_become_one(self):
        first, second = self.document(), self.document(
            World(integration("x/y", owner="Zoe")), vault="other", host="db2"
        )
        paths = [self.write("1.json", json.dumps(first)), self.write("2.json", json.dumps(second))]
        whole = json.loads(manage(None, "report", "--merge", "--json", *paths).stdout)
        self.assertEqual([vault["host"] for vault in whole["vaults"]], ["db1", "db2"])
        self.assertEqual(whole["figures"]["integrations"], 2)
        self.assertEqual(whole["vaults"], first["vaults"] + second["vaults"])
        page = Page(manage(None, "report", "--merge", *paths).stdout)
        for word in ("a/b", "x/y", "Zoe", "db2"):
            self.assertIn(word, page.text)
        rows = list(csv.DictReader(io.StringIO(manage(None, "report", "--merge", "--format", "csv", *paths).stdout)))
        self.assertEqual([(row["host"], row["integration"]) for row in rows], [("db1", "a/b"), ("db2", "x/y")])
        # What a merge wrote can be merged again.
        both = self.write("both.json", json.dumps(whole))
        self.assertEqual(json.loads(manage(None, "report", "--merge", "--json", both).stdout), whole)

    def test_figures_that_a_file_claims_are_counted_anew(self):
        document = self.document()
        document["figures"]["integrations"] = 4711
        path = self.write("1.json", json.dumps(document))
        self.assertEqual(
            json.loads(manage(None, "report", "--merge", "--json", path).stdout)["figures"]["integrations"], 1
        )


class HostileTexts(ReportTest):
    def hostile(self):
        """Hostile text wherever a text of other people's making can stand."""
        texts = {field: HOSTILE for field in FIELDS if field not in ("systems", "managed_by", "labels", "environment")}
        record = integration(
            "a/b",
            **texts,
            systems=[HOSTILE, HOSTILE],
            labels={"team": HOSTILE},
            managed_by=[HOSTILE],
            created_by=HOSTILE,
        )
        alert = {
            "kind": HOSTILE,
            "severity": HOSTILE,
            "integration": HOSTILE,
            "key": HOSTILE,
            "version": None,
            "since": STAMP,
            "text": HOSTILE,
            "advice": HOSTILE,
            "acked": {"by": HOSTILE, "until": STAMP, "note": HOSTILE},
        }
        world = World(
            record,
            versions=[version(1, note=HOSTILE, issuer_ref=HOSTILE, created_by=HOSTILE, state=HOSTILE)],
            alerts=[alert, {**alert, "severity": "critical"}],
            texts={"description": HOSTILE, "created_by": HOSTILE},
        )
        world.tokens = [dict.fromkeys(TOKEN, HOSTILE)]
        world.requests = [dict.fromkeys(REQUEST, HOSTILE)]
        world.history = [dict.fromkeys(CHANGE, HOSTILE)]
        world.holders = [dict.fromkeys(("key", "version", "holder", "pid", "user", "exe", "unit", "since"), HOSTILE)]
        return world

    def check_page(self, text):
        page = Page(text)
        self.assertNotIn("script", page.elements)
        for tag, name, value in page.attributes:
            self.assertFalse(name.startswith("on"), (tag, name))
            self.assertNotIn(name, ("src", "style", "srcset", "action", "formaction", "xlink:href"))
            if name == "href":
                self.assertRegex(value, r"\A#[a-z0-9-]+\Z")
        for character in "\x1b\u202e\u2066\r":
            self.assertNotIn(character, text)
        self.assertEqual(page.elements.count("style"), 1)
        return page

    def test_no_text_gets_into_a_page_as_more_than_text(self):
        page = self.check_page(self.report(self.hostile(), form="html"))
        self.assertIn("\\x1b[2J\\xe2\\x80\\xae\\xe2\\x81\\xa6 " + SCRIPT, page.text)
        self.assertGreater(page.text.count(SCRIPT), 25)

    def test_hostile_reports_harm_a_merged_page_as_little(self):
        document = self.document(self.hostile(), host=HOSTILE, version=HOSTILE)
        for entry in document["vaults"][0]["integrations"]:
            entry["integration"].update(name=HOSTILE, state=HOSTILE)
            entry.update(
                history=[{"at": STAMP, "by": HOSTILE, "field": HOSTILE, "old": HOSTILE, "new": HOSTILE}],
                usage=HOSTILE,
                held=[{"key": HOSTILE}],
                runs=HOSTILE,
            )
        document["vaults"][0]["audit"] = {"seq": HOSTILE, "hash": HOSTILE}
        path = self.write("1.json", json.dumps(document))
        done = manage(None, "report", "--merge", path)
        self.assertEqual((done.status, done.stderr), (0, ""))
        self.check_page(done.stdout)

    def test_wrong_types_everywhere_are_shown_as_nothing(self):
        document = self.document()
        for wrong in (7, "x", None, True, [], {}, [1], [[1]], {"a": 1}, -9007199254740991):
            vault = dict(document["vaults"][0], alerts=wrong, audit=wrong, audit_after=wrong, days=wrong, version=wrong)
            entry = dict(vault["integrations"][0])
            vault["integrations"] = [
                {
                    "integration": dict.fromkeys(entry["integration"], wrong),
                    **{key: wrong for key in entry if key != "integration"},
                },
                {
                    **entry,
                    "secrets": [{"key": wrong, "versions": [dict.fromkeys(version(1), wrong)], "rotate_at": wrong}],
                    "usage": [{"day": wrong, "fetches": wrong}],
                    "held": [dict.fromkeys(("key", "version", "from", "until"), wrong)],
                },
            ]
            path = self.write("1.json", json.dumps({**document, "vaults": [vault]}))
            for form in ("html", "csv", "json"):
                with self.subTest(wrong=wrong, form=form):
                    done = manage(None, "report", "--merge", "--format", form, path)
                    self.assertEqual((done.status, done.stderr), (0, ""))

    def test_times_and_numbers_at_the_ends_draw_nothing_wrong(self):
        document = self.document()
        vault = document["vaults"][0]
        entry = vault["integrations"][0]
        for stamp in ("1970-01-01T00:00:00.001Z", "9999-12-31T23:59:59.999Z"):
            entry["usage"] = [{"day": stamp[:10], "fetches": 9007199254740991}]
            entry["held"] = [{"key": "PGPASSWORD", "version": 2, "from": stamp, "until": stamp}]
            entry["history"] = [
                {"at": stamp, "key": "PGPASSWORD", "version": 2, "field": "state", "old": None, "new": "current"}
            ]
            entry["secrets"][0]["rotate_at"] = entry["review_at"] = stamp
            for since, until in ((STAMP, stamp), ("1970-01-01T00:00:00.001Z", STAMP)):
                vault.update(since=since, generated_at=until)
                done = manage(None, "report", "--merge", self.write("1.json", json.dumps(document)))
                self.assertEqual((done.status, done.stderr), (0, ""))
                for number in re.findall(r'(?:width|height|x|y)="(-?\d+)"', done.stdout):
                    self.assertLess(int(number), 2000)
                    self.assertGreaterEqual(int(number), 0)

    def test_sums_end_at_the_end_of_their_range(self):
        document = self.document()
        entry = document["vaults"][0]["integrations"][0]
        most = 9007199254740991
        for sign in (1, -1):
            entry["usage"] = [{"day": "2026-11-22", "fetches": sign * most, "refused": sign * most}] * 1100
            done = manage(None, "report", "--merge", "--json", self.write("1.json", json.dumps(document)))
            self.assertEqual((done.status, done.stderr), (0, ""))
            self.assertEqual(json.loads(done.stdout)["figures"]["fetches"], sign * most)
            # Which can be read again.
            done = manage(None, "report", "--merge", self.write("2.json", done.stdout))
            self.assertEqual((done.status, done.stderr), (0, ""))

    def test_the_policy_allows_the_one_style_by_its_hash_and_nothing_else(self):
        text, page = self.page(World(integration("a/b")))
        policy = next(
            value
            for tag, name, value in page.attributes
            if tag == "meta" and name == "content" and "default-src" in value
        )
        digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
        self.assertEqual(
            policy, f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
        )
        self.assertLess(text.index("Content-Security-Policy"), text.index("<style>"))
        self.assertNotIn("url(", page.style)

    def test_a_sheet_takes_no_text_for_a_formula(self):
        for formula in FORMULAS:
            world = World(integration("a/b", owner=formula, title="1" + formula), versions=[version(1, note=formula)])
            shown = formula.replace("\r", "\\x0d")
            with self.subTest(formula=formula):
                row = self.rows(world)[0]
                begins = shown.lstrip(" ")[0] in "=+-@\t\uff1d"
                self.assertEqual(row["owner"], ("'" if begins else "") + shown)
                self.assertEqual(row["note"], ("'" if begins else "") + shown)
                self.assertEqual(row["title"], "1" + shown)

    def test_a_sheet_is_rfc_4180_whatever_stands_in_its_cells(self):
        record = integration(
            "a/b", owner='say "x", y', description="one\ntwo;three", labels={"a": '"'}, systems=["p,q", "r"]
        )
        text = self.report(World(record, keys=("A", "B")), form="csv")
        rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
        self.assertEqual([row["key"] for row in rows], ["A", "B"])
        self.assertEqual(rows[0]["owner"], 'say "x", y')
        self.assertEqual(rows[0]["description"], "one\ntwo;three")
        self.assertEqual(rows[0]["systems"], "p,q, r")
        self.assertTrue(text.endswith('"\r\n'))
        for field in FIELDS:
            self.assertIn(field, rows[0])

    def test_a_sheet_shows_what_would_reorder_or_control(self):
        world = self.hostile()
        world.versions[0]["state"] = "current"
        row = self.rows(world)[0]
        for name in ("owner", "note", "secret_description"):
            self.assertTrue(row[name].startswith("\\x1b[2J\\xe2\\x80\\xae"), row[name])


if __name__ == "__main__":
    manage_base.MANAGE = sys.argv.pop(1)
    unittest.main()
