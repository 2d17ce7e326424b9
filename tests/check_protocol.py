#!/usr/bin/python3
"""PROTOCOL.md names every method with its fields, every field, and every error word with its code, and none that do not exist."""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1])


def rows(path, macro):
    text = re.sub(r"/\*.*?\*/", "", (ROOT / path).read_text(), flags=re.S)
    return re.findall(rf"^{macro}\((.*?)\)\s*$", text, re.S | re.M)


def main():
    document = (ROOT / "proto/PROTOCOL.md").read_text()
    sections = dict(re.findall(r"^### `([\w.]+)`\n(.*?)(?=^##|\Z)", document, re.S | re.M))
    faults = []
    wire = {}
    for row in rows("proto/fields.def", "FIELD"):
        name, text, *_ = [part.strip() for part in row.split(",")]
        wire[name] = text.strip('"')
        if not re.search(rf"^\| `{wire[name]}` \|", document, re.M):
            faults.append(f"field {wire[name]} is not in the table of fields")
    methods = set()
    for row in rows("proto/requests.def", "REQUEST"):
        method = re.search(r'"([\w.]+)"', row).group(1)
        methods.add(method)
        section = sections.get(method)
        if section is None:
            faults.append(f"method {method} has no section")
            continue
        head = section.split("→")[0]
        listed = set(re.findall(r"`(\w+)`", head))
        used = {wire[f] for f in re.findall(r"(?:NEED|MAY)\((\w+)\)", row)}
        for field in used ^ listed:
            faults.append(f"method {method}: field {field} is {'missing in the document' if field in used else 'unknown to the table'}")
    for extra in set(sections) - methods:
        faults.append(f"method {extra} does not exist")
    for row in rows("daemon/core/metrics.def", "METRIC"):
        name = re.search(r'"(\w+)"', row).group(1)
        if f"`{name}`" not in sections.get("vault.metrics", ""):
            faults.append(f"metric {name} is not in the table of vault.metrics")
    for row in rows("proto/errors.def", "ERR"):
        _, number, word, kind, code, *_ = [part.strip() for part in row.split(",")]
        word = word.strip('"')
        pattern = rf"`{word}` \({code}\)" if kind == "LOCAL" else rf"^\| `{word}` \| -{32000 + int(number)} \| {code} \|"
        if not re.search(pattern, document, re.M):
            faults.append(f"error {word} is missing or has another code")
    for fault in faults:
        print(fault)
    print(f"{len(methods)} methods, {len(wire)} fields, {len(faults)} faults")
    return 1 if faults or len(methods) < 10 or len(wire) < 30 else 0


sys.exit(main())
