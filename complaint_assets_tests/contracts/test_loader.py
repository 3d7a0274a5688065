"""Contract files: the built-in ones hold, and a mistake is answered with file, key and what is allowed."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from complaint_assets.contracts import BUILT_IN, ContractError, load_contract, load_contracts
from complaint_assets.logic.contract import FieldPath
from complaint_assets.schemas.types import CHANNELS

GOOD: dict[str, Any] = {
    "channel": "sms",
    "source": "other",
    "version": "1.0",
    "description": "Another gateway.",
    "owner": "team:messaging",
    "format": {"type": "jsonl", "encoding": "utf-8"},
    "occurred_at": {"fields": ["at"]},
}


def write(folder: Path, content: Any, name: str = "sms/other.yaml") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return file


def test_the_nine_built_in_sources_are_there() -> None:
    contracts = load_contracts()
    assert set(contracts) == {
        ("social", "x"),
        ("social", "mastodon"),
        ("sms", "gateway"),
        ("whatsapp", "cloud_api"),
        ("call_centre", "contact_log"),
        ("web_form", "website"),
        ("web_form", "app"),
        ("survey", "csat"),
        ("survey", "nps"),
    }
    for (channel, source), contract in contracts.items():
        assert (contract.channel, contract.source) == (channel, source)
        assert contract.author
        assert contract.identity.record_id
        assert contract.required


def test_a_workbook_needs_no_encoding(tmp_path: Path) -> None:
    assert load_contract(write(tmp_path, {**GOOD, "format": {"type": "xlsx"}})).format.type == "xlsx"


def test_the_schema_knows_the_channels_of_the_tables() -> None:
    schema = json.loads((BUILT_IN / "contract.schema.json").read_text(encoding="utf-8"))
    assert tuple(schema["properties"]["channel"]["enum"]) == CHANNELS


def test_a_source_is_added_by_a_file(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    assert load_contracts([tmp_path])["sms", "other"].occurred_at.fields[0].text == "at"


def test_dates_need_no_quotes(tmp_path: Path) -> None:
    text = (
        yaml.safe_dump({key: value for key, value in GOOD.items() if key != "occurred_at"})
        + "\noccurred_at: {otherwise: 2018-04-01}\n"
    )
    contract = load_contract(write(tmp_path, text))
    assert str(contract.occurred_at.otherwise) == "2018-04-01"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"chanel": "sms"}, ["chanel", "allowed are", "channel"]),
        ({"format": {"type": "doc", "encoding": "utf-8"}}, ["format.type", "'doc'", "jsonl", "xlsx"]),
        ({"format": {"type": "jsonl"}}, ["format", "encoding"]),
        ({"format": {"type": "jsonl", "encoding": "utf8"}}, ["format.encoding", "'utf8'", "cp1252"]),
        ({"format": {"type": "xml", "encoding": "utf-8"}}, ["format.records", "complaint[]"]),
        ({"format": {"type": "json", "encoding": "utf-16-le"}}, ["format.encoding", "json"]),
        ({"format": {"type": "csv", "encoding": "utf-8", "delimeter": ";"}}, ["format", "delimeter", "delimiter"]),
        ({"owner": "me"}, ["owner", "team:"]),
        ({"version": 1.0}, ["version", "string"]),
        ({"occurred_at": {"fields": []}}, ["occurred_at.fields"]),
        ({"occurred_at": {}}, ["occurred_at", "otherwise"]),
        ({"occurred_at": {"otherwise": "2018-02-31"}}, ["occurred_at"]),
        ({"occurred_at": {"fields": ["at"], "layouts": ["%Q"]}}, ["occurred_at", "%Q"]),
        ({"occurred_at": {"fields": ["at"], "timezone": "Lagos"}}, ["occurred_at", "Lagos"]),
        ({"author": [{"field": "a", "kind": "fax"}]}, ["author[0].kind", "phone"]),
        ({"rating": {"field": "r", "scale": [1]}}, ["rating.scale"]),
        ({"rating": {"field": "r", "scale": [1, 1]}}, ["rating.scale", "differ"]),
        ({"status": {"field": "s", "values": {"Done": "finished"}}}, ["status.values.Done", "resolved"]),
        ({"coordinates": {"latitude": "a"}}, ["coordinates", "longitude"]),
        ({"coordinates": {"latitude": "a", "longitude": "b", "field": "c"}}, ["coordinates", "either"]),
        ({"amplification": {"field": "a", "prefix": "RT"}}, ["amplification", "either"]),
        ({"format": {"type": "whatsapp_export", "encoding": "utf-8"}}, ["format.headers"]),
        ({"source": "gateway"}, ["source", "'other'"]),
        ({"channel": "social"}, ["channel", "'sms'"]),
    ],
)
def test_a_mistake_is_named_with_file_key_and_what_is_allowed(
    tmp_path: Path, change: dict[str, Any], words: list[str]
) -> None:
    file = write(tmp_path, {**GOOD, **change})
    with pytest.raises(ContractError) as caught:
        load_contracts([tmp_path])
    for word in [str(file), *words]:
        assert word in str(caught.value)


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    write(tmp_path, {**GOOD, "owner": "me", "format": {"type": "doc", "encoding": "utf-8"}})
    with pytest.raises(ContractError) as caught:
        load_contracts([tmp_path])
    assert "owner" in str(caught.value)
    assert "format.type" in str(caught.value)


@pytest.mark.parametrize("text", ["a: [", "- 1", "", "a: !!python/object/apply:os.getcwd []", "\x00"])
def test_what_is_no_contract_at_all_is_refused(tmp_path: Path, text: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(ContractError, match=str(file)):
        load_contracts([tmp_path])


def test_two_contracts_for_one_source_are_refused(tmp_path: Path) -> None:
    write(tmp_path, {**GOOD, "source": "gateway"}, "sms/gateway.yaml")
    with pytest.raises(ContractError, match="sms/gateway is already described by"):
        load_contracts([tmp_path])


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="no such folder"):
        load_contracts([tmp_path / "absent"])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a", 1),
        ("b.c", 2),
        ("d[1].e", 4),
        ("d[].e", [3, 4]),
        ("d[].f[]", [5, 6]),
        ("d[7].e", None),
        ("b.x.y", None),
        ("a.b", None),
        ("How many? (0-10)", 7),
        ("No. [1]", 8),
        ("d[0]", {"e": 3, "f": [5]}),
    ],
)
def test_field_paths(path: str, expected: Any) -> None:
    record = {
        "a": 1,
        "b": {"c": 2},
        "d": [{"e": 3, "f": [5]}, {"e": 4, "f": [6]}],
        "How many? (0-10)": 7,
        "No. [1]": 8,
    }
    assert FieldPath(path).read(record) == expected
