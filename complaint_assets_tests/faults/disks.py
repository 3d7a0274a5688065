"""Rows: a disk that is full, for real: a small file system of its own, and a ballast that leaves a little room.

They need the right to mount, so they are rows of ``make faults`` only.
"""

import contextlib
import errno
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from complaint_assets_tests.faults.homes import Base, chain, files, holds, judged, put, take_in
from complaint_assets_tests.faults.kills import Landing
from complaint_assets_tests.faults.lab import run
from complaint_assets_tests.faults.table import Result, row

PAGE = 4096


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of ``megabytes`` of its own; only the administrator of a machine can mount one.

    Raises:
        OSError: it cannot be mounted.
    """
    place = folder / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", place], capture_output=True, check=False
    )
    if done.returncode:
        raise OSError(errno.EPERM, "a small file system cannot be mounted here: run this row as root")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def leave(disk: Path, pages: int) -> None:
    """Fill ``disk`` up but for ``pages`` pages."""
    free = os.statvfs(disk).f_bavail
    with (disk / "ballast").open("wb") as ballast:
        os.posix_fallocate(ballast.fileno(), 0, max(1, free - pages) * PAGE)


def is_full(work: Callable[[], Any]) -> Callable[[], str]:
    """``work``, and how it ended: "" if well, "full" if by a full disk and an error that says so."""

    def inside() -> str:
        from deltalake.exceptions import DeltaError

        try:
            work()
        except OSError as error:
            full = error.errno == errno.ENOSPC or "full" in str(error) or "No space" in str(error)
            return "full" if full else f"{type(error).__name__}: {error}"[-300:]
        except Exception as error:  # noqa: BLE001 - whatever it is called, it must say why
            told = str(error) + str(error.__cause__ or "")
            known = isinstance(error, DeltaError) or "No space left" in told or "full" in told
            return "full" if known else f"{type(error).__name__}: {told}"[-300:]
        return ""

    return inside


def torn(home: Path) -> list[str]:
    """Objects whose bytes are not their name, and files that were left half written."""
    names = files(home / "lake") if (home / "lake").exists() else []
    objects = [path for path in names if path.relative_to(home / "lake").parts[0] == "raw"]
    wrong = [path for path in objects if hashlib.sha256(path.read_bytes()).hexdigest() != path.name[:64]]
    return [path.name for path in (*wrong, *(path for path in names if path.name.endswith(".tmp")))]


@row(
    "disk-full-landing",
    "the disk (a file system of its own) is full but for n pages, for every n until all fits, while files land "
    "and are sealed",
    "an error that says so; no torn object, what is not in the lake is in the inbox; with room again, as without",
    trials=0,
)
def disk_full_landing(folder: Path, trials: int) -> Result:
    landing, result, failed = Landing(folder), Result(), 0
    with small_disk(folder, 4) as disk:
        for pages in range(0, 400, max(1, 130 // trials) if trials else 1):
            home = disk / "home"
            put(landing.inbox, landing.sent, home)
            (home / "dagster").mkdir()
            leave(disk, pages)
            ended = run(is_full(take_in), home).value
            failed += ended == "full"
            left = {path.name for path in files(home / "inbox")}
            raw = files(home / "lake" / "raw") if (home / "lake" / "raw").exists() else []
            stored = {path.name[:64] for path in raw}
            gone = [
                path
                for path in landing.sent
                if path.name not in left and hashlib.sha256(path.read_bytes()).hexdigest() not in stored
            ]
            (disk / "ballast").unlink()
            problems = [f"torn {name}" for name in torn(home)] + [f"{path.name} is nowhere" for path in gone]
            problems += [ended] if ended not in ("", "full") else []
            result.lost += len(gone)
            result.problems += [f"{pages} pages: {problem}" for problem in problems]
            result.add(landing.recover(home), f"{pages} pages")
            shutil.rmtree(home)
            if not ended and not trials:
                break
    if not failed:
        result.problems.append("the disk was never full")
    result.note = f"{failed} runs met the full disk"
    return result


@row(
    "disk-full-queue",
    "the disk is full while messages are pushed into the spool",
    "what was accepted is there, what was refused is refused with an error; with room again it goes on",
    trials=20,
)
def disk_full_queue(folder: Path, trials: int) -> Result:
    def push(path: Path) -> dict[str, Any]:
        from resources.queue import QueueUnavailable
        from resources.queue_spool import Spool

        accepted = 0
        for n in range(10_000):
            try:
                Spool(path).send("sms", "gateway", [b"%05d" % n + b"x" * 500])
            except QueueUnavailable:
                return {"accepted": accepted, "refused": True}
            accepted += 1
        return {"accepted": accepted, "refused": False}

    def take(path: Path) -> int:
        from resources.queue_spool import Spool

        spool, found = Spool(path), 0
        spool.send("sms", "gateway", [b"one more"])
        while batch := spool.receive("sms", 500, 60):
            found += len(batch)
        return found

    result = Result()
    with small_disk(folder, 4) as disk:
        for n in range(trials):
            path = disk / "queue.db"
            run(lambda path=path: take(path))  # it stands, with a message, when the disk fills up
            leave(disk, 10 + 7 * n)
            pushed = run(lambda path=path: push(path)).value
            (disk / "ballast").unlink()
            found = run(lambda path=path: take(path)).value
            kept = pushed["refused"] and found == pushed["accepted"] + 1
            result.lost += max(0, pushed["accepted"] + 1 - found)
            result.expect(kept, f"{10 + 7 * n} pages: {pushed}, then {found}")
            for left in disk.iterdir():
                left.unlink()
    return result


ROOM = (0, 8, 32, 64, 128, 256, 384, 512, 768, 1024, 1536)
"""Pages of 4 kB that are left to a run; the last suffice for some of its steps."""


@row(
    "disk-full-chain",
    "the disk is full but for 0 to 6 MB while a run goes from the inbox to the surge metrics (chain)",
    "the run fails; with room again, every table has the digest of the fault-free run",
    trials=0,
)
def disk_full_chain(folder: Path, trials: int) -> Result:
    base, result, failed = Base(folder, whole=False), Result(), 0
    with small_disk(folder, 256) as disk:
        for pages in ROOM:
            home = disk / "home"
            shutil.copytree(base.home, home, symlinks=True)
            leave(disk, pages)
            ended = run(is_full(chain), home).value
            failed += ended != ""
            (disk / "ballast").unlink()

            def recover(home: Path = home) -> dict[str, Any]:
                chain()
                return holds(home, base.sent)

            result.problems += [f"{pages} pages: torn {name}" for name in torn(home)]
            result.add(judged(run(recover, home).value, base.expected), f"{pages} pages")
            shutil.rmtree(home)
    if not failed:
        result.problems.append("the disk was never full")
    result.note = f"{failed} runs met the full disk"
    return result
