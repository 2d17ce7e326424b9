#!/usr/bin/python3
"""The built packages (build/debs, by tests/packages): lintian finds nothing, and built once more elsewhere they are the same bytes."""
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile

ANOTHER_PLACE = {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "LANGUAGE": "tr", "HOME": "/nonexistent"}


def lintian_finds_nothing(root):
    (changes,) = (root / "build" / "debs").glob("*.changes")
    command = ["lintian", "--allow-root", "--pedantic", "--fail-on=error,warning,pedantic", changes]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stdout, f"{done.returncode}: {done.stdout}{done.stderr}"


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.deb")}


def built_elsewhere_they_are_the_same_bytes(root):
    with tempfile.TemporaryDirectory(prefix="another-place-") as folder:
        subprocess.run(
            [root / "packaging" / "build-debs", f"{folder}/debs"],
            env={**os.environ, **ANOTHER_PLACE, "TMPDIR": folder},
            umask=0o027,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        first, again = digests(root / "build" / "debs"), digests(pathlib.Path(folder, "debs"))
    assert first and sorted(first) == sorted(again), f"{sorted(again)} instead of {sorted(first)}"
    different = [name for name in sorted(first) if first[name] != again[name]]
    assert not different, f"other bytes in {', '.join(different)}"


def main():
    root, checks = pathlib.Path(sys.argv[1]), (lintian_finds_nothing, built_elsewhere_they_are_the_same_bytes)
    print(f"1..{len(checks)}", flush=True)
    is_good = True
    for number, check in enumerate(checks, 1):
        try:
            check(root)
            print(f"ok {number} - {check.__name__}", flush=True)
        except (AssertionError, ValueError, OSError, subprocess.SubprocessError) as error:
            is_good = False
            print(f"not ok {number} - {check.__name__}\n{error}", flush=True)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
