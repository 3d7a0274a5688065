"""The whole table of the surge detector on simulated companies, with its bars.

    python -m benchmarks.surges [--part calibrate|detect|masking|cost] [--seeds 8] [--first 1000 ..] [--by hour]

Companies of 6 x 8 x 12 series. ``calibrate`` prints false incidents a week over thresholds, on quiet weeks of
seeds that nothing else uses; ``detect`` judges the thresholds of the product on other seeds, quiet and surging.
Per size it counts outages with 20 excess complaints or more: recall, delay (hourly: 0 = told when the first
affected hour closes; by the quarter: from the onset to the end of the data), incidents, overlap.
What is expected of a company is kept in a temporary folder, so that a second run is quick.
"""

import argparse
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from complaint_assets.logic.surges.backtest import ENOUGH, GRACE_HOURS, Found, Known, Verdict, judge, summary
from complaint_assets.logic.surges.counts import Cube
from complaint_assets.logic.surges.incidents import THRESHOLD, thresholds_of
from complaint_assets.logic.surges.lifecycle import Replay
from complaint_assets.logic.surges.surge_scan import Lattice
from complaint_assets.simulator.company import (
    HISTORY_WEEKS,
    OWN_SHAPE,
    QUARTERS,
    Company,
    Event,
    company,
    event_shape,
    make_event,
)
from complaint_assets.simulator.measure import FIRST_DAYS, measured

KEPT = Path(tempfile.gettempdir()) / "complaints-benchmark-surges"
TESTED, CALIBRATED, QUIET = 1000, 3000, 500
"""First seed that is judged, and that the thresholds come from; what is added for quiet weeks."""
WEEKS = 4
THRESHOLDS = (5.5, 5.75, 6.0, 6.25, 6.5, 6.75, 7.0)


def made_for(seed: int, *, quiet: bool) -> Company:
    """The surging company of ``seed``, or the quiet one."""
    return company(seed + QUIET, events_per_week=0) if quiet else company(seed)


def cube_of(made: Company, name: str) -> Cube:
    """What is measured of ``made``, kept under ``name``."""
    KEPT.mkdir(exist_ok=True)
    path = KEPT / f"{name}.npz"
    if not path.exists():
        cube = measured(made)
        np.savez(path, **{key: cube.measures[key] for key in ("expected", "variance")})
    with np.load(path) as kept:
        subjects = made.hourly[:, FIRST_DAYS * 24 :].astype(float)
        return Cube(*_labels(made), {"subjects": subjects, **{key: kept[key] for key in kept.files}})


def _labels(made: Company) -> tuple[tuple[tuple[str, ...], ...], tuple[np.ndarray, ...]]:
    from complaint_assets.simulator.company import CATEGORIES, CHANNELS, REGIONS

    return (CHANNELS, CATEGORIES, REGIONS), made.codes


def lattice_of(made: Company, cube: Cube, *, by_quarter: bool) -> Lattice:
    """What is scanned."""
    return Lattice(cube, made.quarters[:, FIRST_DAYS * 24 * QUARTERS :].astype(float) if by_quarter else None)


def found_in(lattice: Lattice, threshold: float) -> list[Found]:
    """The incidents after the history; hours count from the first measured day."""
    per_hour = lattice.per_hour
    replay = Replay(lattice, thresholds_of(lattice.hours // 24, threshold), lattice.hours * per_hour)
    begin = (HISTORY_WEEKS * 7 - FIRST_DAYS) * 24
    late = 0 if per_hour == 1 else 1  # by the hour a delay of 0 is a report when the hour closes
    return [
        Found(
            i.series,
            i.started / per_hour,
            (i.detected + late) / per_hour,
            i.score,
            tuple(at - 1 + late for at in i.told_at(per_hour)),
        )
        for i in replay.incidents
        if i.detected >= begin * per_hour
    ]


def distinct(made: Company) -> list[Event]:
    """The planted outages without those that begin inside another: they are part of it, for anybody."""
    return [
        event
        for event in made.events
        if not any(
            other is not event
            and other.start <= event.start <= other.start + other.hours + GRACE_HOURS
            and not (event.series & ~other.series).any()
            for other in made.events
        )
    ]


def judged(made: Company, found: list[Found]) -> list[tuple[Event, Verdict]]:
    """The verdicts of those that are distinct; an incident may well be that of one which is not."""
    known = [Known(e.start - FIRST_DAYS * 24 - 1e-9, e.hours, e.size, e.series, e.excess) for e in made.events]
    verdicts, _ = judge(known, found, made.rate.mean(1))
    wanted = {id(event) for event in distinct(made)}
    return [(e, v) for e, v in zip(made.events, verdicts, strict=True) if id(e) in wanted]


def calibrate(seeds: Iterable[int], *, by_quarter: bool) -> None:
    """False incidents a week over thresholds."""
    counts = []
    for seed in seeds:
        made = made_for(seed, quiet=True)
        lattice = lattice_of(made, cube_of(made, f"quiet-{seed}"), by_quarter=by_quarter)
        counts.append([len(found_in(lattice, threshold)) for threshold in THRESHOLDS])
    steps = "15-minute steps" if by_quarter else "hourly bins"
    print(f"\n{steps}: false incidents a week, {WEEKS * len(counts)} quiet weeks of calibration")
    for threshold, total in zip(THRESHOLDS, np.sum(counts, axis=0), strict=True):
        print(f"  {threshold:5.2f}  {total / WEEKS / len(counts):.2f}", flush=True)


def detect(seeds: Iterable[int], *, by_quarter: bool) -> None:
    """False incidents a week, and what became of outages."""
    verdicts: list[Verdict] = []
    places: list[str] = []
    false, companies, begun = [], 0, time.process_time()
    for seed in seeds:
        made = made_for(seed, quiet=False)
        lattice = lattice_of(made, cube_of(made, f"surging-{seed}"), by_quarter=by_quarter)
        pairs = judged(made, found_in(lattice, THRESHOLD))
        verdicts += [verdict for _, verdict in pairs]
        places += [event.place for event, _ in pairs]
        made = made_for(seed, quiet=True)
        lattice = lattice_of(made, cube_of(made, f"quiet-{seed}"), by_quarter=by_quarter)
        false += [found.score for found in found_in(lattice, THRESHOLD)]
        companies += 1
    steps = "15-minute steps" if by_quarter else "hourly bins"
    weeks = WEEKS * companies
    print(
        f"\n{steps}, threshold {THRESHOLD}: {len(false) / weeks:.2f} false incidents a week ({weeks} quiet weeks)"
    )
    print("size  outages recall  mean delay  median delay  exactly one  incidents  overlap")
    large = [v for v in verdicts if v.size >= 5]
    rows = [*summary(verdicts), {**summary(large)[-1], "size": -1.0}]
    for row in rows:
        size = {0.0: "all", -1.0: ">=5x"}.get(row["size"], f"{row['size']:.1f}x")
        print(
            f"{size:5} {row['outages']:7} {row['recall']:6.2f} {row['mean_delay']:11.2f} "
            f"{row['median_delay']:13.2f} "
            f"{row['exactly_one']:12.2f} {row['incidents']:10.2f} {row['overlap']:8.2f}"
        )
    print("missed from 2x on:", *(
        f"{v.size:g}x {place} ({v.excess:.0f})"
        for v, place in zip(verdicts, places, strict=True)
        if v.excess >= ENOUGH and v.size >= 2 and not v.incidents
    ), sep="\n  ")  # fmt: skip
    print(f"{(time.process_time() - begun) / companies / 2:.1f} CPU seconds per company of 12 weeks", flush=True)


def planted(plain: Company, events: list[Event]) -> Company:
    """``plain`` with ``events`` on top: what an event adds is the same whatever others there are."""
    more = np.zeros_like(plain.quarters)
    for event in events:
        rng = np.random.default_rng((int(plain.quarters.sum()), event.start))
        shape = event_shape(rng, event.hours)
        hours = slice(event.start, event.start + len(shape))
        own = rng.gamma(OWN_SHAPE, 1 / OWN_SHAPE, (int(event.series.sum()), len(shape)))
        mean = plain.known[event.series, hours] * own * (event.size - 1) * shape / QUARTERS
        more[event.series, hours.start * QUARTERS : hours.stop * QUARTERS] += rng.poisson(
            np.repeat(mean, QUARTERS, axis=1)
        )
    return replace(plain, quarters=plain.quarters + more, events=events)


def masking(seeds: Iterable[int], *, by_quarter: bool) -> None:
    """3x for 4 hours, with and without 10x surges of 8 hours at the same hours in one or both weeks before.

    Noise and what the outage adds are the same, so that only what was learnt differs.
    """
    cases = {"none": (), "one week before": (1,), "one and two weeks before": (0, 1)}
    hits: dict[str, list[bool]] = {name: [] for name in cases}
    places = ("region x category", "category", "region")
    for seed in seeds:
        plain, rng = company(seed, events_per_week=0), np.random.default_rng(seed)
        drawn = [
            (day * 24 + int(rng.integers(8, 18)), str(rng.choice(places)), int(rng.integers(len(plain.rate))))
            for day in range(7)
        ]

        def events(
            week: int,
            size: float,
            hours: int,
            plain: Company = plain,
            drawn: list[tuple[int, str, int]] = drawn,
        ) -> list[Event]:
            return [
                make_event(
                    plain.codes,
                    plain.rate,
                    start=(HISTORY_WEEKS + week) * 168 + start,
                    hours=hours,
                    size=size,
                    place=place,
                    series=series,
                )
                for start, place, series in drawn
            ]

        for name, weeks in cases.items():
            made = planted(plain, events(2, 3.0, 4) + [e for week in weeks for e in events(week, 10.0, 8)])
            cube = cube_of(made, f"masking-{seed}-{len(weeks)}")
            pairs = judged(made, found_in(lattice_of(made, cube, by_quarter=by_quarter), THRESHOLD))
            hits[name] += [v.incidents > 0 for e, v in pairs if e.size == 3.0 and e.excess >= ENOUGH]
    steps = "15-minute steps" if by_quarter else "hourly bins"
    print(f"\n{steps}: 3x for 4 h, by 10x surges of 8 h at the same hours before")
    for name, found in hits.items():
        print(f"  {name:26} recall {np.mean(found):.3f} of {len(found)}", flush=True)


def cost() -> None:
    """One micro-batch, and a year, on one core."""
    from complaint_assets.logic.surges.baseline import HISTORY_HOURS, fit

    made = company(1, weeks=46, events_per_week=1)
    hourly = made.hourly.astype(float)
    begun = time.process_time()
    fit(hourly[:, :HISTORY_HOURS], np.ones(len(hourly), dtype=bool), *made.codes)
    baseline = time.process_time() - begun
    cube = measured(made, refit_days=28)
    begun = time.process_time()
    found = found_in(lattice_of(made, cube, by_quarter=True), THRESHOLD)
    print(
        f"\nbaseline of a day {baseline:.2f} s CPU; {cube.measures['subjects'].shape[1] // 24} days replayed by "
        f"the quarter {time.process_time() - begun:.1f} s, {len(found)} incidents"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--first", type=int, nargs="+", default=[TESTED], help="first of those that are judged")
    parser.add_argument("--part", choices=("calibrate", "detect", "masking", "cost"))
    parser.add_argument("--by", nargs="+", choices=("hour", "quarter"), default=("hour", "quarter"))
    asked = parser.parse_args()
    judged_seeds = [first + number for first in asked.first for number in range(asked.seeds)]
    for by in asked.by:
        if asked.part in (None, "calibrate"):
            calibrate(range(CALIBRATED, CALIBRATED + asked.seeds), by_quarter=by == "quarter")
        if asked.part in (None, "detect"):
            detect(judged_seeds, by_quarter=by == "quarter")
        if asked.part in (None, "masking"):
            masking(judged_seeds, by_quarter=by == "quarter")
    if asked.part in (None, "cost"):
        cost()
