"""What WebSockets begin with, and an application that sends events."""

UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
           "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
          b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")


def all_of(exchange):
    """What the client's side says until it ends."""
    said = b""
    while data := exchange.receive():
        said += data
    return said


def code_of(frame):
    """Of a masked Close frame."""
    assert frame[:2] == b"\x88\x82"
    return int.from_bytes(bytes(a ^ b for a, b in zip(frame[6:8], frame[2:4])), "big")


def events(exchange, head=b"Transfer-Encoding: chunked\r\n"):
    """One whole event and half of another; then nothing."""
    exchange.read_body()
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + head + b"\r\n")
    text = b"data: 1\n\ndata: "
    exchange.send(b"%x\r\n%s\r\n" % (len(text), text) if b"chunked" in head else text)
    exchange.receive()
