"""Layer complaints: one row per real-world event, merged from every delivery of it."""

from datetime import date

import dagster as dg
import ibis
import pyarrow as pa
import pyarrow.compute as pc

from complaint_assets.assets.common import (
    ONE_RUN,
    OWNER,
    RETRIES,
    STREAMING_FRESHNESS,
    add_partition_metadata,
    run_dates,
    table_metadata,
)
from complaint_assets.contracts import load_contracts
from complaint_assets.ledger import Ledger
from complaint_assets.logic.complaints.deduplicate import merge_deliveries
from complaint_assets.logic.digest import digests_by
from complaint_assets.logic.evaluate import evaluate
from complaint_assets.logic.plan import complaint_inputs, digest_of
from complaint_assets.partitions import chunks, event_dates
from complaint_assets.schemas.complaints import Complaints
from complaint_assets.schemas.standardised import Standardised
from complaint_assets.schemas.types import CHANNELS, arrow_schema
from resources.failpoints import failpoint
from resources.settings import settings
from resources.stores import Stores
from resources.tables import Tables, in_dates

COMPLAINTS = arrow_schema(Complaints)
STANDARDISED = arrow_schema(Standardised)


def unify(tables: Tables, dates: list[date], moving: list[str]) -> pa.Table:
    """The complaints whose event date is in ``dates``.

    Args:
        tables: the row tables.
        dates: event dates, consecutive.
        moving: sources that may move the time of a record. Their records, and those that count as of their
            arrival, are looked up on every date: the earliest time given for a record is its event date,
            wherever its deliveries lie.
    """
    window = [("event_date", ">=", dates[0]), ("event_date", "<=", dates[-1])]
    found = tables.scan("standardised", STANDARDISED, where=window)
    of_moving = pc.is_in(found["source"], value_set=pa.array(moving, pa.string()))
    undated = pc.equal(found["occurred_at_quality"], "received")
    movable = found.filter(pc.or_(of_moving, undated))
    if movable.num_rows:
        sources = ("source", "in", pc.unique(movable["source"]).to_pylist())
        same = ("complaint_id", "in", pc.unique(movable["complaint_id"]).to_pylist())
        elsewhere = tables.scan("standardised", STANDARDISED, where=[sources, same])
        outside = pc.invert(pc.is_in(elsewhere["event_date"], value_set=pa.array(dates, pa.date32())))
        found = pa.concat_tables([found, elsewhere.filter(outside)])

    def of_dates(deliveries: ibis.Table) -> ibis.Table:
        merged = merge_deliveries(deliveries)
        return merged.filter(merged.event_date.between(dates[0], dates[-1]))

    return evaluate(of_dates, found).select(COMPLAINTS.names).cast(COMPLAINTS)


@dg.asset(
    deps=[dg.AssetKey(["standardised", channel]) for channel in CHANNELS],
    partitions_def=event_dates,
    backfill_policy=ONE_RUN,
    group_name="complaints",
    owners=[OWNER],
    kinds={"duckdb", "deltalake"},
    tags={"pii": "masked"},
    code_version="1",
    metadata=table_metadata(Complaints),
    retry_policy=RETRIES,
    freshness_policy=STREAMING_FRESHNESS,
    description=(
        "One row per real-world event. Every column is an order-free aggregate over the event's deliveries, so "
        "redeliveries, reruns and backfills cannot change it; people who use the same words are never merged."
    ),
)
def complaints(context: dg.AssetExecutionContext, stores: Stores) -> dg.MaterializeResult:
    """Merge the deliveries of the run's event dates."""
    ledger = Ledger(stores.tables)
    # Taken before anything is read: what arrives meanwhile makes the date pending again.
    fence = ledger.fence("complaints")
    inputs = complaint_inputs(ledger.intake())
    known = ledger.builds().get("complaints", {})
    contracts = load_contracts(settings().contract_folders())
    moving = sorted({contract.source for contract in contracts.values() if contract.event_time_moves})
    figures: dict[str, dict[str, float]] = {}
    counted = pc.value_counts(
        stores.tables.scan("standardised", STANDARDISED, columns=["event_date"])["event_date"]
    )
    deliveries = {row["values"]: row["counts"] for row in counted.to_pylist()}
    for dates in chunks(run_dates(context), deliveries):
        rows = unify(stores.tables, dates, moving)
        failpoint("complaints.unified")
        stores.tables.replace(
            "complaints",
            rows,
            schema=COMPLAINTS,
            partition_by=["event_date", "channel"],
            where=in_dates("event_date", dates),
            sort_by=["occurred_at", "complaint_id"],
            statistics=["event_date", "channel", "source"],
            since=fence["complaints"],
        )
        failpoint("complaints.stored")
        outputs = digests_by(rows, "event_date")
        built = {day: inputs.get(day, digest_of([])) for day in dates if day in inputs or day in known}
        ledger.record_builds("complaints", built, outputs, fence)
        failpoint("complaints.recorded")
        for day, (_, count) in outputs.items():
            of_day = rows.filter(pc.equal(rows["event_date"], pa.scalar(day, pa.date32())))
            figures[day.isoformat()] = {
                "dagster/partition_row_count": count,
                "duplicate_deliveries": pc.sum(of_day["deliveries"]).as_py() - count,
                "amplifications": pc.sum(of_day["is_amplification"]).as_py(),
            }
    add_partition_metadata(context, figures)
    return dg.MaterializeResult()
