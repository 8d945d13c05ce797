"""The charts as Helm renders them: what is refused, what is promised of every render, and that the
renders are the ones in golden/, which were reviewed. `scripts/chart-test --update` writes those."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

import readme
from rendering import (CACHE, CHART, EXAMPLE, HELMS, KUBERNETES, ROOT, containers, decoded,
                       example_with_dependency, find, helm, objects, pod_specs, refusal, template,
                       without_keys)

GOLDEN = Path(__file__).parent / "golden"
UPDATE = bool(os.environ.get("GATEHOUSE_UPDATE"))
CASES = [(chart, file) for chart in (CHART, EXAMPLE)
         for file in sorted((chart / "ci").glob("*-values.yaml"))]
NAMES = [f"{chart.name}-{file.name.removesuffix('-values.yaml')}" for chart, file in CASES]
SMALLEST = ("-f", CHART / "ci/deployment-values.yaml")
each_case = pytest.mark.parametrize("chart, values", CASES, ids=NAMES)


def set_values(**values):
    return [part for key, value in values.items()
            for part in ("--set", f"{key.replace('__', '.')}={value}")]


@pytest.fixture(scope="session")
def at(tmp_path_factory):
    """Where each chart can be rendered: the example with its dependency in place."""
    example = example_with_dependency(tmp_path_factory.mktemp("example"))
    return {CHART: CHART, EXAMPLE: example}


# --- every file in ci/

@each_case
@pytest.mark.parametrize("version", HELMS)
def test_lint(at, chart, values, version):
    helm(version, "lint", "--strict", at[chart], "-f", values)


@each_case
def test_render_is_the_reviewed_one(at, chart, values, request):
    """The same for both Helms and both versions of Kubernetes, down to the byte."""
    golden = GOLDEN / (request.node.callspec.id + ".yaml")
    renders = {(version, kubernetes): without_keys(
        template(version, at[chart], "-f", values, kubernetes=kubernetes))
        for version in HELMS for kubernetes in KUBERNETES}
    if UPDATE:
        golden.write_text(renders["helm4", KUBERNETES[-1]])
    for name, text in renders.items():
        assert text == golden.read_text(), f"{name} differs from {golden.name}"


def test_no_golden_render_is_left_over():
    assert sorted(file.stem for file in GOLDEN.glob("*.yaml")) == sorted(NAMES)


@each_case
def test_strict_schema(at, chart, values, tmp_path):
    file = tmp_path / "render.yaml"
    file.write_text(template("helm4", at[chart], "-f", values))
    environment = {**os.environ, "NODE_MODULES": str(CACHE / "node_modules")}
    done = subprocess.run(["node", ROOT / "tests/chart/strict.mjs", file], capture_output=True,
                          text=True, env=environment, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@each_case
def test_pod_security_restricted(at, chart, values):
    for pod in pod_specs(objects(template("helm4", at[chart], "-f", values))):
        about = pod["securityContext"]
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert all(set(v) & {"configMap", "secret", "projected", "emptyDir"} and "hostPath" not in v
                   for v in pod["volumes"])
        for container in containers(pod):
            own = container["securityContext"]
            merged = {**about, **own}
            assert merged["runAsNonRoot"] is True and merged["runAsUser"] != 0
            assert merged["seccompProfile"]["type"] == "RuntimeDefault"
            assert own["allowPrivilegeEscalation"] is False
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert not own.get("privileged")
            assert all("hostPort" not in port for port in container.get("ports", []))


@each_case
def test_configuration_is_accepted(at, chart, values, program, check_directory):
    """gatehouse.yaml of the ConfigMap, with keys and users where the chart mounts them."""
    documents = objects(template("helm4", at[chart], "-f", values))
    maps = [d for d in documents if d["kind"] == "ConfigMap" and "gatehouse.yaml" in d["data"]]
    if "existingConfigMap" in values.read_text():
        assert not maps
        return
    text = maps[0]["data"]["gatehouse.yaml"]
    file = check_directory / "gatehouse.yaml"
    file.write_text(text.replace("/run/gatehouse/", f"{check_directory}/"))
    done = subprocess.run([program, "check", "--config", file], capture_output=True, text=True,
                          env={**os.environ, "ISSUER": "x"}, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr + text


@pytest.fixture(scope="session")
def program():
    names = [os.environ.get("GATEHOUSE_BINARY", ""), ROOT / "build/release/proxy/gatehouse",
             ROOT / "build/dev/proxy/gatehouse"]
    found = next((name for name in names if name and os.access(name, os.X_OK)), None)
    assert found, "no program to check with; build it with scripts/build"
    return found


@pytest.fixture(scope="session")
def check_directory(tmp_path_factory, program):
    """Files as in the mounted Secrets; the keys are those that the chart itself makes."""
    directory = tmp_path_factory.mktemp("run")
    secrets = objects(template("helm4", CHART, "-f", CHART / "ci/keys-values.yaml"))
    for kind in ("keys", "users"):
        (directory / kind).mkdir()
        for name, text in decoded(find(secrets, "Secret", f"shop-gatehouse-{kind}")).items():
            (directory / kind / name).write_text(text)
    user = yaml.safe_load((EXAMPLE / "ci/classic-values.yaml").read_text())["gatehouse"]["users"]
    (directory / "users/htpasswd").write_text(f"alice:{user['list'][0]['password_hash']}\n")
    (directory / "redis").mkdir()
    (directory / "redis/password").write_text("secret")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=redis", "-keyout",
                    "/dev/null", "-out", directory / "redis/ca.crt"], check=True,
                   capture_output=True)
    return directory


# --- what is refused, and why

@pytest.mark.parametrize("arguments, reason", [
    (set_values(replicaCount=2), "2 replicas need one store"),
    (set_values(autoscaling__enabled="true"), "6 replicas need one store"),
    (set_values(existingSecret=""), "name a Secret with access.pem and refresh.key"),
    (set_values(keys__create="true"), "set one of them"),
    (set_values(existingConfigMap="x"), "set one of them"),
    (set_values(config__upstreams="null"), "config.upstreams: name the application"),
    (set_values(redis__enabled="true"), "redis.url: say where Redis is"),
    (set_values(replicaCont=2), "replicaCont"),
    (set_values(service__port="http"), "service"),
    (set_values(ingress__enabled="true", service__enabled="false"), "needs service.enabled"),
    (set_values(gatewayApi__enabled="true"), "gatewayApi.parentRefs"),
    (set_values(mode="sidecar"), "sidecar.selectorLabels"),
    (set_values(config__drain__timeout="26s"), "30 s is less than the end of a pod may take: 31 s"),
    (set_values(config__drain__delay="1m500ms"), "may take: 81 s"),
    (set_values(terminationGracePeriodSeconds=24), "24 s is less"),
], ids=lambda value: value if isinstance(value, str) else None)
@pytest.mark.parametrize("version", HELMS)
def test_refused_with_the_reason(arguments, reason, version):
    assert reason in refusal(CHART, *SMALLEST, *arguments, version=version)


def test_native_sidecars_need_a_cluster_that_has_them(at):
    values = ("-f", EXAMPLE / "ci/native-values.yaml")
    assert "Set sidecar.native: false" in refusal(at[EXAMPLE], *values, kubernetes="1.28.0")
    classic = ("-f", EXAMPLE / "ci/classic-values.yaml")
    assert template("helm4", at[EXAMPLE], *classic, kubernetes="1.28.0")


# --- promises

def test_more_replicas_are_fine_with_redis():
    text = template("helm4", CHART, *SMALLEST, *set_values(
        replicaCount=3, redis__enabled="true", redis__url="redis://redis:6379/0"))
    assert find(objects(text), "Deployment")["spec"]["replicas"] == 3


def test_native_sidecar_starts_first_and_the_application_waits_for_it(at):
    documents = objects(template("helm4", at[EXAMPLE], "-f", EXAMPLE / "ci/native-values.yaml"))
    pod = find(documents, "Deployment")["spec"]["template"]["spec"]
    sidecar, = pod["initContainers"]
    assert sidecar["restartPolicy"] == "Always"
    assert sidecar["startupProbe"]["httpGet"] == {"path": "/readyz", "port": "health"}
    application, = pod["containers"]
    assert application["lifecycle"]["preStop"]["httpGet"] == {"path": "/prestop", "port": 9902}
    assert "ports" not in application


def test_classic_sidecar_is_an_ordinary_container(at):
    documents = objects(template("helm4", at[EXAMPLE], "-f", EXAMPLE / "ci/classic-values.yaml"))
    pod = find(documents, "Deployment")["spec"]["template"]["spec"]
    assert "initContainers" not in pod
    assert [c["name"] for c in pod["containers"]] == ["gatehouse", "app"]
    assert "restartPolicy" not in pod["containers"][0]


def test_a_change_of_configuration_changes_no_pod():
    """Nothing in the pod's template depends on the configuration, and the program watches it."""
    before = objects(template("helm4", CHART, *SMALLEST))
    after = objects(template("helm4", CHART, *SMALLEST, *set_values(config__workers=2)))
    assert find(before, "Deployment") == find(after, "Deployment")
    settings = [yaml.safe_load(find(d, "ConfigMap")["data"]["gatehouse.yaml"])
                for d in (before, after)]
    assert settings[0] != settings[1] and all(s["watch"] is True for s in settings)


def test_made_keys_outlive_the_release_and_cannot_change():
    documents = objects(template("helm4", CHART, "-f", CHART / "ci/keys-values.yaml"))
    secret = find(documents, "Secret", "shop-gatehouse-keys")
    assert secret["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert secret["immutable"] is True
    keys = decoded(secret)
    assert keys["access.pem"].startswith("-----BEGIN EC PRIVATE KEY-----")
    assert keys["refresh.key"].startswith("base64:")


def test_no_keys_are_made_unasked():
    documents = objects(template("helm4", CHART, *SMALLEST))
    assert not [d for d in documents if d["kind"] == "Secret"]


def test_network_policy_opens_what_is_needed():
    documents = objects(template("helm4", CHART, "-f", CHART / "ci/redis-values.yaml"))
    spec = find(documents, "NetworkPolicy")["spec"]
    assert spec["podSelector"]["matchLabels"] == \
        find(documents, "Deployment")["spec"]["selector"]["matchLabels"]
    assert [r["ports"][0]["port"] for r in spec["ingress"]] == [8080, 9902]
    assert {p["port"] for r in spec["egress"] for p in r["ports"]} == {53, 6379, 443, 80}


@pytest.mark.parametrize("values, ports", [
    ({"redis__url": "redis://redis/0"}, {6379}),
    ({"redis__url": "redis://u:p@redis:7000/0"}, {7000}),
    ({"config__store__redis__mode": "sentinel", "config__store__redis__master": "m",
      "config__store__redis__endpoints": "{a:26380,b}"}, {26379, 26380, 6379}),
    ({"config__store__redis__mode": "cluster",
      "config__store__redis__endpoints": "{a:7001,b:7002}"}, {7001, 7002, 6379}),
    ({"redis__url": "unix:/run/redis.sock"}, set()),
    ({"redis__url": "redis://redis:7000", "networkPolicy__egress__redisPorts": "{1}"}, {1})])
def test_network_policy_opens_the_ports_of_redis(values, ports):
    text = template("helm4", CHART, *SMALLEST, *set_values(
        redis__enabled="true", networkPolicy__enabled="true", **values))
    spec = find(objects(text), "NetworkPolicy")["spec"]
    opened = {p["port"] for r in spec["egress"] for p in r["ports"]}
    assert opened - {53, 443, 80, 8080, 3000} == ports


def test_the_end_of_a_pod_has_its_time(at):
    """Of a native sidecar the delay counts twice; what comes from the environment is not known."""
    values = ("-f", EXAMPLE / "ci/native-values.yaml")
    text = template("helm4", at[EXAMPLE], *values)
    pod = find(objects(text), "Deployment")["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == 30
    reason = refusal(at[EXAMPLE], *values, *set_values(gatehouse__config__drain__delay="6s"))
    assert "may take: 32 s, of drain.delay (twice)" in reason
    assert template("helm4", CHART, *SMALLEST, "--set-json",
                    'config.drain={"timeout": "${DRAIN}"}')


def test_values_of_the_configuration_win_over_the_charts():
    text = template("helm4", CHART, *SMALLEST, *set_values(config__watch="false"))
    config = yaml.safe_load(find(objects(text), "ConfigMap")["data"]["gatehouse.yaml"])
    assert config["watch"] is False and config["health"]["address"] == "0.0.0.0:9902"


def test_large_numbers_stay_whole():
    text = template("helm4", CHART, *SMALLEST,
                    *set_values(config__store__memory__sessions_max=1000000))
    assert "sessions_max: 1000000\n" in text


def test_notes_name_the_next_step():
    for version in HELMS:
        shown = helm(version, "template", "shop", CHART, *SMALLEST, "--notes", check=False)
        if shown.returncode == 0 and "rollout status" in shown.stdout:
            return
    done = helm("helm4", "install", "shop", CHART, *SMALLEST, "--dry-run=client", check=False)
    assert "rollout status deployment/shop-gatehouse" in done.stdout, done.stderr


def test_the_version_is_the_programs():
    text = (ROOT / "CMakeLists.txt").read_text()
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert f"project(gatehouse VERSION {chart['appVersion']} " in text


def test_readme_describes_every_value():
    expected = readme.table((CHART / "values.yaml").read_text())
    file = CHART / "README.md"
    if UPDATE:
        file.write_text(readme.replaced(file.read_text(), expected))
    assert readme.found_in(file.read_text()) == expected
