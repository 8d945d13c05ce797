"""The documentation says what the program does: whole configurations load, log names and metrics
exist, links lead somewhere, and signals and commands are those of the program."""

import re
import subprocess

import pytest

from support.gate import BINARY, ROOT

PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
WHOLE = "# gatehouse.yaml\n"


def blocks(language):
    """(page, text) of every fenced block of that language."""
    for page in PAGES:
        for text in re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.M | re.S):
            yield page, text


def whole_configurations():
    return [pytest.param(text, id=page.name) for page, text in blocks("yaml")
            if text.startswith(WHOLE)]


@pytest.mark.parametrize("text", whole_configurations())
def test_whole_configurations_load(text, tmp_path):
    (tmp_path / "gatehouse.yaml").write_text(text)
    result = subprocess.run([BINARY, "config", "-c", "gatehouse.yaml"], cwd=tmp_path,
                            capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr


def test_there_are_whole_configurations():
    assert len(whole_configurations()) >= 3


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_metrics_that_are_named_exist():
    known = set(re.findall(r"`((?:gatehouse|process)_[a-z_]+)`",
                           (ROOT / "docs/metrics.md").read_text()))
    for page in PAGES:
        for name in re.findall(r"\b(gatehouse_[a-z_]+_(?:total|seconds|success|length|info))\b",
                               page.read_text()):
            assert name in known, f"{page.name}: {name}"


def test_commands_that_are_named_exist():
    listed = subprocess.run([BINARY, "--help"], capture_output=True, text=True).stdout
    known = set(re.findall(r"^  ([a-z-]+)  ", listed, re.M))
    for page in PAGES:
        for name in re.findall(r"`gatehouse ([a-z-]+)[ `]", page.read_text()):
            assert name in known, f"{page.name}: gatehouse {name}"


def uncommented(text, begin):
    """The example with the commented lines of the section that begins so switched on."""
    lines, inside = [], False
    for line in text.splitlines():
        inside = line.startswith(begin) or (inside and line.startswith((" ", "#")))
        if inside:
            line = re.sub(r"^#( ?)|(?<=^  )# (?!#)", "", line)
        lines.append(line)
    return "\n".join(lines) + "\n"


def test_the_example_can_be_switched_to_redis(tmp_path):
    text = (ROOT / "examples/gatehouse.yaml").read_text()
    text = uncommented(uncommented(text, "store:"), "# alerts:").replace("  kind: memory ", "  # ")
    (tmp_path / "gatehouse.yaml").write_text(text)
    printed = subprocess.run([BINARY, "config", "-c", "gatehouse.yaml"], cwd=tmp_path,
                             capture_output=True, text=True, timeout=60)
    assert printed.returncode == 0, printed.stderr
    assert "kind: redis" in printed.stdout and "wait_replicas: 1" in printed.stdout
    assert "url: https://alarms.example.com/gatehouse" in printed.stdout
