"""Features per customer and day, each from what had happened by the end of that day."""

import ibis

LOOK_BACK_DAYS = 90
SENTIMENT_UNITS = 10_000
"""VADER scores have four decimals: as whole numbers they add up exactly, in whatever order they come."""


def customer_features(facts: ibis.Table) -> ibis.Table:
    """One row of ``CustomerFeatures`` per subject and day of contact in ``facts`` (``ComplaintFacts``).

    Point-in-time correct in event time: a row depends on facts of its own day and before, so what happens
    later never changes it. Bare reposts are not contacts; contacts of nobody known have no row.
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
    )

    def last(count: int) -> ibis.Value:
        """The subject's ``count`` days that end with the row's day."""
        return ibis.range_window(group_by=days.subject_id, order_by=days.day, preceding=count - 1, following=0)

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
        mean_sentiment_30d=days.sentiment.sum().over(last(30))
        / days.measured.sum().over(last(30)).nullif(0)
        / SENTIMENT_UNITS,
        days_since_previous=days.day - previous,
    )
    categories, channels = distinct_lately(contacts, "category"), distinct_lately(contacts, "channel")
    joined = counted.inner_join(categories, ["subject_id", "day"]).inner_join(channels, ["subject_id", "day"])
    return joined.mutate(categories_90d=joined.category, channels_90d=joined.channel).select(
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
        "days_since_previous",
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
    steps = entering.union(leaving).group_by("subject_id", "day").agg(step=lambda step: step.step.sum())
    so_far = ibis.window(group_by=steps.subject_id, order_by=steps.day, preceding=None, following=0)
    return steps.select("subject_id", "day", **{kind: steps.step.sum().over(so_far)})
