#!/usr/bin/python3
"""Hostile texts go in by the protocol and come out everywhere harmless: on terminals, in JSON, pages, sheets and the log (P8)."""
import csv
import fcntl
import html.parser
import io
import json
import os
import pty
import re
import select
import struct
import termios
import time

from coffer_test import AUDITOR, ETL, OPERATOR, STRANGER, Refused, Suite, canary, equal

NAME, KEY, MANAGER = "ops/hostile", "API_TOKEN", 2301
DAY = 86400
COLUMNS = (40, 100)

TURNING = "\u202egpj.exe\u202c \u2066isolated\u2069 \u200bzero\u200dwidth\ufeff \u2028 line \U000e0041tag \u3164filler"
SEQUENCES = "\\x1b[2J \\e]0;owned\\a \\u001b[31m ${IFS} $(reboot) `id` ; rm -rf /"  # spelt, as no control can be stored
FORMATS = "%n%n%s%x %99999999d {0} {{7*7}}"
MARKUP = "</script><script>alert(1)</script><img src=x onerror=alert(1)> \" ' &amp; <!-- ]]> --"
FORMULAS = ("=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", " =1", "\uff1d1+1")
FLOOD = "Z" + "\u0300\u0489" * 60
LONG = "w" * 190
LINES = "first\n=second()\n\tindented\n<6>forged priority\nState: retired"

# What must be in no output: C0 but newline (and the carriage return of a terminal or a sheet), DEL, C1, what is not seen.
CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    "\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # the program's own; spelt ones stay spelt
MARKS = re.compile("[\u0300-\u036f\u0483-\u0489]{5}")

suite = Suite(sections={"approval": {"require": "grant.add"}})


def cut(text, size):
    return text.encode()[:size].decode(errors="ignore")


def fields_of(number):
    """Every field of text with a hostile one, another at each number."""
    line = (TURNING, MARKUP, FORMATS + SEQUENCES, FLOOD, LONG, *FORMULAS)[number]
    short = cut(line, 200)
    return {
        "title": short,
        "description": cut(f"{line}\n{LINES}", 4000),
        "owner": short,
        "contact": short,
        "backup_contact": short,
        "purpose": f"{LINES}\n{line}",
        "systems": [cut(line, 100), "a, b"],
        "scope": cut(line, 4000),
        "trigger": short,
        "schedule": short,
        "docs": "javascript:alert(1)//" + short,
        "approval": short,
        "rotate_after": "never",
        "rotate_reason": cut(line, 500),
        "test": "true " + short,
        "labels": {"l": cut(line, 100)},
    }


HOSTS = [f"{NAME}-{number}" for number in range(11)]


@suite.setup
def prepare(vault):
    file_requests(vault)
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + DAY))
    for number, name in enumerate(HOSTS):
        fields = fields_of(number)
        vault.call("integration.add", {"name": name, "environment": "sandbox", **fields})
        vault.grant(name, user=ETL)
        short, secret = fields["title"], {
            "description": fields["description"],
            "note": fields["title"],
            "issuer": fields["docs"],
        }
        vault.put(name, KEY, canary(), **secret, issuer_ref=short)
        vault.put(name, "SILENT", canary())
        vault.put(name, KEY, canary(), stage=True, note=short)
        vault.call("integration.edit", {"name": name, "title": short + "!"})
        vault.call(
            "token.create",
            {"integration": name, "token_name": "t", "description": fields["description"], "user": str(ETL)},
        )
        vault.call(
            "alert.ack", {"alert": f"no_description:{name}:SILENT", "integration": name, "until": until, "note": short}
        )
        record_texts(vault, name, fields)
        vault.fetch(name)
        for client in (vault.client(STRANGER), vault.client(OPERATOR)):
            with client:
                client.ask("hello", {"protocol": [1], "client": cut(short, 64)})
                client.ask("env.fetch", {"integration": name})
                client.ask(short, {short: short})
                client.ask("secret.show", {"integration": short, "key": short})
                client.ask("secret.list", {"touched_by": cut(short, 255)})
                client.ask("audit.list", {"kind": short, "outcome": short})
                client.ask("alert.ack", {"alert": cut(short, 400), "until": until, "note": short})
                client.send(b"{" + short.encode() + b"\x1b[2J\n")
                client.read_line()


def record_texts(vault, name, fields):
    """What people write of an integration, again and again, so that its history has a hostile text before and after."""
    short, reason = fields["title"], cut(fields["description"].replace("\n", " ").replace("\t", " "), 500)
    vault.call("integration.review", {"name": name, "note": reason})
    vault.call("integration.transfer", {"name": name, "owner": short + ".", "contact": short, "reason": reason})
    vault.call("integration.transfer", {"name": name, "owner": short, "contact": short, "reason": reason})
    for method in ("integration.suspend", "integration.resume"):
        vault.call(method, {"name": name, "reason": reason})
    vault.call("secret.edit", {"integration": name, "key": KEY, "description": fields["purpose"], "issuer": short})


def file_requests(vault):
    """Requests of hostile texts that wait for a second person, and some that were rejected with a hostile note."""
    vault.add("prod/app")
    for number in range(11):
        fields = fields_of(number)
        try:
            vault.call("integration.edit", {"name": "prod/app", "environment": "sandbox", **fields})
            raise AssertionError("done by one person")
        except Refused as refused:
            equal(refused.word, "approval_required", "word")
            if number % 2:
                request = refused.error["data"]["request"]
                vault.call("request.reject", {"id": request, "note": cut(fields["title"], 500)})


# ---- the command line ----


def commands():
    """Every command that shows something, by its words; a new one is found by the test below."""
    for name in HOSTS:
        yield from (
            ("integration", "show", name),
            ("integration", "show", name, "--history"),
            ("integration", "review", name, "--note", fields_of(HOSTS.index(name))["title"]),
            ("secret", "edit", name, KEY, "--issuer", fields_of(HOSTS.index(name))["title"]),
            ("integration", "edit", name, "--purpose", "x\u202ey", "--title", fields_of(HOSTS.index(name))["title"]),
            ("grant", "list", name),
            ("grant", "explain", name, "--user", str(ETL)),
            ("token", "list", name),
            ("secret", "list", name),
            ("secret", "show", name, KEY),
            ("holders", name),
            ("history", name),
            ("usage", name),
            ("audit", "list", "--integration", name),
        )
    yield from (
        ("status",),
        ("whoami",),
        ("integration", "list"),
        ("grant", "list"),
        ("token", "list"),
        ("secret", "list", "--touched-by", str(ETL)),
        ("holders",),
        ("alerts", "--all"),
        ("metrics",),
        ("doctor",),
        ("request", "list"),
        ("request", "list", "--state", "rejected"),
        ("audit", "list", "--limit", "500"),
        ("audit", "export"),
        ("report", "--format", "csv"),
        ("report", "--format", "json"),
        ("report", "--format", "html"),
    )


def refusals():
    for number in range(11):
        text = fields_of(number)["title"]
        yield from (
            ("integration", "show", text),
            ("integration", "add", text, "--title", text, "--description", text, "--owner", text, "--contact", text),
            ("secret", "list", "--touched-by", text),
            ("integration", "transfer", text, "--owner", text, "--contact", text, "--reason", text),
            (
                "integration",
                "transfer",
                "--from-owner",
                text,
                "--owner",
                text + "?",
                "--contact",
                text,
                "--reason",
                text,
            ),
            ("integration", "retire", text, "--reason", text),
            ("integration", "list", "--owner", text, "--label", text, "--workspace", text),
            ("alert", "ack", text, "--until", "1d", "--note", text),
            ("audit", "list", "--kind", text),
            ("apply", text),
            ("import", text, text),
            ("run", text, "--", "true"),
            (text, text),
            ("status", f"--{text}"),
        )


def on_terminal(vault, columns, *words, uid=0):
    """What arrives at a terminal of this width, which the command takes for all of its output."""
    main, side = pty.openpty()
    try:
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        env = vault.environment(COFFER_SOCKET=vault.socket, TERM="xterm-256color")
        pid = os.fork()
        if pid == 0:
            start_on(side, vault.programs["coffer"], words, env, uid)
        os.close(side)
        side = -1
        return read_until_end(main, pid)
    finally:
        os.close(main)
        if side >= 0:
            os.close(side)


def start_on(side, program, words, env, uid):
    try:
        os.setsid()
        fcntl.ioctl(side, termios.TIOCSCTTY, 0)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(side, 1)
        os.dup2(side, 2)
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
        os.execve(program, ["coffer", *words], env)
    finally:
        os._exit(127)


def read_until_end(main, pid):
    data = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not select.select([main], [], [], 1)[0]:
            continue
        try:
            piece = os.read(main, 65536)
        except OSError:  # the other end is closed
            piece = b""
        if not piece:
            break
        data += piece
    os.waitpid(pid, 0)
    assert data, "nothing was shown"
    return data.replace(b"\r\n", b"\n")


def must_be_harmless(data, what, may_have_marks=False):
    text = COLOURS.sub("", data.decode())  # strict: broken characters are an error
    found = CONTROL.search(text)
    assert found is None, f"{what}: {text[max(0, found.start() - 60) : found.end() + 20]!r}"
    assert "\r" not in text, f"{what}: a carriage return"
    if not may_have_marks:
        found = MARKS.search(text)
        assert found is None, f"{what}: marks in a row: {text[max(0, found.start() - 60) : found.end()]!r}"


def hostile_check(columns):
    def check(vault):
        for words in commands():
            if words[0] == "report":
                continue  # of a file's kind: see below
            must_be_harmless(
                on_terminal(vault, columns, *words), f"{words} at {columns} columns", words == ("audit", "export")
            )
        for words in refusals():
            must_be_harmless(on_terminal(vault, columns, *words), f"{words} at {columns} columns")

    return check


for _columns in COLUMNS:
    suite.add(f"no_command_acts_on_a_terminal_of_{_columns}_columns", hostile_check(_columns))


@suite.check
def no_command_puts_a_hidden_character_into_a_pipe(vault):
    for words in (*commands(), *refusals()):
        done = vault.coffer(*words)
        must_be_harmless(done.stdout.replace(b"\r\n", b"\n"), f"{words} in a pipe", words[0] in ("report", "audit"))
        must_be_harmless(done.stderr, f"{words}: messages")


@suite.check
def json_has_the_texts_as_they_are_without_a_hidden_character(vault):
    for words in commands():
        if words[0] == "report" or words == ("audit", "export"):
            continue
        output = on_terminal(vault, 40, *words, "--json")
        must_be_harmless(output, f"{words} --json", True)
        json.loads(output)
    for number, name in enumerate(HOSTS):
        shown = json.loads(vault.must_coffer("integration", "show", name, "--json"))["integration"]
        expected = fields_of(number)
        for field in ("title", "description", "owner", "scope", "docs", "systems", "labels", "test"):
            equal(shown[field], expected[field], f"{field} of {name}")


@suite.check
def no_label_or_line_can_be_forged_in_a_block(vault):
    """A line break within a text goes on under the text, never in the first column."""
    for columns in COLUMNS:
        for name in HOSTS:
            lines = on_terminal(vault, columns, "integration", "show", name).decode().splitlines()
            for forged in ("State: retired", "=second()", "<6>forged"):
                assert not any(line.startswith(forged) for line in lines), f"{forged} begins a line of {name}"
            assert any("State: retired" in line for line in lines), "the text itself is shown"


@suite.check
def every_command_is_tried_here(vault):
    known = {" ".join(words[:2]) for words in commands()} | {words[0] for words in commands()}
    known |= {
        "integration add", "request approve", "request reject", "integration transfer", "integration suspend", "integration resume", "integration retire", "grant add", "grant remove", "token create", "token revoke", "secret put", "secret test", "secret promote",
        "secret rollback", "secret revoke", "secret remove", "rotate", "alert ack", "apply", "import", "run", "audit follow",
        "audit checkpoint", "audit verify", "audit archive", "help", "version",
    }  # fmt: skip
    text = vault.must_coffer("--help").decode()
    listed = set(re.findall(r"^  ([a-z]+(?: [a-z]+)?)  ", text, re.M))
    assert {"integration show", "audit list"} <= listed, f"the list of commands is not understood: {text}"
    equal(listed - known, set(), "commands that this test does not know")


# ---- the report and the export ----


class Tags(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []
        self.attributes = []

    def handle_starttag(self, tag, attrs):
        self.found.append(tag)
        self.attributes += attrs


@suite.check
def no_markup_of_anybody_is_markup_in_the_page(vault):
    page = vault.must_coffer("report", "--format", "html", uid=AUDITOR)
    must_be_harmless(page, "the page", True)
    tags = Tags()
    tags.feed(page.decode())
    assert not {"script", "img", "iframe", "object", "link", "form"} & set(tags.found), set(tags.found)
    assert all(
        value.startswith("#") for name, value in tags.attributes if name == "href"
    ), "a link that leads out of the page"
    equal([name for name, _ in tags.attributes if name.startswith("on")], [], "attributes that are code")
    assert b"&lt;script&gt;alert(1)" in page, "the text itself is shown"


@suite.check
def no_cell_of_the_sheet_begins_a_formula(vault):
    sheet = vault.must_coffer("report", "--format", "csv", uid=AUDITOR).decode()
    rows = list(csv.reader(io.StringIO(sheet, newline="")))
    equal({len(row) for row in rows}, {len(rows[0])}, "columns")
    guarded = 0
    for row in rows:
        for cell in row:
            assert cell.lstrip(" \n")[:1] not in (
                "=",
                "+",
                "-",
                "@",
                "\t",
                "\r",
                "\uff1d",
                "\uff0b",
                "\uff0d",
                "\uff20",
            ), repr(cell)
            guarded += cell.startswith("'")
    assert guarded > 50, f"{guarded} cells are guarded"


@suite.check
def the_report_in_json_is_merged_to_the_same_page(vault):
    path = vault.at("report.json")
    vault.must_coffer("report", "--format", "json", "--output", path)
    page = vault.must_coffer("report", "--merge", path)
    must_be_harmless(page, "the merged page", True)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    assert "\\u202e" in text and not CONTROL.search(text), "hidden characters are escaped"


@suite.check
def an_export_with_such_texts_verifies(vault):
    path = vault.at("audit.jsonl")
    vault.must_coffer("audit", "export", path)
    vault.must_coffer("audit", "verify", path)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    assert not CONTROL.search(text), "hidden characters are escaped"
    for line in text.splitlines():
        json.loads(line)


@suite.check
def the_log_has_one_harmless_line_for_each_message(vault):
    text = vault.log_text()
    assert text.count("\n") >= 2, "the log is read"
    for line in text.splitlines():
        assert line.startswith("cofferd: "), f"a line that nobody wrote: {line!r}"
    must_be_harmless(text.encode(), "the log")


if __name__ == "__main__":
    suite.run()
