"""Renders the charts with real Helm binaries, without a cluster."""

import base64
import os
import re
import shutil
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("GATEHOUSE_CHART_CACHE", ROOT / "build/chart"))
CHART = ROOT / "helm/gatehouse"
EXAMPLE = ROOT / "helm/examples/legacy-app"
HELMS = ("helm4", "helm3")
KUBERNETES = ("1.29.0", "1.33.0")


def helm(version, *arguments, check=True):
    binary = CACHE / version / "helm/helm"
    environment = {**os.environ, "HELM_CACHE_HOME": str(CACHE / "home"),
                   "HELM_CONFIG_HOME": str(CACHE / "home"), "HELM_DATA_HOME": str(CACHE / "home"),
                   "KUBECONFIG": "/nonexistent"}
    done = subprocess.run([str(binary), *map(str, arguments)], capture_output=True, text=True,
                          env=environment, check=False, timeout=60)
    assert not check or done.returncode == 0, done.stderr + done.stdout
    return done


def example_with_dependency(directory):
    """A copy of the example with the chart of this tree in charts/, where `helm dependency build`
    puts it."""
    copy = Path(directory) / "legacy-app"
    shutil.copytree(EXAMPLE, copy)
    shutil.copytree(CHART, copy / "charts/gatehouse")
    return copy


def template(version, chart, *arguments, kubernetes=KUBERNETES[-1]):
    return helm(version, "template", "shop", chart, "--namespace", "web", "--kube-version",
                kubernetes, *arguments).stdout


def refusal(chart, *arguments, version="helm4", kubernetes=KUBERNETES[-1]):
    """What Helm says instead of rendering."""
    done = helm(version, "template", "shop", chart, "--kube-version", kubernetes, *arguments,
                check=False)
    assert done.returncode != 0, "was rendered:\n" + done.stdout
    return done.stderr


def objects(text):
    return [document for document in yaml.safe_load_all(text) if document]


def find(documents, kind, name=None):
    found = [d for d in documents if d["kind"] == kind
             and (name is None or d["metadata"]["name"] == name)]
    assert len(found) == 1, f"{len(found)} objects {kind} {name or ''}"
    return found[0]


def pod_specs(documents):
    return [d["spec"]["template"]["spec"] for d in documents if d["kind"] == "Deployment"]


def containers(pod):
    return [*pod.get("initContainers", []), *pod["containers"]]


def without_keys(text):
    """New keys are made at each rendering; their place stays visible."""
    return re.sub(r"^(  (?:access\.pem|refresh\.key): ).{40,}$", r"\1MADE-ONCE", text, flags=re.M)


def decoded(secret):
    return {k: base64.b64decode(v).decode() for k, v in secret["data"].items()}
