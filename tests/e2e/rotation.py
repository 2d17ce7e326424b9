#!/usr/bin/python3
"""Rotation without fear, proven: a real PostgreSQL under constant load, its credential rotated ten times by `coffer rotate`.

Two database roles alternate.  The rotating is done by two people who are neither root nor ever granted a current value:
operators with a tester's grant.  Clients run, query and reconnect all the time.  No query fails, and each old role is
dropped when the rotation says that nobody holds its credential, and not one session of it is found then.
"""
import contextlib
import glob
import json
import os
import pwd
import secrets
import shutil
import subprocess
import sys
import threading
import time

from coffer_test import ETL, Suite, canary, equal, forms_of, wait_until

ALICE, BOB = 2301, 2302
NAME, KEY = "finance/warehouse", "DATABASE_URL"
ROUNDS = 10
CLIENTS = 6
ROLES = ("warehouse_a", "warehouse_b")

# The integration's program: queries with what it found in its environment, reconnects, and ends after a while.
CLIENT = """
import os, random, sys, time
import psycopg2
until = time.monotonic() + random.uniform(0.4, 1.6)
count = 0
while time.monotonic() < until:
    connection = psycopg2.connect(os.environ["DATABASE_URL"])
    connection.autocommit = True
    with connection.cursor() as cursor:
        for _ in range(random.randrange(1, 12)):
            cursor.execute("insert into orders (note) values ('x') returning id")
            cursor.fetchone()
            count += 1
            time.sleep(random.uniform(0, 0.01))
    connection.close()
print(count)
"""
# The test of a new credential: can it do what the integration does?
TEST = (
    "exec /usr/bin/python3 -c 'import os, psycopg2; c = psycopg2.connect(os.environ[\"DATABASE_URL\"]).cursor();"
    ' c.execute("select count(*) from orders")\''
)

suite = Suite()
state = {}


# ---- PostgreSQL ----


class Server:
    """A PostgreSQL server of its own, on a socket in a folder of its own, that demands a password from everybody."""

    def __init__(self, folder):
        self.folder = os.path.join(folder, "server")
        self.binaries = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        self.password = secrets.token_hex(16)
        user = pwd.getpwnam("postgres")
        os.mkdir(self.folder, 0o711)
        os.chown(self.folder, user.pw_uid, user.pw_gid)
        self.as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        self.make()
        self.start()

    def make(self):
        data = os.path.join(self.folder, "data")
        word = os.path.join(self.folder, "word")
        with open(os.open(word, os.O_WRONLY | os.O_CREAT, 0o644), "w", encoding="ascii") as file:
            file.write(self.password)
        subprocess.run(
            [f"{self.binaries}/initdb", "--pgdata", data, "--auth=scram-sha-256", "--pwfile", word, "--username=postgres",
             "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"],
            cwd="/", check=True, stdout=subprocess.DEVNULL, **self.as_user,
        )  # fmt: skip
        os.unlink(word)
        with open(os.path.join(data, "pg_hba.conf"), "w", encoding="ascii") as file:
            file.write("local all all scram-sha-256\n")

    def start(self):
        self.log = open(os.path.join(self.folder, "log"), "ab")
        self.process = subprocess.Popen(
            [f"{self.binaries}/postgres", "-D", os.path.join(self.folder, "data"), "-c", "listen_addresses=",
             "-c", f"unix_socket_directories={self.folder}", "-c", "fsync=off"],
            cwd="/", stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, **self.as_user,
        )  # fmt: skip
        wait_until(lambda: self.is_ready(), "PostgreSQL is ready")

    def is_ready(self):
        assert self.process.poll() is None, "PostgreSQL ended"
        with contextlib.suppress(Exception):
            self.sql("select 1")
            return True
        return False

    def connect(self, user, password, database="postgres"):
        import psycopg2

        return psycopg2.connect(host=self.folder, user=user, password=password, dbname=database)

    def sql(self, text, *arguments):
        connection = self.connect("postgres", self.password)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(text, arguments)
                return cursor.fetchall() if cursor.description else None
        finally:
            connection.close()

    def make_role(self, role):
        """A new login of this name; what the integration needs to connect as it."""
        password = canary(32)
        self.sql(f"create role {role} login password %s in role warehouse_access", password)
        return f"host={self.folder} user={role} password={password} dbname=postgres"

    def sessions(self, role):
        return self.sql("select count(*) from pg_stat_activity where usename = %s", role)[0][0]

    def drop_role(self, role):
        self.sql(f"drop role {role}")

    def close(self):
        self.process.terminate()
        self.process.wait(60)
        self.log.close()


# ---- the load ----


class Load:
    """Clients that never stop: each is started by `coffer run`, queries, reconnects, ends, and is started again."""

    def __init__(self, vault):
        self.vault = vault
        self.is_over = threading.Event()
        self.queries = self.starts = 0
        self.failures = []
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.go_on, daemon=True) for _ in range(CLIENTS)]

    def go_on(self):
        while not self.is_over.is_set():
            done = self.vault.coffer("run", NAME, "--", "/usr/bin/python3", "-c", CLIENT, uid=ETL)
            with self.lock:
                self.starts += 1
                if done.returncode != 0:
                    self.failures.append(f"status {done.returncode}: {done.stderr[-600:]!r}")
                else:
                    self.queries += int(done.stdout)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for thread in self.threads:
            thread.join(60)


@suite.setup
def prepare(vault):
    vault.write_config(roles={"operator": f"2001, {ALICE}, {BOB}"})
    vault.stop()
    vault.start()
    state["server"] = server = Server(vault.folder)
    server.sql("create table orders (id bigserial primary key, note text not null)")
    server.sql("create role warehouse_access")
    server.sql("grant select, insert on orders to warehouse_access")
    server.sql("grant usage on sequence orders_id_seq to warehouse_access")
    vault.add(NAME, rate_limit=100000, test=TEST)
    vault.grant(NAME, user=ETL)
    for person in (ALICE, BOB):
        vault.call("grant.add", {"integration": NAME, "rule": {"user": str(person)}, "staged_only": True})
    state["values"] = [server.make_role(ROLES[0])]
    vault.put(NAME, KEY, state["values"][0], issuer="PostgreSQL of the tests", issuer_ref=ROLES[0])


def rotate(vault, person, value, role):
    done = vault.coffer(
        "rotate", NAME, KEY, "--issuer-ref", role, "--timeout", "120s",
        uid=person, stdin=value.encode(), timeout=180,
    )  # fmt: skip
    text = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, f"coffer rotate: {done.returncode}: {text}"
    for form in forms_of(value):
        assert form not in done.stdout + done.stderr, "the command line shows the value"
    return text


def wait_for_no_session(server, role):
    """A process has ended a moment before the server notices; afterwards there must be none, and none may come."""
    wait_until(lambda: server.sessions(role) == 0, f"no session of {role}", 5)


@suite.check
def a_rotation_whose_test_fails_changes_nothing(vault):
    value = f"host={state['server'].folder} user={ROLES[1]} password=wrong dbname=postgres"
    done = vault.coffer("rotate", NAME, KEY, uid=ALICE, stdin=value.encode(), timeout=120)
    assert done.returncode != 0, "a credential that does not work was made current"
    shown = vault.call("secret.show", {"integration": NAME, "key": KEY})["versions"]
    equal([entry["state"] for entry in shown], ["staged", "current"], "states")
    assert b"--resume" in done.stderr or b"secret revoke" in done.stderr, f"no way on: {done.stderr!r}"
    vault.must_coffer("secret", "revoke", NAME, KEY, str(shown[0]["version"]), uid=BOB)


@suite.check
def ten_rotations_under_load_fail_no_query(vault):
    server = state["server"]
    began = time.monotonic()
    with Load(vault) as load:
        wait_until(lambda: load.starts >= CLIENTS, "the clients are at work", 120)
        for turn in range(ROUNDS):
            old, new = ROLES[turn % 2], ROLES[(turn + 1) % 2]
            value = server.make_role(new)
            state["values"].append(value)
            rotate(vault, (ALICE, BOB)[turn % 2], value, new)
            holders = vault.call("holder.list", {"integration": NAME, "key": KEY})["holders"]
            version = max(holder["version"] for holder in holders) if holders else None
            wait_for_no_session(server, old)
            server.drop_role(old)
            assert version is None or all(holder["version"] == version for holder in holders), holders
            assert not load.failures, load.failures[0]
    assert not load.failures, load.failures[0]
    equal(server.sql("select count(*) from orders")[0][0], load.queries, "rows inserted")
    print(
        f"# {ROUNDS} rotations in {time.monotonic() - began:.0f} s: {load.starts} runs, {load.queries} queries, 0 failed",
        flush=True,
    )
    assert load.queries > 100 * ROUNDS / (10 if vault.is_sanitized() else 1), f"hardly any load: {load.queries}"


@suite.check
def the_two_people_were_never_given_a_current_value(vault):
    for person in (ALICE, BOB):
        with vault.client(person) as client:
            client.must_refuse("env.fetch", {"integration": NAME}, "denied")
            client.must_refuse("env.fetch", {"integration": NAME, "staged": True}, "not_found")  # nothing is staged
        equal(vault.call("whoami", uid=person)["integrations"], [], "what they may fetch")
        fetched = [r for r in vault.audit(uid=person, kind="env.fetch", outcome="ok")]
        assert fetched and all(record["detail"] == "staged" for record in fetched), "a fetch that was not a test"


@suite.check
def every_old_version_is_destroyed_and_the_audit_log_tells_the_whole_story(vault):
    shown = vault.call("secret.show", {"integration": NAME, "key": KEY})["versions"]
    equal([entry["state"] for entry in shown], ["current"] + ["revoked"] * (ROUNDS + 1), "states")
    with open(vault.at("state", "coffer.db"), "rb") as file:
        assert b"scram" not in file.read(), "plaintext in the store"
    rows = vault.audit(integration=NAME)
    for entry in shown[: ROUNDS]:
        version, person = entry["version"], None
        story = []
        for record in rows:
            of_version = record["version"] == version or f"{KEY}={version} " in record["subject"] + " "
            if record["outcome"] != "ok" or not of_version:
                continue
            if record["kind"] == "env.fetch" and record["detail"] != "staged":
                continue
            story.append(record["kind"])
            if record["kind"] == "secret.put":
                person = record["uid"]
                equal(record["detail"], "staged", "how it was put")
            elif record["kind"] != "secret.revoke":
                equal(record["uid"], person, f"who did {record['kind']} of version {version}")
            assert record["detail"] not in ("untested", "forced"), record
        wanted = ["secret.put", "env.fetch", "secret.record_test", "secret.promote"]
        equal(story, wanted + (["secret.revoke"] if entry["state"] == "revoked" else []), f"story of version {version}")
    text = json.dumps(rows)
    for value in state["values"]:
        assert value not in text and value.split("password=")[1].split()[0] not in text, "a value in the audit log"
    equal(vault.must_coffer("audit", "verify")[:0], b"", "audit verify")


@suite.check
def the_server_ends(vault):
    state["server"].close()


if __name__ == "__main__":
    if not glob.glob("/usr/lib/postgresql/*/bin/initdb"):
        print("1..1\nnot ok 1 - PostgreSQL is not installed: apt-get install postgresql python3-psycopg2")
        sys.exit(1)
    try:
        suite.run()
    finally:
        if "server" in state and state["server"].process.poll() is None:
            state["server"].close()
        shutil.rmtree(os.path.join(suite.folder or "/nonexistent", "server"), ignore_errors=True)
