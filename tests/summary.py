#!/usr/bin/python3
"""Adds up the test logs of several meson test runs: what failed by name, then "N passed, N failed"."""
import argparse
import json
import re
import sys

# How the programs report their single checks; a program that reports none counts as one.
TAP_CHECK = re.compile(r"^(ok|not ok) \d+(.*)$", re.M)
CHECK_SUMMARY = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)$", re.M)
GOOD = {"OK", "EXPECTEDFAIL", "SKIP"}


def checks_of(record):
    """(passed, failed, skipped) of one test program."""
    output = record.get("stdout") or ""
    passed = failed = skipped = 0
    for verdict, rest in TAP_CHECK.findall(output):
        if verdict == "not ok":
            failed += 1
        elif re.search(r"# *skip\b", rest, re.I):
            skipped += 1
        else:
            passed += 1
    for checks, failures, errors in CHECK_SUMMARY.findall(output):
        bad = int(failures) + int(errors)
        passed += int(checks) - bad
        failed += bad
    if record["result"] == "SKIP":
        return 0, 0, max(skipped, 1)
    if record["result"] not in GOOD:
        return passed, max(failed, 1), skipped
    return (passed, failed, skipped) if passed + failed + skipped else (1, 0, 0)


def records_of(path):
    with open(path, encoding="utf-8") as log:
        return [json.loads(line) for line in log if line.strip()]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--broken", type=int, default=0, help="builds that failed; each counts as a failure")
    parser.add_argument("logs", nargs="*", metavar="testlog.json")
    arguments = parser.parse_args()
    passed, failed, skipped = 0, arguments.broken, 0

    for path in arguments.logs:
        try:
            records = records_of(path)
        except (OSError, ValueError) as error:
            print(f"no test log: {error}")
            records = []
        if not records:
            failed += 1
        for record in records:
            good, bad, left_out = checks_of(record)
            passed, failed, skipped = passed + good, failed + bad, skipped + left_out
            if bad:
                print(f"failed: {path.split('/')[-3]}: {record['name']} ({record['result'].lower()}, {bad})")
            elif left_out:
                print(f"skipped: {path.split('/')[-3]}: {record['name']} ({left_out})")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
