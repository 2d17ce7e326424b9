"""What the vault must answer, worked out from the documents (PROTOCOL.md, PRODUCT.md, SECURITY.md) and nothing else.

A Model is a vault without sockets, files or clocks: roles, grants, versions and their states, runs, verdicts, the live
processes that hold something, and who watches.  expect() says what the answer to a request must be; whoever drives the
daemon compares with Answer.difference(), and lets what was answered take effect with Answer.settle().

Where the documents leave the order of checks open, every refusal that applies is right (Answer.refusals).  Where they
leave the answer itself open, a refusal may come (Answer.perhaps) or the result has a Matcher in that place.
"""
import hashlib
import json
import re
import struct
from dataclasses import dataclass, field, replace

from expected import (
    Anything,
    AtLeast,
    During,
    Either,
    Entry,
    Matcher,
    Members,
    Rows,
    SameTime,
    Text,
    difference,
    seconds_of,
    short,
    value_bytes,
)

from model_governance import ACTIVE, RETIRED, SUSPENDED, Governance, said


def command_digest(*arguments):
    """The digest of a test command, as PROTOCOL.md defines it under secret.record_test."""
    digest = hashlib.blake2b(b"coffer/command/1\0", digest_size=32)
    for argument in arguments:
        digest.update(struct.pack("<I", len(argument.encode())) + argument.encode())
    return digest.hexdigest()


RUN = Text("[0-9A-HJKMNP-TV-Z]{26}")
HASH = Text("[0-9a-f]{64}")

# word → (codes, whether the same request may succeed later)
ERRORS = {
    "bad_json": ({-32700}, False),
    "bad_request": ({-32600, -32602}, False),
    "unknown_method": ({-32601}, False),
    "denied": ({-32010}, False),
    "not_found": ({-32011}, False),
    "conflict": ({-32012}, False),
    "bad_name": ({-32013}, False),
    "reserved_name": ({-32014}, False),
    "bad_value": ({-32015}, False),
    "too_large": ({-32016}, False),
    "too_complex": ({-32017}, False),
    "in_use": ({-32018}, False),
    "untested": ({-32019}, False),
    "suspended": ({-32020}, False),
    "retired": ({-32021}, False),
    "expired": ({-32022}, False),
    "rate_limited": ({-32023}, True),
    "approval_required": ({-32024}, False),
    "busy": ({-32026}, True),
    "unsupported": ({-32030}, False),
}

# ---- the table of methods: right, duty, fields that are needed, fields that may be ----

INTEGRATION_FIELDS = (
    "title description owner contact backup_contact purpose systems scope access trigger schedule expected_every"
    " environment docs approval rotate_after rotate_reason review_after expires_at rate_limit test managed_by labels"
)
MANDATORY = ("title", "description", "owner", "contact")
OPTIONAL_FIELDS = " ".join(name for name in INTEGRATION_FIELDS.split() if name not in MANDATORY)

METHODS = {
    "hello": ("anyone", "read", "", "protocol client"),
    "schema": ("anyone", "read", "", ""),
    "whoami": ("anyone", "read", "", ""),
    "status": ("anyone", "read", "", ""),
    "session.prove": ("anyone", "read", "nonce", ""),
    "integration.add": (
        "admin",
        "change",
        "name " + " ".join(MANDATORY),
        OPTIONAL_FIELDS + " lock_grants request_id",
    ),
    "integration.list": ("viewer", "read", "", "owner state workspace label stale_after"),
    "integration.show": ("viewer", "read", "name", ""),
    "integration.edit": ("keeper", "change", "name", INTEGRATION_FIELDS + " request_id"),
    "grant.add": ("admin", "change", "integration rule", "credentials staged_only destroy_values request_id"),
    "grant.remove": ("admin", "change", "integration id", "request_id"),
    "grant.list": ("viewer", "read", "", "integration"),
    "secret.put": (
        "manager",
        "change",
        "integration key value",
        "encoding stage if_absent multiline description issuer access issuer_ref note expires_at expect_version request_id",
    ),
    "secret.list": ("viewer", "read", "", "integration touched_by"),
    "secret.show": ("viewer", "read", "integration key", ""),
    "secret.promote": ("manager", "change", "integration key", "version untested expect_version request_id"),
    "secret.rollback": ("manager", "change", "integration key", "version expect_version request_id"),
    "secret.revoke": (
        "manager",
        "change",
        "integration key version",
        "force processes_only expect_version request_id",
    ),
    "secret.edit": ("manager", "change", "integration key", "description issuer access request_id"),
    "secret.remove": ("manager", "change", "integration key", "expect_version request_id"),
    "secret.record_test": (
        "granted",
        "change",
        "run passed exit_status command_digest duration_ms",
        "request_id",
    ),
    "env.fetch": ("granted", "fetch", "", "integration staged only optional"),
    "env.watch": ("granted", "read", "", "integration"),
    "holder.release": ("granted", "change", "run", "request_id"),
    "holder.list": ("viewer", "read", "", "integration key"),
    "run.end": ("granted", "change", "run exit_status", "request_id"),
    "run.list": ("viewer", "read", "integration", "days limit"),
    "alert.list": ("viewer", "read", "", ""),
    "vault.metrics": ("reader", "read", "", ""),
    "integration.transfer": (
        "admin",
        "change",
        "owner contact",
        "name from_owner backup_contact reason request_id",
    ),
    "integration.review": ("manager", "change", "name", "note request_id"),
    "integration.history": ("viewer", "read", "name", "limit"),
    "integration.suspend": ("admin", "change", "name", "reason request_id"),
    "integration.resume": ("admin", "change", "name", "reason request_id"),
    "integration.retire": ("admin", "change", "name", "reason request_id"),
    "token.create": (
        "admin",
        "change",
        "integration token_name description user",
        "unit expires_at destroy_values request_id",
    ),
    "token.revoke": ("admin", "change", "integration id", "request_id"),
    "token.list": ("viewer", "read", "", "integration"),
    "session.authenticate": ("anyone", "change", "token", ""),
    "request.list": ("viewer", "read", "", "integration state limit"),
    "request.approve": ("admin", "change", "id", "note request_id"),
    "request.reject": ("granted", "change", "id", "note request_id"),
    "grant.explain": ("viewer", "read", "integration", "user unit staged credential"),
    "apply.begin": ("admin", "read", "", ""),
    "apply.step": ("admin", "read", "method params", "expect_changed_at"),
    "apply.run": ("admin", "change", "", "dry_run request_id"),
    "usage.show": ("viewer", "read", "integration", "days"),
    "alert.ack": ("manager", "change", "alert until note", "request_id"),
    "audit.checkpoint": ("auditor", "change", "", "request_id"),
    "audit.archive": ("admin", "change", "", "until limit request_id"),
    "audit.list": ("auditor", "read", "", "after limit since until uid integration outcome kind"),
}

# Fields by how they are checked; what is not here is some text.
FLAGS = set("stage if_absent multiline untested force processes_only staged_only staged passed".split())
COUNTS = set("rate_limit id expect_version version exit_status duration_ms days after limit uid".split())
LISTS = {"protocol": int, "systems": str, "managed_by": str, "only": str, "optional": str}
OBJECTS = {"labels", "rule", "credentials"}

NAME = re.compile(r"(?:[a-z0-9][a-z0-9._-]{0,63}/)?[a-z0-9][a-z0-9._-]{0,63}")
KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
FORMS = {  # fields whose text must have a form
    "request_id": re.compile("[0-9a-f]{32}"),
    "nonce": re.compile("[0-9a-f]{32}"),
    "command_digest": re.compile("[0-9a-f]{64}"),
    "run": re.compile("[0-7][0-9A-HJKMNP-TV-Z]{25}"),
    "encoding": re.compile("utf8|base64"),
    "access": re.compile("read-only|read-write"),
    "environment": re.compile("production|sandbox"),
    "expected_every": re.compile("[1-9][0-9]*[smhd]"),
    "rotate_after": re.compile("[1-9][0-9]*d|never"),
    "review_after": re.compile("[1-9][0-9]*d|never"),
    "workspace": re.compile("[a-z0-9][a-z0-9._-]{0,63}"),
}
# A few of the names that loaders, shells or interpreters act upon; the document leaves the whole list to the daemon.
RESERVED = ("PATH", "LD_PRELOAD", "BASH_ENV", "IFS", "PYTHONPATH", "COFFER_SOCKET")

VALUE_BYTES_MAX = 65535
STAGED, CURRENT, DRAINING, REVOKED = "staged", "current", "draining", "revoked"
DAY = 86400


def wrong_type(name, value):
    if name in FLAGS:
        return not isinstance(value, bool)
    if name in COUNTS:
        return not isinstance(value, int) or isinstance(value, bool)
    if name in LISTS:
        return not isinstance(value, list) or any(not isinstance(entry, LISTS[name]) for entry in value)
    if name == "rule":
        return (
            not isinstance(value, dict)
            or not value
            or not set(value) <= {"user", "group", "unit", "token"}
            or any(not isinstance(entry, str) for name, entry in value.items() if name != "token")
            or value.get("token", True) is not True
        )
    if name in OBJECTS:
        return not isinstance(value, dict)
    return not isinstance(value, str)


def refusals_of_field(name, value):
    """The refusals that the content of one field deserves."""
    if wrong_type(name, value):
        return {"bad_request"}
    if name in ("integration", "name"):
        return set() if NAME.fullmatch(value) else {"bad_name"}
    if name == "key":
        return set() if KEY.fullmatch(value) else {"bad_name"}
    if name in COUNTS:
        return {"bad_value", "bad_request"} if value < 0 else set()
    form = FORMS.get(name)
    # "The wrong type" and "not acceptable" are both fair names for a text that has not its form.
    return {"bad_value", "bad_request"} if form and not form.fullmatch(value) else set()


# ---- the nouns ----


@dataclass(eq=False)
class Process:
    """A process that asks: what the kernel says of it."""

    pid: int
    uid: int
    gid: int
    groups: tuple = ()
    user: str = ""
    token: object = None  # that the connection which asks has shown
    end: tuple = None  # ("exit", status) or ("signal", number) once it has ended

    def __post_init__(self):
        self.user = self.user or str(self.uid)

    def __str__(self):
        groups = "+" + ",".join(map(str, self.groups)) if self.groups else ""
        return f"{self.user}{groups}[{self.pid}]"


@dataclass(eq=False)
class Grant:
    number: int
    rule: dict  # as it was asked for
    numbers: tuple  # uid, gid, unit
    token: bool  # a live token is a condition, too
    staged_only: bool
    created: During
    created_by: str

    def matches(self, who):
        uid, gid, unit = self.numbers
        return (
            unit is None  # no caller of this model belongs to a unit
            and uid in (None, who.uid)
            and (gid is None or gid == who.gid or gid in who.groups)
        )


@dataclass(eq=False)
class Verdict:
    at: During
    by: str
    run: str
    passed: bool
    exit_status: int
    duration_ms: int
    command_digest: str

    def row(self):
        return dict(vars(self))


@dataclass(eq=False)
class Version:
    number: int
    state: str
    value: bytes
    created: During
    by: Process
    note: str
    issuer_ref: str
    expires_at: str
    changed: During = None
    verdicts: list = field(default_factory=list)  # oldest first
    runs: list = field(default_factory=list)  # those that gave it to somebody

    def expired(self, now):
        return self.expires_at is not None and seconds_of(self.expires_at) <= now

    def becomes(self, state, when):
        self.state, self.changed = state, when

    def last_fetch(self):
        return self.runs[-1].at if self.runs else None

    def holders(self):
        """Live process → its runs that gave it this version; the first of the same stands until all were released."""
        found = {}
        for run in self.runs:
            if run.process.end is None and run is run.hold.runs[0] and run.hold.is_open():
                found.setdefault(run.process, []).append(run)
        return found


@dataclass(eq=False)
class Secret:
    key: str
    created: During
    created_by: str
    description: str = None
    issuer: str = None
    versions: list = field(default_factory=list)

    def newest(self):
        return self.versions[-1].number if self.versions else 0

    def version(self, number):
        return next((version for version in self.versions if version.number == number), None)

    def in_state(self, state):
        return [version for version in self.versions if version.state == state]

    def the(self, state):
        found = self.in_state(state)
        return found[0] if found else None


@dataclass(eq=False)
class Hold:
    """Fetches of one process that gave it the same versions: it has wiped them when it has released each."""

    runs: list = field(default_factory=list)

    def is_open(self):
        return any(not run.is_released for run in self.runs)


@dataclass(eq=False)
class Run:
    number: str
    process: Process
    integration: object
    staged: bool
    at: During
    gave: list  # (secret, version, whether it was given as a staged one)
    hold: Hold = None
    is_released: bool = False
    is_judged: bool = False
    reported: int = None  # the status that a supervisor told

    def gave_the_same(self, other):
        return (
            self.process is other.process
            and self.staged == other.staged
            and {version for _, version, _ in self.gave} == {version for _, version, _ in other.gave}
        )


@dataclass(eq=False)
class Watcher:
    process: Process
    integration: object
    token: object = None  # of its connection
    expected: list = field(default_factory=list)  # (key, version, state) that it must still be told
    is_lost: bool = False  # the right was gone when something happened: it must be told so, and closed
    may_end: bool = False  # the integration had expired then: whether that ends a watch is not said


@dataclass(eq=False)
class Integration:
    name: str
    fields: dict
    created: During
    created_by: str
    changed: During
    changed_by: str
    grants: dict = field(default_factory=dict)
    secrets: dict = field(default_factory=dict)
    removed: list = field(default_factory=list)  # secrets that were removed; their holders hold them still
    runs: list = field(default_factory=list)
    records: list = field(default_factory=list)  # audit records of what went well, and whether of a repeat
    watchers: list = field(default_factory=list)
    state: str = ACTIVE
    managers: tuple = (frozenset(), frozenset())  # uids and gids
    tokens: dict = field(default_factory=dict)
    reviewed: During = None
    reviewed_by: str = None
    attempts: int = 0  # fetches that were asked for by somebody who may
    least_limit: int = None
    limited_since: float = None  # when its record first named a limit, or another one
    limited_fetches: int = 0  # that succeeded since

    def row(self):
        row = {"name": self.name, "state": self.state}
        for name in INTEGRATION_FIELDS.split():
            value = self.fields.get(name)
            row[name] = Either(value, None) if value in ([], {}) else value
        if row["expires_at"] is not None:
            row["expires_at"] = SameTime(row["expires_at"])
        return {
            **row,
            "created_at": self.created,
            "created_by": self.created_by,
            "changed_at": self.changed,
            "changed_by": self.changed_by,
            "reviewed_at": self.reviewed,
            "reviewed_by": self.reviewed_by,
        }

    def highest(self, key):
        """The highest number that a version of a removed key had: numbers are never used again."""
        return max((secret.newest() for secret in self.removed if secret.key == key), default=0)

    def lets_in(self, grant, who, token):
        return grant.matches(who) and (
            not grant.token
            or token is not None
            and token.integration is self
            and token.uid == who.uid
            and token.revoked is None
        )

    def full(self, who):
        return any(
            self.lets_in(grant, who, who.token) for grant in self.grants.values() if not grant.staged_only
        )

    def tester(self, who):
        return any(self.lets_in(grant, who, who.token) for grant in self.grants.values() if grant.staged_only)

    def may_watch(self, watcher):
        return any(
            self.lets_in(grant, watcher.process, watcher.token)
            for grant in self.grants.values()
            if not grant.staged_only
        )

    def is_expired(self, now):
        return self.fields.get("expires_at") is not None and seconds_of(self.fields["expires_at"]) <= now


# ---- an answer ----


class Answer:
    """What the answer to one request must be, and what it changes."""

    def __init__(self, who, method, params, now):
        self.who, self.method, self.params, self.now = who, method, params, now
        self.refusals = set()  # one of these must come
        self.perhaps = set()  # these may come instead of the result
        self.data = {}  # what error.data must hold, by word
        self.result = {}
        self.effect = None
        self.on_refusal = None  # what even a refusal changes
        self.is_repeat = False

    def get(self, name, default=None):
        return self.params.get(name, default)

    def words(self):
        return self.refusals or self.perhaps

    def difference(self, word, body):
        """None, or how a reply with this error word (or "ok") and this error or result differs."""
        if word == "ok":
            if self.refusals:
                return f"was answered {short(body)} instead of a refusal: {sorted(self.refusals)}"
            wrong = difference(self.result, body)
            return f"result{wrong}" if wrong else None
        if word not in self.refusals and word not in self.perhaps:
            expected = sorted(self.refusals) or "a result"
            return f"was refused with {word} ({body.get('message')}) instead of {expected}"
        codes, retry = ERRORS[word]
        expected = {"error": word, "retry": retry, **self.data.get(word, {})}
        wrong = difference({"code": Either(*codes), "data": expected}, body)
        return f"error{wrong}" if wrong else None

    def settle(self, result, when):
        if self.effect:
            self.effect(result, when)


ROLES = {"admin": {"admin"}, "reader": {"admin", "operator", "auditor"}, "auditor": {"admin", "auditor"}}
# Nobody manages anything here.
ROLES.update(keeper=ROLES["admin"], manager={"admin", "operator"}, viewer=ROLES["reader"])
OF_MANAGERS = {"manager", "keeper", "viewer"}
NOT_FOR_MANAGERS = {"managed_by", "environment", "test"}

# ---- the model ----


class Model(Governance):
    """All that the vault has been told, as far as answers depend on it."""

    def __init__(self, roles, users, groups, second_person=()):
        self.roles = roles  # uid → names of roles
        self.users, self.groups = users, groups  # name → number, of this host
        self.integrations = {}
        self.runs = {}
        self.kept = {}  # (uid, method, request_id) → (content, result)
        self.newest_grant = self.newest_token = self.newest_approval = 0
        self.approvals = {}
        self.left_secrets = self.left_grants = 0  # of integrations that are not the model's
        self.second_person = set(second_person)  # methods

    # what a driver asks and tells beside the requests

    def expect(self, who, method, params, now):
        answer = Answer(who, method, params, now)
        if method not in METHODS:
            answer.refusals = {"unknown_method" if self.has_standing(who) else "denied"}
            return answer
        malformed = self.malformed(method, params)
        if malformed or not self.has_right(who, method, params):
            # Which comes first is not said; who has the right must be told what is wrong.
            is_sure = METHODS[method][0] != "granted" and self.has_role(who, method)
            answer.refusals = malformed | (set() if is_sure else {"denied"})
        else:
            getattr(self, method.replace(".", "_"))(answer)
            if not answer.refusals and self.needs_second(answer):
                self.demand_second(answer)
            self.consider_repeat(answer)
        return answer

    def expect_approved(self, approval, now):
        """The answer to a request that was approved: as its requester, who is not there."""
        asked = approval.who
        who = Process(Anything(), asked.uid, Anything(), (), asked.user)
        inner = Answer(who, approval.method, approval.params, now)
        if not self.has_right(who, approval.method, approval.params):
            inner.refusals = {"denied"}
        else:
            getattr(self, approval.method.replace(".", "_"))(inner)
        return inner

    def process_ended(self, process, how, number):
        process.end = (how, number)

    def forget(self, workspace):
        """Lets go of what the driver has cleared away."""
        for name in [name for name in self.integrations if name.startswith(workspace + "/")]:
            for run in self.integrations[name].runs:
                del self.runs[run.number]
            if self.integrations[name].state == RETIRED:
                self.left_secrets += len(self.integrations[name].secrets)
            del self.integrations[name]
        self.kept = {}
        self.approvals = {
            number: one for number, one in self.approvals.items() if one.integration.name in self.integrations
        }

    # rights and forms

    def roles_of(self, who):
        return self.roles.get(who.uid, set())

    def has_standing(self, who):
        return bool(self.roles_of(who)) or any(
            one.full(who) or one.tester(who) or self.manages(who, one) for one in self.integrations.values()
        )

    def has_role(self, who, method):
        """What is asked for roles alone; a grant is looked at by the methods that need one."""
        right = METHODS[method][0]
        return right not in ROLES or bool(self.roles_of(who) & ROLES[right])

    def has_right(self, who, method, params):
        right, duty = METHODS[method][:2]
        if self.has_role(who, method):
            return True
        if (
            right not in OF_MANAGERS
            or "touched_by" in params
            or duty == "change"
            and NOT_FOR_MANAGERS & set(params)
        ):
            return False
        name = params.get("name", params.get("integration"))
        if name is None:
            return right == "viewer" and any(self.manages(who, one) for one in self.integrations.values())
        return isinstance(name, str) and self.manages(who, self.integrations.get(name))

    @staticmethod
    def malformed(method, params):
        _, _, needs, may = METHODS[method]
        known = set(needs.split()) | set(may.split())
        words = set()
        if not set(needs.split()) <= set(params) <= known:
            words.add("bad_request")
        for name in known & set(params):
            words |= refusals_of_field(name, params[name])
        return words

    def consider_repeat(self, answer):
        """The same request_id again: the first result, after the right has been checked anew."""
        number = answer.get("request_id")
        if number is None:
            return
        place = (answer.who.uid, answer.method, number)
        content = json.dumps({k: v for k, v in answer.params.items() if k != "value"}, sort_keys=True)
        if place not in self.kept:
            effect = answer.effect

            def keep(result, when):
                effect(result, when)
                self.kept[place] = (content, result)

            answer.effect = keep
            if any(uid == answer.who.uid and rid == number for uid, _, rid in self.kept):
                answer.perhaps.add("conflict")  # kept by method or not: the document does not say
            return
        before, result = self.kept[place]
        if before != content:
            answer.refusals |= {"conflict"}
            return
        if "denied" in answer.refusals:
            return  # the right is gone, or another process asks for what only one may
        answer.refusals, answer.perhaps, answer.result = set(), self.form_of_value(answer), result
        answer.effect, answer.is_repeat = None, True
        self.record(answer, optional=True)

    @staticmethod
    def form_of_value(answer):
        """A value that is not acceptable may be refused even where it would not be used."""
        return value_refusals(answer) if answer.method == "secret.put" else set()

    # finding things; what is missing is a refusal

    def find(self, answer, name="integration"):
        found = self.integrations.get(answer.get(name))
        if found is None:
            answer.refusals.add("not_found")
        return found

    def find_secret(self, answer):
        integration = self.find(answer)
        secret = integration and integration.secrets.get(answer.get("key"))
        if secret is None:
            answer.refusals.add("not_found")
        return integration, secret

    @staticmethod
    def check_newest(answer, newest):
        expected = answer.get("expect_version")
        if expected is not None and expected != newest:
            answer.refusals.add("conflict")

    def granted(self, answer, staged):
        """The integration that a fetch or watch means, or None and a refusal."""
        who, name = answer.who, answer.get("integration")
        fits = [one for one in self.integrations.values() if one.full(who) or staged and one.tester(who)]
        if name is not None:
            fits = [one for one in fits if one.name == name]
        if len(fits) == 1:
            others = [one for one in self.integrations.values() if one.tester(who) and one is not fits[0]]
            if name is None and others:
                answer.perhaps.add("conflict")  # whether a tester's grant counts here is not said
            return fits[0]
        answer.refusals.add("conflict" if fits else "denied")
        return None

    def record(self, answer, integration=None, optional=False, **members):
        """What audit.list must show of an answer that went well."""
        who, name = answer.who, answer.get("integration") or answer.get("name")
        integration = integration or self.integrations.get(name)
        if integration is None and answer.get("run") in self.runs:
            integration = self.runs[answer.get("run")].integration
        if integration is None:
            return
        row = {"kind": answer.method, "outcome": "ok", "uid": who.uid, "gid": who.gid, "pid": who.pid}
        row.update(integration=integration.name, repeats=1, hash=HASH, previous=HASH, **members)
        for member in ("key", "run"):
            if answer.get(member) is not None:
                row[member] = answer.get(member)
        if optional:
            answer.effect = lambda result, when: integration.records.append((row, True))
        else:
            integration.records.append((row, False))

    # anyone's methods

    def hello(self, answer):
        answer.result = {"protocol": 1, "server": Text("coffer/.+"), "sealed": False}
        if 1 not in answer.get("protocol", [1]):
            answer.refusals.add("unsupported")

    def schema(self, answer):
        rows = [
            {"method": name, "right": right, "duty": duty} for name, (right, duty, _, _) in METHODS.items()
        ]
        answer.result = {"methods": Rows(["method"], rows)}

    def whoami(self, answer):
        who = answer.who
        full = [one.name for one in self.integrations.values() if one.full(who)]
        tester = [one.name for one in self.integrations.values() if one.tester(who) and not one.full(who)]
        must = self.roles_of(who)
        answer.result = {
            "uid": who.uid,
            "gid": who.gid,
            "user": who.user,
            "groups": Members(who.groups, [who.gid]),
            "pid": who.pid,
            "unit": None,
            "roles": Members(must, ["operator"] if "admin" in must else []),
            "integrations": Members(full),
            "manages": Members(one.name for one in self.integrations.values() if self.manages(who, one)),
            "staged_only": Members(tester),
        }

    def status(self, answer):
        answer.result = {"version": Text(".+"), "sealed": False}
        if self.roles_of(answer.who):
            grants = self.left_grants + sum(len(one.grants) for one in self.integrations.values())
            secrets = self.left_secrets + sum(len(one.secrets) for one in self.integrations.values())
            answer.result["counts"] = {"grants": grants, "secrets": secrets}

    def session_prove(self, answer):
        answer.refusals.add("denied")  # no challenge was given on this connection

    # integrations

    def check_expiry(self, answer):
        expires_at = answer.get("expires_at")
        if expires_at is None or expires_at == "":
            return
        if seconds_of(expires_at) is None:
            answer.refusals.add("bad_value")
        elif seconds_of(expires_at) <= answer.now:
            answer.perhaps.add("bad_value")  # the document does not forbid an integration that has expired

    def integration_add(self, answer):
        name = answer.get("name")
        self.check_texts(answer)
        self.check_expiry(answer)
        if name in self.integrations:
            answer.refusals.add("conflict")
        managers = self.manager_numbers(answer, answer.get("managed_by"))
        fields = {"environment": "production", "rotate_after": "365d", "review_after": "90d"}
        fields.update({k: v for k, v in answer.params.items() if k not in ("name", "request_id")})

        def add(_, when):
            made = Integration(name, fields, when, answer.who.user, when, answer.who.user)
            made.managers = managers
            self.integrations[name] = made
            self.limit(made, answer.now)
            self.record(answer)

        now = During(answer.now, answer.now + 60)
        answer.result = {
            "integration": Integration(name, fields, now, answer.who.user, now, answer.who.user).row()
        }
        answer.effect = add

    @staticmethod
    def check_texts(answer):
        for name in MANDATORY:
            if answer.get(name) == "":
                answer.refusals.add("bad_value")
        if answer.get("rate_limit") == 0:
            answer.refusals.add("bad_value")

    @staticmethod
    def limit(integration, now):
        if "rate_limit" in integration.fields:
            most = integration.fields["rate_limit"]
            integration.limited_since, integration.limited_fetches = now, 0
            integration.least_limit = min(most, integration.least_limit or most)

    def integration_list(self, answer):
        rows = []
        for one in sorted(self.visible(answer.who), key=lambda one: one.name):
            if not self.is_listed(one, answer):
                continue
            row = one.row()
            names = (
                "name state title owner contact environment access rotate_after expires_at labels created_at"
            )
            rows.append({member: row[member] for member in names.split()})
        answer.result = {"integrations": Rows(["name"], rows, in_order=True)}

    @staticmethod
    def is_listed(one, answer):
        label, _, text = answer.get("label", "").partition("=")
        labels = one.fields.get("labels") or {}
        return (
            answer.get("workspace") in (None, one.name.partition("/")[0])
            and answer.get("state") in (None, one.state)
            and answer.get("owner") in (None, one.fields["owner"])
            and (not label or label in labels and ("=" not in answer.get("label") or labels[label] == text))
        )

    def integration_show(self, answer):
        integration = self.find(answer, "name")
        if integration:
            answer.result = {
                "integration": integration.row(),
                "grants": self.grant_rows([integration]),
                "secrets": self.secret_rows(integration),
            }

    def integration_edit(self, answer):
        integration = self.find(answer, "name")
        self.check_open(answer, integration)
        changes = {k: v for k, v in answer.params.items() if k not in ("name", "request_id")}
        self.check_texts(answer)
        self.check_expiry(answer)
        if not changes:
            answer.refusals.add("bad_request")
        if integration is None:
            return
        managers = integration.managers
        if "managed_by" in changes:
            managers = self.manager_numbers(answer, changes["managed_by"])
        fields = {**integration.fields, **changes}
        fields = {name: value for name, value in fields.items() if value != ""}
        now, who = During(answer.now, answer.now + 60), answer.who.user
        is_changed = said(fields) != said(integration.fields)
        if not is_changed:
            now, who = integration.changed, integration.changed_by
        shown = replace(integration, fields=fields, changed=now, changed_by=who)

        def edit(_, when):
            integration.fields, integration.changed_by = fields, who
            integration.changed = when if is_changed else integration.changed
            integration.managers = managers
            for watcher in integration.watchers:
                watcher.may_end |= integration.is_expired(when.end)
            if "rate_limit" in changes:
                self.limit(integration, answer.now)
            self.record(answer)

        answer.result, answer.effect = {"integration": shown.row()}, edit

    # grants

    def numbers_of(self, answer):
        """uid, gid and unit of a rule; a name that nobody has is a refusal."""
        numbers = []
        for member, known in (("user", self.users), ("group", self.groups)):
            word = answer.get("rule").get(member)
            if word is None or word.isdigit():
                numbers.append(word and int(word))
            elif word in known:
                numbers.append(known[word])
            else:
                answer.refusals |= {"bad_value", "not_found"}
        unit = answer.get("rule").get("unit")
        if unit is not None and not re.fullmatch(
            r"[A-Za-z0-9:_.\\-]+(@([A-Za-z0-9:_.\\-]*|\*))?\.service", unit
        ):
            answer.refusals.add("bad_value")
        return (*numbers, unit)

    def grant_add(self, answer):
        integration, numbers = self.find(answer), self.numbers_of(answer)
        self.check_open(answer, integration)
        token = answer.get("rule").get("token", False)
        if set(answer.get("rule")) == {"token"}:
            answer.refusals.add("bad_value")
        if integration is None or answer.refusals:
            return
        staged_only, who = answer.get("staged_only", False), answer.who.user
        for grant in integration.grants.values():
            if grant.numbers == numbers and grant.token == token:
                # The same conditions for another purpose: one grant or two, the document does not say.
                (answer.refusals if grant.staged_only == staged_only else answer.perhaps).add("conflict")

        def add(result, when):
            number = result["grant"]["id"]
            self.newest_grant = number
            integration.grants[number] = Grant(
                number, answer.get("rule"), numbers, token, staged_only, when, who
            )
            self.record(answer, object=number)

        now = During(answer.now, answer.now + 60)
        grant = Grant(
            AtLeast(self.newest_grant + 1), answer.get("rule"), numbers, token, staged_only, now, who
        )
        answer.result, answer.effect = {"grant": self.grant_row(integration, grant)}, add

    def grant_row(self, integration, grant):
        uid, gid, unit = grant.numbers
        rule = {"uid": uid, "gid": gid, "unit": unit, "token": True if grant.token else Either(None, False)}
        for member, number, known in (("user", uid, self.users), ("group", gid, self.groups)):
            names = [name for name, other in known.items() if other == number]
            rule[member] = number if number is None else Either(grant.rule[member], str(number), *names)
        return {
            "id": grant.number,
            "integration": integration.name,
            "rule": rule,
            "credentials": {},
            "staged_only": grant.staged_only,
            "created_at": grant.created,
            "created_by": grant.created_by,
        }

    def grant_rows(self, integrations):
        rows = [self.grant_row(one, grant) for one in integrations for grant in one.grants.values()]
        return Rows(["id"], rows)

    def grant_remove(self, answer):
        integration = self.find(answer)
        if integration is None or answer.get("id") not in integration.grants:
            answer.refusals.add("not_found")
            return

        def remove(_, when):
            del integration.grants[answer.get("id")]
            self.record(answer, object=answer.get("id"))

        answer.result, answer.effect = {"removed": answer.get("id")}, remove

    def grant_list(self, answer):
        some = [self.find(answer)] if "integration" in answer.params else self.visible(answer.who)
        if not answer.refusals:
            answer.result = {"grants": self.grant_rows(some)}

    # secrets: what is there

    @staticmethod
    def secret_rows(integration):
        rows = []
        for key in sorted(integration.secrets):
            secret = integration.secrets[key]
            staged, current = secret.the(STAGED), secret.the(CURRENT)
            fetched = [run for version in secret.versions for run in version.runs]
            row = {"key": key, "description": secret.description, "issuer": secret.issuer}
            row["draining"] = Members(version.number for version in secret.in_state(DRAINING))
            row["staged"], row["current"] = staged and staged.number, current and current.number
            row["newest"], row["fetches"] = secret.newest(), len(fetched)
            row["last_fetched_at"] = max((run.at for run in fetched), key=lambda at: at.end, default=None)
            rows.append(row)
        return Rows(["key"], rows, in_order=True)

    def secret_list(self, answer):
        if not {"integration", "touched_by"} & set(answer.params):
            answer.refusals.add("bad_request")
            return
        some = [self.find(answer)] if "integration" in answer.params else list(self.integrations.values())
        if answer.get("touched_by") is None:
            answer.result = {} if answer.refusals else {"secrets": self.secret_rows(some[0])}
            return
        user = answer.get("touched_by")
        uid = int(user) if user.isdigit() else self.users.get(user)
        if uid is None:
            answer.refusals.add("not_found")
        if not answer.refusals:
            names = [name for name, number in self.users.items() if number == uid]
            answer.result = {"user": Either(user, *names), "secrets": self.touched(some, uid)}

    @staticmethod
    def touched(integrations, uid):
        rows = []
        for one in integrations:
            for secret in one.secrets.values():
                for version in secret.versions:
                    fetches = [run for run in version.runs if run.process.uid == uid]
                    put = version.by.uid == uid
                    if version.state == REVOKED or not put and not fetches:
                        continue
                    row = {"integration": one.name, "key": secret.key, "version": version.number}
                    row.update(state=version.state, put=put, fetched=len(fetches))
                    row["last_fetched_at"] = fetches[-1].at if fetches else None
                    rows.append(row)
        return Rows(["integration", "key", "version"], rows)

    def secret_show(self, answer):
        integration, secret = self.find_secret(answer)
        if secret is None:
            return
        rows = []
        for version in reversed(secret.versions):
            row = {"version": version.number, "state": version.state, "note": version.note}
            row.update(created_at=version.created, created_by=version.by.user, changed_at=version.changed)
            row.update(issuer_ref=version.issuer_ref, fetches=len(version.runs))
            row["expires_at"] = version.expires_at and SameTime(version.expires_at)
            row["last_fetched_at"], row["holders"] = version.last_fetch(), len(version.holders())
            row["tested"] = self.is_tested(integration, version)
            row["tests"] = [verdict.row() for verdict in reversed(version.verdicts[-16:])]
            rows.append(row)
        answer.result = {
            "integration": integration.name,
            "key": secret.key,
            "description": secret.description,
            "issuer": secret.issuer,
            "created_at": secret.created,
            "created_by": secret.created_by,
            "versions": rows,
        }

    @staticmethod
    def counting_verdicts(integration, version):
        test = integration.fields.get("test")
        digest = test and command_digest("/bin/sh", "-c", test)
        return [one for one in version.verdicts if digest is None or one.command_digest == digest]

    def is_tested(self, integration, version):
        verdicts = self.counting_verdicts(integration, version)
        return bool(verdicts) and verdicts[-1].passed

    # secrets: changes

    def secret_put(self, answer):
        integration = self.find(answer)
        self.check_open(answer, integration)
        answer.refusals |= value_refusals(answer)
        if answer.get("key") in RESERVED:
            answer.refusals.add("reserved_name")
        expires_at = answer.get("expires_at")
        if expires_at is not None and not (seconds_of(expires_at) or 0) > answer.now:
            answer.refusals.add("bad_value")
        if integration is None:
            return
        key = answer.get("key")
        secret = integration.secrets.get(key)
        self.check_newest(answer, secret.newest() if secret else 0)
        self.check_states(answer, secret)
        state = STAGED if answer.get("stage") else CURRENT
        number = secret.newest() + 1 if secret else integration.highest(key) + 1
        answer.result = {"key": key, "version": number, "state": state}
        if not answer.refusals:
            answer.effect = lambda result, when: self.put(answer, integration, result, when)

    @staticmethod
    def check_states(answer, secret):
        if secret is None:
            return
        if answer.get("stage") and secret.the(STAGED):
            answer.refusals.add("conflict")
        if answer.get("if_absent") and (secret.the(STAGED) or secret.the(CURRENT)):
            answer.refusals.add("conflict")

    def put(self, answer, integration, result, when):
        key, who = answer.get("key"), answer.who
        secret = integration.secrets.setdefault(key, Secret(key, when, who.user))
        secret.description = answer.get("description", secret.description)
        secret.issuer = answer.get("issuer", secret.issuer)
        made = Version(
            result["version"],
            STAGED,
            value_bytes(answer.get("value"), answer.get("encoding")),
            when,
            who,
            answer.get("note"),
            answer.get("issuer_ref"),
            answer.get("expires_at"),
            when,
        )
        if result["state"] == CURRENT:
            self.make_current(integration, secret, made, when)
        secret.versions.append(made)
        self.record(answer, version=made.number)

    def make_current(self, integration, secret, version, when):
        before = secret.the(CURRENT)
        if before:
            before.becomes(DRAINING, when)
        version.becomes(CURRENT, when)
        self.tell_watchers(integration, secret, version, when)

    @staticmethod
    def tell_watchers(integration, secret, version, when):
        for watcher in integration.watchers:
            watcher.may_end |= integration.is_expired(when.end)
            if integration.may_watch(watcher) and not watcher.is_lost:
                watcher.expected.append((secret.key, version.number, version.state))
            else:
                watcher.is_lost = True

    def replaced(self, answer, integration, secret, version):
        """The result and effect of a version that becomes current."""
        before = secret.the(CURRENT)
        answer.result = {
            "key": secret.key,
            "version": version.number,
            "state": CURRENT,
            "replaced": before and before.number,
        }

        def replace(_, when):
            self.make_current(integration, secret, version, when)
            self.record(answer, version=version.number)

        answer.effect = replace

    def secret_promote(self, answer):
        integration, secret = self.find_secret(answer)
        if secret is None:
            return
        self.check_newest(answer, secret.newest())
        self.check_open(answer, integration)
        asked = answer.get("version")
        version = secret.the(STAGED) if asked is None else secret.version(asked)
        if version is None:
            answer.refusals.add("not_found")
            return
        if version.state != STAGED:
            answer.refusals.add("conflict")
        if version.expired(answer.now):
            answer.refusals.add("expired")
        if not self.is_tested(integration, version) and not answer.get("untested"):
            answer.refusals.add("untested")
        self.replaced(answer, integration, secret, version)

    def secret_rollback(self, answer):
        integration, secret = self.find_secret(answer)
        if secret is None:
            return
        self.check_newest(answer, secret.newest())
        self.check_open(answer, integration)
        asked, draining = answer.get("version"), secret.in_state(DRAINING)
        if asked is None and len(draining) > 1:
            answer.refusals.add("conflict")
            return
        version = secret.version(asked) if asked is not None else draining[0] if draining else None
        if version is None:
            answer.refusals.add("not_found")
            return
        if version.state != DRAINING:
            answer.refusals.add("conflict")
        if version.expired(answer.now):
            answer.refusals.add("expired")
        self.replaced(answer, integration, secret, version)

    def secret_revoke(self, answer):
        integration, secret = self.find_secret(answer)
        if secret is None:
            return
        self.check_newest(answer, secret.newest())
        version = secret.version(answer.get("version"))
        if version is None:
            answer.refusals.add("not_found")
            return
        if version.state != REVOKED and not answer.get("force"):
            self.check_holders(answer, integration, secret, version)
        answer.result = {
            "key": secret.key,
            "version": version.number,
            "state": REVOKED,
            "issuer": secret.issuer,
            "issuer_ref": version.issuer_ref,
            "backups": [],
        }
        answer.effect = lambda _, when: self.revoke(answer, integration, secret, version, when)

    def check_holders(self, answer, integration, secret, version):
        holders = version.holders()
        if holders or version.state == CURRENT:
            answer.refusals.add("in_use")
        rows = HolderRows([(integration, secret, version)], most=16)
        answer.data["in_use"] = {"holder_count": len(holders), "holders": rows}

    def revoke(self, answer, integration, secret, version, when):
        if version.state != REVOKED:
            pids = [process.pid for process in version.holders()] if answer.get("force") else []
            was_current = version.state == CURRENT
            version.becomes(REVOKED, when)
            if was_current:
                self.tell_watchers(integration, secret, version, when)
            named = {"subject": Text("".join(rf"(?=.*\b{pid}\b)" for pid in pids[:8]) + ".*")} if pids else {}
            self.record(answer, version=version.number, **named)
        else:
            self.record(answer, version=version.number)

    def secret_remove(self, answer):
        integration, secret = self.find_secret(answer)
        if secret is None:
            return
        self.check_newest(answer, secret.newest())
        self.check_open(answer, integration)
        if any(version.state != REVOKED for version in secret.versions):
            answer.refusals.add("conflict")

        def remove(_, when):
            integration.removed.append(integration.secrets.pop(secret.key))
            self.record(answer)

        answer.result, answer.effect = {"removed": secret.key}, remove

    # what a granted process does

    def own_run(self, answer):
        """The run of this very process; None and `denied` otherwise."""
        run = self.runs.get(answer.get("run"))
        if run is None or run.process is not answer.who:
            answer.refusals.add("denied")
            return None
        if run.is_released:
            answer.perhaps.add("denied")  # whether a run that was released is one still is not said
        return run

    @staticmethod
    def is_granted(who, run):
        return run.integration.full(who) or run.staged and run.integration.tester(who)

    def secret_record_test(self, answer):
        if answer.get("exit_status") > 255 or answer.get("passed") and answer.get("exit_status") != 0:
            answer.refusals.add("bad_value")
        elif not answer.get("passed") and answer.get("exit_status") == 0:
            answer.perhaps.add("bad_value")  # "passed means exit status 0": in one direction, or in both
        run = self.own_run(answer)
        if run is None or not run.staged or not self.is_granted(answer.who, run):
            answer.refusals.add("denied")
            return
        judged = [
            (secret, version) for secret, version, staged in run.gave if staged and version.state == STAGED
        ]
        if run.is_judged or not judged:
            answer.refusals.add("conflict")
        tested = [{"key": secret.key, "version": version.number} for secret, version in judged]
        answer.result = {"run": run.number, "tested": Rows(["key", "version"], tested)}

        def judge(_, when):
            run.is_judged = True
            members = "passed exit_status duration_ms command_digest".split()
            given = {member: answer.get(member) for member in members}
            for _, version in judged:
                version.verdicts.append(Verdict(when, answer.who.user, run.number, **given))
            self.record(answer)

        answer.effect = judge

    def env_fetch(self, answer):
        staged = answer.get("staged", False)
        integration = self.granted(answer, staged)
        if integration is None:
            return
        if integration.is_expired(answer.now):
            answer.refusals.add("expired")
        if integration.state == SUSPENDED:
            answer.refusals.add("suspended")
        self.check_rate(answer, integration)
        integration.attempts += 1
        gave = self.choose(answer, integration, staged)
        entries = [Entry(secret.key, one.number, one.value, one.expires_at) for secret, one, _ in gave]
        answer.result = {"integration": integration.name, "run": RUN, "env": Rows(["key"], entries)}

        def hand_over(result, when):
            run = Run(result["run"], answer.who, integration, staged, when, gave)
            run.hold = self.hold_of(run)
            run.hold.runs.append(run)
            integration.limited_fetches += 1
            integration.runs.append(run)
            self.runs[run.number] = run
            for _, version, _ in gave:
                version.runs.append(run)
            self.record(answer, integration, run=run.number)

        answer.effect = hand_over

    @staticmethod
    def check_rate(answer, integration):
        """Sure only while few were asked for, and when more than the limit came within seconds."""
        if integration.limited_since is None:
            return
        most = integration.fields["rate_limit"]
        if integration.limited_fetches >= most and answer.now - integration.limited_since < 30 / most:
            answer.refusals.add("rate_limited")
        elif integration.attempts >= integration.least_limit:
            answer.perhaps.add("rate_limited")
        answer.data["rate_limited"] = {"retry_after_ms": AtLeast(1)}

    @staticmethod
    def gets_staged_only(who, integration):
        return not integration.full(who)

    def choose(self, answer, integration, staged):
        """What a fetch gives: (secret, version, whether it is the staged one)."""
        keys, optional = answer.get("only"), set(answer.get("optional", []))
        only_staged = self.gets_staged_only(answer.who, integration)
        gave, missing = [], []
        for key in sorted(integration.secrets) if keys is None else sorted(set(keys)):
            secret = integration.secrets.get(key)
            fresh = secret and staged and secret.the(STAGED)
            version = fresh or secret and not only_staged and secret.the(CURRENT)
            if not version:
                missing.append(key)
                continue
            if version.expired(answer.now):
                answer.refusals.add("expired")
            gave.append((secret, version, bool(fresh)))
        if only_staged and not gave:
            (answer.perhaps if optional & set(missing) else answer.refusals).add("not_found")
        # A tester gets the staged values and nothing else: the others are not missed unless asked for.
        if set(missing) - optional and not (only_staged and keys is None):
            answer.refusals.add("not_found")
        return gave

    @staticmethod
    def hold_of(run):
        """The hold that this run joins, or one of its own."""
        for before in reversed(run.integration.runs):
            if before.gave_the_same(run) and before.hold.is_open():
                return before.hold
        return Hold()

    def env_watch(self, answer):
        integration = self.granted(answer, False)
        if integration is None:
            return
        if integration.is_expired(answer.now):
            answer.perhaps.add("expired")
        if integration.state == SUSPENDED:
            answer.refusals.add("suspended")
        rows = []
        for secret in integration.secrets.values():
            if current := secret.the(CURRENT):
                rows.append({"key": secret.key, "version": current.number})
        answer.result = {"integration": integration.name, "env": Rows(["key"], rows)}
        answer.effect = lambda _, when: integration.watchers.append(
            Watcher(answer.who, integration, answer.who.token)
        )

    def holder_release(self, answer):
        run = self.own_run(answer)
        if run is None:
            return

        def release(_, when):
            run.is_released = True
            self.record(answer)

        answer.result, answer.effect = {"run": run.number}, release

    def run_end(self, answer):
        status = answer.get("exit_status")
        if status > 255:
            answer.refusals.add("bad_value")
        run = self.runs.get(answer.get("run"))
        if run is None or run.process.uid != answer.who.uid:
            answer.refusals.add("denied")
            return
        if run.reported not in (None, status):
            answer.refusals.add("conflict")
        if run.process.end not in (None, ("exit", status)):
            answer.perhaps.add("conflict")  # the kernel may have told it

        def end(_, when):
            run.reported = status
            self.record(answer)

        answer.result, answer.effect = {"run": run.number}, end

    # what operators and auditors see of it

    def holder_list(self, answer):
        if "key" in answer.params and "integration" not in answer.params:
            answer.refusals.add("bad_request")
            return
        some = [self.find(answer)] if "integration" in answer.params else self.visible(answer.who)
        key = answer.get("key")
        if answer.refusals or key is not None and key not in some[0].secrets:
            answer.refusals.add("not_found")
            return
        places = [
            (one, secret, version)
            for one in some
            for secret in [*one.secrets.values(), *one.removed]
            for version in secret.versions
            if key in (None, secret.key)
        ]
        answer.result = {"holders": HolderRows(places, most=1000), "more": Either(False, None)}

    def run_list(self, answer):
        integration = self.find(answer)
        if integration is None:
            return
        limit = min(answer.get("limit", 100), 1000)
        if answer.get("limit") == 0 or answer.get("limit", 0) > 1000 or answer.get("days") == 0:
            answer.perhaps |= {"bad_value", "bad_request"}
        runs = integration.runs[-limit:] if limit else []
        answer.result = {"runs": [self.run_row(run) for run in reversed(runs)]}

    @staticmethod
    def states_of(run):
        """`again`, where the process had been given the same before: the first such run stands for all of them."""
        end, is_open, is_first = run.process.end, run.hold.is_open(), run is run.hold.runs[0]
        if not is_open:
            return ["released", "ended"] if end else ["released"]
        states = ["again"] if not is_first else ["ended"] if end else ["running"]
        if end and not is_first:
            states.append("ended")
        return [*states, "released"] if run.is_released else states

    def run_row(self, run):
        end = run.process.end
        states = self.states_of(run)
        exits = {None, run.reported} | ({end[1]} if end and end[0] == "exit" else set())
        signals = {None} | ({end[1]} if end and end[0] == "signal" else set())
        versions = [{"key": secret.key, "version": version.number} for secret, version, _ in run.gave]
        return {
            "run": run.number,
            "at": run.at,
            "uid": run.process.uid,
            "user": run.process.user,
            "pid": run.process.pid,
            "unit": None,
            "staged": run.staged,
            "versions": Rows(["key", "version"], versions),
            "state": Either(*states),
            "exit_status": Either(*exits),
            "signal": Either(*signals),
        }

    def usage_show(self, answer):
        """Fetches of current values are use; those of staged ones are tests, and count for their versions alone."""
        integration = self.find(answer)
        if answer.get("days") == 0 or answer.get("days", 1) > 400:
            answer.perhaps |= {"bad_value", "bad_request"}
        if integration is None:
            return
        fetches = {}
        for run in integration.runs:
            for secret, version, _ in run.gave:
                place = secret.key, version.number
                fetches[place] = fetches.get(place, 0) + 1
        keys = [{"key": key, "version": number, "fetches": count} for (key, number), count in fetches.items()]
        answer.result = {
            "integration": integration.name,
            "total": sum(not run.staged for run in integration.runs),
            "keys": Rows(["key", "version"], keys),
        }

    def alert_list(self, answer):
        must, may = [], []
        for integration in self.visible(answer.who):
            for secret in integration.secrets.values():
                for version in secret.versions:
                    self.alerts_of(answer.now, integration, secret, version, must, may)
            if any(run.reported or run.process.end and run.process.end[1] for run in integration.runs):
                may.append(alert("run_failed", integration))
        rows = Rows(["kind", "integration", "key", "version"], must, may)
        answer.result = Alerts(self, self.visible(answer.who), rows)

    def vault_metrics(self, answer):
        answer.result = {"families": Anything()}

    def alerts_of(self, now, integration, secret, version, must, may):
        if version.state == STAGED and version.verdicts:
            # Whether verdicts of another command than the one that counts are meant is not said.
            newest = [version.verdicts[-1], *self.counting_verdicts(integration, version)[-1:]]
            failed = [verdict for verdict in newest if not verdict.passed]
            if failed:
                (must if failed == newest else may).append(alert("test_failed", integration, secret, version))
        if version.state == DRAINING and not version.holders():
            # "any more": whether one that never had a holder counts is not said
            (must if version.runs else may).append(alert("drained", integration, secret, version))
        if version.expires_at and version.state != REVOKED:
            days = (seconds_of(version.expires_at) - now) / DAY
            severity = "critical" if days <= 1 else "warning" if days <= 7 else "notice"
            expires = alert("secret_expires" if days > 0 else "secret_expired", integration, secret, version)
            if days > 0:
                expires["severity"] = severity
            if days <= 30:  # of the current one; whether others matter is not said
                (must if version.state == CURRENT else may).append(expires)

    def audit_list(self, answer):
        """Only for one integration and what went well: refusals are counted together by the minute."""
        if answer.get("integration") is None or answer.get("outcome") != "ok":
            answer.result = {"records": Anything(), "head": {"seq": AtLeast(1), "hash": HASH}}
            return
        integration = self.integrations.get(answer.get("integration"))
        records = Records(integration.records if integration else [])
        answer.result = {"records": records, "head": {"seq": AtLeast(1), "hash": HASH}}


def value_refusals(answer):
    """What secret.put says to this value."""
    text, encoding = answer.get("value"), answer.get("encoding", "utf8")
    try:
        raw = value_bytes(text, encoding)
    except ValueError:
        return {"bad_value"}
    words = set()
    if len(raw) > VALUE_BYTES_MAX:
        words.add("too_large")
    breaks = b"\n" in raw or b"\r" in raw
    if not raw or b"\0" in raw or breaks and not answer.get("multiline"):
        words.add("bad_value")
    return words


def alert(kind, integration, secret=None, version=None):
    return {
        "id": Text(f"{kind}:{re.escape(integration.name)}.*"),
        "acked": None,
        "kind": kind,
        "severity": Either("critical", "warning", "notice"),
        "integration": integration.name,
        "key": secret and secret.key,
        "version": version and version.number,
        "text": Text(".+"),
        "advice": Text(".+"),
        "since": Text("[-0-9]+T[0-9:.]+Z"),
    }


class Alerts(Matcher):
    """Alerts of the integrations of the model, most urgent first; those of others, and of other kinds, do not count."""

    URGENCY = ("critical", "warning", "notice")
    MOST = 1000
    KINDS = ("test_failed", "drained", "secret_expires", "secret_expired", "run_failed")

    def __init__(self, model, visible, rows):
        self.names, self.rows = {one.name for one in visible}, rows
        self.hidden = set(model.integrations) - self.names

    def difference(self, found):
        rows, found = self.rows, found["alerts"]
        if len(found) >= self.MOST:  # the least urgent ones may be left out
            rows = Rows(rows.members, [], [*rows.rows, *rows.optional])
        urgency = [self.URGENCY.index(row["severity"]) for row in found if not row.get("acked")]
        if urgency != sorted(urgency):
            return f" are not the most urgent first: {urgency}"
        if told := self.hidden & {row["integration"] for row in found}:
            return f" tell of {told}, which this caller has nothing to do with"
        known = [row for row in found if row["kind"] in self.KINDS]
        return rows.difference([row for row in known if row["integration"] in self.names])


class HolderRows(Matcher):
    """Who holds these versions: every live process at least once, no other, each with a run that gave it the version."""

    def __init__(self, places, most):
        self.most = most
        self.expected = {}
        for integration, secret, version in places:
            for process, runs in version.holders().items():
                self.expected[integration.name, secret.key, version.number, process.pid] = process, runs

    def difference(self, found):
        if not isinstance(found, list):
            return f" is {short(found)}, no list"
        keys = [(row["integration"], row["key"], row["version"], row["pid"]) for row in found]
        whole = len(self.expected) <= self.most
        if not set(keys) <= set(self.expected) or whole and set(keys) != set(self.expected):
            return f" has {keys} instead of {list(self.expected)}"
        order = [(*key[:3], row["since"]) for key, row in zip(keys, found)]
        if order != sorted(order):
            return f" are not in order: {order}"
        if len({(*key, row["run"]) for key, row in zip(keys, found)}) != len(found):
            return f" has a row twice: {keys}"
        for key, row in zip(keys, found):
            if wrong := self.wrong_row(row, *self.expected[key]):
                return f"{list(key)}{wrong}"
        return None

    @staticmethod
    def wrong_row(row, process, runs):
        giving = {run.number: run for run in runs}
        if row["run"] not in giving:
            return f".run is {row['run']}, none of {list(giving)}"
        pattern = {
            "holder": "process",
            "uid": process.uid,
            "user": process.user,
            "unit": None,
            "invocation": None,
            "exe": Either(None, Text("/.+")),
            "since": runs[0].at.until(runs[-1].at),
            "delivered": False,
            "staged": giving[row["run"]].staged,
        }
        return difference(pattern, row)


class Records(Matcher):
    """Audit records in their order; those of repeated requests may be there or not, all alike."""

    def __init__(self, records):
        self.records = records

    def difference(self, found):
        wrong = None
        for with_repeats in (True, False):
            expected = [pattern for pattern, is_repeat in self.records if with_repeats or not is_repeat]
            if len(expected) == len(found):
                wrong = difference(expected, found)
                if wrong is None:
                    return None
        kinds, wanted = (
            [f"{row['kind']} {row.get('key') or ''}" for row in rows] for rows in (found, expected)
        )
        return wrong or f" are {kinds} instead of {wanted}"
