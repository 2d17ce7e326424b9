"""Processes for tests: each does what it is told, one order at a time, and may have children.

    worker = Process(vault, ETL)
    run = worker.fetch(NAME)["run"]
    child = worker.fork()
    worker.kill()

A process is a fork of the test that waits for orders; a child of it is another one, whoever its parent is by then.  What
a check has started ends with it: see ends_all.
"""
import contextlib
import ctypes
import functools
import json
import os
import select
import signal
import socket
import sys
import threading

import coffer_test
from coffer_test import ETL, Client, Refused, equal, wait_until

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWPID, PR_SET_CHILD_SUBREAPER = 0x20000000, 36
SYSCALLS = {
    "x86_64": {"exit": 60, "ioctl": 16, "getsockopt": 55},
    "aarch64": {"exit": 93, "ioctl": 29, "getsockopt": 209},
}

started = []  # processes and units, newest last


def ends_all(function):
    """A check that ends what it has started, however it ends."""

    @functools.wraps(function)
    def checked(*arguments):
        try:
            function(*arguments)
        finally:
            while started:
                started[-1].close()

    return checked


def must_succeed(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


# ---- inside of a process ----


def become(uid):
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def state_of(path):
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read().rsplit(")", 1)[1].split()


class Body:
    """The orders, each a method; it answers with what they return, and with descriptors in self.passed."""

    def __init__(self, channel, path):
        self.channel = channel
        self.path = path
        self.clients = {}
        self.passed = []

    def serve(self):
        for line in self.channel.makefile("rb"):
            order = json.loads(line)
            try:
                answer = {"done": getattr(self, order["do"])(*order["with"])}
            except Exception as error:
                answer = {"failed": repr(error)}
            self.answer(answer)
        os._exit(0)

    def answer(self, answer):
        socket.send_fds(self.channel, [json.dumps(answer).encode() + b"\n"], self.passed)
        for descriptor in self.passed:
            os.close(descriptor)
        self.passed = []

    def begin(self):
        """The other end learns who this is by a descriptor: a number would be of this process's own namespace."""
        self.passed = [os.pidfd_open(os.getpid())]
        self.answer({})
        self.serve()

    # connections

    def client(self, name):
        if name not in self.clients:
            self.clients[name] = Client(self.path, os.geteuid())
        return self.clients[name]

    def connect_as(self, name, uid):
        """Of root alone: the kernel remembers the effective user of this moment."""
        self.clients[name] = Client(self.path, uid)

    def send(self, name, line):
        self.client(name).send(line.encode())

    def read(self, name):
        line = self.client(name).read_line()
        return None if line is None else line.decode()

    def send_and_read(self, name, line):
        self.send(name, line)
        return self.read(name)

    def disconnect(self, name):
        self.clients.pop(name).close()

    def lend(self, name):
        """Another process gets a copy of the connection's descriptor."""
        self.passed = [os.dup(self.client(name).socket.fileno())]

    # what becomes of the process

    def become(self, uid):
        become(uid)

    def fork(self, is_orphan, has_session, keeps_connections):
        ours, theirs = socket.socketpair()
        child = os.fork()
        if child == 0:
            if has_session:
                os.setsid()
            if is_orphan and os.fork() != 0:
                os._exit(0)
            kept = self.clients if keeps_connections else {}
            run_body(theirs, self.path, kept)
        theirs.close()
        if is_orphan:
            os.waitpid(child, 0)
        self.passed = [ours.detach()]

    def reap(self):
        """Waits for whichever child ends next."""
        os.wait()

    def join_groups(self, count):
        os.setgroups(list(range(100000, 100000 + count)))

    def adopt_orphans(self):
        must_succeed(LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")

    def number_children_anew(self):
        must_succeed(LIBC.unshare(CLONE_NEWPID), "unshare")

    def execute(self, *words):
        os.execv(words[0], words)

    def execute_in_a_thread(self, *words):
        thread = threading.Thread(target=os.execv, args=(words[0], words))
        thread.start()
        thread.join()

    def begin_and_end_a_thread(self):
        thread = threading.Thread(target=len, args=("",))
        thread.start()
        thread.join()

    def go_on_without_the_main_thread(self):
        def go_on():
            wait_until(lambda: state_of(f"/proc/self/task/{os.getpid()}/stat")[0] == "Z", "it has ended")
            self.answer({"done": None})
            self.serve()

        threading.Thread(target=go_on).start()
        LIBC.syscall(SYSCALLS[os.uname().machine]["exit"], 0)  # of this thread alone

    def exit(self, status):
        os._exit(status)


def run_body(channel, path, clients):
    """In the new process: never returns."""
    try:
        coffer_test._identity_lock = threading.Lock()
        kept = {0, 1, 2, channel.fileno()} | {client.socket.fileno() for client in clients.values()}
        for name in os.listdir("/proc/self/fd"):
            if int(name) not in kept:
                with contextlib.suppress(OSError):
                    os.close(int(name))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        body = Body(channel, path)
        body.clients = clients
        body.begin()
    finally:
        os._exit(97)


# ---- from outside ----


class Process:
    """Another process, by its pidfd and the channel that its orders go through."""

    def __init__(self, vault, uid=ETL, unit=None, channel=None):
        self.is_child = channel is None  # of the test: it can be waited for
        self.status = None
        self.channel = channel or self.begin(vault)
        self.received = b""
        self.next_id = 1
        _, descriptors = self.read_answer()
        self.pidfd = descriptors[0]
        self.pid = self.read_pid()
        started.append(self)
        if unit:
            unit.take(self)
        if self.is_child and uid != 0:
            self.order("become", uid)

    @staticmethod
    def begin(vault):
        ours, theirs = socket.socketpair()
        sys.stdout.flush()
        if os.fork() == 0:
            run_body(theirs, vault.socket, {})
        theirs.close()
        return ours

    def read_pid(self):
        with open(f"/proc/self/fdinfo/{self.pidfd}", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("Pid:"))

    def read_answer(self):
        self.channel.settimeout(coffer_test.WAIT_SECONDS)
        descriptors = []
        while b"\n" not in self.received:
            data, more, _, _ = socket.recv_fds(self.channel, 1 << 20, 4)
            descriptors += more
            if not data:
                raise EOFError("the process does not listen any more")
            self.received += data
        line, self.received = self.received.split(b"\n", 1)
        return json.loads(line), descriptors

    def order(self, what, *arguments):
        return self.order_with_descriptors(what, *arguments)[0]

    def order_with_descriptors(self, what, *arguments):
        self.channel.sendall(json.dumps({"do": what, "with": arguments}).encode() + b"\n")
        answer, descriptors = self.read_answer()
        assert "done" in answer, f"{what}: {answer}"
        return answer["done"], descriptors

    # requests

    def request(self, method, params, **more):
        self.next_id += 1
        message = {"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params, **more}
        return json.dumps(message) + "\n"

    def ask_line(self, method, params, connection="main", **more):
        return self.order("send_and_read", connection, self.request(method, params, **more))

    def ask(self, method, params, connection="main"):
        reply = self.ask_line(method, params, connection)
        assert reply is not None, f"{method}: the connection was closed instead of an answer"
        return json.loads(reply)

    def call(self, method, params, connection="main"):
        reply = self.ask(method, params, connection)
        if "error" in reply:
            raise Refused(reply)
        return reply["result"]

    def must_refuse(self, method, params, word, connection="main"):
        reply = self.ask(method, params, connection)
        assert "error" in reply, f"{method} was not refused: {str(reply)[:300]}"
        equal(reply["error"]["data"]["error"], word, f"{method}'s error word")
        return reply["error"]

    def send(self, method, params, connection="main"):
        self.order("send", connection, self.request(method, params))

    def read(self, connection="main"):
        line = self.order("read", connection)
        return None if line is None else json.loads(line)

    def fetch(self, name, connection="main", **more):
        return self.call("env.fetch", {"integration": name, **more}, connection)

    def release(self, run, connection="main"):
        return self.call("holder.release", {"run": run}, connection)

    # its life

    def fork(self, is_orphan=False, has_session=False, keeps_connections=False):
        """A child; is_orphan: its parent has ended already; has_session: that parent began a session."""
        _, descriptors = self.order_with_descriptors("fork", is_orphan, has_session, keeps_connections)
        return Process(None, channel=socket.socket(fileno=descriptors[0]))

    def execute(self, *words, order="execute"):
        """Becomes another program, which takes no orders any more."""
        try:
            self.order(order, *words)
        except (EOFError, ConnectionResetError):
            wait_until(lambda: self.exe() == os.path.realpath(words[0]), f"{self.pid} is {words[0]}")
            return
        raise AssertionError(f"{words[0]} was not executed")

    def exe(self):
        return os.readlink(f"/proc/{self.pid}/exe")

    def has_ended(self):
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return bool(poll.poll(0))

    def await_end(self):
        """It has ended; whoever its parent is need not have noticed."""
        wait_until(self.has_ended, f"{self.pid} ends")

    def reap(self):
        """How it ended, as wait(2) has it."""
        if self.status is None:
            self.await_end()
            self.status = os.waitpid(self.pid, 0)[1]
        return self.status

    def kill(self, number=signal.SIGKILL):
        """Ends it, and waits for it where it is the test's own."""
        signal.pidfd_send_signal(self.pidfd, number)
        self.await_end()
        if self.is_child:
            self.reap()

    def exit(self, status=0):
        with contextlib.suppress(EOFError, ConnectionResetError):
            self.order("exit", status)
        self.await_end()
        if self.is_child:
            self.reap()

    def close(self):
        if self in started:
            started.remove(self)
        if not self.has_ended():
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
            self.await_end()
        if self.is_child:
            self.reap()
        self.channel.close()
        os.close(self.pidfd)
