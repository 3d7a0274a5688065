"""What surge replays remember, by day, in an SQLite file. A cache: without it everything is replayed."""

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import date
from pathlib import Path

_DDL = (
    "CREATE TABLE IF NOT EXISTS days (event_date TEXT PRIMARY KEY, key TEXT NOT NULL, told BLOB NOT NULL,"
    " memory BLOB NOT NULL)"
)


class Replays:
    """Days under keys that stand for everything that a day's memory was made from."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def matching(self, keys: Mapping[date, str], most: int) -> tuple[list[bytes], list[bytes]]:
        """What was told on the days from the first of ``keys`` on, up to one whose key is not the stored one.

        Args:
            keys: of the days, in order.
            most: so many of the newest of these days are read with their memories.

        Returns:
            what was told per day, and the newest memories; nothing from a file that cannot be read.
        """
        if not self._path.exists():
            return [], []
        try:
            with closing(sqlite3.connect(self._path)) as connection:
                connection.execute("BEGIN")
                stored = dict(connection.execute("SELECT event_date, key FROM days").fetchall())
                days = []
                for day, key in keys.items():
                    if stored.get(day.isoformat()) != key:
                        break
                    days.append(day.isoformat())
                if not days:
                    return [], []
                between = (days[0], days[-1])
                told = connection.execute(
                    "SELECT told FROM days WHERE event_date BETWEEN ? AND ? ORDER BY event_date", between
                ).fetchall()
                memories = connection.execute(
                    "SELECT memory FROM days WHERE event_date BETWEEN ? AND ? ORDER BY event_date",
                    (days[-most:][0], days[-1]),
                ).fetchall()
        except sqlite3.DatabaseError:
            self._path.unlink(missing_ok=True)
            return [], []
        return [row[0] for row in told], [row[0] for row in memories]

    def keep(self, days: Iterable[tuple[date, str, bytes, bytes]]) -> None:
        """Remember date, key, what was told and the memory of ``days`` instead of what there is of them."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self._path, timeout=60)) as connection, connection:
            connection.execute(_DDL)
            connection.executemany(
                "INSERT OR REPLACE INTO days VALUES (?, ?, ?, ?)",
                [(day.isoformat(), key, told, memory) for day, key, told, memory in days],
            )
