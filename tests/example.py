#!/usr/bin/python3
"""The example of coffer.h is a program that works: it is test_example.c to the letter, and that does what it says.

usage: example.py coffer.h test_example.c PROGRAM
"""

import os
import subprocess
import sys

from fake_daemon import FakeDaemon, environment, refusal


def example_of(header):
    """The indented lines of the header's first comment, from the first #include to the closing brace."""
    lines = []
    for line in open(header, encoding="utf-8"):
        if line.startswith(" */"):
            break
        if line.startswith(" *     ") or (lines and line == " *\n"):
            lines.append(line[7:].rstrip())
        elif lines:
            break
    return "\n".join(lines).strip().replace(" " * 8, "\t") + "\n"


def run(program, daemon):
    env = dict(os.environ, COFFER_SOCKET=daemon.path)
    return subprocess.run([program], env=env, capture_output=True, text=True, timeout=60)


def main(header, source, program):
    assert example_of(header) == open(source, encoding="utf-8").read(), "coffer.h and test_example.c differ"
    assert example_of(header).count("\n") > 20, "no example was found"
    with FakeDaemon(lambda request, pid: refusal("denied", "not for you")) as daemon:
        done = run(program, daemon)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", "no credentials: not for you\n"), done
    with FakeDaemon(lambda request, pid: environment({"A": "one", "B": b"\xff"})) as daemon:
        done = run(program, daemon)
        assert (done.returncode, done.stdout, done.stderr) == (0, "2 credentials in the environment\n", ""), done
        assert [request["method"] for request in daemon.requests] == ["env.fetch"], daemon.requests


if __name__ == "__main__":
    main(*sys.argv[1:])
