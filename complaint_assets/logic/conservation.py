"""Conservation of records: what came in is accounted for, slot by slot."""

import ibis

from complaint_assets.logic.facts import COMPLAINT_CLASSES


def account(
    intake: ibis.Table,
    standardised: ibis.Table,
    quarantine: ibis.Table,
    complaints: ibis.Table,
    enriched: ibis.Table,
) -> ibis.Table:
    """Per channel and slot: records in, and where each of them is now.

    A delivery is a complaint or a non-complaint if it is the first of its event, otherwise a duplicate; a
    delivery whose event is not in ``complaints`` and ``enriched`` is unaccounted for. Every record must be
    one of complaint, non-complaint, duplicate or quarantined, so ``difference`` is 0 when nothing was lost
    or counted twice. The four parts are counted from four different tables.

    Returns:
        channel, slot, records_in, complaints, non_complaints, duplicates, quarantined, difference.
    """
    events = complaints.join(enriched, "complaint_id").select(
        complaint_id=complaints.complaint_id,
        first_delivery_id=complaints.first_delivery_id,
        is_complaint=enriched.contact_class.isin(COMPLAINT_CLASSES),
    )
    deliveries = standardised.join(events, "complaint_id", how="left").select(
        channel=standardised.channel,
        slot=standardised.slot,
        first=standardised.delivery_id == events.first_delivery_id,
        is_complaint=events.is_complaint,
    )
    placed = deliveries.group_by("channel", "slot").agg(
        complaints=(deliveries.first & deliveries.is_complaint).sum(),
        non_complaints=(deliveries.first & ~deliveries.is_complaint).sum(),
        duplicates=(~deliveries.first).sum(),
    )
    refused = quarantine.group_by("channel", "slot").agg(quarantined=quarantine.count())
    arrived = intake.group_by("channel", "slot").agg(records_in=intake.records_in.sum())
    joined = arrived.left_join(placed, ["channel", "slot"]).drop("channel_right", "slot_right")
    joined = joined.left_join(refused, ["channel", "slot"]).drop("channel_right", "slot_right")
    parts = ["complaints", "non_complaints", "duplicates", "quarantined"]
    filled = joined.mutate(**{name: joined[name].fill_null(0) for name in parts})
    return filled.mutate(
        difference=filled.records_in
        - (filled.complaints + filled.non_complaints + filled.duplicates + filled.quarantined)
    ).order_by("channel", "slot")
