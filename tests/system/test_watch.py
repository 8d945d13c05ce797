"""Reload: what is changed takes effect, what is wrong changes nothing, and nobody notices."""

import base64
import os
import shutil
import signal
import threading

import yaml

from support.gate import SLOW, USERS, merge
from support.metrics import Metrics

WATCH = {"watch": True, "routes": [{"path": "/open/**", "access": "public"}]}


def value(gate, name, **labels):
    text = gate.request("GET", "/metrics", role="health").body.decode()
    return Metrics(text).value(name, **labels)


def reloads(gate, result="ok"):
    return value(gate, "gatehouse_config_reloads_total", result=result)


def with_route(config, path):
    return merge(config, {"routes": [*config["routes"], {"path": path, "access": "public"}]})


def test_a_changed_configuration_is_taken_up(start):
    backend = start.backend()
    gate = start(backend, WATCH)
    assert gate.get("/new").status == 401
    gate.write_config(with_route(start.config(backend, WATCH), "/new"))
    gate.wait_for(lambda: gate.get("/new").status == 200, "the new rule")
    assert value(gate, "gatehouse_config_last_reload_success") == 1


def test_a_wrong_configuration_changes_nothing_and_is_named(start):
    backend = start.backend()
    gate = start(backend, WATCH)
    gate.write_config("listeners: nonsense\n")
    gate.wait_for(lambda: reloads(gate, "refused") == 1, "the refusal")
    assert value(gate, "gatehouse_config_last_reload_success") == 0
    gate.wait_for_log("reload refused, the old configuration stays")
    assert gate.get("/open/x").status == 200
    gate.write_config(with_route(start.config(backend, WATCH), "/new"))
    gate.wait_for(lambda: gate.get("/new").status == 200, "the mended one")
    assert value(gate, "gatehouse_config_last_reload_success") == 1


def test_a_wrong_key_keeps_the_whole_of_the_old_configuration(start, keys):
    """All or nothing: the new rule in the same file does not come either."""
    backend = start.backend()
    gate = start(backend, WATCH)
    bearer = gate.bearer()
    bad = gate.directory / "bad.pem"
    bad.write_text("no key\n")
    config = with_route(start.config(backend, WATCH), "/new")
    config["tokens"]["access"]["keys"] = [{"kid": "b", "algorithm": "ES256", "key_file": str(bad)}]
    gate.write_config(config)
    gate.wait_for(lambda: reloads(gate, "refused") == 1, "the refusal")
    gate.wait_for_log("tokens.access.keys[0]")
    assert gate.get("/new").status == 401
    assert gate.get("/x", bearer).status == 200
    shutil.copy(keys.private("ES256", "b"), bad)  # the key that is named, mended alone
    gate.wait_for(lambda: gate.get("/new").status == 200, "the mended key")


def test_changed_users_and_keys_are_taken_up(start, keys, tmp_path):
    backend = start.backend()
    key = tmp_path / "a.pem"
    shutil.copy(keys.private("ES256", "a"), key)
    changes = merge(WATCH, {"tokens": {"access": {"keys": [
        {"kid": "a", "algorithm": "ES256", "key_file": str(key)}]}}})
    gate = start(backend, changes)
    bearer = gate.bearer()
    gate.write_users([{**USERS[0], "username": "zoe"}])
    gate.wait_for(lambda: gate.try_login("zoe").status == 200, "the new user")
    assert gate.get("/x", bearer).status in (200, 401)  # alice's session ends a moment later
    bearer = gate.bearer("zoe")
    assert gate.get("/x", bearer).status == 200
    key.write_bytes(keys.private("ES256", "other").read_bytes())
    gate.wait_for(lambda: gate.get("/x", bearer).status == 401, "the other key")
    # Each worker takes it up by itself, a moment before or after the others.
    gate.wait_for(lambda: gate.get("/x", gate.bearer("zoe")).status == 200, "a token of that key")


def kubernetes_volume(directory, files, version):
    """Writes a mounted ConfigMap as the kubelet does: ..data is a symlink that is switched."""
    data = directory / f"..{version}"
    data.mkdir(parents=True)
    for name, text in files.items():
        (data / name).write_text(text)
        if not (directory / name).is_symlink():
            (directory / name).symlink_to(f"..data/{name}")
    os.symlink(data.name, directory / "..data_tmp")
    old = os.readlink(directory / "..data") if (directory / "..data").is_symlink() else None
    os.rename(directory / "..data_tmp", directory / "..data")
    if old:
        shutil.rmtree(directory / old)


def test_a_config_map_that_is_switched(start, tmp_path):
    backend = start.backend()
    users = yaml.safe_dump({"users": USERS})

    def files(config):
        return {"gatehouse.yaml": yaml.safe_dump(config), "users.yaml": users}
    config = start.config(backend, WATCH)
    volume = tmp_path / "volume"
    kubernetes_volume(volume, files(config), "2026_1")
    gate = start.run(tmp_path, ["run", "-c", "volume/gatehouse.yaml"],
                     sockets={"listener": 1, "health": 1, "admin": 1})
    for number in range(2, 5):
        path = f"/new/{number}"
        assert gate.get(path).status == 401
        kubernetes_volume(volume, files(with_route(config, path)), f"2026_{number}")
        gate.wait_for(lambda: gate.get(path).status == 200, "the switched volume")


LOGOS = [b'<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="1"/>' % n for n in (1, 2)]


def test_logo_and_templates_are_watched(start, tmp_path):
    """Also a template that did not exist, and one that is written in place."""
    logo, templates = tmp_path / "logo.svg", tmp_path / "pages"
    templates.mkdir()
    logo.write_bytes(LOGOS[0])
    gate = start(start.backend(), {**WATCH, "browser": {"enabled": True, "pages": {
        "logo_file": str(logo), "directory": str(templates)}}})

    def page():
        return gate.get("/login", {"Accept": "text/html"}).body.decode()
    assert base64.b64encode(LOGOS[0]).decode() in page()
    logo.write_bytes(LOGOS[1])
    gate.wait_for(lambda: base64.b64encode(LOGOS[1]).decode() in page(), "the other logo")
    (templates / "login.html").write_text("<h1>Desk one</h1>")
    gate.wait_for(lambda: "Desk one" in page(), "the new template")
    (templates / "login.html").write_text("<h1>Desk three</h1>")
    gate.wait_for(lambda: "Desk three" in page(), "the changed template")
    (templates / "login.html").write_text("<h1>{{#title}}</h1>")
    gate.wait_for(lambda: reloads(gate, "refused") == 1, "the refusal")
    assert "Desk three" in page()


def test_watch_can_be_switched_on_by_a_reload(start):
    backend = start.backend()
    gate = start(backend, {**WATCH, "watch": False})
    gate.write_config(start.config(backend, WATCH))
    gate.signal(signal.SIGHUP)
    gate.wait_for(lambda: reloads(gate) == 1, "the reload")
    gate.write_config(with_route(start.config(backend, WATCH), "/new"))

    def touched():
        gate.write_config(with_route(start.config(backend, WATCH), "/new"))
        return gate.get("/new").status == 200
    gate.wait_for(touched, "the new rule")


def test_what_cannot_change_is_named(start):
    backend = start.backend()
    gate = start(backend, WATCH)
    gate.write_config({**start.config(backend, WATCH), "workers": 3, "log": {"file": "x.log"}})
    gate.wait_for_log("changes at a restart only; the rest is in force", 2)
    lines = [line for line in gate.log() if "at a restart only" in line["message"]]
    assert {line["key"] for line in lines} == {"workers", "log.file"}
    assert value(gate, "gatehouse_workers") == 2


def test_reloads_under_load(start):
    """A hundred of them in well under a minute, some refused: every request is answered, and memory
    does not grow. Sanitizers are slow, and keep freed memory on purpose."""
    is_sanitized = SLOW >= 4
    count = 30 if is_sanitized else 100
    backend = start.backend()
    changes = {**WATCH, "watch": False}
    gate = start(backend, changes)
    bearer = gate.bearer()
    failures, served, stop = [], [0], threading.Event()

    def load():
        with gate.connect(timeout=30 * SLOW) as client:
            while not stop.is_set():
                status = client.request("GET", "/x", bearer).status
                served[0] += 1
                if status != 200:
                    failures.append(status)
    threads = [threading.Thread(target=load, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    memory = []
    for number in range(count):
        gate.write_config(with_route(start.config(backend, changes), f"/r{number % 2}"))
        gate.signal(signal.SIGHUP)
        gate.wait_for(lambda: reloads(gate) == number + 1, "the reload")
        if number % 10 == 5:
            gate.write_config("listeners: nonsense\n")
            gate.signal(signal.SIGHUP)
            gate.wait_for(lambda: reloads(gate, "refused") == number // 10 + 1, "the refusal")
        memory.append(value(gate, "process_resident_memory_bytes"))
    stop.set()
    for thread in threads:
        thread.join(30 * SLOW)
        assert not thread.is_alive()
    assert failures == [] and served[0] > count
    # The first reloads fill caches and the allocator's arenas.
    settled = max(memory[: count // 2])
    if not is_sanitized:
        assert memory[-1] < settled + 2 * 1024 * 1024, [int(m / 1024) for m in memory]
