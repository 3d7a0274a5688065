"""Answers to questions about numbers: one way for the command line, exports and the HTTP API.

Every answer is computed from the metrics' definitions over lake and warehouse, cut to what the role may see, and
says how far the data reaches, by which rules it was classified, and whether it is stale.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import ibis
import pyarrow as pa

from complaint_assets.ledger import INTAKE, Ledger, newest_slot_age, newest_slot_end
from complaint_assets.logic.marts.metric_rows import Slice
from complaint_assets.logic.marts.metrics import DIMENSIONS, PEOPLE, TABLES, Metric
from complaint_assets.logic.marts.regulator import form, regulator_rows
from complaint_assets.logic.marts.roles import Role, withheld
from complaint_assets.logic.surges.calendar import subscribers_on
from complaint_assets.metrics import load_metrics
from complaint_assets.partitions import STALE_AFTER
from complaint_assets.roles import load_roles
from complaint_assets.schemas.surges import Surges
from complaint_assets.schemas.types import CHANNELS, arrow_schema
from complaint_assets.schemas.warehouse import ComplaintFacts
from complaint_assets.surges.calendars import load_calendar
from complaint_assets.taxonomy import load_rules
from resources.settings import settings
from resources.stores import Stores
from resources.warehouse import Warehouse

FACTS = arrow_schema(ComplaintFacts)
MOST_ROWS = 100_000
"""Rows that an answer may have."""
MOST_DAYS = 3660
_DAYS = ("event_date", "week", "month", "slot_day")


class Denied(Exception):
    """The role may not ask for this."""


class BadQuestion(ValueError):
    """What is asked for does not exist; the message says what does."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """A metric, whole UTC days from ``first`` to ``last``, how to break it down, and what to look at.

    Attributes:
        by: Dimensions; None = the metric's own.
        filters: Allowed values per dimension, as text.
        as_of: As the data stood at the end of that day.
    """

    metric: str
    first: date
    last: date
    role: str
    by: tuple[str, ...] | None = None
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    as_of: date | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Rows of dimensions, the metric and those beside it; null = not known, or withheld.

    Attributes:
        last: Last day that is in it: a role of closed days sees no further.
        data_as_of: The data is whole up to then; None = nothing has arrived.
        rule_versions: Versions of the taxonomy that classified the rows.
        withheld: Rows whose figures are withheld because they tell of few people.
    """

    metric: Metric
    by: tuple[str, ...]
    rows: list[dict[str, Any]]
    first: date
    last: date
    data_as_of: datetime | None
    rule_versions: list[str]
    metrics_version: str
    stale: bool
    withheld: int

    def about(self) -> dict[str, Any]:
        """Everything but the rows, as JSON values."""
        return {
            "metric": self.metric.name,
            "meaning": self.metric.meaning,
            "unit": self.metric.unit,
            "from": self.first.isoformat(),
            "to": self.last.isoformat(),
            "by": list(self.by),
            "data_as_of": self.data_as_of and self.data_as_of.isoformat(),
            "stale": self.stale,
            "rule_versions": self.rule_versions,
            "metrics_version": self.metrics_version,
            "withheld": self.withheld,
        }


def may_ask(name: str) -> Role:
    """The role called ``name``, if it may ask for metrics.

    Raises:
        BadQuestion: there is no such role.
        Denied: it may not ask.
    """
    try:
        role = load_roles()[name]
    except ValueError as error:
        raise BadQuestion(str(error)) from None
    if not role.ask:
        raise Denied(f"the role {name} may not ask for metrics: its mart holds what it may see")
    return role


def sliced(question: Question, role: Role, metric: Metric, as_of: datetime | None) -> Slice:
    """The period and filters of ``question``, cut to what ``role`` may see.

    Raises:
        BadQuestion: the period is empty or too long, or a filter has no such dimension or value.
    """
    if question.first > question.last:
        raise BadQuestion(f"the first day {question.first} lies after the last {question.last}: swap them")
    if (question.last - question.first).days > MOST_DAYS:
        raise BadQuestion(f"the period is longer than {MOST_DAYS} days")
    for name in (*question.filters, *(question.by or ())):
        if name not in DIMENSIONS[metric.of]:
            raise BadQuestion(
                f"{name} is no dimension of {metric.name}; it has {', '.join(DIMENSIONS[metric.of])}"
            )
    filters = {name: tuple(_value(name, text) for text in texts) for name, texts in question.filters.items()}
    known_by = None if question.as_of is None else Slice.days(question.as_of, question.as_of).end
    asked = Slice.days(question.first, question.last)
    end = min(asked.end, role.end(min(filter(None, (as_of, known_by)), default=None)))
    if end <= asked.start:
        raise BadQuestion(f"the role {role.name} sees closed days only, and none of the period is closed yet")
    return Slice(asked.start, end, filters, known_by, known_by or datetime.now(UTC))


def _value(name: str, text: str) -> Any:
    try:
        if name in _DAYS:
            return date.fromisoformat(text)
        if name == "event_hour":
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
        return int(text) if name == "severity" and text.isdecimal() else text
    except ValueError:
        raise BadQuestion(f"{name}: {text} is no date as YYYY-MM-DD") from None


def source(stores: Stores, warehouse: Warehouse, session: ibis.BaseBackend, of: str) -> ibis.Table:
    """The table that metrics of ``of`` are computed from."""
    if of == "intake":
        return ibis.memtable(pa.Table.from_pylist(Ledger(stores.tables).intake(), schema=INTAKE))
    return warehouse.ibis_table(session, TABLES[of], FACTS if TABLES[of] == "complaint_facts" else _SURGES)


_SURGES = arrow_schema(Surges)


def answer(stores: Stores, warehouse: Warehouse, question: Question) -> Answer:
    """What ``question`` asks for.

    Raises:
        BadQuestion: it asks for what there is not.
        Denied: the role may not ask.
    """
    role = may_ask(question.role)
    metrics = load_metrics()
    try:
        metric = metrics[question.metric]
    except ValueError as error:
        raise BadQuestion(str(error)) from None
    arrivals = Ledger(stores.tables).arrivals()
    as_of = newest_slot_end(arrivals)
    asked = sliced(question, role, metric, as_of)
    by = metric.by if question.by is None else question.by
    subscribers = load_calendar(settings().calendar).subscribers
    if metric.kind == "per_subscribers" and not subscribers:
        raise BadQuestion("subscribers by region are not known: give them in the file COMPLAINTS_CALENDAR")
    with warehouse.session() as session:
        table = source(stores, warehouse, session, metric.of)
        rows = metrics.answer(metric.name, table, asked, by, subscribers, people=role.small_cell > 0)
        found = rows.limit(MOST_ROWS + 1).to_pyarrow()
        versions: list[str] = []
        if metric.of in ("facts", "backlog"):
            rows = metrics.rows_of(metric.of, table, asked)
            versions = sorted(rows.select("taxonomy_version").distinct().to_pyarrow()[0].to_pylist())
    if found.num_rows > MOST_ROWS:
        raise BadQuestion(f"the answer has more than {MOST_ROWS} rows: ask for fewer dimensions or days")
    told, hidden = shown(found.to_pylist(), (metric.name, *metric.beside), role.small_cell)
    return Answer(
        metric=metric,
        by=tuple(by),
        rows=told,
        first=question.first,
        last=asked.last_day,
        data_as_of=as_of,
        rule_versions=versions,
        metrics_version=metrics.version,
        stale=is_stale(arrivals, datetime.now(UTC)),
        withheld=hidden,
    )


def shown(
    rows: Sequence[Mapping[str, Any]], figures: Iterable[str], small_cell: int
) -> tuple[list[dict[str, Any]], int]:
    """``rows`` without the number of people, small cells withheld; and how many are."""
    small = withheld([row.get(PEOPLE) for row in rows], small_cell)
    blank = dict.fromkeys(figures)
    told = [
        {name: value for name, value in {**row, **(blank if hide else {})}.items() if name != PEOPLE}
        for row, hide in zip(rows, small, strict=True)
    ]
    return told, sum(small)


def is_stale(arrivals: Sequence[Mapping[str, Any]], now: datetime) -> bool:
    """Whether a channel that has ever delivered has not done so for longer than promised."""
    ages = ((channel, *newest_slot_age(arrivals, channel, now)) for channel in CHANNELS)
    return any(slot is not None and age > STALE_AFTER[channel] for channel, slot, age in ages)


@dataclass(frozen=True)
class Behind:
    """The contacts that a number counts: how many, and the first of them by day and id."""

    total: int
    complaints: list[dict[str, Any]]


def behind(stores: Stores, warehouse: Warehouse, question: Question, most: int, *, raw: bool = False) -> Behind:
    """Which contacts the metric of ``question`` counts; of a ratio, those of its numerator.

    Raises:
        BadQuestion: it asks for what there is not, or for a metric that counts no contacts.
        Denied: the role may not follow numbers to complaints, or (``raw``) not to their bytes.
    """
    role = may_ask(question.role)
    if role.trace == "no":
        raise Denied(f"the role {role.name} may not follow a number to complaints")
    if raw and role.trace != "bytes":
        raise Denied(f"the role {role.name} may not see original bytes")
    metrics = load_metrics()
    try:
        metric = metrics[question.metric]
    except ValueError as error:
        raise BadQuestion(str(error)) from None
    if metric.of not in ("facts", "backlog"):
        raise BadQuestion(f"{metric.name} counts no complaints, but {metric.of}")
    asked = sliced(question, role, metric, Ledger(stores.tables).as_of())
    by = list(metric.by if question.by is None else question.by)
    with warehouse.session() as session:
        table = source(stores, warehouse, session, metric.of)
        rows = metrics.rows_of(metric.of, table, asked, metrics.needed([metric.name]) | set(by))
        where = metrics.where(metric.name, rows)
        rows = rows if where is None else rows.filter(where)
        columns = list(dict.fromkeys([*by, "event_date", "category", "region", "complaint_id"]))
        total = int(rows.count().to_pyarrow().as_py())
        first = rows.order_by(*by, "event_date", "complaint_id").select(columns).limit(most).to_pyarrow()
    return Behind(total, first.to_pylist())


def regulator_answer(
    stores: Stores, warehouse: Warehouse, regulator: str, first: date, last: date
) -> tuple[list[str], list[dict[str, Any]]]:
    """The table of ``regulator`` for closed days, as its columns and rows.

    Raises:
        BadQuestion: there is no such form, or the period holds a day that is not closed yet.
    """
    role = load_roles()["regulator"]
    as_of = Ledger(stores.tables).as_of()
    asked = Slice.days(first, last)
    if first > last:
        raise BadQuestion(f"the first day {first} lies after the last {last}: swap them")
    if asked.end > role.end(as_of):
        raise BadQuestion(f"{last} is not closed yet: the data is whole up to {as_of or 'never'}")
    subscribers = sum(subscribers_on(load_calendar(settings().calendar).subscribers, last).values())
    categories = load_rules(settings().country).categories
    try:
        columns = ["code", *form(regulator).columns]
        with warehouse.session() as session:
            facts = source(stores, warehouse, session, "facts")
            rows = regulator_rows(
                regulator, load_metrics(), facts, asked, categories, subscribers, role.small_cell
            )
    except ValueError as error:
        raise BadQuestion(str(error)) from None
    return columns, rows
