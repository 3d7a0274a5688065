"""The queue's promises, on the embedded spool and on SQS: nothing lost, nothing leased twice, poison set aside."""

import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from resources import queue_sqs
from resources.queue import BATCH_BYTES, MOST_RECEIVES, Depth, Message, Queue, QueueUnavailable, held, open_queue
from resources.queue_spool import Spool

LEASE = 60


@pytest.fixture(params=["spool", "sqs"])
def address(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "spool":
        return str(tmp_path / "queue.db")
    request.getfixturevalue("s3")
    # The server of the tests answers everything at once, and one request at a time: waiting would be idle.
    monkeypatch.setattr(queue_sqs, "POLL_SECONDS", 0)
    return f"sqs://{tmp_path.name}"


@pytest.fixture
def queue(address: str) -> Queue:
    return open_queue(address)


def bodies(messages: list[Message]) -> list[bytes]:
    return sorted(message.body for message in messages)


def take(queue: Queue, most: int = 100, lease: int = LEASE, channel: str = "sms") -> list[Message]:
    return queue.receive(channel, most, lease)


def look(queue: Queue) -> list[Message]:
    """Take everything and give it back at once, as a receiver that dies does later."""
    messages = take(queue)
    queue.extend("sms", messages, 0)
    return messages


ODD = [b"", b"{}", b"=", b"\0\xff\xfe", "ẹ̀kọ́ 😀".encode(), b"a\r\nb\n", b"<x>&amp;", b"x" * 300_000]


def test_a_message_comes_back_byte_for_byte_with_its_source_and_time(queue: Queue) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    queue.send("sms", "gateway", ODD)
    messages = take(queue)
    assert bodies(messages) == sorted(ODD)
    assert {message.source for message in messages} == {"gateway"}
    assert {message.receives for message in messages} == {1}
    assert all(before <= message.sent_at <= datetime.now(UTC) for message in messages)


def test_a_channel_has_its_own_messages_and_each_keeps_its_source(queue: Queue) -> None:
    queue.send("sms", "gateway", [b"1"])
    queue.send("sms", "other", [b"2"])
    queue.send("social", "x", [b"3"])
    assert {(m.source, m.body) for m in take(queue)} == {("gateway", b"1"), ("other", b"2")}
    assert bodies(take(queue, channel="social")) == [b"3"]
    assert take(queue, channel="survey") == []


def test_a_leased_message_is_nobody_elses_until_its_lease_ends(queue: Queue) -> None:
    queue.send("sms", "gateway", [b"1"])
    assert len(take(queue, lease=1)) == 1
    assert take(queue) == []
    time.sleep(1.1)
    (again,) = take(queue)
    assert again.receives == 2


def test_an_acknowledged_message_is_gone_and_its_neighbours_stay(queue: Queue) -> None:
    queue.send("sms", "gateway", [b"%d" % n for n in range(25)])
    messages = take(queue)
    queue.ack("sms", messages[:23])
    queue.extend("sms", messages[23:], 0)
    assert bodies(take(queue)) == bodies(messages[23:])
    queue.ack("sms", [])


def test_what_is_not_acknowledged_comes_again_whole(queue: Queue) -> None:
    sent = [b"%d" % n for n in range(25)]
    queue.send("sms", "gateway", sent)
    assert bodies(look(queue)) == bodies(look(queue)) == sorted(sent)


def test_an_extended_lease_stands_longer(queue: Queue) -> None:
    queue.send("sms", "gateway", [b"%d" % n for n in range(12)])
    messages = take(queue, lease=1)
    queue.extend("sms", messages, LEASE)
    time.sleep(1.1)
    assert take(queue) == []
    queue.ack("sms", messages)
    assert queue.depth("sms") == Depth(0, 0, 0)


def test_messages_are_held_for_as_long_as_the_work_on_them_takes(queue: Queue) -> None:
    queue.send("sms", "gateway", [b"1"])
    messages = take(queue, lease=1)
    with held(queue, "sms", messages, 1):
        for _ in range(16):
            time.sleep(0.1)
            assert take(queue) == []
    queue.ack("sms", messages)
    assert queue.depth("sms") == Depth(0, 0, 0)


def test_a_batch_has_a_most_in_messages_and_in_bytes(queue: Queue) -> None:
    queue.send("sms", "gateway", [b"x"] * 14)
    assert len(take(queue, most=13)) == 13
    assert len(take(queue, most=13)) == 1
    size = queue.largest
    count = BATCH_BYTES // size + 3
    for _ in range(count):
        queue.send("sms", "gateway", [b"x" * size])
    first = take(queue)
    assert 0 < len(first) < count
    assert sum(len(message.body) for message in first) < BATCH_BYTES + size
    assert len(first) + len(take(queue)) == count


def test_a_message_that_is_too_large_is_refused_with_all_that_came_with_it(queue: Queue) -> None:
    with pytest.raises(ValueError, match="deliver more as a file"):
        queue.send("sms", "gateway", [b"good", b"x" * (queue.largest + 1)])
    assert queue.depth("sms") == Depth(0, 0, 0)


def poison(queue: Queue, body: bytes) -> None:
    """Send a message on which every receiver dies."""
    queue.send("sms", "gateway", [body])
    for n in range(MOST_RECEIVES):
        assert [m.receives for m in look(queue)] == [n + 1]
    assert look(queue) == []


def test_a_message_that_is_never_acknowledged_becomes_a_dead_letter_and_can_be_redriven(queue: Queue) -> None:
    poison(queue, b"poison")
    queue.send("sms", "other", [b"good"])
    assert bodies(take(queue)) == [b"good"]
    assert queue.depth("sms") == Depth(waiting=0, leased=1, dead=1)
    for _ in range(2):  # looking changes nothing
        (letter,) = queue.dead("sms", 10)
        assert (letter.source, letter.body) == ("gateway", b"poison")
    assert queue.dead("social", 10) == []
    assert queue.redrive("sms") == 1
    assert queue.dead("sms", 10) == []
    (again,) = take(queue)
    assert (again.source, again.body, again.receives) == ("gateway", b"poison", 1)
    queue.ack("sms", [again])
    assert queue.redrive("sms") == 0


def test_dead_letters_that_match_are_forgotten_and_others_stay(queue: Queue) -> None:
    for body in (b"hers", b"his", b"hers too"):
        poison(queue, body)
    assert queue.depth("sms").dead == 3
    assert queue.forget("sms", lambda body: b"hers" in body) == 2
    assert bodies(queue.dead("sms", 10)) == [b"his"]
    assert queue.forget("social", bool) == 0
    assert queue.redrive("sms") == 1


def test_of_what_the_spool_forgets_or_has_handed_over_no_byte_is_left(tmp_path: Path) -> None:
    queue = Spool(tmp_path / "queue.db")
    queue.send("sms", "gateway", [b"handed over"])
    queue.ack("sms", take(queue))
    queue.send("sms", "gateway", [b"waiting secret", b"another"])
    take(queue, most=1)
    assert queue.forget("sms", lambda body: b"secret" in body) == 1
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"another" in stored
    assert b"secret" not in stored
    assert b"handed over" not in stored
    assert queue.depth("sms") == Depth(waiting=1, leased=0, dead=0)


def test_the_depth_tells_what_waits_and_what_is_leased(queue: Queue) -> None:
    queue.send("sms", "gateway", [b"1", b"2", b"3"])
    take(queue, most=1)
    assert queue.depth("sms") == Depth(waiting=2, leased=1, dead=0)
    assert queue.depth("social") == Depth(0, 0, 0)


TAKE_ALL = """
from resources import queue_sqs
from resources.queue import open_queue
queue_sqs.POLL_SECONDS = 0
address, count = sys.argv[1], int(sys.argv[2])

def work(me):
    queue = open_queue(address)
    queue.send("sms", "gateway", [b"%d-%d" % (me, n) for n in range(count)])
    taken = []
    while messages := queue.receive("sms", 7, 60):
        taken += [message.body.decode() for message in messages]
        queue.ack("sms", messages)
    return taken

print(json.dumps(at_once(4, work)))
"""


def test_of_several_processes_none_takes_what_another_has(
    address: str, queue: Queue, child: Callable[..., Any]
) -> None:
    count = 40
    taken = [body for of_process in child(TAKE_ALL, address, count).result() for body in of_process]
    assert Counter(taken) == Counter(f"{me}-{n}" for me in range(4) for n in range(count))
    assert queue.depth("sms") == Depth(0, 0, 0)


SEND = """
import os
from resources.queue import open_queue
queue = open_queue(sys.argv[1])
ready()
n = 0
while True:
    queue.send("sms", "gateway", [b"%d" % n])
    os.write(1, b"%d\\n" % n)
    n += 1
"""


def test_what_was_accepted_before_a_kill_is_there(tmp_path: Path, child: Callable[..., Any]) -> None:
    path = tmp_path / "queue.db"
    sending = child(SEND, path)
    sending.wait_until_ready()
    sending.go()
    time.sleep(0.3)
    sending.process.kill()
    told = [int(line) for line in sending.process.stdout.read().split()]
    assert told
    assert {*told} <= {int(message.body) for message in take(Spool(path), most=10**6)}


def test_an_answer_of_a_receiver_that_was_too_slow_takes_nothing_from_the_next(tmp_path: Path) -> None:
    queue = Spool(tmp_path / "queue.db")
    queue.send("sms", "gateway", [b"1"])
    slow, quick = look(queue), take(queue)
    queue.ack("sms", slow)
    queue.extend("sms", slow, 0)
    assert queue.depth("sms") == Depth(0, 1, 0)
    queue.ack("sms", quick)
    assert queue.depth("sms") == Depth(0, 0, 0)


def test_a_full_disk_refuses_messages_and_keeps_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Spool(tmp_path / "queue.db")
    queue.send("sms", "gateway", [b"first"])
    queue._connection().execute("PRAGMA max_page_count = 20")
    with pytest.raises(QueueUnavailable, match=r"queue\.db"):
        queue.send("sms", "gateway", [b"x" * 200_000])
    queue.send("sms", "gateway", [b"small"])
    assert bodies(take(queue)) == [b"first", b"small"]


def test_a_queue_that_cannot_be_reached_is_told_without_what_was_sent(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_sqs, "ATTEMPTS", 1)
    monkeypatch.setattr("resources.object_store.ATTEMPTS", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(QueueUnavailable, match="SQS") as told:
        open_queue("sqs://nowhere").send("sms", "gateway", [b"+2348031234567"])
    assert "2348031234567" not in str(told.value)


def test_a_message_that_somebody_else_put_on_sqs_harms_nobody(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import boto3

    monkeypatch.setattr(queue_sqs, "POLL_SECONDS", 0)
    queue = open_queue(f"sqs://{tmp_path.name}")
    queue.send("sms", "gateway", [b"good"])
    client = boto3.client("sqs")
    url = client.get_queue_url(QueueName=f"{tmp_path.name}-sms")["QueueUrl"]
    client.send_message(QueueUrl=url, MessageBody="by hand")
    assert {(m.source, m.body) for m in take(queue)} == {("gateway", b"good"), ("", b"by hand")}
