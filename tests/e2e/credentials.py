#!/usr/bin/python3
"""LoadCredential= over a socket: what a unit is started with, and that it is never an empty or a second value (P5).

The service manager is a fake that this test drives step by step (service_manager.py); host_credentials.py has the real one.
"""
import contextlib
import os
import random
import signal
import sys
import time

from coffer_test import ETL, Skip, Suite, canary, equal
from processes import ends_all
from service_manager import REFUSED, Manager, Reader, Unit

NAME = "finance/warehouse-sync"
VALUE, LARGE = canary(), canary(40) * 1600  # 64000 bytes
ROUNDS = 25  # of kills at random
AT_ONCE = 100  # units, with three credentials each

DIED = 137  # as in die_at.c
IS_UNPROVEN = (
    "challenge" in sys.argv
)  # a build without SO_PEERPIDFD: who asks is root in this cgroup, and no more is proven

suite = Suite(limits={"fetches_per_minute": 1000000, "shutdown_ms": 3000})


@suite.setup
def prepare(vault):
    vault.add(NAME, environment="sandbox")  # else a grant of a unit takes a second person
    vault.put(NAME, "API_TOKEN", VALUE)
    vault.put(NAME, "LARGE", LARGE)
    vault.put(NAME, "OTHER", VALUE)
    equal(vault.stop(), 0, "exit status")


class World:
    """A running service of a manager, and a unit that is granted the integration."""

    def __init__(self, vault, mode=0o600, **more):
        self.vault = vault
        self.manager = Manager(vault, mode)
        self.manager.start(**more)
        self.unit = Unit()
        vault.grant(NAME, unit=self.unit.name)

    def ask(self, credential="API_TOKEN", unit=None, **more):
        return Reader(self.manager.path, unit or self.unit, credential, **more)

    def answer(self, *words, **more):
        return self.manager.answer_of(self.ask(*words, **more))

    def deliveries(self):
        """How many the audit log has of this unit, by outcome."""
        records = [
            r for r in self.vault.audit() if r["kind"] == "credential.deliver" and r["unit"] == self.unit.name
        ]
        return [record["outcome"] for record in records]

    def must_say(self, text):
        assert text in self.vault.log_text(), f"the log does not say {text!r}: {self.vault.log_tail()}"


@contextlib.contextmanager
def invocation_of(unit):
    """The link that the service manager makes for a unit that runs."""
    folder = "/run/systemd/units"
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f"invocation:{unit.name}")
    os.symlink("0123456789abcdef0123456789abcdef", path)
    try:
        yield
    finally:
        os.unlink(path)


# ---- refusals first ----


@suite.check
@ends_all
def a_root_service_that_asks_in_another_units_name_is_refused_with_a_record(vault):
    world = World(vault)
    other = Unit()
    equal(world.answer(unit=other, what=f"{world.unit.name}/API_TOKEN"), REFUSED, "another unit's name")
    world.must_say("the process that asks is not in that unit")
    record = vault.audit()[-1]
    unit = "" if IS_UNPROVEN else other.name
    equal((record["outcome"], record["unit"]), ("denied", unit), "outcome and unit of the record")
    equal(
        (record["kind"], record["detail"]),
        ("credential.deliver", "the process that asks is not in that unit"),
        "record",
    )
    equal(record["subject"], f"credential='API_TOKEN' claims='{world.unit.name}'", "what it claims")
    reader = Reader(world.manager.path, None, "API_TOKEN", what=f"{world.unit.name}/API_TOKEN")
    equal(world.manager.answer_of(reader), REFUSED, "from no unit at all")


@suite.check
@ends_all
def what_is_not_granted_is_refused_and_the_log_names_unit_and_credential(vault):
    world = World(vault)
    stranger = Unit()
    equal(world.answer(unit=stranger), REFUSED, "a unit without a grant")
    world.must_say(f"{stranger.name}: credential API_TOKEN refused")
    equal(world.answer("ABSENT"), REFUSED, "a key that is not there")
    world.must_say(f"{world.unit.name}: credential ABSENT refused")
    equal(world.manager.kept, {}, "connections that are kept")
    assert "ok" not in world.deliveries(), world.deliveries()


@suite.check
@ends_all
def somebody_else_than_root_is_refused_even_where_the_file_lets_them_in(vault):
    world = World(vault, mode=0o666)
    equal(world.answer(uid=ETL), REFUSED, "a user in the unit")
    world.must_say("root")


@suite.check
@ends_all
def names_that_no_service_manager_makes_are_refused(vault):
    world = World(vault)
    name = world.unit.name
    for what in (
        name,
        f"{name}/",
        f"{name}/a/API_TOKEN",
        f"{name}/..",
        f"../{name}/API_TOKEN",
        f"{name}/API_TOKEN\0",
    ):
        equal(world.answer(what=what), REFUSED, repr(what))


@suite.check
@ends_all
def without_a_service_manager_the_socket_is_not_served(vault):
    manager = Manager(vault)
    manager.launch(has_notify=False)
    manager.until(lambda: "credentials of units are not served" in vault.log_text(), "the log says so")
    with vault.client() as client:
        client.must_be_open()
    equal(vault.stop(), 0, "exit status")


@suite.check
@ends_all
def a_manager_that_does_not_confirm_costs_five_seconds_and_a_refusal_and_nobody_else_a_wait(vault):
    world = World(vault)
    world.manager.passes_barriers = False
    began = time.monotonic()
    reader = world.ask()
    world.manager.until(lambda: world.manager.held, "a barrier")
    with vault.client() as client:
        asked = time.monotonic()
        client.must_be_open()
        took = time.monotonic() - asked
    equal(world.manager.answer_of(reader), REFUSED, "answer")
    waited = time.monotonic() - began
    assert 4.9 < waited < 25, f"refused after {waited:.1f} s"
    assert took < 0.9, f"somebody else waited {took:.1f} s"
    world.manager.pass_barriers()
    equal(world.answer(), VALUE.encode(), "the next one")


# ---- what is given ----


@suite.check
@ends_all
def a_granted_credential_is_the_value_byte_for_byte_with_a_record(vault):
    world = World(vault)
    equal(world.answer(), VALUE.encode(), "API_TOKEN")
    equal(world.answer("LARGE"), LARGE.encode(), "LARGE")
    equal(world.deliveries(), ["ok", "ok"], "records")
    world.manager.until(lambda: not world.manager.kept, "nothing is kept")
    equal((world.manager.stored, world.manager.barriers >= 1), (2, True), "stored, barriers")


@suite.check
@ends_all
def the_manager_itself_may_ask_again_for_a_running_unit(vault):
    """RefreshOnReload=credentials: the process that asks is in init.scope."""
    world = World(vault)
    equal(world.answer(), VALUE.encode(), "at its start")
    init = Unit("init.scope")
    with invocation_of(world.unit):
        equal(world.answer(), VALUE.encode(), "at its start, told by its invocation")
        equal(world.answer(unit=init, what=f"{world.unit.name}/API_TOKEN"), VALUE.encode(), "again")
    equal(world.answer(unit=init, what="never-granted.service/API_TOKEN"), REFUSED, "no grant")


@suite.check
@ends_all
def a_hundred_units_that_start_at_once_get_all_their_credentials(vault):
    world = World(vault)
    wanted = {"API_TOKEN": VALUE, "OTHER": VALUE, "LARGE": LARGE}
    readers = []
    for _ in range(AT_ONCE):
        readers += [world.ask(key) for key in wanted]
        world.manager.work()
    for reader in readers:
        equal(
            world.manager.answer_of(reader),
            wanted[reader.what.split("/")[1]].encode(),
            f"answer to {reader.what}",
        )
    equal(world.deliveries(), ["ok"] * len(readers), "records")
    world.manager.until(lambda: not world.manager.kept, "nothing is kept")


# ---- the end of the daemon ----


@suite.check
@ends_all
def who_asks_while_there_is_no_daemon_is_answered_by_the_next(vault):
    world = World(vault)
    world.manager.kill()
    reader = world.ask()
    world.manager.start()
    equal(world.manager.answer_of(reader), VALUE.encode(), "answer")


@suite.check
@ends_all
def who_waits_for_the_manager_when_the_daemon_is_stopped_is_answered(vault):
    world = World(vault)
    world.manager.passes_barriers = False
    reader = world.ask()
    world.manager.until(lambda: world.manager.held, "a barrier")
    vault.process.send_signal(signal.SIGTERM)
    time.sleep(0.1)
    assert vault.is_running(), "it did not wait"
    world.manager.pass_barriers()
    equal(world.manager.answer_of(reader), VALUE.encode(), "answer")
    equal(world.manager.stop() if vault.is_running() else vault.wait(), 0, "exit status")


@suite.check
@ends_all
def a_refusal_that_nobody_reads_outlives_the_daemon_and_never_turns_into_a_value(vault):
    world = World(vault)
    late = Unit()
    reader = world.ask(unit=late, is_gated=True)
    world.manager.until(
        lambda: f"{late.name}: credential API_TOKEN refused" in vault.log_text(), "the refusal"
    )
    vault.grant(NAME, unit=late.name)  # a moment too late: some of the refusal is on its way
    for end in (world.manager.stop, world.manager.kill):
        end()
        equal(len(world.manager.kept), 1, "connections that are kept")
        assert not reader.has_answered(), "the reader saw an end"
        world.manager.start()
    reader.go_on()
    equal(world.manager.answer_of(reader), REFUSED, "answer")
    equal(world.answer(unit=late), VALUE.encode(), "the next start of the unit")


@suite.check
@ends_all
def a_kill_between_keeping_and_answering_costs_nothing(vault):
    world = World(vault)
    world.manager.passes_barriers = False
    reader = world.ask()
    world.manager.until(lambda: world.manager.held, "a barrier")
    world.manager.kill()
    world.manager.pass_barriers()
    assert not reader.has_answered(), "the reader saw an end"
    world.manager.start()
    equal(world.manager.answer_of(reader), VALUE.encode(), "answer")
    equal(world.deliveries(), ["ok"], "records")
    world.manager.until(lambda: not world.manager.kept, "nothing is kept")


def check_kills(vault, is_granted):
    """Kills before the first call, the second …, until the daemon survives one more delivery."""
    world = World(vault)
    asked = world.unit if is_granted else Unit()
    answers = {"value": 0, REFUSED: 0}
    steps = 0
    while True:
        steps += 1 if steps < 40 else 3  # from there on it writes the refusal, piece by piece
        assert steps < 400, "the daemon never comes to the end"
        before = len(world.deliveries()) if is_granted else 0
        world.manager.kill()
        world.manager.start(LD_PRELOAD=vault.programs["die_at.so"], DIE_AT=str(steps))
        reader = world.ask(unit=asked)
        world.manager.until(
            lambda: not vault.is_running() or (reader.has_answered() and not world.manager.kept),
            "the end of the daemon or of its work",
        )
        if vault.is_running():
            return steps - 1, answers
        equal(vault.process.wait(1), DIED, "exit status")
        world.manager.work()
        world.manager.start()
        answer = world.manager.answer_of(reader)
        assert answer == REFUSED or (is_granted and answer == VALUE.encode()), f"{steps}: {answer[:80]!r}"
        answers["value" if answer != REFUSED else REFUSED] += 1
        given = world.deliveries()[before:].count("ok")
        assert answer == REFUSED or given >= 1, f"step {steps}: a value without a record"
        world.manager.until(lambda: not world.manager.kept, "nothing is kept")


def must_preload(vault):
    if vault.is_sanitized():
        raise Skip("a preloaded library and a sanitizer do not go together; the release build does it")


@suite.check
@ends_all
def a_kill_at_any_step_of_a_delivery_gives_the_value_once_or_a_refusal(vault):
    must_preload(vault)
    steps, answers = check_kills(vault, True)
    print(f"# killed at {sum(answers.values())} of {steps} steps: {answers}")
    assert steps > 8 and answers["value"] > 0 and answers[REFUSED] > 0, f"{steps} steps, {answers}"


@suite.check
@ends_all
def a_kill_at_any_step_of_a_refusal_is_a_refusal(vault):
    must_preload(vault)
    steps, answers = check_kills(vault, False)
    print(f"# killed at {sum(answers.values())} of {steps} steps: {answers}")
    assert steps > 8 and answers["value"] == 0, f"{steps} steps, {answers}"


@suite.check
@ends_all
def kills_at_random_under_load_give_no_unit_an_empty_or_a_cut_value(vault):
    world = World(vault)
    stranger = Unit()
    wanted = {"API_TOKEN": VALUE, "OTHER": VALUE, "LARGE": LARGE}
    given = refused = 0
    for _ in range(ROUNDS):
        readers = [world.ask(key) for key in wanted for _ in range(4)]
        strangers = [world.ask(unit=stranger) for _ in range(2)]
        end = time.monotonic() + random.uniform(0, 0.05)
        while time.monotonic() < end:
            world.manager.work()
        world.manager.kill()
        world.manager.start()
        for reader in readers:
            answer = world.manager.answer_of(reader)
            assert answer in (
                REFUSED,
                wanted[reader.what.split("/")[1]].encode(),
            ), f"{answer[:80]!r}, {len(answer)} bytes"
            given += answer != REFUSED
            refused += answer == REFUSED
        for reader in strangers:
            equal(world.manager.answer_of(reader), REFUSED, "a unit without a grant")
    print(f"# {ROUNDS} kills: {given} given, {refused} refused")
    assert given > 0
    world.manager.until(lambda: not world.manager.kept, "nothing is kept")


@suite.check
@ends_all
def the_daemon_starts_again_by_itself_for_the_last_check(vault):
    assert not os.path.exists(vault.socket), "a socket was left behind"
    vault.start()


if __name__ == "__main__":
    suite.run()
