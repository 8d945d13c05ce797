"""Bounds the memory of a process as a container's limit does, in a control group of its own; where
the machine does not let us make one, the test is skipped and says so."""

import os
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path("/sys/fs/cgroup")


class MemoryGroup:
    def __init__(self, directory, bound_file):
        self.directory, self.bound_file = directory, bound_file

    def hold(self, process, bound):
        (self.directory / self.bound_file).write_text(str(bound))
        (self.directory / "cgroup.procs").write_text(str(process.pid))

    def kills(self):
        """How many processes it has killed for lack of memory."""
        for name in ("memory.events", "memory.oom_control"):
            file = self.directory / name
            for line in file.read_text().splitlines() if file.exists() else []:
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
        return 0


@contextmanager
def memory_group():
    """The second version of control groups, or the first."""
    is_second = "memory" in (_text(ROOT / "cgroup.subtree_control"))
    parent = ROOT if is_second else ROOT / "memory"
    directory = parent / f"gatehouse-test-{os.getpid()}"
    try:
        directory.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    yield MemoryGroup(directory, "memory.max" if is_second else "memory.limit_in_bytes")
    directory.rmdir()  # once it is empty: what fails before that leaves it


def _text(file):
    return file.read_text() if file.exists() else ""
