"""Real Node clients: the one of the Express tutorials, and the token libraries jose and
jsonwebtoken in both directions."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support.gate import PASSWORD

NODE = Path(__file__).parent / "node"
SECRET = "0123456789abcdef-trusted-issuer-0123456789"

if not shutil.which("node") or not (NODE / "node_modules/jose").exists():
    # Not a skip: scripts/setup installs both, so their absence is a broken set-up.
    raise RuntimeError("node or its packages are missing; run scripts/setup test")


def run(script, gate, **environment):
    """Runs one file of Node tests; its own count must say that something ran and nothing failed."""
    result = subprocess.run(
        ["node", "--test", str(NODE / script)], capture_output=True, text=True, timeout=120,
        env={**os.environ, "GATEHOUSE_URL": gate.url, "GATEHOUSE_PASSWORD": PASSWORD,
             **environment})
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    passed = re.search(r"^\S* ?pass (\d+)$", result.stdout, re.M)
    assert passed and int(passed.group(1)) > 0, output


def test_tutorial_client(start):
    run("tutorial.mjs", start(start.backend(), {"tokens": {"refresh": {"delivery": "body"}}}))


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "EdDSA", "PS256", "HS256"])
def test_libraries_verify_our_tokens(start, keys, algorithm):
    gate = start(start.backend(), {"tokens": {"access": {"keys": [keys.config(algorithm)]}}})
    secret = str(keys.private(algorithm)) if algorithm.startswith("HS") else ""
    run("jose.mjs", gate, ALGORITHM=algorithm, SECRET_FILE=secret)


def test_we_accept_tokens_that_libraries_make(start, keys, tmp_path):
    issuers = []
    for algorithm in ("ES256", "RS256", "PS256", "EdDSA", "HS256"):
        if algorithm == "HS256":
            (tmp_path / "secret.txt").write_text(SECRET)
            source = {"secret": SECRET}
        else:
            shutil.copy(keys.private(algorithm, "idp"), tmp_path / f"{algorithm}.pem")
            source = {"public_key_file": str(keys.public(algorithm, "idp"))}
        issuers.append({"issuer": f"https://{algorithm.lower()}.example.com", "audience": ["app"],
                        "keys": [{"kid": "k1", "algorithm": algorithm, **source}],
                        "subject_prefix": "idp:"})
    backend = start.backend()
    gate = start(backend, {"tokens": {"trusted_issuers": issuers}})
    run("jose.mjs", gate, ISSUER_KEYS=str(tmp_path))
    assert {r.get("X-Forwarded-User") for r in backend.requests} == {"idp:zoe"}
