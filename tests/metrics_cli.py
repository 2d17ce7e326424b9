#!/usr/bin/python3
"""coffer metrics against a daemon that answers by script: what it writes is OpenMetrics, whatever it is told.   usage: metrics_cli.py COFFER_MANAGE"""

import json
import os
import re
import stat
import sys
import unittest

from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_prometheus

import manage_base
from fake_daemon import FakeDaemon, refusal
from manage_base import CommandTest, manage

HOSTILE = 'evil\x1b[2J\u202e"quoted\\" \\n\n# EOF\ncoffer_up{x="1"} 0\r\x00'.replace("\x00", "")
PLAIN = {
    "name": "coffer_connections",
    "type": "gauge",
    "unit": "",
    "help": "Open ones.",
    "samples": [{"labels": {}, "value": 7}],
}


def family(name, *samples, **more):
    samples = [{"labels": labels, "value": value} for labels, value in samples]
    return {"name": name, "type": "gauge", "unit": "", "help": "Some help.", "samples": samples, **more}


class Metrics(CommandTest):
    def setUp(self):
        super().setUp()
        self.families = [PLAIN]

    def answer(self, request, _pid):
        assert request["method"] == "vault.metrics", request
        return {"result": {"host": "h", "vault": "00", "families": self.families}}

    def ask(self, *args):
        with FakeDaemon(self.answer) as daemon:
            done = manage(daemon, "metrics", *args)
        self.assertEqual((done.status, done.stderr), (0, ""))
        return done.stdout

    def read(self, text):
        """Family → {labels: value}, as both readers understand it."""
        families = {found.name: found for found in read_openmetrics(text)}
        older = {sample.name: sample for found in read_prometheus(text) for sample in found.samples}
        for found in families.values():
            for sample in found.samples:
                self.assertIn(sample.name, older)
        return families

    def samples(self, text, name):
        return {
            tuple(sorted(sample.labels.items())): sample.value for sample in self.read(text)[name].samples
        }

    # ---- refusals ----

    def test_what_the_daemon_refuses_is_no_text(self):
        with FakeDaemon(lambda r, p: refusal("denied")) as daemon:
            path = self.path("coffer.prom")
            self.refused(manage(daemon, "metrics", "--textfile", path), 77, "metrics: no")
            self.assertFalse(os.path.exists(path))

    def test_an_answer_without_metrics_is_no_text(self):
        with FakeDaemon(lambda r, p: {"result": {"host": "h"}}) as daemon:
            self.refused(manage(daemon, "metrics"), 76, "holds no metrics")

    def test_json_goes_to_standard_output_alone(self):
        with FakeDaemon(self.answer) as daemon:
            self.refused(manage(daemon, "metrics", "--json", "--textfile", self.path("x")), 64, "--textfile")
            self.assertEqual(json.loads(manage(daemon, "metrics", "--json").stdout)["families"], [PLAIN])

    def test_a_file_that_cannot_be_written_is_said_and_leaves_nothing(self):
        with FakeDaemon(self.answer) as daemon:
            for path, word in (
                (self.path("none/coffer.prom"), "cannot be written"),
                (self.directory, "cannot be written"),
                ("/" + 5000 * "x", "coffer: metrics: /xxx"),
            ):
                self.refused(manage(daemon, "metrics", "--textfile", path), 74, word)
        parent = os.path.dirname(self.directory)
        self.assertEqual(
            [name for name in os.listdir(parent) if name.startswith(os.path.basename(self.directory) + ".")],
            [],
        )

    # ---- the daemon is away ----

    def test_a_daemon_that_is_not_there_is_a_number_and_an_error(self):
        done = manage(None, "metrics", "--socket", self.path("none"))
        self.assertEqual(done.status, 69, done.stderr)
        self.assertIn("systemctl status cofferd", done.stderr)
        self.assertEqual(self.samples(done.stdout, "coffer_up"), {(): 0})
        self.assertNotIn("coffer_sealed", done.stdout)
        path = self.path("coffer.prom")
        self.assertEqual(
            manage(None, "metrics", "--socket", self.path("none"), "--textfile", path).status, 69
        )
        self.assertEqual(super().read(path), done.stdout)

    def test_a_sealed_vault_is_a_number(self):
        with FakeDaemon(lambda r, p: refusal("sealed")) as daemon:
            done = manage(daemon, "metrics")
        self.assertEqual(done.status, 0)
        self.assertEqual(self.samples(done.stdout, "coffer_sealed"), {(): 1})
        self.assertEqual(self.samples(done.stdout, "coffer_up"), {(): 1})

    # ---- the text ----

    def test_gauges_and_counters_are_read_back(self):
        self.families = [
            PLAIN,
            family("coffer_size_bytes", ({}, 2**53 - 1), unit="bytes"),
            family("coffer_fetches", ({}, 3), type="counter", created="2026-11-22T09:30:00.123Z"),
            family("coffer_refusals", ({"error": "denied"}, 0), ({"error": "busy"}, 9), type="counter"),
            family("coffer_none"),
        ]
        text = self.ask()
        self.assertEqual(self.samples(text, "coffer_connections"), {(): 7})
        self.assertEqual(self.samples(text, "coffer_size_bytes"), {(): 2**53 - 1})
        self.assertEqual(self.read(text)["coffer_size_bytes"].unit, "bytes")
        self.assertEqual(self.read(text)["coffer_fetches"].type, "counter")
        self.assertIn("coffer_fetches_total 3\ncoffer_fetches_created 1795339800\n", text)
        self.assertEqual(
            self.samples(text, "coffer_refusals"), {(("error", "denied"),): 0, (("error", "busy"),): 9}
        )
        self.assertIn("coffer_none", self.read(text))
        self.assertTrue(text.endswith("\n# EOF\n"))

    def test_hostile_texts_stay_where_they_are(self):
        self.families = [
            family(
                "coffer_x",
                ({"integration": HOSTILE, "b": "\\"}, 1),
                ({"integration": "", "b": 1000 * '"\\'}, 2),
                help=HOSTILE,
            ),
            PLAIN,
        ]
        text = self.ask()
        self.assertIsNone(re.search(r"[^\x20-\x7e\n]", text), text)
        found = self.samples(text, "coffer_x")
        self.assertEqual(sorted(found.values()), [1, 2])
        self.assertIn((("b", 1000 * '"\\'), ("integration", "")), found)
        self.assertEqual(
            sorted(self.read(text)), ["coffer_connections", "coffer_sealed", "coffer_up", "coffer_x"]
        )
        self.assertEqual(self.samples(text, "coffer_up"), {(): 1})

    def test_what_the_format_cannot_say_is_left_out(self):
        good = ({"a": "b"}, 1)
        for bad in (
            family("coffer x", good),
            family("", good),
            family("9x", good),
            family("x\n# EOF\ny", good),
            family("ü", good),
            family("x" * 200, good),
            family("coffer_x", good, type="histogram"),
            family("coffer_x", good, type=7),
            family("coffer_x", good, unit="bytes"),
            family("coffer_b b", good, unit="b b"),
            family("coffer_connections", ({}, 8)),
            {"name": "coffer_x"},
            {},
            7,
            "text",
            [PLAIN],
        ):
            self.families = [PLAIN, bad, family("coffer_last", good)]
            text = self.ask()
            self.assertEqual(
                sorted(self.read(text)),
                ["coffer_connections", "coffer_last", "coffer_sealed", "coffer_up"],
                bad,
            )
            self.assertEqual(self.samples(text, "coffer_connections"), {(): 7})

    def test_samples_that_are_none_are_left_out(self):
        for labels, value in (
            ({"a b": "c"}, 1),
            ({"": "c"}, 1),
            ({"a": 7}, 1),
            ({"a": None}, 1),
            ([], 1),
            (None, 1),
            ("x", 1),
            ({}, "1"),
            ({}, None),
            ({}, True),
            ({}, [1]),
            ({"a=b}": "c"}, 1),
        ):
            self.families = [family("coffer_x", ({"ok": "1"}, 1), (labels, value), ({"ok": "2"}, 2))]
            self.assertEqual(self.samples(self.ask(), "coffer_x"), {(("ok", "1"),): 1, (("ok", "2"),): 2})
        self.families = [family("coffer_y", ({}, -1), type="counter"), family("coffer_z", ({}, -1))]
        self.assertEqual(self.samples(self.ask(), "coffer_z"), {(): -1})
        self.assertEqual(self.samples(self.ask(), "coffer_y"), {})

    def test_a_label_that_json_must_escape_is_no_answer(self):
        self.families = [family("coffer_x", ({'a="b"} 7\nx': "c"}, 1))]
        with FakeDaemon(self.answer) as daemon:
            self.refused(manage(daemon, "metrics"), 76)

    # ---- the file ----

    def test_the_file_is_replaced_whole_and_only_for_owner_and_group(self):
        path = self.write("coffer.prom", "old\n")
        os.chmod(path, 0o666)
        with open(path, encoding="ascii") as before:
            self.assertEqual(self.ask("--textfile", path), "")
            self.assertEqual(before.read(), "old\n")  # who reads the old one reads all of it
        self.assertEqual(super().read(path), self.ask())
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o640)
        self.assertEqual(os.listdir(self.directory), ["coffer.prom"])

    def test_a_path_through_a_link_is_refused(self):
        os.mkdir(self.path("real"))
        os.symlink(self.path("real"), self.path("link"))
        with FakeDaemon(self.answer) as daemon:
            done = manage(daemon, "metrics", "--textfile", self.path("link/coffer.prom"))
        self.refused(done, 74, "through a symbolic link")
        self.assertEqual(os.listdir(self.path("real")), [])

    def test_a_link_is_replaced_and_not_followed(self):
        elsewhere = self.write("elsewhere", "precious\n")
        link = self.path("coffer.prom")
        os.symlink(elsewhere, link)
        self.ask("--textfile", link)
        self.assertEqual(super().read(elsewhere), "precious\n")
        self.assertFalse(os.path.islink(link))


if __name__ == "__main__":
    manage_base.MANAGE = os.path.abspath(sys.argv[1])
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
