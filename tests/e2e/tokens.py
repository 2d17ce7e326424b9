#!/usr/bin/python3
"""Access tokens from making to revoking, by the finished programs: never enough alone, shown once, gone at once (P1, P2)."""
import contextlib
import json
import os
import re
import signal
import subprocess

from coffer_test import AUDITOR, CRM, ETL, OPERATOR, STRANGER, Suite, canary, equal, wait_until

NAME, OTHER, KEY = "finance/warehouse-sync", "crm/connector", "API_TOKEN"
TEXT = re.compile(rb"coffer_[1-9][0-9]{0,15}_[0-9a-hjkmnp-tv-z]{52}_[0-9a-f]{8}\n")
PRINT = ("--", "/bin/sh", "-c", 'echo "$API_TOKEN"')
THIEF = 2950  # has no grant, and somebody else's token
VALUES = {}
made = []  # every token, to be looked for at the end

suite = Suite()


@suite.setup
def prepare(vault):
    for name in (NAME, OTHER):
        vault.add(name)
        VALUES[name] = canary()
        vault.put(name, KEY, VALUES[name])
    vault.must_coffer("grant", "add", NAME, f"user={ETL}", "token")
    vault.must_coffer("grant", "add", OTHER, f"user={CRM}", "token")


def create(vault, token_name, name=NAME, uid=ETL, *more):
    """As an administrator does it; gives the number and the path of a file that uid alone may read."""
    words = ("token", "create", name, token_name, "--user", str(uid), "--description", "end to end", *more)
    done = vault.coffer(*words)
    equal(done.returncode, 0, f"status of token create: {done.stderr!r}")
    assert TEXT.fullmatch(done.stdout), "standard output is not a token alone"
    made.append(done.stdout.decode().strip())
    path = vault.at(f"token-{len(made)}")
    with open(path, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(done.stdout)
    os.chown(path, uid, uid)
    return int(done.stdout.split(b"_")[1]), path


def run(vault, *words, uid=ETL, name=NAME, **more):
    return vault.coffer("run", name, *words, uid=uid, **more)


def must_get(vault, *words, **more):
    done = run(vault, *words, *PRINT, **more)
    equal((done.returncode, done.stdout.decode().strip()), (0, VALUES[NAME]), f"run with {words}: {done.stderr!r}")


def must_be_denied(vault, *words, **more):
    done = run(vault, *words, *PRINT, **more)
    equal((done.returncode, done.stdout), (125, b""), f"run with {words}")
    return done.stderr


@contextlib.contextmanager
def running(vault, *words):
    process = subprocess.Popen(
        [vault.programs["coffer"], "run", NAME, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, cwd="/", env=vault.environment(COFFER_SOCKET=vault.socket), user=ETL, group=ETL, extra_groups=[],
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=60)


# ---- refusals ----


@suite.check
def neither_the_grant_nor_a_token_is_enough_alone(vault):
    _, theirs = create(vault, "of-a-stranger", uid=STRANGER)
    _, other = create(vault, "of-another", name=OTHER, uid=ETL)
    must_be_denied(vault)
    must_be_denied(vault, "--token-file", theirs, uid=STRANGER)
    must_be_denied(vault, "--token-file", other)
    must_be_denied(vault, "--token-file", other, name=OTHER)
    os.chown(theirs, THIEF, THIEF)
    assert b"does not accept the token" in must_be_denied(vault, "--token-file", theirs, uid=THIEF)
    record = vault.audit(uid=THIEF)[0]
    equal((record["kind"], record["detail"]), ("session.authenticate", "the token is for another user"), "the record")
    equal((record["integration"], record["object"]), (NAME, int(made[0].split("_")[1])), "what it names")


@suite.check
def nobody_but_an_admin_makes_or_revokes_one(vault):
    number, _ = create(vault, "untouchable")
    for uid in (OPERATOR, AUDITOR, ETL, STRANGER):
        for words in (
            ("token", "create", NAME, "mine", "--user", str(uid), "--description", "d"),
            ("token", "revoke", NAME, str(number)),
        ):
            equal(vault.coffer(*words, uid=uid).returncode, 77, f"{words[1]} by {uid}")
    for uid in (ETL, STRANGER):
        equal(vault.coffer("token", "list", uid=uid).returncode, 77, f"list by {uid}")


@suite.check
def a_file_that_others_read_is_not_taken(vault):
    _, path = create(vault, "readable")
    os.chmod(path, 0o644)
    assert b"others may read or change it" in must_be_denied(vault, "--token-file", path)
    os.chmod(path, 0o600)
    must_get(vault, "--token-file", path)


@suite.check
def wrong_tokens_are_refused_with_the_same_bytes(vault):
    number, path = create(vault, "revoked-at-once")
    vault.must_coffer("token", "revoke", NAME, str(number))
    with open(path, encoding="ascii") as file:
        revoked = file.read().strip()
    unknown = "coffer_42_gdap16f49vkv5wtwgzjff0za8nxytwgx2fegqb8zn2tds93e3bd0_99cc511f"
    lines = set()
    for uid, token in ((ETL, revoked), (ETL, unknown), (CRM, made[0]), (OPERATOR, unknown)):
        with vault.client(uid) as client:
            lines.add(client.ask_line(client.request("session.authenticate", {"token": token})))
    equal(len(lines), 1, "kinds of answers")
    equal(json.loads(lines.pop())["error"]["data"]["error"], "denied", "word")


# ---- revoked at once ----


@suite.check
def a_revoked_token_opens_nothing_on_an_open_connection(vault):
    number, path = create(vault, "to-be-revoked")
    with open(path, encoding="ascii") as file, vault.client(ETL) as client, vault.client(ETL) as watcher:
        token = file.read().strip()
        for connection in (client, watcher):
            connection.call("session.authenticate", {"token": token})
        client.call("env.fetch", {"integration": NAME})
        watcher.call("env.watch", {"integration": NAME})
        vault.must_coffer("token", "revoke", NAME, str(number))
        equal(json.loads(watcher.read_line())["method"], "watch.ended", "the watcher's last word")
        watcher.must_be_closed()
        client.must_refuse("env.fetch", {"integration": NAME}, "denied")
        client.must_refuse("env.fetch", {}, "denied")
    must_be_denied(vault, "--token-file", path)


# ---- every way ----


@suite.check
def a_token_starts_the_program_in_every_way(vault):
    number, path = create(vault, "every-way")
    for words in ((), ("--record",), ("--on-change", "restart"), ("--staged",)):
        must_get(vault, *words, "--token-file", path)
    done = run(vault, "--mask", "--token-file", path, *PRINT)
    equal((done.returncode, done.stdout), (0, b"***\n"), f"masked: {done.stderr!r}")
    reader, writer = os.pipe()
    os.write(writer, made[-1].encode())
    os.close(writer)
    must_get(vault, "--token-fd", str(reader), pass_fds=[reader])
    os.close(reader)
    directory = vault.at("credentials")
    os.mkdir(directory, 0o755)
    os.rename(path, os.path.join(directory, "coffer-token"))
    must_get(vault, env=vault.environment(COFFER_SOCKET=vault.socket, CREDENTIALS_DIRECTORY=directory))
    fetches = [record for record in vault.audit(kind="env.fetch", outcome="ok") if record["uid"] == ETL]
    assert all(f"token={number}" in record["detail"] for record in fetches[-5:]), fetches[-5:]


@suite.check
def a_verdict_counts_from_the_process_that_showed_the_token(vault):
    _, path = create(vault, "tester")
    vault.put(NAME, KEY, VALUES[NAME], stage=True)
    done = run(vault, "--staged", "--verdict", "0" * 64, "--token-file", path, "--", "true")
    equal(done.returncode, 0, f"status: {done.stderr!r}")
    version = vault.call("secret.list", {"integration": NAME})["secrets"][0]["staged"]
    vault.call("secret.revoke", {"integration": NAME, "key": KEY, "version": version, "force": True})


@suite.check
def the_test_of_a_rotation_shows_a_token(vault):
    name = "sandbox/rotated"  # whose manager is the user that it runs as
    vault.add(name, environment="sandbox", managed_by=[str(ETL)], test='test -n "$API_TOKEN"')
    vault.put(name, KEY, canary())
    vault.must_coffer("grant", "add", name, f"user={ETL}", "token")
    vault.put(name, KEY, canary(), stage=True)
    _, path = create(vault, "rotation", name=name)
    for more, status in (((), 125), (("--token-file", path), 0)):
        done = vault.coffer("secret", "test", name, KEY, *more, uid=ETL)
        equal(done.returncode, status, f"secret test with {more}: {done.stderr!r}")
    vault.call("secret.promote", {"integration": name, "key": KEY})
    done = vault.coffer("rotate", name, KEY, "--token-file", path, "--timeout", "5s", stdin=canary().encode(), uid=ETL)
    equal(done.returncode, 0, f"rotate: {done.stdout!r} {done.stderr!r}")
    equal([v["state"] for v in vault.call("secret.show", {"integration": name, "key": KEY})["versions"]][0], "current", "state")


# ---- one is replaced without a pause ----


@suite.check
def a_new_token_takes_over_while_the_program_runs(vault):
    old, path = create(vault, "shift-1")
    with running(vault, "--on-change", "restart", "--token-file", path, "--", "/bin/sh", "-c", 'echo "up $API_TOKEN"; exec sleep 600') as process:  # fmt: skip
        equal(process.stdout.readline().strip(), f"up {VALUES[NAME]}", "the first start")
        _, another = create(vault, "shift-2")
        os.replace(another, path)
        vault.must_coffer("token", "revoke", NAME, str(old))
        VALUES[NAME] = canary()
        wait_until(
            lambda: len([r for r in vault.audit(kind="session.authenticate", outcome="ok") if r["object"] == old + 1]) >= 1,
            "the supervisor has shown the new token",
        )
        vault.put(NAME, KEY, VALUES[NAME])
        equal(process.stdout.readline().strip(), f"up {VALUES[NAME]}", "the start with the new value")


@suite.check
def a_supervisor_shows_its_token_to_a_daemon_that_was_killed(vault):
    _, path = create(vault, "survivor")
    with running(vault, "--on-change", "restart", "--token-file", path, "--", "/bin/sh", "-c", 'echo "up $API_TOKEN"; exec sleep 600') as process:  # fmt: skip
        process.stdout.readline()
        before = len(vault.audit(kind="session.authenticate", outcome="ok"))
        vault.process.send_signal(signal.SIGKILL)
        vault.wait()
        vault.start()
        wait_until(
            lambda: len(vault.audit(kind="session.authenticate", outcome="ok")) > before, "it has shown its token again"
        )
        VALUES[NAME] = canary()
        vault.put(NAME, KEY, VALUES[NAME])
        equal(process.stdout.readline().strip(), f"up {VALUES[NAME]}", "the start with the new value")


# ---- what is told ----


@suite.check
def the_list_tells_state_and_last_use_and_never_a_token(vault):
    tokens = vault.call("token.list", {"integration": NAME}, AUDITOR)["tokens"]
    by_name = {token["name"]: token for token in tokens}
    equal(by_name["to-be-revoked"]["state"], "revoked", "state")
    equal(by_name["survivor"]["state"], "active", "state")
    assert by_name["survivor"]["last_used_at"] and not by_name["untouchable"]["last_used_at"]
    equal({token["integration"] for token in tokens}, {NAME}, "integrations")
    output = vault.must_coffer("token", "list", NAME, uid=AUDITOR)
    assert b"to-be-revoked" in output and not TEXT.search(output), output


@suite.check
def no_token_is_in_the_store_the_log_or_the_audit_log(vault):
    data = vault.log_text().encode() + json.dumps(vault.audit()).encode()
    for name in os.listdir(vault.at("state")):
        with open(vault.at("state", name), "rb") as file:
            data += file.read()
    assert b"to-be-revoked" in data, "the search reads nothing"
    for token in made:
        assert token.split("_")[2].encode() not in data, "a token's secret"


if __name__ == "__main__":
    suite.run()
