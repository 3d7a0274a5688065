"""Publishes tables to a role: a read-only DuckDB file and Parquet, switched in one step.

Readers open ``<folder>/<role>/current/<role>.duckdb`` and see one whole version, old or new; the last one of a day
stays for a while under ``as-of-<day>``.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from resources.failpoints import failpoint
from resources.fencing import Overtaken

KEEP = 3
"""Versions that stay on disk, for readers that still have an older one open."""
AS_OF_DAYS = 35
"""Days whose last publication stays on disk too, to be read as it stood then."""
_AS_OF = "as-of-"
ABANDONED_SECONDS = 86_400
"""Age at which an unfinished version is taken for the remains of a killed run."""


Standing = tuple[int, int] | None
"""Which publication stands; None = none yet."""


def standing(folder: Path, role: str) -> Standing:
    """What ``publish`` must find unchanged: asked before anything is read."""
    try:
        link = (folder / role / "current").lstat()
    except FileNotFoundError:
        return None
    return link.st_ino, link.st_ctime_ns


def publish(folder: Path, role: str, tables: Mapping[str, pa.Table], since: Standing | str = "any") -> Path:
    """Publish ``tables`` as the mart of ``role``; equal content is published once.

    Args:
        folder: folder of all marts.
        role: the role.
        tables: what to publish, by name.
        since: what was ``standing`` before ``tables`` were read; "any" = whatever stands is replaced.

    Returns:
        The DuckDB file behind ``current``.

    Raises:
        Overtaken: another run has published after ``since``.
    """
    home = folder / role
    home.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=home, prefix=".new-"))
    failpoint("publish.folder_made")
    try:
        content = hashlib.sha256()
        for name in sorted(tables):
            path = temporary / f"{name}.parquet"
            # Parquet of sorted rows is a function of the content, so its hash names the version.
            rows = _sorted(tables[name])
            pq.write_table(rows, path, compression="zstd")
            content.update(name.encode() + path.read_bytes())
            failpoint("publish.parquet_written")
        version = content.hexdigest()[:16]
        target = home / version
        if not target.exists():
            database = temporary / f"{role}.duckdb"
            with duckdb.connect(str(database)) as connection:
                connection.execute("SET TimeZone = 'UTC'")
                for name in sorted(tables):
                    connection.register("incoming", tables[name])
                    quoted = name.replace('"', '""')
                    connection.execute(f'CREATE TABLE "{quoted}" AS SELECT * FROM incoming')  # noqa: S608
                    connection.unregister("incoming")
            failpoint("publish.database_written")
            for path in temporary.iterdir():
                _sync(path)
                path.chmod(0o444)
            temporary.chmod(0o755)
            _sync(temporary)
            failpoint("publish.synced")
            try:
                failpoint("publish.before_rename")
                temporary.rename(target)
                failpoint("publish.renamed")
            except OSError:  # unless another run has just published the same content
                if not target.exists():
                    raise
        os.utime(target)  # the newest version is the one published last, be it new or not
        failpoint("publish.before_switch")
        with _alone(home):
            if since != "any" and standing(folder, role) != since:
                raise Overtaken(f"marts/{role}")
            _switch(home, version, "current")
            _switch(home, version, f"{_AS_OF}{datetime.now(UTC).date()}")
        failpoint("publish.switched")
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    failpoint("publish.before_forgetting")
    _forget_old(home)
    failpoint("publish.done")
    return target / f"{role}.duckdb"


def _sorted(table: pa.Table) -> pa.Table:
    keys = [(f.name, "ascending") for f in table.schema if not pa.types.is_nested(f.type)]
    return table.sort_by(keys) if table.num_rows else table


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Nobody else switches meanwhile; the lock goes with the process that holds it."""
    handle = os.open(home, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def mart_file(folder: Path, role: str, as_of: date | None = None) -> Path:
    """The DuckDB file of ``role``: of now, or as it stood at the end of the day ``as_of`` (UTC).

    Raises:
        FileNotFoundError: nothing was published, or nothing that old is kept; the message tells what is.
    """
    if as_of is None:
        found = folder / role / "current"
        if not found.exists():
            raise FileNotFoundError(f"nothing is published for {role} yet")
    else:
        links = sorted((folder / role).glob(f"{_AS_OF}*"))
        before = [link for link in links if link.name <= f"{_AS_OF}{as_of}"]
        if not before:
            oldest = f"the oldest is of {links[0].name.removeprefix(_AS_OF)}" if links else "there is none"
            raise FileNotFoundError(f"no publication of {role} as of {as_of} is kept: {oldest}")
        found = before[-1]
    return found / f"{role}.duckdb"


def _switch(home: Path, version: str, name: str) -> None:
    link = home / f".{name}-{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(version)
    failpoint("publish.link_made")
    link.replace(home / name)
    failpoint("publish.link_replaced")
    _sync(home)


def _forget_old(home: Path) -> None:
    ages = {path: _changed_at(path) for path in home.iterdir() if path.is_dir() and not path.is_symlink()}
    folders = sorted(ages, key=lambda path: ages[path], reverse=True)
    days = sorted(home.glob(f"{_AS_OF}*"), reverse=True)
    for link in days[AS_OF_DAYS:]:
        link.unlink(missing_ok=True)
    kept = {link.resolve().name for link in days[:AS_OF_DAYS]}
    unfinished = [p for p in folders if p.name.startswith(".")]
    abandoned = [p for p in unfinished if 0 < ages[p] < time.time() - ABANDONED_SECONDS]
    old = [p for p in folders if p not in unfinished][KEEP:]
    for path in [p for p in old if p.name not in kept] + abandoned:
        shutil.rmtree(path, ignore_errors=True)


def _changed_at(path: Path) -> float:
    """Seconds since 1970; 0 = another run has just removed it."""
    try:
        return path.stat().st_mtime_ns / 1e9
    except FileNotFoundError:
        return 0.0


def forget_versions(folder: Path) -> int:
    """Remove every version of every mart under ``folder`` but the current one; return how many."""
    removed = 0
    for home in sorted(path for path in folder.glob("*") if path.is_dir()):
        current = (home / "current").resolve()
        for link in home.glob(f"{_AS_OF}*"):
            if link.resolve() != current:
                link.unlink()
        for path in sorted(home.iterdir()):
            if path.is_dir() and not path.is_symlink() and path != current:
                shutil.rmtree(path)
                removed += 1
    return removed


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def open_mart(path: Path) -> duckdb.DuckDBPyConnection:
    """A read-only connection that can reach nothing but the mart at ``path``.

    Raises:
        duckdb.IOException: there is no mart at ``path``.
    """
    while True:
        version = path.resolve()
        try:
            connection = duckdb.connect(str(version), read_only=True)
            break
        except duckdb.IOException:
            if path.resolve() == version:
                raise  # otherwise the version was switched and removed in between
    # Connections of one process to one file share their settings: only the first finds them open.
    try:
        if not _locked(connection):
            connection.execute("SET GLOBAL TimeZone = 'UTC'")
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
    except duckdb.InvalidInputException:
        if not _locked(connection):
            connection.close()
            raise  # otherwise another thread has made and locked them meanwhile
    return connection


def _locked(connection: duckdb.DuckDBPyConnection) -> bool:
    return bool(connection.execute("SELECT current_setting('lock_configuration')").fetchall()[0][0])
