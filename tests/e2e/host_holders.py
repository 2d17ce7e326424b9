#!/usr/bin/python3
"""Who holds what a real service manager was given for a unit: the invocation, for as long as it lasts and no longer."""
import json

from coffer_test import canary, equal, wait_until
from host_test import HostSuite
from host_vault import OPERATOR, add, await_another_pid, make_vault, signal_daemon

NAME, KEY = "finance/warehouse-sync", "API_KEY"
SOCKET = "/run/coffer/credentials.sock"
FIRST, SECOND = canary(), canary()
UNIT = "etl.service"
IN_USE = 65

suite = HostSuite()


@suite.setup
def prepare(host):
    make_vault(host)
    host.must("systemctl", "enable", "--now", "cofferd-credentials.socket")
    add(host, NAME, [f"unit={UNIT}"], ["unit=batch@*.service"], **{KEY: FIRST})


def holders(host):
    """[(version, holder, unit, invocation)]"""
    told = json.loads(host.must("coffer", "holders", NAME, "--json"))["holders"]
    return [(row["version"], row["holder"], row["unit"], row["invocation"]) for row in told]


def held_by(host, unit, version=1):
    return [(version, "unit", unit, host.show(unit, "InvocationID"))]


def service(host, *lines, unit=UNIT, kind="exec", credential=f"{KEY}:{SOCKET}"):
    """A unit with these lines; %d is where its credentials are."""
    text = "\n".join(["[Service]", f"Type={kind}", f"LoadCredential={credential}", *lines])
    host.unit(unit, text + "\n")


def stop(host, unit=UNIT):
    host.must("systemctl", "stop", unit)
    wait_until(lambda: holders(host) == [], "nobody holds it")


def revoke(host, version):
    return host.run("coffer", "secret", "revoke", NAME, KEY, version, user=OPERATOR)


def must_not_revoke(host, version, unit=UNIT):
    done = revoke(host, version)
    assert done.returncode == IN_USE and unit in done.stderr, f"{done.returncode}: {done.stdout}{done.stderr}"


# ---- a unit that is not started holds nothing ----


@suite.check
def a_unit_that_does_not_start_leaves_no_holder(host):
    service(host, f"LoadCredential=ABSENT:{SOCKET}", "ExecStart=/bin/sleep infinity")
    assert host.run("systemctl", "start", UNIT).returncode != 0, "it has started without a credential"
    equal(host.show(UNIT, "ExecMainStatus"), "243", "exit status: CREDENTIALS")
    wait_until(lambda: holders(host) == [], "nobody holds it")
    host.wait_for_journal(f"{UNIT}: credential ABSENT refused: ", "cofferd.service")


# ---- the invocation is the holder ----


@suite.check
def a_running_unit_holds_its_credential_until_it_stops(host):
    service(host, "ExecStart=/bin/sh -c 'cat %d/API_KEY >/run/seen; exec sleep infinity'")
    host.must("systemctl", "start", UNIT)
    wait_until(lambda: host.read("/run/seen") == FIRST, "the value is there, as it is")
    held = held_by(host, UNIT)
    equal(holders(host), held, "holders")
    host.must("coffer", "secret", "put", NAME, KEY, user=OPERATOR, stdin=SECOND)
    must_not_revoke(host, 1)
    assert (
        host.run("coffer", "secret", "revoke", NAME, KEY, 1, "--processes-only", user=OPERATOR).returncode
        == IN_USE
    ), "a unit was taken for children of somebody"

    # The daemon is started anew, and killed: it finds the holder again, in the store and in the kernel.
    host.must("systemctl", "restart", "cofferd.service")
    equal(holders(host), held, "holders after a restart of the daemon")
    pid = host.main_pid()
    signal_daemon(host, "SIGKILL")
    await_another_pid(host, pid)
    equal(holders(host), held, "holders after a kill of the daemon")
    must_not_revoke(host, 1)
    stop(host)
    equal(revoke(host, 1).returncode, 0, "revoke after the stop")


@suite.check
def a_unit_that_is_restarted_holds_the_new_value_alone(host):
    host.must("systemctl", "start", UNIT)
    first = held_by(host, UNIT, 2)
    equal(holders(host), first, "holders")
    host.must("coffer", "secret", "put", NAME, KEY, user=OPERATOR, stdin=canary())
    host.must("systemctl", "restart", UNIT)
    second = held_by(host, UNIT, 3)
    assert first[0][3] != second[0][3], "the same invocation"
    wait_until(lambda: holders(host) == second, "the new invocation holds the new value alone")
    equal(revoke(host, 2).returncode, 0, "revoke of the old value")
    stop(host)


# Between two commands the cgroup is empty: the service manager has the value still.
@suite.check
def a_unit_between_its_commands_is_a_holder(host):
    pauses = ["ExecStartPre=/bin/true"] * 20
    service(host, *pauses, "ExecStartPre=/bin/sleep 1", *pauses, "ExecStart=/bin/sleep infinity")
    starting = host.start("systemctl", "start", UNIT)
    wait_until(lambda: holders(host) != [], "it holds the value")
    while starting.poll() is None:
        equal(holders(host), held_by(host, UNIT, 3), "holders while it starts")
    equal(starting.returncode, 0, "exit status of the start")
    equal(holders(host), held_by(host, UNIT, 3), "holders")
    stop(host)


@suite.check
def a_unit_that_remains_after_exit_is_a_holder(host):
    service(host, "RemainAfterExit=yes", "ExecStart=/bin/true", kind="oneshot")
    host.must("systemctl", "start", UNIT)
    equal(
        host.must("cat", f"/run/credentials/{UNIT}/{KEY}") != "", True, "the service manager keeps the value"
    )
    held = held_by(host, UNIT, 3)
    equal(holders(host), held, "holders")
    host.must("systemctl", "restart", "cofferd.service")
    equal(holders(host), held, "holders after a restart of the daemon")
    stop(host)


@suite.check
def what_a_unit_leaves_behind_is_a_holder(host):
    service(
        host,
        "KillMode=process",
        "ExecStart=/bin/sh -c 'sleep 1111 & echo $$! >/run/left; exec sleep infinity'",
    )
    host.must("systemctl", "start", UNIT)
    wait_until(lambda: host.exists("/run/left"), "a child runs")
    held = held_by(host, UNIT, 3)
    host.must("systemctl", "stop", UNIT)
    equal(holders(host), held, "holders: a child of the stopped unit")
    host.must("systemctl", "restart", "cofferd.service")
    equal(holders(host), held, "holders after a restart of the daemon")
    host.must("kill", host.read("/run/left").strip())
    wait_until(lambda: holders(host) == [], "nobody holds it")


# ---- names ----


@suite.check
def instances_of_a_template_are_told_apart(host):
    service(host, "ExecStart=/bin/sleep infinity", unit="batch@.service")
    units = [f"batch@{name}.service" for name in ("1", "a\\x2fb", "c@d.e")]
    host.must("systemctl", "start", *units)
    wanted = sorted(row for unit in units for row in held_by(host, unit, 3))
    equal(sorted(holders(host)), wanted, "holders")
    host.must("systemctl", "stop", *units)
    wait_until(lambda: holders(host) == [], "nobody holds it")


@suite.check
def a_credential_may_be_named_otherwise_than_its_key(host):
    service(
        host,
        "ExecStart=/bin/sh -c 'cat %d/tls.key >/run/seen; exec sleep infinity'",
        unit="web.service",
        credential=f"tls.key:{SOCKET}",
    )
    explain = ["coffer", "grant", "explain", NAME, "--unit", "web.service", "--credential", "tls.key"]
    assert "refused: no grant of a unit alone matches" in host.must(*explain)
    assert host.run("systemctl", "start", "web.service").returncode != 0, "it has started without a grant"
    host.must("coffer", "grant", "add", NAME, "unit=web.service", "--credential", f"tls.key={KEY}")
    assert f"version 3 of {KEY} is delivered, by grant " in host.must(*explain)
    assert f"tls.key={KEY}" in host.must("coffer", "grant", "list", NAME)
    host.must("systemctl", "start", "web.service")
    equal(holders(host), held_by(host, "web.service", 3), "holders")
    stop(host, "web.service")


# ---- the record ----


@suite.check
def each_delivery_is_in_the_log_and_in_the_runs(host):
    runs = json.loads(host.must("coffer", "audit", "list", "--kind", "credential.deliver", "--json"))[
        "records"
    ]
    good = [record for record in runs if record["outcome"] == "ok"]
    assert len(good) > 10, runs
    equal({record["key"] for record in good}, {KEY}, "keys")
    equal("web.service" in {record["unit"] for record in good}, True, "the unit that asked")
    assert any(record["outcome"] == "denied" and "tls.key" in record["subject"] for record in runs), runs


if __name__ == "__main__":
    suite.run()
