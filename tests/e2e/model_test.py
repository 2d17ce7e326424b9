#!/usr/bin/python3
"""The daemon answers as the documents say: random requests of several users and live processes, each predicted by model.py.

Hypothesis draws lists of operations; each becomes one or more requests on kept connections of one daemon.  A list that
goes wrong is made smaller and printed whole, with all that was asked and answered.

    model_test.py [--quick] [--steps=N] [--seed=N] [--replay=HEX] PROGRAMS

A step is one request whose whole answer the model predicted.  --seed repeats a run; --replay plays one list of
operations again, as a failure prints it.
"""
import base64
import contextlib
import os
import random
import signal
import sys
import time

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture.engine import ConjectureRunner
from hypothesis.reporting import with_reporter

from coffer_test import ADMIN, INTEGRATION, OPERATOR, TWO_ADMINS, Suite, equal, wait_until
from expected import text_of
from model_governance import PENDING
from model import CURRENT, DAY, DRAINING, REVOKED, STAGED, Model, command_digest
from model_bench import MANAGER, MARK, SECOND_PERSON, Bench, Disagreement

STEPS, QUICK_STEPS = 100_000, 5_000
OPERATIONS = 90  # in one list
STEPS_OF_A_LIST = 250  # about
CHOICES = (
    12  # bytes of one operation: what, by whom, with which fields; the last two say what is looked at then
)

ONE, TWO, THREE, GROUP = 2101, 2102, 2103, 2200
# The processes that fetch: uid, gid, groups.  Root and the operator get nothing by their roles.
IDENTITIES = (
    (ONE, ONE, ()),
    (TWO, TWO, (GROUP,)),
    (ONE, ONE, (GROUP,)),
    (TWO, TWO, ()),
    (THREE, GROUP, ()),
    (OPERATOR, OPERATOR, ()),
    (ADMIN, ADMIN, ()),
)
PROCESSES = 4
KEYS = ("API_TOKEN", "DB_PASSWORD", "PEM")
TESTS = ("test -n x", "exit 7")
NO_RUN = "0" * 26

suite = Suite(
    limits={
        "fetches_per_minute": 1_000_000,
        "integrations": 100_000,
        "idle_ms": 3_600_000,
        "first_line_ms": 60_000,
    },
    in_memory=True,
    roles=TWO_ADMINS,
    sections={"approval": {"require": ", ".join(SECOND_PERSON)}},
)


def in_days(days):
    return text_of(time.time() + days * DAY)


class Choice:
    """The bytes of one operation, as choices; zero always chooses what comes first."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def below(self, number):
        self.at += 1
        return self.data[self.at - 1] * number >> 8 if self.at <= len(self.data) else 0

    def of(self, *things):
        return things[self.below(len(things))]

    def one_in(self, number):
        return self.below(number) == number - 1


class Player:
    """Plays one list of operations in a workspace of its own."""

    def __init__(self, bench):
        self.bench, self.model = bench, bench.model
        self.workspace = bench.begin()
        self.names = [f"{self.workspace}/{slug}" for slug in ("a", "b", "c")]
        self.repeatable = []  # requests with a request_id that went well

    def play(self, operations):
        self.begin(Choice(operations[0]))
        for data in operations:
            choice = Choice(data[1:-2])
            WEIGHED_OPERATIONS[data[0]](self, choice)
            WEIGHED_LOOKS[data[-2]](self, data[-1])
        self.look_at_everything()
        self.bench.clear(self.workspace)

    def begin(self, choice):
        admin, operator = self.bench.admin, self.bench.operator
        test = {**choice.of({}, {"test": TESTS[0]}), **choice.of({}, {"managed_by": [str(MANAGER)]})}
        self.head = self.bench.step(self.bench.auditor, "audit.list", {"limit": 1})[1]["head"]["seq"]
        place = {"environment": choice.of("sandbox", "sandbox", "sandbox", "production")}
        self.bench.step(admin, "integration.add", {"name": self.names[0], **INTEGRATION, **test, **place})
        self.bench.step(
            admin, "integration.add", {"name": self.names[2], **INTEGRATION, "environment": "sandbox"}
        )
        self.bench.step(
            admin,
            "integration.add",
            {
                "name": self.names[1],
                **INTEGRATION,
                "owner": "Ada",
                "labels": {"tier": "1"},
                "managed_by": [f"%{GROUP}"],
            },
        )
        self.bench.have_done(admin, "grant.add", {"integration": self.names[0], "rule": {"user": str(ONE)}})
        if choice.one_in(3):
            self.bench.have_done(
                admin, "grant.add", {"integration": self.names[1], "rule": {"user": str(ONE)}}
            )
        self.bench.step(
            operator, "secret.put", {"integration": self.names[0], "key": KEYS[0], "value": MARK + "first"}
        )

    # choices that many operations make

    def name(self, choice):
        return choice.of(
            *[self.names[0]] * 9, *[self.names[1]] * 3, self.names[2], self.workspace + "/absent"
        )

    def key(self, choice):
        return choice.of(*[KEYS[0]] * 5, *[KEYS[1]] * 3, KEYS[2], KEYS[2], "NO_SUCH_KEY")

    def place(self, choice, state):
        """An integration and a key: mostly one that has a version in this state."""
        fitting = [
            {"integration": name, "key": key}
            for name in self.names
            for key, secret in self.model.integrations[name].secrets.items()
            if secret.in_state(state)
        ]
        if fitting and not choice.one_in(6):
            return choice.of(*fitting)
        return {"integration": self.name(choice), "key": self.key(choice)}

    def process(self, choice):
        return choice.of(*self.bench.processes)

    def writer(self, choice):
        bench = self.bench
        return choice.of(
            *[bench.operator] * 14,
            *[bench.admin] * 4,
            *[bench.manager] * 4,
            bench.auditor,
            bench.stranger,
            bench.processes[0],
        )

    def ruler(self, choice):
        bench = self.bench
        return choice.of(
            *[bench.admin] * 18,
            *[bench.manager] * 3,
            bench.operator,
            bench.auditor,
            bench.stranger,
            bench.processes[0],
        )

    def reader(self, choice):
        bench = self.bench
        return choice.of(bench.operator, bench.auditor, bench.admin)

    def secret(self, params):
        integration = self.model.integrations.get(params["integration"])
        return integration and integration.secrets.get(params["key"])

    def newest(self, params):
        secret = self.secret(params)
        return secret.newest() if secret else 0

    def change(self, choice, caller, method, params):
        if (
            choice.one_in(4) and method not in SECOND_PERSON
        ):  # what is filed keeps its number, which is not told apart here
            params["request_id"] = self.bench.fresh_id()
        word, _ = self.bench.step(caller, method, params)
        if word == "ok" and "request_id" in params:
            self.repeatable.append((caller, method, params))

    def value(self, choice):
        text = f"{MARK}{self.bench.steps}"
        raw = text.encode() + bytes(byte for byte in range(1, 256) if byte not in b"\r\n")
        return choice.of(
            {"value": text},
            {"value": text},
            {"value": text},
            {"value": text + ' "\\/é😀\u2028\u007f\t\u0001'},
            {"value": text + "\nand\r\nmore\n", "multiline": True},
            {"value": base64.b64encode(text.encode()).decode(), "encoding": "base64"},
            {"value": base64.b64encode(raw).decode(), "encoding": "base64"},
            {"value": base64.b64encode(raw + b"\n").decode(), "encoding": "base64", "multiline": True},
            {"value": text, "encoding": "utf8"},
            {"value": text.ljust(choice.of(63, 64, 65, 4096, 65535), "x")},
            {"value": text.ljust(choice.of(40, 257, 20000), "é")},
            choice.of(
                {"value": ""},
                {"value": text + "\nno line break"},
                {"value": text + "\rno line break"},
                {"value": "enFYOUt3A", "encoding": "base64"},
                {"value": base64.b64encode(text.encode() + b"\0").decode(), "encoding": "base64"},
                {"value": text.ljust(65536, "x")},
                {"value": base64.b64encode(text.encode().ljust(65536)).decode(), "encoding": "base64"},
            ),
        )

    # operations

    def rest(self, choice):
        """Nothing: what a smaller list is made of."""

    def put(self, choice):
        params = {"integration": self.name(choice), "key": self.key(choice)}
        params.update(self.value(choice))
        params.update(
            choice.of(
                *[{}] * 7, *[{"stage": True}] * 7, {"if_absent": True}, {"stage": True, "if_absent": True}
            )
        )
        newest = self.newest(params)
        params.update(
            choice.of(
                *[{}] * 12,
                {"expect_version": newest},
                {"expect_version": newest + 1},
                {"note": "by hand", "issuer_ref": f"ref-{newest}"},
                {"issuer": "https://issuer.example/keys", "description": "what it opens"},
                {"expires_at": in_days(choice.of(0.5, 3, 20, 400))},
                {"expires_at": in_days(-1)},
            )
        )
        self.change(choice, self.writer(choice), "secret.put", params)

    def fetch(self, choice):
        params = choice.of(*[{"integration": self.names[0]}] * 9, {}, {}, {"integration": self.names[1]})
        params = {**params, **choice.of({}, {"staged": True})}
        keys = list(KEYS)
        params.update(
            choice.of(
                {},
                *[{"optional": keys}] * 8,
                {"only": keys[:1]},
                {"only": keys[:2], "optional": keys[1:]},
                {"only": keys[1:], "optional": keys},
                {"only": ["NO_SUCH_KEY"]},
                {"only": ["NO_SUCH_KEY", KEYS[0]], "optional": ["NO_SUCH_KEY"]},
            )
        )
        if choice.one_in(12):
            params["integration"] = self.workspace + "/absent"
        able = [live for live in self.bench.processes if self.may(live, params)]
        caller = choice.of(*able * 16, *self.bench.processes, self.bench.stranger)
        self.bench.step(caller, "env.fetch", params)

    def may(self, live, params):
        """Whether a grant is there for this fetch; those who have none ask, too, but less often."""
        integration = self.model.integrations.get(params.get("integration", self.names[0]))
        tester = integration and params.get("staged") and integration.tester(live.who)
        return integration and (integration.full(live.who) or tester)

    def state_change(self, choice, method, state, more):
        params = {**self.place(choice, state), **more}
        newest = self.newest(params)
        params.update(choice.of(*[{}] * 10, {"expect_version": newest}, {"expect_version": newest + 1}))
        self.change(choice, self.writer(choice), method, params)

    def be_staged(self, choice):
        """A staged version for what needs one, mostly."""
        place = {"integration": self.names[0], "key": choice.of(*KEYS)}
        secrets = self.model.integrations[self.names[0]].secrets.values()
        if not any(secret.the(STAGED) for secret in secrets) and not choice.one_in(4):
            value = f"{MARK}{self.bench.steps}"
            self.bench.step(self.bench.operator, "secret.put", {**place, "value": value, "stage": True})

    def version(self, choice):
        return choice.of(1, 2, 3, 4, 99)

    def promote(self, choice):
        self.be_staged(choice)
        more = choice.of({}, {}, {}, {"version": self.version(choice)})
        self.state_change(choice, "secret.promote", STAGED, {**more, **choice.of({}, {}, {"untested": True})})

    def rollback(self, choice):
        more = choice.of({}, {"version": self.version(choice)}, {"version": self.version(choice)})
        self.state_change(choice, "secret.rollback", DRAINING, more)

    def revoke(self, choice):
        params = self.place(choice, choice.of(DRAINING, CURRENT))
        secret = self.secret(params)
        live = [version.number for version in secret.versions if version.state != REVOKED] if secret else []
        params["version"] = choice.of(*live[:6], *live[:6], self.version(choice))
        newest = self.newest(params)
        params.update(
            choice.of(
                {}, {}, {}, {"force": True}, {"force": True}, {"processes_only": True}, {"force": False}
            )
        )
        params.update(choice.of(*[{}] * 10, {"expect_version": newest}, {"expect_version": newest + 1}))
        self.change(choice, self.writer(choice), "secret.revoke", params)

    def remove(self, choice):
        self.state_change(choice, "secret.remove", REVOKED, {})

    def wipe(self, choice):
        """Revokes whatever a key has, and removes it."""
        params = self.place(choice, CURRENT)
        secret = self.secret(params)
        for version in secret.versions if secret else ():
            if version.state != REVOKED:
                wanted = {**params, "version": version.number, "force": True}
                self.bench.have_done(self.bench.operator, "secret.revoke", wanted)
        self.change(choice, self.writer(choice), "secret.remove", params)

    def run(self, choice, wanted):
        """(a process, a run): mostly one that is wanted and the process that it belongs to."""
        runs = list(self.model.runs.values())
        pairs = [
            (live, run)
            for run in runs
            if wanted(run)
            for live in self.bench.processes
            if live.who is run.process
        ]
        if pairs and not choice.one_in(5):
            caller, run = choice.of(*reversed(pairs[-6:]))
            return caller, run.number
        return self.process(choice), choice.of(*[run.number for run in runs[-4:]], NO_RUN)

    def record_test(self, choice):
        if not any(map(self.is_testable, self.model.runs.values())):
            self.be_staged(choice)
            params = {"integration": self.names[0], "staged": True, "optional": list(KEYS)}
            able = [live for live in self.bench.processes if self.may(live, params)]
            if able:
                self.bench.step(choice.of(*able), "env.fetch", params)
        caller, run = self.run(choice, self.is_testable)
        judged = self.model.runs.get(run)
        test = (judged and judged.integration.fields.get("test")) or TESTS[0]
        params = choice.of(
            *[{"passed": True, "exit_status": 0}] * 6,
            {"passed": False, "exit_status": 1},
            {"passed": False, "exit_status": 255},
            {"passed": False, "exit_status": 124},
            {"passed": False, "exit_status": 0},
            {"passed": True, "exit_status": 1},
            {"passed": False, "exit_status": 256},
        )
        digest = command_digest("/bin/sh", "-c", choice.of(test, test, test, TESTS[1]))
        params = {"run": run, **params, "command_digest": digest, "duration_ms": choice.of(12, 0, 3_600_000)}
        self.change(choice, caller, "secret.record_test", params)

    @staticmethod
    def is_testable(run):
        return not run.is_judged and any(
            staged and version.state == STAGED for _, version, staged in run.gave
        )

    def release(self, choice):
        caller, run = self.run(choice, lambda run: not run.is_released)
        self.change(choice, caller, "holder.release", {"run": run})

    def run_end(self, choice):
        caller, run = self.run(choice, lambda run: not run.is_released)
        status = choice.of(0, 0, 1, 137, 255, 256)
        others = [live for live in self.bench.processes if live.who.uid == caller.who.uid]
        self.change(choice, choice.of(caller, *others), "run.end", {"run": run, "exit_status": status})

    def end(self, choice):
        how = choice.of(
            ("exit", 0), ("exit", 3), ("signal", int(signal.SIGKILL)), ("signal", int(signal.SIGTERM))
        )
        self.bench.replace(choice.below(PROCESSES), choice.of(*IDENTITIES), *how)

    def grant_add(self, choice):
        rule = choice.of(
            {"user": str(ONE)},
            {"user": str(TWO)},
            {"group": str(GROUP)},
            {"user": str(ONE)},
            {"group": str(GROUP)},
            {"user": str(ONE), "group": str(GROUP)},
            {"user": "root"},
            {"user": "0"},
            {"user": str(OPERATOR)},
            {"user": str(TWO), "unit": "etl.service"},
            {"unit": "etl@*.service"},
            {"user": str(THREE)},
            {"user": str(ONE), "token": True},
            {"group": str(GROUP), "token": True},
            {"token": True},
            choice.of({"user": "no-such-user"}, {"group": "no-such-group"}, {"unit": "etl"}, {}, {"user": 7}),
        )
        params = {
            "integration": self.name(choice),
            "rule": rule,
            **choice.of({}, {"staged_only": True}, {"staged_only": False}),
        }
        self.ask_for(choice, "grant.add", params)

    def grant_remove(self, choice):
        name = self.name(choice)
        integration = self.model.integrations.get(name)
        numbers = list(integration.grants) if integration else []
        params = {"integration": name, "id": choice.of(*numbers, *numbers, *numbers, 999_999_999)}
        self.ask_for(choice, "grant.remove", params)
        for watching in list(self.bench.watchings):
            self.bench.hear(watching)

    def ask_for(self, choice, method, params):
        """Asks for what may need a second person, who is mostly there."""
        caller = self.ruler(choice)
        if choice.one_in(3):
            self.change(choice, caller, method, params)
        else:
            self.bench.have_done(caller, method, params)

    # people, tokens, states

    def decide(self, choice):
        """Approves or rejects what waits, or what does not."""
        bench = self.bench
        pending = [one.number for one in self.model.approvals.values() if one.state == PENDING]
        others = list(self.model.approvals)[-3:]
        number = choice.of(*pending[:6], *pending[:6], *others, 999_999_999)
        caller = choice.of(
            *[bench.second] * 8, *[bench.admin] * 3, bench.operator, bench.manager, bench.stranger
        )
        method = choice.of("request.approve", "request.approve", "request.approve", "request.reject")
        bench.step(caller, method, {"id": number, **choice.of({}, {"note": "seen"})})
        self.hear(choice)

    def token_create(self, choice):
        user = choice.of(str(ONE), str(ONE), str(TWO), str(THREE), "no-such-user")
        params = {
            "integration": self.name(choice),
            "token_name": choice.of("nightly", "nightly", "other", "third"),
            "description": "tells one job from another",
            "user": user,
            **choice.of({}, {}, {"expires_at": in_days(30)}),
        }
        self.bench.step(self.ruler(choice), "token.create", params)

    def token_revoke(self, choice):
        name = self.name(choice)
        integration = self.model.integrations.get(name)
        numbers = list(integration.tokens) if integration else []
        params = {"integration": name, "id": choice.of(*numbers, *numbers, 999_999_999)}
        self.change(choice, self.ruler(choice), "token.revoke", params)
        self.hear(choice)

    def authenticate(self, choice):
        """A token of the process's own user, mostly."""
        caller = self.process(choice)
        tokens = [token for one in self.model.integrations.values() for token in one.tokens.values()]
        own = [token for token in tokens if token.uid == caller.who.uid and token.revoked is None]
        texts = [token.text for token in own * 6 + tokens[-4:]]
        absent = "coffer_1_" + "0" * 52 + "_00000000"
        self.bench.step(caller, "session.authenticate", {"token": choice.of(*texts, absent)})

    def suspend(self, choice):
        method = choice.of("integration.suspend", "integration.resume", "integration.resume")
        params = {"name": self.name(choice), **choice.of({}, {"reason": "an incident"})}
        self.change(choice, self.ruler(choice), method, params)
        self.hear(choice)

    def retire(self, choice):
        """Not one of those that everything else is about, and whoever manages one would see it for ever."""
        name = choice.of(*[self.names[2]] * 6, self.workspace + "/absent")
        if name in self.names and self.model.integrations[name].fields.get("managed_by"):
            return
        self.ask_for(
            choice, "integration.retire", {"name": name, **choice.of({}, {"reason": "no longer needed"})}
        )
        self.hear(choice)

    def review(self, choice):
        bench = self.bench
        caller = choice.of(bench.operator, bench.manager, bench.admin, bench.auditor, bench.stranger)
        params = {"name": self.name(choice), **choice.of({}, {"note": "as it should be"})}
        self.change(choice, caller, "integration.review", params)

    def transfer(self, choice):
        what = choice.of(
            {"name": self.names[0]},
            {"name": self.name(choice)},
            {"from_owner": "Nobody at all"},
            {},
            {"from_owner": "Ada", "name": self.names[0]},
        )
        params = {**what, "owner": choice.of("Ada", "Grace"), "contact": "desk@example.org"}
        self.change(
            choice,
            self.ruler(choice),
            "integration.transfer",
            {**params, **choice.of({}, {"reason": "moved on"})},
        )

    def edit(self, choice):
        changes = choice.of(
            {"environment": "sandbox"},
            {"environment": "production"},
            {"test": TESTS[0]},
            {"test": TESTS[1]},
            {"test": ""},
            {"title": "Another title", "purpose": "to see it change", "systems": ["crm", "warehouse"]},
            {"labels": {"tier": "1", "team": "data"}, "owner": "Ada"},
            {"purpose": "", "systems": []},
            {"expires_at": in_days(400)},
            {"expires_at": in_days(-1)},
            {"expires_at": ""},
            {"expires_at": ""},
            {"rate_limit": choice.of(1_000_000, 1_000_000, 2, 3)},
            choice.of({"title": ""}, {"rate_limit": 0}, {"access": "both"}, {"rotate_after": "12h"}),
            choice.of({}, {"systems": "crm"}, {"colour": "red"}),
            {"managed_by": []},
            {"managed_by": [str(MANAGER)]},
            {"managed_by": [f"%{GROUP}", str(MANAGER)]},
            {"managed_by": choice.of(["no-such-user"], ["%no-such-group"], ["root"])},
            {
                "access": "read-only",
                "rotate_after": "never",
                "rotate_reason": "it opens nothing",
                "review_after": "30d",
                "expected_every": "365d",
            },
        )
        self.ask_for(choice, "integration.edit", {"name": self.name(choice), **changes})

    def add(self, choice):
        name = choice.of(
            self.names[0], self.workspace + "/Upper", self.workspace + "/a/b", self.workspace + "/"
        )
        params = {
            "name": name,
            **INTEGRATION,
            **choice.of({}, {"title": ""}, {"environment": "sandbox"}, {"labels": 1}),
        }
        self.change(choice, self.ruler(choice), "integration.add", params)

    def watch(self, choice):
        if len(self.bench.watchings) < 4:
            params = choice.of(*[{"integration": self.names[0]}] * 4, {}, {"integration": self.name(choice)})
            self.bench.watch(self.process(choice), params)

    def hear(self, choice):
        for watching in list(self.bench.watchings):
            self.bench.hear(watching)

    def repeat(self, choice):
        """The same request_id again: the same content, other values, another content, another user."""
        if not self.repeatable:
            return
        caller, method, params = choice.of(*reversed(self.repeatable[-12:]))
        if caller.who.end is not None:
            return
        how = choice.below(6)
        if how == 1 and method == "secret.put":
            params = (
                {**params, "value": MARK + "again", "encoding": "utf8"}
                if "encoding" in params
                else {**params, "value": MARK + "again"}
            )
        elif how == 2:
            params = {**params, **self.other_content(method)}
        elif how == 3 and caller in (self.bench.operator, self.bench.admin):
            caller = self.bench.admin if caller is self.bench.operator else self.bench.operator
        self.bench.step(caller, method, params)

    def other_content(self, method):
        integration = {"integration": self.names[1]}
        return {
            "secret.record_test": {"duration_ms": 77},
            "holder.release": {"run": NO_RUN},
            "run.end": {"exit_status": 9},
            "integration.edit": {"purpose": "another one"},
            "integration.add": {"purpose": "another one"},
            "secret.put": {"note": "another one"},
        }.get(method, integration)

    def malformed(self, choice):
        """What is refused for its form, whoever asks for it."""
        place = {"integration": self.names[0], "key": KEYS[0]}
        method, params = choice.of(
            ("secret.put", {**place, "value": 7}),
            ("secret.put", place),
            ("secret.put", {**place, "value": MARK, "stage": 1}),
            ("secret.put", {**place, "value": MARK, "colour": "red"}),
            ("secret.put", {**place, "key": "9LIVES", "value": MARK}),
            ("secret.put", {**place, "key": "PATH", "value": MARK}),
            ("secret.put", {**place, "key": "LD_PRELOAD", "value": MARK}),
            ("secret.put", {**place, "value": MARK, "encoding": "hex"}),
            ("secret.put", {**place, "value": MARK, "request_id": "XYZ"}),
            ("secret.promote", {**place, "version": -1}),
            ("secret.promote", {**place, "version": "1"}),
            ("secret.revoke", place),
            ("secret.show", {"integration": "UPPER", "key": KEYS[0]}),
            ("secret.list", {}),
            ("holder.list", {"key": KEYS[0]}),
            ("env.fetch", {"integration": 7}),
            ("env.fetch", {"only": KEYS[0]}),
            (
                "secret.record_test",
                {
                    "run": "short",
                    "passed": True,
                    "exit_status": 0,
                    "command_digest": "0" * 64,
                    "duration_ms": 1,
                },
            ),
            ("holder.release", {}),
            ("grant.add", {"integration": self.names[0], "rule": {"colour": "red"}}),
            ("run.list", {"integration": self.names[0], "days": "7"}),
            ("secret.get", place),
            ("SECRET.SHOW", place),
            ("session.prove", {"nonce": "0" * 32}),
            ("hello", {"protocol": [2, 3]}),
            ("whoami", {"uid": 0}),
        )
        caller = choice.of(self.bench.operator, self.bench.admin, self.bench.stranger, self.process(choice))
        self.bench.step(caller, method, params)

    # looks: what an operation must have left behind

    def see(self, number, method, params):
        bench = self.bench
        callers = [bench.operator, bench.auditor, bench.admin, bench.manager] * 6 + [
            bench.stranger,
            *bench.processes,
        ]
        bench.step(callers[number % len(callers)], method, params)

    def see_nothing(self, number):
        pass

    def see_secret(self, number):
        name = self.names[number % 8 == 7]
        keys = [*self.model.integrations[name].secrets] * 3 + [*KEYS]
        params = {"integration": name, "key": keys[number % len(keys)]}
        self.see(number >> 1, "secret.show", params)

    def see_secrets(self, number):
        self.see(number >> 1, "secret.list", {"integration": self.names[number & 1]})

    def see_holders(self, number):
        params = {
            "integration": self.names[number % 4 == 3],
            **({"key": KEYS[number % 3]} if number & 4 else {}),
        }
        everywhere, nowhere = {}, {"integration": self.workspace + "/absent"}
        self.see(number >> 2, "holder.list", (everywhere, nowhere, *[params] * 14)[number >> 4])

    def see_runs(self, number):
        more = ({}, {}, {"limit": 3}, {"days": 2})[number & 3]
        self.see(number >> 2, "run.list", {"integration": self.names[number % 8 == 7], **more})

    def see_usage(self, number):
        more = ({}, {}, {"days": 3}, {"days": 400})[number & 3]
        self.see(number >> 2, "usage.show", {"integration": self.names[number % 8 == 7], **more})

    def see_integration(self, number):
        self.see(number >> 1, "integration.show", {"name": self.names[number & 1]})

    def see_integrations(self, number):
        more = (
            {},
            {"owner": "Ada"},
            {"label": "tier"},
            {"label": "tier=1"},
            {"state": "active"},
            {"state": "retired"},
        )
        self.see(number >> 2, "integration.list", {"workspace": self.workspace, **more[number % 6]})

    def see_grants(self, number):
        self.see(number >> 1, "grant.list", {"integration": self.names[0]} if number & 1 else {})

    def see_touched(self, number):
        user = (str(OPERATOR), str(ONE), str(TWO), "root", "no-such-user", "0")[number % 6]
        more = {"integration": self.names[0]} if number & 1 else {}
        self.see(number >> 1, "secret.list", {"touched_by": user, **more})

    def see_oneself(self, number):
        callers = [*self.bench.processes, self.bench.stranger, self.bench.operator, self.bench.admin]
        self.bench.step(callers[number % len(callers)], ("whoami", "whoami", "status", "hello")[number & 3])

    def see_alerts(self, number):
        self.see(number >> 1, ("alert.list", "vault.metrics")[number >> 6 & 1], {})

    def see_tokens(self, number):
        self.see(number >> 1, "token.list", {"integration": self.names[0]} if number & 1 else {})

    def see_requests(self, number):
        more = ({}, {"state": "pending"}, {"integration": self.names[0]}, {"integration": self.names[1]})
        self.see(number >> 2, "request.list", more[number & 3])

    def see_status(self, number):
        self.bench.step(self.bench.auditor, ("status", "status", "status", "schema")[number >> 6])

    def look_at_everything(self):
        """The whole state once, from every side."""
        bench = self.bench
        for number, name in enumerate(self.names):
            self.see_integration(number)
            self.see(0, "holder.list", {"integration": name})
            self.see(0, "run.list", {"integration": name, "limit": 1000})
            for key in self.model.integrations[name].secrets:
                self.see(0, "secret.show", {"integration": name, "key": key})
            params = {"integration": name, "outcome": "ok", "after": self.head, "limit": 1000}
            bench.step(bench.auditor, "audit.list", params)
        self.see_alerts(0)
        self.see_status(0)


def weighed(table):
    """256 entries, as many of each as it weighs; the first one fills up."""
    entries = [function for function, weight in table[1:] for _ in range(weight)]
    return [table[0][0]] * (256 - len(entries)) + entries


P = Player
WEIGHED_OPERATIONS = weighed(
    [
        (P.rest, 0),
        (P.put, 34),
        (P.fetch, 46),
        (P.promote, 18),
        (P.rollback, 10),
        (P.revoke, 18),
        (P.remove, 4),
        (P.wipe, 4),
        (P.record_test, 18),
        (P.release, 12),
        (P.run_end, 6),
        (P.end, 4),
        (P.grant_add, 10),
        (P.grant_remove, 5),
        (P.edit, 5),
        (P.add, 2),
        (P.watch, 4),
        (P.hear, 3),
        (P.repeat, 6),
        (P.malformed, 8),
        (P.decide, 8),
        (P.token_create, 6),
        (P.token_revoke, 3),
        (P.authenticate, 10),
        (P.suspend, 5),
        (P.retire, 2),
        (P.review, 2),
        (P.transfer, 2),
    ]
)
WEIGHED_LOOKS = weighed(
    [
        (P.see_nothing, 0),
        (P.see_secret, 62),
        (P.see_holders, 45),
        (P.see_secrets, 20),
        (P.see_runs, 22),
        (P.see_integration, 8),
        (P.see_integrations, 8),
        (P.see_grants, 10),
        (P.see_touched, 16),
        (P.see_oneself, 20),
        (P.see_alerts, 12),
        (P.see_status, 6),
        (P.see_usage, 8),
        (P.see_tokens, 6),
        (P.see_requests, 6),
    ]
)


class Operations(list):
    """A list of operations that is printed as --replay takes it."""

    def __repr__(self):
        return b"".join(self).rstrip(b"\0").hex() or "00"


def operations_of(text):
    data = bytes.fromhex(text)
    return Operations(data[at : at + CHOICES].ljust(CHOICES, b"\0") for at in range(0, len(data), CHOICES))


ONE_OPERATION = st.binary(min_size=CHOICES, max_size=CHOICES)


def play(bench, operations):
    """One list of operations; whatever goes wrong, the vault is cleared for the next one."""
    player = Player(bench)
    try:
        player.play(operations)
    except Exception as error:
        text = f"{error}\nasked and answered, the last one is wrong:\n{bench.story()}--replay={operations!r}"
        bench.sweep(player.workspace)
        raise Disagreement(text) from error


# Each drawn list would be played five times over with two of its operations alike; new lists find more.
ConjectureRunner.generate_mutations_from = lambda runner, data: None


def explore(bench, number, examples, phases=(Phase.generate, Phase.shrink), tell=print):
    """Lists of operations from this seed, until one goes wrong."""

    @seed(number)
    @settings(
        max_examples=examples,
        phases=phases,
        deadline=None,
        database=None,
        derandomize=False,
        print_blob=True,
        # The time of an example is the daemon's, and its size is what is wanted.
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(st.lists(ONE_OPERATION, min_size=OPERATIONS, max_size=OPERATIONS).map(Operations))
    def some_operations(operations):
        play(bench, operations)

    with with_reporter(lambda text: tell(text, file=sys.stderr)):
        some_operations()


def argument(name, default):
    for word in suite.arguments:
        if word.startswith(f"--{name}="):
            return word.partition("=")[2]
    return default


def number_of(name, default):
    return int(argument(name, default))


def is_quick():
    return "--quick" in suite.arguments


# ---- the checks ----

# What random operations must have reached, or the agreement says nothing.
REACHED = {
    "hello": "ok unsupported",
    "schema": "ok",
    "whoami": "ok bad_request",
    "status": "ok",
    "session.prove": "denied",
    "integration.add": "ok conflict bad_name bad_value bad_request denied",
    "integration.list": "ok denied",
    "integration.show": "ok denied",
    "integration.edit": "ok not_found bad_value bad_request denied conflict approval_required retired",
    "grant.add": "ok conflict not_found bad_value bad_request denied approval_required",
    "grant.remove": "ok not_found denied",
    "grant.list": "ok denied",
    "secret.put": "ok conflict not_found bad_value bad_name reserved_name bad_request too_large denied",
    "secret.list": "ok not_found bad_request denied",
    "secret.show": "ok not_found bad_name denied",
    "secret.promote": "ok untested conflict not_found bad_request denied",
    "secret.rollback": "ok conflict not_found denied",
    "secret.revoke": "ok in_use conflict not_found bad_request denied approval_required",
    "secret.remove": "ok conflict not_found denied",
    "secret.record_test": "ok conflict bad_value bad_request denied",
    "env.fetch": "ok not_found conflict expired rate_limited bad_request denied suspended",
    "env.watch": "ok conflict denied",
    "holder.release": "ok bad_request denied",
    "holder.list": "ok not_found bad_request denied",
    "run.end": "ok conflict bad_value denied",
    "run.list": "ok bad_request denied",
    "alert.list": "ok denied",
    "vault.metrics": "ok denied",
    "usage.show": "ok denied",
    "integration.transfer": "ok not_found bad_request denied",
    "integration.review": "ok denied",
    "integration.suspend": "ok denied",
    "integration.resume": "ok conflict denied",
    "integration.retire": "ok retired not_found denied",
    "token.create": "ok conflict not_found bad_value denied",
    "token.revoke": "ok not_found denied",
    "token.list": "ok denied",
    "session.authenticate": "ok denied bad_value",
    "request.list": "ok denied",
    "request.approve": "ok conflict not_found denied",
    "request.reject": "ok conflict not_found denied",
    "audit.list": "ok",
    "secret.get": "unknown_method denied",
    "event": "current revoked ended",
}
RARE = {
    "integration.transfer",
    "integration.review",
    "integration.resume",
    "integration.retire",
    "token.revoke",
    "session.authenticate",
    "request.reject",
}
seen = {}  # (method, word) → how often, of the random operations


class NobodyHolds(Model):
    """A wrong model: whoever fetched is forgotten at once."""

    def secret_revoke(self, answer):
        super().secret_revoke(answer)
        version = self.find_secret(answer)[1].version(answer.get("version")) if answer.effect else None
        if version and version.state != CURRENT:
            answer.refusals.discard("in_use")


class EverythingIsTested(Model):
    """A wrong model: promoting needs no test."""

    def is_tested(self, integration, version):
        return bool(version.verdicts)


class ReleaseDoesNothing(Model):
    """A wrong model: a process that wiped its values holds them still."""

    def holder_release(self, answer):
        super().holder_release(answer)
        answer.effect = answer.effect and (lambda result, when: None)


class TestersAreFull(Model):
    """A wrong model: a grant for staged values gives the current ones, too."""

    @staticmethod
    def gets_staged_only(who, integration):
        return False


class RollbackForgets(Model):
    """A wrong model: the version before stays current when another one is promoted or rolled back."""

    def make_current(self, integration, secret, version, when):
        before = secret.the(CURRENT)
        super().make_current(integration, secret, version, when)
        if before and before.state == DRAINING:
            before.becomes(REVOKED, when)


class TokensLiveForEver(Model):
    """A wrong model: a token that was revoked still opens what it opened."""

    def token_revoke(self, answer):
        super().token_revoke(answer)
        answer.effect = answer.effect and (lambda result, when: None)


class OneselfIsEnough(Model):
    """A wrong model: who asked may approve."""

    def request_approve(self, answer):
        one = self.find_approval(answer)
        if one is not None and one.who.uid == answer.who.uid:
            answer.refusals.discard("denied")
        else:
            answer.refusals.clear()
            super().request_approve(answer)


class ManagersSeeAll(Model):
    """A wrong model: who manages one integration manages every one that has managers."""

    def manages(self, who, integration):
        return integration is not None and any(
            super(ManagersSeeAll, self).manages(who, one) for one in self.integrations.values()
        )


class SuspendedIsActive(Model):
    """A wrong model: a suspended integration hands out values."""

    def env_fetch(self, answer):
        super().env_fetch(answer)
        answer.refusals.discard("suspended")


def wrong_model_check(wrong):
    def check(vault):
        bench = Bench(vault, IDENTITIES[:PROCESSES], wrong)
        try:
            explore(bench, 1, 40, (Phase.generate,), lambda text, file: None)
        except Disagreement:
            return
        finally:
            bench.close()
        raise AssertionError(f"{bench.steps} steps and no difference")

    return check


for _wrong in (
    NobodyHolds,
    EverythingIsTested,
    ReleaseDoesNothing,
    TestersAreFull,
    RollbackForgets,
    TokensLiveForEver,
    OneselfIsEnough,
    ManagersSeeAll,
    SuspendedIsActive,
):
    suite.add(f"a_wrong_model_is_found_out_{_wrong.__name__}", wrong_model_check(_wrong))


@suite.setup
def leave_the_unit_of_whoever_runs_this(vault):
    """The model's callers belong to no unit; a group of processes that is nobody's is enough for that."""
    if vault.call("whoami")["unit"] is not None:
        with open("/sys/fs/cgroup/cgroup.procs", "w", encoding="ascii") as file:
            file.write(str(os.getpid()))
    equal(vault.call("whoami")["unit"], None, "unit of this program")


@suite.check
def what_has_expired_is_neither_handed_out_nor_made_current(vault):
    bench = Bench(vault, IDENTITIES[:1])
    workspace = bench.begin()
    name, live = workspace + "/a", bench.processes[0]

    def must(word, caller, method, **params):
        equal(bench.step(caller, method, params)[0], word, f"{method} {params}")

    def put(key, **more):
        must("ok", bench.operator, "secret.put", integration=name, key=key, value=MARK + key, **more)

    must("ok", bench.admin, "integration.add", name=name, environment="sandbox", **INTEGRATION)
    must("ok", bench.admin, "grant.add", integration=name, rule={"user": str(ONE)})
    soon = time.time() + 1.5
    for key in KEYS:
        put(key, expires_at=text_of(soon))
    put(KEYS[1])  # the one that expires is draining
    put(KEYS[2])
    put(KEYS[2], stage=True, expires_at=text_of(soon))
    must("ok", live, "env.fetch", integration=name)
    must("ok", bench.auditor, "alert.list")
    time.sleep(max(0, soon - time.time()) + 0.1)
    must("expired", live, "env.fetch", integration=name)
    must("expired", live, "env.fetch", integration=name, only=[KEYS[0]])
    must("ok", live, "env.fetch", integration=name, only=[KEYS[1]])
    must("expired", live, "env.fetch", integration=name, only=[KEYS[2]], staged=True)
    must("expired", bench.operator, "secret.rollback", integration=name, key=KEYS[1])
    must("expired", bench.operator, "secret.promote", integration=name, key=KEYS[2], untested=True)
    must("ok", bench.auditor, "secret.show", integration=name, key=KEYS[0])
    must("ok", bench.auditor, "alert.list")
    put(KEYS[0])
    must("ok", live, "env.fetch", integration=name)
    must("ok", bench.admin, "integration.edit", name=name, expires_at=text_of(time.time() + 0.5))
    wait_until(lambda: bench.model.integrations[name].is_expired(time.time() - 0.1), "it has expired")
    must("expired", live, "env.fetch", integration=name)
    bench.clear(workspace)
    bench.close()


@suite.check
def the_connection_of_a_process_that_has_ended_fetches_nothing(vault):
    bench = Bench(vault, IDENTITIES[:1])
    workspace, live = bench.begin(), bench.processes[0]
    name = workspace + "/a"
    bench.step(bench.admin, "integration.add", {"name": name, "environment": "sandbox", **INTEGRATION})
    bench.step(bench.admin, "grant.add", {"integration": name, "rule": {"user": str(ONE)}})
    bench.step(bench.operator, "secret.put", {"integration": name, "key": KEYS[0], "value": MARK})
    equal(bench.step(live, "env.fetch", {"integration": name})[0], "ok", "while it lives")
    live.end("exit", 0)
    with contextlib.suppress(ConnectionError):
        line = live.line.answer(bench.request(live.line, "env.fetch", {"integration": name}))
        assert line is None or b'"denied"' in line, f"answered: {line!r}"
    bench.processes.clear()
    bench.sweep(workspace)


@suite.check
def model_and_daemon_agree(vault):
    bench = Bench(vault, IDENTITIES[:PROCESSES])
    replay = argument("replay", "")
    if replay:
        play(bench, operations_of(replay))
        return
    steps = number_of("steps", QUICK_STEPS if is_quick() else STEPS)
    number = number_of("seed", random.SystemRandom().randrange(1 << 32))
    started = time.monotonic()
    print(f"# --seed={number}", flush=True)
    while bench.steps < steps:
        # Hypothesis stops at a number of lists, we at a number of steps.
        explore(bench, number, (steps - bench.steps) // STEPS_OF_A_LIST + 1)
        number += 1
    seen.update(bench.outcomes)
    bench.close()
    seconds = time.monotonic() - started
    print(f"# {bench.steps} steps in {bench.examples} lists of operations, {seconds:.0f} s")
    for method in sorted({method for method, _ in seen}):
        words = {word: count for (name, word), count in seen.items() if name == method}
        print(f"# {method}:", ", ".join(f"{word} {words[word]}" for word in sorted(words)))
    words = {word: sum(count for (_, one), count in seen.items() if one == word) for _, word in seen}
    print("# words:", ", ".join(f"{word} {words[word]}" for word in sorted(words)), flush=True)
    assert bench.steps >= steps, f"{bench.steps} steps"


@suite.check
def every_outcome_that_matters_was_reached(vault):
    if argument("replay", ""):
        return
    wanted = {(method, word) for method, words in REACHED.items() for word in words.split()}
    if is_quick():  # too few steps for the rare ones
        wanted = {
            (method, word) for method, word in wanted if word in ("ok", "current") and method not in RARE
        }
    missing = sorted(wanted - set(seen))
    assert not missing, f"never reached: {missing}"


if __name__ == "__main__":
    suite.run()
