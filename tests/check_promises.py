#!/usr/bin/python3
"""ARCHITECTURE.md numbers the promises P1-P10; each file that it says keeps or proves one says the number itself."""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1])


def find(name):
    for base in ("", "daemon/", "tests/"):
        if (ROOT / (base + name)).is_file():
            return ROOT / (base + name)
    return None


def main():
    faults = []
    rows = re.findall(r"^\| (P\d+) \| [^|]* \| ([^|]*) \| ([^|]*) \|$", (ROOT / "ARCHITECTURE.md").read_text(), re.M)
    if [number for number, _, _ in rows] != [f"P{n}" for n in range(1, 11)]:
        faults.append("the table does not have the rows P1 to P10")
    for number, kept, proven in rows:
        for column in (kept, proven):
            names = re.findall(r"[\w/]+\.(?:c|py)\b", column)
            if not names:
                faults.append(f"{number}: no file is named")
            for name in names:
                path = find(name)
                if path is None:
                    faults.append(f"{number}: {name} does not exist")
                elif not re.search(rf"\b{number}\b", path.read_text()):
                    faults.append(f"{number}: {name} does not say the number")
    for fault in faults:
        print(fault)
    print(f"{len(rows)} promises, {len(faults)} faults")
    return 1 if faults else 0


sys.exit(main())
