"""The outbox: every alert, every message made of alerts, and where each stands. SQLite, in WAL mode.

An alert is stored once by its key. Each route that a rule gives it is one delivery (key, route). Deliveries that
are due are bound to a message, one each or a digest; the binding is committed before the message is sent, so a
repeated attempt has the same id and the same alerts. A message is leased, sent, and then settled. Time comes from
the caller.
"""

import hashlib
import json
import sqlite3
import time
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from resources.alert import Alert
from resources.deliver import Message
from resources.routes import Route, Routes

LEASE_SECONDS = 60.0
"""A message whose sender died is tried again after so long."""
GIVE_UP = timedelta(days=7)
"""A message that was not delivered for so long is tried no more; it stays, and shows as undelivered."""
ROUTE_WAIT = (5.0, 60.0)
"""First and longest back-off (seconds) of a route whose endpoint takes nothing."""
MESSAGE_WAIT = (30.0, 900.0)
"""The same of a single message that is refused."""
DIGEST_MOST = 500
KEPT = timedelta(days=400)
"""How long the key of an alert that is settled is known. Changes of surges are told for 12 hours, the rest while
it lasts; only what still lasts after so long is told again."""

DDL = """
CREATE TABLE IF NOT EXISTS told (key TEXT PRIMARY KEY, alert TEXT NOT NULL, at REAL NOT NULL,
    routed INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS deliveries (key TEXT NOT NULL, route TEXT NOT NULL, high INTEGER NOT NULL,
    due REAL NOT NULL, message TEXT, PRIMARY KEY (key, route));
CREATE TABLE IF NOT EXISTS seconds (key TEXT NOT NULL, route TEXT NOT NULL, first TEXT NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (key, route));
CREATE TABLE IF NOT EXISTS messages (id TEXT PRIMARY KEY, route TEXT NOT NULL, made REAL NOT NULL,
    due REAL NOT NULL, state TEXT NOT NULL DEFAULT 'pending', attempts INTEGER NOT NULL DEFAULT 0, lease TEXT,
    leased_until REAL NOT NULL DEFAULT 0, settled REAL, error TEXT);
CREATE TABLE IF NOT EXISTS routes (route TEXT PRIMARY KEY, failures INTEGER NOT NULL, retry_at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS told_unrouted ON told (at) WHERE NOT routed;
CREATE INDEX IF NOT EXISTS told_at ON told (at);
CREATE INDEX IF NOT EXISTS deliveries_unbound ON deliveries (route, due) WHERE message IS NULL;
CREATE INDEX IF NOT EXISTS deliveries_message ON deliveries (message);
CREATE INDEX IF NOT EXISTS messages_pending ON messages (route, state, due);
CREATE INDEX IF NOT EXISTS messages_made ON messages (route, made);
"""


class Outbox:
    """The outbox in ``file``; several processes may use it at once."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def store(self, alert: Alert, now: datetime) -> bool:
        """Keep ``alert``; durable when this returns. False if its key is known."""
        with self._transaction() as db:
            done = db.execute(
                "INSERT OR IGNORE INTO told (key, alert, at) VALUES (?, ?, ?)",
                (alert.key, json.dumps(asdict(alert)), now.timestamp()),
            )
            return done.rowcount > 0

    def route(self, routes: Routes, in_use: Collection[str], now: datetime) -> None:
        """Give every new alert its deliveries, and its later second ones, by the rules."""
        with self._transaction() as db:
            for key, text, at in db.execute(
                "SELECT key, alert, at FROM told WHERE NOT routed ORDER BY at, key"
            ).fetchall():
                alert = Alert(**json.loads(text))
                rules = [rule for rule in routes.rules if rule.fits(alert)]
                first = list(dict.fromkeys(name for rule in rules for name in rule.to if name in in_use))
                for name in first:
                    due = routes.routes[name].due(alert, datetime.fromtimestamp(at, UTC))
                    _deliver(db, key, name, alert.high, due.timestamp())
                for rule in rules if alert.high else ():
                    mine = json.dumps([name for name in rule.to if name in in_use])
                    db.executemany(
                        "INSERT OR IGNORE INTO seconds VALUES (?, ?, ?, ?)",
                        [(key, name, mine, at + rule.after.total_seconds()) for name in rule.second],
                    )
                db.execute("UPDATE told SET routed = 1 WHERE key = ?", (key,))

    def escalate(self, acknowledged: Collection[str], in_use: Collection[str], now: datetime) -> int:
        """Send what nobody got, or nobody acknowledged, to its second route; how many alerts that is.

        ``acknowledged`` are incidents that somebody has taken on; what is no incident needs delivery only.
        """
        escalated = 0
        with self._transaction() as db:
            waiting = db.execute(
                "SELECT s.key, s.route, s.first, t.alert FROM seconds s JOIN told t USING (key) WHERE s.at <= ?",
                (now.timestamp(),),
            ).fetchall()
            for key, name, first, text in waiting:
                incident = json.loads(text)["incident"]
                got = {
                    route
                    for (route,) in db.execute(
                        "SELECT d.route FROM deliveries d JOIN messages m ON m.id = d.message"
                        " WHERE d.key = ? AND m.state = 'delivered'",
                        (key,),
                    )
                }
                enough = incident in acknowledged if incident else set(json.loads(first)) <= got
                if not enough and name in in_use:
                    escalated += _deliver(db, key, name, True, now.timestamp())
                db.execute("DELETE FROM seconds WHERE key = ? AND route = ?", (key, name))
        return escalated

    def bind(self, route: Route, now: datetime) -> None:
        """Bind the deliveries of ``route`` that are due to messages, as its rate allows."""
        at = now.timestamp()
        with self._transaction() as db:
            found = db.execute(
                "SELECT d.key, d.high FROM deliveries d JOIN told t USING (key)"
                " WHERE d.route = ? AND d.message IS NULL AND d.due <= ? ORDER BY t.at, d.key",
                (route.name, at),
            ).fetchall()
            if not found:
                return
            groups = [[key] for key, high in found if high]
            low = [key for key, high in found if not high]
            room = len(low)
            if route.most is not None:
                (made,) = db.execute(
                    "SELECT count(*) FROM messages WHERE route = ? AND made > ?",
                    (route.name, at - route.window.total_seconds()),
                ).fetchone()
                room = max(0, route.most - made - len(groups))
            if low and room:
                alone = 0 if route.gathers or len(low) > room else len(low)
                groups += [[key] for key in low[:alone]]
                rest = low[alone : alone + DIGEST_MOST]
                groups += [rest] if rest else []
            for keys in groups:
                name = hashlib.sha256("\n".join([route.name, *keys]).encode()).hexdigest()[:32]
                db.execute(
                    "INSERT OR IGNORE INTO messages (id, route, made, due) VALUES (?, ?, ?, ?)",
                    (name, route.name, at, at),
                )
                db.executemany(
                    "UPDATE deliveries SET message = ? WHERE key = ? AND route = ?",
                    [(name, key, route.name) for key in keys],
                )

    def lease(self, route: str, now: datetime) -> tuple[str, Message] | None:
        """A message of ``route`` to be sent now, and the token of its lease; None if there is none."""
        at = now.timestamp()
        with self._transaction() as db:
            held = db.execute("SELECT 1 FROM routes WHERE route = ? AND retry_at > ?", (route, at)).fetchone()
            # Fewest attempts first: one message that an endpoint chokes on does not hold up the others.
            found = (
                held
                or db.execute(
                    "SELECT id, made, attempts FROM messages WHERE route = ? AND state = 'pending' AND due <= ?"
                    " AND leased_until <= ? ORDER BY attempts, rowid LIMIT 1",
                    (route, at, at),
                ).fetchone()
            )
            if held or not found:
                return None
            name, made, attempts = found
            token = uuid.uuid4().hex
            db.execute(
                "UPDATE messages SET lease = ?, leased_until = ?, attempts = attempts + 1 WHERE id = ?",
                (token, at + LEASE_SECONDS, name),
            )
            alerts = db.execute(
                "SELECT t.alert FROM deliveries d JOIN told t USING (key) WHERE d.message = ?"
                " ORDER BY t.at, t.key",
                (name,),
            )
            told = tuple(Alert(**json.loads(text)) for (text,) in alerts)
        return token, Message(name, told, datetime.fromtimestamp(made, UTC), attempts > 0)

    def is_leased(self, token: str) -> bool:
        with self._transaction() as db:
            return bool(
                db.execute("SELECT 1 FROM messages WHERE lease = ? AND state = 'pending'", (token,)).fetchone()
            )

    def delivered(self, route: str, message: str, now: datetime) -> None:
        """The endpoint has it, whoever holds the lease by now."""
        with self._transaction() as db:
            db.execute(
                "UPDATE messages SET state = 'delivered', settled = ?, error = NULL, lease = NULL WHERE id = ?",
                (now.timestamp(), message),
            )
            db.execute("DELETE FROM routes WHERE route = ?", (route,))

    def failed(
        self, token: str, error: str, now: datetime, *, jitter: float, route: str = "", wait: float | None = None
    ) -> None:
        """The attempt of the lease ``token`` failed; ``route`` is given if its endpoint takes nothing at all.

        ``jitter`` in [0, 1) spreads the back-off over its upper half; ``wait`` is what the endpoint asked for (s).
        """
        at = now.timestamp()
        with self._transaction() as db:
            found = db.execute("SELECT id, made, attempts FROM messages WHERE lease = ?", (token,)).fetchone()
            if found is None:
                return
            name, made, attempts = found
            due = at if route else at + _back_off(MESSAGE_WAIT, attempts, jitter)
            state = "undelivered" if at - made >= GIVE_UP.total_seconds() else "pending"
            db.execute(
                "UPDATE messages SET state = ?, due = ?, error = ?, lease = NULL, leased_until = 0 WHERE id = ?"
                " AND state = 'pending'",
                (state, due, error, name),
            )
            if route:
                (failures,) = db.execute(
                    "SELECT coalesce(max(failures), 0) + 1 FROM routes WHERE route = ?", (route,)
                ).fetchone()
                pause = wait if wait is not None else _back_off(ROUTE_WAIT, failures, jitter)
                db.execute("REPLACE INTO routes VALUES (?, ?, ?)", (route, failures, at + pause))

    def retry(self, now: datetime) -> int:
        """Try everything that is not delivered again, at once; how many messages that is."""
        at = now.timestamp()
        with self._transaction() as db:
            db.execute("DELETE FROM routes")
            return db.execute(
                "UPDATE messages SET state = 'pending', due = ?, made = max(made, ?) WHERE state = 'undelivered'"
                " OR state = 'pending' AND leased_until <= ?",
                (at, at - GIVE_UP.total_seconds() / 2, at),
            ).rowcount

    def forget(self, now: datetime) -> int:
        """Drop alerts older than ``KEPT`` that every route has; how many. What was not delivered stays."""
        with self._transaction() as db:
            old = db.execute(
                "SELECT key FROM told t WHERE at < ? AND routed"
                " AND NOT EXISTS (SELECT 1 FROM seconds s WHERE s.key = t.key)"
                " AND NOT EXISTS (SELECT 1 FROM deliveries d LEFT JOIN messages m ON m.id = d.message"
                " WHERE d.key = t.key AND coalesce(m.state, 'waiting') <> 'delivered')",
                ((now - KEPT).timestamp(),),
            ).fetchall()
            messages = [
                row for key in old for row in db.execute("SELECT message FROM deliveries WHERE key = ?", key)
            ]
            db.executemany("DELETE FROM deliveries WHERE key = ?", old)
            db.executemany("DELETE FROM told WHERE key = ?", old)
            # A digest goes with the last of its alerts.
            db.executemany(
                "DELETE FROM messages WHERE id = ? AND NOT EXISTS (SELECT 1 FROM deliveries WHERE message = id)",
                messages,
            )
        return len(old)

    def waiting(self) -> int:
        """Deliveries, second ones left aside, that no endpoint has yet."""
        with self._transaction() as db:
            (count,) = db.execute(
                "SELECT (SELECT count(*) FROM told WHERE NOT routed)"
                " + (SELECT count(*) FROM deliveries WHERE message IS NULL)"
                " + (SELECT count(*) FROM deliveries d JOIN messages m ON m.id = d.message"
                " WHERE m.state <> 'delivered')"
            ).fetchone()
        return int(count)

    def overview(self, *, everything: bool, limit: int = 1000) -> list[dict[str, Any]]:
        """Deliveries, newest first: those that are not delivered, or all."""
        with self._transaction() as db:
            rows = db.execute(
                "SELECT t.key, t.alert, t.at, d.route, coalesce(m.state, 'waiting'), coalesce(m.attempts, 0),"
                " m.error, m.settled FROM told t LEFT JOIN deliveries d USING (key)"
                " LEFT JOIN messages m ON m.id = d.message WHERE ? OR NOT t.routed"
                " OR (d.route IS NOT NULL AND coalesce(m.state, 'waiting') <> 'delivered')"
                " ORDER BY t.at DESC, t.key, d.route LIMIT ?",
                (everything, limit),
            ).fetchall()
        return [
            {
                "at": _iso(at),
                "severity": json.loads(text)["severity"],
                "title": json.loads(text)["title"],
                "route": route,
                "state": state,
                "attempts": attempts,
                "error": error,
                "delivered_at": _iso(settled),
                "key": key,
            }
            for key, text, at, route, state, attempts, error, settled in rows
        ]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction, which no other process shares."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._file, timeout=30, isolation_level=None)
        try:
            _use_wal(connection)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                for statement in () if _is_made(connection) else DDL.split(";"):
                    connection.execute(statement)
                yield connection
        finally:
            connection.close()


def _deliver(db: sqlite3.Connection, key: str, route: str, high: bool, due: float) -> int:
    return db.execute(
        "INSERT OR IGNORE INTO deliveries (key, route, high, due) VALUES (?, ?, ?, ?)", (key, route, high, due)
    ).rowcount


def _back_off(wait: tuple[float, float], attempts: int, jitter: float) -> float:
    first, most = wait
    return min(most, first * 2.0 ** min(attempts - 1, 16)) * (1 + jitter) / 2


def _is_made(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'told_at'").fetchone())


def _use_wal(connection: sqlite3.Connection) -> None:
    """WAL for this file; while another process holds it, the switch is refused without waiting."""
    deadline = time.monotonic() + 30
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _iso(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
