#!/usr/bin/python3
"""Who is calling by unit: the kernel's word at once, or, where it lacks SO_PEERPIDFD, after the challenge in hello (P9).

The test puts itself into a control group that is named like a system unit.  With "challenge" as its argument the daemon
is a build without SO_PEERPIDFD: then there is no unit until session.prove has answered.
"""
import contextlib
import os
import signal
import socket

from coffer_test import ETL, STRANGER, Skip, Suite, canary, equal

NAME = "finance/warehouse-sync"
UNIT = "coffer-test-%d.service" % os.getpid()
VALUE = canary()
ROOTS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd")

suite = Suite()
made = []


def needs_challenge():
    return "challenge" in suite.arguments


def procs(folder):
    return os.path.join(folder, "cgroup.procs")


def enter_unit():
    """A group of this unit's name in every hierarchy that may count; the test stays there until the end."""
    for root in ROOTS:
        if not os.path.exists(procs(root)):
            continue
        folder = os.path.join(root, "system.slice", UNIT)
        with contextlib.suppress(OSError):
            os.makedirs(folder, exist_ok=True)
            with open(procs(folder), "w", encoding="ascii") as file:
                file.write(str(os.getpid()))
            made.append((root, folder))


def leave_unit():
    for root, folder in made:
        with contextlib.suppress(OSError):
            with open(procs(root), "w", encoding="ascii") as file:
                file.write(str(os.getpid()))
            os.rmdir(folder)


def must_be_in_unit():
    with open("/proc/self/cgroup", encoding="ascii") as file:
        if UNIT not in file.read():
            raise Skip("control groups cannot be made here")


@suite.setup
def prepare(vault):
    enter_unit()
    vault.add(NAME)
    vault.put(NAME, "API_TOKEN", VALUE)
    vault.grant(NAME, user=ETL, unit=UNIT)


def prove(client, nonce=None, **more):
    challenge = client.call("hello")["challenge"]
    request = client.request("session.prove", {"nonce": nonce or challenge})
    if more:
        client.send_with_credentials(request, **more)
    else:
        client.send(request)  # the kernel adds the sender's credentials by itself
    return client.read_line()


@suite.check
def hello_has_a_challenge_only_where_it_is_needed(vault):
    with vault.client(ETL) as client:
        challenge = client.call("hello").get("challenge")
    if not needs_challenge():
        equal(challenge, None, "challenge")
        return
    assert len(challenge) == 32 and set(challenge) <= set("0123456789abcdef"), challenge
    with vault.client(ETL) as client:
        assert client.call("hello")["challenge"] != challenge, "the same challenge twice"


@suite.check
def without_the_proof_there_is_no_unit_and_no_value(vault):
    must_be_in_unit()
    if not needs_challenge():
        raise Skip("the kernel's word needs no proof")
    with vault.client(ETL) as client:
        equal(client.call("whoami")["unit"], None, "unit")
        client.must_refuse("env.fetch", {"integration": NAME}, "denied")


@suite.check
def a_wrong_nonce_proves_nothing(vault):
    if not needs_challenge():
        raise Skip("the kernel's word needs no proof")
    with vault.client(ETL) as client, vault.client(ETL) as other:
        foreign = other.call("hello")["challenge"]
        for nonce in ("0" * 32, foreign):
            assert b'"denied"' in prove(client, nonce), nonce
        equal(client.call("whoami")["unit"], None, "unit")


@suite.check
def another_process_cannot_answer_for_the_one_that_connected(vault):
    """The descriptor is shared with a child: its credentials are not the connector's."""
    if not needs_challenge():
        raise Skip("the kernel's word needs no proof")
    with vault.client(ETL) as client:
        child = os.fork()
        if child == 0:
            status = 1
            with contextlib.suppress(BaseException):
                status = 0 if b'"denied"' in prove(client) else 2
            os._exit(status)
        _, status = os.waitpid(child, 0)
        equal(os.waitstatus_to_exitcode(status), 0, "the child's finding")


@suite.check
def a_line_in_two_parts_by_two_processes_proves_nothing(vault):
    if not needs_challenge():
        raise Skip("the kernel's word needs no proof")
    with vault.client(ETL) as client:
        line = client.request("session.prove", {"nonce": client.call("hello")["challenge"]})
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                client.send(line[:20])
            os._exit(0)
        os.waitpid(child, 0)
        client.send(line[20:])
        assert b'"denied"' in client.read_line(), "answered"


@suite.check
def prove_without_a_challenge_is_denied(vault):
    if needs_challenge():
        raise Skip("there is a challenge")
    with vault.client(ETL) as client:
        client.must_refuse("session.prove", {"nonce": "0" * 32}, "denied")


@suite.check
def the_unit_opens_the_grant(vault):
    must_be_in_unit()
    with vault.client(ETL) as client:
        if needs_challenge():
            # It connected with the user's effective ids, and answers with the same.
            reply = prove(client, uid=ETL, gid=ETL)
            assert b'"result"' in reply, reply
        equal(client.call("whoami")["unit"], UNIT, "unit")
        equal(client.call("env.fetch", {"integration": NAME})["env"][0]["value"], VALUE, "value")


@suite.check
def the_unit_alone_opens_nothing_for_another_user(vault):
    must_be_in_unit()
    with vault.client(STRANGER) as client:
        if needs_challenge():
            prove(client, uid=STRANGER, gid=STRANGER)
        client.must_refuse("env.fetch", {"integration": NAME}, "denied")


@suite.check
def the_library_proves_by_itself(vault):
    must_be_in_unit()
    equal(
        vault.must_coffer("run", NAME, "--", "/usr/bin/printenv", "API_TOKEN", uid=ETL),
        VALUE.encode() + b"\n",
        "API_TOKEN",
    )


@suite.check
def users_and_groups_count_without_any_proof(vault):
    vault.add("plain/user")
    vault.put("plain/user", "K", VALUE)
    vault.grant("plain/user", user=STRANGER)
    equal(vault.fetch("plain/user", STRANGER)["K"], VALUE, "value")


@suite.check
def a_process_that_has_ended_gets_no_value(vault):
    """A child connects as the user and passes its connection on; then it is gone, and nothing is told to its heir."""
    must_be_in_unit()
    parent, helper = socket.socketpair()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            client = vault.client(ETL)
            if needs_challenge():
                prove(client, uid=ETL, gid=ETL)
            socket.send_fds(helper, [b"x"], [client.socket.fileno()])
            signal.pause()
        os._exit(0)
    _, descriptors, _, _ = socket.recv_fds(parent, 1, 1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with socket.socket(fileno=descriptors[0]) as heir:
        heir.settimeout(30)
        heir.sendall(
            b'{"jsonrpc":"2.0","id":1,"method":"env.fetch","params":{"integration":"%s"}}\n' % NAME.encode()
        )
        data = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := heir.recv(65536):
                data += chunk
                if data.endswith(b"\n"):
                    break
    assert VALUE.encode() not in data, "the value of a dead process was told to another"


if __name__ == "__main__":
    try:
        suite.run()
    finally:
        leave_unit()
