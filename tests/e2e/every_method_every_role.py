#!/usr/bin/python3
"""Every method, called by every role: who may is answered, who may not is refused, and no reply holds a value (P2, P3)."""
import json
import os
import re
import time

from coffer_test import (
    ADMIN,
    AUDITOR,
    CRM,
    ETL,
    GROUP,
    INTEGRATION,
    OPERATOR,
    STRANGER,
    Suite,
    canary,
    equal,
    forms_of,
)

NAME, OTHER, ABSENT, EMPTY = "finance/warehouse-sync", "crm/connector", "finance/no-such-sync", "empty"
VALUE = canary(48)
MULTILINE = canary(30) + '\n"' + canary(30) + "\\é"
VALUES = (VALUE, MULTILINE)
MANAGER, GROUP_MANAGER = 2301, 2302
TOKEN = "coffer_999_" + "0" * 52 + "_88874168"
RUN = "01JD0000000000000000000000"
CALLERS = {
    "admin": ADMIN,
    "operator": OPERATOR,
    "auditor": AUDITOR,
    "granted": ETL,
    "granted_another": CRM,
    "manager": MANAGER,
    "group_manager": GROUP_MANAGER,
    "manager_of_another": 2303,
    "stranger": STRANGER,
}
GROUPS = {"group_manager": (GROUP,)}
MANAGERS = {"manager", "group_manager"}
RIGHTS = {
    "anyone": set(CALLERS),
    "admin": {"admin"},
    "reader": {"admin", "operator", "auditor"},
    "auditor": {"admin", "auditor"},
    "granted": {"granted"},
    "manager": {"admin", "operator"} | MANAGERS,
    "keeper": {"admin"} | MANAGERS,
    "viewer": {"admin", "operator", "auditor"} | MANAGERS,
}
# What a sensible request carries, by method, for an integration; every row of requests.def has one.
PARAMS = {
    "hello": lambda name: {"protocol": [1], "client": "test/1"},
    "schema": lambda name: {},
    "whoami": lambda name: {},
    "status": lambda name: {},
    "session.prove": lambda name: {"nonce": "0" * 32},
    "session.authenticate": lambda name: {"token": TOKEN},
    "integration.add": lambda name: {"name": name + "-new", **INTEGRATION},
    "integration.list": lambda name: {},
    "integration.show": lambda name: {"name": name},
    "integration.edit": lambda name: {"name": name, "purpose": "tests"},
    "integration.transfer": lambda name: {"name": name, "owner": "Grace", "contact": "grace@example.org"},
    "integration.review": lambda name: {"name": name, "note": "true"},
    "integration.history": lambda name: {"name": name},
    "integration.suspend": lambda name: {"name": name},
    "integration.resume": lambda name: {"name": name},
    "integration.retire": lambda name: {"name": name + "-new"},
    "grant.add": lambda name: {"integration": name, "rule": {"user": "2199"}},
    "grant.remove": lambda name: {"integration": name, "id": 999},
    "grant.list": lambda name: {"integration": name},
    "grant.explain": lambda name: {"integration": name, "user": str(ETL), "unit": "etl.service"},
    "token.create": lambda name: {
        "integration": name,
        "token_name": "t",
        "description": "tests",
        "user": "2199",
    },
    "token.revoke": lambda name: {"integration": name, "id": 999},
    "token.list": lambda name: {"integration": name},
    "secret.put": lambda name: {"integration": name, "key": "NEW_KEY", "value": VALUE},
    "secret.edit": lambda name: {"integration": name, "key": "API_TOKEN", "issuer": "the portal"},
    "secret.list": lambda name: {"integration": name},
    "secret.show": lambda name: {"integration": name, "key": "API_TOKEN"},
    "secret.revoke": lambda name: {"integration": name, "key": "NEW_KEY", "version": 1, "force": True},
    "secret.remove": lambda name: {"integration": name, "key": "NEW_KEY"},
    "secret.promote": lambda name: {"integration": name, "key": "API_TOKEN"},
    "secret.rollback": lambda name: {"integration": name, "key": "API_TOKEN"},
    "secret.record_test": lambda name: {
        "run": RUN,
        "passed": True,
        "exit_status": 0,
        "command_digest": "0" * 64,
        "duration_ms": 1,
    },
    "env.fetch": lambda name: {"integration": name},
    "env.watch": lambda name: {"integration": name},
    "holder.release": lambda name: {"run": RUN},
    "holder.list": lambda name: {"integration": name, "key": "API_TOKEN"},
    "run.end": lambda name: {"run": RUN, "exit_status": 0},
    "run.list": lambda name: {"integration": name},
    "usage.show": lambda name: {"integration": name},
    "request.list": lambda name: {"integration": name},
    "request.approve": lambda name: {"id": 999},
    "request.reject": lambda name: {"id": 999},
    "alert.list": lambda name: {},
    "vault.metrics": lambda name: {},
    "alert.ack": lambda name: {
        "alert": f"no_description:{name}:API_TOKEN",
        "integration": name,
        "until": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86400)),
        "note": "tests",
    },
    "audit.list": lambda name: {"integration": name},
    "audit.checkpoint": lambda name: {},
    "audit.archive": lambda name: {"until": "2000-01-01T00:00:00Z"},
    "apply.begin": lambda name: {},
    "apply.step": lambda name: {
        "method": "grant.remove",
        "params": json.dumps({"integration": name, "id": 999}),
    },
    "apply.run": lambda name: {},
}
# Refused for everybody, for a reason of its own: there is no challenge here, no such grant, nothing staged, no such run,
# no queue.
ALWAYS_REFUSED = {
    "session.prove": "denied",
    "session.authenticate": "denied",
    "token.revoke": "not_found",
    "grant.remove": "not_found",
    "secret.promote": "not_found",
    "secret.rollback": "not_found",
    "secret.record_test": "denied",
    "holder.release": "denied",
    "run.end": "denied",
    "apply.step": "conflict",
    "apply.run": "conflict",
    "request.approve": "not_found",
    "request.reject": "denied",
}
ANYONE = {"hello", "schema", "whoami", "status", "session.prove", "session.authenticate"}

suite = Suite()


@suite.setup
def prepare(vault):
    for name, managers in ((NAME, [str(MANAGER), f"%{GROUP}"]), (OTHER, ["2303"])):
        vault.add(name, managed_by=managers)
        vault.put(name, "API_TOKEN", VALUE)
        vault.put(name, "API_PEM", MULTILINE, multiline=True)
    vault.grant(NAME, user=ETL)
    vault.grant(OTHER, user=CRM)
    # Something to be seen of it in every list: a version that is free, a token, a request.
    vault.put(OTHER, "API_TOKEN", VALUE)
    vault.call(
        "token.create", {"integration": OTHER, "token_name": "kept", "description": "tests", "user": str(CRM)}
    )
    with vault.client(ADMIN) as client:  # and something that waits for a second person
        client.must_refuse("integration.edit", {"name": OTHER, "environment": "sandbox"}, "approval_required")


def methods(vault):
    return {entry["method"]: entry for entry in vault.call("schema")["methods"]}


def ask_raw(vault, role, method, params):
    with vault.client(CALLERS[role], groups=GROUPS.get(role, ())) as client:
        return client.ask_line(client.request(method, params))


def must_hold_no_value(line, what):
    for value in VALUES:
        for form in forms_of(value):
            assert form not in line, f"{what}: the reply holds a value"


@suite.check
def schema_names_every_row_of_the_request_table(vault):
    with open(suite.arguments[0], encoding="utf-8") as file:
        rows = re.findall(r'^REQUEST\(\w+, "([a-z._]+)", (\w+)', file.read(), re.M)
    equal(
        {name: entry["right"] for name, entry in methods(vault).items()},
        {name: right.lower() for name, right in rows},
        "methods",
    )
    equal(set(PARAMS), {name for name, _ in rows}, "methods that this test knows")


@suite.check
def the_granted_caller_is_the_only_one_who_gets_the_values(vault):
    equal(vault.fetch(NAME, ETL), {"API_TOKEN": VALUE, "API_PEM": MULTILINE}, "values")
    for role, uid in CALLERS.items():
        if role == "granted":
            continue
        line = ask_raw(vault, role, "env.fetch", {"integration": NAME})
        must_hold_no_value(line, role)
        equal(json.loads(line)["error"]["data"]["error"], "denied", f"{role} (uid {uid})")


def is_list_of_all(method, entry):
    """A manager of anything is shown a list of its own, which may be empty."""
    return entry["right"] == "viewer" and not {"name", "integration"} & set(PARAMS[method](NAME))


def role_check(role):
    def check(vault):
        for method, entry in methods(vault).items():
            line = ask_raw(vault, role, method, PARAMS[method](NAME))
            reply = json.loads(line)
            word = reply["error"]["data"]["error"] if "error" in reply else "ok"
            may = role in RIGHTS[entry["right"]] or (
                role == "manager_of_another" and is_list_of_all(method, entry)
            )
            if method != "env.fetch" or not may:
                must_hold_no_value(line, f"{method} by {role}")
            expected = (
                ("denied",) if not may else (ALWAYS_REFUSED[method],) if method in ALWAYS_REFUSED else ("ok",)
            )
            if may and method in (
                "integration.add",
                "grant.add",
                "token.create",
                "secret.revoke",
                "secret.remove",
            ):
                expected = ("ok", "conflict", "not_found")  # an earlier role did it already
            if method == "request.reject" and role == "admin":
                expected = ("not_found",)  # an admin may know; others could only take back their own
            assert word in expected, f"{method} by {role}: {word} instead of {expected}: {line[:300]!r}"

    return check


for _role in (
    "stranger",
    "granted_another",
    "manager_of_another",
    "auditor",
    "manager",
    "group_manager",
    "operator",
    "admin",
    "granted",
):
    suite.add(f"every_method_called_by_{_role}_does_what_the_right_says", role_check(_role))


def odd_check(role):
    """No params, none of the due fields, wrong types, values in wrong places: never a value back, never our input."""

    def check(vault):
        for method in methods(vault):
            for params in (
                None,
                {},
                {"integration": NAME, "value": VALUE},
                {"name": VALUE},
                {VALUE: 1},
                {"integration": 7},
            ):
                line = ask_raw(vault, role, method, params)
                if (
                    method != "env.fetch" or "granted" not in role or params
                ):  # without a name: its own integration
                    must_hold_no_value(line, f"{method} by {role} with {params}")

    return check


for _role in CALLERS:
    suite.add(f"no_odd_request_by_{_role}_brings_a_value_back", odd_check(_role))


@suite.check
def verbs_that_do_not_exist_return_nothing(vault):
    for method in (
        "secret.get",
        "secret.read",
        "secret.export",
        "secret.reveal",
        "env.show",
        "vault.dump",
        "SECRET.LIST",
        "",
    ):
        for role in CALLERS:
            line = ask_raw(vault, role, method, {"integration": NAME, "key": "API_TOKEN"})
            must_hold_no_value(line, f"{method} by {role}")
            word = json.loads(line)["error"]["data"]["error"]
            equal(word, "denied" if role == "stranger" else "unknown_method", f"{method!r} by {role}")


@suite.check
def asking_for_secret_get_is_audited(vault):
    found = [record for record in vault.audit(outcome="unknown_method") if record["uid"] == OPERATOR]
    assert found, "no record of it"


def equality_check(role):
    def check(vault):
        for method, entry in methods(vault).items():
            if role in RIGHTS[entry["right"]] and method != "env.fetch" or method in ANYONE:
                continue
            if role == "manager_of_another" and is_list_of_all(method, entry):
                continue
            forbidden, absent = (
                ask_raw(vault, role, method, PARAMS[method](name))
                for name in (OTHER if "another" not in role else NAME, ABSENT)
            )
            equal(absent, forbidden, f"{method} by {role}: the reply about what is absent")

    return check


for _role in ("stranger", "granted", "granted_another", "auditor", "manager_of_another"):
    suite.add(f"absent_and_forbidden_are_equal_to_the_byte_for_{_role}", equality_check(_role))


@suite.check
def an_operator_s_fetch_of_what_is_absent_and_forbidden_is_equal_to_the_byte(vault):
    for role in ("operator", "admin"):
        equal(
            *(ask_raw(vault, role, "env.fetch", {"integration": name}) for name in (NAME, ABSENT)),
            f"replies to {role}",
        )


@suite.check
def a_key_that_is_absent_looks_like_one_of_a_forbidden_integration(vault):
    for role in ("stranger", "granted_another", "operator"):
        equal(
            *(
                ask_raw(vault, role, "env.fetch", {"integration": NAME, "only": [key]})
                for key in ("API_TOKEN", "NO_SUCH_KEY")
            ),
            f"replies to {role}",
        )


@suite.check
def status_tells_every_role_which_vault_on_which_host(vault):
    for uid in (ADMIN, OPERATOR, AUDITOR):
        status = vault.call("status", uid=uid)
        equal(re.sub(r"[^A-Za-z0-9._-]", "_", os.uname().nodename), status["host"], "host")
        assert re.fullmatch("[0-9a-f]{32}", status["vault"]), status
        room = os.statvfs(vault.at("state"))
        assert 0 < status["store"]["free_bytes"] <= room.f_blocks * room.f_frsize, status
        assert {"critical", "warning", "notice"} <= set(status["alerts"]), status
    head = vault.call("audit.list", uid=AUDITOR)["head"]
    equal(vault.call("status", uid=AUDITOR)["audit"]["head"], head, "head of the audit log")


@suite.check
def status_tells_a_stranger_version_and_sealed_only(vault):
    equal(set(vault.call("status", uid=STRANGER)), {"version", "sealed"}, "fields")
    equal(set(vault.call("status", uid=ETL)), {"version", "sealed"}, "fields for a granted user")
    assert "counts" in vault.call("status", uid=AUDITOR)


@suite.check
def whoami_names_only_what_the_caller_itself_is_granted(vault):
    equal(vault.call("whoami", uid=ETL)["integrations"], [NAME], "granted user")
    equal(vault.call("whoami", uid=STRANGER)["integrations"], [], "stranger")
    equal(vault.call("whoami", uid=OPERATOR)["roles"], ["operator"], "roles of an operator")


@suite.check
def whoami_names_what_the_caller_itself_manages(vault):
    equal(vault.call("whoami", uid=MANAGER)["manages"], [NAME], "manager")
    with vault.client(GROUP_MANAGER, groups=(GROUP,)) as client:
        equal(client.call("whoami")["manages"], [NAME], "member of a group that manages")
    for uid in (GROUP_MANAGER, STRANGER, OPERATOR, ADMIN):
        equal(vault.call("whoami", uid=uid)["manages"], [], f"uid {uid}")


@suite.check
def lists_show_a_manager_its_own_integrations_only(vault):
    for method, what, of in (
        ("integration.list", "integrations", "name"),
        ("grant.list", "grants", "integration"),
        ("token.list", "tokens", "integration"),
        ("alert.list", "alerts", "integration"),
        ("holder.list", "holders", "integration"),
    ):
        names = {entry[of] for entry in vault.call(method, uid=MANAGER)[what]}
        assert names <= {NAME}, f"{method}: {names}"
    equal(
        [entry["name"] for entry in vault.call("integration.list", uid=2303)["integrations"]], [OTHER], "list"
    )


@suite.check
def what_names_no_integration_tells_a_manager_nothing_of_others(vault):
    seen = 0
    for method, entry in methods(vault).items():
        needs = {field["name"] for field in entry["fields"] if field["required"]}
        if entry["right"] != "viewer" or needs & {"name", "integration"}:
            continue
        line = ask_raw(vault, "manager", method, {})
        seen_by_all = ask_raw(vault, "admin", method, {})
        if "error" in json.loads(seen_by_all):
            continue  # it asks for more than nothing
        # Nobody holds anything here; test_core_managers.c has holders.
        assert OTHER.encode() in seen_by_all or method == "holder.list", f"{method} has nothing to hide"
        assert OTHER.encode() not in line, f"{method}: {line[:300]!r}"
        seen += 1
    assert seen >= 4, "such methods"


@suite.check
def a_manager_s_lines_may_be_as_long_as_anybody_s(vault):
    with vault.client(MANAGER) as client:
        client.call("secret.put", {"integration": NAME, "key": "LONG", "value": "x" * 20000, "stage": True})
        client.call("secret.revoke", {"integration": NAME, "key": "LONG", "version": 1, "force": True})
    with vault.client(STRANGER) as client:
        client.must_refuse(
            "secret.put", {"integration": NAME, "key": "LONG", "value": "x" * 20000}, "too_large"
        )


@suite.check
def the_record_of_a_refused_fetch_says_who_and_why_no_unit(vault):
    with vault.client(2998) as client:
        client.must_refuse("env.fetch", {"integration": NAME}, "denied")
    (record,) = [
        record for record in vault.audit(outcome="denied", kind="env.fetch") if record["uid"] == 2998
    ]
    equal((record["integration"], record["gid"]), (NAME, 2998), "record")
    if record["unit"]:
        equal(record["subject"], "", "subject where there is a unit")
    else:
        assert record["subject"].startswith("no unit: "), record


@suite.check
def a_manager_touches_neither_grants_nor_who_manages(vault):
    with vault.client(MANAGER) as client:
        for change in (
            {"managed_by": [str(MANAGER)]},
            {"environment": "sandbox"},
            {"test": "id"},
            {"managed_by": ""},
        ):
            client.must_refuse("integration.edit", {"name": NAME, "purpose": "p", **change}, "denied")
        client.must_refuse("grant.add", {"integration": NAME, "rule": {"user": str(MANAGER)}}, "denied")
        client.must_refuse("env.fetch", {"integration": NAME}, "denied")
        client.must_refuse("secret.list", {"integration": NAME, "touched_by": str(ETL)}, "denied")


@suite.check
def a_grant_to_a_group_counts_for_its_members_only(vault):
    vault.add(EMPTY)
    vault.put(EMPTY, "K", VALUE)
    vault.grant(EMPTY, group="2200", user=str(STRANGER))
    with vault.client(STRANGER) as client:
        client.must_refuse("env.fetch", {"integration": EMPTY}, "denied")
    with vault.client(ETL, groups=(2200,)) as client:
        client.must_refuse("env.fetch", {"integration": EMPTY}, "denied")
    with vault.client(STRANGER, groups=(2200,)) as client:
        equal(client.call("env.fetch", {"integration": EMPTY})["env"][0]["value"], VALUE, "value")
    with vault.client(STRANGER, gid=2200) as client:
        equal(
            client.call("env.fetch", {"integration": EMPTY})["env"][0]["value"],
            VALUE,
            "value by the primary group",
        )


@suite.check
def uid_65534_is_nobody(vault):
    client = vault.client(65534)
    client.send_until_refused(client.request("whoami"))
    line = client.read_line()
    assert line is None or b'"denied"' in line, f"answered: {line!r}"


@suite.check
def the_audit_log_holds_no_value(vault):
    must_hold_no_value(json.dumps(vault.audit(), ensure_ascii=False).encode(), "audit.list")
    must_hold_no_value(vault.log_text().encode(), "the log")


if __name__ == "__main__":
    suite.run()
