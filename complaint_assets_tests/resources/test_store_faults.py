"""Faults of the world: an S3 and an SQS that refuse, break off or dawdle twice, and a disk that is full."""

import io
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from resources import object_store, queue_sqs
from resources.lake import Lake
from resources.object_store import FolderStore, open_store, read
from resources.queue import Depth, open_queue

AT = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
SLOT = "2026-11-23T06"
SLOW_SECONDS = 0.9


class Proxy(ThreadingHTTPServer):
    """Stands before the S3 server; ``fault`` befalls the next ``left`` requests of ``method`` and ``kind``."""

    daemon_threads = True

    def __init__(self, server: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.server = server
        self.fault, self.operation, self.left = "", "", 0
        self.lock = threading.Lock()

    def strikes(self, operation: str) -> str:
        with self.lock:
            if operation != self.operation or not self.left:
                return ""
            self.left -= 1
            return self.fault


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy  # type: ignore[assignment]

    def log_message(self, *_: object) -> None:
        """Tests read no access log."""

    def handle_any(self) -> None:
        import http.client

        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        listing = self.command == "GET" and "list-type=2" in self.path
        plain = {"GET": "list" if listing else "get"}.get(self.command, self.command.lower())
        fault = self.server.strikes(self.headers.get("X-Amz-Target", plain))
        if fault == "reset":
            self.hang_up()
            return
        if fault == "slow":
            time.sleep(SLOW_SECONDS)
            self.hang_up()
            return
        if fault in ("429", "503", "500"):
            code = "InternalError" if fault == "500" else "SlowDown"
            self.answer(int(fault), {}, f"<Error><Code>{code}</Code><Message>m</Message></Error>".encode())
            return
        connection = http.client.HTTPConnection(*self.server.server, timeout=30)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if fault == "answer lost":
            self.hang_up()
            return
        self.answer(answer.status, dict(answer.getheaders()), content)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = handle_any  # noqa: N815

    def hang_up(self) -> None:
        import socket

        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("connection", "transfer-encoding", "date", "server"):
                self.send_header(name, value)
        if "content-length" not in {name.lower() for name in headers}:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@pytest.fixture
def proxy(s3: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    socketserver.TCPServer.allow_reuse_address = True
    with Proxy(s3.address) as one:
        threading.Thread(target=one.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{one.server_port}")
        monkeypatch.setattr(object_store, "READ_SECONDS", SLOW_SECONDS / 3)
        # The waits between the tries are the library's; here they are short.
        monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.02)
        yield one
        one.shutdown()


@pytest.mark.parametrize("fault", ["429", "503", "500", "reset", "slow", "answer lost"])
@pytest.mark.parametrize("operation", ["put", "get", "list"])
def test_an_s3_that_fails_twice_and_recovers_holds_the_same_objects(
    s3: Any, tmp_path: Path, proxy: Proxy, operation: str, fault: str
) -> None:
    contents = [b"one", b"two" * 1000]

    def work(place: str) -> Lake:
        lake = Lake(place)
        for n, data in enumerate(contents):
            proxy.operation, proxy.fault, proxy.left = operation, fault, 2 * bool(place.endswith("faulty"))
            lake.land("sms", "gateway", SLOT, f"{n}.jsonl", AT, io.BytesIO(data))
        proxy.left = 2 * bool(place.endswith("faulty"))
        lake.seal("sms", SLOT)
        return lake

    calm, faulty = (f"{s3.bucket}/{tmp_path.name}/{name}" for name in ("calm", "faulty"))
    expected, found = work(calm).manifest("sms", SLOT), work(faulty).manifest("sms", SLOT)
    assert expected
    assert found == expected
    assert proxy.left == 0, "the fault befell"
    proxy.left = 0
    store = open_store(faulty)
    assert [info.key for info in store.list()] == [info.key for info in open_store(calm).list()]
    assert sorted(read(store, item.key) or b"" for item in expected.objects) == sorted(contents)


def test_an_s3_that_goes_on_failing_is_an_error_and_leaves_nothing_half_done(
    s3: Any, tmp_path: Path, proxy: Proxy
) -> None:
    from botocore.exceptions import ClientError

    place = f"{s3.bucket}/{tmp_path.name}"
    proxy.operation, proxy.fault, proxy.left = "put", "503", 10**6
    with pytest.raises(ClientError):
        Lake(place).land("sms", "gateway", SLOT, "a", AT, io.BytesIO(b"one"))
    assert proxy.left >= 10**6 - object_store.ATTEMPTS, "tries are bounded"
    proxy.left = 0
    lake = Lake(place)
    assert lake.land("sms", "gateway", SLOT, "a", AT, io.BytesIO(b"one")).new
    assert [item.sha256 for item in lake.seal("sms", SLOT).objects]


@pytest.mark.parametrize("fault", ["503", "500", "reset", "slow"])
@pytest.mark.parametrize("operation", ["SendMessageBatch", "ReceiveMessage", "DeleteMessageBatch"])
def test_an_sqs_that_fails_twice_and_recovers_delivers_every_message_once(
    tmp_path: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, operation: str, fault: str
) -> None:
    monkeypatch.setattr(queue_sqs, "POLL_SECONDS", 0)
    queue = open_queue(f"sqs://{tmp_path.name}")
    assert queue.depth("sms") == Depth(0, 0, 0)
    bodies = [b"one", b"two", b"three" * 1000]
    proxy.operation, proxy.fault, proxy.left = f"AmazonSQS.{operation}", fault, 2
    queue.send("sms", "gateway", bodies)
    messages = queue.receive("sms", 10, 60)
    queue.ack("sms", messages)
    assert proxy.left == 0, "the fault befell"
    assert sorted(message.body for message in messages) == sorted(bodies)
    assert {message.receives for message in messages} == {1}
    assert queue.depth("sms") == Depth(0, 0, 0)


FULL = """
import io, resource
from datetime import UTC, datetime
from resources.lake import Lake
place, limit = sys.argv[1], int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    Lake(place).land(
        "sms", "gateway", "2026-11-23T06", "a", datetime(2026, 11, 23, 6, tzinfo=UTC), io.BytesIO(b"x" * 300_000)
    )
except OSError as error:
    ready()
    print(json.dumps(type(error).__name__))
"""


@pytest.mark.parametrize("limit", [10, 100_000, 299_999])
def test_a_disk_that_fills_up_while_a_file_lands_leaves_no_torn_object_and_the_next_try_works(
    tmp_path: Path, child: Callable[..., Any], limit: int
) -> None:
    place = str(tmp_path / "lake")
    full = child(FULL, place, limit)
    full.wait_until_ready()
    full.go()
    assert full.result() == "OSError"
    store = FolderStore(Path(place))
    assert list(store.list("raw/")) == []
    assert [path.name for path in Path(place).rglob("*.tmp")] == []
    lake = Lake(place)
    for slot in lake.unsealed("sms"):
        assert lake.seal("sms", slot).objects == ()
    item = lake.land("sms", "gateway", SLOT, "a", AT, io.BytesIO(b"x" * 300_000)).object
    assert lake.seal("sms", SLOT).objects == (item,)
