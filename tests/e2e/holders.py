#!/usr/bin/python3
"""Who may hold what: which process a holder is, when it begins and ends, and what a release makes of it (P9)."""
import contextlib
import datetime
import itertools
import json
import signal
import socket

from coffer_test import ADMIN, AUDITOR, CRM, ETL, OPERATOR, STRANGER, Suite, canary, equal, wait_until
from holding import (
    ABSENT_RUN,
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
    the_run,
)
from processes import Process, ends_all, state_of
from surroundings import standing_still

NAME = "finance/warehouse-sync"

suite = Suite(limits=LIMITS)


@suite.setup
def prepare(vault):
    make(vault, NAME, ETL, CRM)


def seconds_of(time):
    return datetime.datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()


# ---- refusals first ----


@suite.check
def holders_are_listed_for_roles_alone(vault):
    for uid in (STRANGER, ETL):
        with vault.client(uid) as client:
            for params in ({}, {"integration": NAME}, {"integration": "no/such"}):
                client.must_refuse("holder.list", params, "denied")
    with vault.client(AUDITOR) as client:
        client.must_refuse("holder.list", {"integration": "no/such"}, "not_found")
        client.must_refuse("holder.list", {"integration": NAME, "key": "NO_SUCH"}, "not_found")
        client.must_refuse("holder.list", {"key": "API_TOKEN"}, "bad_request")
        equal(client.call("holder.list", {})["holders"], [], "holders before any fetch")


@suite.check
@ends_all
def a_foreign_run_an_absent_run_and_another_process_s_run_are_denied_with_the_same_bytes(vault):
    own, sibling, foreign = Process(vault, ETL), Process(vault, ETL), Process(vault, CRM)
    runs = {
        "absent": ABSENT_RUN,
        "another process's": sibling.fetch(NAME)["run"],
        "another user's": foreign.fetch(NAME)["run"],
    }
    own.fetch(NAME)
    replies = {what: own.ask_line("holder.release", {"run": run}, id=1) for what, run in runs.items()}
    assert '"denied"' in replies["absent"], replies["absent"]
    for what, reply in replies.items():
        equal(reply, replies["absent"], f"the answer about {what} run")
    equal(len(pids(vault, NAME)), 3, "holders after refused releases")


@suite.check
@ends_all
def a_process_without_a_run_releases_nothing(vault):
    holder, other = Process(vault, ETL), Process(vault, ETL)
    run = holder.fetch(NAME)["run"]
    for uid in (STRANGER, ADMIN, OPERATOR):
        with vault.client(uid) as client:
            client.must_refuse("holder.release", {"run": run}, "denied")
    other.must_refuse("holder.release", {"run": run}, "denied")
    equal(pids(vault, NAME), [holder.pid], "holders")


@suite.check
@ends_all
def a_run_that_ended_cannot_be_released_by_the_next_process(vault):
    holder = Process(vault, ETL)
    run = holder.fetch(NAME)["run"]
    holder.kill()
    Process(vault, ETL).must_refuse("holder.release", {"run": run}, "denied")


@suite.check
@ends_all
def a_fetch_that_is_refused_makes_no_holder(vault):
    name = fresh(vault)
    worker = Process(vault, ETL)
    worker.must_refuse("env.fetch", {"integration": name, "only": ["NO_SUCH"]}, "not_found")
    worker.must_refuse("env.fetch", {"integration": "holders/absent"}, "denied")
    Process(vault, STRANGER).must_refuse("env.fetch", {"integration": name}, "denied")
    equal(holders(vault, name), [], "holders")
    equal(runs(vault, name), [], "runs")


# ---- which process a holder is ----


@suite.check
@ends_all
def a_process_that_fetched_is_a_holder_with_its_pid_uid_program_and_run(vault):
    name = fresh(vault)
    worker = Process(vault, ETL)
    before = seconds_of(vault.audit()[-1]["time"])
    run = worker.fetch(name)["run"]
    holder = the_holder(vault, name)
    since = seconds_of(holder.pop("since"))
    equal(
        holder,
        {
            "integration": name,
            "key": "API_TOKEN",
            "version": 1,
            "holder": "process",
            "pid": worker.pid,
            "uid": ETL,
            "user": str(ETL),
            "exe": None,  # the kernel shows a sandboxed daemon no other process's program
            "unit": None,
            "invocation": None,
            "delivered": False,
            "run": run,
            "staged": False,
        },
        "holder",
    )
    assert before <= since <= before + 60, f"since {since}, shortly before it was {before}"
    equal(the_end(vault, name, run)[0], "running", "state of the run")


@suite.check
@ends_all
def a_process_that_does_not_read_its_reply_is_a_holder_all_the_same(vault):
    name = fresh(vault)
    worker = Process(vault, ETL)
    worker.send("env.fetch", {"integration": name})
    wait_until(lambda: pids(vault, name) == [worker.pid], "it is a holder")
    worker.order("disconnect", "main")
    equal(pids(vault, name), [worker.pid], "holders after it has closed the connection")


@suite.check
@ends_all
def each_version_of_each_key_has_its_holders(vault):
    name = fresh(vault, keys=("A", "B"))
    both, one = Process(vault, ETL), Process(vault, ETL)
    both.fetch(name)
    one.fetch(name, only=["A"])
    vault.put(name, "A", canary())
    newer = Process(vault, ETL)
    newer.fetch(name)
    found = [(holder["key"], holder["version"], holder["pid"]) for holder in holders(vault, name)]
    expected = [
        ("A", 1, both.pid),
        ("A", 1, one.pid),
        ("A", 2, newer.pid),
        ("B", 1, both.pid),
        ("B", 1, newer.pid),
    ]
    equal(found, expected, "holders by key, version and time")
    equal(pids(vault, name, key="B"), sorted([both.pid, newer.pid]), "holders of B")
    versions = vault.call("secret.show", {"integration": name, "key": "A"})["versions"]
    equal([(v["version"], v["holders"]) for v in versions], [(2, 1), (1, 2)], "numbers in secret.show")


@suite.check
@ends_all
def a_staged_fetch_is_told_apart(vault):
    name = fresh(vault)
    vault.put(name, "API_TOKEN", canary(), stage=True)
    worker = Process(vault, ETL)
    worker.fetch(name, staged=True)
    holder = the_holder(vault, name)
    equal((holder["version"], holder["staged"]), (2, True), "version, staged")


@suite.check
@ends_all
def a_process_that_was_given_values_as_two_users_is_a_holder_for_each(vault):
    """As a program does that gives up its rights: its runs are told apart, and each can be released."""
    name = fresh(vault, ETL, CRM)
    worker = Process(vault, ADMIN)
    for uid in (ETL, CRM):
        worker.order("connect_as", str(uid), uid)
    runs = {uid: worker.fetch(name, str(uid))["run"] for uid in (ETL, CRM)}
    expected = {(ETL, worker.pid, runs[ETL]), (CRM, worker.pid, runs[CRM])}
    for is_restarted in (False, True):
        if is_restarted:
            vault.kill()
            vault.start()
            for uid in (ETL, CRM):
                worker.order("connect_as", str(uid), uid)
        found = {(holder["uid"], holder["pid"], holder["run"]) for holder in holders(vault, name)}
        equal(found, expected, "uids, pids and runs")
    worker.must_refuse("holder.release", {"run": runs[ETL]}, "denied", str(CRM))
    worker.release(runs[CRM], str(CRM))
    equal(the_holder(vault, name)["run"], runs[ETL], "run that is left")
    worker.kill()
    equal(holders(vault, name), [], "holders after the end")


@suite.check
@ends_all
def a_list_of_holders_that_is_too_long_says_so(vault):
    name = fresh(vault, keys=[f"KEY_{number}" for number in range(101)])
    workers = [Process(vault, ETL) for _ in range(10)]
    for worker in workers:
        worker.fetch(name)
    listed = vault.call("holder.list", {"integration": name})
    equal((len(listed["holders"]), listed["more"]), (1000, True), "entries of 1010, more")
    workers[0].kill()
    listed = vault.call("holder.list", {"integration": name})
    equal((len(listed["holders"]), listed["more"]), (909, False), "entries of 909, more")


# ---- the end of a holder ----


@suite.check
@ends_all
def a_holder_ends_with_its_process(vault):
    name = fresh(vault)
    for end in (lambda worker: worker.exit(0), lambda worker: worker.kill(), lambda worker: worker.kill(15)):
        worker = Process(vault, ETL)
        run = worker.fetch(name)["run"]
        equal(pids(vault, name), [worker.pid], "holders")
        end(worker)
        equal(holders(vault, name), [], "holders after the end")
        equal(the_end(vault, name, run)[0], "ended", "state of the run")


@suite.check
@ends_all
def a_zombie_that_nobody_waits_for_is_no_holder(vault):
    name = fresh(vault)
    worker = Process(vault, ETL)
    run = worker.fetch(name)["run"]
    signal.pidfd_send_signal(worker.pidfd, signal.SIGKILL)
    wait_until(lambda: state_of(f"/proc/{worker.pid}/stat")[0] == "Z", "it is a zombie")
    equal(holders(vault, name), [], "holders")
    equal(the_end(vault, name, run)[0], "ended", "state of the run")
    vault.put(name, "API_TOKEN", canary())
    equal(revoke(vault, name, 1)["state"], "revoked", "state of the version")
    equal(state_of(f"/proc/{worker.pid}/stat")[0], "Z", "its state all the while")


@suite.check
@ends_all
def the_end_of_a_thread_is_not_the_end_of_the_process(vault):
    name = fresh(vault)
    worker = Process(vault, ETL)
    run = worker.fetch(name)["run"]
    worker.order("begin_and_end_a_thread")
    equal(the_holder(vault, name)["run"], run, "run")


@suite.check
@ends_all
def a_process_whose_main_thread_has_ended_holds_on(vault):
    name = fresh(vault)
    worker = Process(vault, ETL)
    worker.fetch(name)
    worker.order("go_on_without_the_main_thread")
    equal(pids(vault, name), [worker.pid], "holders")
    vault.kill()
    vault.start()
    equal(pids(vault, name), [worker.pid], "holders after a restart")
    vault.put(name, "API_TOKEN", canary())
    must_be_in_use(vault, name, 1)
    worker.fetch(name, "another")
    equal([holder["version"] for holder in holders(vault, name)], [1, 2], "versions that it holds")
    worker.kill()
    equal(holders(vault, name), [], "holders after the end")


@suite.check
@ends_all
def a_process_that_becomes_another_program_holds_on(vault):
    name = fresh(vault)
    for order in ("execute", "execute_in_a_thread"):
        worker = Process(vault, ETL)
        run = worker.fetch(name)["run"]
        worker.execute("/bin/sleep", "1000", order=order)
        holder = the_holder(vault, name)
        equal((holder["pid"], holder["run"]), (worker.pid, run), "pid, run")
        worker.kill()
        equal(holders(vault, name), [], "holders after the end")


@suite.check
@ends_all
def children_outside_of_a_unit_do_not_count(vault):
    """As the documents say: without a unit nobody can tell whose children they are."""
    name = fresh(vault)
    worker = Process(vault, ETL)
    worker.fetch(name)
    child, program = worker.fork(), worker.fork()
    program.execute("/bin/sleep", "1000")
    equal(pids(vault, name), [worker.pid], "holders while the parent lives")
    worker.kill()
    equal(holders(vault, name), [], "holders after the parent has ended")
    assert not child.has_ended() and not program.has_ended(), "the children live"
    vault.put(name, "API_TOKEN", canary())
    equal(revoke(vault, name, 1)["state"], "revoked", "state")


# ---- release ----


@suite.check
@ends_all
def a_released_run_is_gone_and_a_second_release_is_ok_and_has_no_effect(vault):
    name = fresh(vault)
    worker = Process(vault, ETL)
    run = worker.fetch(name)["run"]
    equal(worker.release(run), {"run": run}, "result")
    equal(holders(vault, name), [], "holders")
    first = the_run(vault, name, run)
    equal(first["state"], "released", "state of the run")
    equal(worker.release(run), {"run": run}, "result of the second release")
    equal(the_run(vault, name, run), first, "the run after the second release")
    vault.put(name, "API_TOKEN", canary())
    equal(revoke(vault, name, 1)["state"], "revoked", "state while the process lives on")


@suite.check
@ends_all
def the_same_versions_fetched_twice_are_held_until_both_are_released(vault):
    for order in ((0, 1), (1, 0)):
        name = fresh(vault)
        worker = Process(vault, ETL)
        runs = [worker.fetch(name)["run"], worker.fetch(name)["run"]]
        equal(pids(vault, name), [worker.pid], "holders: one entry for both")
        for _ in range(2):  # twice the same is once
            worker.release(runs[order[0]])
            equal(pids(vault, name), [worker.pid], f"holders after run {order[0]}")
        worker.release(runs[order[1]])
        equal(holders(vault, name), [], "holders after both")
        equal([the_end(vault, name, run)[0] for run in runs], ["released"] * 2, "states of the runs")


@suite.check
@ends_all
def who_fetches_again_after_a_release_is_a_holder_again(vault):
    name = fresh(vault)
    worker = Process(vault, ETL)
    first = worker.fetch(name)["run"]
    worker.release(first)
    second = worker.fetch(name)["run"]
    equal(the_holder(vault, name)["run"], second, "run")
    worker.release(first)
    equal(the_holder(vault, name)["run"], second, "run after the first one was released again")
    worker.release(second)
    equal(holders(vault, name), [], "holders")


@suite.check
@ends_all
def who_fetches_anew_and_releases_the_old_run_holds_the_new_version_alone(vault):
    name = fresh(vault)
    worker = Process(vault, ETL)
    old = worker.fetch(name)["run"]
    vault.put(name, "API_TOKEN", canary())
    new = worker.fetch(name)["run"]
    equal([holder["version"] for holder in holders(vault, name)], [1, 2], "versions before the release")
    worker.release(old)
    equal(the_holder(vault, name)["run"], new, "run")
    equal(revoke(vault, name, 1)["state"], "revoked", "state of the old version")


@suite.check
@ends_all
def a_release_counts_from_any_connection_of_the_process(vault):
    name = fresh(vault)
    worker = Process(vault, ETL)
    run = worker.fetch(name, "first")["run"]
    worker.order("disconnect", "first")
    worker.release(run, "second")
    equal(holders(vault, name), [], "holders")


@suite.check
@ends_all
def a_release_with_a_request_id_is_done_once(vault):
    name = fresh(vault)
    worker, other = Process(vault, ETL), Process(vault, ETL)
    first, foreign = worker.fetch(name)["run"], other.fetch(name)["run"]
    once = {"run": first, "request_id": "0" * 31 + "1"}
    equal(worker.call("holder.release", once), {"run": first}, "result")
    second = worker.fetch(name)["run"]
    equal(worker.call("holder.release", once), {"run": first}, "result of the same request again")
    worker.must_refuse("holder.release", {**once, "run": second}, "conflict")
    other.must_refuse("holder.release", once, "denied")  # the same user, another process
    equal(sorted(h["run"] for h in holders(vault, name)), sorted([second, foreign]), "runs that are held")


@suite.check
@ends_all
def releases_of_the_same_versions_in_one_turn_are_one_end(vault):
    name = fresh(vault)
    for count in (2, 3, 5):
        worker = Process(vault, ETL)
        runs = [worker.fetch(name, f"c{number}")["run"] for number in range(count)]
        with standing_still(vault):
            for number, run in enumerate(runs):
                worker.send("holder.release", {"run": run}, f"c{number}")
        for number, run in enumerate(runs):
            equal(worker.read(f"c{number}")["result"], {"run": run}, "result")
        equal(holders(vault, name), [], "holders")
        states = [the_end(vault, name, run)[0] for run in runs]
        equal(states, ["released"] * count, "states of the runs")
        worker.must_refuse("env.fetch", {"integration": "no/such"}, "denied")  # it is still served


@suite.check
@ends_all
def a_release_and_a_report_in_one_turn_are_both_done(vault):
    name = fresh(vault)
    for first, second in itertools.permutations(("holder.release", "run.end")):
        worker = Process(vault, ETL)
        run = worker.fetch(name)["run"]
        worker.call("whoami", {}, "other")
        params = {"holder.release": {"run": run}, "run.end": {"run": run, "exit_status": 3}}
        with standing_still(vault):
            worker.send(first, params[first])
            worker.send(second, params[second], "other")
        equal(worker.read()["result"], {"run": run}, f"result of {first}")
        equal(worker.read("other")["result"], {"run": run}, f"result of {second}")
        equal(holders(vault, name), [], "holders")
        found = the_run(vault, name, run)
        equal((found["state"], found["exit_status"]), ("released", 3), "state, exit status")


# ---- a descriptor in other hands ----


@contextlib.contextmanager
def lent(worker, connection="main"):
    """The worker's connection in this process's hands."""
    _, descriptors = worker.order_with_descriptors("lend", connection)
    with socket.socket(fileno=descriptors[0]) as heir:
        heir.settimeout(30)
        yield heir


def ask_on(heir, method, params):
    """The reply, or None when the connection is closed without one."""
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    data = b""
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        heir.sendall(json.dumps(message).encode() + b"\n")
        while not data.endswith(b"\n"):
            more = heir.recv(65536)
            if not more:
                break
            data += more
    return json.loads(data) if data else None


@suite.check
@ends_all
def nothing_is_delivered_for_a_process_that_has_ended_and_no_holder_appears(vault):
    name = fresh(vault)
    worker = Process(vault, ETL)
    worker.call("whoami", {})
    with lent(worker) as heir:
        worker.kill()
        reply = ask_on(heir, "env.fetch", {"integration": name})
    assert reply is None or reply.get("error", {}).get("data", {}).get("error") == "denied", reply
    equal(holders(vault, name), [], "holders")
    equal(runs(vault, name), [], "runs")


@suite.check
@ends_all
def a_process_that_ends_behind_its_request_gets_nothing_and_is_no_holder(vault):
    name = fresh(vault)
    worker = Process(vault, ETL)
    worker.call("whoami", {})
    with lent(worker) as heir:
        with standing_still(vault):
            worker.send("env.fetch", {"integration": name})
            worker.kill()
        data = b""
        with contextlib.suppress(ConnectionResetError):
            data = heir.recv(65536)
    assert b'"result"' not in data, "a value went to the heir of a dead process"
    equal(holders(vault, name), [], "holders")


@suite.check
@ends_all
def who_uses_another_process_s_connection_is_that_process_to_the_vault(vault):
    """The values are the connector's: it is the holder, and the other one gains no identity by them."""
    name = fresh(vault)
    worker = Process(vault, ETL)
    worker.call("whoami", {})
    with lent(worker) as heir:
        equal(ask_on(heir, "whoami", {})["result"]["pid"], worker.pid, "pid")
        run = ask_on(heir, "env.fetch", {"integration": name})["result"]["run"]
    equal(pids(vault, name), [worker.pid], "holders")
    with vault.client(ETL) as client:  # this process, as the same user
        client.must_refuse("holder.release", {"run": run}, "denied")
    worker.release(run, "another")
    equal(holders(vault, name), [], "holders after its own release")


@suite.check
@ends_all
def a_connection_that_was_inherited_stays_the_parent_s(vault):
    name = fresh(vault)
    worker = Process(vault, ETL)
    worker.call("whoami", {})
    child = worker.fork(keeps_connections=True)
    equal(child.call("whoami", {})["pid"], worker.pid, "pid on the inherited connection")
    equal(child.call("whoami", {}, "own")["pid"], child.pid, "pid on its own connection")
    run = child.fetch(name)["run"]
    equal(pids(vault, name), [worker.pid], "holders")
    child.must_refuse("holder.release", {"run": run}, "denied", "own")
    worker.kill()
    reply = child.ask_line("env.fetch", {"integration": name})
    assert reply is None or '"denied"' in reply, f"told on a dead process's connection: {reply[:100]}"
    equal(holders(vault, name), [], "holders after the parent has ended")


# ---- limits ----


@suite.check
@ends_all
def one_user_gets_a_quarter_of_the_places_and_the_others_are_served(_):
    vault = suite.vault(limits={**LIMITS, "holders": 64}).start()
    users = [ETL, CRM, 2111, 2112, 2113]
    make(vault, NAME, *users)
    workers = {uid: [Process(vault, uid) for _ in range(16)] for uid in users[:4]}
    for worker in workers[ETL]:
        worker.fetch(NAME)
    late = Process(vault, ETL)
    error = late.must_refuse("env.fetch", {"integration": NAME}, "busy")
    assert error["data"]["retry"] and "holders" in error["message"], error
    equal(len(pids(vault, NAME)), 16, "holders of one user")
    for uid in users[1:4]:
        for worker in workers[uid]:
            worker.fetch(NAME)
    equal(vault.call("status")["counts"]["holders"], 64, "holders in all")
    Process(vault, users[4]).must_refuse("env.fetch", {"integration": NAME}, "busy")
    workers[ETL][0].fetch(NAME)  # a holder has its place already
    workers[ETL][0].kill()
    late.fetch(NAME)
    late.release(late.fetch(NAME)["run"])  # the same versions once more take no place
    equal(late.pid in pids(vault, NAME), True, "the late one is a holder")
    vault.close()


@suite.check
@ends_all
def what_a_process_that_asks_for_ever_other_keys_makes_the_daemon_remember_is_bounded(_):
    vault = suite.vault(limits={**LIMITS, "holders": 64}).start()
    keys = [f"KEY_{number}" for number in range(128)]
    make(vault, NAME, ETL, CRM, keys=keys)
    sets = [keys[:number] + keys[number + 1 :] for number in range(128)]
    most = 64 // 4 + 1  # the last one may begin with a little room; each is a little smaller than the largest
    worker = Process(vault, ETL)
    given = [worker.fetch(NAME, only=only)["run"] for only in sets[:most]]
    worker.must_refuse("env.fetch", {"integration": NAME, "only": sets[most]}, "busy")
    worker.fetch(NAME, only=sets[0])
    Process(vault, CRM).fetch(NAME)
    worker.release(given[1])
    worker.fetch(NAME, only=sets[most])
    worker.must_refuse("env.fetch", {"integration": NAME, "only": sets[1]}, "busy")
    worker.kill()
    worker = Process(vault, ETL)
    for number in range(3 * most):
        worker.fetch(NAME, only=keys[number : number + 2])  # small sets: many more of them
    vault.close()


if __name__ == "__main__":
    suite.run()
