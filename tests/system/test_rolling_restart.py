"""Two replicas behind HAProxy are replaced one after the other under load, and no request is lost:
readiness turns first, HAProxy sends its requests to the other one, then connections end."""

import shutil
import subprocess
import threading
import time

import pytest

from support.client import Client
from support.fronts import free_port
from support.gate import SLOW

pytestmark = pytest.mark.skipif(shutil.which("haproxy", path="/usr/sbin:/usr/bin") is None,
                                reason="haproxy is not installed; scripts/setup installs it")

# Nothing is sent twice by HAProxy: what it loses would be seen.
CONFIG = """
global
  maxconn 200
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
  retries 0
frontend front
  bind 127.0.0.1:{port}
  default_backend gates
backend gates
  option httpchk GET /readyz
  http-check expect status 200
  default-server check inter 100ms fall 1 rise 1
{servers}
"""


class Replicas:
    """Two programs on ports that stay, and HAProxy before them."""

    def __init__(self, start, directory):
        self.start, self.backend = start, start.backend()
        self.ports = [(free_port(), free_port()) for _ in range(2)]
        self.gates = [self.run(number) for number in range(2)]
        self.port = free_port()
        servers = "".join(f"  server g{number} 127.0.0.1:{main} port {health}\n"
                          for number, (main, health) in enumerate(self.ports))
        config = directory / "haproxy.cfg"
        config.write_text(CONFIG.format(port=self.port, servers=servers))
        self.haproxy = subprocess.Popen(
            [shutil.which("haproxy", path="/usr/sbin:/usr/bin"), "-db", "-f", str(config)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def run(self, number):
        main, health = self.ports[number]
        return self.start(self.backend, {
            "listeners": [{"address": f"127.0.0.1:{main}"}],
            "health": {"address": f"127.0.0.1:{health}"},
            # HAProxy looks ten times a second.
            "drain": {"delay": f"{round(1000 * max(SLOW, 1))}ms", "timeout": "10s"}})

    def connect(self):
        return Client(("127.0.0.1", self.port), timeout=30 * SLOW)

    def get(self, bearer):
        try:
            with self.connect() as client:
                return client.request("GET", "/x", bearer).status
        except (OSError, AssertionError):
            return 0

    def replace(self, number):
        """The old one ends, a new one takes its place, HAProxy sees it."""
        self.gates[number].stop(seconds=60)
        self.gates[number] = self.run(number)
        seen = self.gates[number]
        seen.wait_for(lambda: '"path":"/x"' in seen.stdout(), "requests to the new one", 30)

    def stop(self):
        self.haproxy.kill()
        self.haproxy.wait()


@pytest.fixture
def replicas(start, tmp_path):
    running = Replicas(start, tmp_path)
    yield running
    running.stop()


class Load:
    """Keeps connections and sends on each of them at a fixed pace; what went wrong is kept."""

    def __init__(self, replicas, bearer, connections, pause):
        self.replicas, self.bearer, self.pause = replicas, bearer, pause
        self.enough, self.served, self.lost = threading.Event(), [0] * connections, []
        self.threads = [threading.Thread(target=self._work, args=(n,)) for n in range(connections)]
        for thread in self.threads:
            thread.start()

    def _work(self, number):
        client, due = self.replicas.connect(), time.monotonic()
        while not self.enough.is_set():
            try:
                answer = client.request("GET", "/x", self.bearer)
            except Exception as error:  # any end of the connection under a request is a loss
                self.lost.append(error)
                client = self.replicas.connect()
                continue
            self.served[number] += 1
            if answer.status != 200:
                self.lost.append(answer.status)
            if answer.get("Connection") == "close":
                client.close()
                client = self.replicas.connect()
            due = max(due + self.pause, time.monotonic() - 1)
            self.enough.wait(max(0.0, due - time.monotonic()))
        client.close()

    def finish(self):
        self.enough.set()
        for thread in self.threads:
            thread.join()
        return sum(self.served)


def rolling_restart(replicas, figure, connections, pause, times):
    gate = replicas.gates[0]
    bearer = gate.bearer()
    gate.wait_for(lambda: replicas.get(bearer) == 200, "HAProxy")
    load = Load(replicas, bearer, connections, pause)
    began = time.monotonic()
    try:
        for _ in range(times):
            for number in range(2):
                replicas.replace(number)
    finally:
        served, seconds = load.finish(), time.monotonic() - began
    assert not load.lost, load.lost[:5]
    figure(f"{times} rolling restarts of two replicas: {served} requests in {seconds:.1f} s, "
           f"{served / seconds:.0f} a second, 0 lost")
    return served / seconds


def test_a_rolling_restart_loses_no_request(replicas, figure):
    assert rolling_restart(replicas, figure, connections=4, pause=0.02, times=1) > 0


@pytest.mark.nightly
def test_a_rolling_restart_at_a_thousand_requests_a_second_loses_none(replicas, figure):
    assert rolling_restart(replicas, figure, connections=32, pause=0.032, times=10) > 500
