#!/usr/bin/python3
"""meson install, below any prefix: what the units start is what was installed: check_install.py BUILD PREFIX."""
import pathlib
import re
import subprocess
import sys
import tempfile


def main(build, prefix):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", folder],
            stdout=subprocess.DEVNULL,
            check=True,
        )
        units = sorted(pathlib.Path(f"{folder}{prefix}", "lib", "systemd", "system").glob("*.service"))
        assert any(path.name == "cofferd.service" for path in units), f"no cofferd.service among {units}"
        for path in units:
            for program in re.findall(r"(?m)^ExecStart=(\S+)", path.read_text(encoding="utf-8")):
                assert program.startswith(f"{prefix}/"), f"{path.name} starts {program}"
                assert pathlib.Path(
                    folder + program
                ).is_file(), f"{path.name} starts {program}, which is not installed"


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
