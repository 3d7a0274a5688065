"""The audit log: what was done to people's data, append-only, chained by keyed hashes.

Each row carries the digest of the row before it, so an edited, removed or moved row breaks the chain. The head,
number and digest of the last row, lies in a file of its own (best on another volume): a log cut short does not
reach it. Rows hold counts, names of assets and keyed hashes; nothing about a person in clear.
"""

import fcntl
import hashlib
import hmac
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

START = "0" * 64
"""What stands for the digest before the first row."""


class TamperedAudit(RuntimeError):
    """The audit log is not what was written; the message names the first row at fault."""


class AuditLog:
    """The log at ``log`` with its head at ``head``, under ``key``."""

    def __init__(self, log: Path, head: Path, key: bytes) -> None:
        self._log = log
        self._head = head
        self._key = key

    def token(self, value: str) -> str:
        """Keyed hash (128 bits, hex) that stands for ``value`` in the log."""
        return self._mac(b"token", value.encode())[:32]

    def append(self, at: datetime, action: str, details: Mapping[str, Any]) -> dict[str, Any]:
        """Add a row; when this returns it is durable.

        Args:
            at: when it happened (UTC).
            action: what was done.
            details: JSON values; the caller answers for their holding no personal data.

        Raises:
            TamperedAudit: the log is not what was written; nothing is added to it.
        """
        with self._locked():
            rows, finished = self._verified()
            content = {
                "number": len(rows) + 1,
                "at": at.isoformat(),
                "action": action,
                "details": dict(details),
                "previous": rows[-1]["digest"] if rows else START,
            }
            row = {**content, "digest": self._digest(content)}
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with self._log.open("ab") as file:
                file.truncate(finished)  # what a killed writer left unfinished was never acknowledged
                file.write(_canonical(row) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            self._write_head(row)
        return row

    def rows(self, action: str | None = None) -> list[dict[str, Any]]:
        """The verified rows, of one action or all, oldest first.

        Raises:
            TamperedAudit: a row was edited, removed, moved or added by somebody without the key.
        """
        if not self._log.exists() and not self._head.exists():
            return []  # a reader leaves no trace
        with self._locked():
            rows, _ = self._verified()
        return [row for row in rows if action in (None, row["action"])]

    def _verified(self) -> tuple[list[dict[str, Any]], int]:
        """The rows, and the size of the log without an unfinished last row."""
        data = self._log.read_bytes() if self._log.exists() else b""
        finished = data.rfind(b"\n") + 1
        rows: list[dict[str, Any]] = []
        previous = START
        for number, line in enumerate(data[:finished].splitlines(), start=1):
            try:
                row = json.loads(line)
                content = {name: value for name, value in row.items() if name != "digest"}
                sound = (
                    row["number"] == number
                    and row["previous"] == previous
                    and hmac.compare_digest(row["digest"], self._digest(content))
                )
            except (ValueError, KeyError, TypeError, AttributeError):
                sound = False
            if not sound:
                raise TamperedAudit(
                    f"{self._log}: row {number} is not what was written (edited, removed, moved or read with "
                    "another key): restore the log from a backup"
                )
            rows.append(row)
            previous = row["digest"]
        self._check_head(rows)
        return rows, finished

    def _check_head(self, rows: list[dict[str, Any]]) -> None:
        """A log may be one row ahead of its head (a writer died in between), never behind it."""
        if not self._head.exists():
            if len(rows) > 1:
                raise TamperedAudit(f"{self._head} is missing: restore it from a backup")
            return
        try:
            head = json.loads(self._head.read_bytes())
            number, digest = head["number"], head["digest"]
            sound = hmac.compare_digest(head["mac"], self._mac(b"head", f"{number} {digest}".encode()))
            fits = len(rows) - number in (0, 1) and number > 0 and rows[number - 1]["digest"] == digest
        except (ValueError, KeyError, TypeError, IndexError):
            sound = fits = False
        if not sound:
            raise TamperedAudit(f"{self._head} is not what was written: restore it from a backup")
        if not fits:
            raise TamperedAudit(
                f"{self._log} has {len(rows)} rows and its head says {number}: rows are missing or were added; "
                "restore the log from a backup"
            )

    def _write_head(self, row: Mapping[str, Any]) -> None:
        number, digest = row["number"], row["digest"]
        head = {"number": number, "digest": digest, "mac": self._mac(b"head", f"{number} {digest}".encode())}
        self._head.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._head.with_name(self._head.name + ".part")
        with unfinished.open("wb") as file:
            file.write(_canonical(head))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self._head)
        for folder in {self._head.parent, self._log.parent}:
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def _digest(self, content: Mapping[str, Any]) -> str:
        return self._mac(b"row", _canonical(content))

    def _mac(self, purpose: bytes, data: bytes) -> str:
        return hmac.new(self._key, purpose + b"\0" + data, hashlib.sha256).hexdigest()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.with_name(self._log.name + ".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _canonical(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
