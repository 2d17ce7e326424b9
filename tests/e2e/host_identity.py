#!/usr/bin/python3
"""Which unit is calling: the one that systemd started, whatever users, containers and delegated cgroups call themselves."""
import json
import re

from coffer_test import canary, equal, wait_until
from host_test import HostSuite
from host_vault import CRM, ETL, SOCKET, add, fetch, make_vault, must_refuse, run_words

NAME, ANY_USER, TEMPLATE, OF_ROOT = "finance/warehouse-sync", "any/user", "many/instances", "of/root"
VALUE = canary()
UNIT = "etl.service"

suite = HostSuite()


@suite.setup
def prepare(host):
    make_vault(host)
    add(host, NAME, [f"user={ETL}", f"unit={UNIT}"], API_TOKEN=VALUE)
    add(host, ANY_USER, ["unit=dynamic.service"], API_TOKEN=VALUE)
    add(host, TEMPLATE, [f"user={ETL}", "unit=etl@*.service"], API_TOKEN=VALUE)
    add(host, OF_ROOT, ["user=root", f"unit={UNIT}"], API_TOKEN=VALUE)


def seen_unit(host, *before, **how):
    """The unit that the daemon sees; before: words that run the command."""
    text = host.must(*before, "/usr/bin/coffer", "whoami", **how)
    return re.search(r"(?m)^Unit: *(.*)$", text).group(1)


# ---- refusals ----


@suite.check
def another_unit_of_the_same_user_is_refused(host):
    must_refuse(host, NAME, "not permitted", user=ETL, unit="other.service")


@suite.check
def the_right_unit_of_another_user_is_refused(host):
    must_refuse(host, NAME, "not permitted", user=CRM, unit=UNIT)
    must_refuse(host, NAME, "not permitted", unit=UNIT)  # root, who is admin


@suite.check
def names_that_look_alike_are_refused(host):
    for name in (
        "etl.service.service",
        "xetl.service",
        "etl-.service",
        "etl.scope.service",
        "system-etl.service",
    ):
        must_refuse(host, NAME, "not permitted", user=ETL, unit=name)


@suite.check
def a_refused_unit_fails_and_its_program_does_not_run(host):
    host.unit(
        "refused.service",
        f"""
        [Service]
        Type=oneshot
        User={ETL}
        ExecStart=/usr/bin/coffer run {NAME} -- /usr/bin/touch /tmp/ran
        """,
    )
    assert host.run("systemctl", "start", "refused.service").returncode != 0, "it started"
    equal(host.show("refused.service", "ExecMainStatus"), "125", "exit status")
    assert not host.exists("/tmp/ran"), "the program ran"
    host.wait_for_journal("not permitted", "refused.service")


def user_manager(host):
    """The manager of a user's own services, and what one needs to ask it for a unit."""
    uid = host.must("id", "-u", ETL).strip()
    host.must("systemctl", "start", f"user@{uid}.service")
    return {"XDG_RUNTIME_DIR": f"/run/user/{uid}"}


def in_user_unit(unit, *words):
    """That manager, too, expands $ in the words of a unit."""
    command = [word.replace("$", "$$") for word in words]
    return [
        "systemd-run",
        "--user",
        "--quiet",
        "--pipe",
        "--wait",
        "--collect",
        f"--unit={unit}",
        "--",
        *command,
    ]


@suite.check
def a_unit_of_the_users_own_manager_is_no_unit_of_the_system(host):
    env = user_manager(host)
    done = host.run(*in_user_unit(UNIT, *run_words(NAME, "echo", "started")), user=ETL, env=env)
    assert done.returncode == 125 and "not permitted" in done.stderr, done
    text = host.must(*in_user_unit(UNIT, "/usr/bin/coffer", "whoami"), user=ETL, env=env)
    assert UNIT not in text, text


# Goes into a cgroup below its own that is called like a unit of the system, and runs the rest there.
INTO_CGROUP = 'own=/sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup); mkdir -p "$own/$1" && echo $$ >"$own/$1/cgroup.procs" && shift && exec "$@"'


def into_cgroup(name):
    return ["sh", "-c", INTO_CGROUP, "sh", name]


@suite.check
def a_cgroup_that_a_user_calls_like_a_unit_is_none(host):
    env = user_manager(host)
    for name in (f"system.slice/{UNIT}", UNIT, f"x.slice/{UNIT}"):
        words = in_user_unit("mine.service", *into_cgroup(name), *run_words(NAME, "echo", "started"))
        done = host.run(*words, user=ETL, env=env)
        assert done.returncode == 125 and "not permitted" in done.stderr, f"{name}: {done}"


@suite.check
def a_delegated_unit_cannot_call_itself_another(host):
    how = {"user": ETL, "unit": "box.service", "properties": ["Delegate=yes"]}
    for name in (f"system.slice/{UNIT}", UNIT):
        done = host.run(*into_cgroup(name), *run_words(NAME, "echo", "started"), **how)
        assert done.returncode == 125 and "not permitted" in done.stderr, f"{name}: {done}"
        equal(seen_unit(host, *into_cgroup(name), **how), "box.service", "unit")


@suite.check
def root_of_a_container_is_the_unit_that_the_container_is(host):
    """Its cgroup namespace begins at a cgroup with the name that is granted: inside, it is that unit."""
    inside = ["unshare", "--cgroup", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c"]
    script = 'cat /proc/self/cgroup; mkdir -p /run/inside; mount -t cgroup2 x /run/inside; "$@"'
    how = {"unit": "box.service", "properties": ["Delegate=yes", "PrivateMounts=yes"]}
    words = [*into_cgroup(f"root/system.slice/{UNIT}"), *inside, script, "sh"]
    done = host.run(*words, *run_words(OF_ROOT, "echo", "started"), **how)
    assert "0::/\n" in done.stdout, f"it is in no cgroup namespace: {done}"
    assert done.returncode == 125 and "not permitted" in done.stderr, done


WHOAMI = f"""
import json, os
from coffer_test import Client
print(json.dumps(Client({SOCKET!r}, os.geteuid()).call("whoami")))
"""


@suite.check
def root_of_a_user_namespace_is_the_user_that_made_it(host):
    words = ["unshare", "--user", "--map-root-user", "--mount"]
    assert "root" in host.must(*words, "id", "-un", user=ETL), "it is not root inside"
    seen = json.loads(host.must(*words, *host.python_words(WHOAMI), user=ETL, unit=UNIT))
    equal((seen["user"], seen["roles"], seen["unit"]), (ETL, [], UNIT), "user, roles, unit")
    done = host.run(*words, "/usr/bin/coffer", "whoami", user=ETL, unit=UNIT)
    assert (
        "is not safe to use" in done.stderr
    ), f"where root owns nothing, the client must not trust the socket: {done}"


@suite.check
def a_process_in_no_unit_at_all_is_refused(host):
    """As the host's own init starts them: in the root of the cgroups."""
    script = 'echo $$ >/sys/fs/cgroup/cgroup.procs && exec setpriv --reuid="$0" --clear-groups "$@"'
    done = host.run("sh", "-c", script, ETL, *run_words(NAME, "echo", "started"))
    assert done.returncode == 125 and "not permitted" in done.stderr, done


# Connects, and asks again after each line that it reads; each answer is the error word, or "ok".
ASKING = f"""
import os
from coffer_test import Client, Refused
client = Client({SOCKET!r}, os.geteuid())
for line in sys.stdin:
    if line == "again\\n":
        client = Client({SOCKET!r}, os.geteuid())
    unit = client.call("whoami")["unit"]
    try:
        client.call("env.fetch", {{"integration": {NAME!r}}})
        print(unit, "ok", os.getpid(), flush=True)
    except Refused as refused:
        print(unit, refused.word, os.getpid(), flush=True)
"""


def ask(process, line=""):
    process.stdin.write(line + "\n")
    process.stdin.flush()
    answer = process.stdout.readline().split()
    assert len(answer) == 3, f"{answer}: {process.stderr.read() if process.poll() is not None else ''}"
    return answer


def move(host, pid, unit):
    host.must("sh", "-c", f"echo {pid} >/sys/fs/cgroup/system.slice/{unit}/cgroup.procs")


@suite.check
def a_connection_stays_what_it_was_when_its_process_is_moved(host):
    host.must("systemd-run", f"--unit={UNIT}", "--", "sleep", "infinity")
    asking = host.start_python(ASKING, user=ETL, unit="wrong.service")
    try:
        unit, word, pid = ask(asking)
        equal((unit, word), ("wrong.service", "denied"), "before")
        script = f"echo {pid} >/sys/fs/cgroup/system.slice/{UNIT}/cgroup.procs"
        assert host.run("sh", "-c", script, user=ETL).returncode != 0, "a user could move a process"
        move(host, pid, UNIT)
        equal(ask(asking)[:2], ["wrong.service", "denied"], "moved")
        equal(ask(asking, "again")[:2], [UNIT, "ok"], "connected anew after root moved it")
        move(host, pid, "wrong.service")
        equal(ask(asking, "again")[:2], ["wrong.service", "denied"], "moved back")
    finally:
        asking.stdin.close()
        asking.wait(30)
        host.must("systemctl", "stop", UNIT)


@suite.check
def an_instance_of_another_template_is_refused(host):
    for name in ("etlx@a.service", "xetl@a.service", UNIT, "other@etl.service", "system-etl@a.service"):
        must_refuse(host, TEMPLATE, "not permitted", user=ETL, unit=name)


# ---- who gets it ----


@suite.check
def the_unit_of_the_grant_gets_the_value(host):
    equal(fetch(host, NAME, user=ETL, unit=UNIT), VALUE, "value")
    equal(fetch(host, OF_ROOT, unit=UNIT), VALUE, "value for root")


@suite.check
def a_unit_file_with_coffer_run_as_its_program_gets_the_value(host):
    host.unit(
        UNIT,
        f"""
        [Service]
        Type=exec
        User={ETL}
        RuntimeDirectory=etl
        RuntimeDirectoryPreserve=yes
        ExecStart=/usr/bin/coffer run {NAME} -- sh -c 'printenv API_TOKEN >/run/etl/seen; exec sleep infinity'
        """,
    )
    for word in ("start", "restart"):
        host.must("rm", "-f", "/run/etl/seen")
        host.must("systemctl", word, UNIT)
        wait_until(lambda: host.exists("/run/etl/seen"), "the program has written")
        equal(host.read("/run/etl/seen"), VALUE + "\n", "what the program saw")
    text = host.must("coffer", "holders", NAME)
    assert UNIT in text and str(host.main_pid(UNIT)) in text, text
    host.must("rm", f"/etc/systemd/system/{UNIT}")
    host.must("systemctl", "stop", UNIT)
    host.must("systemctl", "daemon-reload")


@suite.check
def a_unit_in_another_slice_and_with_cgroups_of_its_own_is_the_same_unit(host):
    how = {"user": ETL, "unit": UNIT, "properties": ["Slice=batch-jobs.slice", "Delegate=yes"]}
    equal(fetch(host, NAME, **how), VALUE, "value")
    words = [*into_cgroup("user@0.service/other.service"), *run_words(NAME, "printenv", "API_TOKEN")]
    equal(host.must(*words, **how), VALUE + "\n", "value, from a cgroup below")


@suite.check
def a_grant_of_a_template_is_for_all_its_instances(host):
    for name in ("etl@a.service", "etl@b-1.service", r"etl@x\x2fy.service"):
        equal(fetch(host, TEMPLATE, user=ETL, unit=name), VALUE, name)


@suite.check
def a_unit_with_a_user_made_at_its_start_gets_what_is_granted_to_the_unit(host):
    how = {"properties": ["DynamicUser=yes"]}
    equal(fetch(host, ANY_USER, unit="dynamic.service", **how), VALUE, "value")
    must_refuse(host, ANY_USER, "not permitted", unit="other-dynamic.service", **how)


@suite.check
def a_unit_that_is_called_like_a_file_of_its_cgroup_has_its_name(host):
    """systemd puts an underscore before such names."""
    for name in ("cpu.service", "_etl.service", "cgroup.service"):
        equal(seen_unit(host, unit=name), name, "unit")


@suite.check
def a_unit_with_a_network_and_mounts_of_its_own_is_the_same_unit(host):
    properties = ["PrivateNetwork=yes", "PrivateTmp=yes", "ProtectSystem=strict"]
    properties += [
        "ProtectProc=invisible",
        "ProcSubset=pid",
        "RestrictAddressFamilies=AF_UNIX",
        "NoNewPrivileges=yes",
    ]
    equal(fetch(host, NAME, user=ETL, unit=UNIT, properties=properties), VALUE, "value")


if __name__ == "__main__":
    suite.run()
