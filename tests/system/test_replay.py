"""gatehouse policy --replay: what a new configuration would decide differently, from the access
lines that the running program wrote."""

import subprocess

import pytest
import yaml

from support.gate import BINARY, merge

OLD = {"routes": [{"path": "/open/**", "access": "public"},
                  {"path": "/admin/**", "require": {"groups": ["admins"]}}]}
NEW = {"routes": [{"path": "/open/private/**"},
                  {"path": "/open/**", "access": "public"},
                  {"path": "/admin/**", "require": {"groups": ["staff"]}},
                  {"path": "/closed/**", "access": "public"}]}


@pytest.fixture(scope="module")
def recorded(start_module):
    """A directory with access.jsonl, of requests under OLD, and the users."""
    backend = start_module.backend()
    gate = start_module(backend, OLD)
    alice, bob = gate.bearer("alice"), gate.bearer("bob")
    for path, headers in [("/open/x", {}), ("/open/private/a", {}), ("/open/private/a", {}),
                          ("/admin/x", alice), ("/admin/x", bob), ("/closed/x", {}),
                          ("/x", bob), ("/x", {"Authorization": "Bearer x.y.z"}), ("//x", bob),
                          ("/.well-known/jwks.json", {})]:
        gate.get(path, {"Host": "shop.example", **headers})
    gate.stop()
    log = gate.directory / "access.jsonl"
    log.write_text(gate.stdout() + "garbage\n{\"type\": \"access\"}\n" +
                   '{"type":"access","status":200,"method":"GET","path":"/x","user":"idp:zoe",'
                   '"upstream":"http://127.0.0.1:1"}\n')
    return start_module, backend, gate.directory


def replay(recorded, changes):
    start, backend, directory = recorded
    (directory / "new.yaml").write_text(yaml.safe_dump(start.config(backend, changes)))
    result = subprocess.run([BINARY, "policy", "-c", "new.yaml", "--replay", "access.jsonl"],
                            cwd=directory, capture_output=True, text=True, timeout=60)
    assert result.stderr == ""
    return result.returncode, result.stdout.splitlines()


def test_the_same_rules_decide_the_same(recorded):
    code, lines = replay(recorded, OLD)
    assert code == 0
    assert lines == ["12 requests decided anew, 0 differently",
                     "1 requests were left out: their users are not in the users file"]


def test_other_rules_are_told_with_the_rule_and_its_line(recorded):
    code, lines = replay(recorded, NEW)
    assert code == 1
    admin, closed, private, summary, _ = lines
    assert private.startswith("GET shop.example/open/private/a by nobody: was forwarded, would be "
                              "refused 401 missing by /open/private/** (new.yaml:")
    assert private.endswith(", 2 times]")
    assert admin.startswith("GET shop.example/admin/x by bob: was refused 403, would be forwarded "
                            "by /admin/** (new.yaml:")
    assert closed.startswith("GET shop.example/closed/x by nobody: was refused 401, would be "
                             "forwarded by /closed/**")
    assert summary == "12 requests decided anew, 4 differently"


def test_an_endpoint_that_moves(recorded):
    code, lines = replay(recorded, merge(OLD, {"endpoints": {"jwks": False}}))
    assert code == 1
    assert any("/.well-known/jwks.json by nobody: was answered, would be refused 401" in line
               for line in lines)


def test_a_file_that_is_not_there(recorded):
    result = subprocess.run([BINARY, "policy", "-c", "gatehouse.yaml", "--replay", "none.jsonl"],
                            cwd=recorded[2], capture_output=True, text=True, timeout=60)
    assert result.returncode == 2 and "cannot be read" in result.stderr
