"""People inside compressed objects are found and cut; the bytes of everybody else stay."""

import gzip
import io
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from complaint_assets.contracts import load_contracts
from complaint_assets.logic.contract import Contract
from complaint_assets.logic.identify import Keys
from complaint_assets.logic.privacy.erasure import Erased, Mark, Markers
from complaint_assets.logic.raw.unpack import read_entries, unpacked
from complaint_assets.logic.standardised.standardise import Origin, Standardising, standardise
from complaint_assets.privacy.erasure import UnfinishedErasure, cut_all, find
from complaint_assets.vocabulary import load_masker
from complaint_assets_tests.privacy.deliveries import ADA, OTHERS, sms
from resources.lake import Lake, RawObject
from resources.scan import count_in, scan

AT = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
SLOT = "2026-11-23T10"
CONTRACTS = load_contracts()
MARK = Mark("phone", ADA)
MARKERS = Markers([MARK])
ERASED = Erased(lambda identity: identity, {MARK.identity: datetime(2026, 11, 24, tzinfo=UTC)})
OBI, EZE = (
    sms(name, other, "2026-11-23 09:00:00", "no network").encode()
    for name, other in zip("oe", OTHERS, strict=True)
)
HERS = sms("a", ADA, "2026-11-23 09:00:00", "my words").encode()
NAMED = sms("n", OTHERS[0], "2026-11-23 09:00:00", "ring my sister on 0803 123 4567").encode()
UNNAMED = NAMED.replace(b"0803 123 4567", b"9999 999 9999")


def zst(data: bytes) -> bytes:
    packed: bytes = pa.Codec("zstd").compress(data, asbytes=True)
    return packed


def archive(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as one:
        for name, data in files.items():
            one.writestr(name, data)
    return out.getvalue()


def read(item: RawObject, contract: Contract, lake: Lake) -> Standardising:
    origin = Origin(item.channel, item.source, item.slot, item.sha256, item.received_at, item.size)
    with lake.open(item) as stream:
        return standardise(
            read_entries(stream, contract, io.BytesIO()),
            contract,
            origin,
            Keys(b"k" * 32),
            "NG",
            date(2013, 1, 1),
            load_masker("analytic", "NG"),
            erased=ERASED,
        )


def erase(lake: Lake) -> list[int]:
    """Erase Ada; the number of her records in each object."""
    affected = list(find(lake, CONTRACTS, lambda item, contract: read(item, contract, lake), MARKERS))
    cut_all(lake, affected, MARKERS, lambda _: None)
    return [len(one.doomed) for one in affected]


def landed(folder: Path, data: bytes, name: str) -> Lake:
    lake = Lake(str(folder / "lake"))
    lake.land("sms", "gateway", SLOT, name, AT, io.BytesIO(data))
    lake.seal("sms", SLOT)
    return lake


CASES = {
    "gz": (gzip.compress(OBI + HERS + NAMED), 1, OBI + UNNAMED),
    "zst": (zst(HERS + OBI + HERS), 2, OBI),
    "zip": (archive(june=OBI + HERS, july=NAMED + HERS + EZE), 2, OBI + UNNAMED + EZE),
    "a file all hers": (archive(june=HERS, july=EZE), 1, EZE),
    "zip of gz and zst": (archive(june=gzip.compress(OBI + HERS), july=zst(HERS + NAMED)), 2, OBI + UNNAMED),
    "named in the archive": (archive(**{f"of 0{ADA[4:]}.jsonl": OBI}), 0, OBI),
}


@pytest.mark.parametrize("case", CASES)
def test_her_records_go_out_of_a_compressed_object_and_the_bytes_of_others_stay(tmp_path: Path, case: str) -> None:
    data, hers, left = CASES[case]
    lake = landed(tmp_path, data, "day.jsonl." + case.split()[0])
    assert erase(lake) == [hers]
    assert scan([str(tmp_path)], MARKERS.count) == {}
    manifest = lake.manifest("sms", SLOT)
    assert manifest
    (item,) = manifest.objects
    assert (item.slot, item.received_at, item.name) == (SLOT, AT, "day.jsonl." + case.split()[0])
    with lake.open(item) as stream:
        assert unpacked(stream, spool := io.BytesIO()) is spool, "compressed as it came"
        assert spool.getvalue() == left
    again = read(item, CONTRACTS["sms", "gateway"], lake)
    assert (again.deliveries.num_rows, again.quarantine.num_rows, len(again.erased)) == (left.count(b"\n"), 0, 0)
    assert erase(lake) == []


def test_an_object_in_which_all_is_hers_goes_as_a_whole(tmp_path: Path) -> None:
    lake = landed(tmp_path, archive(one=HERS, two=gzip.compress(HERS)), "day.zip")
    assert erase(lake) == [2]
    manifest = lake.manifest("sms", SLOT)
    assert manifest
    assert manifest.objects == ()
    assert list((tmp_path / "lake" / "raw").rglob("*.zip")) == []


def test_a_spoilt_object_that_tells_of_her_is_named_and_stops_no_other(tmp_path: Path) -> None:
    spoilt = gzip.compress(OBI + HERS + bytes(range(256)) * 40)[:-9]
    assert count_in(io.BytesIO(spoilt), MARKERS.count)
    lake = landed(tmp_path, spoilt, "day.gz")
    landed(tmp_path, OBI + HERS, "day.jsonl")
    with pytest.raises(UnfinishedErasure, match="cannot be unpacked"):
        erase(lake)
    manifest = lake.manifest("sms", SLOT)
    assert manifest
    standing = {}
    for item in manifest.objects:
        with lake.open(item) as stream:
            standing[item.name] = stream.read()
    assert standing == {"day.gz": spoilt, "day.jsonl": OBI}
