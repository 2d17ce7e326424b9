"""One daemon, one model, and every request that passes between them: asked, compared, counted, written down.

The clients are real processes of several users.  Each connects as itself and hands the connection over, so that a
single program can ask on behalf of all of them: to the kernel, and so to the daemon, the peer remains that process.
"""
import base64
import collections
import contextlib
import grp
import itertools
import json
import os
import pwd
import signal
import socket
import time

from coffer_test import (
    ADMIN,
    AUDITOR,
    OPERATOR,
    SECOND_ADMIN,
    STRANGER,
    WAIT_SECONDS,
    Client,
    equal,
    wait_until,
)
from expected import During, short
from model import REVOKED, Model, Process
from model_governance import PENDING, RETIRED

MANAGER = 2301  # named in managed_by, without a role

SECOND_PERSON = ("grant.add", "grant.remove", "secret.revoke", "integration.retire")  # [approval] require

MARK = "zqX9Kw"  # begins every value, so that it is known wherever it turns up
NUMBERS = itertools.count(1)
MARKS = (MARK.encode(), base64.b64encode(MARK.encode()))


class Disagreement(AssertionError):
    """The daemon answered otherwise than the model says."""


def name_of(uid):
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


# ---- who asks ----


class Line(Client):
    """A connection that was made elsewhere."""

    def __init__(self, connected):
        self.socket = connected
        self.socket.settimeout(WAIT_SECONDS)
        self.received = b""
        self.next_id = 1
        self.token = None  # that was shown on it

    def answer(self, data):
        """The next line; None when the connection was closed instead."""
        self.socket.sendall(data)
        received = self.socket.recv(1 << 20)
        while received and not received.endswith(b"\n"):
            more = self.socket.recv(1 << 20)
            received = received + more if more else b""
        return received or None


class Role:
    """This program itself, connected as some user."""

    def __init__(self, vault, uid):
        self.vault = vault
        groups = tuple(os.getgroups()) if uid == ADMIN else ()
        self.who = Process(os.getpid(), uid, uid, groups, name_of(uid))
        self.line = self.connect()

    def connect(self):
        return Line(self.vault.client(self.who.uid).socket)


class Live:
    """A process of its own.  It makes connections, hands them over and otherwise only lives."""

    def __init__(self, path, uid, gid, groups):
        self.control, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            self.serve(path, uid, gid, groups, other)
        other.close()
        self.identity = uid, gid, groups
        self.who = Process(pid, uid, gid, groups, name_of(uid))
        self.line = self.connect()

    @staticmethod
    def serve(path, uid, gid, groups, control):
        """In the child: a connection for each "c"; the end by "e" and a status, or when the parent has gone."""
        status = 111
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.dup2(control.fileno(), 3)
            os.closerange(4, 1 << 16)
            control = socket.socket(fileno=3)
            os.setgroups(groups)
            os.setgid(gid)
            os.setuid(uid)
            while (order := control.recv(2)) == b"c":
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
                    line.connect(path)
                    socket.send_fds(control, [b"c"], [line.fileno()])
            status = order[1] if order else 0
        finally:
            os._exit(status)

    def connect(self):
        self.control.send(b"c")
        _, descriptors, _, _ = socket.recv_fds(self.control, 1, 1)
        return Line(socket.socket(fileno=descriptors[0]))

    def end(self, how, number):
        """Ends it by an exit status or a signal; it is gone when this returns."""
        if how == "exit":
            self.control.send(bytes([ord("e"), number]))
        else:
            os.kill(self.who.pid, number)
        _, status = os.waitpid(self.who.pid, 0)
        equal(os.waitstatus_to_exitcode(status), number if how == "exit" else -number, f"end of {self.who}")
        self.control.close()


class Asking:
    """A second connection of a process, for what takes one of its own."""

    def __init__(self, live):
        self.who, self.connect = live.who, live.connect
        self.line = live.connect()


class Watching(Asking):
    """A connection that watches, and what the model says it must be told."""

    watcher = None


# ---- the bench ----


class Bench:
    def __init__(self, vault, identities, model_class=Model):
        self.vault, self.identities = vault, identities
        roles = {ADMIN: {"admin"}, SECOND_ADMIN: {"admin"}, OPERATOR: {"operator"}, AUDITOR: {"auditor"}}
        users = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall()}
        groups = {entry.gr_name: entry.gr_gid for entry in grp.getgrall()}
        self.model = model_class(roles, users, groups, SECOND_PERSON)
        self.admin, self.second, self.operator, self.auditor, self.manager, self.stranger = (
            Role(vault, uid) for uid in (ADMIN, SECOND_ADMIN, OPERATOR, AUDITOR, MANAGER, STRANGER)
        )
        self.processes = [Live(vault.socket, *identity) for identity in identities]
        self.steps = self.examples = 0
        self.outcomes = collections.Counter()  # (method, word), and ("event", state)
        self.transcript = []
        self.watchings = []
        counts = vault.call("status")["counts"]  # what another bench may have left behind
        self.model.left_secrets, self.model.left_grants = counts["secrets"], counts["grants"]
        self.denial = None  # the one reply to everybody who may not fetch

    def close(self):
        for live in self.processes:
            live.line.close()
            live.end("signal", signal.SIGKILL)

    @staticmethod
    def fresh_id():
        """A request_id that no daemon has seen."""
        return f"{os.getpid():016x}{next(NUMBERS):016x}"

    def begin(self):
        """The name of a workspace that is new; the processes are those of the beginning again."""
        for slot, identity in enumerate(self.identities):
            if self.processes[slot].identity != identity:
                self.replace(slot, identity, "exit", 0)
        self.examples += 1
        self.transcript = []
        return f"w{next(NUMBERS)}"

    def step(self, caller, method, params=None):
        """Asks, compares, lets the answer take effect; the word ("ok" or an error's) and the result or error."""
        who, params = caller.who, params or {}
        who.token = caller.line.token
        asked = time.time()
        answer = self.model.expect(who, method, params, asked)
        line = caller.line.answer(self.request(caller.line, method, params))
        answered = time.time()
        self.transcript.append((who, method, params, line))
        word, body, wrong = self.judge(answer, line)
        if wrong:
            raise Disagreement(f"{method} by {who}: {wrong}")
        self.steps += 1
        self.outcomes[method, word] += 1
        if word == "ok":
            answer.settle(body, During(asked, answered))
            caller.line.token = who.token
        elif word == "approval_required":
            answer.on_refusal(body, During(asked, answered))
        elif word in ("bad_json", "bad_request", "unsupported"):
            caller.line.close()  # the third line that is no request closes it anyway
            caller.line = caller.connect()
        return word, body

    @staticmethod
    def request(line, method, params):
        """Written in more than one way: without params where there are none, escaped or not."""
        number = line.next_id
        message = {"jsonrpc": "2.0", "id": number, "method": method}
        line.next_id += 1
        if params or number % 2:
            message["params"] = params
        return json.dumps(message, ensure_ascii=bool(number % 3)).encode() + b"\n"

    def judge(self, answer, line):
        """Word, body, and what is wrong with this reply."""
        if line is None:
            return None, None, "the connection was closed instead of an answer"
        reply = json.loads(line)
        if reply.get("jsonrpc") != "2.0" or ("result" in reply) == ("error" in reply):
            return None, None, f"no reply of JSON-RPC 2.0: {short(line)}"
        word = reply["error"]["data"]["error"] if "error" in reply else "ok"
        body = reply["error"] if "error" in reply else reply["result"]
        wrong = answer.difference(word, body)
        if not wrong and (answer.method != "env.fetch" or word != "ok"):
            wrong = "holds a value" if any(mark in line for mark in MARKS) else None
        if not wrong and answer.method == "env.fetch" and word == "denied":
            self.denial = self.denial or body
            wrong = None if body == self.denial else f"is not denied as others are: {body}, {self.denial}"
        return word, body, wrong

    def ask(self, method, params):
        """A request of the administrator that is no step: for waiting and for clearing away."""
        return json.loads(self.admin.line.answer(self.request(self.admin.line, method, params)))

    def ask_done(self, method, params):
        """The same, and a second person approves it where one must."""
        reply = self.ask(method, params)
        number = reply.get("error", {}).get("data", {}).get("request")
        if number is not None:
            self.second.line.answer(self.request(self.second.line, "request.approve", {"id": number}))

    # processes

    def replace(self, slot, identity, how, number):
        """Ends a process, waits until it holds nothing any more, and puts another one in its place."""
        live = self.processes[slot]
        for watching in [one for one in self.watchings if one.who is live.who]:
            self.stop_watching(watching)
        live.end(how, number)
        self.transcript.append((live.who, f"ended by {how} {number}", {}, None))
        self.model.process_ended(live.who, how, number)
        live.line.close()
        for name in self.model.integrations:
            wait_until(
                lambda: not self.is_holder(live, name), f"{live.who} has ended and holds nothing of {name}"
            )
        self.processes[slot] = Live(self.vault.socket, *identity)
        self.transcript.append((self.processes[slot].who, "started", {}, None))

    def is_holder(self, live, name):
        held = self.ask("holder.list", {"integration": name})["result"]["holders"]
        return any(row["pid"] == live.who.pid for row in held)

    # watchers

    def watch(self, live, params):
        """env.watch, on a connection of its own."""
        watching = Watching(live)
        word, result = self.step(watching, "env.watch", params)
        if word != "ok":
            watching.line.close()
            return
        watching.watcher = self.model.integrations[result["integration"]].watchers[-1]
        self.watchings.append(watching)

    def stop_watching(self, watching):
        watching.line.close()
        self.watchings.remove(watching)
        watching.watcher.integration.watchers.remove(watching.watcher)

    def hear(self, watching):
        """What a watcher was told must be what happened; without a right it must be told the end, and closed."""
        watcher, told, is_ended, is_answered = watching.watcher, [], False, False
        with contextlib.suppress(ConnectionError):
            watching.line.send(self.request(watching.line, "hello", {}))
        while not is_answered or len(told) < len(watcher.expected) or watcher.is_lost:
            text = watching.line.read_line()
            if text is None:
                break
            message = json.loads(text)
            is_answered |= "id" in message
            is_ended |= message.get("method") == "watch.ended"
            told += self.changes(watcher, message)
        self.judge_watcher(watcher, told, is_ended, text is None)
        watcher.expected.clear()
        if is_ended:
            self.stop_watching(watching)

    def changes(self, watcher, message):
        """(key, version, state) of an event; nothing for a reply."""
        if "id" in message:
            return []
        if message["params"]["integration"] != watcher.integration.name:
            raise Disagreement(f"a watcher of {watcher.integration.name} was told {message}")
        found = [(row["key"], row["version"], row["state"]) for row in message["params"].get("changes", [])]
        for _, _, state in found:
            self.outcomes["event", state] += 1
        return found

    def judge_watcher(self, watcher, told, is_ended, is_closed):
        what = f"{watcher.process}, who watches {watcher.integration.name},"
        self.transcript.append((watcher.process, "was told", {"changes": told, "ended": is_ended}, None))
        expected = watcher.expected[: len(told)] if is_ended and watcher.may_end else watcher.expected
        if told != expected:
            raise Disagreement(f"{what} was told {told} instead of {watcher.expected}")
        if is_closed != is_ended:
            raise Disagreement(
                f"{what} was {'closed without a word' if is_closed else 'not closed at the end'}"
            )
        if is_ended and watcher.integration.may_watch(watcher) and not (watcher.is_lost or watcher.may_end):
            raise Disagreement(f"{what} was told the end, though the right is there")
        if is_ended:
            self.outcomes["event", "ended"] += 1

    # clearing away

    def clear(self, workspace):
        """Revokes, removes and takes back everything, each a step; the vault is as before afterwards."""
        for watching in list(self.watchings):
            self.hear(watching)
        for watching in list(self.watchings):
            self.stop_watching(watching)
        self.release_all()
        for one in list(self.model.approvals.values()):
            if one.state == PENDING:
                self.step(self.second, "request.reject", {"id": one.number})
        for name, integration in self.model.integrations.items():
            if integration.state != RETIRED:
                self.clear_integration(name, integration)
        self.model.forget(workspace)

    def clear_integration(self, name, integration):
        if integration.fields.get("managed_by"):  # whoever manages sees it for ever
            self.have_done(self.admin, "integration.edit", {"name": name, "managed_by": []})
        for number in list(integration.grants):
            self.have_done(self.admin, "grant.remove", {"integration": name, "id": number})
        for key, secret in list(integration.secrets.items()):
            place = {"integration": name, "key": key}
            for version in secret.versions:
                if version.state != REVOKED:
                    self.have_done(
                        self.operator,
                        "secret.revoke",
                        {**place, "version": version.number, "force": True},
                    )
            self.step(self.operator, "secret.remove", place)

    def have_done(self, caller, method, params):
        """Asks for it, and has a second person approve it where one must."""
        word, body = self.step(caller, method, params)
        if word == "approval_required":
            word, body = self.step(self.second, "request.approve", {"id": body["data"]["request"]})
        return word, body

    def release_all(self):
        """Every process gives back what it may give back; one that has lost the right holds on, and is ended."""
        for slot, live in enumerate(self.processes):
            for run in list(self.model.runs.values()):
                if run.process is live.who and not run.is_released and self.model.is_granted(live.who, run):
                    self.step(live, "holder.release", {"run": run.number})
            if any(run.process is live.who and not run.is_released for run in self.model.runs.values()):
                self.replace(slot, live.identity, "exit", 0)

    def sweep(self, workspace):
        """The same after a disagreement: by what the daemon says, not by what the model believes."""
        for watching in self.watchings:
            watching.line.close()
        self.watchings = []
        identities = [live.identity for live in self.processes]
        self.close()
        self.processes = [Live(self.vault.socket, *identity) for identity in identities]
        self.admin.line.close()
        self.admin.line = self.admin.connect()
        for row in self.ask("request.list", {"state": "pending"})["result"]["requests"]:
            self.ask("request.reject", {"id": row["id"]})
        for grant in self.ask("grant.list", {})["result"]["grants"]:
            self.ask_done("grant.remove", {"integration": grant["integration"], "id": grant["id"]})
        for row in self.ask("integration.list", {"workspace": workspace})["result"]["integrations"]:
            name = row["name"]
            self.ask_done("integration.edit", {"name": name, "managed_by": []})
            for secret in self.ask("secret.list", {"integration": name})["result"]["secrets"]:
                place = {"integration": name, "key": secret["key"]}
                for number in range(1, secret["newest"] + 1):
                    self.ask_done("secret.revoke", {**place, "version": number, "force": True})
                self.ask("secret.remove", place)
        self.model.forget(workspace)

    def story(self):
        """The transcript as text: who asked what, and what came; the last answer whole."""
        lines = []
        for number, (who, method, params, line) in enumerate(self.transcript, 1):
            answer = line.decode(errors="replace").strip() if line else ""
            lines.append(f"  {who} {method} {short(params)}\n")
            lines.append(f"      → {answer if number == len(self.transcript) else short(answer)}\n")
        return "".join(lines)
