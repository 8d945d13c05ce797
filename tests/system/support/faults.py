"""Makes calls of the program under test fail, and its wall clock jump, by way of a preloaded
library (faults.c) that is built once for a run and steered through a mapped file."""

import mmap
import os
import re
import struct
import subprocess
from pathlib import Path

import pytest

from .gate import BINARY

SOURCE = Path(__file__).with_name("faults.c")
# In the order of the enumeration in faults.c.
KINDS = ["none", "allocation", "receiving", "sending", "accepting", "connecting", "opening",
         "watching", "syncing"]
LAYOUT = "=iiiiq"


def is_plain_program():
    """Sanitizers bring an allocator and clocks of their own, which can neither be
    replaced nor measured."""
    return not re.search(rb"__[at]san_init", Path(BINARY).read_bytes())


def needs_plain_program():
    if not is_plain_program():
        pytest.skip("needs a program without sanitizers, such as build/release/proxy/gatehouse")


def build(directory):
    library = Path(directory) / "faults.so"
    if not library.exists():
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-Wall", "-Werror", "-o", str(library),
                        str(SOURCE), "-ldl"], check=True)
    return library


class Faults:
    """The steering wheel of one process (or of several one after the other)."""

    def __init__(self, library, directory):
        self.library = library
        self.file = Path(directory) / "faults"
        self.file.write_bytes(bytes(struct.calcsize(LAYOUT)))
        with self.file.open("r+b") as opened:
            self._map = mmap.mmap(opened.fileno(), struct.calcsize(LAYOUT))

    def environment(self):
        return {"LD_PRELOAD": str(self.library), "GATEHOUSE_FAULTS": str(self.file)}

    def _write(self, kind, countdown):
        # The kind last: it is what arms the library.
        struct.pack_into("=i", self._map, 0, 0)
        struct.pack_into("=ii", self._map, 4, countdown, 0)
        struct.pack_into("=i", self._map, 0, KINDS.index(kind))

    def arm(self, kind, number):
        """The `number`-th call of that kind from now on fails."""
        self._write(kind, number)

    def disarm(self):
        """Whether a call has failed."""
        fired = struct.unpack_from("=i", self._map, 8)[0] != 0
        self._write("none", 0)
        return fired

    def shift_clock(self, seconds):
        struct.pack_into("=q", self._map, 16, seconds)
