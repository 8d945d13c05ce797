"""Stands between Gatehouse and a real Redis, and answers in its place whatever a test wants: bytes
that are no reply, replies of another type, huge ones, late ones, none."""

import select
import socket
import threading


class BrokenRedis:
    """A TCP relay. `rule(request)` sees what Gatehouse sends and gives the bytes to answer with, a
    number of seconds by which the real answer comes late, "lost" where Redis does what it is asked
    and the connection ends before it can say so, or None for Redis' own answer."""

    def __init__(self, redis):
        self.target = ("127.0.0.1", redis.port)
        self.rule = lambda request: None
        self.stopped = threading.Event()
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.endpoint = f"127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with client, socket.create_connection(self.target) as server:
                while not self.stopped.is_set():
                    ready, _, _ = select.select([client, server], [], [], 0.1)
                    if server in ready and not self._pass(server, client):
                        return
                    if client in ready and not self._answer(client, server):
                        return
        except OSError:
            pass

    @staticmethod
    def _pass(source, to):
        data = source.recv(1 << 20)
        to.sendall(data)
        return bool(data)

    def _answer(self, client, server):
        request = client.recv(1 << 20)
        if not request:
            return False
        answer = self.rule(request)
        if isinstance(answer, bytes):
            client.sendall(answer)
            return True
        if answer == "lost":
            server.sendall(request)
            server.recv(1 << 20)
            return False
        if answer is not None:
            self.stopped.wait(answer)
        server.sendall(request)
        return True

    def stop(self):
        self.stopped.set()
        self.socket.close()
