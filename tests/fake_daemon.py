"""A daemon that answers from a script, for tests of the clients: a thread on a socket in a private directory."""

import json
import os
import shutil
import socket
import struct
import tempfile
import threading


class FakeDaemon:
    """answer(request, pid) gives the reply's members (result or error), or None to close without a word.

    A connection that was given a result for env.watch gets what tell says from then on, and what stands in the reply's
    member "events", which is sent in one piece with it."""

    def __init__(self, answer):
        self.answer = answer
        self.requests = []
        self.calls = []
        self.answered = []
        self.watchers = []
        self.has_come = threading.Condition()
        self.directory = tempfile.mkdtemp(prefix="coffer-fake-", dir="/tmp")
        os.chmod(self.directory, 0o755)
        self.path = os.path.join(self.directory, "s")
        self.listener = None

    def listen(self):
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        os.chmod(self.path, 0o666)
        self.listener.listen(64)
        threading.Thread(target=self.accept_all, daemon=True).start()

    def accept_all(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        pid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        with connection, connection.makefile("rwb") as lines:
            for line in lines:
                request = json.loads(line)
                self.requests.append(request)
                self.calls.append((request, pid))
                reply = self.answer(request, pid)
                if reply is None:
                    return
                with self.has_come:
                    events = reply.pop("events", [])
                    reply = {"jsonrpc": "2.0", "id": request["id"], **reply}
                    lines.write(b"".join(json.dumps(message).encode() + b"\n" for message in [reply, *events]))
                    lines.flush()
                    if request["method"] == "env.watch" and "result" in reply:
                        self.watchers.append(connection)
                    self.answered.append(request)
                    self.has_come.notify_all()

    def of(self, method):
        """The params of all requests for this method so far, each with the pid that sent it."""
        return [(request.get("params"), pid) for request, pid in self.calls if request["method"] == method]

    def wait_for(self, method, count=1):
        """Returns what of does when so many requests for this method have been answered."""
        with self.has_come:
            if not self.has_come.wait_for(lambda: len([r for r in self.answered if r["method"] == method]) >= count, timeout=60):
                raise AssertionError("%s did not come %d times: %s" % (method, count, self.requests))
        return self.of(method)

    def tell(self, *events):
        with self.has_come:
            for watcher in self.watchers:
                watcher.sendall(b"".join(json.dumps(event).encode() + b"\n" for event in events))

    def drop_watchers(self):
        with self.has_come:
            for watcher in self.watchers:
                watcher.shutdown(socket.SHUT_RDWR)
            self.watchers = []

    def __enter__(self):
        self.listen()
        return self

    def __exit__(self, *_):
        if self.listener is not None:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
        shutil.rmtree(self.directory)


def refusal(word, message="no", **data):
    return {"error": {"code": -32010, "message": message, "data": {"error": word, **data}}}


def event(method, **params):
    return {"jsonrpc": "2.0", "method": method, "params": {"integration": "finance/sync", **params}}


def changed(state="current", **versions):
    return event("env.changed", changes=[{"key": key, "version": version, "state": state} for key, version in versions.items()])


def watched(events=(), **versions):
    entries = [{"key": key, "version": version} for key, version in versions.items()]
    return {"result": {"integration": "finance/sync", "env": entries}, "events": list(events)}


RUN_ID = "01JABCDEFGHJKMNPQRSTVWXYZ0"


def environment(values, integration="finance/sync"):
    """values: key → text, or bytes to be sent in base64."""
    import base64

    entries = []
    for version, (key, value) in enumerate(values.items(), 1):
        entry = {"key": key, "version": version, "expires_at": None}
        if isinstance(value, bytes):
            entry.update(value=base64.b64encode(value).decode(), encoding="base64")
        else:
            entry.update(value=value)
        entries.append(entry)
    return {"result": {"integration": integration, "run": RUN_ID, "env": entries}}
