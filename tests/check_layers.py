#!/usr/bin/python3
"""Holds the room table of ARCHITECTURE.md: which folder may include which, and which file may open which library."""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1])

# room → rooms whose headers it may include, beside its own
ROOMS = {
    "proto": set(),
    "daemon/ops": {"proto"},
    "daemon/auth": {"proto"},
    "daemon/crypto": {"proto"},
    "daemon/store": {"proto", "daemon/ops"},
    "daemon/audit": {"proto"},
    "daemon/core": {"proto", "daemon/ops", "daemon/auth", "daemon/crypto", "daemon/store", "daemon/audit"},
    "daemon/net": {"proto", "daemon/ops", "daemon/auth", "daemon/core"},
    "daemon": {"proto", "daemon/ops", "daemon/auth", "daemon/crypto", "daemon/store", "daemon/audit", "daemon/core", "daemon/net"},
    "client/lib": {"proto"},
    "client/cli": {"proto", "client/lib"},
}

# where a room sees less than all of another
ONLY = {
    ("daemon/net", "daemon/auth"): {"claim.h", "peer.h"},
    ("daemon/net", "daemon/core"): {"turn.h"},
    ("daemon/net", "daemon/ops"): {"clock.h", "config.h", "fd_store.h", "limits.def", "log.h"},
    ("client/cli", "client/lib"): {"coffer.h"},
}

# library header → files or folders that may include it
DOORS = {
    "uv.h": ["daemon/net/", "daemon/main.c"],
    "sqlite3.h": ["daemon/store/"],
    "sodium.h": ["daemon/crypto/", "proto/record.c", "proto/command.c", "proto/checkpoint.c"],
    "ini.h": ["daemon/ops/"],
    "seccomp.h": ["daemon/ops/"],
    "libsmartcols.h": ["client/cli/"],
    "libsmartcols/libsmartcols.h": ["client/cli/"],
    "cJSON.h": [],
    "cjson/cJSON.h": [],
}

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)


def main():
    files = sorted(p for room in ("proto", "daemon", "client") for p in (ROOT / room).rglob("*.[ch]"))
    home = {}
    for path in sorted(ROOT.glob("proto/*")) + sorted(ROOT.glob("daemon/**/*")) + sorted(ROOT.glob("client/**/*")):
        if path.suffix in (".h", ".def"):
            home.setdefault(path.name, set()).add(str(path.parent.relative_to(ROOT)))
    faults = []
    includes = 0
    for path in files:
        name = str(path.relative_to(ROOT))
        room = str(path.parent.relative_to(ROOT))
        if room not in ROOMS:
            faults.append(f"{name}: the room {room} is not in the table")
            continue
        for kind, target in INCLUDE.findall(path.read_text()):
            includes += 1
            if target in DOORS and not any(name == door or (door.endswith("/") and name.startswith(door)) for door in DOORS[target]):
                faults.append(f"{name}: may not open {target}")
            if kind != '"':
                continue
            rooms = home.get(target, set())
            if room in rooms or (rooms and not rooms.isdisjoint(ROOMS[room])):
                for other in rooms & ROOMS[room] if room not in rooms else ():
                    if (room, other) in ONLY and target not in ONLY[(room, other)]:
                        faults.append(f"{name}: may not include {target} of {other}")
            elif rooms:
                faults.append(f"{name}: may not include {target} of {', '.join(sorted(rooms))}")
    for name, rooms in home.items():
        if len(rooms) > 1 and name.endswith(".h"):
            faults.append(f"{name}: the same header name in {', '.join(sorted(rooms))}")
    for goto in files:
        if re.search(r"\bgoto\b\s+\w+;", goto.read_text()):
            faults.append(f"{goto.relative_to(ROOT)}: goto")
    if includes < 100:
        faults.append("too few includes were seen: the check itself is broken")
    for fault in faults:
        print(fault)
    print(f"{len(files)} files, {includes} includes, {len(faults)} faults")
    return 1 if faults else 0


sys.exit(main())
