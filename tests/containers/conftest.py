"""What the tests of the image and of the chart share: podman, and clients that speak to a container
in the tests' own network."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/system"))

PODMAN = str(ROOT / "tests/containers/podman")
SLOW = float(os.environ.get("GATEHOUSE_SLOWNESS", "1"))


class Podman:
    """Runs podman and removes what the tests started."""

    image = os.environ.get("GATEHOUSE_IMAGE", "localhost/gatehouse:test")
    application_image = os.environ.get("APPLICATION_IMAGE", "localhost/legacy-app:test")

    def __init__(self):
        self.containers, self.pods = [], []

    def __call__(self, *arguments, check=True, text=True, input=None):
        done = subprocess.run([PODMAN, *map(str, arguments)], capture_output=True, text=text,
                              input=input, check=False, timeout=300)
        assert not check or done.returncode == 0, f"podman {arguments}: {done.stderr}"
        return done.stdout if check else done

    def run(self, image, *arguments, options=()):
        """Starts a container in the background; its id."""
        container = self("run", "-d", "--network", "host", *options, image, *arguments).strip()
        self.containers.append(container)
        return container

    def state(self, container, field):
        return self("inspect", "-f", "{{" + field + "}}", container).strip()

    def logs(self, container):
        done = self("logs", container, check=False)
        return done.stdout + done.stderr

    def clean(self):
        for pod in self.pods:
            self("pod", "rm", "-f", "-t", "0", pod, check=False)
        for container in self.containers:
            self("rm", "-f", "-t", "0", container, check=False)
        self.containers, self.pods = [], []


def wait_for(condition, what, seconds=20):
    deadline = time.monotonic() + seconds * SLOW
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(f"waited in vain for {what}")


@pytest.fixture(scope="module")
def podman():
    running = Podman()
    yield running
    running.clean()
