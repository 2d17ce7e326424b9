#!/usr/bin/python3
"""coffer doctor with a real vault: what it asks of the daemon, who is told, and a mend that mends."""
import json
import os
import subprocess

from coffer_test import AUDITOR, ETL, OPERATOR, STRANGER, Suite, canary, equal, forms_of

ONE, TWO = "finance/sync", "crm"
VALUE = canary()

suite = Suite()


def doctor(vault, *words, uid=0, root=None):
    root = root or vault.at("host")
    done = vault.coffer("doctor", "--json", "--root", root, *words, uid=uid)
    equal(done.stderr, b"", "messages")
    for form in forms_of(VALUE):
        assert form not in done.stdout, "a value was shown"
    result = json.loads(done.stdout)
    equal(done.returncode, 1 if result["problems"] else 0, "exit status")
    return {one["id"]: one for one in result["findings"]}, {one["id"]: one for one in result["checks"]}


def write(vault, name, text):
    path = vault.at("host", name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


@suite.setup
def prepare(vault):
    write(vault, "etc/passwd", f"root:x:0:0::/:/bin/sh\netl:x:{ETL}:{ETL}::/:/usr/sbin/nologin\n")
    write(vault, "proc/self/mountinfo", "22 1 254:0 / / rw - ext4 /dev/vda1 rw\n")
    write(vault, "sys/dev/block/254:0/size", "1\n")
    write(
        vault, "etc/systemd/system/etl.service", f"[Service]\nExecStart=/bin/x\nEnvironment=API_KEY={VALUE}\n"
    )
    vault.add(ONE)
    vault.add(TWO)
    vault.grant(ONE, user=ETL, unit="etl.service")


@suite.check
def who_has_no_role_is_told_of_the_host_alone(vault):
    for uid in (STRANGER, ETL):
        _, checks = doctor(vault, uid=uid)
        for check in ("shared_user", "grant_without_unit", "recovery", "root_key"):
            equal(checks[check]["state"], "not_checked", f"{check} for {uid}")


@suite.check
def an_operator_is_told_all_but_the_audit_log(vault):
    _, checks = doctor(vault, uid=OPERATOR)
    equal(checks["recovery"]["state"], "not_checked", "recovery")
    equal(checks["shared_user"]["state"], "ok", "shared users")


@suite.check
def the_key_beside_the_store_and_the_secret_are_found(vault):
    for uid in (0, AUDITOR):
        findings, _ = doctor(vault, uid=uid)
        equal(findings["root_key"]["severity"], "problem", "the key's file is on the disk of the store")
        assert vault.at("root.key") in findings["root_key"]["text"], findings["root_key"]
        assert "secret_in_unit:etl.service:API_KEY" in findings, findings
        assert "recovery" in findings, findings


@suite.check
def what_is_granted_later_is_found_and_mended_by_its_own_words(vault):
    number = vault.grant(TWO, user=ETL)["grant"]["id"]
    findings, _ = doctor(vault)
    assert f"shared_user:{ETL}" in findings, findings
    name = f"grant_without_unit:{TWO}:{number}"
    mend = findings[name]["mend"].replace("NAME.service", "crm.service")
    for words in mend.split(" && "):
        vault.must_coffer(*words.split()[1:])
    findings, _ = doctor(vault)
    assert name not in findings, findings


@suite.check
def a_proven_recovery_key_is_no_advice_any_more(vault):
    equal(vault.stop(), 0, "exit status")
    key = next(word for word in vault.recovery_key.split() if word.startswith("coffer-recovery-1-"))
    for text, status in ((key[:-1] + ("0" if key[-1] != "0" else "1"), 65), (key, 0)):
        done = subprocess.run(
            [vault.programs["cofferd"], "recover-check", "--config", vault.config],
            input=text + "\n",
            env=vault.environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        equal(done.returncode, status, f"exit status of recover-check ({done.stderr})")
        assert key not in done.stdout + done.stderr, "the recovery key was shown"
    vault.start()
    findings, checks = doctor(vault)
    assert "recovery" not in findings, findings
    equal(checks["recovery"]["state"], "ok", "recovery")
    vault.must_coffer("audit", "verify")


@suite.check
def the_real_host_is_looked_at_without_an_error(vault):
    done = vault.coffer("doctor")
    assert done.returncode in (0, 1) and done.stderr == b"", done
    assert done.stdout.splitlines()[-1].startswith(b"17 checks: "), done.stdout[-200:]


if __name__ == "__main__":
    suite.run()
