"""The fault table: each row is one registered function; printing, JSON and the page come from its results."""

import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from complaint_assets_tests.conftest import REPOSITORY
from complaint_assets_tests.faults.lab import end_all

RESULTS = REPOSITORY / "docs" / "reliability.json"
PAGE = REPOSITORY / "docs" / "reliability.md"
MARK = "<!-- table: everything below is written by `make faults` -->"


@dataclass
class Result:
    """What became of one row: counts over all its trials; ``problems`` is empty if the promise was kept."""

    trials: int = 0
    lost: int = 0
    duplicated: int = 0
    digests_differ: int = 0
    torn: int = 0
    looks: int = 0
    recovery_seconds: float = 0.0
    problems: list[str] = field(default_factory=list)
    note: str = ""

    def add(self, found: "dict[str, Any]", label: str, seconds: float = 0.0) -> None:
        """Count one trial, checked by one of the checkers in ``homes``."""
        self.trials += 1
        self.lost += found["lost"]
        self.duplicated += found["duplicated"]
        self.digests_differ += not found["digest_equal"]
        self.recovery_seconds = max(self.recovery_seconds, round(seconds, 1))
        wrong = {k: v for k, v in found.items() if v != {"digest_equal": True}.get(k, 0) and v != []}
        if wrong:
            self.problems.append(f"{label}: {wrong}")

    def expect(self, kept: bool, label: str) -> None:
        """Count one trial that either kept the promise or did not."""
        self.trials += 1
        if not kept:
            self.problems.append(label)


@dataclass(frozen=True)
class Row:
    """A fault, what is promised, and the function that tries it: folder and number of trials -> result."""

    key: str
    fault: str
    promise: str
    trials: int
    quick: int
    work: Callable[[Path, int], Result]


ROWS: dict[str, Row] = {}


def row(
    key: str, fault: str, promise: str, *, trials: int, quick: int = 0
) -> Callable[[Callable[[Path, int], Result]], Callable[[Path, int], Result]]:
    """Register a row of the table.

    Args:
        key: name of the row.
        fault: what goes wrong.
        promise: what holds nevertheless.
        trials: how often it is tried in ``make faults``; 0 = as often as there are cases.
        quick: how often in the test suite; 0 = not there.
    """

    def register(work: Callable[[Path, int], Result]) -> Callable[[Path, int], Result]:
        ROWS[key] = Row(key, fault, promise, trials, quick, work)
        return work

    return register


def attempt(one: Row, folder: Path, trials: int) -> dict[str, Any]:
    """Work on one row; what it raises is a problem of that row alone."""
    begun, used = time.monotonic(), sum(os.times()[:4])
    folder.mkdir(parents=True)
    try:
        result = one.work(folder, trials)
    except Exception as error:  # noqa: BLE001 - the other rows go on
        result = Result(problems=[f"{type(error).__name__}: {str(error)[-1500:]}"])
    finally:
        end_all()
    return {
        "row": one.key,
        "fault": one.fault,
        "promise": one.promise,
        **asdict(result),
        "passed": not result.problems and result.trials > 0,
        "seconds": round(time.monotonic() - begun),
        "cpu_seconds": round(sum(os.times()[:4]) - used),
        "at": datetime.now(UTC).isoformat(timespec="minutes"),
    }


def publish(results: list[dict[str, Any]]) -> None:
    """Put ``results`` among the last ones, and write the page."""
    standing = {r["row"]: r for r in json.loads(RESULTS.read_text())["rows"]} if RESULTS.exists() else {}
    standing |= {result["row"]: result for result in results}
    ordered = [standing[key] for key in ROWS if key in standing]
    about = {"python": platform.python_version(), "cores": os.cpu_count(), "rows": ordered}
    RESULTS.write_text(json.dumps(about, indent=1) + "\n")
    kept = PAGE.read_text().partition(MARK)[0] if PAGE.exists() else "# Reliability\n\n"
    PAGE.write_text(kept + MARK + "\n\n" + page(ordered))


def page(results: list[dict[str, Any]]) -> str:
    """The table as Markdown."""
    ran = sorted(r["at"][:16].replace("T", " ") for r in results)
    never = [key for key in ROWS if key not in {r["row"] for r in results}]
    lines = [
        f"{sum(r['passed'] for r in results)} of {len(results)} rows green, {sum(r['trials'] for r in results):,} "
        f"trials, {sum(r['cpu_seconds'] for r in results):,} CPU seconds. Each row tells of its own last run; the "
        f"oldest was at {ran[0]}, the newest at {ran[-1]} UTC."
        + (f" Not run yet: {', '.join(never)}." if never else ""),
        "",
        "| fault | promise | trials | lost | dup | other digest | torn (looks) | recovery | result |",
        "|---|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for r in results:
        verdict = "green" if r["passed"] else "**red**"
        note = f" ({r['note']})" if r["note"] else ""
        lines.append(
            f"| {r['fault']} | {r['promise']}{note} | {r['trials']:,} | {r['lost']} | {r['duplicated']} "
            f"| {r['digests_differ']} | {r['torn']} ({r['looks']}) | {r['recovery_seconds']} s "
            f"| {verdict}, {r['at'][:16].replace('T', ' ')} |"
        )
    return "\n".join(lines) + "\n"
