#!/usr/bin/python3
"""A second person, with two real users and the command line: what is filed is not done, nobody approves for themselves behind
another account (P9), and a daemon that is killed at any step of an approval did it wholly or not at all (P5)."""
import json
import os
import random
import subprocess
import time

from coffer_test import AUDITOR, ETL, OPERATOR, SECOND_ADMIN, STRANGER, TWO_ADMINS, Suite, canary, equal

THIRD_ADMIN = 2004
NAME, KEY = "finance/warehouse", "API_TOKEN"

suite = Suite()
rng = random.Random(os.environ.get("COFFER_SEED", "coffer"))


@suite.setup
def prepare(vault):
    vault.write_config(
        roles={**TWO_ADMINS, "admin": f"root, {SECOND_ADMIN}, {THIRD_ADMIN}"},
        sections={"approval": {"require": "grant.add, grant.remove, secret.revoke"}},
    )
    vault.stop()
    vault.start()
    vault.add(NAME)
    vault.put(NAME, KEY, canary())


def coffer_behind(vault, login, uid, *words):
    """The exit status of `coffer` run by this user behind this login, or None where the kernel has no logins to set."""
    child = os.fork()
    if child == 0:
        try:
            with open("/proc/self/loginuid", "w", encoding="ascii") as file:
                file.write(str(login))
        except OSError:
            os._exit(200)
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        devnull = os.open("/dev/null", os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(devnull, fd)
        os.execve(vault.programs["coffer"], ["coffer", *words], vault.environment(COFFER_SOCKET=vault.socket))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return None if status == 200 else status


def file_grant(vault, user, name=NAME):
    done = vault.coffer("grant", "add", name, f"user={user}", uid=SECOND_ADMIN)
    equal(done.returncode, 75, f"grant add: {done.stdout!r} {done.stderr!r}")
    assert b"coffer request approve " in done.stderr, done.stderr
    return int(done.stderr.split(b"coffer request approve ")[1].split()[0])


def users_granted(vault, name=NAME):
    return {grant["rule"]["user"] for grant in vault.call("grant.list", {"integration": name})["grants"]}


def request(vault, number):
    return {one["id"]: one for one in vault.call("request.list", {"limit": 1000}, uid=AUDITOR)["requests"]}[number]


@suite.check
def nobody_approves_their_own_and_others_learn_nothing(vault):
    number = file_grant(vault, 3001)
    equal(vault.coffer("request", "approve", str(number), uid=SECOND_ADMIN).returncode, 77, "one's own")
    for uid in (OPERATOR, AUDITOR, STRANGER):
        equal(vault.coffer("request", "approve", str(number), uid=uid).returncode, 77, f"uid {uid}")
        equal(vault.coffer("request", "reject", str(number), uid=uid).returncode, 77, f"uid {uid}")
    equal(vault.coffer("request", "list", uid=STRANGER).returncode, 77, "a stranger's list")
    assert "3001" not in users_granted(vault)
    equal(request(vault, number)["state"], "pending", "state")
    equal(
        vault.coffer("request", "reject", str(number), "--note", "mistyped", uid=SECOND_ADMIN).returncode,
        0,
        "taken back",
    )
    equal(request(vault, number)["note"], "mistyped", "note")


@suite.check
def two_accounts_behind_one_login_are_one_person(vault):
    number = file_grant(vault, 3002)
    status = coffer_behind(vault, SECOND_ADMIN, THIRD_ADMIN, "request", "approve", str(number))
    if status is None:
        print("# not tested: no process may set its login here", flush=True)
        return
    equal(status, 77, "the requester's own login, as another admin")
    equal(
        coffer_behind(vault, SECOND_ADMIN, 0, "request", "approve", str(number)), 77, "the requester's login, as root"
    )
    assert "3002" not in users_granted(vault)
    equal(coffer_behind(vault, THIRD_ADMIN, THIRD_ADMIN, "request", "approve", str(number)), 0, "another person")
    assert "3002" in users_granted(vault)


@suite.check
def what_is_approved_is_done_once_and_says_who(vault):
    number = file_grant(vault, 3003)
    equal(file_grant(vault, 3003), number, "the number of the same request again")
    shown = vault.must_coffer("request", "list", NAME, "--state", "pending", uid=AUDITOR)
    assert "user=3003" in str(shown), shown
    done = vault.coffer("request", "approve", str(number), "--note", "agreed", uid=THIRD_ADMIN)
    equal(done.returncode, 0, f"approve: {done.stderr!r}")
    equal(vault.coffer("request", "approve", str(number), uid=0).returncode, 65, "a second time")
    assert "3003" in users_granted(vault)
    records = vault.audit(kind="grant.add", outcome="ok")
    equal(records[-1]["uid"], SECOND_ADMIN, "who did it")
    assert f"approved_by={THIRD_ADMIN} approval={number}" in records[-1]["subject"], records[-1]
    equal(vault.audit(kind="request.approve", outcome="ok")[-1]["uid"], THIRD_ADMIN, "who approved it")


@suite.check
def locked_grants_destroy_what_is_there(vault):
    vault.add("locked", lock_grants=True)
    vault.put("locked", KEY, canary())
    equal(
        vault.coffer("grant", "add", "locked", f"user={ETL}", uid=SECOND_ADMIN).returncode, 65, "without destroy_values"
    )
    done = vault.coffer("grant", "add", "locked", f"user={ETL}", "--destroy-values", uid=SECOND_ADMIN)
    equal(done.returncode, 75, f"with it: {done.stderr!r}")
    number = done.stderr.split(b"coffer request approve ")[1].split()[0].decode()
    equal(vault.coffer("request", "approve", number, uid=THIRD_ADMIN).returncode, 0, "approve")
    equal(
        [one["state"] for one in vault.call("secret.show", {"integration": "locked", "key": KEY})["versions"]],
        ["revoked"],
        "states",
    )
    value = canary()
    vault.put("locked", KEY, value)
    equal(vault.fetch("locked"), {KEY: value}, "a value put later")


@suite.check
def a_token_where_grants_are_locked_is_shown_to_whoever_asked(vault):
    vault.add("tokens", lock_grants=True)
    vault.put("tokens", KEY, canary())
    words = ["token", "create", "tokens", "first", "--user", str(ETL), "--description", "jobs"]
    equal(vault.coffer(*words, uid=SECOND_ADMIN).returncode, 65, "without destroy_values")
    words.append("--destroy-values")
    done = vault.coffer(*words, uid=SECOND_ADMIN)
    equal((done.returncode, done.stdout), (75, b""), f"with it: {done.stderr!r}")
    number = done.stderr.split(b"coffer request approve ")[1].split()[0].decode()
    done = vault.coffer("request", "approve", number, uid=THIRD_ADMIN)
    equal(done.returncode, 0, f"approve: {done.stderr!r}")
    assert b"coffer_" not in done.stdout + done.stderr, "the approver saw it"
    assert b"asking for it again" in done.stdout, done.stdout
    equal(
        [one["state"] for one in vault.call("secret.show", {"integration": "tokens", "key": KEY})["versions"]],
        ["revoked"],
        "states",
    )
    done = vault.coffer(*words, uid=SECOND_ADMIN)
    equal(done.returncode, 0, f"asked again: {done.stderr!r}")
    assert done.stdout.startswith(b"coffer_1_"), "no token"
    assert request(vault, int(number))["used_at"] is not None
    equal(vault.coffer(*words, uid=SECOND_ADMIN).returncode, 65, "a third time")


def number_in(done):
    """Of a request that was filed: what the command line said, and how it ended."""
    equal(done.returncode, 75, f"{done.args}: {done.stdout!r} {done.stderr!r}")
    assert b"coffer request approve " in done.stderr, done.stderr
    return done.stderr.split(b"coffer request approve ")[1].split()[0].decode()


def make_rotated(vault, name):
    """An integration with a value, and with a tester's grant for who rotates it."""
    vault.add(name)
    words = ["grant", "add", name, f"user={SECOND_ADMIN}", "--staged-only"]
    vault.must_coffer("request", "approve", number_in(vault.coffer(*words, uid=SECOND_ADMIN)), uid=THIRD_ADMIN)
    vault.put(name, KEY, canary())


def states(vault, name):
    return [one["state"] for one in vault.call("secret.show", {"integration": name, "key": KEY})["versions"]]


@suite.check
def a_rotation_stops_for_a_second_person_and_goes_on(vault):
    make_rotated(vault, "rotated")
    words = ["rotate", "rotated", KEY, "--test", "true", "--timeout", "30s"]
    done = vault.coffer(*words, uid=SECOND_ADMIN, stdin=canary().encode(), timeout=60)
    number = number_in(done)
    equal(states(vault, "rotated"), ["current", "draining"], "the new value is current at once")
    assert b"coffer rotate rotated API_TOKEN --resume" in done.stderr, done.stderr
    # Before the approval it stops at the same place, with the same number.
    resumed = vault.coffer(*words, "--resume", uid=SECOND_ADMIN, timeout=60)
    equal(number_in(resumed), number, "the number of the same request again")
    vault.must_coffer("request", "approve", number, uid=THIRD_ADMIN)
    equal(states(vault, "rotated"), ["current", "revoked"], "the approval revokes it")
    resumed = vault.coffer(*words, "--resume", uid=SECOND_ADMIN, timeout=60)
    equal(resumed.returncode, 0, f"--resume after the approval: {resumed.stderr!r}")
    equal(states(vault, "rotated"), ["current", "revoked"], "nothing is left to do")


@suite.check
def a_revoke_when_drained_waits_and_then_asks_a_second_person(vault):
    make_rotated(vault, "drained")
    vault.put("drained", KEY, canary())
    words = ["secret", "revoke", "drained", KEY, "1", "--when-drained", "--timeout", "30s"]
    number = number_in(vault.coffer(*words, uid=SECOND_ADMIN, timeout=60))
    equal(states(vault, "drained"), ["current", "draining"], "not done alone")
    vault.must_coffer("request", "approve", number, uid=THIRD_ADMIN)
    equal(states(vault, "drained"), ["current", "revoked"], "done")


def approve(vault, number):
    return subprocess.Popen(
        [vault.programs["coffer"], "request", "approve", str(number), "--json"], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/", env=vault.environment(COFFER_SOCKET=vault.socket),
        user=THIRD_ADMIN, group=THIRD_ADMIN, extra_groups=[],
    )  # fmt: skip


def time_of_an_approval(vault):
    began = time.monotonic()
    process = approve(vault, file_grant(vault, 3999))
    process.communicate(timeout=60)
    equal(process.returncode, 0, "an undisturbed approval")
    return time.monotonic() - began


@suite.check
def the_daemon_is_killed_at_any_step_of_an_approval(vault):
    whole = time_of_an_approval(vault)
    seen = {"done": 0, "not done": 0}
    acknowledged = 0
    rounds = 12 if vault.is_sanitized() else 60
    for turn in range(rounds):
        user, name = 4000 + turn, f"kills/{turn}"
        vault.add(name)
        number = file_grant(vault, user, name)
        process = approve(vault, number)
        time.sleep(whole * rng.uniform(0, 1.1))
        vault.kill()
        out = process.communicate(timeout=60)[0]
        vault.start()
        is_granted = str(user) in users_granted(vault, name)
        state = request(vault, number)["state"]
        equal(state, "approved" if is_granted else "pending", f"request {number}, granted: {is_granted}")
        records = [
            one for one in vault.audit(kind="grant.add", outcome="ok") if f"approval={number}" in one["subject"].split()
        ]
        equal(len(records), int(is_granted), "records of the grant")
        if process.returncode == 0:
            acknowledged += 1
            equal(json.loads(out)["request"]["id"], number, "number in the reply")
            assert is_granted, "acknowledged, and not there after the kill"
        seen["done" if is_granted else "not done"] += 1
        if not is_granted:
            equal(vault.coffer("request", "approve", str(number), uid=THIRD_ADMIN).returncode, 0, "approved again")
            assert str(user) in users_granted(vault, name)
    print(f"# {rounds} kills: {seen}, {acknowledged} acknowledged", flush=True)
    assert all(seen.values()), f"the kills hit one side only: {seen}"
    vault.must_coffer("audit", "verify")


if __name__ == "__main__":
    suite.run()
