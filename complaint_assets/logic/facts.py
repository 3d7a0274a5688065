"""From enriched complaints to the narrow facts of the warehouse."""

import ibis

UNKNOWN = "unknown"
COMPLAINT_CLASSES = ("complaint", "fault_report")
"""Classes that count as complaints: ACMA keeps first fault reports apart, a surge must see both."""


def facts_of(enriched: ibis.Table) -> ibis.Table:
    """One row of ``ComplaintFacts`` per row of ``enriched`` (columns of ``EnrichedComplaints``)."""
    e = enriched
    return e.select(
        e.complaint_id,
        e.subject_id,
        e.event_date,
        event_hour=e.occurred_at.truncate("h"),
        occurred_at=e.occurred_at,
        received_at=e.first_received_at,
        channel=e.channel,
        source=e.source,
        contact_class=e.contact_class,
        is_complaint=e.contact_class.isin(COMPLAINT_CLASSES) & ~e.is_amplification,
        domain=e.domain,
        category=e.category,
        subcategory=e.subcategory,
        region=e.region.fill_null(UNKNOWN),
        language=e.language,
        sentiment=e.sentiment,
        severity=e.severity,
        rating=e.rating,
        is_repeat=e.repeat_of.notnull(),
        is_amplification=e.is_amplification,
        content_cluster=e.content_cluster,
        resolution_status=e.resolution_status,
        resolved_at=e.resolved_at,
        deliveries=e.deliveries,
        taxonomy_version=e.taxonomy_version,
    )
