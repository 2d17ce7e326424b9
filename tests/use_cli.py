#!/usr/bin/python3
"""coffer usage and coffer alerts against a daemon that answers by script.   usage: use_cli.py COFFER_MANAGE"""

import json
import os
import sys
import unittest

import manage_base
from fake_daemon import FakeDaemon, refusal
from manage_base import CommandTest, Done, manage

HOSTILE = "evil\x1b[2J\u202e%n\nTotal: 0"


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
        self.assertEqual(bars[0], "finance/sync: fetched 77 times, refused 2 times")
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


if __name__ == "__main__":
    manage_base.MANAGE = os.path.abspath(sys.argv[1])
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
