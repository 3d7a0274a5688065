"""The metrics as Ibis expressions: what every mart, report, command and answer of the API is computed with.

What a metric means is told in ``complaint_assets/metrics/metrics.yaml``; here is how that is computed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from math import ceil
from typing import Any

import ibis

from complaint_assets.logic.surges.calendar import Subscribers, subscribers_on

from .metric_rows import Slice, Terms, backlog_rows, facts_rows, intake_rows, surges_rows

PEOPLE = "people"
"""Column with the distinct people behind a row of an answer: what small cells are told by."""
COMPLAINT = "complaint"
"""The condition that makes a complaint of a contact."""
_OF_FACTS = (
    "event_date",
    "event_hour",
    "week",
    "month",
    "channel",
    "source",
    "contact_class",
    "domain",
    "category",
    "subcategory",
    "region",
    "language",
    "severity",
    "taxonomy_version",
)
DIMENSIONS: Mapping[str, tuple[str, ...]] = {
    "facts": _OF_FACTS,
    "backlog": (*_OF_FACTS, "age"),
    "surges": ("channel", "category", "region", "severity"),
    "intake": ("slot_day", "channel", "source"),
}
"""What each kind of rows can be broken down and filtered by."""
_TIMES = ("month", "week", "event_date", "event_hour")
_ROWS = {"facts": facts_rows, "backlog": backlog_rows, "surges": surges_rows, "intake": intake_rows}
TABLES: Mapping[str, str] = {"facts": "complaint_facts", "backlog": "complaint_facts", "surges": "surges"}
"""Which table of the warehouse each kind of rows is made from; ``intake`` is of the lake."""


@dataclass(frozen=True)
class Condition:
    """Which rows count: those whose ``column`` is one of ``values``, within bounds, or known."""

    column: str
    values: tuple[Any, ...] = ()
    at_most: float | None = None
    at_least: float | None = None

    def holds(self, rows: ibis.Table) -> ibis.Value:
        """Whether it holds, per row; a null holds nothing."""
        value = rows[self.column]
        if self.values:
            return (value.isin(self.values) if len(self.values) > 1 else value == self.values[0]).fill_null(False)
        if self.at_most is not None:
            return (value <= self.at_most).fill_null(False)
        if self.at_least is not None:
            return (value >= self.at_least).fill_null(False)
        return value.notnull()


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number: see the head of ``metrics.yaml`` for its parts."""

    name: str
    meaning: str
    of: str
    kind: str
    formula: Any
    where: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    unit: str
    good: str
    decimals: int = 0
    additive: bool = True
    owner: str


@dataclass(frozen=True)
class Metrics:
    """All metrics, and the terms they are measured by."""

    version: str
    metrics: Mapping[str, Metric]
    conditions: Mapping[str, Condition]
    terms: Terms

    def __getitem__(self, name: str) -> Metric:
        """The metric called ``name``.

        Raises:
            ValueError: there is none.
        """
        if name not in self.metrics:
            raise ValueError(f"{name} is no metric; there are {', '.join(sorted(self.metrics))}")
        return self.metrics[name]

    def needed(self, names: Iterable[str]) -> set[str]:
        """Columns that the metrics ``names`` are computed from."""
        columns: set[str] = set()
        for name in names:
            metric = self[name]
            parts = self.parts(metric)
            columns |= self.needed(parts)
            columns |= {self.conditions[condition].column for condition in metric.where}
            if not parts and metric.kind != "count":
                columns.add(metric.formula["value"] if metric.kind == "quantile" else metric.formula)
        return columns

    @staticmethod
    def parts(metric: Metric) -> tuple[str, ...]:
        """The metrics that ``metric`` is made of."""
        if metric.kind == "ratio":
            return metric.formula["of"], metric.formula["to"]
        if metric.kind == "share":
            return (metric.formula,)
        return (metric.formula["metric"],) if metric.kind == "per_subscribers" else ()

    def where(self, name: str, rows: ibis.Table) -> ibis.Value | None:
        """Which of ``rows`` the metric counts; None = all. Of a ratio: those of its numerator."""
        metric = self[name]
        if parts := self.parts(metric):
            return self.where(parts[0], rows)
        holds = None
        for condition in metric.where:
            one = self.conditions[condition].holds(rows)
            holds = one if holds is None else holds & one
        return holds

    def people(self, name: str, rows: ibis.Table) -> ibis.Value:
        """How many people stand behind the metric: those who complained, if it is of complaints, or else all."""
        plain = [self[one] for one in self.parts(self[name])] or [self[name]]
        of_complaints = any(COMPLAINT in one.where for one in plain)
        complained = self.conditions[COMPLAINT].holds(rows) if of_complaints else None
        return rows.complainant.nunique(where=complained)

    def measure(self, name: str, rows: ibis.Table, now: datetime | None = None) -> ibis.Value:
        """The metric as an aggregation of ``rows``, as ``rows_of`` prepares them.

        Raises:
            ValueError: it is told from several groups or from subscribers: ``answer`` gives it.
        """
        metric, where = self[name], self.where(name, rows)
        match metric.kind:
            case "count":
                return rows.count(where=where)
            case "distinct":
                return rows[metric.formula].nunique(where=where)
            case "sum":
                return rows[metric.formula].sum(where=where).fill_null(0)
            case "max":
                return rows[metric.formula].max(where=where)
            case "mean":
                return rows[metric.formula].mean(where=where).round(metric.decimals)
            case "quantile":
                value = rows[metric.formula["value"]].quantile(metric.formula["at"], where=where)
                return value.round(metric.decimals)
            case "ratio":
                part, whole = (self.measure(one, rows, now) for one in self.parts(metric))
                return (part / whole.nullif(0)).round(metric.decimals)
            case "age":
                latest = rows[metric.formula].max(where=where).epoch_seconds()
                return ((int(now.timestamp()) if now else 0) - latest).cast("float64") / 3600
            case _:
                raise ValueError(f"{name} is no aggregation of rows by itself")

    def measures(self, rows: ibis.Table, names: Iterable[str]) -> dict[str, ibis.Value]:
        """Several metrics, to aggregate ``rows`` with."""
        return {name: self.measure(name, rows) for name in names}

    def rows_of(self, of: str, table: ibis.Table, asked: Slice, needed: Iterable[str] = ()) -> ibis.Table:
        """The rows of ``table`` that ``asked`` asks for, with the derived columns among ``needed``.

        Args:
            of: kind of rows: facts, backlog, surges or intake.
            table: ``ComplaintFacts``, ``Surges`` or ``Intake``.
            asked: period and filters.
            needed: columns that metrics and breakdowns use.
        """
        needed = {*needed, *asked.filters}
        rows = _ROWS[of](table, asked, needed, self.terms)
        for name, values in asked.filters.items():
            rows = rows.filter(rows[_dimension(of, name)].isin(values))
        return rows

    def answer(
        self,
        name: str,
        table: ibis.Table,
        asked: Slice,
        by: Sequence[str] | None = None,
        subscribers: Subscribers | None = None,
        *,
        people: bool = True,
    ) -> ibis.Table:
        """The metric per group: columns ``by``, the metric, those beside it, and ``people`` where rows are theirs.

        Args:
            name: the metric.
            table: the table of its rows (``TABLES``).
            asked: period and filters.
            by: dimensions; None = the metric's own.
            subscribers: by month and region; a row takes those of its month, else those of the last day.
            people: whether to count them, which takes longer than most metrics.

        Raises:
            ValueError: no such metric or dimension.
        """
        metric = self[name]
        by = [_dimension(metric.of, one) for one in (metric.by if by is None else by)]
        of_people = people and metric.of in ("facts", "backlog")
        needed = self.needed([name, *metric.beside]) | set(by) | ({"complainant"} if of_people else set())
        rows = self.rows_of(metric.of, table, asked, needed)
        now = asked.now or asked.end
        known = _of_regions(subscribers or {}, asked.filters.get("region"))
        if metric.kind == "per_subscribers":
            rows = rows.filter(rows.region.isin(list(subscribers_on(known, asked.last_day))))
        plain = self.parts(metric)[0] if metric.kind in ("share", "per_subscribers") else name
        cells = {name: self.measure(plain, rows, now)}
        cells |= {one: self.measure(one, rows, now) for one in metric.beside}
        if of_people:
            cells[PEOPLE] = self.people(name, rows)
        result = rows.group_by(by).agg(**cells) if by else rows.aggregate(**cells)
        if metric.kind == "share":
            whole = result[name].sum().over(ibis.window())
            result = result.mutate((result[name] / whole.nullif(0)).round(metric.decimals).name(name))
        elif metric.kind == "per_subscribers":
            of_group = _subscribers_of(result, by, known, asked.last_day)
            rate = (result[name] * metric.formula["per"] / of_group).round(metric.decimals)
            result = result.mutate(rate.name(name))
        elif metric.kind == "age":
            result = result.mutate(result[name].round(metric.decimals).name(name))
        return result.order_by(by) if by else result


def _of_regions(known: Subscribers, wanted: Sequence[Any] | None) -> Subscribers:
    return {
        month: {region: n for region, n in of.items() if wanted is None or region in wanted}
        for month, of in known.items()
    }


def _subscribers_of(groups: ibis.Table, by: Sequence[str], known: Subscribers, last: date) -> ibis.Value:
    """The subscribers of each group: of its region, or of all; in its month, or in that of the last day."""
    time = next((groups[name].cast("date") for name in _TIMES if name in by), None)
    branches: list[tuple[ibis.Value, ibis.Value]] = []
    months = sorted(known, reverse=True) if time is not None else [None]
    for month in months:
        of = subscribers_on(known, month or last)
        # Before the first month known, that one holds.
        begun = ibis.literal(True) if month in (None, months[-1]) else time >= ibis.literal(month)
        if "region" in by:
            branches += [(begun & (groups.region == region), ibis.literal(n)) for region, n in of.items()]
        else:
            branches.append((begun, ibis.literal(sum(of.values()) or None, "float64")))
    return ibis.cases(*branches, else_=None) if branches else ibis.null("float64")


def _dimension(of: str, name: str) -> str:
    if name not in DIMENSIONS[of]:
        raise ValueError(f"{name} is no dimension here; there are {', '.join(DIMENSIONS[of])}")
    return name


def metrics_of(data: Mapping[str, Any]) -> Metrics:
    """The metrics that ``data`` (valid by the JSON Schema) describes.

    Raises:
        ValueError: a metric refers to a metric, condition or dimension that there is not, or mixes kinds of rows.
    """
    conditions = {
        name: Condition(row["column"], tuple(row.get("is", ())), row.get("at_most"), row.get("at_least"))
        for name, row in data["conditions"].items()
    }
    metrics: dict[str, Metric] = {}
    for name, row in data["metrics"].items():
        kind, formula = next(iter(row["formula"].items()))
        lists: dict[str, Any] = {key: tuple(row.get(key, ())) for key in ("where", "beside", "by")}
        rest = {key: row[key] for key in ("meaning", "of", "unit", "good")}
        optional = {key: row[key] for key in ("decimals", "additive") if key in row}
        owner = row.get("owner", data["owner"])
        metrics[name] = Metric(name=name, kind=kind, formula=formula, owner=owner, **lists, **rest, **optional)
    back = [c.at_most for c in conditions.values() if c.column == "days_since_previous" and c.at_most is not None]
    reopen = data["reopen_days"]
    ageing = tuple(sorted(data["ageing_days"]))
    made = Metrics(
        data["version"], metrics, conditions, Terms(data["limits"], reopen, ageing, ceil(max([reopen, *back])))
    )
    for metric in metrics.values():
        for other in (*metric.beside, *made.parts(metric)):
            made_of_parts = other in made.parts(metric) and other in metrics and made.parts(metrics[other])
            if other not in metrics or metrics[other].of != metric.of or made_of_parts:
                raise ValueError(f"{metric.name}: {other} is no plain metric of {metric.of}")
        if odd := set(metric.where) - set(conditions):
            raise ValueError(f"{metric.name}: no condition {', '.join(sorted(odd))}")
        if metric.kind == "share" and not metrics[metric.formula].additive:
            raise ValueError(f"{metric.name}: {metric.formula} does not add up, so it has no shares")
        for one in metric.by:
            _dimension(metric.of, one)
    return made
