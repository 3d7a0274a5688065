"""Reads and writes the two ledger tables: intake (raw objects) and builds (event-date partitions)."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake.exceptions import DeltaError

from complaint_assets.contracts import load_contracts
from complaint_assets.logic.plan import EXPIRED, Built, PendingDates, digest_of, pending_dates, stale_slots
from complaint_assets.partitions import slot_window
from complaint_assets.schemas.ledger import Builds
from complaint_assets.schemas.standardised import Intake
from complaint_assets.schemas.types import CHANNELS, STREAMING_CHANNELS, arrow_schema
from complaint_assets.taxonomy import load_rules
from resources.failpoints import failpoint
from resources.lake import Lake
from resources.settings import settings
from resources.tables import Filter, Tables, between, equals, in_dates, literal

INTAKE = arrow_schema(Intake)
BUILDS = arrow_schema(Builds)

Fence = Mapping[str, int]
"""Version of tables before something was read."""


class Ledger:
    """What has been built from what."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def intake(self, channel: str | None = None, since_slot: str = "") -> list[dict[str, Any]]:
        """Intake rows, of one channel or of all; from a slot on."""
        where: list[Filter] = [("slot", ">=", since_slot)] if since_slot else []
        where += [("channel", "=", channel)] if channel else []
        return self._rows("intake", INTAKE, where)

    def arrivals(self) -> list[dict[str, Any]]:
        """The newest slot of each channel with deliveries, and the newest without: channel, slot, standardised.

        Enough for ages and ends of slots, however many objects there are.
        """
        rows = self._scan("intake", INTAKE, columns=("channel", "slot", "standardised"))
        some = pc.greater(rows["standardised"], 0)
        newest = pa.table({"channel": rows["channel"], "standardised": some, "slot": rows["slot"]})
        newest = newest.group_by(["channel", "standardised"]).aggregate([("slot", "max")])
        return newest.rename_columns({"slot_max": "slot"}).to_pylist()

    def _rows(self, name: str, schema: pa.Schema, where: Sequence[Filter] = ()) -> list[dict[str, Any]]:
        return self._scan(name, schema, where).to_pylist()

    def _scan(
        self, name: str, schema: pa.Schema, where: Sequence[Filter] = (), columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Rows of a ledger table. One that cannot be read is set aside: it is made anew from the raw lake."""
        try:
            return self._tables.scan(name, schema, columns=columns, where=where)
        except (DeltaError, pa.ArrowException, OSError):
            where_to = self._tables.set_aside(name)
            logging.getLogger(__name__).warning("ledger table %s is damaged: set aside as %s", name, where_to)
            wanted = [field for field in schema if columns is None or field.name in columns]
            return pa.schema(wanted).empty_table()

    def fence(self, *tables: str) -> Fence:
        """How ``tables`` and the ledger stand: taken before inputs are read, given to every store."""
        return {name: self._tables.version(name) for name in (*tables, "intake", "builds")}

    def record_intake(
        self, channel: str, slots: list[str], rows: list[dict[str, Any]], fence: Fence | None = None
    ) -> None:
        """Replace what is known of ``slots``, a contiguous range, by ``rows``.

        Raises:
            Overtaken: another run has done so since ``fence``.
        """
        failpoint("ledger.before_intake")
        self._tables.replace(
            "intake",
            pa.Table.from_pylist(rows, schema=INTAKE),
            schema=INTAKE,
            partition_by=["channel"],
            where=f"{equals('channel', channel)} AND {between('slot', min(slots), max(slots))}",
            sort_by=["slot", "source", "object_sha256"],
            statistics=["channel", "slot"],
            since=fence["intake"] if fence else None,
        )
        failpoint("ledger.intake_recorded")

    def builds(self) -> dict[str, dict[date, Built]]:
        """What is remembered, by layer and event date."""
        result: dict[str, dict[date, Built]] = defaultdict(dict)
        for row in self._rows("builds", BUILDS):
            result[row["layer"]][row["event_date"]] = Built(row["inputs_digest"], row["output_digest"])
        return result

    def event_dates(self) -> list[dict[str, Any]]:
        """Per event date: rows of ``complaints`` and the digest of each layer, in order."""
        rows = self._rows("builds", BUILDS)
        dates: dict[date, dict[str, Any]] = defaultdict(dict)
        for row in rows:
            dates[row["event_date"]][row["layer"]] = row["output_digest"]
            if row["layer"] == "complaints":
                dates[row["event_date"]]["rows"] = row["rows"]
        return [{"event_date": day, **dates[day]} for day in sorted(dates)]

    def record_builds(
        self,
        layer: str,
        inputs: Mapping[date, str],
        outputs: Mapping[date, tuple[str, int]],
        fence: Fence | None = None,
    ) -> None:
        """Remember partitions just written.

        Args:
            layer: the asset.
            inputs: digest of what was read, per event date, taken before it was read.
            outputs: digest and number of the rows written; a date that is absent is empty.
            fence: how the ledger stood before anything was read.

        What is remembered of dates that retention has removed stays as it is.

        Raises:
            Overtaken: another run has recorded one of these partitions since ``fence``.
        """
        inputs = {day: inputs[day] for day in inputs.keys() - self.expired_dates()}
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
        failpoint("ledger.before_builds")
        self._tables.replace(
            "builds",
            pa.Table.from_pylist(rows, schema=BUILDS),
            schema=BUILDS,
            partition_by=["layer"],
            where=f"{equals('layer', layer)} AND {in_dates('event_date', inputs)}",
            sort_by=["event_date"],
            statistics=["layer", "event_date"],
            since=fence["builds"] if fence else None,
        )
        failpoint("ledger.builds_recorded")

    def expire(self, dates: Iterable[date]) -> None:
        """Mark ``dates`` as ones that are never built again, before their rows are touched."""
        built = self.builds().get("complaints", {})
        for day in sorted(set(dates) & built.keys() - self.expired_dates()):
            self._tables.update(
                "builds",
                f"{equals('layer', 'complaints')} AND {equals('event_date', day)}",
                {"inputs_digest": literal(EXPIRED)},
            )

    def expired_dates(self) -> set[date]:
        """Event dates whose rows retention has removed; they are never built again."""
        return {day for day, built in self.builds().get("complaints", {}).items() if built.inputs == EXPIRED}

    def as_of(self) -> datetime | None:
        """End of the newest slot that has been standardised; streaming channels decide if there are any.

        Raises:
            ValueError: a slot in the ledger is not a slot of its channel.
        """
        return newest_slot_end(self.arrivals())

    def state(self) -> str:
        """Digest of both tables: changes with every slot standardised and every partition built."""
        builds = self.builds()
        return digest_of(
            [f"{r['channel']}/{r['source']}/{r['object_sha256']}/{r['content_digest']}" for r in self.intake()]
            + [f"{layer}/{day}/{b.inputs}/{b.output}" for layer, days in builds.items() for day, b in days.items()]
        )

    def pending_dates(self) -> PendingDates:
        """Event dates to rebuild."""
        intake = self.intake()
        rules = load_rules(settings().country, settings().taxonomy)
        return pending_dates(intake, self.builds(), newest_slot_end(intake), rules.version)

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


def newest_slot_age(
    arrivals: Iterable[Mapping[str, Any]], channel: str, now: datetime
) -> tuple[str | None, timedelta]:
    """The newest slot of ``channel`` with deliveries, and how long ago it ended (0 while it is open).

    An empty file, or one that is held, makes no channel fresh.
    """
    slots = [row["slot"] for row in arrivals if row["channel"] == channel and row["standardised"]]
    if not slots:
        return None, timedelta.max
    return max(slots), max(timedelta(), now - slot_window(channel, max(slots))[1])
