"""The code location: every asset, check, job, schedule and sensor, bound to this home's resources."""

from typing import Any

import dagster as dg

from complaint_assets.assets.complaints import complaints
from complaint_assets.assets.enriched import enriched_complaints
from complaint_assets.assets.marts import customer_features, mart_assets
from complaint_assets.assets.privacy import privacy_assets
from complaint_assets.assets.raw import raw_assets
from complaint_assets.assets.reports import report_assets
from complaint_assets.assets.standardised import standardised_assets
from complaint_assets.assets.subjects import subject_links, subjects
from complaint_assets.assets.surge_backtest import surge_backtest
from complaint_assets.assets.surges import surge_forecast, surge_metrics, surge_transitions, surges
from complaint_assets.assets.taxonomy import calibration, emerging_terms
from complaint_assets.assets.warehouse import complaint_facts
from complaint_assets.checks import default_checks
from complaint_assets.checks.freshness import freshness_job
from complaint_assets.jobs import default_jobs
from complaint_assets.schedules import default_schedules
from complaint_assets.sensors.alerts import (
    alert_delivery,
    build_check_alerts,
    build_freshness_alerts,
    run_failure_alerts,
)
from complaint_assets.sensors.landing import landing_sensors
from complaint_assets.sensors.propagation import propagation
from complaint_assets.sensors.reaper import reaper
from complaint_assets.sensors.watch import intake_alerts, surge_alerts
from resources.notifier import Notifier
from resources.settings import Settings, settings
from resources.stores import Stores
from resources.warehouse import Warehouse, WarehouseIOManager

default_assets = [
    *raw_assets,
    *standardised_assets,
    complaints,
    enriched_complaints,
    complaint_facts,
    surge_metrics,
    surges,
    surge_transitions,
    surge_forecast,
    surge_backtest,
    customer_features,
    subject_links,
    subjects,
    emerging_terms,
    calibration,
    *mart_assets,
    *report_assets,
    *privacy_assets,
]


def default_resources(home: Settings) -> dict[str, Any]:
    """The resources of the home that ``home`` describes."""
    return {
        "stores": Stores(
            lake_url=home.lake_url(),
            inbox_url=home.inbox_url(),
            tables_url=str(home.tables),
            queue_url=home.queue_url(),
            environment=home.env,
        ),
        "warehouse": Warehouse(database=str(home.warehouse)),
        "io_manager": WarehouseIOManager(database=str(home.warehouse), schema="warehouse"),
        "notifier": Notifier(
            folder=str(home.alerts), webhook_url=home.webhook, routes=str(home.routes), ui_url=home.ui()
        ),
    }


def build_defs(**overrides: Any) -> dg.Definitions:
    """The definitions, with resources replaced by ``overrides``."""
    return dg.Definitions(
        assets=default_assets,
        asset_checks=default_checks,
        jobs=[*default_jobs, freshness_job],
        schedules=default_schedules,
        sensors=[
            *landing_sensors,
            propagation,
            reaper,
            run_failure_alerts,
            build_check_alerts(default_checks),
            build_freshness_alerts(default_assets),
            surge_alerts,
            intake_alerts,
            alert_delivery,
        ],
        resources={**default_resources(settings()), **overrides},
        executor=dg.in_process_executor,
    )


defs = build_defs()
