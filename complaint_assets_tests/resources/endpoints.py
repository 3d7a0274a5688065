"""Real servers on loopback that alerts are delivered to, and whose answers a test sets."""

import json
import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Endpoint(ThreadingHTTPServer):
    """A webhook; it remembers what it took, and under which id."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Webhook)
        self.status = 200
        self.headers: dict[str, str] = {}
        self.delay = 0.0
        self.hangs = False
        self.refused_keys: set[str] = set()
        self.asked: list[tuple[str, Any]] = []
        self.taken: list[dict[str, Any]] = []
        self.ids: list[str] = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"

    @property
    def keys(self) -> list[str]:
        """The keys of all alerts it took, each as often as it came under an id it had not seen."""
        first = dict(zip(self.ids, self.taken, strict=True))
        return [key for taken in first.values() for key in taken.get("keys", [taken.get("key")])]

    def stop(self) -> None:
        self.shutdown()
        self.server_close()


class Webhook(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        alert = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, alert.get("key")))
        if self.server.hangs:
            time.sleep(2)
            return
        status = 400 if alert.get("key") in self.server.refused_keys else self.server.status
        if status == 0:
            self.wfile.write(b"no HTTP at all\r\n\r\n")
            return
        time.sleep(self.server.delay)
        if status == 200:
            self.server.taken.append(alert)
            self.server.ids.append(self.headers["Idempotency-Key"])
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", f"{self.server.url}-elsewhere")
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.server.asked.append((self.path, "GET"))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Silent."""


class MailServer(socketserver.ThreadingTCPServer):
    """A mail server that says ``answer`` to every recipient and keeps the letters."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Mail)
        self.answer = "250 OK"
        self.letters: list[str] = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.server_address[1]}"


class Mail(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self._say("220 here")
        for line in self.rfile:
            command = line[:4].strip().upper()
            if command == b"DATA":
                self._say("354 go on")
                letter = b"".join(iter(self.rfile.readline, b".\r\n"))
                self.server.letters.append(letter.decode())
                self._say("250 taken")
            elif command == b"RCPT":
                self._say(self.server.answer)
            elif command == b"QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 OK")

    def _say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")
