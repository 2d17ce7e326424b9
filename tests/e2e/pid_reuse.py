#!/usr/bin/python3
"""Pids that come again within a blink: nobody inherits a holder, a run or a connection by the number (P9).

The test runs in a pid namespace of its own, with a pid_max that leaves twenty numbers to go round.
"""
import contextlib
import os
import shutil
import socket
import sys

import coffer_test
from coffer_test import ETL, Client, Suite, equal, wait_until
from holding import LIMITS, holders, make, pids, runs, the_end
from processes import Process, become, ends_all
from surroundings import descriptors_at_rest

NAME = "finance/warehouse-sync"
INSIDE = "COFFER_TEST_INSIDE"  # in the environment: the descriptor of the outer pid_max
PID_MAX, RESERVED = 320, 300  # the kernel goes round above those that are reserved
USERS = (2131, 2132, 2133)
EACH = 1000  # short processes of each user
AT_ONCE = 4
ROUNDS, RESTARTS = 30, 5

suite = Suite(limits=LIMITS)


@suite.setup
def prepare(vault):
    with open("/proc/sys/kernel/pid_max", "w", encoding="ascii") as file:
        file.write(str(PID_MAX))
    while begin_and_end_one() < RESERVED:
        pass
    make(vault, NAME, ETL)
    for uid in USERS:
        make(vault, name_of(uid), uid)


def begin_and_end_one():
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return child


def name_of(uid):
    return f"users/{uid}"


def process_with(vault, pid, uid=ETL):
    """Somebody who got this number."""
    for _ in range(10 * PID_MAX):
        candidate = Process(vault, 0)
        if candidate.pid == pid:
            candidate.order("become", uid)
            return candidate
        candidate.close()
    raise AssertionError(f"nobody got the pid {pid}")


# ---- refusals first ----


@suite.check
def the_outer_pids_are_left_alone(_):
    with open(int(os.environ[INSIDE]), encoding="ascii", closefd=False) as file:
        assert int(file.read()) > PID_MAX, "the limit is not the namespace's own"


@suite.check
@ends_all
def who_gets_the_pid_of_an_ended_holder_is_no_holder_and_releases_nothing(vault):
    for _ in range(ROUNDS):
        worker = Process(vault, ETL)
        run = worker.fetch(NAME)["run"]
        equal(pids(vault, NAME), [worker.pid], "holders")
        worker.kill()
        heir = process_with(vault, worker.pid)
        equal(holders(vault, NAME), [], f"holders, while {heir.pid} is another process of the same user")
        heir.must_refuse("holder.release", {"run": run}, "denied")
        own = heir.fetch(NAME)["run"]
        equal([holder["run"] for holder in holders(vault, NAME)], [own], "runs that are held")
        heir.must_refuse("holder.release", {"run": run}, "denied")
        heir.release(own)
        heir.must_refuse("holder.release", {"run": run}, "denied")
        heir.kill()


@suite.check
@ends_all
def a_connection_of_a_dead_process_does_not_speak_for_the_next_one_of_its_pid(vault):
    worker = Process(vault, ETL)
    worker.call("whoami", {})
    _, descriptors = worker.order_with_descriptors("lend", "main")
    worker.kill()
    heir = process_with(vault, worker.pid)
    run = heir.fetch(NAME)["run"]
    with socket.socket(fileno=descriptors[0]) as left:
        left.settimeout(coffer_test.WAIT_SECONDS)
        data = b""
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            for method, params in (
                ("holder.release", {"run": run}),
                ("env.fetch", {"integration": NAME}),
            ):
                left.sendall(heir.request(method, params).encode())
            left.shutdown(socket.SHUT_WR)
            while more := left.recv(65536):
                data += more
    assert b'"result"' not in data, data[:200]
    equal([(holder["pid"], holder["run"]) for holder in holders(vault, NAME)], [(heir.pid, run)], "holders")


@suite.check
@ends_all
def who_got_the_pid_while_the_daemon_was_down_is_no_holder(vault):
    for _ in range(RESTARTS):
        worker, other = Process(vault, ETL), Process(vault, ETL)
        run, kept = (process.fetch(NAME)["run"] for process in (worker, other))
        vault.kill()
        worker.kill()
        heir = process_with(vault, worker.pid)
        vault.start()
        equal([(h["pid"], h["run"]) for h in holders(vault, NAME)], [(other.pid, kept)], "holders")
        equal(the_end(vault, NAME, run)[0], "ended", "state of the dead one's run")
        heir.must_refuse("holder.release", {"run": run}, "denied")
        own = heir.fetch(NAME)["run"]
        equal(sorted(h["run"] for h in holders(vault, NAME)), sorted([kept, own]), "runs that are held")
        for process in (heir, other):
            process.kill()
        equal(holders(vault, NAME), [], "holders")


# ---- many ----


def fetch_and_tell(vault, uid, report):
    client = Client(vault.socket, uid)
    told = client.call("whoami")
    run = client.call("env.fetch", {"integration": name_of(uid)})["run"]
    os.write(report, f"{uid} {os.getpid()} {told['uid']} {told['pid']} {run}\n".encode())


def fork_when_there_is_a_pid():
    def attempt():
        try:
            return os.fork() + 1  # a child's 0 is an answer, too
        except BlockingIOError:
            return None

    return wait_until(attempt, "there is a pid") - 1


def keep_forking(vault, uid, report):
    """A process of this user that starts short ones, a few at a time."""
    become(uid)
    running = 0
    for _ in range(EACH):
        if running == AT_ONCE:
            running -= os.wait()[0] > 0
        if fork_when_there_is_a_pid() == 0:
            try:
                fetch_and_tell(vault, uid, report)
            finally:
                os._exit(0)
        running += 1
    while running > 0:
        running -= os.wait()[0] > 0


@suite.check
@ends_all
def of_thousands_of_short_processes_each_has_its_own_run_and_none_is_left(vault):
    descriptors = descriptors_at_rest(vault)
    keeper = Process(vault, ETL)
    kept = keeper.fetch(NAME)["run"]
    reader, report = os.pipe()
    parents = []
    for uid in USERS:
        parents.append(os.fork())
        if parents[-1] == 0:
            try:
                keep_forking(vault, uid, report)
                os._exit(0)
            finally:
                os._exit(1)
    os.close(report)
    with open(reader, encoding="ascii") as file:
        told = [line.split() for line in file]
    for parent in parents:
        equal(os.waitpid(parent, 0)[1], 0, "status of one that starts them")
    equal(len(told), EACH * len(USERS), "processes that told what they were given")
    pids = {int(pid) for _, pid, _, _, _ in told}
    assert len(pids) < PID_MAX, f"{len(pids)} pids for {len(told)} processes"
    equal(
        [(h["pid"], h["run"]) for h in vault.call("holder.list")["holders"]], [(keeper.pid, kept)], "holders"
    )
    listed = {entry["run"]: entry for uid in USERS for entry in runs(vault, name_of(uid))}
    for uid, pid, told_uid, told_pid, run in told:
        equal((told_uid, told_pid), (uid, pid), "who the daemon took it for")
        entry = listed[run]
        equal((entry["uid"], entry["pid"], entry["state"]), (int(uid), int(pid), "ended"), f"the run {run}")
    keeper.kill()
    equal(vault.call("holder.list")["holders"], [], "holders")
    equal(descriptors_at_rest(vault), descriptors, "open descriptors")


def run_inside():
    """The test again, as the first process of a namespace."""
    release = tuple(int(part) for part in os.uname().release.split(".")[:2])
    if release < (6, 14):
        print(
            f"1..0 # SKIP pid_max is the whole machine's on Linux {os.uname().release}; 6.14 gives each namespace its own"
        )
        return
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        print("1..0 # SKIP must make a pid namespace: needs root and unshare")
        return
    outer = os.open("/proc/sys/kernel/pid_max", os.O_RDONLY)
    os.set_inheritable(outer, True)
    os.environ[INSIDE] = str(outer)
    words = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, *sys.argv]
    os.execvp(words[0], words)


if __name__ == "__main__":
    if INSIDE in os.environ:
        suite.run()
    else:
        run_inside()
