#!/usr/bin/python3
"""The manual says what there is, and nothing else: check_manual.py ROOT PAGES-DIR COFFER COFFERD.

Pages are read as man(1) shows them, and compared with what the programs themselves say and what the tables of the
sources hold.  Every command of an example goes through the real command line, up to a daemon that is not there.
"""
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

from check_config_example import settings_of_the_tables

ROOT, PAGES, COFFER, COFFERD = (pathlib.Path(arg).resolve() for arg in sys.argv[1:])
NOWHERE = "/nonexistent/coffer.sock"
ENVIRONMENT = {
    **os.environ,
    "COFFER_SOCKET": NOWHERE,
    "LC_ALL": "C.UTF-8",
    "MANWIDTH": "240",
    "MAN_KEEP_FORMATTING": "",
}
COMMON = {"json", "socket", "user", "help", "request-id"}  # in coffer(1), for every command
# Pages of Debian's that ours refer to.
FOREIGN = {
    "sd_listen_fds(3)", "sd_notify(3)", "su(1)", "sudo(8)", "sysexits(3)", "systemctl(1)", "systemd-creds(1)",
    "systemd.exec(5)", "systemd.kill(5)", "systemd.unit(5)",
}  # fmt: skip
EXIT_USAGE, EXIT_RUN_REFUSED = 64, 125

faults = []


def fault(page, text):
    faults.append(f"{page}: {text}")


def compare(page, what, documented, real):
    for one in sorted(set(real) - set(documented)):
        fault(page, f"{what} {one} is not documented")
    for one in sorted(set(documented) - set(real)):
        fault(page, f"{what} {one} is documented, but does not exist")


# ---- pages as they are read ----


class Page:
    """One page as man(1) shows it: its sections, and what is in them."""

    def __init__(self, path):
        self.name = path.name
        self.show(path, "80")  # for its warnings: long words have little room there
        shown = self.show(path, "240")
        # Bold and underlined as a terminal without colours shows them.
        self.text = re.sub(r"\x1b\[[\d;]*m|.\x08", "", shown)
        self.sections = {}
        for line in self.text.splitlines():
            if re.match(r"[A-Z\[]", line):
                self.sections[line] = []
            elif self.sections and line.startswith(" "):  # else the page's foot
                list(self.sections.values())[-1].append(line)

    def show(self, path, width):
        done = subprocess.run(
            ["man", "--warnings", "-E", "UTF-8", "--nh", "--nj", "-l", str(path)],
            env={**ENVIRONMENT, "MANWIDTH": width}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            encoding="utf-8", check=False,
        )  # fmt: skip
        if done.returncode != 0 or done.stderr:
            fault(self.name, f"man cannot show it without a warning: {done.stderr.strip()}")
        return done.stdout

    def parts(self, section):
        """{heading of a subsection: its lines}"""
        parts = {}
        for line in self.sections.get(section, []):
            if re.match(r"   \S", line):
                parts[line.strip()] = []
            elif parts:
                parts[list(parts)[-1]].append(line)
        return parts


def terms(lines):
    """What stands where a list explains something."""
    return [line.strip() for line in lines if re.match(r"       \S", line)]


def options_in(lines):
    """{option: metavariable}"""
    found = {}
    for term in terms(lines):
        for name, metavar in re.findall(r"^(?:-\w, )?--([\w-]+)(.*)$", term):
            found[name] = re.sub(r", -\w$", "", metavar).strip()
    return found


def run(*argv):
    return subprocess.run(
        argv, env=ENVIRONMENT, input="value\n", capture_output=True, text=True, encoding="utf-8", check=False
    )


# ---- commands ----


def real_commands():
    overview = run(COFFER, "help").stdout
    return [words for words in re.findall(r"(?m)^  ([a-z]+(?: [a-z]+)?)(?:  .*)?$", overview)]


def check_command(pages, words):
    shown = run(COFFER, *words.split(), "--help").stdout
    operands = re.search(r"^usage: coffer (.*?)(?: \[options\].*)?$", shown, re.MULTILINE)[1]
    options = {}
    for name, metavar in re.findall(
        r"(?m)^  --([\w-]+)(\S*(?: \S+)?)(?:  .*)?$",
        shown.partition("\noptions:")[2].partition("\noptions of every")[0],
    ):
        options[name] = metavar.strip()
    own = {n: m for n, m in options.items() if n not in COMMON or n == "user"}
    found = False
    for page in pages.values():
        for heading, lines in page.parts("COMMANDS").items() or ():
            if re.match(rf"coffer {re.escape(operands)}(?= \[option|\ \[-- CMD|$)", heading):
                found = True
                check_options(page, words, options_in(lines), own)
    alone = pages.get(f"coffer-{words}.1")
    if not found and alone and "COMMANDS" not in alone.sections:
        found = True
        synopsis = set(re.findall(r"[\w-]+", " ".join(alone.sections["SYNOPSIS"])))
        needed = {word.lower() for word in re.findall(r"(?<![\[A-Z])[A-Z]+\b", operands)}
        compare(alone.name, "operand", needed & synopsis, needed)
        check_options(alone, words, options_in(alone.sections["OPTIONS"]), own)
    if not found:
        faults.append(f"coffer {words}: no page explains it as coffer {operands}")


def check_options(page, words, documented, real):
    compare(page.name, f"{words}: option", documented, real)
    for name in set(documented) & set(real):
        if documented[name].replace(" ", "") != real[name].replace(" ", ""):
            fault(page.name, f"{words} --{name} takes {real[name]!r}, shown is {documented[name]!r}")


def check_commands(pages):
    commands = real_commands()
    assert len(commands) > 40, f"only {len(commands)} commands understood"
    overview = pages["coffer.1"]
    documented = [t.split(" coffer-")[0] for t in terms(overview.sections["COMMANDS"])]
    documented = [t for t in documented if not t.startswith("help")]
    compare("coffer.1", "command", documented, commands)
    for words in commands:
        if words != "run":
            check_command(pages, words)
        if f"coffer-{words.split()[0]}.1" not in pages.keys() | links():
            faults.append(f"coffer {words}: there is no page coffer-{words.split()[0]}(1)")
    for page in pages.values():
        for section in ("COMMANDS", "DESCRIPTION"):
            for heading in page.parts(section):
                words = re.match(r"coffer ([a-z]+(?: [a-z]+)?)", heading)
                if words and words[1] not in commands:
                    fault(page.name, f"{heading} is no command")
    check_common(overview)


def check_common(page):
    documented = options_in(page.sections["OPTIONS"])
    compare(page.name, "common option", documented, COMMON | {"version"})


def links():
    """Pages that are other names of pages."""
    table = re.search(
        r"foreach name, page : \{(.*?)\}", (ROOT / "man/meson.build").read_text(encoding="utf-8")
    )
    return {f"coffer-{name}.1" for name in re.findall(r"'(\w+)':", table[1])}


def check_run(page):
    shown = run(COFFER, "run", "--help").stdout
    real = set(re.findall(r"(?m)^ +--([\w-]+)", shown))
    table = set(
        re.findall(
            r'^RUN_OPTION\("([\w-]+)"', (ROOT / "client/cli/run_options.def").read_text(), re.MULTILINE
        )
    )
    compare("coffer run --help", "option", real, table)
    documented = options_in(page.sections["OPTIONS"])
    compare(page.name, "option", documented, table)
    codes = {term for term in terms(page.sections["EXIT STATUS"]) if term.isdigit()}
    compare(page.name, "exit status", codes, re.findall(r"(?m)^  (\d+) ", shown))


def check_daemon(page):
    shown = run(COFFERD, "--help").stdout
    words = set(re.findall(r"(?m)^  ([a-z][a-z-]+)  ", shown))
    compare(page.name, "command", set(terms(page.sections["COMMANDS"])), words)
    compare(page.name, "option", options_in(page.sections["OPTIONS"]), set(re.findall(r"--([\w-]+)", shown)))


# ---- tables ----


def rows(path, macro):
    text = re.sub(r"/\*.*?\*/", "", (ROOT / path).read_text(encoding="utf-8"), flags=re.S)
    return re.findall(rf"^{macro}\((.*?)\)\s*$", text, re.S | re.M)


def real_errors():
    """{word: {exit status}} and the words that the protocol has."""
    errors, wire = {}, set()
    for row in rows("proto/errors.def", "ERR"):
        _, number, word, kind, code, *_ = [part.strip().strip('"') for part in row.split(",")]
        errors.setdefault(word, set()).add(code)
        if kind != "LOCAL":
            wire.add((word, str(-32000 - int(number)), code))
    return errors, wire


def check_errors(pages):
    errors, wire = real_errors()
    documented, code = {}, None
    for line in pages["coffer.1"].sections["EXIT STATUS"]:
        status, word = re.match(r"       (\d+)$", line), re.match(r"           (\w+): ", line)
        code = status[1] if status else code
        if word and code not in ("0", "1"):
            documented.setdefault(word[1], set()).add(code)
    for word in sorted(errors.keys() | documented.keys()):
        if errors.get(word) != documented.get(word):
            fault("coffer.1", f"{word} has exit status {errors.get(word)}, shown is {documented.get(word)}")
    page = pages["coffer-protocol.7"]
    shown = re.findall(r"(?m)^       (\w+) \(code (-\d+), exit (\d+), ", page.text)
    compare(page.name, "error", {" ".join(e) for e in shown}, {" ".join(e) for e in wire})


def check_methods(page):
    methods = {re.search(r'"([\w.]+)"', row)[1] for row in rows("proto/requests.def", "REQUEST")}
    compare(page.name, "method", set(page.parts("METHODS")), methods)


def check_settings(page):
    real = settings_of_the_tables(ROOT / "daemon/ops")
    spans = {
        ("limits", r[0]): r[1:]
        for r in re.findall(
            r"(?m)^LIMIT\((\w+), \d+, (\d+), (\d+),", (ROOT / "daemon/ops/limits.def").read_text()
        )
    }
    for section, name, low, high in re.findall(
        r'(?m)^\tRULE\("(\w+)", "(\w+)", "\d+", \w+, (\d+), (\d+)\)',
        (ROOT / "daemon/ops/config.c").read_text(),
    ):
        spans[section, name] = (low, high)
    documented = {}
    for heading, lines in page.sections.items():
        for term in terms(lines) if heading.startswith("[") else ():
            setting = re.fullmatch(r"(\w+) =(?: (\S+))?(?: \((\d+) to (\d+)\))?", term)
            if setting:
                documented[heading[1:-1], setting[1]] = (
                    setting[2] or "",
                    setting[3] and (setting[3], setting[4]),
                )
    compare(page.name, "setting", {f"[{s}] {k}" for s, k in documented}, {f"[{s}] {k}" for s, k in real})
    for key in real.keys() & documented.keys():
        wanted = (real[key], spans.get(key))
        if documented[key] != wanted:
            fault(page.name, f"[{key[0]}] {key[1]} is {wanted}, shown is {documented[key]}")


def variables_of(folder):
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / folder).rglob("*.c"))
    return set(re.findall(r'(?:getenv|is_ours|read_path)\("(\w+)"\)', text))


def check_variables(pages):
    def shown(page):
        return {name for term in terms(pages[page].sections["ENVIRONMENT"]) for name in term.split(", ")}

    compare(
        "coffer.1 and coffer-run.1",
        "variable",
        shown("coffer.1") | shown("coffer-run.1"),
        variables_of("client"),
    )
    compare("cofferd.8", "variable", shown("cofferd.8"), variables_of("daemon"))


def check_units(page):
    here = {path.name.removesuffix(".in") for path in (ROOT / "systemd").iterdir()}
    real = {name for name in here if name.endswith((".service", ".socket", ".timer"))}
    shown = {name for term in terms(page.sections["UNITS"]) for name in term.split(", ")}
    compare(page.name, "unit", shown, real)


# ---- between pages, and examples ----


def check_references(pages):
    here = {re.sub(r"(.+)\.(\d)$", r"\1(\2)", name) for name in pages}
    for page in pages.values():
        for reference in set(re.findall(r"([a-z][\w.-]*\(\d\))", page.text)):
            if reference not in here | FOREIGN:
                fault(page.name, f"{reference} is no page")
        title = page.name.rsplit(".", 1)[0]
        if not page.sections["NAME"][0].strip().startswith(f"{title} - "):
            fault(page.name, "its NAME is not its own")
        own = re.sub(r"(.+)\.(\d)$", r"\1(\2)", page.name)
        seen = re.findall(r"[a-z][\w.-]*\(\d\)", " ".join(page.sections.get("SEE ALSO", [])))
        if len(seen) < 2 or own in seen or len(seen) != len(set(seen)):
            fault(page.name, "SEE ALSO is empty, names the page itself or one twice")


def check_mentions(path, commands):
    """What a page's text calls a command of coffer's is one."""
    nouns = {words.split()[0] for words in commands}
    for words in re.findall(r"\*coffer ([a-z]+(?: [a-z]+)?)", path.read_text(encoding="utf-8")):
        first, _, second = words.partition(" ")
        if first == "help" or words in commands or first in commands or (first in nouns and not second):
            continue
        fault(path.name, f"coffer {words} is no command")


def examples_in(text):
    """Commands of literal blocks: a list of lists of words, one for each command of a pipeline."""
    for block in re.findall(r"^```\n(.*?)^```", text, re.S | re.M):
        block = block.replace("\\\\", "\\").replace("\\\n", " ")
        for line in re.sub(r"\|\n\s*", "| ", block).splitlines():
            if re.search(r"(^|\| )coffer ", line):
                yield from (part for part in re.split(r" \| ", line) if part.strip().startswith("coffer "))


def check_example(name, line, folder):
    words = shlex.split(line)
    done = subprocess.run(
        [COFFER, *words[1:]],
        env=ENVIRONMENT,
        cwd=folder,
        input="value\n",
        capture_output=True,
        text=True,
        check=False,
    )
    refused = EXIT_RUN_REFUSED if words[1] == "run" else EXIT_USAGE
    if done.returncode == refused or done.returncode < 0:
        fault(name, f"{line}: {done.stderr.strip()}")


def check_examples(pages, commands):
    checked = 0
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted((ROOT / "man").glob("*.scd")):
            check_mentions(path, commands)
            for line in examples_in(path.read_text(encoding="utf-8")):
                check_example(path.name, line, folder)
                checked += 1
    assert checked > 40, f"only {checked} examples found"
    assert len(pages) > 15, "pages are missing"


def main():
    pages = {path.name: Page(path) for path in sorted(PAGES.glob("coffer*.[1-8]"))}
    check_commands(pages)
    check_run(pages["coffer-run.1"])
    check_daemon(pages["cofferd.8"])
    check_errors(pages)
    check_methods(pages["coffer-protocol.7"])
    check_settings(pages["cofferd.conf.5"])
    check_variables(pages)
    check_units(pages["cofferd.8"])
    check_references(pages)
    check_examples(pages, real_commands())
    for one in faults:
        print(one, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
