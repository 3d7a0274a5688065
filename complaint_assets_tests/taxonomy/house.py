"""A small home whose complaints are enriched by the asset itself."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
from typer.testing import CliRunner

from complaint_assets.assets.complaints import COMPLAINTS
from complaint_assets.assets.enriched import ENRICHED, enriched_complaints
from complaint_assets.cli import app
from complaint_assets.ledger import Ledger
from complaint_assets.logic.digest import digests_by
from complaint_assets.logic.plan import enriched_inputs
from complaint_assets.taxonomy import load_rules
from resources.settings import settings
from resources.stores import Stores
from resources.tables import Tables

DAYS = [date(2026, 11, 3), date(2026, 11, 4)]
PHONE = "08031234567"
LAMP = f"My HomeHub keeps blinking, call me on {PHONE}"
RANGE = {
    "dagster/asset_partition_range_start": str(DAYS[0]),
    "dagster/asset_partition_range_end": str(DAYS[-1]),
}
SAID = [
    (0, DAYS[0], "sms", LAMP),
    (1, DAYS[0], "sms", "no network in Yaba"),
    (2, DAYS[1], "web_form", LAMP),
]
NEW_RULE = '      - {id: lamp, weight: 4, any: [homehub .. blink*], examples: ["My HomeHub keeps blinking"]}\n'
BEFORE = '      - id: faulty\n        examples: ["The router'


def complaint(number: int, day: date, channel: str, text: str) -> dict[str, Any]:
    at = datetime(day.year, day.month, day.day, 9, number, tzinfo=UTC)
    known = {
        "complaint_id": f"{number:026}",
        "first_delivery_id": f"{number:026}",
        "subject_id": "s" * 26,
        "subject_refs": [],
        "channel": channel,
        "source": "gateway",
        "feeds": [],
        "record_version": 0,
        "event_date": day,
        "occurred_at": at,
        "first_received_at": at,
        "last_received_at": at,
        "occurred_at_quality": "exact",
        "deliveries": 1,
        "is_amplification": False,
        "attributes": "{}",
        "quality_flags": [],
        "text": text,
    }
    return {**dict.fromkeys(COMPLAINTS.names), **known}


@cache
def job() -> dg.JobDefinition:
    """A run of the enriched complaints alone."""
    selected = dg.define_asset_job("enrich", [enriched_complaints])
    stores = Stores(lake_url="", inbox_url="", tables_url="", queue_url="")
    defs = dg.Definitions([enriched_complaints], jobs=[selected], resources={"stores": stores})
    return defs.resolve_job_def("enrich")


@dataclass
class House:
    """A home with unified complaints, enriched by the asset itself."""

    path: Path

    @property
    def tables(self) -> Tables:
        return Tables(str(self.path / "tables"))

    def tell(self, *said: tuple[int, date, str, str]) -> None:
        """Replace the complaints of the dates in ``said``."""
        rows = pa.Table.from_pylist([complaint(*one) for one in said], schema=COMPLAINTS)
        days = {one[1] for one in said}
        for day in days:
            of_day = rows.filter(pa.compute.equal(rows["event_date"], pa.scalar(day, pa.date32())))
            self.tables.replace(
                "complaints",
                of_day,
                schema=COMPLAINTS,
                partition_by=["event_date"],
                where=f"event_date = CAST('{day}' AS DATE)",
                sort_by=["complaint_id"],
                statistics=["event_date"],
            )
        outputs = digests_by(rows, "event_date")
        Ledger(self.tables).record_builds("complaints", {day: f"i{outputs[day]}" for day in days}, outputs)

    def enrich(self) -> None:
        """One run over both dates."""
        path = str(self.path)
        stores = Stores(
            lake_url=f"{path}/lake", inbox_url=f"{path}/inbox", tables_url=f"{path}/tables", queue_url=f"{path}/q"
        )
        with dg.DagsterInstance.ephemeral() as instance:
            assert job().execute_in_process(instance=instance, tags=RANGE, resources={"stores": stores}).success

    def pending(self) -> list[date]:
        builds = Ledger(self.tables).builds()
        rules = load_rules("NG", settings().taxonomy).version
        enriched = builds.get("enriched_complaints", {})
        return [
            day
            for day in DAYS
            if day not in enriched or enriched[day].inputs != enriched_inputs(builds["complaints"], day, rules)
        ]

    def enriched(self) -> pa.Table:
        return self.tables.scan("enriched_complaints", ENRICHED).sort_by("complaint_id")

    def call(self, *arguments: object) -> Any:
        """What ``complaints taxonomy ... --json`` prints."""
        done = CliRunner().invoke(app, ["taxonomy", *map(str, arguments), "--json"], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def change(self, folder: Path) -> dict[str, Any]:
        """Try and apply the rules in ``folder``."""
        (tried,) = self.call("try", folder)
        (change,) = self.call(
            "apply", folder, "--confirm", tried["confirm"], "--author", "Ada", "--reason", "a new box"
        )
        return {**tried, **change}

    def roll_back(self) -> dict[str, Any]:
        (change,) = self.call("rollback", "--author", "Bo", "--reason", "too many")
        return dict(change)
