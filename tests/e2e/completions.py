#!/usr/bin/python3
"""Completion in the real shells, typed at a terminal, with a real daemon behind it.

What a shell has made of its line is read from the shell itself, by a key that writes it to a file."""
import contextlib
import fcntl
import os
import pathlib
import pty
import random
import re
import select
import shlex
import socket
import subprocess
import termios
import time

from coffer_test import ADMIN, ETL, OPERATOR, STRANGER, Suite, equal, wait_until

NAME = "finance/warehouse-sync"
TAB, DUMP_KEY, KILL_LINE = "\t", "\x18d", "\x15"
WORD_LISTS = 200
SECONDS_UNREACHABLE = 6  # the engine gives up after one; the rest is for a loaded machine with sanitizers
# Whoever writes the owner of an integration decides what this holds.
OWNER = """Ada $(touch {0}/a) `>{0}/b`; >{0}/c & 'Byron' "of" %n \\n *"""

# Equal refusals of one user are one record for a minute: in each shell it is another one who would be refused.
OPERATORS = {"bash": OPERATOR, "bash_completion": 2011, "zsh": 2012, "fish": 2013}
STRANGERS = {"bash": STRANGER, "bash_completion": 2911, "zsh": 2912, "fish": 2913}

suite = Suite(roles={"operator": ", ".join(map(str, OPERATORS.values()))})


def scripts():
    return {pathlib.Path(path).name: path for path in suite.arguments}


# ---- shells ----


def bash_plain(home, dump):
    rc = home / "bashrc"
    rc.write_text(
        f"""set -u; PS1='> '; HISTFILE=; bind 'set enable-bracketed-paste off'; bind 'set bell-style none'
bind 'set completion-query-items 0'; bind 'set page-completions off'
bind -x '"\\C-xd": printf %s "$READLINE_LINE" >{dump}.new; mv {dump}.new {dump}'
. {scripts()['coffer.bash']}
"""
    )
    return ["bash", "--noprofile", "--rcfile", str(rc), "-i"]


def bash_completion(home, dump):
    """As installed: loaded by the package bash-completion when it is needed first."""
    argv = bash_plain(home, dump)
    folder = home / "completions"
    folder.mkdir()
    (folder / "coffer").write_text(pathlib.Path(scripts()["coffer.bash"]).read_text())
    rc = home / "bashrc"
    text = rc.read_text().replace(
        f". {scripts()['coffer.bash']}", ". /usr/share/bash-completion/bash_completion"
    )
    text = text.replace("set -u; ", "")  # which that package does not stand
    rc.write_text(f"BASH_COMPLETION_USER_DIR={home}\n{text}")
    return argv


def zsh(home, dump):
    (home / "functions").mkdir()
    (home / "functions" / "_coffer").write_text(pathlib.Path(scripts()["_coffer"]).read_text())
    (home / ".zshrc").write_text(
        f"""PS1='> '; unsetopt zle_bracketed_paste 2>/dev/null; unset zle_bracketed_paste; bindkey -e
fpath=({home}/functions $fpath); autoload -Uz compinit; compinit -u -D; unsetopt beep; LISTMAX=1000
dump() {{ print -rn -- "$BUFFER" >{dump}.new; mv {dump}.new {dump} }}
zle -N dump; bindkey '^Xd' dump
"""
    )
    return ["zsh", "-o", "NO_GLOBAL_RCS", "-i"]


def fish(home, dump):
    rc = home / "rc.fish"
    rc.write_text(
        f"""function fish_prompt; echo '> '; end; function fish_greeting; end
source {scripts()['coffer.fish']}
bind \\cxd 'commandline | string collect >{dump}.new; mv {dump}.new {dump}'
bind \\cu backward-kill-line
set -g fish_autosuggestion_enabled 0
"""
    )
    return ["fish", "--no-config", "--interactive", "--init-command", f"source {rc}"]


SHELLS = {"bash": bash_plain, "bash_completion": bash_completion, "zsh": zsh, "fish": fish}


class Terminal:
    """A shell of this user at a terminal of its own."""

    def __init__(self, vault, shell, uid, socket_path=None):
        self.home = pathlib.Path(vault.at(f"home-{shell}-{uid}-{time.monotonic_ns()}"))
        self.home.mkdir()
        self.dump = self.home / "line"
        argv = SHELLS[shell](self.home, self.dump)
        for path in (self.home, *self.home.rglob("*")):
            os.chown(path, uid, uid)
        environment = vault.environment(
            COFFER_SOCKET=socket_path or vault.socket,
            HOME=str(self.home), ZDOTDIR=str(self.home), TERM="xterm", COLUMNS="200", LINES="50",
        )  # fmt: skip
        self.master, slave = pty.openpty()
        os.fchown(slave, uid, uid)
        self.process = subprocess.Popen(
            argv, stdin=slave, stdout=slave, stderr=slave, env=environment, cwd=self.home,
            user=uid, group=uid, extra_groups=[], start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(slave)
        self.screen = b""
        self.await_prompt()

    def read(self, seconds):
        if select.select([self.master], [], [], seconds)[0]:
            with contextlib.suppress(OSError):
                self.screen += os.read(self.master, 65536)

    def await_prompt(self):
        def is_there():
            self.read(0.05)
            return b"> " in self.screen

        wait_until(is_there, f"a prompt: {self.screen[-400:]!r}")
        equal(self.line_after(""), "", "an empty line")

    def line_after(self, keys):
        """The line after these keys, which is then taken away."""
        self.dump.unlink(missing_ok=True)
        self.screen = b""
        os.write(self.master, (keys + DUMP_KEY).encode())

        def is_dumped():
            self.read(0.02)
            return self.dump.exists()

        wait_until(is_dumped, f"the line after {keys!r}: {self.screen[-400:]!r}")
        line = self.dump.read_text()
        os.write(self.master, KILL_LINE.encode())
        return line.removesuffix("\n")

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)


@contextlib.contextmanager
def terminal(vault, shell, uid=None, **more):
    one = Terminal(vault, shell, OPERATORS[shell] if uid is None else uid, **more)
    try:
        yield one
    finally:
        one.close()


def in_every_shell(function):
    for shell in SHELLS:
        suite.add(f"{function.__name__}_in_{shell}", lambda vault, shell=shell: function(vault, shell))
    return function


def becomes(one, typed, wanted):
    equal(one.line_after(typed + TAB), wanted, f"{typed!r} and Tab")


# ---- the vault ----


def owner(vault):
    return OWNER.format(vault.at("harm"))


@suite.setup
def prepare(vault):
    os.mkdir(vault.at("harm"))
    os.chmod(vault.at("harm"), 0o1777)  # who evaluates something can do it
    vault.add(NAME, title=f"Warehouse $(touch {vault.at('harm', 'd')}) %n `id`")
    vault.add("finance/payroll", owner=owner(vault))
    vault.add("mail/gateway")
    vault.put(NAME, "PGPASSWORD", "one", description="of the warehouse")
    vault.put(NAME, "PGPASSWORD", "two")
    vault.put(NAME, "API_KEY", "three", stage=True)
    vault.grant(NAME, user=ETL)
    vault.call("integration.suspend", {"name": "mail/gateway"})
    os.makedirs(vault.at("files", "folder"), 0o755)
    for folder in (suite.folder, vault.folder):
        os.chmod(folder, 0o755)  # zsh looks into each folder of a path
    for name in ("integrations.ini", "two words.ini"):
        pathlib.Path(vault.at("files", name)).write_text("")


def records(vault):
    return vault.call("audit.list", {"limit": 1})["head"]["seq"]


# ---- refusals first ----


@in_every_shell
def a_stranger_gets_no_name_and_leaves_no_record(vault, shell):
    before = records(vault)
    with terminal(vault, shell, STRANGERS[shell]) as one:
        for line in (
            f"coffer secret show {NAME} P",
            "coffer run fin",
            "coffer alert ack n",
            f"coffer secret revoke {NAME} PGPASSWORD ",
        ):
            becomes(one, line, line)
            assert b"coffer:" not in one.screen, one.screen
        becomes(one, "coffer integr", "coffer integration ")
    equal(records(vault), before, "last record")


@in_every_shell
def what_is_not_there_leaves_no_record(vault, shell):
    before = records(vault)
    with terminal(vault, shell) as one:
        for line in (
            "coffer secret show finance/absent P",
            f"coffer secret revoke {NAME} ABSENT ",
            "coffer secret show ../.. P",
        ):
            becomes(one, line, line)
    equal(records(vault), before, "last record")


@in_every_shell
def a_vault_that_cannot_be_reached_is_quiet(vault, shell):
    with terminal(vault, shell, socket_path=vault.at("run", "nobody.sock")) as one:
        becomes(one, "coffer secret show fin", "coffer secret show fin")
        becomes(one, "coffer secret sho", "coffer secret show ")
        assert b"coffer:" not in one.screen and b"reach" not in one.screen, one.screen


@in_every_shell
def a_vault_that_does_not_answer_is_given_up(vault, shell):
    path = vault.at("run", f"mute-{shell}.sock")
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(path)
        os.chmod(path, 0o666)
        mute.listen()
        with terminal(vault, shell, socket_path=path) as one:
            started = time.monotonic()
            becomes(one, "coffer secret show fin", "coffer secret show fin")
            assert time.monotonic() - started < SECONDS_UNREACHABLE, "it waited too long"


@in_every_shell
def what_the_vault_holds_is_not_evaluated(vault, shell):
    with terminal(vault, shell) as one:
        line = one.line_after("coffer integration list --owner Ada\\ \\$" + TAB)
        equal(shlex.split(line), ["coffer", "integration", "list", "--owner", owner(vault)], "words")
        one.line_after("coffer secret show " + TAB + TAB)  # shows titles
    equal(os.listdir(vault.at("harm")), [], "what a text of the vault has made")


@in_every_shell
def what_is_typed_is_not_evaluated(vault, shell):
    harm = vault.at("harm", shell)
    typed = [
        f"coffer secret show $(touch {harm}) ",
        f'coffer secret show "`touch {harm}`" P',
        "coffer secret show $HOME ",
    ]
    if shell != "zsh":  # which by itself carries out what is typed in the path of a file, behind any command
        typed += [
            f"coffer apply $(touch {harm})/",
            f"coffer --socket=`touch {harm}`/",
            f"coffer run {NAME} -- cat $(touch {harm})/",
        ]
    with terminal(vault, shell) as one:
        for line in typed:
            one.line_after(line + TAB)
    assert not os.path.exists(harm), "what was typed was carried out"


@suite.check
def a_sealed_vault_is_asked_nothing_that_it_would_refuse(_):
    vault = suite.vault(is_made=False)
    vault.start()
    said = vault.log_text()
    equal(vault.must_coffer("__complete", "secret", "show", ""), b"words\n", "candidates")
    equal(vault.log_text(), said, "the journal")
    vault.stop()


@suite.check
def any_words_at_all_get_an_answer(vault):
    """Half a command line is never right yet, and a shell waits for the answer."""
    pieces = [
        *("secret", "show", "rotate", "grant", "add", "run", "help", "apply", "test", "audit", "list", NAME),
        *("PGPASSWORD", "--", "--only", "--socket", "--user", "--json", "--file", "--test=x", "--=", "-", ""),
        *("=", ",", "A,B,", "user=", "a" * 9000, "\t\n", "$(id)", "\xff", "../..", "--socket=/nonexistent"),
    ]
    chance = random.Random(7)
    before = records(vault)
    for _ in range(WORD_LISTS):
        words = chance.choices(pieces, k=chance.randint(1, 7))
        done = vault.coffer("__complete", *words, uid=OPERATOR)
        kind = done.stdout.split(b"\n")[0]
        assert done.returncode == 0 and not done.stderr, (words, done)
        assert re.fullmatch(rb"words|(files|directories|program) [0-9]+", kind), (words, done.stdout[:200])
    equal(records(vault), before, "last record")


# ---- what is completed ----


@in_every_shell
def commands_and_options(vault, shell):
    with terminal(vault, shell) as one:
        becomes(one, "coffer integr", "coffer integration ")
        becomes(one, "coffer secret pr", "coffer secret promote ")
        becomes(one, "coffer help toke", "coffer help token ")
        becomes(one, "coffer integration list --work", "coffer integration list --workspace ")
        becomes(one, "coffer run --on-ch", "coffer run --on-change ")
        becomes(one, "coffer run --on-change res", "coffer run --on-change restart ")
        becomes(one, "coffer integration list --state sus", "coffer integration list --state suspended ")
        becomes(one, "coffer integration list --state=sus", "coffer integration list --state=suspended ")
        becomes(one, "coffer --json stat", "coffer --json status ")


@in_every_shell
def names_of_the_vault(vault, shell):
    with terminal(vault, shell) as one:
        becomes(one, "coffer secret show finance/w", f"coffer secret show {NAME} ")
        becomes(one, f"coffer secret show {NAME} PG", f"coffer secret show {NAME} PGPASSWORD ")
        becomes(one, f"coffer secret promote {NAME} API_KEY ", f"coffer secret promote {NAME} API_KEY 1 ")
        becomes(one, "coffer secret show 'finance/w", f"coffer secret show '{NAME}' ")
        becomes(one, f"coffer secret show '{NAME}' PG", f"coffer secret show '{NAME}' PGPASSWORD ")
        becomes(one, "coffer integration list --workspace ma", "coffer integration list --workspace mail ")
        becomes(
            one, f"coffer import {NAME} --only API_KEY,PG", f"coffer import {NAME} --only API_KEY,PGPASSWORD "
        )
        becomes(one, "coffer integration add fin", "coffer integration add fin")


@in_every_shell
def numbers_and_ids(vault, shell):
    grant = vault.call("grant.list", {"integration": NAME})["grants"][0]["id"]
    alerts = [a["id"] for a in vault.call("alert.list")["alerts"]]
    alert = next(a for a in alerts if a.startswith("no_description") and a.endswith("API_KEY"))
    with terminal(vault, shell, ADMIN) as one:
        becomes(one, f"coffer grant remove {NAME} ", f"coffer grant remove {NAME} {grant} ")
        becomes(one, f"coffer alert ack {alert[:-3]}", f"coffer alert ack {alert} ")


@in_every_shell
def conditions_of_grants(vault, shell):
    with terminal(vault, shell, ADMIN) as one:
        becomes(one, f"coffer grant add {NAME} us", f"coffer grant add {NAME} user=")
        becomes(one, f"coffer grant add {NAME} user=roo", f"coffer grant add {NAME} user=root ")
        becomes(one, f"coffer grant add {NAME} user=root gro", f"coffer grant add {NAME} user=root group=")
        becomes(one, "coffer audit list --user roo", "coffer audit list --user root ")


@in_every_shell
def a_run_and_its_command(vault, shell):
    with terminal(vault, shell, ETL) as one:
        becomes(one, "coffer run fin", f"coffer run {NAME} ")
        becomes(one, f"coffer run {NAME} -- /bin/mktem", f"coffer run {NAME} -- /bin/mktemp ")
        becomes(one, f"coffer run {NAME} -- mktem", f"coffer run {NAME} -- mktemp ")
        becomes(
            one,
            f"coffer run {NAME} --only A=B -- cat {vault.at('files', 'integr')}",
            f"coffer run {NAME} --only A=B -- cat {vault.at('files', 'integrations.ini')} ",
        )


@in_every_shell
def files(vault, shell):
    with terminal(vault, shell) as one:
        becomes(
            one,
            f"coffer apply {vault.at('files', 'integr')}",
            f"coffer apply {vault.at('files', 'integrations.ini')} ",
        )
        line = one.line_after(f"coffer apply {vault.at('files', 'two')}" + TAB)
        equal(shlex.split(line), ["coffer", "apply", vault.at("files", "two words.ini")], "words")
        becomes(
            one,
            f"coffer --socket={vault.at('run', 'cof')}",
            f"coffer --socket={vault.at('run', 'coffer.sock')} ",
        )
        becomes(
            one,
            f"coffer import {NAME} --root {vault.at('files', 'fold')}",
            f"coffer import {NAME} --root {vault.at('files', 'folder')}/",
        )


@in_every_shell
def another_vault_is_asked_where_the_line_says_so(vault, shell):
    with terminal(vault, shell, socket_path=vault.at("run", "nobody.sock")) as one:
        line = f"coffer --socket {vault.socket} secret show finance/w"
        becomes(one, line, line.replace("finance/w", f"{NAME} "))


@in_every_shell
def several_are_listed(vault, shell):
    with terminal(vault, shell) as one:
        one.line_after("coffer secret show fin" + TAB + TAB + TAB)
        for name in (b"payroll", b"warehouse-sync"):
            assert name in one.screen, one.screen
        if shell in ("zsh", "fish"):
            assert b"Warehouse $(touch " in one.screen, one.screen


if __name__ == "__main__":
    suite.run()
