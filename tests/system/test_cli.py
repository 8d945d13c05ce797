"""The command line: every command, its output and its exit code."""

import base64
import json
import os
import pty
import re
import subprocess

import pytest
import yaml

from support.gate import BINARY, USERS, merge

MINIMAL = {"listeners": [{"address": "127.0.0.1:0"}],
           "upstreams": {"app": {"endpoints": ["http://127.0.0.1:3000"]}},
           "users": {"file": "users.yaml"}}


def run(*arguments, cwd=None, stdin="", environment=None):
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, cwd=cwd,
                          input=stdin, timeout=60, env={**os.environ, **(environment or {})})


@pytest.fixture
def write(tmp_path):
    """Writes gatehouse.yaml (and users.yaml) and returns the directory."""
    def put(config, users=USERS):
        text = config if isinstance(config, str) else yaml.safe_dump(config)
        (tmp_path / "gatehouse.yaml").write_text(text)
        (tmp_path / "users.yaml").write_text(yaml.safe_dump({"users": users}))
        return tmp_path
    return put


def check(directory, *more):
    return run("check", "--config", "gatehouse.yaml", *more, cwd=directory)


# --- check

def test_check_accepts_a_good_file(write):
    result = check(write(MINIMAL))
    assert result.returncode == 0, result.stderr


def test_check_short_option(write):
    assert run("-t", "-c", "gatehouse.yaml", cwd=write(MINIMAL)).returncode == 0


BAD = {
    "unknown key": ("listners: []\n", 1, 1, "listners", "listeners"),
    "unknown nested key": ("upstreams:\n  app:\n    endpoint: [http://a]\n", 3, 5,
                           "upstreams.app.endpoint", "endpoints"),
    "duplicate key": ("workers: 1\nworkers: 2\n", 2, 1, "workers", ""),
    "bare duration": ("timeouts: {keep_alive: 75}\n", 1, 24, "timeouts.keep_alive", ""),
    "wrong unit": ("timeouts:\n  keep_alive: 75 parsecs\n", 2, 15, "timeouts.keep_alive", ""),
    "octal number": ("workers: 010\n", 1, 10, "workers", ""),
    "word for a boolean": ("log: {access: yes}\n", 1, 15, "log.access", ""),
    "not a map": ("log: 5\n", 1, 6, "log", ""),
    "bad enum": ("log: {level: loud}\n", 1, 14, "log.level", "debug"),
    "number too large": ("workers: 99999999999\n", 1, 10, "workers", ""),
    "negative number": ("workers: -1\n", 1, 10, "workers", ""),
}


@pytest.mark.parametrize("text, line, column, key, hint", BAD.values(), ids=BAD.keys())
def test_check_says_where_and_what(write, text, line, column, key, hint):
    """FILE:LINE:COL: key.path: message, with the nearest known key for a typo."""
    result = check(write(text))
    assert result.returncode == 1
    output = result.stdout + result.stderr
    found = re.search(rf"^gatehouse\.yaml:{line}:{column}: {re.escape(key)}: (.+)$", output, re.M)
    assert found, output
    assert hint in found.group(1)


def test_check_reports_every_problem(write):
    result = check(write("workers: x\nlog: {level: loud, format: xml}\nnonsense: 1\n"))
    output = result.stdout + result.stderr
    assert result.returncode == 1
    for key in ("workers", "log.level", "log.format", "nonsense"):
        assert re.search(rf"^gatehouse\.yaml:\d+:\d+: {re.escape(key)}: ", output, re.M), output


@pytest.mark.parametrize("changes, word", [
    ({"upstreams": {"app": {"endpoints": ["ftp://x"]}}}, "upstreams.app.endpoints"),
    ({"listeners": [{"address": "nonsense"}]}, "listeners[0].address"),
    ({"tokens": {"refresh": {"grace": "6m"}}}, "tokens.refresh.grace"),
    ({"routes": [{"path": "no-slash"}]}, "routes[0].path"),
    ({"routes": [{"path": "/a/**/b"}]}, "routes[0].path"),
    ({"routes": [{"path": "/a", "upstream": "nobody"}]}, "routes[0].upstream"),
    ({"routes": [{"path": "/a", "access": "public", "require": {"groups": ["x"]}}]}, "routes[0]"),
    ({"routes": [{"path": "/a", "access": "public", "paths": "legacy"}]}, "routes[0]"),
    ({"trusted_proxies": ["10.0.0.0/33"]}, "trusted_proxies[0]"),
    ({"users": {"file": "absent.yaml"}}, "users.file"),
    ({"tokens": {"access": {"keys": [{"kid": "a", "algorithm": "none", "key_file": "x"}]}}},
     "tokens.access.keys[0].algorithm"),
    ({"tokens": {"access": {"keys": [{"kid": "a", "algorithm": "HS256", "secret": "short"}]}}},
     "tokens.access.keys[0]"),
    ({"tokens": {"access": {"keys": [{"kid": "a", "algorithm": "HS256", "secret": "x" * 40,
                                      "secret_file": "y"}]}}}, "tokens.access.keys[0]"),
    ({"cookies": {"same_site": "none", "secure": False}}, "cookies"),
    ({"store": {"memory": {"snapshot_file": "x"}}}, "snapshot_file"),
    ({"external_url": "app.example.com"}, "external_url"),
])
def test_check_finds_what_does_not_fit(write, changes, word):
    result = check(write(merge(MINIMAL, changes)))
    assert result.returncode == 1
    assert word in result.stdout + result.stderr


@pytest.mark.parametrize("hash_text", [
    "$argon2id$v=19$m=99999999,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
    "$argon2id$v=19$m=8,t=0,p=1$c2FsdA$aGFzaA", "$2y$31$" + "a" * 53, "$1$salt$hash", "plain",
    "$apr1$salt$hash", "{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=", ""])
def test_check_refuses_bad_password_hashes(write, hash_text):
    """A hash string may not ask for gigabytes, and weak ones are no hashes (I04)."""
    result = check(write(MINIMAL, [{"username": "x", "password_hash": hash_text}]))
    assert result.returncode == 1
    assert "users.yaml:" in result.stdout + result.stderr


def test_a_secret_of_a_public_list_is_refused(write, vectors):
    words = vectors / "jwt-secrets/jwt.secrets.list"
    if not words.exists():
        pytest.skip("test vectors jwt-secrets are absent")
    known = next(w for w in words.read_text(errors="ignore").splitlines()
                 if len(w) >= 40 and re.match(r"[!-~]+\Z", w))
    config = merge(MINIMAL, {"tokens": {"access": {"keys": [
        {"kid": "a", "algorithm": "HS256", "secret": known}]}}})
    result = check(write(config))
    assert result.returncode == 1
    assert known not in result.stdout + result.stderr, "and is not repeated"


def test_the_same_secret_for_both_kinds_is_refused(write):
    secret = "0123456789abcdef-0123456789abcdef-x"
    config = merge(MINIMAL, {"tokens": {
        "access": {"keys": [{"kid": "a", "algorithm": "HS256", "secret": secret}]},
        "refresh": {"keys": [{"kid": "r", "secret": secret}]}}})
    assert check(write(config)).returncode == 1


@pytest.mark.parametrize("text", ["[" * 10000, "a: &a [*a]\n", "\0", "a: !!python/object x\n",
                                  "? [1, 2]\n: 3\n", "{" * 500 + "}" * 500, "- 1\n", "%YAML 9.9\n"],
                         ids=lambda t: repr(t[:12]))
def test_hostile_yaml_is_refused(write, text):
    """Exit code 1 and a message, never a signal (L01)."""
    result = check(write(text))
    assert result.returncode == 1
    assert "gatehouse.yaml" in result.stdout + result.stderr


ADVICE = {
    "a tab": ("log:\n\tlevel: info\n", "indent with blanks"),
    "a tab before a list": ("listeners:\n\t- address: 127.0.0.1:80\n", "indent with blanks"),
    "a tab behind blanks": ("log:\n  level: info\n\tformat: json\n", "indent with blanks"),
    "a star": ("routes:\n  - host: *.example.com\n", "needs quotes: \"*.example.com\""),
    "a star in a list": ("trusted_proxies: [*]\n", "needs quotes: \"*.example.com\""),
    "a variable in braces": ("log: {level: ${LEVEL}}\n", "needs quotes: \"${NAME}\""),
    "a variable in a list": ("trusted_proxies: [${APP}]\n", "needs quotes: \"${NAME}\""),
    "an at sign": ("external_url: @x\n", "begins with `@` needs quotes"),
    "a percent sign": ("cookies: {name: %a}\n", "begins with `%` needs quotes"),
    "an open brace": ("users: {file: users.yaml\nlog: {level: info}\n", "needs its `}`"),
    "a column": ("log:\n  level: info\n format: json\n", "in the same column"),
    "two colons": ("external_url: https://a: 3\n", "holds `: ` needs quotes"),
    "a template": ("external_url: {{ .Values.url }}\n", "`{{ x }}` needs quotes"),
}


@pytest.mark.parametrize("text, advice", ADVICE.values(), ids=ADVICE.keys())
def test_check_says_what_to_do_about_what_is_no_yaml(write, text, advice):
    result = check(write(text))
    assert result.returncode == 1
    assert re.search(r"^gatehouse\.yaml:\d+:\d+: ", result.stderr + result.stdout, re.M)
    assert advice in result.stdout + result.stderr


def test_check_of_a_missing_file(tmp_path):
    result = run("check", "--config", "absent.yaml", cwd=tmp_path)
    assert result.returncode == 1
    assert "absent.yaml" in result.stdout + result.stderr


def test_run_refuses_a_bad_file(write):
    """Fail closed: no start at all (B12)."""
    result = run("run", "--config", "gatehouse.yaml", cwd=write("nonsense: 1\n"))
    assert result.returncode == 1
    assert "gatehouse.yaml:1:1: nonsense" in result.stderr


# --- config

def test_config_prints_the_effective_configuration(write):
    directory = write(merge(MINIMAL, {"tokens": {"access": {"keys": [
        {"kid": "a", "algorithm": "HS256", "secret": "top-secret-0123456789-0123456789-x"}]}}}))
    result = run("config", "--config", "gatehouse.yaml", cwd=directory)
    assert result.returncode == 0, result.stderr
    effective = yaml.safe_load(result.stdout)
    assert effective["tokens"]["access"]["life"] == "15m"
    assert effective["upstreams"]["app"]["endpoints"] == ["http://127.0.0.1:3000"]
    assert "top-secret" not in result.stdout


def test_printed_configuration_is_a_configuration(write):
    directory = write(MINIMAL)
    text = run("-T", "-c", "gatehouse.yaml", cwd=directory).stdout
    (directory / "again.yaml").write_text(text)
    result = run("check", "--config", "again.yaml", cwd=directory)
    assert result.returncode == 0, result.stdout + result.stderr
    assert run("config", "--config", "again.yaml", cwd=directory).stdout == text


def test_schema_knows_every_key(write):
    result = run("config", "--schema")
    assert result.returncode == 0
    schema = json.loads(result.stdout)
    for key in MINIMAL:
        assert key in schema["properties"]
    assert schema.get("additionalProperties") is False


def test_environment_variables(write):
    text = ("listeners: [{address: '${LISTEN:-127.0.0.1:0}'}]\n"
            "upstreams: {app: {endpoints: ['${APP}']}}\nusers: {file: users.yaml}\n"
            "external_url: https://$${x}.example.com\n")
    directory = write(text.replace("external_url: https://$${x}.example.com\n", ""))
    result = run("config", "--config", "gatehouse.yaml", cwd=directory,
                 environment={"APP": "http://10.0.0.1:80"})
    assert "http://10.0.0.1:80" in result.stdout and "127.0.0.1:0" in result.stdout
    result = run("check", "--config", "gatehouse.yaml", cwd=directory)
    assert result.returncode == 1 and "APP" in result.stdout + result.stderr


# --- passwords and keys

def test_hash_password(write):
    result = run("hash-password", stdin="s3cret words\n")
    line = result.stdout.strip()
    assert result.returncode == 0 and line.startswith("$argon2id$v=19$m=")
    assert check(write(MINIMAL, [{"username": "x", "password_hash": line}])).returncode == 0
    assert run("hash-password", stdin="s3cret words\n").stdout.strip() != line, "salted"


def test_a_made_hash_logs_in(start):
    line = run("hash-password", stdin="s3cret words\n").stdout.strip()
    gate = start(start.backend(), users=[{"username": "gina", "password_hash": line}])
    assert gate.try_login("gina", "s3cret words").status == 200
    assert gate.try_login("gina", "s3cret words ").status == 401


def test_hash_password_asks_twice_and_shows_nothing():
    """On a terminal."""
    def ask(first, second):
        child, terminal = pty.fork()
        if child == 0:
            os.execv(BINARY, [BINARY, "hash-password"])
        shown = b""
        for answer in (first, second):
            while not shown.rstrip(b" ").endswith(b":"):
                shown += os.read(terminal, 1024)
            os.write(terminal, answer + b"\n")
            shown += b"|"
        try:
            while piece := os.read(terminal, 1024):
                shown += piece
        except OSError:  # how a terminal says that its program has ended
            pass
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.decode()
    code, shown = ask(b"s3cret words", b"s3cret words")
    assert code == 0 and "$argon2id$" in shown and "s3cret" not in shown
    code, shown = ask(b"s3cret words", b"other words")
    assert code == 1 and "$argon2id$" not in shown and "words" not in shown


def test_hash_password_refuses_an_empty_one():
    assert run("hash-password", stdin="\n").returncode != 0


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "ES512", "RS256", "PS384", "EdDSA"])
def test_keygen_makes_a_key_that_serves(start, algorithm):
    result = run("keygen", "--algorithm", algorithm)
    assert result.returncode == 0 and "PRIVATE KEY" in result.stdout
    directory = start.directory()
    (directory / "key.pem").write_text(result.stdout)
    gate = start(start.backend(), {"tokens": {"access": {"keys": [
        {"kid": "a", "algorithm": algorithm, "key_file": "key.pem"}]}}}, directory=directory)
    assert gate.get("/x", gate.bearer()).status == 200


def test_keygen_makes_secrets(start):
    result = run("keygen", "--algorithm", "HS256")
    text = result.stdout.strip().removeprefix("base64:")
    assert len(base64.b64decode(text)) >= 32
    directory = start.directory()
    (directory / "secret").write_text(result.stdout)
    gate = start(start.backend(), {"tokens": {"access": {"keys": [
        {"kid": "a", "algorithm": "HS256", "secret_file": "secret"}]}}}, directory=directory)
    assert gate.get("/x", gate.bearer()).status == 200
    assert gate.get("/.well-known/jwks.json").json() == {"keys": []}, "no secret is published"


def test_keygen_refuses_unknown_algorithms():
    assert run("keygen", "--algorithm", "none").returncode in (1, 2)


# --- policy

ROUTES = merge(MINIMAL, {"routes": [
    {"path": "/assets/**", "access": "public"},
    {"path": "/admin/**", "methods": ["GET"], "require": {"groups": ["admins"]}}]})


@pytest.mark.parametrize("arguments, words", [
    (["--method", "GET", "--path", "/assets/x"], ["public", "/assets/**"]),
    (["--method", "GET", "--path", "/admin/x", "--user", "alice"], ["allow", "/admin/**"]),
    (["--method", "GET", "--path", "/admin/x", "--user", "bob"], ["403", "/admin/**"]),
    (["--method", "GET", "--path", "/admin/x"], ["401", "/admin/**"]),
    (["--method", "GET", "--path", "/ADMIN/x", "--user", "bob"],
     ["403", "rule     default", "and      GET /admin/**"]),
    (["--method", "DELETE", "--path", "/admin/x", "--user", "alice"], ["405"]),
    (["--method", "GET", "--path", "/x", "--claims", '{"sub":"x"}'], ["allow"]),
    (["--method", "GET", "--path", "/a/../b"], ["400"])])
def test_policy_tells_the_decision_and_the_rule(write, arguments, words):
    result = run("policy", "--config", "gatehouse.yaml", *arguments, cwd=write(ROUTES))
    for word in words:
        assert word in result.stdout, result.stdout + result.stderr


# --- healthcheck, version, usage

def test_healthcheck(start):
    gate = start(start.backend())
    host, port = gate.addresses["health"]
    assert run("healthcheck", "--url", f"http://{host}:{port}/readyz").returncode == 0
    gate.stop()
    assert run("healthcheck", "--url", f"http://{host}:{port}/readyz").returncode == 1


@pytest.mark.parametrize("option", ["version", "-V"])
def test_version(option):
    result = run(option)
    assert result.returncode == 0
    assert re.search(r"gatehouse \d+\.\d+\.\d+", result.stdout)
    assert "OpenSSL" in result.stdout and "Boost" in result.stdout


@pytest.mark.parametrize("arguments", [
    ["nonsense"], ["run"], ["check"], ["--nonsense"], ["check", "--config"], [],
    ["run", "--config", "a", "--upstream", "http://b"]])
def test_wrong_usage_is_exit_code_2(arguments, tmp_path):
    result = run(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr


@pytest.mark.parametrize("command", ["run", "check", "config", "hash-password", "keygen", "policy",
                                     "healthcheck", "version"])
def test_help_has_an_example_for_each_command(command):
    result = run(command, "--help")
    assert result.returncode == 0
    assert f"gatehouse {command}" in result.stdout


# --- run --upstream

@pytest.fixture
def no_file(start):
    backend = start.backend()
    gate = start.run(start.directory(), ["run", "--upstream", backend.url,
                                         "--listen", "127.0.0.1:0"])
    return gate, backend


def printed_password(gate):
    """From the text that is printed once at start."""
    text = gate.stdout() + gate.stderr()
    found = re.search(r"password[\"']?\s*[:=]?\s*[\"']?([A-Za-z0-9_-]{12,})", text)
    assert found, text
    return found.group(1)


def test_no_file_mode_serves(no_file):
    gate, backend = no_file
    password = printed_password(gate)
    assert gate.get("/x").status == 401
    response = gate.try_login("admin", password)
    assert response.status == 200
    assert list(response.cookies()) == ["gatehouse_refresh"], "plain http: no Secure, no prefix"
    bearer = {"Authorization": f"Bearer {response.json()['accessToken']}"}
    assert gate.get("/x", bearer).status == 200
    assert backend.last().all("X-Forwarded-User") == ["admin"]


def test_no_file_mode_tells_a_person_where_it_listens(no_file):
    """In words, beside the log for machines; standard output is the log's alone."""
    gate, backend = no_file
    text = gate.stderr()
    assert f"Gatehouse listens on {gate.url} in front of {backend.url}\n" in text
    assert re.search(r"^  user      admin\n  password  \S{12,}\n", text, re.M), text
    assert f"curl -d username=admin -d password=... {gate.url}/login\n" in text
    assert "admin" not in gate.stdout()


def test_localhost_is_listened_on(start):
    backend = start.backend()
    gate = start(backend, {"listeners": [{"address": "localhost:0"}]})
    assert gate.address[0] == "127.0.0.1"
    assert gate.try_login().status == 200


def test_no_file_mode_warns(no_file):
    gate, _ = no_file
    assert any(line.get("level") == "warning" for line in gate.log())
    printed_password(gate)
    assert (gate.stdout() + gate.stderr()).count(printed_password(gate)) == 1, "once"


def test_no_file_mode_refuses_wrong_passwords(no_file):
    gate, _ = no_file
    assert gate.try_login("admin", "admin").status == 401
    assert gate.try_login("admin", "").status in (400, 401)


def test_no_file_mode_refuses_a_bad_url(tmp_path):
    assert run("run", "--upstream", "nonsense", cwd=tmp_path).returncode in (1, 2)
