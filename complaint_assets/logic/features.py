"""Features per customer and day, each from what was known by the end of that day."""

import ibis

from .facts import COMPLAINT_CLASSES

LOOK_BACK_DAYS = 90


def customer_features(facts: ibis.Table) -> ibis.Table:
    """One row of ``CustomerFeatures`` per subject and day of contact in ``facts`` (``ComplaintFacts``).

    Point-in-time correct: a row depends on facts of its own day and the 90 days that end with it, so later
    facts never change it. Bare reposts are not contacts.
    """
    contacts = facts.filter(facts.subject_id.notnull() & ~facts.is_amplification)
    is_complaint = contacts.contact_class.isin(COMPLAINT_CLASSES)
    days = contacts.group_by("subject_id", "event_date").agg(
        contacts=contacts.count(),
        complaints=is_complaint.sum(),
        repeats=contacts.is_repeat.sum(),
        worst=contacts.severity.max(),
        sentiment_sum=contacts.sentiment.sum(),
        sentiment_count=contacts.sentiment.count(),
    )
    kinds = contacts.select("subject_id", "event_date", "category", "channel").distinct()
    day, past = days.view(), days.view()
    spans = day.inner_join(
        past,
        [
            day.subject_id == past.subject_id,
            past.event_date <= day.event_date,
            past.event_date > day.event_date - ibis.interval(days=LOOK_BACK_DAYS),
        ],
    ).select(
        subject_id=day.subject_id,
        event_date=day.event_date,
        age=day.event_date.delta(past.event_date, unit="day"),
        contacts=past.contacts,
        complaints=past.complaints,
        repeats=past.repeats,
        worst=past.worst,
        sentiment_sum=past.sentiment_sum,
        sentiment_count=past.sentiment_count,
    )
    month = spans.age < 30
    measured = spans.group_by("subject_id", "event_date").agg(
        contacts_7d=spans.contacts.sum(where=spans.age < 7),
        contacts_30d=spans.contacts.sum(where=month),
        contacts_90d=spans.contacts.sum(),
        complaints_30d=spans.complaints.sum(where=month),
        repeats_30d=spans.repeats.sum(where=month),
        worst_severity_90d=spans.worst.max(),
        mean_sentiment_30d=spans.sentiment_sum.sum(where=month) / spans.sentiment_count.sum(where=month).nullif(0),
        days_since_previous=spans.age.nullif(0).min(),
    )
    kind_spans = days.inner_join(
        kinds,
        [
            days.subject_id == kinds.subject_id,
            kinds.event_date <= days.event_date,
            kinds.event_date > days.event_date - ibis.interval(days=LOOK_BACK_DAYS),
        ],
    ).select(
        subject_id=days.subject_id,
        event_date=days.event_date,
        category=kinds.category,
        channel=kinds.channel,
    )
    variety = kind_spans.group_by("subject_id", "event_date").agg(
        categories_90d=kind_spans.category.nunique(), channels_90d=kind_spans.channel.nunique()
    )
    return measured.inner_join(variety, ["subject_id", "event_date"]).select(
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
