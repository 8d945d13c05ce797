"""Certificates for tests, made with the openssl command: an authority and what it issues."""

import ssl
import subprocess
from pathlib import Path

from .client import Client


def _openssl(*arguments):
    subprocess.run(["openssl", *[str(a) for a in arguments]], check=True, capture_output=True)


class Authority:
    def __init__(self, directory, name="ca"):
        self.directory = Path(directory)
        self.name = name
        self.file = self.directory / f"{name}.pem"
        self._key = self.directory / f"{name}.key"
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                 "-keyout", self._key, "-out", self.file, "-days", 2, "-subj", f"/CN={name}",
                 "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def issue(self, name, alternative="DNS:localhost,IP:127.0.0.1"):
        """Files (certificate, key) for that subject."""
        stem = self.directory / f"{self.name}-{name.replace(' ', '-').replace('*', 'any')}"
        request, certificate, key = (stem.with_suffix(s) for s in (".csr", ".crt", ".key"))
        extensions = stem.with_suffix(".ext")
        extensions.write_text(f"subjectAltName={alternative}\n")
        _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                 "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        _openssl("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self._key,
                 "-CAcreateserial", "-days", 1, "-extfile", extensions, "-out", certificate)
        return certificate, key

    def listener(self, name="localhost", **more):
        """The `tls` section with a certificate of this authority."""
        certificate, key = self.issue(name)
        return {"certificate_file": str(certificate), "key_file": str(key), **more}

    def context(self, certificate=None):
        """What a client that trusts this authority uses; `certificate`: (file, key) of its own."""
        context = ssl.create_default_context(cafile=str(self.file))
        if certificate:
            context.load_cert_chain(*map(str, certificate))
        return context

    def server_context(self, name="localhost", alternative="DNS:localhost,IP:127.0.0.1"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*map(str, self.issue(name, alternative)))
        return context


class TlsClient(Client):
    """A Client whose bytes are encrypted; `before` is sent in front of the handshake."""

    def __init__(self, address, context, name="localhost", before=b"", session=None, **more):
        super().__init__(address, **more)
        if before:
            self.socket.sendall(before)
        self.socket = context.wrap_socket(self.socket, server_hostname=name, session=session)
