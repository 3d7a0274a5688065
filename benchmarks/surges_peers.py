"""Other detectors on the same companies at the same budget of false alarms.

    python -m benchmarks.surges_peers [--seeds 8] [--first 1000]

Quiet weeks of the seeds that our threshold comes from set theirs; outages and the false alarms printed are those
of the seeds from ``--first`` on. The last rows are what production runs (every 15 minutes) and the same by the
hour, held to more: each incident counts, and one of another place is no hit (``python -m benchmarks.surges``).
Every peer scores each node of the lattice (single series to the whole company) hour by hour from eight weeks
of its own history, uncleaned as in its definition. Its threshold is the least at which the quiet companies
show one false alarm a week, alarms of all nodes within twelve hours counted as one: more lenient than what the
detector is held to. A hit is an alarm of a node that shares series with the outage, in its time.
``leaf FDR`` is Benjamini-Hochberg over the single series of each hour, with our expectations.
Delays count from the onset to the end of the data that showed it.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from benchmarks.surges import CALIBRATED, TESTED, WEEKS, cube_of, distinct, found_in, judged, lattice_of, made_for
from complaint_assets.logic.surges.backtest import ENOUGH, GRACE_HOURS
from complaint_assets.logic.surges.counts import Groups, score
from complaint_assets.logic.surges.incidents import THRESHOLD
from complaint_assets.simulator.company import HISTORY_WEEKS, Company
from complaint_assets.simulator.measure import FIRST_DAYS

Reals = npt.NDArray[np.float64]
BEGIN = HISTORY_WEEKS * 168
MERGED_HOURS = 12
LEVELS = ((), (0,), (1,), (2,), (1, 2), (0, 1), (0, 2), (0, 1, 2))


def nodes(made: Company) -> tuple[Reals, npt.NDArray[np.bool_]]:
    """[node, hour] counts of the lattice and [node, series] members."""
    series = len(made.rate)
    parts = [Groups(series, *(made.codes[key] for key in level)) for level in LEVELS]
    counts = np.concatenate([groups.sum(made.hourly.astype(float)) for groups in parts])
    members = np.concatenate([groups.of == np.arange(groups.keys.shape[1])[:, None] for groups in parts])
    return counts, members


def same_hour(counts: Reals, days: range) -> Iterator[tuple[int, Reals]]:
    """Per hour after the history, the counts at the same hour of so many days before."""
    for hour in range(BEGIN, counts.shape[1]):
        yield hour, counts[:, [hour - 24 * day for day in days]]


def ears(counts: Reals, first: int, total: int = 1) -> Reals:
    """EARS C1 (first = 1) and C2 (3) on the same hour of the day; C3 sums C2 over three days."""
    scores = np.zeros(counts.shape)
    for hour, past in same_hour(counts, range(first, first + 7)):
        scores[:, hour] = (counts[:, hour] - past.mean(1)) / np.maximum(past.std(1, ddof=1), 0.5)
    if total > 1:
        lifted = np.maximum(scores - 1, 0)
        scores = lifted + sum(np.roll(lifted, 24 * lag, axis=1) for lag in range(1, total))
    return scores


def median_mad(counts: Reals) -> Reals:
    """Seasonal median and MAD over the same hour of the week."""
    scores = np.zeros(counts.shape)
    for hour, past in same_hour(counts, range(7, 57, 7)):
        middle = np.median(past, axis=1)
        spread = 1.4826 * np.median(np.abs(past - middle[:, None]), axis=1)
        scores[:, hour] = (counts[:, hour] - middle) / np.maximum(spread, np.sqrt(np.maximum(middle, 0.25)))
    return scores


def farrington(counts: Reals) -> Reals:
    """As Farrington flexible: quasi-Poisson level of the same hour of week and its neighbours, reweighted once."""
    scores = np.zeros(counts.shape)
    lags = [168 * week + beside for week in range(1, 9) for beside in (-1, 0, 1)]
    for hour in range(BEGIN, counts.shape[1]):
        past = counts[:, [hour - lag for lag in lags if hour - lag >= 0]]
        weights = np.ones(past.shape)
        for _ in range(2):
            mean = np.maximum((past * weights).sum(1) / weights.sum(1), 0.02)
            phi = np.maximum((weights * (past - mean[:, None]) ** 2).sum(1) / mean / (weights.sum(1) - 1), 1.0)
            anscombe = (
                1.5
                * (past ** (2 / 3) - mean[:, None] ** (2 / 3))
                / np.sqrt(phi)[:, None]
                / mean[:, None] ** (1 / 6)
            )
            weights = 1 / np.maximum(anscombe, 1.0) ** 2 * (anscombe > 2.58) + (anscombe <= 2.58)
        scores[:, hour] = score(counts[:, hour], mean, mean * np.maximum(phi, 1.02))
    return scores


def cusum(counts: Reals) -> Reals:
    """Negative binomial CUSUM against three times the mean of the same hour of the week; reset after a day."""
    scores, state = np.zeros(counts.shape), np.zeros(len(counts))
    for hour, past in same_hour(counts, range(7, 57, 7)):
        mean = np.maximum(past.mean(1), 0.05)
        size = 6.0
        gain = counts[:, hour] * (np.log(3) + np.log((size + mean) / (size + 3 * mean))) - size * np.log(
            (size + 3 * mean) / (size + mean)
        )
        state = np.maximum(state + gain, 0.0) * (hour % 24 != 5)
        scores[:, hour] = state
    return scores


def leaf_fdr(made: Company, kept: str) -> Reals:
    """-log10 of the adjusted chance of each single series in its hour; other nodes never alarm."""
    cube = cube_of(made, kept)
    seen, mean, variance = (cube.measures[name] for name in ("subjects", "expected", "variance"))
    scores = score(seen, np.maximum(mean, 1e-6), np.maximum(variance, 1e-6))
    order = np.argsort(-scores, axis=0)
    ranked = np.take_along_axis(scores, order, axis=0)
    adjusted = ranked - np.log10(len(seen) / np.arange(1, len(seen) + 1))[:, None]
    adjusted = np.maximum.accumulate(adjusted[::-1], axis=0)[::-1]
    back = np.empty_like(adjusted)
    np.put_along_axis(back, order, adjusted, axis=0)
    return np.concatenate([np.zeros((len(seen), FIRST_DAYS * 24)), back], axis=1)


PEERS: dict[str, Callable[[Reals], Reals]] = {
    "EARS C1": lambda counts: ears(counts, 1),
    "EARS C2": lambda counts: ears(counts, 3),
    "EARS C3": lambda counts: ears(counts, 3, 3),
    "seasonal median/MAD": median_mad,
    "Farrington-like": farrington,
    "CUSUM": cusum,
}


def alarms(best: Reals, threshold: float) -> int:
    """Alarms of the whole company, those within twelve hours being one."""
    at = np.flatnonzero(best[BEGIN:] >= threshold)
    return int(at.size > 0) + int((np.diff(at) > MERGED_HOURS).sum())


def threshold_for(quiet: list[Reals], weeks: int) -> float:
    """The least at which the quiet companies show one alarm a week."""
    levels = np.unique(np.concatenate([best[BEGIN:] for best in quiet]))[::-1]
    # From above: below some level alarms never end, and so are one.
    for higher, level in zip([np.inf, *levels], levels, strict=False):
        if sum(alarms(best, level) for best in quiet) > weeks:
            return float(higher)
    return float(levels[-1])


def scores_of(name: str, made: Company, kept: str) -> tuple[Reals, npt.NDArray[np.bool_]]:
    """[node, hour] scores of ``name``, and the members of the nodes."""
    if name == "leaf FDR":
        return leaf_fdr(made, kept), np.eye(len(made.rate), dtype=bool)
    counts, members = nodes(made)
    return PEERS[name](counts), members


@dataclass
class Row:
    """What one detector did: hits by size, and per hit its delay and how many alarms it made."""

    hits: dict[float, list[bool]] = field(default_factory=lambda: {2.0: [], 3.0: [], 5.0: []})
    delays: list[float] = field(default_factory=list)
    alarmed: list[int] = field(default_factory=list)
    false: int = 0

    def add(self, size: float, delay: float, alarmed: int) -> None:
        """An outage; nothing alarmed = missed."""
        self.hits[min(size, 5.0)].append(alarmed > 0)
        if alarmed:
            self.delays.append(delay)
            self.alarmed.append(alarmed)

    def show(self, name: str, limit: float, weeks: int) -> None:
        recalls = "  ".join(f"{np.mean(values):.2f}" for values in self.hits.values())
        print(
            f"{name:20} {limit:9.2f}  {self.false / weeks:9.2f}    {recalls}  {np.mean(self.delays):10.2f} "
            f"{np.mean(self.alarmed):18.1f}",
            flush=True,
        )


def peer(name: str, tested: range) -> None:
    count = len(tested)
    quiet = [
        scores_of(name, made_for(seed, quiet=True), f"quiet-{seed}")[0].max(0)
        for seed in range(CALIBRATED, CALIBRATED + count)
    ]
    limit = threshold_for(quiet, WEEKS * count)
    row = Row()
    for seed in tested:
        calm = scores_of(name, made_for(seed, quiet=True), f"quiet-{seed}")[0].max(0)
        row.false += alarms(calm, limit)
        made = made_for(seed, quiet=False)
        scores, members = scores_of(name, made, f"surging-{seed}")
        for event in distinct(made):
            if event.excess >= ENOUGH and event.size >= 2:
                end = event.start + event.hours + GRACE_HOURS
                high = (scores[:, event.start : end] >= limit) & (members & event.series).any(1)[:, None]
                row.add(event.size, int(np.argmax(high.any(0))) + 1, int(high.any(1).sum()))
    row.show(name, limit, WEEKS * count)


def ours(tested: range, *, by_quarter: bool) -> None:
    row = Row()
    for seed in tested:
        made = made_for(seed, quiet=True)
        row.false += len(
            found_in(lattice_of(made, cube_of(made, f"quiet-{seed}"), by_quarter=by_quarter), THRESHOLD)
        )
        made = made_for(seed, quiet=False)
        found = found_in(lattice_of(made, cube_of(made, f"surging-{seed}"), by_quarter=by_quarter), THRESHOLD)
        for event, verdict in judged(made, found):
            if event.excess >= ENOUGH and event.size >= 2:
                row.add(event.size, verdict.delay + (not by_quarter), verdict.incidents)
    row.show("ours, by 15 minutes" if by_quarter else "ours, by the hour", THRESHOLD, WEEKS * len(tested))


def main(tested: range) -> None:
    print(f"{WEEKS * len(tested)} quiet weeks each; recall of outages with 20 excess complaints or more")
    print("detector              threshold  false/week   2x    3x    5x+   mean delay h  alarms per outage found")
    for name in [*PEERS, "leaf FDR"]:
        peer(name, tested)
    ours(tested, by_quarter=False)
    ours(tested, by_quarter=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--first", type=int, default=TESTED)
    asked = parser.parse_args()
    main(range(asked.first, asked.first + asked.seeds))
