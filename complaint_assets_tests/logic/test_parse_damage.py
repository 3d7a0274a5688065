"""Damage of every kind in every format: no crash, nothing lost without a word, no promise of a file overlooked."""

import contextlib
import io
import json
import random
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from complaint_assets.logic.contract import Contract, build_contract
from complaint_assets.logic.raw.parse import Columns, Record, Refused, parse
from complaint_assets.logic.raw.records import MAX_RECORD
from complaint_assets_tests.conftest import REPOSITORY
from complaint_assets_tests.logic.native_samples import workbook

IDS = list(range(1, 31))


def said(ids: Iterable[int]) -> list[str]:
    return [f"Nínú ilé {n} kò sí network, “no signal” ẹ jọ̀ọ́ 😡 {n * 7919}" for n in ids]


TEXTS = said(IDS)


def contract(type_: str, **form: Any) -> Contract:
    if type_ not in ("xlsx", "parquet"):
        form = {"encoding": "utf-8", **form}
    base = {"channel": "survey", "source": "s", "version": "1.0", "description": "d", "owner": "team:t"}
    when = {"fields": ["time"]} if type_ == "whatsapp_export" else {"otherwise": "received"}
    return build_contract({**base, "format": {"type": type_, **form}, "occurred_at": when})


def parquet(rows: dict[str, list[Any]]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(rows), out, write_page_checksum=True, compression="snappy")
    return out.getvalue()


def files(ids: list[int]) -> dict[str, tuple[bytes, Contract]]:
    """A file of records ``ids`` in every format, and its contract."""
    texts = said(ids)
    documents = [{"id": n, "text": text} for n, text in zip(ids, texts, strict=True)]
    return {
        "jsonl": ("\n".join(json.dumps(d, ensure_ascii=False) for d in documents).encode(), contract("jsonl")),
        "json": (json.dumps(documents, ensure_ascii=False).encode(), contract("json")),
        "csv": (
            b"id,text\n" + "".join(f'{n},"{t}"\n' for n, t in zip(ids, texts, strict=True)).encode(),
            contract("csv"),
        ),
        "tsv": (
            b"id\ttext\n" + "".join(f"{n}\t{t}\n" for n, t in zip(ids, texts, strict=True)).encode(),
            contract("tsv"),
        ),
        "xml": (
            f"<?xml version='1.0' encoding='utf-8'?>\n<all><r id='1'><text>{'</text></r><r><text>'.join(texts)}"
            "</text></r></all>".encode(),
            contract("xml", records="all.r[]"),
        ),
        "whatsapp_export": (
            "".join(f"01.02.2020, 10:00 - A{n}: {t}\n" for n, t in zip(ids, texts, strict=True)).encode(),
            contract("whatsapp_export", headers=["%d.%m.%Y, %H:%M - "]),
        ),
        "xlsx": (workbook(("id", "text"), *zip(ids, texts, strict=True)), contract("xlsx")),
        "parquet": (parquet({"id": ids, "text": texts}), contract("parquet")),
    }


FORMATS = files(IDS)
formats = pytest.mark.parametrize("name", FORMATS)
CHECKED = ("xlsx", "parquet")
"""Formats with checksums and counts of their own: damaged, they are refused as a whole."""
CLOSED = ("json", "xml")
"""Formats that say where they end: cut, they hold a refusal."""


def entries(content: bytes, by: Contract) -> list[Record | Refused]:
    return [entry for entry in parse(io.BytesIO(content), by) if not isinstance(entry, Columns)]


def kinds(content: bytes, by: Contract) -> list[str]:
    return [entry.reason if isinstance(entry, Refused) else "record" for entry in entries(content, by)]


@formats
def test_undamaged_every_format_gives_every_record(name: str) -> None:
    content, by = FORMATS[name]
    found = entries(content, by)
    assert len(found) == len(IDS)
    assert all(isinstance(entry, Record) and not entry.damaged for entry in found)
    assert [TEXTS[n] in entry.fields.values() for n, entry in enumerate(found) if isinstance(entry, Record)] == [
        True
    ] * len(IDS)


@formats
def test_a_file_cut_at_any_byte_is_never_a_crash_and_never_taken_for_whole(name: str) -> None:
    content, by = FORMATS[name]
    step = 7 if name == "xlsx" else 1
    whole = [e for e in entries(content, by) if isinstance(e, Record)]
    for cut in range(0, len(content), step):
        found = entries(content[:cut], by)
        refused = [entry for entry in found if isinstance(entry, Refused)]
        if name in CHECKED:
            assert found == refused
            assert [(r.byte_offset, r.byte_length) for r in refused] == [(0, cut)]
            continue
        if name in CLOSED:
            assert refused, f"cut at {cut}"
        good = [entry for entry in found if isinstance(entry, Record) and not entry.damaged]
        assert good[:-1] == whole[: max(0, len(good) - 1)], "what lies before the cut is read as ever"
        assert all(r.byte_offset + r.byte_length <= cut for r in refused)


@formats
def test_flipped_bits_never_crash_and_what_carries_a_checksum_is_not_believed(name: str) -> None:
    content, by = FORMATS[name]
    whole = [e.fields for e in entries(content, by) if isinstance(e, Record)]
    rng = random.Random(name)
    for _ in range(125):
        bit = rng.randrange(len(content) * 8)
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        found = entries(bytes(damaged), by)
        values = [e.fields for e in found if isinstance(e, Record)]
        if name in CHECKED and not any(isinstance(e, Refused) for e in found):
            # A bit of a file name, of a comment or of a statistic: the rows themselves are what they were.
            assert values == whole, f"bit {bit}"


ENCODINGS = (
    *("utf-8", "utf-16-le", "utf-16-be", "ascii", "cp1250", "cp1251", "cp1252", "cp1256"),
    *("iso-8859-1", "iso-8859-9", "iso-8859-15", "mac-roman"),
)
SAYINGS = ("ẹ jọ̀ọ́ 😡", "żółć", "сеть не работает", "café “£5” €", "لا توجد شبكة", "çok yavaş", "plain Ċ ਊ\u200b")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("type_", ["jsonl", "csv", "whatsapp_export"])
def test_every_declared_encoding_is_read_to_the_letter_and_offsets_stay_true(encoding: str, type_: str) -> None:
    def known(text: str) -> bool:
        with contextlib.suppress(UnicodeEncodeError):
            return bool(text.encode(encoding))
        return False

    sayings = ["plain", *filter(known, SAYINGS)]
    lines = {
        "jsonl": [json.dumps({"text": text}, ensure_ascii=False) for text in sayings],
        "csv": ["text,n", *(f'"{text}",1' for text in sayings)],
        "whatsapp_export": [f"01.02.2020, 10:00 - A: {text}" for text in sayings],
    }[type_]
    headers = {"headers": ["%d.%m.%Y, %H:%M - "]} if type_ == "whatsapp_export" else {}
    content = "\r\n".join(lines).encode(encoding)
    found = entries(content, contract(type_, encoding=encoding, **headers))
    assert [entry.fields["text"] for entry in found if isinstance(entry, Record)] == sayings
    assert not any(entry.damaged for entry in found if isinstance(entry, Record))
    for entry, line in zip(found, lines[len(lines) - len(sayings) :], strict=True):
        raw = content[entry.byte_offset : entry.byte_offset + entry.byte_length]
        assert raw.decode(encoding) == line


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252", "utf-16-le"])
def test_bytes_that_an_encoding_does_not_know_are_kept_and_told(encoding: str) -> None:
    bad = {"utf-8": b"\xff", "ascii": b"\xe9", "cp1252": b"\x81", "utf-16-le": b"\x00\xd8"}[encoding]
    content = b"".join(
        '{"text": "a'.encode(encoding) + part + 'b"}\n'.encode(encoding) for part in (bad, b"", bad + bad)
    )
    found = entries(content, contract("jsonl", encoding=encoding))
    assert [entry.damaged for entry in found if isinstance(entry, Record)] == [True, False, True]
    texts = [entry.fields["text"] for entry in found if isinstance(entry, Record)]
    assert texts[1] == "ab"
    assert "\\x" in texts[0]
    assert not any("\ufffd" in text for text in texts)


def test_a_mark_of_another_encoding_refuses_the_object_whatever_its_format() -> None:
    for mark in (b"\xff\xfe", b"\xfe\xff"):
        for type_ in ("jsonl", "json", "csv"):
            content = mark + b'{"a": 1}\n' * 3
            assert entries(content, contract(type_)) == [Refused(0, len(content), 0, "undecodable", "encoding")]
    assert kinds(b'\xef\xbb\xbf{"a": 1}', contract("jsonl", encoding="cp1252")) == ["undecodable"]


XML = contract("xml", records="all.r[]")


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        (b"<r><a>1</a></r><r x='2'/>", [{"a": "1"}, {"@x": "2"}]),
        (b"<r><a>1</a><a>2</a><b k='v'>t</b></r>", [{"a": ["1", "2"], "b": {"@k": "v", "#text": "t"}}]),
        (b"<r>5 &lt; 6 &amp; <![CDATA[<r>]]></r>", [{"#text": "5 < 6 & <r>"}]),
        (b"<other><r>no</r></other><r x='&gt;/'  /><!-- <r> -->", [{"@x": ">/"}]),
        (b"<r><a>1</r><r x='2'/><r x='3'/>", ["malformed", {"@x": "2"}, {"@x": "3"}]),
        (b"<r><a>1</a><r x='2'/>", ["malformed", {"@x": "2"}]),
        (b"<r><a>\xff</a></r><r x='2'/>", ["malformed", {"@x": "2"}]),
        (b"<r>&nbsp;</r><r x='2'/>", ["malformed", {"@x": "2"}]),
        (b"<r>" + b"<a>" * 70 + b"</a>" * 70 + b"</r><r x='2'/>", ["malformed", {"@x": "2"}]),
        (b"<r>" + b"x" * MAX_RECORD + b"</r><r x='2'/>", ["oversize", {"@x": "2"}]),
        (b"<r y='" + b"x" * (3 * MAX_RECORD) + b"'/><r x='2'/>", ["oversize", {"@x": "2"}]),
        (b"", []),
    ],
)
def test_xml(inside: bytes, expected: list[Any]) -> None:
    content = b"<all>" + inside + b"</all>"
    found = entries(content, XML)
    assert [e.fields if isinstance(e, Record) else e.reason for e in found] == expected
    for entry in found:
        raw = content[entry.byte_offset : entry.byte_offset + entry.byte_length]
        assert raw.startswith(b"<r")
        if isinstance(entry, Record):
            assert entries(b"<all>" + raw + b"</all>", XML)[0].fields == entry.fields  # type: ignore[union-attr]


def test_xml_with_a_document_type_is_refused_before_an_entity_grows() -> None:
    bomb = b"<!DOCTYPE all [<!ENTITY a '" + b"x" * 1000 + b"'>]><all><r>&a;</r></all>"
    assert entries(bomb, XML) == [Refused(0, len(bomb), 0, "malformed", "DOCTYPE")]


def test_parquet_keeps_types_and_refuses_what_unpacks_too_far() -> None:
    content = parquet({"id": [1, 2], "text": ["a", "x" * (MAX_RECORD + 1)], "n": [None, 1.5]})
    first, second = entries(content, contract("parquet"))
    assert isinstance(first, Record)
    assert (first.fields, first.ordinal) == ({"id": 1, "text": "a", "n": None}, 1)
    assert (first.byte_offset, first.byte_length) == (0, len(content))
    assert isinstance(second, Refused)
    assert second.reason == "oversize"
    large = parquet({"text": [str(n) * 4000 for n in range(10_000)]})
    assert kinds(large, contract("parquet")) == ["oversize"]


@pytest.mark.parametrize("name", ["jsonl", "json", "csv", "xml", "whatsapp_export"])
def test_a_record_of_hundreds_of_megabytes_leaves_memory_and_neighbours_alone(name: str) -> None:
    before, inside, after = {
        "jsonl": (b'{"id": 1}\n{"t": "', b"x\\\\", b'"}\n{"id": 2}\n'),
        "json": (b'[{"id": 1}, {"t": "', b"x\\\\", b'"}, {"id": 2}]'),
        "csv": (b"id,t\n1,a\n3,", b"yyy,", b"\n2,b\n"),
        "xml": (b"<all><r id='1'/><r>", b"text", b"</r><r id='2'/></all>"),
        "whatsapp_export": (
            b"01.02.2020, 10:00 - A: 1\n01.02.2020, 10:01 - A: ",
            b"text",
            b"\n01.02.2020, 10:02 - A: 2\n",
        ),
    }[name]
    script = (
        "import resource, sys\n"
        "from complaint_assets_tests.logic.test_parse_damage import FORMATS, Giant, kinds_of\n"
        f"by = FORMATS[{name!r}][1]\n"
        "start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        f"found = kinds_of(Giant({before!r}, {inside!r}, {after!r}, 200 << 20), by)\n"
        "print(found, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) >> 10)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    found, _, megabytes = done.stdout.strip().rpartition(" ")
    assert found == "['record', 'oversize', 'record']"
    assert int(megabytes) < 64


class Giant(io.RawIOBase):
    """A file whose middle is ``inside`` over and over, ``size`` bytes of it, without a line break."""

    def __init__(self, before: bytes, inside: bytes, after: bytes, size: int) -> None:
        self._parts = [before, after]
        self._block = inside * ((1 << 16) // len(inside))
        self._left = size // len(self._block)
        self._held = bytearray(before)

    def _fill(self, size: int) -> None:
        while len(self._held) < size and (self._left or self._parts[1]):
            if self._left:
                self._held += self._block
                self._left -= 1
            else:
                self._held += self._parts[1]
                self._parts[1] = b""

    def read(self, size: int = -1, /) -> bytes:
        self._fill(size)
        taken = bytes(self._held[:size])
        del self._held[:size]
        return taken

    def readline(self, size: int | None = -1, /) -> bytes:
        self._fill(size or 0)
        end = self._held.find(b"\n", 0, size) + 1
        return self.read(end or size or 0)


def kinds_of(stream: Any, by: Contract) -> list[str]:
    return [
        entry.reason if isinstance(entry, Refused) else "record"
        for entry in parse(stream, by)
        if not isinstance(entry, Columns)
    ]
