"""A vault in a test host, made as an operator makes it: installed, set up, with an integration and who may use it."""

from coffer_test import canary, wait_until
from host_test import CONFIG

SOCKET = "/run/coffer/coffer.sock"
ROOT_KEY = "/var/lib/coffer-anchor/root.key"
OPERATOR, ETL, CRM = "olga", "etl", "crm"  # users of the host
FIELDS = [
    word
    for key, text in {
        "title": "Warehouse sync",
        "description": "Copies the orders of the day.",
        "owner": "Petra Example",
        "contact": "petra@example.org",
        "environment": "sandbox",  # root grants itself what it wants
    }.items()
    for word in (f"--{key}", text)
]


def add_users(host):
    host.must("useradd", "--groups", "coffer-operators", OPERATOR)
    for user in (ETL, CRM):
        host.must("useradd", user)


def make_vault(host):
    """What cofferd init printed: the recovery key."""
    host.install()
    add_users(host)
    text = host.read(CONFIG)
    host.write(CONFIG, text.replace("#root_key = credential", f"root_key = file:{ROOT_KEY}"))
    folders = [f"/var/lib/coffer{end}" for end in ("", "-anchor", "-archive", "-backup")]
    host.must("install", "--directory", "--owner=coffer", "--mode=700", *folders)
    printed = host.must("cofferd", "init", user="coffer")
    host.must("systemctl", "enable", "--now", "cofferd.socket", "cofferd.service")
    return printed


def add(host, name, *grants, **values):
    """An integration with these values, made where none are given; grants as the words of `coffer grant add`."""
    values = values or {"API_TOKEN": canary()}
    host.must("coffer", "integration", "add", name, *FIELDS)
    for key, value in values.items():
        host.must("coffer", "secret", "put", name, key, user=OPERATOR, stdin=value)
    for words in grants:
        host.must("coffer", "grant", "add", name, *words)
    return values


def run_words(name, *command):
    return ["/usr/bin/coffer", "run", name, "--", *command]


def fetch(host, name, key="API_TOKEN", **how):
    """The value as a program sees it that `coffer run` starts."""
    return host.must(*run_words(name, "printenv", key), **how).removesuffix("\n")


def must_refuse(host, name, word, **how):
    """`coffer run` fails, starts nothing, and says this word."""
    done = host.run(*run_words(name, "echo", "started"), **how)
    assert (
        done.returncode == 125 and "started" not in done.stdout
    ), f"{done.returncode}: {done.stdout}{done.stderr}"
    assert word in done.stderr, f"'{word}' is not in: {done.stderr}"


def await_another_pid(host, old):
    """The service runs again; its process."""
    wait_until(
        lambda: host.main_pid() not in (0, old) and host.is_active("cofferd.service"),
        f"another process than {old} serves",
    )
    return host.main_pid()


def signal_daemon(host, name):
    host.must("systemctl", "kill", f"--signal={name}", "--kill-whom=main", "cofferd.service")
