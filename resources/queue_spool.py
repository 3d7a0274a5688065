"""The embedded queue: one SQLite file, no server, for any number of processes of one machine."""

import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from resources.queue import BATCH_BYTES, MOST_RECEIVES, Depth, Message, QueueUnavailable, too_large

BUSY_SECONDS = 30
_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    channel TEXT NOT NULL,
    source TEXT NOT NULL,
    body BLOB NOT NULL,
    sent_ms INTEGER NOT NULL,
    receives INTEGER NOT NULL DEFAULT 0,
    ready_at REAL NOT NULL DEFAULT 0,
    receipt TEXT,
    dead INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS by_channel ON messages (channel, dead, ready_at, id);
"""


class Spool:
    """A queue in the file ``path``. A committed message survives the process and the power."""

    largest = 4 << 20

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()

    def send(self, channel: str, source: str, bodies: Sequence[bytes]) -> None:
        too_large(bodies, self.largest)
        now = int(time.time() * 1000)
        with self._transaction() as spool:
            spool.executemany(
                "INSERT INTO messages (channel, source, body, sent_ms) VALUES (?, ?, ?, ?)",
                [(channel, source, body, now) for body in bodies],
            )

    def receive(self, channel: str, most: int, lease_seconds: int) -> list[Message]:
        now, receipt = time.time(), secrets.token_hex(8)
        found: list[Message] = []
        size = 0
        with self._transaction() as spool:
            spool.execute(
                "UPDATE messages SET dead = 1 WHERE channel = ? AND dead = 0 AND ready_at <= ? AND receives >= ?",
                (channel, now, MOST_RECEIVES),
            )
            rows = spool.execute(
                "SELECT id, source, body, sent_ms, receives, receipt FROM messages"
                " WHERE channel = ? AND dead = 0 AND ready_at <= ? ORDER BY id LIMIT ?",
                (channel, now, most),
            )
            for row in rows:
                found.append(_message((*row[:4], row[4] + 1, receipt)))
                size += len(row[2])
                if size >= BATCH_BYTES:
                    break
            spool.executemany(
                "UPDATE messages SET receives = receives + 1, ready_at = ?, receipt = ? WHERE id = ?",
                [(now + lease_seconds, receipt, message.id) for message in found],
            )
        return found

    def extend(self, channel: str, messages: Sequence[Message], lease_seconds: int) -> None:
        until = time.time() + lease_seconds
        with self._transaction() as spool:
            spool.executemany(
                "UPDATE messages SET ready_at = ? WHERE id = ? AND receipt = ? AND dead = 0",
                [(until, message.id, message.receipt) for message in messages],
            )

    def ack(self, channel: str, messages: Sequence[Message]) -> None:
        with self._transaction() as spool:
            spool.executemany(
                "DELETE FROM messages WHERE id = ? AND receipt = ?",
                [(message.id, message.receipt) for message in messages],
            )

    def depth(self, channel: str) -> Depth:
        with self._transaction() as spool:
            (row,) = spool.execute(
                "SELECT count(*) FILTER (WHERE dead = 0 AND ready_at <= :now),"
                " count(*) FILTER (WHERE dead = 0 AND ready_at > :now), count(*) FILTER (WHERE dead = 1)"
                " FROM messages WHERE channel = :channel",
                {"now": time.time(), "channel": channel},
            ).fetchall()
        return Depth(*row)

    def dead(self, channel: str, most: int) -> list[Message]:
        with self._transaction() as spool:
            rows = spool.execute(
                "SELECT id, source, body, sent_ms, receives, receipt FROM messages"
                " WHERE channel = ? AND dead = 1 ORDER BY id LIMIT ?",
                (channel, most),
            ).fetchall()
        return [_message(row) for row in rows]

    def redrive(self, channel: str) -> int:
        with self._transaction() as spool:
            return spool.execute(
                "UPDATE messages SET dead = 0, receives = 0, ready_at = 0, receipt = NULL"
                " WHERE channel = ? AND dead = 1",
                (channel,),
            ).rowcount

    def forget(self, channel: str, matches: Callable[[bytes], object]) -> int:
        with self._transaction() as spool:
            rows = spool.execute("SELECT id, body FROM messages WHERE channel = ?", (channel,))
            found = [(number,) for number, body in rows if matches(body)]
            spool.executemany("DELETE FROM messages WHERE id = ?", found)
        try:
            # Pages of what was taken in long ago can stand in the write-ahead log, and in the file's free pages.
            spool.execute("VACUUM")
            (busy, _, _) = spool.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            raise QueueUnavailable(f"the queue {self._path} cannot be used: {error}") from None
        if busy:
            raise QueueUnavailable(f"the queue {self._path} is being read: end what uses it, then try again")
        return len(found)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction that nobody else shares; durable when the block has ended."""
        try:
            spool = self._connection()
            # At once: two that read first and lock later would take the same messages, or deadlock.
            spool.execute("BEGIN IMMEDIATE")
            with spool:
                yield spool
        except sqlite3.Error as error:
            raise QueueUnavailable(f"the queue {self._path} cannot be used: {error}") from None

    def _connection(self) -> sqlite3.Connection:
        """This thread's connection; a forked process opens its own."""
        if getattr(self._local, "process", None) != os.getpid():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._local.spool = _connect(self._path)
            self._local.process = os.getpid()
        spool: sqlite3.Connection = self._local.spool
        return spool


def _connect(path: Path) -> sqlite3.Connection:
    give_up = time.monotonic() + BUSY_SECONDS
    while True:
        spool = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            # SQLite does not wait its turn to switch a new file to the write-ahead log: we do.
            spool.execute("PRAGMA journal_mode = WAL")
            spool.execute("PRAGMA synchronous = FULL")  # a commit is on disk when it returns
            spool.execute("PRAGMA secure_delete = ON")  # what was acknowledged lies in the lake, not here too
            if not spool.execute("SELECT 1 FROM sqlite_master WHERE name = 'by_channel'").fetchone():
                spool.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        except sqlite3.OperationalError:
            spool.close()
            if time.monotonic() > give_up:
                raise
            time.sleep(0.02)
        else:
            return spool


def _message(row: tuple[int, str, bytes, int, int, str | None]) -> Message:
    number, source, body, sent_ms, receives, receipt = row
    return Message(str(number), source, body, datetime.fromtimestamp(sent_ms / 1000, UTC), receives, receipt or "")
