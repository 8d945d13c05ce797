"""Starts the real program with a configuration made from a dict, waits until it is ready, stops it
and insists on a clean end: exit code 0 and no sanitizer report."""

import base64
import json
import os
import re
import subprocess
import threading
import time
from pathlib import Path
from signal import SIGTERM

import yaml

from .client import Client

ROOT = Path(__file__).resolve().parents[3]
BINARY = os.environ.get("GATEHOUSE_BINARY", str(ROOT / "build/dev/proxy/gatehouse"))
SLOW = float(os.environ.get("GATEHOUSE_SLOWNESS", "1"))  # sanitizers stretch every deadline
REFRESH_COOKIE = "__Host-gatehouse_refresh"
ACCESS_COOKIE = "__Host-gatehouse_access"

PASSWORD = "correct horse battery staple"
# bcrypt, cost 4: a hash that costs a test nothing.
PASSWORD_HASH = "$2y$04$NhaC0GRdX9GH9XX2uZxz8eryJpW1cj.S2BcxKHjY/toMf1c6yMTou"

USERS = [
    {"username": "alice", "password_hash": PASSWORD_HASH, "email": "alice@example.com",
     "name": "Alice Liddell", "groups": ["staff", "admins"], "scopes": ["orders:read"]},
    {"username": "bob", "password_hash": PASSWORD_HASH, "email": "bob@example.com",
     "name": "Bob", "groups": ["staff"]},
    {"username": "carol", "password_hash": PASSWORD_HASH},
    {"username": "mallory", "password_hash": PASSWORD_HASH, "disabled": True},
]

REPORT = re.compile(r"(ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|"
                    r"LeakSanitizer: detected|terminate called|Assertion .* failed)")

# In both formats of the log.
LISTENING = re.compile(r'listening"?[ ,]"?address[=:"]+([^ ",]+)"?[ ,]"?role[=:"]+(\w+)')


class Keys:
    """Signing keys made once for all tests of a run."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self._made = {}
        self.refresh = self.directory / "refresh.key"
        self.refresh.write_text("base64:" + base64.b64encode(os.urandom(32)).decode() + "\n")
        self.refresh.chmod(0o600)

    def private(self, algorithm="ES256", name="a"):
        """The file with a key for that algorithm: PEM, or a secret for HS*."""
        if (algorithm, name) in self._made:
            return self._made[algorithm, name]
        path = self.directory / f"{algorithm}-{name}.pem"
        if algorithm.startswith("HS"):
            path.write_text("base64:" + base64.b64encode(os.urandom(64)).decode() + "\n")
        else:
            options = {"ES256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
                       "ES384": ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
                       "ES512": ["EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
                       "EdDSA": ["ED25519"]}.get(algorithm, ["RSA", "-pkeyopt",
                                                             "rsa_keygen_bits:2048"])
            subprocess.run(["openssl", "genpkey", "-algorithm", *options, "-out", str(path)],
                           check=True, capture_output=True)
        path.chmod(0o600)
        self._made[algorithm, name] = path
        return path

    def public(self, algorithm="ES256", name="a"):
        private = self.private(algorithm, name)
        path = private.with_suffix(".pub.pem")
        if not path.exists():
            subprocess.run(["openssl", "pkey", "-in", str(private), "-pubout", "-out", str(path)],
                           check=True, capture_output=True)
        return path

    def config(self, algorithm="ES256", kid="a"):
        """The `keys` entry for signing with that algorithm."""
        source = "secret_file" if algorithm.startswith("HS") else "key_file"
        return {"kid": kid, "algorithm": algorithm, source: str(self.private(algorithm, kid))}


def merge(base, changes):
    """`changes` over `base`: dicts are merged, anything else is replaced; None removes a key."""
    result = dict(base)
    for key, value in (changes or {}).items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merge(result[key], value)
        else:
            result[key] = value
    return result


def base_config(upstream, keys):
    """Small, and nothing in the way: every test adds what it is about."""
    return {
        "listeners": [{"address": "127.0.0.1:0"}],
        "health": {"address": "127.0.0.1:0"},
        "admin": {"address": "127.0.0.1:0"},
        "workers": 2,
        "upstreams": {"app": {"endpoints": [upstream]}},
        "users": {"file": "users.yaml"},
        "tokens": {
            "access": {"keys": [keys.config()]},
            "refresh": {"keys": [{"kid": "r", "secret_file": str(keys.refresh)}]},
        },
        "login": {"throttle": {"account_and_address": "10000/1m", "account": "10000/1m",
                               "address": "10000/1m", "ban": "1s"}},
        "drain": {"delay": 0, "timeout": "2s"},
    }


class Tokens:
    """What a login gave."""

    def __init__(self, access, refresh):
        self.access, self.refresh = access, refresh

    def bearer(self):
        return {"Authorization": f"Bearer {self.access}"}

    def cookie(self):
        return {"Cookie": f"{REFRESH_COOKIE}={self.refresh}"}

    def claims(self):
        return claims(self.access)


def claims(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


class Gate:
    """One running program."""

    def __init__(self, directory, arguments, environment=None, sockets=None, log_file=None,
                 ready=True):
        self.directory = Path(directory)
        number = len(list(self.directory.glob("stderr.*")))
        self.error_file = self.directory / f"stderr.{number}"
        self.output_file = self.directory / f"stdout.{number}"
        self.arguments = [BINARY, *[str(a) for a in arguments]]
        self.expected_sockets = sockets or {"listener": 1}
        self.log_file = self.directory / log_file if log_file else self.error_file
        self.addresses = {}
        with self.error_file.open("wb") as error, self.output_file.open("wb") as output:
            self.process = subprocess.Popen(
                self.arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=error,
                env={**os.environ, **(environment or {})}, cwd=self.directory)
        if ready:
            self.wait_until_ready()

    # --- start and stop

    def wait_until_ready(self):
        self.wait_for(self._is_listening, "the listening lines")
        if "health" in self.addresses:
            self.wait_for(lambda: self.readiness() == 200, "readiness")

    def _is_listening(self):
        found = {}
        text = self.log_file.read_text() if self.log_file.exists() else ""
        for address, role in LISTENING.findall(text):
            found.setdefault(role, []).append(address)
        self.addresses = {role: _parse(values[0]) for role, values in found.items()}
        return all(len(found.get(role, [])) >= count
                   for role, count in self.expected_sockets.items())

    def wait_for(self, condition, what, seconds=15):
        deadline = time.monotonic() + seconds * SLOW
        while time.monotonic() < deadline:
            if condition():
                return
            assert self.process.poll() is None or condition(), \
                f"gatehouse ended with {self.process.returncode}:\n{self.stderr()[-4000:]}"
            time.sleep(0.005)
        raise AssertionError(f"waited in vain for {what}; its log:\n{self.stderr()[-4000:]}")

    def readiness(self):
        try:
            with Client(self.addresses["health"], timeout=2) as client:
                return client.request("GET", "/readyz").status
        except OSError:
            return 0

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, number=SIGTERM, expect=0, seconds=20):
        """Ends it, if it still runs, and checks how it ended."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.join(expect, seconds)

    def join(self, expect=0, seconds=20):
        try:
            code = self.process.wait(seconds * SLOW)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("gatehouse did not end; its log:\n" + self.stderr()[-4000:])
        text = self.stderr()
        report = REPORT.search(text)
        assert not report, text[max(0, report.start() - 200):report.start() + 6000]
        assert code == expect, f"exit code {code}, not {expect}:\n{text[-4000:]}"

    def kill(self):
        self.process.kill()
        self.process.wait()

    # --- what it wrote

    def stderr(self):
        return self.error_file.read_text(errors="replace")

    def stdout(self):
        return self.output_file.read_text(errors="replace")

    def log(self):
        return _json_lines(self.stderr())

    def records(self):
        """Access and audit lines."""
        return _json_lines(self.stdout())

    def wait_for_record(self, **fields):
        """The first access or audit line with these values."""
        found = []

        def look():
            found[:] = [r for r in self.records()
                        if all(r.get(k) == v for k, v in fields.items())]
            return bool(found)
        self.wait_for(look, f"a log line with {fields}")
        return found[0]

    def wait_for_log(self, text, count=1):
        self.wait_for(lambda: sum(text in line for line in self.stderr().splitlines()) >= count,
                      f"the log line {text!r}")

    # --- talking to it

    @property
    def address(self):
        return self.addresses["listener"]

    @property
    def url(self):
        host, port = self.address
        return f"http://{host}:{port}"

    def connect(self, **more):
        return Client(self.address, **more)

    def request(self, method, path, headers=(), body=None, role="listener", **more):
        """One request over a connection of its own."""
        with Client(self.addresses[role]) as client:
            return client.request(method, path, headers, body, **more)

    def get(self, path, headers=(), **more):
        return self.request("GET", path, headers, **more)

    def post_json(self, path, value, headers=()):
        headers = {"Content-Type": "application/json", **dict(headers)}
        return self.request("POST", path, headers, json.dumps(value))

    def post_form(self, path, text, headers=()):
        headers = {"Content-Type": "application/x-www-form-urlencoded", **dict(headers)}
        return self.request("POST", path, headers, text)

    def try_login(self, user="alice", password=PASSWORD, headers=()):
        return self.post_json("/login", {"username": user, "password": password}, headers)

    def login(self, user="alice", password=PASSWORD):
        response = self.try_login(user, password)
        assert response.status == 200, response.body
        answer = response.json()
        cookie = response.cookies().get(REFRESH_COOKIE)
        return Tokens(answer["accessToken"], cookie[0] if cookie else answer.get("refreshToken"))

    def refresh(self, token, headers=()):
        """POST /token with the refresh token in our cookie."""
        return self.request("POST", "/token",
                            {"Cookie": f"{REFRESH_COOKIE}={token}", **dict(headers)}, b"")

    def bearer(self, user="alice"):
        return self.login(user).bearer()

    def memory_kib(self, field):
        """Of /proc/PID/status: VmRSS (resident), RssAnon (anonymous), VmHWM (most resident)."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
        raise AssertionError(f"no {field}")

    # --- its files

    def write_users(self, users):
        write_atomically(self.directory / "users.yaml", yaml.safe_dump({"users": users}))

    def write_config(self, config):
        text = config if isinstance(config, str) else yaml.safe_dump(config, sort_keys=False)
        write_atomically(self.directory / "gatehouse.yaml", text)


def refreshed(response):
    """The successor that an answer of /token sets as cookie."""
    assert response.status == 200, (response.status, response.body)
    return response.cookies()[REFRESH_COOKIE][0]


def write_atomically(path, text):
    temporary = path.with_suffix(".new")
    temporary.write_text(text)
    temporary.replace(path)


def _parse(address):
    if address.startswith("unix:"):
        return address[5:]
    host, _, port = address.rpartition(":")
    return (host.strip("[]"), int(port))


def _json_lines(text):
    lines = []
    for line in text.splitlines():
        if line.startswith("{"):
            try:
                lines.append(json.loads(line))
            except json.JSONDecodeError:
                pass  # the last line may be half written
    return lines


def spin(threads):
    """Runs callables at once and returns their results in order."""
    results, barrier = [None] * len(threads), threading.Barrier(len(threads))

    def run(index, function):
        barrier.wait()
        try:
            results[index] = function()
        except BaseException as error:  # handed to the test, not lost in a thread
            results[index] = error
    workers = [threading.Thread(target=run, args=pair) for pair in enumerate(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results
