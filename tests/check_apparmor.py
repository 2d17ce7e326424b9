#!/usr/bin/python3
"""The AppArmor profile: the parser takes it, and refuses a broken one; it is the one that the unit asks for, and has every place
of the daemon's own sandbox: check_apparmor.py SOURCE."""
import pathlib
import re
import subprocess
import sys


def parses(text):
    """Without a kernel that has AppArmor, too."""
    command = ["apparmor_parser", "--skip-kernel-load", "--skip-cache"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stderr


def main(source):
    profile = (source / "packaging" / "apparmor" / "cofferd").read_text(encoding="utf-8")
    is_good, said = parses(profile)
    assert is_good, f"apparmor_parser: {said}"
    assert not parses(profile.replace(" mr,", " mz,"))[0], "apparmor_parser takes anything"

    unit = (source / "systemd" / "cofferd.service.in").read_text(encoding="utf-8")
    wanted = re.findall(r"(?m)^AppArmorProfile=-(\S+)$", unit)
    names = re.findall(r"(?m)^profile (\S+) ", profile)
    assert wanted == names == ["cofferd"], f"the unit asks for {wanted}, the profile is {names}"

    code = (source / "daemon" / "ops" / "sandbox_paths.c").read_text(encoding="utf-8")
    places = re.findall(r'(?m)^\t\{"(/[^"]+)", MAY_READ', code)
    assert len(places) > 10, f"only {places} are found in sandbox_paths.c"
    rules = profile.replace("@{PROC}", "/proc").replace("@{sys}", "/sys").replace("@{run}", "/run")
    rules = rules.replace("/{,local/}", "/") + rules.replace("/{,local/}", "/local/")
    missing = [path for path in places if not re.search(rf"(?m)^ +{path}/", rules)]
    assert not missing, f"places of sandbox_paths.c that are not in the profile: {missing}"


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
