#!/usr/bin/python3
"""Slow clients, clients that never read, floods of connections, no descriptors left: the others are served (P8)."""
import errno
import resource
import socket
import time

from coffer_test import (
    ADMIN,
    CRM,
    ETL,
    OPERATOR,
    PROOF_SECONDS,
    STRANGER,
    Client,
    Suite,
    canary,
    equal,
    wait_until,
)

NAME, BIG = "finance/warehouse-sync", "big/set"
CONNECTIONS = 128  # in all; a uid gets an eighth
SHARE = CONNECTIONS // 8
LIMITS = {"connections": CONNECTIONS, "connections_reserved": 16, "fetches_per_minute": 1000000}

suite = Suite(limits=LIMITS)


@suite.setup
def prepare(vault):
    vault.add(NAME)
    vault.put(NAME, "API_TOKEN", canary())
    vault.grant(NAME, user=ETL)
    vault.add(BIG)
    for number in range(12):
        vault.put(BIG, f"KEY_{number}", "v" * 60000)
    vault.grant(BIG, user=CRM)


def is_served(vault, uid=ETL):
    started = time.monotonic()
    with vault.client(uid) as client:
        if uid == ETL:
            client.call("env.fetch", {"integration": NAME})
        else:
            client.call("whoami")
    took = time.monotonic() - started
    assert took < PROOF_SECONDS, f"uid {uid} waited {took:.1f} s"


def connections(vault):
    return vault.call("status")["counts"]["connections"]


def is_idle(vault):
    wait_until(lambda: connections(vault) <= 1, "everybody else has gone")


def never_readers(vault):
    """A uid's share of clients that ask for a large reply and do not read; those that get one, and those that do not."""
    clients = [vault.client(CRM, buffer_bytes=4096) for _ in range(SHARE)]
    for client in clients:
        client.send(client.request("env.fetch", {"integration": BIG}))
    starts = [client.socket.recv(4096, socket.MSG_PEEK) for client in clients]
    served = [client for client, start in zip(clients, starts) if b'"result"' in start]
    busy = [client for client, start in zip(clients, starts) if b'"busy"' in start]
    equal(len(served) + len(busy), SHARE, f"clients that were told result or busy ({starts})")
    assert served, "nobody got a reply"
    return served, busy


def flood(vault, uid, count):
    """Opens connections and speaks on each; those that were let in."""
    clients = []
    for _ in range(count):
        try:
            client = vault.client(uid)
        except OSError as error:
            assert error.errno in (errno.EAGAIN, errno.ECONNREFUSED, errno.EPIPE, errno.ECONNRESET), error
            continue
        clients.append(client)
    return [
        client
        for client in clients
        if client.send_until_refused(client.request("whoami")) and client.read_line()
    ]


def close_all(vault, clients):
    for client in clients:
        client.close()
    is_idle(vault)


@suite.check
def a_flood_of_one_uid_gets_an_eighth_and_leaves_the_others_served(vault):
    held = flood(vault, STRANGER, 3 * SHARE)
    equal(len(held), SHARE, "connections of one uid")
    for uid in (ETL, OPERATOR, ADMIN):
        is_served(vault, uid)
    close_all(vault, held)
    is_served(vault, STRANGER)


@suite.check
def when_all_but_the_reserve_is_taken_an_admin_still_gets_in(vault):
    held = [client for uid in range(3000, 3010) for client in flood(vault, uid, SHARE)]
    equal(len(held), CONNECTIONS - LIMITS["connections_reserved"], "connections let in")
    client = vault.client(ETL)
    assert (
        not client.send_until_refused(client.request("whoami")) or client.read_line() is None
    ), "an ordinary caller was let in"
    is_served(vault, ADMIN)
    close_all(vault, held)
    is_served(vault)


@suite.check
def clients_that_never_read_are_closed_at_the_drain_deadline(vault):
    served, busy = never_readers(vault)
    started = time.monotonic()
    is_served(vault)
    wait_until(lambda: connections(vault) <= len(busy) + 1, "the never-readers are closed")
    took = time.monotonic() - started
    assert 3 <= took <= 10, f"closed after {took:.1f} s"
    close_all(vault, served + busy)


@suite.check
def a_uid_that_holds_its_share_of_reply_memory_is_told_busy_and_no_one_else_is(vault):
    served, busy = never_readers(vault)
    assert busy, "a uid may take more than its quarter of the pool"
    is_served(vault)
    close_all(vault, served + busy)


@suite.check
def a_slow_reader_gets_its_whole_reply(vault):
    with vault.client(CRM, buffer_bytes=4096) as client:
        client.send(client.request("env.fetch", {"integration": BIG}))
        client.received += client.socket.recv(1000)  # begins to read before the deadline, then reads all
        is_served(vault)
        line = client.read_line()
        assert line.endswith(b"}") and len(line) > 12 * 60000, f"{len(line)} bytes"


@suite.check
def slow_writers_of_one_uid_keep_nobody_waiting(vault):
    held = [vault.client(OPERATOR) for _ in range(SHARE)]
    for client in held:
        client.must_be_open()
        client.send(b'{"jsonrpc":"2.0"')
    for _ in range(20):
        is_served(vault)
    is_idle(vault)  # the line's deadline
    close_all(vault, held)


@suite.check
def an_idle_connection_stays_for_its_time(vault):
    with vault.client(ETL) as client:
        client.must_be_open()
        time.sleep(
            3
        )  # longer than the first line may take, shorter than the idle limit: the point of the check
        client.must_be_open()


@suite.check
def a_talker_does_not_starve_the_others(vault):
    with vault.client(STRANGER) as talker:
        for _ in range(50):
            talker.send(b"".join(talker.request("whoami") for _ in range(20)))
            is_served(vault)
            for _ in range(20):
                assert talker.read_line()


@suite.check
def a_flood_of_refusals_does_not_fill_the_audit_log(vault):
    before = vault.call("status")["counts"]["audit_records"]
    with vault.client(STRANGER) as client:
        for _ in range(2000):
            client.must_refuse("env.fetch", {"integration": NAME}, "denied")
    after = vault.call("status")["counts"]["audit_records"]
    assert after - before <= 10, f"{after - before} records of 2000 refusals"


@suite.check
def fetches_beyond_the_rate_of_an_integration_are_rate_limited(vault):
    vault.add("limits/slow", rate_limit=5)
    vault.put("limits/slow", "K", "v")
    vault.grant("limits/slow", user=ETL)
    with vault.client(ETL) as client:
        for _ in range(5):
            client.call("env.fetch", {"integration": "limits/slow"})
        error = client.must_refuse("env.fetch", {"integration": "limits/slow"}, "rate_limited")
        assert 0 < error["data"]["retry_after_ms"] <= 60000 and error["data"]["retry"], error
        client.call("env.fetch", {"integration": NAME})


@suite.check
def without_descriptors_the_daemon_waits_and_serves_again(_):
    """The flood meets EMFILE: no crash, no spinning, and service as soon as there is room."""

    def few_descriptors():
        resource.setrlimit(resource.RLIMIT_NOFILE, (120, 120))

    vault = suite.vault()
    vault.start(preexec_fn=few_descriptors)
    prepare(vault)
    held = []
    for uid in range(3000, 3060):
        for _ in range(4):
            try:
                client = Client(vault.socket, uid)
            except OSError:
                continue
            client.send_until_refused(client.request("whoami"))
            held.append(client)
    before, started = vault.cpu_seconds(), time.monotonic()
    time.sleep(1)  # the span over which its use of the processor is measured
    used = (vault.cpu_seconds() - before) / (time.monotonic() - started)
    assert used < 0.5, f"the daemon uses {used:.0%} of a processor"
    for client in held:
        client.close()

    def serves():
        try:
            with Client(vault.socket, ETL) as client:
                return client.send_until_refused(client.request("whoami")) and client.read_line()
        except OSError:
            return None

    wait_until(serves, "a caller is served again")
    is_served(vault)
    vault.close()


@suite.check
def nothing_of_this_has_grown_the_daemon(vault):
    is_idle(vault)
    descriptors, rss = vault.descriptors(), vault.rss_kib()
    for _ in range(5):
        close_all(vault, flood(vault, STRANGER, SHARE))
    wait_until(lambda: vault.descriptors() <= descriptors, f"no more than {descriptors} descriptors are open")
    growth = vault.rss_kib() - rss
    assert growth < (16384 if vault.is_sanitized() else 512), f"grew by {growth} KiB"


if __name__ == "__main__":
    suite.run()
