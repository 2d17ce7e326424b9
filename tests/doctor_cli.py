#!/usr/bin/python3
"""coffer doctor against a host of files and a daemon that answers by script: what is found, what is not, and what could not be looked at.

usage: doctor_cli.py COFFER_MANAGE"""

import base64
import json
import os
import sys
import unittest

import manage_base
from fake_daemon import FakeDaemon, refusal
from manage_base import CommandTest, manage

VALUE = "hunter2-and-more"
HOST_KEY = bytes.fromhex("5a1c6a86df9d4096b1d5a65e0862f19a")
NO_KEY = bytes.fromhex("058469daf6f543248005 49da0f8ea2fb".replace(" ", ""))
TPM_KEY = bytes.fromhex("93a8940948744490 90caf2fc93cab553".replace(" ", ""))
CHECKS = {
    "shared_user", "user_gone", "login_shell", "grant_without_unit", "secret_in_unit", "credential_type", "credential_name", "service",
    "root_key", "recovery", "store_filesystem", "unwatched", "swap", "core_dumps", "ptrace", "kernel", "clock",
}  # fmt: skip

# A host about which there is nothing to say.
GOOD = {
    "etc/passwd": "root:x:0:0::/root:/bin/bash\netl:x:990:990::/:/usr/sbin/nologin\ncrm:x:991:991::/:/bin/false\n",
    "proc/swaps": "Filename\t\t\t\tType\t\tSize\n/dev/zram0                              partition\t100\n",
    "proc/sys/kernel/core_pattern": "core\n",
    "proc/sys/kernel/yama/ptrace_scope": "1\n",
    "proc/sys/kernel/osrelease": "6.12.1-amd64\n",
    "proc/self/mountinfo": "22 1 254:0 / / rw - ext4 /dev/vda1 rw\n30 22 254:1 / /var/lib rw - ext4 /dev/mapper/data rw\n",
    "sys/dev/block/254:0/dm/uuid": "LVM-x\n",
    "sys/dev/block/254:1/dm/uuid": "CRYPT-LUKS2-x\n",
    "etc/coffer/rootkey.cred": base64.b64encode(TPM_KEY + b"x" * 100).decode(),
    "etc/systemd/system/timers.target.wants/coffer-alerts.timer": "",
    "lib/systemd/system/cofferd.service": "[Service]\nUser=coffer\nNoNewPrivileges=yes\nProtectSystem=strict\nPrivateNetwork=yes\n",
    "usr/lib/systemd/system/good.service": "[Service]\nExecStart=/bin/true\nEnvironment=LEVEL=info PASSWORD_FILE=/etc/x\n",
}
STATUS = {"version": "1", "store": {"directory": "/var/lib/coffer", "root_key_file": None}}


def grant(number, integration, **rule):
    return {"id": number, "integration": integration, "staged_only": False, "rule": rule}


GRANTS = [
    grant(1, "finance/sync", user="etl", unit="etl.service"),
    grant(2, "crm", user="crm", unit="crm@*.service"),
]


class Doctor(CommandTest):
    def setUp(self):
        super().setUp()
        self.status, self.grants, self.records = STATUS, GRANTS, [{"kind": "vault.recover"}]
        self.root = self.path("root")
        for name, text in GOOD.items():
            self.put(name, text)

    def put(self, name, text):
        self.write("root/" + name, text)

    def remove(self, name):
        os.unlink(os.path.join(self.root, name))

    def answer(self, request, _pid):
        return {
            "status": lambda: {"result": self.status},
            "grant.list": lambda: {"result": {"grants": self.grants}},
            "audit.list": lambda: {"result": {"records": self.records}},
        }[request["method"]]()

    def ask(self, *args, status=None):
        with FakeDaemon(self.answer) as daemon:
            done = manage(daemon, "doctor", "--root", self.root, "--json", *args)
        self.assertEqual(done.stderr, "")
        result = json.loads(done.stdout)
        self.assertEqual(done.status, 1 if result["problems"] else 0)
        if status is not None:
            self.assertEqual(done.status, status, result["findings"])
        return result

    def found(self, *args, status=None):
        """id → severity"""
        return {one["id"]: one["severity"] for one in self.ask(*args, status=status)["findings"]}

    def one(self, name):
        """The only finding, which has this id."""
        findings = self.ask()["findings"]
        self.assertEqual([one["id"] for one in findings], [name])
        return findings[0]

    def states(self, *args):
        return {check["id"]: check["state"] for check in self.ask(*args)["checks"]}

    def reason(self, check):
        return next(one["reason"] for one in self.ask()["checks"] if one["id"] == check)

    # ---- usage ----

    def test_an_exception_that_is_none_is_refused(self):
        for word in ("frobnicate", "", "swapp", "swa", ":swap", "frobnicate:swap"):
            self.refused(
                manage(None, "doctor", "--except", "swap", "--except", word), 64, "no check is called"
            )

    def test_a_root_that_is_none_is_refused_and_not_found_fine(self):
        self.put("file", "")
        for root, reason in (
            (self.path("none"), "No such file"),
            (self.path("root/file"), "Not a directory"),
            ("", "No such file"),
        ):
            self.refused(manage(None, "doctor", "--root", root), 64, f"--root {root}: {reason}")

    def test_every_check_is_told_and_can_be_left_out(self):
        self.assertEqual(set(self.states()), CHECKS)
        for check in CHECKS:
            self.assertEqual(self.states("--except", check)[check], "left_out")

    def test_one_finding_is_left_out_and_the_others_stay(self):
        self.grants = [grant(1, "a", user="etl"), grant(2, "b", user="crm")]
        self.assertEqual(
            self.found(), {"grant_without_unit:a:1": "advice", "grant_without_unit:b:2": "advice"}
        )
        self.assertEqual(
            self.found("--except", "grant_without_unit:b:2"), {"grant_without_unit:a:1": "advice"}
        )

    # ---- a good host, and one that cannot be looked at ----

    def test_a_good_host_has_nothing_found(self):
        self.assertEqual(self.found(status=0), {})
        states = self.states()
        self.assertEqual(states.pop("clock"), "not_checked")  # it is this host's
        self.assertEqual(set(states.values()), {"ok"}, states)

    def test_what_cannot_be_looked_at_is_not_called_well(self):
        for name, check in (
            ("proc/swaps", "swap"), ("proc/sys/kernel/core_pattern", "core_dumps"), ("proc/sys/kernel/osrelease", "kernel"),
            ("proc/self/mountinfo", "store_filesystem"), ("etc/coffer/rootkey.cred", "root_key"),
        ):  # fmt: skip
            text = GOOD[name]
            self.remove(name)
            self.assertEqual(self.states()[check], "not_checked", name)
            self.assertIn(name, self.reason(check))
            self.put(name, text)

    def test_without_a_daemon_only_the_host_is_looked_at(self):
        done = manage(None, "doctor", "--root", self.root, "--json", "--socket", self.path("none"))
        self.assertEqual((done.status, done.stderr), (0, ""))
        checks = {one["id"]: one for one in json.loads(done.stdout)["checks"]}
        asks = {
            "shared_user",
            "user_gone",
            "login_shell",
            "grant_without_unit",
            "root_key",
            "recovery",
            "store_filesystem",
            "clock",
        }
        self.assertEqual({name for name, one in checks.items() if one["state"] == "not_checked"}, asks)
        self.assertIn("no daemon at", checks["shared_user"]["reason"])

    def test_who_may_not_ask_is_told_what_was_not_looked_at(self):
        with FakeDaemon(lambda r, p: refusal("denied", "access denied")) as daemon:
            done = manage(daemon, "doctor", "--root", self.root, "--json")
        reasons = {one["id"]: one["reason"] for one in json.loads(done.stdout)["checks"]}
        for check in ("shared_user", "recovery", "root_key"):
            self.assertEqual(reasons[check], "access denied")
        self.status = {"version": "1", "sealed": False}
        self.assertIn("admins, operators and auditors alone", self.reason("root_key"))

    @unittest.skipIf(os.getuid() != 0, "as another user")
    def test_a_unit_that_this_user_may_not_read_is_not_checked(self):
        self.put(
            "etc/systemd/system/x.service",
            "[Service]\nExecStart=/bin/x\nEnvironment=A=b\nEnvironmentFile=/etc/x.env\n",
        )
        self.put("etc/x.env", f"DB_PASSWORD={VALUE}\n")
        os.chmod(os.path.join(self.root, "etc/x.env"), 0o600)
        os.chmod(self.directory, 0o755)
        with FakeDaemon(self.answer) as daemon:
            done = manage(daemon, "doctor", "--root", self.root, "--json", user=65534, group=65534)
        units = next(one for one in json.loads(done.stdout)["checks"] if one["id"] == "secret_in_unit")
        self.assertEqual((units["state"], units["reason"]), ("not_checked", "/etc/x.env: Permission denied"))

    # ---- grants ----

    def test_a_user_of_two_integrations_is_a_problem(self):
        self.grants = [*GRANTS, grant(7, "billing", user="etl", unit="billing.service")]
        one = self.one("shared_user:etl")
        self.assertEqual(one["severity"], "problem")
        self.assertIn("(billing, finance/sync)", one["text"])
        self.assertIn("coffer grant remove finance/sync 1", one["mend"])

    def test_two_grants_of_one_integration_and_testers_are_none(self):
        self.grants = [
            *GRANTS,
            grant(7, "finance/sync", user="etl", unit="b.service"),
            {**grant(8, "billing", user="etl", unit="x.service"), "staged_only": True},
        ]
        self.assertEqual(self.found(status=0), {})

    def test_units_that_run_as_one_user_share_it(self):
        def unit(name, *lines):
            self.put(
                f"etc/systemd/system/{name}",
                "\n".join(["[Service]", "Type=exec", "ExecStart=/bin/x", *lines, ""]),
            )

        self.grants = [grant(1, "a", unit="a.service"), grant(2, "b", unit="b@*.service")]
        self.assertEqual(self.found(), {})  # neither is there
        unit("a.service", "User=etl")
        unit("b@.service", "User=crm")
        self.assertEqual(self.found(), {})
        unit("b@.service", "User=crm", "User=etl")
        one = self.one("shared_user:etl")
        self.assertEqual(
            one["mend"], "a user for each: systemctl edit b@.service   # [Service] User=NEW-USER"
        )
        unit("b@.service", "User=etl", "DynamicUser=yes")
        self.assertEqual(self.found(), {})
        unit("a.service")
        unit("b@.service", "User=")
        self.assertEqual(self.found(), {"shared_user:root": "problem", "login_shell:root": "advice"})
        unit("a.service", "User=nobody-there")
        unit("b@.service", "User=%i")
        self.assertEqual(self.found(), {})

    def test_many_integrations_of_one_user_are_counted(self):
        self.grants = [grant(n, f"i{n:03}", user="etl", unit="x.service") for n in range(100)]
        self.assertIn(
            "100 integrations (i000, i001, i002, i003, i004, i005 and 94 more)",
            self.one("shared_user:etl")["text"],
        )

    def test_users_who_can_log_in_are_told(self):
        for shell, is_told in (
            ("/bin/bash", True),
            ("", True),
            ("/bin/sh", True),
            ("/sbin/nologin", False),
            ("/bin/false", False),
        ):
            self.put("etc/passwd", GOOD["etc/passwd"].replace("/usr/sbin/nologin", shell))
            self.assertEqual(self.found(), {"login_shell:etl": "advice"} if is_told else {}, shell)
        self.put("etc/passwd", GOOD["etc/passwd"].replace("/usr/sbin/nologin", "/bin/sh"))
        self.assertEqual(self.one("login_shell:etl")["mend"], "usermod --shell /usr/sbin/nologin etl")

    def test_a_grant_to_nobody_is_a_problem_and_numbers_are_users(self):
        self.grants = [
            grant(1, "a", user="990", unit="x.service"),
            grant(5, "b", user="4711", unit="y.service"),
        ]
        one = self.one("user_gone:b:5")
        self.assertEqual((one["severity"], one["mend"]), ("problem", "coffer grant remove b 5"))

    def test_grants_without_a_unit_are_told_unless_a_token_is_asked_for(self):
        self.grants = [grant(1, "a", user="etl", token=True), grant(2, "b", group="data")]
        one = self.one("grant_without_unit:b:2")
        self.assertIn("coffer grant add b unit=NAME.service && coffer grant remove b 2", one["mend"])

    def test_hostile_names_stay_words(self):
        self.grants = [grant(1, "a", user="x; rm -rf /\x1b[2J", unit="x.service")]
        with FakeDaemon(self.answer) as daemon:
            done = manage(daemon, "doctor", "--root", self.root)
        self.assertNotIn("\x1b", done.stdout)
        self.assertIn("user_gone:a:1", done.stdout)

    # ---- units ----

    def test_secrets_in_units_are_told_by_place_and_never_by_value(self):
        self.put(
            "etc/systemd/system/etl.service",
            f"""[Service]
ExecStart=/bin/true
Environment=DB_PASSWORD={VALUE} LEVEL=info
Environment="URL=postgres://u:{VALUE}@h/db"
Environment=STRANGE_TOKEN={VALUE}%i KEY_FILE=/etc/x EMPTY_TOKEN=
Environment=CREDENTIAL_PASSWORD=%d/pw
EnvironmentFile=/etc/etl.env
EnvironmentFile=-/etc/absent.env
UnsetEnvironment=OTHER_PASSWORD
""",
        )
        self.put("etc/etl.env", f"A=1\n# comment\nSMTP_PASSWORD={VALUE}\nDOUBTFUL_SECRET={VALUE}$x\n")
        self.put(
            "etc/systemd/system/etl.service.d/more.conf", f"[Service]\nEnvironment=DB_PASSWORD={VALUE}2\n"
        )
        os.chmod(os.path.join(self.root, "etc/etl.env"), 0o644)
        with FakeDaemon(self.answer) as daemon:
            for args in ((), ("--json",)):
                done = manage(daemon, "doctor", "--root", self.root, *args)
                self.assertEqual((done.status, done.stderr), (1, ""))
                self.silent_on(done, VALUE)
        result = self.ask(status=1)
        places = sorted((one["text"].split(" of ")[0], one["severity"]) for one in result["findings"])
        unit = "/etc/systemd/system/etl.service"
        self.assertEqual(
            places,
            sorted(
                (place, "problem")
                for place in (
                    f"{unit}:3: DB_PASSWORD",
                    f"{unit}.d/more.conf:2: DB_PASSWORD",
                    f"{unit}:4: URL",
                    f"{unit}:5: STRANGE_TOKEN",
                    "/etc/etl.env:3: SMTP_PASSWORD",
                    "/etc/etl.env:4: DOUBTFUL_SECRET",
                )
            ),
        )
        mends = {one["id"]: one["mend"] for one in result["findings"]}
        self.assertTrue(
            mends["secret_in_unit:etl.service:URL"].startswith(
                "coffer import INTEGRATION --unit etl.service --only URL,"
            )
        )
        self.assertTrue(
            mends["secret_in_unit:etl.service:STRANGE_TOKEN"].startswith(
                "coffer secret put INTEGRATION STRANGE_TOKEN,"
            )
        )
        texts = {one["id"]: one["text"] for one in result["findings"]}
        self.assertIn("every user can read the file", texts["secret_in_unit:etl.service:SMTP_PASSWORD"])
        self.assertIn("systemctl show", texts["secret_in_unit:etl.service:URL"])

    def test_each_directory_templates_and_instances_are_looked_at_and_aliases_once(self):
        secret = f"[Service]\nExecStart=/bin/x\nEnvironment=X_TOKEN={VALUE}\n"
        self.put("etc/systemd/system/a.service", secret)
        self.put("run/systemd/system/b.service", secret)
        self.put("usr/lib/systemd/system/c@.service", secret)
        self.put("usr/lib/systemd/system/d@.service", "[Service]\nExecStart=/bin/x\n")
        self.put("etc/systemd/system/d@one.service.d/x.conf", f"[Service]\nEnvironment=X_TOKEN={VALUE}\n")
        os.symlink("a.service", os.path.join(self.root, "etc/systemd/system/alias.service"))
        os.symlink("/dev/null", os.path.join(self.root, "etc/systemd/system/b2.service"))
        self.put("usr/lib/systemd/system/b2.service", secret)  # masked
        self.put("usr/lib/systemd/system/a.service", secret.replace("X_", "OTHER_"))  # hidden by that of /etc
        self.assertEqual(
            set(self.found()),
            {f"secret_in_unit:{name}.service:X_TOKEN" for name in ("a", "b", "c@", "d@one")},
        )

    def test_credentials_that_are_set_in_the_open_are_told(self):
        self.put(
            "etc/systemd/system/x.service",
            f"[Service]\nExecStart=/bin/x\nSetCredential=DB_PASSWORD:{VALUE}\nSetCredential=banner:hello\n"
            f"SetCredential=not a name {VALUE} TOKEN:{VALUE}\nSetCredential={VALUE}\nSetCredentialEncrypted=A_TOKEN: x\n",
        )
        one = self.one("secret_in_unit:x.service:DB_PASSWORD")
        self.assertIn("LoadCredential=DB_PASSWORD:/run/coffer/credentials.sock", one["mend"])
        self.assertNotIn(VALUE, json.dumps(one))

    def test_a_unit_of_any_bytes_breaks_nothing(self):
        self.put(
            "etc/systemd/system/bad.service",
            b"[Service]\nEnvironment=A_PASSWORD=\xff\xfe\nEnvironment='\n" + b"=" * 5000,
        )
        self.put("etc/systemd/system/huge.service", b"#" * 2000000)
        os.mkfifo(os.path.join(self.root, "etc/systemd/system/fifo.service"))
        name = os.fsencode(os.path.join(self.root, "etc/systemd/system")) + b"/\xff\x1b[2J.service"
        with open(name, "wb") as file:
            file.write(f"[Service]\nEnvironment=X_TOKEN={VALUE}\n".encode())
        with FakeDaemon(self.answer) as daemon:
            done = manage(daemon, "doctor", "--root", self.root)
        self.assertNotIn("\x1b", done.stdout)
        self.assertIn(self.states()["secret_in_unit"], ("not_checked", "found"))

    def test_units_that_take_credentials_ought_to_say_how_that_went(self):
        load = "[Service]\n%sExecStart=/bin/x\nLoadCredential=PW:/run/coffer/credentials.sock\n"
        for kind, is_told in (
            ("", True),
            ("Type=simple\n", True),
            ("Type=exec\n", False),
            ("Type=notify\n", False),
            ("Type=notify\nType=\n", True),
        ):
            self.put("etc/systemd/system/x.service", load % kind)
            self.assertEqual(self.found(), {"credential_type:x.service": "advice"} if is_told else {}, kind)
        self.put(
            "etc/systemd/system/x.service", "[Service]\nExecStart=/bin/x\nLoadCredential=PW:/etc/other\n"
        )
        self.assertEqual(self.found(), {})

    def test_names_that_do_not_fit_are_a_problem(self):
        for length, is_told in ((83 - len("x.service"), False), (84 - len("x.service"), True)):
            name = "A" * length
            self.put(
                "etc/systemd/system/x.service",
                f"[Service]\nType=exec\nExecStart=/bin/x\nLoadCredential={name}:/run/coffer/credentials.sock\n",
            )
            self.assertEqual(
                self.found(), {f"credential_name:x.service:{name}": "problem"} if is_told else {}
            )

    def test_drop_ins_that_blind_or_free_the_daemon_are_told(self):
        drop_in = "etc/systemd/system/cofferd.service.d/x.conf"
        for line, severity in (
            ("PrivateUsers=yes", "problem"), ("PrivateUsers=no", None), ("ProtectProc=invisible", "problem"), ("ProtectProc=", None),
            ("ProtectProc=default", None), ("User=root", "problem"), ("User=", "problem"), ("NoNewPrivileges=no", "advice"),
            ("ProtectSystem=full", "advice"), ("PrivateNetwork=TRUE", None),
        ):  # fmt: skip
            self.put(drop_in, f"[Service]\n{line}\n")
            name = "service:" + line.split("=")[0]
            self.assertEqual(self.found(), {name: severity} if severity else {}, line)
        self.remove("lib/systemd/system/cofferd.service")
        self.assertEqual(self.states()["service"], "not_checked")

    # ---- the root key ----

    def test_a_key_file_on_the_disk_of_the_store(self):
        for path, numbers, severity in (
            ("/var/lib/key", None, "advice"), ("/etc/coffer/key", None, None),
            ("/var/lib/key", "sys/dev/block/254:1/dm/uuid", "problem"),
        ):  # fmt: skip
            self.status = {"store": {"directory": "/var/lib/coffer", "root_key_file": path}}
            if numbers:
                self.put(numbers, "LVM-y\n")
            self.assertEqual(self.found(), {"root_key": severity} if severity else {}, (path, numbers))

    def test_a_credential_without_a_tpm_is_as_safe_as_the_disk(self):
        plain = "LVM-y\n"
        for key, uuid, tpm, severity in (
            (HOST_KEY, None, False, None), (HOST_KEY, plain, False, "advice"), (HOST_KEY, plain, True, "problem"),
            (HOST_KEY, None, True, "advice"), (TPM_KEY, plain, True, None), (NO_KEY, None, False, "problem"),
        ):  # fmt: skip
            self.put("etc/coffer/rootkey.cred", base64.b64encode(key + b"x" * 100).decode())
            self.put("sys/dev/block/254:1/dm/uuid", uuid or "CRYPT-LUKS2-x\n")
            self.put("sys/class/tpm/tpm0/tpm_version_major", "2\n" if tpm else "")
            self.assertEqual(self.found(), {"root_key": severity} if severity else {}, (key, uuid, tpm))

    def test_a_blob_that_is_none_is_not_checked(self):
        for text in ("", "short", "!" * 200):
            self.put("etc/coffer/rootkey.cred", text)
            self.assertEqual(self.states()["root_key"], "not_checked", text)

    # ---- the store, the way back, the watch ----

    def test_a_store_on_a_network_is_a_problem(self):
        for kind, is_told in (("nfs4", True), ("cifs", True), ("fuse.sshfs", True), ("xfs", False)):
            self.put(
                "proc/self/mountinfo",
                GOOD["proc/self/mountinfo"] + f"40 30 254:1 / /var/lib/coffer rw - {kind} srv:/x rw\n",
            )
            self.assertEqual(self.found(), {"store_filesystem": "problem"} if is_told else {}, kind)

    def test_the_mount_that_counts_is_the_last_and_the_longest(self):
        mounts = (
            "22 1 254:0 / / rw - nfs a rw\n30 22 254:0 / /var/lib/coffer rw shared:1 - nfs a rw\n"
            "31 30 254:1 / /var/lib/coffer rw - ext4 /dev/x rw\n32 22 254:0 / /var/lib/cof rw - nfs a rw\n"
            "33 22 254:0 / /var/lib/coffer\\040x rw - nfs a rw\nnonsense\n"
        )
        self.put("proc/self/mountinfo", mounts)
        self.assertEqual(self.found(), {})

    def test_a_recovery_that_nobody_has_proven_is_told(self):
        self.records = []
        mend = self.one("recovery")["mend"]
        self.assertIn("cofferd recover", mend)
        for socket in ("cofferd.socket", "cofferd-credentials.socket"):
            # Who connects meanwhile starts the daemon, which takes the vault.
            self.assertEqual(mend.count(f" {socket}"), 2, f"{socket} is not both stopped and started: {mend}")

    def test_a_host_that_nobody_watches_is_told(self):
        self.remove("etc/systemd/system/timers.target.wants/coffer-alerts.timer")
        self.assertIn("coffer-alerts.timer", self.one("unwatched")["mend"])
        self.put("etc/systemd/system/timers.target.wants/coffer-metrics.timer", "")
        self.assertEqual(self.found(), {})

    # ---- the kernel ----

    def test_swap_by_what_it_lies_on(self):
        self.put("sys/class/block/sda2/size", "1\n")
        self.put("sys/class/block/dm-3/dm/uuid", "CRYPT-PLAIN-swap\n")
        self.put("sys/class/block/dm-4/dm/uuid", "LVM-swap\n")
        self.put("sys/class/block/dm-4/slaves/dm-3/dm/uuid", "CRYPT-LUKS2-y\n")
        self.put("sys/class/block/dm-5/dm/uuid", "LVM-swap\n")
        self.put("sys/class/block/dm-5/slaves/dm-3/dm/uuid", "CRYPT-LUKS2-y\n")
        self.put("sys/class/block/dm-5/slaves/sdb1/size", "1\n")
        for path, kind, state in (
            ("/dev/sda2", "partition", "found"), ("/dev/dm-3", "partition", "ok"), ("/dev/dm-4", "partition", "ok"),
            ("/dev/dm-5", "partition", "found"), ("/dev/none", "partition", "not_checked"), ("/swapfile", "file", "found"),
            ("/var/lib/swap", "file", "ok"),
        ):  # fmt: skip
            self.put("proc/swaps", f"Filename Type Size\n{path} {kind} 100 0 -2\n")
            self.assertEqual(self.states()["swap"], state, path)
            if state == "found":
                self.assertEqual(self.found(), {f"swap:{path}": "advice"})
        self.put("proc/swaps", "Filename Type Size\n")
        self.assertEqual(self.states()["swap"], "ok")

    def test_core_handlers(self):
        for pattern, mend in (
            ("|/lib/systemd/systemd-coredump %P", "coredump.conf"),
            ("|/usr/share/apport/apport", "sysctl"),
            ("|/bin/false", None),
            ("core.%p", None),
        ):
            self.put("proc/sys/kernel/core_pattern", pattern + "\n")
            if mend is None:
                self.assertEqual(self.found(), {}, pattern)
            else:
                self.assertIn(mend, self.one("core_dumps")["mend"])

    def test_ptrace_scope(self):
        for scope, is_told in (("0", True), ("1", False), ("2", False), ("3", False)):
            self.put("proc/sys/kernel/yama/ptrace_scope", scope + "\n")
            self.assertEqual(self.found(), {"ptrace": "advice"} if is_told else {}, scope)
        self.remove("proc/sys/kernel/yama/ptrace_scope")
        self.assertIn("lsm=", self.one("ptrace")["mend"])

    def test_kernels(self):
        for release, state in (
            ("6.1.0-13-amd64", "found"),
            ("6.4.99", "found"),
            ("5.10", "found"),
            ("6.5.0", "ok"),
            ("7.0", "ok"),
            ("Darwin", "not_checked"),
            ("", "not_checked"),
        ):
            self.put("proc/sys/kernel/osrelease", release + "\n")
            self.assertEqual(self.states()["kernel"], state, release)

    # ---- what people see ----

    def test_people_see_all_of_it(self):
        self.put("proc/sys/kernel/osrelease", "6.1.0\n")
        self.remove("proc/swaps")
        with FakeDaemon(self.answer) as daemon:
            done = manage(daemon, "doctor", "--root", self.root, "--except", "ptrace")
        self.assertEqual((done.status, done.stderr), (0, ""))
        self.assertRegex(
            done.stdout, r"(?m)^advice: kernel\n  Linux 6.1.0 cannot say .*\n  mend: apt install "
        )
        self.assertRegex(done.stdout, r"(?m)^NOT CHECKED +WHETHER +BECAUSE$")
        self.assertRegex(
            done.stdout,
            r"(?m)^swap +swap is encrypted +/proc/swaps cannot be read: No such file or directory$",
        )
        self.assertRegex(done.stdout, r"(?m)^LEFT OUT +WHETHER$")
        self.assertTrue(
            done.stdout.endswith(
                "\n17 checks: 0 problems, 1 advice, 2 not checked or not wholly, 1 left out\n"
            ),
            done.stdout,
        )


if __name__ == "__main__":
    manage_base.MANAGE = os.path.abspath(sys.argv[1])
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
