"""Public lists of path traversal lines against a public prefix: whatever the backend is given
without a token must be a plain path below that prefix, byte for byte as it was sent (B03)."""

import os
import re
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest

from support.client import Client
from support.gate import ROOT

CONFIG = {"routes": [{"path": "/public/**", "access": "public"}]}

LISTS = Path(os.environ.get("GATEHOUSE_VECTORS", ROOT.parent / "shared/vectors")) \
    / "path-and-redirect-lists"
FILES = sorted(p for p in LISTS.glob("Directory Traversal/**/*") if p.is_file())


def is_plain(path):
    """No spelling that a backend might read as another path."""
    segments = path.split("/")[1:]
    return ("" not in segments[:-1] and "." not in segments and ".." not in segments
            and not re.search(r"%(2[eEfF5]|5[cC]|00|23|3[bBfF])|[\\;]|[^!-~]", path)
            and unquote_to_bytes(path).isascii())


@pytest.mark.skipif(not FILES, reason="test vectors path-and-redirect-lists are absent")
@pytest.mark.parametrize("file", FILES, ids=[f.name for f in FILES])
def test_traversal_lines_never_leave_the_public_prefix(file, gate, backend):
    lines = [line for line in file.read_bytes().splitlines() if line.strip()]
    assert lines
    for line in lines:
        target = b"/public/" + line
        before = len(backend.requests)
        with Client(gate.address) as client:
            client.send_pieces(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n", [])
            status = client.read_response().status
        seen = backend.requests[before:]
        if seen:
            sent = target.decode("latin-1")
            assert [r.target for r in seen] == [sent]
            assert sent.startswith("/public/") and is_plain(sent.split("?")[0]), sent
            assert status == 200
        else:
            assert status in (400, 401, 404, 414, 505), (line, status)


@pytest.mark.parametrize("target", [
    "/public", "/public/", "/public/a", "/public/a.b/c-d_e~f", "/public/%C3%A9",
    "/public/a?b=/../c",
    "/public/a:b@c!$&'()*+,=", "/public/a%20b"])
def test_ordinary_paths_are_forwarded_unchanged(gate, backend, target):
    response = gate.get(target)
    assert response.status == 200
    assert backend.last().target == target


@pytest.mark.parametrize("target", ["/publicx", "/Public/a", "/PUBLIC", "/", "/pub", "/x/public/a"])
def test_public_rule_matches_whole_segments_and_case(gate, backend, target):
    assert gate.get(target).status == 401
    assert not backend.requests


@pytest.mark.parametrize("target", ["/public/%41", "/public/%7e", "/public/%2D", "/%70ublic/a"])
def test_escaped_plain_characters_are_refused(gate, backend, target):
    """One path, one spelling: an escaped unreserved byte is a second one (P8)."""
    assert gate.get(target).status == 400
    assert not backend.requests
