"""From what is out of date to runs: used alike by the sensors and by ``complaints run``."""

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

import dagster as dg

from complaint_assets.jobs import PUBLISHED
from complaint_assets.ledger import Ledger
from complaint_assets.orphans import HOST, host
from complaint_assets.partitions import event_dates, ranges, slots_of
from resources.stores import Stores

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"

IDLE_SLOTS = 24
"""Slots between two ranges that are taken in again rather than starting a run of their own."""


@dataclass(frozen=True)
class PlannedRun:
    """A job over one contiguous range of partitions, or without partitions."""

    job: str
    first: str = ""
    last: str = ""
    run_config: dict[str, Any] = field(default_factory=dict)

    @property
    def tags(self) -> dict[str, str]:
        """Where the run was asked for, and Dagster's tags for a range of partitions."""
        partitions = {RANGE_START: self.first, RANGE_END: self.last} if self.first else {}
        return {HOST: host(), **partitions}

    def key(self, *parts: str) -> str:
        """A run key: the same job, range and ``parts`` are asked for once only."""
        digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
        return f"{self.job}:{self.first}:{self.last}:{digest}"


def ingest_runs(channel: str, slots: list[str], sealed_marks: list[str]) -> list[PlannedRun]:
    """Runs that take in ``slots`` of ``channel``."""
    config = {"ops": {f"raw__{channel}": {"config": {"sealed": sorted(sealed_marks)}}}} if sealed_marks else {}
    return [
        PlannedRun(f"ingest_{channel}", first, last, config)
        for first, last in ranges(slots, slots_of(channel), idle=IDLE_SLOTS)
    ]


def build_runs(stores: Stores, instance: dg.DagsterInstance) -> list[PlannedRun]:
    """The next runs on the way to everything being up to date; none when it is.

    A single range of event dates is rebuilt and published in one run, as a run's start costs more than its
    work. Several are rebuilt one by one, then those whose baseline was restated, then all is published once.
    """
    pending = Ledger(stores.tables).pending_dates()
    runs = [
        PlannedRun(job, first, last)
        for job, dates in (("build_dates", pending.chain), ("restate_metrics", pending.metrics))
        for first, last in ranges([day.isoformat() for day in dates], event_dates)
    ]
    if len(runs) == 1 and pending.chain:
        return [replace(runs[0], job="build")]
    if not runs and unpublished(stores, instance):
        return [PlannedRun("publish")]
    return runs


def unpublished(stores: Stores, instance: dg.DagsterInstance) -> bool:
    """Whether anything that is made from the warehouse as a whole is older than what it is made from.

    The ledger is asked too: a run killed between its last record and Dagster's event has told Dagster nothing.
    """
    recorded = stores.tables.changed_at("builds", "layer")
    return any(
        materialised_at(instance, asset.key)
        < max(recorded.get(upstream.to_user_string(), 0.0), materialised_at(instance, upstream))
        for asset in PUBLISHED
        for upstream in asset.asset_deps[asset.key]
    )


def materialised_at(instance: dg.DagsterInstance, key: dg.AssetKey) -> float:
    """When ``key`` was last materialised, in seconds since 1970; 0 = never."""
    event = instance.get_latest_materialization_event(key)
    return event.timestamp if event else 0.0
