"""The receiver of pushed events: verifies who sent them, stores them, and only then says so.

``POST /events/<channel>/<source>`` with ``X-Hub-Signature-256: sha256=<HMAC-SHA256 of the body>``, as WhatsApp's
Cloud API signs; ``GET`` there answers WhatsApp's handshake. It listens on loopback, behind the proxy that
holds the certificate. Nothing of an event is ever logged.
"""

import asyncio
import hashlib
import hmac
import logging
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from resources.queue import Queue

BODY_SECONDS = 30
"""How long a body may take to arrive."""
RETRY_SECONDS = 60
"""When a sender is asked to come again while nothing can be stored."""
MOST_CHALLENGE = 256

log = logging.getLogger("complaints.receiver")


class Refusal(Exception):
    """An answer that is no 2xx."""

    def __init__(self, status: int, text: str, retry_after: int | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.retry_after = retry_after


async def refused(request: Request, refusal: Exception) -> Response:
    """The answer to what is refused, and a line in the log that holds no word of the sender's."""
    if not isinstance(refusal, Refusal):
        raise refusal
    source = "unknown source" if refusal.status == 404 else "/".join(request.path_params.values())
    log.warning("%s: %d %s", source, refusal.status, refusal)
    headers = {"Retry-After": str(refusal.retry_after)} if refusal.retry_after else None
    return PlainTextResponse(f"{refusal}\n", refusal.status, headers)


class Bucket:
    """Lets ``rate`` events a second pass, and as many at once."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = self._left = rate
        self._clock = clock
        self._at = clock()

    def wait(self) -> float:
        """Take one event; seconds after which it may come again, 0 if it may pass."""
        now = self._clock()
        self._left = min(self._rate, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return (1 - self._left) / self._rate
        self._left -= 1
        return 0.0


def signed(secret: bytes, body: bytes, signature: str) -> bool:
    """Whether ``signature`` (``sha256=<hex>``) is that of ``body``; takes the same time however wrong it is."""
    expected = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.strip().encode())


class Receiver:
    """Takes events into ``queue``.

    Args:
        queue: where they are stored.
        sources: the (channel, source) pairs that have a contract.
        secrets: what signs the events of a source, by ``channel/source``; a source without is closed.
        verify_token: token of the handshake; empty: there is none.
        rate: events per second that one source may send.
        disk: a folder on the disk that must have room.
        reserve_bytes: how much.
    """

    def __init__(
        self,
        queue: Queue,
        sources: frozenset[tuple[str, str]],
        secrets: Mapping[str, SecretStr],
        verify_token: SecretStr,
        rate: float,
        disk: Path,
        reserve_bytes: int,
    ) -> None:
        self._queue = queue
        self._sources = sources
        self._secrets = {name: secret.get_secret_value().encode() for name, secret in secrets.items()}
        self._verify_token = verify_token.get_secret_value().encode()
        self._buckets = {source: Bucket(rate) for source in sources}
        self._disk = disk
        self._reserve_bytes = reserve_bytes

    def app(self) -> Starlette:
        """The application to serve."""
        path = "/events/{channel}/{source}"
        return Starlette(
            routes=[
                Route(path, self.take, methods=["POST"]),
                Route(path, self.handshake, methods=["GET"]),
            ],
            exception_handlers={Refusal: refused},
        )

    def _source(self, request: Request) -> tuple[str, str]:
        source = request.path_params["channel"], request.path_params["source"]
        if source not in self._sources:
            raise Refusal(404, "no such source")
        return source

    async def take(self, request: Request) -> Response:
        """Store one event, then answer."""
        channel, source = self._source(request)
        secret = self._secrets.get(f"{channel}/{source}")
        if not secret:
            raise Refusal(403, "this source is not open: its secret is missing in COMPLAINTS_RECEIVER_SECRETS")
        body = await self._body(request)
        if not signed(secret, body, request.headers.get("X-Hub-Signature-256", "")):
            raise Refusal(401, "the signature is not that of the body")
        # After the signature: strangers cannot use up what a source may send.
        wait = self._buckets[channel, source].wait()
        if wait:
            raise Refusal(429, "too many events", retry_after=max(1, round(wait)))
        try:
            if shutil.disk_usage(self._disk).free < self._reserve_bytes:
                raise Refusal(503, "the disk is nearly full", RETRY_SECONDS)
            await run_in_threadpool(self._queue.send, channel, source, [body])
        except OSError as error:
            raise Refusal(
                503, f"the queue cannot take events now ({type(error).__name__})", RETRY_SECONDS
            ) from None
        return Response(status_code=200)

    async def _body(self, request: Request) -> bytes:
        """The body as it came, within its limits."""
        largest = self._queue.largest
        too_large = Refusal(413, f"an event may hold up to {largest} bytes")
        length = request.headers.get("Content-Length", "0")
        if length.isdecimal() and int(length[:20]) > largest:
            raise too_large
        blocks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for block in request.stream():
                    size += len(block)
                    if size > largest:
                        raise too_large
                    blocks.append(block)
        except TimeoutError:
            raise Refusal(408, "the body did not arrive in time") from None
        except ClientDisconnect:
            raise Refusal(400, "the sender went away") from None
        return b"".join(blocks)

    async def handshake(self, request: Request) -> Response:
        """WhatsApp's verification: the challenge comes back to whoever knows the token."""
        self._source(request)
        asked = request.query_params
        token = asked.get("hub.verify_token", "").encode()
        challenge = asked.get("hub.challenge", "")
        if (
            not self._verify_token
            or asked.get("hub.mode") != "subscribe"
            or not hmac.compare_digest(token, self._verify_token)
            or len(challenge) > MOST_CHALLENGE
        ):
            raise Refusal(403, "the handshake is not the expected one")
        return PlainTextResponse(challenge, headers={"X-Content-Type-Options": "nosniff"})
