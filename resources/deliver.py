"""How a message reaches an endpoint: log file, webhook shapes, e-mail, apprise. One attempt; no memory.

A message has an id that a repeated attempt repeats: as the header ``Idempotency-Key`` and in the payload
(webhooks), as ``Message-ID`` (e-mail), as ``dedup_key`` (PagerDuty). Errors never quote
an address: it may hold a credential.
"""

import contextlib
import fcntl
import http.client
import json
import os
import smtplib
import socket
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any

from resources.alert import SEVERITIES, Alert
from resources.failpoints import failpoint
from resources.routes import PAGERDUTY, Route

TIMEOUT_SECONDS = 5
DEADLINE_SECONDS = 15
"""Longest attempt over HTTP, however slowly the answer drips in. Shorter than the outbox's lease."""
TITLES = 10
"""Most alerts that a message for people names one by one."""
LONGEST_WAIT = 3600.0
LOCAL = ("127.0.0.1", "localhost", "::1")


class Undelivered(Exception):
    """The attempt failed; the message says why, without address or payload."""


class Unreachable(Undelivered):
    """The endpoint takes nothing now; ``retry_after`` seconds, if it said so."""

    def __init__(self, why: str, retry_after: float | None = None) -> None:
        super().__init__(why)
        self.retry_after = retry_after


class Refused(Undelivered):
    """The endpoint does not want this message; it may take the next."""


@dataclass(frozen=True)
class Message:
    """Alerts that go together, under an id that every attempt repeats."""

    id: str
    alerts: tuple[Alert, ...]
    made_at: datetime
    repeated: bool

    @property
    def severity(self) -> str:
        return max((alert.severity for alert in self.alerts), key=SEVERITIES.index)

    @property
    def title(self) -> str:
        if len(self.alerts) == 1:
            return self.alerts[0].title
        return f"{len(self.alerts)} alerts that were held back"

    def lines(self, ui_url: str) -> list[str]:
        """The message for people."""
        if len(self.alerts) == 1:
            told = self.alerts[0].told(ui_url)
            return [self.alerts[0].body, told["link"], f"Runbook: {told['runbook']}"]
        named = [f"{alert.severity}: {alert.title}" for alert in self.alerts[:TITLES]]
        more = len(self.alerts) - len(named)
        return [*named, *([f"and {more} more: complaints alerts --all"] if more else []), ui_url]

    def payload(self, ui_url: str) -> dict[str, Any]:
        """The message for machines: an alert, or a digest of up to 100 of them and their number."""
        if len(self.alerts) == 1:
            return {**self.alerts[0].told(ui_url), "id": self.id}
        return {
            "id": self.id,
            "kind": "digest",
            "severity": self.severity,
            "title": self.title,
            "count": len(self.alerts),
            "keys": [alert.key for alert in self.alerts],
            "alerts": [alert.told(ui_url) for alert in self.alerts[:100]],
        }


def shaped(route: Route, message: Message, ui_url: str, variables: Mapping[str, str]) -> dict[str, Any]:
    """The JSON that ``route`` is posted."""
    text = [f"[{message.severity}] {message.title}", *message.lines(ui_url), f"id {message.id}"]
    if route.shape == "slack":
        return {"text": "\n".join(text)}
    if route.shape == "teams":
        blocks = [{"type": "TextBlock", "text": line, "wrap": True} for line in text]
        card = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": [{**blocks[0], "weight": "Bolder"}, *blocks[1:]],
        }
        kind = "application/vnd.microsoft.card.adaptive"
        return {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": card}]}
    if route.shape == "pagerduty":
        (alert,) = message.alerts
        resolves = alert.kind.endswith("_resolved")
        return {
            "routing_key": variables.get(route.key_env or "", ""),
            "event_action": "resolve" if resolves else "trigger",
            "dedup_key": alert.incident or message.id,
            "payload": {
                "summary": message.title,
                "source": alert.asset or "complaints",
                "severity": {"warn": "warning"}.get(alert.severity, alert.severity),
                "class": alert.kind,
                "custom_details": {"body": alert.body, "id": message.id, "owner": alert.owner},
            },
            "links": [{"href": alert.told(ui_url)["link"], "text": "Asset"}],
        }
    return message.payload(ui_url)


def address(route: Route, variables: Mapping[str, str], schemes: tuple[str, ...]) -> str:
    """The address of ``route``.

    Raises:
        Unreachable: its variable is not set, or holds none of ``schemes``.
    """
    if not route.url_env:
        return PAGERDUTY
    url = variables.get(route.url_env, "")
    if not url:
        raise Unreachable(f"{route.url_env} is not set")
    if urllib.parse.urlsplit(url).scheme not in schemes:
        raise Unreachable(f"{route.url_env} must be an address with {' or '.join(schemes)}")
    return url


def post(route: Route, message: Message, ui_url: str, variables: Mapping[str, str]) -> None:
    """Post ``message`` to a webhook.

    Raises:
        Undelivered: anything but a 2xx answer.
    """
    request = urllib.request.Request(  # noqa: S310 - the scheme is checked by address()
        address(route, variables, ("http", "https")),
        json.dumps(shaped(route, message, ui_url, variables)).encode(),
        {"Content-Type": "application/json", "Idempotency-Key": message.id},
        method="POST",
    )
    try:
        with _OPENER.open(request, timeout=TIMEOUT_SECONDS):
            pass
    except urllib.error.HTTPError as answer:
        wait = retry_after(answer.headers.get("Retry-After"))
        answer.close()
        if answer.code >= 500 or answer.code in (408, 425, 429):
            raise Unreachable(f"HTTP {answer.code}", wait) from None
        raise Refused(f"HTTP {answer.code}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise Unreachable(f"no answer: {type(reason).__name__}") from None


def retry_after(said: str | None) -> float | None:
    """Seconds that a ``Retry-After`` header asks for, at most an hour; None if it says nothing usable."""
    if not said:
        return None
    try:
        seconds = float(said) if said.strip().isdigit() else parsedate_to_datetime(said).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(LONGEST_WAIT, max(0.0, seconds))


def mail(route: Route, message: Message, ui_url: str, variables: Mapping[str, str]) -> None:
    """Hand ``message`` to a mail server; the password goes over TLS only, but on this machine.

    Raises:
        Undelivered: the server took it for nobody.
    """
    parts = urllib.parse.urlsplit(address(route, variables, ("smtp", "smtps")))
    letter = EmailMessage()
    letter["Subject"] = f"[{message.severity}] {message.title}"
    letter["From"], letter["To"] = route.sender, ", ".join(route.recipients)
    letter["Date"] = format_datetime(message.made_at)
    letter["Message-ID"] = f"<{message.id}@{route.sender.partition('@')[2]}>"
    letter.set_content("\n\n".join([*message.lines(ui_url), f"id {message.id}"]))
    secure = parts.scheme == "smtps"
    context = ssl.create_default_context()
    try:
        host, port = parts.hostname or "", parts.port or (465 if secure else 25)
        with (
            smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_SECONDS, context=context)
            if secure
            else smtplib.SMTP(host, port, timeout=TIMEOUT_SECONDS)
        ) as server:
            server.ehlo()
            if not secure and server.has_extn("starttls"):
                server.starttls(context=context)
                secure = True
            if parts.username:
                if not secure and parts.hostname not in LOCAL:
                    raise Unreachable(f"{route.url_env}: the mail server offers no TLS, so it gets no password")
                server.login(urllib.parse.unquote(parts.username), urllib.parse.unquote(parts.password or ""))
            server.sendmail(route.sender, route.recipients, letter.as_bytes())
            failpoint("notifier.mail_taken")
    except smtplib.SMTPRecipientsRefused as refused:
        codes = [code for code, _ in refused.recipients.values()]
        how = Unreachable if min(codes, default=500) < 500 else Refused
        raise how(f"SMTP {min(codes, default=500)} for every recipient") from None
    except smtplib.SMTPResponseException as answer:
        # A login that fails is nothing about this message.
        lasting = answer.smtp_code >= 500 and not isinstance(answer, smtplib.SMTPAuthenticationError)
        raise (Refused if lasting else Unreachable)(f"SMTP {answer.smtp_code}") from None
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise Unreachable(f"no answer: {type(error).__name__}") from None


def push(route: Route, message: Message, ui_url: str, variables: Mapping[str, str]) -> None:
    """Give ``message`` to apprise, which has no ids: a repeat after a kill shows by the id in its text.

    Raises:
        Undelivered: apprise is not installed, or says no.
    """
    try:
        import apprise
    except ImportError:
        raise Unreachable("apprise is not installed: pip install 'complaint-assets[apprise]'") from None
    if not (url := variables.get(route.url_env or "")):
        raise Unreachable(f"{route.url_env} is not set")
    sender = apprise.Apprise()
    if not sender.add(url):
        raise Unreachable(f"{route.url_env} is no address that apprise knows")
    body = "\n".join([*message.lines(ui_url), f"id {message.id}"])
    if not sender.notify(title=f"[{message.severity}] {message.title}", body=body):
        raise Unreachable("apprise could not deliver")


def append(file: Path, message: Message, ui_url: str, ours: Callable[[], bool]) -> None:
    """Append ``message`` to the log ``file`` unless an earlier attempt did; exactly once by its id.

    ``ours`` tells, once the file is locked, whether this attempt still counts: a process that was stopped for
    longer than its lease must not write what another has written meanwhile.

    Raises:
        Unreachable: the file is locked for longer than five seconds, or cannot be written.
    """
    line = json.dumps({"at": message.made_at.isoformat(), **message.payload(ui_url)}, sort_keys=True).encode()
    try:
        with file.open("ab+") as log:
            _locked(log.fileno())
            if not ours():
                return
            if message.repeated and _holds(file, f'"id": "{message.id}"'.encode()):
                return
            size = log.seek(0, os.SEEK_END)
            if size:
                log.seek(size - 1)
                # A line cut short by a full disk must not swallow the next.
                line = line if log.read(1) == b"\n" else b"\n" + line
            log.write(line + b"\n")
            failpoint("notifier.line_written")
            log.flush()
            failpoint("notifier.line_flushed")
            os.fsync(log.fileno())
    except OSError as error:
        raise Unreachable(f"{file}: {error.strerror or type(error).__name__}") from None


def _locked(handle: int) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _holds(file: Path, mark: bytes) -> bool:
    """Whether a whole line of ``file`` holds ``mark``."""
    with file.open("rb") as lines:
        return any(mark in line and line.endswith(b"}\n") for line in lines)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """An endpoint that moves alerts elsewhere is an endpoint that failed."""

    def redirect_request(self, *_: object) -> None:
        return None


def _cut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _guard(connection: http.client.HTTPConnection) -> None:
    timer = threading.Timer(DEADLINE_SECONDS, _cut, [connection.sock])
    timer.daemon = True
    timer.start()


class _Http(http.client.HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _guard(self)


class _Https(http.client.HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _guard(self)


class _HttpHandler(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Http, req)


class _HttpsHandler(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Https, req, context=ssl.create_default_context())


_OPENER = urllib.request.build_opener(_NoRedirects, _HttpHandler, _HttpsHandler)


def utc_now() -> datetime:
    return datetime.now(UTC)
