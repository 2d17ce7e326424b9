#!/usr/bin/python3
"""What `meson install` put below /usr/local, on a host: host_local.py BUILD.  systemd finds what is its own there, cofferd init
makes the vault, and units get their credentials."""
import json
import os
import subprocess
import sys
import tempfile

from coffer_test import canary, equal
from host_test import CONFIG, HostSuite
from host_vault import ETL, FIELDS, OPERATOR, add_users

PREFIX = "/usr/local"
UNITS = (
    "cofferd.socket",
    "cofferd-credentials.socket",
    "cofferd.service",
    "coffer-alerts.timer",
    "coffer-metrics.timer",
)
NAME, VALUE = "finance/warehouse-sync", canary()

suite = HostSuite()


def install(host):
    """Of a build that is there, in place of building once more inside."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["meson", "install", "-C", sys.argv[1], "--no-rebuild", "--quiet", "--destdir", folder]
        subprocess.run(words, stdout=subprocess.DEVNULL, check=True)
        equal(os.listdir(folder), ["usr"], "where the build installs")
        equal(os.listdir(f"{folder}/usr"), ["local"], "where the build installs below /usr")
        for name in os.listdir(folder + PREFIX):
            host.copy(f"{folder}{PREFIX}/{name}", PREFIX)


@suite.setup
def prepare(host):
    """As README tells it."""
    install(host)
    host.must("ldconfig")
    host.must("systemd-sysusers")
    host.must("systemd-tmpfiles", "--create", "coffer.conf")
    host.must("systemctl", "daemon-reload")
    host.must("cp", f"{PREFIX}/share/doc/coffer/examples/cofferd.conf", CONFIG)
    host.allow_swap_where_memory_cannot_be_locked()
    add_users(host)


@suite.check
def systemd_finds_the_units_and_they_start_what_was_installed(host):
    for unit in UNITS:
        equal(host.show(unit, "FragmentPath"), f"{PREFIX}/lib/systemd/system/{unit}", f"where {unit} is")
    command = host.show("cofferd.service", "ExecStart")
    assert f"path={PREFIX}/sbin/cofferd ;" in command, f"cofferd.service starts {command}"
    host.must("systemd-analyze", "verify", "--man=no", *UNITS)


@suite.check
def sysusers_and_tmpfiles_made_users_and_directories(host):
    equal(host.must("id", "--name", "--user", "coffer"), "coffer\n", "the user of the service")
    for group in ("coffer-operators", "coffer-auditors"):
        host.must("getent", "group", group)
    equal(host.must("stat", "--format=%U %a", "/run/coffer"), "root 755\n", "the directory of the sockets")


@suite.check
def programs_find_the_library(host):
    code = "import ctypes; ctypes.CDLL('libcoffer.so.0').coffer_fetch; print(open('/proc/self/maps').read())"
    maps = host.must("/usr/bin/python3", "-c", code, user="nobody")
    assert f" {PREFIX}/lib/" in maps, f"another library than the one below {PREFIX} is found"


@suite.check
def cofferd_init_makes_the_vault_and_starts_the_service(host):
    printed = host.must("cofferd", "init")
    assert "recovery" in printed, f"init says nothing of a recovery key: {printed}"
    host.wait_active("cofferd.service")
    equal(host.must("readlink", f"/proc/{host.main_pid()}/exe"), f"{PREFIX}/sbin/cofferd\n", "what runs")
    equal(json.loads(host.must("coffer", "status", "--json"))["sealed"], False, "sealed")
    for unit in ("cofferd.socket", "cofferd-credentials.socket", "cofferd.service"):
        equal(host.must("systemctl", "is-enabled", unit), "enabled\n", unit)


@suite.check
def a_granted_program_gets_the_value_and_nobody_else(host):
    host.must("coffer", "integration", "add", NAME, *FIELDS)
    host.must("coffer", "secret", "put", NAME, "API_TOKEN", user=OPERATOR, stdin=VALUE)
    words = ["coffer", "run", NAME, "--", "printenv", "API_TOKEN"]
    done = host.run(*words, user=ETL)
    equal((done.returncode, done.stdout), (125, ""), "coffer run without a grant")
    host.must("coffer", "grant", "add", NAME, f"user={ETL}")
    equal(host.must(*words, user=ETL), f"{VALUE}\n", "what coffer run gives")


@suite.check
def a_unit_gets_its_credential_after_a_reboot_too(host):
    text = """[Service]
        Type=oneshot
        DynamicUser=yes
        LoadCredential=API_TOKEN:/run/coffer/credentials.sock
        ExecStart=cat %d/API_TOKEN
        """
    host.unit("etl.service", text)
    assert host.run("systemctl", "start", "etl.service").returncode != 0, "it starts without a grant"
    equal(host.show("etl.service", "ExecMainStatus"), "243", "exit status of a unit without its credential")
    host.must("coffer", "grant", "add", NAME, "unit=etl.service")
    for is_rebooted in (False, True):
        if is_rebooted:
            host.reboot()
        host.must("systemctl", "start", "etl.service")
        host.must("journalctl", "--sync")
        assert (
            VALUE in host.journal("etl.service", "--identifier=cat").splitlines()
        ), "its credential is another"


if __name__ == "__main__":
    suite.run()
