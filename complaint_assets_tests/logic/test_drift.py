"""Five kinds of drift on all six channels: nothing is lost, nothing is applied by itself, a person is told."""

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from complaint_assets.contracts import load_contracts
from complaint_assets.logic.identify import Keys
from complaint_assets.logic.raw.parse import parse
from complaint_assets.logic.standardised.drift import leaves, suggestions
from complaint_assets.logic.standardised.standardise import Origin, Standardising, standardise
from complaint_assets.schemas.standardised import Drifts, Quarantine, Standardised
from complaint_assets.schemas.types import to_pandas
from complaint_assets.vocabulary import load_masker
from complaint_assets_tests.logic.native_samples import (
    CONTACT_LOG,
    CSAT,
    WEBSITE,
    jsonl,
    sms_message,
    whatsapp_body,
    x_post,
)

CONTRACTS = load_contracts()
KEYS = Keys(b"a key for tests, 32 bytes long..")


class Case(NamedTuple):
    """A source, its records with a few fields, and what happens to which of them."""

    content: bytes
    optional: str
    renamed: str
    required: str
    retyped: str
    value: Any


MESSAGE = "entry.changes.value.messages"
CASES = {
    ("social", "x"): Case(
        jsonl(x_post(1), x_post(2)), "data.author_id", "authorId", "data.created_at", "data.text", {"body": "down"}
    ),
    ("sms", "gateway"): Case(
        jsonl(sms_message(1), sms_message(2)), "network", "network_name", "messageId", "text", ["a", {"b": "down"}]
    ),
    ("whatsapp", "cloud_api"): Case(
        jsonl(whatsapp_body("No data"), whatsapp_body("No signal")),
        "entry.changes.value.messaging_product",
        "messagingProduct",
        f"{MESSAGE}.timestamp",
        f"{MESSAGE}.text",
        "down",
    ),
    ("call_centre", "contact_log"): Case(CONTACT_LOG, "Notes", "Note", "Opened", "Rating", "down"),
    ("web_form", "website"): Case(WEBSITE, "message", "Messages", "submission_id", "latitude", "down"),
    ("survey", "csat"): Case(CSAT, "comment", "comments", "completed_at", "score", "down"),
}
channels = pytest.mark.parametrize("key", CASES)


def read(key: tuple[str, str], content: bytes) -> Standardising:
    origin = Origin(*key, "2026-11-10", "a" * 64, datetime(2026, 11, 10, 18, tzinfo=UTC), len(content))
    contract = CONTRACTS[key]
    result = standardise(
        parse(io.BytesIO(content), contract),
        contract,
        origin,
        KEYS,
        "NG",
        date(2013, 1, 1),
        load_masker("analytic", "NG"),
    )
    Standardised.validate(to_pandas(result.deliveries))
    Quarantine.validate(to_pandas(result.quarantine))
    Drifts.validate(to_pandas(result.drift))
    assert result.records_in == result.deliveries.num_rows + result.quarantine.num_rows
    return result


def changed(key: tuple[str, str], change: Callable[[dict[str, Any], str], None], field: str) -> bytes:
    """The sample of ``key`` after ``change`` on the object that holds ``field``, in every record."""
    content, form = CASES[key].content, CONTRACTS[key].format
    if form.type == "csv":
        lines = list(csv.reader(io.StringIO(content.decode(form.encoding), newline="")))
        head, rows = lines[: form.preamble_rows], lines[form.preamble_rows :]
        records = [dict(zip(rows[0], row, strict=False)) for row in rows[1:] if len(row) == len(rows[0])]
        for record in records:
            change(record, field)
        out = io.StringIO(newline="")
        csv.writer(out).writerows([*head, list(records[0]), *(record.values() for record in records)])
        return out.getvalue().encode(form.encoding)
    documents = [json.loads(line) for line in content.splitlines()]
    for document in documents:
        node, (*way, name) = document, field.split(".")
        for step in way:
            node = node[step]
            node = node[0] if isinstance(node, list) else node
        change(node, name)
    return jsonl(*documents)


def add(record: dict[str, Any], _name: str) -> None:
    record["loyalty_tier"] = "gold"


def drop(record: dict[str, Any], name: str) -> None:
    del record[name]


def differences(result: Standardising) -> set[tuple[str, str, str | None]]:
    return {(row["kind"], row["field"], row["suggestion"]) for row in result.drift.to_pylist()}


def beside(field: str, name: str) -> str:
    return ".".join([*field.split(".")[:-1], name])


def attributes(result: Standardising) -> list[dict[str, Any]]:
    return [json.loads(text) for text in result.deliveries["attributes"].to_pylist()]


def flagged(result: Standardising, flag: str) -> bool:
    return all(flag in flags for flags in result.deliveries["quality_flags"].to_pylist())


@channels
def test_what_is_promised_is_no_drift(key: tuple[str, str]) -> None:
    assert differences(read(key, CASES[key].content)) == set()


@channels
def test_a_new_field_is_kept_and_reported(key: tuple[str, str]) -> None:
    case = CASES[key]
    result = read(key, changed(key, add, case.optional))
    name = beside(case.optional, "loyalty_tier")
    assert differences(result) == {("new", name, None)}
    assert result.deliveries.num_rows
    assert all(kept[name] == "gold" for kept in attributes(result))
    assert flagged(result, "new_field")


@channels
def test_a_missing_optional_field_is_null_and_flagged(key: tuple[str, str]) -> None:
    case = CASES[key]
    before, result = read(key, changed(key, lambda *_: None, case.optional)), None
    result = read(key, changed(key, drop, case.optional))
    assert differences(result) == {("missing_optional", case.optional, None)}
    assert result.deliveries["delivery_id"].length() == before.deliveries.num_rows > 0
    assert flagged(result, "missing_field")


@channels
def test_without_a_required_field_the_object_is_held_and_no_part_of_it_read(key: tuple[str, str]) -> None:
    case = CASES[key]
    content = changed(key, drop, case.required)
    result = read(key, content)
    assert differences(result) == {("missing_required", case.required, None)}
    assert result.deliveries.num_rows == 0
    (row,) = result.quarantine.to_pylist()
    assert (row["reason"], row["field"]) == ("held", case.required)
    assert (row["byte_offset"], row["byte_length"]) == (0, len(content))


@channels
def test_a_renamed_field_is_missing_and_new_with_a_suggestion_that_nobody_applies(key: tuple[str, str]) -> None:
    case = CASES[key]

    def rename(record: dict[str, Any], name: str) -> None:
        record[case.renamed] = record.pop(name)

    result = read(key, changed(key, rename, case.optional))
    name = beside(case.optional, case.renamed)
    assert differences(result) == {("missing_optional", case.optional, name), ("new", name, None)}
    assert flagged(result, "missing_field")
    assert any(name in kept for kept in attributes(result)), "the value is kept under its new name"


@channels
def test_a_renamed_required_field_holds_the_object_and_is_suggested(key: tuple[str, str]) -> None:
    case = CASES[key]
    new = case.required.rpartition(".")[2] + "_2"

    def rename(record: dict[str, Any], name: str) -> None:
        record[new] = record.pop(name)

    result = read(key, changed(key, rename, case.required))
    name = beside(case.required, new)
    assert differences(result) == {("missing_required", case.required, name), ("new", name, None)}
    assert result.deliveries.num_rows == 0


@channels
def test_a_retyped_value_is_kept_and_its_row_flagged(key: tuple[str, str]) -> None:
    case = CASES[key]

    def retype(record: dict[str, Any], name: str) -> None:
        record[name] = case.value

    before = read(key, changed(key, lambda *_: None, case.optional))
    result = read(key, changed(key, retype, case.retyped))
    assert differences(result) == {("retyped", case.retyped, None)}
    assert result.deliveries.num_rows == before.deliveries.num_rows > 0
    assert flagged(result, "retyped")
    assert all("down" in str(kept) for kept in attributes(result))


def test_a_row_without_a_required_value_is_quarantined_and_the_object_is_not_held() -> None:
    result = read(("sms", "gateway"), jsonl(sms_message(1, messageId=None), {"text": "x"}, sms_message(2)))
    assert result.deliveries.num_rows == 1
    assert result.quarantine["reason"].to_pylist() == ["missing_required"] * 2
    assert differences(result) == set()


def test_one_odd_value_is_no_drift_of_the_object() -> None:
    rows = [sms_message(n) for n in range(3)]
    result = read(("sms", "gateway"), jsonl(*rows, sms_message(4, text={"body": "x"})))
    assert differences(result) == set()
    assert result.deliveries["quality_flags"].to_pylist()[-1] == ["no_text", "retyped"]


def test_an_author_of_another_type_is_flagged_and_never_kept() -> None:
    result = read(("sms", "gateway"), jsonl(sms_message(1, **{"from": {"number": "08031234567"}})))
    assert differences(result) == {("retyped", "from", None)}
    assert "from" not in str(attributes(result))
    assert "0803" not in str(result.deliveries.to_pylist())


def test_a_field_named_like_a_phone_number_is_reported_masked() -> None:
    result = read(("sms", "gateway"), jsonl(sms_message(1, **{"08031234567": "x"})))
    assert "0803" not in str(result.drift.to_pylist())
    assert result.drift["kind"].to_pylist() == ["new"]


@pytest.mark.parametrize("key", [("web_form", "website"), ("survey", "csat")])
def test_empty_and_header_only_are_different_facts(key: tuple[str, str]) -> None:
    header = CASES[key].content.partition(b"\n")[0]
    only = read(key, header)
    assert (only.records_in, differences(only)) == (0, set())
    assert differences(read(key, header + b",extra\n")) == {("new", "extra", None)}
    empty = read(key, b"")
    assert empty.quarantine["reason"].to_pylist() == ["held"]
    assert differences(empty) == {("missing_required", "header", None)}


def test_a_suggestion_pairs_each_field_once_and_needs_likeness() -> None:
    assert suggestions(["a.messageId", "sent"], ["a.message_id", "sent_at_utc", "colour"]) == {
        "a.messageId": "a.message_id"
    }
    assert suggestions(["comment"], ["comments", "commentary"]) == {"comment": "comments"}
    assert suggestions(["x"], []) == {}


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
        max_leaves=10,
    )
)
def test_leaves_are_everything_that_holds_nothing_more(value: Any) -> None:
    def count(node: Any) -> int:
        if isinstance(node, dict) and node:
            return sum(map(count, node.values()))
        return sum(map(count, node)) if isinstance(node, list) and node else 1

    assert len(list(leaves(value))) == count(value)
