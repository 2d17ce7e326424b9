#!/usr/bin/python3
"""The test that the packages bring along (debian/tests), as a machine of its own runs it."""
import os

from host_test import HERE, HostSuite

SMOKE = os.path.join(HERE, "..", "..", "debian", "tests", "smoke")

suite = HostSuite()


@suite.setup
def prepare(host):
    host.install("cofferd", "coffer")


@suite.check
def the_smoke_test_passes(host):
    host.copy(SMOKE, "/var/tmp")
    host.must("/var/tmp/smoke")


if __name__ == "__main__":
    suite.run()
