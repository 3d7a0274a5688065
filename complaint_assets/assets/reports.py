"""Layer reports: one self-contained page per audience, made of counts alone."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import ibis
import pandas as pd
import pyarrow.compute as pc

from complaint_assets.assets.common import (
    DAILY_FRESHNESS,
    OWNER,
    RETRIES,
    STALE_AFTER,
    STREAMING_FRESHNESS,
    WAREHOUSE_POOL,
)
from complaint_assets.assets.surges import METRICS, surge_forecast, surge_metrics, surges
from complaint_assets.assets.warehouse import FACTS, complaint_facts
from complaint_assets.ledger import Ledger
from complaint_assets.logic.report import (
    OperationsData,
    ReportingData,
    figures,
    operations_report,
    reporting_report,
)
from complaint_assets.logic.surges.counts import midnight
from complaint_assets.metrics import load_metrics
from complaint_assets.schemas.standardised import Quarantine
from complaint_assets.schemas.surges import SurgeForecast, Surges
from complaint_assets.schemas.types import CHANNELS, arrow_schema
from resources.failpoints import failpoint
from resources.settings import settings
from resources.stores import Stores
from resources.warehouse import Warehouse

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)


def operations_data(stores: Stores, warehouse: Warehouse, until: datetime) -> OperationsData:
    """Two weeks by the hour up to ``until``; the last day beside the same day a week before."""
    now, before = (until - DAY, until), (until - WEEK - DAY, until - WEEK)
    with warehouse.session() as session:
        forecast = warehouse.ibis_table(session, "surge_forecast", arrow_schema(SurgeForecast))
        ahead = forecast.filter(forecast.category == "all").to_pandas()
        return OperationsData(
            forecast=ahead, **common_data(stores, warehouse, session, (until - 2 * WEEK, until, "h"), now, before)
        )


def reporting_data(stores: Stores, warehouse: Warehouse, until: datetime) -> ReportingData:
    """Eight weeks of whole days before ``until``; the last week beside the one before it."""
    end = midnight(until.date())
    now, before = (end - WEEK, end), (end - 2 * WEEK, end - WEEK)
    with warehouse.session() as session:
        return ReportingData(**common_data(stores, warehouse, session, (end - 8 * WEEK, end, "D"), now, before))


def common_data(
    stores: Stores,
    warehouse: Warehouse,
    session: ibis.BaseBackend,
    shown: tuple[datetime, datetime, str],
    now: tuple[datetime, datetime],
    before: tuple[datetime, datetime],
) -> dict[str, Any]:
    """What both reports tell: ``shown`` = first, end and unit of the volume; two periods to compare."""
    facts = warehouse.ibis_table(session, "complaint_facts", FACTS)
    hourly = warehouse.ibis_table(session, "surge_metrics", METRICS)
    metrics = load_metrics()
    found = warehouse.ibis_table(session, "surges", arrow_schema(Surges)).to_pandas()
    lately = (found["status"] == "open") | (found["last_hour_at"] >= shown[0])
    newest = facts.occurred_at.max().to_pyarrow().as_py()
    arrivals = figures.deliveries_by_channel(facts, *now)
    limits = [STALE_AFTER[channel] / HOUR for channel in CHANNELS]
    health = pd.DataFrame({"channel": CHANNELS, "stale_after_hours": limits})
    health = health.merge(arrivals, on="channel", how="left").fillna({"deliveries": 0, "duplicates": 0})
    reasons = stores.tables.scan("quarantine", arrow_schema(Quarantine), columns=["reason"])["reason"]
    return {
        "as_of": datetime.now(UTC),
        "data_until": newest,
        "current": figures.period(metrics, facts, *now),
        "previous": figures.period(metrics, facts, *before),
        "volume": figures.volume(metrics, facts, hourly, *shown),
        "surges": found[lately],
        "heat": figures.compared(facts, ["category", "region"], now, before),
        "channels": figures.compared(facts, ["channel"], now, before),
        "sentiment": figures.by_sentiment(metrics, facts, *now),
        "severity": figures.by_severity(facts, *now),
        "health": health,
        "quarantine": pd.DataFrame(
            [(row["values"], row["counts"]) for row in pc.value_counts(reasons).to_pylist()],
            columns=["reason", "records"],
        ),
        "region_names": region_names(settings().country),
    }


def region_names(country: str) -> dict[str, str]:
    """Names of the subdivisions of ``country`` by ISO 3166-2 code."""
    import pycountry  # slow to import, needed only here

    return {part.code: part.name for part in pycountry.subdivisions.get(country_code=country) or ()}


def build_report(
    audience: str,
    deps: list[dg.AssetsDefinition],
    render: Callable[[Stores, Warehouse, datetime], str],
    freshness: dg.FreshnessPolicy,
) -> dg.AssetsDefinition:
    """The report for ``audience``: one HTML file, replaced in one step."""

    @dg.asset(
        key=["reports", audience],
        deps=deps,
        group_name="reports",
        owners=[OWNER],
        kinds={"html"},
        tags={"role": audience, "pii": "none"},
        code_version="1",
        retry_policy=RETRIES,
        freshness_policy=freshness,
        pool=WAREHOUSE_POOL,
        description=f"One self-contained page for {audience}: no script, no remote part, counts only.",
    )
    def report(stores: Stores, warehouse: Warehouse) -> dg.MaterializeResult:
        html = render(stores, warehouse, Ledger(stores.tables).as_of() or datetime.now(UTC))
        path = settings().reports / f"{audience}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        unfinished.write_text(html, encoding="utf-8")
        failpoint("report.written")
        unfinished.replace(path)
        failpoint("report.replaced")
        return dg.MaterializeResult(metadata={"file": dg.MetadataValue.path(path), "bytes": len(html.encode())})

    return report


report_assets = [
    build_report(
        "operations",
        [complaint_facts, surge_metrics, surges, surge_forecast],
        lambda stores, warehouse, until: operations_report(operations_data(stores, warehouse, until)),
        STREAMING_FRESHNESS,
    ),
    build_report(
        "reporting",
        [complaint_facts, surge_metrics, surges],
        lambda stores, warehouse, until: reporting_report(reporting_data(stores, warehouse, until)),
        DAILY_FRESHNESS,
    ),
]
