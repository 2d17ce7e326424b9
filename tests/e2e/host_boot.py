#!/usr/bin/python3
"""The test host itself: what the other tests in it rely on."""
import os
import subprocess
import tempfile

from host_test import SCRIPT, HostSuite, equal

suite = HostSuite()


@suite.check
def a_failed_command_is_told_by_its_exit_status(host):
    equal(host.run("sh", "-c", "exit 7").returncode, 7, "exit status")
    assert host.run("/no/such/program").returncode != 0, "a program that is not there was run"


@suite.check
def a_name_that_is_not_up_is_refused(_):
    done = subprocess.run(
        [SCRIPT, "run", "not-up", "--", "true"], capture_output=True, text=True, check=False
    )
    equal((done.returncode, done.stderr), (125, "host: not-up is not up\n"), "exit status, message")


@suite.check
def a_command_runs_as_the_user_in_a_unit_of_its_own(host):
    script = "id -un; sed -n s/^0:://p /proc/self/cgroup"
    equal(
        host.must("sh", "-c", script, user="nobody", unit="who"), "nobody\n/system.slice/who.service\n", "who"
    )


@suite.check
def words_and_input_arrive_as_they_are(host):
    words = ["$HOME", "${HOME}", "$$", "a b", "", "\\", "'\"", "%n"]
    equal(host.must("printf", "%s\\n", *words), "".join(word + "\n" for word in words), "words")
    text = "".join(map(chr, range(32, 127))) * 5000
    assert host.must("cat", stdin=text) == text, "the input came out as something else"


@suite.check
def files_go_in_and_out(host):
    host.write("/etc/test/file", "text\n", 0o640, "root:daemon")
    equal(host.must("stat", "-c", "%a %U:%G", "/etc/test/file"), "640 root:daemon\n", "mode and owner")
    with tempfile.TemporaryDirectory() as folder:
        host.pull("/etc/test", folder)
        with open(os.path.join(folder, "test", "file"), encoding="ascii") as file:
            equal(file.read(), "text\n", "content")
        host.copy(os.path.join(folder, "test"), "/srv")
    equal(host.read("/srv/test/file"), "text\n", "content")


@suite.check
def the_host_has_an_empty_network_and_pure_cgroups(host):
    equal(host.must("stat", "-f", "-c", "%T", "/sys/fs/cgroup"), "cgroup2fs\n", "cgroups")
    equal(host.must("ls", "/sys/class/net"), "lo\n", "network devices")


def boot_id(host):
    return host.read("/proc/sys/kernel/random/boot_id")


@suite.check
def a_restart_and_a_power_cut_keep_the_disk_alone(host):
    seen = {boot_id(host)}
    for restart in (host.reboot, host.cut):
        host.write("/var/lib/kept", restart.__name__)
        host.write("/run/lost", "")
        restart()
        equal(host.read("/var/lib/kept"), restart.__name__, "the disk")
        assert not host.exists("/run/lost"), "/run was kept"
        seen.add(boot_id(host))
    equal(len(seen), 3, "different boots")


@suite.check
def nothing_is_left_of_a_host(_):
    host = suite.host()
    name = host.name
    host.write("/var/lib/kept", "")
    host.down()
    assert not os.path.exists(f"/run/coffer-test-hosts/{name}"), "a state"
    for folder, names, _ in os.walk("/sys/fs/cgroup"):
        assert f"coffer-test-{name}" not in names, f"a cgroup in {folder}"
    with open("/proc/self/mounts", encoding="utf-8") as file:
        assert name not in file.read(), "a mount"
    host.boot()
    assert not host.exists("/var/lib/kept"), "a new host has the disk of an old one"


if __name__ == "__main__":
    suite.run()
