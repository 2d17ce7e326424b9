#!/usr/bin/python3
"""A version that somebody may hold is revoked by force alone, and the record tells whom that went over."""
import contextlib
import itertools
import json
import random

from coffer_test import ETL, OPERATOR, Suite, canary, equal
from holding import (
    LIMITS,
    fresh,
    holders,
    must_be_in_use,
    pids,
    record_of_revoke,
    revoke,
    version_of,
)
from processes import Process, ends_all
from surroundings import standing_still

ROUNDS = 60  # of the race between a fetch and a revoke

suite = Suite(limits=LIMITS)


# ---- refusals first ----


@suite.check
@ends_all
def a_version_that_somebody_holds_is_not_revoked_and_the_holders_are_named(vault):
    name = fresh(vault)
    workers = [Process(vault, ETL) for _ in range(17)]
    for worker in workers:
        worker.fetch(name)
    vault.put(name, "API_TOKEN", canary())
    data = must_be_in_use(vault, name, 1)
    equal(data["holder_count"], 17, "holder_count")
    equal(len(data["holders"]), 16, "holders that are named")
    known = holders(vault, name)
    for holder in data["holders"]:
        assert holder in known, f"{holder} is not in holder.list"
    for worker in workers:
        must_be_in_use(vault, name, 1)
        worker.kill()
    equal(revoke(vault, name, 1)["state"], "revoked", "state when the last one has ended")


@suite.check
def the_current_version_is_not_revoked_even_if_nobody_holds_it(vault):
    name = fresh(vault)
    must_be_in_use(vault, name, 1)
    must_be_in_use(vault, name, 1, processes_only=True)
    equal(revoke(vault, name, 1, force=True)["state"], "revoked", "state")


@suite.check
@ends_all
def a_fetch_and_a_revoke_at_the_same_moment_never_leave_an_unknown_holder(vault):
    """Whatever the order: a version that was revoked without force was given to nobody that still lives."""
    name = fresh(vault)
    worker, version = Process(vault, ETL), 1
    worker.call("whoami", {})
    seen = set()
    with vault.client(OPERATOR) as putter, vault.client(OPERATOR) as revoker:
        for client in (putter, revoker):
            client.call("whoami")
        for number in range(ROUNDS):
            put = putter.request("secret.put", {"integration": name, "key": "API_TOKEN", "value": canary()})
            old = version_of(name, version)
            sends = [
                lambda: worker.send("env.fetch", {"integration": name}),
                lambda put=put: putter.send(put),
                lambda old=old: revoker.send(revoker.request("secret.revoke", old)),
            ]
            random.shuffle(sends)
            with standing_still(vault) if number % 2 == 0 else contextlib.nullcontext():
                for send in sends:
                    send()
            fetched, revoked = worker.read()["result"], json.loads(revoker.read_line())
            equal(json.loads(putter.read_line())["result"]["version"], version + 1, "version that was put")
            given = fetched["env"][0]["version"]
            is_revoked = "result" in revoked
            seen.add((given == version, is_revoked))
            assert not (is_revoked and given == version), f"round {number}: {version} was given and revoked"
            equal([holder["version"] for holder in holders(vault, name)], [given], f"round {number}: holders")
            worker.release(fetched["run"])
            if not is_revoked:
                revoke(vault, name, version)
            version += 1
    assert (True, False) in seen, f"no round in which the fetch came first: {seen}"


# ---- force ----


@suite.check
@ends_all
def force_goes_over_the_holders_and_the_record_names_them(vault):
    name = fresh(vault)
    workers = [Process(vault, uid) for uid in (ETL, ETL)]
    for worker in workers:
        worker.fetch(name)
    vault.put(name, "API_TOKEN", canary())
    equal(revoke(vault, name, 1, force=True)["state"], "revoked", "state")
    record = record_of_revoke(vault, name)
    for worker in workers:
        assert f"pid={worker.pid}/uid={ETL}" in record["subject"].split(), record
    equal(record["detail"], "forced", "detail")
    equal(pids(vault, name), sorted(worker.pid for worker in workers), "they hold it all the same")
    equal(revoke(vault, name, 1)["state"], "revoked", "a revoke of the revoked version")


@suite.check
@ends_all
def a_record_that_cannot_name_all_holders_says_how_many_are_left_out(vault):
    keys = [f"K{number}" for number in range(40)]
    name = fresh(vault, keys=["API_TOKEN", *keys])
    worker = Process(vault, ETL)
    pairs = list(itertools.combinations(keys, 2))
    for pair in pairs:  # each set of versions that a process was given is an entry
        worker.fetch(name, only=["API_TOKEN", *pair])
    revoke(vault, name, 1, force=True)
    record = record_of_revoke(vault, name)
    names, _, more = record["subject"].partition(" and ")
    entry = f"pid={worker.pid}/uid={ETL}"
    equal(set(names.split()), {entry}, "who is named")
    assert more, f"{len(names.split())} of {len(pairs)} are named, and that is all"
    equal(more, f"{len(pairs) - len(names.split())} more", "the others")


@suite.check
@ends_all
def force_revokes_the_current_version_too(vault):
    name = fresh(vault)
    worker = Process(vault, ETL)
    worker.fetch(name)
    must_be_in_use(vault, name, 1)
    equal(revoke(vault, name, 1, force=True)["state"], "revoked", "state")
    record = record_of_revoke(vault, name)
    assert f"pid={worker.pid}/uid={ETL}" in record["subject"], record
    worker.must_refuse("env.fetch", {"integration": name}, "not_found")


if __name__ == "__main__":
    suite.run()
