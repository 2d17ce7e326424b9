#!/usr/bin/python3
"""coffer usage and coffer alerts against a daemon that answers by script.   usage: use_cli.py COFFER_MANAGE"""

import datetime
import json
import os
import sys
import time
import unittest

import manage_base
from fake_daemon import FakeDaemon, refusal
from manage_base import CommandTest, Done, manage

HOSTILE = "evil\x1b[2J\u202e%n\nTotal: 0"

ALERTS = {
    "host": "h",
    "vault": "ab" * 16,
    "counts": {"critical": 1, "warning": 0, "notice": 0, "acked": 1},
    "alerts": [
        {
            "id": "secret_expired:finance/sync:A:1",
            "kind": "secret_expired",
            "severity": "critical",
            "integration": "finance/sync",
            "key": "A",
            "version": 1,
            "since": "2026-11-22T09:30:00.123Z",
            "text": "it has expired",
            "advice": "coffer rotate finance/sync A",
            "acked": None,
        },
        {
            "id": "run_missed:crm",
            "kind": "run_missed",
            "severity": "warning",
            "since": None,
            "text": "none",
            "advice": "coffer history crm",
            "acked": {"by": "ada", "until": "2026-12-24T00:00:00.000Z", "note": "year-end"},
        },
    ],
    "more": False,
}


def usage(counts, **members):
    days = [
        {"day": f"2026-{10 + i // 28:02}-{1 + i % 28:02}", "fetches": count, "refused": 0}
        for i, count in enumerate(counts)
    ]
    return {
        "integration": "finance/sync",
        "days": days,
        "total": sum(counts),
        "refused": 2,
        "last_fetched_at": "2026-11-22T09:30:00.123Z",
        "by": [{"user": "etl", "uid": 1001, "fetches": sum(counts), "last_at": "2026-11-22T09:30:00.123Z"}],
        "keys": [{"key": "PGPASSWORD", "version": 3, "fetches": 7, "last_fetched_at": "2026-11-22T09:30:00.123Z"}],
        "more": False,
        **members,
    }


class UseTest(CommandTest):
    def shown(self, result, *args, **variables):
        with FakeDaemon(lambda request, pid: {"result": result}) as daemon:
            done = self.manage_in(daemon, variables, "usage", "finance/sync", *args)
            self.assertEqual((done.status, done.stderr), (0, ""))
            self.assertEqual(daemon.requests[0]["method"], "usage.show")
            return done.stdout

    @staticmethod
    def manage_in(daemon, variables, *args):
        plain = manage_base.environment
        manage_base.environment = lambda *given: {**plain(*given), **variables}
        try:
            return Done(daemon, args)
        finally:
            manage_base.environment = plain

    # ---- refused ----

    def test_bad_usage_is_refused_before_any_request(self):
        with FakeDaemon(lambda request, pid: {"result": {}}) as daemon:
            self.refused(manage(daemon, "usage"), 64, "missing: INTEGRATION")
            self.refused(manage(daemon, "usage", "x", "--days", "some"), 64, "--days: not a number")
            self.assertEqual(daemon.requests, [])

    def test_what_the_daemon_refuses_is_told(self):
        with FakeDaemon(lambda request, pid: refusal("not_found", "no such integration")) as daemon:
            self.refused(manage(daemon, "usage", "x"), 66, "no such integration")

    def test_an_empty_answer_is_shown_as_empty(self):
        text = self.shown({})
        self.assertIn("last fetched never", text)
        self.assertIn("none", text)

    # ---- bars ----

    def test_bars_grow_with_the_days(self):
        bars = self.shown(usage([0, 1, 4, 8, 64]), LC_ALL="C.UTF-8").splitlines()
        self.assertEqual(bars[0], "finance/sync: fetches 77, refused 2")
        self.assertEqual(bars[1], "▁▂▂▂█")
        self.assertEqual(bars[2], "2026-10-01 to 2026-10-05")
        self.assertEqual(bars[3], "average 15.4 a day, most 64 on 2026-10-05")
        self.assertEqual(bars[4], "last fetched 2026-11-22T09:30:00Z by etl")

    def test_bars_are_ascii_where_the_locale_is(self):
        text = self.shown(usage([0, 1, 2, 3, 4, 5, 6, 7]), LC_ALL="C")
        self.assertTrue(text.isascii(), text)
        self.assertEqual(text.splitlines()[1], "_.:-=+*#")

    def test_many_days_share_a_bar_and_all_fit_into_a_line(self):
        text = self.shown(usage([1] * 400), "--days", "400").splitlines()
        self.assertEqual(len(text[1]), 80)
        self.assertIn(", 5 days each", text[2])
        with FakeDaemon(lambda request, pid: {"result": usage([1] * 400)}) as daemon:
            _, seen = self.at_terminal(daemon, ["usage", "finance/sync"], [], columns=40)
        lines = seen.decode().splitlines()
        self.assertLessEqual(len(lines[1]), 40)
        self.assertIn(", 10 days each", lines[2])

    def test_a_day_without_any_use_has_no_peak(self):
        text = self.shown(usage([0, 0], by=[], last_fetched_at=None))
        self.assertIn("average 0.0 a day\nlast fetched never\n", text)
        self.assertNotIn("most", text)

    def test_absurd_numbers_do_no_harm(self):
        big = 9007199254740991
        text = self.shown(usage([big, big, -5, 0], total=big, by=[]))
        self.assertRegex(text.splitlines()[1], r"^##__$")
        self.shown({**usage([1]), "days": [{"day": "2026-10-01"}] * 1000})
        self.shown({**usage([1]), "days": ["x", 7, None, {"fetches": "many"}]})

    def test_hostile_names_and_dates_harm_no_terminal(self):
        result = usage([1, 2], by=[{"user": HOSTILE, "uid": 1, "fetches": 1, "last_at": HOSTILE}])
        result["integration"] = HOSTILE
        result["days"][0]["day"] = "\x1b[2J\x1b[3J"
        result["days"][1]["day"] = "%n%n%n%n%n"
        result["keys"][0]["key"] = HOSTILE
        text = self.shown(result, LC_ALL="C.UTF-8")
        for bad in ("\x1b", "\u202e", "\nTotal: 0"):
            self.assertNotIn(bad, text)
        self.assertIn("? to ?", text)

    def test_json_is_the_result_as_it_is(self):
        result = usage([1, 2])
        self.assertEqual(json.loads(self.shown(result, "--json")), result)

    # ---- alerts ----

    def alerts(self, *args, **options):
        with FakeDaemon(lambda request, pid: {"result": options.pop("result", ALERTS)}) as daemon:
            return manage(daemon, "alerts", *args)

    def test_alerts_that_somebody_has_seen_are_shown_when_asked_for(self):
        done = self.alerts()
        self.assertEqual(done.status, 1)
        lines = done.stdout.splitlines()
        self.assertRegex(lines[1], r"^critical +secret_expired:finance/sync:A:1 +2026-11-22T09:30:00Z +it has")
        self.assertNotIn("run_missed", done.stdout)
        done = self.alerts("--all")
        self.assertEqual(done.status, 1)
        self.assertRegex(done.stdout, r"(?m)^warning +run_missed:crm +- +none +ada +2026-12-24T00:00:00Z +year-end")

    def test_alerts_that_are_all_seen_are_no_failure(self):
        for args in ((), ("--all",), ("--json",)):
            done = self.alerts(*args, result={"alerts": ALERTS["alerts"][1:]})
            self.assertEqual(done.status, 0, args)
        self.assertEqual(self.alerts(result={"alerts": ALERTS["alerts"][1:]}).stdout, "none\n")

    def test_alerts_say_when_there_are_more(self):
        done = self.alerts(result={**ALERTS, "more": True})
        self.assertEqual(done.stderr, "coffer: there are more: these are the most urgent ones\n")

    def test_alerts_fit_a_narrow_terminal(self):
        with FakeDaemon(lambda request, pid: {"result": ALERTS}) as daemon:
            status, seen = self.at_terminal(daemon, ["alerts", "--all"], [], columns=40)
        self.assertEqual(status, 1)
        self.assertIn(b"ALERT:", seen)
        self.assertIn(b"secret_expired:finance/sync:A:1", seen)

    def test_hostile_alerts_harm_no_terminal(self):
        hostile = {name: HOSTILE for name in ("id", "text", "advice", "severity", "since", "integration")}
        for acked in (None, {"by": HOSTILE, "until": HOSTILE, "note": HOSTILE}):
            done = self.alerts("--all", result={"alerts": [{**hostile, "acked": acked}]})
            for bad in ("\x1b", "\u202e", "\nTotal: 0"):
                self.assertNotIn(bad, done.stdout)

    # ---- alert ack ----

    def acked(self, *args):
        with FakeDaemon(lambda request, pid: {"result": {"alert": "x", "until": "2026-12-24T00:00:00.000Z"}}) as daemon:
            done = manage(daemon, "alert", "ack", *args)
            self.assertEqual((done.status, done.stderr), (0, ""))
            self.assertEqual(done.stdout, "x is quiet until 2026-12-24T00:00:00.000Z\n")
            return daemon.requests[0]["params"]

    def test_an_ack_that_says_too_little_is_refused_before_any_request(self):
        with FakeDaemon(lambda request, pid: {"result": {}}) as daemon:
            self.refused(manage(daemon, "alert", "ack"), 64, "missing: ALERT")
            self.refused(manage(daemon, "alert", "ack", "x", "--until", "1d"), 64, "--note")
            self.refused(manage(daemon, "alert", "ack", "x", "--note", "n"), 64, "--until")
            self.refused(manage(daemon, "alert", "ack", "x", "--note", b"\xff", "--until", "1d"), 64, "not UTF-8")
            self.refused(manage(daemon, "alert", "ack", b"\xff", "--note", "n", "--until", "1d"), 64, "not UTF-8")
            self.assertEqual(daemon.requests, [])

    def test_an_ack_names_its_integration_and_takes_a_time_or_a_duration(self):
        until = "2026-12-24T00:00:00Z"
        params = self.acked("rotation_overdue:finance/x:A:3", "--until", until, "--note", "n")
        self.assertEqual(
            params,
            {"alert": "rotation_overdue:finance/x:A:3", "integration": "finance/x", "until": until, "note": "n"},
        )
        before = time.time()
        params = self.acked("store_space", "--until", "30d", "--note", "n")
        self.assertNotIn("integration", params)
        at = datetime.datetime.fromisoformat(params["until"].replace("Z", "+00:00")).timestamp()
        self.assertTrue(before - 1 <= at - 30 * 86400 <= time.time() + 1, params)
        self.assertNotIn("integration", self.acked("refusals:uid=1001", "--until", until, "--note", "n"))
        # What is neither is the daemon's to refuse.
        self.assertEqual(self.acked("x", "--until", "tomorrow", "--note", "n")["until"], "tomorrow")
        self.assertEqual(len(self.acked("x", "--until", "y" * 500, "--note", "n")["until"]), 24)


if __name__ == "__main__":
    manage_base.MANAGE = os.path.abspath(sys.argv[1])
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
