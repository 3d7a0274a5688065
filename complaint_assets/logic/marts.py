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


def operations_hourly(facts: ibis.Table) -> ibis.Table:
    """Complaints per hour, region, category and channel (``OperationsHourly``)."""
    complaints = facts.filter(facts.is_complaint)
    return complaints.group_by("event_hour", "region", "category", "channel").agg(
        complaints=complaints.count(),
        subjects=subject_of(complaints).nunique(),
        worst_severity=complaints.severity.max(),
    )


def reporting_daily(facts: ibis.Table, small_cell: int = SMALL_CELL) -> ibis.Table:
    """Daily figures (``ReportingDaily``), small cells merged into region 'other'.

    Figures of merged cells are computed from the facts again: distinct people cannot be added up.
    """
    contacts = facts.filter(~facts.is_amplification)
    sizes = contacts.group_by(DAILY).agg(people=subject_of(contacts).nunique(where=contacts.is_complaint))
    small = contacts.inner_join(sizes, DAILY)
    merged = small.mutate(region=ibis.ifelse(small.people < small_cell, OTHER, small.region))
    is_complaint = merged.is_complaint
    return merged.group_by(DAILY).agg(
        contacts=merged.count(),
        complaints=is_complaint.sum(),
        complainants=subject_of(merged).nunique(where=is_complaint),
        repeats=(merged.is_repeat & is_complaint).sum(),
        negative=(is_complaint & (merged.sentiment <= NEGATIVE)).sum().fill_null(0),
        with_sentiment=merged.sentiment.count(where=is_complaint),
        resolved=(is_complaint & merged.resolution_status.isin(["resolved", "closed"])).sum().fill_null(0),
        mean_severity=merged.severity.mean(where=is_complaint),
    )


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
