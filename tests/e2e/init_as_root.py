#!/usr/bin/python3
"""cofferd init, check and recover for root_key = credential: root makes the host's vault, for the service's user, with the
real systemd-creds.  Each check has its own /etc, /var/lib and /srv, which nobody else sees."""
import contextlib
import ctypes
import hashlib
import os
import shutil
import signal
import stat
import subprocess
import time

from coffer_test import STRANGER, Skip, Suite, environment, equal

CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 0x20000, 0x1000, 0x4000, 1 << 18, 2
COFFER = 2950
CREDS, BLOB, STORE = "/usr/bin/systemd-creds", "/etc/coffer/rootkey.cred", "/var/lib/coffer/coffer.db"
DIRECTORIES = [f"/var/lib/coffer{end}" for end in ("", "-anchor", "-backup", "-archive")]
CONFIG = 78

suite = Suite()
libc = ctypes.CDLL(None, use_errno=True)


def mount(source, target, kind=b"tmpfs", flags=0):
    if libc.mount(source.encode(), target.encode(), kind, flags, b"mode=0755" if kind == b"tmpfs" else None):
        raise Skip(f"cannot mount {target}: {os.strerror(ctypes.get_errno())}")


class Host:
    """What cofferd sees of this machine: its programs, and nothing of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.mounts = []

    def mount(self, source, target, **how):
        mount(source, target, **how)
        self.mounts.append(target)

    def make_etc(self):
        etc = os.path.join(self.folder, "etc")
        os.makedirs(etc, exist_ok=True)
        self.mount("etc", etc)
        os.makedirs(os.path.join(etc, "coffer"))
        for name in ("passwd", "group", "nsswitch.conf", "ld.so.cache"):
            if os.path.exists(f"/etc/{name}"):
                shutil.copy(f"/etc/{name}", etc)
        for name, line in (
            ("passwd", f"coffer:x:{COFFER}:{COFFER}::/:/bin/false\n"),
            ("group", f"coffer:x:{COFFER}:\n"),
        ):
            with open(os.path.join(etc, name), "r+", encoding="utf-8") as file:
                lines = [old for old in file if not old.startswith("coffer:")]
                file.seek(0)
                file.truncate()
                file.writelines([*lines, line])
        for name, text in (("machine-id", "0123456789abcdef0123456789abcdef\n"), ("coffer/cofferd.conf", "")):
            with open(os.path.join(etc, name), "w", encoding="utf-8") as file:
                file.write(text)
        self.mount(etc, "/etc", kind=None, flags=MS_BIND)

    def __enter__(self):
        if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None):
            raise Skip("no mount namespace here")
        if not os.path.exists(CREDS):
            raise Skip("no systemd-creds here")
        self.make_etc()
        for path in ("/var/lib", "/srv", "/run/systemd"):
            if os.path.isdir(path):
                self.mount("none", path)
        os.mkdir("/var/lib/systemd")
        return self

    def __exit__(self, *_):
        for path in reversed(self.mounts):
            libc.umount2(path.encode(), MNT_DETACH)

    @staticmethod
    def cofferd(*words, stdin="", user=None, stdout=subprocess.PIPE):
        more = {} if user is None else {"user": user, "group": user, "extra_groups": []}
        return subprocess.run(
            [suite.programs["cofferd"], *words],
            input=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=environment(suite.programs.folder),
            cwd="/",
            text=True,
            timeout=120,
            check=False,
            **more,
        )

    def must(self, *words, **how):
        done = self.cofferd(*words, **how)
        equal(done.returncode, 0, f"exit status of cofferd {words} ({done.stderr})")
        return done.stdout

    def init(self):
        """Makes the vault; its recovery key."""
        words = self.must("init").split()
        (key,) = [word for word in words if word.startswith("coffer-recovery-1-")]
        return key

    def refused(self, *words, status=CONFIG, named=(), **how):
        """Nothing is made or changed."""
        before = picture()
        done = self.cofferd(*words, **how)
        equal(done.returncode, status, f"exit status of cofferd {words} ({done.stderr})")
        for word in named:
            assert word in done.stderr, f"{word!r} is not named: {done.stderr}"
        equal(picture(), before, "the files")
        return done


def check(function):
    def run(_):
        with Host(suite.folder) as host:
            function(host)

    suite.add(function.__name__, run)
    return function


def picture():
    """All of /etc/coffer, /var/lib and /srv but for the key that systemd-creds makes for itself."""
    seen = {}
    for top in ("/etc/coffer", "/var/lib", "/srv"):
        for folder, folders, names in os.walk(top):
            for name in folders + names:
                path = os.path.join(folder, name)
                if path.startswith("/var/lib/systemd"):
                    continue
                info = os.lstat(path)
                content = None
                if stat.S_ISREG(info.st_mode):
                    with open(path, "rb") as file:
                        content = hashlib.sha256(file.read()).hexdigest()
                seen[path] = (oct(info.st_mode), info.st_uid, info.st_gid, content)
    return seen


def owner_and_mode(path):
    info = os.lstat(path)
    return info.st_uid, info.st_gid, oct(stat.S_IMODE(info.st_mode))


def unsealed():
    done = subprocess.run([CREDS, "decrypt", "--name=rootkey", BLOB, "-"], capture_output=True, check=True)
    return done.stdout


def configure(text):
    with open("/etc/coffer/cofferd.conf", "w", encoding="utf-8") as file:
        file.write(text)


# ---- what cannot be done ----


@check
def without_root_nothing_is_made(host):
    for command in ("init", "check", "recover"):
        host.refused(command, user=STRANGER, named=("only root can", "file:/path"))


@check
def without_the_user_of_the_service_nothing_is_made(host):
    with open("/etc/passwd", "r+", encoding="utf-8") as file:
        lines = [line for line in file if not line.startswith("coffer:")]
        file.seek(0)
        file.truncate()
        file.writelines(lines)
    host.refused("init", named=("there is no user coffer", "systemd-sysusers", "useradd"))


@check
def without_systemd_creds_nothing_is_made(host):
    host.mount("/dev/null", CREDS, kind=None, flags=MS_BIND)
    host.refused("init", named=(CREDS + " is not there", "file:/path"))


@check
def a_root_key_that_cannot_be_sealed_leaves_nothing(host):
    host.mount("/bin/false", CREDS, kind=None, flags=MS_BIND)
    host.refused("init", named=(BLOB, "cannot seal"))


@check
def a_sealed_key_that_does_not_open_again_leaves_nothing(host):
    """It would at the next boot neither.  Nor does it help to answer without end."""
    fake = "/srv/creds"
    host.mount("/dev/null", CREDS, kind=None, flags=MS_BIND)
    for opening in ("echo nonsense", "exit 1", "exec yes", "kill -9 $$"):
        with open(fake, "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\n[ "$1" = encrypt ] && exec cat\n{opening}\n')
        os.chmod(fake, 0o755)
        host.mount(fake, CREDS, kind=None, flags=MS_BIND)
        host.refused("init", named=("unseal it again",))


@check
def what_cannot_be_told_is_taken_back(host):
    with open("/dev/full", "w", encoding="utf-8") as full:
        host.refused("init", status=74, stdout=full)
    host.init()


def interrupt_while_sealing(host, name):
    """systemd-creds that, each time it is run, sends the signal to cofferd and does what it was told."""
    shutil.copy(CREDS, "/srv/real-creds")
    with open("/srv/creds", "w", encoding="utf-8") as file:
        file.write(f'#!/bin/sh\nkill -{name} "$PPID"\nexec /srv/real-creds "$@"\n')
    os.chmod("/srv/creds", 0o755)
    host.mount("/srv/creds", CREDS, kind=None, flags=MS_BIND)


@check
def an_interrupt_takes_back_all_that_was_made(host):
    """Else there is a vault whose recovery key nobody has seen."""
    for name in ("INT", "TERM", "HUP", "QUIT"):
        interrupt_while_sealing(host, name)
        done = host.refused(
            "init", status=-getattr(signal, f"SIG{name}"), named=("interrupted", "taken back")
        )
        assert "coffer-recovery" not in done.stdout, f"{name}: a recovery key of nothing is printed"
        libc.umount2(CREDS.encode(), MNT_DETACH)
    host.init()


@check
def a_signal_that_is_ignored_interrupts_nothing(host):
    interrupt_while_sealing(host, "HUP")
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        host.init()
    finally:
        signal.signal(signal.SIGHUP, before)


@check
def what_seals_the_key_can_be_interrupted(host):
    """It waits for a TPM, perhaps: signals that wait here are not kept from it."""
    host.mount("/dev/null", CREDS, kind=None, flags=MS_BIND)
    with open("/srv/creds", "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\nkill -INT $$\nexec sleep 60\n")
    os.chmod("/srv/creds", 0o755)
    host.mount("/srv/creds", CREDS, kind=None, flags=MS_BIND)
    begun = time.monotonic()
    host.refused("init", named=("cannot seal",))
    assert time.monotonic() - begun < 30, "it went on"


# ---- what a hostile user of the service has put in the way ----


@check
def nothing_is_made_where_others_than_root_may_write(host):
    os.mkdir("/srv/theirs")
    os.chown("/srv/theirs", COFFER, COFFER)
    configure("[vault]\nstate_dir = /srv/theirs/state\n")
    host.refused("init", named=("/srv/theirs/state", "others than root may write"))
    os.mkdir("/srv/ours")
    os.symlink("/srv/theirs", "/srv/ours/link")
    configure("[vault]\nbackup_dir = /srv/ours/link/backup\n")
    host.refused("init", named=("/srv/ours/link/backup", "others than root may write"))
    os.chmod("/srv/ours", 0o777)
    configure("[vault]\narchive_dir = /srv/ours/archive\n")
    host.refused("init", named=("/srv/ours/archive", "others than root may write"))


@check
def a_link_in_place_of_a_directory_is_refused(host):
    os.mkdir("/srv/target")
    os.symlink("/srv/target", "/var/lib/coffer")
    host.refused("init", named=("/var/lib/coffer", "not as a directory of the user coffer"))
    os.unlink("/var/lib/coffer")
    os.mkdir("/var/lib/coffer", 0o700)
    host.refused("init", named=("/var/lib/coffer", "not as a directory of the user coffer"))


@check
def a_link_inside_the_directory_leads_nowhere(host):
    """Root would follow it; the user whom it belongs to gets no further than its own rights."""
    os.mkdir("/var/lib/coffer", 0o700)
    os.chown("/var/lib/coffer", COFFER, COFFER)
    for name in ("coffer.db-wal", "coffer.db-journal"):
        os.symlink("/etc/made-by-root", f"/var/lib/coffer/{name}")
        host.refused("init", named=("/var/lib/coffer", "a part of one"))
        os.unlink(f"/var/lib/coffer/{name}")
    assert not os.path.lexists("/etc/made-by-root"), "root wrote elsewhere"


@check
def a_directory_of_the_key_that_others_may_write_to_is_refused(host):
    os.chown("/etc/coffer", COFFER, COFFER)
    host.refused("init", named=(BLOB, "others than root may write", "chown root: /etc/coffer"))


# ---- half a vault ----


@check
def a_key_without_a_store_is_named_and_left(host):
    for make in (lambda: os.symlink("/nowhere", BLOB), lambda: configure_blob("somebody's key")):
        make()
        host.refused("init", named=(BLOB, "no vault that belongs to it", "move the key away"))
        os.unlink(BLOB)


def configure_blob(text):
    with open(BLOB, "w", encoding="utf-8") as file:
        file.write(text)


@check
def a_store_without_its_key_is_named_and_recovered(host):
    secret = host.init()
    key = unsealed()
    os.unlink(BLOB)
    host.refused("init", named=("/var/lib/coffer", "without its root key", "cofferd recover"))
    host.refused("check", named=(BLOB, "there is no root key there"))
    host.refused("recover", stdin="nonsense\n", status=65, named=("not a coffer recovery key",))
    host.refused(
        "recover", stdin=secret.replace("-1-", "-1-0"), status=65, named=("not a coffer recovery key",)
    )
    assert BLOB in host.must("recover", stdin=secret + "\n")
    equal(unsealed(), key, "the recovered root key")
    equal(owner_and_mode(BLOB), (0, 0, "0o400"), "owner and mode of the sealed key")
    for user in (None, COFFER):
        assert "nothing was changed" in host.must("recover-check", stdin=secret + "\n", user=user)
    assert "The vault is whole" in host.must("check")
    for name in os.listdir("/var/lib/coffer"):
        equal(os.lstat(f"/var/lib/coffer/{name}").st_uid, COFFER, f"owner of {name}")
    host.refused("recover", stdin="nonsense\n", status=65, named=("not a coffer recovery key",))
    done = host.cofferd("recover", stdin=secret + "\n")
    assert done.returncode == CONFIG and "left as it is" in done.stderr, done.stderr


@check
def a_damaged_key_is_named_and_recovered(host):
    secret = host.init()
    with open(BLOB, "r+b") as file:
        data = file.read()
        file.seek(40)
        file.write(b"AAAA" if data[40:44] != b"AAAA" else b"BBBB")
    for command in ("init", "check"):
        host.refused(command, named=(BLOB, "cannot unseal it", "move it away", "cofferd recover"))
    os.unlink(BLOB)
    host.must("recover", stdin=secret)
    host.must("check")


@check
def a_key_of_another_vault_is_named(host):
    host.init()
    shutil.copy(BLOB, "/srv")
    os.unlink(BLOB)
    shutil.rmtree("/var/lib/coffer")
    host.init()
    os.unlink(BLOB)
    shutil.copy("/srv/rootkey.cred", BLOB)
    for command in ("init", "check"):
        host.refused(command, named=("/var/lib/coffer", "wrong root key"))


@check
def a_store_of_a_newer_version_is_named_and_left(host):
    host.init()
    subprocess.run(
        [
            "/usr/bin/python3",
            "-c",
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('pragma user_version=9999')",
        ]
        + [STORE],
        user=COFFER,
        group=COFFER,
        check=True,
    )
    for command in ("init", "check"):
        host.refused(command, named=("written by a newer version of coffer",))


# ---- a whole one ----


@check
def init_makes_a_vault_that_is_the_service_s(host):
    secret = host.init()
    for path in DIRECTORIES:
        equal(owner_and_mode(path), (COFFER, COFFER, "0o700"), path)
    equal(os.listdir("/var/lib/coffer"), ["coffer.db"], "what is in the state directory")
    equal(owner_and_mode(STORE), (COFFER, COFFER, "0o600"), "the store")
    equal(owner_and_mode(BLOB), (0, 0, "0o400"), "the sealed key")
    key = unsealed()
    assert key.startswith(b"coffer-root-key-1\n"), "what is sealed is no root key"
    for top in ("/etc", "/var/lib", "/srv"):
        for folder, _, names in os.walk(top):
            for name in names:
                with contextlib.suppress(OSError), open(os.path.join(folder, name), "rb") as file:
                    data = file.read()
                    assert key.split(b"\n")[1] not in data, f"the root key is in {name}"
                    assert secret.encode() not in data, f"the recovery key is in {name}"
    assert "The vault is whole" in host.must("check")
    equal(owner_and_mode(STORE), (COFFER, COFFER, "0o600"), "the store after the check")


@check
def init_says_what_it_made_and_what_it_did_not_do(host):
    text = host.must("init")
    for part in (
        "/var/lib/coffer, for the user coffer",
        BLOB,
        "without a TPM",
        *DIRECTORIES[1:],
        "Write it down",
        "not run by systemd",
    ):
        assert part in text, f"{part!r} is not in {text!r}"


@check
def the_units_are_left_alone_with_another_configuration(host):
    shutil.copy("/etc/coffer/cofferd.conf", "/srv/other.conf")
    assert "serve another configuration" in host.must("init", "--config", "/srv/other.conf")


@check
def the_second_init_changes_nothing(host):
    host.init()
    done = host.refused("init", status=0)
    assert "whole vault" in done.stdout and "coffer-recovery" not in done.stdout, done.stdout
    with open("/dev/full", "w", encoding="utf-8") as full:
        host.refused("init", status=74, stdout=full)


@check
def init_for_recipients_is_unattended(host):
    pairs = [host.must("recovery-key").split() for _ in range(2)]
    recipients = [next(word for word in words if word.startswith("coffer-recipient-1-")) for words in pairs]
    secrets = [next(word for word in words if word.startswith("coffer-recovery-1-")) for words in pairs]
    text = host.must("init", "--recovery-recipient", recipients[0])
    assert "coffer-recovery" not in text, "a secret is printed"
    host.refused("init", "--recovery-recipient", recipients[0], status=0)
    host.refused(
        "init", "--recovery-recipient", recipients[1], named=("not for all of the recovery recipients",)
    )
    key = unsealed()
    os.unlink(BLOB)
    host.refused("recover", stdin=secrets[1], status=77, named=("does not belong to this vault",))
    host.must("recover", stdin=secrets[0])
    equal(unsealed(), key, "the recovered root key")


@check
def directories_that_are_there_and_right_are_used(host):
    for path in DIRECTORIES[:2]:
        os.mkdir(path, 0o700)
        os.chown(path, COFFER, COFFER)
    os.mkdir("/srv/theirs")
    os.mkdir("/srv/theirs/backup", 0o700)
    for path in ("/srv/theirs", "/srv/theirs/backup"):
        os.chown(path, COFFER, COFFER)
    configure("[vault]\nbackup_dir = /srv/theirs/backup\n")
    host.init()
    host.must("check")


if __name__ == "__main__":
    suite.run()
