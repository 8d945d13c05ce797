"""Receives alarms about stolen tokens."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Alarms:
    """Keeps (signature, body) of each; refuses the first `refusals`."""

    def __init__(self, refusals=0):
        self.seen, left = [], [refusals]
        alarms = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                left[0] -= 1
                if left[0] >= 0:
                    self.send_response(500)
                else:
                    alarms.seen.append((self.headers["X-Gatehouse-Signature"], body))
                    self.send_response(204)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/alarm"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def sessions(self):
        return [json.loads(body)["sessionId"] for _, body in self.seen]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
