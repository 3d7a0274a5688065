"""The jobs: one run carries a whole chain, in one process, because a run's start costs more than its work."""

import dagster as dg

from complaint_assets.assets.marts import customer_features, mart_assets
from complaint_assets.assets.privacy import privacy_assets
from complaint_assets.assets.reports import report_assets
from complaint_assets.assets.subjects import subject_links, subjects
from complaint_assets.assets.surges import surge_forecast, surge_transitions, surges
from complaint_assets.assets.taxonomy import calibration, emerging_terms
from complaint_assets.schemas.types import CHANNELS

SERIALISE = "complaints/serialise"
"""Run tag: two runs with the same value never overlap (dagster.yaml)."""

BUILD_TAGS = {SERIALISE: "build"}

PUBLISHED = [
    surges,
    surge_transitions,
    surge_forecast,
    customer_features,
    subject_links,
    subjects,
    emerging_terms,
    calibration,
    *mart_assets,
    *report_assets,
]
"""What has no partitions and is made anew from the warehouse as a whole."""
UNPARTITIONED = dg.AssetSelection.assets(*PUBLISHED)

CHAIN = dg.AssetSelection.assets("complaints", "enriched_complaints", "complaint_facts", "surge_metrics")
"""What is partitioned by event date."""

# What came in is accounted for once the chain has placed it.
ACCOUNTS = dg.AssetSelection.checks(
    *(dg.AssetCheckKey(dg.AssetKey(["raw", channel]), "conservation") for channel in CHANNELS)
)


def ingest_selection(channel: str) -> dg.AssetSelection:
    """A slot of ``channel``, from bytes to canonical rows."""
    raw = dg.AssetSelection.assets(["raw", channel])
    return raw.without_checks() | dg.AssetSelection.assets(["standardised", channel])


ingest_jobs = [
    dg.define_asset_job(
        f"ingest_{channel}",
        selection=ingest_selection(channel),
        description=f"Take in slots of {channel}: raw bytes, then canonical rows and quarantine.",
        tags={SERIALISE: f"ingest_{channel}"},
        executor_def=dg.in_process_executor,
    )
    for channel in CHANNELS
]

build_job = dg.define_asset_job(
    "build",
    selection=CHAIN | UNPARTITIONED | ACCOUNTS,
    description="Rebuild a range of event dates, from unified complaints to marts and reports, with every check.",
    tags=BUILD_TAGS,
    executor_def=dg.in_process_executor,
)

build_dates_job = dg.define_asset_job(
    "build_dates",
    selection=CHAIN,
    description="Rebuild one of several ranges of event dates; publish follows once, after the last.",
    tags=BUILD_TAGS,
    executor_def=dg.in_process_executor,
)

restate_metrics_job = dg.define_asset_job(
    "restate_metrics",
    selection=dg.AssetSelection.assets("surge_metrics"),
    description="Measure event dates again whose baseline was restated; publish follows.",
    tags=BUILD_TAGS,
    executor_def=dg.in_process_executor,
)

publish_job = dg.define_asset_job(
    "publish",
    selection=UNPARTITIONED | ACCOUNTS,
    description="Find surges, compute features, publish every mart, write every report, account for every record.",
    tags=BUILD_TAGS,
    executor_def=dg.in_process_executor,
)

backtest_job = dg.define_asset_job(
    "backtest",
    selection=dg.AssetSelection.assets("surge_backtest"),
    description="Replay the newest weeks with planted outages: how far surges can be trusted.",
    tags=BUILD_TAGS,
    executor_def=dg.in_process_executor,
)

calibrate_job = dg.define_asset_job(
    "calibrate",
    selection=dg.AssetSelection.assets(calibration),
    description="Measure anew how far the rules agree with people.",
    tags=BUILD_TAGS,
    executor_def=dg.in_process_executor,
)

privacy_job = dg.define_asset_job(
    "privacy",
    selection=dg.AssetSelection.assets(*privacy_assets),
    description="Keep the erased erased; remove what has been kept long enough.",
    tags=BUILD_TAGS,
    executor_def=dg.in_process_executor,
)

build_jobs = [build_job, build_dates_job, restate_metrics_job, publish_job]
default_jobs = [*ingest_jobs, *build_jobs, backtest_job, calibrate_job, privacy_job]
