"""The vault: which subject an identifier belongs to. It alone can lead from a subject back to a person.

Every identifier of a customer (kind and normalised value) has one random ``subject_id``. For each there are

* a lookup: HMAC-SHA256 of kind and value, so that the identifier can be found, but neither read nor guessed;
* a data key of its own (AES-256), wrapped by the wrapping key (AES-GCM);
* kind and value, encrypted with the data key. Deleting the row shreds the key: nothing leads back any more.

Lookup and wrapping key are derived from ``COMPLAINTS_KEY`` and carry its key id. ``rotate`` re-keys the vault and
nothing else: subject ids stay, so no fact is rewritten. The secret behind all other pseudonyms (complaints,
contents) lies in the vault too, wrapped: it survives a rotation, and the key in the environment alone cannot
recompute a pseudonym in production.

Production draws ids and secret at random: losing its vault is losing data, as losing the lake is. Keep and back
both up, apart from each other. ``dev`` and ``test`` hold no customers; there ids and secret are derived from the
throw-away key, so that two homes with the same lake agree, and a vault that was deleted comes back the same. In
them a forgotten identifier that is delivered again gets its old id again; in production it gets a new one.

The store is one SQLite file in a folder of its own (0700, file 0600): a second process of this machine may use it
at the same time. Deleted bytes are overwritten.
"""

import base64
import hashlib
import hmac
import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from resources.failpoints import failpoint
from resources.settings import Settings

Identifier = tuple[str, str]
"""Kind and normalised value."""

_FILE = "vault.sqlite3"
_NONCE = 12
_DATA_KEY = 32
_PSEUDONYM = 26
_ASK = 10_000
_REMEMBER = 500_000
_BUSY_SECONDS = 60
_ROOT = b"secret"

_TABLES = """
CREATE TABLE IF NOT EXISTS header (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    key_id TEXT NOT NULL,
    secret BLOB NOT NULL,      -- behind all pseudonyms but subjects, wrapped
    forgotten INTEGER NOT NULL -- grows when a subject is forgotten: other processes drop what they remember
);
CREATE TABLE IF NOT EXISTS subjects (
    subject_id TEXT PRIMARY KEY,
    lookup BLOB NOT NULL UNIQUE,
    key_id TEXT NOT NULL,
    data_key BLOB NOT NULL,    -- wrapped
    identifier BLOB NOT NULL   -- kind and value, under the data key
);
"""


class VaultError(RuntimeError):
    """The vault cannot be used; the message says why and what to do, and holds no identifier."""


class _Keys:
    """What is derived from one master key."""

    def __init__(self, master: bytes) -> None:
        self._lookup = hmac.new(_derive(master, "lookup"), digestmod=hashlib.sha256)
        self._wrap = AESGCM(_derive(master, "wrap"))
        self.key_id = _derive(master, "key id")[:4].hex()

    def lookup(self, identifier: Identifier) -> bytes:
        mac = self._lookup.copy()
        mac.update(_encode(identifier))
        return mac.digest()

    def wrap(self, key: bytes, owner: bytes) -> bytes:
        return _encrypt(self._wrap, key, owner)

    def unwrap(self, wrapped: bytes, owner: bytes) -> bytes:
        return _decrypt(self._wrap, wrapped, owner)


class _Row(NamedTuple):
    subject_id: str
    lookup: bytes
    key_id: str
    data_key: bytes
    identifier: bytes


class Vault:
    """The vault in one folder, opened with one master key."""

    def __init__(self, folder: Path, master: bytes, *, random_ids: bool) -> None:
        """Open the vault in ``folder``; make it if there is none.

        Args:
            folder: its own; only this user may enter it.
            master: at least 32 bytes.
            random_ids: draw ids and secret at random (production) rather than from ``master``.

        Raises:
            VaultError: the vault is under another key.
        """
        self._path = folder / _FILE
        self._keys = _Keys(master)
        self._known: dict[Identifier, str] = {}
        self._forgotten = 0
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        self._path.chmod(0o600)
        with self._connection() as connection:
            connection.executescript(_TABLES)
            secret = secrets.token_bytes(32) if random_ids else master
            connection.execute(
                "INSERT OR IGNORE INTO header VALUES (1, ?, ?, 0)",
                (self._keys.key_id, self._keys.wrap(secret, _ROOT)),
            )
            self.secret = self._keys.unwrap(self._check(connection), _ROOT)
        self._draw = None if random_ids else hmac.new(_derive(self.secret, "subject"), digestmod=hashlib.sha256)

    @property
    def key_id(self) -> str:
        """Which key the vault is under: 8 hexadecimal digits that tell nothing about the key."""
        return self._keys.key_id

    def subject_ids(self, identifiers: Sequence[Identifier]) -> list[str]:
        """The subject of each of ``identifiers``, in order; those not yet known get one, on disk on return.

        Raises:
            VaultError: the vault has been rotated to another key meanwhile.
        """
        wanted = dict.fromkeys(identifiers)
        with self._lock:
            if any(identifier not in self._known for identifier in wanted) or not self._current():
                self._learn(list(wanted))
            return [self._known[identifier] for identifier in identifiers]

    def find(self, kind: str, value: str) -> str | None:
        """The subject of an identifier, None if the vault does not know it."""
        with self._connection() as connection:
            self._check(connection)
            found = connection.execute(
                "SELECT subject_id FROM subjects WHERE lookup = ?", (self._keys.lookup((kind, value)),)
            ).fetchone()
        return str(found[0]) if found else None

    def values(self, subject_id: str) -> list[Identifier]:
        """The identifier behind ``subject_id``, decrypted; none if it is unknown or forgotten."""
        with self._connection() as connection:
            self._check(connection)
            rows = connection.execute("SELECT * FROM subjects WHERE subject_id = ?", (subject_id,)).fetchall()
        return [_open(self._keys, _Row(*row))[1] for row in rows]

    def identifiers(self) -> Iterator[tuple[str, Identifier]]:
        """Every subject with its identifier, decrypted; nothing of it may be kept outside the vault."""
        last = ""
        with self._connection() as connection:
            self._check(connection)
            while rows := connection.execute(
                "SELECT * FROM subjects WHERE subject_id > ? ORDER BY subject_id LIMIT ?", (last, _ASK)
            ).fetchall():
                for row in rows:
                    yield row[0], _open(self._keys, _Row(*row))[1]
                last = rows[-1][0]

    def forget(self, subject_id: str) -> bool:
        """Shred the key and the lookup of ``subject_id``; whether it was known."""
        with self._lock, self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            self._check(connection)
            gone = connection.execute("DELETE FROM subjects WHERE subject_id = ?", (subject_id,)).rowcount > 0
            if gone:
                connection.execute("UPDATE header SET forgotten = forgotten + 1")
            connection.execute("COMMIT")
        return gone

    def count(self) -> int:
        """Number of identifiers."""
        with self._connection() as connection:
            return int(connection.execute("SELECT count(*) FROM subjects").fetchone()[0])

    def rotate(self, new_master: bytes) -> int:
        """Put everything under ``new_master``, all or nothing; the number of identifiers re-keyed.

        Subject ids, data keys and the secret stay; only lookups and wraps are made anew. Processes that still
        hold the old key are refused from then on.

        Raises:
            VaultError: ``new_master`` is the key in use, or the vault is under another key already.
        """
        new = _Keys(new_master)
        if new.key_id == self._keys.key_id:
            raise VaultError(f"the new key is the one in use ({new.key_id}): choose another")
        with self._lock, self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            secret = self._keys.unwrap(self._check(connection), _ROOT)
            done, last = 0, ""
            while rows := connection.execute(
                "SELECT * FROM subjects WHERE subject_id > ? ORDER BY subject_id LIMIT ?", (last, _ASK)
            ).fetchall():
                connection.executemany(
                    "UPDATE subjects SET lookup = ?, key_id = ?, data_key = ? WHERE subject_id = ?",
                    [_rekeyed(self._keys, new, _Row(*row)) for row in rows],
                )
                done, last = done + len(rows), rows[-1][0]
            connection.execute("UPDATE header SET key_id = ?, secret = ?", (new.key_id, new.wrap(secret, _ROOT)))
            connection.execute("COMMIT")
            self._keys = new
        return done

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection for one call: none is shared between threads or carried into a child process."""
        with closing(sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA synchronous = FULL")
            yield connection

    def _check(self, connection: sqlite3.Connection) -> bytes:
        """The wrapped secret, once it is certain that the vault is under the key of this process."""
        key_id, secret = connection.execute("SELECT key_id, secret FROM header").fetchone()
        if key_id != self._keys.key_id:
            raise VaultError(
                f"the vault {self._path.parent} is under key {key_id}, COMPLAINTS_KEY is key {self._keys.key_id}: "
                "give the key that the vault was made with or last rotated to, and start again"
            )
        return bytes(secret)

    def _current(self) -> bool:
        """Whether what this process remembers still holds."""
        with self._connection() as connection:
            self._check(connection)
            return self._is_current(connection)

    def _is_current(self, connection: sqlite3.Connection) -> bool:
        forgotten = int(connection.execute("SELECT forgotten FROM header").fetchone()[0])
        if forgotten == self._forgotten:
            return True
        self._forgotten = forgotten
        self._known.clear()
        return False

    def _learn(self, wanted: list[Identifier]) -> None:
        """Fill ``_known`` with the subjects of ``wanted``."""
        if len(self._known) > _REMEMBER:
            self._known.clear()
        with self._connection() as connection:
            self._check(connection)
            self._is_current(connection)
            unknown = [identifier for identifier in wanted if identifier not in self._known]
            lookups = {self._keys.lookup(identifier): identifier for identifier in unknown}
            self._look_up(connection, lookups)
            new = {lookup: i for lookup, i in lookups.items() if i not in self._known}
            if not new:
                return
            rows = [self._new_row(lookup, identifier) for lookup, identifier in new.items()]
            connection.execute("BEGIN IMMEDIATE")
            self._check(connection)
            # Another process may have been first: then its row stays and is the one that counts.
            connection.executemany("INSERT OR IGNORE INTO subjects VALUES (?, ?, ?, ?, ?)", rows)
            self._look_up(connection, new)
            failpoint("vault.before_commit")
            connection.execute("COMMIT")
            failpoint("vault.committed")

    def _look_up(self, connection: sqlite3.Connection, lookups: dict[bytes, Identifier]) -> None:
        keys = list(lookups)
        for start in range(0, len(keys), _ASK):
            part = keys[start : start + _ASK]
            marks = ",".join("?" * len(part))
            query = f"SELECT lookup, subject_id FROM subjects WHERE lookup IN ({marks})"  # noqa: S608 - marks only
            for lookup, subject_id in connection.execute(query, part):
                self._known[lookups[lookup]] = subject_id

    def _new_row(self, lookup: bytes, identifier: Identifier) -> _Row:
        drawn = secrets.token_bytes(20) if self._draw is None else _mac(self._draw, _encode(identifier))[:20]
        subject_id = base64.b32encode(drawn)[:_PSEUDONYM].decode().lower()
        data_key, owner = secrets.token_bytes(_DATA_KEY), subject_id.encode()
        return _Row(
            subject_id,
            lookup,
            self._keys.key_id,
            self._keys.wrap(data_key, owner),
            _encrypt(AESGCM(data_key), _encode(identifier), owner),
        )


@lru_cache(maxsize=1)
def open_vault(home: Settings) -> Vault:
    """The vault of the home that ``home`` describes; one for the whole process, so that it remembers."""
    return Vault(home.vault_folder(), home.master_key(), random_ids=home.env == "prod")


def _derive(master: bytes, purpose: str) -> bytes:
    """An independent key of 32 bytes for ``purpose`` (HKDF-SHA256, RFC 5869)."""
    info = f"complaint-assets vault {purpose}".encode()
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(master)


def _mac(keyed: hmac.HMAC, value: bytes) -> bytes:
    mac = keyed.copy()
    mac.update(value)
    return mac.digest()


def _encode(identifier: Identifier) -> bytes:
    return "|".join(identifier).encode("utf-8", "surrogatepass")


def _encrypt(cipher: AESGCM, plain: bytes, owner: bytes) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + cipher.encrypt(nonce, plain, owner)


def _decrypt(cipher: AESGCM, sealed: bytes, owner: bytes) -> bytes:
    return cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], owner)


def _open(keys: _Keys, row: _Row) -> tuple[bytes, Identifier]:
    """The data key of ``row`` and the identifier that it protects."""
    owner = row.subject_id.encode()
    data_key = keys.unwrap(row.data_key, owner)
    plain = _decrypt(AESGCM(data_key), row.identifier, owner)
    kind, _, value = plain.decode("utf-8", "surrogatepass").partition("|")
    return data_key, (kind, value)


def _rekeyed(old: _Keys, new: _Keys, row: _Row) -> tuple[bytes, str, bytes, str]:
    data_key, identifier = _open(old, row)
    return new.lookup(identifier), new.key_id, new.wrap(data_key, row.subject_id.encode()), row.subject_id
