#!/usr/bin/python3
"""coffer run: the program in place, its arguments untouched, its environment as promised, and its own failures."""
import contextlib
import json
import os
import signal
import subprocess
import sys
import time

from coffer_test import ETL, STRANGER, Suite, canary, equal, wait_until

NAME, OTHER = "finance/warehouse-sync", "crm/connector"
TOKEN, URL = canary(), "https://example.org/?a=b&c=d"

suite = Suite()
SHOW = """import json, os, sys
json.dump({"argv": [os.fsencode(word).hex() for word in sys.argv[1:]], "environ": {os.fsencode(key).decode("latin-1"): os.fsencode(word).decode("latin-1")
    for key, word in os.environ.items()}, "pid": os.getpid(), "ppid": os.getppid(), "descriptors": sorted(os.listdir("/proc/self/fd"))}, sys.stdout)"""


@suite.setup
def prepare(vault):
    vault.add(NAME)
    vault.put(NAME, "API_TOKEN", TOKEN)
    vault.put(NAME, "API_URL", URL)
    vault.put(NAME, "DB_HOST", "from the vault")
    vault.grant(NAME, user=ETL)


def run(vault, *words, uid=ETL, status=0, env=None, **more):
    done = vault.coffer("run", *words, uid=uid, env=env, **more)
    equal(
        done.returncode,
        status,
        f"exit status of coffer run {' '.join(map(repr, words))} ({done.stderr[-2000:]!r})",
    )
    return done


def seen(vault, *options, arguments=(), **more):
    """What a program that was run so sees of itself."""
    return json.loads(run(vault, *options, "--", sys.executable, "-c", SHOW, *arguments, **more).stdout)


def environ(vault, *options, **more):
    return seen(vault, *options, **more)["environ"]


# ---- refusals first ----


@suite.check
def a_program_that_is_not_there_is_127(vault):
    done = run(vault, NAME, "--", "/no/such/program", status=127)
    assert b"/no/such/program" in done.stderr, done.stderr
    run(vault, NAME, "--", "no-such-program-in-path", status=127)


@suite.check
def a_program_that_cannot_be_executed_is_126(vault):
    run(vault, NAME, "--", "/etc/passwd", status=126)
    run(vault, NAME, "--", "/tmp", status=126)


@suite.check
def a_caller_without_a_grant_is_125_and_told_denied(vault):
    done = run(vault, NAME, "--", "/bin/echo", "ran", uid=STRANGER, status=125)
    equal(done.stdout, b"", "output of a program that must not have run")
    assert b"denied" in done.stderr or b"not permitted" in done.stderr, done.stderr
    equal(done.stderr.count(b"\n"), 1, f"lines of the complaint {done.stderr!r}")


@suite.check
def absent_and_forbidden_read_alike(vault):
    absent, forbidden = (
        run(vault, name, "--", "/bin/true", uid=STRANGER, status=125).stderr for name in ("no/such", NAME)
    )
    equal(absent.replace(b"no/such", b"X"), forbidden.replace(NAME.encode(), b"X"), "complaint")


@suite.check
def no_daemon_is_75_and_nothing_runs(vault):
    env = vault.environment(COFFER_SOCKET=vault.at("run", "nobody.sock"))
    done = run(vault, NAME, "--", "/bin/echo", "ran", status=75, env=env)
    equal(done.stdout, b"", "output of a program that must not have run")


@suite.check
def a_key_that_is_not_there_is_125_unless_optional(vault):
    done = run(vault, NAME, "--only", "API_TOKEN,NO_SUCH_KEY", "--", "/bin/true", status=125)
    assert b"--optional" in done.stderr, f"the way out is not named: {done.stderr!r}"
    equal(
        environ(vault, NAME, "--only", "API_TOKEN,NO_SUCH_KEY", "--optional", "NO_SUCH_KEY").get("API_TOKEN"),
        TOKEN,
        "API_TOKEN",
    )


@suite.check
def bad_usage_is_64_or_125_and_nothing_runs(vault):
    for words in (
        (),
        ("--",),
        (NAME,),
        (NAME, "--no-such-option", "--", "/bin/echo", "ran"),
        (NAME, "--only", "--", "/bin/echo"),
    ):
        done = vault.coffer("run", *words, uid=ETL)
        assert done.returncode in (64, 125), f"{words}: {done.returncode}"
        equal(done.stdout, b"", f"output for {words}")


@suite.check
def several_granted_integrations_and_no_name_lists_them(vault):
    vault.add(OTHER)
    vault.put(OTHER, "CRM_KEY", canary())
    grant = vault.grant(OTHER, user=ETL)["grant"]["id"]
    done = run(vault, "--", "/bin/true", status=125)
    assert NAME.encode() in done.stderr and OTHER.encode() in done.stderr, done.stderr
    env = vault.environment(COFFER_SOCKET=vault.socket, COFFER_INTEGRATION=OTHER)
    assert "CRM_KEY" in environ(vault, env=env)
    vault.call("grant.remove", {"integration": OTHER, "id": grant})
    assert "API_TOKEN" in environ(vault)


@suite.check
def a_socket_that_others_could_replace_is_not_used(vault):
    os.mkdir(vault.at("open"), 0o777)
    os.chmod(vault.at("open"), 0o777)
    os.symlink(vault.socket, vault.at("open", "coffer.sock"))
    env = vault.environment(COFFER_SOCKET=vault.at("open", "coffer.sock"))
    done = vault.coffer("run", NAME, "--", "/bin/echo", "ran", uid=ETL, env=env)
    assert done.returncode in (78, 125), done
    equal(done.stdout, b"", "output of a program that must not have run")


# ---- in place ----


@contextlib.contextmanager
def spawned(vault, *words, options=(), uid=ETL):
    """coffer run in the background; ended, if it has not ended by itself."""
    process = subprocess.Popen(
        [vault.programs["coffer"], "run", NAME, *options, "--", *words],
        user=uid,
        group=uid,
        extra_groups=[],
        cwd="/",
        env=vault.environment(COFFER_SOCKET=vault.socket),
        stdout=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@suite.check
def the_program_has_the_same_pid_and_no_wrapper_stays(vault):
    with spawned(vault, sys.executable, "-c", SHOW) as process:
        picture = json.loads(process.stdout.read())
        process.wait(30)
    equal(picture["pid"], process.pid, "pid")
    equal(picture["ppid"], os.getpid(), "parent")


@suite.check
def the_exit_status_is_the_program_s_own(vault):
    for status in (0, 1, 7, 125, 255):
        run(vault, NAME, "--", "/bin/sh", "-c", f"exit {status}", status=status)


@suite.check
def sigterm_reaches_the_program_and_reads_143(vault):
    with spawned(vault, "/bin/sh", "-c", "echo up; exec sleep 1000") as process:
        equal(process.stdout.readline(), b"up\n", "the program's word")
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    equal(process.returncode, -signal.SIGTERM, "as the parent sees it")
    script = f"{vault.programs['coffer']} run {NAME} -- sh -c 'kill -TERM $$'; echo $?"
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        user=ETL,
        group=ETL,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        check=False,
        env=vault.environment(COFFER_SOCKET=vault.socket),
    )
    equal(done.stdout.strip().splitlines()[-1], b"143", "as a shell reads it")


@suite.check
def signals_are_neither_blocked_nor_ignored(vault):
    script = 'grep -E "^Sig(Blk|Ign)" /proc/self/status'
    direct = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True).stdout
    equal(run(vault, NAME, "--", "/bin/sh", "-c", script).stdout, direct, "signal masks")


@suite.check
def arguments_arrive_unchanged(vault):
    arguments = [
        "",
        " ",
        "a b",
        '"',
        "'",
        "\\",
        "$HOME",
        "`id`",
        "*",
        "new\nline",
        "tab\t",
        "--help",
        "--",
        "-x",
        "é",
        b"\xff\xfe\x80",
        "x" * 100000,
        "%s",
        "!!",
    ]
    found = seen(vault, NAME, arguments=arguments)["argv"]
    equal(
        found, [(word if isinstance(word, bytes) else word.encode()).hex() for word in arguments], "arguments"
    )


@suite.check
def standard_streams_are_the_program_s(vault):
    equal(
        run(vault, NAME, "--", "/bin/cat", stdin=b"in\0out\xff").stdout, b"in\0out\xff", "what went through"
    )


@suite.check
def no_descriptor_of_coffer_s_is_inherited(vault):
    direct = json.loads(subprocess.run([sys.executable, "-c", SHOW], capture_output=True, check=True).stdout)[
        "descriptors"
    ]
    equal(seen(vault, NAME)["descriptors"], direct, "open descriptors")


@suite.check
def limits_and_directory_are_the_caller_s(vault):
    script = "ulimit -c; ulimit -l; ulimit -n; pwd; umask"
    direct = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True, cwd="/").stdout
    equal(run(vault, NAME, "--", "/bin/sh", "-c", script).stdout, direct, "limits, directory, mask")


# ---- the environment ----


@suite.check
def the_values_are_there_beside_the_inherited_variables(vault):
    found = environ(vault, NAME, env=vault.environment(COFFER_SOCKET=vault.socket, INHERITED="yes"))
    equal(
        {key: found.get(key) for key in ("API_TOKEN", "API_URL", "INHERITED")},
        {"API_TOKEN": TOKEN, "API_URL": URL, "INHERITED": "yes"},
        "variables",
    )


@suite.check
def the_secret_wins_over_an_inherited_variable_unless_kept(vault):
    env = vault.environment(COFFER_SOCKET=vault.socket, API_URL="inherited", DB_HOST="inherited")
    equal(environ(vault, NAME, env=env)["API_URL"], URL, "API_URL")
    kept = environ(vault, NAME, "--keep", "API_URL,NOT_SET", env=env)
    equal((kept["API_URL"], kept["DB_HOST"]), ("inherited", "from the vault"), "API_URL, DB_HOST")


@suite.check
def clean_env_starts_from_nothing(vault):
    found = environ(
        vault, NAME, "--clean-env", env=vault.environment(COFFER_SOCKET=vault.socket, INHERITED="yes")
    )
    assert set(found) - {"LC_CTYPE", "PATH"} == {"API_TOKEN", "API_URL", "DB_HOST"}, sorted(
        found
    )  # LC_CTYPE is Python's own
    assert found["PATH"], "a minimal PATH is there"


@suite.check
def only_takes_what_it_names(vault):
    found = environ(vault, NAME, "--only", "API_URL")
    assert "API_URL" in found and "API_TOKEN" not in found, sorted(found)


@suite.check
def coffer_variables_do_not_reach_the_program(vault):
    env = vault.environment(
        COFFER_SOCKET=vault.socket, COFFER_INTEGRATION=NAME, COFFER_ANYTHING="x", COFFEE="yes"
    )
    found = environ(vault, env=env)
    equal([key for key in found if key.startswith("COFFER_")], [], "COFFER_ variables")
    equal(found["COFFEE"], "yes", "COFFEE")


@suite.check
def each_variable_is_there_once(vault):
    env = vault.environment(COFFER_SOCKET=vault.socket, API_TOKEN="inherited")
    output = run(vault, NAME, "--", "/usr/bin/env", env=env).stdout
    equal(output.count(b"API_TOKEN="), 1, "API_TOKEN in the environment")


def environ_of(pid):
    with open(f"/proc/{pid}/environ", "rb") as file:
        return file.read()


@suite.check
def no_argument_ever_holds_a_value(vault):
    with spawned(vault, "/bin/sh", "-c", "echo up; exec sleep 1000") as process:
        process.stdout.readline()
        with open(f"/proc/{process.pid}/cmdline", "rb") as file:
            assert TOKEN.encode() not in file.read(), "a value in the arguments"
        # While the shell becomes sleep, its environment may not be readable for a moment.
        wait_until(lambda: TOKEN.encode() in environ_of(process.pid), "the control: it is in the environment")


@suite.check
def a_run_is_recorded_with_its_versions(vault):
    records = [record for record in vault.audit(kind="env.fetch", outcome="ok") if record["uid"] == ETL]
    assert records and "API_TOKEN=1" in records[-1]["subject"], records[-1:]


@suite.check
def wait_retries_until_the_daemon_is_there(vault):
    equal(vault.stop(), 0, "exit status after SIGTERM")
    with spawned(vault, "/bin/echo", "ran", options=("--wait", "20")) as process:
        time.sleep(0.3)  # it has tried and failed at least once; not a wait for anything
        assert process.poll() is None, "it gave up"
        vault.start()
        equal(process.stdout.read(), b"ran\n", "output")
        equal(process.wait(30), 0, "exit status")


if __name__ == "__main__":
    suite.run()
