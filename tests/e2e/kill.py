#!/usr/bin/python3
"""200 times kill -9 at a random moment under load: what was acknowledged is there, nothing is half there (P5).

Each writer puts one key after the other, values numbered, and remembers the newest that was acknowledged and the newest
that was sent.  After each restart every key must be fetched with a value between those two, the versions must be
without gaps, and the audit chain must verify.
"""
import contextlib
import os
import random
import threading
import time

from coffer_test import ETL, OPERATOR, Refused, Suite, canary, equal

ROUNDS = int(os.environ.get("COFFER_TEST_KILLS", "200"))
WRITERS, READERS = 3, 2
LOAD_MS = (1, 60)  # how long the load runs before the blow
ROUNDS_PER_INTEGRATION = 10

suite = Suite(limits={"fetches_per_minute": 1000000})


class Key:
    """One writer's key: value number n is the n-th that was sent; 0: none yet."""

    def __init__(self, number):
        self.name = f"KEY_{number}"
        self.salt = canary(24)
        self.sent = self.acknowledged = 0
        self.version = 0  # of the newest acknowledged

    def value(self, number):
        return f"{number}:{self.salt * (1 + number % 3)}"

    def number_of(self, value):
        number = int(value.split(":", 1)[0])
        equal(value, self.value(number), f"{self.name} as fetched")
        return number


class Load:
    """Writers and readers of one integration."""

    def __init__(self, vault, name):
        self.name = name
        self.keys = [Key(number) for number in range(WRITERS)]
        self.stop = threading.Event()
        self.failure = None
        vault.add(name)
        vault.grant(name, user=ETL)

    def acknowledged(self):
        return sum(key.acknowledged for key in self.keys)

    def write(self, vault, key):
        with contextlib.suppress(OSError, AssertionError), vault.client(OPERATOR) as client:  # until the blow
            while not self.stop.is_set():
                key.sent += 1
                result = client.call(
                    "secret.put", {"integration": self.name, "key": key.name, "value": key.value(key.sent)}
                )
                key.acknowledged, key.version = key.sent, result["version"]

    def read(self, vault):
        with contextlib.suppress(OSError, AssertionError, Refused), vault.client(ETL) as client:
            while not self.stop.is_set():
                floor = {key.name: key.acknowledged for key in self.keys}
                values = {
                    entry["key"]: entry["value"]
                    for entry in client.call("env.fetch", {"integration": self.name})["env"]
                }
                self.compare(values, floor)

    def compare(self, values, floor):
        for key in self.keys:
            number = key.number_of(values[key.name]) if key.name in values else 0
            if not floor[key.name] <= number <= key.sent:
                self.failure = (
                    f"{key.name}: fetched {number}, acknowledged before {floor[key.name]}, sent {key.sent}"
                )

    def strike(self, vault):
        """The load, and the blow in the middle of it."""
        self.stop.clear()
        threads = [threading.Thread(target=self.write, args=(vault, key)) for key in self.keys]
        threads += [threading.Thread(target=self.read, args=(vault,)) for _ in range(READERS)]
        for thread in threads:
            thread.start()
        time.sleep(random.uniform(*LOAD_MS) / 1000)  # the moment of the blow, not a wait for anything
        vault.kill()
        self.stop.set()
        for thread in threads:
            thread.join()

    def check(self, vault):
        assert self.failure is None, self.failure
        values = {}
        with contextlib.suppress(Refused):  # before the first put there is nothing to fetch
            values = vault.fetch(self.name)
        for key in self.keys:
            number = key.number_of(values[key.name]) if key.name in values else 0
            assert (
                key.acknowledged <= number <= key.sent
            ), f"{key.name}: {number}, acknowledged {key.acknowledged}, sent {key.sent}"
            key.sent = key.acknowledged = number
            if number:
                self.check_versions(vault, key)

    def check_versions(self, vault, key):
        versions = vault.call("secret.show", {"integration": self.name, "key": key.name})["versions"]
        numbers = sorted(entry["version"] for entry in versions)
        equal(numbers, list(range(1, len(numbers) + 1)), f"{key.name}: versions")
        assert (
            len(numbers) >= key.version
        ), f"{key.name}: version {key.version} was acknowledged, {len(numbers)} are there"
        equal(
            [entry["version"] for entry in versions if entry["state"] == "current"],
            numbers[-1:],
            f"{key.name}: current",
        )


@suite.check
def every_acknowledged_put_survives_kill_9_and_the_audit_log_verifies(vault):
    acknowledged = 0
    for number in range(ROUNDS):
        if number % ROUNDS_PER_INTEGRATION == 0:  # so that histories stay short
            load = Load(vault, f"load/{number}")
        before = load.acknowledged()
        load.strike(vault)
        acknowledged += load.acknowledged() - before
        vault.start()
        load.check(vault)
        vault.must_coffer("audit", "verify")
    assert acknowledged >= ROUNDS, f"only {acknowledged} puts were acknowledged in {ROUNDS} rounds"
    print(f"# {acknowledged} acknowledged puts over {ROUNDS} kills")


if __name__ == "__main__":
    suite.run()
