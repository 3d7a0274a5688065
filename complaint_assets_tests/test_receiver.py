"""The receiver on loopback, as a sender meets it: what gets a 200 is stored, and no word of it is logged."""

import hashlib
import hmac
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from complaint_assets.capture.receiver import Bucket, signed
from resources.queue_spool import Spool

REPOSITORY = Path(__file__).resolve().parent.parent
SECRET = "a secret of the tests, long enough"  # noqa: S105
PATH = "/events/whatsapp/cloud_api"
BODY = '{"entry":[{"text":"Ẹ jọ̀ọ́ 😀 +2348031234567"}]}'.encode()


@dataclass
class Server:
    """``complaints receive`` in a process of its own."""

    home: Path
    process: subprocess.Popen[str]
    port: int

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, str, http.client.HTTPMessage]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer.headers
        finally:
            connection.close()

    def post(self, body: bytes, path: str = PATH, signature: str | None = None) -> int:
        value = sign(body) if signature is None else signature
        return self.ask("POST", path, body, {"X-Hub-Signature-256": value} if value else {})[0]

    @property
    def stored(self) -> list[bytes]:
        queue = Spool(self.home / "queue.db")
        messages = queue.receive("whatsapp", 10_000, 60)
        queue.extend("whatsapp", messages, 0)
        return [message.body for message in messages]

    def log(self) -> str:
        """End the server and return all that it printed."""
        self.process.terminate()
        output, errors = self.process.communicate(timeout=20)
        return output + errors


def sign(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def start(home: Path, **settings: str) -> Server:
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("COMPLAINTS_")},
        "COMPLAINTS_HOME": str(home),
        "COMPLAINTS_ENV": "test",
        "COMPLAINTS_RECEIVER_SECRETS": json.dumps({"whatsapp/cloud_api": SECRET}),
        "COMPLAINTS_VERIFY_TOKEN": "the token",
        "COMPLAINTS_DISK_RESERVE_MB": "0",
        **settings,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "complaint_assets.cli", "receive", "--port", "0"],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    found = re.search(r"127\.0\.0\.1:(\d+)/", line)
    assert found, line + process.communicate(timeout=20)[1]
    server = Server(home, process, int(found[1]))
    for _ in range(200):
        try:
            server.ask("GET", "/")
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return server
    raise AssertionError("the receiver does not answer")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    one = start(tmp_path_factory.mktemp("home"))
    yield one
    one.process.kill()
    one.process.communicate()


def test_a_signed_event_is_stored_byte_for_byte(server: Server) -> None:
    assert server.post(BODY) == 200
    assert BODY in server.stored


@pytest.mark.parametrize(
    "signature",
    ["", "sha256=", sign(BODY)[:-1], sign(BODY + b" "), sign(BODY, "another"), sign(BODY)[7:], "sha1=00", "ÿ"],
)
def test_an_event_whose_signature_is_not_that_of_its_bytes_is_refused(server: Server, signature: str) -> None:
    before = len(server.stored)
    assert server.post(BODY, signature=signature) == 401
    assert len(server.stored) == before


def test_what_has_no_contract_or_no_secret_is_refused(server: Server) -> None:
    before = len(server.stored)
    assert server.post(BODY, path="/events/whatsapp/nobody") == 404
    assert server.post(BODY, path="/events/nothing/cloud_api") == 404
    assert server.post(BODY, path="/elsewhere") == 404
    assert server.post(BODY, path="/events/sms/gateway") == 403
    assert server.ask("PUT", PATH, BODY)[0] == 405
    assert len(server.stored) == before


def test_a_body_over_the_limit_is_refused_whether_or_not_its_length_is_told(server: Server) -> None:
    body = b"x" * (Spool.largest + 1)
    # Told: refused before it is sent.
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as line:
        line.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        assert line.recv(1000).startswith(b"HTTP/1.1 413")
    # Untold: refused once it is too much.
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as line:
        line.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        try:
            for _ in range(5):
                line.sendall(b"100000\r\n" + b"x" * 0x100000 + b"\r\n")
        except ConnectionError:
            pass  # it need not listen to the end
        assert line.recv(1000).startswith(b"HTTP/1.1 413")
    assert server.post(body[:-1]) == 200, "the largest is taken"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("hub.mode=subscribe&hub.verify_token=the%20token&hub.challenge=1158201444", 200),
        ("hub.mode=subscribe&hub.verify_token=the%20tokem&hub.challenge=1158201444", 403),
        ("hub.mode=subscribe&hub.challenge=1158201444", 403),
        ("hub.mode=unsubscribe&hub.verify_token=the%20token&hub.challenge=1158201444", 403),
        (f"hub.mode=subscribe&hub.verify_token=the%20token&hub.challenge={'1' * 5000}", 403),
        ("", 403),
    ],
)
def test_the_handshake_is_answered_for_whoever_knows_the_token(server: Server, query: str, status: int) -> None:
    answer = server.ask("GET", f"{PATH}?{query}")
    assert answer[0] == status
    assert (answer[1] == "1158201444") == (status == 200)
    assert answer[2]["Content-Type"].startswith("text/plain")


def test_too_many_events_are_asked_to_come_later_and_strangers_use_up_nothing(tmp_path: Path) -> None:
    server = start(tmp_path, COMPLAINTS_RECEIVER_RATE="2")
    try:
        for _ in range(5):
            assert server.post(BODY, signature="sha256=00") == 401
        answers = [server.ask("POST", PATH, BODY, {"X-Hub-Signature-256": sign(BODY)}) for _ in range(8)]
        taken = [answer[0] for answer in answers].count(200)
        assert {answer[0] for answer in answers} == {200, 429}
        assert all(int(answer[2]["Retry-After"]) >= 1 for answer in answers if answer[0] == 429)
        assert len(server.stored) == taken >= 2
    finally:
        server.process.kill()
        server.process.communicate()


def test_nothing_is_taken_in_when_the_disk_is_nearly_full(tmp_path: Path) -> None:
    server = start(tmp_path, COMPLAINTS_DISK_RESERVE_MB=str(10**9))
    try:
        status, _, headers = server.ask("POST", PATH, BODY, {"X-Hub-Signature-256": sign(BODY)})
        assert (status, int(headers["Retry-After"]) > 0) == (503, True)
        assert server.stored == []
    finally:
        server.process.kill()
        server.process.communicate()


def test_what_was_answered_with_200_outlives_a_kill(tmp_path: Path) -> None:
    server = start(tmp_path, COMPLAINTS_RECEIVER_RATE="100000")
    told: list[int] = []

    def push(me: int) -> None:
        n = me
        while True:
            try:
                if server.post(b'{"n":%d}' % n) == 200:
                    told.append(n)
            except OSError:
                return
            n += 4

    threads = [threading.Thread(target=push, args=(me,)) for me in range(4)]
    for thread in threads:
        thread.start()
    while len(told) < 40 and server.process.poll() is None:
        time.sleep(0.01)
    os.kill(server.process.pid, signal.SIGKILL)
    for thread in threads:
        thread.join()
    server.process.communicate()
    stored = {json.loads(body)["n"] for body in server.stored}
    assert len(told) >= 40
    assert {*told} <= stored


def test_nothing_of_an_event_or_a_token_is_logged(tmp_path: Path) -> None:
    server = start(tmp_path, COMPLAINTS_RECEIVER_RATE="1")
    for _ in range(3):
        server.post(BODY)
    server.post(BODY, signature="sha256=00")
    server.post(BODY, path="/events/whatsapp/2348031234567")
    server.ask("GET", f"{PATH}?hub.mode=subscribe&hub.verify_token=guess&hub.challenge=2348031234567")
    log = server.log()
    assert "401" in log, "refusals are logged"
    for secret in ("2348031234567", "jọ̀ọ́", "guess", "the token", SECRET):
        assert secret not in log


def test_a_bucket_lets_its_rate_pass() -> None:
    now = 0.0
    bucket = Bucket(10, lambda: now)
    assert [bucket.wait() == 0 for _ in range(12)] == [True] * 10 + [False] * 2
    assert bucket.wait() == pytest.approx(0.1)
    now = 0.5
    assert [bucket.wait() == 0 for _ in range(7)] == [True] * 5 + [False] * 2
    now = 1000
    assert [bucket.wait() == 0 for _ in range(12)].count(True) == 10


def test_a_signature_is_that_of_the_published_example() -> None:
    # The example of GitHub's documentation of the same header.
    body, secret = b"Hello, World!", b"It's a Secret to Everybody"
    assert signed(secret, body, "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")
    assert not signed(secret, body, "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e18")
    assert not signed(secret, body, "")
    assert SecretStr("x").get_secret_value() not in repr(SecretStr("x"))
