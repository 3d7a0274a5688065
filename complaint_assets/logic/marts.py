"""What each role sees, as expressions over the warehouse's facts and the enriched complaints."""

import ibis

SMALL_CELL = 5
"""Cells with fewer complainants are merged, so that nobody is singled out."""
OTHER = "other"
NEGATIVE = -0.05
"""VADER's own threshold for a negative text."""
DAILY = ["event_date", "channel", "domain", "category", "region"]


def subject_of(facts: ibis.Table) -> ibis.Value:
    """Who is counted: the subject, or the complaint itself where nobody is known."""
    return ibis.coalesce(facts.subject_id, facts.complaint_id)


def measures(facts: ibis.Table) -> dict[str, ibis.Value]:
    """The measures of reporting, to aggregate ``facts`` with: one definition for marts and reports.

    Bare reposts are no contacts. Measures of a larger group are computed from its facts, never added up:
    distinct people cannot be.
    """
    is_complaint = facts.is_complaint
    closed = facts.resolution_status.isin(["resolved", "closed"])
    return {
        "contacts": facts.count(where=~facts.is_amplification),
        "complaints": facts.count(where=is_complaint),
        "complainants": subject_of(facts).nunique(where=is_complaint),
        "repeats": facts.count(where=is_complaint & facts.is_repeat),
        "negative": facts.count(where=is_complaint & (facts.sentiment <= NEGATIVE)),
        "with_sentiment": facts.sentiment.count(where=is_complaint),
        "resolved": facts.count(where=is_complaint & closed),
        "mean_severity": facts.severity.mean(where=is_complaint),
    }


def operations_hourly(facts: ibis.Table) -> ibis.Table:
    """Complaints per hour, region, category and channel (``OperationsHourly``)."""
    complaints = facts.filter(facts.is_complaint)
    return complaints.group_by("event_hour", "region", "category", "channel").agg(
        complaints=complaints.count(),
        subjects=subject_of(complaints).nunique(),
        worst_severity=complaints.severity.max(),
    )


def reporting_daily(facts: ibis.Table, small_cell: int = SMALL_CELL) -> ibis.Table:
    """Daily figures (``ReportingDaily``).

    The regions of cells with fewer than ``small_cell`` complainants are merged into 'other' and measured again.
    """
    contacts = facts.filter(~facts.is_amplification)
    sizes = contacts.group_by(DAILY).agg(people=measures(contacts)["complainants"])
    sized = contacts.inner_join(sizes, DAILY)
    merged = sized.mutate(region=ibis.ifelse(sized.people < small_cell, OTHER, sized.region))
    return merged.group_by(DAILY).agg(**measures(merged))


def data_science(enriched: ibis.Table) -> ibis.Table:
    """Masked text with labels (``DataScienceComplaints``)."""
    return enriched.select(
        "complaint_id",
        "subject_id",
        "event_date",
        "occurred_at",
        "channel",
        "masked_text",
        "contact_class",
        "category",
        "subcategory",
        "sentiment",
        "severity",
        "language",
        "region",
        "rating",
    )
