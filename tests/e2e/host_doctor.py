#!/usr/bin/python3
"""coffer doctor, and the timers for alerts and metrics, on a real host: what is found is mended by the words of the finding."""
import json
import re

from coffer_test import canary, equal
from host_test import HostSuite
from host_vault import ETL, add, make_vault

NAME = "finance/warehouse-sync"
VALUE, LOST = canary(), canary()
TEXTFILES = "/var/lib/prometheus/node-exporter"
EXPOSURE_MOST = 1.0
# What no container can mend: they are the kernel's and the machine's, and the key's file lies on the only disk there is.
NOT_OURS = ("swap", "core_dumps", "ptrace", "kernel", "clock", "root_key")

suite = HostSuite()
recovery = {}


def doctor(host, *words, **how):
    """Findings by id, and the checks."""
    done = host.run("coffer", "doctor", "--json", *words, **how)
    equal(done.stderr, "", "messages")
    for value in (VALUE, LOST):
        assert value not in done.stdout, "a value was shown"
    result = json.loads(done.stdout)
    equal(done.returncode, 1 if result["problems"] else 0, f"exit status ({result['findings']})")
    return {one["id"]: one for one in result["findings"]}, {one["id"]: one for one in result["checks"]}


def unit_with(line):
    return f"[Service]\nType=oneshot\nExecStart=/bin/true\n{line}\n"


@suite.setup
def prepare(host):
    printed = make_vault(host)
    recovery["key"] = re.search(r"coffer-recovery-1-\S+", printed).group()
    add(host, NAME, [f"user={ETL}", "unit=etl.service"], API_TOKEN=VALUE)


@suite.check
def debians_own_units_are_no_findings_and_all_are_read(host):
    findings, checks = doctor(host)
    assert not any(name.startswith("secret_in_unit") for name in findings), findings
    equal((checks["secret_in_unit"]["state"], checks["secret_in_unit"]["reason"]), ("ok", None), "units")


@suite.check
def a_secret_in_a_unit_is_found_and_imported_by_the_words_of_its_mend(host):
    host.unit("app.service", unit_with(f"Environment=DB_PASSWORD={LOST} LEVEL=info"))
    findings, _ = doctor(host)
    one = findings["secret_in_unit:app.service:DB_PASSWORD"]
    assert one["text"].startswith("/etc/systemd/system/app.service:4: DB_PASSWORD of app.service"), one
    assert "systemctl show" in one["text"], one
    assert LOST in host.must(
        "systemctl", "show", "app.service", user="nobody"
    ), "this is no reason to tell it"
    command = one["mend"].split(",")[0].replace("INTEGRATION", NAME)
    host.must(*command.split())
    host.unit("app.service", unit_with("Environment=LEVEL=info"))
    findings, _ = doctor(host)
    assert not any(name.startswith("secret_in_unit") for name in findings), findings
    assert "DB_PASSWORD" in host.must("coffer", "secret", "list", NAME), "it is not in the vault"


@suite.check
def a_secret_in_a_file_of_roots_is_not_checked_by_another_user(host):
    host.write("/etc/app.env", f"SMTP_PASSWORD={LOST}\n", 0o600)
    host.unit("app.service", unit_with("EnvironmentFile=/etc/app.env"))
    findings, _ = doctor(host)
    assert "secret_in_unit:app.service:SMTP_PASSWORD" in findings, findings
    findings, checks = doctor(host, user="nobody")
    assert "secret_in_unit:app.service:SMTP_PASSWORD" not in findings, findings
    state = (checks["secret_in_unit"]["state"], checks["secret_in_unit"]["reason"])
    equal(state, ("not_checked", "/etc/app.env: Permission denied"), "units")
    for check in ("shared_user", "root_key", "recovery"):
        equal(checks[check]["state"], "not_checked", check)
    host.must("rm", "/etc/app.env", "/etc/systemd/system/app.service")


@suite.check
def every_other_finding_goes_with_its_mend_until_the_host_is_good(host):
    findings, _ = doctor(host)
    equal(findings["root_key"]["severity"], "problem", "a key's file on the disk of the store")
    equal(findings[f"login_shell:{ETL}"]["mend"], f"usermod --shell /usr/sbin/nologin {ETL}", "mend")
    host.must(*findings[f"login_shell:{ETL}"]["mend"].split())
    stop, middle, start = re.split(r" && |; ", findings["recovery"]["mend"])
    host.must(*stop.split())
    host.must(*middle.split(), stdin=recovery["key"] + "\n")
    host.must(*start.split())
    host.must(*findings["unwatched"]["mend"].split(",")[0].split())
    excepted = [word for check in NOT_OURS for word in ("--except", check)]
    findings, checks = doctor(host, *excepted)
    equal(findings, {}, "findings")
    left = {name for name, one in checks.items() if one["state"] != "ok"}
    equal(left, set(NOT_OURS), "checks that are not well")


# ---- timers ----


@suite.check
def timers_are_not_enabled_by_themselves(host):
    other = suite.host()
    other.install()
    for timer in ("coffer-alerts.timer", "coffer-metrics.timer"):
        equal(other.run("systemctl", "is-enabled", timer).stdout, "disabled\n", timer)
        assert not other.is_active(timer), timer
    other.down()
    assert host.is_active("coffer-alerts.timer"), "the mend above has enabled it"


@suite.check
def an_alert_is_a_failed_unit_with_the_alert_in_its_journal_until_somebody_has_seen_it(host):
    done = host.run("systemctl", "start", "coffer-alerts.service")
    assert done.returncode != 0, "the secrets have no description, which is an alert"
    equal(host.show("coffer-alerts.service", "ExecMainStatus"), "1", "exit status")
    host.wait_for_journal(f"no_description:{NAME}:API_TOKEN", "coffer-alerts.service")
    for alert in json.loads(host.must("sh", "-c", "coffer alerts --json || test $? = 1"))["alerts"]:
        host.must("coffer", "alert", "ack", alert["id"], "--until", "1d", "--note", "seen")
    host.must("systemctl", "start", "coffer-alerts.service")
    equal(host.show("coffer-alerts.service", "Result"), "success", "result")


@suite.check
def metrics_are_a_file_for_the_exporter_alone(host):
    host.must("systemctl", "start", "coffer-metrics.service")
    assert not host.exists(TEXTFILES), "without the exporter there is nothing to write"
    host.must("useradd", "--system", "--user-group", "prometheus")
    host.must("install", "--directory", TEXTFILES)
    host.must("systemctl", "start", "coffer-metrics.service")
    path = f"{TEXTFILES}/coffer.prom"
    equal(host.must("stat", "--format=%a %U:%G", path), "640 root:prometheus\n", "mode and owner")
    text = host.must("cat", path, user="prometheus")
    assert "coffer_up 1\n" in text and text.endswith("\n# EOF\n"), text
    assert f'coffer_integration_holders{{integration="{NAME}"}} 0\n' in text, text
    equal(host.must("ls", "--almost-all", TEXTFILES), "coffer.prom\n", "what is in the folder")
    assert host.run("cat", path, user="nobody").returncode != 0, "others read the names of integrations"


@suite.check
def the_timers_services_are_hardly_exposed(host):
    for name in ("coffer-alerts.service", "coffer-metrics.service"):
        text = host.must("systemd-analyze", "security", "--no-pager", name)
        exposure = float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", text).group(1))
        print(f"# {name}: exposure level {exposure}", flush=True)
        assert exposure <= EXPOSURE_MOST, text


if __name__ == "__main__":
    suite.run()
