#!/usr/bin/python3
"""The ways of `coffer run` and of putting and testing a value, by the finished programs against the finished daemon."""
import contextlib
import os
import signal
import subprocess
import time

from coffer_test import ETL, OPERATOR, STRANGER, Suite, canary, equal, wait_until

NAME, KEY = "finance/warehouse-sync", "API_TOKEN"
VALUES = {}

suite = Suite()


@suite.setup
def prepare(vault):
    vault.add(NAME)
    vault.grant(NAME, user=ETL)
    VALUES[1] = canary()
    vault.put(NAME, KEY, VALUES[1])


@contextlib.contextmanager
def running(vault, *words, uid=ETL, **more):
    process = subprocess.Popen(
        [vault.programs["coffer"], "run", NAME, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, cwd="/", env=vault.environment(COFFER_SOCKET=vault.socket), user=uid, group=uid, extra_groups=[], **more,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=60)


def holders(vault):
    return vault.call("holder.list", {"integration": NAME, "key": KEY})["holders"]


def newest_run(vault):
    return vault.call("run.list", {"integration": NAME, "limit": 1})["runs"][0]


@suite.check
def a_stranger_may_in_no_way(vault):
    for words in ((), ("--record",), ("--mask",), ("--on-change", "restart"), ("--file", KEY), ("--staged",)):
        done = vault.coffer("run", NAME, *words, "--", "true", uid=STRANGER)
        equal(done.returncode, 125, f"status of {words}: {done.stderr!r}")
        assert b"not permitted" in done.stderr, done.stderr


@suite.check
def a_sealed_file_is_read_more_than_once_and_never_written(vault):
    script = 'cat "$API_TOKEN" "$API_TOKEN"; (echo x >"$API_TOKEN") 2>/dev/null && echo WRITTEN'
    done = vault.coffer("run", NAME, "--file", KEY, "--", "/bin/sh", "-c", script, uid=ETL)
    equal(done.stdout.decode(), VALUES[1] * 2, "what the file holds")


@suite.check
def a_mask_hides_the_value_and_keeps_the_status(vault):
    script = 'echo "a $API_TOKEN b"; printf %s "$API_TOKEN" | base64 -w0; echo "$API_TOKEN" >&2; exit 7'
    done = vault.coffer("run", NAME, "--mask", "--", "/bin/sh", "-c", script, uid=ETL)
    equal(done.returncode, 7, "status")
    assert VALUES[1].encode() not in done.stdout + done.stderr, "the value is shown"
    assert done.stdout.startswith(b"a *** b\n***") and done.stderr.startswith(b"***"), (done.stdout, done.stderr)


@suite.check
def a_recorded_run_ends_with_its_status(vault):
    for command, word, number in (("exit 3", "exit_status", 3), ("kill -TERM $$", "signal", 15)):
        done = vault.coffer("run", NAME, "--record", "--", "/bin/sh", "-c", command, uid=ETL)
        equal(done.returncode, 3 if word == "exit_status" else 143, "status of coffer run")
        told = newest_run(vault)
        equal(told["state"], "ended", "state")
        assert told[word] == number or (word == "signal" and told["exit_status"] == 143), told
    records = vault.audit(kind="run.end", outcome="ok")
    equal([record["subject"] for record in records[-2:]], ["exit=3", "exit=143"], "what was reported")


@suite.check
def a_change_restarts_the_program_and_the_old_version_drains(vault):
    VALUES[2] = canary()
    script = 'echo "$API_TOKEN"; exec sleep 1000'
    with running(vault, "--on-change", "restart", "--", "/bin/sh", "-c", script) as process:
        equal(process.stdout.readline(), VALUES[1] + "\n", "the first value")
        equal([entry["version"] for entry in holders(vault)], [1], "versions held")
        assert holders(vault)[0]["pid"] != process.pid, "the supervisor holds a value"
        vault.put(NAME, KEY, VALUES[2])
        equal(process.stdout.readline(), VALUES[2] + "\n", "the value after the change")
        wait_until(lambda: [entry["version"] for entry in holders(vault)] == [2], "only the new version is held")
        vault.must_coffer("secret", "revoke", NAME, KEY, "1", uid=OPERATOR)
        process.send_signal(signal.SIGTERM)
        equal(process.wait(60), 143, "status after SIGTERM")


@suite.check
def a_change_signals_the_program_which_stays_the_same(vault):
    VALUES[3] = canary()
    script = 'trap "echo changed; exit 5" HUP; echo "$$"; while :; do sleep 0.05; done'
    with running(vault, "--on-change", "HUP", "--", "/bin/sh", "-c", script) as process:
        pid = int(process.stdout.readline())
        wait_until(lambda: [entry["pid"] for entry in holders(vault)] == [pid], "the program is the holder")
        vault.put(NAME, KEY, VALUES[3])
        equal(process.stdout.readline(), "changed\n", "what the program says")
        equal(process.wait(60), 5, "its own status")


@suite.check
def a_watched_program_outlives_its_right_and_a_restart_of_the_daemon(vault):
    grants = vault.call("grant.list", {"integration": NAME})["grants"]
    with running(vault, "--on-change", "restart", "--", "/bin/sh", "-c", 'echo "$API_TOKEN"; exec sleep 1000') as process:
        equal(process.stdout.readline(), VALUES[3] + "\n", "the value")
        vault.kill()
        vault.start()
        VALUES[4] = canary()
        vault.put(NAME, KEY, VALUES[4])  # while nobody is subscribed, or already again
        equal(process.stdout.readline(), VALUES[4] + "\n", "the value after the restart")
        vault.call("grant.remove", {"integration": NAME, "id": grants[0]["id"]})
        line = process.stderr.readline()
        while line and "no more changes will be told" not in line:
            line = process.stderr.readline()
        assert line and process.poll() is None, "the program ended with its right to new values"
    vault.grant(NAME, user=ETL)


@suite.check
def a_wait_ends_when_the_daemon_comes(vault):
    vault.stop()
    with running(vault, "--wait", "60", "--", "/bin/sh", "-c", 'echo "$API_TOKEN"') as process:
        time.sleep(0.3)  # it is waiting; were it not, it would have ended with 75 at once
        assert process.poll() is None, process.stderr.read()
        vault.start()
        equal(process.stdout.readline(), VALUES[4] + "\n", "the value")


@suite.check
def a_generated_value_is_seen_by_the_third_party_alone(vault):
    path = vault.at("third-party")
    refused = vault.coffer("secret", "put", NAME, "MADE", "--generate=48", "--to-stdin-of", "cat >/dev/null; exit 9", uid=OPERATOR)
    assert refused.returncode not in (0, 9) and b"9" in refused.stderr, refused
    with vault.client(OPERATOR) as client:
        states = [entry["state"] for entry in client.call("secret.show", {"integration": NAME, "key": "MADE"})["versions"]]
    equal(states, ["revoked"], "states after the third party refused")
    open(path, "w", encoding="ascii").close()
    os.chmod(path, 0o666)
    os.chmod(vault.folder, 0o755)
    done = vault.coffer("secret", "put", NAME, "MADE", "--generate=48", "--to-stdin-of", f"cat >{path}", uid=OPERATOR)
    equal(done.returncode, 0, f"secret put --generate: {done.stderr!r}")
    with open(path, encoding="ascii") as file:
        value = file.read()
    assert len(value) == 48 and value.isalnum(), "what the third party got"
    assert value.encode() not in done.stdout + done.stderr, "the command line shows it"
    equal(vault.fetch(NAME)["MADE"], value, "what the integration gets")


@suite.check
def a_test_counts_for_the_version_that_it_ran_with(vault):
    vault.grant(NAME, user="games")  # a user that every Debian has: root becomes it
    staged = canary()
    vault.must_coffer("secret", "put", NAME, KEY, "--stage", uid=OPERATOR, stdin=staged.encode())
    script = f'test "$API_TOKEN" = {staged}'
    for words, status in ((("/bin/sh", "-c", "exit 4"), 4), (("/bin/sh", "-c", script), 0)):
        done = vault.coffer("secret", "test", NAME, KEY, "--as", "games", "--", *words)
        equal(done.returncode, status, f"status of the test: {done.stderr!r}")
        refused = vault.coffer("secret", "promote", NAME, KEY, uid=OPERATOR)
        equal(refused.returncode == 0, status == 0, f"promote: {refused.stderr!r}")
    verdicts = vault.call("secret.show", {"integration": NAME, "key": KEY})["versions"][0]["tests"]
    equal([entry["exit_status"] for entry in verdicts], [0, 4], "verdicts, newest first")
    late = vault.must_coffer("secret", "put", NAME, KEY, "--stage", uid=OPERATOR, stdin=canary().encode())
    assert late is not None
    done = vault.coffer("secret", "test", NAME, KEY, "--as", "games", "--time-limit", "1", "--", "sleep", "1000")
    equal(done.returncode, 124, "status of a test that takes too long")
    equal(vault.coffer("secret", "promote", NAME, KEY, uid=OPERATOR).returncode, 65, "promote after it")


if __name__ == "__main__":
    suite.run()
