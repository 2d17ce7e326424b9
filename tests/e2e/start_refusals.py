#!/usr/bin/python3
"""What must not be started is refused by name, with its exit status, and nothing is overwritten."""
import hashlib
import os
import shutil
import socket
import sqlite3
import stat
import subprocess

from coffer_test import ETL, OPERATOR, Suite, canary, equal

NAME = "finance/warehouse-sync"
CONFIG, IO, RETRY = 78, 74, 75

suite = Suite()


def picture(folder):
    """Everything below a folder: type, mode, owner, content."""
    seen = {}
    for top, folders, names in os.walk(folder):
        for name in sorted(folders + names):
            path = os.path.join(top, name)
            info = os.lstat(path)
            content = None
            if stat.S_ISREG(info.st_mode):
                with open(path, "rb") as file:
                    content = hashlib.sha256(file.read()).hexdigest()
            elif stat.S_ISLNK(info.st_mode):
                content = os.readlink(path)
            seen[os.path.relpath(path, folder)] = (
                stat.S_IFMT(info.st_mode),
                stat.S_IMODE(info.st_mode),
                info.st_uid,
                info.st_nlink,
                content,
            )
    return seen


def made(is_filled=True):
    """A stopped vault with something in it."""
    vault = suite.vault()
    if is_filled:
        vault.start()
        vault.add(NAME)
        vault.put(NAME, "API_TOKEN", canary())
        vault.grant(NAME, user=ETL)
        equal(vault.stop(), 0, "exit status after SIGTERM")
    return vault


def refused(vault, statuses, words=(), command=(), is_recorded=False):
    """Starting ends with one of these statuses, names these words, and changes nothing (but for the audit log)."""
    before = picture(vault.folder)
    done = vault.cofferd(*command)
    assert done.returncode in statuses, f"exit status {done.returncode} instead of {statuses}: {done.stderr}"
    assert done.stderr.strip(), "nothing was said"
    for word in words:
        assert word in done.stderr, f"{word!r} is not named: {done.stderr}"
    after = picture(vault.folder)
    if is_recorded:
        after["state/coffer.db"] = before["state/coffer.db"]
    changed = {
        name: (before.get(name), after.get(name))
        for name in {*before, *after}
        if before.get(name) != after.get(name)
    }
    equal(changed, {}, "what has changed")


def case(words, statuses=(CONFIG,), named=(), command=(), is_recorded=False):
    """A check: the function spoils a vault that would start."""

    def register(function):
        def check(_):
            vault = made()
            function(vault)
            refused(vault, statuses, named, command, is_recorded)

        suite.add(words.replace(" ", "_"), check)
        return function

    return register


def db(vault):
    return vault.at("state", "coffer.db")


# ---- the store's directory ----


@case("a missing state directory is refused", (CONFIG, IO))
def _(vault):
    shutil.rmtree(vault.at("state"))


@case("a state directory that others may enter is refused")
def _(vault):
    os.chmod(vault.at("state"), 0o755)


@case("a state directory of somebody else is refused")
def _(vault):
    os.chown(vault.at("state"), 2999, 2999)


@case("a state directory that is a link is refused")
def _(vault):
    os.rename(vault.at("state"), vault.at("elsewhere"))
    os.symlink(vault.at("elsewhere"), vault.at("state"))


@case("an empty state directory is not initialised by a start")
def _(vault):
    for name in os.listdir(vault.at("state")):
        os.unlink(vault.at("state", name))


# ---- the store's file ----


@case("a store that others may read is refused")
def _(vault):
    os.chmod(db(vault), 0o644)


@case("a store of somebody else is refused")
def _(vault):
    os.chown(db(vault), 2999, 2999)


@case("a store that is a link is refused")
def _(vault):
    os.rename(db(vault), vault.at("elsewhere.db"))
    os.symlink(vault.at("elsewhere.db"), db(vault))


@case("a store with a second name is refused")
def _(vault):
    os.link(db(vault), vault.at("second.db"))


@case("a store that is a pipe is refused")
def _(vault):
    os.unlink(db(vault))
    os.mkfifo(db(vault), 0o600)


@case("a store that is a directory is refused")
def _(vault):
    os.unlink(db(vault))
    os.mkdir(db(vault), 0o700)


def overwrite(vault, data):
    with open(db(vault), "r+b") as file:
        file.truncate(0)
        file.write(data)


@case("a store of no bytes is refused and not made anew")
def _(vault):
    overwrite(vault, b"")


@case("a store of random bytes is refused")
def _(vault):
    overwrite(vault, os.urandom(65536))


@case("a store cut to its first page is refused")
def _(vault):
    with open(db(vault), "r+b") as file:
        file.truncate(4096)


@case("a store with a damaged page is refused", (CONFIG, IO))
def _(vault):
    size = os.path.getsize(db(vault))
    with open(db(vault), "r+b") as file:
        for page in range(1, size // 4096):
            file.seek(page * 4096)
            file.write(b"\xa5" * 64)


def with_sql(vault, statement):
    connection = sqlite3.connect(db(vault))
    connection.execute("pragma journal_mode=delete")
    connection.execute(statement)
    connection.commit()
    connection.close()


@case("a foreign database is refused")
def _(vault):
    os.unlink(db(vault))
    with_sql(vault, "create table pictures (id integer primary key, name text)")
    os.chmod(db(vault), 0o600)


@case("a database of another application is refused")
def _(vault):
    with_sql(vault, "pragma application_id = 4711")


@case("a store of a newer version is refused")
def _(vault):
    with_sql(vault, "pragma user_version = 9999")


@case("a planted trigger is refused")
def _(vault):
    with_sql(vault, "create trigger planted after insert on audit begin select 1; end")


@case("a planted table is refused")
def _(vault):
    with_sql(vault, "create table planted (id integer primary key)")


# ---- the root key ----


@suite.check
def a_missing_root_key_is_refused_with_its_path_and_the_way_out(_):
    vault = made()
    os.unlink(vault.at("root.key"))
    path = vault.at("root.key")
    refused(vault, (CONFIG,), (f"root_key {path}: there is no root key", "cofferd init", "cofferd recover"))


@suite.check
def a_refusal_names_the_path_it_is_about_without_a_journal_s_priority(_):
    vault = made()
    os.chmod(vault.at("run"), 0o777)
    refused(vault, (CONFIG,), (f"cofferd: socket {vault.socket}: ",), is_recorded=True)
    os.chmod(vault.at("state"), 0o755)
    refused(vault, (CONFIG,), (f"cofferd: state_dir {vault.at('state')}: ",))


def other_key(vault, data):
    path = vault.at("root.key")
    os.chmod(path, 0o600)
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, 0o400)


@case("the root key of another vault is refused by name", named=("root key",))
def _(vault):
    with open(suite.vault().at("root.key"), "rb") as file:
        other_key(vault, file.read())


@case("a root key that is cut short is refused")
def _(vault):
    with open(vault.at("root.key"), "rb") as file:
        other_key(vault, file.read()[:-2])


@case("an empty root key is refused")
def _(vault):
    other_key(vault, b"")


@case("a root key that others may read is refused")
def _(vault):
    os.chmod(vault.at("root.key"), 0o444)


@case("a root key that is a link is refused")
def _(vault):
    os.rename(vault.at("root.key"), vault.at("elsewhere.key"))
    os.symlink(vault.at("elsewhere.key"), vault.at("root.key"))


# ---- init ----


@suite.check
def the_journal_gets_priorities_and_a_file_that_is_not_it_does_not(_):
    """JOURNAL_STREAM outlives the reduction of the environment."""
    vault = suite.vault()
    os.chmod(vault.at("state"), 0o755)
    for added, prefix in ((0, "<3>state_dir "), (1, "cofferd: state_dir ")):
        with open(vault.at("stderr"), "w+", encoding="utf-8") as file:
            info = os.fstat(file.fileno())
            subprocess.run(
                [vault.programs["cofferd"], "--config", vault.config],
                env=vault.environment(JOURNAL_STREAM=f"{info.st_dev}:{info.st_ino + added}"),
                stdin=subprocess.DEVNULL,
                stderr=file,
                timeout=120,
                check=False,
            )
            file.seek(0)
            text = file.read()
        assert text.startswith(prefix), f"{text!r} does not begin with {prefix!r}"


def left_as_it_is(vault, *options):
    """init finds a whole vault, says so, and that is no failure."""
    before = picture(vault.folder)
    done = vault.cofferd("init", *options)
    equal((done.returncode, done.stderr), (0, ""), "exit status and errors of the second init")
    assert "nothing was changed" in done.stdout and "coffer-recovery-" not in done.stdout, done.stdout
    equal(picture(vault.folder), before, "the files")


@suite.check
def init_leaves_a_whole_vault_as_it_is(_):
    vault = made()
    left_as_it_is(vault)
    vault.start()
    done = vault.cofferd("init")
    equal((done.returncode, done.stderr), (0, ""), "the same while it is served")
    vault.close()


@case("init refuses where a key is without a store", (65, CONFIG, RETRY, 73), command=("init",))
def _(vault):
    os.unlink(db(vault))


@suite.check
def init_refuses_a_key_that_exists_before_it_makes_anything(_):
    vault = made()
    shutil.rmtree(vault.at("state"))
    refused(vault, (CONFIG,), (f"root_key {vault.at('root.key')}: ",), ("init",))
    assert not os.path.exists(vault.at("state")), "a state directory was made"


@case("init refuses where a store is without a key", (65, CONFIG, RETRY, 73), command=("init",))
def _(vault):
    os.unlink(vault.at("root.key"))


@case("init refuses where a foreign file is", (65, CONFIG, RETRY, 73), command=("init",))
def _(vault):
    os.unlink(vault.at("root.key"))
    overwrite(vault, b"somebody's precious bytes\n")


@suite.check
def init_prints_the_recovery_key_once_and_keeps_it_nowhere(_):
    vault = suite.vault()
    words = [word for word in vault.recovery_key.split() if len(word) >= 32 and "/" not in word]
    assert words, f"no recovery key in {vault.recovery_key!r}"
    for top, _folders, names in os.walk(vault.folder):
        for name in names:
            with open(os.path.join(top, name), "rb") as file:
                data = file.read()
            for word in words:
                assert word.encode() not in data, f"the recovery key is in {name}"


def new_recovery_key(vault):
    """A pair, made where there is neither vault nor configuration: the recipient and the secret key."""
    done = subprocess.run(
        [vault.programs["cofferd"], "recovery-key"],
        env=vault.environment(),
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    equal(done.returncode, 0, f"exit status of cofferd recovery-key ({done.stderr})")
    words = done.stdout.split()
    (recipient,) = [word for word in words if word.startswith("coffer-recipient-1-")]
    (secret,) = [word for word in words if word.startswith("coffer-recovery-1-")]
    return recipient, secret


@suite.check
def init_refuses_a_recipient_that_is_none_before_it_makes_anything(_):
    vault = suite.vault(is_made=False)
    recipient, secret = new_recovery_key(vault)
    option = "--recovery-recipient"
    spoiled = recipient[:-1] + ("0" if recipient[-1] != "0" else "1")
    for words, status, named in (
        ((option, ""), 65, "recovery-key"),
        ((option, recipient[:-1]), 65, "not all of it"),
        ((option, spoiled), 65, "not all of it"),
        ((option, recipient.upper()), 65, "recovery-key"),
        ((option, secret), 65, "secret"),
        ((option, recipient, option, recipient), 65, "twice"),
        ((option, recipient, option, secret), 65, "secret"),
        (9 * (option, recipient), 65, "twice"),
    ):
        refused(vault, (status,), (named,), ("init", *words))
        assert secret not in vault.cofferd("init", *words).stderr, "a secret key is repeated"
    assert not os.path.exists(vault.at("root.key")), "a root key was made"
    for command in ("check", "recover"):
        refused(vault, (64,), ("goes with init",), (command, option, recipient))


@suite.check
def init_for_recipients_is_unattended_and_the_second_changes_nothing(_):
    """P1: what is printed is no secret, and the recovery key that was made elsewhere opens the vault."""
    vault = suite.vault(is_made=False)
    recipient, secret = new_recovery_key(vault)
    done = vault.cofferd("init", "--recovery-recipient", recipient)
    equal(done.returncode, 0, f"exit status of cofferd init ({done.stderr})")
    assert recipient.rsplit("-", 1)[1] in done.stdout, f"no fingerprint in {done.stdout!r}"
    assert "coffer-recovery-" not in done.stdout, f"a recovery key in {done.stdout!r}"
    left_as_it_is(vault, "--recovery-recipient", recipient)
    other, _ = new_recovery_key(vault)
    refused(vault, (CONFIG,), ("left as it is",), ("init", "--recovery-recipient", other))
    with open(vault.at("root.key"), "rb") as file:
        root = file.read()
    os.unlink(vault.at("root.key"))
    subprocess.run(
        [vault.programs["cofferd"], "recover", "--config", vault.config],
        env=vault.environment(),
        input=secret,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    with open(vault.at("root.key"), "rb") as file:
        equal(file.read(), root, "the root key")
    vault.start()
    equal(vault.stop(), 0, "exit status after SIGTERM")


# ---- the configuration ----


def config_case(words, line, text, named=()):
    """One line put into the file: the error names file and line."""

    def check(_):
        vault = made(is_filled=False)
        with open(vault.config, encoding="utf-8") as file:
            lines = file.read().splitlines()
        lines.insert(line, text)
        with open(vault.config, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        refused(vault, (CONFIG,), (f"{vault.config}:{line + 1}", *named))

    suite.add(words.replace(" ", "_"), check)


config_case("an unknown key is named with file and line", 2, "stat_dir = /x", ("stat_dir",))
config_case("a relative path is named with file and line", 2, "backup_dir = somewhere", ("backup_dir",))
config_case(
    "a value that is no number is named with file and line", 12, "connections = many", ("connections",)
)
config_case("a number out of bounds is named with file and line", 12, "connections = 0", ("connections",))
config_case(
    "a socket path that is too long is named with file and line", 3, "socket = /" + "x" * 120, ("socket",)
)
config_case(
    "an unknown root key source is named with file and line", 2, "root_key = telepathy", ("root_key",)
)
config_case("a line that is no setting is named with file and line", 2, "what is this")


@suite.check
def an_unknown_section_is_named_with_file_and_line(_):
    vault = made(is_filled=False)
    with open(vault.config, "a", encoding="utf-8") as file:
        file.write("[vaults]\nkey = 1\n")
    refused(vault, (CONFIG,), (vault.config + ":",))


@suite.check
def an_unknown_section_is_named_also_when_it_is_empty(_):
    vault = made(is_filled=False)
    with open(vault.config, "a", encoding="utf-8") as file:
        file.write("[vaults]\n")
    with open(vault.config, encoding="utf-8") as file:
        line = len(file.readlines())
    refused(vault, (CONFIG,), (f"{vault.config}:{line}: unknown section [vaults]",))


@suite.check
def an_unknown_user_in_a_role_is_named_in_the_log_and_the_others_keep_theirs(_):
    """A user who has left must not keep the vault from starting."""
    vault = made(is_filled=False)
    vault.write_config(roles={"operator": f"no-such-user-here, {OPERATOR}"})
    vault.start()
    assert "no-such-user-here" in vault.log_text(), vault.log_text()
    equal(vault.call("whoami", uid=OPERATOR)["roles"], ["operator"], "roles")
    vault.close()


@suite.check
def a_missing_configuration_file_is_refused(_):
    vault = made(is_filled=False)
    os.unlink(vault.config)
    refused(vault, (CONFIG,), (vault.config,))


# ---- the socket ----


@case("a regular file where the socket should be is refused and kept", is_recorded=True)
def _(vault):
    with open(vault.socket, "w", encoding="utf-8") as file:
        file.write("precious\n")


@case("a directory where the socket should be is refused", is_recorded=True)
def _(vault):
    os.mkdir(vault.socket)


@case("a link where the socket should be is refused", is_recorded=True)
def _(vault):
    os.symlink("/dev/null", vault.socket)


@case("a socket directory that others may write to is refused", is_recorded=True)
def _(vault):
    os.chmod(vault.at("run"), 0o777)


@case("a missing socket directory is refused", is_recorded=True)
def _(vault):
    shutil.rmtree(vault.at("run"))


@suite.check
def a_stale_socket_of_our_own_is_replaced(_):
    vault = made()
    vault.start()
    vault.kill()
    assert stat.S_ISSOCK(os.lstat(vault.socket).st_mode), "a killed daemon leaves its socket"
    vault.start()
    vault.fetch(NAME)
    equal(vault.stop(), 0, "exit status after SIGTERM")


@suite.check
def the_socket_is_for_everybody_and_the_store_for_nobody_else(_):
    vault = made()
    vault.start()
    equal(stat.S_IMODE(os.lstat(vault.socket).st_mode), 0o666, "mode of the socket")
    for name in os.listdir(vault.at("state")):
        equal(stat.S_IMODE(os.lstat(vault.at("state", name)).st_mode), 0o600, f"mode of {name}")
    equal(stat.S_IMODE(os.lstat(vault.at("root.key")).st_mode), 0o400, "mode of the root key")
    vault.close()


# ---- a second daemon ----


@suite.check
def a_second_daemon_on_the_same_store_is_sent_away_and_the_first_serves_on(vault):
    vault.add("second/daemon")
    vault.put("second/daemon", "K", "v")
    vault.grant("second/daemon", user=ETL)
    done = vault.cofferd()
    assert done.returncode in (RETRY, CONFIG), f"exit status {done.returncode}: {done.stderr}"
    assert done.stderr.strip(), "nothing was said"
    equal(vault.fetch("second/daemon"), {"K": "v"}, "the first daemon's answer")


@suite.check
def a_second_daemon_with_a_socket_of_its_own_is_sent_away(vault):
    own = vault.config
    vault.config = vault.at("second.conf")
    socket_path, vault.socket = vault.socket, vault.at("run", "second.sock")
    try:
        vault.write_config()
        done = vault.cofferd()
    finally:
        vault.config, vault.socket = own, socket_path
    equal(done.returncode, RETRY, f"exit status ({done.stderr})")
    equal(vault.fetch("second/daemon"), {"K": "v"}, "the first daemon's answer")


@suite.check
def a_foreign_listener_s_socket_is_not_taken_over(_):
    vault = made()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(vault.socket)
        listener.listen()
        done = vault.cofferd()
        assert done.returncode in (RETRY, CONFIG), f"exit status {done.returncode}: {done.stderr}"
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(vault.socket)


if __name__ == "__main__":
    suite.run()
