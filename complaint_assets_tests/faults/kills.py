"""Rows: processes killed at every failpoint and at random moments."""

import random
import re
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from complaint_assets_tests.conftest import REPOSITORY
from complaint_assets_tests.faults.homes import (
    CHANNELS,
    Base,
    chain,
    everything,
    files,
    holds,
    judged,
    lake_holds,
    put,
    take_in,
    traffic,
)
from complaint_assets_tests.faults.lab import copied, reading, run, torn_in
from complaint_assets_tests.faults.table import Result, row

KILLED = int(signal.SIGKILL)
LANDING = ("store.", "land.", "seal.")


def failpoints() -> list[str]:
    """Every failpoint in the source."""
    found: list[str] = []
    for folder in ("resources", "complaint_assets"):
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            found += re.findall(r'failpoint\("([a-z0-9_]+\.[a-z0-9_]+)"\)', path.read_text())
    return found


def of_kind(*prefixes: str) -> list[str]:
    return [name for name in failpoints() if name.startswith(prefixes)]


def drawn(names: list[str], trials: int) -> list[str]:
    """``trials`` of ``names``, spread over all; all of them if ``trials`` is 0."""
    return names[:: max(1, len(names) // trials)][:trials] if trials else names


class Landing:
    """Files that are to be landed and sealed, a dozen or all, and how the lake stands afterwards."""

    def __init__(self, folder: Path, *, whole: bool = False) -> None:
        self.folder = folder
        self.inbox = traffic(folder / "traffic")
        chosen = [p for p in files(self.inbox) if p.relative_to(self.inbox).parts[0] in CHANNELS]
        self.sent = chosen if whole else chosen[:: max(1, len(chosen) // 12)]
        faultless = self.home("faultless")
        from resources import failpoints as module

        def count() -> dict[str, int]:
            take_in()
            return dict(module.passed)

        outcome = run(count, faultless, failpoint="")
        self.passed, self.cpu = outcome.value, outcome.cpu
        self.expected = run(lambda: lake_holds(faultless, self.sent), faultless).value["digest"]

    def home(self, name: str) -> Path:
        put(self.inbox, self.sent, self.folder / name)
        return self.folder / name

    def recover(self, home: Path) -> dict[str, Any]:
        """Take in again, and check."""

        def work() -> dict[str, Any]:
            take_in()
            return lake_holds(home, self.sent)

        return judged(run(work, home).value, self.expected)


@row(
    "kill-landing-failpoints",
    "kill -9 at every failpoint of the object store, of landing and of sealing, at its first and a later passage",
    "taken in again, every file is one object in one manifest, as without the kill",
    trials=0,
    quick=8,
)
def kill_landing(folder: Path, trials: int) -> Result:
    landing, result = Landing(folder), Result()
    for name in drawn(of_kind(*LANDING), trials):
        times = landing.passed.get(name, 0)
        if not times:
            result.problems.append(f"{name} is never passed")
        for nth in {1, (times + 1) // 2} if times else ():
            home = landing.home(f"{name}-{nth}")
            killed = run(take_in, home, failpoint=f"{name}:{nth}")
            if killed.signal != KILLED:
                result.problems.append(f"{name}:{nth} did not kill")
            begun = time.monotonic()
            result.add(landing.recover(home), f"{name}:{nth}", time.monotonic() - begun)
    return result


@row(
    "kill-landing-random",
    "kill at a random moment while files are landed and sealed, again and again in one home",
    "the same",
    trials=440,
    quick=12,
)
def kill_landing_at_random(folder: Path, trials: int) -> Result:
    """Kills until a run comes to its end, then what a recovery is checked by: ``trials`` counts kills."""
    landing, result, rng = Landing(folder, whole=True), Result(), random.Random(3)
    kills, homes = 0, 0
    while kills < trials:
        homes += 1
        home, before = landing.home(f"home-{homes}"), kills
        # A kill may come before the first step: so often that a run ends all the same, so rarely that many do not.
        while run(take_in, home, cpu=rng.uniform(0.001, landing.cpu / 2)).signal:
            kills += 1
        begun = time.monotonic()
        result.add(landing.recover(home), f"kills {before} to {kills}", time.monotonic() - begun)
        shutil.rmtree(home)
    result.note = f"{result.trials} recoveries checked"
    result.trials = kills
    return result


def kill_at_each(base: Base, folder: Path, names: list[str], work: Callable[[], Any], *, marts: bool) -> Result:
    """Kill ``work`` at each of ``names`` while a reader looks on, do it again, and check everything."""
    result = Result()
    for name in names:
        times = base.passed.get(name, 0)
        if not times:
            result.problems.append(f"{name} is never passed")
            continue
        nth = (times + 1) // 2
        home, notes = copied(base.home, folder / name), folder / f"{name}.notes"

        def recover(home: Path = home) -> dict[str, Any]:
            work()
            return holds(home, base.sent, marts=marts)

        with reading(base.torn, home, notes):
            killed = run(work, home, failpoint=f"{name}:{nth}")
            begun = time.monotonic()
            found = run(recover, home).value
        if killed.signal != KILLED:
            result.problems.append(f"{name}:{nth} did not kill")
        looks, torn = torn_in(notes)
        result.looks += looks
        result.torn += len(torn)
        result.problems += [f"{name}: torn {one}" for one in torn]
        result.add(judged(found, base.expected), f"{name}:{nth}", time.monotonic() - begun)
    return result


LATE = ("report.written", "report.replaced", "warehouse.emptied", "warehouse.stored", "publish.link_made")
ELSEWHERE = ("tables.folder_made", "tables.created", "tables.before_compact", "tables.compacted", *LATE)
"""Failpoints of the chain that rows of their own pass: first use, compaction, publication."""
RECOVERED = (
    "run again, every table has the digest of the fault-free run, every account balances, and a reader saw whole "
    "versions only"
)


@row(
    "kill-tables-failpoints", "kill -9 at every failpoint of Delta tables and ledger (chain)", RECOVERED, trials=0
)
def kill_tables(folder: Path, trials: int) -> Result:
    return kill_chain(folder, trials, "tables.", "ledger.")


@row(
    "kill-assets-failpoints",
    "kill -9 at every failpoint in the assets, from the inbox to the surge metrics (chain)",
    RECOVERED,
    trials=0,
    quick=1,
)
def kill_assets(folder: Path, trials: int) -> Result:
    return kill_chain(
        folder, trials, "raw.", "vault.", "standardised.", "complaints.", "enriched.", "facts.", "metrics."
    )


@row(
    "kill-warehouse-failpoints",
    "kill -9 at every failpoint of the DuckDB transaction (chain)",
    RECOVERED,
    trials=0,
)
def kill_warehouse(folder: Path, trials: int) -> Result:
    return kill_chain(folder, trials, "warehouse.")


def kill_chain(folder: Path, trials: int, *kinds: str) -> Result:
    names = [name for name in of_kind(*kinds) if name not in ELSEWHERE]
    return kill_at_each(Base(folder, whole=False), folder, drawn(names, trials), chain, marts=False)


@row(
    "kill-first-use",
    "kill -9 before and after the first commit of a table, in an empty home (chain)",
    "run again, the home holds what it holds without the kill",
    trials=0,
)
def kill_first_use(folder: Path, trials: int) -> Result:
    landing, result, expected = Landing(folder), Result(), ""
    for name in ("", "tables.folder_made", "tables.created"):
        home = landing.home(name or "whole")
        killed = run(chain, home, failpoint=name)

        def recover(home: Path = home) -> dict[str, Any]:
            chain()
            return holds(home, landing.sent)

        begun = time.monotonic()
        found = run(recover, home).value
        expected = expected or found["digest"]
        if name:
            result.add(judged(found, expected), name, time.monotonic() - begun)
            result.problems += [] if killed.signal == KILLED else [f"{name} did not kill"]
    return result


@row(
    "kill-run-failpoints",
    "kill -9 at the failpoints of publication and reports in a whole `complaints run`",
    "the same, for the published marts too",
    trials=0,
)
def kill_run(folder: Path, trials: int) -> Result:
    return kill_at_each(Base(folder, whole=True), folder, list(LATE), everything, marts=True)


@row(
    "kill-run-random",
    "kill at a random moment of a whole `complaints run`, up to marts and reports, again and again in one home",
    "the same, for the published marts too; no run stays STARTED",
    trials=60,
)
def kill_run_at_random(folder: Path, trials: int) -> Result:
    """Up to eight kills, then a recovery that is checked: ``trials`` counts kills."""
    base, result, rng, kills, homes = Base(folder, whole=True), Result(), random.Random(5), 0, 0
    while kills < trials:
        homes += 1
        home, notes, before = copied(base.home, folder / f"home-{homes}"), folder / f"{homes}.notes", kills
        with reading(base.torn, home, notes):
            for _ in range(8):
                if not run(everything, home, cpu=rng.uniform(0.1, base.cpu / 2)).signal:
                    break
                kills += 1
            begun = time.monotonic()

            def recover(home: Path = home) -> dict[str, Any]:
                everything()
                return {**holds(home, base.sent, marts=True), "started": started()}

            found = run(recover, home).value
        looks, torn = torn_in(notes)
        result.looks += looks
        result.torn += len(torn)
        result.problems += [f"torn {one}" for one in torn]
        result.add(judged(found, base.expected), f"kills {before} to {kills}", time.monotonic() - begun)
        shutil.rmtree(home)
    result.note = f"{result.trials} recoveries checked"
    result.trials = kills
    return result


def started() -> int:
    """Runs that Dagster takes for running."""
    import dagster as dg

    from complaint_assets.orphans import UNFINISHED

    with dg.DagsterInstance.get() as instance:
        return instance.get_runs_count(dg.RunsFilter(statuses=UNFINISHED))
