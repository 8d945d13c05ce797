"""Fixtures of the system tests. GATEHOUSE_BINARY names the program under test (default: the dev
build), GATEHOUSE_VECTORS the directory of other people's test vectors."""

import os
import signal
from pathlib import Path

import pytest
import yaml

from support.backend import Backend
from support.gate import BINARY, ROOT, SLOW, USERS, Gate, Keys, base_config, merge
from support.redis import Redis

GUARD = 60 + 15 * SLOW  # seconds


def pytest_configure(config):
    config.addinivalue_line("markers", "nightly: takes long; runs with -m nightly only")


def pytest_collection_modifyitems(config, items):
    if "nightly" in config.getoption("markexpr"):
        return
    for item in items:
        if item.get_closest_marker("nightly"):
            item.add_marker(pytest.mark.skip(reason="long; run it with -m nightly"))


def pytest_sessionstart(session):
    if not os.access(BINARY, os.X_OK):
        pytest.exit(f"no program to test at {BINARY}; build it or set GATEHOUSE_BINARY", 2)


@pytest.fixture
def figure(request):
    """Notes what an experiment measured: for the report, and for the last lines of a run."""
    return lambda text: request.node.user_properties.append(("figure", text))


def pytest_terminal_summary(terminalreporter):
    lines = [f"{report.nodeid.rsplit('::')[-1]}: {text}"
             for report in terminalreporter.getreports("passed") if report.when == "call"
             for name, text in report.user_properties if name == "figure"]
    if lines:
        terminalreporter.section("figures")
        for line in sorted(lines):
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(autouse=True)
def guard(request):
    """A test that hangs fails instead of holding up everything behind it."""
    limit = 3600 if request.node.get_closest_marker("nightly") else GUARD

    def give_up(*_):
        raise AssertionError(f"still running after {limit:.0f} s")
    signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, limit)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)


class Starter:
    """Starts programs that end with the test (or module) that asked for them."""

    def __init__(self, keys, directories):
        self.keys, self._directories = keys, directories
        self._running, self._backends = [], []

    def backend(self, path=None, **more):
        backend = Backend(path, **more)
        self._backends.append(backend)
        return backend

    def directory(self):
        return self._directories.mktemp("gate")

    def config(self, backend, changes=None):
        return merge(base_config(backend.url, self.keys), changes)

    def __call__(self, backend, changes=None, users=USERS, directory=None, **more):
        """A program in front of `backend`, with `changes` over the base configuration."""
        directory = Path(directory or self.directory())
        config = self.config(backend, changes)
        (directory / "gatehouse.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
        if not (directory / "users.yaml").exists():
            (directory / "users.yaml").write_text(yaml.safe_dump({"users": users}))
        more.setdefault("sockets", {"listener": len(config["listeners"]),
                                    **{r: 1 for r in ("health", "admin") if r in config}})
        return self.run(directory, ["run", "--config", "gatehouse.yaml"], **more)

    def run(self, directory, arguments, **more):
        gate = Gate(directory, arguments, **more)
        self._running.append(gate)
        return gate

    def finish(self):
        """Stops what still runs; every program must have ended cleanly."""
        try:
            for gate in reversed(self._running):
                if gate.process.poll() is None:
                    gate.stop()
        finally:
            for gate in self._running:
                if gate.process.poll() is None:
                    gate.kill()
            for backend in self._backends:
                backend.stop()
        for backend in self._backends:
            assert not backend.violations, backend.violations


@pytest.fixture
def start(keys, tmp_path_factory):
    starter = Starter(keys, tmp_path_factory)
    yield starter
    starter.finish()


@pytest.fixture(scope="module")
def start_module(keys, tmp_path_factory):
    """For programs that a whole module shares."""
    starter = Starter(keys, tmp_path_factory)
    yield starter
    starter.finish()


@pytest.fixture(scope="module")
def shared_backend(start_module):
    return start_module.backend()


@pytest.fixture(scope="module")
def shared_gate(start_module, shared_backend, request):
    """The module's program; a module-level CONFIG holds its changes to the base configuration."""
    return start_module(shared_backend, getattr(request.module, "CONFIG", None))


@pytest.fixture
def backend(shared_backend):
    """The module's backend with a clean record."""
    shared_backend.forget()
    yield shared_backend
    assert not shared_backend.violations, shared_backend.violations


@pytest.fixture
def gate(shared_gate, backend):
    assert shared_gate.process.poll() is None, shared_gate.stderr()[-4000:]
    return shared_gate


@pytest.fixture(scope="session")
def vectors():
    """The directory of other people's test vectors."""
    return Path(os.environ.get("GATEHOUSE_VECTORS", ROOT.parent / "shared/vectors"))


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    server = Redis(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def own_redis(tmp_path):
    """For tests that are not kind to it."""
    server = Redis(tmp_path / "redis")
    yield server
    server.stop()
