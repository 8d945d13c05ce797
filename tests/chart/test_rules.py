"""Alert rules and dashboard: every number they ask for is one that Gatehouse has, Prometheus
accepts the rules, and each rings when it should and only then (alerts_test.yaml)."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from rendering import CHART, ROOT

HERE = Path(__file__).parent
ALERTS = CHART / "files/alerts.yaml"
DASHBOARD = CHART / "files/dashboard.json"
NAME = re.compile(r"\b(?:gatehouse|process)_[a-z_]+\b")


@pytest.fixture(scope="module")
def known():
    """The names in docs/metrics.md, which a test of the program holds against /metrics."""
    return set(NAME.findall((ROOT / "docs/metrics.md").read_text()))


@pytest.fixture(scope="module")
def promtool():
    found = shutil.which("promtool")
    if not found:
        pytest.skip("promtool (Debian's package prometheus) is not installed")
    return found


def alerts():
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"]
            for rule in group["rules"]]


def unknown(expression, known):
    return {name for name in NAME.findall(expression)
            if not {name, re.sub(r"_(bucket|sum|count)$", "", name)} & known}


def run(*arguments):
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, check=False,
                          timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_ask_for_what_there_is(known):
    for rule in alerts():
        assert not unknown(rule["expr"], known), rule["alert"]
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert {"summary", "description"} <= set(rule["annotations"])


def test_prometheus_accepts_the_rules(promtool):
    run(promtool, "check", "rules", ALERTS)


def test_alerts_ring_when_they_should(promtool, tmp_path):
    text = (HERE / "alerts_test.yaml").read_text()
    file = tmp_path / "alerts_test.yaml"
    file.write_text(text.replace("ALERTS", str(ALERTS)))
    run(promtool, "test", "rules", file)


def test_every_alert_has_a_test():
    tested = [t for case in yaml.safe_load((HERE / "alerts_test.yaml").read_text())["tests"]
              for t in case["alert_rule_test"]]
    rings = {t["alertname"] for t in tested if t.get("exp_alerts")}
    silent = {t["alertname"] for t in tested if not t.get("exp_alerts")}
    names = {rule["alert"] for rule in alerts()}
    assert rings == names and silent == names


def test_dashboard_asks_for_what_there_is(known):
    dashboard = json.loads(DASHBOARD.read_text())
    panels = [p for p in dashboard["panels"] if p["type"] != "row"]
    identifiers = [p["id"] for p in dashboard["panels"]]
    assert len(set(identifiers)) == len(identifiers)
    for panel in panels:
        assert panel["title"] and panel["targets"]
        for target in panel["targets"]:
            assert not unknown(target["expr"], known), panel["title"]
            assert panel["datasource"]["uid"] == "${datasource}"
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24


def test_prometheus_accepts_the_queries_of_the_dashboard(promtool, tmp_path):
    """promtool reads expressions in rules only, so each query becomes one."""
    queries = [t["expr"] for p in json.loads(DASHBOARD.read_text())["panels"]
               for t in p.get("targets", [])]
    rules = [{"record": f"query_{n}", "expr": q.replace("$__rate_interval", "5m")}
             for n, q in enumerate(queries)]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    run(promtool, "check", "rules", file)
