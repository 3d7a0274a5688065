"""Layer surges: counts against expectation, the incidents in them, and what the next day should bring."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import dagster as dg
import ibis
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
from complaint_assets.assets.enriched import ENRICHED
from complaint_assets.assets.warehouse import FACTS, complaint_facts
from complaint_assets.ledger import Ledger
from complaint_assets.logic.digest import digests_by
from complaint_assets.logic.enriched.phrases import phrases
from complaint_assets.logic.identify import Keys
from complaint_assets.logic.plan import BASELINE_DAYS, metric_inputs
from complaint_assets.logic.surges.forecast import forecast
from complaint_assets.logic.surges.incidents import transitions
from complaint_assets.logic.surges.surge_metrics import hourly_counts
from complaint_assets.logic.surges.surge_metrics import surge_metrics as measure
from complaint_assets.partitions import event_dates
from complaint_assets.schemas.surges import SurgeForecast, SurgeMetrics, Surges, SurgeTransitions
from complaint_assets.schemas.types import arrow_schema, from_pandas, to_pandas
from complaint_assets.surges.calendars import load_calendar
from complaint_assets.surges.replays import surge_rows
from complaint_assets.taxonomy import load_rules
from resources.failpoints import failpoint
from resources.replays import Replays
from resources.settings import settings
from resources.stores import Stores
from resources.warehouse import ON_COMMIT, Warehouse

METRICS = arrow_schema(SurgeMetrics)
EVIDENCE_DAYS = 7
"""How long before the newest incident an incident is told with words and examples."""
EXAMPLES = 5


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
    code_version="3",
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
    rows = from_pandas(measure(counts, dates, as_of, load_calendar(settings().calendar)), SurgeMetrics)
    failpoint("metrics.computed")
    if expired.intersection(run_dates(context)):  # their counts outlive the facts that they were made from
        standing = warehouse.read("surge_metrics", METRICS)
        kept = pa.array(sorted(expired.intersection(run_dates(context))), pa.date32())
        rows = pa.concat_tables([rows, standing.filter(pc.is_in(standing["event_date"], value_set=kept))])
    outputs = digests_by(rows, "event_date")
    frame = to_pandas(rows)
    frame.attrs[ON_COMMIT] = partial(ledger.record_builds, "surge_metrics", inputs, outputs, fence)
    per_day = rows.group_by("event_date").aggregate(
        [
            ("subjects", "sum"),
            ("expected", "sum"),
            ("upper_95", "sum"),
            ("amplifications", "sum"),
            ("score", "max"),
        ]
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
    deps=[surge_metrics],
    group_name="surges",
    owners=[OWNER],
    kinds={"duckdb", "pandas"},
    tags={"pii": "none"},
    code_version="4",
    metadata=table_metadata(Surges),
    retry_policy=RETRIES,
    freshness_policy=STREAMING_FRESHNESS,
    pool=WAREHOUSE_POOL,
    description=(
        "Incidents: places and matters with more complainants than chance explains, one per outage, found by "
        "replaying all hours in order, from the first day that changed. A rerun or a restatement keeps their ids."
    ),
)
def surges(stores: Stores, warehouse: Warehouse) -> dg.MaterializeResult[pd.DataFrame]:
    """Find the incidents."""
    home = settings()
    pseudonym = partial(Keys(stores.vault.secret).pseudonym, "surge")
    rules = load_rules(home.country, home.taxonomy)
    gravity = {name: float(known.severity) for name, known in rules.categories.items()}
    kept = Replays(home.replays)
    rows = surge_rows(warehouse, kept, pseudonym, load_calendar(home.calendar), gravity)
    found = to_pandas(pa.Table.from_pylist(rows, arrow_schema(Surges)))
    frame = to_pandas(from_pandas(with_evidence(found, stores, warehouse), Surges))
    is_open = frame["status"] == "open"
    return dg.MaterializeResult(
        value=frame,
        metadata={
            "dagster/row_count": len(frame),
            "open": int(is_open.sum()),
            "excess_of_open": float(frame["excess"][is_open].sum() or 0),
        },
    )


def with_evidence(found: pd.DataFrame, stores: Stores, warehouse: Warehouse) -> pd.DataFrame:
    """``found`` with phrases and example complaints of the incidents of the last ``EVIDENCE_DAYS`` days."""
    if found.empty:
        return found
    lately = found["last_hour_at"].max() - timedelta(days=EVIDENCE_DAYS)
    rows: list[dict[str, Any]] = [{str(k): v for k, v in row.items()} for row in found.to_dict("records")]
    with warehouse.session() as connection:
        facts = warehouse.ibis_table(connection, "complaint_facts", FACTS)
        for row in rows:
            if row["last_hour_at"] >= lately:
                row["example_ids"] = examples(facts, row)
                row["phrases"] = words_of(stores, row)
    return pd.DataFrame(rows, columns=found.columns)


def examples(facts: ibis.Table, surge: Mapping[str, Any]) -> list[str]:
    """Ids of the gravest complaints of ``surge``."""
    inside = facts.filter(
        facts.is_complaint, facts.event_hour.between(surge["started_at"].floor("h"), surge["last_hour_at"])
    )
    for key in ("channel", "category"):
        if isinstance(surge[key], str):
            inside = inside.filter(inside[key] == surge[key])
    if len(surge["regions"]):
        inside = inside.filter(inside.region.isin(list(surge["regions"])))
    gravest = inside.order_by(inside.severity.desc(), inside.complaint_id).limit(EXAMPLES)
    return list(gravest.complaint_id.to_pyarrow().to_pylist())


def words_of(stores: Stores, surge: Mapping[str, Any]) -> list[str]:
    """Phrases of ``surge`` against the same matter in the day before."""
    begin, end = surge["started_at"], surge["last_hour_at"] + timedelta(hours=1)
    texts = stores.tables.scan(
        "enriched_complaints",
        ENRICHED,
        columns=["complaint_id", "subject_id", "occurred_at", "channel", "category", "region", "masked_text"],
        where=[("event_date", ">=", (begin - timedelta(days=1)).date()), ("event_date", "<=", end.date())],
    )
    inside, before = [], []
    for row in texts.to_pylist():
        if not row["masked_text"] or any(
            isinstance(surge[key], str) and row[key] != surge[key] for key in ("channel", "category")
        ):
            continue
        said = (row["subject_id"] or row["complaint_id"], row["masked_text"])
        if row["occurred_at"] < begin:
            before.append(said)
        elif row["occurred_at"] < end and (not len(surge["regions"]) or row["region"] in set(surge["regions"])):
            inside.append(said)
    return phrases(inside, before)


@dg.asset(
    group_name="surges",
    owners=[OWNER],
    kinds={"duckdb", "pandas"},
    tags={"pii": "none"},
    code_version="1",
    metadata=table_metadata(SurgeTransitions),
    retry_policy=RETRIES,
    freshness_policy=STREAMING_FRESHNESS,
    pool=WAREHOUSE_POOL,
    description="What happened to each incident and when: opened, updated, escalated, resolved, reopened.",
)
def surge_transitions(surges: pd.DataFrame, stores: Stores) -> dg.MaterializeResult[pd.DataFrame]:
    """List the changes of all incidents."""
    keys = Keys(stores.vault.secret)
    frame = to_pandas(from_pandas(transitions(surges, partial(keys.pseudonym, "surge")), SurgeTransitions))
    return dg.MaterializeResult(value=frame, metadata={"dagster/row_count": len(frame)})


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
