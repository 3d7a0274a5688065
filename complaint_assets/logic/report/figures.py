"""The figures of a report: every one an answer of the metrics' definitions, small cells withheld."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cached_property

import ibis
import numpy as np
import pandas as pd

from complaint_assets.logic.marts.marts import restatements
from complaint_assets.logic.marts.metric_rows import Slice
from complaint_assets.logic.marts.metrics import PEOPLE, Metrics
from complaint_assets.logic.marts.roles import Role, withheld
from complaint_assets.logic.surges.calendar import Subscribers
from complaint_assets.logic.surges.counts import quantile

from .data import Tile
from .words import PERIODS, Period

OF_GROUPS = ("share", "per_subscribers")
"""Formulas that no single row of an aggregation tells."""
COUNTS = ("count", "sum", "distinct")
"""Formulas that are 0, not unknown, where there is nothing."""


@dataclass(frozen=True, kw_only=True)
class Asking:
    """Whose page asks what of which tables, for the period that ends at ``end``.

    Attributes:
        facts: ``ComplaintFacts``.
        hourly: ``SurgeMetrics``.
        closing_hours: as in ``Roles``.
        subscribers: by month and region.
    """

    role: Role
    end: datetime
    metrics: Metrics
    facts: ibis.Table
    hourly: ibis.Table
    closing_hours: int
    subscribers: Subscribers = field(default_factory=dict)

    @property
    def over(self) -> Period:
        return PERIODS[self.role.report.over]

    @property
    def now(self) -> Slice:
        return Slice(self.end - self.over.length, self.end)

    @property
    def before(self) -> Slice:
        """The period of the same length on the same weekdays."""
        return Slice(self.now.start - self.over.back, self.end - self.over.back)

    @property
    def shown(self) -> Slice:
        """What charts over time show."""
        return Slice(self.end - self.over.shown, self.end)

    @cached_property
    def first_day(self) -> date | None:
        """The first day of which there is anything."""
        found: date | None = self.facts.event_date.min().to_pyarrow().as_py()
        return found

    @property
    def comparable(self) -> bool:
        """Whether the compared period lies within the data: before there was any, nothing is 0."""
        return self.first_day is not None and self.first_day <= self.before.start.date()

    def told(self, names: Sequence[str], by: Sequence[str], asked: Slice) -> pd.DataFrame:
        """The metrics ``names``, all of one kind of rows: columns ``by``, the metrics, ``people``.

        The people are those behind the first metric, for all of the row.
        """
        of = self.metrics[names[0]].of
        rows = self.metrics.rows_of(of, self.facts, asked, self.metrics.needed(names) | {*by, "complainant"})
        cells = {**self.metrics.measures(rows, names), PEOPLE: self.metrics.people(names[0], rows)}
        return (rows.group_by(by).agg(**cells) if by else rows.aggregate(**cells)).to_pandas()

    def answer(self, name: str, by: Sequence[str], asked: Slice) -> pd.DataFrame:
        """One metric, of any formula."""
        if self.metrics[name].kind not in OF_GROUPS:
            return self.told([name], by, asked)
        return self.metrics.answer(name, self.facts, asked, by, self.subscribers).to_pandas()

    def safe(self, frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
        """``frame`` without ``people``, the figures ``names`` of few of them withheld."""
        hide = np.array(withheld(frame[PEOPLE].tolist(), self.role.small_cell), bool)
        return frame.assign(**{name: frame[name].astype("float64").mask(hide) for name in names}).drop(
            columns=PEOPLE
        )


def both(asking: Asking, name: str, by: Sequence[str]) -> pd.DataFrame:
    """A metric now and before: ``by``, current, previous, and the fewest people behind either (0 = nobody)."""
    halves = [asking.answer(name, by, asked) for asked in (asking.now, asking.before)]
    joined = halves[0].merge(halves[1], on=list(by), how="outer", suffixes=("", "_before"))
    people = joined[[PEOPLE, f"{PEOPLE}_before"]].fillna(0)
    fewest = people.where(people > 0).min(axis=1).fillna(0).astype("int64")
    found = joined[[name, f"{name}_before"]].astype("float64")
    found = found.fillna(0) if asking.metrics[name].kind in COUNTS else found
    if not asking.comparable:
        found.iloc[:, 1] = np.nan
    return joined[list(by)].assign(current=found.iloc[:, 0], previous=found.iloc[:, 1], people=fewest)


def tiles(asking: Asking) -> tuple[list[Tile], list[datetime]]:
    """The metrics at the head of the page, and the buckets of their courses."""
    names = asking.role.report.tiles
    all_names = list(dict.fromkeys([*names, *(one for name in names for one in asking.metrics[name].beside)]))
    now, before = (
        asking.safe(asking.told(all_names, [], asked), all_names).to_dict("records")[0]
        for asked in (asking.now, asking.before)
    )
    of = Slice(asking.end - asking.over.spark * asking.over.step, asking.end)
    courses = course(asking, names, of)
    made = [
        Tile(
            asking.metrics[name],
            now[name],
            before[name] if asking.comparable else None,
            [None if pd.isna(v) else float(v) for v in courses[name]],
            [(asking.metrics[one], now[one]) for one in asking.metrics[name].beside],
        )
        for name in names
    ]
    return made, [start.to_pydatetime() for start in courses["start"]]


def on_grid(frame: pd.DataFrame, asked: Slice, step: timedelta) -> pd.DataFrame:
    """``frame`` with a row per bucket of ``asked``, in order of ``start``; figures of absent ones are null."""
    grid = pd.DataFrame({"start": pd.date_range(asked.start, asked.end, freq=step, inclusive="left", unit="us")})
    at = pd.to_datetime(frame["start"], utc=True).dt.as_unit("us")
    return grid.merge(frame.assign(start=at), on="start", how="left")


def course(asking: Asking, names: Sequence[str], asked: Slice) -> pd.DataFrame:
    """Metrics per bucket of the period: start and ``names``; what counts is 0 where nobody made contact."""
    by, step = asking.over.dimension, asking.over.step
    told = asking.told(names, [by], asked).rename(columns={by: "start"})
    nobody = on_grid(told, asked, step)[PEOPLE].isna()
    rows = on_grid(asking.safe(told, names), asked, step)
    counts = [name for name in names if asking.metrics[name].kind in COUNTS]
    began = rows["start"] >= pd.Timestamp(asking.first_day or asking.end.date(), tz="UTC")
    rows.loc[nobody & began, counts] = 0
    return rows


def volume(asking: Asking) -> dict[str, pd.DataFrame]:
    """Complaints and complainants per hour or day, with what was expected of it.

    An expectation stands only where every hour of the row has one. The band takes the series as independent.
    """
    names, shown, over = ["complaints", "complainants"], asking.shown, asking.over
    rows = course(asking, names, shown)
    hourly = asking.hourly
    watched = hourly.filter(
        hourly.event_date.between(shown.start.date(), shown.end.date())
        & (hourly.bucket_start >= shown.start)
        & (hourly.bucket_start < shown.end)
        & hourly.expected.notnull()
    )
    foreseen = watched.group_by(start=watched.bucket_start.truncate(over.unit)).agg(
        expected=watched.expected.sum(), variance=watched.variance.sum(), hours=watched.bucket_start.nunique()
    )
    rows = rows.merge(on_grid(foreseen.to_pandas(), shown, over.step), on="start")
    whole = rows["hours"] == over.step / timedelta(hours=1)
    mean, variance = (rows.loc[whole, name].to_numpy(float) for name in ("expected", "variance"))
    for name, at in (("lower_05", 0.05), ("upper_95", 0.95)):
        rows[name] = np.nan
        if whole.any():
            rows.loc[whole, name] = quantile(at, mean, variance)
    rows["expected"] = rows["expected"].where(whole)
    return {"volume": rows[["start", *names, "expected", "lower_05", "upper_95"]]}


def channels(asking: Asking) -> dict[str, pd.DataFrame]:
    counts, shares = both(asking, "contacts", ["channel"]), both(asking, "channel_mix", ["channel"])
    rows = counts.merge(
        shares.rename(columns={"current": "share", "previous": "share_before"}).drop(columns=PEOPLE), on="channel"
    )
    return {"channels": asking.safe(rows, ["current", "previous", "share", "share_before"])}


def by_group(asking: Asking, frame: str, by: str, names: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Metrics of the period by one dimension."""
    return {frame: asking.safe(asking.told(names, [by], asking.now), names)}


def resolution(asking: Asking) -> dict[str, pd.DataFrame]:
    names = ["timed", "resolved_within_limit", "resolved_beyond_limit", "within_limit_share"]
    names += ["median_hours_to_resolve", "p80_hours_to_resolve"]
    rows = by_group(asking, "resolution", "category", names)["resolution"]
    limits = asking.metrics.terms.limits
    hours = [limits.get(category, limits["default"]) for category in rows["category"]]
    rows = rows.assign(limit_hours=pd.Series(hours, index=rows.index, dtype="float64"))
    return {"resolution": rows[rows["timed"] != 0]}


def ageing(asking: Asking) -> dict[str, pd.DataFrame]:
    return {"ageing": asking.safe(both(asking, "backlog_ageing", ["age"]), ["current", "previous"])}


def repeats(asking: Asking) -> dict[str, pd.DataFrame]:
    names = ["attributed", "repeat_rate_7d", "repeat_rate_30d", "reopened"]
    rows = by_group(asking, "repeats", "category", names)["repeats"]
    before = asking.safe(asking.told(["repeat_rate_7d"], ["category"], asking.before), ["repeat_rate_7d"])
    before = before.rename(columns={"repeat_rate_7d": "before"})
    before = before if asking.comparable else before.head(0)
    return {"repeats": rows[rows["attributed"] != 0].merge(before, on="category", how="left")}


def rate(asking: Asking) -> dict[str, pd.DataFrame]:
    if not asking.subscribers:
        return {}
    rows = both(asking, "complaints_per_100k", ["region"])
    return {"rate": asking.safe(rows, ["current", "previous"])}


def months(asking: Asking) -> dict[str, pd.DataFrame]:
    names = ["complaints", "resolved", "resolved_within_limit", "resolved_beyond_limit", "p80_hours_to_resolve"]
    first = (asking.end - timedelta(days=365)).replace(day=1)
    year = asking.told(names, ["month"], replace(asking.shown, start=first))
    return {"months": asking.safe(year, names)}


def restated(asking: Asking) -> dict[str, pd.DataFrame]:
    rows = restatements(asking.facts, asking.end, asking.closing_hours, asking.role.small_cell)
    return {"restatements": rows.filter(rows.event_date >= asking.shown.start.date()).to_pandas()}


def health(asking: Asking) -> dict[str, pd.DataFrame]:
    names = ["deliveries", "duplicates", "median_minutes_to_arrive", "p95_minutes_to_arrive"]
    return by_group(asking, "arrivals", "channel", names)


def severity(asking: Asking) -> dict[str, pd.DataFrame]:
    rows = asking.told(["complaints"], ["category", "severity"], asking.now)
    return {"severity": rows, "categories": both(asking, "complaints", ["category"])}


def heat(asking: Asking) -> dict[str, pd.DataFrame]:
    by = {"heat": ["category", "region"], "categories": ["category"], "regions": ["region"]}
    return {frame: both(asking, "complaints", dimensions) for frame, dimensions in by.items()}


FIGURES: Mapping[str, Callable[[Asking], dict[str, pd.DataFrame]]] = {
    "volume": volume,
    "heat": heat,
    "channels": channels,
    "sentiment": lambda asking: by_group(
        asking, "sentiment", "category", ["complaints", "with_sentiment", "negative", "positive"]
    ),
    "severity": severity,
    "languages": lambda asking: by_group(
        asking, "languages", "language", ["complaints", "with_sentiment", "sentiment_coverage"]
    ),
    "resolution": resolution,
    "ageing": ageing,
    "repeats": repeats,
    "rate": rate,
    "months": months,
    "restatements": restated,
    "health": health,
    "rules": lambda asking: by_group(asking, "versions", "taxonomy_version", ["complaints"]),
}
"""What each section is told of the facts; the others are told of other tables."""
