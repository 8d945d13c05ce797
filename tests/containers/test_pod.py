"""The pods that the chart renders (the example's, and Gatehouse in one of its own), run with podman
in a network of their own: log in through it, read what the probes read, and end it under load with
nothing lost.

Podman is no kubelet, so the tests do three of its jobs: they start a native sidecar before the
application and end it afterwards, they ask the probes, and they call preStop before SIGTERM."""

import json
import sys
import threading
import time

import pytest
import yaml

from conftest import ROOT, SLOW, wait_for

sys.path.insert(0, str(ROOT / "tests/chart"))
from rendering import CHART, EXAMPLE, decoded, example_with_dependency, find, objects, template
from support.client import ProtocolError
from site_client import (APPLICATION, HEALTH, LISTENER, USER, bearer, log_in, refresh_cookie,
                         request, status, user_seen)


def keys_and_users(chart):
    """The Secrets of the classic example under the names that the native one expects."""
    documents = objects(template("helm4", chart, "-f", EXAMPLE / "ci/classic-values.yaml"))
    for kind in ("keys", "users"):
        secret = find(documents, "Secret", f"shop-gatehouse-{kind}")
        yield {**secret, "metadata": {"name": f"legacy-app-{kind}"}}


def as_config_map(secret):
    """The same files to a pod; podman 4.3 mounts a Secret's base64 and not what it stands for."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "data": decoded(secret),
            "metadata": {"name": secret["metadata"]["name"]}}


def playable(documents):
    """The objects of a render that podman takes; the pod's native sidecar as a container. Ports
    are left out because they cannot be published where the network is the test's own."""
    maps = [d for d in documents if d["kind"] == "ConfigMap"]
    maps += [as_config_map(d) for d in documents if d["kind"] == "Secret"]
    deployment = find(documents, "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    for volume in pod["volumes"]:
        if "secret" in volume:
            volume["configMap"] = {"name": volume.pop("secret")["secretName"]}
    pod["containers"] = pod.pop("initContainers", []) + pod["containers"]
    for container in pod["containers"]:
        for name in ("startupProbe", "livenessProbe", "readinessProbe", "ports", "restartPolicy"):
            container.pop(name, None)
    pod["restartPolicy"] = "Never"  # what ends has ended
    return [*maps, deployment]


class Pod:
    """A running pod of a render."""

    def __init__(self, podman, documents, more=(), name="shop"):
        self.podman, self.documents = podman, documents
        self.spec = find(self.documents, "Deployment")["spec"]["template"]["spec"]
        self.native = "initContainers" in self.spec
        sidecar = self.spec["initContainers" if self.native else "containers"][0]
        self.probes = {name: sidecar[name]["httpGet"]["path"]
                       for name in ("startupProbe", "livenessProbe", "readinessProbe")}
        copies = objects(yaml.safe_dump_all([*more, *self.documents]))
        text = yaml.safe_dump_all(playable(copies))
        podman("play", "kube", "--network", "host", "-", input=text)
        self.name = f"{name}-pod-0"
        podman.pods.append(self.name)
        self.sidecar, self.application = f"{self.name}-gatehouse", f"{self.name}-app"
        try:
            wait_for(lambda: status(HEALTH, self.probes["startupProbe"]) == 200, "startup")
            wait_for(lambda: status(APPLICATION, "/") == 200, "the application")
        except AssertionError:
            logs = podman.logs(self.sidecar) + podman.logs(self.application)
            raise AssertionError(logs) from None

    def signal(self, container):
        self.podman("kill", "--signal", "TERM", container)

    def runs(self, container):
        return self.podman.state(container, ".State.Running") == "true"

    def terminate(self):
        """What a kubelet does when the pod is deleted."""
        if len(self.spec["containers"]) == 1 and not self.native:
            self.signal(self.sidecar)
            return
        if not self.native:  # at once with the application's hook, as containers end side by side
            threading.Thread(target=self.signal, args=[self.sidecar]).start()
        hook = self.spec["containers"][-1]["lifecycle"]["preStop"]["httpGet"]
        answer = request(("127.0.0.1", hook["port"]), "GET", hook["path"], timeout=20 * SLOW)
        assert answer.status == 200
        self.signal(self.application)
        if self.native:
            wait_for(lambda: not self.runs(self.application), "the application's end")
            self.signal(self.sidecar)

    def remove(self):
        self.podman("pod", "rm", "-f", "-t", "0", self.name, check=False)
        for volume in self.podman("volume", "ls", "-q").split():
            self.podman("volume", "rm", "-f", volume)


@pytest.fixture(scope="module")
def chart(tmp_path_factory):
    return example_with_dependency(tmp_path_factory.mktemp("example"))


class Deployment(Pod):
    """Gatehouse in a pod of its own, in front of an application that has none of it."""

    def __init__(self, podman):
        user, = yaml.safe_load((EXAMPLE / "ci/classic-values.yaml").read_text())[
            "gatehouse"]["users"]["list"]
        values = {"image": {"repository": "localhost/gatehouse", "tag": "test",
                            "pullPolicy": "Never"},
                  "keys": {"create": True}, "users": {"list": [user]},
                  "config": {"upstreams": {"app": {"endpoints": ["http://127.0.0.1:3000"]}},
                             "routes": [{"path": "/assets/**", "access": "public"}],
                             "drain": {"delay": "3s"}}}
        self.backend = podman.run(podman.application_image)
        documents = objects(template("helm4", CHART, "--set-json", "global={}", *[
            part for key, value in values.items()
            for part in ("--set-json", f"{key}={json.dumps(value)}")]))
        super().__init__(podman, documents, name="shop-gatehouse")

    def remove(self):
        super().remove()
        self.podman("rm", "-f", "-t", "0", self.backend, check=False)


@pytest.fixture(params=["native", "classic", "deployment"])
def pod(podman, chart, request):
    if request.param == "deployment":
        running = Deployment(podman)
    else:
        more = list(keys_and_users(chart)) if request.param == "native" else []
        values = EXAMPLE / f"ci/{request.param}-values.yaml"
        running = Pod(podman, objects(template("helm4", chart, "-f", values, "--set",
                                               "gatehouse.config.drain.delay=3s")), more)
    yield running
    running.remove()


def test_log_in_through_the_pod(podman, pod):
    assert user_seen({}) is None
    login = log_in()
    assert login.status == 200, podman.logs(pod.sidecar)
    assert user_seen(bearer(login)) == USER
    assert request(LISTENER, "GET", "/admin", bearer(login)).status == 200
    assert request(LISTENER, "GET", "/assets/style.css").status == 200
    refreshed = request(LISTENER, "POST", "/token", refresh_cookie(login), b"")
    assert refreshed.status == 200 and user_seen(bearer(refreshed)) == USER
    for path in pod.probes.values():
        assert status(HEALTH, path) == 200
    process = podman.state(pod.sidecar, ".State.Pid")
    with open(f"/proc/{process}/status", encoding="ascii") as file:
        about = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
    assert about["Uid"].split() == ["65532"] * 4 and int(about["CapEff"], 16) == 0
    assert podman.state(pod.sidecar, ".HostConfig.ReadonlyRootfs") == "true"


class Load:
    """Clients that call the application over kept connections and over new ones, as a Service sends
    them: until it has heard that the pod is leaving."""

    def __init__(self, headers):
        self.leaving = threading.Event()
        self.served, self.lost = 0, []
        self.threads = [threading.Thread(target=self._run, args=(headers, path))
                        for path in ("/api/echo", "/api/orders", "/api/echo", "/slow")]
        for thread in self.threads:
            thread.start()

    def _run(self, headers, path):
        while not self.leaving.is_set():
            try:
                answer = request(LISTENER, "GET", path, headers, timeout=30)
            except (OSError, ProtocolError) as error:
                self.lost.append(repr(error))
                continue
            if answer.status != 200 or not answer.complete:
                self.lost.append(f"{path}: {answer.status}")
            self.served += 1

    def end(self):
        self.leaving.set()
        for thread in self.threads:
            thread.join()


def test_nothing_is_lost_when_the_pod_ends(podman, pod):
    """Requests come until the Service has taken the pod out, a second after its end began, and each
    is answered: also those that take longer than that second."""
    load = Load(bearer(log_in()))
    wait_for(lambda: load.served > 20, "some load")
    ending = threading.Thread(target=pod.terminate)
    ending.start()
    time.sleep(1)  # what the Service takes to hear of it; the one thing here that is a time
    load.end()
    ending.join()
    wait_for(lambda: not pod.runs(pod.sidecar), "the sidecar's end", 30)
    assert not load.lost, load.lost[:5]
    assert podman.state(pod.sidecar, ".State.ExitCode") == "0"
    assert '"status":502' not in podman.logs(pod.sidecar)
