"""A held file and bad records, from the alarm to the mended contract; and the way back to the original bytes."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from complaint_assets_tests.conftest import Home
from complaint_assets_tests.logic.native_samples import jsonl, nps, sms_message
from resources.tables import Tables

SLOT = "2026-09-03"
WORD = "Zanzibarkind"
GOOD = b"id,at,words\n1,2026-09-03 10:00,good morning\n"
RENAMED = f"id,at_time,words\n2,2026-09-03 10:00,{WORD} one\n3,2026-09-03 11:00,{WORD} two\n".encode()
BAD = b"id,at,words\n4,03/09/2026 12:00,%s three\n5,2026-09-03 13:00,caf\xe9\n" % WORD.encode()


def write_contract(folder: Path, version: str, at: str, layouts: list[str]) -> None:
    contract = {
        "channel": "web_form",
        "source": "letters",
        "version": version,
        "description": "Letters.",
        "owner": "team:care",
        "format": {"type": "csv", "encoding": "utf-8"},
        "identity": {"record_id": ["id"]},
        "occurred_at": {"fields": [at], "layouts": layouts},
        "text": {"fields": ["words"]},
        "required": ["id", at],
    }
    file = folder / "web_form" / "letters.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(contract))


@pytest.fixture(scope="module")
def taken_in(home: Home) -> Home:
    """A home with a good file, a file of another layout, one with a bad row, and other channels."""
    home.settings["COMPLAINTS_CONTRACTS"] = str(home.path / "contracts")
    write_contract(home.path / "contracts", "1.0", "at", ["%Y-%m-%d %H:%M"])
    day = home.path / "inbox" / "web_form" / "letters"
    for slot, name, content in (
        (SLOT, "good.csv", GOOD),
        (SLOT, "empty.csv", b""),
        ("2026-09-04", "renamed.csv", RENAMED),
        ("2026-09-05", "bad.csv", BAD),
        ("2026-09-06", "header.csv", b"id,at,words\n"),
    ):
        (day / slot).mkdir(parents=True, exist_ok=True)
        (day / slot / name).write_bytes(content)
    for channel, source, slot, name, content in (
        ("sms", "gateway", f"{SLOT}T10", "m.jsonl", jsonl(sms_message(1, receivedAt="2026-09-03 10:00:00"))),
        ("survey", "nps", "2026-11-11", "nps.xlsx", nps()),
    ):
        folder = home.path / "inbox" / channel / source / slot
        folder.mkdir(parents=True)
        (folder / name).write_bytes(content)
    home.complaints("run")
    return home


def letters(home: Home) -> dict[str, Any]:
    """What the status says of the channel."""
    (row,) = (row for row in home.complaints("status")["channels"] if row["channel"] == "web_form")
    return dict(row)


def ids(home: Home, channel: str) -> list[str]:
    from complaint_assets.assets.complaints import COMPLAINTS

    table = Tables(str(home.path / "tables")).scan("complaints", COMPLAINTS, where=[("channel", "=", channel)])
    rows = sorted(table.to_pylist(), key=lambda row: str(row["source_record_id"]))
    return [row["complaint_id"] for row in rows]


def test_no_file_an_empty_one_one_without_records_and_a_held_one_are_told_apart(taken_in: Home) -> None:
    status = {row["channel"]: row for row in taken_in.complaints("status")["channels"]}
    row, absent = status["web_form"], status["call_centre"]
    assert (row["objects"], row["empty"], row["without_records"], row["held"]) == (5, 1, 1, 2)
    assert (absent["objects"], absent["empty"], absent["newest_slot"]) == (0, 0, None)
    assert row["newest_slot"] == "2026-09-05", "a header alone makes no channel fresh"


def test_the_quarantine_counts_held_files_and_bad_records_by_reason_and_field(taken_in: Home) -> None:
    listed = taken_in.complaints("quarantine", "list", "--channel", "web_form")
    assert {(row["reason"], row["field"], row["records"]) for row in listed} == {
        ("held", "header", 1),
        ("held", "at", 1),
        ("unparseable_time", "at", 1),
    }


def test_the_original_bytes_of_a_complaint_are_found_again(taken_in: Home) -> None:
    (sms,) = ids(taken_in, "sms")
    raw = taken_in.call("show", sms, "--raw")
    assert raw.returncode == 0, raw.stderr
    assert raw.stdout == jsonl(sms_message(1, receivedAt="2026-09-03 10:00:00")).decode()
    assert "raw/channel=sms/source=gateway" in raw.stderr.replace("\n", "")
    shown = taken_in.complaints("show", sms)
    assert not {"text", "attributes"} & shown["complaint"].keys()
    (delivery,) = shown["deliveries"]
    assert (delivery["byte_offset"], delivery["contract_version"]) == (0, "1.0")


def test_a_row_of_a_workbook_is_printed_as_what_it_is(taken_in: Home) -> None:
    _first, second = ids(taken_in, "survey")
    raw = taken_in.call("show", second, "--raw")
    assert json.loads(raw.stdout)["Response ID"] == "n2"
    assert "row 6 of the xlsx" in raw.stderr


def test_nothing_of_a_record_lies_in_dagster_s_storage(taken_in: Home) -> None:
    files = [path for path in (taken_in.path / "dagster").rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert WORD.encode() not in path.read_bytes(), path.name


def test_replay_reads_what_a_mended_contract_can_read_and_nothing_a_second_time(taken_in: Home) -> None:
    """Last in this module: it mends the contract."""
    write_contract(taken_in.path / "contracts", "1.1", "at", ["%Y-%m-%d %H:%M", "%d/%m/%Y %H:%M"])
    (replayed,) = taken_in.complaints("quarantine", "replay", "web_form")
    assert (replayed["slots"], replayed["before"], replayed["after"]) == (3, 3, 2)
    assert letters(taken_in)["slots_pending"] == 1, "the slot without refused records waits for the next run"
    assert taken_in.complaints("quarantine", "replay", "web_form")[0]["slots"] == 0
    taken_in.complaints("run")
    row = letters(taken_in)
    assert row["slots_pending"] == 0
    assert row["records_in"] == row["standardised"] + row["quarantined"] == 5
