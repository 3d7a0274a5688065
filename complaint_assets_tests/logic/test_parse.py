"""Bytes to records: positions, limits, and that bad bytes cost nothing but themselves."""

import csv
import io
import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from complaint_assets.contracts import load_contracts
from complaint_assets.logic.contract import Contract, build_contract
from complaint_assets.logic.raw.parse import Columns, Record, Refused, parse
from complaint_assets.logic.raw.records import MAX_RECORD
from complaint_assets_tests.logic.native_samples import (
    CONTACT_LOG,
    CSAT,
    NPS_HEADER,
    SAMPLES,
    jsonl,
    nps,
    whatsapp_body,
    workbook,
)

CONTRACTS = load_contracts()
TEXT_SOURCES = [key for key in SAMPLES if key != ("survey", "nps")]
EXPORT = (
    "15.04.2016, 15:04 - You created group “Sample”\n"
    "06.08.2016, 13:23 - Ash Ketchum: Hey guys!\n"
    "how are you: fine?\n"
    "\n"
    "[7/8/2016, 1:25:07\u202fp.m.] +234 803 123 4567: Ça va\n"
    "8/8/16, 9:30 AM - Misty: ok\n"
).encode()


def contract(type_: str, **more: Any) -> Contract:
    form = {"type": type_, **more.pop("format", {})}
    base = {"channel": "survey", "source": "s", "version": "1.0", "description": "d", "owner": "team:t"}
    return build_contract({**base, "format": form, "occurred_at": {"otherwise": "received"}, **more})


EXPORT_CONTRACT = contract(
    "whatsapp_export",
    format={"headers": ["%d.%m.%Y, %H:%M - ", "[%d/%m/%Y, %I:%M:%S %p] ", "%d/%m/%y, %I:%M %p - "]},
    occurred_at={"fields": ["time"], "timezone": "Africa/Lagos"},
)


def entries(content: bytes, by: Contract) -> list[Record | Refused]:
    return [entry for entry in parse(io.BytesIO(content), by) if not isinstance(entry, Columns)]


def records(content: bytes, by: Contract) -> list[Record]:
    found = entries(content, by)
    assert all(isinstance(entry, Record) for entry in found), found
    return found  # type: ignore[return-value]  # just asserted


def reasons(content: bytes, by: Contract) -> list[str]:
    return [entry.reason if isinstance(entry, Refused) else "record" for entry in entries(content, by)]


def text_case(key: tuple[str, str]) -> tuple[bytes, Contract]:
    return (EXPORT, EXPORT_CONTRACT) if key == ("export", "export") else (SAMPLES[key], CONTRACTS[key])


ALL_TEXT = [*TEXT_SOURCES, ("export", "export")]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (("social", "x"), 3),
        (("social", "mastodon"), 3),
        (("sms", "gateway"), 2),
        (("whatsapp", "cloud_api"), 2),
        (("web_form", "website"), 3),
        (("web_form", "app"), 2),
        (("survey", "csat"), 2),
        (("survey", "nps"), 2),
    ],
)
def test_every_source_gives_its_records(key: tuple[str, str], expected: int) -> None:
    assert len(records(SAMPLES[key], CONTRACTS[key])) == expected


def test_a_row_of_wrong_width_is_refused_and_its_neighbours_are_not() -> None:
    found = entries(CONTACT_LOG, CONTRACTS["call_centre", "contact_log"])
    assert [entry.fields["Case ID"] if isinstance(entry, Record) else entry.reason for entry in found] == [
        "C1",
        "C2",
        "C3",
        "malformed",
        "C5",
    ]
    assert isinstance(found[0], Record)
    assert found[0].fields["Notes"] == 'Mr Okafor was billed twice\r\nwants £5 back, says "now"'
    assert isinstance(found[1], Record)
    assert found[1].fields["Notes"] == 'No signal at 5" café'


def reread(raw: bytes, by: Contract, names: list[str]) -> Any:
    if by.format.type in ("csv", "tsv"):
        text = raw.decode(by.format.encoding)
        return dict(zip(names, next(csv.reader([text], delimiter=by.format.delimiter)), strict=True))
    return json.loads(raw)


@pytest.mark.parametrize("key", [key for key in TEXT_SOURCES if key[0] != "whatsapp"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_offset_and_length_give_the_bytes_of_the_record(key: tuple[str, str], mark: bytes) -> None:
    content, by = mark + SAMPLES[key], CONTRACTS[key]
    if by.format.preamble_rows:
        content = SAMPLES[key]
    found = [entry for entry in entries(content, by) if isinstance(entry, Record)]
    assert found
    for record in found:
        raw = content[record.byte_offset : record.byte_offset + record.byte_length]
        assert reread(raw, by, list(record.fields)) == record.fields


def test_messages_of_one_webhook_body_share_their_bytes_and_differ_in_ordinal() -> None:
    content = jsonl(whatsapp_body("a", "b"), whatsapp_body("c"))
    found = records(content, CONTRACTS["whatsapp", "cloud_api"])
    first = content.index(b"\n")
    assert [(r.byte_offset, r.byte_length, r.ordinal) for r in found] == [
        (0, first, 0),
        (0, first, 1),
        (first + 1, len(content) - first - 2, 0),
    ]
    value = found[1].fields["entry"]["changes"]["value"]
    assert value["messages"]["text"]["body"] == "b"
    assert value["contacts"][0]["wa_id"] == "2348031234567"


def test_a_body_without_messages_holds_no_record_but_a_broken_body_is_refused() -> None:
    by = CONTRACTS["whatsapp", "cloud_api"]
    assert entries(jsonl(whatsapp_body(messages=None, statuses=[])), by) == []
    assert reasons(jsonl({"object": "x"}), by) == ["malformed"]
    assert reasons(jsonl(whatsapp_body(messages=["text"])), by) == ["malformed"]
    assert reasons(b"[]\n3\nnull\n", by) == ["malformed"] * 3


@pytest.mark.parametrize("key", ALL_TEXT)
def test_a_cut_at_any_byte_spoils_only_what_it_cuts(key: tuple[str, str]) -> None:
    content, by = text_case(key)
    whole = entries(content, by)
    for cut in range(len(content)):
        found = entries(content[:cut], by)
        before = [entry for entry in whole if entry.byte_offset + entry.byte_length < cut]
        if by is EXPORT_CONTRACT:
            before = before[:-1]  # a chat message goes on until the next one begins
        header_is_cut = bool(found) and isinstance(found[0], Refused) and found[0].reason == "held"
        if header_is_cut:
            assert not before
            continue
        assert found[: len(before)] == before
        start = before[-1].byte_offset if before else 0
        assert all(entry.byte_offset >= start for entry in found[len(before) :])


@pytest.mark.parametrize("type_", ["jsonl", "json"])
def test_json_cut_inside_a_record_never_gives_a_record(type_: str) -> None:
    document = json.dumps({"id": "a", "n": 12, "list": [1, {"x": "}]"}], "text": 'q"'}).encode()
    prefix = b"[" if type_ == "json" else b""
    for cut in range(1, len(document)):
        assert "record" not in reasons(prefix + document[:cut], contract(type_))


def test_a_cut_workbook_is_refused_as_a_whole() -> None:
    content, by = nps(), CONTRACTS["survey", "nps"]
    for cut in range(0, len(content), 97):
        found = entries(content[:cut], by)
        assert [(entry.byte_offset, entry.byte_length) for entry in found] == [(0, cut)]
        assert isinstance(found[0], Refused)


def test_workbook_rows_keep_their_types_and_their_row_numbers() -> None:
    first, second = records(nps(), CONTRACTS["survey", "nps"])
    assert (first.ordinal, second.ordinal) == (4, 6)
    assert (first.byte_offset, first.byte_length) == (0, len(nps()))
    assert first.fields["Phone"] == 8031234567
    assert first.fields["Date"].minute == 35


@pytest.mark.parametrize(
    "content",
    [
        workbook(("a",), ("b",), NPS_HEADER[1:]),
        workbook(("a",), ("b",)),
        workbook(NPS_HEADER, sheet="Other"),
        b"PK\x03\x04 no workbook",
        b"",
    ],
)
def test_a_workbook_of_another_layout_is_one_refusal(content: bytes) -> None:
    (refused,) = entries(content, CONTRACTS["survey", "nps"])
    assert isinstance(refused, Refused)
    assert refused.reason in ("held", "malformed")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"id": "a"', "malformed"),
        (b'{"id": "\xff"}', "record"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "malformed"),
        (b"[" * 100_000, "malformed"),
        (b'{"a":' * 64 + b"1" + b"}" * 64, "record"),
        (b'{"text": "' + b"[" * 500 + b'"}', "record"),
        (b'{"n": ' + b"9" * 5000 + b"}", "malformed"),
        (b'{"n": NaN}', "record"),
        (b'{"text": "\\ud83d"}', "record"),
        (b'{"t": "' + b"x" * (MAX_RECORD - 9) + b'"}', "record"),
        (b'{"t": "' + b"x" * (MAX_RECORD - 8) + b'"}', "oversize"),
        (b"x" * (3 * MAX_RECORD), "oversize"),
    ],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_one_bad_line_leaves_its_neighbours_alone(line: bytes, reason: str, end: bytes) -> None:
    content = end.join([b'{"id": 1}', line, b"", b'{"id": 2}', b""])
    found = entries(content, contract("jsonl"))
    assert [entry.reason if isinstance(entry, Refused) else "record" for entry in found] == [
        "record",
        reason,
        "record",
    ]
    assert found[1].byte_offset == len(b'{"id": 1}' + end)
    assert found[2].byte_offset == content.rindex(b'{"id": 2}')


def test_half_a_surrogate_pair_does_not_get_through() -> None:
    (record,) = records(b'{"text": "a\\ud83d b\\ud83d\\ude00", "\\ude00": 1}', contract("jsonl"))
    assert record.fields == {"text": "a\\ud83d b😀", "\\ude00": 1}
    assert record.damaged


def test_a_huge_line_is_not_held_in_memory() -> None:
    class Endless(io.RawIOBase):
        """40 MB without a line break, then a record; notes the largest piece that was asked for."""

        left = 40 << 20
        largest = 0

        def readline(self, size: int | None = -1, /) -> bytes:
            self.largest = max(self.largest, size or 0)
            if self.left:
                piece = min(size or 0, self.left)
                self.left -= piece
                return b"x" * piece if self.left else b"x" * (piece - 1) + b"\n"
            return b""

    stream = Endless()
    (refused,) = parse(stream, contract("jsonl"))  # type: ignore[arg-type]  # all that is used of it
    assert refused == Refused(0, 40 << 20, 0, "oversize")
    assert stream.largest <= MAX_RECORD + 2


def test_a_broken_element_of_an_array_leaves_its_neighbours_alone() -> None:
    content = b'[{"id": 1}, {"id": , "x": "}"}, 7, {"id": "\xff"}, nonsense, {"id": "caf\xc3\xa9"}, {"id": 3}]'
    found = entries(content, contract("json"))
    assert [entry.fields["id"] if isinstance(entry, Record) else entry.reason for entry in found] == [
        1,
        "malformed",
        "malformed",
        "\\xff",
        "malformed",
        "café",
        3,
    ]
    last = found[-1]
    assert content[last.byte_offset : last.byte_offset + last.byte_length] == b'{"id": 3}'


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"[]", []),
        (b" [ ] \n", []),
        (b"", ["malformed"]),
        (b'{"id": 1}', ["malformed"]),
        (b'[{"id": 1}', ["record", "malformed"]),
        (b'[{"id": 1}] tail', ["record", "malformed"]),
        (b'[{"id": 1} {"id": 2}]', ["record", "malformed"]),
        (b"[" * 200_000, ["malformed"]),
        (b'[{"t": "' + b"x" * MAX_RECORD + b'"}, {"id": 1}]', ["oversize", "record"]),
    ],
)
def test_an_array_is_read_as_far_as_it_goes(content: bytes, expected: list[str]) -> None:
    assert reasons(content, contract("json")) == expected


ROW = b"a,b,c\n"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (b'1,"x\ny",3\n4,5,6\n', ["record", "record"]),
        (b'1,5" pipe,3\n4,5,6" x\n', ["record", "record"]),
        (b'1,"say ""no""\n""again""",3\n4,5,6', ["record", "record"]),
        (b'1,"stray,3\n4,5,6\n7,8,9\n', ["malformed", "record", "record"]),
        (b'1,"stray,3\n4,"five",6\n7,8,9\n', ["malformed", "record", "record"]),
        (b"1,2\n4,5,6\n7,8,9,10\n", ["malformed", "record", "malformed"]),
        (b"1,\xff,3\n4,5,6\n", ["record", "record"]),
        (b"\n,,\n \n1,2,3\n", ["record"]),
        (b"1," + b"x" * MAX_RECORD + b",3\n4,5,6\n", ["oversize", "record"]),
        (b"1," + b"x" * (MAX_RECORD - 10) + b",3\n4,5,6\n", ["record", "record"]),
        (b'1,"' + (b"x" * 99 + b"\n") * 11_000 + b"4,5,6\n", ["malformed"] * 11_000 + ["record"]),
    ],
)
def test_rows_of_a_table(rows: bytes, expected: list[str]) -> None:
    assert reasons(ROW + rows, contract("csv")) == expected


@given(
    st.lists(
        st.lists(st.text(st.sampled_from('ab",\né'), max_size=6), min_size=3, max_size=3).filter(any),
        max_size=8,
    ),
    st.sampled_from(["\n", "\r\n"]),
)
@settings(max_examples=300, deadline=None)
def test_whatever_the_csv_module_writes_is_read_back(rows: list[list[str]], end: str) -> None:
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator=end).writerows([["a", "b", "c"], *rows])
    content = stream.getvalue().encode()
    found = records(content, contract("csv"))
    assert [list(record.fields.values()) for record in found] == rows
    for record in found:
        raw = content[record.byte_offset : record.byte_offset + record.byte_length].decode()
        assert next(csv.reader([raw])) == list(record.fields.values())


@given(
    st.binary(max_size=400) | st.text('ab",\n\r\t[]{}:12', max_size=400).map(str.encode),
    st.sampled_from(ALL_TEXT),
)
@settings(max_examples=400, deadline=None)
def test_no_bytes_whatever_make_a_reader_fail(content: bytes, key: tuple[str, str]) -> None:
    sample, by = text_case(key)
    for candidate in (content, sample[: sample.find(b"\n") + 1] + content):
        for entry in entries(candidate, by):
            assert 0 <= entry.byte_offset <= entry.byte_offset + entry.byte_length <= len(candidate)


def test_hostile_quotes_cost_linear_time() -> None:
    content = ROW + b'a"b,"\n' * 50_000
    started = time.process_time()
    found = entries(content, contract("csv"))
    assert time.process_time() - started < 10
    assert sum(entry.byte_length for entry in found) <= len(content)
    assert all(isinstance(entry, Refused) for entry in found)


def test_a_header_without_a_promised_column_refuses_the_whole_object() -> None:
    content = CSAT.replace(b"completed_at", b"finished")
    assert entries(content, CONTRACTS["survey", "csat"]) == [Refused(0, len(content), 0, "held", "completed_at")]
    assert entries(b"", CONTRACTS["survey", "csat"]) == [Refused(0, 0, 0, "held", "header")]


def test_preamble_blank_and_repeated_column_names() -> None:
    by = contract("csv", format={"preamble_rows": 2, "encoding": "cp1252", "delimiter": ";"})
    (record,) = records('"a\nb"\n\nx;x;;y\n1;2;;\u20ac\n'.encode("cp1252"), by)
    assert record.fields == {"x": "1", "x 2": "2", "column 3": "", "y": "€"}


def test_tab_separated_values_may_span_lines() -> None:
    (record, other) = records(b'id\ttext\n1\t"53140 \n kenosha"\n2\tok, "then"\n', contract("tsv"))
    assert record.fields == {"id": "1", "text": "53140 \n kenosha"}
    assert other.fields["text"] == 'ok, "then"'


def test_chat_export_joins_continuations_and_leaves_out_system_lines() -> None:
    found = records(EXPORT, EXPORT_CONTRACT)
    assert [tuple(record.fields.values()) for record in found] == [
        ("06.08.2016, 13:23 -", "Ash Ketchum", "Hey guys!\nhow are you: fine?"),
        ("[7/8/2016, 1:25:07 PM]", "+234 803 123 4567", "Ça va"),
        ("8/8/16, 9:30 AM -", "Misty", "ok"),
    ]
    first = found[0]
    raw = EXPORT[first.byte_offset : first.byte_offset + first.byte_length]
    assert records(raw, EXPORT_CONTRACT)[0].fields == first.fields


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"what is this\n01.02.2020, 10:00 - A: hi\n", ["malformed", "record"]),
        (b"01.02.2020, 10:00 - A: \xff\n01.02.2020, 10:01 - A: hi\n", ["record", "record"]),
        (
            b"01.02.2020, 10:00 - A: hi\n01.02.2020, 10:01 - A: "
            + b"x" * MAX_RECORD
            + b"\n01.02.2020, 10:02 - A: b",
            ["record", "oversize", "record"],
        ),
        (
            b"01.02.2020, 10:00 - A: hi\n" + b"more\n" * 300_000 + b"01.02.2020, 10:02 - A: b",
            ["oversize", "record"],
        ),
        (b"01.02.2020, 10:00 - A:\n", ["record"]),
        (b"", []),
    ],
)
def test_chat_export_with_bad_parts(content: bytes, expected: list[str]) -> None:
    assert reasons(content, EXPORT_CONTRACT) == expected
