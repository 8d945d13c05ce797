"""Redis as it is run: with TLS, with a user of few rights, with sentinels, as a cluster; and what a
failover means for users."""

import subprocess
import threading
from pathlib import Path

import pytest

from support.gate import ROOT, SLOW, refreshed
from support.redis import Redis, free_port, store, wait_for

QUICK = {"command_timeout": "400ms"}


def acl_line():
    """The line of docs/redis.md, word for word."""
    text = Path(ROOT, "docs/redis.md").read_text()
    line = next(ln for ln in text.splitlines() if ln.startswith("ACL SETUSER"))
    return line.replace(">PASSWORD", ">secret").split()


@pytest.fixture
def password(tmp_path):
    path = tmp_path / "redis.password"
    path.write_text("secret\n")
    return str(path)


def test_the_rights_of_the_documentation_are_enough(start, backend, tmp_path, password):
    redis = Redis(tmp_path / "redis")
    assert redis.run(*acl_line()) == "OK"
    gate = start(backend, {"store": store(redis, username="gatehouse", password_file=password)})
    tokens = gate.login()
    successor = refreshed(gate.refresh(tokens.refresh))
    assert gate.get("/.gatehouse/sessions", tokens.bearer()).status == 200
    assert gate.try_login("alice", "wrong").status == 401
    assert gate.request("POST", "/logout?all=true", {
        "Cookie": f"__Host-gatehouse_refresh={successor}"}, b"").status == 204
    assert gate.request("DELETE", "/sessions?everybody=true", role="admin").status == 204
    denied = redis.run("ACL", "LOG")
    assert "gatehouse" not in denied, denied
    redis.stop()


def test_a_missing_right_is_named(start, backend, tmp_path, password):
    redis = Redis(tmp_path / "redis")
    redis.run(*acl_line(), "-xadd", "-mget")
    gate = start(backend, {"store": store(redis, username="gatehouse", password_file=password)},
                 ready=False)
    gate.wait_for(gate._is_listening, "the listening lines")
    gate.wait_for(lambda: b" MGET XADD" in gate.request("GET", "/readyz", role="health").body,
                  "the names of the rights")
    redis.run(*acl_line())
    gate.wait_for(lambda: gate.readiness() == 200, "readiness")
    redis.stop()


def certificate(directory, name, issuer=None, extension=""):
    """A key and a certificate for 127.0.0.1, signed by `issuer` or itself."""
    key, out = directory / f"{name}.key", directory / f"{name}.crt"
    sign = ["-CA", str(issuer[1]), "-CAkey", str(issuer[0])] if issuer else []
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(key), "-out", str(out),
                    "-days", "2", "-subj", f"/CN={name}", *(["-addext", extension] if extension
                                                            else []), *sign],
                   check=True, capture_output=True)
    return key, out


def test_tls_with_a_certificate_of_our_own(start, backend, tmp_path):
    directory = tmp_path / "tls"
    directory.mkdir()
    server = certificate(directory, "server", extension="subjectAltName=IP:127.0.0.1")
    client = certificate(directory, "client")
    port = free_port()
    redis = Redis(tmp_path / "redis", "--tls-port", port, "--tls-cert-file", server[1],
                  "--tls-key-file", server[0], "--tls-ca-cert-file", client[1])
    tls = {"ca_file": str(server[1]), "certificate_file": str(client[1]),
           "key_file": str(client[0])}
    config = {"kind": "redis", "redis": {"url": f"rediss://127.0.0.1:{port}", "tls": tls}}
    gate = start(backend, {"store": config})
    assert gate.refresh(gate.login().refresh).status == 200
    # Somebody else's certificate is nobody we talk to.
    wrong = {**config, "redis": {**config["redis"], "tls": {**tls, "ca_file": str(client[1])}}}
    other = start(backend, {"store": wrong}, ready=False)
    other.wait_for(other._is_listening, "the listening lines")
    assert other.try_login().status == 503
    assert other.readiness() == 503
    redis.stop()


class Users(threading.Thread):
    """Honest users who refresh without a pause, repeat what failed, and must never be refused."""

    def __init__(self, gates, count):
        super().__init__()
        self.gates, self.ending = gates, threading.Event()
        self.tokens = [gates[i % len(gates)].login().refresh for i in range(count)]
        self.refused, self.served, self.waited = [], 0, 0

    def run(self):
        turn = 0
        while not self.ending.is_set():
            user = turn % len(self.tokens)
            turn += 1
            try:
                answer = self.gates[turn % len(self.gates)].refresh(self.tokens[user])
            except OSError:
                continue
            if answer.status == 200:
                self.tokens[user] = refreshed(answer)
                self.served += 1
            elif answer.status == 503:
                self.waited += 1
            else:
                self.refused.append((user, answer.status, answer.body))

    def served_more(self):
        before = self.served
        wait_for(lambda: self.served > before + 2 * len(self.tokens), "users to go on", 60)

    def finish(self):
        self.ending.set()
        self.join()
        assert not self.refused
        assert not any(r.get("outcome") == "reuse" for g in self.gates for r in g.records())


def test_a_sentinel_failover_logs_nobody_out(start, backend, tmp_path):
    # SECURITY X-28.
    master = Redis(tmp_path / "master")
    replica = Redis(tmp_path / "replica", "--replicaof", "127.0.0.1", master.port,
                    "--repl-diskless-sync-delay", 0)
    wait_for(lambda: "master_link_status:up" in replica.run("INFO", "replication"), "the replica")
    sentinels = [Redis(tmp_path / f"sentinel{i}", program="sentinel") for i in range(3)]
    for sentinel in sentinels:
        sentinel.run("SENTINEL", "MONITOR", "mymaster", "127.0.0.1", master.port, 2)
        sentinel.run("SENTINEL", "SET", "mymaster", "down-after-milliseconds", 1000)
        sentinel.run("SENTINEL", "SET", "mymaster", "failover-timeout", 3000)
    wait_for(lambda: "slaves=1,sentinels=3" in sentinels[0].run("INFO", "sentinel"), "sentinels")
    config = {"store": {"kind": "redis", "redis": {
        "mode": "sentinel", "master": "mymaster", "endpoints": [s.endpoint for s in sentinels],
        **QUICK}}}
    gates = [start(backend, config) for _ in range(2)]
    users = Users(gates, 20)
    users.start()
    users.served_more()
    # What is written from now on is lost.
    replica.run("REPLICAOF", "127.0.0.1", free_port())
    users.served_more()
    master.kill()
    wait_for(lambda: sentinels[0].run("SENTINEL", "get-master-addr-by-name", "mymaster")
             .endswith(str(replica.port)), "the failover", 60)
    users.served_more()
    users.finish()
    for server in [*sentinels, replica, master]:
        server.stop()


def test_a_cluster_failover_logs_nobody_out(start, backend, tmp_path):
    options = ["--cluster-enabled", "yes", "--cluster-node-timeout", 1500,
               "--repl-diskless-sync-delay", 0]
    nodes = [Redis(tmp_path / f"node{i}", *options) for i in range(6)]
    made = subprocess.run(["redis-cli", "--cluster", "create", *[n.endpoint for n in nodes],
                           "--cluster-replicas", "1", "--cluster-yes"], capture_output=True,
                          text=True, timeout=60 * SLOW, check=False)
    assert "All 16384 slots covered" in made.stdout, made.stdout[-2000:]
    for node in nodes[3:]:
        wait_for(lambda n=node: "master_link_status:up" in n.run("INFO", "replication"), "replicas")
    config = {"store": {"kind": "redis", "redis": {
        "mode": "cluster", "endpoints": [nodes[1].endpoint, nodes[4].endpoint], **QUICK}}}
    gates = [start(backend, config) for _ in range(2)]
    users = Users(gates, 30)
    users.start()
    users.served_more()
    nodes[0].kill()
    wait_for(lambda: "cluster_state:ok" in nodes[1].run("CLUSTER", "INFO")
             and "fail" in nodes[1].run("CLUSTER", "NODES"), "the failover", 60)
    users.served_more()
    users.finish()
    for node in nodes:
        node.stop()
