"""The same bytes from two sources: two objects, two sets of deliveries, neither lost nor merged."""

import io
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from complaint_assets.assets.complaints import unify
from complaint_assets.assets.standardised import QUARANTINE, STANDARDISED, standardise_slots
from complaint_assets.ledger import Ledger
from complaint_assets.logic.conservation import account
from complaint_assets.logic.contract import build_contract
from complaint_assets.logic.digest import digest
from complaint_assets.logic.evaluate import evaluate
from complaint_assets.logic.identify import Keys
from complaint_assets.privacy.removal import retire
from resources.stores import Stores

SLOT = "2026-11-10"
TABLES = {"standardised": STANDARDISED, "quarantine": QUARANTINE}
KEYS = Keys(b"k" * 32)
ROWS = 5
CONTENT = b"".join(
    b'{"id": %d, "at": "2026-11-09 23:30:00", "text": "no network since %d"}\n' % (n, n) for n in range(ROWS)
)
BAD = b"{broken\n"
SOURCES = [("survey", "here"), ("survey", "there"), ("web_form", "here")]
ZONES = {"here": "Africa/Lagos", "there": "UTC"}
"""23:30 in Lagos is an hour less in UTC; both stay on the day before the slot."""
CONTRACTS = {
    (channel, source): build_contract(
        {
            "channel": channel,
            "source": source,
            "version": "1.0",
            "description": "d",
            "owner": "team:t",
            "format": {"type": "jsonl", "encoding": "utf-8"},
            "occurred_at": {"fields": ["at"], "layouts": ["%Y-%m-%d %H:%M:%S"], "timezone": ZONES[source]},
            "identity": {"record_id": ["id"]},
            "text": {"fields": ["text"]},
        }
    )
    for channel, source in SOURCES
}


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    folders = {f"{name}_url": str(tmp_path / name) for name in ("lake", "inbox", "tables")}
    return Stores(**folders, environment="test")


def take_in(stores: Stores, *sources: tuple[str, str]) -> None:
    at = datetime(2026, 11, 10, 9, tzinfo=UTC)
    for channel, source in sources:
        stores.lake.land(channel, source, SLOT, "same.jsonl", at, io.BytesIO(CONTENT + BAD))
    for channel in {channel for channel, _ in sources}:
        stores.lake.seal(channel, SLOT)
        standardise_slots(stores, channel, [SLOT], CONTRACTS, KEYS)


def per_source(stores: Stores) -> dict[tuple[str, str], tuple[int, int, int, int]]:
    """Deliveries, records in the quarantine, and what the ledger says of both, by channel and source."""
    rows = stores.tables.scan("standardised", STANDARDISED).to_pylist()
    refused = stores.tables.scan("quarantine", QUARANTINE).to_pylist()
    stand = Counter((row["channel"], row["source"]) for row in rows)
    lie = Counter((row["channel"], row["source"]) for row in refused)
    return {
        (row["channel"], row["source"]): (
            stand[row["channel"], row["source"]],
            lie[row["channel"], row["source"]],
            row["standardised"],
            row["quarantined"],
        )
        for row in Ledger(stores.tables).intake()
    }


@pytest.mark.parametrize("order", [SOURCES, SOURCES[::-1]], ids=["in order", "reversed"])
def test_each_source_has_deliveries_and_quarantine_of_its_own(
    stores: Stores, order: list[tuple[str, str]]
) -> None:
    take_in(stores, *order)
    assert per_source(stores) == dict.fromkeys(SOURCES, (ROWS, 1, ROWS, 1))
    for table, schema, key in (
        ("standardised", STANDARDISED, "delivery_id"),
        ("quarantine", QUARANTINE, "quarantine_id"),
    ):
        ids = stores.tables.scan(table, schema)[key].to_pylist()
        assert len(set(ids)) == len(ids)
    intake = {(row["channel"], row["source"]): row for row in Ledger(stores.tables).intake()}
    assert all(intake[one]["event_dates"] == [date(2026, 11, 9)] for one in SOURCES)
    assert len({row["content_digest"] for row in intake.values()}) == len(SOURCES)


def test_they_become_complaints_of_their_own(stores: Stores) -> None:
    take_in(stores, *SOURCES)
    found = unify(stores.tables, [date(2026, 11, 9)], [])
    assert Counter(zip(found["channel"].to_pylist(), found["source"].to_pylist(), strict=True)) == dict.fromkeys(
        SOURCES, ROWS
    )
    assert found["deliveries"].to_pylist() == [1] * ROWS * len(SOURCES)
    assert len(set(found["first_delivery_id"].to_pylist())) == ROWS * len(SOURCES)


def test_reruns_and_redeliveries_change_nothing(stores: Stores) -> None:
    take_in(stores, *SOURCES)
    before = {name: digest(stores.tables.scan(name, schema)) for name, schema in TABLES.items()}
    state = Ledger(stores.tables).state()
    take_in(stores, *SOURCES)
    take_in(stores, SOURCES[1])
    assert {name: digest(stores.tables.scan(name, schema)) for name, schema in TABLES.items()} == before
    assert Ledger(stores.tables).state() == state
    assert per_source(stores) == dict.fromkeys(SOURCES, (ROWS, 1, ROWS, 1))


def test_what_retention_takes_of_one_source_the_others_keep(stores: Stores) -> None:
    take_in(stores, *SOURCES)
    gone = SOURCES[0]
    manifest = stores.lake.manifest(gone[0], SLOT)
    assert manifest is not None
    (item,) = [one for one in manifest.objects if one.source == gone[1]]
    retire(stores, item)
    kept, without_quarantine = (ROWS, 1, ROWS, 1), (ROWS, 0, ROWS, 0)
    assert per_source(stores) == dict.fromkeys(SOURCES, kept) | {gone: without_quarantine}
    standardise_slots(stores, gone[0], [SLOT], CONTRACTS, KEYS)  # read again: one as it stands, one from its bytes
    assert per_source(stores) == dict.fromkeys(SOURCES, kept) | {gone: without_quarantine}


def test_the_accounts_balance_without_duplicates(stores: Stores) -> None:
    take_in(stores, *SOURCES)
    complaints = unify(stores.tables, [date(2026, 11, 9)], [])
    classes = pa.table(
        {"complaint_id": complaints["complaint_id"], "contact_class": ["complaint"] * complaints.num_rows}
    )
    intake = pa.Table.from_pylist(Ledger(stores.tables).intake()).select(["channel", "slot", "records_in"])
    found = evaluate(account, intake, *(stores.tables.scan(*one) for one in TABLES.items()), complaints, classes)
    assert found.to_pylist() == [
        {
            "channel": channel,
            "slot": SLOT,
            "records_in": sources * (ROWS + 1),
            "complaints": sources * ROWS,
            "non_complaints": 0,
            "duplicates": 0,
            "quarantined": sources,
            "difference": 0,
        }
        for channel, sources in (("survey", 2), ("web_form", 1))
    ]
