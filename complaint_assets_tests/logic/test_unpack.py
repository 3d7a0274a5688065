"""Compressed objects: read as what they hold, refused as a whole when they are cut, spoilt, or bombs."""

import gzip
import io
import tracemalloc
import zipfile

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from complaint_assets.contracts import load_contracts
from complaint_assets.logic.contract import build_contract
from complaint_assets.logic.raw import unpack
from complaint_assets.logic.raw.parse import Record, Refused, parse
from complaint_assets.logic.raw.unpack import read_entries, unpacked

CONTRACT = build_contract(
    {
        "channel": "survey",
        "source": "s",
        "version": "1.0",
        "description": "d",
        "owner": "team:t",
        "format": {"type": "csv", "encoding": "utf-8"},
        "occurred_at": {"otherwise": "received"},
    }
)
JUNE, JULY = b"id,text\n1,one\n2,\xe1\xba\xb9k\xe1\xbb\x8d\xcc\x81\n", b"id,text\r\n3,three\r\n"


def zst(data: bytes) -> bytes:
    packed: bytes = pa.Codec("zstd").compress(data, asbytes=True)
    return packed


def archive(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as one:
        for name, data in files.items():
            one.writestr(name, data)
    return out.getvalue()


def read(data: bytes) -> list[Record | Refused]:
    found = list(read_entries(io.BytesIO(data), CONTRACT, io.BytesIO()))
    return [entry for entry in found if isinstance(entry, Record | Refused)]


def original(data: bytes, offset: int, length: int) -> bytes:
    source = unpacked(io.BytesIO(data), io.BytesIO())
    source.seek(offset)
    return source.read(length)


def values(entries: list[Record | Refused]) -> list[str]:
    return [entry.fields["id"] if isinstance(entry, Record) else entry.reason for entry in entries]


PACKED = {
    "plain": JUNE,
    "gz": gzip.compress(JUNE),
    "gz of two members": gzip.compress(JUNE[:11]) + gzip.compress(JUNE[11:]),
    "zst": zst(JUNE),
    "zst of two frames": zst(JUNE[:11]) + zst(JUNE[11:]),
    "zip": archive({"june.csv": JUNE}),
    "stored zip": archive({"june.csv": JUNE}, zipfile.ZIP_STORED),
    "zip of a gz": archive({"june.csv.gz": gzip.compress(JUNE)}),
    "zip of a zst": archive({"june.csv.zst": zst(JUNE)}),
    "zip of a zip": archive({"june.zip": archive({"june.csv": JUNE})}),
}


@pytest.mark.parametrize("packed", PACKED.values(), ids=PACKED)
def test_the_records_and_their_places_are_those_of_the_unpacked_file(packed: bytes) -> None:
    plain = [entry for entry in parse(io.BytesIO(JUNE), CONTRACT) if isinstance(entry, Record | Refused)]
    assert read(packed) == plain
    assert values(plain) == ["1", "2"]


def test_every_file_of_an_archive_has_its_own_header_and_its_own_places() -> None:
    packed = archive(
        {"june.csv": JUNE, "folder/": b"", "__MACOSX/._june.csv": b"\0\1", "folder/../../july.csv": JULY}
    )
    entries = read(packed)
    assert values(entries) == ["1", "2", "3"]
    for entry, line in zip(entries, [b"1,one", JUNE.splitlines()[2], b"3,three"], strict=True):
        found = original(packed, entry.byte_offset, entry.byte_length)
        assert found.rstrip() == line
    assert original(JUNE, 8, 5) == b"1,one"


@pytest.mark.parametrize("kind", ["gz", "zst", "zip", "stored zip"])
def test_a_file_cut_anywhere_is_refused_as_a_whole(kind: str) -> None:
    packed = PACKED[kind]
    # From four bytes on it can be told that it is compressed at all.
    for cut in range(4, len(packed)):
        data = packed[:cut]
        assert read(data) == [Refused(0, cut, 0, "malformed")], cut
        assert original(data, 0, cut) == data


@settings(max_examples=150)
@given(st.sampled_from(["gz", "zip", "stored zip", "zip of a gz", "zst"]), st.data())
def test_a_flipped_bit_is_never_a_wrong_record(name: str, data: st.DataObject) -> None:
    packed = bytearray(PACKED[name])
    # Without its first four bytes it is no compressed file, but one that its contract does not describe.
    bit = data.draw(st.integers(4 * 8, len(packed) * 8 - 1))
    packed[bit // 8] ^= 1 << bit % 8
    entries = read(bytes(packed))
    if name == "zst":  # its writer adds no checksum: all that holds is that nothing breaks
        return
    # Dates and names in the headers are not covered by the checksum; the records are.
    records = [entry for entry in entries if isinstance(entry, Record)]
    assert records in ([], read(PACKED[name]))
    assert records or entries == [] or isinstance(entries[0], Refused)


def bomb(kind: str) -> bytes:
    zeros = b"\n" * (80 << 20)
    return {
        "gz": lambda: gzip.compress(zeros),
        "zst": lambda: zst(zeros),
        "zip": lambda: archive({"a": zeros}),
        "entries": lambda: archive({str(n): b"" for n in range(unpack.MAX_ENTRIES + 1)}),
        "gz in gz": lambda: gzip.compress(gzip.compress(JUNE)),
        "zip in zip in zip": lambda: archive({"a": archive({"a": archive({"a": JUNE})})}),
    }[kind]()


@pytest.mark.parametrize("kind", ["gz", "zst", "zip", "entries", "gz in gz", "zip in zip in zip"])
def test_a_bomb_is_refused_before_it_takes_memory(kind: str) -> None:
    data = bomb(kind)
    tracemalloc.start()

    class Sink(io.RawIOBase):
        """Swallows what is unpacked, so that memory shows what unpacking itself takes."""

        def write(self, block: bytes) -> int:  # type: ignore[override]
            return len(block)

        def seek(self, *_: int) -> int:
            return 0

        def read(self, size: int = -1) -> bytes:
            return gzip.compress(b"")[:size]

    try:
        entries = list(read_entries(io.BytesIO(data), CONTRACT, Sink()))  # type: ignore[arg-type]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert entries == [Refused(0, len(data), 0, "oversize")]
    assert peak < 8 << 20


def test_a_locked_archive_is_refused() -> None:
    packed = bytearray(PACKED["zip"])
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        packed[packed.index(signature) + at] |= 1
    assert read(bytes(packed)) == [Refused(0, len(packed), 0, "malformed")]


def test_an_empty_archive_holds_no_records() -> None:
    assert read(archive({})) == []
    assert values(read(gzip.compress(b""))) == values(read(b""))


def test_a_workbook_is_no_archive() -> None:
    from complaint_assets_tests.logic.native_samples import nps

    contract = load_contracts()["survey", "nps"]
    data = nps()
    whole = list(parse(io.BytesIO(data), contract))
    assert list(read_entries(io.BytesIO(data), contract, io.BytesIO())) == whole
    packed = archive({"book.xlsx": data})
    assert list(read_entries(io.BytesIO(packed), contract, io.BytesIO())) == whole
