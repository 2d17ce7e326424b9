#!/usr/bin/python3
"""A socket handed over by the service manager, SIGTERM that drains, SIGHUP that reloads."""
import contextlib
import os
import signal
import socket
import threading
import time

from activated import Activated
from coffer_test import (
    ADMIN,
    AUDITOR,
    ETL,
    OPERATOR,
    STRANGER,
    WAIT_SECONDS,
    Suite,
    canary,
    equal,
    wait_until,
)

NAME, BIG = "finance/warehouse-sync", "big/set"
VALUE = canary()
RELOADS = 50

suite = Suite()


@suite.setup
def prepare(vault):
    vault.add(NAME)
    vault.put(NAME, "API_TOKEN", VALUE)
    vault.grant(NAME, user=ETL)
    vault.add(BIG)
    for number in range(12):
        vault.put(BIG, f"KEY_{number}", "v" * 60000)
    vault.grant(BIG, user=ETL)


def activate(vault, *listeners, names="cofferd.socket"):
    path = vault.at("notify")
    if os.path.exists(path):
        os.unlink(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.settimeout(0.05)
        vault.process = Activated(vault, listeners, names, path)
        vault.await_ready(notify)


@suite.check
def a_socket_handed_over_is_served_and_left_behind(vault):
    equal(vault.stop(), 0, "exit status after SIGTERM")
    path = vault.socket = vault.at("run", "handed.sock")  # not the one of the configuration
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        os.chmod(path, 0o666)
        listener.listen()
        waiting = vault.client(ETL)  # connects before there is a daemon
        waiting.send(waiting.request("env.fetch", {"integration": NAME}))
        activate(vault, listener)
        assert VALUE.encode() in waiting.read_line(), "the one who waited"
        equal(vault.fetch(NAME)["API_TOKEN"], VALUE, "API_TOKEN")
        equal(vault.stop(), 0, "exit status after SIGTERM")
        assert os.path.exists(path), "the service manager's socket was removed"
        activate(vault, listener)
        equal(vault.fetch(NAME)["API_TOKEN"], VALUE, "API_TOKEN after a restart")
        equal(vault.stop(), 0, "exit status after SIGTERM")
    vault.socket = vault.at("run", "coffer.sock")
    vault.start()


def listening(stack, path):
    listener = stack.enter_context(socket.socket(socket.AF_UNIX))
    listener.bind(path)
    os.chmod(path, 0o666)
    listener.listen()
    return listener


@suite.check
def the_only_socket_handed_over_is_served_whatever_its_name(vault):
    equal(vault.stop(), 0, "exit status after SIGTERM")
    vault.socket = vault.at("run", "only.sock")
    with contextlib.ExitStack() as stack:
        listener = listening(stack, vault.socket)
        for names in ("api", None):
            activate(vault, listener, names=names)
            equal(vault.fetch(NAME)["API_TOKEN"], VALUE, "API_TOKEN")
            equal(vault.stop(), 0, "exit status after SIGTERM")
    vault.socket = vault.at("run", "coffer.sock")
    vault.start()


@suite.check
def several_sockets_are_refused_unless_one_has_the_name(vault):
    equal(vault.stop(), 0, "exit status after SIGTERM")
    with contextlib.ExitStack() as stack:
        first = listening(stack, vault.at("run", "first.sock"))
        second = listening(stack, vault.at("run", "second.sock"))
        vault.process = Activated(vault, (first, second), "api:other", vault.at("notify"))
        equal(vault.wait(), 78, "exit status")
        assert "FileDescriptorName=cofferd.socket" in vault.log_text(), vault.log_text()
        assert not os.path.exists(vault.socket), "a socket of its own was made"
        vault.socket = vault.at("run", "second.sock")
        activate(vault, first, second, names="api:cofferd.socket")
        equal(vault.fetch(NAME)["API_TOKEN"], VALUE, "API_TOKEN")
        equal(vault.stop(), 0, "exit status after SIGTERM")
    vault.socket = vault.at("run", "coffer.sock")
    vault.start()


@suite.check
def sockets_meant_for_another_process_are_not_taken(vault):
    equal(vault.stop(), 0, "exit status after SIGTERM")
    os.environ.update(LISTEN_FDS="1", LISTEN_PID="1")
    try:
        vault.start()
    finally:
        del os.environ["LISTEN_FDS"], os.environ["LISTEN_PID"]
    equal(vault.fetch(NAME)["API_TOKEN"], VALUE, "API_TOKEN")


@suite.check
def sigterm_removes_our_own_socket_and_is_in_the_audit_log(vault):
    equal(vault.stop(), 0, "exit status after SIGTERM")
    assert not os.path.exists(vault.socket), "the socket is left behind"
    vault.start()
    kinds = [record["kind"] for record in vault.audit()]
    assert kinds.count("daemon.stop") >= 1 and kinds[-1] != "daemon.stop", kinds[-5:]


@suite.check
def sigterm_lets_replies_drain(vault):
    """The reply is larger than the socket's buffers, and is read only after the signal."""
    with vault.client(ETL, buffer_bytes=4096) as client, vault.client(STRANGER) as idle:
        idle.must_be_open()
        client.send(client.request("env.fetch", {"integration": BIG}))
        assert client.socket.recv(10, socket.MSG_PEEK), "the reply has begun"
        vault.process.send_signal(signal.SIGTERM)
        assert idle.is_closed_within(5), "an idle connection stays open"
        line = client.read_line()
        assert line is not None and len(line) > 12 * 60000 and line.endswith(b"}"), "the reply was cut off"
        client.must_be_closed()
    equal(vault.wait(), 0, "exit status")
    vault.start()


@suite.check
def sigterm_does_not_wait_for_one_who_never_reads(vault):
    with vault.client(ETL, buffer_bytes=4096) as client:
        client.send(client.request("env.fetch", {"integration": BIG}))
        assert client.socket.recv(10, socket.MSG_PEEK), "the reply has begun"
        started = time.monotonic()
        equal(vault.stop(), 0, "exit status")
        took = time.monotonic() - started
    assert took < 8, f"it took {took:.1f} s"
    vault.start()


@suite.check
def sigint_ends_it_like_sigterm(vault):
    vault.process.send_signal(signal.SIGINT)
    equal(vault.wait(), 0, "exit status")
    vault.start()


def roles(vault, uid):
    return vault.call("whoami", uid=uid)["roles"]


@suite.check
def sighup_reloads_roles_for_new_requests_of_open_connections_too(vault):
    with vault.client(STRANGER) as client:
        equal(client.call("whoami")["roles"], [], "roles before")
        vault.write_config(roles={"auditor": f"{AUDITOR}, {STRANGER}"})
        vault.process.send_signal(signal.SIGHUP)
        wait_until(lambda: client.call("whoami")["roles"] == ["auditor"], "the new role")
        client.call("integration.list")
        vault.write_config()
        vault.process.send_signal(signal.SIGHUP)
        wait_until(lambda: client.call("whoami")["roles"] == [], "the role is gone")
        client.must_refuse("integration.list", {}, "denied")


@suite.check
def sighup_takes_groups_as_roles(vault):
    vault.write_config(roles={"operator": "%2200"})
    vault.process.send_signal(signal.SIGHUP)
    wait_until(lambda: roles(vault, OPERATOR) == [], "the user is no operator any more")
    with vault.client(STRANGER, groups=(2200,)) as client:
        equal(client.call("whoami")["roles"], ["operator"], "roles of a member")
    vault.write_config()
    vault.process.send_signal(signal.SIGHUP)
    wait_until(lambda: roles(vault, OPERATOR) == ["operator"], "the user is operator again")


@suite.check
def sighup_with_a_bad_configuration_changes_nothing(vault):
    vault.write_config(vault={"no_such_key": "x"})
    vault.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "no_such_key" in vault.log_text(), "the complaint in the log")
    equal(roles(vault, OPERATOR), ["operator"], "roles")
    equal(vault.fetch(NAME)["API_TOKEN"], VALUE, "API_TOKEN")
    vault.write_config()


@suite.check
def the_service_manager_hears_when_a_reload_begins_when_it_is_over_and_why_it_was_refused(vault):
    path = vault.at("notify")
    os.unlink(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.settimeout(WAIT_SECONDS)

        def reload_and_hear(is_told):
            vault.process.send_signal(signal.SIGHUP)
            heard = []
            while "READY=1" not in heard or not is_told(heard[-1]):
                heard.append(notify.recv(4096).decode())
            events = [text for text in heard if not text.startswith("STATUS=")]
            equal([text.split("\n")[0] for text in events], ["RELOADING=1", "READY=1"], "messages")
            began = int(events[0].removeprefix("RELOADING=1\nMONOTONIC_USEC="))
            assert 0 <= time.monotonic_ns() // 1000 - began < WAIT_SECONDS * 1000000, events[0]

        vault.write_config(vault={"another_key": "x"})
        reload_and_hear(lambda text: text.startswith("STATUS=Serving") and "another_key" in text)
        vault.write_config()
        reload_and_hear(lambda text: text.startswith("STATUS=Serving") and "refused" not in text)


@suite.check
def sighup_says_which_settings_need_a_restart_until_they_are_as_before(vault):
    def warnings():
        return vault.log_text().count("[vault] backup_dir, allow_swap: changed")

    def reload_and_wait():
        seen = vault.log_text().count("reloaded roles, rules and limits")
        vault.process.send_signal(signal.SIGHUP)
        wait_until(lambda: vault.log_text().count("reloaded roles, rules and limits") > seen, "the reload")

    vault.write_config(vault={"backup_dir": vault.at("other"), "allow_swap": "yes"})
    for expected in (1, 2):  # what runs is what was started, also after the first reload
        reload_and_wait()
        equal(warnings(), expected, "warnings")
    vault.write_config()
    reload_and_wait()
    equal(vault.log_text().count("takes effect with a restart"), 2, "warnings")


@contextlib.contextmanager
def busy(vault):
    """Callers whose lines keep a turn open nearly always, while the block runs."""
    is_over = threading.Event()
    failures = []

    def keep_asking(uid):
        try:
            with vault.client(uid) as client:
                while not is_over.is_set():
                    lines = [client.request("secret.list", {"integration": NAME}) for _ in range(20)]
                    client.send(b"".join(lines))
                    for _ in lines:
                        assert client.read_line() is not None, "a caller was closed"
        except Exception as error:  # told by the check: a thread's own is lost
            failures.append(error)

    threads = [threading.Thread(target=keep_asking, args=(uid,)) for uid in (OPERATOR, STRANGER, ETL)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert not failures, failures


@suite.check
def sighup_under_load_is_always_recorded(vault):
    """A signal that is pending already is not counted twice by the kernel, so each is waited for."""

    def answers():
        text = vault.log_text()
        return text.count("reloaded roles, rules and limits") + text.count("not reloaded")

    before, refused = len(vault.audit(kind="daemon.reload")), vault.log_text().count("not reloaded")
    with busy(vault):
        for number in range(RELOADS):
            seen = answers()
            vault.process.send_signal(signal.SIGHUP)
            wait_until(lambda: answers() > seen, f"an answer to SIGHUP number {number}")
    equal(vault.log_text().count("not reloaded"), refused, "reloads that were refused")
    equal(len(vault.audit(kind="daemon.reload")) - before, RELOADS, "records of reloads")
    vault.must_coffer("audit", "verify")


@suite.check
def sighup_reloads_limits(vault):
    vault.write_config(limits={"fetches_per_minute": 1})
    vault.process.send_signal(signal.SIGHUP)

    def is_limited():
        with vault.client(ETL) as client:
            reply = client.ask("env.fetch", {"integration": NAME})
            return "error" in reply and reply["error"]["data"]["error"] == "rate_limited"

    wait_until(is_limited, "the new limit")
    vault.write_config()
    vault.process.send_signal(signal.SIGHUP)
    wait_until(lambda: not is_limited(), "the old limit")


@suite.check
def a_storm_of_other_signals_is_nothing(vault):
    for _ in range(200):
        for number in (signal.SIGPIPE, signal.SIGWINCH, signal.SIGCONT, signal.SIGURG, signal.SIGCHLD):
            vault.process.send_signal(number)
    equal(roles(vault, ADMIN), ["admin"], "roles")


@suite.check
def the_process_is_hardened(vault):
    """Not dumpable: its /proc entries belong to root even if it did not; no core; nothing inherited in its environment."""
    with open(f"/proc/{vault.pid}/limits", encoding="ascii") as file:
        core = next(line for line in file if line.startswith("Max core file size")).split()
    assert core[4] in ("0", "1"), core
    with open(f"/proc/{vault.pid}/environ", "rb") as file:
        assert file.read() is not None
    assert vault.status_field("VmLck") > 0 or vault.is_sanitized(), "no memory is locked"


if __name__ == "__main__":
    suite.run()
