"""From inbox and queue into the lake: stored before it is acknowledged, held when it is not what was promised."""

import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from complaint_assets.assets import raw
from complaint_assets.capture.drain import drain
from complaint_assets.contracts import load_contracts
from resources import queue_sqs
from resources.lake import Lake
from resources.notifier import Notifier
from resources.queue import Depth, Message, Queue, QueueUnavailable, open_queue
from resources.queue_spool import Spool
from resources.stores import Stores

CONTRACTS = load_contracts()


@pytest.fixture(params=["embedded", "aws"])
def stores(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stores:
    """The stores of a home: folders and a spool, then S3 and SQS."""
    if request.param == "embedded":
        place, queue = str(tmp_path), str(tmp_path / "queue.db")
    else:
        place = f"{request.getfixturevalue('s3').bucket}/{tmp_path.name}"
        queue = f"sqs://{tmp_path.name}"
        monkeypatch.setattr(queue_sqs, "POLL_SECONDS", 0)
    return Stores(
        lake_url=f"{place}/lake", inbox_url=f"{place}/inbox", tables_url=f"{place}/tables", queue_url=queue
    )


def queue_of(stores: Stores) -> Queue:
    assert stores.queue
    return stores.queue


def lines(lake: Lake, channel: str = "sms") -> list[bytes]:
    """Every line of every object of ``channel``."""
    found = []
    for slot in lake.unsealed(channel):
        for item in lake.seal(channel, slot).objects:
            with lake.open(item) as stream:
                found += stream.read().splitlines()
    return sorted(found)


def records(count: int) -> list[bytes]:
    return [json.dumps({"text": f"record {n}"}).encode() for n in range(count)]


def test_pushed_messages_are_in_the_lake_before_they_leave_the_queue(stores: Stores) -> None:
    queue = queue_of(stores)
    queue.send("sms", "gateway", records(30))
    assert drain(queue, stores.lake, "sms", CONTRACTS) == 30
    assert queue.depth("sms") == Depth(0, 0, 0)
    assert lines(stores.lake) == sorted(records(30))


class Dies(Exception):
    """Somebody pulled the plug."""


class Unplugged:
    """A queue whose next acknowledgement is never sent."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self.leased: list[Message] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    def ack(self, channel: str, messages: Sequence[Message]) -> None:
        self.leased = list(messages)
        raise Dies


def test_a_kill_between_storing_and_acknowledging_brings_the_same_object_again(stores: Stores) -> None:
    queue = Unplugged(queue_of(stores))
    queue.send("sms", "gateway", records(30))
    with pytest.raises(Dies):
        drain(queue, stores.lake, "sms", CONTRACTS)
    queue_of(stores).extend("sms", queue.leased, 0)  # their lease ends
    assert drain(queue_of(stores), stores.lake, "sms", CONTRACTS) == 30
    assert lines(stores.lake) == sorted(records(30)), "the same batch is the same bytes"


def test_a_lake_that_refuses_leaves_the_messages_in_the_queue(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = queue_of(stores)
    queue.send("sms", "gateway", records(3))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Lake, "land", full)
    with pytest.raises(OSError, match="No space"):
        drain(queue, stores.lake, "sms", CONTRACTS)
    depth = queue.depth("sms")
    assert depth.waiting + depth.leased == 3


def test_messages_without_contract_stay_and_their_neighbours_go_on(stores: Stores) -> None:
    queue = queue_of(stores)
    queue.send("sms", "stranger", [b"{}"])
    queue.send("sms", "gateway", records(2))
    assert drain(queue, stores.lake, "sms", CONTRACTS) == 2
    assert queue.depth("sms").leased == 1


def test_a_message_that_is_no_line_keeps_its_bytes(stores: Stores) -> None:
    odd = [b'{\r\n"text": 1}\n', b"", b"\xff\0", b"a\r"]
    queue_of(stores).send("sms", "gateway", odd)
    drain(queue_of(stores), stores.lake, "sms", CONTRACTS)
    (slot,) = stores.lake.unsealed("sms")
    found = []
    for item in stores.lake.seal("sms", slot).objects:
        with stores.lake.open(item) as stream:
            found.append(stream.read())
    assert sorted(found) == sorted([b'{\r\n"text": 1}\n', b"a\r", b"\n\xff\0\n"])


# The asset


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stores:
    monkeypatch.setattr(raw, "SECOND_LOOK_SECONDS", 0.02)
    return Stores(
        lake_url=str(tmp_path / "lake"),
        inbox_url=str(tmp_path / "inbox"),
        tables_url=str(tmp_path / "tables"),
        queue_url=str(tmp_path / "queue.db"),
    )


SLOT = "2026-11-23T06"


def take_in(stores: Stores, tmp_path: Path) -> list[dict[str, Any]]:
    """Materialise raw/sms for the slot; return the alerts so far."""
    notifier = Notifier(folder=str(tmp_path / "alerts"))
    result = dg.materialize(
        [asset for asset in raw.raw_assets if asset.key.path[-1] == "sms"],
        partition_key=SLOT,
        resources={"stores": stores, "notifier": notifier},
    )
    assert result.success
    notifier.flush()
    log = tmp_path / "alerts" / "alerts.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def drop(stores: Stores, name: str, data: bytes) -> None:
    assert stores.inbox.drop("sms", "gateway", name, io.BytesIO(data), slot=SLOT)


def test_a_file_that_is_not_its_checksum_is_held_and_told_and_its_neighbours_go_on(
    home: Stores, tmp_path: Path
) -> None:
    promise = hashlib.sha256(b'{"text":"whole"}\n').hexdigest()
    drop(home, "a.jsonl", b'{"text":"who')
    drop(home, "a.jsonl.sha256", f"{promise}  a.jsonl\n".encode())
    drop(home, "b.jsonl", b'{"text":"b"}\n')
    drop(home, "c.jsonl", b'{"text":"c"}\n')
    drop(home, "c.jsonl.sha256", b"no checksum at all")
    alerts = take_in(home, tmp_path)
    assert lines_of(home) == [b'{"text":"b"}']
    assert len(alerts) == 2
    assert all("a.jsonl" not in json.dumps(alert) for alert in alerts), "names can hold personal data"
    assert [a.name for a in home.inbox.look("sms", 10)] == ["a.jsonl", "c.jsonl"]
    assert len(take_in(home, tmp_path)) == 2, "told once"

    Path(home.inbox_url, "sms", "gateway", SLOT, "a.jsonl").write_bytes(b'{"text":"whole"}\n')
    take_in(home, tmp_path)
    assert lines_of(home) == [b'{"text":"b"}', b'{"text":"whole"}']
    assert [a.name for a in home.inbox.look("sms", 10)] == ["c.jsonl"]


def lines_of(stores: Stores) -> list[bytes]:
    """Every line that the sealed slot holds."""
    manifest = stores.lake.manifest("sms", SLOT)
    assert manifest
    found = []
    for item in manifest.objects:
        with stores.lake.open(item) as stream:
            found += stream.read().splitlines()
    return sorted(found)


def test_a_queue_that_is_down_keeps_no_file_waiting(
    home: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(home, "a.jsonl", b'{"text":"a"}\n')

    def down(*_: object) -> None:
        raise QueueUnavailable("down")

    monkeypatch.setattr(Spool, "receive", down)
    take_in(home, tmp_path)
    assert lines_of(home) == [b'{"text":"a"}']


def test_a_home_without_queue_takes_in_its_files(home: Stores, tmp_path: Path) -> None:
    drop(home, "a.jsonl", b'{"text":"a"}\n')
    without = Stores(lake_url=home.lake_url, inbox_url=home.inbox_url, tables_url=home.tables_url)
    take_in(without, tmp_path)
    assert lines_of(home) == [b'{"text":"a"}']


def test_the_queue_of_a_home_is_where_its_settings_say(tmp_path: Path) -> None:
    assert isinstance(open_queue(str(tmp_path / "queue.db")), Spool)
    assert isinstance(open_queue("sqs://complaints"), queue_sqs.SqsQueue)
