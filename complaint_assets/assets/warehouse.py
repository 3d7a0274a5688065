"""Layer warehouse: the query-optimised table, one narrow row per complaint, no text."""

from functools import partial

import dagster as dg
import pandas as pd

from complaint_assets.assets.common import (
    ONE_RUN,
    OWNER,
    RETRIES,
    STREAMING_FRESHNESS,
    WAREHOUSE_POOL,
    add_partition_metadata,
    run_dates,
    table_metadata,
)
from complaint_assets.assets.enriched import ENRICHED, enriched_complaints
from complaint_assets.ledger import Ledger
from complaint_assets.logic.digest import digests_by
from complaint_assets.logic.evaluate import evaluate
from complaint_assets.logic.facts import facts_of
from complaint_assets.partitions import event_dates
from complaint_assets.schemas.types import arrow_schema, to_pandas
from complaint_assets.schemas.warehouse import ComplaintFacts
from resources.failpoints import failpoint
from resources.stores import Stores
from resources.warehouse import ON_COMMIT

FACTS = arrow_schema(ComplaintFacts)


@dg.asset(
    deps=[enriched_complaints],
    partitions_def=event_dates,
    backfill_policy=ONE_RUN,
    group_name="warehouse",
    owners=[OWNER],
    kinds={"duckdb", "pandas"},
    tags={"pii": "pseudonymous"},
    code_version="1",
    metadata=table_metadata(ComplaintFacts, partition_expr="event_date"),
    retry_policy=RETRIES,
    freshness_policy=STREAMING_FRESHNESS,
    pool=WAREHOUSE_POOL,
    description="One narrow row per complaint, without text or identifier: every count comes from here.",
)
def complaint_facts(context: dg.AssetExecutionContext, stores: Stores) -> dg.MaterializeResult[pd.DataFrame]:
    """Narrow the enriched complaints of the run's event dates."""
    ledger = Ledger(stores.tables)
    fence = ledger.fence()
    built = ledger.builds().get("enriched_complaints", {})
    dates = run_dates(context)
    enriched = stores.tables.scan(
        "enriched_complaints",
        ENRICHED,
        columns=[name for name in ENRICHED.names if name not in ("masked_text", "evidence")],
        where=[("event_date", ">=", dates[0]), ("event_date", "<=", dates[-1])],
    )
    rows = evaluate(facts_of, enriched).select(FACTS.names).cast(FACTS)
    outputs = digests_by(rows, "event_date")
    add_partition_metadata(
        context, {day.isoformat(): {"dagster/partition_row_count": n} for day, (_, n) in outputs.items()}
    )
    failpoint("facts.computed")
    frame = to_pandas(rows)
    inputs = {day: built[day].output for day in dates if day in built}
    # Remembered only once the rows are stored: a run killed in between leaves the dates pending.
    frame.attrs[ON_COMMIT] = partial(ledger.record_builds, "complaint_facts", inputs, outputs, fence)
    return dg.MaterializeResult(value=frame)
