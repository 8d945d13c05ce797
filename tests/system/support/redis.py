"""Real Redis servers for tests: one, a master with replicas and sentinels, or a cluster. Each on a
free port of the loopback, with files of its own, ended with the test."""

import os
import shutil
import signal
import socket
import subprocess
import time

from .gate import SLOW


def free_port():
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port < 55000:  # a cluster's nodes talk 10,000 above
            return port


def wait_for(condition, what, seconds=30):
    deadline = time.monotonic() + seconds * SLOW
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(f"waited in vain for {what}")


class Redis:
    """One redis-server."""

    def __init__(self, directory, *options, program="redis-server", password=None):
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.port, self.program, self.options = free_port(), program, [str(o) for o in options]
        self.password, self.process = password, None
        self.start()

    @property
    def endpoint(self):
        return f"127.0.0.1:{self.port}"

    def start(self, answers="PONG"):
        """Returns when it answers PING with something that begins like that."""
        if self.program == "redis-server":
            command = ["redis-server", "--save", "", "--port", self.port]
        else:  # a sentinel writes what it learns into its file
            (self.directory / "sentinel.conf").touch()
            command = ["redis-server", self.directory / "sentinel.conf", "--sentinel",
                       "--port", self.port]
        command += ["--bind", "127.0.0.1", "--dir", self.directory, "--logfile", "log",
                    "--enable-debug-command", "yes", *self.options]
        self.process = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        wait_for(lambda: self.run("PING").startswith(answers), "Redis")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.kill()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def run(self, *words):
        """One command; what redis-cli prints."""
        login = ["-a", self.password, "--no-auth-warning"] if self.password else []
        return subprocess.run(["redis-cli", "-p", str(self.port), *login, *map(str, words)],
                              capture_output=True, text=True, timeout=30 * SLOW,
                              check=False).stdout.strip()


def store(redis, **more):
    """The `store` section for that server."""
    return {"kind": "redis", "redis": {"url": f"redis://{redis.endpoint}", **more}}


def missing_tools():
    return [tool for tool in ("redis-server", "redis-cli") if shutil.which(tool) is None]
