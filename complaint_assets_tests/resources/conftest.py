"""Fixtures: a fresh place on a folder and on a real S3 server, and processes that work at once."""

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = 10
"""Keys in one page of an S3 listing: few, so that a short listing has several pages."""


class S3Application:
    """Moto's S3, one request at a time, which makes its conditional writes atomic as S3's are.

    As on S3, an upload whose client goes away midway is refused. ``conflicts`` conditional writes are
    answered by 409 ConditionalRequestConflict, S3's way of saying that a delete came in between.
    """

    def __init__(self) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        self._moto = DomainDispatcherApplication(create_backend_app)
        self._one = threading.Lock()
        self.conflicts = 0

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        try:
            body = environ["wsgi.input"].read(length)
        except OSError:
            body = b""
        if len(body) < length:
            return refuse(start, "400 Bad Request", "IncompleteBody")
        environ["wsgi.input"] = io.BytesIO(body)
        with self._one:
            if self.conflicts and "HTTP_IF_NONE_MATCH" in environ:
                self.conflicts -= 1
                return refuse(start, "409 Conflict", "ConditionalRequestConflict")
            return self._moto(environ, start)


def refuse(start: Callable[..., Any], status: str, code: str) -> list[bytes]:
    start(status, [("Content-Type", "application/xml")])
    return [f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()]


@dataclass(frozen=True)
class S3:
    """The server: where it listens, and a bucket in it."""

    application: S3Application
    address: tuple[str, int]
    bucket: str = "s3://complaints"


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """An S3 server on loopback, found through the usual AWS settings, here and in every child process."""
    from moto.moto_server.werkzeug_app import MotoRequestHandler
    from werkzeug.serving import make_server

    class Quiet(MotoRequestHandler):
        def log(self, *_: Any) -> None:
            """Tests read no access log."""

    application = S3Application()
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet)
    host, port = "127.0.0.1", server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
            "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": host,
            "no_proxy": host,
            "MOTO_S3_DEFAULT_MAX_KEYS": str(PAGE),
        }.items():
            patch.setenv(name, value)
        import boto3

        client = boto3.client("s3")
        # Servers of one process share their buckets, and tests of two folders may have a server each.
        with suppress(client.exceptions.BucketAlreadyOwnedByYou):
            client.create_bucket(
                Bucket="complaints", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
            )
        yield S3(application, (host, port))
        server.shutdown()


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty place of one's own: a folder, then a prefix on S3."""
    if request.param == "folder":
        return str(tmp_path / "place")
    server: S3 = request.getfixturevalue("s3")
    return f"{server.bucket}/{tmp_path.name}"


PRELUDE = """
import json, sys

def ready():
    "Say that the imports are done, and wait until every process is."
    print("ready", flush=True)
    sys.stdin.readline()

def at_once(count, work):
    "What work(me) gave in each of as many processes; forked, so that they begin together and at little cost."
    import multiprocessing
    forks = multiprocessing.get_context("fork")
    begin, results = forks.Barrier(count), forks.SimpleQueue()
    for me in range(count):
        forks.Process(target=lambda me=me: (begin.wait(), results.put((me, work(me))))).start()
    return [result for _, result in sorted(results.get() for _ in range(count))]
"""


class Child:
    """A process of its own: ``script`` with ``arguments``, from its call of ``ready()`` on when told."""

    def __init__(self, script: str, *arguments: object, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PRELUDE + script, *map(str, arguments)],
            cwd=REPOSITORY,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_until_ready(self) -> None:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if line != "ready\n":
            pytest.fail(self.process.communicate()[1][-3000:])

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def result(self) -> Any:
        """The JSON that it printed."""
        output, errors = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, errors[-3000:]
        return json.loads(output)


@pytest.fixture
def child() -> Iterator[Callable[..., Child]]:
    """Starts a child process; it is gone when the test is."""
    started: list[Child] = []

    def start(script: str, *arguments: object, **environment: str) -> Child:
        started.append(Child(script, *arguments, **environment))
        return started[-1]

    yield start
    for one in started:
        one.kill()


@pytest.fixture
def together(child: Callable[..., Child]) -> Callable[[str, Sequence[Sequence[object]]], list[Any]]:
    """Runs one process for each list of arguments, all at once, and returns what each printed as JSON."""

    def run(script: str, arguments: Sequence[Sequence[object]]) -> list[Any]:
        children = [child(script, *mine) for mine in arguments]
        for one in children:
            one.wait_until_ready()
        for one in children:
            one.go()
        return [one.result() for one in children]

    return run
