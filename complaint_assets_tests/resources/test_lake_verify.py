"""Verifying a lake, on a folder and on S3: damage is named, everything beside the bytes is made again."""

import hashlib
import io
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from resources.lake import Lake, Manifest
from resources.lake_verify import Verified, verify
from resources.object_store import open_store, read

SLOT, NEXT = "2026-11-23T06", "2026-11-23T07"
AT = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def lake(place: str) -> Lake:
    """A lake with a sealed slot, a reused name, and an object that waits for its first seal."""
    lake = Lake(place)
    for name, data in (("a.jsonl", b"one"), ("b.csv", b"two"), ("a.jsonl", b"three")):
        lake.land("sms", "gateway", SLOT, name, AT, io.BytesIO(data))
    lake.seal("sms", SLOT)
    lake.land("sms", "gateway", NEXT, "c.jsonl", AT, io.BytesIO(b"four"))
    return lake


def everything(place: str) -> dict[str, bytes]:
    store = open_store(place)
    return {info.key: read(store, info.key) or b"" for info in store.list()}


def sealed(lake: Lake) -> list[Manifest | None]:
    return [lake.manifest("sms", slot) for slot in (SLOT, NEXT)]


def test_a_sound_lake_is_left_as_it_is(place: str, lake: Lake) -> None:
    before = everything(place)
    told: list[tuple[int, int]] = []
    assert verify(place, lambda done, total: told.append((done, total))) == Verified(objects=4, bytes=15)
    assert everything(place) == before
    assert told[-1] == (15, 15)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_bytes_that_are_wrong_or_gone_are_named(place: str, lake: Lake) -> None:
    store = open_store(place)
    one, two, three = (
        f"raw/channel=sms/source=gateway/slot={SLOT}/{hashlib.sha256(data).hexdigest()}{suffix}"
        for data, suffix in ((b"one", ".jsonl"), (b"two", ".csv"), (b"three", ".jsonl"))
    )
    store.put(one, b"One")
    store.delete(two)
    store.put("raw/channel=sms/stranger", b"")
    before = everything(place)
    found = verify(place)
    assert sorted(line.split(":")[0] for line in found.damaged) == sorted([one, two, "raw/channel=sms/stranger"])
    assert everything(place) == before
    store.put(one, b"one")
    store.put(two, b"two")
    store.delete("raw/channel=sms/stranger")
    assert verify(place).damaged == []
    assert three in before


DAMAGE: dict[str, Callable[[bytes], bytes | None]] = {
    "lost": lambda _: None,
    "cut": lambda data: data[:-9],
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("what", [["manifests/"], ["receipts/"], ["manifests/", "receipts/"]], ids="+".join)
def test_lost_or_damaged_manifests_and_receipts_are_as_they_were(
    place: str, lake: Lake, what: list[str], damage: str
) -> None:
    before = everything(place)
    store = open_store(place)
    for key, data in before.items():
        if key.startswith(tuple(what)):
            spoilt = DAMAGE[damage](data)
            store.delete(key) if spoilt is None else store.put(key, spoilt)
    found = verify(place)
    assert found.damaged == []
    assert {key.split("/")[0] + "/" for key in found.rebuilt} == {*what}
    assert everything(place) == before
    assert verify(place).rebuilt == []


def test_with_nothing_left_but_the_objects_every_byte_is_read_again(place: str, lake: Lake) -> None:
    store = open_store(place)
    before = [item for manifest in sealed(lake) if manifest for item in manifest.objects]
    for key in everything(place):
        if not key.startswith("raw/"):
            store.delete(key)
    assert verify(place).damaged == []
    for slot in lake.unsealed("sms"):
        lake.seal("sms", slot)
    after = [item for manifest in sealed(lake) if manifest for item in manifest.objects]
    assert len(after) == 4
    facts = {(item.key, item.sha256, item.size, item.source, item.slot) for item in after}
    assert {(item.key, item.sha256, item.size, item.source, item.slot) for item in before} <= facts
    # The index is there again too: the same bytes are no new object, whenever they come.
    assert not lake.land("sms", "gateway", "2026-11-23T09", "x", AT, io.BytesIO(b"one")).new


def test_a_slot_with_damaged_bytes_keeps_its_others_from_nothing(place: str, lake: Lake) -> None:
    store = open_store(place)
    key = next(key for key in everything(place) if key.startswith("raw/") and SLOT in key)
    store.put(key, b"damage")
    store.delete(f"manifests/channel=sms/slot={SLOT}.json")
    lake.seal("sms", NEXT)
    store.delete(f"manifests/channel=sms/slot={NEXT}.json")
    found = verify(place)
    assert [line.split(":")[0] for line in found.damaged] == [key]
    assert found.rebuilt == [f"manifests/channel=sms/slot={NEXT}.json"]


def test_the_command_tells_and_ends_with_1_when_bytes_are_damaged(tmp_path: Path) -> None:
    home = tmp_path / "home"
    lake = Lake(str(home / "lake"))
    item = lake.land("sms", "gateway", SLOT, "a.jsonl", AT, io.BytesIO(b"one")).object

    def call() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "complaint_assets.cli", "lake", "verify"],
            cwd=REPOSITORY,
            env={**os.environ, "COMPLAINTS_HOME": str(home), "COMPLAINTS_ENV": "test"},
            capture_output=True,
            text=True,
            check=False,
        )

    done = call()
    assert (done.returncode, "1 objects, 3 bytes: 0 damaged" in done.stdout) == (0, True), done.stderr
    path = home / "lake" / item.key
    path.chmod(0o644)
    path.write_bytes(b"two")
    done = call()
    assert done.returncode == 1
    assert item.key in done.stdout


def test_on_a_versioned_bucket_an_object_has_one_version_for_ever(s3: Any, tmp_path: Path) -> None:
    import boto3

    client = boto3.client("s3")
    bucket = "versioned"
    client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    place = f"s3://{bucket}/{tmp_path.name}"
    lake = Lake(place)
    for slot in (SLOT, SLOT, NEXT):
        lake.land("sms", "gateway", slot, "a.jsonl", AT, io.BytesIO(b"one"))
        lake.seal("sms", SLOT)
    verify(place)
    versions = client.list_object_versions(Bucket=bucket, Prefix=f"{tmp_path.name}/raw/")
    assert len(versions["Versions"]) == 1
    assert not versions.get("DeleteMarkers")
