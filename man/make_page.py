#!/usr/bin/python3
"""Makes a manual page's scdoc source: make_page.py VERSION TABLES CONFIG PAGE.scd ALL-PAGES.scd... > OUT

What a table of the program says is not written a second time.  In a page stand, each alone on its line:

  @command WORDS        a heading with the command and its operands
  @about WORDS          nothing: the whole page is about this command
  @options WORDS        its options; lines "+ NAME: text" behind it add to one, "= NAME: text" say it otherwise
  @commands             all commands, each with the page that explains it
  @errors               exit statuses, each with its error words
  @key SECTION NAME     a setting of cofferd.conf, with its default and range

TABLES is what man/tables.c prints: command, operand, option and error rows.  CONFIG is packaging/cofferd.conf, which a
test holds to the daemon's own table.
"""
import pathlib
import re
import sys

# Explained once, in coffer(1).
COMMON = ("json", "socket", "user", "help", "request-id")


def escape(text):
    return re.sub(r"([\\_*`#<>~\[\]])", r"\\\1", text)


def sentence(text):
    return text[0].upper() + text[1:] + ("" if text.endswith(".") else ".")


class Tables:
    def __init__(self, text):
        self.commands = {}  # words: (whether it starts a program, text)
        self.operands = {}  # words: [(name, need, text)]
        self.options = {}  # words: [(name, metavar, is_needed, is_list, text)]
        self.errors = []  # (word, exit status, whether it may be tried again, text)
        for line in text.splitlines():
            kind, *row = line.split("\t")
            if kind == "command":
                self.commands[row[0]] = (row[1] == "program", row[2])
            elif kind == "operand":
                self.operands.setdefault(row[0], []).append(tuple(row[1:]))
            elif kind == "option":
                self.options.setdefault(row[0], []).append((*row[1:3], row[3] != "", row[4] != "", row[5]))
            elif kind == "error":
                self.errors.append((row[0], int(row[1]), row[2] == "1", row[3]))

    def own_options(self, words):
        """Without those of every command, but with one of another meaning, as audit list --user."""
        return [o for o in self.options[words] if o[0] not in COMMON or (o[0] == "user" and o[1] != "")]


def operand_text(name, need):
    name = name.upper().replace("_", "-")
    return {"one": name, "maybe": f"[{name}]", "some": f"{name}...", "any": f"[{name}...]"}[need]


def command_lines(tables, words):
    """A heading, in which scdoc takes everything as it stands."""
    parts = [f"coffer {words}"] + [
        operand_text(name, need) for name, need, _ in tables.operands.get(words, [])
    ]
    if tables.own_options(words):
        parts.append("[option...]")
    if tables.commands[words][0]:
        parts.append("[-- CMD [ARG...]]")
    return ["## " + " ".join(parts), ""]


def option_term(name, metavar):
    if metavar.startswith("["):
        return f"*--{name}*\\[=_{escape(metavar[2:-1])}_\\]"
    return f"*--{name}*" + (f" _{escape(metavar)}_" if metavar else "")


def option_lines(tables, words, notes):
    lines = []
    for name, metavar, is_needed, is_list, text in tables.own_options(words):
        kind, note = notes.pop(name, (None, ""))
        body = note if kind == "=" else escape(sentence(text)) + (" " + note if note else "")
        body += (" May be given several times." if is_list else "") + (" Needed." if is_needed else "")
        lines += [option_term(name, metavar), f"\t{body}", ""]
    if notes:
        sys.exit(f"coffer {words} has no option {', '.join(notes)}")
    return lines


def error_lines(tables):
    by_exit = {}
    for word, code, is_retry, text in tables.errors:
        words = by_exit.setdefault(code, {})
        text = escape(text) + ("; may be tried again" if is_retry else "")
        words[word] = f"{words[word]}; {text}" if word in words else text
    lines = []
    for code, words in sorted(by_exit.items()):
        texts = [f"*{escape(word)}*: {text}." for word, text in words.items()]
        # Behind ++ the indented text goes on, so that its lines begin without a tab.
        lines += [f"*{code}*", "\t" + "++\n".join(texts), ""]
    return lines


def commands_of(path):
    return re.findall(r"^@(?:command|about) (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)


def overview_lines(tables, pages):
    home = {words: path.stem for path in pages for words in commands_of(path)}
    lines = []
    for words, (_, text) in tables.commands.items():
        name, section = home[words].rsplit(".", 1)
        lines += [f"*{words}*", f"\t{escape(sentence(text))} *{name}*({section})", ""]
    return lines


def settings_of(path):
    """{(section, name): (default, range)} of the example, where the range stands in the comment before it."""
    settings, section, comment = {}, None, ""
    for line in path.read_text(encoding="utf-8").splitlines():
        header = re.fullmatch(r"\[(\w+)\]", line)
        setting = re.fullmatch(r"#(\w+) =(?: (.*))?", line)
        if header:
            section = header[1]
        elif setting:
            span = re.search(r"\((\d+) to (\d+)\)", comment)
            settings[section, setting[1]] = (setting[2] or "", span and span.groups())
            comment = ""
        comment = comment + line if line.startswith("# ") else ""
    return settings


def key_lines(settings, section, name):
    default, span = settings[section, name]
    term = f"*{escape(name)}* = _{escape(default)}_" if default else f"*{escape(name)}* ="
    return [term + (f" ({span[0]} to {span[1]})" if span else "")]


def notes_behind(lines):
    """Takes the + and = lines off the front of lines: {option: (kind, text)}."""
    notes = {}
    while lines and (note := re.fullmatch(r"([+=]) ([\w-]+): (.+)", lines[0])):
        notes[note[2]] = (note[1], note[3])
        lines.pop(0)
    return notes


def make(version, tables, settings, page, pages):
    lines = page.read_text(encoding="utf-8").splitlines()
    title = lines.pop(0)
    yield f'{title} "coffer {version}" "Coffer Manual"'
    while lines:
        line = lines.pop(0)
        kind, _, rest = line.partition(" ")
        if kind == "@command":
            yield from command_lines(tables, rest)
        elif kind == "@about":
            continue
        elif kind == "@options":
            yield from option_lines(tables, rest, notes_behind(lines))
        elif kind == "@commands":
            yield from overview_lines(tables, pages)
        elif kind == "@errors":
            yield from error_lines(tables)
        elif kind == "@key":
            yield from key_lines(settings, *rest.split())
        elif kind.startswith("@"):
            sys.exit(f"{page.name}: unknown directive {kind}")
        else:
            yield line


def main():
    version, tables, config, page, *pages = sys.argv[1:]
    lines = make(
        version,
        Tables(pathlib.Path(tables).read_text(encoding="utf-8")),
        settings_of(pathlib.Path(config)),
        pathlib.Path(page),
        [pathlib.Path(p) for p in pages],
    )
    text = "\n".join(lines)
    print(re.sub(r"\n{3,}", "\n\n", text))


if __name__ == "__main__":
    main()
