#!/usr/bin/python3
"""The daemon's sandbox inside the unit's, as shipped and running: what it holds, what it can reach, what it says."""
import re

from coffer_test import canary, equal
from host_test import HostSuite
from host_vault import ETL, add, fetch, make_vault

NAME, VALUE = "finance/warehouse-sync", canary()
EXPOSURE_MAX = 0.5
CALLS_MAX = 45

suite = HostSuite()


@suite.setup
def install(host):
    make_vault(host)
    add(host, NAME, [f"user={ETL}", "unit=sync.service"], API_TOKEN=VALUE)


def status_of(host):
    text = host.read(f"/proc/{host.main_pid()}/status")
    return dict(re.findall(r"(?m)^(\w+):\s*(.*)$", text))


@suite.check
def the_daemon_serves_from_its_sandbox(host):
    said = re.findall(r"sandbox: (\d+) system calls, Landlock version (\d+)", host.journal("cofferd.service"))
    assert said, host.journal("cofferd.service")
    count, version = map(int, said[-1])
    assert 30 < count <= CALLS_MAX, f"{count} system calls"
    print(f"# {count} system calls, Landlock version {version}", flush=True)


@suite.check
def it_holds_nothing(host):
    status = status_of(host)
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        equal(int(status[name], 16), 0, name)
    equal((status["NoNewPrivs"], status["Seccomp"], status["Threads"]), ("1", "2", "1"), "status")
    # the unit's filters, and the daemon's own
    assert int(status["Seccomp_filters"]) >= 2, status["Seccomp_filters"]
    uids = set(status["Uid"].split())
    equal(uids, {host.must("id", "-u", "coffer").strip()}, "uids")


@suite.check
def the_unit_is_exposed_as_little_as_promised(host):
    text = host.must("systemd-analyze", "security", "--no-pager", "cofferd.service")
    exposure = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", text).group(1))
    print(f"# exposure {exposure}", flush=True)
    assert exposure <= EXPOSURE_MAX, text


@suite.check
def no_memory_can_be_written_and_executed(host):
    maps = host.read(f"/proc/{host.main_pid()}/maps")
    equal(re.findall(r"(?m)^\S+ .wx.*$", maps), [], "mappings")


PROBE = """
import ctypes, errno, os, socket, sys

def outcome(function):
    try:
        function()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"

libc = ctypes.CDLL(None, use_errno=True)

def execute_memory():
    libc.mmap.restype = ctypes.c_void_p
    if libc.mmap(None, 4096, 7, 0x22, -1, 0) == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "")

for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET):
    print(family.name, outcome(lambda: socket.socket(family, socket.SOCK_DGRAM)))
print("AF_UNIX", outcome(lambda: socket.socket(socket.AF_UNIX)))
print("memory", outcome(execute_memory))
for path in ("/etc/shadow", "/root", "/var/lib/private", "/etc/gshadow"):
    print("read", path, outcome(lambda: os.open(path, os.O_RDONLY)))
for path in ("/etc", "/usr", "/run", "/home", "/var/lib", "/var/log", "/sys/fs/cgroup"):
    print("write", path, outcome(lambda: os.open(path + "/x", os.O_WRONLY | os.O_CREAT)))
for path in ("coffer", "coffer-anchor", "coffer-backup", "coffer-archive"):
    print("write", path, outcome(lambda: (os.open("/var/lib/" + path + "/x", os.O_WRONLY | os.O_CREAT), os.unlink("/var/lib/" + path + "/x"))))
"""


@suite.check
def a_foreign_program_in_the_unit_can_do_no_more(host):
    """The unit with another program in the daemon's place: what the shipped file alone keeps it from."""
    host.write("/usr/local/lib/coffer-probe.py", PROBE)
    host.must("systemctl", "stop", "cofferd.socket", "cofferd.service")
    unit = "/etc/systemd/system/cofferd.service.d/probe.conf"
    host.write(
        unit,
        "[Service]\nType=oneshot\nRestart=no\nWatchdogSec=0\nExecReload=\nExecStart=\n"
        "ExecStart=/usr/bin/python3 /usr/local/lib/coffer-probe.py\n",
    )
    host.must("systemctl", "daemon-reload")
    try:
        host.run("systemctl", "start", "cofferd.service")
        host.must("journalctl", "--sync")
        said = host.journal("cofferd.service")
    finally:
        host.must("rm", unit)
        host.must("systemctl", "daemon-reload")
        host.run("systemctl", "reset-failed", "cofferd.service")
        host.must("systemctl", "start", "cofferd.socket")
        host.must("coffer", "status")
    found = dict(re.findall(r"(?m)^((?:AF_|read |write |memory)\S*(?: \S+)?) (\w+)$", said))
    allowed = {"AF_UNIX", *(f"write coffer{name}" for name in ("", "-anchor", "-backup", "-archive"))}
    assert len(found) == 21, said
    for what, outcome in found.items():
        equal(outcome == "done", what in allowed, f"{what}: {outcome}")


@suite.check
def all_that_a_daemon_does_goes_on(host):
    equal(fetch(host, NAME, user=ETL, unit="sync.service"), VALUE, "value")
    host.must("systemctl", "reload", "cofferd.service")
    host.wait_for_journal("reloaded roles, rules and limits", "cofferd.service")
    host.must(
        "coffer", "audit", "archive", "--until", host.must("date", "-u", "+%FT%TZ", "-d", "+1 hour").strip()
    )
    assert host.must("ls", "/var/lib/coffer-archive"), "no segment"


@suite.check
def nothing_of_all_that_was_refused(host):
    said = host.journal("cofferd.service")
    equal(re.findall(r".*the sandbox refused.*", said), [], "refusals")


@suite.check
def it_comes_back_and_goes_by_itself(host):
    host.must("systemctl", "kill", "--signal=KILL", "cofferd.service")
    host.must("coffer", "status")
    host.must("systemctl", "stop", "cofferd.service")
    equal(host.show("cofferd.service", "Result"), "success", "Result")
    nothing_of_all_that_was_refused(host)


if __name__ == "__main__":
    suite.run()
