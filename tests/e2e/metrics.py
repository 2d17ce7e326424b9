#!/usr/bin/python3
"""coffer metrics of a real vault: read by an independent parser, right in its numbers, and in a file that is whole at any moment."""
import os
import threading
import time

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from coffer_test import AUDITOR, ETL, OPERATOR, STRANGER, Suite, canary, equal, forms_of

NAMES = ("finance/warehouse-sync", "a", "0-._", "w" * 64 + "/" + "n" * 64)
VALUE = canary()

suite = Suite()


def read(data):
    """Name of sample → {labels: value}."""
    found = {}
    for family in text_string_to_metric_families(data.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


@suite.setup
def prepare(vault):
    for name in NAMES:
        vault.add(name)
        vault.put(name, "KEY", VALUE)
    vault.grant(NAMES[0], user=ETL)


@suite.check
def strangers_and_the_granted_are_refused(vault):
    for uid in (STRANGER, ETL):
        done = vault.coffer("metrics", uid=uid)
        equal((done.returncode, done.stdout), (77, b""), f"metrics for {uid}")


@suite.check
def every_role_reads_the_same_numbers_and_no_value(vault):
    for uid in (0, OPERATOR, AUDITOR):
        data = vault.must_coffer("metrics", uid=uid)
        for form in forms_of(VALUE):
            assert form not in data, "a value in the metrics"
        found = read(data)
        equal(found["coffer_up"], {(): 1}, "up")
        equal(found["coffer_sealed"], {(): 0}, "sealed")
        equal(
            found["coffer_integrations"], {("active",): 4, ("suspended",): 0, ("retired",): 0}, "integrations"
        )
        equal(found["coffer_versions"][("current",)], 4, "versions")
        equal(set(found["coffer_integration_holders"]), {(name,) for name in NAMES}, "integrations by name")
        assert found["coffer_connections"][()] >= 1, "our own connection"
        assert found["coffer_store_free_bytes"][()] > 0, "free space"
        status = vault.call("status")
        equal(found["coffer_audit_records"][()], status["counts"]["audit_records"], "audit records")


@suite.check
def fetches_and_refusals_move_their_counters(vault):
    before = read(vault.must_coffer("metrics"))
    with vault.client(ETL) as client:
        for _ in range(5):
            client.call("env.fetch", {"integration": NAMES[0]})
        during = read(vault.must_coffer("metrics"))
    with vault.client(STRANGER) as client:
        for _ in range(7):
            client.must_refuse("env.fetch", {"integration": NAMES[0]}, "denied")
    after = read(vault.must_coffer("metrics"))
    equal(after["coffer_fetches_total"][()] - before["coffer_fetches_total"][()], 5, "fetches")
    equal(
        after["coffer_refusals_total"][("denied",)] - before["coffer_refusals_total"][("denied",)],
        7,
        "refusals",
    )
    equal(during["coffer_integration_holders"][(NAMES[0],)], 1, "holders")
    last = after["coffer_integration_last_fetch_timestamp_seconds"]
    equal(set(last), {(NAMES[0],)}, "integrations that were fetched")
    assert abs(last[(NAMES[0],)] - time.time()) < 60, last


@suite.check
def who_reads_the_file_while_it_is_written_reads_a_whole_one(vault):
    folder = vault.at("textfile")
    os.mkdir(folder, 0o755)
    os.chown(folder, AUDITOR, AUDITOR)
    path = os.path.join(folder, "coffer.prom")
    vault.must_coffer("metrics", "--textfile", path, uid=AUDITOR)
    faults, is_over = [], threading.Event()

    def look():
        while not is_over.is_set():
            with open(path, "rb") as file:
                data = file.read()
            if not data.endswith(b"# EOF\n"):
                faults.append(data[-80:])

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(30):
            vault.must_coffer("metrics", "--textfile", path, uid=AUDITOR)
    finally:
        is_over.set()
        thread.join()
    equal(faults, [], "torn files")
    equal(os.listdir(folder), ["coffer.prom"], "what is left in the folder")
    info = os.stat(path)
    equal((info.st_mode & 0o777, info.st_uid), (0o640, AUDITOR), "mode and owner")


@suite.check
def without_the_daemon_the_file_says_so(vault):
    path = vault.at("textfile", "coffer.prom")
    done = vault.coffer("metrics", "--textfile", path, "--socket", vault.at("none"))
    equal(done.returncode, 69, "exit status")
    with open(path, "rb") as file:
        equal(read(file.read()), {"coffer_up": {(): 0}}, "what is known without the daemon")


if __name__ == "__main__":
    suite.run()
