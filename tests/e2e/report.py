#!/usr/bin/python3
"""coffer report of a real vault, made by the command line over a quarter under a moved clock: looked at in a headless browser,
and every figure recomputed from the exported audit records alone."""
import copy
import csv
import io
import json
import os
import re
import subprocess
from datetime import datetime, timedelta, timezone

import recount
from browser import CHROMIUM, Browser, png_size
from coffer_test import AUDITOR, ETL, OPERATOR, Refused, Skip, Suite, canary, equal
from moved_clock import MovedVault

BEGIN = datetime(2026, 8, 3, 9, 0, tzinfo=timezone.utc)
SYNC, MIRROR, HOSTILE, GONE, LONG = (
    "finance/warehouse-sync",
    "crm/mirror",
    "ops/hostile",
    "ops/gone",
    "w" * 60 + "/" + "l" * 64,
)
EVIL = "\u202egnp.exe <script>alert(1)</script> \"q\" 'a' &amp; %n =cmd()|x </style><img src=x onerror=alert(1)>"
WIDTHS = (1280, 400)
VALUES = []


class ReportSuite(Suite):
    def vault(self, **more):
        vault = MovedVault(self.programs, self.vault_folder, **more)
        self.vaults.append(vault)
        vault.clock.set(BEGIN)
        vault.make()
        return vault


suite = ReportSuite(in_memory=True)
world = {}


def put(vault, integration, key, *options):
    VALUES.append(canary())
    vault.must_coffer("secret", "put", integration, key, *options, stdin=VALUES[-1].encode(), uid=OPERATOR)


def add(vault, name, **fields):
    fields = {
        "title": "Sync",
        "description": "Copies what is new",
        "owner": "Ada Lovelace",
        "contact": "ada@example.org",
        **fields,
    }
    vault.must_coffer(
        "integration", "add", name, *(f"--{field.replace('_', '-')}={text}" for field, text in fields.items())
    )


def run(vault, name, status=0, times=1):
    for _ in range(times):
        done = vault.coffer("run", name, "--record", "--", "sh", "-c", f"exit {status}", uid=ETL)
        equal(done.returncode, status, f"status of a run ({done.stderr})")


def begin_quarter(vault):
    add(
        vault,
        SYNC,
        rotate_after="60d",
        review_after="30d",
        purpose="Invoices\nevery night",
        expected_every="7d",
        labels="team=data",
    )
    add(
        vault,
        MIRROR,
        environment="sandbox",
        rotate_after="never",
        rotate_reason="a sandbox",
        expires_at="2026-12-24T00:00:00Z",
    )
    add(vault, HOSTILE, title=EVIL, owner="=cmd|' /C calc'!A0", scope="@SUM(A1)", review_after="never")
    add(vault, LONG, title="T" * 200, description="D" * 2000, owner="o" * 200)
    add(vault, GONE)
    for name in (SYNC, MIRROR, HOSTILE, GONE, LONG):
        put(vault, name, "PGPASSWORD", "--note", "-2+3", "--issuer", EVIL, "--description", EVIL)
        vault.must_coffer("grant", "add", name, f"user={ETL}")
    put(vault, SYNC, "API_TOKEN")
    for name in ("nightly", "gone"):
        token = {"integration": SYNC, "token_name": name, "description": EVIL, "user": str(ETL)}
        VALUES.append(vault.call("token.create", token)["token"])
    vault.call("token.revoke", {"integration": SYNC, "id": 2})
    vault.must_coffer("grant", "add", SYNC, f"user={ETL}", "unit=etl.service")


def hand_over(vault):
    """Reviewed, given to a colleague, another one out of use for a while, and one for good."""
    vault.must_coffer("integration", "review", SYNC, "--note", "all of it is true")
    vault.must_coffer(
        "integration", "transfer", SYNC, "--owner", "Grace Hopper", "--contact", "grace@example.org", "--reason", EVIL
    )
    vault.must_coffer("integration", "suspend", HOSTILE, "--reason", "an odd run")
    vault.clock.forward(hours=5)
    vault.must_coffer("integration", "resume", HOSTILE)
    vault.must_coffer("integration", "retire", GONE, "--reason", "replaced")


def rotate(vault):
    put(vault, SYNC, "PGPASSWORD", "--stage")
    vault.clock.forward(days=2)
    vault.must_coffer("secret", "promote", SYNC, "PGPASSWORD", "--untested", uid=OPERATOR)
    vault.clock.forward(days=1)
    vault.must_coffer("secret", "revoke", SYNC, "PGPASSWORD", "1", uid=OPERATOR)


@suite.setup
def a_quarter_passes(vault):
    begin_quarter(vault)
    for week in range(14):
        vault.clock.forward(days=5)
        run(vault, SYNC, times=1 + week % 4 * 4)
        run(vault, HOSTILE)
        if week == 6:
            run(vault, MIRROR, status=3)
            rotate(vault)
        if week == 10:
            hand_over(vault)
        if week == 8:
            for stranger in (2901, 2902):  # a second refusal of one of them would only be counted
                equal(vault.coffer("run", SYNC, "--", "true", uid=stranger).returncode, 125, "a stranger's run")
        vault.clock.forward(days=2)
    vault.must_coffer("grant", "remove", SYNC, "6")
    put(vault, LONG, "SECOND", "--stage", "--expires-at", "2026-11-20T00:00:00Z")
    make_reports(vault)


def report(vault, name, *options):
    path = os.path.join(vault.folder, name)
    with open(path, "wb") as file:
        file.write(vault.must_coffer("report", *options, uid=AUDITOR))
    world[name] = path


def make_reports(vault):
    """The audit records do not grow while nothing happens, so all of these are of the same moment of the log."""
    for form in ("json", "csv", "html"):
        report(vault, f"report.{form}", "--format", form)
    report(vault, "again.html", "--merge", world["report.json"])
    world["audit"] = recount.records_of(vault.must_coffer("audit", "export", uid=AUDITOR).splitlines())


def text(name):
    with open(world[name], encoding="utf-8", newline="") as file:
        return file.read()


@suite.check
def who_has_no_role_gets_no_report(vault):
    done = vault.coffer("report", uid=ETL)
    equal((done.returncode, done.stdout), (77, b""), "a report for who may fetch")


@suite.check
def no_form_of_the_report_holds_a_value(_):
    for name in ("report.json", "report.csv", "report.html"):
        for value in VALUES:
            assert value not in text(name), name


@suite.check
def every_figure_follows_from_the_audit_records_alone(_):
    document = json.loads(text("report.json"))
    differences = recount.recount(world["audit"], document, text("again.html"))
    assert not differences, "\n".join(differences)
    assert document["figures"]["fetches"] > 50, document["figures"]


@suite.check
def a_page_made_from_the_json_is_the_page_that_the_daemon_gave(_):
    moving = re.compile(r"2026-\d\d-\d\dT[\d:.]+Z|\d\d:\d\d</time>")
    # The log may have grown between the two.
    pages = [text(name).partition('<section id="chain"')[0] for name in ("again.html", "report.html")]
    pages = [moving.sub("", page).splitlines() for page in pages]
    differences = [pair for pair in zip(*pages) if pair[0] != pair[1]]
    equal(differences[:3], [], "lines of the page that differ")
    equal(len(pages[0]), len(pages[1]), "lines of the page")


@suite.check
def the_recount_notices_what_it_is_there_for(_):
    document, page = json.loads(text("report.json")), text("again.html")
    records = world["audit"]
    for kind in ("secret.put", "env.fetch", "grant.add", "integration.add", "secret.revoke", "run.end", "grant.remove"):
        last = max(at for at, record in enumerate(records) if record["kind"] == kind)
        fewer = [record for at, record in enumerate(records) if at != last]
        try:
            differences = recount.recount(fewer, document, page)
        except KeyError:  # what follows has nothing to follow from
            differences = [kind]
        assert differences, f"nothing is missed without a record of {kind}"
    for change in (
        lambda d: d["figures"].update(fetches=d["figures"]["fetches"] + 1),
        lambda d: d["vaults"][0]["integrations"][0]["usage"][-1].update(fetches=7),
        lambda d: d["vaults"][0]["integrations"][1]["secrets"][0].update(rotate_at=None),
        lambda d: d["vaults"][0]["integrations"][1]["held"][0].update(runs=999),
        lambda d: d["vaults"][0]["integrations"][1]["grants"][0].update(created_by="somebody"),
    ):
        wrong = copy.deepcopy(document)
        change(wrong)
        assert recount.recount(records, wrong, page), "a changed document is not noticed"
    for word in (r'data-figure="fetches">', r"<title>2026-10-\d\d: ", r"<code>[0-9a-f]{63}"):
        wrong = re.sub(f"({word})", r"\g<1>1", page, count=1)
        assert wrong != page and recount.recount(records, document, wrong), f"a changed {word} is not noticed"


@suite.check
def a_sheet_has_a_row_a_secret_and_no_formula(_):
    rows = list(csv.DictReader(io.StringIO(text("report.csv"), newline=""), strict=True))
    equal(len(rows), 7, "rows")
    for row in rows:
        for cell in row.values():
            assert not cell or cell[0] not in "=+-@\t\r", cell
    by_name = {row["integration"]: row for row in rows}
    equal(by_name[HOSTILE]["owner"], "'=cmd|' /C calc'!A0", "an owner that is a formula")
    equal(by_name[HOSTILE]["note"], "'-2+3", "a note that is a formula")


# ---- in the browser ----


def browser():
    if not os.path.exists(CHROMIUM):
        raise Skip("there is no Chromium here: apt-get install chromium")
    return Browser()


def look(shown, path, whole=True):
    """Opens a page at each width and scheme: nothing said, nothing refused, nothing wider than the window."""
    pictures = {}
    for scheme in ("light", "dark"):
        shown.media(scheme)
        for width in WIDTHS:
            shown.show(path, width)
            equal(shown.messages, [], f"what the browser said of the page, {scheme}, {width}")
            size = shown.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
            equal(size, [width, width], f"scrollWidth and clientWidth, {scheme}")
            equal(shown.evaluate(TOO_WIDE), [], f"what is wider than its place at {width}")
            pictures[scheme, width] = shown.screenshot(whole)
            found, height = png_size(pictures[scheme, width])
            equal(found, width, "the picture's width")
            assert height > 300, height
    for width in WIDTHS:
        assert pictures["light", width] != pictures["dark", width], "light and dark look the same"
    return pictures


# Elements that reach over the right edge of the window, but for what is inside a box that scrolls by itself.
TOO_WIDE = """[...document.body.querySelectorAll("*")].filter(e => !e.closest(".box > *") && !e.closest("svg *") &&
    e.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5).map(e => e.outerHTML.slice(0, 80))"""


@suite.check
def the_page_is_looked_at_wide_and_narrow_light_and_dark(_):
    with browser() as shown:
        look(shown, world["report.html"])
        equal(shown.evaluate("document.scripts.length + document.images.length"), 0, "scripts and images")
        assert shown.evaluate("document.querySelectorAll('svg rect').length") > 40


@suite.check
def the_style_is_in_force_although_the_policy_allows_no_other(_):
    with browser() as shown:
        shown.media("light")
        shown.show(world["report.html"], 1280)
        light = shown.evaluate("getComputedStyle(document.body).backgroundColor")
        shown.media("dark")
        dark = shown.evaluate("getComputedStyle(document.body).backgroundColor")
        assert light != dark and light != "rgba(0, 0, 0, 0)", (light, dark)
        shown.media("dark", "print")
        ink = shown.evaluate("getComputedStyle(document.body).color")
        shown.media("light")
        equal(
            ink,
            shown.evaluate("getComputedStyle(document.body).color"),
            "the ink in print, whatever the screen's scheme",
        )


@suite.check
def the_policy_stops_what_would_get_past_the_escaping(vault):
    """And the browser tells, so that silence above means something."""
    for smuggled in (
        "<script>document.title='gone'</script>",
        "<p style='color:red'>x</p>",
        "<style>p{color:red}</style>",
        "<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>",
    ):
        path = os.path.join(vault.folder, "smuggled.html")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text("report.html").replace("<main>", "<main>" + smuggled))
        with browser() as shown:
            shown.show(path, 1280)
            assert any("Content Security Policy" in message for message in shown.messages), (smuggled, shown.messages)
            assert shown.evaluate("document.title") != "gone"


@suite.check
def every_row_is_whole_on_paper_and_every_card_is_open(_):
    with browser() as shown:
        shown.media("light", "print")
        shown.show(world["report.html"], 1280)
        equal(
            shown.evaluate(
                "[...document.querySelectorAll('tr')].filter(e => getComputedStyle(e).breakInside != 'avoid').length"
            ),
            0,
            "rows that may be cut",
        )
        # A closed card is printed as an open one.
        shown.evaluate("document.querySelectorAll('details').forEach(e => e.open = false)")
        assert shown.evaluate("document.querySelector('details dl').getBoundingClientRect().height") > 50
        data = shown.pdf()
        equal(data[:5], b"%PDF-", "a PDF")


@suite.check
def a_vault_without_anything_and_one_with_three_hundred_integrations_are_looked_at(vault):
    base = json.loads(text("report.json"))
    template = json.dumps(base["vaults"][0]["integrations"][3])
    for count in (0, 300):
        base["vaults"][0]["integrations"] = [
            json.loads(template.replace(SYNC, f"{SYNC}-{number}")) for number in range(count)
        ]
        path = os.path.join(vault.folder, f"many-{count}")
        with open(path + ".json", "w", encoding="utf-8") as file:
            json.dump(base, file)
        with open(path + ".html", "wb") as file:
            file.write(vault.must_coffer("report", "--merge", path + ".json"))
        with browser() as shown:
            look(shown, path + ".html", whole=count == 0)
            equal(shown.evaluate("document.querySelectorAll('details').length"), count, "cards")


@suite.check
def two_thousand_integrations_take_bounded_memory(vault):
    """As many as [limits] integrations allows by default, each with use on every day of the quarter."""
    document = json.loads(text("report.json"))
    whole = document["vaults"][0]
    entry = next(entry for entry in whole["integrations"] if entry["integration"]["name"] == SYNC)
    days = (datetime.fromisoformat(whole["since"][:10]) + timedelta(days=number) for number in range(whole["days"]))
    entry["usage"] = [{"day": day.strftime("%Y-%m-%d"), "fetches": 7, "refused": 0} for day in days]
    template = json.dumps(entry, separators=(",", ":"))
    whole["integrations"] = [json.loads(template.replace(SYNC, f"{SYNC}-{number}")) for number in range(2000)]
    path = os.path.join(vault.folder, "large")
    with open(path + ".json", "w", encoding="utf-8") as file:
        json.dump(document, file, separators=(",", ":"))
    for form in ("html", "csv", "json"):
        words = ("report", "--merge", path + ".json", "--format", form, "--output", f"{path}.{form}.out")
        process = subprocess.Popen([vault.programs["coffer"], *words], env=vault.environment())
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        equal(process.returncode, 0, "status")
        size = os.path.getsize(path + ".json")
        print(f"# {form}: {size >> 20} MiB of JSON, {usage.ru_maxrss >> 10} MiB of memory, {usage.ru_utime:.1f} s")
        assert usage.ru_maxrss << 10 < 10 * size, (usage.ru_maxrss, size)


if __name__ == "__main__":
    suite.run()
