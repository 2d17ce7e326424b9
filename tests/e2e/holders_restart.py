#!/usr/bin/python3
"""The daemon ends and comes again, after a kill, a stop or another boot: holders are found again, or known to be unknown (P9)."""
import contextlib
import sqlite3

from coffer_test import ETL, Suite, canary, equal
from holding import (
    LIMITS,
    fresh,
    holders,
    make,
    must_be_in_use,
    pids,
    revoke,
    runs,
    the_end,
    the_holder,
)
from processes import Process, ends_all
from surroundings import copy_of_store

NAME = "finance/warehouse-sync"
SURVIVORS = 100  # holders that live while the daemon is killed

suite = Suite(limits=LIMITS)


# ---- the daemon ends and comes again ----


def by_run(found):
    return sorted(found, key=lambda holder: holder["run"])


@suite.check
@ends_all
def holders_survive_a_kill_of_the_daemon_and_those_that_ended_meanwhile_are_gone(vault):
    name = fresh(vault)
    workers = [Process(vault, ETL) for _ in range(SURVIVORS)]
    given = {worker.pid: worker.fetch(name)["run"] for worker in workers}
    before = holders(vault, name)
    equal(len(before), SURVIVORS, "holders before")
    vault.kill()
    vault.start()
    equal(by_run(holders(vault, name)), by_run(before), "holders after the restart")
    ended, living = workers[: SURVIVORS // 4], workers[SURVIVORS // 4 :]
    vault.kill()
    for worker in ended:
        worker.kill()
    vault.start()
    expected = [holder for holder in before if holder["pid"] in {worker.pid for worker in living}]
    equal(by_run(holders(vault, name)), by_run(expected), "holders after those ends")
    listed = {run["run"]: run for run in runs(vault, name)}
    for worker in ended:
        run = listed[given[worker.pid]]
        equal((run["state"], run["exit_status"], run["signal"]), ("ended", None, None), "end of a run")
    for worker in living:
        equal(listed[given[worker.pid]]["state"], "running", "state of a run")
        worker.kill()
    equal(holders(vault, name), [], "holders when all have ended")
    for run in runs(vault, name):
        equal(run["state"], "ended", f"state of {run['run']}")


@suite.check
@ends_all
def a_stop_of_the_daemon_is_like_a_kill_to_the_holders(vault):
    name = fresh(vault)
    lives, ends, releases = (Process(vault, ETL) for _ in range(3))
    for worker in (lives, ends):
        worker.fetch(name)
    released = releases.fetch(name)["run"]
    releases.release(released)
    equal(vault.stop(), 0, "exit status after SIGTERM")
    ends.kill()
    vault.start()
    equal(pids(vault, name), [lives.pid], "holders")
    equal(the_end(vault, name, released)[0], "released", "state of the released run")


@suite.check
@ends_all
def a_process_releases_after_a_restart_what_it_was_given_before(vault):
    name = fresh(vault)
    once, twice = Process(vault, ETL), Process(vault, ETL)
    run = once.fetch(name)["run"]
    twice_given = [twice.fetch(name)["run"] for _ in range(2)]
    vault.kill()
    vault.start()
    for worker in (once, twice):
        worker.order("disconnect", "main")
    once.release(run)
    equal(pids(vault, name), [twice.pid], "holders: how often it fetched is not remembered, so it stays one")
    for one in twice_given:
        twice.release(one)
    equal(pids(vault, name), [twice.pid], "holders after both")
    twice.kill()
    equal(holders(vault, name), [], "holders after its end")


# ---- another boot, another namespace ----


def change_boot(vault, change):
    """As if the rows had been written in other circumstances: the stopped store's texts of the boot."""
    vault.stop()
    with contextlib.closing(sqlite3.connect(vault.at("state", "coffer.db"))) as store:
        (boot,) = store.execute("SELECT DISTINCT boot FROM run WHERE state = 0").fetchone()
        assert store.execute("UPDATE run SET boot = ? WHERE state = 0", (change(boot),)).rowcount > 0
        store.commit()
    vault.start()


@suite.check
@ends_all
def after_another_boot_nobody_is_left(_):
    vault = suite.vault(limits=LIMITS).start()
    make(vault, NAME, ETL)
    worker = Process(vault, ETL)
    run = worker.fetch(NAME)["run"]
    change_boot(vault, lambda boot: "0" * 32 + boot[32:])
    assert not worker.has_ended(), "a process of this pid and start time lives"
    equal(holders(vault, NAME), [], "holders")
    equal(the_end(vault, NAME, run)[0], "ended", "state of the run")
    vault.close()


@suite.check
@ends_all
def pids_of_another_namespace_are_unknown_until_force_clears_them(_):
    vault = suite.vault(limits=LIMITS).start()
    make(vault, NAME, ETL)
    worker = Process(vault, ETL)
    run = worker.fetch(NAME)["run"]
    vault.put(NAME, "API_TOKEN", canary())
    change_boot(vault, lambda boot: boot.split("/")[0] + "/1")
    holder = the_holder(vault, NAME)
    equal((holder["holder"], holder["pid"], holder["run"]), ("unknown", worker.pid, run), "holder, pid, run")
    equal(the_end(vault, NAME, run)[0], "unknown", "state of the run")
    worker.kill()
    equal(must_be_in_use(vault, NAME, 1)["holder_count"], 1, "holders: its end proves nothing")
    must_be_in_use(vault, NAME, 1, processes_only=True)
    vault.kill()
    vault.start()
    equal(the_holder(vault, NAME)["holder"], "unknown", "holder after another restart")
    equal(revoke(vault, NAME, 1, force=True)["state"], "revoked", "state")
    equal(holders(vault, NAME), [], "holders when all that they held is revoked")
    equal(the_end(vault, NAME, run)[0], "ended", "state of the run")
    vault.close()
    with contextlib.closing(sqlite3.connect(copy_of_store(vault))) as store:
        equal(store.execute("SELECT count(*) FROM run WHERE state < 2").fetchone()[0], 0, "rows of holders")


if __name__ == "__main__":
    suite.run()
