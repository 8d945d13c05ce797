#!/usr/bin/env python3
"""What /token, /login and /logout cost with Redis on the same host: starts a redis-server and one
Gatehouse with one worker, puts load on it (token_load), and prints a table.

usage: bench/token.py [--seconds S] [--connections N] [--gatehouse FILE] [--load FILE]"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TICKS = os.sysconf("SC_CLK_TCK")

CONFIG = """
listeners: [{{address: "127.0.0.1:0"}}]
health: {{address: "127.0.0.1:0"}}
workers: 1
upstreams: {{app: {{endpoints: ["http://127.0.0.1:1"]}}}}
users: {{file: users.yaml}}
tokens:
  access: {{keys: [{{kid: a, algorithm: {algorithm}, {source}: access.key}}]}}
  # Each call rotates; with the usual 30 s those within grace are only replayed.
  refresh: {{grace: 0s, keys: [{{kid: r, secret_file: refresh.key}}]}}
login: {{throttle: {{account_and_address: 1000000/1m, account: 1000000/1m, address: 1000000/1m}}}}
store: {{kind: redis, redis: {{url: "unix:{socket}"}}}}
log: {{file: gatehouse.log, access: false}}
drain: {{delay: 0, timeout: 1s}}
"""
# bcrypt with the lowest cost, of "password": what is measured is Gatehouse and not the hash.
HASH = "$2b$04$4c0yP9VEXgN1MyvAfq4kVugWfZkDuteyEBWTs3Lk3VCtiJ3qrI6AW"


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def wait_for(condition, what):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(0.02)
    sys.exit(f"waited in vain for {what}")


class Bench:
    """One Redis and one Gatehouse in a directory of their own."""

    def __init__(self, directory, binary, load, algorithm):
        self.directory, self.load = Path(directory), load
        self.socket = self.directory / "redis.sock"
        self.redis = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.socket, "--save", "",
             "--appendonly", "no", "--dir", directory, "--logfile", "redis.log"])
        wait_for(lambda: self.ask("PING") == "PONG", "Redis")
        self.write_files(binary, algorithm)
        self.gatehouse, self.port, self.health = self.start(binary)
        self.others = []

    def start(self, binary):
        """A replica, the port of its listener, and the URL of its health listener."""
        log = self.directory / "gatehouse.log"
        log.unlink(missing_ok=True)
        process = subprocess.Popen([binary, "run", "-c", "gatehouse.yaml"], cwd=self.directory)

        def find():
            return dict((role, address) for address, role in re.findall(
                r'"address":"([^"]+)","role":"(\w+)"', log.read_text()))
        wait_for(lambda: len(find()) == 2, "Gatehouse")
        health = "http://" + find()["health"]
        wait_for(lambda: urllib.request.urlopen(health + "/readyz").status == 200, "readiness")
        return process, find()["listener"].rsplit(":", 1)[1], health

    def write_files(self, binary, algorithm):
        keys = {"access.key": algorithm, "refresh.key": "HS256"}
        for name, kind in keys.items():
            key = subprocess.run([binary, "keygen", "--algorithm", kind], capture_output=True,
                                 check=True).stdout
            (self.directory / name).write_bytes(key)
            (self.directory / name).chmod(0o600)
        source = "secret_file" if algorithm.startswith("HS") else "key_file"
        (self.directory / "gatehouse.yaml").write_text(
            CONFIG.format(algorithm=algorithm, source=source, socket=self.socket))
        (self.directory / "users.yaml").write_text(
            f'users: [{{username: alice, password_hash: "{HASH}"}}]\n')

    def ask(self, *words):
        return subprocess.run(["redis-cli", "-s", self.socket, *words], capture_output=True,
                              text=True, check=False).stdout.strip()

    def commands(self):
        """How often Redis was asked, script calls and others, without what scripts do in it."""
        stats = self.ask("INFO", "commandstats")
        calls = {name: int(count) for name, count in re.findall(
            r"cmdstat_([a-z|]+):calls=(\d+)", stats)}
        return calls.get("evalsha", 0) + calls.get("eval", 0)

    def run(self, mode, connections, seconds, rate=0):
        load = subprocess.Popen(
            [self.load, "--mode", mode, "--port", self.port, "--connections", str(connections),
             "--seconds", str(seconds), "--rate", str(rate)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if load.stdout.readline() != "ready\n":
            sys.exit("token_load failed")
        before = [cpu_seconds(p.pid) for p in (self.gatehouse, self.redis)], self.commands()
        load.stdin.write("go\n")
        load.stdin.flush()
        result = json.loads(load.stdout.readline())
        load.wait()
        after = [cpu_seconds(p.pid) for p in (self.gatehouse, self.redis)], self.commands()
        result["gatehouse_cpu"], result["redis_cpu"] = (
            b - a for a, b in zip(before[0], after[0]))
        result["scripts"] = after[1] - before[1]
        return result

    def delivery(self, binary, connections, seconds, rate):
        """How late a second replica learns of the first one's logouts: within how many seconds 99
        of 100, and how many there were."""
        process, _, health = self.start(binary)
        self.others.append(process)
        self.run("login", connections, seconds, rate)
        text = urllib.request.urlopen(health + "/metrics").read().decode()
        buckets = [(bound, float(count)) for bound, count in re.findall(
            r'gatehouse_revocation_delivery_seconds_bucket{le="([^"]+)"} (\S+)', text)]
        total = buckets[-1][1]
        return next(b for b, count in buckets if count >= 0.99 * total), int(total)

    def stop(self):
        for process in (*self.others, self.gatehouse, self.redis):
            process.terminate()
            process.wait()


def line(what, result, *steps):
    """CPU and scripts of the whole run, divided by the requests of the steps."""
    count = sum(result[step]["count"] for step in steps)
    for step in steps:
        bad = {s: n for s, n in result[step]["statuses"].items() if s not in ("200", "204")}
        if bad:
            sys.exit(f"{what}: {bad} of {count}")
    share = result["gatehouse_cpu"] / result["seconds"]
    cells = [what, f"{count / result['seconds']:,.0f}",
             f"{result['gatehouse_cpu'] / count * 1e6:.0f}", f"{share:.0%}",
             f"{count / result['gatehouse_cpu']:,.0f}",
             f"{result['redis_cpu'] / count * 1e6:.0f}",
             f"{result['own_cpu'] / count * 1e6:.0f}",
             f"{result['scripts'] / count:.2f}",
             ", ".join(f"{result[s]['p50_us'] / 1e3:.2f}" for s in steps),
             ", ".join(f"{result[s]['p99_us'] / 1e3:.2f}" for s in steps)]
    print("| " + " | ".join(cells) + " |", flush=True)


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    options.add_argument("--seconds", type=float, default=10)
    options.add_argument("--connections", type=int, default=64)
    options.add_argument("--rate", type=float, default=1000, help="of the run for the p99")
    options.add_argument("--algorithm", default="ES256", help="of access tokens")
    options.add_argument("--gatehouse", default=str(ROOT / "build/release/proxy/gatehouse"))
    options.add_argument("--load", default=str(ROOT / "build/release/bench/token_load"))
    chosen = options.parse_args()
    print("| | requests/s | CPU of Gatehouse, us | its share of a core | requests per s of CPU | "
          "CPU of Redis, us | CPU of the load, us | scripts each | p50, ms | p99, ms |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(directory, chosen.gatehouse, chosen.load, chosen.algorithm)
        try:
            many, seconds = chosen.connections, chosen.seconds
            bench.run("token", many, 1)  # connections, caches, scripts
            line(f"/token, {many} connections", bench.run("token", many, seconds), "token")
            line(f"/token, {chosen.rate:,.0f} a second",
                 bench.run("token", many, seconds, chosen.rate), "token")
            few = min(many, 16)  # as many as may wait for their password's hash
            line(f"/login and /logout, {few} connections", bench.run("login", few, seconds),
                 "login", "logout")
            bound, count = bench.delivery(chosen.gatehouse, few, seconds, chosen.rate)
            print(f"\n99 % of {count} revocations reached a second replica within {bound} s, while "
                  f"there were {chosen.rate / 2:,.0f} logins and logouts a second")
        finally:
            bench.stop()


if __name__ == "__main__":
    main()
