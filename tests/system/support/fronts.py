"""Real proxies in front of Gatehouse, each with its recipe from examples/forward-auth: only the
ports are other ones, so that what is tested is what is documented. Started and stopped by the test;
the distribution's services are never used."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from .client import Client
from .gate import ROOT, SLOW

RECIPES = ROOT / "examples/forward-auth"
PROXIES = ROOT / "build/proxies"  # Envoy and Traefik, which scripts/setup fetches
MODULES = "/usr/lib/apache2/modules"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Front:
    """One running proxy. `gate` and `app` are (host, port)."""

    def __init__(self, kind, gate, app):
        self.kind, self.address = kind, ("127.0.0.1", free_port())
        # Apache's children are another user, who cannot look into pytest's directories.
        self.directory = Path(tempfile.mkdtemp(prefix=f"gatehouse-{kind}-"))
        self.directory.chmod(0o755)
        self._ports = self.address[1], gate[1], app[1]
        self.log = self.directory / "log"
        arguments = getattr(self, f"_{kind}")()
        environment = {**os.environ, "HOME": str(self.directory),
                       "XDG_DATA_HOME": str(self.directory),
                       "XDG_CONFIG_HOME": str(self.directory)}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(arguments, cwd=self.directory, env=environment,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait_until_ready()

    def recipe(self, name):
        """The recipe with our ports, in a file of its own; it listens on loopback only."""
        text = (RECIPES / name).read_text()
        own, gate, app = self._ports
        for old, new in ((":8080", f":{gate}"), (":3000", f":{app}"),
                         ("*:8000", f"127.0.0.1:{own}"),
                         ("listen 8000", f"listen 127.0.0.1:{own}"),
                         ("bind :8000", f"bind 127.0.0.1:{own}"),
                         ("address: 0.0.0.0, port_value: 8000",
                          f"address: 127.0.0.1, port_value: {own}"),
                         ("port_value: 8080", f"port_value: {gate}"),
                         ("port_value: 3000", f"port_value: {app}"),
                         ("\n:8000 {", f"\nhttp://:{own} {{\n\tbind 127.0.0.1")):
            text = text.replace(old, new)
        (self.directory / name).write_text(text)
        return name

    def _nginx(self):
        self.recipe("nginx.conf")
        paths = "".join(f"{kind}_temp_path {self.directory}/{kind};\n"
                        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        who = "user root;\n" if os.getuid() == 0 else ""
        (self.directory / "main.conf").write_text(
            f"{who}daemon off;\nmaster_process on;\nworker_processes 1;\n"
            f"pid {self.directory}/pid;\nerror_log stderr warn;\nevents {{}}\n"
            f"http {{\naccess_log off;\n{paths}include {self.directory}/nginx.conf;\n}}\n")
        return ["/usr/sbin/nginx", "-p", str(self.directory), "-e", "stderr", "-c",
                str(self.directory / "main.conf")]

    def _caddy(self):
        self.recipe("Caddyfile")
        return ["/usr/bin/caddy", "run", "--config", "Caddyfile", "--adapter", "caddyfile"]

    def _envoy(self):
        return [str(PROXIES / "envoy"), "-c", self.recipe("envoy.yaml"), "--concurrency", "1",
                "--use-dynamic-base-id", "--log-level", "warning"]

    def _traefik(self):
        return [str(PROXIES / "traefik"),
                f"--entryPoints.web.address=127.0.0.1:{self.address[1]}",
                f"--providers.file.filename={self.recipe('traefik-dynamic.yaml')}",
                "--global.checkNewVersion=false", "--global.sendAnonymousUsage=false"]

    def _haproxy(self):
        self.recipe("haproxy.lua")
        return ["/usr/sbin/haproxy", "-db", "-f", self.recipe("haproxy.cfg")]

    def _apache(self):
        self.recipe("apache.lua")
        self.recipe("apache.conf")
        modules = "".join(
            f"LoadModule {name}_module {MODULES}/mod_{name}.so\n"
            for name in ("mpm_event", "authz_core", "alias", "headers", "env", "setenvif", "proxy",
                         "proxy_http", "lua"))
        who = "User www-data\nGroup www-data\n" if os.getuid() == 0 else ""
        (self.directory / "main.conf").write_text(
            f"{modules}ServerRoot {self.directory}\nPidFile {self.directory}/pid\n{who}"
            f"ErrorLog /dev/stderr\nLogLevel warn\nServerName localhost\n"
            f"DefaultRuntimeDir {self.directory}\n"
            f"Listen 127.0.0.1:{self.address[1]}\nInclude {self.directory}/apache.conf\n")
        return ["/usr/sbin/apache2", "-d", str(self.directory), "-f",
                str(self.directory / "main.conf"), "-DFOREGROUND"]

    def _wait_until_ready(self):
        deadline = time.monotonic() + 20 * SLOW
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"{self.kind} ended:\n{self.log.read_text()}"
            with socket.socket() as probe:
                if probe.connect_ex(self.address) == 0 and self._has_routes():
                    return
            time.sleep(0.01)
        self.stop()
        raise AssertionError(f"{self.kind} does not listen:\n{self.log.read_text()}")

    def _has_routes(self):
        """Traefik listens before it has read them."""
        if self.kind != "traefik":
            return True
        with Client(self.address) as client:
            return client.request("GET", "/x", {"Host": "app.example.com"}).status != 404

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10 * SLOW)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
