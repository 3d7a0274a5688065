"""Deliveries to complaints, and repeats among them, as set expressions (Ibis) that any engine can run.

No delivery survives: every attribute of a complaint is an aggregate that knows no order, so arrival order,
reruns and backfills cannot change it. Equal words never merge anything; only ``complaint_id`` does. The
engine's session must be in UTC.
"""

import ibis
import ibis.expr.types as ir

_NEWEST = (
    "channel",
    "source",
    "source_record_id",
    "text",
    "content_key",
    "rating",
    "declared_class",
    "source_category",
    "resolution_status",
    "resolved_at",
    "place",
    "latitude",
    "longitude",
    "attributes",
)


def merge_deliveries(deliveries: ir.Table) -> ir.Table:
    """One row per ``complaint_id`` of ``deliveries`` (``Standardised``), with the columns of ``Complaints``.

    What was said and how it stands come from the newest delivery as a whole: highest ``record_version``, then
    latest arrival. Times are the extremes. The subject is the least author pseudonym given, so that a
    delivery without author does not erase it. An event is an amplification only if every delivery of it is.
    """
    newest_first = ibis.struct(
        {name: deliveries[name] for name in ("record_version", "received_at", "delivery_id")}
    )
    first_received = ibis.struct({name: deliveries[name] for name in ("received_at", "delivery_id")})
    first_occurred = ibis.struct({name: deliveries[name] for name in ("occurred_at", "delivery_id")})
    merged = deliveries.group_by("complaint_id").agg(
        newest=ibis.struct({name: deliveries[name] for name in _NEWEST}).argmax(newest_first),
        feeds=_strings(deliveries.feed.collect(distinct=True)),
        record_version=deliveries.record_version.max(),
        event_date=deliveries.event_date.min(),
        occurred_at=deliveries.occurred_at.min(),
        occurred_at_quality=deliveries.occurred_at_quality.argmin(first_occurred),
        first_received_at=deliveries.received_at.min(),
        last_received_at=deliveries.received_at.max(),
        deliveries=deliveries.delivery_id.nunique(),
        first_delivery_id=deliveries.delivery_id.argmin(first_received),
        subject_id=deliveries.author_ref.min(),
        subject_refs=_strings(deliveries.subject_refs.collect().flatten()),
        is_amplification=deliveries.is_amplification.all(),
        quality_flags=_strings(deliveries.quality_flags.collect().flatten()),
    )
    newest = merged.newest
    return merged.select(
        "complaint_id",
        channel=newest.channel,
        source=newest.source,
        feeds=merged.feeds,
        source_record_id=newest.source_record_id,
        record_version=merged.record_version,
        event_date=merged.event_date,
        occurred_at=merged.occurred_at,
        occurred_at_quality=merged.occurred_at_quality,
        first_received_at=merged.first_received_at,
        last_received_at=merged.last_received_at,
        deliveries=merged.deliveries,
        first_delivery_id=merged.first_delivery_id,
        subject_id=merged.subject_id,
        subject_refs=merged.subject_refs,
        text=newest.text,
        content_cluster=newest.content_key,
        is_amplification=merged.is_amplification,
        rating=newest.rating,
        declared_class=newest.declared_class,
        source_category=newest.source_category,
        resolution_status=newest.resolution_status,
        resolved_at=newest.resolved_at,
        place=newest.place,
        latitude=newest.latitude,
        longitude=newest.longitude,
        attributes=newest.attributes,
        quality_flags=merged.quality_flags,
    )


def _strings(values: ir.ArrayValue) -> ir.ArrayValue:
    """``values`` without nulls and doubles, sorted; empty where there are none."""
    return values.unique().sort().fill_null(ibis.literal([], type="array<string>"))


def link_repeats(contacts: ir.Table, window_hours: int = 24) -> ir.Table:
    """``complaint_id`` and ``repeat_of`` of every contact that repeats an earlier one.

    A repeat has the same ``subject_id`` and ``category`` as a contact at most ``window_hours`` before it; it
    points to the nearest such contact. Contacts of one instant count in the order of their ids. Contacts
    without subject, and bare reposts (``is_amplification``), neither repeat nor are repeated.

    Only the past decides, so a day needs itself and ``window_hours`` before it, and nothing after it.
    """
    linkable = contacts.filter(contacts.subject_id.notnull(), ~contacts.is_amplification)
    matter = ibis.window(
        group_by=["subject_id", "category"],
        order_by=["occurred_at", "complaint_id"],
    )
    linked = linkable.mutate(
        repeat_of=linkable.complaint_id.lag().over(matter),
        before=linkable.occurred_at.lag().over(matter),
    )
    recent = linked.before + ibis.interval(hours=window_hours) >= linked.occurred_at
    return linked.filter(recent).select("complaint_id", "repeat_of")
