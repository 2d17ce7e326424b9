"""Tests in a real host: a container with systemd (see ./host), what is installed in it, and named checks.

    suite = HostSuite()

    @suite.check
    def a_stopped_daemon_is_started_by_its_first_client(host):
        host.must("systemctl", "stop", "cofferd.service")
        host.must("coffer", "status")

    if __name__ == "__main__":
        suite.run()

The checks of a suite share a host, which starts pristine; suite.host() is another one.  A host keeps its disk over
host.reboot() and host.cut(), and ends with the program, however that ends.  Nothing here knows more of coffer than
its packages, its configuration file and its units.
"""
import glob
import os
import re
import signal
import subprocess
import sys
import time

from coffer_test import Skip, Suite, equal, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPT = os.path.join(HERE, "host")
DEBS = os.path.join(HERE, "..", "..", "build", "debs")  # made by packaging/build-debs
TESTS = "/usr/local/lib/coffer-tests"  # where host.python finds coffer_test
CONFIG = "/etc/coffer/cofferd.conf"
LOCKED_KIB = 64 * 1024  # LimitMEMLOCK= of the unit
COMMAND_SECONDS = 60


class Host:
    """One container.  Commands run in it as a unit of their own, so as any service does."""

    count = 0

    def __init__(self):
        Host.count += 1
        self.name = f"t{os.getpid()}-{Host.count}"
        self.is_up = False
        self.has_tests = False

    def script(self, verb, *words, timeout=300, **more):
        """A verb of the script for this host."""
        return subprocess.run(
            [SCRIPT, verb, self.name, *map(str, words)], timeout=timeout, check=False, **more
        )

    def must_script(self, verb, *words):
        done = self.script(verb, *words, capture_output=True, text=True, errors="replace")
        assert done.returncode == 0, f"host {verb}: {done.returncode}: {done.stderr}"

    def boot(self):
        self.must_script("up", os.getpid())
        self.is_up = True
        return self

    def reboot(self):
        self.must_script("reboot")

    def cut(self):
        """The power goes, and comes back."""
        self.must_script("cut")

    def down(self):
        if self.is_up:
            self.is_up = False
            self.must_script("down")

    # commands

    @staticmethod
    def words_of(words, user=None, unit=None, properties=(), env=None):
        """What `host run` takes; properties are those of systemd.exec(5), as "Key=value"."""
        options = [f"--uid={user}"] if user is not None else []
        options += [f"--unit={unit}"] if unit is not None else []
        options += [f"--property={text}" for text in properties]
        options += [f"--setenv={key}={value}" for key, value in (env or {}).items()]
        return [*options, "--", *words]

    def run(self, *words, stdin="", timeout=COMMAND_SECONDS, **how):
        """Exit status and output, as texts; how: user, unit, properties, env."""
        return self.script(
            "run",
            *self.words_of(words, **how),
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
        )

    def must(self, *words, **how):
        done = self.run(*words, **how)
        text = f"{done.stdout[-3000:]}{done.stderr[-3000:]}"
        assert done.returncode == 0, f"{' '.join(map(str, words))}: {done.returncode}: {text}"
        return done.stdout

    def start(self, *words, **how):
        """The same in the background, as a process of this machine with pipes; end it by closing its input."""
        return subprocess.Popen(
            [SCRIPT, "run", self.name, *map(str, self.words_of(words, **how))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )

    def python_words(self, code, *words):
        if not self.has_tests:
            self.copy(os.path.join(HERE, "coffer_test.py"), TESTS)
            self.has_tests = True
        return ["/usr/bin/python3", "-c", f"import sys; sys.path.insert(0, {TESTS!r})\n{code}", *words]

    def python(self, code, *words, **how):
        """Runs a program that can import coffer_test; its output."""
        return self.must(*self.python_words(code, *words), **how)

    def start_python(self, code, *words, **how):
        return self.start(*self.python_words(code, *words), **how)

    # files

    def write(self, path, text, mode=0o644, owner="root:root"):
        """Makes the file and the folders above it."""
        program = 'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1" && chown "$3" "$1"'
        self.must("sh", "-c", program, "sh", path, f"{mode:o}", owner, stdin=text)

    def read(self, path):
        return self.must("cat", path)

    def exists(self, path):
        return self.run("test", "-e", path).returncode == 0

    def copy(self, source, folder):
        """A file or folder of this machine into a folder there."""
        self.must("mkdir", "-p", folder)
        self.must_script("copy", source, folder)

    def pull(self, source, folder):
        self.must_script("pull", source, folder)

    # units

    def unit(self, name, text):
        """Makes or replaces a unit file; text without the indentation of a test."""
        self.write(f"/etc/systemd/system/{name}", re.sub(r"(?m)^ +", "", text))
        self.must("systemctl", "daemon-reload")

    def show(self, unit, key):
        """A property of a unit."""
        return self.must("systemctl", "show", "--value", f"--property={key}", unit).strip()

    def main_pid(self, unit="cofferd.service"):
        """As the host numbers it; 0 where the unit does not run."""
        return int(self.show(unit, "MainPID"))

    def journal(self, unit=None, *options):
        """What is in the journal since the boot, as lines of text."""
        units = ["--unit", unit] if unit else []
        return self.must("journalctl", "--boot", "--no-pager", "--output=cat", *units, *options)

    def wait_for_journal(self, text, unit=None, seconds=30):
        self.must("journalctl", "--sync")
        wait_until(lambda: text in self.journal(unit), f"the journal says: {text}", seconds)

    def is_active(self, unit):
        return self.run("systemctl", "is-active", "--quiet", unit).returncode == 0

    def wait_active(self, unit, seconds=30):
        wait_until(lambda: self.is_active(unit), f"{unit} is active", seconds)

    # what is installed

    def install(self, *names, folder=None):
        """The built packages of these names, or all; without a network, so what they depend on is there."""
        names = names or ("cofferd", "coffer", "libcoffer0", "libcoffer-dev")
        folder = folder or DEBS
        debs = []
        for name in names:
            found = glob.glob(os.path.join(folder, f"{name}_*.deb"))
            assert len(found) == 1, f"{len(found)} packages {name} in {folder}; see packaging/build-debs"
            debs += found
        for path in debs:
            self.copy(path, "/var/tmp/debs")
        paths = [f"/var/tmp/debs/{os.path.basename(path)}" for path in debs]
        done = self.must(
            "apt-get",
            "--yes",
            "--no-install-recommends",
            "install",
            *paths,
            env={"DEBIAN_FRONTEND": "noninteractive"},
        )
        self.must("rm", "-r", "/var/tmp/debs")
        self.allow_swap_where_memory_cannot_be_locked()
        return done

    def allow_swap_where_memory_cannot_be_locked(self):
        """A container gets no more locked memory than this process may have; a real host gives the unit all of it."""
        limit = self.must("sh", "-c", "ulimit -H -l", properties=[f"LimitMEMLOCK={LOCKED_KIB}K"]).strip()
        if limit == "unlimited" or int(limit) >= LOCKED_KIB:
            return
        print(f"# only {limit} KiB of memory can be locked here: this host has allow_swap = yes", flush=True)
        text = self.read(CONFIG)
        changed = re.sub(r"(?m)^#?allow_swap = .*$", "allow_swap = yes", text)
        assert changed != text or "\nallow_swap = yes" in text, f"{CONFIG} has no allow_swap"
        self.write(CONFIG, changed)


class HostSuite:
    """Named checks over one host; prepare is called with it before the first."""

    def __init__(self):
        self.checks = []
        self.prepare = None
        self.hosts = []

    def check(self, function):
        self.checks.append((function.__name__, function))
        return function

    def setup(self, function):
        self.prepare = function
        return function

    def host(self):
        """A host of its own for a check, booted."""
        self.hosts.append(Host())
        return self.hosts[-1].boot()

    def run(self):
        can = subprocess.run([SCRIPT, "check"], capture_output=True, text=True, check=False)
        if can.returncode != 0:
            print(f"1..0 # SKIP {can.stderr.strip()}")
            return
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # a test runner's timeout
        try:
            sys.exit(0 if self.run_checks() else 1)
        finally:
            for host in self.hosts:
                host.down()

    def run_checks(self):
        print(f"1..{len(self.checks) + 1}", flush=True)
        host = None

        def begin():
            nonlocal host
            host = self.host()
            if self.prepare:
                self.prepare(host)

        is_good = Suite.run_one(1, "the_host_boots", begin)
        for number, (name, function) in enumerate(self.checks, 2):
            if not is_good and number == 2:
                return False
            is_good = self.run_one(number, name, function, host) and is_good
        return is_good

    @staticmethod
    def run_one(number, name, function, host):
        is_good = Suite.run_one(number, name, lambda: function(host))
        if not is_good and host.is_up:
            print(f"the journal ends:\n{host.journal(None, '--lines=40')}", file=sys.stderr, flush=True)
        return is_good


__all__ = ["CONFIG", "Host", "HostSuite", "Skip", "equal", "time", "wait_until"]
