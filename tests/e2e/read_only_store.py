#!/usr/bin/python3
"""A store that cannot be written: fetches and changes are refused at once, by name, and served again when it can (P4)."""
import contextlib
import ctypes
import fcntl
import os
import signal
import struct
import time

from coffer_test import AUDITOR, ETL, OPERATOR, PROOF_SECONDS, STRANGER, Skip, Suite, canary, equal, wait_until

NAME = "finance/warehouse-sync"
VALUE = canary(48)
CLONE_NEWNS, MS_REC, MS_PRIVATE, MNT_DETACH = 0x20000, 0x4000, 1 << 18, 2
GET_FLAGS, SET_FLAGS, IMMUTABLE = 0x80086601, 0x40086602, 0x10
RESERVE_TRIES = 20000
RELOAD_TRIES = 500
LIMITS = {"fetches_per_minute": 1000000}

suite = Suite(limits=LIMITS)
libc = ctypes.CDLL(None, use_errno=True)


def mount_small(path, size):
    """A file system of its own for the store, seen by this program and its daemon only."""
    if libc.unshare(CLONE_NEWNS) != 0 or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0:
        raise Skip("no mount namespace here")
    if libc.mount(b"tmpfs", path.encode(), b"tmpfs", 0, f"size={size},mode=0700".encode()) != 0:
        raise Skip(f"cannot mount: {os.strerror(ctypes.get_errno())}")


def fill(path):
    """Takes all the space there is."""
    with open(path, "wb", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                pass


@contextlib.contextmanager
def small_vault():
    vault = suite.vault(is_made=False, limits=LIMITS)
    mount_small(vault.at("state"), 4 << 20)
    try:
        vault.make()
        vault.start()
        prepare(vault)
        yield vault
        vault.close()
    finally:
        libc.umount2(vault.at("state").encode(), MNT_DETACH)


@suite.setup
def prepare(vault):
    vault.add(NAME)
    vault.put(NAME, "API_TOKEN", VALUE)
    vault.grant(NAME, user=ETL)


def at_once(client, method, params):
    started = time.monotonic()
    reply = client.ask(method, params)
    took = time.monotonic() - started
    assert took < PROOF_SECONDS, f"{method} took {took:.1f} s"
    return reply["error"]["data"]["error"] if "error" in reply else "ok"


def until_refused(client, method, params):
    """A reserve may carry some more: then the refusal, and only success before it."""
    for _ in range(RESERVE_TRIES):
        word = at_once(client, method, params)
        if word != "ok":
            return word
    raise AssertionError(f"{method} still succeeds on a full disk")


@suite.check
def a_full_disk_is_named_and_mends(_):
    with small_vault() as vault:
        check_full_disk(vault)


def until_a_reload_is_refused(vault):
    """Roles change with a record or not at all (P4); a reserve may carry some reloads more."""
    for number in range(RELOAD_TRIES):
        before = vault.log_text()
        wanted = ["auditor"] if number % 2 == 0 else []
        vault.write_config(roles={"auditor": f"{AUDITOR}, {STRANGER}" if wanted else AUDITOR}, limits=LIMITS)
        vault.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "reloaded" in vault.log_text()[len(before) :], "an answer to SIGHUP")
        said = vault.log_text()[len(before) :]
        is_refused = "not reloaded" in said
        if is_refused:
            wanted = [] if wanted else ["auditor"]
        equal(vault.call("whoami", uid=STRANGER)["roles"], wanted, f"roles after {said!r}")
        if is_refused:
            return
    raise AssertionError("a reload still succeeds on a full disk")


def must_reload(vault):
    """The same configuration is taken when there is room for its record."""
    before = len(vault.audit(kind="daemon.reload"))
    vault.write_config(roles={"auditor": f"{AUDITOR}, {STRANGER}"}, limits=LIMITS)
    vault.process.send_signal(signal.SIGHUP)
    wait_until(lambda: vault.call("whoami", uid=STRANGER)["roles"] == ["auditor"], "the new role")
    equal(len(vault.audit(kind="daemon.reload")), before + 1, "records of reloads")


def check_full_disk(vault):
    counts = vault.counts()
    filler = vault.at("state", "filler")
    fill(filler)
    with vault.client(OPERATOR) as operator, vault.client(ETL) as etl, vault.client(STRANGER) as stranger:
        put = {"integration": NAME, "key": "API_TOKEN", "value": "v" * 60000}
        equal(until_refused(operator, "secret.put", put), "storage_full", "a put on a full disk")
        equal(
            until_refused(etl, "env.fetch", {"integration": NAME}),
            "audit_unavailable",
            "a fetch on a full disk",
        )
        equal(at_once(stranger, "hello", {}), "ok", "hello on a full disk")
        word = at_once(stranger, "env.fetch", {"integration": NAME})
        assert word in ("audit_unavailable", "denied"), f"a refusal on a full disk: {word}"
        equal(at_once(operator, "status", {}), "ok", "status on a full disk")
        until_a_reload_is_refused(vault)
    os.unlink(filler)

    def fetches():
        assert vault.is_running(), f"the daemon ended: {vault.log_tail()}"
        with vault.client(ETL) as client:
            reply = client.ask("env.fetch", {"integration": NAME})
            return "result" in reply and reply["result"]["env"][0]["value"] == VALUE or None

    wait_until(fetches, "a fetch succeeds again")
    vault.put(NAME, "API_TOKEN", "after")
    equal(vault.fetch(NAME)["API_TOKEN"], "after", "API_TOKEN")
    assert vault.counts()["versions"] >= counts["versions"] + 1
    must_reload(vault)
    vault.must_coffer("audit", "verify")


def set_immutable(path, is_set):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        flags = struct.unpack("i", fcntl.ioctl(descriptor, GET_FLAGS, b"\0" * 4))[0]
        fcntl.ioctl(
            descriptor, SET_FLAGS, struct.pack("i", flags | IMMUTABLE if is_set else flags & ~IMMUTABLE)
        )
    finally:
        os.close(descriptor)


def must_stop_writers(folder):
    """Some file systems know no immutable files, some let those write on who have them open."""
    path = os.path.join(folder, "probe")
    with open(path, "wb", buffering=0) as probe:
        try:
            set_immutable(path, True)
            try:
                probe.write(b"x")
            finally:
                set_immutable(path, False)
        except PermissionError:
            return
        except OSError as error:
            raise Skip(f"files cannot be made immutable here: {error}") from None
        finally:
            os.unlink(path)
    raise Skip("immutable files can be written here by who has them open")


@suite.check
def a_store_made_read_only_refuses_at_once_and_gives_no_value(_):
    vault = suite.vault()
    must_stop_writers(vault.folder)
    vault.start()
    prepare(vault)
    paths = [vault.at("state", name) for name in os.listdir(vault.at("state"))]
    for path in paths:
        set_immutable(path, True)
    try:
        with vault.client(ETL) as etl, vault.client(OPERATOR) as operator:
            operator.must_be_open()
            equal(at_once(etl, "env.fetch", {"integration": NAME}), "audit_unavailable", "a fetch")
            # An I/O error may end the daemon; the service manager starts it again.
            operator.send_until_refused(
                operator.request("secret.put", {"integration": NAME, "key": "API_TOKEN", "value": "new"})
            )
            line = operator.read_line(PROOF_SECONDS)
            assert line is None or b'"storage' in line, f"a put: {line!r}"
    finally:
        for path in paths:
            set_immutable(path, False)
    if line is None:
        equal(vault.wait(), 74, "exit status")
    else:
        equal(vault.stop(), 0, "exit status after SIGTERM")
    vault.start()
    equal(vault.fetch(NAME)["API_TOKEN"], VALUE, "API_TOKEN")
    vault.must_coffer("audit", "verify")
    vault.close()


if __name__ == "__main__":
    suite.run()
