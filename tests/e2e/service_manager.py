"""A service manager as far as credentials need one: it keeps connections for the daemon, and starts units that read from them."""
import array
import json
import os
import select
import signal
import socket
import struct
import time

from activated import Activated
from coffer_test import WAIT_SECONDS, equal, wait_until
from processes import started
from surroundings import Unit

MOST_BYTES = 1024 * 1024  # for all credentials of a unit
REFUSED = "refused"


class Manager:
    """PID 1 of a host with one service.  It does nothing while nobody calls it, so a test sees each step."""

    def __init__(self, vault, mode=0o600):
        self.vault = vault
        self.notify_path = vault.at("manager")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(self.notify_path)
        self.notify.settimeout(0)
        self.path = vault.at("run", "credentials.sock")
        self.credentials = self.listener(self.path, mode)
        self.api = self.listener(vault.socket, 0o666)
        self.kept = {}  # id → socket
        self.stored = self.removed = self.barriers = 0
        self.passes_barriers = True
        self.held = []  # barriers that were not passed
        self.is_ready = False
        started.append(self)

    @staticmethod
    def listener(path, mode):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        os.chmod(path, mode)
        listener.listen(4096)
        return listener

    def close(self):
        started.remove(self)
        if self.vault.is_running():
            self.vault.kill()
        for each in (self.notify, self.credentials, self.api, *self.kept.values()):
            each.close()
        for descriptor in self.held:
            os.close(descriptor)
        for path in (self.notify_path, self.path, self.vault.socket):
            os.unlink(path)

    # the service

    def launch(self, has_notify=True, names=("coffer", "credentials"), **env):
        """Starts the daemon, with what was kept for it; in another order each time."""
        self.is_ready = False
        handed = [*zip((self.api, self.credentials), names), *((each, id) for id, each in self.kept.items())]
        handed = handed[self.stored % 2 :] + handed[: self.stored % 2]
        self.vault.process = Activated(
            self.vault,
            [each for each, _ in handed],
            ":".join(name for _, name in handed),
            self.notify_path if has_notify else None,
            **env,
        )

    def start(self, **more):
        self.launch(**more)
        self.until(lambda: self.is_ready or not self.vault.is_running(), "the daemon is ready")
        assert self.is_ready, f"cofferd ended with {self.vault.process.returncode}: {self.vault.log_tail()}"

    def kill(self):
        """kill -9; what it had sent is read all the same."""
        self.vault.kill()
        self.work()

    def stop(self):
        self.vault.process.send_signal(signal.SIGTERM)
        self.until(lambda: not self.vault.is_running(), "the daemon has ended")
        self.work()
        return self.vault.process.returncode

    # its messages

    def until(self, condition, what, seconds=WAIT_SECONDS):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
            select.select([self.notify], [], [], 0.005)
            self.work()

    def work(self):
        while True:
            try:
                text, control, _, _ = self.notify.recvmsg(4096, socket.CMSG_SPACE(16))
            except BlockingIOError:
                break
            descriptors = array.array("i")
            for level, kind, data in control:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
            self.hear(text.decode(), list(descriptors))
        self.drop_ended()

    def hear(self, text, descriptors):
        fields = dict(line.split("=", 1) for line in text.splitlines())
        if "FDSTORE" in fields:
            (descriptor,) = descriptors
            assert fields["FDNAME"] not in self.kept, "an id was used twice"
            self.kept[fields["FDNAME"]] = socket.socket(fileno=descriptor)
            self.stored += 1
        elif "BARRIER" in fields:
            equal(text, "BARRIER=1", "a barrier stands alone")
            (descriptor,) = descriptors
            self.barriers += 1
            if self.passes_barriers:
                os.close(descriptor)
            else:
                self.held.append(descriptor)
        elif "FDSTOREREMOVE" in fields:
            self.forget(fields["FDNAME"])
        elif "READY" in fields:
            self.is_ready = True

    def forget(self, name):
        if name in self.kept:
            self.kept.pop(name).close()
            self.removed += 1

    def drop_ended(self):
        """As PID 1 does, when both sides are shut down or the reader is gone."""
        poller = select.poll()
        names = {each.fileno(): name for name, each in self.kept.items()}
        for descriptor in names:
            poller.register(descriptor, 0)
        for descriptor, _ in poller.poll(0):
            self.forget(names[descriptor])

    def pass_barriers(self):
        self.passes_barriers = True
        while self.held:
            os.close(self.held.pop())

    def answer_of(self, reader, seconds=WAIT_SECONDS):
        """What the unit would have started with, or REFUSED."""
        self.until(reader.has_answered, f"an answer to {reader.what}", seconds)
        return reader.answer()


class Reader:
    """The process of the service manager that reads one credential, in the unit's control group."""

    made = 0

    def __init__(self, path, unit, credential, what=None, uid=0, is_gated=False):
        Reader.made += 1
        self.what = what or f"{unit.name}/{credential}"
        self.result, report = os.pipe()
        gate, self.gate = os.pipe()
        self.text = None
        self.pid = os.fork()
        if self.pid == 0:
            try:
                if unit is not None:
                    unit.take_pid(os.getpid())
                if uid:
                    os.setgroups([])
                    os.setresgid(uid, uid, uid)
                    os.setresuid(uid, uid, uid)
                name = f"\0{os.getpid():x}{Reader.made:x}/unit/{self.what}"
                os.write(report, json.dumps(self.read(path, name, gate if is_gated else None)).encode())
            finally:
                os._exit(0)
        os.close(report)
        os.close(gate)
        os.set_blocking(self.result, False)
        started.append(self)

    @staticmethod
    def read(path, name, gate):
        """As read_full_file of systemd does it: to the end, or until it is too much."""
        with socket.socket(socket.AF_UNIX) as client:
            client.bind(name)
            client.connect(path)
            client.shutdown(socket.SHUT_WR)
            if gate is not None:
                os.read(gate, 1)
            data = b""
            while len(data) <= MOST_BYTES:
                more = client.recv(65536)
                if not more:
                    return data.hex()
                data += more
        return REFUSED

    def go_on(self):
        os.write(self.gate, b"x")

    def has_answered(self):
        try:
            data = os.read(self.result, 1 << 24)
        except BlockingIOError:
            return self.text is not None and self.text[1]
        before = self.text[0] if self.text else b""
        self.text = (before + data, not data)
        return not data

    def answer(self):
        assert self.text and self.text[1] and self.text[0], f"{self.what}: the reader failed"
        text = json.loads(self.text[0])
        return text if text == REFUSED else bytes.fromhex(text)

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)

    def close(self):
        started.remove(self)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.result)
        os.close(self.gate)


__all__ = ["Manager", "Reader", "REFUSED", "Unit", "struct", "wait_until"]
