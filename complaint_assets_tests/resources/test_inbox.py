"""The inbox's promises, on a folder and on S3: finished files of a channel, told apart by name and state."""

import io
import os
import time
from pathlib import Path

import pytest

from resources.inbox import Inbox
from resources.object_store import open_store


@pytest.fixture
def inbox(place: str) -> Inbox:
    return Inbox(place)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "place"


def names(inbox: Inbox, channel: str = "sms", limit: int = 100) -> list[str]:
    return [arrival.key for arrival in inbox.look(channel, limit)]


def marks(inbox: Inbox) -> dict[str, str]:
    return {arrival.key: arrival.mark for arrival in inbox.look("sms", 100)}


def test_a_dropped_file_arrives_with_its_source_slot_and_bytes(inbox: Inbox) -> None:
    assert inbox.drop("sms", "gateway", "a.jsonl", io.BytesIO(b"one"))
    assert inbox.drop("sms", "gateway", "b.jsonl", io.BytesIO(b"three"), slot="2026-11-23T06")
    with_slot, without = inbox.look("sms", 10)
    assert (with_slot.channel, with_slot.source, with_slot.slot, with_slot.name, with_slot.size) == (
        "sms",
        "gateway",
        "2026-11-23T06",
        "b.jsonl",
        5,
    )
    assert (without.source, without.slot, without.name, without.size) == ("gateway", None, "a.jsonl", 3)
    with inbox.open(with_slot) as first, inbox.open(without) as second:
        assert (first.read(), second.read()) == (b"three", b"one")


def test_an_empty_inbox_has_no_arrivals(inbox: Inbox) -> None:
    assert inbox.look("sms", 10) == []


def test_a_look_sees_its_channel_only(inbox: Inbox) -> None:
    for channel in ("sms", "sms_other", "social", "ms"):
        inbox.drop(channel, "source", "a", io.BytesIO(b""))
    assert names(inbox) == ["sms/source/a"]


PASSED_OVER = [
    "sms/gateway/a.jsonl.part",
    "sms/gateway/a.tmp",
    "sms/gateway/a.crdownload",
    "sms/gateway/2026-11-23T06/a.filepart",
    "sms/gateway/.hidden",
    "sms/gateway/.a.jsonl.x7f3",
    "sms/gateway/.~tmp~/a.jsonl",
    "sms/.trash/a.jsonl",
    "sms/gateway/2026-11-23T06/deeper/a.jsonl",
    "sms/a.jsonl",
]


def test_what_is_unfinished_hidden_or_in_no_source_is_passed_over(place: str, inbox: Inbox) -> None:
    store = open_store(place)
    for key in (*PASSED_OVER, "sms/gateway/finished.jsonl"):
        store.put(key, b"x")
    assert names(inbox) == ["sms/gateway/finished.jsonl"]


def test_a_file_arrives_when_it_is_renamed_from_part(folder: Path) -> None:
    inbox = Inbox(str(folder))
    part = folder / "sms/gateway/a.jsonl.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x")
    assert names(inbox) == []
    part.rename(part.with_suffix(""))
    assert names(inbox) == ["sms/gateway/a.jsonl"]


def test_the_limit_counts_arrivals_in_key_order_and_not_what_is_passed_over(place: str, inbox: Inbox) -> None:
    store = open_store(place)
    for key in ("a.part", "b", "c.part", "d", "e", "f"):
        store.put(f"sms/gateway/{key}", b"")
    assert names(inbox, limit=3) == [f"sms/gateway/{key}" for key in ("b", "d", "e")]
    assert names(inbox, limit=0) == []
    assert len(names(inbox, limit=100)) == 4


def test_a_mark_changes_with_its_file_and_only_then(place: str, inbox: Inbox) -> None:
    inbox.drop("sms", "gateway", "a", io.BytesIO(b"one"))
    inbox.drop("sms", "gateway", "b", io.BytesIO(b"one"))
    first = marks(inbox)
    assert marks(inbox) == first
    time.sleep(0.02)
    open_store(place).put("sms/gateway/a", b"two")
    second = marks(inbox)
    assert second["sms/gateway/a"] != first["sms/gateway/a"]
    assert second["sms/gateway/b"] == first["sms/gateway/b"]


def test_a_file_that_grows_changes_its_mark_with_every_block(folder: Path) -> None:
    inbox = Inbox(str(folder))
    path = folder / "sms/gateway/a"
    path.parent.mkdir(parents=True)
    seen = set()
    with path.open("wb") as file:
        for _ in range(4):
            file.write(b"block")
            file.flush()
            seen.add(marks(inbox)["sms/gateway/a"])
    assert len(seen) == 4


PROMISE = "9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab"


@pytest.mark.parametrize(
    ("sidecar", "promised"),
    [
        (f"{PROMISE}\n", PROMISE),
        (PROMISE.upper(), PROMISE),
        (f"{PROMISE}  a.csv\n", PROMISE),
        (f"{PROMISE} *a.csv\r\n", PROMISE),
        (f"\\{PROMISE}  a\\nb.csv\n", PROMISE),
        ("", ""),
        (PROMISE[:-1], ""),
        (PROMISE + "0", ""),
        ("md5 (a.csv) = 0\n", ""),
    ],
)
def test_a_sidecar_is_a_promise_and_no_file(place: str, inbox: Inbox, sidecar: str, promised: str) -> None:
    store = open_store(place)
    store.put("sms/gateway/a.csv", b"x")
    store.put("sms/gateway/a.csv.sha256", sidecar.encode())
    store.put("sms/gateway/lonely.csv.sha256", sidecar.encode())
    (arrival,) = inbox.look("sms", 10)
    assert arrival.name == "a.csv"
    assert inbox.promised(arrival) == promised
    inbox.remove(arrival)
    assert [info.key for info in store.list()] == ["sms/gateway/lonely.csv.sha256"]


def test_a_file_without_sidecar_promises_nothing_and_one_that_comes_later_changes_its_mark(
    place: str, inbox: Inbox
) -> None:
    store = open_store(place)
    for name in ("a.csv", "a.csv-b", "a.csv.gz"):
        store.put(f"sms/gateway/{name}", b"x")
    before = marks(inbox)
    assert [inbox.promised(arrival) for arrival in inbox.look("sms", 10)] == [None] * 3
    store.put("sms/gateway/a.csv.sha256", PROMISE.encode())
    (first,) = inbox.look("sms", 1)  # found although other files lie between the two
    assert inbox.promised(first) == PROMISE
    after = marks(inbox)
    assert {key for key in before if before[key] != after[key]} == {"sms/gateway/a.csv"}
    time.sleep(0.02)
    store.put("sms/gateway/a.csv.sha256", PROMISE.upper().encode())
    assert marks(inbox)["sms/gateway/a.csv"] != after["sms/gateway/a.csv"]


def test_a_removed_file_is_forgotten_and_its_neighbours_stay(inbox: Inbox) -> None:
    for name in ("a", "b"):
        inbox.drop("sms", "gateway", name, io.BytesIO(b"x"))
    inbox.remove(inbox.look("sms", 1)[0])
    assert names(inbox) == ["sms/gateway/b"]


def test_a_drop_never_replaces_a_file_that_waits(inbox: Inbox) -> None:
    assert inbox.drop("sms", "gateway", "a", io.BytesIO(b"first"))
    assert not inbox.drop("sms", "gateway", "a", io.BytesIO(b"second"))
    (arrival,) = inbox.look("sms", 10)
    with inbox.open(arrival) as stream:
        assert stream.read() == b"first"


def test_a_drop_cannot_be_seen_before_it_is_whole(inbox: Inbox) -> None:
    seen: list[str] = []

    class Watched(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() < len(self.getvalue()):
                seen.extend(names(inbox))
            return super().read(size)

    assert inbox.drop("sms", "gateway", "a", Watched(b"x" * (3 << 20)))
    assert seen == []
    assert [arrival.size for arrival in inbox.look("sms", 10)] == [3 << 20]


def test_a_name_cannot_lead_out_of_its_source(inbox: Inbox) -> None:
    for name in ("../a", "..", "/etc/passwd", "", "a\0b"):
        with pytest.raises(ValueError, match="object key"):
            inbox.drop("sms", "gateway", name, io.BytesIO(b"x"))
    assert names(inbox) == []


def test_a_link_in_the_drop_folder_takes_nothing_in_from_elsewhere(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"x")
    (folder / "sms/gateway").mkdir(parents=True)
    (folder / "sms/gateway/link").symlink_to(secret)
    (folder / "sms/linked").symlink_to(tmp_path)
    assert names(Inbox(str(folder))) == []


def test_a_file_name_that_is_no_text_does_not_stop_its_neighbours(folder: Path) -> None:
    inbox = Inbox(str(folder))
    (folder / "sms/gateway").mkdir(parents=True)
    (folder / "sms/gateway/good").write_bytes(b"x")
    (folder / "sms/gateway" / os.fsdecode(b"bad\xff")).write_bytes(b"x")
    for arrival in inbox.look("sms", 10):
        arrival.key.encode()
        with inbox.open(arrival) as stream:
            assert stream.read() == b"x"
    assert "sms/gateway/good" in names(inbox)
