#!/usr/bin/python3
"""Watchers hear of each change of their integration, and of nothing else; slow ones cost little; a lost right ends it (P2, P8)."""
import contextlib
import datetime
import json
import random
import socket
import time

from coffer_test import (
    ADMIN,
    AUDITOR,
    CRM,
    ETL,
    OPERATOR,
    PROOF_SECONDS,
    STRANGER,
    Suite,
    canary,
    equal,
    wait_until,
)
from holding import LIMITS, fresh
from processes import Process, ends_all
from surroundings import standing_still

CHANGES = 1000  # more than a socket and the daemon keep for one reader

suite = Suite(limits=LIMITS)


def watched(vault, *uids, **more):
    """An integration that no other check knows, with two versions: 1 is draining."""
    name = fresh(vault, *uids, **more)
    vault.put(name, "API_TOKEN", canary())
    return name


@contextlib.contextmanager
def watching(vault, name, uid=ETL, **more):
    with vault.client(uid, **more) as client:
        client.call("env.watch", {"integration": name})
        yield client


def next_event(client):
    line = client.read_line()
    assert line is not None, "the connection was closed instead of an event"
    event = json.loads(line)
    assert "id" not in event and event["jsonrpc"] == "2.0", event
    return event["method"], event["params"]


def must_hear(client, name, *changes):
    """The next event, and it is this one."""
    expected = [dict(zip(("key", "version", "state"), change)) for change in changes]
    equal(next_event(client), ("env.changed", {"integration": name, "changes": expected}), "event")


def must_be_ended(client, name):
    equal(next_event(client), ("watch.ended", {"integration": name}), "event")
    client.must_be_closed()


def must_hear_nothing_so_far(client, vault, name):
    """The next thing that it hears is what happens now."""
    version = vault.put(name, "MARK", canary())["version"]
    must_hear(client, name, ("MARK", version, "current"))


def secret(vault, method, name, **params):
    return vault.call(f"secret.{method}", {"integration": name, "key": "API_TOKEN", **params}, OPERATOR)


def in_seconds(seconds):
    time_then = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return time_then.strftime("%Y-%m-%dT%H:%M:%SZ")


def connections(vault):
    return vault.call("status")["counts"]["connections"]


# ---- refusals first ----


@suite.check
def strangers_and_roles_may_not_watch_and_absent_reads_like_forbidden(vault):
    name = watched(vault)
    for uid in (STRANGER, CRM, OPERATOR, AUDITOR, ADMIN):
        lines = []
        for wanted in (name, "watches/absent"):
            with vault.client(uid) as client:
                lines.append(client.ask_line(client.request("env.watch", {"integration": wanted})))
        equal(lines[0], lines[1], f"the answers to uid {uid}")
        assert b'"denied"' in lines[0], lines[0]


@suite.check
def a_tester_may_not_watch(vault):
    name = watched(vault)
    rule = {"integration": name, "rule": {"user": str(STRANGER)}, "staged_only": True}
    vault.call("grant.add", rule)
    with vault.client(STRANGER) as client:
        client.must_refuse("env.watch", {"integration": name}, "denied")


@suite.check
def an_expired_integration_is_not_watched(vault):
    name = watched(vault, expires_at=in_seconds(-60))
    with vault.client(ETL) as client:
        client.must_refuse("env.watch", {"integration": name}, "expired")


@suite.check
def a_connection_watches_once(vault):
    name, other = watched(vault), watched(vault)
    with vault.client(ETL) as client:
        client.must_refuse("env.watch", {"integration": "watches/absent"}, "denied")
        client.must_refuse("env.watch", {}, "conflict")  # several are granted
        client.call("env.watch", {"integration": name})
        for wanted in (name, other):
            client.must_refuse("env.watch", {"integration": wanted}, "conflict")
        must_hear_nothing_so_far(client, vault, name)


@suite.check
def a_user_that_watches_too_much_is_told_busy_and_nobody_else_is(_):
    vault = suite.vault(limits={**LIMITS, "connections": 64, "connections_reserved": 8}).start()
    name = watched(vault, ETL, CRM)
    watchers = [vault.client(ETL) for _ in range(4)]
    for client in watchers:
        client.call("env.watch", {"integration": name})
    with vault.client(ETL) as late:
        error = late.must_refuse("env.watch", {"integration": name}, "busy")
        assert error["data"]["retry"], error
        late.call("env.fetch", {"integration": name})
        with watching(vault, name, CRM):
            pass
        watchers.pop().close()
        wait_until(lambda: "result" in late.ask("env.watch", {"integration": name}), "there is room again")
    for client in watchers:
        client.close()
    vault.close()


# ---- what is heard ----


@suite.check
def the_answer_tells_the_current_versions_and_no_value(vault):
    name = watched(vault)
    value = canary()
    vault.put(name, "OTHER", value)
    with vault.client(ETL) as client:
        line = client.ask_line(client.request("env.watch", {"integration": name}))
    expected = [{"key": "API_TOKEN", "version": 2}, {"key": "OTHER", "version": 1}]
    equal(json.loads(line)["result"], {"integration": name, "env": expected}, "result")
    assert value.encode() not in line, "a value"


@suite.check
def a_caller_with_one_grant_need_not_name_it(vault):
    name = watched(vault, 2151)
    with vault.client(2151) as client:
        equal(client.call("env.watch", {})["integration"], name, "integration")


@suite.check
def put_promote_rollback_and_a_forced_revoke_of_the_current_version_are_heard(vault):
    name = watched(vault)
    with watching(vault, name) as client:
        vault.put(name, "API_TOKEN", canary())
        must_hear(client, name, ("API_TOKEN", 3, "current"))
        vault.put(name, "API_TOKEN", canary(), stage=True)
        secret(vault, "promote", name, untested=True)
        must_hear(client, name, ("API_TOKEN", 4, "current"))
        secret(vault, "rollback", name, version=2)
        must_hear(client, name, ("API_TOKEN", 2, "current"))
        secret(vault, "revoke", name, version=2, force=True)
        must_hear(client, name, ("API_TOKEN", 2, "revoked"))
        must_hear_nothing_so_far(client, vault, name)


@suite.check
def a_staged_version_a_revoke_of_another_one_and_what_is_refused_are_not_heard(vault):
    name = watched(vault)
    with watching(vault, name) as client, vault.client(OPERATOR) as operator:
        vault.put(name, "API_TOKEN", canary(), stage=True)
        secret(vault, "revoke", name, version=1)
        secret(vault, "revoke", name, version=3)
        params = {"integration": name, "key": "API_TOKEN"}
        operator.must_refuse("secret.put", {**params, "value": "v", "expect_version": 9}, "conflict")
        operator.must_refuse("secret.promote", params, "not_found")
        operator.must_refuse("secret.revoke", {**params, "version": 2}, "in_use")
        operator.must_refuse("secret.rollback", params, "not_found")
        vault.call("integration.edit", {"name": name, "title": "Another title"})
        vault.grant(name, user=CRM)
        must_hear_nothing_so_far(client, vault, name)


@suite.check
def only_watchers_of_the_integration_hear_of_it(vault):
    name, other = watched(vault), watched(vault, ETL, CRM)
    with watching(vault, name) as first, watching(vault, name) as second, watching(vault, other) as stranger:
        with watching(vault, other, CRM) as another:
            vault.put(name, "API_TOKEN", canary())
            for client in (first, second):
                must_hear(client, name, ("API_TOKEN", 3, "current"))
            must_hear_nothing_so_far(stranger, vault, other)
            must_hear(another, other, ("MARK", 1, "current"))


@suite.check
def changes_of_one_turn_are_one_event(vault):
    name = watched(vault)
    with watching(vault, name) as client, vault.client(OPERATOR) as one, vault.client(OPERATOR) as two:
        for operator in (one, two):
            operator.call("whoami")
        with standing_still(vault):
            for operator, key in ((one, "A"), (two, "B")):
                params = {"integration": name, "key": key, "value": canary()}
                operator.send(operator.request("secret.put", params))
        method, params = next_event(client)
        equal(method, "env.changed", "event")
        found = sorted((change["key"], change["version"]) for change in params["changes"])
        equal(found, [("A", 1), ("B", 1)], "changes")
        must_hear_nothing_so_far(client, vault, name)


@suite.check
def who_watches_and_changes_gets_its_reply_before_the_event(vault):
    name = watched(vault, OPERATOR)
    with watching(vault, name, OPERATOR) as client:
        for version in (3, 4):
            params = {"integration": name, "key": "API_TOKEN", "value": canary()}
            equal(client.call("secret.put", params)["version"], version, "version in the reply")
            must_hear(client, name, ("API_TOKEN", version, "current"))


@suite.check
def a_watcher_may_still_make_requests(vault):
    name = watched(vault)
    with watching(vault, name) as client:
        client.call("env.fetch", {"integration": name})
        vault.put(name, "API_TOKEN", canary())
        must_hear(client, name, ("API_TOKEN", 3, "current"))
        equal(client.call("env.fetch", {"integration": name})["env"][0]["version"], 3, "version")
        client.send(b"".join(client.request("whoami") for _ in range(50)))
        vault.put(name, "API_TOKEN", canary())
        lines = [json.loads(client.read_line()) for _ in range(51)]
        equal(sum("method" in line for line in lines), 1, "events among the replies")
        ids = [line["id"] for line in lines if "id" in line]
        equal(ids, sorted(ids), "order of the replies")


@suite.check
def whoever_begins_in_the_turn_of_a_change_misses_nothing(vault):
    name = watched(vault)
    with vault.client(OPERATOR) as operator:
        operator.call("whoami")
        for version in range(3, 23):
            with vault.client(ETL) as client:
                client.call("whoami")
                put = operator.request(
                    "secret.put", {"integration": name, "key": "API_TOKEN", "value": canary()}
                )
                watch = client.request("env.watch", {"integration": name})
                sends = [lambda line=put: operator.send(line), lambda line=watch: client.send(line)]
                random.shuffle(sends)
                with standing_still(vault):
                    for send in sends:
                        send()
                assert b'"result"' in operator.read_line()
                told = json.loads(client.read_line())["result"]["env"][0]["version"]
                if told < version:
                    must_hear(client, name, ("API_TOKEN", version, "current"))


@suite.check
def what_was_heard_is_durable(_):
    vault = suite.vault(limits=LIMITS).start()
    name = watched(vault)
    for version in range(3, 13):
        with watching(vault, name) as client, vault.client(OPERATOR) as operator:
            params = {"integration": name, "key": "API_TOKEN", "value": canary()}
            operator.send(operator.request("secret.put", params))
            must_hear(client, name, ("API_TOKEN", version, "current"))
            vault.kill()
        vault.start()
        versions = secret(vault, "show", name)["versions"]
        equal((versions[0]["version"], versions[0]["state"]), (version, "current"), "newest version")
    vault.close()


# ---- the end of a right ----


@suite.check
def the_end_of_the_grant_ends_the_watch_and_the_connection(vault):
    name = watched(vault, CRM)
    grant = vault.grant(name, user=ETL)["grant"]["id"]
    with watching(vault, name) as client, watching(vault, name, CRM) as other:
        vault.call("grant.remove", {"integration": name, "id": grant})
        must_be_ended(client, name)
        must_hear_nothing_so_far(other, vault, name)


@suite.check
def a_watcher_with_another_grant_hears_on(vault):
    name = watched(vault)
    grant = vault.grant(name, group=2200)["grant"]["id"]
    with vault.client(ETL, groups=[2200]) as both, vault.client(CRM, groups=[2200]) as group_alone:
        for client in (both, group_alone):
            client.call("env.watch", {"integration": name})
        vault.call("grant.remove", {"integration": name, "id": grant})
        must_be_ended(group_alone, name)
        must_hear_nothing_so_far(both, vault, name)


@suite.check
def a_change_behind_the_end_of_the_grant_is_not_told(vault):
    """Both in one turn, in either order: the right is asked anew before the event."""
    for _ in range(10):
        name = watched(vault, CRM)
        grant = vault.grant(name, user=ETL)["grant"]["id"]
        with watching(vault, name) as client, vault.client() as admin, vault.client(OPERATOR) as operator:
            for other in (admin, operator):
                other.call("whoami")
            put = {"integration": name, "key": "API_TOKEN", "value": canary()}
            sends = [
                lambda: admin.send(admin.request("grant.remove", {"integration": name, "id": grant})),
                lambda: operator.send(operator.request("secret.put", put)),
            ]
            random.shuffle(sends)
            with standing_still(vault):
                for send in sends:
                    send()
            must_be_ended(client, name)


@suite.check
def the_end_of_the_integration_ends_the_watch(vault):
    name, brief = watched(vault), watched(vault)
    with watching(vault, name) as client, watching(vault, brief) as other, vault.client(ETL) as fetcher:
        vault.call("integration.edit", {"name": name, "expires_at": in_seconds(-60)})
        must_be_ended(client, name)
        vault.call("integration.edit", {"name": brief, "expires_at": in_seconds(2)})
        wait_until(
            lambda: "error" in fetcher.ask("env.fetch", {"integration": brief}), "it has expired by itself"
        )
        vault.call("integration.edit", {"name": brief, "title": "Another title"})
        must_be_ended(other, brief)


@suite.check
@ends_all
def nothing_is_told_on_the_connection_of_a_process_that_has_ended(vault):
    name = watched(vault)
    worker = Process(vault, ETL)
    worker.call("env.watch", {"integration": name})
    _, descriptors = worker.order_with_descriptors("lend", "main")
    with socket.socket(fileno=descriptors[0]) as heir:
        heir.settimeout(30)
        worker.kill()
        vault.put(name, "API_TOKEN", canary())
        data = b""
        while more := heir.recv(65536):
            data += more
    equal([json.loads(line)["method"] for line in data.splitlines()], ["watch.ended"], "events")


# ---- slow readers ----


def change_often(vault, name, count=CHANGES, quick=None):
    """Versions 1 and 2 take turns, and the quick reader hears of each."""
    with vault.client(OPERATOR) as operator:
        for number in range(count):
            params = {"integration": name, "key": "API_TOKEN", "version": 1 + number % 2}
            operator.call("secret.rollback", params)
            if quick:
                must_hear(quick, name, ("API_TOKEN", params["version"], "current"))


def events_up_to_a_mark(client, vault, name):
    version = vault.put(name, "MARK", canary())["version"]
    events = []
    while not events or events[-1][1].get("changes", [{}])[-1].get("key") != "MARK":
        events.append(next_event(client))
    equal(events[-1][1]["changes"][-1]["version"], version, "version of the mark")
    return events


@suite.check
def a_reader_that_stands_still_is_told_once_that_it_has_missed_something(vault):
    name = watched(vault)
    with watching(vault, name, buffer_bytes=4096) as client:
        change_often(vault, name, 10)
        rss = vault.rss_kib()
        change_often(vault, name)
        growth = vault.rss_kib() - rss
        client.received, before = b"", []
        while not before or before[-1][0] == "env.changed":
            before.append(next_event(client))
        equal(before[-1], ("watch.overflow", {"integration": name}), "event after what it was told")
        told = sum(len(params["changes"]) for _, params in before[:-1])
        assert 0 < told < CHANGES, f"{told} changes were told"
        after = events_up_to_a_mark(client, vault, name)
        equal([method for method, _ in after], ["env.changed"], "events after the overflow")
    assert growth < (16384 if vault.is_sanitized() else 1024), f"the daemon grew by {growth} KiB"


@suite.check
def readers_that_stand_still_keep_nobody_waiting(vault):
    name = watched(vault, ETL, CRM)
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(watching(vault, name, buffer_bytes=4096))
        quick = stack.enter_context(watching(vault, name, CRM))
        change_often(vault, name, quick=quick)
        started = time.monotonic()
        vault.fetch(name)
        assert time.monotonic() - started < PROOF_SECONDS, "a fetch waited"


@suite.check
def a_reader_that_stands_still_is_closed_when_its_right_ends(_):
    vault = suite.vault(limits={**LIMITS, "drain_ms": 500}).start()
    for is_stuck in (False, True):
        name = watched(vault, CRM)
        grant = vault.grant(name, user=ETL)["grant"]["id"]
        with watching(vault, name, buffer_bytes=4096) as client:
            change_often(vault, name, CHANGES if is_stuck else 1)
            equal(connections(vault), 2, "connections before")
            vault.call("grant.remove", {"integration": name, "id": grant})
            wait_until(lambda: connections(vault) == 1, "its connection is closed", 10)
            client.close()
    vault.close()


# ---- deadlines ----


@suite.check
def a_watcher_is_not_idle(_):
    vault = suite.vault(limits={**LIMITS, "idle_ms": 1000, "line_ms": 500}).start()
    name = watched(vault)
    with watching(vault, name) as client, watching(vault, name) as half:
        for _ in range(3):  # what others may wait is the clock
            with vault.client(ETL) as other:
                other.call("whoami")
                other.must_be_closed()
        must_hear_nothing_so_far(client, vault, name)
        must_hear(half, name, ("MARK", 1, "current"))
        half.send(b'{"jsonrpc"')  # a line must end in time all the same
        half.must_be_closed()
        client.must_be_open()
    vault.close()


@suite.check
def watchers_do_not_keep_the_daemon_from_ending(_):
    vault = suite.vault(limits={**LIMITS, "shutdown_ms": 500}).start()
    name = watched(vault)
    with watching(vault, name) as quick, watching(vault, name, buffer_bytes=4096) as slow:
        change_often(vault, name, quick=quick)
        vault.close()
        quick.must_be_closed()
        assert slow.is_closed_within(30), "the slow one's connection is open"


if __name__ == "__main__":
    suite.run()
