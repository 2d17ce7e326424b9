#!/usr/bin/python3
"""Holders on kernels before 6.5: who has not proven its process is an unknown one, who has is one like any other (P9).

With "challenge" as its argument the daemon is a build without SO_PEERPIDFD; otherwise it is told that there is none.
"""
import itertools
import json

from coffer_test import CRM, ETL, OPERATOR, Suite, canary, equal
from holding import LIMITS, fresh, holders, revoke, the_end, the_holder, version_of
from processes import Process, ends_all
from surroundings import kernel_that_does_not_tell_processes, standing_still

DIGEST = "0" * 64

suite = Suite(limits=LIMITS)


@suite.setup
def begin_again_on_an_old_kernel(vault):
    vault.stop()
    start(vault)


def start(vault):
    is_built_so = "challenge" in suite.arguments
    vault.start(preexec_fn=None if is_built_so else kernel_that_does_not_tell_processes())


def prove(worker, connection="main"):
    challenge = worker.call("hello", {}, connection)["challenge"]
    worker.call("session.prove", {"nonce": challenge}, connection)


# ---- refusals first ----


@suite.check
@ends_all
def who_has_not_proven_its_process_releases_nothing_and_gives_no_verdict(vault):
    name = fresh(vault, ETL, CRM)
    vault.put(name, "API_TOKEN", canary(), stage=True)
    worker = Process(vault, ETL)
    run = worker.fetch(name, staged=True)["run"]
    worker.must_refuse("holder.release", {"run": run}, "denied")
    verdict = {"run": run, "passed": True, "exit_status": 0, "command_digest": DIGEST, "duration_ms": 1}
    worker.must_refuse("secret.record_test", verdict, "denied")
    prove(worker)
    worker.must_refuse("holder.release", {"run": run}, "denied")
    worker.must_refuse("secret.record_test", verdict, "denied")
    equal(the_holder(vault, name)["holder"], "unknown", "holder")


@suite.check
@ends_all
def an_unknown_holder_does_not_end_by_itself(vault):
    name = fresh(vault, ETL, CRM)
    worker = Process(vault, ETL)
    run = worker.fetch(name)["run"]
    holder = the_holder(vault, name)
    equal((holder["holder"], holder["pid"], holder["uid"]), ("unknown", None, ETL), "holder, pid, uid")
    equal((holder["exe"], holder["unit"], holder["run"]), (None, None, run), "exe, unit, run")
    equal(the_end(vault, name, run)[0], "unknown", "state of the run")
    worker.kill()
    equal(the_holder(vault, name), holder, "holder after the end of the process")
    vault.kill()
    start(vault)
    equal(the_holder(vault, name), holder, "holder after a restart")
    vault.put(name, "API_TOKEN", canary())
    with vault.client(OPERATOR) as client:
        error = client.must_refuse("secret.revoke", version_of(name, 1), "in_use")
        equal(error["data"]["holders"], [holder], "holders that the refusal names")
        client.must_refuse("secret.revoke", version_of(name, 1, processes_only=True), "in_use")
    equal(revoke(vault, name, 1, force=True)["state"], "revoked", "state")
    equal(holders(vault, name), [], "holders when all that it held is revoked")
    equal(the_end(vault, name, run)[0], "ended", "state of the run")
    vault.kill()
    start(vault)
    equal(holders(vault, name), [], "holders after another restart")


@suite.check
@ends_all
def an_unknown_holder_stays_as_long_as_one_of_its_versions_is_not_revoked(vault):
    name = fresh(vault, ETL, CRM, keys=("A", "B"))
    Process(vault, ETL).fetch(name)
    revoke(vault, name, 1, key="A", force=True)
    equal([holder["key"] for holder in holders(vault, name)], ["A", "B"], "keys")
    revoke(vault, name, 1, key="B", force=True)
    equal(holders(vault, name), [], "holders")


@suite.check
@ends_all
def two_revokes_in_one_turn_end_an_unknown_holder_once(vault):
    for keys in itertools.permutations(("A", "B")):
        name = fresh(vault, ETL, CRM, keys=keys)
        Process(vault, ETL).fetch(name, only=["A"])
        with vault.client(OPERATOR) as one, vault.client(OPERATOR) as two:
            for client in (one, two):
                client.call("whoami")
            with standing_still(vault):
                for client, key in zip((one, two), keys):
                    params = version_of(name, 1, key=key, force=True)
                    client.send(client.request("secret.revoke", params))
            for client in (one, two):
                equal(json.loads(client.read_line())["result"]["state"], "revoked", "state")
        equal(holders(vault, name), [], "holders")
        Process(vault, ETL).must_refuse("env.fetch", {"integration": "no/such"}, "denied")  # it still serves


@suite.check
@ends_all
def a_status_that_was_reported_of_an_unknown_holder_stays(vault):
    name = fresh(vault, ETL, CRM)
    run = Process(vault, ETL).fetch(name)["run"]
    with vault.client(CRM) as other, vault.client(ETL) as supervisor:
        other.must_refuse("run.end", {"run": run, "exit_status": 3}, "denied")
        supervisor.call("run.end", {"run": run, "exit_status": 3})
    equal(the_end(vault, name, run), ("unknown", 3, None), "the run")
    equal(the_holder(vault, name)["holder"], "unknown", "holder: a report ends none")
    revoke(vault, name, 1, force=True)
    equal(the_end(vault, name, run), ("ended", 3, None), "the run at last")


@suite.check
@ends_all
def unproven_processes_of_one_user_are_one_holder(vault):
    name = fresh(vault, ETL, CRM)
    for _ in range(3):
        Process(vault, ETL).fetch(name)
    Process(vault, CRM).fetch(name)
    found = [(holder["holder"], holder["uid"]) for holder in holders(vault, name)]
    equal(found, [("unknown", ETL), ("unknown", CRM)], "holders")


# ---- proven ----


@suite.check
@ends_all
def who_has_proven_its_process_is_a_holder_like_any_other(vault):
    name = fresh(vault, ETL, CRM)
    worker, other = Process(vault, ETL), Process(vault, ETL)
    prove(worker)
    prove(other)
    run = worker.fetch(name)["run"]
    holder = the_holder(vault, name)
    equal((holder["holder"], holder["pid"], holder["run"]), ("process", worker.pid, run), "holder, pid, run")
    other.must_refuse("holder.release", {"run": run}, "denied")
    worker.release(run)
    equal(holders(vault, name), [], "holders after the release")
    second = worker.fetch(name)["run"]
    vault.kill()
    start(vault)
    equal(the_holder(vault, name)["pid"], worker.pid, "pid after a restart")
    worker.kill()
    equal(holders(vault, name), [], "holders after the end")
    equal(the_end(vault, name, second)[0], "ended", "state of the run")


@suite.check
@ends_all
def each_connection_has_to_prove_it_anew(vault):
    name = fresh(vault, ETL, CRM)
    worker = Process(vault, ETL)
    prove(worker, "proven")
    run = worker.fetch(name, "proven")["run"]
    worker.must_refuse("holder.release", {"run": run}, "denied", "bare")
    worker.fetch(name, "bare")
    kinds = sorted(holder["holder"] for holder in holders(vault, name))
    equal(kinds, ["process", "unknown"], "holders")
    prove(worker, "bare")
    worker.release(run, "bare")
    equal(the_holder(vault, name)["holder"], "unknown", "what is left")


@suite.check
@ends_all
def nothing_is_delivered_for_a_proven_process_that_has_ended(vault):
    name = fresh(vault, ETL, CRM)
    worker = Process(vault, ETL)
    prove(worker)
    heir = worker.fork(keeps_connections=True)
    worker.kill()
    reply = heir.ask_line("env.fetch", {"integration": name})
    assert reply is None or '"denied"' in reply, f"told on a dead process's connection: {reply[:100]}"
    equal(holders(vault, name), [], "holders")


if __name__ == "__main__":
    suite.run()
