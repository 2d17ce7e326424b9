#!/usr/bin/python3
"""Ten thousand short processes that are given values: afterwards the daemon is as it was, and so is its store (P8)."""
import contextlib
import os
import sqlite3

from coffer_test import Client, Suite, canary, equal
from holding import runs
from processes import become, ends_all
from surroundings import Unit, copy_of_store, descriptors_at_rest

NAME = "finance/warehouse-sync"
USERS = (2141, 2142, 2143, 2144)  # each starts its own, a few at a time
AT_ONCE = 8
FIRST, ALL, IN_UNIT = 2000, 10000, 1000
GROWTH_KIB = 256  # between the first and the last; with a sanitizer, which keeps what was freed, more
CACHE_BYTES = 4 << 20  # what the store may keep of its pages in memory

suite = Suite()


@suite.setup
def prepare(vault):
    vault.add(NAME)
    vault.call("integration.edit", {"name": NAME, "rate_limit": 1000000})
    for number in range(8):
        vault.put(NAME, f"KEY_{number}", canary())
    for uid in USERS:
        vault.grant(NAME, user=uid)


def fill_cache(vault):
    """So that what grows afterwards is not the store's cache."""
    vault.add("big")
    for number in range(CACHE_BYTES // 60000 + 8):
        vault.put("big", f"KEY_{number % 8}", "v" * 60000)


def fetch(vault, uid):
    with Client(vault.socket, uid) as client:
        equal(len(client.call("env.fetch", {"integration": NAME})["env"]), 8, "values")


def in_a_child(function, *arguments):
    """Its pid; the child's status is 0 only if the function returned."""
    child = os.fork()
    if child == 0:
        try:
            function(*arguments)
            os._exit(0)
        finally:
            os._exit(1)
    return child


def await_children(count):
    for _ in range(count):
        equal(os.wait()[1], 0, "status of a process that fetched")


def start_short_ones(vault, uid, count):
    become(uid)
    for number in range(count):
        if number >= AT_ONCE:
            await_children(1)
        in_a_child(fetch, vault, uid)
    await_children(min(count, AT_ONCE))


def make_and_end(vault, count, unit=None):
    """So many processes that fetch and end, of all users at once."""
    gate, opener = os.pipe()

    def begin(uid):
        os.close(opener)
        os.read(gate, 1)
        start_short_ones(vault, uid, count // len(USERS))

    parents = [in_a_child(begin, uid) for uid in USERS]
    for parent in parents:
        if unit:
            unit.take_pid(parent)
    os.close(gate)
    os.close(opener)
    for parent in parents:
        equal(os.waitpid(parent, 0)[1], 0, "status of a process that starts the others")


def must_be_empty(vault):
    equal(vault.call("holder.list")["holders"], [], "holders")
    equal(vault.call("status")["counts"]["holders"], 0, "number of holders")


def rows_of_holders(vault):
    """After the daemon has stopped: rows of runs that hold, rows of units, all runs."""
    with contextlib.closing(sqlite3.connect(copy_of_store(vault))) as store:
        return tuple(
            store.execute(f"SELECT count(*) FROM {what}").fetchone()[0]
            for what in ("run WHERE state < 2", "unit_holder", "run")
        )


@suite.check
def ten_thousand_holders_leave_neither_memory_nor_descriptors_behind(vault):
    fill_cache(vault)
    must_be_empty(vault)  # the list of alerts behind status is large, and malloc keeps its memory from the second time on
    descriptors = descriptors_at_rest(vault)
    make_and_end(vault, FIRST)
    must_be_empty(vault)
    rss = vault.rss_kib()
    make_and_end(vault, ALL - FIRST)
    must_be_empty(vault)
    growth = vault.rss_kib() - rss
    equal(descriptors_at_rest(vault), descriptors, "open descriptors")
    print(f"# {rss} KiB after {FIRST} holders, {growth} more after {ALL}")
    assert growth < (16384 if vault.is_sanitized() else GROWTH_KIB), f"grew by {growth} KiB"
    equal(vault.stop(), 0, "exit status after SIGTERM")
    equal(rows_of_holders(vault), (0, 0, ALL), "rows of holders, of units, of runs")
    vault.start()
    must_be_empty(vault)


@suite.check
@ends_all
def those_of_a_unit_leave_no_row_of_it(_):
    vault, unit = suite.vault(), Unit()
    vault.start()
    prepare(vault)
    make_and_end(vault, IN_UNIT, unit)
    must_be_empty(vault)
    listed = runs(vault, NAME)
    equal({run["unit"] for run in listed}, {unit.name}, "units of the runs")
    vault.close()
    equal(rows_of_holders(vault), (0, 0, IN_UNIT), "rows of holders, of units, of runs")


if __name__ == "__main__":
    suite.run()
