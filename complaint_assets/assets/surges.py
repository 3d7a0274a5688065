"""Layer surges: counts against expectation, the incidents in them, and what the next day should bring."""

from datetime import timedelta
from functools import partial

import dagster as dg
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

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
from complaint_assets.assets.warehouse import FACTS, complaint_facts
from complaint_assets.ledger import Ledger
from complaint_assets.logic.digest import digests_by
from complaint_assets.logic.forecast import forecast
from complaint_assets.logic.identify import Keys
from complaint_assets.logic.incidents import find_surges
from complaint_assets.logic.plan import BASELINE_DAYS, metric_inputs
from complaint_assets.logic.surge_metrics import hourly_counts
from complaint_assets.logic.surge_metrics import surge_metrics as measure
from complaint_assets.partitions import event_dates
from complaint_assets.schemas.surges import SurgeForecast, SurgeMetrics, Surges
from complaint_assets.schemas.types import arrow_schema, from_pandas, to_pandas
from resources.failpoints import failpoint
from resources.stores import Stores
from resources.warehouse import ON_COMMIT, Warehouse

METRICS = arrow_schema(SurgeMetrics)


def counts_between(warehouse: Warehouse, first: object, last: object) -> pa.Table:
    """Hourly counts per channel, category and region, for event dates from ``first`` to ``last``."""
    with warehouse.session() as connection:
        facts = warehouse.ibis_table(connection, "complaint_facts", FACTS)
        return hourly_counts(facts.filter(facts.event_date.between(first, last))).to_pyarrow()


@dg.asset(
    deps=[
        dg.AssetDep(
            complaint_facts,
            # Eight weeks of history stand behind every expected count.
            partition_mapping=dg.TimeWindowPartitionMapping(
                start_offset=-BASELINE_DAYS, allow_nonexistent_upstream_partitions=True
            ),
        )
    ],
    partitions_def=event_dates,
    backfill_policy=ONE_RUN,
    group_name="surges",
    owners=[OWNER],
    kinds={"duckdb", "pandas"},
    tags={"pii": "none"},
    code_version="1",
    metadata=table_metadata(SurgeMetrics, partition_expr="event_date"),
    retry_policy=RETRIES,
    freshness_policy=STREAMING_FRESHNESS,
    pool=WAREHOUSE_POOL,
    description=(
        "Distinct complainants per hour, channel, category and region beside what the eight weeks before lead to "
        "expect, with a band and a score. Zeros are explicit; bare reposts weigh nothing."
    ),
)
def surge_metrics(
    context: dg.AssetExecutionContext, stores: Stores, warehouse: Warehouse
) -> dg.MaterializeResult[pd.DataFrame]:
    """Measure the run's event dates."""
    ledger = Ledger(stores.tables)
    fence = ledger.fence()
    facts = ledger.builds().get("complaint_facts", {})
    as_of = ledger.as_of()
    expired = ledger.expired_dates()
    dates = [day for day in run_dates(context) if day in facts and day not in expired]
    if not dates or as_of is None:
        frame = to_pandas(from_pandas(pd.DataFrame(columns=list(SurgeMetrics.to_schema().columns)), SurgeMetrics))
        return dg.MaterializeResult(value=frame)
    inputs = {day: metric_inputs(facts, day, as_of) for day in dates}
    counts = counts_between(warehouse, dates[0] - timedelta(days=BASELINE_DAYS), dates[-1])
    rows = from_pandas(measure(counts, dates, as_of), SurgeMetrics)
    failpoint("metrics.computed")
    if expired.intersection(run_dates(context)):  # their counts outlive the facts that they were made from
        standing = warehouse.read("surge_metrics", METRICS)
        kept = pa.array(sorted(expired.intersection(run_dates(context))), pa.date32())
        rows = pa.concat_tables([rows, standing.filter(pc.is_in(standing["event_date"], value_set=kept))])
    outputs = digests_by(rows, "event_date")
    frame = to_pandas(rows)
    frame.attrs[ON_COMMIT] = partial(ledger.record_builds, "surge_metrics", inputs, outputs, fence)
    per_day = rows.group_by("event_date").aggregate(
        [("subjects", "sum"), ("expected", "sum"), ("amplifications", "sum"), ("score", "max")]
    )
    add_partition_metadata(
        context,
        {
            day["event_date"].isoformat(): {
                "dagster/partition_row_count": outputs[day["event_date"]][1],
                "complainants": day["subjects_sum"],
                "expected_complainants": day["expected_sum"] or 0.0,
                "amplifications": day["amplifications_sum"],
                "highest_score": day["score_max"] or 0.0,
            }
            for day in per_day.to_pylist()
        },
    )
    return dg.MaterializeResult(value=frame)


@dg.asset(
    group_name="surges",
    owners=[OWNER],
    kinds={"duckdb", "pandas"},
    tags={"pii": "none"},
    code_version="1",
    metadata=table_metadata(Surges),
    retry_policy=RETRIES,
    freshness_policy=STREAMING_FRESHNESS,
    pool=WAREHOUSE_POOL,
    description=(
        "Incidents: places and matters with more complainants than chance explains, one per outage, found by "
        "replaying all hours in order. A rerun or a restatement keeps their ids."
    ),
)
def surges(surge_metrics: pd.DataFrame, stores: Stores) -> dg.MaterializeResult[pd.DataFrame]:
    """Find the incidents."""
    keys = Keys(stores.vault.secret)
    found = find_surges(surge_metrics, partial(keys.pseudonym, "surge"))
    frame = to_pandas(from_pandas(found, Surges))
    return dg.MaterializeResult(
        value=frame,
        metadata={"dagster/row_count": len(frame), "open": int((frame["status"] == "open").sum())},
    )


@dg.asset(
    deps=[complaint_facts],
    group_name="surges",
    owners=[OWNER],
    kinds={"duckdb", "pandas"},
    tags={"pii": "none"},
    code_version="1",
    metadata=table_metadata(SurgeForecast),
    retry_policy=RETRIES,
    freshness_policy=STREAMING_FRESHNESS,
    pool=WAREHOUSE_POOL,
    description="Complainants expected in each of the next 24 hours, per category and in all, with bands.",
)
def surge_forecast(stores: Stores, warehouse: Warehouse) -> dg.MaterializeResult[pd.DataFrame]:
    """Forecast from the end of the newest slot."""
    as_of = Ledger(stores.tables).as_of()
    if as_of is None:
        rows = pd.DataFrame(columns=list(SurgeForecast.to_schema().columns))
    else:
        last = as_of.date()
        rows = forecast(counts_between(warehouse, last - timedelta(days=BASELINE_DAYS), last), as_of)
    frame = to_pandas(from_pandas(rows, SurgeForecast))
    whole = frame[frame["category"] == "all"]["expected"].sum()
    return dg.MaterializeResult(
        value=frame, metadata={"dagster/row_count": len(frame), "expected_next_24_hours": float(whole or 0)}
    )
