"""The raw lake's promises, on a folder and on S3: nothing is lost, nothing comes twice, damage is told."""

import dataclasses
import hashlib
import io
import itertools
import json
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from resources.lake import NAME_REUSED, DamagedLake, Lake, Landed, RawObject, WrongBytes
from resources.object_store import open_store, read

SLOT, NEXT = "2026-11-23T06", "2026-11-23T07"
AT = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)


@pytest.fixture
def lake(place: str) -> Lake:
    return Lake(place)


def land(
    lake: Lake, data: bytes, name: str = "a.jsonl", slot: str = SLOT, source: str = "gateway", at: datetime = AT
) -> Landed:
    return lake.land("sms", source, slot, name, at, io.BytesIO(data))


def raw(place: str) -> list[str]:
    """Keys of the objects that hold bytes."""
    return [info.key for info in open_store(place).list("raw/")]


def sealed(lake: Lake, slot: str = SLOT) -> list[str]:
    """Content of the slot's manifest, by digest."""
    manifest = lake.manifest("sms", slot)
    return [item.sha256 for item in manifest.objects] if manifest else []


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# Landing


@pytest.mark.parametrize("data", [b"", b"x\r\n\xff\0", b"0123456789" * 300_000], ids=len)
def test_bytes_are_kept_exactly_as_they_came(place: str, lake: Lake, data: bytes) -> None:
    landed = land(lake, data)
    item = landed.object
    assert landed.new
    assert item.key == f"raw/channel=sms/source=gateway/slot={SLOT}/{digest(data)}.jsonl"
    assert (item.sha256, item.size, item.name, item.received_at, item.flags) == (
        digest(data),
        len(data),
        "a.jsonl",
        AT,
        (),
    )
    assert read(open_store(place), item.key) == data
    with lake.open(item) as stream:
        assert stream.read() == data


@pytest.mark.parametrize(
    "again",
    [{}, {"slot": NEXT}, {"name": "other.csv"}, {"at": datetime(2026, 11, 24, tzinfo=UTC)}],
    ids=["as before", "other slot", "other name", "later"],
)
def test_the_same_bytes_again_are_the_first_object_and_no_new_one(
    place: str, lake: Lake, again: dict[str, Any]
) -> None:
    first = land(lake, b"x")
    lake.seal("sms", SLOT)
    assert land(lake, b"x", **again) == Landed(first.object, new=False)
    assert raw(place) == [first.object.key]
    assert lake.unsealed("sms") == []


def test_the_same_bytes_of_another_source_are_an_object_of_their_own(place: str, lake: Lake) -> None:
    both = [land(lake, b"x", source=source) for source in ("gateway", "other")]
    assert [landed.new for landed in both] == [True, True]
    assert raw(place) == [landed.object.key for landed in both]
    assert [item.source for item in lake.seal("sms", SLOT).objects] == ["gateway", "other"]


def test_a_name_with_new_bytes_is_a_second_object_and_flagged(place: str, lake: Lake) -> None:
    first, second = land(lake, b"one"), land(lake, b"two", slot=NEXT)
    assert (first.object.flags, second.object.flags) == ((), (NAME_REUSED,))
    assert second.new
    assert len(raw(place)) == 2
    assert land(lake, b"two").object.flags == (NAME_REUSED,)
    assert land(lake, b"three", source="other").object.flags == ()
    assert land(lake, b"four", name="b.jsonl").object.flags == ()


def test_a_name_under_which_known_bytes_came_again_counts_as_used(lake: Lake) -> None:
    land(lake, b"one")
    land(lake, b"one", name="b.jsonl")
    assert land(lake, b"two", name="b.jsonl").object.flags == (NAME_REUSED,)


def test_a_name_is_data_and_never_a_path(place: str, lake: Lake, tmp_path: Path) -> None:
    odd = ["../../escape.sh", "/etc/passwd", "a.jsonl/../../..", "", ".", "x" * 3000, "a.\n\0b", "a. /b"]
    items = []
    for name in odd:
        item = land(lake, name.encode(), name=name).object
        assert item.name == name
        assert item.key.startswith(f"raw/channel=sms/source=gateway/slot={SLOT}/{digest(name.encode())}")
        assert item.key.count("/") == 4
        items.append(item)
    assert raw(place) == sorted(item.key for item in items)
    assert {item.name for item in lake.seal("sms", SLOT).objects} == {*odd}
    assert {path.name for path in tmp_path.iterdir()} <= {"place"}


LAND_AT_ONCE = """
import io
from datetime import UTC, datetime
from resources.lake import Lake
place, count = sys.argv[1], int(sys.argv[2])

def deliver(me):
    lake = Lake(place)
    result = []
    for n in range(count):
        at = datetime(2026, 11, 23, 6, me, tzinfo=UTC)
        name = f"{n}-{me}.kind{me}"
        landed = lake.land("sms", "gateway", f"2026-11-23T0{me}", name, at, io.BytesIO(b"%d" % n * 1000))
        result.append([landed.new, landed.object.key, landed.object.name, landed.object.slot])
    return result

Lake(place).unsealed("warm-up")
print(json.dumps(at_once(4, deliver)))
"""


def test_the_same_bytes_from_several_processes_at_once_are_one_object(
    place: str, lake: Lake, child: Callable[..., Any]
) -> None:
    count = 6
    told = child(LAND_AT_ONCE, place, count).result()
    for n in range(count):
        assert [process[n][0] for process in told].count(True) == 1
        assert len({tuple(process[n][1:]) for process in told}) == 1  # all were told the same object
    assert raw(place) == sorted(process[1] for process in told[0])
    items = [item for slot in lake.unsealed("sms") for item in lake.seal("sms", slot).objects]
    assert sorted(item.sha256 for item in items) == sorted(digest(b"%d" % n * 1000) for n in range(count))
    assert sorted(item.key for item in items) == raw(place)


def test_bytes_that_are_not_the_promised_ones_leave_nothing(place: str, lake: Lake) -> None:
    def promised(promise: str) -> Landed:
        return lake.land("sms", "gateway", SLOT, "a", AT, io.BytesIO(b"x"), promise)

    for promise in ("", digest(b"y")):
        with pytest.raises(WrongBytes):
            promised(promise)
    assert [info.key for info in open_store(place).list()] == []
    assert promised(digest(b"x")).new


# Sealing


def test_a_sealed_slot_has_a_manifest_of_all_its_objects(lake: Lake) -> None:
    items = {land(lake, data, name=data.decode()).object for data in (b"a", b"b", b"c")}
    land(lake, b"d", name="d", slot=NEXT)
    assert lake.manifest("sms", SLOT) is None
    manifest = lake.seal("sms", SLOT)
    assert set(manifest.objects) == items
    assert (manifest.channel, manifest.slot) == ("sms", SLOT)
    assert lake.manifest("sms", SLOT) == manifest
    assert lake.manifest("sms", NEXT) is None
    assert lake.slots("sms") == {SLOT: manifest.checksum}


def test_a_slot_is_unsealed_until_it_is_sealed_and_again_when_more_arrives(lake: Lake) -> None:
    assert lake.unsealed("sms") == []
    land(lake, b"b", slot=NEXT, name="b")
    land(lake, b"a", name="a")
    land(lake, b"c", name="c")
    lake.land("social", "x", SLOT, "a", AT, io.BytesIO(b"a"))
    assert lake.unsealed("sms") == [SLOT, NEXT]
    first = lake.seal("sms", SLOT)
    assert lake.unsealed("sms") == [NEXT]
    assert lake.unsealed("social") == [SLOT]
    land(lake, b"late", name="late")
    assert lake.unsealed("sms") == [SLOT, NEXT]
    assert lake.seal("sms", SLOT).checksum != first.checksum
    assert lake.unsealed("sms") == [NEXT]
    assert len(sealed(lake)) == 3


def test_a_checksum_tells_what_was_received_and_not_in_which_order(place: str) -> None:
    deliveries = [("gateway", b"one"), ("gateway", b"two"), ("other", b"one")]
    orders = list(itertools.permutations(deliveries))
    checksums = set()
    for n, order in enumerate(orders[::2] if "://" not in place else orders[::5]):
        lake = Lake(f"{place}/{n}")
        for source, data in order:
            land(lake, data, name=data.decode(), source=source)
            if n % 2:
                lake.seal("sms", SLOT)
        checksums.add(lake.seal("sms", SLOT).checksum)
    assert len(checksums) == 1
    assert lake.seal("sms", SLOT).checksum in checksums
    land(lake, b"more", name="more")
    assert lake.seal("sms", SLOT).checksum not in checksums


def spoil(place: str, key: str, data: bytes | None) -> None:
    """Replace an object behind the lake's back, or take it away."""
    if data is None:
        open_store(place).delete(key)
    else:
        open_store(place).put(key, data)


def test_a_missing_or_damaged_object_is_named_and_its_slot_stays_unsealed(place: str, lake: Lake) -> None:
    item = land(lake, b"one").object
    before = lake.seal("sms", SLOT)
    land(lake, b"two", name="b")
    for damage in (None, b"", b"another", b"on", b"one "):
        spoil(place, item.key, damage)
        with pytest.raises(DamagedLake, match=item.key):
            lake.seal("sms", SLOT)
        assert lake.manifest("sms", SLOT) == before
        assert lake.unsealed("sms") == [SLOT]
    spoil(place, item.key, b"one")
    assert len(lake.seal("sms", SLOT).objects) == 2


DAMAGES: list[Callable[[bytes], bytes]] = [
    lambda _: b"",
    lambda _: b"{",
    lambda _: b"null",
    lambda _: b"[]",
    lambda _: b"{}",
    lambda _: b"\xff",
    lambda _: b'{"checksum":"0","objects":[]}',
    lambda data: data[:-1],
    lambda data: data.replace(b'"size":3', b'"size":4'),
    lambda data: data.replace(b'"name":"a.jsonl"', b'"name":"b.jsonl"'),
    lambda data: json.dumps({**json.loads(data), "objects": []}).encode(),
]


def test_a_damaged_manifest_is_named_and_sealing_again_repairs_it(place: str, lake: Lake) -> None:
    land(lake, b"one")
    before = lake.seal("sms", SLOT)
    key = f"manifests/channel=sms/slot={SLOT}.json"
    data = read(open_store(place), key)
    assert data
    for damage in DAMAGES:
        assert damage(data) != data
        spoil(place, key, damage(data))
        with pytest.raises(DamagedLake, match=key):
            lake.manifest("sms", SLOT)
    assert lake.seal("sms", SLOT) == before == lake.manifest("sms", SLOT)


class Interrupted:
    """A store in which something happens once, when the first raw object is opened for verification."""

    def __init__(self, place: str, happening: Callable[[], object]) -> None:
        self._store = open_store(place)
        self._happening: Callable[[], object] | None = happening

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def open(self, key: str) -> Any:
        if self._happening and key.startswith("raw/"):
            happening, self._happening = self._happening, None
            happening()
        return self._store.open(key)


@pytest.mark.parametrize(
    "late", [{"data": b"late"}, {"data": b"one", "source": "other"}], ids=["new", "same bytes"]
)
def test_what_lands_between_the_listing_and_the_manifest_stays_unsealed(
    place: str, lake: Lake, late: dict[str, Any]
) -> None:
    land(lake, b"one", name="one")
    landed: list[Landed] = []
    sealing = Lake(place)
    sealing._store = Interrupted(place, lambda: landed.append(land(lake, name="late", **late)))
    first = sealing.seal("sms", SLOT)
    assert landed[0].new
    assert landed[0].object not in first.objects
    assert lake.unsealed("sms") == [SLOT]
    assert landed[0].object in lake.seal("sms", SLOT).objects
    assert lake.unsealed("sms") == []


# Reading


def test_a_range_is_exactly_the_bytes_of_a_record(lake: Lake) -> None:
    records = [b'{"text":"first"}\n', "{'text':'ẹ̀kọ́'}\r\n".encode(), b"", b"\xff\0\n", b"last, no newline"]
    item = land(lake, b"".join(records)).object
    offset = 0
    for record in records:
        assert lake.read_range(item, offset, len(record)) == record
        offset += len(record)
    assert lake.read_range(item, offset, 10) == b""


# Dying


LAND_ALL = """
import io, os
from datetime import UTC, datetime
from resources.lake import Lake
place, attempt, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
lake = Lake(place)
list(lake._store.list("warm-up"))
ready()
for n in range(count):
    at = datetime(2026, 11, 23, 6, n, attempt, tzinfo=UTC)
    size = 3_000_000 if n == 2 else 100
    lake.land("sms", "gateway", f"2026-11-23T0{attempt}", f"{n}.jsonl", at, io.BytesIO(b"%d" % n * size))
print(json.dumps("done"))
"""
COUNT = 10


@pytest.mark.parametrize("seed", range(2))
def test_kills_at_random_moments_lose_nothing_and_bring_nothing_twice(
    place: str, lake: Lake, seed: int, child: Callable[..., Any]
) -> None:
    moments = random.Random(seed)
    for attempt in range(2):
        killed = child(LAND_ALL, place, attempt, COUNT)
        killed.wait_until_ready()
        killed.go()
        time.sleep(moments.uniform(0, 0.15))
        killed.kill()
        for slot in lake.unsealed("sms"):
            lake.seal("sms", slot)  # sealing what is half there must do no harm
    contents = [b"%d" % n * (3_000_000 if n == 2 else 100) for n in range(COUNT)]
    for n, data in enumerate(contents):
        land(lake, data, name=f"{n}.jsonl", slot="2026-11-23T02")
    assert_whole(place, lake, contents)


def assert_whole(place: str, lake: Lake, contents: list[bytes]) -> None:
    """Every content is sealed, once, in one slot, under its own digest, and nothing else is there."""
    for slot in lake.unsealed("sms"):
        lake.seal("sms", slot)
    assert lake.unsealed("sms") == []
    items: list[RawObject] = []
    for slot in lake.slots("sms"):
        manifest = lake.manifest("sms", slot)
        assert manifest is not None
        assert {item.slot for item in manifest.objects} <= {slot}
        items += manifest.objects
    assert sorted(item.sha256 for item in items) == sorted(digest(data) for data in contents)
    assert raw(place) == sorted(item.key for item in items)
    for item in items:
        data = read(open_store(place), item.key)
        assert data is not None
        assert (digest(data), len(data)) == (item.sha256, item.size)


DIE_AT_EVERY_STEP = """
import os, io, signal
from datetime import UTC, datetime
from pathlib import Path
from resources.lake import Lake
home = Path(sys.argv[1])
AT = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
STEPS = {"os.mkdir", "os.link", "os.remove", "os.rename", "tempfile.mkstemp"}  # what changes the folder

def die_at(step):
    left = step
    def hook(event, arguments):
        nonlocal left
        if event in STEPS and str(arguments[0]).startswith(str(home)):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)

def work(lake):
    lake.land("sms", "gateway", "2026-11-23T06", "a.jsonl", AT, io.BytesIO(b"first"))
    lake.seal("sms", "2026-11-23T06")
    lake.land("sms", "gateway", "2026-11-23T06", "a.jsonl", AT, io.BytesIO(b"second"))
    lake.seal("sms", "2026-11-23T06")

step = 0
while True:
    lake = Lake(str(home / str(step)))
    process = os.fork()
    if not process:
        die_at(step)
        work(lake)
        os._exit(0)
    _, status = os.waitpid(process, 0)
    if not os.WIFSIGNALED(status):
        assert os.WEXITSTATUS(status) == 0
        break
    step += 1
ready()
print(json.dumps(step))
"""


def test_a_kill_before_any_single_step_of_landing_and_sealing_is_made_good_by_doing_it_again(
    tmp_path: Path, child: Callable[..., Any]
) -> None:
    dying = child(DIE_AT_EVERY_STEP, tmp_path)
    dying.wait_until_ready()
    dying.go()
    steps = dying.result()
    assert steps > 40, steps
    received = set()
    for step in range(steps + 1):
        place = str(tmp_path / str(step))
        lake = Lake(place)
        for slot in lake.unsealed("sms"):
            lake.seal("sms", slot)
        land(lake, b"first", slot=NEXT)
        land(lake, b"second", slot=NEXT)
        assert_whole(place, lake, [b"first", b"second"])
        items = [item for slot in lake.slots("sms") for item in lake.seal("sms", slot).objects]
        received.add(frozenset(dataclasses.replace(item, slot="", key="") for item in items))
    (same,) = received  # wherever it was killed, and whichever slot each object came to lie in
    assert {item.sha256: item.flags for item in same} == {digest(b"first"): (), digest(b"second"): (NAME_REUSED,)}


def test_an_object_that_was_renamed_is_still_the_one_object_of_its_bytes(place: str, lake: Lake) -> None:
    item = land(lake, b"x", name="Ada Obi.jsonl").object
    lake.seal("sms", SLOT)
    renamed = lake.replace(item, b"x", "erased.jsonl")
    assert renamed == dataclasses.replace(item, name="erased.jsonl")
    again = land(lake, b"x", name="other.jsonl", slot=NEXT)
    assert (again.object, again.new) == (renamed, False)
    assert lake.unsealed("sms") == []
    assert land(lake, b"y", name="erased.jsonl").object.flags == (NAME_REUSED,)
    assert all(b"Ada" not in (read(open_store(place), info.key) or b"") for info in open_store(place).list())
