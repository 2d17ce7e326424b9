#!/usr/bin/python3
"""Kills at any step of a rotation: the daemon or the command line, with SIGKILL.  Afterwards each step was wholly done or
not at all (P5), and `coffer rotate --resume` brings the rotation to its end."""
import contextlib
import os
import random
import signal
import subprocess
import time

from coffer_test import ETL, Suite, canary, equal, wait_until

ALICE = 2301
NAME, KEY = "finance/warehouse", "API_TOKEN"

suite = Suite()
rng = random.Random(os.environ.get("COFFER_SEED", "coffer"))


@suite.setup
def prepare(vault):
    vault.write_config(roles={"operator": f"2001, {ALICE}"})
    vault.stop()
    vault.start()
    vault.add(NAME)
    vault.grant(NAME, user=ETL)
    vault.call("grant.add", {"integration": NAME, "rule": {"user": str(ALICE)}, "staged_only": True})


def versions(vault):
    return vault.call("secret.show", {"integration": NAME, "key": KEY})["versions"]


def state_of(vault):
    """One word for how far the rotation has come; what must never be is an error here."""
    states = [entry["state"] for entry in versions(vault)]
    equal(states.count("current"), 1, f"current versions in {states}")
    assert states.count("staged") <= 1 and states.count("draining") <= 1, f"states: {states}"
    if "staged" in states:
        newest = versions(vault)[0]
        return "tested" if newest["tested"] else "staged"
    return "draining" if "draining" in states else "done"


def current_value(vault):
    """As the integration gets it, in a process that is gone afterwards."""
    done = vault.coffer("run", NAME, "--", "/bin/sh", "-c", f'printf %s "${KEY}"', uid=ETL)
    equal(done.returncode, 0, f"coffer run: {done.stderr!r}")
    return done.stdout.decode()


def kill_group(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def begin_rotation(vault, value):
    process = subprocess.Popen(
        [vault.programs["coffer"], "rotate", NAME, KEY, "--test", 'test -n "$API_TOKEN"'],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, cwd="/",
        env=vault.environment(COFFER_SOCKET=vault.socket), user=ALICE, group=ALICE, extra_groups=[],
    )  # fmt: skip
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(value.encode())
        process.stdin.close()
    process.stdin = None
    return process


def finish(vault, was_stored):
    """--resume, again where a killed process is still a holder for a moment."""
    if not was_stored:
        return
    done = vault.coffer("rotate", NAME, KEY, "--test", 'test -n "$API_TOKEN"', "--resume", "--timeout", "60s", uid=ALICE, timeout=120)
    equal(done.returncode, 0, f"coffer rotate --resume: {done.stdout!r} {done.stderr!r}")
    equal(state_of(vault), "done", "after --resume")


def time_of_a_rotation(vault):
    """How long an undisturbed one takes: the kills are spread over that."""
    began = time.monotonic()
    process = begin_rotation(vault, canary())
    text = process.communicate(timeout=120)[0]
    equal(process.returncode, 0, f"an undisturbed rotation: {text!r}")
    return time.monotonic() - began


def kills(vault, victim, rounds):
    vault.put(NAME, KEY, canary())
    finish(vault, True)
    whole = time_of_a_rotation(vault)
    seen = {}
    for turn in range(rounds):
        before = versions(vault)[0]["version"]
        old = current_value(vault)
        new = canary()
        process = begin_rotation(vault, new)
        time.sleep(whole * rng.uniform(0, 1.05))
        if victim == "daemon":
            vault.kill()
            process.communicate(timeout=120)
            vault.start()
        else:
            kill_group(process)
        state = state_of(vault)
        was_stored = versions(vault)[0]["version"] > before
        seen[state if was_stored else "nothing"] = seen.get(state if was_stored else "nothing", 0) + 1
        equal(current_value(vault), new if was_stored and state in ("draining", "done") else old, f"value when {state}")
        finish(vault, was_stored)
        equal(current_value(vault), new if was_stored else old, "value at the end")
        wait_until(
            lambda: not vault.call("holder.list", {"integration": NAME, "key": KEY})["holders"], "nobody holds it"
        )
    print(f"# {rounds} kills of the {victim}: " + ", ".join(f"{n} × {word}" for word, n in sorted(seen.items())), flush=True)
    assert len(seen) >= 3, f"the kills hit hardly any step: {seen}"
    records = vault.must_coffer("audit", "verify")
    assert records is not None


@suite.check
def the_daemon_is_killed_at_any_step_of_a_rotation(vault):
    kills(vault, "daemon", 8 if vault.is_sanitized() else 40)


@suite.check
def the_command_line_is_killed_at_any_step_of_a_rotation(vault):
    kills(vault, "rotation", 8 if vault.is_sanitized() else 40)


if __name__ == "__main__":
    suite.run()
