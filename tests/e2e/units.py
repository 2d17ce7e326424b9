#!/usr/bin/python3
"""Children of holders: a unit may hold a version as long as a process in it may descend from a holder that has ended."""
import contextlib
import os
import sqlite3
import time

from coffer_test import CRM, ETL, OPERATOR, Suite, canary, equal, wait_until
from holding import (
    LIMITS,
    fresh,
    holders,
    kinds,
    must_be_in_use,
    record_of_revoke,
    revoke,
    version_of,
)
from processes import Process, ends_all, state_of
from surroundings import Unit, copy_of_store, standing_still

JOBS = 50  # of one scheduler

suite = Suite(limits=LIMITS)


def ticks_now():
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


def start_ticks(process):
    return int(state_of(f"/proc/{process.pid}/stat")[19])


def await_older(process):
    """Start times are counted in ticks: in the next one nobody takes it for younger than what comes."""
    wait_until(lambda: ticks_now() > start_ticks(process), "another tick")


def worker_in(vault, unit, name):
    """A process of the unit that is older than what it is given by the next fetch."""
    worker = Process(vault, ETL, unit)
    equal(worker.call("whoami", {})["unit"], unit.name, f"unit, for {name}")
    await_older(worker)
    return worker


def has_rows(vault):
    """After the daemon has stopped: are there rows of processes or units that may hold?"""
    with contextlib.closing(sqlite3.connect(copy_of_store(vault))) as store:
        (runs,) = store.execute("SELECT count(*) FROM run WHERE state < 2").fetchone()
        (units,) = store.execute("SELECT count(*) FROM unit_holder").fetchone()
    return runs, units


# ---- refusals first ----


@suite.check
@ends_all
def a_grant_for_a_unit_opens_nothing_in_another_one(vault):
    name, right, wrong = fresh(vault), Unit(), Unit()
    vault.grant(name, user=CRM, unit=right.name)
    for unit in (wrong, None):
        outsider = Process(vault, CRM, unit)
        outsider.must_refuse("env.fetch", {"integration": name}, "denied")
    equal(holders(vault, name), [], "holders")
    insider = Process(vault, CRM, right)
    run = insider.fetch(name)["run"]
    (holder,) = holders(vault, name)
    equal((holder["unit"], holder["pid"], holder["run"]), (right.name, insider.pid, run), "unit, pid, run")


@suite.check
@ends_all
def an_orphan_of_an_ended_holder_keeps_the_unit_until_it_ends(vault):
    name, unit = fresh(vault), Unit()
    worker = worker_in(vault, unit, name)
    worker.fetch(name)
    (before,) = holders(vault, name)
    orphan = worker.fork(is_orphan=True)
    equal(kinds(vault, name), [("process", 1)], "holders while the process lives")
    worker.kill()
    (holder,) = holders(vault, name)
    expected = {**before, "holder": "unit", **dict.fromkeys(("pid", "uid", "user", "exe", "run"))}
    equal(holder, expected, "holder")
    vault.put(name, "API_TOKEN", canary())
    equal(must_be_in_use(vault, name, 1)["holders"], [expected], "holders that the refusal names")
    orphan.kill()
    equal(holders(vault, name), [], "holders when it has ended")
    equal(revoke(vault, name, 1)["state"], "revoked", "state")


@suite.check
@ends_all
def a_child_that_was_left_behind_and_became_another_program_counts(vault):
    name, unit = fresh(vault), Unit()
    worker = worker_in(vault, unit, name)
    worker.fetch(name)
    child = worker.fork()
    child.execute("/bin/sleep", "1000")
    worker.kill()
    equal(kinds(vault, name), [("unit", 1)], "holders")
    child.kill()
    equal(holders(vault, name), [], "holders when it has ended")


@suite.check
@ends_all
def a_grandchild_counts_when_its_parent_has_ended_too(vault):
    name, unit = fresh(vault), Unit()
    worker = worker_in(vault, unit, name)
    worker.fetch(name)
    child = worker.fork()
    grandchild = child.fork()
    worker.kill()
    child.kill()
    equal(kinds(vault, name), [("unit", 1)], "holders")
    grandchild.kill()
    equal(holders(vault, name), [], "holders when all have ended")


@suite.check
@ends_all
def a_child_whose_main_thread_has_ended_counts(vault):
    name, unit = fresh(vault), Unit()
    worker = worker_in(vault, unit, name)
    worker.fetch(name)
    child = worker.fork()
    child.order("go_on_without_the_main_thread")
    worker.kill()
    equal(kinds(vault, name), [("unit", 1)], "holders")
    child.kill()
    equal(holders(vault, name), [], "holders when it has ended")


@suite.check
@ends_all
def a_child_in_a_group_below_the_unit_counts(vault):
    name, unit = fresh(vault), Unit()
    worker = worker_in(vault, unit, name)
    worker.fetch(name)
    child = worker.fork()
    unit.take_below(child)
    worker.kill()
    equal(kinds(vault, name), [("unit", 1)], "holders")
    child.kill()
    equal(holders(vault, name), [], "holders when it has ended")


@suite.check
@ends_all
def a_zombie_in_the_unit_does_not_count(vault):
    name, unit = fresh(vault), Unit()
    keeper = worker_in(vault, unit, name)  # an old process of the unit, which waits for nobody
    keeper.order("adopt_orphans")
    worker = keeper.fork()
    await_older(worker)
    worker.fetch(name)
    child = worker.fork(is_orphan=True, has_session=True)
    worker.kill()
    equal(kinds(vault, name), [("unit", 1)], "holders while the child lives")
    child.kill()
    equal(state_of(f"/proc/{child.pid}/stat")[0], "Z", "state of the child")
    equal(holders(vault, name), [], "holders")


@suite.check
@ends_all
def processes_only_leaves_the_unit_out_of_account(vault):
    name, unit = fresh(vault), Unit()
    worker = worker_in(vault, unit, name)
    worker.fetch(name)
    worker.fork(is_orphan=True)
    vault.put(name, "API_TOKEN", canary())
    with vault.client(OPERATOR) as client:
        params = version_of(name, 1, processes_only=True)
        client.must_refuse("secret.revoke", params, "in_use")
        worker.kill()
        must_be_in_use(vault, name, 1)
        equal(client.call("secret.revoke", params)["state"], "revoked", "state")
    record = record_of_revoke(vault, name)
    equal(record["detail"], "processes only", "detail of the record")


@suite.check
@ends_all
def force_names_the_unit_in_the_record(vault):
    name, unit = fresh(vault), Unit()
    worker = worker_in(vault, unit, name)
    worker.fetch(name)
    worker.fork(is_orphan=True)
    worker.kill()
    equal(revoke(vault, name, 1, force=True)["state"], "revoked", "state")
    record = record_of_revoke(vault, name)
    equal(record["subject"], f"unit={unit.name}", "subject of the record")


# ---- who cannot be a child ----


@suite.check
@ends_all
def a_process_that_is_older_than_the_delivery_does_not_count(vault):
    name, unit = fresh(vault), Unit()
    worker = worker_in(vault, unit, name)
    older = worker.fork()
    await_older(older)
    worker.fetch(name)
    worker.kill()
    assert not older.has_ended(), "the older one lives"
    equal(holders(vault, name), [], "holders")


@suite.check
@ends_all
def fifty_jobs_of_one_scheduler_leave_nothing_behind_while_younger_ones_live(_):
    vault = suite.vault(limits=LIMITS).start()
    name, unit = fresh(vault), Unit()
    scheduler = worker_in(vault, unit, name)
    bystander = None
    for number in range(JOBS):
        job = scheduler.fork()
        await_older(job)
        job.fetch(name)
        if number == 0:
            bystander = scheduler.fork()  # younger than the first delivery, to the end
        if number == JOBS // 2:
            vault.put(name, "API_TOKEN", canary())
        equal(kinds(vault, name), [("process", 1 if number <= JOBS // 2 else 2)], f"holders, job {number}")
        job.exit()
        scheduler.order("reap")
        equal(holders(vault, name), [], f"holders after job {number}")
        if number == JOBS // 2:
            equal(revoke(vault, name, 1)["state"], "revoked", "state of the old version")
    assert not bystander.has_ended() and not scheduler.has_ended(), "they live"
    vault.close()
    equal(has_rows(vault), (0, 0), "rows of processes and units")


@suite.check
@ends_all
def an_orphan_of_a_job_counts_whatever_else_the_scheduler_does(vault):
    name, unit = fresh(vault), Unit()
    scheduler = worker_in(vault, unit, name)
    job = scheduler.fork()
    await_older(job)
    job.fetch(name)
    orphan = job.fork(is_orphan=True)
    job.kill()
    other = scheduler.fork()
    other.kill()
    equal(kinds(vault, name), [("unit", 1)], "holders")
    orphan.kill()
    equal(holders(vault, name), [], "holders when it has ended")


# ---- reapers inside of the unit ----


@suite.check
@ends_all
def an_orphan_that_a_reaper_in_the_unit_adopted_counts(vault):
    name, unit = fresh(vault), Unit()
    reaper = worker_in(vault, unit, name)
    reaper.order("adopt_orphans")
    job = reaper.fork()
    await_older(job)
    job.fetch(name)
    orphan = job.fork(is_orphan=True, has_session=True)
    job.kill()
    reaper.order("reap")
    wait_until(lambda: int(state_of(f"/proc/{orphan.pid}/stat")[1]) == reaper.pid, "it is adopted")
    equal(kinds(vault, name), [("unit", 1)], "holders")
    vault.kill()
    vault.start()
    equal(kinds(vault, name), [("unit", 1)], "holders after a restart")
    orphan.kill()
    reaper.order("reap")
    equal(holders(vault, name), [], "holders when it has ended")


def first_of_a_namespace(vault, unit, groups):
    """The first process of a pid namespace of its own, in the unit."""
    maker = Process(vault, 0, unit)
    maker.order("number_children_anew")
    first = maker.fork()
    first.order("join_groups", groups)
    await_older(first)
    return first


@suite.check
@ends_all
def an_orphan_in_a_namespace_of_the_unit_counts(vault):
    for groups in (0, 2000):  # many groups make /proc/PID/status long
        name, unit = fresh(vault), Unit()
        first = first_of_a_namespace(vault, unit, groups)
        worker = first.fork()
        worker.order("become", ETL)
        await_older(worker)
        worker.fetch(name)
        (holder,) = holders(vault, name)
        equal((holder["holder"], holder["pid"]), ("process", worker.pid), "holder, pid")
        orphan = worker.fork(is_orphan=True)
        worker.kill()
        first.order("reap")
        equal(state_of(f"/proc/{orphan.pid}/stat")[1], str(first.pid), "parent of the orphan")
        equal(kinds(vault, name), [("unit", 1)], f"holders; the first process has {groups} groups")
        orphan.kill()
        equal(holders(vault, name), [], "holders when it has ended")


# ---- release ----


@suite.check
@ends_all
def a_release_with_a_living_child_leaves_the_unit_until_the_child_ends(vault):
    name, unit = fresh(vault), Unit()
    worker = worker_in(vault, unit, name)
    run = worker.fetch(name)["run"]
    child = worker.fork()
    worker.release(run)
    equal(kinds(vault, name), [("unit", 1)], "holders")
    vault.put(name, "API_TOKEN", canary())
    must_be_in_use(vault, name, 1)
    vault.kill()
    vault.start()
    equal(kinds(vault, name), [("unit", 1)], "holders after a restart")
    child.kill()
    worker.order("reap")
    equal(holders(vault, name), [], "holders when the child has ended")
    assert not worker.has_ended(), "the process lives"
    equal(revoke(vault, name, 1)["state"], "revoked", "state")


@suite.check
@ends_all
def a_release_without_a_child_leaves_nothing(vault):
    name, unit = fresh(vault), Unit()
    scheduler = worker_in(vault, unit, name)
    worker = scheduler.fork()
    await_older(worker)
    run = worker.fetch(name)["run"]
    scheduler.fork()  # somebody else's child
    worker.release(run)
    equal(holders(vault, name), [], "holders")


@suite.check
@ends_all
def a_release_with_an_orphan_of_its_own_leaves_the_unit_until_the_orphan_ends(vault):
    name, unit = fresh(vault), Unit()
    worker = worker_in(vault, unit, name)
    run = worker.fetch(name)["run"]
    orphan = worker.fork(is_orphan=True)
    worker.release(run)
    equal(kinds(vault, name), [("unit", 1)], "holders")
    orphan.kill()
    equal(holders(vault, name), [], "holders when the orphan has ended")
    assert not worker.has_ended(), "the process lives"


def fetched_in_its_first_tick(vault, scheduler, name, is_orphan=False):
    """A process that was given a version within the tick in which it began."""
    for _ in range(100):
        worker = scheduler.fork(is_orphan)
        run = worker.fetch(name)["run"]
        if ticks_now() == start_ticks(worker):
            return worker, run
        worker.release(run)
        worker.kill()
        if not is_orphan:
            scheduler.order("reap")
    raise AssertionError("no process was quick enough")


@suite.check
@ends_all
def a_process_as_young_as_its_fetch_is_its_children_s_parent_all_the_same(vault):
    name, unit = fresh(vault), Unit()
    scheduler = worker_in(vault, unit, name)
    worker, run = fetched_in_its_first_tick(vault, scheduler, name)
    child = worker.fork()
    worker.release(run)
    equal(kinds(vault, name), [("unit", 1)], "holders")
    child.kill()
    worker.order("reap")
    worker.kill()
    equal(holders(vault, name), [], "holders when both have ended")


@suite.check
@ends_all
def a_process_as_young_as_its_fetch_is_not_its_own_child(vault):
    name, unit = fresh(vault), Unit()
    scheduler = worker_in(vault, unit, name)
    worker, run = fetched_in_its_first_tick(
        vault, scheduler, name, is_orphan=True
    )  # as the main process of a unit
    worker.release(run)
    equal(holders(vault, name), [], "holders")
    assert not worker.has_ended(), "the process lives"


# ---- the unit and the daemon come again ----


@suite.check
@ends_all
def a_unit_that_was_started_anew_holds_nothing(vault):
    name, unit = fresh(vault), Unit()
    worker = worker_in(vault, unit, name)
    worker.fetch(name)
    orphan = worker.fork(is_orphan=True)
    worker.kill()
    equal(kinds(vault, name), [("unit", 1)], "holders")
    with standing_still(vault):  # it cannot look while the unit is empty
        orphan.kill()
        unit.make_anew()
        successor = Process(vault, ETL, unit)
    equal(holders(vault, name), [], "holders")
    assert successor.pid in unit.pids(), "somebody younger is in the unit of this name"


@suite.check
@ends_all
def a_unit_that_is_gone_holds_nothing(vault):
    name, unit = fresh(vault), Unit()
    worker = worker_in(vault, unit, name)
    worker.fetch(name)
    orphan = worker.fork(is_orphan=True)
    worker.kill()
    equal(kinds(vault, name), [("unit", 1)], "holders")
    with standing_still(vault):
        orphan.kill()
        unit.remove()
    equal(holders(vault, name), [], "holders")


@suite.check
@ends_all
def units_survive_a_kill_of_the_daemon(vault):
    name, unit = fresh(vault), Unit()
    worker = worker_in(vault, unit, name)
    worker.fetch(name)
    orphan = worker.fork(is_orphan=True)
    worker.kill()
    before = holders(vault, name)
    equal([holder["holder"] for holder in before], ["unit"], "holders")
    # What the kernel says is stored in the next turn: one later than the end is durable with its reply.
    vault.put(name, "OTHER", canary())
    vault.kill()
    vault.start()
    equal(holders(vault, name), before, "holders after the restart")
    orphan.kill()
    equal(holders(vault, name), [], "holders when it has ended")


@suite.check
@ends_all
def a_holder_that_ended_while_the_daemon_was_down_leaves_its_children(vault):
    name, unit, emptied = fresh(vault), Unit(), Unit()
    worker, gone = worker_in(vault, unit, name), worker_in(vault, emptied, name)
    worker.fetch(name)
    gone.fetch(name)
    orphan = worker.fork(is_orphan=True)
    vault.kill()
    worker.kill()
    gone.kill()
    emptied.make_anew()
    Process(vault, ETL, emptied)
    vault.start()
    found = [(holder["holder"], holder["unit"]) for holder in holders(vault, name)]
    equal(found, [("unit", unit.name)], "holders")
    orphan.kill()
    equal(holders(vault, name), [], "holders when it has ended")


@suite.check
@ends_all
def the_row_of_an_empty_unit_goes_though_nobody_asks(_):
    vault = suite.vault(limits=LIMITS).start()
    name, unit = fresh(vault), Unit()
    worker = worker_in(vault, unit, name)
    worker.fetch(name)
    orphan = worker.fork(is_orphan=True)
    worker.kill()
    equal(kinds(vault, name), [("unit", 1)], "holders")
    orphan.kill()
    vault.close()
    equal(has_rows(vault), (0, 0), "rows of processes and units")


if __name__ == "__main__":
    suite.run()
