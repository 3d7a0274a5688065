"""Layer enriched: what each complaint is about, how bad it is, where, and what it repeats."""

from collections.abc import Mapping
from datetime import date, timedelta
from itertools import groupby

import dagster as dg
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
from complaint_assets.assets.complaints import COMPLAINTS, complaints
from complaint_assets.enrichment.classifications import forget_gone, keep_superseded, kept_under
from complaint_assets.ledger import Ledger
from complaint_assets.logic.complaints.links import CONTACT, link_repeats, of_same_customers
from complaint_assets.logic.digest import digests_by
from complaint_assets.logic.enriched.enrich import assemble, with_repeats
from complaint_assets.logic.enriched.spread import enrich_spread
from complaint_assets.logic.plan import enriched_inputs
from complaint_assets.partitions import chunks, event_dates
from complaint_assets.schemas.enriched import EnrichedComplaints
from complaint_assets.schemas.types import arrow_schema
from complaint_assets.taxonomy import Rules, load_rules
from resources.failpoints import failpoint
from resources.settings import settings
from resources.stores import Stores
from resources.tables import Tables, in_dates

ENRICHED = arrow_schema(EnrichedComplaints)


def enrich_dates(tables: Tables, dates: list[date], rules: Rules) -> pa.Table:
    """The enriched complaints of ``dates``, linked to what they repeat.

    Repeats look back across midnight: of the day before, the complaints of the same customers are enriched
    too, so that the links do not depend on what has been built already.
    """
    of_dates = tables.scan(
        "complaints", COMPLAINTS, where=[("event_date", ">=", dates[0]), ("event_date", "<=", dates[-1])]
    )
    enriched = enrich_spread(of_dates, rules)
    before = tables.scan("complaints", COMPLAINTS, where=[("event_date", "=", dates[0] - timedelta(days=1))])
    before = before.filter(of_same_customers(before, of_dates))
    contacts = [contacts_of(of_dates, enriched), contacts_of(before, enrich_spread(before, rules))]
    links = link_repeats(pa.concat_tables(contacts), settings().repeat_hours, settings().link_most)
    position = pc.index_in(enriched["complaint_id"], value_set=links["complaint_id"])
    repeat_of = pc.take(links["repeat_of"], position)
    return with_repeats(enriched, repeat_of, rules)


def restore(tables: Tables, dates: list[date], kept: pa.Table, rules: Rules) -> pa.Table | None:
    """The enriched complaints of ``dates`` from what ``kept`` says of them; None unless it says all."""
    of_dates = tables.scan(
        "complaints", COMPLAINTS, where=[("event_date", ">=", dates[0]), ("event_date", "<=", dates[-1])]
    )
    position = pc.index_in(of_dates["complaint_id"], value_set=kept["complaint_id"].combine_chunks())
    return None if position.null_count else assemble(of_dates, kept.take(position), rules)


def rebuilt(tables: Tables, dates: list[date], rules: Rules, wanted: Mapping[date, str]) -> pa.Table:
    """The enriched complaints of ``dates``; those kept of an earlier time under ``rules`` as they were.

    Args:
        tables: the row tables.
        dates: event dates, consecutive.
        rules: the active rules.
        wanted: digest of the inputs of the dates that are out of date. What is asked for though it is up to date
            is worked out anew.
    """
    kept = kept_under(tables, rules.version, wanted)
    known = set(kept["event_date"].unique().to_pylist())
    parts = []
    for is_kept, group in groupby(dates, known.__contains__):
        part = list(group)
        restored = restore(tables, part, kept, rules) if is_kept else None
        parts.append(enrich_dates(tables, part, rules) if restored is None else restored)
    return pa.concat_tables(parts)


def contacts_of(complaints: pa.Table, enriched: pa.Table) -> pa.Table:
    """The columns that links need; ``enriched`` is ``complaints`` enriched, row by row."""
    return complaints.append_column("category", enriched["category"]).select(CONTACT)


@dg.asset(
    deps=[
        dg.AssetDep(
            complaints,
            # Repeats look back one day.
            partition_mapping=dg.TimeWindowPartitionMapping(
                start_offset=-1, allow_nonexistent_upstream_partitions=True
            ),
        )
    ],
    partitions_def=event_dates,
    backfill_policy=ONE_RUN,
    group_name="enriched",
    owners=[OWNER],
    kinds={"python", "deltalake"},
    tags={"pii": "masked"},
    code_version=load_rules(settings().country, settings().taxonomy).version,
    metadata=table_metadata(EnrichedComplaints),
    retry_policy=RETRIES,
    freshness_policy=STREAMING_FRESHNESS,
    description=(
        "Each complaint with class, category and evidence, sentiment, severity and its reasons, language, region "
        "and the earlier complaint that it repeats. The code version is the version of the rules."
    ),
)
def enriched_complaints(context: dg.AssetExecutionContext, stores: Stores) -> dg.MaterializeResult:
    """Enrich the complaints of the run's event dates."""
    ledger = Ledger(stores.tables)
    fence = ledger.fence("enriched_complaints")
    built = ledger.builds().get("complaints", {})
    rules = load_rules(settings().country, settings().taxonomy)
    standing = ledger.builds().get("enriched_complaints", {})
    figures: dict[str, dict[str, float]] = {}
    counted = {row["event_date"]: row.get("rows", 0) for row in ledger.event_dates()}
    for dates in chunks(run_dates(context), counted):
        inputs = {day: enriched_inputs(built, day, rules.version) for day in dates if day in built}
        stale = {d: digest for d, digest in inputs.items() if d not in standing or standing[d].inputs != digest}
        rows = rebuilt(stores.tables, dates, rules, stale)
        failpoint("enriched.computed")
        keep_superseded(stores.tables, dates, rules.version, standing)
        stores.tables.replace(
            "enriched_complaints",
            rows,
            schema=ENRICHED,
            partition_by=["event_date", "channel"],
            where=in_dates("event_date", dates),
            sort_by=["occurred_at", "complaint_id"],
            statistics=["event_date", "channel", "source"],
            since=fence["enriched_complaints"],
        )
        failpoint("enriched.stored")
        forget_gone(stores.tables, dates, rows["complaint_id"])
        outputs = digests_by(rows, "event_date")
        ledger.record_builds("enriched_complaints", inputs, outputs, fence)
        failpoint("enriched.recorded")
        for day, (_, count) in outputs.items():
            of_day = rows.filter(pc.equal(rows["event_date"], pa.scalar(day, pa.date32())))
            figures[day.isoformat()] = {
                "dagster/partition_row_count": count,
                "unclassified_share": pc.mean(pc.equal(of_day["category"], "other")).as_py(),
                "without_sentiment_share": pc.mean(pc.is_null(of_day["sentiment"])).as_py(),
                "mean_severity": pc.mean(of_day["severity"]).as_py(),
                "repeats": count - of_day["repeat_of"].null_count,
            }
        context.log.info(f"enriched up to {dates[-1]}: {rows.num_rows} rows")
    add_partition_metadata(context, figures)
    return dg.MaterializeResult()
