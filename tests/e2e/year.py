#!/usr/bin/python3
"""A year of an integration under a moved clock, told by the command line alone: planned, asked for and approved, made,
tested, run every night, checked every month, failed once and missed once, reviewed, handed to a colleague, due for
rotation, rotated, reported each quarter, retired.  What each command prints is checked; at the end the audit log alone
must tell the same story."""
import json
import os
import re
import tempfile
from datetime import datetime, timezone

from coffer_test import AUDITOR, ETL, OPERATOR, SECOND_ADMIN, STRANGER, TWO_ADMINS, Suite, equal, wait_until
from moved_clock import MovedVault

NAME = "finance/warehouse-sync"
KEY = "PGPASSWORD"
RULES = {
    "policy": {"require": "approval, docs"},
    "approval": {"require": "grant.add, integration.retire"},
}
PLAN = """\
[finance/warehouse-sync]
title = Warehouse sync
description = Copies the ledger into the warehouse every night
owner = Petra Example
contact = petra@example.org
purpose = The finance reports read the warehouse
systems = ledger, warehouse
scope = Ledger entries, no personal data
access = read-only
schedule = 02:00 every night
expected_every = 1d
docs = https://wiki.example.org/warehouse-sync
approval = CAB-2029-117
rotate_after = 180d
review_after = 90d
test = test -n "$PGPASSWORD"
labels = team=data
"""


class Year:
    """The vault, its clock, and the people who use the command line."""

    def __init__(self, suite):
        self.vault = MovedVault(suite.programs, suite.vault_folder, roles=TWO_ADMINS, sections=RULES)
        suite.vaults.append(self.vault)
        self.clock = self.vault.clock
        self.nights = 0
        self.saved_head = None

    def ask(self, *words, uid=0, status=0, **more):
        """What a command prints and says; its exit status must be this one."""
        done = self.vault.coffer(*words, uid=uid, **more)
        equal(
            done.returncode,
            status,
            f"exit status of coffer {' '.join(map(str, words))} ({done.stderr.decode()})",
        )
        return done.stdout.decode(), done.stderr.decode()

    def say(self, *words, **more):
        return "".join(self.ask(*words, **more))

    def json(self, *words, **more):
        return json.loads(self.ask(*words, "--json", **more)[0])

    def alerts(self):
        """The kinds of the open alerts of the integration, by the command that a timer would run."""
        done = self.vault.coffer("alerts", "--json", uid=OPERATOR)
        open_ones = [row for row in json.loads(done.stdout)["alerts"] if not row.get("acked")]
        found = [row["kind"] for row in open_ones if row["integration"] == NAME]
        found = [kind for kind in found if kind != "maker_gone"]  # this host has no users of these numbers
        equal(done.returncode, 1 if open_ones else 0, "exit status of coffer alerts")
        return found

    def must_alert(self, kind):
        wait_until(lambda: kind in self.alerts(), f"the alert {kind}")

    def must_not_alert(self, kind):
        wait_until(lambda: kind not in self.alerts(), f"no alert {kind}")

    def night(self, status=0, command=("true",)):
        """The next night's run."""
        self.clock.forward(days=1)
        self.run(status, command)

    def run(self, status=0, command=("true",)):
        self.say("run", NAME, "--record", "--", *command, uid=ETL, status=status)
        self.nights += 1

    def pass_nights(self, days):
        for _ in range(days):
            self.night()

    def check_the_month(self):
        """What its owner and an auditor look at: nothing needs attention, it was used every night, the log is whole."""
        equal(self.alerts(), [], "alerts of a quiet month")
        usage = self.json("usage", NAME, "--days", "28", uid=AUDITOR)
        equal([row["fetches"] for row in usage["days"]], [1] * 28, "fetches per day")
        must_say(self.say("usage", NAME, uid=AUDITOR), str(ETL))
        must_say(self.say("status", uid=AUDITOR), "Integrations: +1")
        if self.saved_head:
            self.say("audit", "verify", "--head", self.saved_head, uid=AUDITOR)
        self.saved_head = self.json("audit", "list", "--limit", "1", uid=AUDITOR)["head"]["hash"]


suite = Suite()
year = None


def must_say(text, *patterns):
    for pattern in patterns:
        assert re.search(pattern, text), f"{pattern!r} is not in what was printed:\n{text}"


def told(story, kind, outcome="ok", **wanted):
    """The records of the audit export of this kind, in their order."""
    return [
        row
        for row in story
        if row["kind"] == kind
        and row["outcome"] == outcome
        and all(row[name] == value for name, value in wanted.items())
    ]


@suite.check
def january_it_is_planned(_):
    global year  # pylint: disable=global-statement
    year = Year(suite)
    year.clock.set(datetime(2030, 1, 7, 8, 0, tzinfo=timezone.utc))
    year.vault.make()
    year.vault.start()
    must_say(year.say("apply", "--dry-run", "-", stdin=PLAN.encode()), NAME)
    equal(year.json("integration", "list")["integrations"], [], "integrations after a dry run")
    without_docs = re.sub(r"docs = .*\n", "", PLAN)
    must_say(year.say("apply", "-", stdin=without_docs.encode(), status=65), "docs")
    equal(year.json("integration", "list")["integrations"], [], "integrations after a refusal")
    must_say(year.say("apply", "-", stdin=PLAN.encode()), NAME)
    must_say(year.say("apply", "-", stdin=PLAN.encode()), "unchanged")
    shown = year.json("integration", "show", NAME, uid=AUDITOR)["integration"]
    equal(shown["owner"], "Petra Example", "owner")
    equal(shown["environment"], "production", "environment")


@suite.check
def january_access_is_asked_for_and_approved(_):
    must_say(year.say("grant", "add", NAME, f"user={ETL}", status=75), "coffer request approve 1")
    must_say(year.say("run", NAME, "--", "true", uid=ETL, status=125), "not permitted|denied")
    year.say("request", "approve", "1", status=77)
    year.say("request", "approve", "1", uid=OPERATOR, status=77)
    must_say(year.say("request", "list", uid=AUDITOR), NAME, "grant.add")
    must_say(year.say("request", "approve", "1", "--note", "seen", uid=SECOND_ADMIN), NAME)
    year.say("request", "approve", "1", uid=SECOND_ADMIN, status=65)
    must_say(year.say("grant", "list", NAME, uid=AUDITOR), str(ETL))
    must_say(
        year.say("grant", "add", NAME, f"user={OPERATOR}", "--staged-only", status=75),
        "coffer request approve 2",
    )
    year.say("request", "approve", "2", uid=SECOND_ADMIN)
    loud = [
        row for row in year.json("alerts", uid=OPERATOR, status=1)["alerts"] if row["kind"] == "grant_to_role"
    ]
    equal([row["integration"] for row in loud], [NAME], "alerts of a grant to an operator")
    note = "who rotates must be able to test"
    year.say("alert", "ack", loud[0]["id"], "--until", "360d", "--note", note, uid=OPERATOR)
    year.must_not_alert("grant_to_role")
    must_say(year.say("grant", "explain", NAME, "--user", str(STRANGER), uid=AUDITOR), "another user")
    must_say(year.say("grant", "explain", NAME, "--user", str(ETL), uid=AUDITOR), "may fetch|matches|would")


@suite.check
def january_it_is_made_and_tested(_):
    place = (NAME, KEY)
    year.say(
        "secret",
        "put",
        *place,
        "--stage",
        "--description",
        "Opens the warehouse",
        "--issuer",
        "dba@example.org",
        uid=OPERATOR,
        stdin=b"first-value",
    )
    year.say("secret", "promote", *place, uid=OPERATOR, status=65)
    must_say(year.say("secret", "test", *place, uid=OPERATOR), "passed")
    year.say("secret", "promote", *place, uid=OPERATOR)
    must_say(year.say("secret", "show", *place, uid=AUDITOR), "current")


@suite.check
def winter_it_runs_every_night_and_is_checked_every_month(_):
    for _month in range(2):
        year.pass_nights(30)
        year.check_the_month()


@suite.check
def march_a_run_fails(_):
    year.night(status=3, command=("sh", "-c", "exit 3"))
    year.must_alert("run_failed")
    must_say(year.say("alerts", uid=OPERATOR, status=1), "run_failed|status 3", "coffer history")
    must_say(year.say("history", NAME, uid=AUDITOR), "3")
    year.night()
    year.must_not_alert("run_failed")


@suite.check
def march_a_run_is_missed(_):
    year.clock.forward(days=2)
    year.must_alert("run_missed")
    year.run()
    year.must_not_alert("run_missed")


@suite.check
def april_it_is_reviewed(_):
    year.pass_nights(29)
    year.must_alert("review_overdue")
    year.say("integration", "review", NAME, "--note", "still needed, read-only is enough", uid=OPERATOR)
    year.must_not_alert("review_overdue")
    year.must_not_alert("review_due")


@suite.check
def may_it_goes_to_a_colleague(_):
    year.pass_nights(20)
    must_say(
        year.say(
            "integration",
            "transfer",
            "--from",
            "Petra Example",
            "--to",
            "Grace Hopper",
            "--contact",
            "grace@example.org",
            "--reason",
            "Petra moves to another team",
        ),
        NAME,
    )
    must_say(
        year.say("integration", "show", NAME, "--history", uid=AUDITOR),
        "Petra Example",
        "Grace Hopper",
        "another team",
    )


@suite.check
def july_it_is_due_for_rotation_and_rotated(_):
    year.pass_nights(40)
    year.must_alert("rotation_due")
    year.pass_nights(28)
    year.must_alert("rotation_overdue")
    rotated = year.say("rotate", NAME, KEY, "--issuer-ref", "key-2", uid=OPERATOR, stdin=b"second-value")
    must_say(rotated, "version 2", "revoked|destroyed")
    year.must_not_alert("rotation_overdue")
    year.night()
    versions = year.json("secret", "show", NAME, KEY, uid=AUDITOR)["versions"]
    equal([row["state"] for row in versions], ["current", "revoked"], "states of the versions")


@suite.check
def each_quarter_there_is_a_report(_):
    report = json.loads(year.ask("report", "--format", "json", "--days", "92", uid=AUDITOR)[0])
    page = year.say("report", "--format", "html", uid=AUDITOR)
    must_say(page, "<html", NAME, "Grace Hopper")
    assert "second-value" not in page and "second-value" not in json.dumps(report)


@suite.check
def autumn_goes_by(_):
    for month in range(4):
        if month % 2 == 0:
            year.say("integration", "review", NAME, "--note", "nothing has changed", uid=OPERATOR)
        year.pass_nights(30)
        year.check_the_month()


@suite.check
def december_it_is_retired(_):
    must_say(
        year.say(
            "integration", "retire", NAME, "--reason", "the warehouse reads the ledger itself", status=75
        ),
        "coffer request approve",
    )
    year.say("request", "approve", "3", uid=SECOND_ADMIN)
    year.say("run", NAME, "--", "true", uid=ETL, status=125)

    def is_destroyed():
        versions = year.json("secret", "show", NAME, KEY, uid=AUDITOR)["versions"]
        return all(row["state"] == "revoked" for row in versions)

    wait_until(is_destroyed, "its values are destroyed")
    equal(year.json("grant", "list", NAME, uid=AUDITOR)["grants"], [], "grants of a retired integration")
    year.say("secret", "put", NAME, KEY, uid=OPERATOR, stdin=b"third", status=77)
    year.clock.forward(days=2)
    wait_until(lambda: year.alerts() == [], "the alert of the refused run is over")


@suite.check
def the_audit_log_alone_tells_the_story(_):
    text = year.ask("audit", "export", "-", uid=AUDITOR)[0]
    story = [row for row in map(json.loads, text.splitlines()) if row.get("seq")]
    with tempfile.NamedTemporaryFile("w", dir=year.vault.folder) as file:
        file.write(text)
        file.flush()
        os.chmod(file.name, 0o644)
        must_say(year.say("audit", "verify", file.name, "--head", year.saved_head), str(len(story)))
    about = [row for row in story if row["integration"] == NAME]
    days = [row["time"][:10] for row in about]
    equal(days, sorted(days), "days of the records")
    order = [(row["kind"], row["outcome"]) for row in about if row["kind"] not in ("env.fetch", "run.end")]
    equal(
        order,
        [
            ("apply.run", "bad_value"),
            ("integration.add", "ok"),
            ("grant.add", "approval_required"),
            ("request.approve", "denied"),
            ("grant.add", "ok"),
            ("request.approve", "ok"),
            ("request.approve", "conflict"),
            ("grant.add", "approval_required"),
            ("grant.add", "ok"),
            ("request.approve", "ok"),
            ("alert.ack", "ok"),
            ("secret.put", "ok"),
            ("secret.promote", "untested"),
            ("secret.record_test", "ok"),
            ("secret.promote", "ok"),
            ("integration.review", "ok"),
            ("integration.transfer", "ok"),
            ("secret.put", "ok"),
            ("secret.record_test", "ok"),
            ("secret.promote", "ok"),
            ("secret.revoke", "ok"),
            ("integration.review", "ok"),
            ("integration.review", "ok"),
            ("integration.retire", "approval_required"),
            ("integration.retire", "ok"),
            ("request.approve", "ok"),
            ("secret.put", "retired"),
        ],
        "what happened, in its order",
    )
    fetches = told(about, "env.fetch", uid=ETL)
    equal(len([row for row in fetches if row["detail"] != "staged"]), year.nights, "nights")
    equal(len(told(about, "run.end")), year.nights, "ends of runs")
    assert any("status=3" in row["subject"] or "3" in row["subject"] for row in told(about, "run.end"))
    transfer = told(about, "integration.transfer")[0]
    must_say(transfer["subject"], "Petra Example", "Grace Hopper")
    equal(told(about, "secret.revoke")[0]["version"], 1, "version that was revoked")


if __name__ == "__main__":
    suite.run()
