#!/usr/bin/python3
"""What a running daemon has given up, seen from outside; and that it goes on with all that it is for."""
import os
import re
import resource
import signal

from coffer_test import ADMIN, ETL, OPERATOR, Suite, canary, equal, wait_until

NAME = "finance/warehouse-sync"
CAP_IPC_LOCK = 1 << 14
CAP_SETPCAP = 1 << 8

suite = Suite()


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        return dict(re.findall(r"^(\w+):\s*(.*)$", file.read(), re.M))


def may_lift_limit():
    """Can a process of ours be rid of RLIMIT_MEMLOCK, as the daemon tries to be before it gives up CAP_IPC_LOCK?"""
    child = os.fork()
    if child == 0:
        try:
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        except (ValueError, OSError):
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


@suite.setup
def fill(vault):
    vault.add(NAME)
    vault.put(NAME, "API_TOKEN", canary())
    vault.grant(NAME, user=ETL)


@suite.check
def a_daemon_of_root_holds_no_capabilities(vault):
    ours = status_of("self")
    held = int(ours["CapEff"], 16)
    kept = CAP_IPC_LOCK if held & CAP_IPC_LOCK and not may_lift_limit() else 0
    status = status_of(vault.pid)
    for name in ("CapPrm", "CapEff"):
        equal(int(status[name], 16), kept, name)
    for name in ("CapInh", "CapAmb"):
        equal(int(status[name], 16), 0, name)
    equal(int(status["CapBnd"], 16), 0 if held & CAP_SETPCAP else int(ours["CapBnd"], 16), "CapBnd")
    equal("CAP_IPC_LOCK stays" in vault.log_text(), bool(kept), "a word of the one that stays")


@suite.check
def it_has_one_thread_no_new_privileges_and_a_filter(vault):
    status = status_of(vault.pid)
    equal(status["Threads"], "1", "Threads")
    equal(status["NoNewPrivs"], "1", "NoNewPrivs")
    equal(status["Seccomp"], "2", "Seccomp")
    assert int(status["Seccomp_filters"]) >= 1, status["Seccomp_filters"]
    count = int(re.search(r"sandbox: (\d+) system calls, Landlock", vault.log_text()).group(1))
    assert 30 < count <= 45, f"{count} system calls are allowed"


@suite.check
def no_memory_can_be_written_and_executed(vault):
    with open(f"/proc/{vault.pid}/maps", encoding="utf-8", errors="replace") as file:
        both = [line for line in file if re.match(r"\S+ .wx", line)]
    equal(both, [], "mappings")


@suite.check
def it_reads_a_configuration_that_was_replaced(vault):
    """Editors write another file and give it the name."""
    for number, word in enumerate(("reloaded", "reloaded")):
        vault.write_config(roles={"operator": OPERATOR + number})
        os.rename(vault.config, vault.config + ".new")
        os.rename(vault.config + ".new", vault.config)
        before = vault.log_text().count(word)
        vault.process.send_signal(signal.SIGHUP)
        wait_until(lambda: vault.log_text().count(word) > before, "the configuration was read again")
    with vault.client(OPERATOR) as client:
        client.must_refuse("secret.put", {"integration": NAME, "key": "API_TOKEN", "value": "x"}, "denied")
    vault.write_config()
    vault.process.send_signal(signal.SIGHUP)


@suite.check
def it_archives_into_a_directory_that_was_there(vault):
    until = vault.audit()[-1]["time"]
    vault.must_coffer("audit", "archive", "--until", until, uid=ADMIN)
    assert os.listdir(vault.at("archive")), "no segment"


@suite.check
def a_directory_that_was_made_anew_is_out_of_reach_and_the_way_out_is_said(vault):
    if "Landlock version 0" in vault.log_text():
        return  # then nothing but the modes says no
    os.rename(vault.at("archive"), vault.at("archive.old"))
    os.mkdir(vault.at("archive"), 0o700)
    done = vault.coffer("audit", "archive", "--until", vault.audit()[-1]["time"])
    assert done.returncode != 0 and b"restart cofferd" in done.stderr, done.stderr
    os.rmdir(vault.at("archive"))
    os.rename(vault.at("archive.old"), vault.at("archive"))


@suite.check
def it_takes_its_socket_away_and_begins_again(vault):
    equal(vault.stop(), 0, "exit status after SIGTERM")
    assert not os.path.exists(vault.socket), "the socket was left"
    assert not os.path.exists(vault.at("state", "coffer.db-wal")), "the write-ahead log was left"
    vault.start()
    equal(list(vault.fetch(NAME)), ["API_TOKEN"], "keys")


if __name__ == "__main__":
    suite.run()
