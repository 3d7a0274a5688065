"""Retention on real stores: what is old goes, what is held or young stays, and nothing is pending for it."""

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from complaint_assets.assets.complaints import unify
from complaint_assets.assets.standardised import STANDARDISED, standardise_slots
from complaint_assets.contracts import load_contracts
from complaint_assets.ledger import Ledger
from complaint_assets.logic.conservation import account
from complaint_assets.logic.digest import digests_by
from complaint_assets.logic.evaluate import evaluate
from complaint_assets.logic.identify import Keys
from complaint_assets.logic.plan import complaint_inputs
from complaint_assets.logic.privacy.retention import Hold, Policy
from complaint_assets.privacy.removal import COMPLAINTS, QUARANTINE, RETENTION, Plan, apply, plan
from complaint_assets.retention import load_policy
from complaint_assets.schemas.enriched import EnrichedComplaints
from complaint_assets.schemas.types import arrow_schema
from complaint_assets_tests.privacy.deliveries import CASES, OTHERS, sms
from resources.audit import AuditLog
from resources.lake import RETIRED
from resources.settings import settings
from resources.stores import Stores
from resources.tables import in_dates
from resources.warehouse import Warehouse

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
OLD, MIDDLE, AUTUMN, YOUNG = date(2024, 10, 1), date(2026, 3, 1), date(2026, 9, 1), date(2026, 11, 20)
DAYS = [OLD, MIDDLE, AUTUMN, YOUNG]
ENRICHED = arrow_schema(EnrichedComplaints)
NG = load_policy("NG")


class House:
    """Stores with cases and messages of four days, built as far as retention looks."""

    def __init__(self, folder: Path) -> None:
        self.stores = Stores(
            lake_url=str(folder / "lake"),
            inbox_url=str(folder / "inbox"),
            tables_url=str(folder / "tables"),
            environment="test",
        )
        self.warehouse = Warehouse(database=str(folder / "w.duckdb"))
        self.log = AuditLog(folder / "log", folder / "head", b"k" * 32)
        self.ledger = Ledger(self.stores.tables)

    def take_in(self, day: date) -> None:
        content = "".join(sms(f"s{n}", f"0803123456{n}", f"{day} 10:00:00", "no network") for n in range(2))
        content += "broken\n"
        self.land("sms", "gateway", f"{day}T10", content.encode())
        cases = (
            CASES + f"c{day},{day:%d/%m/%Y} 09:00,,{OTHERS[0]},AC-1,Obi,Joy,Network,Slow,slow,3,Open,Ikeja,Lagos\n"
        )
        self.land("call_centre", "contact_log", f"{day}", cases.encode())

    def land(self, channel: str, source: str, slot: str, content: bytes) -> None:
        received = datetime.fromisoformat(f"{slot[:10]}T11:00:00+00:00")
        self.stores.lake.land(channel, source, slot, f"{slot}.f", received, io.BytesIO(content))
        self.stores.lake.seal(channel, slot)
        self.standardise(channel, slot)

    def standardise(self, channel: str, slot: str) -> None:
        standardise_slots(self.stores, channel, [slot], load_contracts(), Keys(b"k" * 32))

    def build(self, days: list[date]) -> None:
        """Complaints of ``days``, and rows that stand for what is enriched of them."""
        inputs = complaint_inputs(self.ledger.intake())
        for day in days:
            rows = unify(self.stores.tables, [day], [])
            columns = {
                field.name: rows[field.name] if field.name in rows.column_names else stand_in(field, rows.num_rows)
                for field in ENRICHED
            }
            columns["masked_text"] = rows["text"]
            for name, table, schema in (
                ("complaints", rows, COMPLAINTS),
                ("enriched_complaints", pa.table(columns).cast(ENRICHED), ENRICHED),
            ):
                self.stores.tables.replace(
                    name,
                    table,
                    schema=schema,
                    partition_by=["event_date", "channel"],
                    where=in_dates("event_date", [day]),
                    sort_by=["complaint_id"],
                    statistics=["event_date"],
                )
            self.ledger.record_builds("complaints", {day: inputs[day]}, digests_by(rows, "event_date"))

    def plan(self, policy: Policy = NG) -> Plan:
        with dg.DagsterInstance.ephemeral() as instance:
            return plan(self.stores, instance, policy, self.log, NOW)

    def apply(self, policy: Policy = NG) -> Plan:
        with dg.DagsterInstance.ephemeral() as instance:
            what = plan(self.stores, instance, policy, self.log, NOW)
            left = apply(self.stores, self.warehouse, instance, self.log, what, NOW)
        assert left == {"uncut": 0}
        return what

    def read_again(self) -> None:
        for channel in ("sms", "call_centre"):
            for slot in self.ledger.stale_slots(self.stores.lake, channel):
                self.standardise(channel, slot)

    def stale(self) -> list[date]:
        """Dates whose complaints would be built again: not those of later layers, which are not built here."""
        wanted, built = complaint_inputs(self.ledger.intake()), self.ledger.builds()["complaints"]
        pending = self.ledger.pending_dates().chain
        return [day for day in pending if day not in built or built[day].inputs != wanted.get(day)]

    def unaccounted(self) -> list[dict[str, Any]]:
        tables = self.stores.tables
        found = evaluate(
            account,
            pa.Table.from_pylist(self.ledger.intake()).select(["channel", "slot", "records_in"]),
            tables.scan("standardised", STANDARDISED),
            tables.scan("quarantine", QUARANTINE),
            tables.scan("complaints", COMPLAINTS),
            tables.scan("enriched_complaints", ENRICHED),
        )
        return [row for row in found.to_pylist() if row["difference"]]

    def days(self, name: str, schema: pa.Schema) -> set[date]:
        return set(self.stores.tables.scan(name, schema)["event_date"].to_pylist())

    def flags(self, channel: str, slot: str) -> list[tuple[str, ...]]:
        manifest = self.stores.lake.manifest(channel, slot)
        return [item.flags for item in manifest.objects] if manifest else []


def stand_in(field: pa.Field, rows: int) -> pa.Array:
    if field.nullable:
        return pa.nulls(rows, field.type)
    value: Any = [] if pa.types.is_list(field.type) else 1 if pa.types.is_integer(field.type) else "complaint"
    return pa.array([value] * rows, field.type)


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[House]:
    """A house without anything in it; the vault is that of the settings, so these are its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPLAINTS_HOME", str(tmp_path))
        patch.setenv("COMPLAINTS_ENV", "test")
        settings.cache_clear()
        yield House(tmp_path)
    settings.cache_clear()


@pytest.fixture
def house(bare: House) -> House:
    """A house with four days in it."""
    house = bare
    for day in DAYS:
        house.take_in(day)
    house.build(DAYS)
    assert house.unaccounted() == []
    return house


def test_a_plan_changes_nothing_and_says_what_would_go(house: House) -> None:
    rows = {row["data_class"]: (row["parts"], row["rows"]) for row in house.plan().rows()}
    assert rows["facts"] == (2, 3), "messages and cases of the old day"
    assert rows["raw"] == (2, 6), "messages of the old and the middle day; cases are open"
    assert rows["quarantine"] == (3, 3)
    assert house.log.rows() == []
    assert house.days("complaints", COMPLAINTS) == set(DAYS)


def test_what_is_old_goes_and_neither_comes_back_nor_stays_pending(house: House) -> None:
    house.apply()
    house.read_again()
    tables = (("standardised", STANDARDISED), ("complaints", COMPLAINTS), ("enriched_complaints", ENRICHED))
    for name, schema in tables:
        assert house.days(name, schema) == {MIDDLE, AUTUMN, YOUNG}, name
    assert house.stores.tables.scan("quarantine", QUARANTINE)["slot"].to_pylist() == [f"{YOUNG}T10"]
    assert [house.ledger.stale_slots(house.stores.lake, channel) for channel in ("sms", "call_centre")] == [[], []]
    assert OLD not in house.ledger.pending_dates().chain
    (row,) = house.log.rows(RETENTION)
    assert row["details"]["policy"] == "NG 1.0"
    assert row["details"]["removed"]["facts"]["rows"] == 3
    assert len(house.stores.lake.manifest("sms", f"{AUTUMN}T10").objects) == 1
    # The old case was open, which kept its bytes as long as there was a record of it.
    assert [(row["data_class"], row["parts"]) for row in house.apply().rows() if row["parts"]] == [("raw", 1)]
    assert [row for row in house.plan().rows() if row["parts"]] == []
    assert house.unaccounted() == []


def test_a_retired_object_is_a_tombstone_and_its_bytes_do_not_come_again(house: House) -> None:
    policy = replace(NG, rules={**NG.rules, "quarantine": replace(NG.rules["quarantine"], max_days=None)})
    house.apply(policy)
    assert house.flags("sms", f"{MIDDLE}T10") == [(RETIRED,)]
    assert house.flags("call_centre", f"{MIDDLE}") == [()], "an open case keeps its bytes"
    before = house.stores.tables.scan("standardised", STANDARDISED).sort_by("delivery_id")
    house.take_in(MIDDLE)
    house.standardise("sms", f"{MIDDLE}T10")
    assert house.flags("sms", f"{MIDDLE}T10") == [(RETIRED,)]
    assert house.stores.tables.scan("standardised", STANDARDISED).sort_by("delivery_id").equals(before)
    assert house.stale() == []
    assert house.unaccounted() == []


def test_nothing_under_legal_hold_goes(house: House) -> None:
    slots = [f"{day}T10" for day in DAYS]
    before = [house.stores.lake.manifest("sms", slot) for slot in slots]
    house.apply(replace(NG, holds=(Hold("file 1", channel="sms"),)))
    assert [house.stores.lake.manifest("sms", slot) for slot in slots] == before
    assert house.days("complaints", COMPLAINTS) == set(DAYS), "a date goes as a whole or not at all"
    assert house.unaccounted() == []


def test_a_subject_under_legal_hold_keeps_every_object_and_date_of_theirs(house: House) -> None:
    rows = house.stores.tables.scan("standardised", STANDARDISED, where=[("event_date", "=", OLD)])
    author = rows.filter(pc.equal(rows["source"], "gateway"))["author_ref"][0].as_py()
    house.apply(replace(NG, holds=(Hold("file 1", subject=house.log.token(author)),)))
    assert house.flags("sms", f"{OLD}T10") == [()]
    assert house.flags("sms", f"{MIDDLE}T10") == [()]
    assert house.days("complaints", COMPLAINTS) == set(DAYS)


def test_words_go_before_facts_where_the_policy_says_so(house: House) -> None:
    shorter = {name: replace(NG.rules[name], max_days=100) for name in ("standardised_text", "complaint_text")}
    house.apply(replace(NG, rules={**NG.rules, **shorter}))
    for name, schema, column in (
        ("standardised", STANDARDISED, "text"),
        ("complaints", COMPLAINTS, "text"),
        ("enriched_complaints", ENRICHED, "masked_text"),
    ):
        rows = house.stores.tables.scan(name, schema).to_pylist()
        assert {row["event_date"] for row in rows if row[column]} == {AUTUMN, YOUNG}, name
        assert {row["event_date"] for row in rows} == {MIDDLE, AUTUMN, YOUNG}, name
    assert house.stale() == []


def test_old_runs_that_made_nothing_go_and_those_that_the_ui_shows_stay(bare: House) -> None:
    @dg.asset
    def made() -> None:
        """An asset."""

    @dg.job
    def looked() -> None:
        """A job without assets."""

    house = bare
    with dg.DagsterInstance.ephemeral() as instance:
        kept = dg.materialize([made], instance=instance).run_id
        gone = looked.execute_in_process(instance=instance).run_id
        later = datetime.now(UTC) + timedelta(days=91)
        assert plan(house.stores, instance, NG, house.log, later - timedelta(days=2)).runs == ()
        what = plan(house.stores, instance, NG, house.log, later)
        assert what.runs == (gone,)
        apply(house.stores, house.warehouse, instance, house.log, what, later)
        assert [run.run_id for run in instance.get_runs()] == [kept]
