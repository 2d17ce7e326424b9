#!/usr/bin/python3
"""Every test program in the tree is one that the build files run: check_every_test_runs.py ROOT.

A test that is no longer run looks exactly like one that passes."""
import pathlib
import re
import sys

EXPECTED_LEAST = 60  # fewer, and this program has not found the tests


def test_programs(root):
    """Paths below tests/ of what is a test by itself."""
    tests = root / "tests"
    yield from tests.glob("test_*.c")
    yield from tests.glob("fuzz_*.c")
    yield from tests.glob("check_*.py")
    yield from tests.glob("*_cli.py")
    for path in (tests / "e2e").glob("*.py"):
        if re.search(r"^suite = (Host)?Suite\(", path.read_text(encoding="utf-8"), re.MULTILINE):
            yield path


def is_named(path, build_files):
    """By its file name, or by the name that a table of the build files makes one of."""
    name = re.sub(r"^(test|fuzz)_", "", path.stem)
    words = {path.name, path.stem, name}
    return any(f"'{word}'" in build_files for word in words)


def main(root):
    build_files = "".join((root / "tests" / where).read_text(encoding="utf-8") for where in ("meson.build", "e2e/meson.build"))
    programs = sorted(test_programs(root))
    faults = [path for path in programs if not is_named(path, build_files)]
    for path in faults:
        print(f"{path.relative_to(root)}: no build file runs it", file=sys.stderr)
    if len(programs) < EXPECTED_LEAST:
        print(f"only {len(programs)} test programs found", file=sys.stderr)
    return 1 if faults or len(programs) < EXPECTED_LEAST else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
