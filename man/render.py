#!/usr/bin/python3
"""Makes a page from its source on standard input: render.py SCDOC

What scdoc cannot say: names of pages and commands are not hyphenated (.TH turns hyphenation on again that scdoc turns off
before it), names of pages are not broken behind their own hyphens either, and a list without blanks, such as
{name,state,title}, may be broken behind its commas."""
import re
import subprocess
import sys


def lines_of(page):
    is_literal = False
    for line in page.splitlines():
        if line in (".nf", ".fi"):
            is_literal = line == ".nf"
        elif not is_literal and not line.startswith("."):
            line = re.sub(r"(?<=[a-z}\]]),(?=[a-z])", r",\\:", line)
            line = re.sub(r"\\fB[\w.-]+\\fR\(\d\)", lambda name: name[0].replace("-", "\\-"), line)
        yield line
        if line.startswith(".TH "):
            yield from (".nh", ".ad l")


def main():
    page = subprocess.run(
        [sys.argv[1]], stdin=sys.stdin, stdout=subprocess.PIPE, check=True, encoding="utf-8"
    ).stdout
    sys.stdout.reconfigure(encoding="utf-8")
    print("\n".join(lines_of(page)))


main()
