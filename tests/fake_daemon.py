"""A daemon that answers from a script, for tests of the clients: a thread on a socket in a private directory."""

import json
import os
import shutil
import socket
import struct
import tempfile
import threading


class FakeDaemon:
    """answer(request, pid) gives the reply's members (result or error), or None to close without a word."""

    def __init__(self, answer):
        self.answer = answer
        self.requests = []
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
                reply = self.answer(request, pid)
                if reply is None:
                    return
                lines.write(json.dumps({"jsonrpc": "2.0", "id": request["id"], **reply}).encode() + b"\n")
                lines.flush()

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
    return {"result": {"integration": integration, "run": "01JRUN", "env": entries}}
