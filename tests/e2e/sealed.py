#!/usr/bin/python3
"""A vault that cannot be opened, under a service manager: the daemon serves sealed, and says why and what mends it."""
import contextlib
import hashlib
import os
import shutil
import signal
import sqlite3

from coffer_test import ADMIN, ETL, OPERATOR, STRANGER, Refused, Suite, canary, equal

NAME = "finance/warehouse-sync"
UNINITIALISED = "it is not initialised; run cofferd init"

suite = Suite()


def made():
    """A stopped vault with something in it."""
    vault = suite.vault()
    vault.start()
    vault.add(NAME)
    vault.value = canary()
    vault.put(NAME, "API_TOKEN", vault.value)
    vault.grant(NAME, user=ETL)
    equal(vault.stop(), 0, "exit status after SIGTERM")
    return vault


def store(vault):
    return vault.at("state", "coffer.db")


def files(vault):
    """What is kept of the vault."""
    seen = {}
    for path in (vault.at("root.key"), store(vault), store(vault) + "-wal"):
        with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
            seen[path] = hashlib.sha256(file.read()).hexdigest()
    return seen


def refusal(vault, method, params=None, uid=ADMIN):
    try:
        vault.call(method, params, uid)
    except Refused as error:
        return error.word, error.error["message"]
    raise AssertionError(f"{method} was not refused")


def must_be_sealed(vault, mend, reason):
    """For everybody, with the way out; those with a role learn why."""
    status = vault.call("status")
    equal((status["sealed"], status["mend"]), (True, mend), "status")
    assert reason in status["reason"], f"{reason!r} is not in {status['reason']!r}"
    assert "counts" not in status and "vault" not in status, f"a sealed vault tells {status}"
    equal(set(vault.call("status", uid=STRANGER)), {"version", "sealed", "mend"}, "what a stranger is told")
    for uid in (ADMIN, OPERATOR, ETL, STRANGER):
        for method, params in (
            ("integration.list", {}),
            ("env.fetch", {"integration": NAME}),
            ("secret.put", {"integration": NAME, "key": "A", "value": "v"}),
            ("audit.list", {}),
        ):
            equal(refusal(vault, method, params, uid), ("sealed", f"the vault is sealed: {mend}"), method)
        for method in ("hello", "schema", "whoami"):
            vault.call(method, {}, uid)
    done = vault.coffer("integration", "list")
    equal(done.returncode, 75, "exit status of coffer integration list")
    assert mend in done.stderr.decode(), done.stderr
    done = vault.coffer("status")
    equal(done.returncode, 75, "exit status of coffer status")
    assert mend in done.stdout.decode() and reason in done.stdout.decode(), done.stdout
    done = vault.coffer("run", NAME, "--", "true", uid=ETL)
    equal(done.returncode, 75, "exit status of coffer run")
    assert mend in done.stderr.decode(), done.stderr
    assert f"sealed: {vault.call('status')['reason']}" in vault.log_text(), "the journal does not say why"


def try_again(vault):
    """SIGHUP ends a sealed daemon, and the service manager, here the test, starts another."""
    vault.process.send_signal(signal.SIGHUP)
    equal(vault.wait(), 0, "exit status after SIGHUP")
    vault.start()


def case(words, mend, reason):
    """A check: the function spoils a vault, which serves sealed, is left as it is, and serves again when it is mended."""

    def register(function):
        def check(_):
            vault = made()
            saved = vault.at("saved")
            shutil.copytree(vault.at("state"), saved)
            shutil.copy2(vault.at("root.key"), saved)
            function(vault)
            before = files(vault)
            vault.start()
            must_be_sealed(vault, mend, reason)
            try_again(vault)
            must_be_sealed(vault, mend, reason)
            equal(files(vault), before, "the files")
            shutil.rmtree(vault.at("state"))
            shutil.copytree(saved, vault.at("state"), ignore=lambda *_: ["root.key"])
            os.chmod(vault.at("state"), 0o700)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(vault.at("root.key"))
            shutil.copy2(os.path.join(saved, "root.key"), vault.at("root.key"))
            try_again(vault)
            equal(vault.call("status")["sealed"], False, "sealed, when it is mended")
            equal(vault.fetch(NAME), {"API_TOKEN": vault.value}, "what is fetched")
            equal(vault.audit()[-2]["kind"], "daemon.start", "the record of the start")
            vault.close()

        suite.add(words.replace(" ", "_"), check)
        return function

    return register


@case(
    "a vault without its root key is sealed",
    "its root key is missing; run cofferd recover",
    "no root key there",
)
def _(vault):
    os.unlink(vault.at("root.key"))


@case(
    "a vault with another vault's root key is sealed",
    "the root key is another vault's; put its own back, or run cofferd recover",
    "wrong root key",
)
def _(vault):
    other = suite.vault()
    os.unlink(vault.at("root.key"))
    shutil.copy2(other.at("root.key"), vault.at("root.key"))


@case(
    "a vault of a newer version is sealed",
    "its store was written by a newer version of coffer; install that version",
    "written by a newer version of coffer",
)
def _(vault):
    connection = sqlite3.connect(store(vault))
    connection.execute("pragma user_version = 9999")
    connection.commit()
    connection.close()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(store(vault) + "-shm")


@case(
    "a vault without its store is sealed",
    "its store is missing; restore a backup of it, or make another vault with cofferd init",
    "there is no vault there",
)
def _(vault):
    os.unlink(store(vault))


@case(
    "a vault with a damaged store is sealed",
    "it cannot be opened; the journal says why: journalctl -u cofferd",
    "damaged",
)
def _(vault):
    with open(store(vault), "r+b") as file:
        for page in range(1, os.path.getsize(store(vault)) // 4096):
            file.seek(page * 4096)
            file.write(b"\xa5" * 64)


@case(
    "a vault that others may enter is sealed",
    "it cannot be opened; the journal says why: journalctl -u cofferd",
    "must have mode 0700",
)
def _(vault):
    os.chmod(vault.at("state"), 0o755)


@suite.check
def a_vault_that_was_never_made_is_sealed_and_init_opens_it(_):
    vault = suite.vault(is_made=False)
    vault.start()
    must_be_sealed(vault, UNINITIALISED, "cofferd init")
    equal(os.listdir(vault.at("state")), [], "what a start has made")
    vault.make()
    try_again(vault)
    equal(vault.call("status")["sealed"], False, "sealed, when it is made")
    vault.add(NAME)
    equal([record["kind"] for record in vault.audit()][:2], ["vault.init", "daemon.start"], "records")
    vault.close()


@suite.check
def a_sealed_daemon_ends_well_and_a_flood_of_requests_is_a_few_lines(_):
    vault = suite.vault(is_made=False)
    vault.start()
    with vault.client(STRANGER) as client:
        for _ in range(500):
            equal(
                client.ask("env.fetch", {"integration": NAME})["error"]["data"]["error"], "sealed", "answer"
            )
    equal(vault.log_text().count("env.fetch: sealed"), 10, "lines")
    equal(vault.stop(), 0, "exit status after SIGTERM")
    assert "refused 490 requests more" in vault.log_text(), vault.log_tail()
    assert "could not be recorded" not in vault.log_text(), vault.log_tail()


@suite.check
def a_vault_that_another_process_has_is_not_sealed_but_tried_again(vault):
    """By the manager: it is over as soon as the other one ends."""
    done = vault.cofferd(env=vault.environment(NOTIFY_SOCKET="/nonexistent/notify"))
    equal(done.returncode, 75, "exit status")
    assert "another process has this vault open" in done.stderr, done.stderr


if __name__ == "__main__":
    suite.run()
