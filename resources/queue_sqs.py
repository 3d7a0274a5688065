"""The queue on SQS: per channel ``NAME-<channel>``, whose redrive policy leads to ``NAME-<channel>-dead``.

Queues that are missing are made; in production they are made beforehand, and the product may only send,
receive and delete. SQS keeps a message for 14 days at most.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from resources.object_store import aws_config
from resources.queue import BATCH_BYTES, MOST_RECEIVES, Depth, Message, QueueUnavailable, too_large

POLL_SECONDS = 1
"""A long poll asks every server of the queue; without it an answer can be empty though messages wait."""
DEAD_LEASE_SECONDS = 30
RETENTION_SECONDS = 14 * 24 * 3600
REQUEST_MESSAGES = 10
REQUEST_BYTES = 1 << 20
OVERHEAD_BYTES = 1 << 10
"""Room for the attributes of a message beside its body."""
ATTEMPTS = 5
_SOURCE, _ENCODING = "source", "encoding"


class SqsQueue:
    """SQS through boto3; credentials, region and endpoint come from the usual AWS settings."""

    largest = (REQUEST_BYTES - OVERHEAD_BYTES) // 4 * 3  # bodies travel as base64

    def __init__(self, name: str) -> None:
        self._name = name
        self._urls: dict[tuple[str, bool], str] = {}

    @cached_property
    def _client(self) -> Any:
        import boto3

        return boto3.client("sqs", config=aws_config())

    def send(self, channel: str, source: str, bodies: Sequence[bytes]) -> None:
        too_large(bodies, self.largest)
        with _told():
            for part in _requests(bodies):
                self._each("send_message_batch", channel, [_entry(source, body) for body in part])

    def receive(self, channel: str, most: int, lease_seconds: int) -> list[Message]:
        with _told():
            return self._take(self._url(channel), most, lease_seconds)

    def extend(self, channel: str, messages: Sequence[Message], lease_seconds: int) -> None:
        with _told():
            for part in _tens(messages):
                # An entry that fails is a lease that has ended: nothing to extend.
                self._client.change_message_visibility_batch(
                    QueueUrl=self._url(channel),
                    Entries=[
                        {"Id": str(n), "ReceiptHandle": m.receipt, "VisibilityTimeout": lease_seconds}
                        for n, m in enumerate(part)
                    ],
                )

    def ack(self, channel: str, messages: Sequence[Message]) -> None:
        with _told():
            for part in _tens(messages):
                self._each("delete_message_batch", channel, [{"ReceiptHandle": m.receipt} for m in part])

    def depth(self, channel: str) -> Depth:
        waiting, leased = "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"
        with _told():
            live, dead = (
                self._client.get_queue_attributes(
                    QueueUrl=self._url(channel, dead=dead), AttributeNames=[waiting, leased]
                )["Attributes"]
                for dead in (False, True)
            )
        return Depth(int(live[waiting]), int(live[leased]), int(dead[waiting]) + int(dead[leased]))

    def dead(self, channel: str, most: int) -> list[Message]:
        with _told():
            url = self._url(channel, dead=True)
            found = self._take(url, most, DEAD_LEASE_SECONDS)
            for message in found:
                self._client.change_message_visibility(
                    QueueUrl=url, ReceiptHandle=message.receipt, VisibilityTimeout=0
                )
        return found

    def redrive(self, channel: str) -> int:
        count = 0
        with _told():
            url = self._url(channel, dead=True)
            while found := self._take(url, REQUEST_MESSAGES, DEAD_LEASE_SECONDS):
                for message in found:
                    self.send(channel, message.source, [message.body])
                    self._client.delete_message(QueueUrl=url, ReceiptHandle=message.receipt)
                count += len(found)
        return count

    def forget(self, channel: str, matches: Callable[[bytes], object]) -> int:
        count = 0
        with _told():
            url = self._url(channel, dead=True)
            seen: dict[str, str] = {}
            while found := [m for m in self._take(url, REQUEST_MESSAGES, DEAD_LEASE_SECONDS) if m.id not in seen]:
                for message in found:
                    if matches(message.body):
                        self._client.delete_message(QueueUrl=url, ReceiptHandle=message.receipt)
                        count += 1
                    else:
                        seen[message.id] = message.receipt
            for receipt in seen.values():
                self._client.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=0)
        return count

    def _take(self, url: str, most: int, lease_seconds: int) -> list[Message]:
        found: list[Message] = []
        size = 0
        while len(found) < most and size < BATCH_BYTES:
            answer = self._client.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=min(REQUEST_MESSAGES, most - len(found)),
                WaitTimeSeconds=POLL_SECONDS,
                VisibilityTimeout=lease_seconds,
                MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
                MessageAttributeNames=[_SOURCE, _ENCODING],
            ).get("Messages", [])
            if not answer:
                break
            found += [_message(item) for item in answer]
            size += sum(len(item["Body"]) for item in answer)
        return found

    def _each(self, operation: str, channel: str, entries: list[dict[str, Any]]) -> None:
        """One request for ``entries``, and again for those of them that SQS says have failed.

        Raises:
            QueueUnavailable: some fail time and again.
        """
        left = {str(n): {"Id": str(n), **entry} for n, entry in enumerate(entries)}
        for _attempt in range(ATTEMPTS):
            answer = getattr(self._client, operation)(QueueUrl=self._url(channel), Entries=list(left.values()))
            # A receipt that is refused is a lease that has ended: its message is delivered again.
            failed = {item["Id"] for item in answer.get("Failed", ()) if item["Code"] != "ReceiptHandleIsInvalid"}
            left = {key: entry for key, entry in left.items() if key in failed}
            if not left:
                return
        raise QueueUnavailable(f"SQS refuses {len(left)} of {len(entries)} messages of {self._name}-{channel}")

    def _url(self, channel: str, *, dead: bool = False) -> str:
        if (channel, dead) not in self._urls:
            self._urls[channel, dead] = self._find(channel, dead)
        return self._urls[channel, dead]

    def _find(self, channel: str, dead: bool) -> str:
        name = f"{self._name}-{channel}" + ("-dead" if dead else "")
        try:
            return str(self._client.get_queue_url(QueueName=name)["QueueUrl"])
        except self._client.exceptions.QueueDoesNotExist:
            attributes = {
                "MessageRetentionPeriod": str(RETENTION_SECONDS),
                "MaximumMessageSize": str(REQUEST_BYTES),
            }
            if not dead:
                target = self._client.get_queue_attributes(
                    QueueUrl=self._url(channel, dead=True), AttributeNames=["QueueArn"]
                )["Attributes"]["QueueArn"]
                attributes["RedrivePolicy"] = json.dumps(
                    {"deadLetterTargetArn": target, "maxReceiveCount": MOST_RECEIVES}
                )
            return str(self._client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])


@contextmanager
def _told() -> Iterator[None]:
    """Errors of the client as ours, without what was sent."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise QueueUnavailable(f"SQS: {error.operation_name}: {error.response['Error']['Code']}") from None
    except BotoCoreError as error:
        raise QueueUnavailable(f"SQS: {type(error).__name__}") from None


def _entry(source: str, body: bytes) -> dict[str, Any]:
    return {
        # SQS carries text only, and not all of it.
        "MessageBody": base64.b64encode(body).decode() or "=",
        "MessageAttributes": {
            _SOURCE: {"DataType": "String", "StringValue": source},
            _ENCODING: {"DataType": "String", "StringValue": "base64"},
        },
    }


def _message(item: dict[str, Any]) -> Message:
    told = {name: value.get("StringValue", "") for name, value in item.get("MessageAttributes", {}).items()}
    body = item["Body"].encode()
    if told.get(_ENCODING) == "base64":
        try:
            body = base64.b64decode(body) if body != b"=" else b""
        except binascii.Error:
            told = {}  # not sent by us: without a source it ends among the dead letters, for a person to see
    attributes = item["Attributes"]
    return Message(
        item["MessageId"],
        told.get(_SOURCE, ""),
        body,
        datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, UTC),
        int(attributes["ApproximateReceiveCount"]),
        item["ReceiptHandle"],
    )


def _tens(messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    for start in range(0, len(messages), REQUEST_MESSAGES):
        yield messages[start : start + REQUEST_MESSAGES]


def _requests(bodies: Sequence[bytes]) -> Iterator[list[bytes]]:
    """``bodies`` in parts that one request can carry."""
    part: list[bytes] = []
    size = 0
    for body in bodies:
        weight = len(body) * 4 // 3 + OVERHEAD_BYTES
        if part and (len(part) == REQUEST_MESSAGES or size + weight > REQUEST_BYTES):
            yield part
            part, size = [], 0
        part.append(body)
        size += weight
    if part:
        yield part
