#!/usr/bin/python3
"""Makes coffer-protocol(7) from proto/PROTOCOL.md, its only source: protocol_page.py VERSION PROTOCOL.md > OUT.scd

Headings, paragraphs, lists and blocks of text stay what they are.  A table becomes a list: its first column the term,
the columns between in brackets under their own names, the last one the text.
"""
import pathlib
import re
import sys

HEAD = """coffer-protocol(7) "coffer {version}" "Coffer Manual"

# NAME

coffer-protocol - the protocol between coffer, libcoffer and cofferd

# DESCRIPTION
"""
FOOT = """
# SEE ALSO

*coffer*(1), *coffer*(7), *cofferd*(8), *cofferd.conf*(5)
"""


def escape(text):
    return re.sub(r"([\\_*`#<>~\[\]])", r"\\\1", text)


def inline(text):
    """Code becomes bold, *emphasis* underlined, a link its text."""
    text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text)
    out = []
    for piece in re.split(r"(`[^`]+`|\*\*[^*]+\*\*|\*[^* ][^*]*\*)", text):
        if piece.startswith("`"):
            out.append(f"*{escape(piece[1:-1])}*")
        elif piece.startswith("**"):
            out.append(f"*{escape(piece[2:-2])}*")
        elif piece.startswith("*") and len(piece) > 2:
            out.append(f"_{escape(piece[1:-1])}_")
        else:
            out.append(escape(piece))
    return "".join(out)


def cells(line):
    return [cell.strip() for cell in re.split(r"(?<=\s)\|(?=\s)", line.strip().strip("|"))]


def table(lines):
    """Takes a table off the front of lines."""
    names = [c.strip() for c in cells(lines.pop(0))]
    lines.pop(0)
    while lines and lines[0].startswith("|"):
        first, *between, last = cells(lines.pop(0))
        more = ", ".join(f"{name} {inline(text)}" for name, text in zip(names[1:], between) if text)
        yield inline(first) + (f" ({more})" if more else "")
        yield "\t" + inline(last)
        yield ""


def block(lines):
    """Takes a block of literal text off the front of lines."""
    yield lines.pop(0)
    while not lines[0].startswith("```"):
        yield lines.pop(0).replace("\\", "\\\\")
    yield lines.pop(0)


def heading(line):
    level, _, text = line.partition(" ")
    text = text.replace("`", "")  # a heading has no formats
    return ["", "# " + text.upper() if level == "##" else "## " + text, ""]


def lines_of(text):
    lines = text.splitlines()
    lines.pop(0)  # the title is the page's own
    while lines:
        if lines[0].startswith("```"):
            yield from block(lines)
        elif lines[0].startswith("|"):
            yield ""
            yield from table(lines)
        elif lines[0].startswith("#"):
            yield from heading(lines.pop(0))
        else:
            line = lines.pop(0)
            bullet = "- " if line.startswith("- ") else "  " if line.startswith("  ") else ""
            end = "++" if line.endswith("  ") and lines and lines[0] else ""
            yield bullet + inline(line.removeprefix(bullet).rstrip()) + end


def main():
    version, path = sys.argv[1:]
    body = "\n".join(lines_of(pathlib.Path(path).read_text(encoding="utf-8")))
    page = HEAD.format(version=version) + body + "\n" + FOOT
    print(re.sub(r"\n{3,}", "\n\n", page), end="")


if __name__ == "__main__":
    main()
