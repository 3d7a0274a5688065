"""The rows that metrics are computed from: those of a period, with what is derived from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import ibis

_HISTORY = ("days_since_previous", "reopened")
_SETTLED = ("resolved", "closed")
_DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Slice:
    """Which rows are asked for: those from ``start`` up to, without, ``end`` (UTC) that match ``filters``.

    Attributes:
        filters: Values allowed per dimension.
        known_by: Only what had arrived, and had been resolved, by then; None = everything.
        now: The moment of asking, for ages; None = the end.
    """

    start: datetime
    end: datetime
    filters: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    known_by: datetime | None = None
    now: datetime | None = None

    @property
    def last_day(self) -> date:
        """The day in which the period ends."""
        return (self.end - timedelta(microseconds=1)).date()

    @classmethod
    def until(cls, end: datetime, **more: Any) -> "Slice":
        """Everything before ``end``."""
        return cls(datetime(1970, 1, 1, tzinfo=UTC), end, **more)

    @classmethod
    def days(cls, first: date, last: date, **more: Any) -> "Slice":
        """Whole UTC days from ``first`` to ``last``, both included."""
        start, end = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (first, last))
        return cls(start, end + timedelta(days=1), **more)


@dataclass(frozen=True)
class Terms:
    """What is agreed on: limits (hours) by category, and days.

    Attributes:
        look_back_days: How far back a subject's complaint before is looked for.
    """

    limits: Mapping[str, float]
    reopen_days: int
    ageing_days: tuple[int, ...]
    look_back_days: int


def facts_rows(facts: ibis.Table, asked: Slice, needed: set[str], terms: Terms) -> ibis.Table:
    """Contacts of the period (``ComplaintFacts``), with the derived columns among ``needed``."""
    facts = _as_known(facts, asked.known_by)
    rows = between(facts, asked.start, asked.end)
    if needed & set(_HISTORY):
        first = asked.start - timedelta(days=terms.look_back_days + 1)
        rows = _history(rows, between(facts, first, asked.end), asked.start, terms)
    return _derived(rows, needed, terms)


def backlog_rows(facts: ibis.Table, asked: Slice, needed: set[str], terms: Terms) -> ibis.Table:
    """Contacts up to the end whose matter was still open then, of sources that tell."""
    facts = _as_known(facts, asked.known_by)
    happened = (facts.event_date <= asked.end.date()) & (facts.occurred_at < asked.end)
    still_open = ibis.ifelse(
        facts.resolved_at.notnull(), facts.resolved_at >= asked.end, ~facts.resolution_status.isin(_SETTLED)
    )
    told = facts.resolution_status.notnull() | facts.resolved_at.notnull()
    rows = _derived(facts.filter(happened & told & still_open), needed, terms)
    if "age" not in needed:
        return rows
    days = (int(asked.end.timestamp()) - rows.occurred_at.epoch_seconds()) / _DAY_SECONDS
    low, names = 0, []
    for edge in terms.ageing_days:
        names.append((edge, f"{low:02}-{edge:02} d"))
        low = edge
    return rows.mutate(age=ibis.cases(*((days < edge, name) for edge, name in names), else_=f"{low:02}+ d"))


def _derived(rows: ibis.Table, needed: set[str], terms: Terms) -> ibis.Table:
    for unit in {"week", "month"} & needed:
        rows = rows.mutate(rows.event_date.truncate(unit).cast("date").name(unit))
    if "complainant" in needed:
        rows = rows.mutate(complainant=ibis.coalesce(rows.subject_id, rows.complaint_id))
    if "duplicates" in needed:
        rows = rows.mutate(duplicates=rows.deliveries - 1)
    if "minutes_to_arrive" in needed:
        minutes = (rows.received_at.epoch_seconds() - rows.occurred_at.epoch_seconds()) / 60
        rows = rows.mutate(minutes_to_arrive=ibis.greatest(minutes, 0.0))
    if needed & {"hours_to_resolve", "within_limit"}:
        seconds = rows.resolved_at.epoch_seconds() - rows.occurred_at.epoch_seconds()
        hours = ibis.ifelse(rows.resolved_at >= rows.occurred_at, seconds / 3600, None)
        rows = rows.mutate(hours_to_resolve=hours)
        own = {category: most for category, most in terms.limits.items() if category != "default"}
        limit = ibis.cases(
            *((rows.category == category, float(most)) for category, most in own.items()),
            else_=float(terms.limits["default"]),
        )
        rows = rows.mutate(within_limit=rows.hours_to_resolve <= limit)
    return rows


def _history(rows: ibis.Table, known: ibis.Table, start: datetime, terms: Terms) -> ibis.Table:
    """``rows`` with what the same subject's complaint before tells, found in ``known``; others get nulls.

    Only what the subjects of ``rows`` said of the same category is put in order: the rest could be no predecessor.
    """

    def counts(table: ibis.Table) -> ibis.Value:
        return table.is_complaint & table.subject_id.notnull()

    ours = rows.filter(counts(rows)).select("subject_id", "category").distinct()
    matters = known.filter(counts(known)).semi_join(ours, ["subject_id", "category"])
    before = ibis.window(
        group_by=[matters.subject_id, matters.category], order_by=[matters.occurred_at, matters.complaint_id]
    )
    told = matters.mutate(
        previous=matters.occurred_at.lag().over(before), settled=matters.resolved_at.lag().over(before)
    )
    told = told.filter(told.occurred_at >= start)
    since = (told.occurred_at.epoch_seconds() - told.previous.epoch_seconds()) / _DAY_SECONDS
    after = (told.occurred_at.epoch_seconds() - told.settled.epoch_seconds()) / _DAY_SECONDS
    told = told.mutate(
        days_since_previous=since, reopened=after.between(0, terms.reopen_days).fill_null(False)
    ).drop("previous", "settled")
    others = rows.filter(~counts(rows)).mutate(
        days_since_previous=ibis.null("float64"), reopened=ibis.literal(False)
    )
    return told.union(others.cast(told.schema()))  # which of them may be null differs


def between(table: ibis.Table, start: datetime, end: datetime) -> ibis.Table:
    """Rows of ``table`` (with ``event_date`` and ``occurred_at``) from ``start`` up to, without, ``end``."""
    days = table.event_date.between(start.date(), end.date())  # lets the warehouse skip what is elsewhere
    return table.filter(days & (table.occurred_at >= start) & (table.occurred_at < end))


def _as_known(facts: ibis.Table, known_by: datetime | None) -> ibis.Table:
    """``facts`` as they stood: what came later is gone, what was resolved later is open."""
    if known_by is None:
        return facts
    facts = facts.filter(facts.received_at <= known_by)
    later = (facts.resolved_at > known_by).fill_null(False)
    return facts.mutate(
        resolution_status=ibis.ifelse(later, "open", facts.resolution_status),
        resolved_at=ibis.ifelse(later, None, facts.resolved_at),
    )


def surges_rows(surges: ibis.Table, asked: Slice, needed: set[str], _: Terms) -> ibis.Table:
    """Incidents that overlap the period, with their ``minutes`` in it."""
    end = surges.last_hour_at + ibis.interval(hours=1)
    seconds = (
        ibis.least(end, asked.end).epoch_seconds() - ibis.greatest(surges.started_at, asked.start).epoch_seconds()
    )
    rows = surges.filter((surges.started_at < asked.end) & (end > asked.start))
    if asked.known_by is not None:
        rows = rows.filter(rows.detected_at <= asked.known_by)
    return rows.mutate(minutes=(seconds / 60).round().cast("int64")) if "minutes" in needed else rows


def intake_rows(intake: ibis.Table, asked: Slice, needed: set[str], _: Terms) -> ibis.Table:
    """Raw objects whose slot begins on a day of the period (``Intake``), with that day."""
    rows = intake.mutate(slot_day=intake.slot.left(10).cast("date"))
    return rows.filter(rows.slot_day.between(asked.start.date(), asked.last_day))
