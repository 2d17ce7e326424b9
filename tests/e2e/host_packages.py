#!/usr/bin/python3
"""The packages: installed unattended, upgraded in place, refused, removed, purged, found again."""
import contextlib
import glob
import json
import os

from coffer_test import Skip, canary, equal, wait_until
from host_test import CONFIG, DEBS, HostSuite
from host_vault import ETL, OPERATOR, SOCKET, add, add_users, fetch, must_refuse

PREVIOUS = DEBS + "-previous"  # made by tests/packages, where the history is there
NAMES = ("cofferd", "coffer", "libcoffer0", "libcoffer-dev")
PREVIOUS_SCHEMA = 3
SOCKETS = ("cofferd.socket", "cofferd-credentials.socket")
STATE, KEYS = "/var/lib/coffer", "/var/lib/coffer-anchor"
NAME = "finance/warehouse-sync"
VALUE = canary()

suite = HostSuite()


def has_previous():
    return os.path.exists(os.path.join(PREVIOUS, "commit"))


def need_previous():
    if not has_previous():
        raise Skip('no packages of the previous version: the history has no commit "coffer 0.1.0"')


def version_in(folder):
    (path,) = glob.glob(os.path.join(folder, "cofferd_*.deb"))
    return os.path.basename(path).split("_")[1]


def version_there(host):
    return host.must("dpkg-query", "--show", "--showformat=${Version}", "cofferd")


def apt(host, *words):
    """Everything that it says, errors, too."""
    done = host.run(
        "apt-get",
        "--yes",
        "--option=Dpkg::Options::=--force-confold",  # the host's configuration was edited
        "--allow-downgrades",
        *words,
        env={"DEBIAN_FRONTEND": "noninteractive"},
    )
    return done.returncode, done.stdout + done.stderr


def must_apt(host, *words):
    status, text = apt(host, *words)
    equal(status, 0, f"apt-get {' '.join(words)}: {text[-3000:]}: status")
    return text


def bring(host, folder):
    """Copies packages into the host; their paths there."""
    paths = []
    for name in NAMES:
        (path,) = glob.glob(os.path.join(folder, f"{name}_*.deb"))
        host.copy(path, "/var/tmp/debs")
        paths.append(f"/var/tmp/debs/{os.path.basename(path)}")
    return paths


def socket_age(host):
    return [host.show(unit, "ActiveEnterTimestampMonotonic") for unit in SOCKETS[:1]]


def schema_there(host):
    """SQLite's user_version; the daemon has the file to itself."""
    words = ["--endian=big", "--format=u4", "--skip-bytes=60", "--read-bytes=4"]
    return int(host.must("od", "--address-radix=n", *words, f"{STATE}/coffer.db"))


# A unit that was given a value and lives on.
HOLDER = f"""
[Service]
Type=exec
User={ETL}
ExecStart=/usr/bin/coffer run {NAME} -- sleep infinity
"""


def use_root_key_file(host):
    text = host.read(CONFIG)
    host.write(CONFIG, text.replace("#root_key = credential", f"root_key = file:{KEYS}/root.key"))


@suite.setup
def prepare(host):
    """As the previous version wants it: its root key is a file."""
    host.install(folder=PREVIOUS if has_previous() else DEBS)
    add_users(host)
    use_root_key_file(host)
    host.must("install", "--directory", "--owner=coffer", "--mode=700", STATE, KEYS, f"{STATE}-archive")
    host.must("cofferd", "init", user="coffer")
    add(host, NAME, [f"user={ETL}"], API_TOKEN=VALUE)
    host.unit("holder.service", HOLDER)
    host.must("systemctl", "start", "holder.service")
    wait_until(lambda: holders(host), "the unit holds")


def holders(host):
    """What every version tells of them."""
    found = json.loads(host.must("coffer", "holders", NAME, "--json"))["holders"]
    return [
        {key: holder[key] for key in ("key", "version", "pid", "user", "unit", "invocation")}
        for holder in found
    ]


# ---- a first installation ----


@suite.check
def installed_unattended_the_sockets_wait_and_nothing_else_runs(_):
    host = suite.host()
    must_apt(host, "install", *bring(host, DEBS))
    for unit in SOCKETS:
        equal(host.show(unit, "ActiveState"), "active", unit)
    for unit in ("cofferd.service", *SOCKETS):
        equal(host.show(unit, "UnitFileState"), "enabled", unit)
    equal(host.show("cofferd.service", "ActiveState"), "inactive", "the service")
    for unit in ("coffer-alerts.timer", "coffer-metrics.timer"):
        equal((host.show(unit, "UnitFileState"), host.is_active(unit)), ("disabled", False), unit)
    assert not host.exists(STATE), "a vault was made"
    equal(host.must("stat", "-c", "%a %U:%G", CONFIG), "644 root:root\n", "the configuration")
    equal(host.must("dpkg", "--verify", *NAMES), "", "files that are not as they were shipped")
    before_init_a_caller_is_told_the_way_out(host)
    text = must_apt(host, "purge", *NAMES)
    assert "vault" not in text.split("Purging configuration files for cofferd")[1], text
    host.down()


def before_init_a_caller_is_told_the_way_out(host):
    host.allow_swap_where_memory_cannot_be_locked()
    done = host.run("coffer", "integration", "list")
    assert done.returncode != 0 and "cofferd init" in done.stderr, f"{done.returncode}: {done.stderr}"


# ---- upgrades ----

# One connection after the other, each with a request; what was answered, and what was closed without an answer.
CONNECTING = f"""
import os
from coffer_test import Client
answered, closed = 0, 0
print("goes", flush=True)
while not os.path.exists(sys.argv[1]):
    with Client({SOCKET!r}) as client:
        if client.send_until_refused(client.request("hello")) and client.read_line(60):
            answered += 1
        else:
            closed += 1
print(answered, closed, flush=True)
"""


@contextlib.contextmanager
def clients_that_connect_all_the_time(host):
    """Nobody is refused; who is let in by a daemon that ends, and has not sent its request yet, has to come again."""
    connecting = [host.start_python(CONNECTING, "/run/enough") for _ in range(2)]
    for client in connecting:
        equal(client.stdout.readline(), "goes\n", "what it says")
    yield
    host.write("/run/enough", "")
    for client in connecting:
        output, errors = client.communicate(timeout=90)
        assert client.returncode == 0, f"a connection was refused: {errors}"
        answered, closed = map(int, output.split())
        assert answered > 10 and closed <= 1, f"{answered} were answered, {closed} were not"
    host.must("rm", "/run/enough")


@suite.check
def an_upgrade_keeps_sockets_holders_and_values(host):
    need_previous()
    equal(version_there(host), version_in(PREVIOUS), "version before")
    paths, before, age, pid = bring(host, DEBS), holders(host), socket_age(host), host.main_pid()
    with clients_that_connect_all_the_time(host):
        must_apt(host, "install", *paths)
        equal(fetch(host, NAME, user=ETL), VALUE, "value")
    equal(version_there(host), version_in(DEBS), "version after")
    assert host.main_pid() not in (0, pid), "the old daemon runs"
    equal(socket_age(host), age, "when the socket was opened")
    for unit in SOCKETS:
        equal(host.show(unit, "ActiveState"), "active", unit)
    equal(holders(host), before, "holders")
    must_refuse(host, NAME, "not permitted", user=OPERATOR)
    host.must("coffer", "audit", "verify")


@suite.check
def an_older_version_is_refused_while_the_newer_one_goes_on(host):
    need_previous()
    found, paths, pid = schema_there(host), bring(host, PREVIOUS), host.main_pid()
    if found == PREVIOUS_SCHEMA:
        raise Skip("the previous version reads the vault of this one")
    status, text = apt(host, "install", *paths)
    assert status != 0, text
    for words in (f"cofferd {version_in(PREVIOUS)} cannot read the vault in {STATE}", f"schema {found}"):
        assert words in text, f"'{words}' is not in: {text}"
    equal(version_there(host), version_in(DEBS), "version")
    equal(fetch(host, NAME, user=ETL), VALUE, "value")
    assert pid and host.is_active("cofferd.service"), "the service"
    # coffer was replaced before cofferd refused: as the refusal says, this version again.
    host.must("dpkg", "--install", *bring(host, DEBS))
    equal(host.must("coffer", "--version"), f"coffer {version_in(DEBS)}\n", "version")


@suite.check
def a_newer_vault_is_found_wherever_the_configuration_has_it(host):
    """As cofferd reads the file: with either sign, and with a comment or blanks at the end."""
    elsewhere, kept, preinst = "/srv/elsewhere", host.read(CONFIG), "/var/lib/dpkg/info/cofferd.preinst"
    host.must("install", "--directory", elsewhere)
    host.python(f"open('{elsewhere}/coffer.db', 'wb').write(bytes(63) + bytes([99]) + bytes(1000))")
    for line in ("state_dir = {}", "state_dir: {}", "\tstate_dir={}  ", "state_dir = {} ; of the old disk"):
        host.write(CONFIG, f"[vault]\n{line.format(elsewhere)}\n")
        done = host.run(preinst, "upgrade", "0.0.1")
        assert done.returncode == 1 and f"the vault in {elsewhere}:" in done.stderr, f"{line}: {done}"
    host.write(CONFIG, kept)
    host.must(preinst, "upgrade", "0.0.1")


@suite.check
def installed_again_the_service_is_restarted_and_nobody_notices(host):
    pid, age = host.main_pid(), socket_age(host)
    with clients_that_connect_all_the_time(host):
        must_apt(host, "install", "--reinstall", *bring(host, DEBS))
    assert host.main_pid() not in (0, pid), "the old daemon runs"
    equal(socket_age(host), age, "when the socket was opened")
    equal(fetch(host, NAME, user=ETL), VALUE, "value")


@suite.check
def a_service_that_was_stopped_stays_stopped_until_its_first_client(host):
    host.must("systemctl", "stop", "cofferd.service")
    must_apt(host, "install", "--reinstall", *bring(host, DEBS))
    equal(host.main_pid(), 0, "process")
    equal(fetch(host, NAME, user=ETL), VALUE, "value")


# ---- the end, and after it ----


def files_of_the_vault(host):
    return host.must("sh", "-c", "cd /var/lib && sha256sum coffer/coffer.db coffer-anchor/*")


@suite.check
def removed_nothing_runs_and_the_vault_is_there(host):
    host.must("systemctl", "stop", "holder.service")
    must_apt(host, "remove", *NAMES)
    equal(host.must("systemctl", "list-units", "--plain", "--no-legend", "coffer*"), "", "units")
    assert not host.exists("/run/coffer") and not host.exists("/usr/sbin/cofferd"), "something is left"
    assert host.exists(CONFIG) and host.exists(f"{STATE}/coffer.db"), "something is lost"


@suite.check
def purged_the_vault_is_kept_and_that_is_said(host):
    before = files_of_the_vault(host)
    text = must_apt(host, "purge", "cofferd")
    assert "the vault stays" in text and f"rm -r {STATE} " in text, text
    equal(files_of_the_vault(host), before, "files of the vault")
    assert not host.exists(CONFIG), "the configuration is left"
    host.must("id", "coffer")


@suite.check
def after_the_purge_a_new_installation_goes_on_with_the_vault(host):
    host.install()
    use_root_key_file(host)
    equal(fetch(host, NAME, user=ETL), VALUE, "value")
    must_refuse(host, NAME, "not permitted", user=OPERATOR)
    host.must("coffer", "audit", "verify")


if __name__ == "__main__":
    suite.run()
