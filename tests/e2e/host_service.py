#!/usr/bin/python3
"""The units on a real systemd: started by the first client, restarted, killed, stopped in mid-step, reloaded."""
import json
import re

from coffer_test import canary, equal, wait_until
from host_test import CONFIG, HostSuite
from host_vault import (
    CRM,
    ETL,
    OPERATOR,
    SOCKET,
    add,
    await_another_pid,
    fetch,
    make_vault,
    must_refuse,
    signal_daemon,
)

NAME = "finance/warehouse-sync"
VALUE = canary()
WAITING = 50  # clients in the socket
LOAD_CLIENTS, LOAD_SECONDS, KILLS = 24, 8, 5

suite = HostSuite()


@suite.setup
def prepare(host):
    make_vault(host)
    add(host, NAME, [f"user={ETL}"], API_TOKEN=VALUE)


@suite.check
def the_units_are_what_systemd_expects(host):
    units = host.must("sh", "-c", "ls /lib/systemd/system/coffer*").split()
    assert len(units) >= 2, units
    done = host.run("systemd-analyze", "verify", "--man=no", *units)
    equal((done.returncode, done.stdout + done.stderr), (0, ""), "systemd-analyze verify")


@suite.check
def the_status_line_says_what_it_does(host):
    wait_until(
        lambda: host.show("cofferd.service", "StatusText").startswith("Serving"), "it says that it serves"
    )


# ---- started by a client ----


@suite.check
def a_stopped_daemon_is_started_by_its_first_client_who_gets_an_answer(host):
    host.must("systemctl", "stop", "cofferd.service")
    equal(host.main_pid(), 0, "process after the stop")
    equal(fetch(host, NAME, user=ETL), VALUE, "value")
    assert host.is_active("cofferd.service"), "the service was not started"


# Connects all first, then says how many, and what they were answered; more than one line each is not needed.
ASKING = f"""
import json
from coffer_test import Client
clients = [Client({SOCKET!r}) for _ in range(int(sys.argv[1]))]
for client in clients:
    client.send(client.request("hello"))
print("sent", flush=True)
print(sum("result" in json.loads(client.read_line(60)) for client in clients), flush=True)
"""


def start_asking(host):
    asking = host.start_python(ASKING, str(WAITING))
    equal(asking.stdout.readline(), "sent\n", "what it says")
    return asking


def must_be_answered(asking):
    output, errors = asking.communicate(timeout=90)
    equal((output, asking.returncode), (f"{WAITING}\n", 0), f"answers ({errors})")


@suite.check
def clients_that_wait_in_the_socket_are_answered_by_the_next_daemon(host):
    old = host.main_pid()
    signal_daemon(host, "SIGSTOP")
    asking = start_asking(host)
    signal_daemon(host, "SIGKILL")
    must_be_answered(asking)
    assert host.main_pid() != old, "it was the old one"


@suite.check
def a_restart_answers_clients_that_wait_in_the_socket(host):
    """The old daemon wakes up with its end and theirs before it: it answers them, or leaves them to the next one."""
    for _ in range(3):
        old = host.main_pid()
        signal_daemon(host, "SIGSTOP")
        asking = start_asking(host)
        host.must("systemctl", "restart", "cofferd.service")  # SIGTERM, SIGCONT
        must_be_answered(asking)
        assert host.main_pid() != old, "it was not restarted"


# Opens a connection for each request; one that was not refused and not answered may be tried again.
CONNECTING = f"""
import time
from coffer_test import Client
deadline, refused, answered, closed = time.monotonic() + float(sys.argv[1]), [], 0, 0
print("goes", flush=True)
while time.monotonic() < deadline:
    try:
        client = Client({SOCKET!r})
    except OSError as error:
        refused.append(str(error))
        continue
    with client:
        if client.send_until_refused(client.request("hello")) and client.read_line():
            answered += 1
        else:
            closed += 1
print(len(refused), answered, closed, refused[:3], flush=True)
"""


@suite.check
def a_restart_refuses_nobody(host):
    connecting = [host.start_python(CONNECTING, "4") for _ in range(3)]
    for client in connecting:
        equal(client.stdout.readline(), "goes\n", "what it says")
    for _ in range(3):
        host.must("systemctl", "restart", "cofferd.service")
    for client in connecting:
        output, errors = client.communicate(timeout=60)
        refused, answered, closed = map(int, output.split()[:3]) if output else (None, None, errors)
        equal(refused, 0, f"refused connections ({output})")
        assert answered > 20, output
        assert closed <= 3, f"more connections than restarts were closed without an answer: {output}"


# ---- killed ----

# Each thread puts numbered values under a request_id, and repeats what was not acknowledged.
LOAD = f"""
import json, os, threading, time
from coffer_test import Client
deadline = time.monotonic() + float(sys.argv[2])
name, done, trouble = sys.argv[1], {{}}, []

def put(key, number):
    params = {{"integration": name, "key": key, "value": f"{{key}}-{{number}}", "request_id": os.urandom(16).hex()}}
    while time.monotonic() < deadline + 30:
        try:
            with Client({SOCKET!r}, os.geteuid()) as client:
                return client.call("secret.put", params)["version"]
        except (ConnectionError, AssertionError):  # the blow
            time.sleep(0.01)
    raise TimeoutError(key)

def work(key):
    try:
        versions = []
        while time.monotonic() < deadline:
            versions.append(put(key, len(versions) + 1))
        done[key] = versions
    except Exception as error:
        trouble.append(repr(error))

threads = [threading.Thread(target=work, args=(f"KEY_{{n}}",)) for n in range(int(sys.argv[3]))]
print("goes", flush=True)
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps([done, trouble]), flush=True)
"""


@suite.check
def kill_9_under_load_loses_nothing_that_was_acknowledged_and_does_nothing_twice(host):
    add(host, "load/kill", [f"user={ETL}"])
    load = host.start_python(LOAD, "load/kill", str(LOAD_SECONDS), str(LOAD_CLIENTS), user=OPERATOR)
    equal(load.stdout.readline(), "goes\n", "what it says")
    pid = host.main_pid()
    for _ in range(KILLS):
        signal_daemon(host, "SIGKILL")
        pid = await_another_pid(host, pid)
    output, errors = load.communicate(timeout=120)
    assert output, errors
    done, trouble = json.loads(output)
    equal(trouble, [], "trouble of the clients")
    equal(len(done), LOAD_CLIENTS, "clients that came to their end")
    for key, versions in done.items():
        equal(versions, list(range(1, len(versions) + 1)), f"versions of {key}")
        equal(fetch(host, "load/kill", key, user=ETL), f"{key}-{len(versions)}", key)
    shown = json.loads(host.must("coffer", "secret", "list", "load/kill", "--json"))
    current = {entry["key"]: entry["current"] for entry in shown["secrets"] if entry["key"] in done}
    equal(current, {key: len(versions) for key, versions in done.items()}, "current versions")
    host.must("coffer", "audit", "verify")
    print(f"# {sum(map(len, done.values()))} acknowledged puts, {KILLS} kills", flush=True)


@suite.check
def a_daemon_that_hangs_is_killed_by_the_watchdog_and_started_again(host):
    old = host.main_pid()
    signal_daemon(host, "SIGSTOP")
    asking = start_asking(host)
    await_another_pid(host, old)
    must_be_answered(asking)
    host.wait_for_journal("Watchdog timeout", "cofferd.service")


# ---- reloaded, and not started ----


def status_text(host):
    return host.show("cofferd.service", "StatusText")


@suite.check
def a_reload_that_is_refused_changes_nothing_and_is_told(host):
    text, pid = host.read(CONFIG), host.main_pid()
    host.write(CONFIG, text + "\n[nonsense]\nx = y\n")
    host.must("systemctl", "reload", "cofferd.service")
    wait_until(lambda: "the last reload was refused" in status_text(host), "the status line tells it")
    assert "nonsense" in status_text(host), status_text(host)
    host.wait_for_journal("not reloaded", "cofferd.service")
    equal(fetch(host, NAME, user=ETL), VALUE, "value")
    host.write(CONFIG, text)
    host.must("systemctl", "reload", "cofferd.service")
    wait_until(lambda: "refused" not in status_text(host), "the status line forgets it")
    equal((host.main_pid(), host.show("cofferd.service", "ActiveState")), (pid, "active"), "the process")


@suite.check
def a_reload_changes_roles_in_the_process_that_runs(host):
    pid, text = host.main_pid(), host.read(CONFIG)
    assert host.run("coffer", "audit", "list", user=CRM).returncode == 77, "crm is an auditor already"
    host.write(CONFIG, re.sub(r"(?m)^#?auditor = .*$", f"auditor = {CRM}", text))
    host.must("systemctl", "reload", "cofferd.service")
    wait_until(lambda: host.run("coffer", "audit", "list", user=CRM).returncode == 0, "the role counts")
    host.write(CONFIG, text)
    host.must("systemctl", "reload", "cofferd.service")
    equal(host.main_pid(), pid, "process")


@suite.check
def starts_that_fail_leave_the_socket_and_whoever_waits_in_it(host):
    text = host.read(CONFIG)
    host.write(CONFIG, text + "\n[nonsense]\nx = y\n")
    signal_daemon(host, "SIGKILL")
    asking = start_asking(host)
    restarts = int(host.show("cofferd.service", "NRestarts"))
    wait_until(
        lambda: int(host.show("cofferd.service", "NRestarts")) >= restarts + 6,
        "more failed starts than systemd allows by default",
        60,
    )
    equal(host.show("cofferd.socket", "ActiveState"), "active", "the socket")
    host.write(CONFIG, text)
    must_be_answered(asking)


# ---- restarted as a whole ----


@suite.check
def a_restart_of_the_host_and_a_power_cut_keep_the_vault(host):
    host.unit(
        "keeper.service",
        f"""
        [Service]
        Type=exec
        User={ETL}
        ExecStart=/usr/bin/coffer run {NAME} -- sleep infinity
        """,
    )
    for restart, value in ((host.reboot, canary()), (host.cut, canary())):
        host.must("systemctl", "start", "keeper.service")
        wait_until(lambda: "keeper.service" in holders(host), "the unit holds")
        host.must("coffer", "secret", "put", NAME, "API_TOKEN", user=OPERATOR, stdin=value)
        restart()
        host.wait_active("cofferd.service")
        equal(fetch(host, NAME, user=ETL), value, "the value that was put before")
        must_refuse(host, NAME, "not permitted", user=CRM)
        equal(holders(host), "[]", "holders of a boot that has ended")
        host.must("coffer", "audit", "verify")


def holders(host):
    return json.dumps(json.loads(host.must("coffer", "holders", NAME, "--json"))["holders"])


@suite.check
def the_vault_is_ready_soon_after_the_boot(host):
    def usec(key, unit=None):
        words = [unit] if unit else []
        return int(host.must("systemctl", "show", "--value", f"--property={key}", *words))

    began = usec("UserspaceTimestampMonotonic")
    started = usec("InactiveExitTimestampMonotonic", "cofferd.service")
    ready = usec("ActiveEnterTimestampMonotonic", "cofferd.service")
    print(
        f"# from systemd's start to READY {(ready - began) / 1000:.0f} ms, of the service {(ready - started) / 1000:.0f} ms"
    )
    assert 0 < ready - started < 5_000_000, "the service took more than 5 s"


if __name__ == "__main__":
    suite.run()
