"""What each role sees, as expressions over the warehouse's facts: figures by group, and restated days."""

from collections.abc import Sequence
from datetime import datetime

import ibis

from .metric_rows import Slice
from .metrics import COMPLAINT, Metrics

OTHER = "other"
_MERGED = (("region",), ("category", "domain"))
"""Dimensions that are merged into 'other', one step after the other, until a cell is large enough."""


def figures(
    metrics: Metrics,
    facts: ibis.Table,
    by: Sequence[str],
    names: Sequence[str],
    end: datetime,
    small_cell: int = 0,
) -> ibis.Table:
    """The metrics ``names`` of all contacts before ``end``, per group.

    Cells with fewer than ``small_cell`` people are merged with others: their regions first, then their categories.
    Of what is small even then, the row stays and its figures are null. The people of a cell are those who
    complained; where nobody did, those who made contact.
    """

    def people(of: ibis.Table) -> ibis.Value:
        complained = metrics.people("complaints", of)
        # Where nobody complained, those who did not are all; so nobody is counted twice, which takes long.
        others = of.complainant.nunique(where=~metrics.conditions[COMPLAINT].holds(of))
        return ibis.ifelse(complained > 0, complained, others)

    rows = metrics.rows_of("facts", facts, Slice.until(end), metrics.needed(names) | {*by, "complainant"})
    # A metric may count nothing of a group that others count in: groups are those with any contact.
    rows = rows.filter(~rows.is_amplification)
    for dimensions in _MERGED if small_cell else ():
        if not set(dimensions) & set(by):
            continue
        sizes = rows.group_by(by).agg(people=people(rows))
        sized = rows.inner_join(sizes, by)
        merged = {
            name: ibis.ifelse(sized.people < small_cell, OTHER, sized[name]) for name in dimensions if name in by
        }
        rows = sized.mutate(**merged).drop("people")
    cells = metrics.measures(rows, names)
    result = rows.group_by(by).agg(**cells, people=people(rows))
    if small_cell:
        small = result.people < small_cell
        result = result.mutate(**{name: ibis.ifelse(small, None, result[name]) for name in names})
    return result.select(*by, *names)


def restatements(facts: ibis.Table, end: datetime, closing_hours: int, small_cell: int = 0) -> ibis.Table:
    """Days before ``end`` that were restated (``Restatements``): what came ``closing_hours`` or later after them.

    It follows from the facts alone, so rebuilding a day gives the same answer. Counts of fewer than ``small_cell``
    people are null: that the day was restated is still told.
    """
    contacts = facts.filter(~facts.is_amplification & (facts.event_date < end.date()))
    closed = contacts.event_date.cast("timestamp('UTC')") + ibis.interval(hours=24 + closing_hours)
    late = contacts.filter(contacts.received_at >= closed)
    who = ibis.coalesce(late.subject_id, late.complaint_id)
    days = late.group_by(late.event_date, restated_on=late.received_at.date()).agg(
        contacts=late.count(),
        complaints=late.count(where=late.is_complaint),
        people=who.nunique(),
        complainants=who.nunique(where=late.is_complaint),
    )
    few = days.people < small_cell
    some = (days.complainants > 0) & (days.complainants < small_cell)
    return days.mutate(
        contacts=ibis.ifelse(few, None, days.contacts), complaints=ibis.ifelse(few | some, None, days.complaints)
    ).drop("people", "complainants")
