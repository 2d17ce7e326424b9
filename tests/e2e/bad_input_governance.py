#!/usr/bin/python3
"""Hostile requests about owners, reviews, states, tokens, approvals, alerts and the log change nothing and tell nothing (P1, P2, P8).

The first rows are made from the daemon's own schema: each field of each method, spoilt in every way that its type knows.  A new
method is among them as soon as every_method_every_role knows a sensible request of it.
"""
import json
import time

from coffer_test import (
    ADMIN,
    AUDITOR,
    ETL,
    INTEGRATION,
    OPERATOR,
    SECOND_ADMIN,
    STRANGER,
    TWO_ADMINS,
    Suite,
    canary,
    equal,
)
from every_method_every_role import PARAMS

NAME, OTHER, ABSENT = "finance/warehouse-sync", "crm/connector", "finance/no-such-sync"
MANAGER, OTHER_MANAGER = 2301, 2303
VALUE = canary(48)
ANYONE = {"hello", "schema", "whoami", "status", "session.prove"}
NEVER = 2**53  # beyond what JSON numbers are taken for

suite = Suite(roles=TWO_ADMINS, sections={"approval": {"require": "grant.add"}})
objects = {}  # of OTHER, which nobody who asks about NAME must reach


@suite.setup
def prepare(vault):
    for name, manager in ((NAME, MANAGER), (OTHER, OTHER_MANAGER)):
        vault.add(name, environment="sandbox", managed_by=[str(manager)])
        vault.put(name, "API_TOKEN", VALUE, description="to call")
        vault.put(name, "SILENT", VALUE)
        vault.grant(name, user=ETL)
        token = {"integration": name, "token_name": "t", "description": "d", "user": str(ETL)}
        objects[name] = {
            "token": vault.call("token.create", token)["id"],
            "grant": vault.call("grant.list", {"integration": name})["grants"][0]["id"],
            "alert": f"no_description:{name}:SILENT",
        }
    vault.add("prod/app")
    file_request(vault, "prod/app")


def file_request(vault, name, uid=ADMIN, user=ETL):
    """A request that waits for a second person; its number."""
    with vault.client(uid) as client:
        error = client.must_refuse("grant.add", {"integration": name, "rule": {"user": str(user)}}, "approval_required")
    return error["data"]["request"]


def later(days=1):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86400 * days))


def everything(vault):
    """All that a refused request could have changed, as an administrator sees it."""
    names = [entry["name"] for entry in vault.call("integration.list")["integrations"]]
    of_each = ("integration.show", "integration.history"), ("secret.list", "grant.list", "run.list")
    tell = {name: [vault.call(method, {"name": name}) for method in of_each[0]] for name in names}
    for name in names:
        tell[name] += [vault.call(method, {"integration": name}) for method in of_each[1]]
    tell["tokens"] = vault.call("token.list")
    tell["requests"] = vault.call("request.list")
    tell["acked"] = [(alert["id"], alert["acked"]) for alert in vault.call("alert.list")["alerts"] if alert["acked"]]
    return json.dumps(tell, sort_keys=True)


def row(number, words):
    """A check after which everything is as it was, unless it says otherwise, and a bystander is answered."""

    def register(function):
        def check(vault):
            before, pid = everything(vault), vault.pid
            changes = function(vault)
            assert vault.is_running() and vault.pid == pid, "the daemon is another one"
            if not changes:
                equal(everything(vault), before, "everything")

        suite.add(f"row_{number}_{words.replace(' ', '_')}", check)
        return function

    return register


def line_of(method, params):
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()


def reply_to(vault, line, uid=ADMIN):
    with vault.client(uid) as client:
        client.send_until_refused(line + b"\n")
        reply = client.read_line()
    assert reply is not None, f"closed without a reply: {line[:200]!r}"
    assert VALUE.encode() not in reply and b"coffer_" not in reply, f"a value or a token in {reply[:300]!r}"
    return reply


def word_of(reply):
    parts = json.loads(reply)
    return parts["error"]["data"]["error"] if "error" in parts else "ok"


def refused(vault, method, params, word, uid=ADMIN):
    reply = reply_to(vault, line_of(method, params), uid)
    assert word_of(reply) in (
        (word,) if isinstance(word, str) else word
    ), f"{method} {str(params)[:200]}: {reply[:300]!r}"
    return reply


# ---- every field, spoilt ----

BAD = {"bad_request", "bad_value", "bad_name", "too_large", "reserved_name"}
NO_STRING = (
    (7, {"bad_request"}),
    (None, {"bad_request"}),
    (True, {"bad_request"}),
    ([], {"bad_request"}),
    ({}, {"bad_request"}),
)
CONTROLS = (
    ("a\u0007", {"bad_value"}),
    ("a\u001b[2Jb", {"bad_value"}),
    ("a\u009bb", {"bad_value"}),
    ("a\u007f", {"bad_value"}),
)
NAMES = tuple((text, {"bad_name"}) for text in ("", "A", "../x", "a b", "a\n", "a\u202e", "é", "-a", "%n", "a" * 300))
SPOILT = {
    "line": NO_STRING + CONTROLS + (("a\nb", {"bad_value"}), ("a\tb", {"bad_value"})),
    "text": NO_STRING + CONTROLS + (("a\rb", {"bad_value"}),),
    "lines": ((7, {"bad_request"}), ("a", {"bad_request"}), ({}, {"bad_request"}), ([7], {"bad_request"}), (["a\n"], {"bad_value"}), ([""], {"bad_value"})),
    "map": ((7, {"bad_request"}), ("a=b", {"bad_request"}), ([], {"bad_request"}), ({"a": 7}, {"bad_request"}), ({"A b": "c"}, {"bad_name"}), ({"a": "b\n"}, {"bad_value"})),
    "word": NO_STRING + ((" ", BAD), ("A", BAD), ("a\u202e", BAD), ("a" * 300, BAD)),
    "slug": NO_STRING + NAMES,
    "integration_name": NO_STRING + tuple((text, words | {"too_large"}) for text, words in NAMES),
    "key": NO_STRING + (("", BAD), ("A=B", BAD), ("a b", BAD), ("A\n", BAD), ("A" * 65, BAD), ("LD_PRELOAD", {"reserved_name", "not_found"})),
    "duration": NO_STRING + tuple((text, BAD) for text in ("", "1", "-1d", "0s", "1.5h", "1 d", "99999999999d", "1d\u0000"[:2] + "x", "1e3s")),
    "time": NO_STRING + tuple((text, BAD) for text in ("", "now", "2026-02-30T00:00:00Z", "2026-01-01", "2026-01-01T00:00:00+01:00", "99999-01-01T00:00:00Z")),
    "count": (("1", {"bad_request"}), (None, {"bad_request"}), (True, {"bad_request"}), ([1], {"bad_request"}), (-1, {"bad_value"}), (NEVER, {"bad_json"}), (-NEVER, {"bad_json"}), (10**20, {"bad_json"}), (1.5, {"bad_json"})),
    "flag": tuple((flag, {"bad_request"}) for flag in (1, 0, "true", None, [], {})),
    "access": NO_STRING + (("", BAD), ("all", BAD), ("Read-only", BAD)),
    "environment": NO_STRING + (("", BAD), ("prod", BAD), ("Production", BAD)),
    "rule": ((7, {"bad_request"}), ([], {"bad_request"}), ({}, BAD), ({"user": 7}, BAD), ({"uid": "1"}, BAD), ({"user": "a\n"}, BAD), ({"unit": "*"}, BAD), ({"token": True}, BAD)),
    "credential": NO_STRING + tuple((text, BAD) for text in ("", ".", "..", "a/b", "a:b", "a b", "é", "a\n", "a" * 80)),
    "credentials": ((7, {"bad_request"}), ([], {"bad_request"}), ({"a": 7}, {"bad_request"}), ({"a/b": "A"}, BAD), ({"..": "A"}, BAD), ({"a": "A B"}, BAD), ({"a": "LD_PRELOAD"}, {"reserved_name", "bad_value"})),
    "hex32": NO_STRING + (("", {"bad_request"}), ("A" * 32, {"bad_request"}), ("0" * 31, {"bad_request"}), ("0" * 33, {"bad_request"})),
}  # fmt: skip
SPOILT["period"] = SPOILT["duration"]
MAY_BE_EMPTY = ("integration.edit", "secret.edit", "alert.ack", "request.list")  # "" clears, or is another refusal


def spoilt_of(field, method):
    """(value, words) of each way to spoil this field; texts over the limit besides."""
    ways = SPOILT.get(field["type"], ())
    if field["type"] in ("line", "text"):
        ways += (("x" * (field["max"] + 1), {"too_large"}),)
    if field["type"] == "lines":
        ways += ((["x"] * (field["max"] + 1), {"too_large"}), (["x" * 4001], {"too_large"}))
    if field["type"] == "map":
        ways += (({f"k{number}": "v" for number in range(field["max"] + 1)}, {"too_large"}),)
    return [(value, words) for value, words in ways if value != "" or method not in MAY_BE_EMPTY]


def governed(vault):
    """Methods and their fields, of those that are asked about an integration or by somebody with a role."""
    for entry in vault.call("schema")["methods"]:
        if entry["method"] not in ANYONE | {"session.authenticate"}:
            yield entry


def spoilt_lines(entry):
    """(line, words) for every field of a method, one of them spoilt at a time."""
    good = PARAMS[entry["method"]](NAME)
    for field in entry["fields"]:
        for value, words in spoilt_of(field, entry["method"]):
            yield line_of(entry["method"], {**good, field["name"]: value}), words
        for raw in (b'"a\\u0000b"', b'"a\x00b"', b'"\xff"', b'"\xed\xa0\x80"', b'"\\ud800"', b'"\x1b[2J"'):
            line = line_of(entry["method"], {**good, field["name"]: "@@"})
            yield line.replace(b'"@@"', raw), {"bad_json"}
        line = line_of(entry["method"], {**good, field["name"]: "@@"})
        twice = b'"' + field["name"].encode() + b'": "@@"'
        yield line.replace(twice, twice + b", " + twice), {"bad_json"}
        if field["required"]:
            yield line_of(entry["method"], {key: word for key, word in good.items() if key != field["name"]}), {
                "bad_request"
            }
    yield line_of(entry["method"], {**good, "no_such_field": 1}), {"bad_request"}
    yield line_of(entry["method"], {**good, "value_b64": VALUE}), {"bad_request"}
    for params in ([], "x", 7, None, True):
        yield line_of(entry["method"], params), {"bad_request"}


@row(170, "every field of every method spoilt in every way is named wrong")
def _(vault):
    tried = 0
    for entry in governed(vault):
        if entry["right"] == "granted":
            continue  # an administrator is no granted process: see the next row
        for line, words in spoilt_lines(entry):
            reply = reply_to(vault, line)
            assert word_of(reply) in words, f"{line[:300]!r}: {word_of(reply)} instead of {words}: {reply[:300]!r}"
            tried += 1
    assert tried > 1500, f"only {tried} requests"


def attack_as(uid):
    def check(vault):
        for entry in governed(vault):
            for line, words in spoilt_lines(entry):
                word = word_of(reply_to(vault, line, uid))
                assert word in words | BAD | {"denied"}, f"{line[:300]!r} by {uid}: {word}"

    return check


for _number, (_who, _uid) in enumerate(
    (
        ("stranger", STRANGER),
        ("operator", OPERATOR),
        ("auditor", AUDITOR),
        ("manager", MANAGER),
        ("granted process", ETL),
    ),
    171,
):
    row(_number, f"the same by a {_who} changes nothing")(attack_as(_uid))


# ---- objects of others, and of nobody ----


@row(176, "numbers of objects of another integration are not found")
def _(vault):
    theirs = objects[OTHER]
    for method, number in (("grant.remove", theirs["grant"]), ("token.revoke", theirs["token"])):
        for wrong in (number, 0, 4711, NEVER - 1):
            refused(vault, method, {"integration": NAME, "id": wrong}, "not_found")
    for alert in (theirs["alert"], "no_description:finance/none:KEY", "run_failed", "refusals:uid=0", "%n", "x" * 400):
        for uid in (ADMIN, OPERATOR, MANAGER):
            params = {"alert": alert, "integration": NAME, "until": later(), "note": "n"}
            refused(vault, "alert.ack", params, "not_found", uid)
    for method in ("request.approve", "request.reject"):
        for wrong in (0, 4711, NEVER - 1):
            refused(vault, method, {"id": wrong}, "not_found", SECOND_ADMIN)


@row(177, "what is forbidden looks like what is absent to the byte")
def _(vault):
    """By number or by name, to those who have a right elsewhere or none (P2)."""
    number = file_request(vault, "prod/app")
    for uid in (STRANGER, ETL, OPERATOR, AUDITOR, MANAGER):
        for method in ("request.approve", "request.reject"):
            equal(
                refused(vault, method, {"id": number}, "denied", uid),
                refused(vault, method, {"id": 4711}, "denied", uid),
                f"{method} by {uid}",
            )
    ack = {"until": later(), "note": "n"}
    equal(
        refused(
            vault, "alert.ack", {"alert": objects[OTHER]["alert"], "integration": NAME, **ack}, "not_found", MANAGER
        ),
        refused(
            vault, "alert.ack", {"alert": "no_description:a/b:SILENT", "integration": NAME, **ack}, "not_found", MANAGER
        ),
        "alert.ack by a manager",
    )
    for uid in (STRANGER, MANAGER):
        for method, params in PARAMS.items():
            about = params(OTHER)
            if not {"name", "integration"} & set(about) or method == "integration.add":
                continue
            replies = {refused(vault, method, params(name), "denied", uid) for name in (OTHER, ABSENT)}
            equal(len(replies), 1, f"kinds of answers to {method} by {uid}")


@row(178, "lists and numbers tell a manager nothing of others")
def _(vault):
    for method in ("integration.list", "grant.list", "token.list", "alert.list", "request.list"):
        reply = reply_to(vault, line_of(method, {}), MANAGER)
        equal(word_of(reply), "ok", method)
        assert OTHER.encode() not in reply and b"prod/app" not in reply, f"{method} tells a manager of others"


# ---- states that do not fit ----


@row(179, "states that do not fit are refused and stay")
def _(vault):
    name = "states/app"
    vault.add(name, environment="sandbox")
    vault.put(name, "API_TOKEN", VALUE)
    refused(vault, "integration.resume", {"name": name}, "conflict")
    vault.call("integration.suspend", {"name": name, "reason": "r"})
    refused(vault, "integration.suspend", {"name": name, "reason": "r"}, "conflict")
    vault.call("integration.retire", {"name": name, "reason": "r"})
    before = vault.call("integration.show", {"name": name})
    for method in PARAMS:
        params = PARAMS[method](name)
        changes = method.split(".")[-1] in (
            "edit", "transfer", "review", "suspend", "resume", "retire", "put", "promote", "rollback", "create",
        )  # fmt: skip
        if changes and {"name", "integration"} & set(params):
            refused(vault, method, params, ("retired", "conflict", "not_found"))
    refused(vault, "grant.add", {"integration": name, "rule": {"user": str(ETL)}}, ("retired", "conflict"))
    equal(vault.call("integration.show", {"name": name}), before, "what is retired")
    return True


# ---- a second person ----


def pending(vault, number):
    return next(request for request in vault.call("request.list")["requests"] if request["id"] == number)["state"]


@row(180, "nobody but a second admin approves whatever the connection")
def _(vault):
    number = file_request(vault, "prod/app")
    refused(vault, "request.approve", {"id": number}, "denied")  # another connection of the same user
    for groups in ((), (2200,), (0, 2001)):
        for uid, gid in (
            (ADMIN, 2200),
            (ADMIN, SECOND_ADMIN),
            (OPERATOR, ADMIN),
            (MANAGER, SECOND_ADMIN),
            (STRANGER, ADMIN),
        ):
            with vault.client(uid, gid, groups) as client:
                client.must_refuse("request.approve", {"id": number}, "denied")
                client.must_refuse("request.approve", {"id": number, "note": "n", "request_id": "0" * 32}, "denied")
    for uid in (OPERATOR, AUDITOR, MANAGER, ETL, STRANGER):
        refused(vault, "request.reject", {"id": number}, "denied", uid)
    equal(pending(vault, number), "pending", "state")


@row(181, "a request runs once and not after the object has changed")
def _(vault):
    name = "prod/once"
    vault.add(name)
    number = file_request(vault, name)
    vault.call("request.approve", {"id": number}, SECOND_ADMIN)
    for method in ("request.approve", "request.reject"):
        refused(vault, method, {"id": number}, "conflict", SECOND_ADMIN)
    changed = file_request(vault, name, user=2102)
    vault.call("integration.edit", {"name": name, "purpose": "another"})
    refused(vault, "request.approve", {"id": changed}, "conflict", SECOND_ADMIN)
    vault.call("request.reject", {"id": changed})
    refused(vault, "request.approve", {"id": changed}, "conflict", SECOND_ADMIN)
    equal(len(vault.call("grant.list", {"integration": name})["grants"]), 1, "grants")
    return True


# ---- tables have limits ----


@row(182, "one user has only so many requests waiting and the same one once")
def _(vault):
    name = "prod/many"
    vault.add(name)
    first = file_request(vault, name, user=5000)
    equal(file_request(vault, name, user=5000), first, "the same request again")
    filed = [first]
    with vault.client() as client:
        for user in range(5001, 5100):
            reply = client.ask("grant.add", {"integration": name, "rule": {"user": str(user)}})
            if reply["error"]["data"]["error"] == "busy":
                break
            filed.append(reply["error"]["data"]["request"])
        else:
            raise AssertionError("no limit")
        client.must_refuse("grant.add", {"integration": name, "rule": {"user": "5999"}}, "busy")
    assert len(filed) <= 32, f"{len(filed)} requests of one user"
    for number in filed:
        vault.call("request.reject", {"id": number})
    return True


@row(183, "an integration has only so many tokens")
def _(vault):
    name = "limits/tokens"
    vault.add(name, environment="sandbox")
    good = {"integration": name, "description": "d", "user": str(ETL)}
    for number in range(32):
        vault.call("token.create", {**good, "token_name": f"t{number}"})
    refused(vault, "token.create", {**good, "token_name": "t32"}, "too_large")
    return True


@row(184, "only alerts that are there can be seen to and only for a year")
def _(vault):
    alert = objects[NAME]["alert"]
    good = {"alert": alert, "integration": NAME, "until": later(), "note": "n"}
    for wrong, word in (
        ({"until": later(-1)}, "bad_value"),
        ({"until": later(400)}, "bad_value"),
        ({"alert": alert + ":1"}, "not_found"),
        ({"alert": alert.upper()}, "not_found"),
        ({"alert": ""}, ("not_found", "bad_value")),
        ({"note": ""}, "bad_value"),
        ({"note": "  "}, "bad_value"),
        ({"integration": ABSENT}, "not_found"),
    ):
        refused(vault, "alert.ack", {**good, **wrong}, word)


# ---- who never gets a value ----


@row(185, "tokens of others open nothing to whoever shows them")
def _(vault):
    name = "tokens/app"
    vault.add(name, environment="sandbox")
    vault.put(name, "API_TOKEN", VALUE)
    vault.call("grant.add", {"integration": name, "rule": {"user": str(ETL), "token": True}})
    text = vault.call("token.create", {"integration": name, "token_name": "t", "description": "d", "user": str(ETL)})[
        "token"
    ]
    for uid in (STRANGER, OPERATOR, AUDITOR, MANAGER, ADMIN):
        with vault.client(uid) as client:
            client.must_refuse("session.authenticate", {"token": text}, "denied")
            client.must_refuse("env.fetch", {"integration": name}, "denied")
    with vault.client(ETL) as client:
        client.must_refuse("env.fetch", {"integration": name}, "denied")
        client.call("session.authenticate", {"token": text})
        equal(client.call("env.fetch", {"integration": name})["env"][0]["value"], VALUE, "with its own token")
    vault.call("integration.suspend", {"name": name, "reason": "r"})
    with vault.client(ETL) as client:
        client.ask("session.authenticate", {"token": text})
        client.must_refuse("env.fetch", {"integration": name}, "suspended")
    return True


if __name__ == "__main__":
    suite.run()
