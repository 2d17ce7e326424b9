#!/usr/bin/python3
"""strace shows it: between a request and its reply there is a sync of the store, whenever something must last (P4, P5)."""
import re
import shutil
import subprocess
import signal

from coffer_test import ETL, OPERATOR, STRANGER, Skip, Suite, canary, wait_until

NAME = "finance/warehouse-sync"
CALLS = "read,recvfrom,recvmsg,readv,write,writev,sendto,sendmsg,fsync,fdatasync"

suite = Suite()


@suite.setup
def prepare(vault):
    vault.add(NAME)
    vault.put(NAME, "API_TOKEN", canary())
    vault.grant(NAME, user=ETL)


class Trace:
    """strace of the daemon, while the block runs."""

    def __init__(self, vault):
        if not shutil.which("strace"):
            raise Skip("no strace")
        self.path = vault.at("trace")
        self.vault = vault
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(
            [
                "strace",
                "-f",
                "-yy",
                "-s",
                "64",
                "-e",
                f"trace={CALLS}",
                "-o",
                self.path,
                "-p",
                str(self.vault.pid),
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        line = self.process.stderr.readline()
        if "attached" not in line:
            self.process.wait()
            raise Skip(f"strace cannot attach: {line.strip()}")
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        self.process.stderr.close()

    def lines(self):
        with open(self.path, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()


def is_socket(line):
    return re.search(r"\((\d+)<(UNIX|socket)", line) or re.search(r"msg\(\d+<UNIX", line)


def syncs_before_replies(lines):
    """For each line written to a socket: how many syncs of the store lie between it and the one before."""
    found, syncs = [], 0
    for line in lines:
        if re.search(r"\b(fsync|fdatasync)\(\d+<[^>]*/state/coffer\.db", line):
            syncs += 1
        elif re.search(r"\b(write|writev|sendto|sendmsg)\(", line) and is_socket(line) and "jsonrpc" in line:
            found.append(syncs)
            syncs = 0
    return found


def trace_of(vault, requests):
    """Each request on a connection that is open already; the syncs before each reply."""
    with vault.client(requests[0][0]) as client:
        client.must_be_open()
        with Trace(vault) as trace:
            replies = [client.ask(method, params) for _, method, params in requests]
            wait_until(
                lambda: len(syncs_before_replies(trace.lines())) >= len(requests),
                f"{len(requests)} replies in the trace",
            )
        return replies, syncs_before_replies(trace.lines())


def all_synced(vault, uid, method, params, outcome):
    replies, syncs = trace_of(vault, [(uid, method, params)] * 5)
    for reply in replies:
        assert (outcome in reply) or reply["error"]["data"]["error"] == outcome, reply
    assert all(count >= 1 for count in syncs), f"syncs before each reply: {syncs}"


@suite.check
def a_read_needs_no_sync(vault):
    """The control: without it the other checks would prove nothing."""
    _, syncs = trace_of(vault, [(OPERATOR, "integration.list", {})] * 5)
    assert not any(syncs), f"syncs before each reply: {syncs}"


@suite.check
def a_put_is_synced_before_its_reply(vault):
    all_synced(
        vault, OPERATOR, "secret.put", {"integration": NAME, "key": "API_TOKEN", "value": canary()}, "result"
    )


@suite.check
def a_fetch_is_recorded_and_synced_before_its_reply(vault):
    all_synced(vault, ETL, "env.fetch", {"integration": NAME}, "result")


@suite.check
def a_refusal_is_recorded_or_counted_and_synced_before_its_reply(vault):
    all_synced(vault, STRANGER, "env.fetch", {"integration": NAME}, "denied")


@suite.check
def a_malformed_request_is_recorded_and_synced_before_its_reply(vault):
    all_synced(vault, OPERATOR, "secret.put", {"integration": NAME}, "bad_request")


if __name__ == "__main__":
    suite.run()
