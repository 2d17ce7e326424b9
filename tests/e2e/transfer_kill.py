#!/usr/bin/python3
"""Kills at any step of a transfer of everything that a person answers for: all of it has the new owner, or nothing (P5)."""
import os
import random
import threading
import time

from coffer_test import Suite, equal

INTEGRATIONS, KILLS = 60, 24
OLD, NEW = "Petra Example", "Grace Hopper"

suite = Suite()
rng = random.Random(os.environ.get("COFFER_SEED", "coffer"))


@suite.setup
def prepare(vault):
    for number in range(INTEGRATIONS):
        vault.add(f"finance/sync-{number}")


def owners(vault):
    return [row["owner"] for row in vault.call("integration.list")["integrations"]]


def transfer(vault, old, new):
    return vault.call(
        "integration.transfer", {"from_owner": old, "owner": new, "contact": "desk@example.org"}
    )


def seconds_of_a_transfer(vault):
    started = time.monotonic()
    transfer(vault, OLD, NEW)
    transfer(vault, NEW, OLD)
    return (time.monotonic() - started) / 2


def records_of(vault, after):
    return [row for row in vault.audit(kind="integration.transfer", outcome="ok") if row["seq"] > after]


@suite.check
def all_of_it_has_the_new_owner_or_nothing(vault):
    seconds = seconds_of_a_transfer(vault)
    outcomes = {OLD: 0, NEW: 0}
    for _ in range(KILLS):
        head = vault.audit()[-1]["seq"]
        pause = rng.uniform(0, 1.5) * seconds
        killer = threading.Thread(target=lambda: (time.sleep(pause), vault.process.kill()))
        killer.start()
        was_told = False
        try:
            transfer(vault, OLD, NEW)
            was_told = True
        except (AssertionError, OSError, ValueError):
            pass
        killer.join()
        vault.wait()
        vault.start()
        found = set(owners(vault))
        equal(len(found), 1, f"owners after a kill: {found}")
        owner = found.pop()
        outcomes[owner] += 1
        assert owner == NEW or not was_told, "a transfer that was acknowledged is gone"
        records = records_of(vault, head)
        equal(bool(records), owner == NEW, "whether the audit log tells of it")
        if owner == NEW:
            transfer(vault, NEW, OLD)
    print(f"# after {KILLS} kills: {outcomes[NEW]} done, {outcomes[OLD]} nothing", flush=True)
    assert all(outcomes.values()), f"the kills were not spread: {outcomes}"


if __name__ == "__main__":
    suite.run()
