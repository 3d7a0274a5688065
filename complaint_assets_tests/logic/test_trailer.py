"""Files that count their records in the last line: cut, they are held, and their neighbours flow."""

import gzip
import io
import json
import zipfile
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from complaint_assets.logic.contract import Contract, build_contract
from complaint_assets.logic.identify import Keys
from complaint_assets.logic.privacy.erasure import Markers
from complaint_assets.logic.raw.cut import cut
from complaint_assets.logic.raw.records import Record, Refused
from complaint_assets.logic.raw.unpack import read_entries
from complaint_assets.logic.standardised.standardise import Origin, Standardising, standardise
from complaint_assets.vocabulary import load_masker

MASKER = load_masker("analytic", "NG")
IDS = range(1, 13)
BASE = {
    "channel": "survey",
    "source": "s",
    "version": "1.0",
    "description": "d",
    "owner": "team:t",
    "occurred_at": {"otherwise": "received"},
    "identity": {"record_id": ["id"]},
    "text": {"fields": ["text"]},
}


def contract(kind: str, trailer: str, **form: Any) -> Contract:
    return build_contract({**BASE, "format": {"type": kind, "encoding": "utf-8", "trailer": trailer, **form}})


CSV = contract("csv", r"TRAILER,(?P<count>[0-9]+)")
JSONL = contract("jsonl", r'\{"trailer": \{"rows": (?P<count>\d+)\}\}')
ROWS = [f'{n},"kò sí ""network"" {n}, 😡\nat all"\r\n'.encode() for n in IDS]
LINES = [(json.dumps({"id": n, "text": f"kò sí network {n} 😡"}, ensure_ascii=False) + "\n").encode() for n in IDS]
FILES = {
    "csv": (CSV, b"id,text\r\n" + b"".join(ROWS) + b"TRAILER,12\r\n"),
    "jsonl": (JSONL, b"".join(LINES) + b'{"trailer": {"rows": 12}}\n'),
}


def read(content: bytes, by: Contract) -> Standardising:
    origin = Origin("survey", "s", "2026-11-10", "a" * 64, datetime(2026, 11, 10, 9, tzinfo=UTC), len(content))
    entries = read_entries(io.BytesIO(content), by, io.BytesIO())
    return standardise(entries, by, origin, Keys(b"k" * 32), "NG", date(2013, 1, 1), MASKER)


def outcome(content: bytes, by: Contract) -> tuple[int, list[str]]:
    found = read(content, by)
    assert found.records_in == found.deliveries.num_rows + found.quarantine.num_rows
    return found.deliveries.num_rows, found.quarantine["reason"].to_pylist()


HELD = (0, ["count_mismatch"])


@pytest.mark.parametrize("name", FILES)
def test_a_whole_file_is_read_and_its_trailer_is_no_record(name: str) -> None:
    by, content = FILES[name]
    assert outcome(content, by) == (12, [])
    assert outcome(content + b"\n \r\n", by) == (12, []), "blank lines behind it"
    assert outcome(gzip.compress(content), by) == (12, [])


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_cut_at_any_byte_is_never_accepted(name: str) -> None:
    """But for what it ends with: without the last line break all is there."""
    by, content = FILES[name]
    whole = len(content.rstrip())
    for end in range(whole):
        deliveries, reasons = outcome(content[:end], by)
        assert deliveries == 0, end
        assert reasons in (["count_mismatch"], ["held"]), end  # held: the header itself is cut
    for end in range(whole, len(content) + 1):
        assert outcome(content[:end], by) == (12, [])


@pytest.mark.parametrize("name", FILES)
def test_a_line_too_many_or_too_few_holds_the_file_as_a_whole(name: str) -> None:
    by, content = FILES[name]
    line = ROWS[3] if name == "csv" else LINES[3]
    assert outcome(content.replace(line, b""), by) == HELD
    assert outcome(content.replace(line, line + line), by) == HELD
    assert outcome(content.replace(b"12", b"ab"), by) == HELD
    found = read(content.replace(line, b""), by)
    assert found.quarantine["byte_length"].to_pylist() == [len(content) - len(line)]


def test_a_line_that_cannot_be_read_is_counted_and_waits_alone() -> None:
    by, content = FILES["jsonl"]
    assert outcome(content.replace(LINES[3], b"broken\n"), by) == (11, ["malformed"])


def test_each_file_of_an_archive_is_counted() -> None:
    def packed(*files: bytes) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for number, one in enumerate(files):
                archive.writestr(str(number), one)
        return out.getvalue()

    by, content = FILES["csv"]
    other = content.replace(b'"k', b'"K')
    assert outcome(packed(content, other), by) == (24, [])
    assert outcome(packed(content, other.replace(ROWS[3].replace(b'"k', b'"K'), b"")), by) == HELD


@given(st.sets(st.integers(0, 11), max_size=11), st.sampled_from(sorted(FILES)))
def test_a_file_out_of_which_records_are_cut_still_agrees_with_its_count(chosen: set[int], name: str) -> None:
    by, content = FILES[name]
    entries = [e for e in read_entries(io.BytesIO(content), by, io.BytesIO()) if isinstance(e, Record | Refused)]
    doomed = [(entries[n].byte_offset, entries[n].ordinal) for n in chosen]
    left = cut(content, by, entries, doomed, Markers(()))
    assert outcome(left, by) == (12 - len(chosen), [])
    short = cut(content.replace(b"12", b"13"), by, entries, doomed, Markers(()))
    assert outcome(short, by) == HELD, "what did not agree before does not agree after"


def test_a_padded_count_keeps_its_width() -> None:
    by = contract("csv", r"T(?P<count>[0-9]{4})")
    content = b"id,text\n1,a\n2,b\nT0002\n"
    entries = [e for e in read_entries(io.BytesIO(content), by, io.BytesIO()) if isinstance(e, Record | Refused)]
    assert cut(content, by, entries, [(entries[0].byte_offset, 0)], Markers(())) == b"id,text\n2,b\nT0001\n"


@pytest.mark.parametrize(
    "form",
    [
        {"type": "csv", "trailer": "TRAILER,[0-9]+"},
        {"type": "csv", "trailer": "TRAILER,(?P<count>"},
        {"type": "json", "trailer": "(?P<count>[0-9]+)"},
        {"type": "csv", "encoding": "utf-16-le", "trailer": "(?P<count>[0-9]+)"},
        {"type": "jsonl", "records": "a[]", "trailer": "(?P<count>[0-9]+)"},
    ],
)
def test_a_trailer_that_cannot_work_is_refused_with_the_contract(form: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"^format\.trailer: "):
        build_contract({**BASE, "format": {"encoding": "utf-8", **form}})
