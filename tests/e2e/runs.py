#!/usr/bin/python3
"""Runs and alerts: how each start of an integration ended, as far as anybody can tell, and what somebody must act on."""
import contextlib
import datetime
import os
import sqlite3

from coffer_test import (
    AUDITOR,
    CRM,
    ETL,
    OPERATOR,
    STRANGER,
    Skip,
    Suite,
    canary,
    equal,
    wait_until,
)
from holding import ABSENT_RUN, LIMITS, fresh, pids, revoke, runs, the_end
from processes import Process, ends_all
from surroundings import (
    copy_of_store,
    descriptors_at_rest,
    kernel_that_does_not_tell_statuses,
    standing_still,
)

DIGEST = "0" * 64  # of a test command; the integrations here name none
STATUS_WAIT_SECONDS = 10  # how long the daemon waits for a parent to wait

suite = Suite(limits=LIMITS)


def must_be_told_by_the_kernel():
    version = tuple(int(part) for part in os.uname().release.split(".")[:2])
    if version < (6, 15):
        raise Skip(f"Linux {os.uname().release} does not tell how a process ended; it would have to be 6.15")


def end(client, run, status):
    return client.call("run.end", {"run": run, "exit_status": status})


# Of the made-up users of these tests nobody knows anything, and what they put has no description.
OTHER_KINDS = ("maker_gone", "owner_gone", "no_description", "store_space", "memory_unlocked")


def alerts(vault, name, kind=None):
    found = vault.call("alert.list")["alerts"]
    return [
        alert
        for alert in found
        if alert["integration"] == name and alert["kind"] not in OTHER_KINDS and kind in (None, alert["kind"])
    ]


def run_that_ends(vault, name, status, uid=ETL):
    worker = Process(vault, uid)
    run = worker.fetch(name)["run"]
    worker.exit(status)
    return run


def in_days(days):
    time = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


# ---- refusals first ----


@suite.check
def runs_and_alerts_are_listed_for_roles_alone(vault):
    name = fresh(vault)
    for uid in (STRANGER, ETL):
        with vault.client(uid) as client:
            client.must_refuse("run.list", {"integration": name}, "denied")
            client.must_refuse("run.list", {"integration": "no/such"}, "denied")
            client.must_refuse("alert.list", {}, "denied")
    with vault.client(AUDITOR) as client:
        client.must_refuse("run.list", {"integration": "no/such"}, "not_found")
        equal(client.call("run.list", {"integration": name})["runs"], [], "runs")


@suite.check
@ends_all
def the_end_of_a_foreign_and_of_an_absent_run_are_denied_with_the_same_bytes(vault):
    name = fresh(vault)
    vault.grant(name, user=CRM)
    worker, other = Process(vault, ETL), Process(vault, CRM)
    run = worker.fetch(name)["run"]
    foreign, absent = (
        other.ask_line("run.end", {"run": word, "exit_status": 0}, id=1) for word in (run, ABSENT_RUN)
    )
    equal(foreign, absent, "the answers")
    assert '"denied"' in absent, absent
    for uid in (STRANGER, OPERATOR):
        with vault.client(uid) as client:
            client.must_refuse("run.end", {"run": run, "exit_status": 0}, "denied")
    equal(the_end(vault, name, run), ("running", None, None), "the run")


@suite.check
@ends_all
def a_status_beyond_255_is_refused(vault):
    name = fresh(vault)
    worker = Process(vault, ETL)
    run = worker.fetch(name)["run"]
    worker.must_refuse("run.end", {"run": run, "exit_status": 256}, "bad_value")
    worker.must_refuse("run.end", {"run": run, "exit_status": -1}, "bad_value")
    worker.must_refuse("run.end", {"run": run}, "bad_request")


@suite.check
@ends_all
def another_status_than_the_known_one_is_a_conflict(vault):
    name = fresh(vault)
    worker = Process(vault, ETL)
    run = worker.fetch(name)["run"]
    with vault.client(ETL) as supervisor:
        end(supervisor, run, 4)
        equal(end(supervisor, run, 4), {"run": run}, "result of the same report again")
        supervisor.must_refuse("run.end", {"run": run, "exit_status": 5}, "conflict")
    equal(the_end(vault, name, run), ("running", 4, None), "the run")


# ---- what the kernel says ----


@suite.check
@ends_all
def a_run_ends_with_its_exit_status(vault):
    must_be_told_by_the_kernel()
    name = fresh(vault)
    for status in (0, 1, 7, 255):
        run = run_that_ends(vault, name, status)
        wait_until(lambda: the_end(vault, name, run)[1] is not None, "the status is known")
        equal(the_end(vault, name, run), ("ended", status, None), "the run")
        with vault.client(ETL) as supervisor:
            end(supervisor, run, status)
            supervisor.must_refuse("run.end", {"run": run, "exit_status": status ^ 1}, "conflict")


@suite.check
@ends_all
def a_run_that_a_signal_ended_says_so(vault):
    must_be_told_by_the_kernel()
    name = fresh(vault)
    for number in (9, 15):
        worker = Process(vault, ETL)
        run = worker.fetch(name)["run"]
        worker.kill(number)
        wait_until(lambda: the_end(vault, name, run)[2] is not None, "the signal is known")
        equal(the_end(vault, name, run), ("ended", None, number), "the run")
        with vault.client(ETL) as supervisor:
            end(supervisor, run, 128 + number)  # as a shell counts
            supervisor.must_refuse("run.end", {"run": run, "exit_status": number}, "conflict")


@suite.check
@ends_all
def the_status_is_told_when_the_parent_has_waited(vault):
    must_be_told_by_the_kernel()
    name = fresh(vault)
    worker = Process(vault, ETL)
    run = worker.fetch(name)["run"]
    with contextlib.suppress(EOFError, ConnectionResetError):
        worker.order("exit", 3)
    worker.await_end()
    equal(the_end(vault, name, run), ("ended", None, None), "the run while nobody has waited")
    worker.reap()
    wait_until(lambda: the_end(vault, name, run) == ("ended", 3, None), "the status is known")


@suite.check
@ends_all
def a_parent_that_never_waits_costs_a_descriptor_for_a_while_and_no_more(vault):
    must_be_told_by_the_kernel()
    name = fresh(vault)
    before = descriptors_at_rest(vault)
    worker = Process(vault, ETL)
    run = worker.fetch(name)["run"]
    worker.order("disconnect", "main")
    with contextlib.suppress(EOFError, ConnectionResetError):
        worker.order("exit", 3)
    worker.await_end()
    equal(the_end(vault, name, run), ("ended", None, None), "the run")
    equal(descriptors_at_rest(vault) - before, 1, "descriptors while the parent may still wait")
    wait_until(
        lambda: descriptors_at_rest(vault) == before,
        f"{before} descriptors are open",
        STATUS_WAIT_SECONDS + 20,
    )
    with vault.client(ETL) as supervisor:
        end(supervisor, run, 3)
    worker.reap()
    equal(the_end(vault, name, run), ("ended", 3, None), "the run")


@suite.check
@ends_all
def the_kernel_s_word_counts_more_than_a_report(vault):
    must_be_told_by_the_kernel()
    name = fresh(vault)
    worker = Process(vault, ETL)
    run = worker.fetch(name)["run"]
    with vault.client(ETL) as supervisor:
        end(supervisor, run, 0)
    worker.exit(9)
    wait_until(lambda: the_end(vault, name, run) == ("ended", 9, None), "the true status")


# ---- what it does not say ----


@suite.check
@ends_all
def where_the_kernel_does_not_tell_a_supervisor_s_report_counts(_):
    vault = suite.vault(limits=LIMITS).start(preexec_fn=kernel_that_does_not_tell_statuses())
    name = fresh(vault)
    unreported = run_that_ends(vault, name, 3)
    equal(the_end(vault, name, unreported), ("ended", None, None), "a run that nobody reported")
    equal(alerts(vault, name, "run_failed"), [], "alerts about it")
    run, early = run_that_ends(vault, name, 3), Process(vault, ETL)
    early_run = early.fetch(name)["run"]
    with vault.client(ETL) as supervisor:
        end(supervisor, run, 3)
        supervisor.must_refuse("run.end", {"run": run, "exit_status": 4}, "conflict")
        end(supervisor, early_run, 5)
    equal(the_end(vault, name, run), ("ended", 3, None), "a run that was reported")
    equal([alert["kind"] for alert in alerts(vault, name)], ["run_failed"], "alerts")
    equal(the_end(vault, name, early_run), ("running", 5, None), "one that was reported too early")
    equal(pids(vault, name), [early.pid], "holders: a report ends none")
    early.kill()
    equal(the_end(vault, name, early_run), ("ended", 5, None), "that one after its end")
    vault.close()


@suite.check
@ends_all
def a_report_in_the_turn_of_the_end_is_not_lost(_):
    vault = suite.vault(limits=LIMITS).start(preexec_fn=kernel_that_does_not_tell_statuses())
    name = fresh(vault)
    for _ in range(5):
        worker = Process(vault, ETL)
        run = worker.fetch(name)["run"]
        with vault.client(ETL) as supervisor:
            supervisor.call("whoami")
            with standing_still(vault):
                worker.kill()
                supervisor.send(supervisor.request("run.end", {"run": run, "exit_status": 3}))
            assert b'"result"' in supervisor.read_line()
        equal(the_end(vault, name, run), ("ended", 3, None), "the run")
    vault.kill()
    with contextlib.closing(sqlite3.connect(copy_of_store(vault))) as store:
        rows = store.execute("SELECT DISTINCT state, end_status FROM run").fetchall()
    equal(rows, [(4, 3 << 8)], "state and status of the rows")
    vault.start()
    vault.close()


# ---- run.list ----


@suite.check
@ends_all
def runs_are_listed_newest_first_with_their_versions(vault):
    name = fresh(vault)
    worker = Process(vault, ETL)
    first = worker.fetch(name)["run"]
    vault.put(name, "API_TOKEN", canary(), stage=True)
    staged = Process(vault, ETL)
    second = staged.fetch(name, staged=True)["run"]
    listed = runs(vault, name)
    equal([entry["run"] for entry in listed], [second, first], "runs")
    equal([entry["staged"] for entry in listed], [True, False], "staged")
    equal([entry["pid"] for entry in listed], [staged.pid, worker.pid], "pids")
    equal(
        [entry["versions"] for entry in listed],
        [[{"key": "API_TOKEN", "version": 2}], [{"key": "API_TOKEN", "version": 1}]],
        "versions",
    )
    for entry in listed:
        equal((entry["uid"], entry["user"], entry["unit"]), (ETL, str(ETL), None), "uid, user, unit")
        equal((entry["state"], entry["ended_at"]), ("running", None), "state, end")
    equal([entry["run"] for entry in runs(vault, name, limit=1)], [second], "the newest one")
    equal(len(runs(vault, name, days=1)), 2, "runs of today")
    worker.kill()
    ended = runs(vault, name)[1]
    assert ended["state"] == "ended" and ended["ended_at"] >= ended["at"], ended


@suite.check
@ends_all
def the_same_versions_once_more_are_told_as_again(vault):
    name = fresh(vault)
    worker = Process(vault, ETL)
    first, second = worker.fetch(name)["run"], worker.fetch(name)["run"]
    equal(the_end(vault, name, first)[0], "running", "state of the first run")
    equal(the_end(vault, name, second)[0], "again", "state of the second run")
    worker.release(second)
    equal(the_end(vault, name, second)[0], "released", "state of the second run, released")
    equal(the_end(vault, name, first)[0], "running", "state of the first run then")
    worker.kill()
    equal(the_end(vault, name, first)[0], "ended", "state of the first run at last")


# ---- alerts about runs ----


@suite.check
@ends_all
def a_failed_run_is_told_until_one_ends_well(vault):
    must_be_told_by_the_kernel()
    name = fresh(vault)
    run_that_ends(vault, name, 0)
    equal(alerts(vault, name), [], "alerts after a good run")
    run_that_ends(vault, name, 3)
    (alert,) = wait_until(lambda: alerts(vault, name), "there is an alert")
    equal((alert["kind"], alert["severity"]), ("run_failed", "warning"), "kind, severity")
    assert "status 3" in alert["text"] and name in alert["advice"], alert
    worker = Process(vault, ETL)
    worker.fetch(name)
    equal(len(alerts(vault, name)), 1, "alerts while another one runs")
    worker.kill()
    wait_until(lambda: "signal 9" in alerts(vault, name)[0]["text"], "the signal is told")
    tester = Process(vault, ETL)
    vault.put(name, "API_TOKEN", canary(), stage=True)
    tester.fetch(name, staged=True)
    tester.exit(0)
    equal(len(alerts(vault, name, "run_failed")), 1, "alerts after a test that ended well")
    run_that_ends(vault, name, 0)
    wait_until(lambda: not alerts(vault, name), "the alert goes")


@suite.check
@ends_all
def a_missed_run_is_told_until_one_starts(vault):
    name, patient, idle = fresh(vault, expected_every="1s"), fresh(vault, expected_every="1h"), fresh(vault)
    (alert,) = wait_until(lambda: alerts(vault, name), "there is an alert")
    equal((alert["kind"], alert["severity"]), ("run_missed", "warning"), "kind, severity")
    assert "1s" in alert["text"], alert
    equal(alerts(vault, patient) + alerts(vault, idle), [], "alerts of the others")

    def is_told_no_more():
        run_that_ends(vault, name, 0)
        return not alerts(vault, name)  # unless a second has passed

    wait_until(is_told_no_more, "the alert goes")
    wait_until(lambda: alerts(vault, name), "it comes again")
    vault.call("integration.edit", {"name": name, "expected_every": "1h"})
    equal(alerts(vault, name), [], "alerts when less is expected")


# ---- alerts about versions ----


@suite.check
def a_version_that_expires_is_told_in_good_time(vault):
    name = fresh(vault)
    for days, severity in ((31, None), (29, "notice"), (6, "warning"), (0.5, "critical")):
        vault.put(name, f"KEY_{severity}", canary(), expires_at=in_days(days))
    found = {alert["key"]: alert for alert in alerts(vault, name)}
    equal(sorted(found), ["KEY_critical", "KEY_notice", "KEY_warning"], "keys")
    for severity in ("critical", "warning", "notice"):
        alert = found[f"KEY_{severity}"]
        equal((alert["kind"], alert["severity"]), ("secret_expires", severity), "kind, severity")
        equal(alert["version"], 1, "version")
        assert name in alert["advice"] and alert["key"] in alert["advice"], alert
    order = [alert["severity"] for alert in vault.call("alert.list")["alerts"]]
    equal(order, sorted(order, key=["critical", "warning", "notice"].index), "order by severity")


@suite.check
def an_expired_version_is_told_until_there_is_another_one(vault):
    name = fresh(vault)
    vault.put(name, "BRIEF", canary(), expires_at=in_days(2 / 86400))
    (alert,) = wait_until(lambda: alerts(vault, name, "secret_expired"), "it expires")
    equal((alert["severity"], alert["key"], alert["version"]), ("critical", "BRIEF", 1), "alert")
    equal(alerts(vault, name, "secret_expires"), [], "other alerts about it")
    with vault.client(ETL) as client:
        client.must_refuse("env.fetch", {"integration": name}, "expired")
    vault.put(name, "BRIEF", canary())
    equal(alerts(vault, name, "secret_expired"), [], "alerts when there is another version")


@suite.check
@ends_all
def a_failed_test_is_told_until_it_passes_or_nothing_is_staged(vault):
    name = fresh(vault)
    vault.put(name, "API_TOKEN", canary(), stage=True)

    def verdict(status):
        tester = Process(vault, ETL)
        run = tester.fetch(name, staged=True)["run"]
        params = {"run": run, "passed": status == 0, "exit_status": status}
        tester.call("secret.record_test", {**params, "command_digest": DIGEST, "duration_ms": 1})
        tester.exit(status)

    equal(alerts(vault, name), [], "alerts before any test")
    verdict(3)
    (alert,) = alerts(vault, name)
    equal((alert["kind"], alert["key"], alert["version"]), ("test_failed", "API_TOKEN", 2), "alert")
    verdict(0)
    equal(alerts(vault, name), [], "alerts after a pass")
    verdict(4)
    equal(len(alerts(vault, name, "test_failed")), 1, "alerts after another failure")
    revoke(vault, name, 2)
    equal(alerts(vault, name), [], "alerts when nothing is staged")


@suite.check
@ends_all
def a_drained_version_is_told_until_it_is_revoked(vault):
    name = fresh(vault)
    worker = Process(vault, ETL)
    worker.fetch(name)
    vault.put(name, "API_TOKEN", canary())
    equal(alerts(vault, name), [], "alerts while somebody holds it")
    worker.exit(0)
    (alert,) = alerts(vault, name, "drained")
    equal((alert["severity"], alert["key"], alert["version"]), ("notice", "API_TOKEN", 1), "alert")
    assert alert["advice"].endswith(f"revoke {name} API_TOKEN 1"), alert
    revoke(vault, name, 1)
    equal(alerts(vault, name), [], "alerts when it is revoked")


if __name__ == "__main__":
    suite.run()
