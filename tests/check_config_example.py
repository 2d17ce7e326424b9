#!/usr/bin/python3
"""packaging/cofferd.conf shows every setting of the tables in daemon/ops with its default, and no other."""
import pathlib
import re
import sys

COLUMN_LIMIT = 110
EXPECTED_LEAST = 20  # fewer, and this program has not understood the tables


def settings_of_the_tables(ops):
    """{(section, key): default}"""
    config = (ops / "config.c").read_text(encoding="utf-8")
    table = config[config.index("struct config_key keys[]") : config.index("#undef LIMIT")]
    found = {}
    patterns = (
        (r'^\tVAULT\((\w+), "([^"]*)"', "vault"),
        (r'^\tROLE\((\w+), "([^"]*)"', "roles"),
        (r'^\t\{"(\w+)", "(\w+)", "([^"]*)"', None),
        (r'^\tRULE\("(\w+)", "(\w+)", "([^"]*)"', None),
    )
    for pattern, section in patterns:
        for row in re.findall(pattern, table, re.MULTILINE):
            *place, default = row if section is None else (section, *row)
            found[tuple(place)] = default
    rows = len(re.findall(r"^\t(?:[A-Z]+\(|\{)", table, re.MULTILINE))
    assert rows == len(found), f"{rows} rows in the table of config.c, {len(found)} understood"
    limits = (ops / "limits.def").read_text(encoding="utf-8")
    rows = re.findall(r"^LIMIT\((\w+), (\d+),", limits, re.MULTILINE)
    assert len(rows) == limits.count("\nLIMIT("), "not every row of limits.def is understood"
    found.update({("limits", name): default for name, default in rows})
    return found


def settings_of_the_example(path):
    """The same of the example, whose settings are behind a '#' without a blank."""
    found, section = {}, None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        place = f"{path.name}:{number}"
        assert len(line) <= COLUMN_LIMIT, f"{place}: longer than {COLUMN_LIMIT} characters"
        header = re.fullmatch(r"\[(\w+)\]", line)
        setting = re.fullmatch(r"#(\w+) =(?: (.*))?", line)
        if header:
            section = header[1]
        elif setting:
            assert (section, setting[1]) not in found, f"{place}: [{section}] {setting[1]} is there twice"
            found[section, setting[1]] = setting[2] or ""
        else:
            assert line in ("", "#") or line.startswith("# "), f"{place}: neither a comment nor a setting"
    return found


def main(root):
    known = settings_of_the_tables(root / "daemon" / "ops")
    shown = settings_of_the_example(root / "packaging" / "cofferd.conf")
    assert len(known) >= EXPECTED_LEAST, f"only {len(known)} settings found in the tables"
    faults = []
    for section, key in sorted({*known, *shown}):
        if (section, key) not in shown:
            faults.append(f"[{section}] {key} is missing in the example")
        elif (section, key) not in known:
            faults.append(f"[{section}] {key} is in the example, but is no setting")
        elif known[section, key] != shown[section, key]:
            faults.append(f"[{section}] {key} is {known[section, key]!r}, shown is {shown[section, key]!r}")
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
