"""Production through the command line: the vault's key is rotated, and every table stays as it was."""

import csv
import importlib.util
import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from complaint_assets.schemas.complaints import Complaints
from complaint_assets.schemas.subjects import Subjects
from complaint_assets.schemas.types import arrow_schema
from complaint_assets_tests.conftest import Home
from resources.tables import Tables
from resources.warehouse import Warehouse

OLD, NEW = "the first key of this home, long enough", "the second key of this home, long enough"
ADA, EMAIL = "08031234567", "ada@example.com"


def message(folder: Path, name: str, at: str, sender: str = ADA) -> Path:
    path = folder / f"{name}.jsonl"
    record = {
        "messageId": name,
        "from": sender,
        "to": "300",
        "text": "no network in Yaba since morning",
        "receivedAt": at,
        "network": "x",
        "smsCount": 1,
    }
    path.write_text(json.dumps(record) + "\n")
    return path


def form(folder: Path) -> Path:
    path = folder / "forms.csv"
    row = {
        "submission_id": "f1",
        "submitted_at": "2026-09-04T15:00:00Z",
        "name": "Ada",
        "phone": "+234 803 123 4567",
        "email": EMAIL,
        "topic": "Network",
        "message": "still no network in Yaba",
        "city": "Yaba",
        "state": "Lagos",
        "latitude": "",
        "longitude": "",
        "page": "/help",
    }
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, row)
        writer.writeheader()
        writer.writerow(row)
    return path


def complaints(home: Home) -> dict[str, dict[str, object]]:
    rows = Tables(str(home.path / "tables")).scan("complaints", arrow_schema(Complaints)).to_pylist()
    return {row["source_record_id"]: row for row in rows}


@pytest.fixture(scope="module")
def production(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A production home with a message and a form of one customer."""
    folder = tmp_path_factory.mktemp("files")
    home.settings |= {"COMPLAINTS_ENV": "prod", "COMPLAINTS_KEY": OLD}
    home.complaints(
        "land", "sms", "gateway", message(folder, "m1", "2026-09-04 13:00:00"), "--slot", "2026-09-04T13"
    )
    home.complaints("land", "web_form", "website", form(folder), "--slot", "2026-09-04")
    home.complaints("run")
    return home


def test_a_rotated_key_changes_no_table_and_the_customer_is_still_known(production: Home, tmp_path: Path) -> None:
    home, before = production, production.digests()
    assert home.call("keys", "rotate").returncode == 2
    home.settings["COMPLAINTS_KEY_NEW"] = NEW
    [rotated] = home.complaints("keys", "rotate")
    assert rotated["identifiers"] == 2
    assert rotated["from_key"] != rotated["to_key"]

    refused = home.call("keys", "show")
    assert refused.returncode == 1
    assert rotated["to_key"] in refused.stderr
    assert "COMPLAINTS_KEY" in refused.stderr
    assert OLD not in refused.stderr

    del home.settings["COMPLAINTS_KEY_NEW"]
    home.settings["COMPLAINTS_KEY"] = NEW
    assert home.complaints("keys", "show") == [{"key_id": rotated["to_key"], "identifiers": 2}]
    assert home.digests() == before

    # After it, a redelivery still meets its complaint, and a new message its customer.
    path = message(tmp_path, "m1", "2026-09-04 13:00:00")
    path.write_text(path.read_text() + message(tmp_path, "m2", "2026-09-04 13:30:00").read_text())
    home.complaints("land", "sms", "gateway", path, "--slot", "2026-09-04T14")
    home.complaints("run")
    found = complaints(home)
    assert found["m1"]["deliveries"] == 2
    assert found["m1"]["subject_id"] == found["m2"]["subject_id"] == found["f1"]["subject_id"]


def test_phone_and_address_of_a_form_are_one_customer(production: Home) -> None:
    rows = Warehouse(database=str(production.path / "complaints.duckdb")).read("subjects", arrow_schema(Subjects))
    phone, *_ = {row["subject_id"] for row in complaints(production).values()}
    assert rows.num_rows == 2
    assert phone in rows["subject_id"].to_pylist()
    assert len(set(rows["customer_id"].to_pylist())) == 1
    assert rows["linked_at"].to_pylist() == [datetime(2026, 9, 4, 15, tzinfo=UTC)] * 2


def test_only_the_owner_enters_the_vault_and_no_byte_of_it_names_the_customer(production: Home) -> None:
    vault = production.path / "vault"
    assert stat.S_IMODE(vault.stat().st_mode) == 0o700
    for path in vault.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        content = path.read_bytes()
        assert ADA[1:].encode() not in content
        assert EMAIL.encode() not in content


def test_customers_are_counted_by_declared_links_and_probable_ones_are_off(production: Home) -> None:
    [row] = production.complaints("customers", "count")
    bands = ("declared", "and_strong", "and_fair")
    assert row == {"subjects_with_links": 2} | {f"customers_{band}": 1 for band in bands}
    refused = production.call("customers", "suggest")
    assert refused.returncode == 2
    assert "COMPLAINTS_LINK_PROBABLE" in refused.stderr
    if importlib.util.find_spec("splink") is None:
        on = Home(production.path, production.settings | {"COMPLAINTS_LINK_PROBABLE": "true"})
        missing = on.call("customers", "suggest")
        assert missing.returncode == 2
        assert "complaint-assets[splink]" in missing.stderr
