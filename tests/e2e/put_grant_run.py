#!/usr/bin/python3
"""The main job by the command line: a value put in comes out only in the environment of the granted program."""
import json
import os
import re

from coffer_test import AUDITOR, ETL, INTEGRATION, OPERATOR, STRANGER, Suite, canary, equal, forms_of

NAME = "finance/warehouse-sync"
FIRST = canary()
SECOND = canary() + "\"\\ä'$(x) "
SHOWN = []  # everything that was shown to anybody but the granted program

suite = Suite()


def shown(vault, *words, status=0, **more):
    """The output of a command that must never hold a value; remembered for the last check."""
    done = vault.coffer(*words, **more)
    SHOWN.append(done.stdout + done.stderr)
    equal(done.returncode, status, f"exit status of coffer {' '.join(words)} ({done.stderr!r})")
    return done


def as_json(vault, *words, **more):
    return json.loads(shown(vault, *words, "--json", **more).stdout)


def fields():
    return [word for key, text in INTEGRATION.items() for word in (f"--{key}", text)]


@suite.check
def an_integration_without_its_mandatory_fields_is_refused_naming_all_of_them(vault):
    done = vault.coffer("integration", "add", NAME)
    assert done.returncode in (64, 65), done
    for key in INTEGRATION:
        assert key.encode() in done.stderr, f"{key} is not named: {done.stderr!r}"
    equal(vault.counts()["integrations"], 0, "integrations")


@suite.check
def an_operator_may_not_add_an_integration(vault):
    shown(vault, "integration", "add", NAME, *fields(), uid=OPERATOR, status=77)


@suite.check
def a_run_before_there_is_anything_is_denied(vault):
    done = shown(vault, "run", NAME, "--", "/bin/true", uid=ETL, status=125)
    assert b"denied" in done.stderr or b"not permitted" in done.stderr, done.stderr


@suite.check
def an_admin_adds_the_integration(vault):
    shown(vault, "integration", "add", NAME, *fields())
    listed = as_json(vault, "integration", "list", uid=AUDITOR)["integrations"]
    equal([entry["name"] for entry in listed], [NAME], "integrations")
    one = as_json(vault, "integration", "show", NAME, uid=OPERATOR)["integration"]
    for key, text in INTEGRATION.items():
        equal(one[key], text, key)


@suite.check
def an_operator_puts_a_value_by_standard_input_and_one_newline_is_dropped(vault):
    shown(vault, "secret", "put", NAME, "PGPASSWORD", uid=OPERATOR, stdin=FIRST.encode() + b"\n")
    equal(vault.counts(), {"integrations": 1, "secrets": 1, "versions": 1}, "counts")


@suite.check
def an_auditor_may_not_put(vault):
    shown(vault, "secret", "put", NAME, "PGPASSWORD", uid=AUDITOR, stdin=b"x\n", status=77)


@suite.check
def a_value_as_an_argument_is_refused(vault):
    done = vault.coffer("secret", "put", NAME, "PGPASSWORD", "hunter2", uid=OPERATOR, stdin=b"x\n")
    equal(done.returncode, 64, "exit status")
    assert b"hunter2" not in done.stdout + done.stderr, "the argument is echoed"


@suite.check
def before_the_grant_nobody_gets_it(vault):
    for uid in (0, OPERATOR, AUDITOR, ETL, STRANGER):
        done = vault.coffer("run", NAME, "--", "/usr/bin/env", uid=uid)
        equal(done.returncode, 125, f"exit status of coffer run for uid {uid}")
        equal(done.stdout, b"", "output of a program that must not have run")


@suite.check
def an_admin_grants_it_to_the_program_s_user(vault):
    shown(vault, "grant", "add", NAME, f"user={ETL}")
    grants = as_json(vault, "grant", "list", NAME, uid=AUDITOR)["grants"]
    equal([grant["rule"]["uid"] for grant in grants], [ETL], "granted users")


@suite.check
def the_granted_program_finds_the_value_in_its_environment(vault):
    output = vault.must_coffer("run", NAME, "--", "/usr/bin/printenv", "PGPASSWORD", uid=ETL)
    equal(output, FIRST.encode() + b"\n", "PGPASSWORD")


@suite.check
def the_only_granted_integration_needs_no_name(vault):
    equal(
        vault.must_coffer("run", "--", "/usr/bin/printenv", "PGPASSWORD", uid=ETL),
        FIRST.encode() + b"\n",
        "PGPASSWORD",
    )


@suite.check
def everybody_else_still_gets_nothing(vault):
    for uid in (0, OPERATOR, AUDITOR, STRANGER):
        done = shown(vault, "run", NAME, "--", "/usr/bin/env", uid=uid, status=125)
        equal(done.stdout, b"", "output of a program that must not have run")


@suite.check
def a_new_value_replaces_the_current_one_at_the_next_start(vault):
    shown(
        vault, "secret", "put", NAME, "PGPASSWORD", "--note", "rotated", uid=OPERATOR, stdin=SECOND.encode()
    )
    equal(
        vault.must_coffer("run", "--", "/usr/bin/printenv", "PGPASSWORD", uid=ETL),
        SECOND.encode() + b"\n",
        "PGPASSWORD",
    )
    versions = as_json(vault, "secret", "show", NAME, "PGPASSWORD", uid=AUDITOR)["versions"]
    equal({entry["version"]: entry["state"] for entry in versions}, {1: "draining", 2: "current"}, "states")
    equal({entry["version"]: entry["fetches"] for entry in versions}, {1: 2, 2: 1}, "fetches")


@suite.check
def exact_keeps_the_trailing_newline(vault):
    shown(
        vault, "secret", "put", NAME, "EXACT", "--exact", "--multiline", uid=OPERATOR, stdin=b"two\nlines\n"
    )
    equal(vault.fetch(NAME)["EXACT"], "two\nlines\n", "EXACT")


@suite.check
def a_value_with_a_line_break_needs_multiline(vault):
    shown(vault, "secret", "put", NAME, "BROKEN", uid=OPERATOR, stdin=b"two\nlines\n", status=65)
    assert "BROKEN" not in vault.fetch(NAME)


@suite.check
def bytes_that_are_not_text_arrive_unchanged(vault):
    value = bytes(range(1, 256)).replace(b"\n", b"").replace(b"\r", b"")
    shown(vault, "secret", "put", NAME, "BYTES", "--exact", uid=OPERATOR, stdin=value)
    output = vault.must_coffer("run", "--", "/usr/bin/printenv", "BYTES", uid=ETL)
    equal(output, value + b"\n", "BYTES")


@suite.check
def listings_name_keys_and_states_and_no_values(vault):
    for words in (
        ("secret", "list", NAME),
        ("secret", "show", NAME, "PGPASSWORD"),
        ("integration", "show", NAME),
        ("grant", "list", NAME),
        ("status",),
        ("whoami",),
        ("audit", "list"),
    ):
        for more in ((), ("--json",)):
            shown(vault, *words, *more)
    keys = {entry["key"] for entry in as_json(vault, "secret", "list", NAME, uid=OPERATOR)["secrets"]}
    assert {"PGPASSWORD", "EXACT", "BYTES"} <= keys, keys


@suite.check
def the_audit_log_tells_who_did_what(vault):
    records = [(record["kind"], record["outcome"], record["uid"]) for record in vault.audit(integration=NAME)]
    for wanted in (
        ("integration.add", "ok", 0),
        ("secret.put", "ok", OPERATOR),
        ("grant.add", "ok", 0),
        ("env.fetch", "ok", ETL),
        ("env.fetch", "denied", STRANGER),
    ):
        assert wanted in records, f"{wanted} is not in {records}"
    SHOWN.append(json.dumps(vault.audit()).encode())


@suite.check
def the_audit_log_verifies_with_the_daemon_and_without(vault):
    shown(vault, "audit", "verify")
    path = vault.at("audit.jsonl")
    shown(vault, "audit", "export", path)
    with open(path, "rb") as file:
        SHOWN.append(file.read())
    shown(vault, "audit", "verify", path, env=vault.environment(COFFER_SOCKET="/nonexistent/socket"))


def verify_changed(vault, change):
    """Exit status of verifying an export whose list of lines was changed."""
    with open(vault.at("audit.jsonl"), encoding="utf-8") as file:
        lines = file.read().splitlines()
    with open(vault.at("changed.jsonl"), "w", encoding="utf-8") as file:
        file.write("".join(line + "\n" for line in change(list(lines))))
    done = vault.coffer("audit", "verify", vault.at("changed.jsonl"))
    assert done.returncode != 0, f"a changed export was found in order: {done.stdout!r}"
    assert done.stderr, "nothing was said about it"


@suite.check
def a_changed_record_is_found(vault):
    verify_changed(
        vault, lambda lines: lines[:3] + [re.sub(r'"uid":\d+', '"uid":4711', lines[3])] + lines[4:]
    )


@suite.check
def a_removed_record_is_found(vault):
    verify_changed(vault, lambda lines: lines[:3] + lines[4:])


@suite.check
def reordered_records_are_found(vault):
    verify_changed(vault, lambda lines: lines[:3] + [lines[4], lines[3]] + lines[5:])


@suite.check
def an_inserted_record_is_found(vault):
    verify_changed(vault, lambda lines: lines[:3] + [lines[2]] + lines[3:])


@suite.check
def an_export_that_does_not_begin_at_the_first_record_says_so(vault):
    """Without header and first record the rest is in order by itself; what came before is named, so that nobody takes it for the whole."""
    with open(vault.at("audit.jsonl"), encoding="utf-8") as file:
        lines = file.read().splitlines(keepends=True)
    with open(vault.at("changed.jsonl"), "w", encoding="utf-8") as file:
        file.writelines(lines[2:])
    assert b"from record 2" in vault.must_coffer("audit", "verify", vault.at("changed.jsonl"))


@suite.check
def a_tail_that_is_missing_shows_in_the_head(vault):
    whole, cut = (
        vault.must_coffer("audit", "verify", vault.at(name)) for name in ("audit.jsonl", cut_tail(vault))
    )
    assert whole != cut, "the same words for a log without its tail"


def cut_tail(vault):
    with open(vault.at("audit.jsonl"), encoding="utf-8") as file:
        lines = file.read().splitlines(keepends=True)
    with open(vault.at("cut.jsonl"), "w", encoding="utf-8") as file:
        file.writelines(lines[:-1])
    return "cut.jsonl"


@suite.check
def import_takes_over_a_dotenv_file(vault):
    path = vault.at("dotenv")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"# comment\nAPI_TOKEN={canary()}\nAPI_URL='https://example.org/'\n")
    shown(vault, "import", NAME, path)
    values = vault.fetch(NAME)
    equal(values["API_URL"], "https://example.org/", "API_URL")
    assert "API_TOKEN" in values, sorted(values)


@suite.check
def everything_is_there_after_a_restart(vault):
    before = vault.fetch(NAME)
    equal(vault.stop(), 0, "exit status after SIGTERM")
    vault.start()
    equal(vault.fetch(NAME), before, "values")
    shown(vault, "audit", "verify")


@suite.check
def the_stopped_vault_is_found_in_order(vault):
    equal(vault.stop(), 0, "exit status after SIGTERM")
    done = vault.cofferd("check")
    equal(done.returncode, 0, f"exit status of cofferd check ({done.stderr})")
    vault.start()


@suite.check
def nothing_that_was_shown_holds_a_value(vault):
    SHOWN.append(vault.log_text().encode())
    for output in SHOWN:
        for value in (FIRST, SECOND):
            for form in forms_of(value):
                assert form not in output, f"a value in {output[:300]!r}"


@suite.check
def no_file_of_the_vault_holds_a_value(vault):
    for folder, _, names in os.walk(vault.folder):
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.isfile(path) or name == "dotenv":
                continue
            with open(path, "rb") as file:
                data = file.read()
            for value in (FIRST, SECOND):
                for form in forms_of(value):
                    assert form not in data, f"a value in {path}"


if __name__ == "__main__":
    suite.run()
