"""Records cut out of raw bytes: gone, and nothing else touched."""

import io
import json
from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from complaint_assets.contracts import load_contracts
from complaint_assets.logic.contract import Contract, build_contract
from complaint_assets.logic.privacy.erasure import Mark, Markers
from complaint_assets.logic.raw.cut import CannotCut, cut
from complaint_assets.logic.raw.parse import parse
from complaint_assets.logic.raw.records import Record, Refused
from complaint_assets_tests.logic.native_samples import SAMPLES

CONTRACTS = load_contracts()
NOBODY = Markers(())


def entries(content: bytes, contract: Contract) -> list[Record | Refused]:
    return [one for one in parse(io.BytesIO(content), contract) if isinstance(one, Record | Refused)]


def fields(content: bytes, contract: Contract) -> list[Any]:
    return [one.fields if isinstance(one, Record) else one.reason for one in entries(content, contract)]


def without(content: bytes, contract: Contract, positions: Collection[int], markers: Markers = NOBODY) -> bytes:
    found = entries(content, contract)
    doomed = [(found[position].byte_offset, found[position].ordinal) for position in positions]
    return cut(content, contract, found, doomed, markers)


def small(kind: str, **form: Any) -> Contract:
    return build_contract(
        {
            "channel": "survey",
            "source": "s",
            "version": "1.0",
            "description": "d",
            "owner": "team:t",
            "format": {"type": kind, **form},
            "occurred_at": {"otherwise": "received"},
        }
    )


@pytest.mark.parametrize("key", sorted(SAMPLES), ids="/".join)
def test_each_record_of_each_source_can_be_cut_and_the_others_read_as_before(key: tuple[str, str]) -> None:
    contract, content = CONTRACTS[key], SAMPLES[key]
    before = fields(content, contract)
    for position in range(len(before)):
        left = [value for number, value in enumerate(before) if number != position]
        if contract.format.records is None:
            assert fields(without(content, contract, [position]), contract) == left
        else:  # what stands around the record is in every record of the document
            assert len(fields(without(content, contract, [position]), contract)) == len(left)


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@given(st.lists(WORDS, min_size=1, max_size=6), st.sets(st.integers(0, 5)), st.sampled_from(["\n", "\r\n"]))
def test_lines_that_stay_keep_their_bytes(words: list[str], chosen: set[int], end: str) -> None:
    lines = [(json.dumps({"t": word}) + end).encode() for word in words]
    positions = [number for number in chosen if number < len(lines)]
    left = b"".join(line for number, line in enumerate(lines) if number not in positions)
    assert without(b"".join(lines), small("jsonl"), positions) == left


@given(
    st.lists(WORDS, min_size=1, max_size=6), st.sets(st.integers(0, 5)), st.sampled_from([",", " ,\n  ", ",\n"])
)
def test_an_array_stays_an_array(words: list[str], chosen: set[int], comma: str) -> None:
    content = ("[\n" + comma.join(json.dumps({"t": word}) for word in words) + "\n]\n").encode()
    positions = [number for number in chosen if number < len(words)]
    left = without(content, small("json"), positions)
    assert json.loads(left) == [{"t": word} for number, word in enumerate(words) if number not in positions]


def test_a_row_over_several_lines_goes_as_a_whole_and_the_header_stays() -> None:
    content = b'id,t\r\n1,a\r\n2,"two\r\nlines, and ""quotes"""\r\n3,c\r\n'
    assert without(content, small("csv"), [1]) == b"id,t\r\n1,a\r\n3,c\r\n"
    assert without(content, small("csv"), [0, 1, 2]) == b"id,t\r\n"


def test_a_chat_message_goes_with_the_lines_that_continue_it() -> None:
    contract = small("whatsapp_export", headers=["%d/%m/%Y, %H:%M - "])
    content = (
        b"01/11/2026, 10:00 - Ada: first\n01/11/2026, 10:01 - Obi: second\ngoes on\n\n01/11/2026, 10:02 - Ada: x\n"
    )
    assert without(content, contract, [1]) == b"01/11/2026, 10:00 - Ada: first\n01/11/2026, 10:02 - Ada: x\n"


def test_a_document_with_messages_of_two_people_keeps_the_other_and_loses_the_contact() -> None:
    contract = CONTRACTS["whatsapp", "cloud_api"]
    ada, obi = "2348031234567", "2348059876543"

    def message(number: str, text: str) -> dict[str, Any]:
        return {"id": f"wamid.{text}", "from": number, "timestamp": "1793520000", "text": {"body": text}}

    value = {
        "contacts": [{"wa_id": ada, "profile": {"name": "Ada"}}, {"wa_id": obi, "profile": {"name": "Obi"}}],
        "messages": [message(ada, "mine"), message(obi, "his"), message(ada, "mine too")],
    }
    document = {"object": "o", "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]}
    content = (json.dumps(document) + "\n").encode()
    left = without(content, contract, [0, 2], Markers([Mark("phone", "+" + ada)]))
    inner = json.loads(left)["entry"][0]["changes"][0]["value"]
    assert inner["messages"] == [message(obi, "his")]
    assert inner["contacts"] == [{"wa_id": obi, "profile": {"name": "Obi"}}]
    assert without(content, contract, [0, 1, 2]) == b""


def test_a_row_of_a_workbook_is_emptied_and_others_keep_their_numbers() -> None:
    from openpyxl import Workbook, load_workbook

    book = Workbook()
    for row in (["id", "phone", "t"], [1, 2348031234567, "mine"], [2, 2348059876543, "call 0803 123 4567"]):
        book.active.append(row)
    saved = io.BytesIO()
    book.save(saved)
    markers = Markers([Mark("phone", "+2348031234567")])
    left = without(saved.getvalue(), small("xlsx"), [0], markers)
    rows = list(load_workbook(io.BytesIO(left)).active.values)
    assert rows == [("id", "phone", "t"), (None, None, None), (2, 2348059876543, "call 9999 999 9999")]
    assert [one.ordinal for one in entries(left, small("xlsx"))] == [3]


def test_a_row_of_a_parquet_file_goes_and_a_mention_in_another_is_overwritten() -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    saved = io.BytesIO()
    texts = ["mine", "call 0803 123 4567", "his"]
    pq.write_table(pa.table({"phone": [2348031234567, 2348059876543, None], "t": texts}), saved)
    markers = Markers([Mark("phone", "+2348031234567")])
    left = without(saved.getvalue(), small("parquet"), [0], markers)
    assert pq.read_table(io.BytesIO(left)).to_pylist() == [
        {"phone": 2348059876543, "t": "call 9999 999 9999"},
        {"phone": None, "t": "his"},
    ]
    assert without(saved.getvalue(), small("parquet"), [0], markers) == left


def test_what_others_said_of_the_person_is_overwritten_in_place() -> None:
    content = b'{"t": "reach ada@mail.ng or +234 (0) 803-123-4567"}\n{"t": "other"}\n'
    markers = Markers([Mark("phone", "+2348031234567"), Mark("email", "ada@mail.ng")])
    left = without(content, small("jsonl"), [], markers)
    assert len(left) == len(content)
    assert markers.count(left) == 0
    assert [json.loads(line)["t"][:6] for line in left.splitlines()] == ["reach ", "other"]


def test_utf16_is_cut_between_characters() -> None:
    contract = small("csv")
    object.__setattr__(contract.format, "encoding", "utf-16-le")
    raw = [text.encode("utf-16-le") for text in ("id,t\r\n", "1,call 08031234567\r\n", "2,b\r\n")]
    second = Record(len(raw[0]) + len(raw[1]), len(raw[2]) - 4, 0, {})
    left = cut(
        b"".join(raw),
        contract,
        [second],
        [(second.byte_offset, 0)],
        Markers([Mark("phone", "+2348031234567")]),
    )
    assert left.decode("utf-16-le") == "id,t\r\n1,call 99999999999\r\n"


def test_records_that_share_bytes_in_an_unknown_way_are_not_cut_blindly() -> None:
    shared = [Record(0, 10, 0, {}), Record(0, 10, 1, {})]
    with pytest.raises(CannotCut):
        cut(b"0123456789", small("csv"), shared, [(0, 1)], NOBODY)
