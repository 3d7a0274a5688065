"""Reads and writes the two ledger tables: intake (raw objects) and builds (event-date partitions)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from complaint_assets.contracts import load_contracts
from complaint_assets.logic.plan import Built, PendingDates, digest_of, pending_dates, stale_slots
from complaint_assets.partitions import slot_window
from complaint_assets.schemas.ledger import Builds
from complaint_assets.schemas.standardised import Intake
from complaint_assets.schemas.types import CHANNELS, STREAMING_CHANNELS, arrow_schema
from resources.lake import Lake
from resources.settings import settings
from resources.tables import Tables, between, equals, in_values

INTAKE = arrow_schema(Intake)
BUILDS = arrow_schema(Builds)


class Ledger:
    """What has been built from what."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def intake(self, channel: str | None = None) -> list[dict[str, Any]]:
        """Intake rows, of one channel or of all."""
        where = [("channel", "=", channel)] if channel else []
        return self._tables.scan("intake", INTAKE, where=where).to_pylist()

    def record_intake(self, channel: str, slots: list[str], rows: list[dict[str, Any]]) -> None:
        """Replace what is known of ``slots``, a contiguous range, by ``rows``."""
        self._tables.replace(
            "intake",
            pa.Table.from_pylist(rows, schema=INTAKE),
            schema=INTAKE,
            partition_by=["channel"],
            where=f"{equals('channel', channel)} AND {between('slot', min(slots), max(slots))}",
            sort_by=["slot", "source", "object_sha256"],
            statistics=["channel", "slot"],
        )

    def builds(self) -> dict[str, dict[date, Built]]:
        """What is remembered, by layer and event date."""
        result: dict[str, dict[date, Built]] = defaultdict(dict)
        for row in self._tables.scan("builds", BUILDS).to_pylist():
            result[row["layer"]][row["event_date"]] = Built(row["inputs_digest"], row["output_digest"])
        return result

    def event_dates(self) -> list[dict[str, Any]]:
        """Per event date: rows of ``complaints`` and the digest of each layer, in order."""
        rows = self._tables.scan("builds", BUILDS).to_pylist()
        dates: dict[date, dict[str, Any]] = defaultdict(dict)
        for row in rows:
            dates[row["event_date"]][row["layer"]] = row["output_digest"]
            if row["layer"] == "complaints":
                dates[row["event_date"]]["rows"] = row["rows"]
        return [{"event_date": day, **dates[day]} for day in sorted(dates)]

    def record_builds(
        self, layer: str, inputs: Mapping[date, str], outputs: Mapping[date, tuple[str, int]]
    ) -> None:
        """Remember partitions just written.

        Args:
            layer: the asset.
            inputs: digest of what was read, per event date, taken before it was read.
            outputs: digest and number of the rows written; a date that is absent is empty.
        """
        rows = [
            {
                "layer": layer,
                "event_date": day,
                "inputs_digest": inputs[day],
                "output_digest": outputs.get(day, ("", 0))[0],
                "rows": outputs.get(day, ("", 0))[1],
            }
            for day in sorted(inputs)
        ]
        self._tables.replace(
            "builds",
            pa.Table.from_pylist(rows, schema=BUILDS),
            schema=BUILDS,
            partition_by=["layer"],
            where=f"{equals('layer', layer)} AND {in_values('event_date', sorted(inputs))}",
            sort_by=["event_date"],
            statistics=["layer", "event_date"],
        )

    def as_of(self) -> datetime | None:
        """End of the newest slot that has been standardised; streaming channels decide if there are any.

        Raises:
            ValueError: a slot in the ledger is not a slot of its channel.
        """
        return newest_slot_end(self.intake())

    def state(self) -> str:
        """Digest of both tables: changes with every slot standardised and every partition built."""
        builds = self.builds()
        return digest_of(
            [f"{r['channel']}/{r['object_sha256']}/{r['content_digest']}" for r in self.intake()]
            + [f"{layer}/{day}/{b.inputs}/{b.output}" for layer, days in builds.items() for day, b in days.items()]
        )

    def pending_dates(self) -> PendingDates:
        """Event dates to rebuild."""
        intake = self.intake()
        return pending_dates(intake, self.builds(), newest_slot_end(intake))

    def stale_slots(self, lake: Lake, channel: str) -> list[str]:
        """Slots of ``channel`` whose raw objects are not all standardised, each under its contract of today."""
        contracts = load_contracts(settings().contract_folders())
        versions = {source: contract.version for (of, source), contract in contracts.items() if of == channel}
        return stale_slots(lake.unsealed(channel), lake.slots(channel), self.intake(channel), versions)


def newest_slot_end(intake: Iterable[Mapping[str, Any]]) -> datetime | None:
    """End of the newest slot in ``intake``, streaming channels first: the hour up to which counts hold."""
    newest: dict[str, str] = {}
    for row in intake:
        newest[row["channel"]] = max(row["slot"], newest.get(row["channel"], ""))
    for group in (STREAMING_CHANNELS, CHANNELS):
        ends = [slot_window(channel, newest[channel])[1] for channel in group if channel in newest]
        if ends:
            return max(ends)
    return None
