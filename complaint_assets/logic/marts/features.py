"""Features per customer and day, each from what had happened by the end of that day."""

import ibis

from complaint_assets.schemas.types import CHANNELS

LOOK_BACK_DAYS = 90
FALLING = -0.2
"""A mean sentiment lower by so much than in the month before counts as falling."""
SENTIMENT_UNITS = 10_000
"""VADER scores have four decimals: as whole numbers they add up exactly, in whatever order they come."""


def customer_features(facts: ibis.Table) -> ibis.Table:
    """One row of ``CustomerFeatures`` per subject and day of contact in ``facts`` (``ComplaintFacts``).

    Point-in-time correct in event time: a row depends on facts of its own day and before, so what happens
    later never changes it: of a matter closed since, it is known that it was open then. Bare reposts are not
    contacts; contacts of nobody known have no row.
    """
    contacts = facts.filter(facts.subject_id.notnull() & ~facts.is_amplification)
    contacts = contacts.mutate(day=contacts.event_date.delta(ibis.date(1970, 1, 1), unit="day"))
    days = contacts.group_by("subject_id", "event_date", "day").agg(
        contacts=contacts.count(),
        complaints=contacts.count(where=contacts.is_complaint),
        repeats=contacts.count(where=contacts.is_repeat),
        worst=contacts.severity.max(),
        sentiment=(contacts.sentiment * SENTIMENT_UNITS).round().cast("int64").sum(),
        measured=contacts.sentiment.count(),
        **{channel: contacts.count(where=contacts.channel == channel) for channel in CHANNELS},
    )

    def last(count: int) -> ibis.Value:
        """The subject's ``count`` days that end with the row's day."""
        return ibis.range_window(group_by=days.subject_id, order_by=days.day, preceding=count - 1, following=0)

    def mean(sentiment: ibis.Value, measured: ibis.Value) -> ibis.Value:
        return sentiment / measured.nullif(0) / SENTIMENT_UNITS

    felt, measured = days.sentiment.sum().over(last(30)), days.measured.sum().over(last(30))
    felt_60, measured_60 = days.sentiment.sum().over(last(60)), days.measured.sum().over(last(60))
    previous = days.day.lag().over(ibis.window(group_by=days.subject_id, order_by=days.day))
    counted = days.select(
        days.subject_id,
        days.event_date,
        days.day,
        contacts_7d=days.contacts.sum().over(last(7)),
        contacts_30d=days.contacts.sum().over(last(30)),
        contacts_90d=days.contacts.sum().over(last(90)),
        complaints_30d=days.complaints.sum().over(last(30)),
        repeats_30d=days.repeats.sum().over(last(30)),
        worst_severity_90d=days.worst.max().over(last(90)),
        mean_sentiment_30d=mean(felt, measured),
        sentiment_trend=mean(felt, measured) - mean(felt_60 - felt, measured_60 - measured),
        days_since_previous=days.day - previous,
        **{f"{channel}_90d": days[channel].sum().over(last(90)) for channel in CHANNELS},
    )
    categories, channels = distinct_lately(contacts, "category"), distinct_lately(contacts, "channel")
    joined = counted
    for lately in (categories, channels, open_matters(contacts)):
        joined = joined.inner_join(lately, ["subject_id", "day"])
    named = joined.mutate(categories_90d=joined.category, channels_90d=joined.channel)
    return named.mutate(churn_risk_score=churn_risk_score(named)).select(
        "subject_id",
        "event_date",
        "contacts_7d",
        "contacts_30d",
        "contacts_90d",
        "complaints_30d",
        "repeats_30d",
        "categories_90d",
        "channels_90d",
        "worst_severity_90d",
        "mean_sentiment_30d",
        "sentiment_trend",
        "open_matters",
        "days_since_previous",
        *(f"{channel}_90d" for channel in CHANNELS),
        "churn_risk_score",
    )


def churn_risk_score(features: ibis.Table) -> ibis.Value:
    """From 0 to 100, by hand and not from data: nobody has told yet who left (docs/features.md has the table)."""
    return (
        10 * ibis.least(features.complaints_30d, 4)
        + 10 * ibis.least(features.repeats_30d, 2)
        + 5 * (features.worst_severity_90d - 1)
        + 10 * (features.open_matters > 0).cast("int64")
        + 10 * (features.sentiment_trend <= FALLING).fill_null(False).cast("int64")
    )


def open_matters(contacts: ibis.Table) -> ibis.Table:
    """How many matters of the last 90 days are open at the end of each day: subject_id, day, open_matters.

    A matter is open from its contact until the day on which the source closed it. One that is closed without a
    time, or of which the source tells no state, counts as not open.
    """
    closed = contacts.resolved_at.date().delta(ibis.date(1970, 1, 1), unit="day")
    tracked = contacts.resolved_at.notnull() | contacts.resolution_status.isin(["open", "pending"])
    matters = contacts.select("subject_id", "day", closed=closed, step=tracked.fill_null(False).cast("int64"))
    end = matters.day + LOOK_BACK_DAYS
    leaves = ibis.greatest(matters.day, ibis.least(end, matters.closed.fill_null(end)))
    return running(
        matters.select("subject_id", "day", "step").union(
            matters.select("subject_id", day=leaves, step=-matters.step)
        ),
        "open_matters",
    )


def distinct_lately(contacts: ibis.Table, kind: str) -> ibis.Table:
    """How many values of ``kind`` each subject used in the last 90 days: subject_id, day, ``kind``.

    A value enters on the day it is used and leaves 90 days later, or when it enters again: the running sum
    of these steps counts distinct values without looking at every pair of days.
    """
    used = contacts.select("subject_id", "day", kind).distinct()
    again = used.day.lead().over(ibis.window(group_by=[used.subject_id, used[kind]], order_by=used.day))
    end = used.day + LOOK_BACK_DAYS
    entering = used.select("subject_id", "day", step=ibis.literal(1))
    leaving = used.select("subject_id", day=ibis.least(end, again.fill_null(end)), step=ibis.literal(-1))
    return running(entering.union(leaving), kind)


def running(changes: ibis.Table, name: str) -> ibis.Table:
    """The sum of ``step`` up to the end of each day in ``changes``: subject_id, day, ``name``."""
    steps = changes.group_by("subject_id", "day").agg(step=changes.step.sum())
    so_far = ibis.window(group_by=steps.subject_id, order_by=steps.day, preceding=None, following=0)
    return steps.select("subject_id", "day", **{name: steps.step.sum().over(so_far)})
