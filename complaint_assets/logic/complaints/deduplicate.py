"""Deliveries to complaints, as a set expression (Ibis) that any engine can run.

No delivery survives: every attribute of a complaint is an aggregate that knows no order, so arrival order,
reruns and backfills cannot change it. Equal words never merge anything; only ``complaint_id`` does. The
engine's session must be in UTC.
"""

import ibis
import ibis.expr.types as ir

from complaint_assets.schemas.complaints import Complaints
from complaint_assets.schemas.types import arrow_schema

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

    Most events are delivered once; they are what they are without an aggregate, which saves most of the work.
    """
    counted = deliveries.group_by("complaint_id").agg(times=deliveries.count())
    repeated = counted.filter(counted.times > 1)
    once = deliveries.anti_join(repeated, "complaint_id")
    return _single(once).union(_merged(deliveries.semi_join(repeated, "complaint_id")))


def _single(delivery: ir.Table) -> ir.Table:
    """The complaints of events that were delivered once."""
    return _complaints(
        delivery,
        delivery,
        feeds=_strings(ibis.array([delivery.feed]).filter(lambda feed: feed.notnull())),
        first_received_at=delivery.received_at,
        last_received_at=delivery.received_at,
        deliveries=ibis.literal(1, type="int64"),
        first_delivery_id=delivery.delivery_id,
        subject_id=delivery.author_ref,
        subject_refs=_strings(delivery.subject_refs),
        quality_flags=_strings(delivery.quality_flags),
    )


def _merged(deliveries: ir.Table) -> ir.Table:
    """The complaints of events that were delivered several times."""
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
    return _complaints(merged, merged.newest)


def _complaints(event: ir.Table, newest: ir.Table | ir.StructValue, **of_event: ir.Value) -> ir.Table:
    """The columns of ``Complaints`` in order: from ``newest``, from ``of_event``, else from ``event``."""
    columns = {name: newest[name] for name in _NEWEST}
    columns["content_cluster"] = columns.pop("content_key")
    columns |= of_event
    return event.select(
        **{name: columns[name] if name in columns else event[name] for name in arrow_schema(Complaints).names}
    )


def _strings(values: ir.ArrayValue) -> ir.ArrayValue:
    """``values`` without nulls and doubles, sorted; empty where there are none."""
    return values.unique().sort().fill_null(ibis.literal([], type="array<string>"))
