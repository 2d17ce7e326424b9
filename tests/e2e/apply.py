#!/usr/bin/python3
"""coffer apply against the real daemon: a file says what is to be, and it is, wholly or not at all, also under kill -9 (P5)."""
import json
import subprocess
import time

from coffer_test import AUDITOR, ETL, OPERATOR, STRANGER, Suite, equal

KILLS, MOST_KILLS = 40, 80  # more than 40 only until some came in time and some too late
STEP = 1.4
MANY = 50
FILE = """# what this host runs
[finance/warehouse-sync]
title = Warehouse sync
description = Copies invoices
    to the warehouse.
    .
    Every night.
owner = Ada Lovelace
contact = ada@example.org
systems = CRM, ERP\\, on-prem
labels = team=data, tier=1
expected_every = 24h
rate_limit = 120
grant = user=2001 unit=etl.service
grant = user=2002 staged_only

[crm/connector]
title = CRM connector
description = Reads the CRM
owner = Grace Hopper
contact = grace@example.org
environment = sandbox
"""

suite = Suite()


def apply(vault, text, *words, status=0, **more):
    done = vault.coffer("apply", *words, "-", stdin=text.encode(), **more)
    equal(done.returncode, status, f"exit status of coffer apply {words} ({done.stderr!r})")
    return done


def changes(vault, text, *words):
    """What one application does, as (action, integration, what)."""
    result = json.loads(apply(vault, text, *words, "--json").stdout)
    return [(entry["action"], entry["integration"], entry["what"]) for entry in result["changes"]]


def shown(vault, name):
    return vault.call("integration.show", {"name": name})


def names(vault):
    return sorted(entry["name"] for entry in vault.call("integration.list")["integrations"])


@suite.check
def nobody_but_an_admin_applies(vault):
    for uid in (OPERATOR, AUDITOR, ETL, STRANGER):
        apply(vault, FILE, uid=uid, status=77)
    equal(names(vault), [], "integrations")


@suite.check
def a_dry_run_does_nothing(vault):
    before = vault.audit()
    done = apply(vault, FILE, "--dry-run")
    assert b"would create finance/warehouse-sync\n" in done.stdout, done.stdout
    assert b"Nothing was done" in done.stdout, done.stdout
    equal(names(vault), [], "integrations")
    equal(len(vault.audit()), len(before), "audit records")


@suite.check
def a_file_with_something_wrong_in_its_end_does_nothing(vault):
    for more, status, named in (
        ("expected_every = often\n", 65, b"expected_every"),
        ("grant = user=no-such-user-here\n", 65, b"step 5, grant.add of crm/connector: no such user"),
        ("[crm/third]\ntitle = A third\n", 65, b"crm/third is new"),
    ):
        done = apply(vault, FILE + more, status=status)
        assert b"standard input:23: " in done.stderr and named in done.stderr, done.stderr
        assert done.stderr.endswith(b"; nothing was done\n"), done.stderr
        equal(names(vault), [], "integrations")
        apply(vault, FILE + more, "--dry-run", status=status)


@suite.check
def what_the_file_says_is_so(vault):
    done = apply(vault, FILE)
    for line in (
        b"created finance/warehouse-sync\n",
        b"grant added finance/warehouse-sync: user=2001 unit=etl.service\n",
        b"grant added finance/warehouse-sync: user=2002 staged_only\n",
        b"created crm/connector\n",
        b"unchanged: 0\n",
    ):
        assert line in done.stdout, f"{line} is not in {done.stdout}"
    record = shown(vault, "finance/warehouse-sync")
    integration = record["integration"]
    equal(integration["description"], "Copies invoices\nto the warehouse.\n\nEvery night.", "description")
    equal(integration["systems"], ["CRM", "ERP, on-prem"], "systems")
    equal(integration["labels"], {"team": "data", "tier": "1"}, "labels")
    equal(integration["rate_limit"], 120, "rate_limit")
    equal([grant["staged_only"] for grant in record["grants"]], [False, True], "grants")
    equal(shown(vault, "crm/connector")["integration"]["environment"], "sandbox", "environment")


@suite.check
def each_change_has_a_record_of_its_own(vault):
    kinds = [record["kind"] for record in vault.audit(outcome="ok") if record["kind"] != "vault.init"]
    equal(
        kinds[-5:],
        ["integration.add", "grant.add", "grant.add", "integration.add", "apply.run"],
        "kinds of the last records",
    )


@suite.check
def the_same_file_again_changes_nothing(vault):
    before = len(vault.audit())
    for words in ((), ("--prune",), ("--dry-run",)):
        equal(changes(vault, FILE, *words), [], f"changes with {words}")
    equal(len(vault.audit()), before, "audit records")


@suite.check
def only_what_the_file_names_and_differs_is_changed(vault):
    vault.call("integration.edit", {"name": "crm/connector", "docs": "https://example.org"})
    text = FILE.replace("Ada Lovelace", "Alan Turing").replace(
        "labels = team=data, tier=1", "labels = team=ml"
    )
    equal(
        changes(vault, text),
        [("change", "finance/warehouse-sync", "owner, labels")],
        "changes",
    )
    equal(shown(vault, "crm/connector")["integration"]["docs"], "https://example.org", "docs")
    equal(changes(vault, text + "docs =\n"), [("change", "crm/connector", "docs")], "changes")
    equal(shown(vault, "crm/connector")["integration"]["docs"], None, "docs")
    equal(changes(vault, FILE)[0][2], "owner, labels", "changes back")


@suite.check
def grants_that_are_not_in_the_file_go_only_when_pruned(vault):
    vault.grant("finance/warehouse-sync", user=2009)
    vault.grant("crm/connector", user=2009)
    done = apply(vault, FILE)
    assert b"not in the file: grant" in done.stdout and b"--prune removes them" in done.stdout, done.stdout
    equal(len(shown(vault, "finance/warehouse-sync")["grants"]), 3, "grants")
    equal(
        [change[:2] for change in changes(vault, FILE, "--prune")],
        [("remove_grant", "finance/warehouse-sync")],
        "",
    )
    equal(len(shown(vault, "finance/warehouse-sync")["grants"]), 2, "grants")
    equal(len(shown(vault, "crm/connector")["grants"]), 1, "grants of which the file says nothing")
    equal(
        [change[:2] for change in changes(vault, FILE + "grant =\n", "--prune")],
        [("remove_grant", "crm/connector")],
        "",
    )


def many(workspace, owner):
    return "".join(
        f"[{workspace}/app-{number}]\ntitle = App {number}\ndescription = One of many\nowner = {owner}\n"
        f"contact = x@example.org\ngrant = user={ETL}\n"
        for number in range(MANY)
    )


def standing(vault, workspace):
    """Owners and numbers of grants of a workspace: one of each, or something is half done."""
    listed = vault.call("integration.list", {"workspace": workspace})["integrations"]
    grants = [
        grant["integration"]
        for grant in vault.call("grant.list")["grants"]
        if grant["integration"].startswith(workspace + "/")
    ]
    equal(len(grants), len(listed), f"grants of {workspace}")
    owners = {entry["owner"] for entry in listed}
    assert len(listed) in (0, MANY) and len(owners) <= 1, f"{workspace}: half done: {len(listed)}, {owners}"
    return owners.pop() if owners else None


def kill_one(vault, path, is_daemon, delay):
    """Applies a file and kills one of the two after a while; the client's exit status."""
    client = subprocess.Popen(
        [vault.programs["coffer"], "apply", path],
        env=vault.environment(COFFER_SOCKET=vault.socket),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
    )
    time.sleep(delay)
    if is_daemon:
        vault.kill()
        client.wait(60)
        vault.start()
    else:
        client.kill()
    return client.wait(60)


def write(vault, text):
    path = vault.at("apply.ini")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


@suite.check
def killed_at_any_moment_it_is_done_wholly_or_not_at_all(vault):
    begin = time.monotonic()
    vault.must_coffer("apply", write(vault, many("base", "owner")))
    whole = time.monotonic() - begin
    ends = [
        whole
    ] * 4  # where each kind of kill comes about as often too late as in time; it follows the machine's load
    found = {True: [], False: []}
    owner = "owner"
    for kill in range(MOST_KILLS):
        if kill >= KILLS and all(len(kills) > 2 for kills in found.values()):
            break
        workspace = "base" if kill % 4 < 2 else f"fresh-{kill}"
        wanted = f"owner {kill}"
        path = write(vault, many(workspace, wanted))
        # Half of them over the whole, half around its end, where it happens.
        part = kill % KILLS / KILLS
        is_at_end = kill % 8 >= 4
        delay = ends[kill % 4] * (0.7 + part * 0.6 if is_at_end else part)
        status = kill_one(vault, path, kill % 2 == 0, delay)
        before = owner if workspace == "base" else None
        now = standing(vault, workspace)
        assert now in (before, wanted), f"kill {kill}: {now}"
        if status == 0:
            equal(now, wanted, f"kill {kill}: said to be done")
        found[now == wanted].append(kill)
        if is_at_end:
            ends[kill % 4] *= 1 / STEP if now == wanted else STEP
        vault.must_coffer("apply", path)
        equal(standing(vault, workspace), wanted, f"kill {kill}: after the second one")
        owner = wanted if workspace == "base" else owner
    print(f"# {len(found[True])} done, {len(found[False])} not done, a whole one took {whole:.2f} s")
    assert all(
        len(kills) > 2 for kills in found.values()
    ), f"the kills came all too early or too late: {found}"
    vault.must_coffer("audit", "verify")


@suite.check
def the_killed_vault_is_in_order(vault):
    equal(vault.stop(), 0, "exit status after SIGTERM")
    done = vault.cofferd("check")
    equal(done.returncode, 0, f"exit status of cofferd check ({done.stderr})")
    vault.start()


if __name__ == "__main__":
    suite.run()
