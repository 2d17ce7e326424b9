#!/usr/bin/python3
"""Hostile bytes cost their sender an error or the connection, and nobody else anything (P8).

Each check is one row of the catalogue of bad input, by its number; those from 86 on are about rotation, those from 120 on about tokens.  After each the same
things must hold: the same daemon runs and answers a bystander on a connection of long standing, counts what it counted
before, and has not grown.
"""
import base64
import json
import os
import re
import signal
import socket
import ssl
import time

from coffer_test import ETL, OPERATOR, STRANGER, Suite, canary, equal, wait_until

NAME = "finance/warehouse-sync"
VALUE = canary(48)
GROWTH_KIB = 6144  # of resident memory, over all rows: the store may fill its cache of 4096 meanwhile
GROWTH_KIB_SANITIZED = 65536  # a sanitizer keeps freed memory for a while
LINE_STRANGER, LINE_KNOWN = 4096, 131072
CLOSE_SECONDS = 3  # by when a connection that is given up must be closed

# The bystander may be idle for as long as all the rows take.
suite = Suite(limits={"idle_ms": 3600000})
bystander = None
rss_at_start = 0


@suite.setup
def prepare(vault):
    global bystander, rss_at_start
    vault.add(NAME)
    vault.add("big/set")
    vault.put(NAME, "API_TOKEN", VALUE)
    for number in range(6):  # 6 × 60,000 bytes: more than a socket takes at once
        vault.put("big/set", f"KEY_{number}", "v" * 60000)
    vault.grant(NAME, user=ETL)
    vault.grant("big/set", user=ETL)
    vault.fetch("big/set")
    bystander = vault.client(ETL)
    touch_pools(vault)
    rss_at_start = vault.rss_kib()


def touch_pools(vault):
    """Memory set aside at the start becomes resident when it is first used: use all that this test can."""
    with vault.client(OPERATOR) as client:
        client.ask_line(b'{"jsonrpc":"2.0","id":1,"method":"' + b"x" * (LINE_KNOWN - 100) + b'"}\n')
    for client in never_readers(vault, 30)[0]:
        client.close()


def never_readers(vault, count):
    """Clients that ask for a reply larger than the socket takes, and do not read: those that got one, and all of them."""
    clients = [vault.client(ETL, buffer_bytes=4096) for _ in range(count)]
    for client in clients:
        client.send_until_refused(message("env.fetch", {"integration": "big/set"}) + b"\n")
    large = [client for client in clients if b'"result"' in client.socket.recv(4096, socket.MSG_PEEK)]
    assert len(large) >= 2, "no large reply"
    return clients, large


def row(number, words):
    """Registers the check of one row, with what must hold after each."""

    def register(function):
        def check(vault):
            pid, counts = vault.pid, vault.counts()
            changes = function(vault)
            assert vault.is_running() and vault.pid == pid, "the daemon is another one"
            equal(bystander.call("whoami")["uid"], ETL, "the bystander's uid")
            if not changes:
                equal(vault.counts(), counts, "counts")
            growth = vault.rss_kib() - rss_at_start
            limit = GROWTH_KIB_SANITIZED if vault.is_sanitized() else GROWTH_KIB
            assert growth < limit, f"the daemon grew by {growth} KiB"

        suite.add(f"row_{number:02}_{words.replace(' ', '_')}", check)
        return function

    return register


# ---- small vocabulary ----


def message(method="whoami", params=None, **more):
    """A request's text, to be spoilt."""
    parts = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": method,
        **({} if params is None else {"params": params}),
        **more,
    }
    return json.dumps(parts).encode()


def put(key="NEW_KEY", value="value", **more):
    return message("secret.put", {"integration": NAME, "key": key, "value": value, **more})


def word_of(line):
    assert line is not None, "closed without a reply"
    reply = json.loads(line)
    assert "error" in reply, f"not refused: {line[:300]!r}"
    assert VALUE not in line.decode(), "the reply holds a value"
    return reply["error"]["data"]["error"]


def refused(vault, line, word, uid=OPERATOR, stays=True):
    """One line on a connection of its own: the error word, and whether the connection stays.  Gives the reply."""
    with vault.client(uid) as client:
        client.send_until_refused(line + b"\n")
        reply = client.read_line()
        equal(word_of(reply), word, f"error word for {line[:120]!r}")
        if stays:
            client.must_be_open()
        else:
            client.must_be_closed(CLOSE_SECONDS)
        return json.loads(reply)


def all_refused(vault, lines, word, **more):
    for line in lines:
        refused(vault, line, word, **more)


def with_raw(text):
    """A request in which a params member's value is this raw text."""
    return b'{"jsonrpc":"2.0","id":1,"method":"audit.list","params":{"after":' + text + b"}}"


def with_string(text):
    """A request with this raw text between the quotes of a string."""
    return b'{"jsonrpc":"2.0","id":1,"method":"integration.show","params":{"name":"' + text + b'"}}'


# ---- framing ----


@row(1, "an empty line is bad_json")
def _(vault):
    refused(vault, b"", "bad_json")


@row(2, "a stranger's line over 4096 bytes is too_large before its newline")
def _(vault):
    with vault.client(STRANGER) as client:
        client.send(b"x" * (LINE_STRANGER + 1))
        equal(word_of(client.read_line()), "too_large", "error word")
        client.must_be_closed()
    with vault.client(STRANGER) as client:  # the limit itself is fine
        line = message(id="y")
        client.ask_line(line[:-1] + b" " * (LINE_STRANGER - len(line)) + b"}\n")
        client.must_be_open()


@row(3, "an operator's line over 131072 bytes is too_large before its newline")
def _(vault):
    with vault.client(OPERATOR) as client:
        client.send_until_refused(put(value="v" * 65000)[:-2] + b"x" * (LINE_KNOWN - 64000))
        equal(word_of(client.read_line()), "too_large", "error word")
        client.must_be_closed()


@row(4, "bytes without end are cut off")
def _(vault):
    for uid, limit in ((STRANGER, 1 << 20), (OPERATOR, 4 << 20)):
        with vault.client(uid) as client:
            sent = 0
            while client.send_until_refused(b"x" * 65536):
                sent += 65536
                assert sent <= limit, f"{sent} bytes were taken"


@row(5, "a carriage return before the newline is bad_json")
def _(vault):
    refused(vault, message() + b"\r", "bad_json")


@row(6, "a line without its newline is never executed")
def _(vault):
    with vault.client(OPERATOR) as client:
        client.send(put())
        client.socket.shutdown(socket.SHUT_WR)
        client.must_be_closed()
    found = [record for record in vault.audit(kind="line") if record["uid"] == OPERATOR]
    assert found, "no record of the truncated line"


@row(7, "a line that comes byte by byte is ended at 5 s")
def _(vault):
    with vault.client(OPERATOR) as client:
        client.must_be_open()
        started = time.monotonic()
        for byte in put():
            if not client.send_until_refused(bytes([byte])) or client.is_closed_within(0.5):
                break
        else:
            raise AssertionError("never closed")
        took = time.monotonic() - started
        assert 4 <= took <= 9, f"closed after {took:.1f} s"


@row(8, "a silent connection is closed at 2 s")
def _(vault):
    with vault.client(STRANGER) as client:
        started = time.monotonic()
        while client.read_line() is not None:  # a word may come first
            pass
        took = time.monotonic() - started
        assert 1.5 <= took <= 5, f"closed after {took:.1f} s"


@row(9, "three requests in one write are answered in order")
def _(vault):
    with vault.client(OPERATOR) as client:
        client.send(b"".join(message(id=number) + b"\n" for number in (7, 8, 9)))
        equal([json.loads(client.read_line())["id"] for _ in range(3)], [7, 8, 9], "order of the replies")


@row(10, "a request whose sender is gone is done wholly or not at all")
def _(vault):
    before = vault.call("secret.show", {"integration": NAME, "key": "API_TOKEN"})["versions"]
    for _ in range(20):
        client = vault.client(OPERATOR)
        client.send(put("API_TOKEN", VALUE) + b"\n")
        client.reset()
        client = vault.client(ETL)
        client.send(message("env.fetch", {"integration": "big/set"}) + b"\n")
        client.reset()
    after = vault.call("secret.show", {"integration": NAME, "key": "API_TOKEN"})["versions"]
    equal(sum(version["state"] == "current" for version in after), 1, "current versions")
    equal(sorted(version["version"] for version in after), list(range(1, len(after) + 1)), "version numbers")
    assert len(before) <= len(after) <= len(before) + 20
    equal(vault.fetch(NAME)["API_TOKEN"], VALUE, "API_TOKEN")
    return True


@row(11, "clients that never read are closed and memory stays bounded")
def _(vault):
    clients, large = never_readers(vault, 100)
    open_after = vault.call("status")["counts"]["connections"] - len(large)
    started = time.monotonic()
    wait_until(
        lambda: vault.call("status")["counts"]["connections"] <= open_after,
        "the never-readers are closed",
        15,
    )
    took = time.monotonic() - started
    assert 3 <= took <= 10, f"closed after {took:.1f} s"
    for client in clients:
        client.close()


@row(12, "descriptors sent along vanish")
def _(vault):
    with vault.client(OPERATOR) as client, open(os.devnull, "rb") as file:
        client.must_be_open()
        before = vault.descriptors()
        client.send_with_rights(message(id="fd") + b"\n", [file.fileno()] * 253)
        equal(json.loads(client.read_line())["id"], "fd", "id of the reply")
        equal(vault.descriptors(), before, "the daemon's descriptors")


@row(13, "empty writes and storms of signals are nothing")
def _(vault):
    with vault.client(OPERATOR) as client:
        for byte in message():
            client.send(b"")
            client.send(bytes([byte]))
            os.kill(vault.pid, signal.SIGCONT)
            os.kill(vault.pid, signal.SIGWINCH)
        assert b'"result"' in client.ask_line(b"\n")


@row(14, "other protocols are bad_json and closed")
def _(vault):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="example.org")
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    http = b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n"
    for greeting in (http, outgoing.read().replace(b"\n", b"\0") + b"\n"):
        with vault.client(OPERATOR) as client:
            client.send_until_refused(greeting)
            equal(word_of(client.read_line()), "bad_json", f"error word for {greeting[:20]!r}")
            while (line := client.read_line(CLOSE_SECONDS)) is not None:
                equal(word_of(line), "bad_json", "error word")


@row(15, "a raw NUL is bad_json and closed")
def _(vault):
    for line in (message() + b"\0", b"\0" + message(), message()[:-1] + b"\0}", with_string(b"a\0b")):
        refused(vault, line, "bad_json", stays=False)


# ---- grammar ----


@row(16, "text behind the object is bad_json")
def _(vault):
    all_refused(
        vault,
        (message() + b"xyz", message() + message(), message() + b"}", message() + b",", b"}" + message()),
        "bad_json",
    )


@row(17, "a byte order mark is bad_json")
def _(vault):
    refused(vault, b"\xef\xbb\xbf" + message(), "bad_json")


@row(18, "UTF-16 is bad_json and closed")
def _(vault):
    for encoding in ("utf-16-le", "utf-16-be", "utf-16"):
        refused(vault, message().decode().encode(encoding), "bad_json", stays=False)


@row(19, "anything but an object at the top is bad_json")
def _(vault):
    all_refused(
        vault, (b"[1]", b'"method"', b"null", b"7", b"true", b"[" + message() + b"]", b" ", b"\t"), "bad_json"
    )


@row(20, "trailing commas and comments and loose quotes are bad_json")
def _(vault):
    good = message()
    all_refused(
        vault,
        (
            good[:-1] + b",}",
            good[:-1] + b"/* x */}",
            good + b" // x",
            good.replace(b'"', b"'"),
            good.replace(b'"id"', b"id"),
            with_raw(b"[1,]"),
            with_raw(b"[,1]"),
            good.replace(b", ", b" ", 1),
            good.replace(b": ", b" ", 1),
        ),
        "bad_json",
    )


@row(21, "words that are no JSON numbers are bad_json")
def _(vault):
    all_refused(
        vault,
        map(
            with_raw,
            (b"NaN", b"Infinity", b"-Infinity", b"0x10", b"+1", b"nan", b"tru", b"True", b"nul", b"1_000"),
        ),
        "bad_json",
    )


@row(22, "numbers out of grammar are bad_json")
def _(vault):
    all_refused(
        vault,
        map(with_raw, (b"01", b"-01", b"2.", b".5", b"1.e3", b"-.1", b"-", b"1e", b"1e+", b"--1", b"1 2")),
        "bad_json",
    )


@row(23, "fractions and exponents where an integer is due are bad_json")
def _(vault):
    all_refused(vault, map(with_raw, (b"1.0", b"1e3", b"1E0", b"0.5", b"0.0")), "bad_json")


@row(24, "minus zero is bad_json")
def _(vault):
    refused(vault, with_raw(b"-0"), "bad_json")


@row(25, "an integer beyond 2^53-1 is bad_json")
def _(vault):
    all_refused(
        vault,
        map(
            with_raw,
            (b"9007199254740993", b"9007199254740992", b"-9007199254740992", b"18446744073709551617"),
        ),
        "bad_json",
    )


@row(26, "huge numbers are bad_json")
def _(vault):
    all_refused(
        vault, map(with_raw, (b"1e400", b"9" * 100, b"-" + b"9" * 100, b"1" + b"0" * 3000)), "bad_json"
    )


@row(27, "a number of 60000 digits is bad_json at once")
def _(vault):
    started = time.monotonic()
    refused(vault, with_raw(b"1" * 60000), "bad_json")
    assert time.monotonic() - started < 2


@row(28, "other white space than space and tab is bad_json")
def _(vault):
    good = message()
    all_refused(
        vault,
        (
            good.replace(b" ", space, 1)
            for space in (b"\f", b"\v", b"\xc2\xa0", b"\r", b"\xe2\x80\xa8", b"\x1f")
        ),
        "bad_json",
    )


@row(29, "deep nesting is too_complex")
def _(vault):
    all_refused(
        vault,
        (
            with_raw(b"[" * 4 + b"]" * 4),
            with_raw(b"[" * 50000 + b"]" * 50000),
            with_raw(b"[" * 50000),
            with_raw(b'{"a":' * 20000 + b"1" + b"}" * 20000),
        ),
        "too_complex",
    )


@row(30, "too many tokens are too_complex")
def _(vault):
    all_refused(
        vault, (with_raw(b"[" + b"0," * 256 + b"0]"), with_raw(b"[" + b"0," * 50000 + b"0]")), "too_complex"
    )


@row(31, "an object of 33 keys is too_complex")
def _(vault):
    refused(
        vault, with_raw(b"{" + b",".join(b'"k%d":1' % number for number in range(33)) + b"}"), "too_complex"
    )


@row(32, "what is not closed is bad_json")
def _(vault):
    all_refused(
        vault,
        (
            b'{"jsonrpc":"2.0',
            b'{"jsonrpc":"2.0"',
            b'{"1":1,',
            b"{",
            b'{"',
            b'{"a',
            b'{"a"',
            b'{"a":',
            b'{"a":"\\',
            b'{"a":"\\u00',
            b"{]",
            b"[}",
        ),
        "bad_json",
    )


# ---- strings ----


@row(33, "raw control characters in a string are bad_json")
def _(vault):
    all_refused(vault, (with_string(bytes([code])) for code in range(1, 32) if code != 10), "bad_json")


@row(34, "an escaped NUL in any string is bad_json")
def _(vault):
    all_refused(
        vault,
        (
            with_string(b"\\u0000"),
            with_string(b"a\\u0000b"),
            put(value="x").replace(b'"x"', b'"x\\u0000y"'),
            message().replace(b'"whoami"', b'"whoami\\u0000x"'),
        ),
        "bad_json",
    )


@row(35, "a key with an escaped NUL is bad_json")
def _(vault):
    refused(vault, message().replace(b'"method"', b'"method\\u0000x"'), "bad_json")


@row(36, "lone and swapped surrogates are bad_json")
def _(vault):
    all_refused(
        vault,
        map(
            with_string,
            (b"\\ud800", b"\\udc00\\ud800", b"\\uD83D\\u", b"\\uD83Dx", b"\\udfff", b"\\ud83d\\ud83d"),
        ),
        "bad_json",
    )


@row(37, "bytes that are not UTF-8 are bad_json")
def _(vault):
    all_refused(
        vault,
        map(
            with_string,
            (
                b"\xc0\xaf",
                b"\xed\xa0\x80",
                b"\xf4\x90\x80\x80",
                b"\xff",
                b"\xe0\xff",
                b"\x80",
                b"\xe2\x82",
                b"\xf8\x88\x80\x80\x80",
                b"\xc1\xbf",
                b"\xe0\x80\x80",
                b"\xf0\x80\x80\x80",
            ),
        ),
        "bad_json",
    )


@row(38, "invalid escapes are bad_json")
def _(vault):
    all_refused(
        vault,
        map(
            with_string,
            (b"\\x41", b"\\u00G0", b"\\uqqqq", b"\\u12", b"\\'", b"\\0", b"\\U00000041", b"\\ ", b"\\"),
        ),
        "bad_json",
    )


@row(39, "a key with an escape is bad_json")
def _(vault):
    all_refused(
        vault,
        (message().replace(b'"method"', b'"\\u006dethod"'), message().replace(b'"method"', b'"metho\\/d"')),
        "bad_json",
    )


@row(40, "names beyond ASCII are bad_name in either normal form")
def _(vault):
    for name in ("é", "é", "na\u200bme", "ﬁ"):
        refused(vault, message("integration.show", {"name": name}), "bad_name")
        refused(vault, put(key="KEY" + name), "bad_name")


# ---- objects ----


@row(41, "a duplicate key is bad_json")
def _(vault):
    good = message()
    all_refused(
        vault,
        (
            good[:-1] + b',"method":"whoami"}',
            good[:-1] + b',"method":"status"}',
            good[:-1] + b',"id":1}',
            put().replace(b'"key"', b'"key":"A","key"'),
        ),
        "bad_json",
    )


@row(42, "keys differ by case")
def _(vault):
    all_refused(
        vault,
        (message(METHOD="status"), message(Id=2), message("integration.show", {"name": NAME, "Name": NAME})),
        "bad_request",
    )


@row(43, "an unknown field is bad_request")
def _(vault):
    all_refused(
        vault, (message(extra=1), message("whoami", {"verbose": True}), put(comment="x")), "bad_request"
    )


@row(44, "a request without its members or with wrong types is bad_request")
def _(vault):
    good = {"jsonrpc": "2.0", "id": 1, "method": "whoami"}
    spoilt = [{key: value for key, value in good.items() if key != gone} for gone in good]
    spoilt += [{**good, "method": other} for other in (1, None, ["whoami"], {}, True)]
    spoilt += [{**good, "id": other} for other in (None, True, [], {}, "x" * 65)]
    spoilt += [{**good, "jsonrpc": other} for other in (2, "1.0", "2.00", None)]
    spoilt += [{**good, "params": other} for other in ([], "x", 1, None, True)]
    all_refused(vault, (json.dumps(line).encode() for line in spoilt), "bad_request")
    put_without = {"integration": NAME, "key": "NEW_KEY", "value": "v"}
    for gone in put_without:
        reply = refused(
            vault,
            message("secret.put", {key: word for key, word in put_without.items() if key != gone}),
            "bad_request",
        )
        assert gone in reply["error"]["message"], f"{gone} is not named: {reply}"
    for key, other in (
        ("integration", 1),
        ("key", ["A"]),
        ("value", 7),
        ("value", None),
        ("multiline", 1),
        ("expect_version", "1"),
    ):
        refused(vault, message("secret.put", {**put_without, key: other}), "bad_request")


@row(45, "an unknown method is denied to strangers and named to others")
def _(vault):
    refused(vault, message("no.such"), "denied", uid=STRANGER)
    refused(vault, message("no.such"), "unknown_method")
    refused(vault, message("no.such"), "unknown_method", uid=ETL)


@row(46, "secret.get does not exist and asking for it is audited")
def _(vault):
    refused(vault, message("secret.get", {"integration": NAME, "key": "API_TOKEN"}), "unknown_method", uid=0)
    assert any(record["uid"] == 0 for record in vault.audit(outcome="unknown_method")), "no record of it"


@row(47, "other protocol versions are unsupported and closed")
def _(vault):
    for versions in ([0], [2], [2, 3], []):
        refused(vault, message("hello", {"protocol": versions}), "unsupported", stays=False)
    all_refused(
        vault, (message("hello", {"protocol": version}) for version in (["1"], "1", 1, [None])), "bad_request"
    )


@row(48, "a request_id is 32 hex digits and stands for one content")
def _(vault):
    all_refused(
        vault,
        (put(request_id=wrong) for wrong in ("", "x" * 32, "a" * 31, "a" * 33, "A" * 32, 7)),
        "bad_request",
    )
    with vault.client(OPERATOR) as client:
        first = {"integration": NAME, "key": "ONCE", "value": "v", "request_id": "0123456789abcdef" * 2}
        client.call("secret.put", first)
        client.must_refuse("secret.put", {**first, "key": "TWICE"}, "conflict")
        client.must_refuse("secret.put", {**first, "note": "other"}, "conflict")
    return True


@row(49, "the same request_id gives the first result again after a crash")
def _(_):
    again = {"integration": NAME, "key": "ONCE", "value": "v", "request_id": "0123456789abcdef" * 2}
    other = suite.vault()
    other.start()
    other.add(NAME)
    first = other.call("secret.put", again, OPERATOR)
    equal(other.call("secret.put", again, OPERATOR), first, "the result again")
    other.kill()
    other.start()
    equal(other.call("secret.put", again, OPERATOR), first, "the result after the crash")
    equal(other.counts()["versions"], 1, "versions after the crash")
    other.close()


# ---- names and values ----


@row(50, "keys out of form are bad_name")
def _(vault):
    all_refused(
        vault,
        (put(key=key) for key in ("", "1A", "A-B", "A=B", "A B", "A" * 65, "A.B", "A\n", "É", "%n", "-")),
        "bad_name",
    )


@row(51, "names that the loader and the C library act upon are reserved_name")
def _(vault):
    names = """LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT LD_DEBUG LD_ANYTHING GCONV_PATH GETCONF_DIR GLIBC_TUNABLES HOSTALIASES LOCALDOMAIN
        LOCPATH MALLOC_TRACE MALLOC_ARENA_MAX NIS_PATH NLSPATH RESOLV_HOST_CONF RES_OPTIONS TMPDIR TZDIR""".split()
    all_refused(vault, (put(key=key) for key in names), "reserved_name")


@row(52, "names that shells and interpreters act upon are reserved_name")
def _(vault):
    names = """PATH IFS ENV BASH_ENV SHELLOPTS BASHOPTS PS4 CDPATH GLOBIGNORE PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONINSPECT
        PERL5LIB PERL5OPT PERL5DB PERLLIB RUBYLIB RUBYOPT JAVA_TOOL_OPTIONS FPATH ZDOTDIR TERMINFO TERMINFO_DIRS NODE_OPTIONS
        GIT_SSH_COMMAND EDITOR PAGER HOME SHELL USER LISTEN_FDS LISTEN_PID LISTEN_FDNAMES NOTIFY_SOCKET CREDENTIALS_DIRECTORY
        COFFER_SOCKET COFFER_INTEGRATION COFFER_ANYTHING""".split()
    all_refused(vault, (put(key=key) for key in names), "reserved_name")


@row(53, "a value with NUL is bad_value")
def _(vault):
    for raw in (b"\0", b"a\0b", b"ab\0"):
        refused(vault, put(value=base64.b64encode(raw).decode(), encoding="base64"), "bad_value")


@row(54, "a value with a line break is bad_value unless multiline")
def _(vault):
    all_refused(vault, (put(value=value) for value in ("a\nb", "a\r", "\n", "a\r\nb")), "bad_value")
    refused(vault, put(value=base64.b64encode(b"a\nb").decode(), encoding="base64"), "bad_value")
    vault.put(NAME, "PEM", "-----BEGIN X-----\nabc\n-----END X-----\n", multiline=True)
    return True


@row(55, "base64 that is not canonical is bad_value")
def _(vault):
    for text in (
        "YQ",
        "YQ=",
        "YR==",
        "YWI",
        "YWJ=",
        "Y Q==",
        "YQ==\t",
        "YQ==YQ==",
        "====",
        "Y",
        "YWJj\n",
        "YW-_",
        "YQ===",
        "ＹＱ==",
    ):
        refused(vault, put(value=text, encoding="base64"), "bad_value")


@row(56, "a value twice or never or in an unknown encoding is bad_request")
def _(vault):
    refused(vault, message("secret.put", {"integration": NAME, "key": "NEW_KEY"}), "bad_request")
    refused(vault, put(value_b64="YQ=="), "bad_request")
    with vault.client(OPERATOR) as client:
        assert word_of(client.ask_line(put(encoding="hex") + b"\n")) in ("bad_request", "bad_value")


@row(57, "an empty value is bad_value")
def _(vault):
    refused(vault, put(value=""), "bad_value")
    refused(vault, put(value="", encoding="base64"), "bad_value")


@row(58, "values and sets over their limits are too_large and the connection stays")
def _(vault):
    refused(vault, put(value="v" * 65536), "too_large")
    refused(vault, put(value=base64.b64encode(b"v" * 65536).decode(), encoding="base64"), "too_large")
    vault.add("limits/set")
    with vault.client(OPERATOR) as client:
        words = [
            client.ask("secret.put", {"integration": "limits/set", "key": f"K{number}", "value": "v" * 65535})
            for number in range(17)
        ]
        assert all("result" in reply for reply in words[:15]), "less than 1 MiB was refused"
        equal(words[16]["error"]["data"]["error"], "too_large", "beyond 1 MiB")
    vault.add("limits/keys")
    with vault.client(OPERATOR) as client:
        for number in range(128):
            client.call("secret.put", {"integration": "limits/keys", "key": f"K{number}", "value": "v"})
        client.must_refuse(
            "secret.put", {"integration": "limits/keys", "key": "K128", "value": "v"}, "too_large"
        )
        client.call("secret.put", {"integration": "limits/keys", "key": "K127", "value": "w"})
    return True


@row(59, "an equal value is a new version and no hint")
def _(vault):
    with vault.client(OPERATOR) as client:
        same, other = (
            client.call("secret.put", {"integration": NAME, "key": "API_TOKEN", "value": value})
            for value in (VALUE, VALUE)
        )
        third = client.call("secret.put", {"integration": NAME, "key": "API_TOKEN", "value": canary(48)})
        equal(other["version"] - same["version"], 1, "step of versions")
        equal(set(other), set(third), "fields of the results")
        equal({**other, "version": 0}, {**third, "version": 0}, "results but for the version")
        client.call("secret.put", {"integration": NAME, "key": "API_TOKEN", "value": VALUE})
    return True


@row(60, "a value that looks like a token of ours or a key is accepted in silence")
def _(vault):
    with vault.client(OPERATOR) as client:
        plain = client.call("secret.put", {"integration": NAME, "key": "LOOKS", "value": "plain"})
        for value in ("coffer_ab12_" + "x" * 52 + "_abcd", "-----BEGIN RSA PRIVATE KEY-----"):
            result = client.call("secret.put", {"integration": NAME, "key": "LOOKS", "value": value})
            equal({**result, "version": 0}, {**plain, "version": 0}, "result")
    return True


@row(61, "integration names out of form are bad_name")
def _(vault):
    for name in (
        "../x",
        ".",
        "..",
        "a" * 65,
        "a/" + "b" * 65,
        "x" * 200,
        "а",
        "A",
        "a/b/c",
        "/a",
        "a/",
        "",
        "a b",
        "a\tb",
        "-a",
        "a//b",
        "_a",
    ):
        refused(
            vault,
            message("integration.show", {"name": name}),
            "bad_name" if len(name) < 130 else word_for_long_name(vault, name),
        )


def word_for_long_name(vault, name):
    with vault.client(OPERATOR) as client:
        word = word_of(client.ask_line(message("integration.show", {"name": name}) + b"\n"))
        assert word in ("bad_name", "too_large"), word
        return word


# ---- rotation ----

RUN = "01JD0000000000000000000000"  # of nobody
DIGEST = "0123456789abcdef" * 4
ROTATED = "rotated/app"  # what these rows may change


def rotated(vault, key="KEY", **more):
    """An integration with a key that has a draining, a current and a staged version, made at the first call."""
    if not any(entry["name"] == ROTATED for entry in vault.call("integration.list")["integrations"]):
        vault.add(ROTATED)
        vault.grant(ROTATED, user=ETL)
        for _ in range(2):
            vault.put(ROTATED, "KEY", canary())
        vault.put(ROTATED, "KEY", canary(), stage=True)
    return {"integration": ROTATED, "key": key, **more}


def verdict(**more):
    return {
        "run": RUN,
        "passed": True,
        "exit_status": 0,
        "command_digest": DIGEST,
        "duration_ms": 1,
        **more,
    }


def without(fields, gone):
    return {key: value for key, value in fields.items() if key != gone}


@row(70, "a revoked version comes back by no request")
def _(vault):
    vault.call("secret.revoke", rotated(vault, version=1, force=True), OPERATOR)
    vault.call("secret.revoke", rotated(vault, version=1), OPERATOR)
    for method in ("secret.promote", "secret.rollback"):
        refused(vault, message(method, rotated(vault, version=1)), "conflict")
    refused(vault, message("secret.rollback", rotated(vault)), "not_found")  # nothing drains any more
    return True


@row(86, "runs that are no ULID are bad_request")
def _(vault):
    wrong = (
        "",
        RUN[:-1],
        RUN + "0",
        RUN.lower(),
        RUN[:-1] + "I",
        "U" + RUN[1:],
        RUN[:-1] + " ",
        1,
        None,
        [RUN],
        {},
    )
    for run in wrong:
        for uid in (ETL, OPERATOR, STRANGER):
            refused(vault, message("holder.release", {"run": run}), "bad_request", uid=uid)
        refused(vault, message("run.end", {"run": run, "exit_status": 0}), "bad_request", uid=ETL)
        refused(vault, message("secret.record_test", verdict(run=run)), "bad_request", uid=ETL)


@row(87, "digests that are not 64 hex digits are bad_request")
def _(vault):
    for digest in (
        "",
        DIGEST[:-1],
        DIGEST + "0",
        DIGEST[:32],
        DIGEST.upper(),
        DIGEST[:-1] + "g",
        7,
        None,
        [DIGEST],
    ):
        refused(vault, message("secret.record_test", verdict(command_digest=digest)), "bad_request", uid=ETL)


@row(88, "verdicts and reports that say nothing or two things are refused")
def _(vault):
    for gone in verdict():
        reply = refused(
            vault, message("secret.record_test", without(verdict(), gone)), "bad_request", uid=ETL
        )
        assert gone in reply["error"]["message"], f"{gone} is not named: {reply}"
    for wrong in (
        {"exit_status": 1},
        {"passed": False},
        {"passed": False, "exit_status": 256},
        {"passed": False, "exit_status": 1000},
        {"passed": False, "exit_status": -1},
        {"duration_ms": -1},
        {"duration_ms": 10**12},
    ):
        refused(vault, message("secret.record_test", verdict(**wrong)), "bad_value", uid=ETL)
    for wrong in (
        {"exit_status": "0"},
        {"exit_status": None},
        {"duration_ms": "1s"},
        {"note": "x"},
        {"key": "KEY"},
    ):
        refused(vault, message("secret.record_test", verdict(**wrong)), "bad_request", uid=ETL)
    for status in (256, 999, -1):
        refused(vault, message("run.end", {"run": RUN, "exit_status": status}), "bad_value", uid=ETL)
    for params in ({"run": RUN}, {"exit_status": 0}, {"run": RUN, "exit_status": True}, {}):
        refused(vault, message("run.end", params), "bad_request", uid=ETL)


@row(89, "flags that are not true or false are bad_request")
def _(vault):
    for flag in (1, 0, "true", "", None, [], {}):
        for method, params in (
            ("secret.put", {**rotated(vault), "value": "v", "stage": flag}),
            ("secret.promote", rotated(vault, untested=flag)),
            ("secret.revoke", rotated(vault, version=1, processes_only=flag)),
            ("env.fetch", {"integration": NAME, "staged": flag}),
            ("secret.record_test", verdict(passed=flag)),
        ):
            refused(vault, message(method, params), "bad_request")
        grant = {"integration": ROTATED, "rule": {"user": "0"}, "staged_only": flag}
        refused(vault, message("grant.add", grant), "bad_request", uid=0)
    return True


@row(90, "runs of others and of nobody are denied with the same bytes")
def _(vault):
    rotated(vault)
    plain = vault.call("env.fetch", {"integration": ROTATED}, ETL)["run"]
    staged = vault.call("env.fetch", {"integration": ROTATED, "staged": True}, ETL)["run"]
    for method, more in (
        ("holder.release", {}),
        ("run.end", {"exit_status": 0}),
        ("secret.record_test", without(verdict(), "run")),
    ):
        replies = {
            json.dumps(refused(vault, message(method, {"run": run, **more}), "denied", uid=uid))
            for run in (RUN, plain, staged)
            for uid in (STRANGER, OPERATOR, 0)
        }
        equal(len(replies), 1, f"kinds of answers to {method}")
    # One that was given current values is no test.
    refused(vault, message("secret.record_test", verdict(run=plain)), "denied", uid=ETL)
    return True


@row(91, "versions keys and integrations that are not there are not_found")
def _(vault):
    rotated(vault)
    for method in ("secret.promote", "secret.rollback", "secret.revoke"):
        for params in (
            rotated(vault, version=999),
            rotated(vault, version=0),
            rotated(vault, "NO_SUCH", version=1),
            {"integration": "rotated/none", "key": "KEY", "version": 1},
        ):
            refused(vault, message(method, params), "not_found")
    refused(vault, message("secret.promote", {"integration": NAME, "key": "API_TOKEN"}), "not_found")
    refused(vault, message("secret.promote", rotated(vault, version=-1)), "bad_value")
    refused(vault, message("secret.promote", rotated(vault, version=10**20 - 1)), "bad_json")
    for version in ("1", True, None, [1]):
        refused(vault, message("secret.rollback", rotated(vault, version=version)), "bad_request")
    return True


@row(92, "versions in another state than is expected are conflict")
def _(vault):
    current = vault.call("secret.list", {"integration": ROTATED})["secrets"][0]["current"]
    for method in ("secret.promote", "secret.rollback"):
        refused(vault, message(method, rotated(vault, version=current)), "conflict")
    refused(vault, message("secret.put", rotated(vault, value="v", stage=True)), "conflict")  # one is staged
    refused(vault, message("secret.put", rotated(vault, value="v", if_absent=True)), "conflict")
    for method, more in (
        ("secret.promote", {"untested": True}),
        ("secret.rollback", {}),
        ("secret.revoke", {"version": current, "force": True}),
    ):
        refused(vault, message(method, rotated(vault, expect_version=999, **more)), "conflict")


@row(93, "an untested version and one in use stay where they are")
def _(vault):
    listed = vault.call("secret.list", {"integration": ROTATED})["secrets"][0]
    refused(vault, message("secret.promote", rotated(vault)), "untested")
    refused(
        vault, message("secret.promote", rotated(vault, version=listed["staged"], untested=False)), "untested"
    )
    for more in ({}, {"processes_only": True}, {"force": False}):
        refused(vault, message("secret.revoke", rotated(vault, version=listed["current"], **more)), "in_use")
    refused(vault, message("secret.remove", rotated(vault)), "conflict")
    again = vault.call("secret.list", {"integration": ROTATED})["secrets"][0]
    equal(again, listed, "the versions")


@row(94, "who may not is denied whatever it says")
def _(vault):
    for uid in (STRANGER, ETL):
        for method, params in (
            ("secret.promote", rotated(vault, untested=True)),
            ("secret.rollback", rotated(vault)),
            ("secret.revoke", rotated(vault, version=2, force=True)),
            ("secret.promote", {}),
            ("secret.rollback", {"key": "="}),
            ("holder.list", {}),
            ("run.list", {"integration": ROTATED}),
            ("alert.list", {}),
            ("secret.list", {"touched_by": str(ETL)}),
        ):
            refused(vault, message(method, params), "denied", uid=uid)
    for uid in (STRANGER, OPERATOR, 0):
        for method in ("env.watch", "env.fetch"):
            absent, forbidden = (
                json.dumps(refused(vault, message(method, {"integration": name}), "denied", uid=uid))
                for name in ("rotated/none", ROTATED)
            )
            equal(absent, forbidden, f"what {method} answers")


@row(95, "a testers grant opens nothing but what is staged")
def _(vault):
    rotated(vault)
    vault.call("grant.add", {"integration": ROTATED, "rule": {"user": str(STRANGER)}, "staged_only": True})
    grant = vault.call("grant.list", {"integration": ROTATED})["grants"][-1]["id"]
    try:
        for method, params in (
            ("env.fetch", {"integration": ROTATED}),
            ("env.fetch", {}),
            ("env.fetch", {"integration": ROTATED, "staged": False}),
            ("env.watch", {"integration": ROTATED}),
        ):
            refused(vault, message(method, params), "denied", uid=STRANGER)
        only = {"integration": ROTATED, "staged": True, "only": ["NO_SUCH"]}
        refused(vault, message("env.fetch", only), "not_found", uid=STRANGER)
    finally:
        vault.call("grant.remove", {"integration": ROTATED, "id": grant})
    refused(vault, message("env.fetch", {"integration": ROTATED, "staged": True}), "denied", uid=STRANGER)


@row(96, "lists of nothing in particular and out of form are refused")
def _(vault):
    for method, params, word in (
        ("secret.list", {}, "bad_request"),
        ("secret.list", {"touched_by": 0}, "bad_request"),
        ("secret.list", {"touched_by": "no such user"}, "not_found"),
        ("secret.list", {"touched_by": ""}, "not_found"),
        ("secret.list", {"touched_by": "a\nb"}, "bad_value"),
        ("secret.list", {"touched_by": "u" * 256}, "too_large"),
        ("holder.list", {"key": "KEY"}, "bad_request"),
        ("holder.list", {"integration": "rotated/none"}, "not_found"),
        ("holder.list", rotated(vault, version=1), "bad_request"),
        ("holder.list", {"integration": "A"}, "bad_name"),
        ("run.list", {}, "bad_request"),
        ("run.list", {"integration": "rotated/none"}, "not_found"),
        ("run.list", {"integration": ROTATED, "days": -1}, "bad_value"),
        ("run.list", {"integration": ROTATED, "days": 100000}, "bad_value"),
        ("run.list", {"integration": ROTATED, "days": "1d"}, "bad_request"),
        ("run.list", {"integration": ROTATED, "limit": -1}, "bad_value"),
        ("alert.list", {"integration": ROTATED}, "bad_request"),
        ("env.watch", {"integration": NAME, "key": "API_TOKEN"}, "bad_request"),
        ("env.watch", {"integration": "../x"}, "bad_name"),
    ):
        refused(vault, message(method, params), word)


@row(97, "a connection watches one integration")
def _(vault):
    with vault.client(ETL) as client:
        client.must_refuse("env.watch", {}, "conflict")  # several are granted
        client.call("env.watch", {"integration": NAME})
        client.must_refuse("env.watch", {"integration": NAME}, "conflict")
        client.must_refuse("env.watch", {"integration": "big/set"}, "conflict")
        client.must_be_open()


TOKEN = "coffer_42_gdap16f49vkv5wtwgzjff0za8nxytwgx2fegqb8zn2tds93e3bd0_99cc511f"  # whole, and nobody's


def shown(token):
    return message("session.authenticate", {"token": token})


@row(120, "a token that is not whole is bad_value and one that is nobodys is denied")
def _(vault):
    for token in (
        "",
        TOKEN[:-1],  # cut off
        TOKEN[:30],
        TOKEN[:-1] + "e",  # another checksum
        TOKEN.upper(),
        TOKEN + "\n",
        " " + TOKEN,
        TOKEN.replace("_42_", "_042_"),
        TOKEN.replace("_42_", "_0_"),
        TOKEN.replace("_42_", "_-42_"),
        TOKEN.replace("_42_", "_9007199254740992_"),  # ids that JSON and 64 bits do not hold
        TOKEN.replace("_42_", "_18446744073709551658_"),
        TOKEN.replace("_42_", f"_{'9' * 300}_"),
        "coffer_" * 100,
    ):
        refused(vault, shown(token), "bad_value", uid=STRANGER)
    refused(vault, shown(TOKEN).replace(b"coffer", b"\\u0063offer"), "bad_value", uid=STRANGER)
    for token in (None, 42, True, [TOKEN], {"token": TOKEN}):
        refused(vault, shown(token), "bad_request", uid=STRANGER)
    refused(vault, message("session.authenticate", {}), "bad_request", uid=STRANGER)
    refused(vault, message("session.authenticate", {"token": TOKEN, "request_id": "0" * 32}), "bad_request")
    replies = {json.dumps(refused(vault, shown(TOKEN), "denied", uid=uid)) for uid in (STRANGER, ETL, OPERATOR, 0)}
    equal(len(replies), 1, "kinds of answers")


@row(121, "a token with a nul and one of a mebibyte never reach anybody")
def _(vault):
    refused(vault, shown(TOKEN).replace(b"_42_", b"_4\x00_"), "bad_json", uid=STRANGER, stays=False)
    refused(vault, shown(TOKEN).replace(b"_42_", b"_4\\u0000_"), "bad_json", uid=STRANGER)
    refused(vault, shown(TOKEN).replace(b"_42_", b"_4\xff_"), "bad_json", uid=STRANGER)
    refused(vault, shown("x" * (1 << 20)), "too_large", uid=STRANGER, stays=False)
    refused(vault, shown("x" * (1 << 20)), "too_large", uid=OPERATOR, stays=False)
    refused(vault, shown(TOKEN[:10] + "0" * 100000), "bad_value", uid=OPERATOR)


@row(122, "requests about tokens out of form change nothing")
def _(vault):
    good = {"integration": NAME, "token_name": "t", "description": "d", "user": str(ETL)}
    for wrong, word in (
        ({"token_name": "T"}, "bad_name"),
        ({"token_name": "a" * 65}, "bad_name"),
        ({"token_name": ""}, "bad_name"),
        ({"description": "a\u0007"}, "bad_value"),
        ({"description": "a" * 4001}, "too_large"),
        ({"user": "no such user"}, "bad_value"),
        ({"user": "65534"}, "bad_value"),
        ({"user": "4294967296"}, "bad_value"),
        ({"user": 0}, "bad_request"),
        ({"unit": "etl"}, "bad_value"),
        ({"unit": "*.service"}, "bad_value"),
        ({"unit": "a" * 256}, "too_large"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "bad_value"),
        ({"expires_at": "tomorrow"}, "bad_value"),
        ({"token": TOKEN}, "bad_request"),
        ({"integration": "finance/none"}, "not_found"),
    ):
        refused(vault, message("token.create", {**good, **wrong}), word, uid=0)
    for field in good:
        refused(vault, message("token.create", without(good, field)), "bad_request", uid=0)
    for number in (0, 999, 2**53 - 1):
        refused(vault, message("token.revoke", {"integration": NAME, "id": number}), "not_found", uid=0)
    for number in (-1, 10**20):
        refused(vault, message("token.revoke", {"integration": NAME, "id": number}), "bad_value" if number < 0 else "bad_json", uid=0)
    for uid in (STRANGER, ETL, OPERATOR):
        refused(vault, message("token.create", good), "denied", uid=uid)
        refused(vault, message("token.revoke", {"integration": NAME, "id": 1}), "denied", uid=uid)
    for token in (False, None, 1, "true", {}):
        rule = {"integration": NAME, "rule": {"user": str(ETL), "token": token}}
        refused(vault, message("grant.add", rule), "bad_request", uid=0)
    refused(vault, message("grant.add", {"integration": NAME, "rule": {"token": True}}), "bad_value", uid=0)
    equal(vault.call("token.list", {}), {"tokens": []}, "tokens")


# ---- beyond single rows ----


@suite.check
def three_malformed_lines_close_the_connection(vault):
    with vault.client(OPERATOR) as client:
        for _ in range(3):
            equal(word_of(client.ask_line(b"{]\n")), "bad_json", "error word")
        client.must_be_closed()


@suite.check
def text_of_the_caller_is_stored_and_shown_harmless(vault):
    for note in ('\n{"fake":1}', "\x1b[2J", "%s%n", "\u202e", "\x9b31m"):
        with vault.client(OPERATOR) as client:
            reply = client.ask(
                "secret.put", {"integration": NAME, "key": "NOTED", "value": "v", "note": note}
            )
            assert "result" in reply or reply["error"]["data"]["error"] in ("bad_value", "bad_request"), reply
    for words in (("secret", "show", NAME, "NOTED"), ("audit", "list")):
        output = vault.must_coffer(*words)
        assert not re.search(
            rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80\xae", output
        ), f"control characters in {output!r}"


@suite.check
def every_refusal_is_in_the_audit_log_or_counted(vault):
    refused(vault, put(expect_version=999), "conflict")
    outcomes = {record["outcome"] for record in vault.audit(uid=OPERATOR)}
    for word in (
        "bad_json",
        "bad_request",
        "bad_name",
        "reserved_name",
        "bad_value",
        "too_large",
        "too_complex",
        "unknown_method",
        "conflict",
        "unsupported",
    ):
        assert word in outcomes, f"no record of {word}: {outcomes}"


@suite.check
def an_error_never_echoes_what_it_was_sent(vault):
    marker = canary(24)
    with vault.client(OPERATOR) as client:
        for line in (
            message(marker),
            message("whoami", {marker: 1}),
            put(key=marker.lower() + "-"),
            with_string(marker.encode() + b"!"),
            b"{" + marker.encode(),
        ):
            assert marker.encode() not in client.ask_line(line + b"\n"), f"echoed: {line!r}"
            client.close()
            client.__init__(vault.socket, OPERATOR)


@suite.check
def the_audit_chain_holds_after_all_of_this(vault):
    vault.must_coffer("audit", "verify")


def step(method, params, **more):
    return message("apply.step", {"method": method, "params": json.dumps(params), **more})


@row(150, "steps without a queue and queues without steps are conflict")
def _(vault):
    refused(vault, step("integration.edit", {"name": NAME, "owner": "x"}), "conflict", uid=0)
    refused(vault, message("apply.run", {}), "conflict", uid=0)
    with vault.client(0) as client:
        client.call("apply.begin")
        for line in (message("apply.run", {"dry_run": True}), step("integration.edit", {"name": NAME, "owner": "x"})):
            equal(word_of(client.ask_line(line + b"\n")), "conflict", "an empty run, and a step behind it")


@row(151, "what is no step is refused before the run")
def _(vault):
    edit = {"name": NAME, "owner": "x"}
    with vault.client(0) as client:
        client.call("apply.begin")
        for word, line in (
            ("unsupported", step("secret.revoke", {"integration": NAME, "key": "API_TOKEN", "version": 1})),
            ("unsupported", step("secret.put", {"integration": NAME, "key": "K", "value": VALUE})),
            ("unsupported", step("integration.list", {})),
            ("unsupported", step("apply.run", {})),
            ("unsupported", step("apply.step", {"method": "apply.run", "params": "{}"})),
            ("unsupported", step("integration.edit", {**edit, "request_id": "0" * 32})),
            ("bad_value", step("Integration.edit", edit)),
            ("bad_request", step("integration.edit", {**edit, "value": VALUE})),
            ("bad_request", step("integration.edit", {"name": NAME, "owner": 1})),
            ("bad_value", step("integration.edit", {"name": NAME, "owner": ""})),
            ("bad_value", step("integration.edit", edit, expect_changed_at="now")),
            ("bad_request", message("apply.step", {"method": "integration.edit", "params": edit})),
            ("bad_request", message("apply.step", {"method": "integration.edit"})),
            ("bad_request", message("apply.step", {"method": "integration.edit", "params": ""})),
            ("bad_request", message("apply.step", {"method": "integration.edit", "params": '{"name":"a"}}{'})),
            (
                "bad_request",
                message("apply.step", {"method": "integration.edit", "params": '{},"method":"secret.revoke"'}),
            ),
            ("too_large", message("apply.step", {"method": "integration.edit", "params": "x" * 65536})),
            ("bad_request", message("apply.begin", {"steps": 9})),
        ):
            equal(word_of(client.ask_line(line + b"\n")), word, f"error word for {line[:200]!r}")
        equal(word_of(client.ask_line(message("apply.run", {}) + b"\n")), "conflict", "the queue is still empty")


@row(152, "queues have limits and are few")
def _(vault):
    clients = [vault.client(0) for _ in range(9)]
    try:
        for client in clients[:8]:
            client.call("apply.begin")
        reply = json.loads(clients[8].ask_line(message("apply.begin", {}) + b"\n"))
        equal(reply["error"]["data"]["error"], "busy", "a ninth queue")
        assert reply["error"]["data"]["retry_after_ms"] > 0, reply
        large = step("integration.edit", {"name": NAME, "description": "d" * 4000, "purpose": "p" * 4000})
        taken = 0
        while b'"result"' in (line := clients[0].ask_line(large + b"\n")):
            taken += 1
        equal(word_of(line), "too_large", "more bytes than a queue holds")
        assert 100 < taken < 132, f"{taken} steps of 8 KB in 1 MiB"
    finally:
        for client in clients:
            client.close()
    with vault.client(0) as client:
        client.call("apply.begin")  # those of closed connections are gone


@row(153, "a run with one bad step does nothing and names it")
def _(vault):
    before = vault.call("integration.show", {"name": NAME})["integration"]["changed_at"]
    with vault.client(0) as client:
        client.call("apply.begin")
        for line in (
            step("integration.edit", {"name": NAME, "owner": "somebody"}),
            step("grant.remove", {"integration": NAME, "id": 4711}),
        ):
            client.ask_line(line + b"\n")
        reply = json.loads(client.ask_line(message("apply.run", {}) + b"\n"))
    equal(reply["error"]["data"]["error"], "not_found", "error word")
    named = {"number": 2, "method": "grant.remove", "integration": NAME}
    equal(reply["error"]["data"]["step"], named, "the step that is named")
    after = vault.call("integration.show", {"name": NAME})["integration"]["changed_at"]
    equal(after, before, "when it was changed")


def waits(vault):
    """The number of a request for a second person."""
    edit = {"name": NAME, "environment": "sandbox"}
    return refused(vault, message("integration.edit", edit), "approval_required", uid=0)["error"]["data"]["request"]


@row(160, "requests for a second person that are out of form or not there are refused")
def _(vault):
    number = waits(vault)
    for method in ("request.approve", "request.reject"):
        for params in ({}, {"id": "1"}, {"id": number, "integration": NAME}):
            refused(vault, message(method, params), "bad_request", uid=0)
        for params in ({"id": -1}, {"id": number, "note": "a\nb"}):
            refused(vault, message(method, params), "bad_value", uid=0)
        for absent in (0, 2**53 - 1):
            refused(vault, message(method, {"id": absent}), "not_found", uid=0)
    for params in ({"state": "open"}, {"state": "Pending"}, {"limit": -1}):
        refused(vault, message("request.list", params), "bad_value", uid=0)
    refused(vault, message("request.list", {"id": 1}), "bad_request", uid=0)
    for flag, word in ((1, "bad_request"), (True, "bad_value")):
        grant = {"integration": NAME, "rule": {"user": "1"}, "destroy_values": flag}
        refused(vault, message("grant.add", grant), word, uid=0)
    refused(vault, message("integration.edit", {"name": NAME, "lock_grants": True}), "bad_request", uid=0)


@row(161, "nobody approves their own, and others see no difference to what is not there")
def _(vault):
    number = waits(vault)
    equal(waits(vault), number, "the number of the same request")
    refused(vault, message("request.approve", {"id": number}), "denied", uid=0)
    for uid in (OPERATOR, ETL, STRANGER):
        for method in ("request.approve", "request.reject"):
            refused(vault, message(method, {"id": number}), "denied", uid=uid)
            refused(vault, message(method, {"id": 999999}), "denied", uid=uid)
    vault.call("request.reject", {"id": number})
    refused(vault, message("request.approve", {"id": number}), "conflict", uid=0)


if __name__ == "__main__":
    suite.run()
