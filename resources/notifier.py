"""Alerts: each key is delivered to the log once, and to the webhook until it answers."""

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

TEXT_LIMIT = 500
TIMEOUT_SECONDS = 5
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


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
        with self._outbox() as outbox:
            outbox.execute(
                "INSERT OR IGNORE INTO alerts (key, alert, at) VALUES (?, ?, ?)",
                (alert.key, json.dumps(asdict(alert)), datetime.now(UTC).isoformat()),
            )
        return self.flush()

    def flush(self) -> bool:
        """Deliver what is undelivered; True when nothing is left."""
        with self._outbox() as outbox:
            rows = outbox.execute(
                "SELECT key, alert, at, logged, posted FROM alerts WHERE NOT (logged AND posted) ORDER BY at, key"
            ).fetchall()
            reachable = True
            for key, alert, at, logged, posted in rows:
                if not logged:
                    self._log({"at": at, **json.loads(alert)})
                    outbox.execute("UPDATE alerts SET logged = 1 WHERE key = ?", (key,))
                if not posted and reachable:
                    reachable = self._post(alert)
                    if reachable:
                        outbox.execute("UPDATE alerts SET posted = 1 WHERE key = ?", (key,))
            return reachable

    @contextmanager
    def _outbox(self) -> Iterator[sqlite3.Connection]:
        Path(self.folder).mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(Path(self.folder) / "outbox.db", timeout=30, isolation_level="IMMEDIATE")
        try:
            with connection:
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS alerts"
                    " (key TEXT PRIMARY KEY, alert TEXT NOT NULL, at TEXT NOT NULL,"
                    " logged INTEGER NOT NULL DEFAULT 0, posted INTEGER NOT NULL DEFAULT 0)"
                )
                yield connection
        finally:
            connection.close()

    def _log(self, line: dict[str, str]) -> None:
        with (Path(self.folder) / "alerts.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, sort_keys=True) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _post(self, alert: str) -> bool:
        if not self.webhook_url:
            return True
        if urllib.parse.urlsplit(self.webhook_url).scheme not in ("http", "https"):
            raise ValueError("COMPLAINTS_WEBHOOK must be an http or https address")
        request = urllib.request.Request(  # noqa: S310 - the scheme is checked above
            self.webhook_url, alert.encode(), {"Content-Type": "application/json"}, method="POST"
        )
        try:
            with _OPENER.open(request, timeout=TIMEOUT_SECONDS) as answer:
                return bool(200 <= answer.status < 300)
        except (urllib.error.URLError, OSError):
            return False


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """An endpoint that moves alerts elsewhere is an endpoint that failed."""

    def redirect_request(self, *_: object) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirects)
