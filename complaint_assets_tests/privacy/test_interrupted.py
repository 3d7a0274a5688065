"""Removals killed midway: verifying the lake brings nothing back, and asked again they come to their end."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from complaint_assets_tests.conftest import REPOSITORY
from complaint_assets_tests.privacy.test_compressed import HERS, MARKERS, OBI, SLOT, erase, landed
from resources import failpoints
from resources.lake import RETIRED, Lake
from resources.lake_verify import verify
from resources.object_store import open_store
from resources.scan import scan


class Killed(BaseException):
    """What nothing catches: between two writes of the lake it ends the work as SIGKILL does, without a fork."""


def killed_at(name: str, work: Callable[[], object]) -> None:
    """``work``, killed at the failpoint ``name``."""

    def kill(*_: object) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(failpoints, "_armed", (name, 1, signal.SIGKILL))
        patch.setattr(failpoints.os, "kill", kill)
        failpoints.passed.clear()
        with pytest.raises(Killed):
            work()


ERASING = ["replace.landed", "replace.marked", "replace.receipt_removed", "remove.sealed", "remove.bytes_removed"]


@pytest.mark.parametrize("content", [OBI + HERS, HERS], ids=["partly", "all"])
@pytest.mark.parametrize("name", ERASING)
def test_verify_after_an_erasure_killed_midway_brings_nothing_back(
    tmp_path: Path, name: str, content: bytes
) -> None:
    lake = landed(tmp_path, content, "day.jsonl")
    killed_at(name, lambda: erase(lake))
    assert verify(str(tmp_path / "lake")).damaged == []
    received = list(open_store(str(tmp_path / "lake")).list("receipts/"))
    survivors = {b"o"} if content != HERS else set()
    if ERASING.index(name) >= ERASING.index("replace.receipt_removed"):
        assert len(received) == len(survivors), "no receipt for what is being removed"
    erase(lake)
    assert scan([str(tmp_path)], MARKERS.count) == {}
    assert_sound(lake, tmp_path, left=OBI if survivors else b"")


def assert_sound(lake: Lake, folder: Path, left: bytes) -> None:
    """The lake holds ``left`` and no trace of a removal."""
    manifest = lake.manifest("sms", SLOT)
    assert manifest
    standing = []
    for item in manifest.objects:
        if RETIRED not in item.flags:
            with lake.open(item) as stream:
                standing.append(stream.read())
    assert standing == ([left] if left else [])
    assert lake.strays() == []
    assert list(open_store(str(folder / "lake")).list("removals/")) == []
    assert verify(str(folder / "lake")).rebuilt == []


@pytest.mark.parametrize("name", ["retire.receipt_written", "remove.sealed", "remove.bytes_removed"])
def test_a_retirement_killed_midway_is_finished_and_its_receipt_can_be_made_again(
    tmp_path: Path, name: str
) -> None:
    lake = landed(tmp_path, OBI, "day.jsonl")
    manifest = lake.manifest("sms", SLOT)
    assert manifest
    (item,) = manifest.objects
    killed_at(name, lambda: lake.retire(item))
    assert verify(str(tmp_path / "lake")).damaged == []
    assert lake.finish_removals() == 1
    assert not (tmp_path / "lake" / item.key).exists()
    assert_sound(lake, tmp_path, left=b"")
    (receipt,) = open_store(str(tmp_path / "lake")).list("receipts/")
    open_store(str(tmp_path / "lake")).delete(receipt.key)
    assert verify(str(tmp_path / "lake")).rebuilt == [receipt.key]
    manifest = lake.seal("sms", SLOT)
    assert [one.flags for one in manifest.objects] == [(RETIRED,)]


DIES = """
import io, sys
from datetime import UTC, datetime
from resources.failpoints import arm
from resources.lake import Lake
arm("land.spooled")
content = io.BytesIO(sys.stdin.buffer.read())
Lake(sys.argv[1]).land("sms", "gateway", "2026-11-23T11", "x", datetime.now(UTC), content)
"""


def test_what_a_killed_landing_left_of_the_person_goes_and_what_it_left_of_others_stays(tmp_path: Path) -> None:
    lake = landed(tmp_path, OBI, "day.jsonl")
    for left in (HERS, OBI):
        died = subprocess.run(
            [sys.executable, "-c", DIES, tmp_path / "lake"], input=left, cwd=REPOSITORY, check=False
        )
        assert died.returncode == -signal.SIGKILL
    assert len(lake.strays()) == 2
    assert scan([str(tmp_path)], MARKERS.count) != {}
    erase(lake)
    assert scan([str(tmp_path)], MARKERS.count) == {}
    (kept,) = lake.strays()
    with lake.open_stray(kept) as stream:
        assert stream.read() == OBI
