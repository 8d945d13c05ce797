"""A recording backend: a raw-socket HTTP/1.1 server that keeps every byte it was sent, parses it
strictly (what a strict server would not accept counts as a violation of the proxy), and answers as
the test scripts it. One thread a connection; the lists are only read by tests after an answer."""

import hashlib
import re
import socket
import struct
import threading
from dataclasses import dataclass, field

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
KEEP_BODY = 1 << 20  # bytes of a body that are kept; longer ones are only hashed


class Violation(Exception):
    """The proxy sent something that no strict backend would accept."""


@dataclass
class Received:
    """One request as the backend saw it."""
    method: str
    target: str
    version: str
    headers: list  # (name, value), as sent
    head: bytes
    connection: int
    body: bytes = b""
    body_length: int = 0
    sha256: str = ""
    trailers: int = 0
    complete: bool = False  # the whole body arrived

    def all(self, name):
        return [value for have, value in self.headers if have.lower() == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default

    def folded(self, name):
        """Values of every field that reads as `name` without case and punctuation."""
        return [v for n, v in self.headers if re.sub("[^0-9a-z]", "", n.lower()) == name]


def response(status=200, body=b"", headers=(), reason="OK", length=True):
    """The bytes of a well-formed answer."""
    if isinstance(body, str):
        body = body.encode()
    lines = [f"HTTP/1.1 {status} {reason}"] + [f"{n}: {v}" for n, v in headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class Exchange:
    """One request being answered; what a script works with."""

    def __init__(self, connection, received):
        self.connection = connection
        self.received = received
        self.body_read = False

    def read_body(self):
        if not self.body_read:
            self.body_read = True
            self.connection.read_body(self.received)
        return self.received.body

    def send(self, data):
        self.connection.socket.sendall(data)

    def reply(self, status=200, body=b"", headers=(), **more):
        self.read_body()
        self.send(response(status, body, headers, **more))

    def close(self):
        self.connection.open = False

    def reset(self):
        """RST instead of FIN."""
        self.connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                          struct.pack("ii", 1, 0))
        self.connection.open = False

    def wait(self, event, seconds=10):
        assert event.wait(seconds), "the test never let the backend go on"

    def receive(self, count=65536):
        """Raw bytes after the request (tunnels)."""
        if self.connection.buffer:
            taken, self.connection.buffer = self.connection.buffer, b""
            return taken
        return self.connection.receive(count)


class Connection:
    def __init__(self, backend, sock, number):
        self.backend, self.socket, self.number = backend, sock, number
        self.buffer = b""
        self.open = True
        self.raw = bytearray()
        self.ended = threading.Event()

    def receive(self, count=65536):
        data = self.socket.recv(count)
        if len(self.raw) < KEEP_BODY:
            self.raw += data
        return data

    def _fill(self):
        data = self.receive()
        if not data:
            raise EOFError
        self.buffer += data

    def _line(self):
        while b"\r\n" not in self.buffer:
            if b"\n" in self.buffer:
                raise Violation(f"bare LF: {self.buffer[:200]!r}")
            self._fill()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        if b"\n" in line or b"\r" in line or b"\0" in line:
            raise Violation(f"CR, LF or NUL in a line: {line!r}")
        return line

    def run(self):
        self.socket.settimeout(30)
        try:
            if self.backend.context:
                self.socket = self.backend.context.wrap_socket(self.socket, server_side=True)
            while self.open:
                received = self._read_head()
                exchange = Exchange(self, received)
                self.backend.requests.append(received)
                self.backend.arrived.set()
                self.backend.script_for(received)(exchange)
                if self.open:
                    exchange.read_body()
                if received.get("Connection", "").lower() == "close":
                    break
        except Violation as violation:
            self.backend.violations.append(str(violation))
        except (EOFError, OSError):
            pass
        finally:
            self.socket.close()
            self.ended.set()

    def _read_head(self):
        line = self._line()
        parts = line.split(b" ")
        if len(parts) != 3 or not TOKEN.match(parts[0]) or parts[2] != b"HTTP/1.1":
            raise Violation(f"request line {line!r}")
        if not re.match(rb"(/[!-~]*|\*)\Z", parts[1]):
            raise Violation(f"target {parts[1]!r}")
        headers, head = [], line + b"\r\n"
        while field := self._line():
            head += field + b"\r\n"
            name, colon, value = field.partition(b":")
            if not colon or not TOKEN.match(name):
                raise Violation(f"field line {field!r}")
            headers.append((name.decode("latin-1"), value.strip(b" \t").decode("latin-1")))
        received = Received(parts[0].decode(), parts[1].decode(), parts[2].decode(), headers,
                            head + b"\r\n", self.number)
        self._check_framing(received)
        return received

    def _check_framing(self, received):
        lengths, codings = received.all("Content-Length"), received.all("Transfer-Encoding")
        if len(lengths) + len(codings) > 1:
            raise Violation(f"ambiguous framing {received.head!r}")
        if lengths and not re.match(r"(0|[1-9][0-9]*)\Z", lengths[0]):
            raise Violation(f"Content-Length {lengths[0]!r}")
        if codings and codings[0] != "chunked":
            raise Violation(f"Transfer-Encoding {codings[0]!r}")
        if len(received.all("Host")) != 1:
            raise Violation(f"Host lines {received.all('Host')!r}")

    def read_body(self, received):
        digest, kept = hashlib.sha256(), bytearray()

        def take(data):
            digest.update(data)
            received.body_length += len(data)
            if len(kept) < KEEP_BODY:
                kept.extend(data)

        try:
            if received.get("Transfer-Encoding"):
                self._read_chunks(received, take)
            else:
                self._take(int(received.get("Content-Length", "0")), take)
            received.complete = True
        finally:
            received.body = bytes(kept)
            received.sha256 = digest.hexdigest()

    def _take(self, count, take):
        while count:
            if not self.buffer:
                self._fill()
            piece, self.buffer = self.buffer[:count], self.buffer[count:]
            take(piece)
            count -= len(piece)

    def _read_chunks(self, received, take):
        while True:
            size = self._line()
            if not re.match(rb"[0-9A-Fa-f]{1,15}\Z", size):
                raise Violation(f"chunk size line {size!r}")
            if int(size, 16) == 0:
                break
            self._take(int(size, 16), take)
            if self._line():
                raise Violation("chunk data does not end with CRLF")
        while self._line():
            received.trailers += 1


class Backend:
    """Listens on a free port (or a unix socket) until stop()."""

    def __init__(self, path=None, host="127.0.0.1", context=None):
        self.context = context  # TLS, where it is not None
        self.requests = []
        self.violations = []
        self.connections = []
        self.arrived = threading.Event()  # set by each request; tests clear it
        self._scripts = {}
        if path:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.bind(str(path))
            self.url = f"unix:{path}"
        else:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind((host, 0))
            self.port = self.socket.getsockname()[1]
            self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
        self.socket.listen(512)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.socket.accept()
            except OSError:
                return
            if sock.family == socket.AF_INET:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(self, sock, len(self.connections))
            self.connections.append(connection)
            threading.Thread(target=connection.run, daemon=True).start()

    def on(self, path, script):
        """Answers requests to `path` (without query) by script(exchange); "*" is the default."""
        self._scripts[path] = script

    def answer(self, path, data, close=False):
        """Answers `path` with raw bytes, after the request was read."""
        def script(exchange):
            exchange.read_body()
            exchange.send(data)
            if close:
                exchange.close()
        self.on(path, script)

    def script_for(self, received):
        path = received.target.split("?")[0]
        return self._scripts.get(path) or self._scripts.get("*") or _ok

    def forget(self):
        """Drops what was recorded and every script."""
        self.requests.clear()
        self.violations.clear()
        self._scripts.clear()
        self.arrived.clear()

    def at(self, path):
        return [r for r in self.requests if r.target.split("?")[0] == path]

    def last(self):
        assert self.requests, "the backend saw no request"
        return self.requests[-1]

    def bytes_received(self):
        return sum(len(c.raw) for c in self.connections)

    def stop(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
        for connection in self.connections:
            try:
                connection.socket.close()
            except OSError:
                pass


def _ok(exchange):
    exchange.reply(200, b"ok", [("Content-Type", "text/plain")])
