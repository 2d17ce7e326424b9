"""A vault whose wall clock is the test's: daemon and command line run with moved_clock.so before them."""
import mmap
import os
import struct
from datetime import datetime, timedelta, timezone

from coffer_test import Vault


class MovedClock:
    """The time that the programs see; it goes on by itself, and forwards by leaps."""

    def __init__(self, folder, preload):
        self.path, self.preload = os.path.join(folder, "moved"), preload
        with open(self.path, "wb") as file:
            file.write(bytes(mmap.PAGESIZE))
        os.chmod(self.path, 0o644)
        self.file = open(self.path, "r+b")  # pylint: disable=consider-using-with
        self.page = mmap.mmap(self.file.fileno(), mmap.PAGESIZE)
        self.moved = timedelta()

    def environment(self):
        return {"LD_PRELOAD": self.preload, "MOVED_CLOCK": self.path}

    def now(self):
        return datetime.now(timezone.utc) + self.moved

    def set(self, when):
        self.moved = when - datetime.now(timezone.utc)
        self.page[:8] = struct.pack("<q", self.moved // timedelta(milliseconds=1))

    def forward(self, **much):
        self.set(self.now() + timedelta(**much))


class MovedVault(Vault):
    def __init__(self, programs, folder, **more):
        self.clock = None
        super().__init__(programs, folder, is_made=False, **more)
        self.clock = MovedClock(self.folder, programs["moved_clock.so"])

    def environment(self, **more):
        return super().environment(**self.clock.environment(), **more)
