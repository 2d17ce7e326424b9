#!/usr/bin/python3
"""After 1,000 mixed requests no copy of a value is left anywhere in the daemon's memory (P1).

A second process reads all readable mappings of the daemon, stacks included, and looks for every value that was used, in
each form in which it could be written, and for pieces of it.  A helper that holds a value on purpose shows that the
search finds what is there.
"""
import base64
import json
import os
import random
import re
import socket
import subprocess
import sys

from coffer_test import AUDITOR, ETL, OPERATOR, STRANGER, Suite, canary, equal, forms_of, wait_until

NAME = "finance/warehouse-sync"
TOKENED = "finance/tokened"
REQUESTS = 1000
PIECE = 12  # bytes: shorter pieces would be found by chance
TEXT = re.compile(rb"[ -~]{%d,}" % PIECE)  # all forms of the values are of such bytes, but for a few between

suite = Suite(limits={"fetches_per_minute": 1000000})
used = []  # every value that was ever sent; lives in this process alone


def mappings(pid):
    """All of them: what is not readable today may hold something all the same."""
    with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as file:
        for line in file:
            if not line.rstrip().endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                start, end = (int(word, 16) for word in line.split()[0].split("-"))
                yield start, end, line.rstrip()


def pieces_of(value):
    """Pieces of each form; spaced so that every fragment a little longer than a piece holds one."""
    pieces = set()
    for form in forms_of(value):
        for text in TEXT.findall(form):
            step = 2 if len(text) < 300 else 6
            pieces.update(text[start : start + PIECE] for start in range(0, len(text) - PIECE + 1, step))
    return pieces


def scan(pid, pieces):
    """Where any of the pieces is: (mapping, address, piece)."""
    found, total = [], 0
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end, line in mappings(pid):
            try:
                data = read_all(memory, start, end)
            except OSError:
                continue  # nothing is mapped behind it
            total += len(data)
            for run in TEXT.finditer(data):
                text = run.group()
                windows = (text[at : at + PIECE] for at in range(len(text) - PIECE + 1))
                found += [
                    (line, hex(start + run.start() + at), piece)
                    for at, piece in enumerate(windows)
                    if piece in pieces
                ]
    assert total > 1 << 20, f"only {total} bytes were readable"
    return found


def read_all(memory, start, end):
    memory.seek(start)
    chunks = []
    while start < end:
        chunk = memory.read(min(end - start, 1 << 24))
        if not chunk:
            break
        chunks.append(chunk)
        start += len(chunk)
    return b"".join(chunks)


def new_value():
    kind = random.randrange(4)
    value = canary(random.choice((24, 40, 63, 200, 1000)))
    if kind == 1:  # what JSON escapes
        value = '"\\'.join((value, canary(24)))
    elif kind == 2:
        value = value + "\n" + canary(30) + "é"
    elif kind == 3 and random.randrange(3) == 0:
        value = value + canary(5000)
    used.append(value)
    return value


def put_params(value):
    params = {"integration": NAME, "key": f"KEY_{random.randrange(8)}", "value": value, "multiline": True}
    if random.randrange(3) == 0:
        params.update(value=base64.b64encode(value.encode()).decode(), encoding="base64")
    return params


# Tokens: their secrets are values like others, as text and as the 32 bytes that the text stands for.

DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
raw_secrets = []


def use_token(text):
    """From now on its secret must be nowhere."""
    digits = text.split("_")[2]
    used.append(digits)
    number = 0
    for digit in digits:
        number = number << 5 | DIGITS.index(digit)
    raw_secrets.append((number >> 4).to_bytes(32, "big"))
    return text


def new_token(vault):
    params = {
        "integration": TOKENED,
        "token_name": canary(20).lower(),
        "description": "memory",
        "user": str(ETL),
        "request_id": os.urandom(16).hex(),
    }
    with vault.client() as client:
        made = client.call("token.create", params)
        equal(client.call("token.create", params)["token"], None, "the token of the same request again")
    return made["id"], use_token(made["token"])


def token_used(vault):
    number, token = new_token(vault)
    with vault.client(ETL) as client:
        client.call("session.authenticate", {"token": token})
        client.call("env.fetch", {"integration": TOKENED})
        vault.call("token.revoke", {"integration": TOKENED, "id": number})
        client.must_refuse("env.fetch", {"integration": TOKENED}, "denied")


def token_refused(vault):
    number, token = new_token(vault)
    with vault.client(STRANGER) as client:
        client.must_refuse("session.authenticate", {"token": token}, "denied")
        client.must_refuse("session.authenticate", {"token": token[:-1] + "~"}, "bad_value")
        client.must_refuse("session.authenticate", {"token": token, "note": "x"}, "bad_request")
    vault.call("token.revoke", {"integration": TOKENED, "id": number})


def scan_raw(pid, secrets):
    """Where any third of any of these byte strings is."""
    parts = {secret[at : at + 10] for secret in secrets for at in (0, 10, 20)}
    pattern = re.compile(b"|".join(re.escape(part) for part in parts), re.S)
    found = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end, line in mappings(pid):
            try:
                data = read_all(memory, start, end)
            except OSError:
                continue
            found += [(line, hex(start + match.start())) for match in pattern.finditer(data)]
    return found


# The mix: successful, refused, malformed, disconnected half-way.


def put(vault):
    with vault.client(OPERATOR) as client:
        client.call("secret.put", put_params(new_value()))


def fetch(vault):
    with vault.client(ETL) as client:
        client.call("env.fetch", {"integration": NAME})


def put_refused(vault):
    with vault.client(random.choice((AUDITOR, STRANGER, ETL))) as client:
        client.must_refuse("secret.put", {**put_params(canary_used(600)), "note": "x"}, "denied")


def canary_used(length):
    value = canary(length)
    used.append(value)
    return value


def put_invalid(vault):
    spoil = random.choice(
        (
            {"key": "LD_PRELOAD"},
            {"key": "1A"},
            {"integration": "no/such"},
            {"extra": 1},
            {"expect_version": 99999},
        )
    )
    with vault.client(OPERATOR) as client:
        reply = client.ask("secret.put", {**put_params(new_value()), **spoil})
        assert "error" in reply, reply


def put_malformed(vault):
    with vault.client(OPERATOR) as client:
        line = client.request("secret.put", put_params(new_value()))
        client.send(line[:-2] + random.choice((b",}", b"]", b'"', b"}}", b"\\")) + b"\n")
        assert b"error" in client.read_line()


def put_cut_off(vault):
    client = vault.client(OPERATOR)
    line = client.request("secret.put", put_params(new_value()))
    client.send(line[: random.randrange(len(line) // 2, len(line))])
    random.choice((client.close, client.reset))()


def put_and_gone(vault):
    client = vault.client(OPERATOR)
    client.send(client.request("secret.put", put_params(new_value())))
    random.choice((client.close, client.reset))()


def fetch_and_gone(vault):
    client = vault.client(ETL)
    client.send(client.request("env.fetch", {"integration": NAME}))
    random.choice((client.close, client.reset))()


def fetch_denied(vault):
    with vault.client(random.choice((OPERATOR, AUDITOR, STRANGER))) as client:
        client.must_refuse("env.fetch", {"integration": NAME}, "denied")


def too_long(vault):
    with vault.client(STRANGER) as client:
        client.send_until_refused(
            client.request("secret.put", {"integration": NAME, "key": "K", "value": canary_used(6000)})
        )
        client.is_closed_within(5)


def value_in_wrong_place(vault):
    with vault.client(OPERATOR) as client:
        value = canary_used(60)
        client.ask(
            *random.choice(
                (
                    ("secret.show", {"integration": NAME, "key": value[:60]}),
                    (value, {}),
                    ("whoami", {value: 1}),
                    ("integration.show", {"name": value.lower() + "!"}),
                )
            )
        )


MIX = [
    (put, 30),
    (fetch, 30),
    (put_refused, 5),
    (put_invalid, 8),
    (put_malformed, 8),
    (put_cut_off, 6),
    (put_and_gone, 4),
    (fetch_and_gone, 4),
    (fetch_denied, 3),
    (too_long, 1),
    (value_in_wrong_place, 1),
    (token_used, 4),
    (token_refused, 2),
]


@suite.setup
def prepare(vault):
    vault.add(NAME)
    vault.grant(NAME, user=ETL)
    vault.add(TOKENED)
    vault.put(TOKENED, "KEY", canary_used(40))
    vault.call("grant.add", {"integration": TOKENED, "rule": {"user": str(ETL), "token": True}})
    put(vault)


@suite.check
def the_search_finds_a_value_that_is_there(_):
    """The control: a process that holds a value, and a piece of one, is found out."""
    value = canary(40)
    program = (
        "import sys\nvalue = sys.stdin.buffer.readline()\nbase = bytearray(__import__('base64').b64encode(b'x' + value))\n"
        "print('ready', flush=True)\nsys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdin.write(value.encode() + b"\n")
        process.stdin.flush()
        equal(process.stdout.readline(), b"ready\n", "the helper's word")
        found = {piece for _, _, piece in scan(process.pid, pieces_of(value))}
        process.stdin.close()
    assert value[:PIECE].encode() in found, "the plain value was not found"
    assert any(
        base64.b64encode(b"\0" + value.encode())[4 : 4 + PIECE] == piece for piece in found
    ), "the base64 form was not found"


@suite.check
def the_search_finds_a_value_in_a_reply_that_is_not_yet_taken(vault):
    """The control in the daemon itself, which may hold a value there and nowhere else."""
    value = canary_used(60000)
    vault.add("control")
    for number in range(6):
        vault.put("control", f"KEY_{number}", value)
    vault.grant("control", user=ETL)
    with vault.client(ETL, buffer_bytes=4096) as client:
        client.send(client.request("env.fetch", {"integration": "control"}))
        assert client.socket.recv(10, socket.MSG_PEEK), "the reply has begun"
        assert scan(vault.pid, pieces_of(value)), "a value that the daemon holds was not found"
        client.read_line()
    vault.call("whoami")
    found = scan(vault.pid, pieces_of(value))
    assert not found, f"{len(found)} pieces after the reply: {found[:20]}"


@suite.check
def a_thousand_mixed_requests_leave_no_copy(vault):
    kinds = [kind for kind, weight in MIX for _ in range(weight)]
    for number in range(REQUESTS):
        kind = kinds[number] if number < len(kinds) else random.choice(kinds)  # each at least once
        kind(vault)
    # The daemon is idle and has seen everybody go.
    wait_until(lambda: vault.call("status")["counts"]["connections"] <= 1, "all connections are closed")
    vault.call("whoami")
    pieces = set().union(*map(pieces_of, used))
    found = scan(vault.pid, pieces)
    assert not found, f"{len(found)} copies or pieces, of {len(used)} values: {found[:20]}"
    raw = scan_raw(vault.pid, raw_secrets)
    assert not raw, f"{len(raw)} pieces of the bytes of {len(raw_secrets)} tokens: {raw[:20]}"
    print(f"# {len(used)} values, {len(pieces)} pieces of their forms, {len(raw_secrets)} tokens: none found")


@suite.check
def no_copy_is_left_while_a_client_stays_connected(vault):
    with vault.client(ETL) as client, vault.client(OPERATOR) as operator:
        value = canary_used(3000)
        operator.call("secret.put", {"integration": NAME, "key": "KEY_0", "value": value})
        client.call("env.fetch", {"integration": NAME})
        vault.call("whoami")
        found = scan(vault.pid, pieces_of(value))
        assert not found, f"{len(found)} copies or pieces: {found[:20]}"


@suite.check
def the_search_finds_the_bytes_of_a_token(_):
    secret = os.urandom(32)
    program = "import sys\nvalue = sys.stdin.buffer.read(32)\nprint('ready', flush=True)\nsys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdin.write(secret)
        process.stdin.flush()
        equal(process.stdout.readline(), b"ready\n", "the helper's word")
        found = scan_raw(process.pid, [secret])
        process.stdin.close()
    assert found, "the bytes were not found"


@suite.check
def no_token_is_left_while_its_connection_is_open(vault):
    _, token = new_token(vault)
    with vault.client(ETL) as client:
        client.call("session.authenticate", {"token": token})
        vault.call("whoami")
        for at in ("authenticate", "fetch"):
            found = scan(vault.pid, pieces_of(used[-1])) + scan_raw(vault.pid, raw_secrets[-1:])
            assert not found, f"{len(found)} pieces after {at}: {found[:20]}"
            client.call("env.fetch", {"integration": TOKENED})
            vault.call("whoami")


@suite.check
def neither_the_log_nor_the_files_hold_a_value(vault):
    data = vault.log_text().encode()
    for name in os.listdir(vault.at("state")):
        with open(vault.at("state", name), "rb") as file:
            data += file.read()
    data += json.dumps(vault.audit(), ensure_ascii=False).encode()
    for value in used:
        for form in forms_of(value):
            assert form not in data, "a value in the log, the store or the audit log"


if __name__ == "__main__":
    suite.run()
