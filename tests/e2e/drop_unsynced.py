#!/usr/bin/python3
"""200 power cuts under load: what was acknowledged is there, and what was revoked is gone (P5, P10).

A power cut is kill -9 and then the loss of what had not been synced: unsynced.c notes each change of the state directory
and each sync, and the directory is put back to what it held after the cut before, with the notes applied that survive.
Three kinds of cut take turns: all unsynced changes are lost; some of them are, in no order; the last write is torn.
"""
import collections
import contextlib
import itertools
import os
import random
import shutil
import sqlite3
import struct
import tempfile
import threading

from coffer_test import ADMIN, ETL, OPERATOR, STRANGER, Refused, Suite, Vault, canary, equal, identity
from kill import Key, Load

ROUNDS = int(os.environ.get("COFFER_TEST_KILLS", "200"))
ROUNDS_PER_INTEGRATION = 10
ROUNDS_PER_CHECK = 10
SEARCHES, PUTS_PER_SEARCH = 150, 5
SECTOR = 512
PIECE = 24  # bytes of a ciphertext that are nowhere else by chance
LIMITS = {"fetches_per_minute": 1000000}

CREATE, UNLINK, WRITE, TRUNCATE, SYNC = range(5)  # as in unsynced.c
NOTE = struct.Struct("=IIQQ")
DIRECTORY = ""  # the name under which the directory itself is synced
CURRENT, REVOKED = 1, 3  # states of a version in the store

suite = Suite()
strangers = itertools.count(STRANGER)  # one for each round: its refusals have a window of their own

Change = collections.namedtuple("Change", "kind name offset bytes")


# ---- what a power cut leaves ----


def read_changes(path):
    """The notes; what the kill cut off at the end was not done."""
    changes, at = [], 0
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        notes = file.read()
        while at + NOTE.size <= len(notes):
            kind, name_bytes, offset, count = NOTE.unpack_from(notes, at)
            at += NOTE.size + name_bytes + count
            if at <= len(notes):
                name = notes[at - count - name_bytes : at - count].decode()
                changes.append(Change(kind, name, offset, notes[at - count : at]))
    return changes


def unsynced_of(changes):
    """The numbers of those that no sync has made durable: of a file's bytes its own, of its name the directory's."""
    unsynced, pending = set(), collections.defaultdict(list)
    for number, change in enumerate(changes):
        if change.kind == SYNC:
            unsynced.difference_update(pending.pop(change.name, []))
            continue
        if change.kind in (CREATE, UNLINK):
            pending.pop(change.name, None)  # from here on the name means another file
        pending[DIRECTORY if change.kind in (CREATE, UNLINK) else change.name].append(number)
        unsynced.add(number)
    return sorted(unsynced)


def overwrite(data, change):
    if change.kind == TRUNCATE:
        del data[change.offset :]
    missing = change.offset - len(data)
    data.extend(bytes(max(missing, 0)))
    data[change.offset : change.offset + len(change.bytes)] = change.bytes


def apply(files, changes, lost=()):
    """The files after the changes but the lost ones.  What is done to a file whose name is lost is lost with it."""
    left = {name: bytearray(data) for name, data in files.items()}
    seen = dict(left)  # what the process had before it
    for number, change in enumerate(changes):
        is_kept = number not in lost
        if change.kind == CREATE:
            seen[change.name] = bytearray()
            if is_kept:
                left[change.name] = seen[change.name]
        elif change.kind == UNLINK:
            del seen[change.name]
            if is_kept:
                left.pop(change.name, None)
        elif change.kind != SYNC and is_kept:
            overwrite(seen[change.name], change)
    return left


def lose_all(changes, unsynced):
    return changes, set(unsynced)


def lose_some(changes, unsynced):
    """Bytes are lost in no order; a directory is a journal and loses its end."""
    names = [number for number in unsynced if changes[number].kind in (CREATE, UNLINK)]
    lost = set(names[random.randint(0, len(names)) :])
    lost.update(number for number in unsynced if number not in names and random.random() < 0.5)
    return changes, lost


def tear_last(changes, unsynced):
    """Of the last write only its first sectors are on the disk; all before it is."""
    writes = [number for number in unsynced if changes[number].kind == WRITE]
    if not writes:
        return changes, set()
    last = changes[writes[-1]]
    borders = range(-last.offset % SECTOR, len(last.bytes), SECTOR)
    torn = last._replace(bytes=last.bytes[: random.choice([0, *borders])])
    return [torn if change is last else change for change in changes], set()


def is_on_the_way(found, before, after):
    """Is this one file in the middle of its last change, which a kill may interrupt?"""
    if found in (before, after):
        return True
    if found is None or before is None or after is None:
        return False
    done = len(os.path.commonprefix([found, bytes(after)]))
    return found[done:] == before[done:]


class Disk:
    """The state directory, and what of it is durable."""

    def __init__(self, folder, log):
        self.folder = folder
        self.log = log
        self.durable = self.read()
        self.lost = 0  # changes, in all cuts
        self.cuts_with_loss = 0

    def read(self):
        files = {}
        for entry in os.scandir(self.folder):
            with open(entry.path, "rb") as file:
                files[entry.name] = file.read()
        return files

    def write(self, files):
        for name in os.listdir(self.folder):
            if name not in files:
                os.unlink(os.path.join(self.folder, name))
        for name, data in files.items():
            descriptor = os.open(
                os.path.join(self.folder, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600
            )
            with open(descriptor, "wb") as file:
                file.write(data)

    def must_explain(self, changes):
        """The notes tell the whole story: else unsynced.c has to learn another call."""
        found, after = self.read(), apply(self.durable, changes)
        if found != after:
            before = apply(self.durable, changes[:-1])
            for name in {*found, *before, *after}:
                assert is_on_the_way(
                    found.get(name), before.get(name), after.get(name)
                ), f"{name} was changed without a note"

    def cut(self, lose):
        changes = read_changes(self.log)
        self.must_explain(changes)
        unsynced = unsynced_of(changes)
        self.lost += len(unsynced)
        self.cuts_with_loss += bool(unsynced)
        self.durable = apply(self.durable, *lose(changes, unsynced))
        self.write(self.durable)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.log)

    def must_not_hold(self, pieces, whose):
        for name, data in self.read().items():
            for piece in pieces:
                assert piece not in data, f"{name} holds the ciphertext of {whose}, which was revoked"

    def log_must_not_hold(self, revoked):
        """As must_not_hold, of many at once and in the write-ahead log alone: no page may bring it there again."""
        log = self.read().get("coffer.db-wal", b"")
        windows = {log[at : at + PIECE] for at in range(len(log))}
        for whose, pieces in revoked.items():
            assert windows.isdisjoint(
                pieces
            ), f"the log holds the ciphertext of {whose}, which was revoked, again"

    @contextlib.contextmanager
    def query(self):
        """The store as it is now, read from a copy; only while nobody changes it."""
        with tempfile.TemporaryDirectory(dir=os.path.dirname(self.log)) as copy:
            for entry in os.scandir(self.folder):
                shutil.copy(entry.path, copy)
            with contextlib.closing(sqlite3.connect(os.path.join(copy, "coffer.db"))) as store:
                yield store.execute


class FrailVault(Vault):
    """A vault on such a disk: to kill it is to cut the power."""

    def __init__(self, *cuts):
        super().__init__(suite.programs, suite.folder, limits=LIMITS)
        suite.vaults.append(self)
        self.disk = Disk(os.path.realpath(self.at("state")), self.at("unsynced"))
        self.cuts = itertools.cycle(cuts)
        self.lies = False

    def environment(self, **more):
        if hasattr(self, "disk"):  # from the first start on
            more["LD_PRELOAD"] = self.programs["unsynced.so"]
            more["UNSYNCED_DIRECTORY"] = self.disk.folder
            more["UNSYNCED_LOG"] = self.disk.log
            if self.lies:
                more["UNSYNCED_LIES"] = "1"
        return super().environment(**more)

    def kill(self):
        status = super().kill()
        with identity(ADMIN):  # a client that is connecting has this process act as another user
            self.disk.cut(next(self.cuts))
        return status


# ---- load ----


class SizedKey(Key):
    """Values that lie within a page, fill one, and go over several."""

    def __init__(self, number):
        super().__init__(number)
        self.filling = canary(3000)

    def value(self, number):
        return f"{number}:{self.salt}{self.filling[: (0, 200, 900, 3000)[number % 4]]}"


def pieces_of(sealed):
    """Short enough that one of them lies within a page, whatever was cut where."""
    return [sealed[at : at + PIECE] for at in range(0, len(sealed) - PIECE + 1, 8 * PIECE)]


def revocable_of(query, name):
    """(key, version) → pieces of its ciphertext, for each version of an integration that has had its day."""
    rows = query(
        'SELECT "key", version, sealed FROM version JOIN integration i ON i.id = integration_id'
        " WHERE i.name = ? AND version.state NOT IN (?, ?)",
        (name, CURRENT, REVOKED),
    )
    return {(key, version): pieces_of(sealed) for key, version, sealed in rows}


class FrailLoad(Load):
    """Puts and fetches, and also refusals and revokes; every reply is remembered."""

    def __init__(self, vault, name):
        super().__init__(vault, name)
        self.keys = [SizedKey(number) for number in range(len(self.keys))]
        self.runs = set()
        self.stranger, self.refusals = STRANGER, 0
        self.revocable = {}  # as revocable_of says
        self.revoked = {}  # those of the newest round
        self.gone = {}  # those of all rounds

    def read(self, vault):
        with contextlib.suppress(OSError, AssertionError, Refused), vault.client(ETL) as client:
            while not self.stop.is_set():
                floor = {key.name: key.acknowledged for key in self.keys}
                result = client.call("env.fetch", {"integration": self.name})
                self.runs.add(result["run"])
                self.compare({entry["key"]: entry["value"] for entry in result["env"]}, floor)

    def refuse(self, vault):
        with contextlib.suppress(OSError, AssertionError), vault.client(self.stranger) as client:
            while not self.stop.is_set():
                client.must_refuse("env.fetch", {"integration": self.name}, "denied")
                self.refusals += 1

    def revoke(self, vault):
        with contextlib.suppress(OSError, AssertionError), vault.client(OPERATOR) as client:
            for (key, version), pieces in self.revocable.items():
                if self.stop.is_set():
                    break
                client.call(
                    "secret.revoke", {"integration": self.name, "key": key, "version": version, "force": True}
                )
                self.revoked[key, version] = pieces

    def strike(self, vault):
        self.stop.clear()
        self.stranger, self.refusals, self.revoked = next(strangers), 0, {}
        threads = [threading.Thread(target=work, args=(vault,)) for work in (self.refuse, self.revoke)]
        for thread in threads:
            thread.start()
        super().strike(vault)
        for thread in threads:
            thread.join()

    def check_durable(self, disk):
        """What the cut has left, before any start could repair it."""
        for whose, pieces in self.revoked.items():
            disk.must_not_hold(pieces, whose)
        self.gone.update(self.revoked)
        disk.log_must_not_hold(self.gone)
        with disk.query() as query:
            self.revocable = revocable_of(query, self.name)
            back = self.gone.keys() & self.revocable.keys()
            assert not back, f"{back} were revoked and are there again"
            runs = {
                run for (run,) in query("SELECT run FROM audit WHERE kind = 'env.fetch' AND outcome = 'ok'")
            }
            assert self.runs <= runs, f"{len(self.runs - runs)} fetches have no record"
            (counted,) = query(
                'SELECT coalesce(sum("count"), 0) FROM refusal WHERE uid = ?', (self.stranger,)
            ).fetchone()
            assert counted >= self.refusals, f"{self.refusals} refusals, {counted} are counted"


# ---- checks ----


@suite.check
def a_disk_that_only_claims_to_sync_is_found_out(_):
    """The control: without it the other checks would prove nothing."""
    vault = FrailVault(lose_all)
    vault.start()
    load = FrailLoad(vault, "lies/puts")
    key = load.keys[0]
    vault.kill()
    vault.lies = True
    vault.start()
    vault.put(load.name, key.name, key.value(1))
    key.sent = key.acknowledged = 1
    vault.kill()
    vault.lies = False
    vault.start()
    try:
        load.check(vault)
    except AssertionError as error:
        equal(str(error), f"{key.name}: 0, acknowledged 1, sent 1", "what was found")
    else:
        raise AssertionError("the put of a lying disk was not lost")
    vault.close()


@suite.check
def every_acknowledged_put_survives_the_loss_of_unsynced_writes_and_the_audit_log_verifies(_):
    vault = FrailVault(lose_all, lose_some, tear_last)
    vault.start()
    puts = fetches = refusals = revokes = 0
    for number in range(ROUNDS):
        if number % ROUNDS_PER_INTEGRATION == 0:  # so that histories stay short
            load = FrailLoad(vault, f"load/{number}")
        before = load.acknowledged(), len(load.runs)
        load.strike(vault)
        puts += load.acknowledged() - before[0]
        fetches += len(load.runs) - before[1]
        revokes += len(load.revoked)
        refusals += load.refusals
        load.check_durable(vault.disk)
        if number % ROUNDS_PER_CHECK == 0:
            done = vault.cofferd("check")
            equal(done.returncode, 0, f"exit status of cofferd check ({done.stderr})")
        vault.start()
        load.check(vault)
        vault.must_coffer("audit", "verify")
    print(f"# {puts} puts, {fetches} fetches, {refusals} refusals and {revokes} revokes were acknowledged")
    print(f"# {vault.disk.lost} unsynced changes at {vault.disk.cuts_with_loss} of {ROUNDS} cuts")
    assert min(puts, fetches, refusals, revokes) >= ROUNDS / 2, "too little load"
    assert vault.disk.cuts_with_loss >= ROUNDS / 4, "too few cuts hit anything"
    vault.close()


@suite.check
def a_revoked_ciphertext_does_not_come_back_with_the_loss_of_unsynced_writes(_):
    """P10, with the cut right behind the reply."""
    vault = FrailVault(lose_all, lose_some)
    vault.start()
    vault.add("gone/soon")
    for number in range(1, 11):
        vault.put("gone/soon", "KEY", canary(3000))
        vault.put("gone/soon", "KEY", canary(3000))
        with vault.disk.query() as query:
            (sealed,) = query("SELECT sealed FROM version WHERE version = ?", (2 * number - 1,)).fetchone()
        pieces = pieces_of(sealed)
        assert any(pieces[0] in data for data in vault.disk.read().values()), "a search finds what is there"
        vault.call(
            "secret.revoke",
            {"integration": "gone/soon", "key": "KEY", "version": 2 * number - 1, "force": True},
            OPERATOR,
        )
        vault.kill()
        vault.disk.must_not_hold(pieces, f"version {2 * number - 1}")
        vault.start()
    vault.close()


@suite.check
def a_revoked_ciphertext_does_not_come_back_with_later_writes(_):
    """P10, without any cut: pages that SQLite still has in memory may hold what is gone from the files."""
    vault = FrailVault(lose_all)
    vault.start()
    vault.add("gone/for-good")
    with vault.client(OPERATOR) as client:

        def ask(method, key, **more):
            client.call(method, {"integration": "gone/for-good", "key": key, **more})

        def put_some():
            for _ in range(PUTS_PER_SEARCH):
                ask(
                    "secret.put",
                    f"KEY_{random.randint(0, 2)}",
                    value=canary(random.choice((20, 200, 900, 3000))),
                )

        revoked = {}
        for _ in range(SEARCHES):
            put_some()
            with vault.disk.query() as query:
                revocable = revocable_of(query, "gone/for-good")
            for key, version in revocable:
                ask("secret.revoke", key, version=version, force=True)
                revoked[key, version] = revocable[key, version]
            put_some()
            vault.disk.log_must_not_hold(revoked)
    vault.close()


if __name__ == "__main__":
    suite.run()
