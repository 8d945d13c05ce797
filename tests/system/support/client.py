"""A raw HTTP/1.1 client: sends bytes exactly as given (whole, byte by byte, or split anywhere) and
reads answers with a strict reader. A malformed answer raises; a cut one is marked incomplete.
One connection belongs to one test."""

import json
import socket
import struct
import time
from dataclasses import dataclass, field

DEADLINE = 10.0  # seconds; no test waits that long unless something hangs


class ProtocolError(AssertionError):
    """The server sent bytes that are no HTTP/1.1 answer."""


@dataclass
class Response:
    status: int
    reason: str
    headers: list  # (name, value) in order, as sent
    body: bytes = b""
    interim: list = field(default_factory=list)  # statuses of 1xx answers before it
    complete: bool = True  # False: the connection ended before the body did
    head: bytes = b""

    def all(self, name):
        return [value for have, value in self.headers if have.lower() == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default

    def json(self):
        return json.loads(self.body)

    def cookies(self):
        """Set-Cookie lines as {name: (value, [attributes])}; two of one name are an error."""
        found = {}
        for line in self.all("Set-Cookie"):
            pair, *attributes = [part.strip() for part in line.split(";")]
            name, _, value = pair.partition("=")
            assert name not in found, f"two Set-Cookie lines for {name}"
            found[name] = (value, attributes)
        return found


class Client:
    """One TCP (or unix) connection."""

    def __init__(self, address, timeout=DEADLINE, receive_buffer=None):
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        else:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(address)
        self.buffer = b""
        self.ended = False
        self.reset = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def close(self):
        self.socket.close()

    def abort(self):
        """Ends the connection with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def finish_sending(self):
        self.socket.shutdown(socket.SHUT_WR)

    # --- sending

    def send(self, data):
        self.socket.sendall(data)

    def send_pieces(self, data, cuts):
        """Sends data in one segment for each stretch between cuts. The peer may have refused
        already; what it said is still there to be read."""
        start = 0
        for cut in sorted(set(cuts)) + [len(data)]:
            if cut > start and not self._send_piece(data[start:cut]):
                return
            start = cut

    def send_bytewise(self, data):
        self.send_pieces(data, range(1, len(data)))

    def _send_piece(self, piece):
        try:
            self.socket.sendall(piece)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    # --- reading

    def _fill(self):
        """One more piece into the buffer; False at the end of the connection."""
        if self.ended:
            return False
        try:
            piece = self.socket.recv(65536)
        except ConnectionResetError:
            self.reset = True
            piece = b""
        if not piece:
            self.ended = True
            return False
        self.buffer += piece
        return True

    def read_until(self, mark):
        while mark not in self.buffer:
            if not self._fill():
                raise ProtocolError(f"connection ended within a head: {self.buffer[:200]!r}")
        taken, self.buffer = self.buffer.split(mark, 1)
        return taken + mark

    def read_some(self):
        """Whatever arrives next, at least one byte; b"" at the end."""
        if not self.buffer:
            self._fill()
        taken, self.buffer = self.buffer, b""
        return taken

    def read_exactly(self, count):
        while len(self.buffer) < count:
            if not self._fill():
                raise ProtocolError(f"connection ended after {len(self.buffer)} of {count} bytes")
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def read_head(self):
        """Status line and fields of the next answer, 1xx included."""
        raw = self.read_until(b"\r\n\r\n")
        lines = raw[:-4].split(b"\r\n")
        version, _, rest = lines[0].partition(b" ")
        code, _, reason = rest.partition(b" ")
        if version not in (b"HTTP/1.1", b"HTTP/1.0") or len(code) != 3 or not code.isdigit():
            raise ProtocolError(f"no status line: {lines[0]!r}")
        headers = []
        for line in lines[1:]:
            name, colon, value = line.partition(b":")
            if not colon or not name or name != name.strip() or b"\r" in line or b"\n" in line:
                raise ProtocolError(f"no field line: {line!r}")
            headers.append((name.decode("latin-1"), value.strip(b" \t").decode("latin-1")))
        return Response(int(code), reason.decode("latin-1"), headers, head=raw)

    def read_response(self, method="GET"):
        """The next final answer with its body."""
        interim = []
        while True:
            response = self.read_head()
            if response.status == 101 or response.status >= 200:
                break
            interim.append(response.status)
        response.interim = interim
        self._read_body(response, method)
        return response

    def _read_body(self, response, method):
        lengths, codings = response.all("Content-Length"), response.all("Transfer-Encoding")
        if len(lengths) > 1 or len(codings) > 1 or (lengths and codings):
            raise ProtocolError(f"ambiguous framing: {response.headers}")
        if method == "HEAD" or response.status in (101, 204, 304):
            return
        try:
            if codings:
                if codings[0].lower() != "chunked":
                    raise ProtocolError(f"unknown coding {codings[0]!r}")
                self._read_chunks(response)
            elif lengths:
                wanted = int(lengths[0])
                while len(self.buffer) < wanted and self._fill():
                    pass
                response.body, self.buffer = self.buffer[:wanted], self.buffer[wanted:]
                response.complete = len(response.body) == wanted
            else:
                while self._fill():
                    pass
                response.body, self.buffer = self.buffer, b""
                response.complete = not self.reset
        except EOFError:
            response.complete = False

    def _line(self):
        while b"\r\n" not in self.buffer:
            if not self._fill():
                raise EOFError
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def read_chunk(self):
        """The next chunk of a chunked body; b"" is the last one."""
        size = int(self._line(), 16)
        while len(self.buffer) < size + 2:
            if not self._fill():
                raise EOFError
        data, end = self.buffer[:size], self.buffer[size:size + 2]
        if end != b"\r\n":
            raise ProtocolError(f"chunk data is followed by {end!r}")
        self.buffer = self.buffer[size + 2:]
        return data

    def _read_chunks(self, response):
        pieces = []
        try:
            while True:
                size_line = self._line()
                size = int(size_line, 16)
                if size == 0:
                    trailer = self._line()
                    if trailer:
                        raise ProtocolError(f"trailer {trailer!r}")
                    return
                while len(self.buffer) < size + 2:
                    if not self._fill():
                        pieces.append(self.buffer[:size])
                        raise EOFError
                pieces.append(self.buffer[:size])
                if self.buffer[size:size + 2] != b"\r\n":
                    raise ProtocolError("chunk without its line end")
                self.buffer = self.buffer[size + 2:]
        finally:
            response.body = b"".join(pieces)

    def read_to_end(self):
        while self._fill():
            pass
        taken, self.buffer = self.buffer, b""
        return taken

    def is_closed(self, within=DEADLINE):
        """True when the server closes without sending anything more within that time."""
        if self.buffer:
            return False
        if self.ended:
            return True
        deadline = time.monotonic() + within
        self.socket.settimeout(within)
        try:
            while time.monotonic() < deadline:
                if not self._fill():
                    return True
                if self.buffer:
                    return False
        except TimeoutError:
            return False
        finally:
            self.socket.settimeout(DEADLINE)
        return False

    # --- both

    def request(self, method, path, headers=(), body=None, version="1.1"):
        """A well-formed request; `headers` is a dict or a list of pairs."""
        self.send(render(method, path, headers, body, version))
        return self.read_response(method)


def render(method, path, headers=(), body=None, version="1.1"):
    """The bytes of a well-formed request."""
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
    names = {name.lower() for name, _ in pairs}
    lines = [f"{method} {path} HTTP/{version}"]
    if "host" not in names:
        lines.append("Host: a")
    lines += [f"{name}: {value}" for name, value in pairs]
    if isinstance(body, str):
        body = body.encode()
    if body is not None and not names & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


def chunked(*pieces):
    """Pieces as a chunked body."""
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces if p) + b"0\r\n\r\n"
