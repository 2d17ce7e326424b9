#!/usr/bin/python3
"""The audit commands of coffer-manage against a daemon that answers by script: what they ask, what they never believe.
usage: audit_cli.py COFFER_MANAGE MAKE_RECORDS"""

import json
import os
import pathlib
import re
import signal
import stat
import subprocess
import sys
import time
import unittest

import manage_base
from fake_daemon import FakeDaemon, refusal
from manage_base import CommandTest, environment, manage

MAKE_RECORDS = ""
VAULT = "ab" * 16
VECTORS = (pathlib.Path(__file__).resolve().parent / "vectors/vectors.h").read_text(encoding="ascii")
CHECKPOINT = re.search(r'VECTOR_CHECKPOINT "(.*)"', VECTORS).group(1).replace("\\n", "\n")
KEY = re.search(r"^key (\w+)$", CHECKPOINT, re.M).group(1)
HOSTILE = "x\x1b[2J\u202e\x9b%n<script>\x07"


def make_records(count):
    made = subprocess.run([MAKE_RECORDS, str(count)], stdout=subprocess.PIPE, check=True, timeout=60)
    return [json.loads(line) for line in made.stdout.splitlines()]


def log_of(records, page=3, cut=0):
    """Answers audit.list from these records, of which those up to the cut are gone."""

    def answer(request, _):
        params = request["params"]
        left = [r for r in records if r["seq"] > max(cut, params.get("after", 0))]
        place = records[cut - 1] if cut else {"seq": 0, "hash": "0" * 64}
        return {
            "result": {
                "records": left[: min(page, params.get("limit", 100))],
                "vault": VAULT,
                "host": "led ger",
                "head": {"seq": records[-1]["seq"], "hash": records[-1]["hash"]},
                "cut": {"seq": place["seq"], "hash": place["hash"]},
            }
        }

    return answer


class AuditTest(CommandTest):
    def asked(self, *args):
        """What the daemon is asked by a list with these options."""
        records = make_records(2)
        with FakeDaemon(log_of(records)) as daemon:
            done = manage(daemon, "audit", "list", *args)
            self.assertEqual(done.status, 0, done.stderr)
            return daemon.requests[-1]["params"]

    def test_users_are_resolved_here(self):
        self.assertEqual(self.asked("--user", "root")["uid"], 0)
        self.assertEqual(self.asked("--user", "4242")["uid"], 4242)
        self.assertEqual(self.asked("--uid", "7")["uid"], 7)
        for word in ("no-such-user", "", "-1", "4294967296", "0x10", "7 "):
            self.refused(manage(None, "audit", "list", "--user", word), 64, "--user: no such user")
        self.refused(manage(None, "audit", "list", "--user", "root", "--uid", "0"), 64, "give one of them")

    def test_a_list_is_never_shorter_than_it_seems(self):
        """The daemon gives 1000 at most: more would be the wrong ones, without a word."""
        self.assertEqual(self.asked("--limit", "1000")["limit"], 1000)
        for limit in ("0", "1001", "9007199254740991"):
            for more in ([], ["--outcome", "refused"], ["--after", "7"]):
                done = manage(None, "audit", "list", "--limit", limit, *more)
                self.refused(done, 64, "--limit: 1 to 1000", "audit export")

    def test_times_are_settled_here(self):
        self.assertEqual(self.asked("--since", "2026-11-22T09:30:00Z")["since"], "2026-11-22T09:30:00.000Z")
        self.assertEqual(self.asked("--since", "2026-11-22")["since"], "2026-11-22T00:00:00.000Z")
        self.assertEqual(self.asked("--until", "2026-11-22")["until"], "2026-11-22T23:59:59.999Z")
        before = time.time() - 7 * 86400
        since = self.asked("--since", "7d")["since"]
        self.assertLess(abs(time.mktime(time.strptime(since[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone - before), 60)
        self.assertEqual(self.asked("--since", "36500d")["since"], "1970-01-01T00:00:00.000Z")
        for word in (
            "",
            "yesterday",
            "2026-02-30",
            "2026-11-22T09:30:00",
            "2026-11-22T09:30:00+01:00",
            "7",
            "7x",
            "-7d",
        ):
            for option in ("--since", "--until"):
                self.refused(manage(None, "audit", "list", option, word), 64, f"{option}: a time in UTC")

    def test_an_export_has_a_header_that_verify_believes(self):
        records = make_records(8)
        path = self.path("out.jsonl")
        with FakeDaemon(log_of(records)) as daemon:
            done = manage(daemon, "audit", "export", path)
            self.assertEqual((done.status, done.stdout, done.stderr), (0, "", ""))
        lines = pathlib.Path(path).read_text(encoding="ascii").splitlines()
        self.assertEqual(
            json.loads(lines[0]),
            {"coffer_audit": 1, "host": "led-ger", "vault": VAULT, "from_seq": 1, "previous": "0" * 64},
        )
        self.assertEqual([json.loads(line) for line in lines[1:]], records)
        done = manage(None, "audit", "verify", path)
        self.assertEqual((done.status, done.stdout), (0, f"8 records, head {records[-1]['hash']}\n"))

    def test_an_export_behind_a_cut_says_so_and_begins_there(self):
        records = make_records(8)
        with FakeDaemon(log_of(records, cut=5)) as daemon:
            done = manage(daemon, "audit", "export")
            self.assertEqual((done.status, done.stderr), (0, "coffer: records up to 5 are archived\n"))
            header = json.loads(done.stdout.splitlines()[0])
            self.assertEqual((header["from_seq"], header["previous"]), (6, records[4]["hash"]))
            done = manage(daemon, "audit", "verify")
            self.assertEqual(
                (done.status, done.stdout), (0, f"3 records, from record 6 on, head {records[-1]['hash']}\n")
            )

    def test_verify_finds_what_is_missing_behind_the_daemons_cut(self):
        records = make_records(8)
        answer = log_of(records, cut=5)

        def lies(request, pid):
            reply = answer(request, pid)
            reply["result"]["cut"] = {"seq": 4, "hash": records[3]["hash"]}
            return reply

        def forges(request, pid):
            reply = answer(request, pid)
            reply["result"]["cut"]["hash"] = "1" * 64
            return reply

        with FakeDaemon(lies) as daemon:
            self.refused(manage(daemon, "audit", "verify"), 65, "records 5 to 5 were removed")
        with FakeDaemon(forges) as daemon:
            self.refused(manage(daemon, "audit", "verify"), 65, "does not follow")

    def test_records_that_are_archived_during_an_export_end_it(self):
        records = make_records(9)

        def answer(request, pid):
            return log_of(records, cut=0 if request["params"]["after"] == 0 else 5)(request, pid)

        with FakeDaemon(answer) as daemon:
            path = self.path("out")
            self.refused(manage(daemon, "audit", "export", path), 65, "records 4 to 5 were archived meanwhile")
            self.assertFalse(os.path.exists(path))

    def test_a_filtered_export_asks_every_page_the_same(self):
        records = make_records(7)
        with FakeDaemon(log_of(records)) as daemon:
            done = manage(daemon, "audit", "export", "--since", "1h", "--outcome", "ok", "--user", "root")
            self.assertEqual(done.status, 0)
            self.assertIn("cannot be verified", done.stderr)
            self.assertTrue(json.loads(done.stdout.splitlines()[0])["filtered"])
            asked = [
                {k: v for k, v in r["params"].items() if k != "after"}
                for r in daemon.requests
                if r["method"] == "audit.list"
            ]
            self.assertEqual(asked, [asked[0]] * len(asked))
            self.assertEqual(asked[0]["uid"], 0)
        path = self.write("filtered", done.stdout)
        self.refused(manage(None, "audit", "verify", path), 65, "left out")

    def test_files_are_verified_in_their_order_as_one_chain(self):
        records = make_records(9)

        def piece(name, start, end, **more):
            header = {
                "coffer_audit": 1,
                "host": "h",
                "vault": VAULT,
                "from_seq": start,
                "previous": records[start - 2]["hash"] if start > 1 else "0" * 64,
                **more,
            }
            return self.write(
                name, "".join(json.dumps(x, separators=(",", ":")) + "\n" for x in [header, *records[start - 1 : end]])
            )

        first, second, third = piece("1", 1, 3), piece("2", 4, 6), piece("3", 7, 9)
        done = manage(None, "audit", "verify", first, second, third)
        self.assertEqual((done.status, done.stdout), (0, f"9 records, head {records[-1]['hash']}\n"))
        with open(third, "rb") as stream:
            done = manage(None, "audit", "verify", first, second, "-", stdin=stream.read())
        self.assertEqual(done.status, 0, done.stderr)
        self.refused(
            manage(None, "audit", "verify", first, third),
            65,
            third,
            "line 1: records 4 to 6 are missing before this file",
        )
        self.refused(manage(None, "audit", "verify", second, first), 65, "wrong order")
        self.refused(manage(None, "audit", "verify", first, first), 65, "wrong order, or twice")
        self.refused(manage(None, "audit", "verify", first, piece("v", 4, 6, vault="cd" * 16)), 65, "of another vault")
        self.refused(manage(None, "audit", "verify", first, piece("p", 4, 6, previous="1" * 64)), 65, "another history")
        self.refused(manage(None, "audit", "verify", first, self.path("absent")), 66, "absent", "No such file")
        self.refused(
            manage(None, "audit", "verify", third, "--head", f"5:{records[4]['hash']}"), 65, "segments before it"
        )
        self.assertEqual(manage(None, "audit", "verify", third, "--head", f"6:{records[5]['hash']}").status, 0)

    def test_a_saved_head_is_a_hash_a_place_or_a_signed_checkpoint(self):
        path = self.write("log", "".join(json.dumps(r, separators=(",", ":")) + "\n" for r in make_records(3)))
        saved = self.write("saved", CHECKPOINT)
        changed = self.write("changed", CHECKPOINT.replace("seq 4711", "seq 4710"))
        self.refused(
            manage(None, "audit", "verify", path, "--head", saved),
            65,
            "the records end at 3, the saved head is record 4711",
        )
        self.refused(manage(None, "audit", "verify", path, "--head", saved, "--key", KEY), 65, "cut off")
        self.refused(
            manage(None, "audit", "verify", path, "--head", saved, "--key", "00" * 32), 65, "another key than --key"
        )
        self.refused(manage(None, "audit", "verify", path, "--head", changed), 65, "signature does not hold")
        self.refused(manage(None, "audit", "verify", path, "--head", path), 65, "holds no checkpoint")
        self.refused(manage(None, "audit", "verify", path, "--head", "12:34"), 66, "neither a hash")
        for key in ("", "ab", "AB" * 32, "zz" * 32, "ab" * 33):
            self.refused(manage(None, "audit", "verify", path, "--key", key), 64, "--key: 64 hex digits")

    def test_only_a_signed_checkpoint_is_written(self):
        def answer(text):
            return lambda r, p: {"result": {"checkpoint": text, "public_key": KEY, "seq": 4711}}

        path = self.path("saved")
        with FakeDaemon(answer(CHECKPOINT)) as daemon:
            done = manage(daemon, "audit", "checkpoint", path)
            self.assertEqual((done.status, done.stdout), (0, ""), done.stderr)
            self.assertIn(KEY, done.stderr)
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
            self.assertEqual(pathlib.Path(path).read_text(encoding="ascii"), CHECKPOINT)
            self.assertEqual(manage(daemon, "audit", "checkpoint").stdout, CHECKPOINT)
            self.refused(manage(daemon, "audit", "checkpoint", path), 65, "exists")
        for text in (CHECKPOINT.replace("4711", "4712"), CHECKPOINT[:-1], "", HOSTILE):
            with FakeDaemon(answer(text)) as daemon:
                self.refused(manage(daemon, "audit", "checkpoint", self.path("other")), 76, "no signed checkpoint")
                self.assertFalse(os.path.exists(self.path("other")))

    def test_archive_goes_on_until_there_is_no_more(self):
        left = [4000, 4000, 12]

        def answer(request, _):
            records = left.pop(0)
            return {
                "result": {
                    "records": records,
                    "file": f"audit-{HOSTILE}",
                    "more": bool(left),
                    "cut": {"seq": 8012, "hash": "0" * 64},
                }
            }

        with FakeDaemon(answer) as daemon:
            done = manage(daemon, "audit", "archive", "--until", "400d")
            self.assertEqual((done.status, done.stdout.count("are archived as")), (0, 3), done.stderr)
            self.assertNotIn("\x1b", done.stdout)
            asked = [r["params"]["until"] for r in daemon.requests]
            self.assertEqual(asked, [asked[0]] * 3)
        with FakeDaemon(lambda r, p: refusal("denied")) as daemon:
            self.refused(manage(daemon, "audit", "archive"), 77)

    def test_follow_shows_hostile_records_tamed_and_ends_on_interrupt(self):
        records = make_records(1)
        records[0].update(subject=HOSTILE, unit=HOSTILE, integration=HOSTILE, detail=HOSTILE, kind=HOSTILE)
        with FakeDaemon(log_of(records)) as daemon:
            for number in (signal.SIGINT, signal.SIGTERM):
                process = subprocess.Popen(
                    [manage_base.MANAGE, "audit", "follow", "--after", "0"],
                    env=environment(daemon),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
                line = process.stdout.readline().decode()
                process.send_signal(number)
                rest, errors = process.communicate(timeout=60)
                self.assertEqual((process.returncode, rest, errors), (0, b"", b""))
                self.assertIn("%n<script>", line)
                for raw in "\x1b\u202e\x9b\x07":
                    self.assertNotIn(raw, line)
            shown = manage(daemon, "audit", "list").stdout
            for raw in "\x1b\u202e\x9b\x07":
                self.assertNotIn(raw, shown)

    def test_follow_waits_for_a_daemon_that_has_answered_and_for_no_other(self):
        records = make_records(2)
        whole = log_of(records[:1])
        state = {"looks": 0}

        def answer(request, pid):
            state["looks"] += 1
            if state["looks"] == 2:
                return refusal("busy")
            return log_of(records)(request, pid) if state["looks"] > 2 else whole(request, pid)

        with FakeDaemon(answer) as daemon:
            process = subprocess.Popen(
                [manage_base.MANAGE, "audit", "follow", "--json"],
                env=environment(daemon),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            self.assertEqual(json.loads(process.stdout.readline())["seq"], 2)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
            self.assertEqual(
                (process.returncode, errors), (0, b"coffer: no answer from the daemon, which is asked again\n")
            )
        with FakeDaemon(lambda r, p: refusal("denied")) as daemon:
            self.refused(manage(daemon, "audit", "follow"), 77)


if __name__ == "__main__":
    manage_base.MANAGE, MAKE_RECORDS = map(os.path.abspath, sys.argv[1:3])
    unittest.main(argv=sys.argv[:1])
