"""The laboratory: processes that are killed on purpose, small homes to kill them in, and what a home holds.

Processes are forked from one that has imported everything but has never touched delta-rs, DuckDB or Dagster's
storage: each starts like a fresh ``complaints run`` without three seconds of imports. Each is a process of its
own with nothing in memory but code, so killing it is what killing the command is.
"""

import contextlib
import json
import os
import shutil
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from complaint_assets_tests.conftest import MEMORY, REPOSITORY

Work = Callable[[], Any]

SETTINGS = {
    "COMPLAINTS_ENV": "test",
    "COMPLAINTS_FIRST_EVENT_DATE": "2026-08-01",  # Dagster goes through every partition time and again
    "COMPLAINTS_FIRST_SLOT": "2026-08-01",
}


_living: set[int] = set()
"""Processes that have not been waited for."""


def end_all() -> None:
    """End every process that a row which failed has left behind, paused or not."""
    while _living:
        pid = _living.pop()
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@dataclass(frozen=True)
class Outcome:
    """How a process ended: by which signal (0 = by itself), what it returned, CPU and wall seconds."""

    signal: int
    value: Any
    cpu: float
    seconds: float


def enter(home: Path) -> None:
    """Make ``home`` the home of this process."""
    os.environ.update(
        COMPLAINTS_HOME=str(home),
        **SETTINGS,
        DAGSTER_HOME=str(REPOSITORY),
        COMPLAINTS_DAGSTER_STATE=str(home / "dagster"),
    )
    (home / "dagster").mkdir(parents=True, exist_ok=True)
    from resources.settings import settings

    settings.cache_clear()
    import complaint_assets.definitions as definitions

    definitions.defs = definitions.build_defs()


@dataclass
class Process:
    """A forked process at work."""

    pid: int
    pipe: int
    started: float

    def result(self, timeout: float = 600) -> Outcome:
        """Wait for its end."""
        chunks = []
        with os.fdopen(self.pipe, "rb") as stream:
            while chunk := stream.read():
                chunks.append(chunk)
        _, status, used = os.wait4(self.pid, 0)
        _living.discard(self.pid)
        said = json.loads(b"".join(chunks) or b"null")
        if isinstance(said, dict) and "error" in said:
            raise RuntimeError(said["error"])
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        return Outcome(
            number, said and said["value"], used.ru_utime + used.ru_stime, time.monotonic() - self.started
        )

    def wait_until_stopped(self) -> bool:
        """Wait until it has stopped itself; False if it ended instead."""
        found = os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        return found is not None and found.si_code == os.CLD_STOPPED

    def kill(self) -> None:
        """End it at once."""
        os.kill(self.pid, signal.SIGKILL)


def start(work: Work, home: Path | None = None, failpoint: str | None = None, cpu: float = 0) -> Process:
    """Fork a process that does ``work`` in ``home``.

    Args:
        work: returns something that JSON can hold.
        home: the home it works in.
        failpoint: armed before it begins; "" counts only.
        cpu: CPU seconds after which the kernel ends it, as SIGKILL would; 0 = never.
    """
    reader, writer = os.pipe()
    begun = time.monotonic()
    pid = os.fork()
    if pid:
        _living.add(pid)
        os.close(writer)
        return Process(pid, reader, begun)
    code = 1
    _living.clear()
    try:
        os.close(reader)
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        if home:
            enter(home)
        if failpoint is not None:
            from resources import failpoints

            failpoints.arm(failpoint)
        if cpu:
            signal.signal(signal.SIGPROF, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_PROF, cpu)
        said = {"value": work()}
        signal.setitimer(signal.ITIMER_PROF, 0)
        code = 0
    except BaseException:  # noqa: BLE001 - whatever it is, the parent is told
        said = {"error": traceback.format_exc()}
    with contextlib.suppress(OSError):
        data = json.dumps(said, default=str).encode()
        while data:
            data = data[os.write(writer, data) :]
    os._exit(code)


def run(work: Work, home: Path | None = None, failpoint: str | None = None, cpu: float = 0) -> Outcome:
    """Do ``work`` in a process of its own and wait for its end."""
    return start(work, home, failpoint, cpu).result()


@contextlib.contextmanager
def reading(look: Callable[[], list[str]], home: Path, notes: Path) -> Iterator[None]:
    """A process that calls ``look`` over and over and notes what was torn, until the block ends."""

    def loop() -> None:
        looks = 0
        while True:
            torn = look()
            looks += 1
            with notes.open("a") as file:
                file.write(json.dumps({"torn": torn}) + "\n")
            time.sleep(0.6)

    process = start(loop, home)
    try:
        yield
    finally:
        process.kill()
        process.result()


def torn_in(notes: Path) -> tuple[int, list[str]]:
    """Looks taken, and what was torn in them."""
    lines = [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []
    return len(lines), [one for line in lines for one in line["torn"]]


IMMUTABLE = ("lake", "tables", "marts")
"""Parts of a home whose files are never written in place: copies share them."""


def copied(home: Path, target: Path) -> Path:
    """A copy of ``home`` that can be worked in."""
    for part in home.iterdir():
        if part.is_dir():
            link = os.link if part.name in IMMUTABLE else shutil.copy2
            shutil.copytree(part, target / part.name, symlinks=True, copy_function=link)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy2(part, target / part.name)
    return target


@contextlib.contextmanager
def workshop() -> Iterator[Path]:
    """A folder that is gone afterwards, in memory where there is room."""
    place = MEMORY if os.access(MEMORY, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="faults-", dir=place))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def warm() -> None:
    """Import and load what every run would, short of delta-rs, DuckDB and Dagster's storage at work."""
    os.environ.update(SETTINGS)
    import alembic.command  # noqa: F401
    import dagster._core.storage.event_log.sqlite
    import dagster._core.storage.runs.sqlite
    import dagster._core.storage.schedules.sqlite  # noqa: F401
    import ibis.backends.duckdb  # noqa: F401
    import pyarrow.dataset  # noqa: F401
    import pycountry

    import complaint_assets.cli.run
    import complaint_assets.cli.status
    import complaint_assets.definitions
    import complaint_assets.simulator  # noqa: F401
    from complaint_assets.contracts import load_contracts
    from complaint_assets.logic.enriched.enrich import enrich
    from complaint_assets.schemas.complaints import Complaints
    from complaint_assets.schemas.types import arrow_schema
    from complaint_assets.taxonomy import load_rules

    load_contracts([])
    pycountry.subdivisions.get(country_code="NG")
    schema = arrow_schema(Complaints)
    blank = {"masked_text": "no network in Yaba since morning"}
    rows = [pa.array([blank.get(f.name, None if f.nullable else _some(f.type))], f.type) for f in schema]
    enrich(pa.table(rows, schema=schema), load_rules("NG"))


def _some(kind: pa.DataType) -> Any:
    """Any value of ``kind``."""
    if pa.types.is_list(kind):
        return []
    if pa.types.is_string(kind):
        return "x"
    return (
        pa.scalar(0, pa.int32()).cast(kind).as_py() if pa.types.is_date(kind) else pa.scalar(0).cast(kind).as_py()
    )
