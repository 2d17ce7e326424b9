#!/usr/bin/python3
"""The first start on a host: installed and not set up, cofferd init, what the daemon does when it cannot open its vault,
and the ways back.  The checks follow each other on one host."""
import json

from coffer_test import canary, equal, wait_until
from host_test import HostSuite
from host_vault import ETL, OPERATOR, SOCKET, add, add_users, fetch

NAME, VALUE = "finance/warehouse-sync", canary()
BLOB, STORE = "/etc/coffer/rootkey.cred", "/var/lib/coffer/coffer.db"
UNITS = ("cofferd.socket", "cofferd-credentials.socket", "cofferd.service")
FOLDERS = [f"/var/lib/coffer{end}" for end in ("", "-anchor", "-backup", "-archive")]

suite = HostSuite()
kept = {}


@suite.setup
def prepare(host):
    host.install()
    add_users(host)


def status(host):
    done = host.run("coffer", "status", "--json")
    return done.returncode, json.loads(done.stdout)


def must_be_sealed(host, mend, reason):
    """Every way to look at it says so; the service runs, and what it cannot serve is refused at once."""
    code, shown = status(host)
    equal((code, shown["sealed"], shown["mend"]), (75, True, mend), "coffer status")
    assert reason in shown["reason"], f"{reason!r} is not in {shown['reason']!r}"
    for user, words in (
        (None, ["integration", "list"]),
        (OPERATOR, ["secret", "list", NAME]),
        (ETL, ["run", NAME, "--", "true"]),
    ):
        done = host.run("coffer", *words, user=user)
        equal(done.returncode, 75, f"exit status of coffer {words}")
        assert mend in done.stderr, f"{mend!r} is not in {done.stderr!r}"
    host.wait_active("cofferd.service")
    text = host.show("cofferd.service", "StatusText")
    equal(text, f"Sealed: {mend}", "what systemctl status says")
    host.wait_for_journal("sealed: ", "cofferd.service")


def must_serve(host):
    wait_until(lambda: status(host)[0] == 0, "coffer status is a success")
    equal(fetch(host, NAME, user=ETL), VALUE, "what is fetched")
    wait_until(lambda: host.show("cofferd.service", "StatusText").startswith("Serving"), "the status line")


def refuse_a_unit(host):
    """A unit that wants a credential fails to start, and is not started with an empty one."""
    host.unit(
        "wants.service",
        f"""[Service]
        Type=oneshot
        LoadCredential=API_TOKEN:{SOCKET.replace("coffer.sock", "credentials.sock")}
        ExecStart=touch /run/wants-was-started
        """,
    )
    assert host.run("systemctl", "start", "wants.service").returncode != 0, "the unit was started"
    equal(host.show("wants.service", "ExecMainStatus"), "243", "exit status of the unit")
    assert not host.exists("/run/wants-was-started"), "the unit was started"
    host.wait_for_journal("wants.service: credential API_TOKEN refused", "cofferd.service")


# ---- installed, and not set up ----


@suite.check
def before_init_the_socket_answers_with_the_way_out(host):
    assert host.exists(SOCKET), "the socket is not there after the installation"
    must_be_sealed(host, "it is not initialised; run cofferd init as root", "cofferd init")
    assert not host.exists(STORE) and not host.exists(BLOB), "a start has made something"


@suite.check
def before_init_a_unit_that_wants_a_credential_fails(host):
    refuse_a_unit(host)


@suite.check
def before_init_a_restart_and_a_reload_change_nothing(host):
    host.must("systemctl", "restart", "cofferd.service")
    host.must("systemctl", "reload", "cofferd.service")
    must_be_sealed(host, "it is not initialised; run cofferd init as root", "cofferd init")


@suite.check
def only_root_makes_the_vault(host):
    done = host.run("cofferd", "init", user=OPERATOR)
    equal(done.returncode, 78, "exit status")
    assert "only root" in done.stderr, done.stderr
    assert not host.exists(BLOB), "a key was made"


# ---- init ----


@suite.check
def init_without_options_makes_the_vault_and_starts_it(host):
    text = host.must("cofferd", "init")
    (kept["recovery"],) = [word for word in text.split() if word.startswith("coffer-recovery-1-")]
    for part in (BLOB, "for the user coffer", "Write it down", *UNITS):
        assert part in text, f"{part!r} is not in {text!r}"
    for path in FOLDERS:
        equal(host.must("stat", "-c", "%U:%G %a", path), "coffer:coffer 700\n", path)
    equal(host.must("stat", "-c", "%U:%G %a", STORE), "coffer:coffer 600\n", STORE)
    equal(host.must("stat", "-c", "%U:%G %a", BLOB), "root:root 400\n", BLOB)
    for unit in UNITS:
        assert host.is_active(unit), f"{unit} is not active"
        equal(host.must("systemctl", "is-enabled", unit), "enabled\n", unit)
    add(host, NAME, [f"user={ETL}"], API_TOKEN=VALUE)
    must_serve(host)


@suite.check
def the_root_key_is_on_no_disk(host):
    program = f"""
key=$(systemd-creds decrypt --name=rootkey {BLOB} - | sed -n 2p)
[ ${{#key}} -eq 44 ] || exit 1
! grep --recursive --fixed-strings --files-with-matches --devices=skip --regexp="$key" /etc /var /root /tmp
"""
    host.must("bash", "-c", program)


@suite.check
def the_second_init_changes_nothing(host):
    before = host.must("sh", "-c", f"sha256sum {BLOB}; ls -l --time-style=full-iso /etc/coffer")
    pid = host.main_pid()
    done = host.run("cofferd", "init")
    equal((done.returncode, done.stderr), (0, ""), "exit status and errors")
    assert "nothing was changed" in done.stdout, done.stdout
    equal(
        host.must("sh", "-c", f"sha256sum {BLOB}; ls -l --time-style=full-iso /etc/coffer"), before, "files"
    )
    equal(host.main_pid(), pid, "the process that serves")


@suite.check
def it_serves_after_a_reboot_and_a_power_cut(host):
    for restart in (host.reboot, host.cut):
        restart()
        must_serve(host)


@suite.check
def root_checks_a_stopped_vault_and_leaves_it_to_its_owner(host):
    done = host.run("cofferd", "check")
    assert done.returncode == 75 and "another process has this vault open" in done.stderr, done.stderr
    host.must("systemctl", "stop", "cofferd.service", "cofferd.socket", "cofferd-credentials.socket")
    assert "The vault is whole" in host.must("cofferd", "check")
    equal(host.must("find", "/var/lib/coffer", "!", "-user", "coffer"), "", "files of others")
    host.must("systemctl", "start", "cofferd.socket", "cofferd-credentials.socket")
    must_serve(host)


@suite.check
def a_host_is_set_up_unattended_for_a_recovery_key_made_elsewhere(host):
    words = host.must("cofferd", "recovery-key").split()
    (recipient,) = [word for word in words if word.startswith("coffer-recipient-1-")]
    (secret,) = [word for word in words if word.startswith("coffer-recovery-1-")]
    other = suite.host()
    other.install()
    add_users(other)
    text = other.must("cofferd", "init", "--recovery-recipient", recipient)
    assert "coffer-recovery-" not in text, "a secret is printed"
    add(other, NAME, [f"user={ETL}"], API_TOKEN=VALUE)
    assert "nothing was changed" in other.must("cofferd", "init", "--recovery-recipient", recipient)
    kept["other"] = other.must("systemd-creds", "decrypt", "--name=rootkey", BLOB, "-")
    other.must("rm", BLOB)
    done = other.run("cofferd", "recover", stdin=secret + "\n")
    assert done.returncode == 78 and "stop it first" in done.stderr, done.stderr
    other.must("systemctl", "restart", "cofferd.service")
    other.must("cofferd", "recover", stdin=secret + "\n")
    must_serve(other)
    other.down()


# ---- what keeps it from opening ----


@suite.check
def with_another_root_key_it_is_sealed(host):
    host.must("cp", "--archive", BLOB, "/root/kept.cred")
    text = "coffer-root-key-1\\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\\n"
    sealing = f"rm {BLOB}; printf '{text}' | systemd-creds encrypt --with-key=host --name=rootkey - {BLOB}"
    host.must("sh", "-c", sealing)
    host.must("systemctl", "restart", "cofferd.service")
    must_be_sealed(
        host, "it cannot be opened; the journal says why: journalctl -u cofferd", "not a coffer root key"
    )
    host.must("cp", "--archive", "/root/kept.cred", BLOB)
    host.must("systemctl", "restart", "cofferd.service")
    must_serve(host)


@suite.check
def with_the_root_key_of_another_vault_it_is_sealed(host):
    host.must("rm", BLOB)
    host.must("systemd-creds", "encrypt", "--with-key=host", "--name=rootkey", "-", BLOB, stdin=kept["other"])
    host.must("systemctl", "restart", "cofferd.service")
    must_be_sealed(
        host, "the root key is another vault's; put its own back, or run cofferd recover", "wrong root key"
    )
    done = host.run("cofferd", "init")
    assert done.returncode == 78 and "wrong root key" in done.stderr, done.stderr
    host.must("cp", "--archive", "/root/kept.cred", BLOB)
    host.must("systemctl", "restart", "cofferd.service")
    must_serve(host)


@suite.check
def with_a_store_of_a_newer_version_it_is_sealed_and_the_store_left(host):
    host.must("systemctl", "stop", "cofferd.service")
    host.must("cp", "--archive", STORE, "/root/kept.db")
    program = "import sqlite3; c = sqlite3.connect({!r}); c.execute('pragma user_version = 99'); c.close()"
    host.python(program.format(STORE), user="coffer")
    before = host.must("sha256sum", STORE)
    must_be_sealed(
        host,
        "its store was written by a newer version of coffer; install that version",
        "written by a newer version of coffer",
    )
    host.must("systemctl", "reload", "cofferd.service")
    equal(host.must("sha256sum", STORE), before, "the store")
    refuse_a_unit(host)
    host.must("cp", "--archive", "/root/kept.db", STORE)
    host.must("systemctl", "reload", "cofferd.service")
    must_serve(host)


@suite.check
def without_its_root_key_it_is_sealed_and_recovered(host):
    host.must("rm", BLOB)
    host.must("systemctl", "restart", "cofferd.service")
    must_be_sealed(host, "its root key is missing; run cofferd recover as root", "no root key there")
    done = host.run("cofferd", "init")
    assert done.returncode == 78 and "cofferd recover" in done.stderr, done.stderr
    assert BLOB in host.must("cofferd", "recover", stdin=kept["recovery"] + "\n")
    must_serve(host)


@suite.check
def a_sealed_key_that_this_host_cannot_open_is_named_and_recovered(host):
    """systemd does not start the service then; its journal says so, and callers are not left waiting for ever."""
    host.must("sh", "-c", f"rm {BLOB}; echo damaged >{BLOB}")
    assert host.run("systemctl", "restart", "cofferd.service").returncode != 0, "the service was started"
    host.wait_for_journal("Failed to set up credentials", "cofferd.service")
    for unit in UNITS[:2]:
        assert host.is_active(unit), f"{unit} is gone"
    for command in ("check", "init"):
        done = host.run("cofferd", command)
        equal(done.returncode, 78, f"exit status of cofferd {command}")
        assert "cannot unseal it" in done.stderr and "move it away" in done.stderr, done.stderr
    host.must("mv", BLOB, "/root/damaged.cred")
    host.must("cofferd", "recover", stdin=kept["recovery"] + "\n")
    host.wait_active("cofferd.service")
    must_serve(host)


if __name__ == "__main__":
    suite.run()
