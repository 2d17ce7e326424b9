"""What the end-to-end tests share: a private vault with a daemon of its own, clients of any identity, named checks.

A test program is a list of functions whose names are sentences:

    suite = Suite()

    @suite.check
    def a_stranger_is_refused(vault):
        vault.client(STRANGER).must_refuse("env.fetch", {"integration": "a/b"}, "denied")

    if __name__ == "__main__":
        suite.run()

It gets the paths of the programs as arguments and speaks TAP.  Everything happens in a folder of its own; processes
are ended by pid; every wait is for a condition and has a deadline.
"""
import array
import base64
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

ADMIN = 0
SECOND_ADMIN = 2003  # an admin where a vault is made with roles=TWO_ADMINS
OPERATOR = 2001
AUDITOR = 2002
ETL = 2101  # is granted the integration of most tests
CRM = 2102  # is granted another one
STRANGER = 2901  # has no role and no grant
GROUP = 2200

WAIT_SECONDS = 30  # for what should take milliseconds, on a loaded machine
PROOF_SECONDS = 5  # a reply that must come at once

SANITIZER_WORDS = ("AddressSanitizer", "LeakSanitizer", "runtime error:", "UndefinedBehaviorSanitizer")
REPORT_WORDS = (*SANITIZER_WORDS, "the sandbox refused")  # what no daemon's log may say


class Skip(Exception):
    """This check cannot be made here; the text says why."""


class Refused(Exception):
    def __init__(self, reply):
        self.error = reply["error"]
        self.word = self.error["data"]["error"]
        super().__init__(f"{self.word}: {self.error['message']}")


def wait_until(condition, what, seconds=WAIT_SECONDS):
    """The first true answer of condition(); an AssertionError that says what did not happen."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)


def equal(found, expected, what="value"):
    assert found == expected, f"{what}: {found!r} instead of {expected!r}"


def canary(length=40):
    """A value that is nowhere else: random letters, so that no number or pointer looks like it."""
    return "".join(
        random.SystemRandom().choices("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ", k=length)
    )


def forms_of(value):
    """The value as it could be written anywhere: raw, JSON-escaped, base64 at each alignment, hex."""
    raw = value if isinstance(value, bytes) else value.encode()
    forms = {raw, raw.hex().encode(), raw.hex().upper().encode()}
    with contextlib.suppress(UnicodeDecodeError):
        forms.add(json.dumps(raw.decode())[1:-1].encode())
        forms.add(json.dumps(raw.decode(), ensure_ascii=False)[1:-1].encode())
    for before in range(3):
        whole = (len(raw) + before) // 3 * 3 - before
        text = base64.b64encode(b"\0" * before + raw[:whole])
        forms.add(text[4 if before else 0 :])
    return forms


# ---- programs ----


class Programs:
    """The programs under test, copied where every user may run them."""

    def __init__(self, paths, folder):
        self.folder = os.path.join(folder, "bin")
        os.mkdir(self.folder, 0o755)
        self.path = {}
        for path in paths:
            name = os.path.basename(path)
            copy = os.path.join(self.folder, name)
            shutil.copyfile(path, copy)
            os.chmod(copy, 0o755)
            self.path[name] = copy
            if ".so." in name:  # the soname, as an installation would have it
                major = ".".join(name.split(".")[:3])
                with contextlib.suppress(FileExistsError):
                    os.symlink(name, os.path.join(self.folder, major))

    def __getitem__(self, name):
        return self.path[name]


def environment(folder, **more):
    """A small environment; programs are found, and a sanitizer's report is an exit status."""
    return {
        "PATH": f"{folder}:/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8",
        "LD_LIBRARY_PATH": folder,
        "COFFER_LIBEXEC": folder,
        "ASAN_OPTIONS": "exitcode=99:quarantine_size_mb=4:malloc_context_size=8",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=99",
        **more,
    }


# ---- identity ----

_identity_lock = threading.Lock()


@contextlib.contextmanager
def identity(uid, gid=None, groups=()):
    """Connect as somebody else: the kernel takes the effective ids at connect, and the process stays this one."""
    with _identity_lock:
        if uid == os.geteuid() and gid is None and not groups:
            yield
            return
        before = os.getgroups()
        os.setgroups(list(groups))
        os.setegid(uid if gid is None else gid)
        os.seteuid(uid)
        try:
            yield
        finally:
            os.seteuid(0)
            os.setegid(0)
            os.setgroups(before)


def forget_login():
    """The users of a test are several people, though one login is behind all of them."""
    with contextlib.suppress(OSError), open("/proc/self/loginuid", "w", encoding="ascii") as file:
        file.write(str(2**32 - 1))


# ---- clients ----


class Client:
    """One connection that speaks lines.  Nothing in it is clever, so that it can be wrong on purpose."""

    def __init__(self, path, uid=ADMIN, gid=None, groups=(), buffer_bytes=None):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if buffer_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        self.socket.settimeout(WAIT_SECONDS)
        with identity(uid, gid, groups):
            self.socket.connect(path)
        self.received = b""
        self.next_id = 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Goes away at once, with whatever is unread."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def send_until_refused(self, data):
        """Sends as much as the other end takes; False once it has closed."""
        try:
            self.socket.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def read_line(self, seconds=WAIT_SECONDS):
        """The next line without its newline, or None at the end of the connection."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self.received:
            left = deadline - time.monotonic()
            assert left > 0, f"no line within {seconds} s"
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(1 << 20)
            except ConnectionResetError:
                data = b""
            except TimeoutError:
                raise AssertionError(f"no line within {seconds} s") from None
            if not data:
                return None
            self.received += data
        line, self.received = self.received.split(b"\n", 1)
        return line

    def must_be_closed(self, seconds=WAIT_SECONDS):
        """The other end closes, and says no more."""
        line = self.read_line(seconds)
        assert line is None, f"not closed, but answered {line[:200]!r}"

    def is_closed_within(self, seconds):
        """Waits for the end of the connection for so long; what is said before it is dropped."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                if not self.socket.recv(1 << 16):
                    return True
            except TimeoutError:
                return False
            except ConnectionResetError:
                return True
        return False

    def must_be_open(self):
        reply = self.ask("hello")
        assert "result" in reply, f"the connection does not answer any more: {reply}"

    def request(self, method, params=None, **more):
        message = {"jsonrpc": "2.0", "id": self.next_id, "method": method}
        self.next_id += 1
        if params is not None:
            message["params"] = params
        message.update(more)
        return json.dumps(message).encode() + b"\n"

    def ask_line(self, line, seconds=WAIT_SECONDS):
        self.send(line)
        reply = self.read_line(seconds)
        assert reply is not None, "the connection was closed instead of an answer"
        return reply

    def ask(self, method, params=None, seconds=WAIT_SECONDS, **more):
        return json.loads(self.ask_line(self.request(method, params, **more), seconds))

    def call(self, method, params=None, **more):
        reply = self.ask(method, params, **more)
        if "error" in reply:
            raise Refused(reply)
        return reply["result"]

    def must_refuse(self, method, params, word, **more):
        reply = self.ask(method, params, **more)
        assert "error" in reply, f"{method} was not refused: {str(reply)[:300]}"
        equal(reply["error"]["data"]["error"], word, f"{method}'s error word")
        return reply["error"]

    def send_with_rights(self, data, descriptors):
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        self.socket.sendmsg([data], ancillary)

    def send_with_credentials(self, data, pid=None, uid=ADMIN, gid=ADMIN):
        ucred = struct.pack("iII", os.getpid() if pid is None else pid, uid, gid)
        self.socket.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, ucred)])


# ---- a vault ----

INTEGRATION = {
    "title": "Warehouse sync",
    "description": "Copies the orders of the day.",
    "owner": "Petra Example",
    "contact": "petra@example.org",
}


TWO_ADMINS = {"admin": f"root, {SECOND_ADMIN}"}


class Vault:
    """A vault in a folder of its own, and its daemon."""

    def __init__(self, programs, folder, limits=None, roles=None, sections=None, is_made=True):
        self.programs = programs
        self.folder = tempfile.mkdtemp(prefix="vault-", dir=folder)
        os.chmod(self.folder, 0o711)
        self.config = self.at("cofferd.conf")
        self.socket = self.at("run", "coffer.sock")
        self.log = self.at("log")
        self.process = None
        self.recovery_key = None
        os.mkdir(self.at("run"), 0o755)
        for name in ("state", "anchor", "backup", "archive"):
            os.mkdir(self.at(name), 0o700)
        self.write_config(limits, roles, sections=sections)
        if is_made:
            self.make()

    def at(self, *names):
        return os.path.join(self.folder, *names)

    def write_config(self, limits=None, roles=None, vault=None, sections=None):
        """sections: other sections whole, as {"approval": {"require": "grant.add"}}."""
        sections = {
            "vault": {
                "state_dir": self.at("state"),
                "anchor": self.at("anchor"),
                "socket": self.socket,
                "backup_dir": self.at("backup"),
                "archive_dir": self.at("archive"),
                "root_key": "file:" + self.at("root.key"),
                **(vault or {}),
            },
            "roles": {"admin": "root", "operator": OPERATOR, "auditor": AUDITOR, **(roles or {})},
            "limits": limits or {},
            **(sections or {}),
        }
        with open(self.config, "w", encoding="utf-8") as file:
            for section, keys in sections.items():
                file.write(f"[{section}]\n")
                file.writelines(f"{key} = {value}\n" for key, value in keys.items())

    def environment(self, **more):
        return environment(self.programs.folder, **more)

    def make(self):
        done = self.cofferd("init")
        equal(done.returncode, 0, f"exit status of cofferd init ({done.stderr})")
        self.recovery_key = done.stdout

    def cofferd(self, *words, env=None, **more):
        """cofferd's commands for a stopped vault, or a start that is expected to fail."""
        return subprocess.run(
            [self.programs["cofferd"], *words, "--config", self.config],
            env=env or self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **more,
        )

    def start(self, **more):
        """Starts the daemon and waits for its READY=1."""
        path = self.at("notify")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, open(self.log, "ab") as log:
            notify.bind(path)
            notify.settimeout(0.05)
            self.process = subprocess.Popen(
                [self.programs["cofferd"], "--config", self.config],
                env=self.environment(NOTIFY_SOCKET=path),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **more,
            )
            self.await_ready(notify)
        return self

    def await_ready(self, notify):
        def is_ready():
            assert (
                self.process.poll() is None
            ), f"cofferd ended with {self.process.returncode}: {self.log_tail()}"
            try:
                return b"READY=1" in notify.recv(4096)
            except TimeoutError:
                return False

        wait_until(is_ready, "the daemon is ready")

    @property
    def pid(self):
        return self.process.pid

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        self.process.kill()
        return self.wait()

    def wait(self):
        try:
            return self.process.wait(WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the daemon did not end") from None

    def client(self, uid=ADMIN, gid=None, groups=(), **more):
        return Client(self.socket, uid, gid, groups, **more)

    def call(self, method, params=None, uid=ADMIN):
        with self.client(uid) as client:
            return client.call(method, params)

    def coffer(self, *words, uid=ADMIN, gid=None, groups=(), stdin=b"", timeout=60, env=None, **more):
        """The command line as this user; bytes in and out."""
        user = (
            {}
            if uid == os.geteuid()
            else {"user": uid, "group": uid if gid is None else gid, "extra_groups": list(groups)}
        )
        return subprocess.run(
            [self.programs["coffer"], *words],
            input=stdin,
            capture_output=True,
            check=False,
            timeout=timeout,
            cwd="/",
            env=env or self.environment(COFFER_SOCKET=self.socket),
            **user,
            **more,
        )

    def must_coffer(self, *words, **more):
        done = self.coffer(*words, **more)
        assert done.returncode == 0, f"coffer {' '.join(map(str, words))}: {done.returncode}: {done.stderr!r}"
        return done.stdout

    # what most tests begin with

    def add(self, name, **fields):
        return self.call("integration.add", {"name": name, **INTEGRATION, **fields})

    def put(self, name, key, value, **more):
        return self.call("secret.put", {"integration": name, "key": key, "value": value, **more}, OPERATOR)

    def grant(self, name, **rule):
        return self.call(
            "grant.add", {"integration": name, "rule": {key: str(word) for key, word in rule.items()}}
        )

    def fetch(self, name, uid=ETL, **more):
        """The environment of an integration as a dictionary."""
        result = self.call("env.fetch", {"integration": name, **more}, uid)
        return {entry["key"]: value_of(entry) for entry in result["env"]}

    # what the daemon looks like from outside

    def status_field(self, name):
        with open(f"/proc/{self.pid}/status", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith(name + ":"):
                    return int(line.split()[1])
        raise AssertionError(f"no {name}")

    def rss_kib(self):
        return self.status_field("VmRSS")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def counts(self):
        return {
            key: count
            for key, count in self.call("status")["counts"].items()
            if key in ("integrations", "secrets", "versions")
        }

    def audit(self, **filters):
        """All records that match, oldest first."""
        records, after = [], 0
        with self.client() as client:
            while True:
                page = client.call("audit.list", {"after": after, "limit": 500, **filters})["records"]
                if not page:
                    return records
                records += page
                after = page[-1]["seq"]

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def log_tail(self):
        return "".join(self.log_text().splitlines(keepends=True)[-30:]) if os.path.exists(self.log) else ""

    def is_sanitized(self):
        with open(self.programs["cofferd"], "rb") as file:
            return b"__asan_init" in file.read()

    def close(self):
        """Ends the daemon; it must do so properly and have reported nothing."""
        status = self.stop() if self.is_running() else 0
        if os.path.exists(self.log):
            text = self.log_text()
            for word in REPORT_WORDS:
                assert word not in text, f"{word} in the daemon's log: {text[-6000:]}"
        equal(status, 0, "exit status after SIGTERM")


def value_of(entry):
    return (
        base64.b64decode(entry["value"]).decode("utf-8", "surrogateescape")
        if entry.get("encoding") == "base64"
        else entry["value"]
    )


# ---- checks ----


class Suite:
    """Named checks over one vault, or each with one of its own."""

    def __init__(self, limits=None, needs_root=True, in_memory=False, **vault):
        self.checks = []
        self.limits = limits
        self.needs_root = needs_root
        self.vault_options = vault  # roles and sections of the vault that the checks share
        self.in_memory = in_memory  # the vaults lie where a sync costs nothing: for tests of answers alone
        self.prepare = None
        self.folder = self.vault_folder = None
        self.programs = None
        self.arguments = []
        self.vaults = []

    def check(self, function):
        self.checks.append((function.__name__, function))
        return function

    def add(self, name, function):
        self.checks.append((name, function))

    def setup(self, function):
        """Runs once, with the started vault, before the checks."""
        self.prepare = function
        return function

    def vault(self, **more):
        """Another vault, in a folder that goes away with the program."""
        self.vaults.append(Vault(self.programs, self.vault_folder, **more))
        return self.vaults[-1]

    def run(self):
        # The programs are those that exist; other arguments are the test's own.
        paths = [word for word in sys.argv[1:] if os.access(word, os.X_OK) and os.path.isfile(word)]
        self.arguments = [word for word in sys.argv[1:] if word not in paths]
        if self.needs_root and os.geteuid() != 0:
            print("1..0 # SKIP must act as several users: needs root")
            return
        forget_login()
        self.folder = tempfile.mkdtemp(prefix="coffer-test-", dir="/tmp")
        os.chmod(self.folder, 0o711)
        self.vault_folder = self.folder
        if self.in_memory and os.access("/dev/shm", os.W_OK):
            self.vault_folder = tempfile.mkdtemp(prefix="coffer-test-", dir="/dev/shm")
            os.chmod(self.vault_folder, 0o711)
        signal.signal(
            signal.SIGTERM, lambda *_: sys.exit(1)
        )  # a test runner's timeout: clean up all the same
        try:
            self.programs = Programs(paths, self.folder)
            sys.exit(0 if self.run_checks() else 1)
        finally:
            for vault in self.vaults:
                if vault.is_running():
                    vault.kill()
            for folder in (self.folder, self.vault_folder):
                shutil.rmtree(folder, ignore_errors=True)

    def run_checks(self):
        print(f"1..{len(self.checks) + 2}", flush=True)
        vault = None

        def begin():
            nonlocal vault
            vault = self.vault(limits=self.limits, **self.vault_options)
            vault.start()
            if self.prepare:
                self.prepare(vault)

        results = [self.run_one(1, "the_daemon_starts", begin)]
        if results[0]:
            for number, (name, function) in enumerate(self.checks, 2):
                results.append(self.run_one(number, name, lambda check=function: check(vault), vault))
        results.append(
            self.run_one(
                len(self.checks) + 2, "the_daemon_ends_without_a_report", lambda: vault.close(), vault
            )
        )
        return all(results)

    @staticmethod
    def run_one(number, name, function, vault=None):
        started = time.monotonic()
        try:
            function()
        except Skip as reason:
            print(f"ok {number} - {name} # SKIP {reason}", flush=True)
            return True
        except Exception:
            print(f"not ok {number} - {name}")
            text = traceback.format_exc()
            if vault is not None:
                text += "the daemon's log ends:\n" + vault.log_tail()
            sys.stdout.flush()
            print(f"{name}:\n{text}", file=sys.stderr, flush=True)
            return False
        print(f"ok {number} - {name}\n# took {time.monotonic() - started:.1f} s", flush=True)
        return True
