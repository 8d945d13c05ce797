"""The image as the Dockerfile makes it: what is in it, and that it serves read-only, without
privileges and in 64 MiB of memory."""

import io
import json
import os
import tarfile
import threading

import pytest
import yaml

from conftest import SLOW, wait_for
from site_client import (APPLICATION, HEALTH, LISTENER, PASSWORD, USER, bearer, log_in,
                         refresh_cookie, request, status, user_seen)

MIB = 1024 * 1024
HARDENED = ("--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges",
            "--memory", "64m")


@pytest.fixture(scope="module")
def about(podman):
    return json.loads(podman("image", "inspect", podman.image))[0]


@pytest.fixture(scope="module")
def files(podman):
    """The image's files by name."""
    container = podman("create", podman.image).strip()
    podman.containers.append(container)
    packed = podman("export", container, text=False)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        return {member.name: member for member in archive.getmembers()}


@pytest.fixture(scope="module")
def settings(podman, tmp_path_factory):
    """A directory with gatehouse.yaml, keys and a user, all made with the image itself."""
    directory = tmp_path_factory.mktemp("settings")

    def gatehouse(*arguments, **more):
        return podman("run", "--rm", "-i", "--network", "none", *HARDENED, podman.image,
                      *arguments, **more)
    (directory / "access.pem").write_text(gatehouse("keygen"))
    (directory / "refresh.key").write_text(gatehouse("keygen", "--algorithm", "HS256"))
    password_hash = gatehouse("hash-password", input=PASSWORD).strip()
    (directory / "users.yaml").write_text(yaml.safe_dump(
        {"users": [{"username": USER, "password_hash": password_hash}]}))
    (directory / "gatehouse.yaml").write_text(yaml.safe_dump({
        "listeners": [{"address": "0.0.0.0:8080"}],
        "health": {"address": "0.0.0.0:9902"},
        "upstreams": {"app": {"endpoints": ["http://127.0.0.1:3000"]}},
        "users": {"file": "users.yaml"},
        "tokens": {
            "access": {"keys": [{"kid": "a", "algorithm": "ES256", "key_file": "access.pem"}]},
            "refresh": {"keys": [{"kid": "r", "secret_file": "refresh.key"}]}},
        "drain": {"delay": "500ms", "timeout": "10s"}}))
    for file in directory.iterdir():
        os.chown(file, 65532, 65532)
        file.chmod(0o400)
    directory.chmod(0o755)
    return directory


@pytest.fixture
def gatehouse(podman, settings):
    """The container, ready, in front of the example application."""
    application = podman.run(podman.application_image)
    container = podman.run(podman.image, options=(
        *HARDENED, "-v", f"{settings}:/etc/gatehouse:ro"))
    wait_for(lambda: status(APPLICATION, "/") == 200, "the application")
    try:
        wait_for(lambda: status(HEALTH, "/readyz") == 200, "/readyz")
    except AssertionError:
        raise AssertionError("not ready; its log:\n" + podman.logs(container)) from None
    yield container
    podman("rm", "-f", "-t", "0", container, application)


def test_the_image_is_described(about):
    config, labels = about["Config"], about["Labels"]
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == ["/usr/bin/gatehouse"]
    assert about["Healthcheck"]["Test"] == ["CMD", "/usr/bin/gatehouse", "healthcheck"]
    for name in ("title", "description", "licenses", "version", "revision", "base.name"):
        assert labels.get("org.opencontainers.image." + name), name


def test_the_image_is_small(about):
    """All of it, libraries included."""
    assert about["Size"] < 40 * MIB, f"{about['Size'] / MIB:.1f} MiB"
    print(f"image: {about['Size'] / MIB:.1f} MiB")


def test_nothing_is_in_it_but_the_program(files):
    programs = [n for n, m in files.items() if m.isfile() and m.mode & 0o111 and ".so" not in n]
    assert programs == ["usr/bin/gatehouse"]
    assert not [n for n, m in files.items() if m.mode & 0o6000 and m.isfile()]
    assert "etc/ssl/certs/ca-certificates.crt" in files
    # A scanner finds what the libraries are.
    assert {"libc6", "libssl3", "ca-certificates"} <= {
        n.rsplit("/", 1)[1] for n in files if n.startswith("var/lib/dpkg/status.d/")}
    # Nobody but root could change it, were it not read-only.
    loose = [n for n, m in files.items() if m.mode & 0o022 and not m.issym() and not m.isdev()
             and n.startswith(("usr", "etc", "var", "lib"))]
    assert not loose


def test_the_program_is_stripped(podman, tmp_path):
    container = podman("create", podman.image).strip()
    podman.containers.append(container)
    podman("cp", f"{container}:/usr/bin/gatehouse", tmp_path / "gatehouse")
    program = (tmp_path / "gatehouse").read_bytes()
    assert b".debug_info" not in program and b".symtab" not in program


def test_it_serves_without_privileges(podman, gatehouse):
    """Log in, call the application, refresh, call again."""
    process = podman.state(gatehouse, ".State.Pid")
    with open(f"/proc/{process}/status", encoding="ascii") as file:
        about = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
    assert about["Uid"].split() == ["65532"] * 4
    assert int(about["CapEff"], 16) == int(about["CapBnd"], 16) == 0
    assert about["NoNewPrivs"] == "1"
    assert podman.state(gatehouse, ".HostConfig.ReadonlyRootfs") == "true"
    assert podman.state(gatehouse, ".HostConfig.Memory") == str(64 * MIB)

    assert user_seen({}) is None
    assert log_in("wrong").status == 401
    login = log_in()
    assert login.status == 200, login.body
    assert user_seen(bearer(login)) == USER
    refreshed = request(LISTENER, "POST", "/token", refresh_cookie(login), b"")
    assert refreshed.status == 200, refreshed.body
    assert user_seen(bearer(refreshed)) == USER
    assert '"type":"access"' in podman.logs(gatehouse)


def test_the_healthcheck_tells(podman, gatehouse):
    assert podman("exec", gatehouse, "/usr/bin/gatehouse", "healthcheck", check=False) \
        .returncode == 0
    assert podman("exec", gatehouse, "/usr/bin/gatehouse", "healthcheck", "--url",
                  "http://127.0.0.1:9902/nothing", check=False).returncode == 1


def test_64_mebibytes_are_enough(podman, gatehouse):
    """Eight logins at once, each of which hashes in 19 MiB, and a few hundred requests."""
    token = bearer(log_in())
    wrong = []

    def client():
        if log_in().status not in (200, 503):
            wrong.append("login")
        for _ in range(50):
            if user_seen(token) != USER:
                wrong.append("call")
    threads = [threading.Thread(target=client) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert podman.state(gatehouse, ".State.OOMKilled") == "false"
    assert podman.state(gatehouse, ".State.Running") == "true"


def test_it_drains_when_stopped(podman, gatehouse):
    """A request that runs is finished before the container ends, and it ends well."""
    token = bearer(log_in())
    answers = []
    slow = threading.Thread(
        target=lambda: answers.append(request(LISTENER, "GET", "/slow", token).status))
    slow.start()
    wait_for(lambda: "gatehouse_requests_in_flight 1" in
             request(HEALTH, "GET", "/metrics").body.decode(), "the slow request")
    podman("stop", "-t", int(20 * SLOW), gatehouse)
    slow.join()
    assert answers == [200]
    assert podman.state(gatehouse, ".State.ExitCode") == "0"
