#!/usr/bin/python3
"""LoadCredential= on a real systemd: a unit gets its credential, or does not start; never with an empty or a cut one (P5)."""
import random
import re
import time

from coffer_test import canary, equal, wait_until
from host_test import HostSuite
from host_vault import ETL, FIELDS, OPERATOR, ROOT_KEY, make_vault

NAME, BLOCKS_NAME = "finance/warehouse-sync", "finance/blocks"
SOCKET = "/run/coffer/credentials.sock"
VALUE, LARGE = canary(), canary(40) * 1600
MANY = 100  # units that start at once
KILLED, KILLS = 60, 6
AT_ONCE = 24  # connections that the daemon answers at once
START_SECONDS = 120  # of a unit: it runs out only when nobody answers, however slow the machine is
BLOCK_BYTES, BLOCKS = 65000, 15  # with LARGE this is as much as systemd takes
FAILED = "243"  # EXIT_CREDENTIALS
OUT = "/run/out"
LENGTH_MOST = 83  # of the names of unit and credential

suite = HostSuite()


@suite.setup
def prepare(host):
    make_vault(host)
    host.must("mkdir", "--mode=1777", OUT)
    for name in (NAME, BLOCKS_NAME):
        host.must("coffer", "integration", "add", name, *FIELDS)
        grant(host, "etl.service", name)
    put(host, API_TOKEN=VALUE, OTHER=VALUE, LARGE=LARGE, MORE=LARGE)
    block = f"head -c {BLOCK_BYTES} /dev/zero | tr '\\0' b"
    blocks = " ".join(f"BLOCK_{number}" for number in range(BLOCKS))
    command = f"for key in {blocks}; do {block} | coffer secret put {BLOCKS_NAME} $key || exit; done"
    host.must("sh", "-c", command, user=OPERATOR)
    grant(host, "many@*.service")


def put(host, **values):
    for key, value in values.items():
        host.must("coffer", "secret", "put", NAME, key, user=OPERATOR, stdin=value)


def grant(host, unit, name=NAME):
    host.must("coffer", "grant", "add", name, f"unit={unit}")


def make(host, name, *lines, keys=("API_TOKEN",), kind="oneshot"):
    """A unit that copies its credentials to OUT, which shows that it was started."""
    loads = "".join(f"LoadCredential={key}:{SOCKET}\n" for key in keys)
    copy = f"""/bin/sh -c 'for f in "%d"/*; do cat "$$f" >"{OUT}/%n.$${{f##*/}}"; done; touch "{OUT}/%n.started"'"""
    more = "".join(line + "\n" for line in lines)
    text = f"[Service]\nType={kind}\nTimeoutStartSec={START_SECONDS}\n{loads}{more}ExecStart={copy}\n"
    host.unit(name, text)


def outcome(host, unit):
    return host.show(unit, "Result"), host.show(unit, "ExecMainStatus")


def given(host, unit, key="API_TOKEN"):
    return host.read(f"{OUT}/{unit}.{key}")


def was_started(host, unit):
    return host.exists(f"{OUT}/{unit}.started")


def must_start(host, unit):
    host.must("sh", "-c", 'rm -f "$1".*; exec systemctl start "$2"', "sh", f"{OUT}/{unit}", unit)
    assert was_started(host, unit), f"{unit} did not run"


def must_not_start(host, unit):
    """It fails for its credentials, and nothing of it runs."""
    done = host.run("sh", "-c", 'rm -f "$1".*; exec systemctl start "$2"', "sh", f"{OUT}/{unit}", unit)
    assert done.returncode != 0, f"{unit} was started"
    equal(outcome(host, unit), ("exit-code", FAILED), "result and status")
    assert not was_started(host, unit), f"{unit} did run"


def kept(host):
    """How many connections the service manager keeps for the daemon."""
    return int(host.show("cofferd.service", "NFileDescriptorStore"))


def kill_daemon(host):
    """Also where it is not running just now."""
    host.run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", "cofferd.service")


# ---- refusals first ----


ASK = """
import os, socket
name = f"\\0{os.getpid():x}/unit/{sys.argv[1]}"
with socket.socket(socket.AF_UNIX) as client:
    client.bind(name)
    client.connect("/run/coffer/credentials.sock")
    client.shutdown(socket.SHUT_WR)
    data = b""
    while more := client.recv(65536):
        data += more
print(len(data), data.count(0))
"""


@suite.check
def a_root_service_that_asks_in_another_units_name_gets_nothing(host):
    text = host.python(ASK, "etl.service/API_TOKEN", unit="thief.service")
    equal(text.split(), ["1048577", "1048577"], "bytes, and how many are zeros")
    host.wait_for_journal(
        "etl.service: credential API_TOKEN refused: the process that asks is not", "cofferd.service"
    )
    records = host.must("coffer", "audit", "list", "--json")
    assert "thief.service" in records, "no record names the one that asked"


@suite.check
def a_refusal_fails_the_unit_and_the_journal_says_why(host):
    make(host, "stranger.service")
    must_not_start(host, "stranger.service")
    host.wait_for_journal(
        "stranger.service: credential API_TOKEN refused: no grant of a unit alone", "cofferd.service"
    )
    make(host, "etl.service", keys=("API_TOKEN", "ABSENT"))
    must_not_start(host, "etl.service")
    host.wait_for_journal("etl.service: credential ABSENT refused", "cofferd.service")


@suite.check
def a_refused_unit_of_type_simple_fails_too_but_its_start_does_not_say_so(host):
    make(host, "simple.service", kind="simple")
    host.must("systemctl", "start", "simple.service")
    wait_until(lambda: host.show("simple.service", "ActiveState") == "failed", "it fails")
    equal(outcome(host, "simple.service"), ("exit-code", FAILED), "result and status")
    assert not was_started(host, "simple.service"), "it did run"


@suite.check
def nobody_but_root_can_connect(host):
    done = host.run(*host.python_words(ASK, "etl.service/API_TOKEN"), user=ETL)
    assert done.returncode != 0 and "PermissionError" in done.stderr, done
    equal(host.must("stat", "-c", "%a %U:%G %F", SOCKET), "600 root:root socket\n", "the socket's file")


@suite.check
def units_of_a_users_service_manager_are_refused_also_of_roots(host):
    make_text = (
        f"[Service]\nType=oneshot\nLoadCredential=API_TOKEN:{SOCKET}\nExecStart=/bin/touch {OUT}/by-%u\n"
    )
    host.write("/etc/systemd/user/etl.service", make_text)
    for user in (ETL, "root"):
        uid = host.must("id", "-u", user).strip()
        host.must("systemctl", "start", f"user@{uid}.service")
        done = host.run(
            "systemctl",
            "--user",
            "start",
            "etl.service",
            user=user,
            env={"XDG_RUNTIME_DIR": f"/run/user/{uid}"},
        )
        assert done.returncode != 0, f"the unit of {user}'s manager was started"
        assert not host.exists(f"{OUT}/by-{user}"), "it did run"
    host.wait_for_journal("user's own service manager", "cofferd.service")


# ---- what units get ----


@suite.check
def a_unit_gets_its_credentials_byte_for_byte(host):
    make(host, "etl.service", keys=("API_TOKEN", "OTHER", "LARGE"))
    must_start(host, "etl.service")
    equal(given(host, "etl.service"), VALUE, "API_TOKEN")
    equal(given(host, "etl.service", "OTHER"), VALUE, "OTHER")
    equal(given(host, "etl.service", "LARGE"), LARGE, "LARGE")
    equal(kept(host), 0, "connections that are left in the store")


@suite.check
def a_dynamic_user_and_each_step_of_a_start_gets_it(host):
    grant(host, "dynamic.service")
    make(
        host,
        "dynamic.service",
        "DynamicUser=yes",
        "PrivateNetwork=yes",
        f"ReadWritePaths={OUT}",
        f"ExecStartPre=/bin/cp %d/API_TOKEN {OUT}/pre",
    )
    must_start(host, "dynamic.service")
    equal(given(host, "dynamic.service"), VALUE, "in ExecStart=")
    equal(host.read(f"{OUT}/pre"), VALUE, "in ExecStartPre=")
    assert host.must("stat", "-c", "%U", f"{OUT}/pre").strip() != "root", "it ran as root"


@suite.check
def instances_of_a_template_match_its_grant_with_their_names_as_they_are(host):
    make(host, "many@.service")
    for unit in ("many@one.service", r"many@a\x2fb.service"):
        must_start(host, unit)
        equal(given(host, unit), VALUE, unit)
    make(host, "many.service")
    must_not_start(host, "many.service")


@suite.check
def the_next_start_gets_the_value_of_then(host):
    old, new = canary(), canary()
    put(host, ROTATED=old)
    make(host, "etl.service", keys=("ROTATED",))
    must_start(host, "etl.service")
    equal(given(host, "etl.service", "ROTATED"), old, "before")
    put(host, ROTATED=new)
    must_start(host, "etl.service")
    equal(given(host, "etl.service", "ROTATED"), new, "after")


@suite.check
def more_than_systemd_takes_fails_the_unit(host):
    keys = ["LARGE", *(f"BLOCK_{number}" for number in range(BLOCKS))]
    make(host, "etl.service", keys=keys)
    must_start(host, "etl.service")
    make(host, "etl.service", keys=[*keys, "MORE"])
    must_not_start(host, "etl.service")


@suite.check
def names_that_are_too_long_never_reach_the_daemon(host):
    def unit_of(length):
        stem = "n" * (length - len("API_TOKEN") - len("@.service") - 1)
        return f"{stem}@x.service"

    fits, too_long = unit_of(LENGTH_MOST), unit_of(LENGTH_MOST + 20)
    for unit in (fits, too_long):
        make(host, unit.replace("@x.", "@."))
        grant(host, unit)
    for _ in range(5):
        must_start(host, fits)
    must_not_start(host, too_long)
    host.must("journalctl", "--sync")
    assert too_long not in host.journal("cofferd.service"), "the daemon was asked"


@suite.check
def a_hundred_units_start_at_once(host):
    make(host, "many@.service", keys=("API_TOKEN", "OTHER", "LARGE"))
    units = [f"many@{n}.service" for n in range(MANY)]
    began = time.monotonic()
    host.must("systemctl", "start", *units)
    print(f"# {MANY} units with three credentials each: {time.monotonic() - began:.1f} s", flush=True)
    sums = host.must(
        "sh",
        "-c",
        f"cd {OUT} && sha256sum many@*[0-9].service.API_TOKEN many@*[0-9].service.OTHER | cut -c1-64 | sort | uniq -c",
    )
    ((count, _),) = [line.split() for line in sums.splitlines()]
    equal(int(count), 2 * MANY, "equal values")
    equal(kept(host), 0, "connections that are left in the store")


# ---- the daemon comes and goes ----


@suite.check
def a_stopped_daemon_is_started_by_the_first_unit_that_asks(host):
    make(host, "etl.service")
    host.must("systemctl", "stop", "cofferd.service")
    must_start(host, "etl.service")
    equal(given(host, "etl.service"), VALUE, "value")


def start_and_disturb(host, disturb):
    """Starts many units while the daemon is disturbed; each gets the value or a refusal, and none waits."""
    make(host, "many@.service")
    host.must("sh", "-c", f"rm -f {OUT}/many@*")
    units = [f"many@{n}.service" for n in range(KILLED)]
    host.must("systemctl", "reset-failed")
    for first in range(0, KILLED, KILLED // KILLS):
        host.must("systemctl", "start", "--no-block", *units[first : first + KILLED // KILLS])
        time.sleep(random.uniform(0, 0.03))
        disturb()
    wait_until(
        lambda: "activating"
        not in host.must("systemctl", "show", "--value", "--property=ActiveState", *units),
        "all have started or failed",
        START_SECONDS + 30,
    )
    text = host.must("systemctl", "show", "--property=Id,Result,ExecMainStatus", *units)
    counts = {"success": 0, "exit-code": 0}
    for block in text.strip().split("\n\n"):
        fields = dict(line.split("=", 1) for line in block.splitlines())
        assert fields["Result"] in counts, f"never answered, or failed for something else: {fields}"
        counts[fields["Result"]] += 1
        if fields["Result"] == "success":
            assert was_started(host, fields["Id"]), fields
        else:
            equal(fields["ExecMainStatus"], FAILED, f"status of {fields['Id']}")
            assert not was_started(host, fields["Id"]), f"{fields['Id']} ran"
    sums = host.must("sh", "-c", f"cd {OUT} && cat many@*.API_TOKEN").split(VALUE)
    equal((len(sums) - 1, "".join(sums)), (counts["success"], ""), "values, and what is beside them")
    host.must("coffer", "status")  # which starts it
    wait_until(lambda: kept(host) == 0, "nothing is left in the store")
    return counts


@suite.check
def kills_while_units_start_give_none_an_empty_credential(host):
    counts = start_and_disturb(host, lambda: kill_daemon(host))
    print(
        f"# {KILLED} units, {KILLS} kills: {counts['success']} started, {counts['exit-code']} refused",
        flush=True,
    )
    assert counts["success"] > 0, counts


HOLD = f"""
import os, socket
clients = [socket.socket(socket.AF_UNIX) for _ in range({AT_ONCE})]
for number, client in enumerate(clients):
    client.bind(f"\\0{{os.getpid():x}}{{number:x}}/unit/holder.service/API_TOKEN")
    client.connect("{SOCKET}")
    client.shutdown(socket.SHUT_WR)
print("held", flush=True)
sys.stdin.read()
"""


@suite.check
def a_daemon_with_all_hands_full_of_what_came_back_goes_on_to_those_behind(host):
    """Readers that do not read what refuses them: they are under way, or left in the store, until they end."""
    make(host, "etl.service")
    holder = host.start_python(HOLD, unit="holder.service")
    try:
        equal(holder.stdout.readline(), "held\n", "output")
        wait_until(lambda: kept(host) == AT_ONCE, "all hands are full")
        kill_daemon(host)
        must_start(host, "etl.service")
        equal(kept(host), AT_ONCE, "connections that nobody has read from")
    finally:
        holder.communicate(timeout=60)
    equal(given(host, "etl.service"), VALUE, "value")
    wait_until(lambda: kept(host) == 0, "nothing is left in the store")


@suite.check
def restarts_while_units_start_cost_none_of_them_its_start(host):
    counts = start_and_disturb(host, lambda: host.must("systemctl", "restart", "cofferd.service"))
    equal(counts, {"success": KILLED, "exit-code": 0}, "starts")


@suite.check
def stops_while_units_start_give_none_an_empty_credential(host):
    """A full stop drops what the manager keeps: all that is under way is answered before."""
    counts = start_and_disturb(host, lambda: host.must("systemctl", "stop", "cofferd.service"))
    equal(counts, {"success": KILLED, "exit-code": 0}, "starts")


@suite.check
def a_sealed_vault_refuses_and_the_journal_says_so(host):
    make(host, "etl.service")
    host.must("mv", ROOT_KEY, f"{ROOT_KEY}.away")
    host.must("systemctl", "restart", "cofferd.service")
    must_not_start(host, "etl.service")
    host.wait_for_journal("etl.service: credential API_TOKEN refused: the vault is sealed", "cofferd.service")
    host.must("mv", f"{ROOT_KEY}.away", ROOT_KEY)
    host.must("systemctl", "restart", "cofferd.service")
    must_start(host, "etl.service")


@suite.check
def each_delivery_is_in_the_audit_log(host):
    text = host.must("coffer", "audit", "list", "--json")
    kinds = re.findall(r'"kind": ?"credential.deliver"', text)
    assert kinds, "no record of a delivery"
    host.must("coffer", "audit", "verify")


if __name__ == "__main__":
    suite.run()
