"""Which rules are active in a home: those applied last, or else the built-in ones.

A home has one folder for its rules: in it a folder, which never changes, per version that ever was active, and
``history.jsonl``, to which every change adds one line. The last line says which version is active.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from resources.failpoints import failpoint

HISTORY = "history.jsonl"


class Change(NamedTuple):
    """One change of the active rules."""

    at: str
    action: str
    former: str
    version: str
    author: str
    reason: str


def history(home: Path) -> list[Change]:
    """Every change, oldest first. A line that a killed writer left unfinished was never acknowledged."""
    file = home / HISTORY
    data = file.read_bytes() if file.exists() else b""
    return [Change(**json.loads(line)) for line in data[: data.rfind(b"\n") + 1].splitlines()]


def active_version(home: Path) -> str | None:
    """The version that was applied, or gone back to, last; None if nothing ever was."""
    changes = history(home)
    return changes[-1].version if changes else None


def folder_of(home: Path, version: str) -> Path:
    """Where the rules of ``version`` are kept."""
    return home / version


def keep(home: Path, version: str, files: Iterable[Path]) -> None:
    """Keep a copy of the rule ``files`` of ``version``, once."""
    target = folder_of(home, version)
    if target.exists():
        return
    unfinished = home / f".{version}.part"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for file in files:
        shutil.copyfile(file, unfinished / file.name)
        _sync(unfinished / file.name)
    failpoint("taxonomy.copied")
    unfinished.rename(target)
    _sync(home)


def record(home: Path, change: Change) -> None:
    """Make ``change.version``, which is kept, the active one; when this returns, it is."""
    file = home / HISTORY
    finished = len(file.read_bytes().rpartition(b"\n")[0]) + 1 if file.exists() and file.stat().st_size else 0
    with file.open("ab") as stream:
        stream.truncate(finished)
        stream.write(json.dumps(change._asdict()).encode() + b"\n")
        stream.flush()
        os.fsync(stream.fileno())
    _sync(home)


@contextmanager
def changing(home: Path) -> Iterator[None]:
    """One change at a time."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
