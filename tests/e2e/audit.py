#!/usr/bin/python3
"""The audit log in the hands of an auditor: lists, exports, checkpoints, segments; every kind of tampering is found (P7),
and a kill at any step of archiving loses no record (P5)."""
import glob
import json
import os
import random
import signal
import stat
import subprocess
import time

from coffer_test import ADMIN, AUDITOR, ETL, OPERATOR, STRANGER, Suite, canary, equal, wait_until

KILLS = int(os.environ.get("COFFER_TEST_KILLS", "30"))
NAME = "finance/warehouse-sync"
NOW = "2999-01-01T00:00:00Z"  # later than any record

suite = Suite()


@suite.setup
def some_history(vault):
    vault.add(NAME)
    vault.grant(NAME, user=ETL)
    vault.put(NAME, "API_TOKEN", canary())
    for _ in range(5):
        vault.fetch(NAME)
    vault.coffer("integration", "list", uid=STRANGER)


def lines_of(path):
    with open(path, encoding="ascii") as file:
        return file.read().splitlines()


def write(path, lines):
    with open(path, "w", encoding="ascii") as file:
        file.writelines(line + "\n" for line in lines)
    return path


def export(vault, name):
    path = vault.at(name)
    vault.must_coffer("audit", "export", path)
    return path


def checkpoint(vault, name):
    path = vault.at(name)
    done = vault.coffer("audit", "checkpoint", path)
    equal(done.returncode, 0, done.stderr)
    return path, done.stderr.decode().split("signed by ")[1].split(":")[0]


def must_refuse(vault, words, *args):
    done = vault.coffer("audit", "verify", *args)
    equal(done.returncode, 65, f"exit status of verify {args}: {done.stderr!r}")
    assert words in done.stderr.decode(), f"{words!r} is not in {done.stderr!r}"


def segments(vault):
    return sorted(glob.glob(vault.at("archive", "audit-*.jsonl")))


@suite.check
def an_operator_reads_no_audit_log_and_an_auditor_archives_nothing(vault):
    for command in (["list"], ["export"], ["follow"], ["checkpoint"], ["verify"], ["archive", "--until", NOW]):
        for uid in (OPERATOR, STRANGER):
            done = vault.coffer("audit", *command, uid=uid)
            equal(done.returncode, 77, f"audit {command} by {uid}: {done.stderr!r}")
            equal(done.stdout, b"", "output")
    equal(vault.coffer("audit", "archive", "--until", NOW, uid=AUDITOR).returncode, 77, "archive by an auditor")
    equal(segments(vault), [], "segments")


@suite.check
def a_list_takes_users_dates_and_durations(vault):
    def listed(*words):
        return json.loads(vault.must_coffer("audit", "list", "--json", *words, uid=AUDITOR))["records"]

    everything = vault.audit()
    equal({r["uid"] for r in listed("--user", str(ETL))}, {ETL}, "records of a number")
    equal({r["uid"] for r in listed("--user", "root")}, {0}, "records of a name")
    equal({r["outcome"] for r in listed("--outcome", "denied")}, {"denied"}, "refusals")
    equal({r["kind"] for r in listed("--kind", "env.fetch")}, {"env.fetch"}, "fetches")
    equal(len(listed("--since", "1h", "--limit", "1000")), len(vault.audit()), "records of the last hour")
    equal(listed("--until", "1h"), [], "records before the last hour")
    today = time.strftime("%Y-%m-%d", time.gmtime(time.time()))
    assert len(listed("--since", "2020-01-01", "--until", today, "--limit", "1000")) >= len(everything)
    equal(listed("--since", "2998-01-01"), [], "records of the future")
    for words, told in (
        (["--user", "no-such-user"], "no such user"),
        (["--user", "root", "--uid", "0"], "give one of them"),
        (["--since", "yesterday"], "a time in UTC"),
        (["--since", "2026-13-01"], "a time in UTC"),
        (["--until", "7"], "a time in UTC"),
    ):
        done = vault.coffer("audit", "list", *words)
        equal((done.returncode, done.stdout), (64, b""), f"{words}: {done.stderr!r}")
        assert told in done.stderr.decode(), done.stderr


@suite.check
def follow_prints_what_comes_and_ends_cleanly(vault):
    process = subprocess.Popen(
        [vault.programs["coffer"], "audit", "follow", "--kind", "env.fetch", "--json"],
        env=vault.environment(COFFER_SOCKET=vault.socket),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    seen = []
    os.set_blocking(process.stdout.fileno(), False)

    def one_more():
        vault.fetch(NAME)
        seen.append(process.stdout.read() or b"")
        return b"".join(seen).count(b"\n") >= 2

    wait_until(one_more, "two records")
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=30)
    equal((process.returncode, errors), (0, b""), "after Ctrl-C")
    records = [json.loads(line) for line in (b"".join(seen) + rest).splitlines()]
    equal({r["kind"] for r in records}, {"env.fetch"}, "kinds")
    assert records == sorted(records, key=lambda r: r["seq"])


@suite.check
def every_kind_of_tampering_with_an_export_is_found(vault):
    """P7"""
    lines = lines_of(export(vault, "tampered.jsonl"))
    header, records = lines[0], lines[1:]
    equal(json.loads(header)["coffer_audit"], 1, "the header's version")
    equal(json.loads(header)["from_seq"], 1, "the header's first record")
    assert len(records) >= 8
    path = vault.at("changed.jsonl")
    flipped = json.loads(records[4])
    flipped["uid"] ^= 1
    elsewhere = json.loads(header)
    elsewhere["previous"] = "1" * 64
    later = json.loads(header)
    later["from_seq"] = 3

    def dump(record):
        return json.dumps(record, separators=(",", ":"))

    for words, changed in (
        ("line 6: record 5 was changed", lines[:5] + [dump(flipped)] + lines[6:]),
        ("removed", lines[:5] + lines[6:]),
        ("order", lines[:5] + [lines[6], lines[5]] + lines[7:]),
        ("second time", lines[:5] + [lines[4]] + lines[5:]),
        ("not an audit record", lines[:5] + ["{}"] + lines[5:]),
        ("does not follow", [dump(elsewhere)] + records),
        ("order", [dump(later)] + records),
        ("missing before this file", records[:2] + [dump({**later, "from_seq": 5})] + records[4:]),
        ("not the header", [dump({**later, "more": 1})] + records),
        ("later version", ['{"coffer_audit":2}'] + records),
    ):
        must_refuse(vault, words, write(path, changed))
    # What an older version wrote has no header, and still verifies.
    equal(vault.coffer("audit", "verify", write(path, records)).returncode, 0, "without a header")


@suite.check
def a_cut_tail_shows_against_what_was_saved(vault):
    """P7"""
    saved, key = checkpoint(vault, "saved.checkpoint")
    equal(stat.S_IMODE(os.stat(saved).st_mode), 0o600, "mode of the file")
    vault.fetch(NAME)
    whole = export(vault, "whole.jsonl")
    lines = lines_of(whole)
    seq = int([line.split()[1] for line in lines_of(saved) if line.startswith("seq ")][0])
    record = json.loads(lines[seq])
    equal(record["seq"], seq, "number in its line")
    for head in (saved, record["hash"], f"{seq}:{record['hash']}"):
        equal(vault.coffer("audit", "verify", whole, "--head", head).returncode, 0, f"--head {head}")
        equal(vault.coffer("audit", "verify", "--head", head).returncode, 0, f"--head {head}, the daemon's")
    cut = write(vault.at("cut.jsonl"), lines[:seq])
    equal(vault.coffer("audit", "verify", cut).returncode, 0, "a cut tail shows only against a saved head")
    must_refuse(vault, "the end was cut off", cut, "--head", saved)
    must_refuse(vault, "the end was cut off", cut, "--head", f"{seq}:{record['hash']}")
    must_refuse(vault, "cut off", cut, "--head", record["hash"])
    must_refuse(vault, "rewritten", whole, "--head", f"{seq - 1}:{record['hash']}")
    # Who signed it.
    done = vault.coffer("audit", "verify", whole, "--head", saved)
    assert b"compare it" in done.stderr, done.stderr
    done = vault.coffer("audit", "verify", whole, "--head", saved, "--key", key)
    equal((done.returncode, done.stderr), (0, b""), "with the key that was noted")
    must_refuse(vault, "another key than --key", whole, "--head", saved, "--key", "0" * 64)
    forged = write(
        vault.at("forged.checkpoint"),
        [line.replace(f"seq {seq}", f"seq {seq - 1}") for line in lines_of(saved)],
    )
    must_refuse(vault, "signature does not hold", whole, "--head", forged)
    must_refuse(vault, "no checkpoint", whole, "--head", whole)
    equal(vault.coffer("audit", "checkpoint", saved).returncode, 65, "a file that is there")


@suite.check
def a_filtered_export_says_that_it_is_no_chain(vault):
    path = vault.at("filtered.jsonl")
    done = vault.coffer("audit", "export", path, "--user", str(ETL), "--kind", "env.fetch")
    equal(done.returncode, 0, done.stderr)
    assert b"cannot be verified" in done.stderr
    lines = lines_of(path)
    equal(json.loads(lines[0])["filtered"], True, "the header")
    equal({json.loads(line)["kind"] for line in lines[1:]}, {"env.fetch"}, "kinds")
    must_refuse(vault, "left out", path)


@suite.check
def what_is_archived_verifies_with_what_is_left(vault):
    """P7"""
    saved, key = checkpoint(vault, "before.checkpoint")
    before = vault.audit()
    done = vault.must_coffer("audit", "archive", "--until", NOW)
    assert b"are archived as audit-" in done, done
    equal(len(segments(vault)), 1, "segments")
    segment = segments(vault)[0]
    equal(stat.S_IMODE(os.stat(segment).st_mode), 0o600, "mode of the segment")
    vault.fetch(NAME)
    vault.must_coffer("audit", "archive", "--until", NOW)
    vault.fetch(NAME)
    rest = export(vault, "rest.jsonl")
    kept = segments(vault) + [rest]
    equal(len(kept), 3, "files")
    result = json.loads(vault.must_coffer("audit", "verify", *kept, "--head", saved, "--key", key, "--json"))
    equal((result["first"], result["checkpoints"], result["key"]), (1, 3, key), "the verdict on all of them")
    equal(result["last"], vault.audit()[-1]["seq"], "the last record")
    # The records are the same.
    archived = [json.loads(line) for path in segments(vault) for line in lines_of(path)[1:-1]]
    equal(archived[: len(before)], before, "the records as they were listed")
    equal(vault.audit()[0]["seq"], archived[-1]["seq"] + 1, "the first that is left")
    named = [r for r in vault.audit() + archived if r["kind"] == "audit.archive" and "file=" in r["subject"]]
    equal(
        sorted(r["subject"].split("file=")[1] for r in named),
        [os.path.basename(path) for path in segments(vault)],
        "files that the log names",
    )
    # In another order, without one, with a changed one.
    must_refuse(vault, "missing before this file", kept[0], kept[2])
    must_refuse(vault, "wrong order", kept[1], kept[0], kept[2])
    must_refuse(vault, "verify the segments before it", rest, "--head", saved)
    lines = lines_of(kept[1])
    must_refuse(vault, "checkpoint is not of the record", kept[0], write(vault.at("s.jsonl"), lines[:-2] + lines[-1:]))
    must_refuse(vault, "removed", kept[0], write(vault.at("s.jsonl"), lines[:1] + lines[2:]))
    # By itself the daemon's log begins behind the cut.
    equal(vault.coffer("audit", "verify").returncode, 0, "what is left")
    assert b"are archived" in vault.coffer("audit", "list", "--after", "1").stderr
    equal(vault.stop(), 0, "exit status")
    check = vault.cofferd("check")
    equal(check.returncode, 0, check.stderr)
    assert "that were archived" in check.stdout, check.stdout
    vault.start()


@suite.check
def what_is_left_of_a_cut_chain_is_checked_as_before(vault):
    """P7: a record that is gone behind the cut, and a cut that was moved."""
    import sqlite3

    equal(vault.stop(), 0, "exit status")
    for statement in (
        "DELETE FROM audit WHERE seq = (SELECT min(seq) FROM audit)",
        "UPDATE state SET audit_cut_seq = audit_cut_seq - 1",
        "UPDATE state SET audit_cut_hash = randomblob(32)",
    ):
        path = vault.at("state", "coffer.db")
        with open(path, "rb") as file:
            whole = file.read()
        with sqlite3.connect(path) as db:
            db.execute(statement)
        db.close()
        done = vault.cofferd("check")
        assert done.returncode != 0, f"not found: {statement}"
        for extra in glob.glob(path + "-*"):
            os.unlink(extra)
        with open(path, "wb") as file:
            file.write(whole)
    equal(vault.cofferd("check").returncode, 0, "put back")
    vault.start()


@suite.check
def hostile_texts_in_records_never_reach_the_terminal_raw(vault):
    vault.call("integration.edit", {"name": NAME, "title": "evil\u202e%n%s<script>=cmd()"})
    newest = str(vault.audit()[-1]["seq"] - 1)
    process = subprocess.Popen(
        [vault.programs["coffer"], "audit", "follow", "--after", newest],
        env=vault.environment(COFFER_SOCKET=vault.socket),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    os.set_blocking(process.stdout.fileno(), False)
    text = [b""]

    def has_come():
        text.append(process.stdout.read() or b"")
        return b"integration.edit" in b"".join(text)

    wait_until(has_come, "the record")
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=30)
    equal(process.returncode, 0, "after SIGTERM")
    for shown in (b"".join(text) + rest, vault.must_coffer("audit", "list", "--limit", "1000")):
        assert b"\x1b" not in shown and "\u202e".encode() not in shown, shown


@suite.check
def an_archive_directory_that_is_not_the_daemons_alone_is_refused(vault):
    folder = vault.at("archive")
    os.chmod(folder, 0o755)
    done = vault.coffer("audit", "archive", "--until", NOW)
    equal(done.returncode, 65, done.stderr)
    assert b"0700" in done.stderr, done.stderr
    os.chmod(folder, 0o700)
    os.rename(folder, folder + ".moved")
    done = vault.coffer("audit", "archive", "--until", NOW)
    equal(done.returncode, 66, done.stderr)
    assert b"archive_dir is not there" in done.stderr, done.stderr
    os.rename(folder + ".moved", folder)
    done = vault.coffer("audit", "archive")
    equal(done.returncode, 65, done.stderr)
    assert b"keep_days" in done.stderr, done.stderr


def archiving_seconds(vault):
    for _ in range(20):
        vault.call("audit.checkpoint", {}, AUDITOR)
    with vault.client() as client:
        client.call("hello")
        started = time.monotonic()
        client.call("audit.archive", {"until": NOW})
        return time.monotonic() - started


@suite.check
def a_kill_at_any_step_of_an_archive_loses_no_record(vault):
    """P5, P7: kill -9 around the archiving; then all segments and what is left are one chain from the first record on."""
    saved, key = checkpoint(vault, "kills.checkpoint")
    outcomes = {"cut": 0, "kept": 0}
    usual = max(archiving_seconds(vault) for _ in range(3))
    for number in range(KILLS):
        for _ in range(20):
            vault.call("audit.checkpoint", {}, AUDITOR)
        cut_before = len(segments(vault))
        with vault.client() as client:
            client.send(client.request("audit.archive", {"until": NOW}))
            time.sleep(random.uniform(0, 1.5 * usual))
            vault.kill()
        vault.start()
        equal(glob.glob(vault.at("archive", "*.part")), [], f"passing files after kill {number}")
        outcomes["cut" if len(segments(vault)) > cut_before else "kept"] += 1
        rest = vault.at("kills.jsonl")
        if os.path.exists(rest):
            os.unlink(rest)
        vault.must_coffer("audit", "export", rest)
        result = json.loads(
            vault.must_coffer("audit", "verify", *segments(vault), rest, "--head", saved, "--key", key, "--json")
        )
        equal((result["first"], result["last"]), (1, vault.audit()[-1]["seq"]), f"records after kill {number}")
    equal(vault.stop(), 0, "exit status")
    equal(vault.cofferd("check").returncode, 0, "cofferd check")
    vault.start()
    print(f"# {outcomes}")
    assert min(outcomes.values()) > 0 or KILLS < 20, f"the blows came all on one side: {outcomes}"


if __name__ == "__main__":
    suite.run()
