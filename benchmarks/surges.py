"""The whole table of the surge detector on simulated companies, with its bars.

    python benchmarks/surges.py [--seeds 8] [--part detect|quarters|masking|cost]

Quiet and surging companies of 6 x 8 x 12 series; first seeds from 1000 on were never used to choose the
threshold. Prints per size the outages with 20 excess complaints or more: recall, delay (hourly: 0 = told when
the first affected hour closes; by the quarter: from the onset to the end of the data), incidents, overlap.
"""

import argparse
import time
from dataclasses import replace

import numpy as np

from complaint_assets.logic.backtest import Found, Known, Verdict, judge, summary
from complaint_assets.logic.incidents import HOURLY_THRESHOLD, THRESHOLD, thresholds_of
from complaint_assets.logic.lifecycle import Replay
from complaint_assets.simulator.company import HISTORY_WEEKS, QUARTERS, Company, Event, company, make_event
from complaint_assets.simulator.measure import FIRST_DAYS, measured


def replay(made: Company, *, by_quarter: bool, threshold: float) -> tuple[Replay, list[Found]]:
    """The incidents after the history; hours count from the first measured day."""
    cube = measured(made)
    hours = cube.measures["subjects"].shape[1]
    per_hour = QUARTERS if by_quarter else 1
    quarters = made.quarters[:, FIRST_DAYS * 24 * QUARTERS :].astype(float) if by_quarter else None
    found = Replay(cube, thresholds_of(hours // 24, threshold), hours * per_hour, quarters)
    begin = (HISTORY_WEEKS * 7 - FIRST_DAYS) * 24
    # By the hour a delay of 0 is a report when the hour closes.
    late = 1 if by_quarter else 0
    return found, [
        Found(i.series, i.started / per_hour, (i.detected + late) / per_hour, i.score)
        for i in found.incidents
        if i.detected >= begin * per_hour
    ]


def known(made: Company) -> list[Known]:
    """The planted outages."""
    return [Known(e.start - FIRST_DAYS * 24 - 1e-9, e.hours, e.size, e.series, e.excess) for e in made.events]


def detect(seeds: range, *, by_quarter: bool) -> None:
    """False incidents a week, and what became of outages."""
    threshold = THRESHOLD if by_quarter else HOURLY_THRESHOLD
    verdicts: list[Verdict] = []
    false, quiet_weeks, cpu = 0, 0, 0.0
    for seed in seeds:
        surging, quiet = company(seed), company(seed + 500, events_per_week=0)
        begun = time.process_time()
        verdicts += judge(
            known(surging), replay(surging, by_quarter=by_quarter, threshold=threshold)[1], surging.rate.mean(1)
        )[0]
        false += len(replay(quiet, by_quarter=by_quarter, threshold=threshold)[1])
        cpu += time.process_time() - begun
        quiet_weeks += 4
    steps = "15-minute steps" if by_quarter else "hourly bins"
    print(
        f"\n{steps}, threshold {threshold}: {false / quiet_weeks:.2f} false incidents a week "
        f"({quiet_weeks} quiet weeks)"
    )
    print("size  outages recall  mean delay  median delay  exactly one  incidents  overlap")
    for row in summary(verdicts):
        size = f"{row['size']:.1f}x" if row["size"] else "all"
        print(
            f"{size:5} {row['outages']:7} {row['recall']:6.2f} {row['mean_delay']:11.2f} "
            f"{row['median_delay']:13.2f} "
            f"{row['exactly_one']:12.2f} {row['incidents']:10.2f} {row['overlap']:8.2f}"
        )
    print(f"{cpu / len(seeds) / 2:.1f} CPU seconds per company of 12 weeks, baselines included")


def masking(seeds: range) -> None:
    """3x for 4 hours, with and without a 10x surge of 8 hours at the same hours one week earlier."""
    kept: dict[bool, list[bool]] = {False: [], True: []}
    for seed in seeds:
        plain = company(seed, events_per_week=0)
        for earlier in (False, True):
            rng = np.random.default_rng(seed)
            events: list[Event] = []
            for day in range(7):
                series, start = int(rng.integers(len(plain.rate))), day * 24 + int(rng.integers(8, 18))
                place = str(rng.choice(["region x category", "category", "region"]))
                for week, size, hours in ((2, 3.0, 4), *([(1, 10.0, 8)] if earlier else [])):
                    at = HISTORY_WEEKS * 168 + week * 168 + start
                    made = make_event(
                        plain.codes, plain.rate, start=at, hours=hours, size=size, place=place, series=series
                    )
                    events.append(replace(made, start=week * 168 + start))
            surging = company(seed, own=events)
            found = replay(surging, by_quarter=False, threshold=HOURLY_THRESHOLD)[1]
            verdicts, _ = judge(known(surging), found, surging.rate.mean(1))
            kept[earlier] += [v.incidents > 0 for v in verdicts if v.size == 3.0 and v.excess >= 20]
    clean, after = np.mean(kept[False]), np.mean(kept[True])
    print(f"\n3x for 4 h: recall {clean:.2f}; after a 10x surge at the same hours a week before {after:.2f}")
    print(f"({len(kept[True])} outages each)")


def cost() -> None:
    """One micro-batch, and a year, on one core."""
    from complaint_assets.logic.baseline import HISTORY_HOURS, fit

    made = company(1)
    hourly = made.hourly.astype(float)
    begun = time.process_time()
    fit(hourly[:, :HISTORY_HOURS], np.ones(len(hourly), dtype=bool), *made.codes)
    baseline = time.process_time() - begun
    begun = time.process_time()
    replay(made, by_quarter=True, threshold=THRESHOLD)
    print(
        f"\nbaseline of a day {baseline:.2f} s CPU; 10 weeks measured and replayed by the quarter "
        f"{time.process_time() - begun:.1f} s"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--part", choices=("detect", "quarters", "masking", "cost"))
    asked = parser.parse_args()
    seeds = range(1000, 1000 + asked.seeds)
    if asked.part in (None, "detect"):
        detect(seeds, by_quarter=False)
    if asked.part in (None, "quarters"):
        detect(seeds, by_quarter=True)
    if asked.part in (None, "masking"):
        masking(seeds)
    if asked.part in (None, "cost"):
        cost()
