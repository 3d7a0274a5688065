"""What has been kept long enough: the plan of what goes, and the removal. The rules are in ``retention/``."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import dagster as dg

from complaint_assets.contracts import load_contracts
from complaint_assets.ledger import Ledger
from complaint_assets.logic.evaluate import evaluate
from complaint_assets.logic.identify import delivery_id
from complaint_assets.logic.privacy.erasure import Markers
from complaint_assets.logic.privacy.retention import Due, Kept, Policy, due, object_ends, whole_groups
from complaint_assets.partitions import slot_window
from complaint_assets.privacy.erasure import Contracts, UnfinishedErasure, cut_object, entries_of, objects_of
from complaint_assets.schemas.complaints import Complaints
from complaint_assets.schemas.standardised import HELD, Quarantine, Standardised
from complaint_assets.schemas.types import arrow_schema
from resources.audit import AuditLog
from resources.lake import RETIRED, RawObject
from resources.settings import settings
from resources.stores import Stores
from resources.tables import Tables, equals, in_dates
from resources.warehouse import Warehouse

RETENTION = "retention"
"""Audit action: something was removed because its time was over."""

COMPLAINTS = arrow_schema(Complaints)
STANDARDISED = arrow_schema(Standardised)
QUARANTINE = arrow_schema(Quarantine)

TEXT = {
    "standardised": ("standardised_text", {"text": "NULL", "place": "NULL", "attributes": "'{}'"}),
    "complaints": ("complaint_text", {"text": "NULL", "place": "NULL", "attributes": "'{}'"}),
    "enriched_complaints": ("complaint_text", {"masked_text": "NULL", "evidence": "'[]'"}),
}
"""Per table: its class, and what stands where the words were."""
KEEP_HOURS = 24
"""Earlier versions of a table stay so long: a run under way may be reading or writing them."""

_FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


@dataclass(frozen=True)
class Plan:
    """What goes, by class of data; ``dates`` are the event dates of which every row goes."""

    policy: Policy
    due: dict[str, Due]
    dates: tuple[date, ...]
    runs: tuple[str, ...]

    def rows(self) -> list[dict[str, Any]]:
        """Counts per class, for people."""
        listed = [
            {
                "data_class": name,
                "action": self.policy.rules[name].action,
                "max_days": self.policy.rules[name].max_days,
                "parts": len(of_class.go),
                "rows": sum(one.rows for one in of_class.go),
                "bytes": sum(one.bytes for one in of_class.go),
                "held": len(of_class.held),
            }
            for name, of_class in self.due.items()
        ]
        logs = {"parts": len(self.runs), "rows": 0, "bytes": 0, "held": 0}
        return [*listed, {"data_class": "logs", "action": "delete", "max_days": self.policy.days("logs"), **logs}]


def plan(stores: Stores, instance: dg.DagsterInstance, policy: Policy, log: AuditLog, now: datetime) -> Plan:
    """What has been kept long enough at ``now``; nothing is changed."""
    ledger = Ledger(stores.tables)
    intake = ledger.intake()
    contracts = load_contracts(settings().contract_folders())
    allowed = {key: contract.retention_days for key, contract in contracts.items()}
    of_objects, of_dates = subjects(stores.tables, log) if any(h.subject for h in policy.holds) else ({}, {})
    objects = list(kept_objects(stores, intake, allowed, of_objects, policy, now))
    rows = kept_dates(stores.tables, intake, allowed, of_dates)
    refused = kept_quarantine(stores.tables, intake, allowed, of_objects)
    result = {
        "raw": due(policy, "raw", objects, now),
        "quarantine": due(policy, "quarantine", refused, now),
        "facts": due(policy, "facts", rows, now),
    }
    whole = whole_groups(result["facts"].go, rows)
    result["facts"] = replace(result["facts"], go=tuple(one for one in result["facts"].go if one.key in whole))
    dates = {date.fromisoformat(key) for key in whole}
    # A text that goes with its row needs no masking.
    with_text = [one for one in rows if one.event_dates[0] not in dates]
    masked = masked_parts(stores.tables, with_text) if with_text else set()
    for name in ("standardised_text", "complaint_text"):
        left = [one for one in with_text if (one.key, one.channel, one.source) not in masked]
        result[name] = due(policy, name, left, now)
    return Plan(policy, result, tuple(sorted(dates)), tuple(old_runs(instance, policy, now)))


ObjectKey = tuple[str, str, str]
"""Channel, source and digest of a raw object."""


def subjects(
    tables: Tables, log: AuditLog
) -> tuple[dict[ObjectKey, frozenset[str]], dict[tuple[date, str, str], frozenset[str]]]:
    """Hashes of the subjects in every raw object, and of those on every event date per source."""
    who = "subject_id" if "subject_id" in STANDARDISED.names else "author_ref"
    columns = ["object_sha256", "event_date", "channel", "source", who]
    by_object: dict[ObjectKey, set[str]] = defaultdict(set)
    by_date: dict[tuple[date, str, str], set[str]] = defaultdict(set)
    found = tables.scan("standardised", STANDARDISED, columns=columns)
    for row in found.group_by(columns).aggregate([]).to_pylist():
        if row[who] is not None:
            token = log.token(row[who])
            by_object[_object_key(row)].add(token)
            by_date[row["event_date"], row["channel"], row["source"]].add(token)
    return (
        {key: frozenset(value) for key, value in by_object.items()},
        {key: frozenset(value) for key, value in by_date.items()},
    )


def _object_key(row: dict[str, Any]) -> ObjectKey:
    return row["channel"], row["source"], row["object_sha256"]


Allowed = dict[tuple[str, str], int]
Intake = list[dict[str, Any]]


def kept_objects(
    stores: Stores,
    intake: Intake,
    allowed: Allowed,
    held_subjects: dict[ObjectKey, frozenset[str]],
    policy: Policy,
    now: datetime,
) -> Iterable[Kept]:
    """Raw objects old enough to be asked when their matters ended, one day of arrival after the other."""
    by_day: dict[tuple[str, str], Intake] = defaultdict(list)
    for row in intake:
        arrived = slot_window(row["channel"], row["slot"])[1]
        if policy.over("raw", arrived, now, allowed.get((row["channel"], row["source"]))):
            by_day[row["channel"], row["slot"][:10]].append(row)
    for (channel, day), rows in sorted(by_day.items()):
        manifests = [stores.lake.manifest(channel, slot) for slot in sorted({row["slot"] for row in rows})]
        objects = [item for manifest in manifests if manifest for item in manifest.objects]
        there = {(channel, item.source, item.sha256) for item in objects if RETIRED not in item.flags}
        rows = [row for row in rows if _object_key(row) in there]
        if not rows:
            continue
        deliveries = stores.tables.scan(
            "standardised",
            STANDARDISED,
            columns=["source", "object_sha256", "complaint_id", "received_at"],
            where=[("channel", "=", channel), ("arrival_date", "=", date.fromisoformat(day))],
        )
        dates = sorted({event_date for row in rows for event_date in row["event_dates"]})
        complaints = stores.tables.scan("complaints", COMPLAINTS, where=[("event_date", "in", dates)])
        ends = {
            (row["source"], row["object_sha256"]): row
            for row in evaluate(object_ends, deliveries, complaints).to_pylist()
        }
        for row in rows:
            end = ends.get((row["source"], row["object_sha256"]), {"is_open": False, "ended_at": None})
            arrived = slot_window(channel, row["slot"])[1]
            yield Kept(
                key=row["object_sha256"],
                channel=channel,
                source=row["source"],
                since=None if end["is_open"] else (end["ended_at"] or arrived),
                event_dates=tuple(row["event_dates"]),
                rows=row["records_in"],
                bytes=row["bytes"],
                source_days=allowed.get((channel, row["source"])),
                subjects=held_subjects.get(_object_key(row), frozenset()),
            )


def kept_dates(
    tables: Tables, intake: Intake, allowed: Allowed, held_subjects: dict[tuple[date, str, str], frozenset[str]]
) -> list[Kept]:
    """The rows of each event date and source; they count from the newest arrival that touched them."""
    newest: dict[tuple[date, str, str], datetime] = {}
    for row in intake:
        arrived = slot_window(row["channel"], row["slot"])[1]
        for day in row["event_dates"]:
            key = (day, row["channel"], row["source"])
            newest[key] = max(arrived, newest.get(key, arrived))
    counted = tables.scan("complaints", COMPLAINTS, columns=["event_date", "channel", "source", "complaint_id"])
    counts = {
        (row["event_date"], row["channel"], row["source"]): row["complaint_id_count"]
        for row in counted.group_by(["event_date", "channel", "source"])
        .aggregate([("complaint_id", "count")])
        .to_pylist()
    }
    return [
        Kept(
            key=day.isoformat(),
            channel=channel,
            source=source,
            since=since,
            event_dates=(day,),
            rows=counts.get((day, channel, source), 0),
            source_days=allowed.get((channel, source)),
            subjects=held_subjects.get((day, channel, source), frozenset()),
        )
        for (day, channel, source), since in newest.items()
    ]


def kept_quarantine(
    tables: Tables, intake: Intake, allowed: Allowed, held_subjects: dict[ObjectKey, frozenset[str]]
) -> list[Kept]:
    """Raw objects with records in the quarantine."""
    of_object = {_object_key(row): row for row in intake}
    columns = ["channel", "source", "slot", "object_sha256", "byte_length"]
    found = tables.scan("quarantine", QUARANTINE, columns=columns)
    grouped = found.group_by(["channel", "source", "slot", "object_sha256"]).aggregate(
        [("byte_length", "sum"), ("byte_length", "count")]
    )
    return [
        Kept(
            key=row["object_sha256"],
            channel=row["channel"],
            source=row["source"],
            since=slot_window(row["channel"], row["slot"])[1],
            event_dates=tuple(of_object.get(_object_key(row), {}).get("event_dates", ())),
            rows=row["byte_length_count"],
            bytes=row["byte_length_sum"],
            source_days=allowed.get((row["channel"], row["source"])),
            subjects=held_subjects.get(_object_key(row), frozenset()),
        )
        for row in grouped.to_pylist()
    ]


def masked_parts(tables: Tables, parts: list[Kept]) -> set[tuple[str, str, str]]:
    """Parts that hold no text any more."""
    columns = ["event_date", "channel", "source", "text"]
    found = tables.scan("standardised", STANDARDISED, columns=columns)
    counts = found.group_by(["event_date", "channel", "source"]).aggregate([("text", "count")]).to_pylist()
    with_text = {(r["event_date"].isoformat(), r["channel"], r["source"]) for r in counts if r["text_count"]}
    return {(one.key, one.channel, one.source) for one in parts} - with_text


def old_runs(instance: dg.DagsterInstance, policy: Policy, now: datetime) -> Iterable[str]:
    """Finished runs whose time is over; those that materialised something stay, they are what the UI shows."""
    days = policy.days("logs")
    if days is None:
        return
    filters = dg.RunsFilter(statuses=_FINISHED, created_before=now - timedelta(days=days))
    for run in instance.get_runs(filters):
        events = instance.get_records_for_run(
            run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION, limit=1
        )
        if not events.records:
            yield run.run_id


def apply(
    stores: Stores, warehouse: Warehouse, instance: dg.DagsterInstance, log: AuditLog, what: Plan, now: datetime
) -> dict[str, int]:
    """Remove what ``what`` names, and write it to the audit log; return what could not be removed.

    Every step can be asked again: what a killed run left is found by the next plan.
    """
    contracts = load_contracts(settings().contract_folders())
    items = {(item.channel, item.source, item.sha256): item for item in objects_of(stores.lake)}
    uncut, replaced = 0, []
    # What goes as a whole needs no cutting.
    whole = {(one.channel, one.source, one.key) for one in what.due["raw"].go}
    refused = {(one.channel, one.source, one.key) for one in what.due["quarantine"].go}
    for key in sorted(refused - whole):
        item = items.get(key)
        if item and not cut_refused(stores, item, contracts):
            uncut += 1
        elif item:
            replaced.append(item.sha256)
    for key in sorted(whole & items.keys()):
        retire(stores, items[key])
    ledger = Ledger(stores.tables)
    for name, (data_class, values) in TEXT.items():
        go = what.due[data_class].go
        ledger.expire(one.event_dates[0] for one in go)
        for one in go:
            where = f"{equals('event_date', one.event_dates[0])} AND {equals('source', one.source)}"
            stores.tables.update(name, f"{where} AND {equals('channel', one.channel)}", values)
    for one in what.due["complaint_text"].go:  # spans tell where which words stood
        stores.tables.update("classifications", equals("event_date", one.event_dates[0]), {"evidence": "'[]'"})
    expire_dates(stores.tables, warehouse, ledger, what.dates)
    for run_id in what.runs:
        instance.delete_run(run_id)
    counts = {
        row["data_class"]: {name: row[name] for name in ("parts", "rows", "bytes", "held")}
        for row in what.rows()
        if row["parts"]
    }
    if counts:
        policy = f"{what.policy.jurisdiction} {what.policy.version}"
        details = {"policy": policy, "removed": counts, "replaced": replaced, "uncut": uncut}
        log.append(now, RETENTION, details)
        for name in (*TEXT, "classifications", "labels", "quarantine", "intake"):
            stores.tables.purge(name, KEEP_HOURS)
    return {"uncut": uncut}


def cut_refused(stores: Stores, item: RawObject, contracts: Contracts) -> bool:
    """Cut the records that lie in the quarantine out of ``item``; False if it cannot be done.

    It cannot where the object is read otherwise today than when its records were refused.
    """
    contract = contracts.get((item.channel, item.source))
    if contract is None:
        return False
    where = [("channel", "=", item.channel), ("source", "=", item.source), ("object_sha256", "=", item.sha256)]
    quarantine = stores.tables.scan("quarantine", QUARANTINE, where=where)
    refused = set(quarantine["quarantine_id"].to_pylist())
    places = [(one.byte_offset, one.ordinal) for one in entries_of(stores.lake, item, contract)]
    held = not set(HELD).isdisjoint(quarantine["reason"].to_pylist())  # the object as a whole is refused
    doomed = [
        place for place in places if held or delivery_id(item.channel, item.source, item.sha256, *place) in refused
    ]
    if not held and len(doomed) < len(refused):
        return False
    try:
        cut_object(stores.lake, item, contract, doomed, Markers(()))
    except UnfinishedErasure:
        return False
    return True


def retire(stores: Stores, item: RawObject) -> None:
    """Remove the bytes of ``item`` and what of it is in quarantine; its deliveries stay as they were read."""
    ledger = Ledger(stores.tables)
    of_source = f"{equals('channel', item.channel)} AND {equals('source', item.source)}"
    stores.tables.delete("quarantine", f"{of_source} AND {equals('object_sha256', item.sha256)}")
    rows = [
        {**row, "quarantined": 0, "records_in": row["standardised"]}
        if (row["source"], row["object_sha256"]) == (item.source, item.sha256)
        else row
        for row in ledger.intake(item.channel)
        if row["slot"] == item.slot
    ]
    ledger.record_intake(item.channel, [item.slot], rows)
    stores.lake.retire(item)
    manifest = stores.lake.manifest(item.channel, item.slot)
    # Unless something else is new in the slot, nothing is to be read again.
    standing = {(row["source"], row["object_sha256"]) for row in rows}
    if manifest and {(one.source, one.sha256) for one in manifest.objects} == standing:
        ledger.record_intake(
            item.channel, [item.slot], [{**row, "manifest_sha256": manifest.checksum} for row in rows]
        )


def expire_dates(tables: Tables, warehouse: Warehouse, ledger: Ledger, dates: Iterable[date]) -> None:
    """Remove every row of ``dates``; the counts made of them stay. The intake ledger forgets them last."""
    gone = sorted(dates)
    if not gone:
        return
    ledger.expire(gone)
    warehouse.delete_dates("complaint_facts", gone)
    warehouse.rewrite()
    where = in_dates("event_date", gone)
    for name in ("labels", "classifications", "enriched_complaints", "complaints", "standardised"):
        tables.delete(name, where)
    intake = ledger.intake()
    touched = {(row["channel"], row["slot"]) for row in intake if set(gone).intersection(row["event_dates"])}
    for channel, slot in sorted(touched):
        in_slot = [("channel", "=", channel), ("slot", "=", slot)]
        columns = ["channel", "source", "object_sha256"]
        staying = tables.scan("standardised", STANDARDISED, columns=columns, where=in_slot)
        left = Counter(map(_object_key, staying.to_pylist()))
        ledger.record_intake(
            channel,
            [slot],
            [
                {
                    **row,
                    "records_in": left[_object_key(row)] + row["quarantined"],
                    "standardised": left[_object_key(row)],
                    "event_dates": [day for day in row["event_dates"] if day not in gone],
                }
                for row in intake
                if (row["channel"], row["slot"]) == (channel, slot)
            ],
        )
