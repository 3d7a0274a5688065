"""Alerts: each key is delivered to the log once, and to the webhook until it answers."""

import http.client
import json
import os
import re
import sqlite3
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from resources.failpoints import failpoint

TEXT_LIMIT = 500
TIMEOUT_SECONDS = 5
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


@dataclass(frozen=True)
class Alert:
    """What somebody should know. Counts and names of assets only: no complaint text, no identifier.

    Raises:
        ValueError: a text is longer than 500 characters.
    """

    key: str
    severity: str
    title: str
    body: str
    asset: str | None = None

    def __post_init__(self) -> None:
        for name in ("key", "severity", "title", "body", "asset"):
            value = getattr(self, name)
            if value is not None:
                if len(value) > TEXT_LIMIT:
                    raise ValueError(f"alert: {name} is longer than {TEXT_LIMIT} characters")
                object.__setattr__(self, name, _CONTROL.sub(" ", value))


class Notifier(dg.ConfigurableResource):
    """Writes alerts to ``alerts.jsonl`` in ``folder`` and posts them to ``webhook_url``, if there is one."""

    folder: str
    webhook_url: str = ""

    def send(self, alert: Alert) -> bool:
        """Deliver ``alert`` unless its key has been sent; True when nothing is left undelivered.

        The alert is stored before it is delivered: what a dead endpoint refuses is tried again by the next
        ``send`` or ``flush``.
        """
        failpoint("notifier.before_store")
        with self._outbox() as outbox:
            outbox.execute(
                "INSERT OR IGNORE INTO alerts (key, alert, at) VALUES (?, ?, ?)",
                (alert.key, json.dumps(asdict(alert)), datetime.now(UTC).isoformat()),
            )
        failpoint("notifier.stored")
        return self.flush()

    def flush(self) -> bool:
        """Deliver what is undelivered; True when nothing is left.

        Raises:
            ValueError: the webhook is no http or https address. The log has the alerts all the same.
        """
        with self._outbox() as outbox:
            rows = outbox.execute("SELECT at, alert FROM alerts WHERE NOT logged ORDER BY at, key").fetchall()
            if rows:
                self._log([_line({"at": at, **json.loads(alert)}) for at, alert in rows])
                failpoint("notifier.logged")
                outbox.execute("UPDATE alerts SET logged = 1")
                failpoint("notifier.log_noted")
            if not self.webhook_url:
                outbox.execute("UPDATE alerts SET posted = 1 WHERE NOT posted")
            pending = outbox.execute("SELECT key, alert FROM alerts WHERE NOT posted ORDER BY at, key").fetchall()
        failpoint("notifier.flushed")
        return self._post_all(pending) if pending else True

    def _post_all(self, pending: list[tuple[str, str]]) -> bool:
        # The outbox is not held meanwhile: a slow endpoint must not keep others from storing their alerts.
        if urllib.parse.urlsplit(self.webhook_url).scheme not in ("http", "https"):
            raise ValueError("COMPLAINTS_WEBHOOK must be an http or https address")
        everything = True
        for key, alert in pending:
            try:
                failpoint("notifier.before_post")
                self._post(alert)
                failpoint("notifier.posted")
            except urllib.error.HTTPError as refusal:
                refusal.close()
                if refusal.code >= 500 or refusal.code == 429:
                    return False
                everything = False  # this one is refused: the next may pass
            except (OSError, http.client.HTTPException):
                return False
            else:
                with self._outbox() as outbox:
                    outbox.execute("UPDATE alerts SET posted = 1 WHERE key = ?", (key,))
                failpoint("notifier.post_noted")
        return everything

    @contextmanager
    def _outbox(self) -> Iterator[sqlite3.Connection]:
        """The outbox in one transaction, which no other process shares."""
        Path(self.folder).mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(Path(self.folder) / "outbox.db", timeout=30, isolation_level=None)
        try:
            # Before the first read: who reads first and locks later logs what another has just logged.
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS alerts"
                    " (key TEXT PRIMARY KEY, alert TEXT NOT NULL, at TEXT NOT NULL,"
                    " logged INTEGER NOT NULL DEFAULT 0, posted INTEGER NOT NULL DEFAULT 0)"
                )
                yield connection
        finally:
            connection.close()

    def _log(self, lines: list[bytes]) -> None:
        """Append ``lines``, but for those that a killed process wrote and had no time to note."""
        with (Path(self.folder) / "alerts.jsonl").open("ab+") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 2 * sum(map(len, lines))))
            tail = file.read()
            written = set(tail.splitlines(keepends=True))
            # A line cut short by a full disk must not swallow the next.
            start = b"\n" if tail and not tail.endswith(b"\n") else b""
            file.write(start + b"".join(line for line in lines if line not in written))
            failpoint("notifier.line_written")
            file.flush()
            failpoint("notifier.line_flushed")
            os.fsync(file.fileno())

    def _post(self, alert: str) -> None:
        request = urllib.request.Request(  # noqa: S310 - the scheme is checked by the caller
            self.webhook_url, alert.encode(), {"Content-Type": "application/json"}, method="POST"
        )
        with _OPENER.open(request, timeout=TIMEOUT_SECONDS):
            pass


def _line(alert: dict[str, str]) -> bytes:
    return json.dumps(alert, sort_keys=True).encode() + b"\n"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """An endpoint that moves alerts elsewhere is an endpoint that failed."""

    def redirect_request(self, *_: object) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirects)
