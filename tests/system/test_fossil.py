"""A real application behind Gatehouse with its single sign-on: Fossil, as examples/fossil has it.
What it writes down about who did something is what counts."""

import os
import re
import shutil
import socket
import subprocess
import time
import urllib.parse

import pytest
import yaml

from support.fronts import free_port
from support.gate import ROOT, SLOW

EXAMPLE = ROOT / "examples/fossil"
pytestmark = pytest.mark.skipif(
    shutil.which("fossil") is None or not os.access("/usr/sbin/nginx", os.X_OK),
    reason="fossil or nginx is not installed; scripts/setup installs them")


class Fossil:
    """A repository, its server and the nginx between, with alice and bob as users."""

    def __init__(self, directory):
        self.directory = directory
        self.environment = {**os.environ, "HOME": str(directory), "FOSSIL_HOME": str(directory)}
        self.repository = directory / "repository.fossil"
        self.port, scgi = free_port(), free_port()
        self.run("init", "-A", "root", str(self.repository))
        for user in ("alice", "bob"):
            self.run("user", "new", user, f"{user}@example.com", "unused", "-R", self.repository)
            self.run("user", "capabilities", user, "v", "-R", self.repository)
        self.sql("REPLACE INTO config(name, value, mtime) VALUES ('remote_user_ok', 1, now())")
        text = (EXAMPLE / "nginx.conf").read_text()
        text = text.replace(":3000", f":{self.port}").replace(":3001", f":{scgi}")
        paths = "".join(f"    {kind}_temp_path {directory}/{kind};\n" for kind in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        text = text.replace("http {\n", "http {\n" + paths)
        if os.getuid() == 0:
            text = "user root;\n" + text
        (directory / "nginx.conf").write_text(f"pid {directory}/pid;\n{text}")
        self.processes = [
            self.start("fossil", "server", str(self.repository), "--scgi", "--localhost",
                       "--port", str(scgi)),
            self.start("/usr/sbin/nginx", "-p", str(directory), "-e", "stderr", "-c",
                       str(directory / "nginx.conf"))]
        for port in (scgi, self.port):
            self.wait_for(port)

    def run(self, *arguments):
        return subprocess.run(["fossil", *map(str, arguments)], env=self.environment, check=True,
                              capture_output=True, text=True).stdout

    def sql(self, text):
        return self.run("sql", "-R", self.repository, text)

    def start(self, *arguments):
        with (self.directory / f"log-{len(arguments)}").open("wb") as log:
            return subprocess.Popen(arguments, env=self.environment, cwd=self.directory,
                                    stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait_for(self, port):
        deadline = time.monotonic() + 20 * SLOW
        while time.monotonic() < deadline:
            assert all(p.poll() is None for p in self.processes), \
                [log.read_text() for log in self.directory.glob("log-*")]
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.01)
        raise AssertionError(f"nobody listens on {port}")

    def authors(self, title):
        """Whom Fossil names as the author of tickets with that title."""
        rows = self.sql(f"SELECT user FROM event WHERE type = 't' AND comment LIKE '%{title}%'")
        return [row.strip("'") for row in rows.split()]

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(10 * SLOW)


@pytest.fixture(scope="module")
def site(start_module):
    fossil = Fossil(start_module.directory())
    backend = start_module.backend()
    example = yaml.safe_load((EXAMPLE / "gatehouse.yaml").read_text())
    gate = start_module(backend, {
        "routes": example["routes"], "browser": example["browser"],
        "external_url": example["external_url"],
        "upstreams": {"app": {"endpoints": [f"http://127.0.0.1:{fossil.port}"]}}})
    yield gate, fossil
    fossil.stop()


def who(page):
    """The name in the corner of every page; None for nobody."""
    found = re.search(r"<div class=.status.>\s*<a href='/login'>([^<]*)</a>", page.body.decode())
    return found.group(1) if found and found.group(1) != "Login" else None


def new_ticket(gate, title, headers):
    form = urllib.parse.urlencode({"title": title, "type": "Incident", "severity": "Minor",
                                   "mutype": "Plain Text", "icomment": "It burns.",
                                   "submit": "Submit", "csrf": ""})
    referer = {"Host": "127.0.0.1:8080", "Referer": "http://127.0.0.1:8080/tktnew"}
    return gate.post_form("/tktnew", form, {**referer, **headers})


def test_fossil_knows_who_is_logged_in(site):
    gate, _ = site
    assert who(gate.get("/tktnew", gate.bearer("alice"))) == "alice"
    assert who(gate.get("/tktnew", gate.bearer("bob"))) == "bob"


def test_what_somebody_writes_is_theirs(site):
    gate, fossil = site
    answer = new_ticket(gate, "Printer on fire", gate.bearer("alice"))
    assert answer.status == 302, answer.body
    assert fossil.authors("Printer on fire") == ["alice"]


def test_nobody_gets_in_without_a_login(site):
    gate, fossil = site
    for forged in ({}, {"X-Forwarded-User": "alice"}, {"Remote-User": "alice"}):
        assert gate.get("/timeline", forged).status == 401
        assert new_ticket(gate, "Forged", forged).status == 401
    assert fossil.authors("Forged") == []


@pytest.mark.parametrize("name", ["X-Forwarded-User", "x-forwarded-USER", "X_Forwarded_User",
                                  "X-Forwarded_User", "Remote-User", "REMOTE_USER"])
def test_nobody_is_somebody_else(site, name):
    """A01 to A03, as the application sees it."""
    gate, fossil = site
    title = "By " + name
    answer = new_ticket(gate, title, {**gate.bearer("bob"), name: "alice"})
    assert answer.status in (302, 400)
    assert set(fossil.authors(title)) <= {"bob"}


def test_a_browser_stays_logged_in_by_its_cookies(site):
    gate, _ = site
    login = gate.try_login("alice")
    cookies = "; ".join(f"{name}={value}" for name, (value, _) in login.cookies().items())
    assert who(gate.get("/tktnew", {"Cookie": cookies})) == "alice"
    gate.request("POST", "/logout", {"Cookie": cookies}, b"")
    assert gate.get("/tktnew", {"Cookie": cookies}).status == 401


def test_rules_of_groups_hold_for_its_pages(site):
    gate, _ = site
    assert gate.get("/setup", gate.bearer("bob")).status == 403
    assert gate.get("/setup", gate.bearer("alice")).status in (200, 302)


def test_it_has_no_user_that_fossil_does_not_know(site):
    gate, _ = site
    assert who(gate.get("/timeline", gate.bearer("carol"))) is None
